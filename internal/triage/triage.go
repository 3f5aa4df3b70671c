// Package triage tells which findings are known and which were accepted: by the
// base of a change, a baseline, a waiver or an inline directive. It compares
// identities and dates; it does not decide what blocks (package policy does),
// looks at no content but for directives, reads no file and no clock.
package triage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// soon is how many days before its end a waiver is announced.
const soon = 14

// InlineMode says whether inline directives count.
type InlineMode string

// The modes. The zero value is InlineAllow.
const (
	InlineAllow        InlineMode = "allow"
	InlineRequireOwner InlineMode = "require-owner" // only those with an owner
	InlineForbid       InlineMode = "forbid"        // none; each is a problem
)

// Options say how Apply treats what was accepted.
type Options struct {
	Stage  string     // "commit", "build", …; empty: any
	Inline InlineMode // zero: InlineAllow
	// MaxDays is how many days ahead a directive may end. 0: 365.
	MaxDays int
	// KnownRule reports whether a rule exists; nil: every rule does.
	KnownRule func(id string) bool
	// Full is true when everything was looked at by every scanner. Only then
	// can it be said that a waiver, a directive or a baseline entry is unused.
	Full bool
	// KeyID is identity.KeyID of the run's key; empty: do not compare.
	KeyID string
}

// FileKey is the key under which Apply looks for the directives of a place: its
// path and, for content of a history, the commit.
func FileKey(path string, commit *finding.Commit) string {
	if commit == nil {
		return path
	}
	return path + "\x00" + commit.ID
}

// Compare returns the findings with Status set: Existing where the base had a
// finding of the same fingerprint, in whatever file and by whatever rule, New
// otherwise. The inputs are not changed.
func Compare(findings, base []finding.Finding) []finding.Finding {
	had := make(map[string]struct{}, len(base))
	for i := range base {
		had[base[i].Fingerprint] = struct{}{}
	}
	out := slices.Clone(findings)
	for i := range out {
		out[i].Status = finding.New
		if _, ok := had[out[i].Fingerprint]; ok {
			out[i].Status = finding.Existing
		}
	}
	return out
}

// Apply marks what was accepted. In the findings that it returns each place that
// a directive or waiver covers has a Suppression (a directive, being nearer, is
// preferred; of several waivers the one that holds longest), and findings that
// the baseline lists are Existing. A nil baseline is an empty one. The inputs
// are not changed; the same inputs give the same results in the same order.
//
// Directives are keyed by FileKey. Those of historical content are obeyed, but
// their faults are not problems: nobody can correct a commit.
func Apply(
	findings []finding.Finding, directives map[string]FileDirectives, waivers []Waiver, baseline *Baseline,
	now time.Time, opts Options,
) ([]finding.Finding, []outcome.Notice, []Problem) {
	if opts.MaxDays == 0 {
		opts.MaxDays = 365
	}
	if opts.Inline == "" {
		opts.Inline = InlineAllow
	}
	out := slices.Clone(findings)
	for i := range out {
		out[i].Locations = slices.Clone(out[i].Locations)
	}
	var notices []outcome.Notice
	var problems []Problem

	n, p := applyBaseline(out, baseline, opts)
	notices, problems = append(notices, n...), append(problems, p...)
	n, p = applyDirectives(out, directives, now, opts)
	notices, problems = append(notices, n...), append(problems, p...)
	notices = append(notices, applyWaivers(out, waivers, now, opts)...)

	slices.SortStableFunc(notices, func(a, b outcome.Notice) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Message, b.Message))
	})
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out, notices, problems
}

func applyBaseline(out []finding.Finding, baseline *Baseline, opts Options) ([]outcome.Notice, []Problem) {
	if baseline == nil || len(baseline.Findings) == 0 {
		return nil, nil
	}
	if opts.KeyID != "" && baseline.KeyID != "" && opts.KeyID != baseline.KeyID {
		return nil, []Problem{{Message: fmt.Sprintf(
			"the baseline was written with another identity key (%s, this run has %s): hand over the same key, or write the baseline anew",
			cut(baseline.KeyID), opts.KeyID)}}
	}
	counts := make(map[string]int, len(baseline.Findings))
	for _, e := range baseline.Findings {
		counts[e.Fingerprint] = e.Count
	}
	met := make(map[string]struct{}, len(counts))
	var notices []outcome.Notice
	for i := range out {
		f := &out[i]
		count, ok := counts[f.Fingerprint]
		if !ok {
			continue
		}
		met[f.Fingerprint] = struct{}{}
		f.Status = finding.Existing
		if count > 0 && len(f.Locations) > count && opts.Full {
			notices = append(notices, outcome.Notice{Kind: "baseline-grown",
				Message: fmt.Sprintf("%s is now found in %d places; the baseline has %d", f.RuleID, len(f.Locations), count),
				Path:    f.Locations[0].Path, Line: f.Locations[0].StartLine})
		}
	}
	if stale := len(counts) - len(met); opts.Full && stale > 0 {
		notices = append(notices, outcome.Notice{Kind: "baseline-stale",
			Message: fmt.Sprintf("%s of the baseline no longer found: write the baseline anew to keep them from coming back", entries(stale))})
	}
	return notices, nil
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// applyDirectives checks every directive and suppresses the places it covers.
func applyDirectives(
	out []finding.Finding, directives map[string]FileDirectives, now time.Time, opts Options,
) ([]outcome.Notice, []Problem) {
	if len(directives) == 0 {
		return nil, nil
	}
	var notices []outcome.Notice
	var problems []Problem
	type place struct {
		key  string
		line int
	}
	type held struct {
		d    *Directive
		rule string
		used bool
	}
	at := make(map[place][]*held)
	var all []*held
	paths := make(map[*held]string)
	for key, fd := range directives {
		path, _, historical := strings.Cut(key, "\x00")
		problem := func(line, column int, format string, args ...any) {
			if !historical {
				problems = append(problems, Problem{Path: path, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
			}
		}
		for _, p := range fd.Problems {
			problem(p.Line, p.Column, "%s", p.Message)
		}
		for i := range fd.Directives {
			d := &fd.Directives[i]
			switch left := d.Until.daysLeft(now); {
			case opts.Inline == InlineForbid:
				problem(d.Line, d.Column, "inline directives are forbidden in this project (triage.inline): use the waiver file")
				continue
			case opts.Inline == InlineRequireOwner && d.Owner == "":
				problem(d.Line, d.Column, "the directive has no owner, which this project requires (triage.inline): add owner=…")
				continue
			case left > opts.MaxDays:
				problem(d.Line, d.Column, "the directive ends in %d days, more than the %d allowed (triage.max_waiver_days)", left, opts.MaxDays)
				continue
			}
			for _, rule := range d.Rules {
				if opts.KnownRule != nil && !opts.KnownRule(rule) {
					problem(d.Line, d.Column, "unknown rule %q: bulwark rules list prints the ids", cut(rule))
					continue
				}
				h := &held{d: d, rule: rule}
				at[place{key, d.Line}] = append(at[place{key, d.Line}], h)
				if d.Below > 0 {
					at[place{key, d.Below}] = append(at[place{key, d.Below}], h)
				}
				if !historical {
					all, paths[h] = append(all, h), path
				}
			}
		}
	}
	for i := range out {
		f := &out[i]
		for j := range f.Locations {
			l := &f.Locations[j]
			for _, h := range at[place{FileKey(l.Path, l.Commit), l.StartLine}] {
				if h.rule != f.RuleID {
					continue
				}
				h.used = true
				if h.d.Until.passed(now) || l.Suppression != nil && l.Suppression.Until >= h.d.Until.String() {
					continue
				}
				l.Suppression = &finding.Suppression{Kind: "inline", Owner: h.d.Owner, Reason: h.d.Reason, Until: h.d.Until.String()}
			}
		}
	}
	for _, h := range all {
		expired := h.d.Until.passed(now)
		var n outcome.Notice
		switch left := h.d.Until.daysLeft(now); {
		case expired && h.used:
			n = outcome.Notice{Kind: "directive-expired", Message: fmt.Sprintf("the directive for %s%s ended on %s: its finding counts again", h.rule, ownedBy(h.d.Owner), h.d.Until)}
		case !h.used && opts.Full:
			n = outcome.Notice{Kind: "directive-unused", Message: fmt.Sprintf("the directive for %s%s covers nothing: remove it", h.rule, ownedBy(h.d.Owner))}
		case h.used && left <= soon:
			n = outcome.Notice{Kind: "directive-expiring", Message: fmt.Sprintf("the directive for %s%s ends in %s, on %s", h.rule, ownedBy(h.d.Owner), days(left), h.d.Until)}
		default:
			continue
		}
		n.Path, n.Line = paths[h], h.d.Line
		notices = append(notices, n)
	}
	return notices, problems
}

func ownedBy(owner string) string {
	if owner == "" {
		return ""
	}
	return " (owner " + owner + ")"
}

func days(n int) string {
	switch n {
	case 0:
		return "less than a day"
	case 1:
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// applyWaivers suppresses the places that waivers cover and that no directive
// does. The waivers are indexed by fingerprint and by rule, and their paths are
// compared once for each path.
func applyWaivers(out []finding.Finding, waivers []Waiver, now time.Time, opts Options) []outcome.Notice {
	if len(waivers) == 0 {
		return nil
	}
	byPrint, byRule := map[string][]int{}, map[string][]int{}
	var patterned []int
	for i := range waivers {
		switch w := &waivers[i]; {
		case !w.appliesAt(opts.Stage):
		case w.Fingerprint != "":
			byPrint[w.Fingerprint] = append(byPrint[w.Fingerprint], i)
		case strings.Contains(w.Rule, "*"):
			patterned = append(patterned, i)
		default:
			byRule[w.Rule] = append(byRule[w.Rule], i)
		}
	}
	covered := make([]int, len(waivers))  // places that each waiver covers
	returned := make([]int, len(waivers)) // of those, places that count again
	candidates := map[string][]int{}      // waivers without fingerprint, by rule
	onPath := map[string]map[string][]int{}
	for i := range out {
		f := &out[i]
		wide, ok := candidates[f.RuleID]
		if !ok {
			wide = slices.Clone(byRule[f.RuleID])
			for _, w := range patterned {
				if waivers[w].coversRule(f.RuleID) {
					wide = append(wide, w)
				}
			}
			candidates[f.RuleID] = wide
			onPath[f.RuleID] = map[string][]int{}
		}
		exact := byPrint[f.Fingerprint]
		for j := range f.Locations {
			l := &f.Locations[j]
			here, ok := onPath[f.RuleID][l.Path]
			var names []string
			if !ok && len(wide) > 0 || len(exact) > 0 {
				names = strings.Split(l.Path, "/")
			}
			if !ok && len(wide) > 0 {
				for _, w := range wide {
					if waivers[w].coversPath(l.Path, names) {
						here = append(here, w)
					}
				}
				onPath[f.RuleID][l.Path] = here
			}
			best := -1
			var over []int // waivers that covered this place until they ended
			consider := func(w int) {
				covered[w]++
				if waivers[w].Expires.passed(now) {
					over = append(over, w)
				}
				if !waivers[w].Expires.passed(now) && (best < 0 || waivers[w].Expires.After(waivers[best].Expires.Time)) {
					best = w
				}
			}
			for _, w := range exact {
				if waivers[w].coversRule(f.RuleID) && waivers[w].coversPath(l.Path, names) {
					consider(w)
				}
			}
			for _, w := range here {
				consider(w)
			}
			// A place that a directive accepts stays with it; the waivers that
			// cover it are in use all the same.
			if best >= 0 && l.Suppression == nil {
				w := &waivers[best]
				l.Suppression = &finding.Suppression{Kind: "waiver", ID: w.ID, Owner: w.Owner, Reason: w.Reason, Until: w.Expires.String()}
			}
			if l.Suppression == nil {
				for _, w := range over {
					returned[w]++
				}
			}
		}
	}
	var notices []outcome.Notice
	for i := range waivers {
		w := &waivers[i]
		n := outcome.Notice{Path: w.Path, Line: w.Line}
		switch left := w.Expires.daysLeft(now); {
		case w.Expires.passed(now) && covered[i] > 0:
			n.Kind = "waiver-expired"
			n.Message = fmt.Sprintf("waiver %s (owner %s) ended on %s: ", w.ID, w.Owner, w.Expires)
			if returned[i] > 0 {
				n.Message += "what it covered counts again"
			} else {
				n.Message += "something else covers the same; remove it"
			}
		case !w.appliesAt(opts.Stage):
			continue
		case covered[i] == 0 && opts.Full:
			n.Kind = "waiver-unused"
			n.Message = fmt.Sprintf("waiver %s (owner %s, until %s) covers nothing: remove it", w.ID, w.Owner, w.Expires)
		case w.Expires.passed(now):
			continue
		case left <= soon:
			n.Kind = "waiver-expiring"
			n.Message = fmt.Sprintf("waiver %s (owner %s) ends in %s, on %s", w.ID, w.Owner, days(left), w.Expires)
		default:
			continue
		}
		notices = append(notices, n)
	}
	return notices
}
