package sbom_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/sbom"
)

func TestDiff(t *testing.T) {
	doc := func(purls ...string) *sbom.Document {
		a := &sbom.Assembly{}
		for _, text := range purls {
			url, licence, _ := strings.Cut(text, " ")
			c := sbom.Component{PURL: url}
			if licence != "" {
				c.Package.Licenses = []string{licence}
			}
			if err := a.Add(c); err != nil {
				t.Fatal(err)
			}
		}
		return a.Finish()
	}
	a := doc("pkg:npm/up@9.0.0", "pkg:npm/down@2", "pkg:npm/gone@1", "pkg:npm/same@1", "pkg:npm/licence@1 MIT", "pkg:npm/two@1", "pkg:npm/two@2", "pkg:gem/odd@x")
	b := doc("pkg:npm/up@10.0.0", "pkg:npm/down@1", "pkg:npm/new@1", "pkg:npm/same@1", "pkg:npm/licence@1 GPL-3.0-only", "pkg:npm/two@2", "pkg:npm/two@3", "pkg:gem/odd@y")
	order := func(ecosystem, v, w string) (int, error) {
		if ecosystem != "npm" {
			return 0, errUnordered
		}
		return len(v)*10 - len(w)*10 + strings.Compare(v, w), nil
	}
	d := sbom.Diff(a, b, order)
	var out strings.Builder
	if err := d.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := `+ npm new 1
- npm gone 1
~ RubyGems odd  x → y
v npm down  2 → 1
^ npm two  1 → 3
^ npm up  9.0.0 → 10.0.0
= npm licence 1  licence MIT → GPL-3.0-only
1 added, 1 removed, 4 with another version, 1 with another licence
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !sbom.Diff(a, a, order).Empty() {
		t.Error("a document differs from itself")
	}
}
