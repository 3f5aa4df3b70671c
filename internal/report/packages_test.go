package report

import (
	"strings"
	"testing"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// packagesRun has findings about packages: two vulnerabilities of one, and a
// release line that has ended.
func packagesRun() *outcome.Run {
	r := cleanRun()
	r.Verdict = outcome.Block
	r.Scanners = append(r.Scanners, outcome.Scanner{Name: "sca", Version: "1", RuleSet: "a1", Rules: 5, Status: outcome.Complete, Files: 3, Findings: 3})
	r.Rules = []finding.Rule{
		{ID: "vulnerable-dependency", Title: "Dependency with a known vulnerability", Scanner: "sca", Severity: finding.Medium, Remedy: "Raise the package.", CWE: []string{"CWE-1395"}},
		{ID: "end-of-life-dependency", Title: "Dependency past its end of life", Scanner: "sca", Severity: finding.Medium, Remedy: "Move on."},
	}
	vuln := func(id, digits string, s finding.Severity, more map[string]string) finding.Finding {
		p := map[string]string{
			finding.PropVuln: id, finding.PropEcosystem: "npm", finding.PropPackage: "lodash", finding.PropVersion: "4.17.15",
			finding.PropRelation: "transitive", finding.PropScope: "production", finding.PropClear: "4.17.21", finding.PropFixed: "4.17.19",
			finding.PropRaise: "async@2.6.3", finding.PropPURL: "pkg:npm/lodash@4.17.15",
		}
		for k, v := range more {
			p[k] = v
		}
		return finding.Finding{
			RuleID: "vulnerable-dependency", Fingerprint: "dependency/1:" + strings.Repeat(digits, 16), Scanner: "sca",
			Severity: s, Confidence: finding.Certain, Status: finding.New,
			Message: "lodash 4.17.15: " + id + " (" + s.String() + ")", Evidence: []string{"fixed in 4.17.19"}, Properties: p,
			Locations: []finding.Location{{Path: "package-lock.json", StartLine: 120, StartColumn: 1, EndLine: 120, EndColumn: 1,
				Notes: []string{"lodash@4.17.15 is pulled in by async@2.6.3"}}},
		}
	}
	r.Findings = []finding.Finding{
		vuln("CVE-2021-23337", "a1", finding.High, map[string]string{
			finding.PropCVSSScore: "7.2", finding.PropSummary: "Command injection in lodash", finding.PropEPSS: "0.25",
			finding.PropKEVAdded: "2026-08-07", finding.PropDue: "2026-08-10", finding.PropAliases: "GHSA-35jh-r3h4-6jhm"}),
		vuln("CVE-2020-28500", "b2", finding.Medium, nil),
		{
			RuleID: "end-of-life-dependency", Fingerprint: "dependency/1:" + strings.Repeat("c3", 16), Scanner: "sca",
			Severity: finding.Medium, Confidence: finding.Firm, Status: finding.New, Message: "django 3.2.1: Django 3.2 has been without support since 2024-04-01",
			Properties: map[string]string{finding.PropEcosystem: "PyPI", finding.PropPackage: "django", finding.PropVersion: "3.2.1"},
			Locations:  []finding.Location{{Path: "requirements.txt", StartLine: 2, StartColumn: 1, EndLine: 2, EndColumn: 1}},
		},
	}
	for _, f := range r.Findings {
		v := outcome.Warn
		if f.Severity >= finding.High {
			v = outcome.Block
		}
		r.Decisions = append(r.Decisions, outcome.Decision{RuleID: f.RuleID, Fingerprint: f.Fingerprint, Verdict: v, Policy: "bulwark.gate/test", Reason: "It was decided so."})
	}
	return r
}

func TestGitLabDependencies(t *testing.T) {
	got := render(t, GitLabDependency, packagesRun(), Options{})
	for _, want := range []string{`"type": "dependency_scanning"`, `"status": "success"`, `"package_manager": "npm"`, `"name": "CVE-2021-23337"`, `"type": "ghsa"`, `"name": "lodash"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if secrets := render(t, GitLab, packagesRun(), Options{}); strings.Contains(secrets, "lodash") {
		t.Error("the secret detection report holds packages")
	}
}
