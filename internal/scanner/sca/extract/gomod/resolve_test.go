package gomod

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
)

func TestResolve(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string
	}{
		{"go.sum beside a new module is dropped", []string{
			"go.mod", "module m\ngo 1.22\nrequire a.b/c v1.0.0\n",
			"go.sum", "a.b/c v1.0.0 h1:x\na.b/c v1.0.0/go.mod h1:x\na.b/d v1.0.0 h1:x\na.b/d v1.0.0/go.mod h1:x\n",
		}, `go.mod: go.mod
2 stdlib d p ~>=1.22
3 a.b/c@v1.0.0 d p
`},
		{"go.sum completes an old module", []string{
			"go.mod", "module m\ngo 1.16\nrequire a.b/c v1.0.0\n",
			"go.sum", "a.b/c v1.0.0 h1:x\na.b/c v1.0.0/go.mod h1:x\na.b/d v1.0.0 h1:x\na.b/d v1.0.0/go.mod h1:x\na.b/d v1.2.0 h1:x\na.b/d v1.2.0/go.mod h1:x\na.b/d v1.9.0/go.mod h1:x\nnonsense\n",
		}, `go.mod: go.mod
2 stdlib d p ~>=1.16
3 a.b/c@v1.0.0 d p
go.sum: go.sum
5 a.b/d@v1.2.0 t p
gap 8 not a line of module, version and hash
`},
		{"vendored modules complete an old module, go.sum is dropped", []string{
			"go.mod", "module m\ngo 1.14\nrequire a.b/c v1.0.0\n",
			"go.sum", "a.b/d v1.2.0 h1:x\na.b/d v1.2.0/go.mod h1:x\n",
			"vendor/modules.txt", "# a.b/c v1.0.0\n## explicit\na.b/c\n# a.b/d v1.1.0\na.b/d/x\n# a.b/unused v1.0.0\n",
		}, `go.mod: go.mod
2 stdlib d p ~>=1.14
3 a.b/c@v1.0.0 d p
vendor/modules.txt: vendor/modules.txt
4 a.b/d@v1.1.0 t p
`},
		{"old module alone", []string{"go.mod", "module m\nrequire a.b/c v1.0.0\n"}, `go.mod: go.mod
2 a.b/c@v1.0.0 d p
gap 0 ` + incomplete + "\n"},
		{"vendored otherwise than required", []string{
			"go.mod", "module m\ngo 1.22.0\nrequire a.b/c v1.0.0\n",
			"vendor/modules.txt", "# a.b/c v1.1.0\n## explicit; go 1.20\na.b/c\n",
		}, `go.mod: go.mod
2 stdlib@1.22.0 d p ~>=1.22.0
3 a.b/c@v1.0.0 d p
gap 3 a.b/c is required at v1.0.0 but vendor/modules.txt holds v1.1.0, which is what is built; run go mod vendor
`},
		{"vendored modules without a go.mod", []string{
			"vendor/modules.txt", "# a.b/c v1.1.0 => d.e/f v1.2.0\n## explicit; go 1.20\na.b/c\n# a.b/g v1.0.0 => ./g\n## explicit\na.b/g\n# a.b/h => d.e/h v1.0.0\n",
		}, `vendor/modules.txt: vendor/modules.txt
1 d.e/f@v1.2.0 - p
4 a.b/g - p ~v1.0.0 @./g local
`},
		{"replace lines: of a version, of all, by a folder", []string{
			"go.mod", "module m\ngo 1.22\nrequire (\n\ta.b/c v1.0.0\n\ta.b/d v1.0.0\n\ta.b/e v1.0.0\n\ta.b/f v1.0.0\n)\nreplace (\n\ta.b/c => x.y/all v1.9.0\n\ta.b/c v1.0.0 => x.y/one v1.1.0\n\ta.b/d v2.0.0 => x.y/not v1.0.0\n\ta.b/e => ../e\n\ta.b/f => a.b/f\n)\n",
		}, `go.mod: go.mod
2 stdlib d p ~>=1.22
5 a.b/d@v1.0.0 d p
7 a.b/f@v1.0.0 d p
11 x.y/one@v1.1.0 d p
13 a.b/e d p ~v1.0.0 @../e local
gap 14 a replace line cannot be read
`},
		{"workspace", []string{
			"go.work", "go 1.22\nuse (\n\t./a\n\t./b\n\t./gone\n)\nreplace x.y/z => x.y/fork v1.5.0\n",
			"a/go.mod", "module e.org/a\ngo 1.22\nrequire (\n\te.org/b v0.1.0\n\tx.y/z v1.0.0\n)\n",
			"b/go.mod", "module e.org/b\ngo 1.22\nrequire x.y/z v1.1.0\nreplace x.y/z => x.y/own v1.3.0\n",
			"c/go.mod", "module e.org/c\ngo 1.22\nrequire x.y/z v1.1.0\n",
			"vendor/modules.txt", "## workspace\n# x.y/fork v1.5.0\nx.y/fork\n",
		}, `a/go.mod: go.mod
2 stdlib d p ~>=1.22
4 e.org/b d p ~v0.1.0 @./b local
5 x.y/fork@v1.5.0 d p
b/go.mod: go.mod
2 stdlib d p ~>=1.22
4 x.y/fork@v1.5.0 d p
c/go.mod: go.mod
2 stdlib d p ~>=1.22
3 x.y/z@v1.1.0 d p
go.work: go.work
1 stdlib d p ~>=1.22
3 e.org/a d p @./a local
4 e.org/b d p @./b local
5 ./gone d p @./gone local
gap 5 the member ./gone has no go.mod here, or it cannot be read
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, collecttest.Resolve(t, New(), tt.files...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWants(t *testing.T) {
	for p, want := range map[string]bool{
		"go.mod": true, "a/go.sum": true, "go.work": true, "vendor/modules.txt": true, "a/vendor/modules.txt": true,
		"vendor/a.b/c/go.mod": false, "a/vendor/b/go.sum": false, "modules.txt": false, "xvendor/modules.txt": false, "go.mod.bak": false,
		"vendor/a/vendor/modules.txt": false,
	} {
		if got := New().Wants(p); got != want {
			t.Errorf("%s: %t", p, got)
		}
	}
}

func TestStandardLibrary(t *testing.T) {
	tests := []struct{ goLine, toolchain, version, constraint string }{
		{"1.21", "", "", ">=1.21"},
		{"1.21.3", "", "1.21.3", ">=1.21.3"},
		{"1.21.0", "go1.22.4", "1.22.4", ">=1.22.4"},
		{"1.23.0", "go1.22.4", "1.23.0", ">=1.23.0"},
		{"1.21", "go1.21.5-bigcorp", "1.21.5", ">=1.21.5"},
		{"1.22rc1", "", "1.22.0-rc.1", ">=1.22rc1"},
		{"1.21", "default", "", ">=1.21"},
	}
	for _, tt := range tests {
		p, ok := standardLibrary(tt.goLine, tt.toolchain, place{Line: 1}, place{Line: 2})
		if !ok || p.Version != tt.version || p.Constraint != tt.constraint {
			t.Errorf("go %s, toolchain %q: %q %q %t", tt.goLine, tt.toolchain, p.Version, p.Constraint, ok)
		}
	}
	if _, ok := standardLibrary("", "", place{}, place{}); ok {
		t.Error("a release without go and toolchain lines")
	}
}

func TestTooLarge(t *testing.T) {
	for _, p := range []string{"go.mod", "go.work"} {
		if _, err := New().Extract(t.Context(), extract.File{Path: p, Content: make([]byte, maxMod+1)}); err == nil || !strings.Contains(err.Error(), "the most that is read") {
			t.Errorf("%s: error %v", p, err)
		}
	}
}

func TestHostile(t *testing.T) {
	collecttest.Hostile(t, New(), "go.mod", "module m\ngo 1.22\ntoolchain go1.23.1\nrequire (\n\ta.b/c v1.0.0 // indirect\n)\nreplace a.b/c => ./c\nexclude a.b/c v1.1.0\ntool a.b/c/x\n")
	collecttest.Hostile(t, New(), "go.work", "go 1.22\nreplace a.b/c => d.e/f v1.0.0\n")
	collecttest.Hostile(t, New(), "go.sum", "a.b/c v1.0.0 h1:x\na.b/c v1.0.0/go.mod h1:x\n")
	collecttest.Hostile(t, New(), "vendor/modules.txt", "# a.b/c v1.0.0 => d.e/f v1.1.0\n## explicit; go 1.20\na.b/c\n")
}

// BenchmarkModule reads a go.mod and its go.sum, as large as those of large
// projects.
func BenchmarkModule(b *testing.B) {
	var mod, sum strings.Builder
	mod.WriteString("module example.org/m\n\ngo 1.24.1\n\nrequire (\n")
	for i := range 500 {
		fmt.Fprintf(&mod, "\texample.org/module%d/v2 v2.%d.0 // indirect\n", i, i)
		fmt.Fprintf(&sum, "example.org/module%d/v2 v2.%d.0 h1:AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGhIjKlMnOpQ=\nexample.org/module%d/v2 v2.%d.0/go.mod h1:AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGhIjKlMnOpQ=\n", i, i, i, i)
	}
	mod.WriteString(")\n")
	files := []extract.File{{Path: "go.mod", Content: []byte(mod.String())}, {Path: "go.sum", Content: []byte(sum.String())}}
	b.SetBytes(int64(mod.Len() + sum.Len()))
	b.ReportAllocs()
	for b.Loop() {
		var all []*dependency.Manifest
		for _, f := range files {
			m, err := New().Extract(b.Context(), f)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, m)
		}
		if out := (Extractor{}).Resolve(b.Context(), all); len(out) != 1 || len(out[0].Packages) != 501 {
			b.Fatal("not the modules of go.mod")
		}
	}
}
