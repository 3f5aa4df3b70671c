package gomod

import (
	"path"
	"testing"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
)

func FuzzExtract(f *testing.F) {
	f.Add("go.mod", []byte("module m\ngo 1.16\nrequire a.b/c v1.0.0 // indirect\nreplace a.b/c => ./c\n"))
	f.Add("go.sum", []byte("a.b/c v1.0.0 h1:x\na.b/c v1.0.0/go.mod h1:x\n"))
	f.Add("go.work", []byte("go 1.22\nuse ./a\n"))
	f.Add("vendor/modules.txt", []byte("# a.b/c v1.0.0\n## explicit\na.b/c\n"))
	f.Fuzz(func(t *testing.T, p string, content []byte) {
		switch {
		case path.Base(p) == "go.work": // joining adds gaps for members that are not there
			if m, err := New().Extract(t.Context(), extract.File{Path: p, Content: content}); err == nil && m != nil {
				Extractor{}.Resolve(t.Context(), []*dependency.Manifest{m})
			}
		case New().Wants(p):
			collecttest.Check(t, New(), p, content)
		}
	})
}
