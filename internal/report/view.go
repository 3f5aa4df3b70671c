package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// entry is a finding with what was decided about it.
type entry struct {
	*finding.Finding
	rule     *finding.Rule     // never nil
	decision *outcome.Decision // nil when suppressed or undecided
	verdict  outcome.Verdict   // Allow when suppressed, Unknown when undecided
	places   []finding.Location
	accepted []finding.Location // places with a suppression
}

// suppressed reports whether every place of the finding was accepted.
func (e *entry) suppressed() bool { return len(e.places) == 0 && len(e.accepted) > 0 }

// first is the place that a report with room for one place names.
func (e *entry) first() finding.Location {
	switch {
	case len(e.places) > 0:
		return e.places[0]
	case len(e.accepted) > 0:
		return e.accepted[0]
	}
	return finding.Location{}
}

// what says in a phrase what was found.
func (e *entry) what() string {
	return cmp.Or(e.Message, e.rule.Title, e.RuleID, "finding without a description")
}

// decided says what was decided about the finding, by which policy and why.
func (e *entry) decided() string {
	switch {
	case e.decision != nil:
		return decisionLine(e.decision)
	case e.suppressed():
		return "none: every place was accepted"
	}
	return "none: no policy decided on this finding"
}

// view is a run, indexed and ordered as the reports need it.
type view struct {
	*outcome.Run
	blocked, unknown, warned, allowed, suppressed []*entry
	decisions                                     []outcome.Decision // on the run as a whole
}

// newView orders the findings: what blocks first, then what is unknown, warned
// of, allowed and suppressed, each the gravest first.
func newView(run *outcome.Run) *view {
	type key struct{ rule, fingerprint string }
	v := &view{Run: run}
	decisions := make(map[key]*outcome.Decision, len(run.Decisions))
	for i := range run.Decisions {
		d := &run.Decisions[i]
		if d.Fingerprint == "" {
			v.decisions = append(v.decisions, *d)
			continue
		}
		k := key{d.RuleID, d.Fingerprint}
		if have, ok := decisions[k]; !ok || d.Verdict > have.Verdict {
			decisions[k] = d
		}
	}
	rules := make(map[string]*finding.Rule, len(run.Rules))
	for i := range run.Rules {
		rules[run.Rules[i].ID] = &run.Rules[i]
	}
	for i := range run.Findings {
		f := &run.Findings[i]
		e := &entry{Finding: f, rule: rules[f.RuleID], decision: decisions[key{f.RuleID, f.Fingerprint}]}
		if e.rule == nil {
			e.rule = &finding.Rule{ID: f.RuleID, Title: f.RuleID, Scanner: f.Scanner, Severity: f.Severity}
		}
		for _, l := range f.Locations {
			if l.Suppression != nil {
				e.accepted = append(e.accepted, l)
			} else {
				e.places = append(e.places, l)
			}
		}
		switch {
		case e.suppressed():
			v.suppressed = append(v.suppressed, e)
			continue
		case e.decision == nil:
			e.verdict = outcome.Unknown
		default:
			e.verdict = e.decision.Verdict
		}
		switch e.verdict {
		case outcome.Block:
			v.blocked = append(v.blocked, e)
		case outcome.Warn:
			v.warned = append(v.warned, e)
		case outcome.Allow:
			v.allowed = append(v.allowed, e)
		default:
			v.unknown = append(v.unknown, e)
		}
	}
	for _, list := range [][]*entry{v.blocked, v.unknown, v.warned, v.allowed, v.suppressed} {
		slices.SortStableFunc(list, func(a, b *entry) int { return a.Finding.Compare(*b.Finding) })
	}
	slices.SortStableFunc(v.decisions, func(a, b outcome.Decision) int {
		return cmp.Or(-cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(a.Policy, b.Policy))
	})
	return v
}

// entries returns all findings, gravest verdict first, the suppressed last.
func (v *view) entries() []*entry {
	return slices.Concat(v.blocked, v.unknown, v.warned, v.allowed, v.suppressed)
}

// files is the number of files that the widest scanner examined.
func (v *view) files() int {
	n := 0
	for _, s := range v.Scanners {
		n = max(n, s.Files)
	}
	return n
}

// verdictWord is the first word of the summary.
func (v *view) verdictWord() string {
	switch v.Verdict {
	case outcome.Block:
		return "blocked"
	case outcome.Unknown:
		return "unknown"
	case outcome.Warn:
		return "allowed with warnings"
	default:
		return "allowed"
	}
}

// tally says how many findings there are of which sort:
// "2 new findings (1 critical, 1 high), 5 warnings".
func (v *view) tally() string {
	var parts []string
	if n := len(v.blocked); n > 0 {
		fresh := 0
		for _, e := range v.blocked {
			if e.Status == finding.New {
				fresh++
			}
		}
		kind := ""
		switch fresh {
		case n:
			kind = "new "
		case 0:
			kind = "existing "
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", count(n, kind+"finding"), severities(v.blocked)))
	}
	if n := len(v.unknown); n > 0 {
		parts = append(parts, thousands(n)+" undecided")
	}
	if n := len(v.warned); n > 0 {
		parts = append(parts, count(n, "warning"))
	}
	if n := len(v.allowed); n > 0 {
		parts = append(parts, thousands(n)+" allowed")
	}
	if len(parts) == 0 {
		parts = append(parts, "no findings")
	}
	if n := len(v.suppressed); n > 0 {
		parts = append(parts, thousands(n)+" accepted")
	}
	return strings.Join(parts, ", ")
}

// summary is the run in one line, without a newline:
// "blocked: 2 new findings (1 critical, 1 high), 5 warnings · 28,113 files in 1.4 s".
func (v *view) summary() string { return v.verdictWord() + ": " + v.detail() }

// detail is the summary behind the verdict.
func (v *view) detail() string {
	s := v.tally()
	if v.Incomplete != "" {
		s += " · incomplete: " + visible(clip(v.Incomplete, 200))
	}
	return fmt.Sprintf("%s · %s in %s", s, count(v.files(), "file"), duration(v.DurationMS))
}

// severities counts entries by severity: "1 critical, 2 high".
func severities(list []*entry) string {
	n := map[finding.Severity]int{}
	for _, e := range list {
		n[e.Severity]++
	}
	var parts []string
	for s := finding.Critical; ; s-- {
		if n[s] > 0 {
			parts = append(parts, thousands(n[s])+" "+s.String())
		}
		if s == finding.Info {
			return strings.Join(parts, ", ")
		}
	}
}

// skipGroup is what was left out for one reason.
type skipGroup struct {
	Reason string
	Failed bool
	Skips  []outcome.Skip
}

// skipGroups groups what was not looked at by reason: what failed first, then
// the most frequent.
func (v *view) skipGroups() []skipGroup {
	type key struct {
		reason string
		failed bool
	}
	index := map[key]int{}
	var groups []skipGroup
	for _, s := range v.Skips {
		k := key{s.Reason, s.Failed}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, skipGroup{Reason: s.Reason, Failed: s.Failed})
		}
		groups[i].Skips = append(groups[i].Skips, s)
	}
	for _, g := range groups {
		slices.SortStableFunc(g.Skips, func(a, b outcome.Skip) int { return cmp.Compare(a.Path, b.Path) })
	}
	slices.SortStableFunc(groups, func(a, b skipGroup) int {
		if a.Failed != b.Failed {
			if a.Failed {
				return -1
			}
			return 1
		}
		return cmp.Or(-cmp.Compare(len(a.Skips), len(b.Skips)), cmp.Compare(a.Reason, b.Reason))
	})
	return groups
}

// scannerLine is one scanner's account: "28,113 files examined (27,900 from the
// cache), 41 skipped, 7 findings".
func (v *view) scannerLine(s outcome.Scanner) string {
	if s.Status == outcome.NotRun && s.Files == 0 {
		return "did not look: " + visible(clip(cmp.Or(s.Reason, "no reason given"), 300))
	}
	line := count(s.Files, "file") + " examined"
	if s.Cached > 0 {
		line += fmt.Sprintf(" (%s from the cache)", thousands(s.Cached))
	}
	if s.Skipped > 0 {
		line += fmt.Sprintf(", %s skipped", thousands(s.Skipped))
		if why := v.skipReasons(4); why != "" && len(v.Scanners) == 1 {
			line += " (" + why + ")"
		}
	}
	line += ", " + count(s.Findings, "finding")
	if s.Reason != "" {
		line += ": " + visible(clip(s.Reason, 300))
	}
	return line
}

// skipReasons counts what was not looked at: "submodule ×30, LFS pointer ×11".
func (v *view) skipReasons(limit int) string {
	var parts []string
	groups := v.skipGroups()
	for i, g := range groups {
		if i == limit {
			parts = append(parts, fmt.Sprintf("%s more", count(len(groups)-limit, "reason")))
			break
		}
		parts = append(parts, fmt.Sprintf("%s ×%s", visible(clip(g.Reason, 80)), thousands(len(g.Skips))))
	}
	return strings.Join(parts, ", ")
}

// count spells n things: "1 file", "2,000 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// thousands writes n with a comma every three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// duration writes milliseconds as a person says them: "12 ms", "1.4 s", "3 min 20 s".
func duration(ms int64) string {
	d := time.Duration(max(ms, 0)) * time.Millisecond
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 99950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	s := int64(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}

// position writes where l starts: "path:line:column".
func position(l finding.Location) string {
	p := visible(clipPath(l.Path))
	if p == "" {
		p = "(no path)"
	}
	if l.StartLine > 0 {
		p += ":" + strconv.Itoa(l.StartLine)
		if l.StartColumn > 0 {
			p += ":" + strconv.Itoa(l.StartColumn)
		}
	}
	return p
}

// shortCommit names the commit of a place in one phrase:
// "3f2a1bc0, 2024-03-01, Ann <ann@example.com>: subject".
func shortCommit(c *finding.Commit) string {
	s := visible(clip(c.ID, 12))
	if len(c.ID) > 12 {
		s = visible(c.ID[:12])
	}
	if c.Date != "" {
		day, _, _ := strings.Cut(c.Date, "T")
		s += ", " + visible(clip(day, 32))
	}
	if c.Author != "" {
		s += ", " + visible(clip(c.Author, 80))
	}
	if c.Subject != "" {
		s += ": " + visible(clip(c.Subject, 100))
	}
	return s
}

// acceptance says why a place does not count: "waiver W-12 by team-a until
// 2027-01-31: reason".
func acceptance(s *finding.Suppression) string {
	t := visible(clip(s.Kind, 40))
	if s.ID != "" {
		t += " " + visible(clip(s.ID, 80))
	}
	if s.Owner != "" {
		t += " by " + visible(clip(s.Owner, 80))
	}
	if s.Until != "" {
		t += " until " + visible(clip(s.Until, 40))
	}
	if s.Reason != "" {
		t += ": " + visible(clip(s.Reason, 300))
	}
	return t
}
