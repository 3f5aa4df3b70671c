package callgraph

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program is a module without dependencies: the vulnerable code is that of the
// standard library of a release that is claimed to be affected.
var program = map[string]string{
	"go.mod":  "module example.com/shop\n\ngo 1.20\n",
	"main.go": "package main\n\nimport (\n\t\"encoding/json\"\n\t\"os\"\n)\n\nfunc main() { load() }\n\nfunc load() {\n\tvar v any\n\t_ = json.NewDecoder(os.Stdin).Decode(&v)\n}\n",
}

func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func known(id string, symbols map[string][]string) Vulnerability {
	return Vulnerability{ID: id, Module: "stdlib", Modified: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Symbols: symbols}
}

func TestAnalyse(t *testing.T) {
	got, err := Analyse(t.Context(), module(t, program), os.Environ(), []Vulnerability{
		known("GO-1", map[string][]string{"encoding/json": {"Decoder.Decode"}}),
		known("GO-2", map[string][]string{"encoding/json": {"Encoder.SetIndent"}}),
		known("GO-3", map[string][]string{"archive/zip": {"OpenReader"}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]Reach{"GO-1": Called, "GO-2": NotCalled, "GO-3": NotCalled} {
		if got[id].Reach != want || got[id].Evidence == "" {
			t.Errorf("%s: %+v, want %s", id, got[id], want)
		}
	}
	if e := got["GO-1"].Evidence; !strings.Contains(e, "example.com/shop.main (main.go:8) → example.com/shop.load") || !strings.Contains(e, "encoding/json.Decoder.Decode") {
		t.Errorf("evidence %q does not name the chain", e)
	}
}

func TestAnalyseBroken(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"does not build":  {"go.mod": program["go.mod"], "main.go": "package main\n\nfunc main() { nothing() }\n"},
		"needs a network": {"go.mod": program["go.mod"] + "\nrequire example.com/missing v1.0.0\n", "main.go": "package main\n\nimport _ \"example.com/missing\"\n\nfunc main() {}\n"},
	} {
		got, err := Analyse(t.Context(), module(t, files), os.Environ(), []Vulnerability{known("GO-1", nil)})
		if err == nil || got != nil || !strings.Contains(err.Error(), "without network") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := Analyse(t.Context(), module(t, program), os.Environ(), []Vulnerability{known("../x", nil)}); err == nil {
		t.Error("an id that is a path is taken")
	}
	if got, err := Analyse(t.Context(), "nowhere", nil, nil); err != nil || len(got) != 0 {
		t.Errorf("nothing to ask: %v, %v", got, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"finding":{"osv":"GO-1","trace":[{"package":"a","function":"F"},{"package":"b","function":"main","position":{"filename":"x.go","line":1}}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := read(strings.NewReader(text), []Vulnerability{known("GO-1", map[string][]string{"a": {"F"}})})
		if err == nil && got["GO-1"].Reach == "" {
			t.Error("no answer")
		}
	})
}
