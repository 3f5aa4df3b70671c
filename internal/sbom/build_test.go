package sbom_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
)

func TestNew(t *testing.T) {
	d, err := sbom.New(manifests(), options())
	if err != nil {
		t.Fatal(err)
	}
	qs := d.Component("pkg:npm/qs@6.11.0")
	want := &sbom.Component{
		Ref: "pkg:npm/qs@6.11.0", Type: "library", PURL: "pkg:npm/qs@6.11.0",
		Package: dependency.Package{
			Ecosystem: dependency.NPM, Name: "qs", Version: "6.11.0", Scope: dependency.Production, Relation: dependency.Direct,
			Licenses: []string{"BSD-3-Clause", "See the licence file"},
		},
		Occurrences: []sbom.Occurrence{{Path: "api/package-lock.json", Line: 5}, {Path: "web/package-lock.json", Line: 20}},
	}
	if diff := cmp.Diff(want, qs); diff != "" {
		t.Errorf("merged component (-want +got):\n%s", diff)
	}
	var refs []string
	for _, c := range d.Components {
		refs = append(refs, c.Ref)
	}
	if diff := cmp.Diff([]string{"local:npm:web:web-shared@0.1.0", "pkg:npm/express@4.18.2", "pkg:npm/left-pad#^1.0.0", "pkg:npm/qs@6.11.0"}, refs); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"local:npm:web:web-shared@0.1.0", "pkg:npm/express@4.18.2", "pkg:npm/left-pad#^1.0.0", "pkg:npm/qs@6.11.0"}, d.Direct); diff != "" {
		t.Errorf("direct (-want +got):\n%s", diff)
	}
	if got := d.Component("pkg:npm/express@4.18.2").Needs; !slices.Equal(got, []string{"pkg:npm/qs@6.11.0"}) {
		t.Errorf("express needs %v", got)
	}
	if d.Unidentified() != 0 {
		t.Errorf("%d components without identity", d.Unidentified())
	}
	if !strings.HasPrefix(d.Serial, "urn:uuid:") || d.Serial[len("urn:uuid:")+14] != '5' {
		t.Errorf("serial %s is no UUID of version 5", d.Serial)
	}
	if len(d.Gaps) != 1 || d.Gaps[0].Path != "api/package-lock.json" {
		t.Errorf("gaps %v", d.Gaps)
	}
}

// The order of manifests must not show.
func TestNewIsReproducible(t *testing.T) {
	a, err := sbom.New(manifests(), options())
	if err != nil {
		t.Fatal(err)
	}
	back := manifests()
	slices.Reverse(back)
	b, err := sbom.New(back, options())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("the order of manifests shows:\n%s", diff)
	}
	o := options()
	o.Subject.Version = "2"
	c, err := sbom.New(manifests(), o)
	if err != nil {
		t.Fatal(err)
	}
	if c.Serial == a.Serial {
		t.Error("different documents have one serial")
	}
}

func TestAssemblyIsCyclicAndDoubled(t *testing.T) {
	a := &sbom.Assembly{}
	a.Document().Subject = sbom.Subject{Ref: "root", Name: "r"}
	for _, c := range []sbom.Component{
		{Ref: "x", PURL: "pkg:npm/x@1"}, {Ref: "x", PURL: "pkg:npm/x@2"}, {PURL: "pkg:npm/y@1"}, {Package: dependency.Package{Name: "mystery"}},
	} {
		if err := a.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range [][2]string{{"root", "x"}, {"x", "pkg:npm/y@1"}, {"pkg:npm/y@1", "x"}, {"x", "x"}, {"x", "nowhere"}} {
		if err := a.Edge(e[0], e[1]); err != nil {
			t.Fatal(err)
		}
	}
	d := a.Finish()
	if len(d.Components) != 4 || d.Unidentified() != 1 || len(d.Gaps) != 1 {
		t.Errorf("%d components, %d unidentified, gaps %v", len(d.Components), d.Unidentified(), d.Gaps)
	}
	if got := d.Component("pkg:npm/y@1").Package.Relation; got != dependency.Transitive {
		t.Errorf("y is %q", got)
	}
}

func TestLicences(t *testing.T) {
	var l sbom.Licences
	for text, want := range map[string]sbom.LicenceKind{
		"MIT": sbom.LicenceID, "mit": sbom.LicenceID, "GPL-2.0": sbom.LicenceID, "MIT OR Apache-2.0": sbom.LicenceExpression,
		"GPL-2.0-only WITH Classpath-exception-2.0": sbom.LicenceExpression, "The MIT License": sbom.LicenceName,
		"MIT OR": sbom.LicenceName, "": sbom.LicenceName, strings.Repeat("(", 500) + "MIT": sbom.LicenceName,
	} {
		if _, kind := l.Judge(text); kind != want {
			t.Errorf("%.40q is judged %d, want %d", text, kind, want)
		}
	}
}
