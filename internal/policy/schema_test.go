package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"bulwark/internal/outcome"
)

func schemaOf(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, v any) error {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

func TestDocumentsMatchTheirSchemas(t *testing.T) {
	input, output := schemaOf(t, InputSchema), schemaOf(t, OutputSchema)
	e := mustLoad(t, Options{})
	for i, in := range []Input{quiet(), leak(nil), benchInput(20), BuildInput(exampleRun(), Context{Now: someDay})} {
		out, err := e.Decide(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		in.fill()
		if err := validate(t, input, in); err != nil {
			t.Errorf("input %d: %v", i, err)
		}
		if err := validate(t, output, out); err != nil {
			t.Errorf("output %d: %v", i, err)
		}
	}
	if err := validate(t, input, Input{}); err == nil {
		t.Error("the input schema accepts the zero Input")
	}
	if err := validate(t, output, Output{Schema: OutputID, Decisions: []Decision{{Verdict: outcome.Block}}}); err == nil {
		t.Error("the output schema accepts a decision without a reason")
	}
}

// Every field of the Go documents is a required property of the schema and the
// other way round, of the same type.
func TestSchemasAndStructsAgree(t *testing.T) {
	for name, c := range map[string]struct {
		schema []byte
		typ    reflect.Type
	}{
		"input":  {InputSchema, reflect.TypeFor[Input]()},
		"output": {OutputSchema, reflect.TypeFor[Output]()},
	} {
		var schema map[string]any
		if err := json.Unmarshal(c.schema, &schema); err != nil {
			t.Fatal(err)
		}
		defs, _ := schema["definitions"].(map[string]any)
		agree(t, name, schema, defs, c.typ)
	}
}

func agree(t *testing.T, at string, schema, defs map[string]any, typ reflect.Type) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = defs[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
	}
	want := map[reflect.Kind]string{
		reflect.String: "string", reflect.Int: "integer", reflect.Bool: "boolean",
		reflect.Slice: "array", reflect.Struct: "object", reflect.Map: "object", reflect.Uint8: "string",
	}[typ.Kind()]
	if typ == reflect.TypeFor[time.Time]() {
		want = "string"
	}
	if schema["type"] != want {
		t.Errorf("%s: schema type %v, Go type %v", at, schema["type"], typ)
		return
	}
	switch {
	case want == "array":
		agree(t, at+"[]", schema["items"].(map[string]any), defs, typ.Elem())
	case typ.Kind() == reflect.Map:
		agree(t, at+"{}", schema["additionalProperties"].(map[string]any), defs, typ.Elem())
	case want == "object":
		if schema["additionalProperties"] != false {
			t.Errorf("%s: additionalProperties is not false", at)
		}
		props := schema["properties"].(map[string]any)
		var fields, required []string
		for i := range typ.NumField() {
			name := typ.Field(i).Tag.Get("json")
			fields = append(fields, name)
			if p, ok := props[name].(map[string]any); ok {
				agree(t, at+"."+name, p, defs, typ.Field(i).Type)
			}
		}
		for _, r := range schema["required"].([]any) {
			required = append(required, r.(string))
		}
		slices.Sort(fields)
		slices.Sort(required)
		if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(props))); diff != "" {
			t.Errorf("%s: fields and properties (-Go +schema):\n%s", at, diff)
		}
		if diff := cmp.Diff(fields, required); diff != "" {
			t.Errorf("%s: fields and required (-Go +schema):\n%s", at, diff)
		}
	}
}

// The evaluator sees the document that encoding/json writes.
func TestInputValueIsTheJSON(t *testing.T) {
	in := BuildInput(exampleRun(), Context{Now: someDay, Parameters: Parameters{Rules: map[string]string{"x": "off"}}})
	got, err := inputValue(&in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ast.ValueFromReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if got.Compare(want) != 0 {
		t.Errorf("the values differ:\n got %v\nwant %v", got, want)
	}
}

func TestDecodeInput(t *testing.T) {
	in := BuildInput(exampleRun(), Context{Now: someDay})
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeInput(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	in.Findings[0].Locations[0].Path = "a\uFFFD.py" // what JSON makes of it
	if diff := cmp.Diff(in, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{
		"", "{", "[]", "null", string(b) + "{}", strings.Replace(string(b), `"mode"`, `"mod"`, 1),
		strings.Replace(string(b), InputID, "x", 1), strings.Replace(string(b), `"severity_rank":4`, `"severity_rank":1`, 1),
	} {
		if _, err := DecodeInput(strings.NewReader(bad)); !IsKind(err, Configuration) {
			t.Errorf("DecodeInput(%.40q): error %v, want one of kind configuration", bad, err)
		}
	}
}

func FuzzDecodeInput(f *testing.F) {
	b, err := json.Marshal(leakFilled())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("{}"))
	e := mustLoad(f, Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := DecodeInput(bytes.NewReader(b))
		if err != nil {
			return
		}
		out, err := e.Decide(t.Context(), in)
		if err != nil {
			return
		}
		open := 0
		for i := range in.Findings {
			if !in.Findings[i].Suppressed {
				open++
			}
		}
		if len(out.Decisions) < open {
			t.Errorf("%d open findings, %d decisions", open, len(out.Decisions))
		}
		if len(in.Scanners) == 0 && out.Verdict == outcome.Allow {
			t.Error(fmt.Sprint("allowed although nothing looked: ", brief(out)))
		}
	})
}

func leakFilled() Input {
	in := leak(nil)
	in.fill()
	return in
}
