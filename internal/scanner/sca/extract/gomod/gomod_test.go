package gomod

import (
	"testing"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

func read(t *testing.T, p, content string) *dependency.Manifest {
	t.Helper()
	m, err := New().Extract(t.Context(), extract.File{Path: p, Content: []byte(content)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModule(t *testing.T) {
	m := read(t, "go.mod", "module example.org/m\n\ngo 1.22\ntoolchain go1.24.3\ntool example.org/tool/cmd/x\nrequire (\n\texample.org/a v1.0.0\n\texample.org/b v1.1.0 // indirect\n\texample.org/tool v0.1.0 // indirect\n\texample.org/old v1.0.0\n\texample.org/here v0.0.0\n\texample.org/q master\n)\nreplace example.org/old => example.org/fork v1.2.0\nreplace example.org/here => ./here\n")
	got := map[string]dependency.Package{}
	for _, p := range m.Packages {
		got[p.ID()] = p
	}
	if p := got["stdlib@1.24.3"]; p.Line != 4 {
		t.Errorf("stdlib: %+v", m.Packages)
	}
	if p := got["example.org/a@v1.0.0"]; p.Relation != dependency.Direct || p.Line != 7 || p.Column != 2 || p.EndColumn != 22 {
		t.Errorf("a: %+v", p)
	}
	if p := got["example.org/b@v1.1.0"]; p.Relation != dependency.Transitive {
		t.Errorf("b: %+v", p)
	}
	if p := got["example.org/tool@v0.1.0"]; p.Scope != dependency.Development {
		t.Errorf("tool: %+v", p)
	}
	if p := got["example.org/fork@v1.2.0"]; p.Line != 14 {
		t.Errorf("fork: %+v", p)
	}
	if p := got["example.org/here"]; !p.Local || p.Origin != "./here" {
		t.Errorf("here: %+v", p)
	}
	if p := got["example.org/q"]; p.Constraint != "master" || len(m.Gaps) != 1 {
		t.Errorf("q: %+v, gaps %v", p, m.Gaps)
	}
}

func TestSumCompletesOldModule(t *testing.T) {
	mod := read(t, "go.mod", "module m\ngo 1.16\nrequire example.org/a v1.0.0\n")
	sum := read(t, "go.sum", "example.org/a v1.0.0 h1:x\nexample.org/a v1.0.0/go.mod h1:x\nexample.org/b v1.0.0 h1:x\nexample.org/b v1.0.0/go.mod h1:x\nexample.org/b v1.3.0 h1:x\nexample.org/b v1.3.0/go.mod h1:x\nexample.org/b v1.9.0/go.mod h1:x\n")
	got := Extractor{}.Resolve(t.Context(), []*dependency.Manifest{mod, sum})
	if len(got) != 2 || len(got[0].Gaps) != 0 || len(got[1].Packages) != 1 {
		t.Fatalf("got %+v", got)
	}
	if p := got[1].Packages[0]; p.ID() != "example.org/b@v1.3.0" || p.Line != 5 || p.Relation != dependency.Transitive {
		t.Errorf("b: %+v", p)
	}
}
