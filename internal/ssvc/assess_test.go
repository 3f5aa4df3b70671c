package ssvc

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	remoteTotal   = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	localPartial  = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N"
	remotePartial = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
)

func model(t testing.TB) *Model {
	t.Helper()
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAssess(t *testing.T) {
	m := model(t)
	type want struct {
		Coordinator, Deployer, Deadline, StartFrom, Due, Reason string
		Unknown                                                 []string
	}
	for _, tc := range []struct {
		name     string
		facts    Facts
		business Business
		want     want
	}{
		{
			"everything published, worst case",
			Facts{KEV: &KEV{Added: "2026-08-07"}, Exploitation: "active", Automatable: "yes", TechnicalImpact: "total", Published: "2026-07-01", FirstSeen: "2026-08-20"},
			Business{Exposure: "internet", Criticality: "critical"},
			want{"act", "immediate", "3-days-and-forensics", "kev", "2026-08-10",
				"Act by 2026-08-10 and look for signs of a compromise: exploited in the wild (KEV since 2026-08-07), automatable, total impact, internet-facing.", nil},
		},
		{
			"in KEV, partial impact, ransomware",
			Facts{KEV: &KEV{Added: "2026-08-07", Ransomware: true}, Automatable: "no", TechnicalImpact: "partial"},
			Business{Exposure: "internal", Criticality: "low"},
			want{"track", "scheduled", "14-days", "kev", "2026-08-21",
				"Fix by 2026-08-21: exploited in the wild (KEV since 2026-08-07, used by ransomware), not automatable, partial impact, internal.", nil},
		},
		{
			"nothing known at all",
			Facts{},
			Business{},
			want{"track", "scheduled", "60-days", "", "",
				"Fix within 60 days: exploitation unknown, automatable and technical impact unknown, exposure unknown and taken as internet-facing.",
				[]string{"exploitation", "automatable", "technical impact", "exposure", "criticality"}},
		},
		{
			"in KEV, nothing else known",
			Facts{KEV: &KEV{Added: "2026-06-30"}},
			Business{},
			want{"act", "out-of-cycle", "3-days-and-forensics", "kev", "2026-07-03",
				"Act by 2026-07-03 and look for signs of a compromise: exploited in the wild (KEV since 2026-06-30), automatable and technical impact unknown, exposure unknown and taken as internet-facing.",
				[]string{"automatable", "technical impact", "exposure", "criticality"}},
		},
		{
			"derived from CVSS, urgent",
			Facts{Vector: remoteTotal, Published: "2026-01-30"},
			Business{Exposure: "internet", Criticality: "medium"},
			want{"track", "scheduled", "3-days", "published", "2026-02-02",
				"Act by 2026-02-02: exploitation unknown, automatable and total impact by its CVSS vector, internet-facing.", []string{"exploitation"}},
		},
		{
			"derived from CVSS, never later than 60 days",
			Facts{Vector: localPartial, Published: "2026-01-01"},
			Business{Exposure: "internal", Criticality: "low"},
			want{"track", "defer", "60-days", "published", "2026-03-02",
				"Fix by 2026-03-02: exploitation unknown, not automatable and partial impact by its CVSS vector, internal.", []string{"exploitation"}},
		},
		{
			"published as harmless",
			Facts{Exploitation: "none", Automatable: "no", TechnicalImpact: "partial", Published: "2026-01-01"},
			Business{Exposure: "internal", Criticality: "low"},
			want{"track", "defer", "fix-on-upgrade", "published", "",
				"Fix with the next upgrade: no known exploitation, not automatable, partial impact, internal.", nil},
		},
		{
			"first seen after publication",
			Facts{Exploitation: "poc", Automatable: "no", TechnicalImpact: "total", Published: "2020-01-01", FirstSeen: "2026-03-01T10:00:00Z"},
			Business{Exposure: "internet", Criticality: "high"},
			want{"attend", "scheduled", "14-days", "first-seen", "2026-03-15",
				"Fix by 2026-03-15: exploit code is public, not automatable, total impact, internet-facing.", nil},
		},
		{
			"EPSS speaks",
			Facts{EPSS: 0.42, Exploitation: "none", Automatable: "yes", Vector: remotePartial, Published: "2026-03-01"},
			Business{Exposure: "isolated", Criticality: "high"},
			want{"attend", "scheduled", "60-days", "published", "2026-04-30",
				"Fix by 2026-04-30: exploitation likely (EPSS 42 %), automatable, partial impact by its CVSS vector, isolated.", nil},
		},
		{
			"attacked, but not in the catalogue",
			Facts{Exploitation: "active", Automatable: "no", TechnicalImpact: "total", Published: "2026-03-01"},
			Business{Exposure: "internet", Criticality: "medium"},
			want{"attend", "out-of-cycle", "3-days-and-forensics", "published", "2026-03-04",
				"Act by 2026-03-04 and look for signs of a compromise: exploited in the wild, not automatable, total impact, internet-facing.", nil},
		},
		{
			"one point published, one assumed",
			Facts{Exploitation: "none", Automatable: "no", Published: "2026-03-01"},
			Business{Exposure: "internet", Criticality: "medium"},
			want{"track", "scheduled", "14-days", "published", "2026-03-15",
				"Fix by 2026-03-15: no known exploitation, not automatable, total impact assumed, internet-facing.", []string{"technical impact"}},
		},
		{
			"malicious package",
			Facts{Malicious: true, Published: "2026-03-01", FirstSeen: "2026-03-02"},
			Business{Exposure: "internal", Criticality: "low"},
			want{"attend", "out-of-cycle", "at-once", "first-seen", "2026-03-02",
				"Remove at once: the package is malicious, so whatever installed or ran it may be compromised.", nil},
		},
		{
			"values that no source publishes",
			Facts{KEV: &KEV{Added: "soon"}, Exploitation: "maybe", Automatable: "YES", TechnicalImpact: "some", Vector: "nonsense", Published: "yesterday"},
			Business{Exposure: "moon", Criticality: "extreme", DataClass: "green"},
			want{"act", "out-of-cycle", "3-days-and-forensics", "", "",
				"Fix within 3 days and look for signs of a compromise: exploited in the wild (in KEV), automatable and technical impact unknown, exposure unknown and taken as internet-facing.",
				[]string{"automatable", "technical impact", "exposure", "criticality"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := m.Assess(tc.facts, tc.business)
			if err != nil {
				t.Fatal(err)
			}
			got := want{a.Coordinator, a.Deployer, a.Deadline, a.StartFrom, a.Due, a.Reason, a.Unknown}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPoints(t *testing.T) {
	for _, tc := range []struct {
		name     string
		facts    Facts
		business Business
		want     Points
	}{
		{"version 2", Facts{Vector: "AV:N/AC:L/Au:N/C:C/I:C/A:C/E:POC/RL:OF/RC:C"}, Business{Exposure: "isolated", Criticality: "critical"},
			Points{Value{"poc", FromCVSS}, Value{"yes", FromCVSS}, Value{"total", FromCVSS}, Value{"small", Stated}, Value{"high", Stated}, Value{"very-high", Stated}}},
		{"version 2, mild", Facts{Vector: "AV:N/AC:M/Au:N/C:P/I:P/A:P"}, Business{Criticality: "low", DataClass: "Personal"},
			Points{Value{"none", Assumed}, Value{"no", FromCVSS}, Value{"partial", FromCVSS}, Value{"open", Assumed}, Value{"high", Stated}, Value{"high", Stated}}},
		{"version 4", Facts{Vector: "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:N/E:A"}, Business{Exposure: "internet", DataClass: "top secret"},
			Points{Value{"active", FromCVSS}, Value{"yes", FromCVSS}, Value{"total", FromCVSS}, Value{"open", Stated}, Value{"high", Stated}, Value{"high", Stated}}},
		{"version 4, attack requirements", Facts{Vector: "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:N/SC:H/SI:H/SA:N"}, Business{Exposure: "internal", Criticality: "high"},
			Points{Value{"none", Assumed}, Value{"no", FromCVSS}, Value{"partial", FromCVSS}, Value{"controlled", Stated}, Value{"high", Stated}, Value{"high", Stated}}},
		{"version 4 says automatable itself", Facts{Vector: "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:H/VA:N/SC:H/SI:H/SA:N/AU:Y"}, Business{Criticality: "low", DataClass: "confidential"},
			Points{Value{"none", Assumed}, Value{"yes", FromCVSS}, Value{"total", FromCVSS}, Value{"open", Assumed}, Value{"medium", Stated}, Value{"medium", Stated}}},
		{"EPSS below the threshold", Facts{EPSS: 0.099}, Business{DataClass: "public"},
			Points{Value{"none", Assumed}, Value{"yes", Assumed}, Value{"total", Assumed}, Value{"open", Assumed}, Value{"medium", Assumed}, Value{"medium", Assumed}}},
		{"a published point beats a vector, not an attack", Facts{Exploitation: "poc", Automatable: "no", TechnicalImpact: "partial", Vector: remoteTotal + "/E:F", EPSS: 0.9}, Business{},
			Points{Value{"poc", Vulnrichment}, Value{"no", Vulnrichment}, Value{"partial", Vulnrichment}, Value{"open", Assumed}, Value{"medium", Assumed}, Value{"medium", Assumed}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, points(tc.facts, tc.business)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whatever it is told, it comes to a decision and a sentence.
func FuzzAssess(f *testing.F) {
	f.Add(true, "2026-01-01", 0.5, "poc", "yes", "total", remoteTotal, "2026-01-01", "2026-01-02", "internet", "high", "pii")
	f.Add(false, "", 0.0, "", "", "", "", "", "", "", "", "")
	m := model(f)
	f.Fuzz(func(t *testing.T, kev bool, added string, epss float64, exploitation, automatable, impact, vector, published, seen, exposure, criticality, class string) {
		facts := Facts{EPSS: epss, Exploitation: exploitation, Automatable: automatable, TechnicalImpact: impact, Vector: vector, Published: published, FirstSeen: seen}
		if kev {
			facts.KEV = &KEV{Added: added}
		}
		a, err := m.Assess(facts, Business{Exposure: exposure, Criticality: criticality, DataClass: class})
		if err != nil {
			t.Fatal(err)
		}
		if a.Coordinator == "" || a.Deployer == "" || a.Deadline == "" || a.Reason == "" || (a.Due != "") != (a.Start != "" && a.Days >= 0) {
			t.Fatalf("%+v", a)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAssess(b *testing.B) {
	m := model(b)
	facts := Facts{KEV: &KEV{Added: "2026-08-07"}, EPSS: 0.3, Vector: remoteTotal, Published: "2026-07-01"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Assess(facts, Business{Exposure: "internet", Criticality: "high"}); err != nil {
			b.Fatal(err)
		}
	}
}
