package cyclonedx_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/github/go-spdx/v2/spdxexp/spdxlicenses"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
	"bulwark/internal/sbom/cyclonedx"
)

func example(t testing.TB) *sbom.Document {
	t.Helper()
	d, err := sbom.New([]*dependency.Manifest{{
		Path: "pom.xml", Ecosystem: dependency.Maven,
		Packages: []dependency.Package{
			{Ecosystem: dependency.Maven, Name: "org.apache.logging.log4j:log4j-core", Version: "2.14.1", Scope: dependency.Production, Relation: dependency.Direct, Line: 10,
				Requires: []string{"org.apache.logging.log4j:log4j-api@2.14.1"}, Licenses: []string{"Apache-2.0"},
				Hashes: []dependency.Hash{{Algorithm: "sha-1", Value: "da39a3ee5e6b4b0d3255bfef95601890afd80709"}, {Algorithm: "odd", Value: "00"}}},
			{Ecosystem: dependency.Maven, Name: "org.apache.logging.log4j:log4j-api", Version: "2.14.1", Relation: dependency.Transitive, Licenses: []string{"MIT OR Apache-2.0", "BSD-3-Clause"}},
			{Ecosystem: dependency.NPM, Name: "@shop/tool", Version: "1.0.0", Scope: dependency.Development, Relation: dependency.Direct, Line: 3, Licenses: []string{"SEE LICENSE IN <a>", "MIT"}},
			{Ecosystem: dependency.Go, Name: "golang.org/x/net", Constraint: ">=1 & <2", Scope: dependency.Optional, Relation: dependency.Direct, Licenses: []string{"MIT WITH Nonsense"}},
			{Ecosystem: dependency.GitHubActions, Name: "actions/checkout", Version: "v4"},
			{Ecosystem: dependency.NPM, Name: "@shop/part", Version: "0.1.0", Local: true, Relation: dependency.Direct},
		},
		Gaps: []dependency.Gap{{Line: 4, Message: "a property that is not defined: ${x}"}},
	}}, sbom.Options{
		Subject: sbom.Subject{Name: "shop", Version: "1f2e3d"}, Tool: sbom.Tool{Name: "bulwark", Version: "0.3.0"},
		Created: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// schema compiles a published schema. Those it refers to are named with
// SNAPSHOT in the copies that are kept here.
func schema(t testing.TB, version string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	for _, name := range []string{"bom-" + version, "spdx", "jsf-0.82", "cryptography-defs"} {
		data, err := os.ReadFile(filepath.Join("testdata", "schema", name+".schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{".schema.json", ".SNAPSHOT.schema.json"} {
			if err := c.AddResource("http://cyclonedx.org/schema/"+name+kind, doc); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := c.Compile("http://cyclonedx.org/schema/bom-" + version + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t testing.TB, d *sbom.Document, version string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := cyclonedx.Write(&b, d, version); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func validate(t *testing.T, s *jsonschema.Schema, data []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("not valid: %v\n%s", err, data)
	}
}

func TestWriteIsValidAndReadsBack(t *testing.T) {
	d := example(t)
	for _, version := range cyclonedx.Versions() {
		t.Run(version, func(t *testing.T) {
			s := schema(t, version)
			data := write(t, d, version)
			validate(t, s, data)
			validate(t, s, write(t, &sbom.Document{Subject: sbom.Subject{Ref: "a", Name: "empty"}}, version))
			if again := write(t, example(t), version); !bytes.Equal(data, again) {
				t.Error("equal documents give different bytes")
			}
			got, err := cyclonedx.Read(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(d, got, cmpopts.IgnoreFields(sbom.Document{}, "Spec", "Gaps"), cmpopts.EquateEmpty(),
				cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Hashes" || p.Last().String() == ".Licenses" }, cmp.Ignore()),
				cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Ecosystem" }, cmp.Comparer(func(a, b dependency.Ecosystem) bool { return a == b || a == "" || b == "" })),
			); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
	if err := cyclonedx.Write(&bytes.Buffer{}, d, "1.1"); err == nil {
		t.Error("version 1.1 is written")
	}
}

// Every identifier that is written as a licence id is one of the schema.
func TestLicenceIdentifiersAreOfTheSchema(t *testing.T) {
	d := &sbom.Document{Subject: sbom.Subject{Ref: "a", Name: "licences"}}
	for i, id := range append(spdxlicenses.GetLicenses(), spdxlicenses.GetDeprecated()...) {
		d.Components = append(d.Components, sbom.Component{Ref: fmt.Sprint(i), Package: dependency.Package{Name: id, Licenses: []string{id}}})
	}
	s := schema(t, "1.6")
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(write(t, d, "1.6")))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%.3000v", err)
	}
}

// What other tools write, in small.
func TestReadOthers(t *testing.T) {
	files, err := filepath.Glob("testdata/read/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".want") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, err := cyclonedx.Read(data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(d, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(file + ".want")
			if os.Getenv("UPDATE") != "" {
				err = os.WriteFile(file+".want", append(got, '\n'), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" && os.Getenv("UPDATE") == "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadHostile(t *testing.T) {
	deep := `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[` + strings.Repeat(`{"name":"a","components":[`, 500) + strings.Repeat(`]}`, 500) + `]}`
	for name, text := range map[string]string{
		"empty":         "",
		"truncated":     `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"a"`,
		"other format":  `{"spdxVersion":"SPDX-2.3"}`,
		"no version":    `{"bomFormat":"CycloneDX"}`,
		"version 9":     `{"bomFormat":"CycloneDX","specVersion":"9"}`,
		"deep":          deep,
		"wrong type":    `{"bomFormat":"CycloneDX","specVersion":"1.6","components":{"a":1}}`,
		"nesting":       strings.Repeat("[", 100_000),
		"other XML":     `<a/>`,
		"XML, cut":      `<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components><component>`,
		"XML, entity":   `<!DOCTYPE b [<!ENTITY a "aaaa">]><bom xmlns="http://cyclonedx.org/schema/bom/1.4" version="&a;"/>`,
		"XML, charset":  `<?xml version="1.0" encoding="EBCDIC"?><bom xmlns="http://cyclonedx.org/schema/bom/1.4"/>`,
		"huge text":     `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"` + strings.Repeat("a", 100_000) + `"}]}`,
		"huge licence":  `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"licenses":[{"expression":"` + strings.Repeat("a", 100_000) + `"}]}]}`,
		"XML, deep":     `<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components>` + strings.Repeat("<component><components>", 400) + strings.Repeat("</components></component>", 400) + `</components></bom>`,
		"list, no list": `[]`,
	} {
		if _, err := cyclonedx.Read([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := cyclonedx.Write(&b, example(f), ""); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	files, _ := filepath.Glob("testdata/read/*")
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := cyclonedx.Read(data)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := cyclonedx.Write(&out, d, ""); err != nil {
			t.Fatal(err)
		}
		again, err := cyclonedx.Read(out.Bytes())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(again.Components) != len(d.Components) {
			t.Fatalf("%d components became %d", len(d.Components), len(again.Components))
		}
	})
}

// large is a document of about 10 MB.
func large(b *testing.B) []byte {
	d := &sbom.Document{Subject: sbom.Subject{Ref: "root", Name: "large"}}
	const n = 14_000
	ref := func(i int) string { return fmt.Sprintf("pkg:npm/%%40scope/package-%05d@1.%d.0", i%n, i%n) }
	for i := range n {
		d.Components = append(d.Components, sbom.Component{
			Ref: ref(i), PURL: ref(i), Type: "library",
			Package: dependency.Package{Name: fmt.Sprintf("@scope/package-%05d", i), Ecosystem: dependency.NPM, Version: fmt.Sprintf("1.%d.0", i), Licenses: []string{"MIT"},
				Hashes: []dependency.Hash{{Algorithm: "sha-512", Value: strings.Repeat("0a", 64)}}},
			Needs: []string{ref(i + 1), ref(i + 7)}, Occurrences: []sbom.Occurrence{{Path: "package-lock.json", Line: i}},
		})
	}
	return write(b, d, "")
}

func BenchmarkRead10MB(b *testing.B) {
	data := large(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cyclonedx.Read(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite10MB(b *testing.B) {
	d, err := cyclonedx.Read(large(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		write(b, d, "")
	}
}
