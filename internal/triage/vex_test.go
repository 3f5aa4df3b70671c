package triage

import (
	"strings"
	"testing"
	"time"

	"bulwark/internal/finding"
	"bulwark/internal/sbom/vex"
)

func TestApplyVEX(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	statement := func(id, purl string, status vex.Status, change func(*vex.Statement)) vex.Statement {
		s := vex.Statement{Vulnerability: id, Products: []vex.Product{{ID: purl}}, Status: status, Justification: vex.CodeNotReached, Author: "team", Time: now.AddDate(0, -1, 0)}
		if change != nil {
			change(&s)
		}
		return s
	}
	index := vex.NewIndex(&vex.Document{Statements: []vex.Statement{
		statement("CVE-1", "pkg:npm/a", vex.NotAffected, nil),
		statement("CVE-2", "pkg:npm/a@1.0.0", vex.NotAffected, nil),
		statement("CVE-3", "pkg:npm/a", vex.NotAffected, func(s *vex.Statement) { s.Expires = now.AddDate(0, 0, -1) }),
		statement("CVE-4", "pkg:npm/a", vex.NotAffected, func(s *vex.Statement) { s.Ground.Modified = "2026-01-01T00:00:00Z" }),
		statement("CVE-5", "pkg:npm/a", vex.Affected, func(s *vex.Statement) { s.Justification, s.Action = "", "raise it" }),
		statement("MAL-1", "pkg:npm/a", vex.NotAffected, nil),
	}})
	vuln := func(id, purls string, more ...string) finding.Finding {
		p := map[string]string{finding.PropVuln: id, finding.PropPURL: purls, finding.PropModified: "2026-05-05T00:00:00Z"}
		for _, m := range more {
			p[m] = "true"
		}
		return finding.Finding{RuleID: "vulnerable-dependency", Properties: p, Locations: []finding.Location{{Path: "package-lock.json"}}}
	}
	for _, tt := range []struct {
		name       string
		f          finding.Finding
		suppressed bool
		notice     string
		evidence   string
	}{
		{"not affected", vuln("CVE-1", "pkg:npm/a@1.0.0"), true, "", ""},
		{"by an alias", func() finding.Finding {
			f := vuln("GHSA-1", "pkg:npm/a@1.0.0")
			f.Properties[finding.PropAliases] = "X CVE-1"
			return f
		}(), true, "", ""},
		{"another package", vuln("CVE-1", "pkg:npm/b@1.0.0"), false, "", ""},
		{"only one of two versions", vuln("CVE-2", "pkg:npm/a@1.0.0 pkg:npm/a@2.0.0"), false, "", "VEX: not_affected"},
		{"expired", vuln("CVE-3", "pkg:npm/a@1.0.0"), false, "expired", ""},
		{"the advisory changed", vuln("CVE-4", "pkg:npm/a@1.0.0"), false, "changed", ""},
		{"affected", vuln("CVE-5", "pkg:npm/a@1.0.0"), false, "", "VEX: affected: raise it"},
		{"malice", vuln("MAL-1", "pkg:npm/a@1.0.0", finding.PropMalicious), false, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := []finding.Finding{tt.f}
			notices := ApplyVEX(all, index, now)
			if all[0].Suppressed() != tt.suppressed {
				t.Errorf("suppressed: %v", all[0].Suppressed())
			}
			if tt.suppressed && (all[0].Locations[0].Suppression.Kind != "vex" || !strings.Contains(all[0].Locations[0].Suppression.Reason, vex.CodeNotReached)) {
				t.Errorf("suppression %+v", all[0].Locations[0].Suppression)
			}
			if got := len(notices) > 0; got != (tt.notice != "") || got && !strings.Contains(notices[0].Message, tt.notice) {
				t.Errorf("notices %+v, want %q", notices, tt.notice)
			}
			if got := strings.Join(all[0].Evidence, "\n"); !strings.Contains(got, tt.evidence) || tt.evidence == "" && got != "" {
				t.Errorf("evidence %q, want %q", got, tt.evidence)
			}
		})
	}
}
