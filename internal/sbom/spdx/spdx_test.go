package spdx_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
	"bulwark/internal/sbom/spdx"
)

func example(t testing.TB) *sbom.Document {
	t.Helper()
	d, err := sbom.New([]*dependency.Manifest{{
		Path: "package-lock.json", Ecosystem: dependency.NPM,
		Packages: []dependency.Package{
			{Ecosystem: dependency.NPM, Name: "express", Version: "4.18.2", Scope: dependency.Production, Relation: dependency.Direct, Line: 10,
				Requires: []string{"qs@6.11.0"}, Licenses: []string{"MIT"}, Origin: "https://registry.shop.example/npm",
				Hashes: []dependency.Hash{{Algorithm: "sha-1", Value: "da39a3ee5e6b4b0d3255bfef95601890afd80709"}}},
			{Ecosystem: dependency.NPM, Name: "qs", Version: "6.11.0", Relation: dependency.Transitive, Licenses: []string{"MIT OR Apache-2.0"}},
			{Ecosystem: dependency.NPM, Name: "@shop/tool", Version: "1.0.0", Scope: dependency.Development, Relation: dependency.Direct, Line: 3, Licenses: []string{"See the file\nLICENCE"}},
			{Ecosystem: dependency.Go, Name: "golang.org/x/net", Constraint: ">=1 & <2", Scope: dependency.Optional, Relation: dependency.Direct},
			{Ecosystem: dependency.NPM, Name: "part", Version: "0.1.0", Local: true, Relation: dependency.Direct, Requires: []string{"qs@6.11.0"}},
		},
		Gaps: []dependency.Gap{{Line: 4, Message: "a version that is a link"}},
	}}, sbom.Options{
		Subject: sbom.Subject{Name: "shop", Version: "1f2e3d"}, Tool: sbom.Tool{Name: "bulwark", Version: "0.3.0"},
		Created: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t testing.TB, d *sbom.Document) (asJSON, asTags []byte) {
	t.Helper()
	var j, v bytes.Buffer
	if err := spdx.WriteJSON(&j, d); err != nil {
		t.Fatal(err)
	}
	if err := spdx.WriteTagValue(&v, d); err != nil {
		t.Fatal(err)
	}
	return j.Bytes(), v.Bytes()
}

func TestWriteIsValidAndReadsBack(t *testing.T) {
	data, err := os.ReadFile("testdata/schema/spdx-schema-v2.3.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("http://spdx.org/rdf/terms/2.3", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("http://spdx.org/rdf/terms/2.3")
	if err != nil {
		t.Fatal(err)
	}
	d := example(t)
	for name, d := range map[string]*sbom.Document{"example": d, "empty": {Subject: sbom.Subject{Ref: "a"}}} {
		out, _ := write(t, d)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s is not valid: %v\n%s", name, err, out)
		}
	}
	asJSON, asTags := write(t, d)
	againJSON, againTags := write(t, example(t))
	if !bytes.Equal(asJSON, againJSON) || !bytes.Equal(asTags, againTags) {
		t.Error("equal documents give different bytes")
	}
	for name, data := range map[string][]byte{"JSON": asJSON, "tag-value": asTags} {
		got, err := spdx.Read(data)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, data)
		}
		if got.Subject.Name != "shop" || got.Subject.Version != "1f2e3d" || !got.Created.Equal(d.Created) || got.Tools[0] != d.Tools[0] || got.Spec != "SPDX 2.3" {
			t.Errorf("%s: head %+v %v %v %s", name, got.Subject, got.Created, got.Tools, got.Spec)
		}
		byPURL := func(d *sbom.Document) map[string]dependency.Package {
			m := map[string]dependency.Package{}
			for _, c := range d.Components {
				m[c.PURL] = c.Package
			}
			return m
		}
		if diff := cmp.Diff(byPURL(d), byPURL(got), cmpopts.EquateEmpty(),
			cmp.Transformer("space", func(s string) string { return strings.Join(strings.Fields(s), " ") }),
			cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Ecosystem" }, cmp.Comparer(func(a, b dependency.Ecosystem) bool { return a == b || a == "" || b == "" })),
		); diff != "" {
			t.Errorf("%s read back (-want +got):\n%s\n%s", name, diff, data)
		}
		if len(got.Direct) != len(d.Direct) {
			t.Errorf("%s: %d direct, want %d", name, len(got.Direct), len(d.Direct))
		}
		for _, c := range got.Components {
			if c.PURL == "pkg:npm/%40shop/tool@1.0.0" {
				if diff := cmp.Diff([]sbom.Occurrence{{Path: "package-lock.json", Line: 3}}, c.Occurrences); diff != "" {
					t.Errorf("%s: occurrences (-want +got):\n%s", name, diff)
				}
			}
		}
	}
}

// What other tools write, in small: npm, syft, and a hand-made tag-value file.
func TestReadOthers(t *testing.T) {
	for file, want := range map[string]struct {
		subject    string
		components []string // name@version ecosystem scope relation
		gaps       int
	}{
		"testdata/read/npm.json":  {"shop", []string{"debug@4.3.4 npm  direct", "ms@2.1.2 npm  transitive", "tap@18.0.0 npm development direct"}, 0},
		"testdata/read/syft.json": {"shop", []string{"busybox@1.36.1-r5 Alpine:v3.20  ", "mystery@1   "}, 1},
		"testdata/read/tags.spdx": {"shop", []string{"pyyaml@6.0 PyPI  direct"}, 0},
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := spdx.Read(data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var got []string
		for _, c := range d.Components {
			got = append(got, c.Package.ID()+" "+string(c.Package.Ecosystem)+" "+string(c.Package.Scope)+" "+string(c.Package.Relation))
		}
		if diff := cmp.Diff(want.components, got, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
		if d.Subject.Name != want.subject || d.Unidentified() != want.gaps {
			t.Errorf("%s: subject %+v, %d unidentified", file, d.Subject, d.Unidentified())
		}
	}
}

func TestReadHostile(t *testing.T) {
	for name, text := range map[string]string{
		"empty":        "",
		"truncated":    `{"spdxVersion":"SPDX-2.3","packages":[{"name":"a"`,
		"no version":   `{"packages":[]}`,
		"version 3":    `{"spdxVersion":"SPDX-3.0"}`,
		"wrong type":   `{"spdxVersion":"SPDX-2.3","packages":7}`,
		"nesting":      `{"a":` + strings.Repeat("[", 100_000),
		"binary":       "\x00\x01",
		"no tag":       "SPDXVersion: SPDX-2.3\nhello",
		"open text":    "SPDXVersion: SPDX-2.3\nDocumentComment: <text>a\nb",
		"relationship": "SPDXVersion: SPDX-2.3\nRelationship: a DEPENDS_ON",
		"huge name":    "SPDXVersion: SPDX-2.3\nPackageName: " + strings.Repeat("a", 100_000),
	} {
		if _, err := spdx.Read([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	asJSON, asTags := write(f, example(f))
	f.Add(asJSON)
	f.Add(asTags)
	files, _ := filepath.Glob("testdata/read/*")
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := spdx.Read(data)
		if err != nil {
			return
		}
		asJSON, asTags := write(t, d)
		for _, out := range [][]byte{asJSON, asTags} {
			again, err := spdx.Read(out)
			if err != nil {
				t.Fatalf("what was written cannot be read: %v\n%s", err, out)
			}
			if len(again.Components) != len(d.Components) {
				t.Fatalf("%d components became %d\n%s", len(d.Components), len(again.Components), out)
			}
		}
	})
}
