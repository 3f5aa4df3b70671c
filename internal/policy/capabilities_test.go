package policy

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
)

// What OPA offers and policies don't get. A new version of OPA that brings
// another function shows up in TestOffered.
func TestWithheld(t *testing.T) {
	kept := map[string]bool{}
	for _, b := range capabilities().Builtins {
		kept[b.Name] = true
		if b.Nondeterministic && b.Name != "time.now_ns" {
			t.Errorf("%s is not deterministic and still offered", b.Name)
		}
	}
	var gone []string
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		if !kept[b.Name] {
			gone = append(gone, b.Name)
		}
	}
	slices.Sort(gone)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(withheld)), gone); diff != "" {
		t.Errorf("withheld (-listed +gone):\n%s", diff)
	}
	if capabilities().AllowNet == nil || len(capabilities().AllowNet) != 0 {
		t.Error("remote schemas may be loaded")
	}
}

// The list of all functions that policies may call is a file, so that a new
// version of OPA that adds one asks for a decision.
func TestOffered(t *testing.T) {
	const golden = "testdata/builtins.txt"
	var names []string
	for _, b := range capabilities().Builtins {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	got := strings.Join(names, "\n") + "\n"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("built-in functions changed; judge the new ones, then run with UPDATE_GOLDEN=1 (-want +got):\n%s", diff)
	}
}

// The decision point reaches no network and runs no program, and it knows of
// Bulwark's packages only the plain values.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"bulwark/internal/finding", "bulwark/internal/outcome", "bulwark/internal/asset", "bulwark/content/policy"}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			p := strings.Trim(imp.Path.Value, `"`)
			switch {
			case p == "net/http" || p == "os/exec":
				t.Errorf("%s imports %s: a decision depends on its input alone", name, p)
			case p == "os" && name != "read.go" && !strings.HasSuffix(name, "_test.go"):
				t.Errorf("%s imports os: files are read in read.go only", name)
			case strings.HasPrefix(p, "bulwark/") && !slices.Contains(allowed, p):
				t.Errorf("%s imports %s: the decision point sees plain values only", name, p)
			}
		}
	}
}
