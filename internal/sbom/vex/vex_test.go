package vex

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func day(n int) time.Time { return time.Date(2026, 1, n, 9, 0, 0, 0, time.UTC) }

func example() *Document {
	return &Document{Author: "shop", Time: day(1), Statements: []Statement{
		{
			Vulnerability: "CVE-2026-0001", Aliases: []string{"GHSA-aaaa-bbbb-cccc"}, Status: NotAffected, Justification: CodeNotReached,
			Impact: "no call from main", Products: []Product{{ID: "pkg:golang/shop.example/web", Parts: []string{"pkg:golang/golang.org/x/net@v0.1.0"}}},
			Time: day(2), Expires: day(20), Author: "shop", Ground: Ground{Modified: "2026-01-01T00:00:00Z", Content: "1f2e3d"},
		},
		{Vulnerability: "CVE-2026-0002", Status: Fixed, Products: []Product{{ID: "pkg:npm/a"}}, Time: day(1), Author: "shop"},
		{Vulnerability: "CVE-2026-0003", Status: Affected, Action: "raise to 2", Products: []Product{{ID: "pkg:npm/a@1"}}, Time: day(1), Author: "shop"},
		{Vulnerability: "CVE-2026-0004", Status: UnderInvestigation, Products: []Product{{ID: "pkg:npm/a@1"}}, Time: day(1), Author: "shop"},
	}}
}

func TestOpenVEXReadsBack(t *testing.T) {
	var b, again bytes.Buffer
	if err := WriteOpenVEX(&b, example()); err != nil {
		t.Fatal(err)
	}
	if err := WriteOpenVEX(&again, example()); err != nil || again.String() != b.String() {
		t.Error("equal documents give different bytes", err)
	}
	got, err := Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example(), got, cmpopts.IgnoreFields(Document{}, "ID")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCycloneDXReadsBackAndIsValid(t *testing.T) {
	var b bytes.Buffer
	if err := WriteCycloneDX(&b, example()); err != nil {
		t.Fatal(err)
	}
	got, err := Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	// CycloneDX has one container for all parts.
	want := example()
	for i := 1; i < 4; i++ {
		want.Statements[i].Products = []Product{{ID: "pkg:golang/shop.example/web", Parts: []string{want.Statements[i].Products[0].ID}}}
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Document{}, "ID")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c := jsonschema.NewCompiler()
	for _, name := range []string{"bom-1.6", "spdx", "jsf-0.82"} {
		data, err := os.ReadFile("../cyclonedx/testdata/schema/" + name + ".schema.json")
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
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
}

func TestReadOthers(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want *Document
	}{
		"OpenVEX, old forms": {
			`{"@context":"https://openvex.dev/ns","@id":"x","author":"A","timestamp":"2026-01-01T09:00:00Z","version":"1",
			 "statements":[{"vulnerability":"CVE-2026-1","products":["pkg:npm/a@1"],"status":"fixed"},
			  {"vulnerability":"CVE-2026-2","products":["pkg:npm/a@1"],"status":"not_affected"},
			  {"vulnerability":"CVE-2026-3","products":[],"status":"fixed"},{"products":["a"],"status":"fixed"},
			  {"vulnerability":"CVE-2026-4","products":["a"],"status":"fine"}]}`,
			&Document{ID: "x", Author: "A", Time: day(1), Statements: []Statement{{Vulnerability: "CVE-2026-1", Products: []Product{{ID: "pkg:npm/a@1"}}, Status: Fixed, Time: day(1), Author: "A"}},
				Gaps: []string{"statement 2 (CVE-2026-2) says not affected and not why", "statement 3 (CVE-2026-3) names no product", "statement 4 () names no vulnerability", `statement 5 (CVE-2026-4) has the unknown status "fine"`}},
		},
		"CycloneDX, links": {
			`{"bomFormat":"CycloneDX","specVersion":"1.4","version":1,"vulnerabilities":[
			 {"id":"CVE-2026-1","analysis":{"state":"not_affected","justification":"code_not_reachable","lastUpdated":"2026-01-02T09:00:00Z"},
			  "affects":[{"ref":"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg%3Anpm%2Fa%401"}]},
			 {"id":"CVE-2026-2","affects":[{"ref":"x"}]},
			 {"id":"CVE-2026-3","analysis":{"state":"false_positive"},"affects":[{"ref":"nowhere"}]}]}`,
			&Document{Statements: []Statement{{Vulnerability: "CVE-2026-1", Products: []Product{{Parts: []string{"pkg:npm/a@1"}}}, Status: NotAffected, Justification: CodeNotReached, Time: day(2)}},
				Gaps: []string{"statement 2 (CVE-2026-3) names no product"}},
		},
	} {
		got, err := Read([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"@context":"https://openvex.dev/ns/v0.2.0","statements":7}`, `{"bomFormat":"CycloneDX","components":{}}`, strings.Repeat("[", 1e6)} {
		if _, err := Read([]byte(text)); err == nil {
			t.Errorf("%.20q: no error", text)
		}
	}
}

func TestFind(t *testing.T) {
	d := example()
	later := Statement{Vulnerability: "GHSA-aaaa-bbbb-cccc", Status: Affected, Products: []Product{{ID: "pkg:golang/golang.org/x/net"}}, Time: day(1)}
	d.Statements = append(d.Statements, later)
	x := NewIndex(d)
	base := Query{PURL: "pkg:golang/golang.org/x/net@v0.1.0", IDs: []string{"CVE-2026-0001", "GHSA-aaaa-bbbb-cccc"}, Product: "pkg:golang/shop.example/web@1", Now: day(3), Ground: Ground{Modified: "2026-01-01T00:00:00Z", Content: "1f2e3d"}}
	for name, c := range map[string]struct {
		change func(q *Query)
		want   Status
		lapsed Reason
	}{
		"holds":            {func(*Query) {}, NotAffected, Holds},
		"without v":        {func(q *Query) { q.PURL = "pkg:golang/golang.org/x/net@0.1.0" }, NotAffected, Holds},
		"expired":          {func(q *Query) { q.Now = day(20) }, Affected, Expired},
		"advisory changed": {func(q *Query) { q.Ground.Modified = "2026-01-02T00:00:00Z" }, Affected, AdvisoryChanged},
		"equal times":      {func(q *Query) { q.Ground.Modified = "2026-01-01T01:00:00+01:00" }, NotAffected, Holds},
		"content changed":  {func(q *Query) { q.Ground.Content = "0" }, Affected, ContentChanged},
		"other product":    {func(q *Query) { q.Product = "pkg:golang/other.example/web@1" }, Affected, Holds},
		"other version":    {func(q *Query) { q.PURL = "pkg:golang/golang.org/x/net@v0.2.0" }, Affected, Holds},
		"other package":    {func(q *Query) { q.PURL = "pkg:golang/golang.org/x/text@v0.1.0" }, "", Holds},
		"any version":      {func(q *Query) { q.PURL, q.IDs = "pkg:npm/a@7?x=y", []string{"cve-2026-0002"} }, Fixed, Holds},
		"no purl":          {func(q *Query) { q.PURL = "x" }, "", Holds},
	} {
		q := base
		c.change(&q)
		s, lapsed := x.Find(q)
		got := Status("")
		if s != nil {
			got = s.Status
		}
		reason := Holds
		if len(lapsed) > 0 {
			reason = lapsed[0].Reason
		}
		if got != c.want || reason != c.lapsed {
			t.Errorf("%s: %q, lapsed %q; want %q, %q", name, got, reason, c.want, c.lapsed)
		}
	}
}

func FuzzRead(f *testing.F) {
	var a, b bytes.Buffer
	_ = WriteOpenVEX(&a, example())
	_ = WriteCycloneDX(&b, example())
	f.Add(a.Bytes())
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Read(data)
		if err != nil {
			return
		}
		x := NewIndex(d)
		for i := range d.Statements {
			x.Find(Query{PURL: "pkg:npm/a@1", IDs: []string{d.Statements[i].Vulnerability}})
		}
		var out bytes.Buffer
		if err := WriteOpenVEX(&out, d); err != nil {
			t.Fatal(err)
		}
		again, err := Read(out.Bytes())
		if err != nil || len(again.Statements) != len(d.Statements) {
			t.Fatalf("what was written is not read: %v\n%s", err, out.Bytes())
		}
	})
}
