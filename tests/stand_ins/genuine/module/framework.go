package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/attr/xattr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
)

// fromFramework describes a resource type that is written with terraform-plugin-framework.
func fromFramework(ctx context.Context, made resource.Resource, texts map[string]string) *ResourceType {
	var answer resource.SchemaResponse
	made.Schema(ctx, resource.SchemaRequest{}, &answer)
	_, customized := made.(resource.ResourceWithModifyPlan)
	one := &describer{ctx, texts}
	return &ResourceType{customized, one.members(answer.Schema.Attributes, answer.Schema.Blocks)}
}

type describer struct {
	ctx   context.Context
	texts map[string]string
}

func (d *describer) members(attributes map[string]schema.Attribute, blocks map[string]schema.Block) map[string]*Attribute {
	found := map[string]*Attribute{}
	for name, one := range attributes {
		found[name] = d.attribute(one)
	}
	for name, one := range blocks {
		found[name] = d.block(one)
	}
	return found
}

func (d *describer) attribute(one schema.Attribute) *Attribute {
	made := &Attribute{
		Type: typeName(one.GetType()), Required: one.IsRequired(), Optional: one.IsOptional(), Computed: one.IsComputed(),
		Replace: replaces(d.ctx, one), Default: standard(d.ctx, one),
	}
	if nested, ok := one.(schema.NestedAttribute); ok {
		made.Attributes = map[string]*Attribute{}
		for name, inner := range nested.GetNestedObject().GetAttributes() {
			made.Attributes[name] = d.attribute(inner.(schema.Attribute))
		}
	}
	if !made.Required && !made.Optional {
		return made
	}
	switch typed := one.(type) {
	case schema.StringAttribute:
		d.judgeText(made, typed.GetType(), typed.Validators)
	case schema.Int64Attribute:
		made.judge(false, true, d.texts, func(value any) []string { return d.wholeNumber(typed.Validators, value) })
	case schema.Int32Attribute:
		made.judge(false, true, d.texts, func(value any) []string { return d.shortNumber(typed.Validators, value) })
	case schema.ListAttribute:
		d.judgeText(made, typed.ElementType, nil)
	case schema.SetAttribute:
		d.judgeText(made, typed.ElementType, nil)
	}
	return made
}

func (d *describer) block(one schema.Block) *Attribute {
	nested := one.GetNestedObject().(schema.NestedBlockObject)
	made := &Attribute{
		Type: typeName(one.Type()), Replace: replaces(d.ctx, one),
		Attributes: d.members(nested.Attributes, nested.Blocks),
	}
	for _, limit := range listOf(one, "Validators") {
		said := limit.(validator.Describer).Description(d.ctx)
		for _, needed := range []string{"at least 1 elements", "must have a configuration value"} {
			made.Required = made.Required || strings.Contains(said, needed)
		}
	}
	made.Optional = !made.Required
	return made
}

func typeName(one attr.Type) string {
	switch typed := one.(type) {
	case basetypes.StringTypable:
		return "string"
	case basetypes.BoolTypable:
		return "bool"
	case basetypes.Int64Typable, basetypes.Int32Typable:
		return "int"
	case basetypes.Float64Typable:
		return "float"
	case basetypes.MapTypable:
		return "map"
	case attr.TypeWithElementType:
		kind := "list"
		if _, set := one.(basetypes.SetTypable); set {
			kind = "set"
		}
		if _, object := typed.ElementType().(basetypes.ObjectTypable); object {
			return kind
		}
		return kind + " of " + typeName(typed.ElementType())
	}
	return "object"
}

// listOf returns a member of an attribute or block, such as its validators, which every kind has under the same name.
func listOf(one any, member string) (found []any) {
	field := reflect.ValueOf(one).FieldByName(member)
	for place := 0; field.IsValid() && place < field.Len(); place++ {
		found = append(found, field.Index(place).Interface())
	}
	return found
}

func replaces(ctx context.Context, one any) bool {
	for _, modifier := range listOf(one, "PlanModifiers") {
		said := strings.ToLower(modifier.(interface{ Description(context.Context) string }).Description(ctx))
		if strings.Contains(said, "destroy and recreate") || strings.Contains(fmt.Sprintf("%T", modifier), "equiresReplace") {
			return true
		}
	}
	return false
}

func standard(ctx context.Context, one any) any {
	field := reflect.ValueOf(one).FieldByName("Default")
	if !field.IsValid() || field.IsNil() {
		return nil
	}
	said := field.Interface().(interface{ Description(context.Context) string }).Description(ctx)
	return strings.TrimPrefix(said, "value defaults to ")
}

func (d *describer) judgeText(made *Attribute, kind attr.Type, validators []validator.String) {
	text, ok := kind.(basetypes.StringTypable)
	if !ok {
		return
	}
	made.judge(true, false, d.texts, func(value any) []string {
		given := types.StringValue(value.(string))
		said := &diag.Diagnostics{}
		if typed, failures := text.ValueFromString(d.ctx, given); failures.HasError() {
			said.Append(failures...)
		} else if own, ok := typed.(xattr.ValidateableAttribute); ok {
			var answer xattr.ValidateAttributeResponse
			own.ValidateAttribute(d.ctx, xattr.ValidateAttributeRequest{Path: path.Root("it")}, &answer)
			said.Append(answer.Diagnostics...)
		}
		for _, one := range validators {
			said.Append(quietly(func(into *diag.Diagnostics) {
				var answer validator.StringResponse
				one.ValidateString(d.ctx, validator.StringRequest{Path: path.Root("it"), ConfigValue: given}, &answer)
				into.Append(answer.Diagnostics...)
			})...)
		}
		return errors(*said)
	})
}

func (d *describer) wholeNumber(validators []validator.Int64, value any) []string {
	said := diag.Diagnostics{}
	for _, one := range validators {
		said.Append(quietly(func(into *diag.Diagnostics) {
			var answer validator.Int64Response
			given := types.Int64Value(value.(int64))
			one.ValidateInt64(d.ctx, validator.Int64Request{Path: path.Root("it"), ConfigValue: given}, &answer)
			into.Append(answer.Diagnostics...)
		})...)
	}
	return errors(said)
}

func (d *describer) shortNumber(validators []validator.Int32, value any) []string {
	said := diag.Diagnostics{}
	for _, one := range validators {
		said.Append(quietly(func(into *diag.Diagnostics) {
			var answer validator.Int32Response
			given := types.Int32Value(int32(value.(int64)))
			one.ValidateInt32(d.ctx, validator.Int32Request{Path: path.Root("it"), ConfigValue: given}, &answer)
			into.Append(answer.Diagnostics...)
		})...)
	}
	return errors(said)
}

// quietly runs a validator; one that compares with other attributes finds none here, and says nothing.
func quietly(run func(*diag.Diagnostics)) (said diag.Diagnostics) {
	defer func() {
		if recover() != nil {
			said = nil
		}
	}()
	run(&said)
	return said
}

func errors(all diag.Diagnostics) (said []string) {
	for _, one := range all.Errors() {
		said = append(said, one.Summary()+" "+one.Detail())
	}
	return said
}
