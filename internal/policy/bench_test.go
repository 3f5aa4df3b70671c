package policy

import (
	"context"
	"fmt"
	"io"
	"testing"
)

// benchInput is a run with n findings of every severity and confidence.
func benchInput(n int) Input {
	in := Input{Schema: InputID, Now: someDay, Stage: "commit", Mode: "full",
		Scanners:   []Scanner{{Name: "secret", Status: "complete", Files: 10}},
		Parameters: Parameters{Rules: map[string]string{"rule-3": "warn", "rule-4": "critical"}}}
	for i := range n {
		in.Findings = append(in.Findings, Finding{
			RuleID: fmt.Sprintf("rule-%d", i%50), Scanner: "secret", Fingerprint: fmt.Sprintf("secret/1:%032x", i),
			Severity: severities[i%5], SeverityRank: i % 5, Confidence: confidences[i%3], ConfidenceRank: i % 3,
			Status: "new", Message: "GitHub personal access token, checksum valid", Masked: "ghp_…",
			Tags: []string{"vcs"}, CWE: []string{"CWE-798"},
			Locations: []Location{{Path: fmt.Sprintf("src/%d/config.py", i), StartLine: i + 1}},
		})
	}
	return in
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(context.Background(), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	e, err := Load(context.Background(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{0, 10, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := benchInput(n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Decide(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	e, err := Load(context.Background(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	in := benchInput(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Explain(context.Background(), in, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuildAndApply(b *testing.B) {
	e, err := Load(context.Background(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	run := exampleRun()
	b.ReportAllocs()
	for b.Loop() {
		out, err := e.Decide(context.Background(), BuildInput(run, Context{Now: someDay}))
		if err != nil {
			b.Fatal(err)
		}
		if err := Apply(run, out); err != nil {
			b.Fatal(err)
		}
	}
}
