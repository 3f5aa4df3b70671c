package cvss

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/advisory"
)

// The examples are those of FIRST.org: CVSS 2.0 complete guide, section 3.3
// (https://www.first.org/cvss/v2/guide); CVSS 3.0 and 3.1 examples
// (https://www.first.org/cvss/v3-1/examples); CVSS 4.0 examples
// (https://www.first.org/cvss/v4-0/examples).
func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, vector string
		want         advisory.Severity
	}{
		{"v2 CVE-2002-0392", "AV:N/AC:L/Au:N/C:N/I:N/A:C",
			advisory.Severity{System: V20, Vector: "AV:N/AC:L/Au:N/C:N/I:N/A:C", Score: 7.8, Label: High}},
		{"v2 CVE-2003-0818", "AV:N/AC:L/Au:N/C:C/I:C/A:C",
			advisory.Severity{System: V20, Vector: "AV:N/AC:L/Au:N/C:C/I:C/A:C", Score: 10, Label: High}},
		{"v2 CVE-2003-0062, in parentheses", "(AV:L/AC:H/Au:N/C:C/I:C/A:C)",
			advisory.Severity{System: V20, Vector: "AV:L/AC:H/Au:N/C:C/I:C/A:C", Score: 6.2, Label: Medium}},
		{"v2 with prefix and space", " CVSS:2.0/AV:N/AC:M/Au:N/C:N/I:P/A:N\n",
			advisory.Severity{System: V20, Vector: "AV:N/AC:M/Au:N/C:N/I:P/A:N", Score: 4.3, Label: Medium}},
		{"v2 with temporal metrics", "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C",
			advisory.Severity{System: V20, Vector: "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C", Score: 7.8, Label: High}},
		{"v3.0 CVE-2013-1937", "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N",
			advisory.Severity{System: V30, Vector: "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", Score: 6.1, Label: Medium}},
		{"v3.1 CVE-2013-0375", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N",
			advisory.Severity{System: V31, Vector: "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", Score: 6.4, Label: Medium}},
		{"v3.1 CVE-2014-3566", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N",
			advisory.Severity{System: V31, Vector: "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", Score: 3.1, Label: Low}},
		{"v3.1 CVE-2012-1516", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H",
			advisory.Severity{System: V31, Vector: "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", Score: 9.9, Label: Critical}},
		{"v3.1 CVE-2014-0160", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
			advisory.Severity{System: V31, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", Score: 7.5, Label: High}},
		{"v3.1 CVE-2014-6271", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
			advisory.Severity{System: V31, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Score: 9.8, Label: Critical}},
		{"v3.1 in another order", "CVSS:3.1/S:U/C:H/I:H/A:H/AV:N/AC:L/PR:N/UI:N",
			advisory.Severity{System: V31, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Score: 9.8, Label: Critical}},
		{"v3.1 with temporal metrics", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U",
			advisory.Severity{System: V31, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U", Score: 9.8, Label: Critical}},
		{"v3.1 no impact", "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N",
			advisory.Severity{System: V31, Vector: "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", Score: 0, Label: None}},
		{"v4.0 CVE-2022-41741", "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
			advisory.Severity{System: V40, Vector: "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Score: 7.3, Label: High}},
		{"v4.0 CVE-2020-3549", "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
			advisory.Severity{System: V40, Vector: "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Score: 7.7, Label: High}},
		{"v4.0 CVE-2014-0160 with a threat metric", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N/E:U",
			advisory.Severity{System: V40, Vector: "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N/E:U", Score: 8.7, Label: High}},
		{"v4.0 CVE-2021-44228", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
			advisory.Severity{System: V40, Vector: "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", Score: 10, Label: Critical}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse(tc.vector)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, vector string
		offset       int
		reason       string
	}{
		{"empty", "  ", 2, "is empty"},
		{"empty parentheses", "()", 1, "is empty"},
		{"no prefix", "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 0, "no prefix"},
		{"unknown version", "CVSS:5.0/AV:N", 0, "version is not"},
		{"unknown metric", "CVSS:3.1/AV:N/AC:L/XX:N", 19, "no such metric"},
		{"unknown value", "CVSS:3.1/AV:Q/AC:L", 9, "no such value"},
		{"twice", "CVSS:3.1/AV:N/AV:N", 14, "twice"},
		{"missing base metric", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", 40, "metric A of the base group is missing"},
		{"trailing slash", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/", 45, "not a metric"},
		{"trailing junk", "AV:N/AC:L/Au:N/C:C/I:C/A:C see NVD", 23, "no such value"},
		{"only one parenthesis", "(AV:N/AC:L/Au:N/C:C/I:C/A:C", 0, "no such metric"},
		{"lower case", "CVSS:3.1/av:n", 9, "no such metric"},
		{"long", "CVSS:3.1/" + strings.Repeat("AV:N/", 200), maxVector, "more than 512 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse(tc.vector)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, %v, want an *Error", got, err)
			}
			if e.Offset != tc.offset || !strings.Contains(e.Reason, tc.reason) {
				t.Errorf("got offset %d, %q; want %d, %q", e.Offset, e.Reason, tc.offset, tc.reason)
			}
		})
	}
}

func TestRate(t *testing.T) {
	for _, tc := range []struct {
		system string
		score  float64
		want   string
	}{
		{V31, 0, None}, {V31, 0.1, Low}, {V31, 3.9, Low}, {V31, 4, Medium}, {V31, 6.9, Medium},
		{V31, 7, High}, {V31, 8.9, High}, {V31, 9, Critical}, {V40, 10, Critical},
		{V20, 0, None}, {V20, 3.9, Low}, {V20, 6.9, Medium}, {V20, 7, High}, {V20, 10, High},
	} {
		if got := Rate(tc.system, tc.score); got != tc.want {
			t.Errorf("Rate(%s, %v) = %s, want %s", tc.system, tc.score, got, tc.want)
		}
	}
}

func TestParseLabel(t *testing.T) {
	for word, want := range map[string]string{
		"MODERATE": Medium, "High": High, " critical ": Critical, "Important": High, "low": Low, "unimportant": None,
	} {
		got, err := ParseLabel(word)
		if err != nil || got.Label != want || got.System != Label {
			t.Errorf("%q: got %+v, %v", word, got, err)
		}
	}
	if _, err := ParseLabel("spicy"); err == nil {
		t.Error("an unknown word is no error")
	}
}

func TestWorst(t *testing.T) {
	ghsa := advisory.Severity{System: V31, Score: 5, Source: "GHSA-xxxx", Label: Medium}
	for _, tc := range []struct {
		name  string
		other advisory.Severity
		want  bool // ghsa stays
	}{
		{"CVE is worse", advisory.Severity{System: V31, Score: 9.8, Source: "CVE-2024-1"}, true},
		{"CVE is newer", advisory.Severity{System: V40, Score: 9.8, Source: "CVE-2024-1"}, true},
		{"label only", advisory.Severity{System: Label, Label: Critical, Source: "GHSA-yyyy"}, true},
		{"newer of the same trust", advisory.Severity{System: V40, Score: 2, Source: "GHSA-yyyy"}, false},
		{"older of the same trust", advisory.Severity{System: V20, Score: 10, Source: "GHSA-yyyy"}, true},
		{"worse of the same system", advisory.Severity{System: V31, Score: 6, Source: "GHSA-yyyy"}, false},
		{"ecosystem", advisory.Severity{System: V40, Score: 9, Source: "PYSEC-2024-1"}, true},
		{"distribution", advisory.Severity{System: V40, Score: 9, Source: "DSA-1"}, true},
	} {
		for _, in := range [][]advisory.Severity{{ghsa, tc.other}, {tc.other, ghsa}} {
			got, ok := Worst(in)
			if !ok || (got == ghsa) != tc.want {
				t.Errorf("%s: got %+v", tc.name, got)
			}
		}
	}
	if _, ok := Worst(nil); ok {
		t.Error("nothing rates nothing")
	}
	if got, _ := Worst([]advisory.Severity{
		{System: V31, Score: 9, Source: "DSA-1"}, {System: V31, Score: 4, Source: "CVE-2024-1"},
	}); got.Source != "CVE-2024-1" {
		t.Errorf("the CVE record before a distribution: got %+v", got)
	}
}

func TestMetric(t *testing.T) {
	const v = "CVSS:3.1/AV:N/AC:L"
	if Metric(v, "AV") != "N" || Metric(v, "AC") != "L" || Metric(v, "A") != "" {
		t.Error("wrong metric")
	}
}

// A vector that is accepted has a score from 0 to 10, a label and a canonical
// form that reads as the same rating.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"AV:N/AC:L/Au:N/C:N/I:N/A:C", "(AV:L/AC:H/Au:N/C:C/I:C/A:C)", "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U/CR:H/MAV:P/MPR:H/MC:N",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:A/MSI:S/U:Red", "CVSS:4.0/", "//", ":",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, vector string) {
		got, err := Parse(vector)
		if err != nil {
			return
		}
		if got.Score < 0 || got.Score > 10 || got.Label == "" {
			t.Fatalf("%q: %+v", vector, got)
		}
		again, err := Parse(got.Vector)
		if err != nil || again != got {
			t.Fatalf("%q: %+v reads as %+v, %v", vector, got, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, v := range []string{
		"AV:N/AC:L/Au:N/C:N/I:N/A:C",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
	} {
		b.Run(v[:8], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
