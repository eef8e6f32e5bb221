package main

import (
	"github.com/hashicorp/go-cty/cty"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

// fromSDK describes a resource type that is written with terraform-plugin-sdk.
func fromSDK(resource *schema.Resource, texts map[string]string) *ResourceType {
	return &ResourceType{resource.CustomizeDiff != nil, sdkAttributes(resource.SchemaMap(), texts)}
}

func sdkAttributes(schemas map[string]*schema.Schema, texts map[string]string) map[string]*Attribute {
	found := map[string]*Attribute{}
	for name, one := range schemas {
		found[name] = sdkAttribute(one, texts)
	}
	return found
}

var sdkTypes = map[schema.ValueType]string{
	schema.TypeBool: "bool", schema.TypeInt: "int", schema.TypeFloat: "float", schema.TypeString: "string",
	schema.TypeList: "list", schema.TypeMap: "map", schema.TypeSet: "set",
}

func sdkAttribute(one *schema.Schema, texts map[string]string) *Attribute {
	made := &Attribute{
		Type: sdkTypes[one.Type], Required: one.Required, Optional: one.Optional, Computed: one.Computed,
		Replace: one.ForceNew, Suppress: one.DiffSuppressFunc != nil, Default: one.Default,
	}
	validated := one
	switch inner := one.Elem.(type) {
	case *schema.Resource:
		made.Attributes = sdkAttributes(inner.SchemaMap(), texts)
	case *schema.Schema:
		if one.Type != schema.TypeMap {
			made.Type += " of " + sdkTypes[inner.Type]
			validated = inner
		}
	}
	if one.Required || one.Optional {
		made.judge(validated.Type == schema.TypeString, validated.Type == schema.TypeInt, texts, func(value any) []string {
			return sdkVerdict(validated, value)
		})
	}
	return made
}

// sdkVerdict returns what the validation says against a value.
func sdkVerdict(one *schema.Schema, value any) (said []string) {
	if number, ok := value.(int64); ok {
		value = int(number)
	}
	if one.ValidateFunc != nil {
		_, failures := one.ValidateFunc(value, "it")
		for _, failure := range failures {
			said = append(said, failure.Error())
		}
	}
	if one.ValidateDiagFunc != nil {
		for _, one := range one.ValidateDiagFunc(value, cty.GetAttrPath("it")) {
			if one.Severity == 0 { // an error
				said = append(said, one.Summary+" "+one.Detail)
			}
		}
	}
	return said
}
