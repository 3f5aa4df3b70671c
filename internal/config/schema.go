package config

import _ "embed" // for the schema

//go:embed schema/config-v1.schema.json
var schemaV1 []byte

// Schema returns the JSON Schema of the configuration, for editors.
func Schema() []byte { return append([]byte(nil), schemaV1...) }

// schema is the part of JSON Schema (2020-12) that the configuration needs.
// Beyond it Parse checks what a schema cannot say.
type schema struct {
	Meta                 string            `json:"$schema,omitempty"`
	Title                string            `json:"title,omitempty"`
	Description          string            `json:"description,omitempty"`
	Type                 string            `json:"type,omitempty"`
	Const                any               `json:"const,omitempty"`
	Enum                 []string          `json:"enum,omitempty"`
	Pattern              string            `json:"pattern,omitempty"`
	MinLength            int               `json:"minLength,omitempty"`
	MaxLength            int               `json:"maxLength,omitempty"`
	Minimum              *float64          `json:"minimum,omitempty"`
	Maximum              *float64          `json:"maximum,omitempty"`
	Items                *schema           `json:"items,omitempty"`
	UniqueItems          bool              `json:"uniqueItems,omitempty"`
	AnyOf                []schema          `json:"anyOf,omitempty"`
	Properties           map[string]schema `json:"properties,omitempty"`
	PropertyNames        *schema           `json:"propertyNames,omitempty"`
	AdditionalProperties any               `json:"additionalProperties,omitempty"` // false or a schema
	Required             []string          `json:"required,omitempty"`
}

func number(f float64) *float64 { return &f }

func sizeSchema() schema {
	return schema{AnyOf: []schema{
		{Type: "integer", Minimum: number(1)},
		{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)? ?([kKMGT]?B|[KMGT]iB)?$`},
	}}
}

func textSchema() schema {
	return schema{Type: "string", MinLength: 1, MaxLength: maxTextLength}
}

func pathSchema() schema {
	return schema{Type: "string", MinLength: 1, Pattern: `^[^/\\][^\\]*$`}
}

func pathsSchema() schema {
	item := pathSchema()
	return schema{Type: "array", Items: &item}
}

func namesSchema() schema {
	return schema{Type: "array", Items: &schema{Type: "string", Pattern: ruleID.String()}, UniqueItems: true}
}

func licensesSchema() schema {
	item := textSchema()
	return schema{Type: "array", Items: &item, UniqueItems: true}
}

func byRuleSchema(values []string) schema {
	return schema{
		Type:                 "object",
		PropertyNames:        &schema{Pattern: ruleID.String()},
		AdditionalProperties: schema{Enum: values},
	}
}

// schemaOf makes the schema of a mapping from its keys.
func schemaOf(keys []key) schema {
	s := schema{Type: "object", Properties: map[string]schema{}, AdditionalProperties: false}
	for _, k := range keys {
		of := k.schema
		if k.keys != nil {
			of = schemaOf(k.keys)
		}
		of.Description = k.about
		s.Properties[k.name] = of
		if k.required {
			s.Required = append(s.Required, k.name)
		}
	}
	return s
}

// makeSchema makes the document that schema/config-v1.schema.json holds.
func makeSchema() schema {
	s := schemaOf(rootKeys())
	s.Meta = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Bulwark configuration (" + FileName + "), version 1"
	return s
}
