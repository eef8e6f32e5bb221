// Prints the schemas of resource types of the genuine terraform-provider-aws, with what its validation says of a list of
// candidate values. Built inside a copy of that module, whose packages are internal.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/hashicorp/terraform-provider-aws/internal/conns"
	"github.com/hashicorp/terraform-provider-aws/internal/service/apigatewayv2"
	"github.com/hashicorp/terraform-provider-aws/internal/service/batch"
	"github.com/hashicorp/terraform-provider-aws/internal/service/dynamodb"
	"github.com/hashicorp/terraform-provider-aws/internal/service/ec2"
	"github.com/hashicorp/terraform-provider-aws/internal/service/ecr"
	"github.com/hashicorp/terraform-provider-aws/internal/service/events"
	"github.com/hashicorp/terraform-provider-aws/internal/service/iam"
	"github.com/hashicorp/terraform-provider-aws/internal/service/lambda"
	"github.com/hashicorp/terraform-provider-aws/internal/service/logs"
	"github.com/hashicorp/terraform-provider-aws/internal/service/s3"
	"github.com/hashicorp/terraform-provider-aws/internal/service/scheduler"
	"github.com/hashicorp/terraform-provider-aws/internal/service/sfn"
	"github.com/hashicorp/terraform-provider-aws/internal/service/sns"
	"github.com/hashicorp/terraform-provider-aws/internal/service/sqs"
	"github.com/hashicorp/terraform-provider-aws/internal/service/ssm"
)

// Attribute says what a program may give and what becomes of a change. Empty members are left out. Suppress says that
// code decides what is no change, OneOf and Between what is taken, Refuses which of the texts that were asked for are not.
type Attribute struct {
	Type       string                `json:"type"`
	Required   bool                  `json:"required,omitempty"`
	Optional   bool                  `json:"optional,omitempty"`
	Computed   bool                  `json:"computed,omitempty"`
	Replace    bool                  `json:"replace,omitempty"`
	Suppress   bool                  `json:"suppress,omitempty"`
	Default    any                   `json:"default,omitempty"`
	OneOf      []string              `json:"oneOf,omitempty"`
	AnyCase    bool                  `json:"anyCase,omitempty"`
	Between    *[2]int64             `json:"between,omitempty"`
	Refuses    []string              `json:"refuses,omitempty"`
	Attributes map[string]*Attribute `json:"attributes,omitempty"`
}

// ResourceType is a resource type; CustomizeDiff says that code decides further replacements.
type ResourceType struct {
	CustomizeDiff bool                  `json:"customizeDiff,omitempty"`
	Attributes    map[string]*Attribute `json:"attributes"`
}

func services(ctx context.Context) []conns.ServicePackage {
	return []conns.ServicePackage{
		apigatewayv2.ServicePackage(ctx), batch.ServicePackage(ctx), dynamodb.ServicePackage(ctx), ec2.ServicePackage(ctx),
		ecr.ServicePackage(ctx), events.ServicePackage(ctx), iam.ServicePackage(ctx), lambda.ServicePackage(ctx),
		logs.ServicePackage(ctx), s3.ServicePackage(ctx), scheduler.ServicePackage(ctx), sfn.ServicePackage(ctx),
		sns.ServicePackage(ctx), sqs.ServicePackage(ctx), ssm.ServicePackage(ctx),
	}
}

// main reads {"types": [...], "texts": {label: text}} from stdin.
func main() {
	var asked struct {
		Types []string          `json:"types"`
		Texts map[string]string `json:"texts"`
	}
	ctx, found := context.Background(), map[string]*ResourceType{}
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fail(err)
	}
	for _, service := range services(ctx) {
		for _, one := range service.SDKResources(ctx) {
			if slices.Contains(asked.Types, one.TypeName) {
				found[one.TypeName] = fromSDK(one.Factory(), asked.Texts)
			}
		}
		for _, one := range service.FrameworkResources(ctx) {
			if slices.Contains(asked.Types, one.TypeName) {
				made, err := one.Factory(ctx)
				if err != nil {
					fail(err)
				}
				found[one.TypeName] = fromFramework(ctx, made, asked.Texts)
			}
		}
	}
	for _, name := range asked.Types {
		if found[name] == nil {
			fail(fmt.Errorf("%s: none of the services in main.go has it", name))
		}
	}
	text, err := json.Marshal(found)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(text))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
