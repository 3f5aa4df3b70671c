package policy

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What docs/policy.md shows compiles, passes its test and does what it says.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for i, m := range regexp.MustCompile("(?s)```rego\n(.*?)```").FindAllSubmatch(text, -1) {
		name := string(rune('a'+i)) + ".rego"
		if bytes.Contains(m[1], []byte("package custom_test")) {
			name = string(rune('a'+i)) + "_test.rego"
		}
		files[name] = m[1]
	}
	if len(files) != 3 {
		t.Fatalf("%d Rego examples, want 3", len(files))
	}
	r, err := Test(t.Context(), TestOptions{Options: Options{Files: files}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() {
		t.Errorf("the documented test does not pass: %+v", r.Results)
	}
	e := mustLoad(t, Options{Files: files})
	out, err := e.Decide(t.Context(), leak(func(f *Finding) {
		f.Locations[0].Path = "fixtures/a.py"
		f.Properties = map[string]string{"verified": "live"}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := brief(out)[1]; got != "warn custom/fixtures secret/1:aa" {
		t.Errorf("got %q", got)
	}
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1) {
		var v any
		if err := json.Unmarshal(m[1], &v); err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schemaOf(t, OutputSchema), v); err != nil {
			t.Error(err)
		}
	}
	// The table of the default gate lists every id that it gives.
	src, err := os.ReadFile("../../content/policy/gate/gate.rego")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"id": "([a-z-]+)"`).FindAllSubmatch(src, -1) {
		if !strings.Contains(string(text), "`"+string(m[1])+"`") {
			t.Errorf("docs/policy.md does not mention %s", m[1])
		}
	}
}
