package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/asset"
	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// exampleRun has an open finding, an existing one and a suppressed one.
func exampleRun() *outcome.Run {
	waiver := &finding.Suppression{Kind: "waiver", ID: "W-1", Owner: "team", Reason: "fixture", Until: "2027-01-31"}
	return &outcome.Run{
		Schema: outcome.SchemaID,
		Asset:  asset.Asset{Kind: asset.Repository, Name: "shop", Revision: "abc", Branch: "main", Base: "def"},
		Stage:  "commit",
		Mode:   "change",
		Scanners: []outcome.Scanner{
			{Name: "secret", Status: outcome.Complete, Files: 7, Skipped: 2, Findings: 3},
		},
		Rules: []finding.Rule{{ID: "github-pat", Tags: []string{"vcs"}, CWE: []string{"CWE-798"}, Controls: []string{"nist-800-53:IA-5(7)"}}},
		Findings: []finding.Finding{
			{
				RuleID: "github-pat", Fingerprint: "secret/1:aa", Scanner: "secret",
				Severity: finding.Critical, Confidence: finding.Certain, Status: finding.New,
				Message: "GitHub personal access token", Masked: "ghp_…",
				Properties: map[string]string{"verified": "live"},
				Locations: []finding.Location{
					{Path: "a\xff.py", StartLine: 3, Notes: []string{"inside a test folder"}, Commit: &finding.Commit{ID: "c1", Date: "2026-01-01T00:00:00Z"}},
					{Path: "b.py", StartLine: 4, Suppression: waiver},
				},
			},
			{
				RuleID: "no-such-rule", Fingerprint: "secret/1:bb", Scanner: "secret",
				Severity: finding.Low, Confidence: finding.Firm, Status: finding.Existing,
				Locations: []finding.Location{{Path: "c.py", StartLine: 1}},
			},
			{
				RuleID: "github-pat", Fingerprint: "secret/1:cc", Scanner: "secret",
				Severity: finding.Critical, Confidence: finding.Certain, Status: finding.New,
				Locations: []finding.Location{{Path: "d.py", StartLine: 1, Suppression: waiver}},
			},
		},
		Skips: []outcome.Skip{
			{Path: "x", Reason: "too large"},
			{Path: "y", Reason: "submodule"},
			{Path: "z", Reason: "too large", Failed: true},
		},
	}
}

func TestBuildInput(t *testing.T) {
	in := BuildInput(exampleRun(), Context{Now: someDay, Criticality: "high"})
	if err := in.validate(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Skips{{"submodule", 1, 0}, {"too large", 2, 1}}, in.Skips); diff != "" {
		t.Errorf("skips (-want +got):\n%s", diff)
	}
	want := Finding{
		RuleID: "github-pat", Scanner: "secret", Fingerprint: "secret/1:aa",
		Severity: "critical", SeverityRank: 4, Confidence: "certain", ConfidenceRank: 2, Status: "new",
		Message: "GitHub personal access token", Masked: "ghp_…",
		Tags: []string{"vcs"}, CWE: []string{"CWE-798"}, Controls: []string{"nist-800-53:IA-5(7)"},
		Properties: map[string]string{"verified": "live"},
		Locations: []Location{
			{Path: "a\xff.py", StartLine: 3, Commit: "c1", CommitDate: "2026-01-01T00:00:00Z", Notes: []string{"inside a test folder"}},
			{Path: "b.py", StartLine: 4, Notes: []string{}, Suppressed: true,
				Suppression: Suppression{Kind: "waiver", ID: "W-1", Owner: "team", Reason: "fixture", Until: "2027-01-31"}},
		},
	}
	if diff := cmp.Diff(want, in.Findings[0]); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
	if !in.Findings[2].Suppressed || in.Findings[0].Suppressed {
		t.Errorf("suppressed: got %v and %v, want false and true", in.Findings[0].Suppressed, in.Findings[2].Suppressed)
	}
	if in.Asset.Criticality != "high" || in.Asset.Base != "def" {
		t.Errorf("asset %+v lacks what was given", in.Asset)
	}
}

func TestApply(t *testing.T) {
	run := exampleRun()
	out, err := mustLoad(t, Options{}).Decide(t.Context(), BuildInput(run, Context{Now: someDay}))
	if err != nil {
		t.Fatal(err)
	}
	if err := Apply(run, out); err != nil {
		t.Fatal(err)
	}
	// The unread file counts although no scanner mentions it.
	want := []string{"block", "unknown bulwark.gate/content-unread", "block bulwark.gate/new-severe secret/1:aa", "warn bulwark.gate/existing secret/1:bb"}
	if diff := cmp.Diff(want, brief(out)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	if run.Verdict != outcome.Block || len(run.Decisions) != 3 {
		t.Errorf("run has verdict %v and %d decisions", run.Verdict, len(run.Decisions))
	}
	if run.Decision(&run.Findings[2]) != nil {
		t.Error("the suppressed finding has a decision")
	}
}

func TestApplyTrustsNothing(t *testing.T) {
	good := []Decision{
		{RuleID: "github-pat", Fingerprint: "secret/1:aa", Verdict: outcome.Warn, Policy: "p", Reason: "r"},
		{RuleID: "no-such-rule", Fingerprint: "secret/1:bb", Verdict: outcome.Warn, Policy: "p", Reason: "r"},
	}
	tests := []struct {
		name string
		out  Output
		want string
	}{
		{"zero", Output{}, "schema"},
		{"undecided", Output{Schema: OutputID, Verdict: outcome.Warn, Decisions: good[:1]}, "no policy decided on finding secret/1:bb"},
		{"unknown finding", Output{Schema: OutputID, Verdict: outcome.Warn,
			Decisions: append(good[:2:2], Decision{RuleID: "x", Fingerprint: "y", Verdict: outcome.Allow})}, "not in this run"},
		{"lesser verdict", Output{Schema: OutputID, Verdict: outcome.Allow, Decisions: good}, "greatest"},
		{"odd verdict", Output{Schema: OutputID, Verdict: 9, Decisions: append(good[:2:2], Decision{Verdict: 9})}, "does not exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run := exampleRun()
			err := Apply(run, tt.out)
			if !IsKind(err, Evaluation) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			if run.Verdict != outcome.Unknown || run.Decisions != nil {
				t.Errorf("run has verdict %v and %d decisions after an error", run.Verdict, len(run.Decisions))
			}
		})
	}
}
