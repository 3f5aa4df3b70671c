package report

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// publishedSARIF returns the schema that OASIS publishes, as the module go-sarif
// carries it. The module keeps it to itself and validates only what its own
// types hold, which would hide a misspelled field; so its source is read.
func publishedSARIF(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(out)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	schema := ""
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && len(lit.Value) > len(schema) {
			schema, err = strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
		}
		return true
	})
	if !strings.Contains(schema, "SARIF") {
		t.Fatal("go-sarif no longer holds the schema in schema.go")
	}
	return schema
}

func TestSARIFMatchesSchema(t *testing.T) {
	validate := compile(t, publishedSARIF(t))
	for name, run := range fixtures() {
		for _, opts := range []Options{{}, {Compact: true, RepositoryURI: "https://git.example/shop"}} {
			got := render(t, SARIF, run, opts)
			if err := validate(got); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := sarif.FromString(got); err != nil {
				t.Errorf("%s: go-sarif cannot read it: %v", name, err)
			}
		}
	}
	if err := validate(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","colour":"red"}}}]}`); err == nil {
		t.Error("the schema accepts an unknown field")
	}
}

func parseSARIF(t *testing.T, document string) sarifRun {
	t.Helper()
	var log sarifLog
	if err := json.Unmarshal([]byte(document), &log); err != nil {
		t.Fatal(err)
	}
	return log.Runs[0]
}

func TestSARIFContent(t *testing.T) {
	run := parseSARIF(t, render(t, SARIF, blockedRun(), Options{RepositoryURI: "https://git.example/shop"}))
	first := run.Results[0]
	if first.RuleID != "github-pat" || first.Level != "error" || first.BaselineState != "new" {
		t.Errorf("the gravest result is not first: %+v", first)
	}
	if got := first.PartialFingerprints["bulwarkFingerprint/v1"]; got != "secret/1:00112233445566778899aabbccddeeff" {
		t.Errorf("fingerprint %q", got)
	}
	if len(first.Locations) != 14 || len(first.RelatedLocations) != 1 {
		t.Errorf("%d places and %d accepted, want 14 and 1", len(first.Locations), len(first.RelatedLocations))
	}
	if r := first.Locations[0].PhysicalLocation.Region; *r != (sarifRegion{StartLine: 12, StartColumn: 18, EndLine: 12, EndColumn: 58}) {
		t.Errorf("region %+v", *r)
	}
	last := run.Results[len(run.Results)-1]
	if len(last.Suppressions) != 1 || last.Suppressions[0].Kind != "inSource" || last.Suppressions[0].Justification != "test data" {
		t.Errorf("suppression %+v", last.Suppressions)
	}
	if run.Invocations[0].ExecutionSuccessful {
		t.Error("a scanner failed, yet the execution is called successful")
	}
	if p := run.VersionControlProvenance; len(p) != 1 || p[0].RevisionID == "" {
		t.Errorf("provenance %+v", p)
	}
	for _, rule := range run.Tool.Driver.Rules {
		if rule.ID == "github-pat" {
			if rule.Properties["security-severity"] != "9.5" || rule.Properties["precision"] != "very-high" {
				t.Errorf("properties %+v", rule.Properties)
			}
			if strings.Contains(rule.Help.Markdown, "javascript:") {
				t.Error("a reference that is no web address became a link")
			}
		}
	}
	if clean := parseSARIF(t, render(t, SARIF, cleanRun(), Options{})); !clean.Invocations[0].ExecutionSuccessful {
		t.Error("a clean run is called unsuccessful")
	}
}

func TestSARIFLimits(t *testing.T) {
	run := cleanRun()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 50 {
		severity := finding.Severity(i % 5)
		f := finding.Finding{RuleID: fmt.Sprint("rule-", i%7), Fingerprint: fmt.Sprint("secret/1:", i), Scanner: "secret", Severity: severity, Status: finding.New}
		for range 5 {
			f.Locations = append(f.Locations, finding.Location{Path: fmt.Sprint(random.Uint64()), StartLine: 1})
		}
		run.Findings = append(run.Findings, f)
		run.Decisions = append(run.Decisions, outcome.Decision{RuleID: f.RuleID, Fingerprint: f.Fingerprint, Verdict: outcome.Warn})
		run.Skips = append(run.Skips, outcome.Skip{Path: fmt.Sprint("s", i), Reason: "too large"})
	}
	run.Rules = []finding.Rule{{ID: "rule-0", Tags: strings.Split(strings.Repeat("t ", 50), " ")}}
	for i := range run.Rules[0].Tags {
		run.Rules[0].Tags[i] += fmt.Sprint(i)
	}
	lim := sarifLimits{results: 20, locations: 3, rules: 4, tags: 6, notes: 10, gzipped: 1 << 20}
	render := func() sarifRun {
		var b strings.Builder
		if err := writeSARIFWithin(&b, newView(run), Options{Compact: true}, lim); err != nil {
			t.Fatal(err)
		}
		if got := gzipSize([]byte(b.String()), 0); got > lim.gzipped {
			t.Errorf("%d bytes compressed, the limit is %d", got, lim.gzipped)
		}
		return parseSARIF(t, b.String())
	}
	got := render()
	if len(got.Results) != 20 || len(got.Results[0].Locations) != 3 || len(got.Tool.Driver.Rules) != 4 {
		t.Errorf("%d results, %d places, %d rules", len(got.Results), len(got.Results[0].Locations), len(got.Tool.Driver.Rules))
	}
	for i, r := range got.Results {
		if want := map[bool]string{true: "error", false: ""}[i < 20]; r.Level != want {
			t.Errorf("result %d has level %s: the gravest were not kept", i, r.Level)
		}
		if r.RuleIndex != nil && got.Tool.Driver.Rules[*r.RuleIndex].ID != r.RuleID {
			t.Errorf("result %d names rule %s by the index of another", i, r.RuleID)
		}
	}
	for _, r := range got.Tool.Driver.Rules {
		if n := len(r.Properties["tags"].([]any)); n > 6 {
			t.Errorf("%d tags", n)
		}
	}
	notes := ""
	for _, n := range got.Invocations[0].Notifications {
		notes += n.Message.Text + "\n"
	}
	for _, want := range []string{"30 results left out", "40 places left out", "too large ×42 more not looked at"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no notification says %q:\n%s", want, notes)
		}
	}
	lim.gzipped = 1800
	if small := render(); len(small.Results) >= 20 || len(small.Results) == 0 {
		t.Errorf("%d results in 1,800 bytes", len(small.Results))
	}
}

func TestPathURI(t *testing.T) {
	for path, want := range map[string]string{
		"a/b c.txt": "a/b%20c.txt", "a:b": "a%3Ab", "//evil/x": "%2F%2Fevil/x", "/etc": "%2Fetc", "é\xff": "%C3%A9%FF",
		"a.zip!/b": "a.zip%21/b", "100%": "100%25", "": "", "a//b": "a//b",
	} {
		got := pathURI(path)
		if got != want {
			t.Errorf("pathURI(%q) = %q, want %q", path, got, want)
		}
		u, err := url.Parse(got)
		if err != nil || u.Host != "" || u.Scheme != "" || u.Path != path {
			t.Errorf("%q parses as %#v, %v", got, u, err)
		}
	}
}

func TestCharacters(t *testing.T) {
	tests := []struct {
		name       string
		l          finding.Location
		start, end int
	}{
		{"whole line", finding.Location{StartLine: 1, EndLine: 1, StartColumn: 5, EndColumn: 9, Excerpt: "é秘…", MarkStart: 5}, 0, 0},
		{"prefix counted", finding.Location{StartLine: 1, EndLine: 1, StartColumn: 6, EndColumn: 10, Excerpt: "é秘…", MarkStart: 5}, 3, 7},
		{"cut, ASCII", finding.Location{StartLine: 1, EndLine: 1, StartColumn: 900, EndColumn: 910, Excerpt: "…abc=…", MarkStart: 7}, 900, 910},
		{"cut, not ASCII", finding.Location{StartLine: 1, EndLine: 1, StartColumn: 900, EndColumn: 910, Excerpt: "…é=…", MarkStart: 6}, 0, 0},
		{"several lines", finding.Location{StartLine: 1, EndLine: 3, StartColumn: 1, EndColumn: 4, Excerpt: "abc"}, 1, 4},
		{"unknown", finding.Location{Excerpt: "abc"}, 0, 0},
		{"backwards", finding.Location{StartLine: 1, EndLine: 1, StartColumn: 5, EndColumn: 2, Excerpt: "abcdef", MarkStart: 4}, 5, 0},
	}
	for _, test := range tests {
		if start, end := characters(test.l); start != test.start || end != test.end {
			t.Errorf("%s: %d, %d, want %d, %d", test.name, start, end, test.start, test.end)
		}
	}
}
