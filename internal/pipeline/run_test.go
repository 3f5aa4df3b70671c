package pipeline

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/policy"
	"bulwark/internal/scanner"
	"bulwark/internal/source"
	"bulwark/internal/triage"
)

// request asks for a full run with the default policy.
func request(t *testing.T, src source.Source, list ...*fakeScanner) Request {
	t.Helper()
	e, err := policy.Load(t.Context(), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return Request{
		Source: src, Options: Options{Scanners: scanners(list...), Workers: 2}, Policy: e, Mode: "full", Stage: "commit",
		Context: policy.Context{Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)},
	}
}

func mustRun(t *testing.T, q Request) *outcome.Run {
	t.Helper()
	r, err := Run(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunVerdicts(t *testing.T) {
	low := finder("low", "x")
	low.grade = finding.Low
	broken := finder("broken", "x")
	broken.scan = func(context.Context, *scanner.Chunk) (scanner.Result, error) {
		return scanner.Result{}, errors.New("no memory left")
	}
	concludes := finder("concludes", "x")
	concludes.after = func(context.Context, []scanner.Fact) ([]finding.Finding, error) { panic("bug") }
	panics := finder("panics", "x")
	panics.scan = func(context.Context, *scanner.Chunk) (scanner.Result, error) { panic("bug") }
	clean := func() *fakeSource { return files(map[string]string{"a": "fine"}) }
	dirty := func() *fakeSource { return files(map[string]string{"a": "x"}) }
	unreadable := clean()
	unreadable.addReader(source.File{Path: "u", Size: 1}, func() (io.ReadCloser, error) { return nil, errors.New("denied") })
	skipped, damaged := clean(), clean()
	skipped.skips = []outcome.Skip{{Path: "link", Reason: "symlink"}}
	damaged.skips = []outcome.Skip{{Path: "x.zip", Reason: "damaged archive", Failed: true}}

	for _, tt := range []struct {
		name string
		src  source.Source
		list []*fakeScanner
		want outcome.Verdict
	}{
		{"clean", clean(), []*fakeScanner{finder("f", "x")}, outcome.Allow},
		{"low", dirty(), []*fakeScanner{low}, outcome.Warn},
		{"high", dirty(), []*fakeScanner{finder("f", "x")}, outcome.Block},
		{"failed scanner", clean(), []*fakeScanner{finder("f", "x"), broken}, outcome.Unknown},
		{"failed scanner, finding", dirty(), []*fakeScanner{finder("f", "x"), broken}, outcome.Block},
		{"failed conclusion", clean(), []*fakeScanner{concludes}, outcome.Unknown},
		{"panic", clean(), []*fakeScanner{finder("f", "x"), panics}, outcome.Unknown},
		{"unreadable file", unreadable, []*fakeScanner{finder("f", "x")}, outcome.Unknown},
		{"left out by design", skipped, []*fakeScanner{finder("f", "x")}, outcome.Allow},
		{"damaged", damaged, []*fakeScanner{finder("f", "x")}, outcome.Unknown},
		{"no scanner", clean(), nil, outcome.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := mustRun(t, request(t, tt.src, tt.list...)); r.Verdict != tt.want {
				t.Errorf("verdict %v, want %v: %+v", r.Verdict, tt.want, r.Decisions)
			}
		})
	}
}

func TestRunCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	q := request(t, &endlessSource{}, finder("f", "needle"))
	q.Examine = func(context.Context, []finding.Finding) ([]outcome.Notice, error) {
		t.Error("a look that did not finish was examined further")
		return nil, nil
	}
	r, err := Run(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != outcome.Unknown || r.Incomplete != "the time limit was reached" {
		t.Errorf("verdict %v, incomplete %q", r.Verdict, r.Incomplete)
	}
}

func TestRunCompares(t *testing.T) {
	f := finder("f", "x")
	q := request(t, files(map[string]string{"moved": "x"}), f)
	q.Mode = "change"
	unasked := &fakeSource{fail: errors.New("asked for nothing")}
	q.Bases = []source.Source{files(map[string]string{"before": "x"}), unasked}
	r := mustRun(t, q)
	if r.Verdict != outcome.Warn || len(r.Findings) != 1 || r.Findings[0].Status != finding.Existing || len(r.Notices) != 0 {
		t.Errorf("verdict %v, findings %+v, notices %+v", r.Verdict, r.Findings, r.Notices)
	}

	// A base that cannot be read can only leave things new.
	base := files(map[string]string{"before": "y"})
	base.skips = []outcome.Skip{{Path: "lost", Reason: "missing object", Failed: true}}
	q.Bases = []source.Source{base}
	r = mustRun(t, q)
	if r.Verdict != outcome.Block || len(r.Notices) != 1 || r.Notices[0].Kind != "base-incomplete" || len(r.Skips) != 0 {
		t.Errorf("verdict %v, notices %+v, skips %+v", r.Verdict, r.Notices, r.Skips)
	}
	lost := errors.New("no such tree")
	q.Bases = []source.Source{&fakeSource{fail: lost}}
	if _, err := Run(t.Context(), q); !errors.Is(err, lost) || !strings.Contains(err.Error(), "before the change") {
		t.Errorf("a base that cannot be walked: %v", err)
	}

	// Cancelled while it looks at the base.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	q.Bases = []source.Source{&endlessSource{}}
	if r, err := Run(ctx, q); err != nil || r.Incomplete == "" || r.Verdict != outcome.Block {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestRunDirectives(t *testing.T) {
	good := "x # " + triage.Marker + ` f-word reason="test data" until=2027-01-31`
	r := mustRun(t, request(t, files(map[string]string{"a": good}), finder("f", "x")))
	if r.Verdict != outcome.Allow || !r.Findings[0].Suppressed() {
		t.Errorf("verdict %v, findings %+v", r.Verdict, r.Findings)
	}
	bad := files(map[string]string{"a": good, "b": "\nx # " + triage.Marker + " f-word until=2027-01-31"})
	_, err := Run(t.Context(), request(t, bad, finder("f", "x")))
	var directive *DirectiveError
	if !errors.As(err, &directive) || len(directive.Problems) != 1 || !strings.HasPrefix(err.Error(), "b:2:5: ") {
		t.Errorf("a directive without a reason: %v", err)
	}
	many := &DirectiveError{Problems: make([]triage.Problem, 25)}
	if lines := strings.Split(many.Error(), "\n"); len(lines) != 21 || lines[20] != "… and 5 more" {
		t.Errorf("%d lines: %v", len(lines), many)
	}
}

func TestRunExamines(t *testing.T) {
	q := request(t, files(map[string]string{"a": "x x", "b": "x"}), finder("f", "x"))
	q.Examine = func(_ context.Context, found []finding.Finding) ([]outcome.Notice, error) {
		if len(found) != 1 || len(found[0].Locations) != 3 {
			t.Errorf("findings are not merged: %+v", found)
		}
		found[0].Severity = finding.Low
		return []outcome.Notice{{Kind: "verified"}}, nil
	}
	r := mustRun(t, q)
	if r.Verdict != outcome.Warn || len(r.Notices) != 1 || r.Rule("f-word") == nil {
		t.Errorf("verdict %v, notices %+v, rules %+v", r.Verdict, r.Notices, r.Rules)
	}
	lost := errors.New("no network")
	q.Examine = func(context.Context, []finding.Finding) ([]outcome.Notice, error) { return nil, lost }
	if _, err := Run(t.Context(), q); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
}
