package secret

import (
	"cmp"
	"slices"
	"strings"

	"bulwark/internal/scanner/secret/assign"
	"bulwark/internal/scanner/secret/keyword"
	"bulwark/internal/scanner/secret/rule"
)

// memory is what an examination leaves behind for those of contents that are
// like its own: the keywords and the candidates, before any is chosen for
// another.
//
// A content that keeps parts of its base has the same keywords in them, and the
// same candidates so far as all that was looked at to judge one lies in one
// part: both are moved. What is left to look at is what lies near the seams of
// these parts: rules whose windows reach it, and encoded runs. A candidate that
// is kept in part, because the change reached what it was judged by, makes what
// is kept of it fresh, so that it is looked for anew.
//
// Where the base had another path, so much is the same only if both paths tell the
// rules the same.
type memory struct {
	path string
	pathJudgement
	size  int
	hits  []keyword.Hit
	found []candidate // in the order of their needs
	reach []int       // by candidate: the greatest end of its needs and those before
}

// Bounds of what is remembered of one content. One that has more is of no help
// to others.
const (
	maxHits       = 1 << 16
	maxCandidates = 1 << 12
)

// inherited says what to look at. Its space is reused.
type inherited struct {
	room  freshness
	words words
}

// remember returns what others can inherit; nil: nothing.
func (x *examination) remember() *memory {
	if x.e.pinned || len(x.hits) > maxHits || len(x.found) > maxCandidates || x.gap != "" {
		return nil
	}
	m := &memory{path: x.c.Path, pathJudgement: x.pathJudgement, size: len(x.c.Content), hits: slices.Clone(x.hits)}
	for _, c := range x.found {
		if !c.pathOnly {
			m.found = append(m.found, c)
		}
	}
	if len(m.found) == 0 {
		return m
	}
	slices.SortFunc(m.found, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(a.needs.lo, b.needs.lo), cmp.Compare(a.secret.lo, b.secret.lo), cmp.Compare(a.secret.hi, b.secret.hi),
			strings.Compare(a.rule.ID, b.rule.ID), a.compare(&b), cmp.Compare(a.needs.hi, b.needs.hi),
		)
	})
	m.found = slices.CompactFunc(m.found, func(a, b candidate) bool {
		return a.rule == b.rule && a.secret == b.secret && a.compare(&b) == 0 && a.needs == b.needs
	})
	far := 0
	for _, c := range m.found {
		far = max(far, c.needs.hi)
		m.reach = append(m.reach, far)
	}
	return m
}

// inherit takes from the base what is the same, and finds out what is fresh.
func (x *examination) inherit() {
	m, _ := x.c.Base.(*memory)
	if m == nil || !x.sameRules(m) {
		return
	}
	x.base = m
	size := len(x.text)
	fresh := append(x.room[:0], span{})[:0]
	at := span{0, 0} // where something kept ended, here and in the base
	for _, k := range x.c.Kept {
		if k.From > at.lo || k.Base != at.hi {
			fresh = append(fresh, span{max(0, at.lo-1), min(size, k.From+1)})
		}
		at = span{k.To, k.Base + k.To - k.From}
	}
	if at.lo < size || at.hi < m.size {
		fresh = append(fresh, span{max(0, at.lo-1), size})
	}
	gaps := len(fresh)
	for i := 0; len(m.found) > 0 && i < len(x.c.Kept); i++ {
		k := x.c.Kept[i]
		by, end := k.From-k.Base, k.Base+k.To-k.From
		n, _ := slices.BinarySearch(m.reach, k.Base+1)
		for ; n < len(m.found) && m.found[n].needs.lo < end; n++ {
			c := m.found[n]
			begins := c.needs.lo >= k.Base || k.Base == 0 && k.From == 0
			ends := c.needs.hi <= end || end == m.size && k.To == size
			if begins && ends {
				c.match, c.secret, c.needs = c.match.moved(by), c.secret.moved(by), c.needs.moved(by)
				if len(c.rule.Required) > 0 {
					x.touch(x.e.index[c.rule.ID])
				}
				x.found = append(x.found, c)
				continue
			}
			if lo, hi := max(c.match.lo, k.Base), min(c.match.hi, end); lo < hi {
				fresh = append(fresh, span{lo + by, hi + by})
			}
		}
	}
	if len(fresh) > gaps {
		slices.SortFunc(fresh, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	}
	// Apart from one another: near looks at one alone.
	n := 0
	for _, f := range fresh {
		if n > 0 && f.lo <= fresh[n-1].hi {
			fresh[n-1].hi = max(fresh[n-1].hi, f.hi)
			continue
		}
		fresh[n] = f
		n++
	}
	x.room, x.fresh = fresh, fresh[:n]
}

// sameRules reports whether the path of the base tells the rules what x's own does.
func (x *examination) sameRules(m *memory) bool {
	if m.path == x.c.Path {
		return true
	}
	if x.e.placed || m.pathJudgement != x.pathJudgement || assign.SyntaxOf(m.path) != x.syntax {
		return false
	}
	return !slices.ContainsFunc(x.e.set.Rules, func(r *rule.Rule) bool {
		return r.Path != nil && r.Path.Match(m.path) != r.Path.Match(x.c.Path)
	})
}

func (w span) moved(by int) span { return span{w.lo + by, w.hi + by} }
