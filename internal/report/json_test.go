package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// compile compiles a JSON Schema and returns the check of a document.
func compile(t *testing.T, schema string) func(document string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(document string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
		if err != nil {
			return err
		}
		return s.Validate(v)
	}
}

func TestJSONMatchesSchema(t *testing.T) {
	validate := compile(t, string(Schema()))
	for name, run := range fixtures() {
		for _, compact := range []bool{false, true} {
			if err := validate(render(t, JSON, run, Options{Compact: compact})); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := validate(render(t, JSON, &outcome.Run{}, Options{})); err != nil {
		t.Errorf("empty run: %v", err)
	}
}

// TestSchemaIsComplete compares the schema with the Go types: the same fields,
// the same ones required, each described, and the same values of enumerations.
func TestSchemaIsComplete(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	defs := root["$defs"].(map[string]any)
	seen := map[string]bool{}
	var check func(name string, node map[string]any, typ reflect.Type)
	check = func(name string, node map[string]any, typ reflect.Type) {
		if d, _ := node["description"].(string); d == "" && node["$ref"] == nil {
			t.Errorf("%s has no description", name)
		}
		if ref, ok := node["$ref"].(string); ok {
			def := strings.TrimPrefix(ref, "#/$defs/")
			name, node = def, defs[def].(map[string]any)
			if seen[def] {
				return
			}
			seen[def] = true
		}
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		switch {
		case typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]():
			properties := node["properties"].(map[string]any)
			var required []string
			for _, r := range node["required"].([]any) {
				required = append(required, r.(string))
			}
			if node["additionalProperties"] != false {
				t.Errorf("%s allows unknown fields", name)
			}
			fields := jsonFields(typ)
			for _, f := range fields {
				p, ok := properties[f.name].(map[string]any)
				if !ok {
					t.Errorf("%s.%s is not in the schema", name, f.name)
					continue
				}
				if slices.Contains(required, f.name) == f.optional {
					t.Errorf("%s.%s: optional in Go is %t, the schema says otherwise", name, f.name, f.optional)
				}
				check(name+"."+f.name, p, typ.FieldByIndex(f.index).Type)
			}
			if len(fields) != len(properties) {
				t.Errorf("%s: the schema has %d fields, Go has %d", name, len(properties), len(fields))
			}
		case typ.Kind() == reflect.Slice:
			items := node["items"].(map[string]any)
			if items["$ref"] != nil {
				check(name+"[]", items, typ.Elem())
			}
		}
	}
	check("run", root, reflect.TypeFor[wireRun]())
	for name, values := range map[string][]string{
		"severity": names(finding.Critical), "confidence": names(finding.Certain), "verdict": names(outcome.Block),
	} {
		var got []string
		for _, v := range defs[name].(map[string]any)["enum"].([]any) {
			got = append(got, v.(string))
		}
		if diff := cmp.Diff(values, got); diff != "" {
			t.Errorf("%s (-Go +schema):\n%s", name, diff)
		}
	}
}

// names lists the names of an enumeration up to its last value.
func names[T interface {
	~uint8
	String() string
}](last T) []string {
	var out []string
	for v := T(0); v <= last; v++ {
		out = append(out, v.String())
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	for name, run := range fixtures() {
		first := render(t, JSON, run, Options{})
		got, err := Read(strings.NewReader(first))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name != "hostile" { // whose texts are not UTF-8
			if diff := cmp.Diff(run, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-written +read):\n%s", name, diff)
			}
		}
		for i, f := range run.Findings {
			for j, l := range f.Locations {
				if got := got.Findings[i].Locations[j].Path; got != l.Path {
					t.Errorf("%s: path %q came back as %q", name, l.Path, got)
				}
			}
		}
		// encoding/json spells a replaced byte \ufffd, and the character itself raw.
		first = strings.ReplaceAll(first, `\ufffd`, "\ufffd")
		if second := render(t, JSON, got, Options{}); second != first {
			t.Errorf("%s: written, read and written again it differs:\n%s", name, cmp.Diff(first, second))
		}
	}
}

func TestMarksFollowReplacedBytes(t *testing.T) {
	l := toWireLocation(finding.Location{Excerpt: "\xff\xfekey=\xff…", MarkStart: 6, MarkEnd: 10})
	if got := l.Excerpt[l.MarkStart:l.MarkEnd]; got != "\ufffd…" {
		t.Errorf("mark is %q of %q", got, l.Excerpt)
	}
}

// TestNamesThatBecomeOne has two names that differ only in bytes that JSON
// cannot hold; the document must not have one name twice.
func TestNamesThatBecomeOne(t *testing.T) {
	run := cleanRun()
	run.Settings = map[string]string{"\xff": "a", "\xfe": "b"}
	run.Findings = []finding.Finding{{Properties: run.Settings, Status: finding.New}}
	if _, err := Read(strings.NewReader(render(t, JSON, run, Options{}))); err != nil {
		t.Error(err)
	}
}

func TestEncodePath(t *testing.T) {
	for path, want := range map[string]string{
		"a/b.txt": "a/b.txt", "100%.txt": "100%.txt", "é": "é", "a\xff": "a%FF", "100%\xe9é": "100%25%E9é", "": "",
	} {
		got, encoding := encodePath(path)
		if got != want {
			t.Errorf("encodePath(%q) = %q, want %q", path, got, want)
		}
		if back, err := decodePath(got, encoding); err != nil || back != path {
			t.Errorf("decodePath(%q, %q) = %q, %v, want %q", got, encoding, back, err, path)
		}
	}
	for _, bad := range [][2]string{{"%", percent}, {"a%4", percent}, {"%zz", percent}, {"a", "base64"}} {
		if got, err := decodePath(bad[0], bad[1]); err == nil {
			t.Errorf("decodePath(%q, %q) = %q, want an error", bad[0], bad[1], got)
		}
	}
}

func TestReadErrors(t *testing.T) {
	good := render(t, JSON, blockedRun(), Options{})
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the report has no %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	tests := []struct {
		name, input, want string
		position          bool // the error has a line and a column
	}{
		{"empty", "", "empty", true},
		{"blank", " \n ", "empty", true},
		{"no JSON", "<html>", "line 1, column 1: invalid character '<'", true},
		{"a list", "[]", "line 1, column 1: want an object, not a list", true},
		{"null", "null", "want an object, not null", true},
		{"no fields", "{}", `field "schema" is missing`, true},
		{"cut off", good[:len(good)/2], "ends too early", true},
		{"two documents", good + "{}", "more text behind the report", true},
		{"not UTF-8", replace("critical", "crit\xffcal"), "not valid UTF-8", true},
		{"other schema", replace("bulwark.run/v1", "bulwark.run/v9"), `line 2, column 13, schema: unknown schema "bulwark.run/v9"`, true},
		{"unknown field", replace(`"stage"`, `"stadium"`), `unknown field "stadium"`, true},
		{"other case", replace(`"stage"`, `"Stage"`), `unknown field "Stage"`, true},
		{"field twice", replace(`"stage": "commit",`, `"stage": "commit", "stage": "commit",`), `line 14, column 22: field "stage" appears twice`, true},
		{"bad severity", replace(`"severity": "medium"`, `"severity": "huge"`), `unknown severity "huge"`, true},
		{"bad status", replace(`"status": "existing"`, `"status": "old"`), `unknown value "old": want one of new, existing`, true},
		{"bad scanner status", replace(`"status": "partial"`, `"status": "fine"`), `want one of complete, partial`, true},
		{"number for text", replace(`"stage": "commit"`, `"stage": 1`), "stage: want text, not a number", true},
		{"text for number", replace(`"duration_ms": 1400`, `"duration_ms": "1400"`), "duration_ms: want a number, not text", true},
		{"fraction", replace(`"duration_ms": 1400`, `"duration_ms": 1.5`), "want a whole number", true},
		{"too large", replace(`"duration_ms": 1400`, `"duration_ms": 99999999999999999999`), "want a whole number", true},
		{"negative", replace(`"duration_ms": 1400`, `"duration_ms": -1`), "not negative", true},
		{"null list", replace(`"tags": [`, `"tags": null, "cwe": [`), "want a list, not null", true},
		{"bad time", replace(`"started": "2026`, `"started": "yesterday 2026`), "started: ", true},
		{"bad path encoding", replace(`"path": "vendor/e"`, `"path": "vendor/e", "path_encoding": "rot13"`), `skips[0]: unknown path_encoding "rot13"`, true},
		{"bad settings", replace(`"cache": "on"`, `"cache": 1`), `want text for "cache"`, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			run, err := Read(strings.NewReader(test.input))
			if err == nil {
				t.Fatalf("no error, but %+v", run)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q lacks %q", err, test.want)
			}
			var at *PositionError
			if errors.As(err, &at) != test.position {
				t.Errorf("position: got %t, want %t", at != nil, test.position)
			}
			if at != nil && (at.Line < 1 || at.Column < 1) {
				t.Errorf("position is %d:%d", at.Line, at.Column)
			}
		})
	}
	if _, err := read(strings.NewReader(good), 100); err == nil || !strings.Contains(err.Error(), "larger than 100 bytes") {
		t.Errorf("over the size limit: %v", err)
	}
	if _, err := read(strings.NewReader(good), int64(len(good))); err != nil {
		t.Errorf("exactly at the size limit: %v", err)
	}
	if _, err := Read(&brokenReader{}); !errors.Is(err, errBroken) {
		t.Errorf("broken reader: %v", err)
	}
}

type brokenReader struct{}

func (*brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func FuzzRead(f *testing.F) {
	for _, run := range fixtures() {
		var b bytes.Buffer
		if err := Write(&b, JSON, run, Options{Compact: true}); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"schema":"bulwark.run/v1","tool":{"name":"","version":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		run, err := Read(bytes.NewReader(data))
		if err != nil {
			var at *PositionError
			if !errors.As(err, &at) || at.Line < 1 || at.Column < 1 {
				t.Fatalf("no position in %v", err)
			}
			return
		}
		var b bytes.Buffer
		if err := Write(&b, JSON, run, Options{}); err != nil {
			t.Skip(err) // a year that RFC 3339 cannot hold
		}
		again, err := Read(&b)
		if err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		if diff := cmp.Diff(run, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
		for _, kind := range Kinds() {
			if err := Write(&bytes.Buffer{}, kind, run, Options{Verbose: true, Width: 40}); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
}
