package sca

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
	"bulwark/internal/dependency"
	"bulwark/internal/finding"
	"bulwark/internal/identity"
	"bulwark/internal/license"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/sca/extract"
)

// lines is an extractor of "name version [flags]" lines.
type lines struct{}

func (lines) Name() string           { return "lines" }
func (lines) Wants(path string) bool { return strings.HasSuffix(path, ".lines") }
func (lines) Binary() bool           { return false }
func (lines) Extract(_ context.Context, f extract.File) (*dependency.Manifest, error) {
	m := &dependency.Manifest{Format: "lines", Kind: dependency.Lock, Ecosystem: dependency.NPM}
	for i, line := range strings.Split(strings.TrimSpace(string(f.Content)), "\n") {
		w := strings.Fields(line)
		if len(w) < 2 {
			return nil, errors.New("line 1: want a name and a version")
		}
		p := dependency.Package{Ecosystem: dependency.NPM, Name: w[0], Version: w[1], Line: i + 1, Scope: dependency.Production, Relation: dependency.Direct}
		for _, flag := range w[2:] {
			switch {
			case flag == "dev":
				p.Scope = dependency.Development
			case strings.HasPrefix(flag, "via="):
				p.Relation, p.Via = dependency.Transitive, []string{flag[4:]}
			default:
				p.Licenses = append(p.Licenses, flag)
			}
		}
		m.Packages = append(m.Packages, p)
	}
	return m, nil
}

// known is a database of three things that are wrong with "bad".
type known struct{ built time.Time }

func (k known) Info() advisory.Info { return advisory.Info{Built: k.built} }
func (known) Match(_ context.Context, e dependency.Ecosystem, name, version string) ([]advisory.Match, error) {
	switch {
	case name == "evil":
		return []advisory.Match{{ID: "MAL-2026-1", Malicious: true, Proofs: []advisory.Proof{{Record: "MAL-2026-1", Package: name, Version: version, Listed: true}}}}, nil
	case name == "bad" && version == "latest":
		return nil, &db.UnorderedError{Ecosystem: string(e), Package: name, Version: version, Cause: errors.New("no number")}
	case name == "bad" && version < "2":
		return []advisory.Match{{ID: "CVE-2026-1", Aliases: []string{"GHSA-x"}, Fixed: []string{"2.0.0"},
			Proofs: []advisory.Proof{{Record: "GHSA-x", Package: name, Version: version, Introduced: "0", Fixed: "2.0.0", Comparator: "semver"}}}}, nil
	}
	return nil, nil
}

func (known) Detail(id string) (*advisory.Detail, error) {
	return &advisory.Detail{ID: id, Summary: "It breaks\n badly", Published: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		Severities: []advisory.Severity{{System: "CVSS:3.1", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Score: 9.8, Label: "critical", Source: "GHSA-x"}},
		Exploits:   advisory.Exploitation{KEV: &advisory.KEV{CVE: "CVE-2026-1", Added: "2026-03-01"}}}, nil
}

func (known) EndOfLife(p dependency.Package, day string) (advisory.Cycle, bool, error) {
	return advisory.Cycle{Product: "Old", Cycle: "1", Ended: "2025-01-01", Over: day > "2025-01-01", Next: "3"}, p.Name == "old", nil
}

var testNow = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

func testScanner(t *testing.T, change func(*Config)) *Scanner {
	t.Helper()
	c := Config{
		Extractors: []extract.Extractor{lines{}}, Key: identity.Key{1}, Now: testNow,
		Open: func() (Advisories, error) { return known{testNow.Add(-time.Hour)}, nil },
	}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// conclude scans files by path and concludes.
func conclude(t *testing.T, s *Scanner, files map[string]string) ([]finding.Finding, error) {
	t.Helper()
	var facts []scanner.Fact
	for path, text := range files {
		r, err := s.Scan(t.Context(), &scanner.Chunk{Meta: scanner.Meta{Path: path, Type: scanner.Text}, Content: []byte(text)})
		if err != nil || r.Gap != "" {
			t.Fatalf("%s: %v %s", path, err, r.Gap)
		}
		if r.Facts != nil {
			facts = append(facts, scanner.Fact{Path: path, Data: r.Facts})
		}
	}
	return s.Conclude(t.Context(), facts)
}

func rulesOf(all []finding.Finding) string {
	var ids []string
	for _, f := range all {
		ids = append(ids, f.RuleID+" "+f.Properties[finding.PropPackage])
	}
	return strings.Join(ids, ", ")
}

func TestConclude(t *testing.T) {
	got, err := conclude(t, testScanner(t, nil), map[string]string{
		"a.lines": "bad 1.0.0 via=top@3\ngood 1.0.0\nevil 1.0.0\nold 1.0.0", "b/b.lines": "bad 1.5.0 dev",
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "vulnerable-dependency bad, malicious-dependency evil, end-of-life-dependency old"; rulesOf(got) != want {
		t.Fatalf("findings: %s\nwant %s", rulesOf(got), want)
	}
	f := got[0]
	for name, want := range map[string]string{
		finding.PropVuln: "CVE-2026-1", finding.PropVersion: "1.0.0 1.5.0", finding.PropScope: "production", finding.PropRelation: "direct",
		finding.PropFixed: "2.0.0", finding.PropClear: "2.0.0", finding.PropRaise: "top@3", finding.PropCVSSScore: "9.8", finding.PropKEVAdded: "2026-03-01",
		finding.PropPURL: "pkg:npm/bad@1.0.0 pkg:npm/bad@1.5.0", finding.PropPublished: "2026-01-02", finding.PropSummary: "It breaks badly",
	} {
		if f.Properties[name] != want {
			t.Errorf("%s = %q, want %q", name, f.Properties[name], want)
		}
	}
	if f.Severity != finding.Critical || len(f.Locations) != 2 || f.Locations[0].Path != "a.lines" || f.Locations[0].StartLine != 1 {
		t.Errorf("severity %s, locations %+v", f.Severity, f.Locations)
	}
	if !strings.Contains(strings.Join(f.Evidence, "\n"), "GHSA-x affects bad from the first version to 2.0.0, which is fixed; 1.0.0 is in that range") {
		t.Errorf("no proof in %q", f.Evidence)
	}
	for _, x := range got {
		if !identity.Valid(x.Fingerprint) {
			t.Errorf("fingerprint %q", x.Fingerprint)
		}
		known := false
		for _, r := range Rules() {
			known = known || r.ID == x.RuleID && r.Scanner == Name && r.Remedy != "" && r.Rationale != ""
		}
		if !known {
			t.Errorf("%s is not among the rules", x.RuleID)
		}
	}
}

func TestFingerprintSurvives(t *testing.T) {
	s := testScanner(t, nil)
	first, _ := conclude(t, s, map[string]string{"a.lines": "bad 1.0.0"})
	second, _ := conclude(t, s, map[string]string{"moved/c.lines": "x 1\nbad 1.9.0 dev"})
	if len(first) != 1 || len(second) != 1 || first[0].Fingerprint != second[0].Fingerprint {
		t.Errorf("another version in another file is another finding: %v, %v", first, second)
	}
}

func TestNotRun(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"missing": func(c *Config) {
			c.Open = func() (Advisories, error) { return nil, errors.New("there is none; run bulwark db update") }
		},
		"stale": func(c *Config) {
			c.MaxAge = 24 * time.Hour
			c.Open = func() (Advisories, error) { return known{testNow.AddDate(0, 0, -9)}, nil }
		},
	} {
		got, err := conclude(t, testScanner(t, change), map[string]string{"a.lines": "bad 1.0.0"})
		var notRun *scanner.NotRunError
		if !errors.As(err, &notRun) || !strings.Contains(notRun.Reason, "bulwark db update") {
			t.Errorf("%s: error %v", name, err)
		}
		if want := name == "stale"; want != (len(got) == 1) {
			t.Errorf("%s: findings %s", name, rulesOf(got))
		}
	}
	// Without packages no database is needed.
	s := testScanner(t, func(c *Config) { c.Open = func() (Advisories, error) { return nil, errors.New("none") } })
	if got, err := s.Conclude(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("nothing to match: %v, %v", got, err)
	}
}

func TestUnchecked(t *testing.T) {
	got, err := conclude(t, testScanner(t, nil), map[string]string{"a.lines": "bad latest"})
	if err != nil || rulesOf(got) != "unchecked-dependency " {
		t.Fatalf("findings %s, %v", rulesOf(got), err)
	}
	if got[0].Severity != finding.Info || !strings.Contains(got[0].Message, "bad latest") || got[0].Locations[0].Path != "a.lines" {
		t.Errorf("%+v", got[0])
	}
}

func TestLicenses(t *testing.T) {
	s := testScanner(t, func(c *Config) { c.Licenses = &license.Policy{Deny: []string{"GPL-3.0-only"}, Unknown: "allow"} })
	got, err := conclude(t, s, map[string]string{"a.lines": "one 1.0.0 MIT\ntwo 1.0.0 GPL-3.0-only\nthree 1.0.0"})
	if err != nil || rulesOf(got) != "denied-license two" {
		t.Errorf("findings %s, %v", rulesOf(got), err)
	}
	if _, err := New(Config{Key: identity.Key{1}, Licenses: &license.Policy{Deny: []string{"no such licence"}}}); err == nil {
		t.Error("a licence that does not exist is taken")
	}
}

func TestReach(t *testing.T) {
	for _, tt := range []struct{ code, want string }{
		{"import x from 'bad'", "yes"},
		{"import x from 'other'", "no"},
		{"import x from 'other'; require(name)", "unknown"},
	} {
		s := testScanner(t, func(c *Config) { c.Reach = true })
		got, err := conclude(t, s, map[string]string{"a.lines": "bad 1.0.0", "src/a.js": tt.code, "src/a.test.js": "import 'bad'"})
		if err != nil || len(got) != 1 || got[0].Properties[finding.PropReachable] != tt.want {
			t.Errorf("%s: %v %v, want %s", tt.code, got, err, tt.want)
		}
	}
	s := testScanner(t, func(c *Config) { c.Reach = true })
	got, _ := conclude(t, s, map[string]string{"a.lines": "bad 1.0.0 via=top@3.0.0", "src/a.js": "require('top')"})
	if got[0].Properties[finding.PropReachable] != "yes" {
		t.Errorf("what an imported package pulls in: %v", got[0].Properties)
	}
}

func TestScanGap(t *testing.T) {
	r, err := testScanner(t, nil).Scan(t.Context(), &scanner.Chunk{Meta: scanner.Meta{Path: "a.lines", Type: scanner.Text}, Content: []byte("broken")})
	if err != nil || !strings.Contains(r.Gap, "want a name and a version") || r.Facts != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWants(t *testing.T) {
	s := testScanner(t, nil)
	for _, tt := range []struct {
		m    scanner.Meta
		want bool
	}{
		{scanner.Meta{Path: "x.lines"}, true}, {scanner.Meta{Path: "x.lines", Type: scanner.Text}, true},
		{scanner.Meta{Path: "x.lines", Type: scanner.Binary}, false}, {scanner.Meta{Path: "x.lines", Historical: true}, false},
		{scanner.Meta{Path: "x.js"}, false},
	} {
		if got := s.Wants(tt.m); got != tt.want {
			t.Errorf("Wants(%+v) = %v", tt.m, got)
		}
	}
}

func TestDamagedFacts(t *testing.T) {
	_, err := testScanner(t, nil).Conclude(t.Context(), []scanner.Fact{{Path: "a", Data: json.RawMessage(`{"x"`)}})
	if err == nil || !strings.Contains(err.Error(), "cache") {
		t.Errorf("error %v", err)
	}
}
