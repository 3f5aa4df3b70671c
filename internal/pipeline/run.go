package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/policy"
	"bulwark/internal/sbom/vex"
	"bulwark/internal/source"
	"bulwark/internal/ssvc"
	"bulwark/internal/triage"
)

// Request is one run: look, triage, decide.
type Request struct {
	Source source.Source
	// Bases: Optional: what was there before, the cheapest first; the last one
	// has all of it. A finding that one of them has is not new. The second is
	// asked only about what the first leaves new.
	Bases []source.Source
	// Whole: Optional: everything that there is after the change that Source
	// is, for scanners whose findings need more than the changed files.
	Whole   source.Source
	Options Options
	Triage  Triage
	// Business is what the project says of the asset, for due dates.
	Business ssvc.Business
	Policy   *policy.Engine
	Context  policy.Context
	Mode     string // "full", "change", "staged", "history"
	Stage    string // "commit", "build", …
	Tool     outcome.Tool
	// Settings are recorded in the run: what configured it, no secrets.
	Settings map[string]string
	// Notices: Optional: what is to be said beside what the run finds out.
	Notices []outcome.Notice
	// Examine: Optional: looks closer at merged findings before the decision,
	// such as asking providers.
	Examine func(ctx context.Context, findings []finding.Finding) ([]outcome.Notice, error)
}

// Triage is what has been accepted.
type Triage struct {
	Waivers  []triage.Waiver
	Baseline *triage.Baseline
	Options  triage.Options
	VEX      *vex.Index // Optional: statements about vulnerabilities
}

// DirectiveError says that inline directives cannot be obeyed as written.
type DirectiveError struct{ Problems []triage.Problem }

func (e *DirectiveError) Error() string {
	const most = 20
	var b strings.Builder
	for i, p := range e.Problems {
		if i == most {
			fmt.Fprintf(&b, "\n… and %d more", len(e.Problems)-most)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Error())
	}
	return b.String()
}

// Run looks, triages and decides. The errors are those that leave no verdict:
// the source cannot be walked, a directive is malformed (DirectiveError), the
// policy cannot be evaluated (policy.Error). When ctx is done, the run says so
// in Incomplete and its verdict is not allow.
func Run(ctx context.Context, q Request) (*outcome.Run, error) {
	started := time.Now()
	o := q.Options
	o.Whole = q.Whole
	looked, err := Look(ctx, q.Source, o)
	if err != nil {
		return nil, err
	}
	run := &outcome.Run{
		Schema: outcome.SchemaID, Tool: q.Tool, Asset: q.Source.Asset(), Stage: q.Stage, Mode: q.Mode,
		Settings: q.Settings, Started: q.Context.Now.UTC(), Incomplete: looked.Incomplete,
		Scanners: looked.Scanners, Skips: looked.Skips,
		Notices: append(slices.Clone(q.Notices), looked.Notices...),
	}
	run.Findings = finding.Merge(looked.Findings)
	if run.Incomplete == "" {
		if err := compare(ctx, q, run); err != nil {
			return nil, err
		}
		leaveOut(run, looked.Changed)
	}

	opts := q.Triage.Options
	opts.Full = q.Mode == "full" && run.Incomplete == "" && !failed(run.Skips)
	var notices []outcome.Notice
	var problems []triage.Problem
	run.Findings, notices, problems = triage.Apply(run.Findings, looked.Directives, q.Triage.Waivers, q.Triage.Baseline, q.Context.Now, opts)
	if len(problems) > 0 {
		return nil, &DirectiveError{problems}
	}
	run.Notices = append(run.Notices, notices...)
	run.Notices = append(run.Notices, triage.ApplyVEX(run.Findings, q.Triage.VEX, q.Context.Now)...)
	if err := triage.Prioritise(run.Findings, q.Business); err != nil {
		return nil, err
	}

	if q.Examine != nil && run.Incomplete == "" {
		notices, err := q.Examine(ctx, run.Findings)
		if err != nil {
			return nil, err
		}
		run.Notices = append(run.Notices, notices...)
		slices.SortStableFunc(run.Findings, finding.Finding.Compare)
	}
	run.Rules = describe(q, run.Findings)

	// The decision is made even of a cancelled run: it must not be an allow.
	out, err := q.Policy.Decide(context.WithoutCancel(ctx), policy.BuildInput(run, q.Context))
	if err != nil {
		return nil, err
	}
	if err := policy.Apply(run, out); err != nil {
		return nil, err
	}
	if run.Incomplete != "" && run.Verdict < outcome.Unknown {
		run.Verdict = outcome.Unknown
	}
	run.DurationMS = time.Since(started).Milliseconds()
	return run, nil
}

// leaveOut drops what a change leaves as it was, from the accounts as well.
func leaveOut(run *outcome.Run, changed map[string]map[string]bool) {
	if changed == nil {
		return
	}
	run.Findings = slices.DeleteFunc(run.Findings, func(f finding.Finding) bool { return untouched(&f, changed[f.Scanner]) })
	for i := range run.Scanners {
		s := &run.Scanners[i]
		if changed[s.Name] == nil {
			continue
		}
		s.Findings = 0
		for j := range run.Findings {
			if run.Findings[j].Scanner == s.Name {
				s.Findings++
			}
		}
	}
}

// untouched reports whether a finding was there before in files that the change
// leaves alone: it is nothing to tell the change's author. changed is nil for
// scanners that looked at the change only.
func untouched(f *finding.Finding, changed map[string]bool) bool {
	return changed != nil && f.Status == finding.Existing &&
		!slices.ContainsFunc(f.Locations, func(l finding.Location) bool { return changed[l.Path] })
}

func failed(skips []outcome.Skip) bool {
	return slices.ContainsFunc(skips, func(s outcome.Skip) bool { return s.Failed })
}

// compare marks as existing what the bases have. A base that cannot be wholly
// looked at can only leave findings new that are not.
func compare(ctx context.Context, q Request, run *outcome.Run) error {
	var had []finding.Finding
	for i, base := range q.Bases {
		isNew := func(f finding.Finding) bool { return f.Status == finding.New }
		if !slices.ContainsFunc(run.Findings, isNew) {
			break
		}
		o := q.Options
		o.Progress = nil
		if i < len(q.Bases)-1 {
			o.Whole = q.Bases[len(q.Bases)-1]
		}
		before, err := Look(ctx, base, o)
		if err != nil {
			return fmt.Errorf("looking at what was there before the change: %w", err)
		}
		if before.Incomplete != "" {
			run.Incomplete = before.Incomplete
		}
		if failed(before.Skips) {
			run.Notices = append(run.Notices, outcome.Notice{Kind: "base-incomplete",
				Message: "some of what was there before the change cannot be read; findings in it may be shown as new"})
		}
		had = append(had, before.Findings...)
		run.Findings = triage.Compare(run.Findings, had)
		triage.NewlyReachable(run.Findings, had)
	}
	slices.SortStableFunc(run.Findings, finding.Finding.Compare)
	return nil
}

// describe returns the rules that the findings name, ordered by id.
func describe(q Request, findings []finding.Finding) []finding.Rule {
	named := map[string]bool{}
	for i := range findings {
		named[findings[i].RuleID] = true
	}
	rules := []finding.Rule{}
	if len(named) == 0 {
		return rules
	}
	for _, s := range q.Options.Scanners {
		for _, r := range s.Rules() {
			if named[r.ID] {
				rules = append(rules, r)
			}
		}
	}
	slices.SortFunc(rules, func(a, b finding.Rule) int { return cmp.Compare(a.ID, b.ID) })
	return rules
}
