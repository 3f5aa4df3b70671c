package triage

import (
	"strings"
	"testing"

	"bulwark/internal/finding"
	"bulwark/internal/ssvc"
)

func TestPrioritise(t *testing.T) {
	given := map[string]string{
		finding.PropVuln: "CVE-2026-8037", finding.PropKEVAdded: "2026-08-07", finding.PropRansomware: "true",
		finding.PropAutomatable: "yes", finding.PropImpact: "total",
	}
	all := []finding.Finding{
		{RuleID: "vulnerable-dependency", Properties: given, Locations: []finding.Location{{Path: "go.mod"}}},
		{RuleID: "vulnerable-dependency", Properties: map[string]string{finding.PropVuln: "CVE-2020-1", finding.PropCVSSVector: "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", finding.PropPublished: "2026-01-01"}},
		{RuleID: "jwt", Properties: map[string]string{"x": "y"}},
		{RuleID: "vulnerable-dependency", Properties: map[string]string{finding.PropVuln: "CVE-2020-2"},
			Locations: []finding.Location{{Suppression: &finding.Suppression{Kind: "waiver"}}}},
	}
	if err := Prioritise(all, ssvc.Business{Exposure: "internet", Criticality: "high"}); err != nil {
		t.Fatal(err)
	}
	p := all[0].Properties
	if p[finding.PropCoordinator] != "act" || p[finding.PropDeployer] != "immediate" || p[finding.PropDue] != "2026-08-10" {
		t.Errorf("an exploited one: %v", p)
	}
	if want := "Act by 2026-08-10"; !strings.HasPrefix(p[finding.PropUrgency], want) || !strings.Contains(p[finding.PropUrgency], "ransomware") {
		t.Errorf("urgency %q, want %q… and the ransomware", p[finding.PropUrgency], want)
	}
	if len(given) != 5 {
		t.Errorf("the caller's properties were changed: %v", given)
	}
	if p := all[1].Properties; p[finding.PropDue] == "" || p[finding.PropDue] == "2026-08-10" {
		t.Errorf("a mild one: %v", p)
	}
	for _, i := range []int{2, 3} {
		if all[i].Properties[finding.PropUrgency] != "" {
			t.Errorf("finding %d was weighed: %v", i, all[i].Properties)
		}
	}
}
