package policy

import (
	"maps"
	"slices"
	"strings"
	"time"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// Context is what policies should know and a Run does not hold.
type Context struct {
	Now        time.Time // the time of the decision
	Parameters Parameters
	// Criticality, Exposure and DataClass of the asset, in the project's words.
	Criticality, Exposure, DataClass string
}

// BuildInput makes the document that policies judge from a run.
func BuildInput(run *outcome.Run, c Context) Input {
	in := Input{
		Schema: InputID,
		Now:    c.Now,
		Stage:  run.Stage,
		Mode:   run.Mode,
		Asset: Asset{
			Kind:        string(run.Asset.Kind),
			Name:        run.Asset.Name,
			Revision:    run.Asset.Revision,
			Branch:      run.Asset.Branch,
			Base:        run.Asset.Base,
			Criticality: c.Criticality,
			Exposure:    c.Exposure,
			DataClass:   c.DataClass,
		},
		Findings:   make([]Finding, 0, len(run.Findings)),
		Scanners:   make([]Scanner, 0, len(run.Scanners)),
		Skips:      countSkips(run.Skips),
		Incomplete: run.Incomplete,
		Parameters: c.Parameters,
	}
	rules := make(map[string]*finding.Rule, len(run.Rules))
	for i := range run.Rules {
		rules[run.Rules[i].ID] = &run.Rules[i]
	}
	for i := range run.Findings {
		in.Findings = append(in.Findings, describe(&run.Findings[i], rules[run.Findings[i].RuleID]))
	}
	for _, s := range run.Scanners {
		in.Scanners = append(in.Scanners, Scanner{
			Name:     s.Name,
			Status:   string(s.Status),
			Reason:   s.Reason,
			Files:    s.Files,
			Skipped:  s.Skipped,
			Findings: s.Findings,
		})
	}
	in.fill()
	return in
}

func describe(f *finding.Finding, rule *finding.Rule) Finding {
	d := Finding{
		RuleID:         f.RuleID,
		Scanner:        f.Scanner,
		Fingerprint:    f.Fingerprint,
		Severity:       f.Severity.String(),
		SeverityRank:   int(f.Severity),
		Confidence:     f.Confidence.String(),
		ConfidenceRank: int(f.Confidence),
		// Anything but a clear "existing" counts as new.
		Status:     string(finding.New),
		Message:    f.Message,
		Masked:     f.Masked,
		Properties: f.Properties,
		Locations:  make([]Location, len(f.Locations)),
		Suppressed: f.Suppressed(),
	}
	if f.Status == finding.Existing {
		d.Status = string(finding.Existing)
	}
	if rule != nil {
		d.Tags, d.CWE, d.Controls = rule.Tags, rule.CWE, rule.Controls
	}
	for i := range f.Locations {
		l := &f.Locations[i]
		d.Locations[i] = Location{Path: l.Path, StartLine: l.StartLine, Notes: l.Notes}
		if l.Commit != nil {
			d.Locations[i].Commit, d.Locations[i].CommitDate = l.Commit.ID, l.Commit.Date
		}
		if s := l.Suppression; s != nil {
			d.Locations[i].Suppressed = true
			d.Locations[i].Suppression = Suppression{Kind: s.Kind, ID: s.ID, Owner: s.Owner, Reason: s.Reason, Until: s.Until}
		}
	}
	return d
}

func countSkips(skips []outcome.Skip) []Skips {
	byReason := map[string]*Skips{}
	for _, s := range skips {
		c, ok := byReason[s.Reason]
		if !ok {
			c = &Skips{Reason: s.Reason}
			byReason[s.Reason] = c
		}
		c.Count++
		if s.Failed {
			c.Failed++
		}
	}
	out := make([]Skips, 0, len(byReason))
	for _, reason := range slices.SortedFunc(maps.Keys(byReason), strings.Compare) {
		out = append(out, *byReason[reason])
	}
	return out
}

// Apply writes out's decisions and verdict into run. It trusts nothing: an
// output that leaves a finding undecided, that names a finding which is not in
// the run, or whose verdict is not the greatest of its decisions is an error of
// kind Evaluation; run is then left with the verdict unknown.
func Apply(run *outcome.Run, out Output) error {
	run.Verdict, run.Decisions = outcome.Unknown, nil
	if out.Schema != OutputID {
		return evaluationf("the output has schema %q, want %q", out.Schema, OutputID)
	}
	open := make(map[[2]string]bool, len(run.Findings)) // value: not yet decided
	for i := range run.Findings {
		f := &run.Findings[i]
		open[[2]string{f.RuleID, f.Fingerprint}] = !f.Suppressed()
	}
	greatest := outcome.Allow
	for _, d := range out.Decisions {
		greatest = max(greatest, d.Verdict)
		if d.Verdict > outcome.Block {
			return evaluationf("policy %s gave a verdict that does not exist: %d", d.Policy, d.Verdict)
		}
		if d.Fingerprint == "" && d.RuleID == "" {
			continue
		}
		id := [2]string{d.RuleID, d.Fingerprint}
		if _, ok := open[id]; !ok {
			return evaluationf("policy %s decided on finding %s of rule %s, which is not in this run", d.Policy, d.Fingerprint, d.RuleID)
		}
		open[id] = false
	}
	for i := range run.Findings {
		if f := &run.Findings[i]; open[[2]string{f.RuleID, f.Fingerprint}] {
			return evaluationf("no policy decided on finding %s of rule %s", f.Fingerprint, f.RuleID)
		}
	}
	if out.Verdict != greatest {
		return evaluationf("the output's verdict is %s, but the greatest of its decisions is %s", out.Verdict, greatest)
	}
	run.Decisions = make([]outcome.Decision, len(out.Decisions))
	for i, d := range out.Decisions {
		run.Decisions[i] = outcome.Decision(d)
	}
	run.Verdict = greatest
	return nil
}
