package secret

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"bulwark/internal/scanner/secret/rule"
)

// neighbours bounds how many places of a part are tried for one composite
// match, on either side.
const neighbours = 32

// compose keeps the findings of composite rules that have all of their parts
// nearby, and drops those of parts that are not reported themselves.
func (x *examination) compose() {
	parts := map[string][]candidate{}
	composite := false
	for _, c := range x.found {
		composite = composite || len(c.rule.Required) > 0 || c.rule.SkipReport
		if x.e.parts[x.e.index[c.rule.ID]] {
			parts[c.rule.ID] = append(parts[c.rule.ID], c)
		}
	}
	if !composite {
		return
	}
	for _, list := range parts {
		slices.SortFunc(list, func(a, b candidate) int { return cmp.Compare(a.match.lo, b.match.lo) })
	}
	kept := make([]candidate, 0, len(x.found))
	for _, c := range x.found {
		if c.rule.SkipReport {
			continue
		}
		complete := true
		for _, q := range c.rule.Required {
			list := parts[q.RuleID]
			at, _ := slices.BinarySearchFunc(list, c.match.lo, func(p candidate, lo int) int { return cmp.Compare(p.match.lo, lo) })
			near := list[max(0, at-neighbours):min(len(list), at+neighbours)]
			i := slices.IndexFunc(near, func(p candidate) bool { return x.near(c, p, q) })
			if i < 0 {
				complete = false
				break
			}
			c.parts = append(c.parts, near[i])
		}
		if complete {
			kept = append(kept, c)
		}
	}
	x.found = append(x.found[:0], kept...)
}

func (x *examination) near(c, p candidate, q rule.Required) bool {
	if q.WithinLines != nil {
		lo, hi := min(c.match.lo, p.match.lo), max(c.match.lo, p.match.lo)
		if bytes.Count(x.c.Content[lo:hi], []byte{'\n'}) > *q.WithinLines {
			return false
		}
	}
	if q.WithinColumns != nil {
		d := x.column(c.match.lo) - x.column(p.match.lo)
		if max(d, -d) > *q.WithinColumns {
			return false
		}
	}
	return true
}

func (x *examination) column(at int) int {
	lo := max(0, at-lineBytes)
	return at - lo - bytes.LastIndexByte(x.c.Content[lo:at], '\n')
}

// resolve keeps one candidate of those that are about the same characters: the
// most specific. It leaves found ordered by place.
func (x *examination) resolve() {
	slices.SortStableFunc(x.found, func(a, b candidate) int {
		return cmp.Or(
			-cmp.Compare(a.priority(), b.priority()),
			-cmp.Compare(a.severity, b.severity),
			cmp.Compare(a.secret.lo, b.secret.lo),
			-cmp.Compare(a.secret.hi, b.secret.hi),
			strings.Compare(a.rule.ID, b.rule.ID),
			a.compare(&b),
		)
	})
	var kept []candidate
	var taken intervals
	type place struct {
		rule *rule.Rule
		at   span
	}
	seen := make(map[place]bool, len(x.found))
	for _, c := range x.found {
		if !c.pathOnly {
			id := place{c.rule, c.secret}
			if seen[id] || (taken.overlaps(c.secret) && !c.stands()) {
				continue
			}
			seen[id] = true
			taken.add(c.secret)
		}
		kept = append(kept, c)
	}
	slices.SortStableFunc(kept, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.match.lo, b.match.lo), cmp.Compare(a.match.hi, b.match.hi), strings.Compare(a.rule.ID, b.rule.ID))
	})
	x.found = append(x.found[:0], kept...)
}

// intervals is a set of disjoint ranges, ordered.
type intervals []span

func (s intervals) at(w span) int {
	i, _ := slices.BinarySearchFunc(s, w.lo, func(e span, lo int) int { return cmp.Compare(e.hi, lo+1) })
	return i
}

func (s intervals) overlaps(w span) bool {
	i := s.at(w)
	return i < len(s) && s[i].lo < w.hi
}

func (s *intervals) add(w span) {
	i := s.at(w)
	j := i
	for j < len(*s) && (*s)[j].lo < w.hi {
		w.lo, w.hi = min(w.lo, (*s)[j].lo), max(w.hi, (*s)[j].hi)
		j++
	}
	*s = slices.Replace(*s, i, j, w)
}
