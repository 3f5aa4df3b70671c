package secret

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"bulwark/internal/scanner/secret/keyword"
)

// How far from what changed, in bytes, what did not change may be judged
// differently: by its surroundings; by the rest of its line; by what is
// assigned to a name.
const (
	freshMargin = 256
	lineReach   = 1 << 10
	assignReach = 1<<10 + freshMargin
)

// freshness tells, ascending, what has to be looked at; nil: everything.
type freshness []span

// near reports whether something in [lo,hi) is fresh.
func (f freshness) near(lo, hi int) bool {
	if f == nil {
		return true
	}
	i := f.behind(lo)
	return i < len(f) && f[i].lo < hi
}

// behind returns the first range that does not end before at.
func (f freshness) behind(at int) int {
	i, _ := slices.BinarySearchFunc(f, at, func(r span, at int) int { return cmp.Compare(r.hi, at+1) })
	return i
}

// affected reports whether what is found in [lo,hi) of the text may be different
// from what was found in the base.
func (x *examination) affected(lo, hi int) bool {
	f := x.fresh
	switch {
	case x.layer != nil || f.near(lo-freshMargin, hi+freshMargin):
		return true
	case !f.near(lo-lineReach, hi+lineReach):
		return false
	}
	// The rest of the line counts.
	i := f.behind(lo)
	return i > 0 && lo-f[i-1].hi < lineReach && bytes.IndexByte(x.text[f[i-1].hi:lo], '\n') < 0 ||
		i < len(f) && f[i].lo-hi < lineReach && bytes.IndexByte(x.text[hi:f[i].lo], '\n') < 0
}

// farthest returns how far from a keyword of the rules, in bytes, a change may
// affect what they find.
func (e *engine) farthest(rules []int32) int {
	far := 0
	for _, i := range rules {
		r := e.set.Rules[i]
		reach := r.Reach()
		switch {
		case r.AssignedTo != nil:
			far = max(far, assignReach+lineReach)
		case !reach.Anchored || reach.Length < 0:
			return math.MaxInt
		default:
			far = max(far, reach.Length+slack+lineReach)
		}
	}
	return far
}

// nearer tells how far hits, asked about in their order, are from what is fresh.
type nearer struct {
	fresh freshness
	next  int
}

func (n *nearer) distance(h keyword.Hit) int {
	if n.fresh == nil {
		return 0
	}
	for n.next < len(n.fresh) && n.fresh[n.next].hi <= int(h.Start) {
		n.next++
	}
	d := math.MaxInt
	if n.next > 0 {
		d = max(0, int(h.Start)-n.fresh[n.next-1].hi)
	}
	if n.next < len(n.fresh) {
		d = min(d, max(0, n.fresh[n.next].lo-int(h.End)))
	}
	return d
}

// words is how hits are found in what is fresh. It is reused.
type words struct {
	layer   []keyword.Hit // in decoded text
	scanned []keyword.Hit
	pieces  []byte // what is fresh, with its surroundings
	from    []patch
	parts   []span
}

// patch is a part of the content among the pieces: it is in [lo,hi) there, and begins
// by bytes farther in the content.
type patch struct{ lo, hi, by int }

// scanWords returns the keywords in the text.
func (x *examination) scanWords() []keyword.Hit {
	switch {
	case x.layer != nil:
		x.words.layer = x.e.words.Scan(x.text, x.words.layer[:0])
		return x.words.layer
	case x.fresh == nil:
		x.hits = x.e.words.Scan(x.text, x.hits[:0])
		return x.hits
	}
	// Those that lie wholly in something kept are the base's, moved. All others
	// touch something else: between what is kept, or a seam.
	x.inheritHits()
	w := &x.words
	w.pieces, w.from = w.pieces[:0], w.from[:0]
	side := x.e.words.Longest() - 1
	at := 0
	for i := 0; i <= len(x.c.Kept); i++ {
		lo, hi := at, len(x.text)
		if i < len(x.c.Kept) {
			hi = x.c.Kept[i].From
			at = x.c.Kept[i].To
		}
		if lo == hi && (lo == 0 || lo == len(x.text)) {
			continue // nothing is before, or behind
		}
		lo, hi = max(0, lo-side), min(len(x.text), hi+side)
		if n := len(w.from); n > 0 && w.from[n-1].hi+w.from[n-1].by >= lo {
			lo = w.from[n-1].hi + w.from[n-1].by
			if hi > lo {
				w.pieces = append(w.pieces, x.text[lo:hi]...)
				w.from[n-1].hi = len(w.pieces)
			}
			continue
		}
		n := len(w.pieces)
		w.pieces = append(w.pieces, x.text[lo:hi]...)
		w.from = append(w.from, patch{n, len(w.pieces), lo - n})
	}
	w.scanned = x.e.words.Scan(w.pieces, w.scanned[:0])
	x.joinHits()
	return x.hits
}

// inheritHits moves the base's hits in what is kept into x.hits.
func (x *examination) inheritHits() {
	x.hits = x.hits[:0]
	base := x.base.hits
	for _, k := range x.c.Kept {
		by, end := int32(k.From-k.Base), int32(k.Base+k.To-k.From)
		i, _ := slices.BinarySearchFunc(base, int32(k.Base), func(h keyword.Hit, at int32) int { return cmp.Compare(h.End, at+1) })
		for ; i < len(base) && base[i].End <= end; i++ {
			if h := base[i]; h.Start >= int32(k.Base) {
				x.hits = append(x.hits, keyword.Hit{Start: h.Start + by, End: h.End + by, Word: h.Word})
			}
		}
	}
}

// joinHits merges the scanned hits that are not inherited into x.hits, in the
// order of their ends.
func (x *examination) joinHits() {
	w := &x.words
	kept, from := 0, 0
	n := 0
	for _, h := range w.scanned {
		for int(h.End) > w.from[from].hi {
			from++
		}
		if int(h.Start) < w.from[from].lo {
			continue // half of it is in the piece before
		}
		by := int32(w.from[from].by)
		h.Start, h.End = h.Start+by, h.End+by
		for kept < len(x.c.Kept) && x.c.Kept[kept].To < int(h.End) {
			kept++
		}
		if kept < len(x.c.Kept) && x.c.Kept[kept].From <= int(h.Start) {
			continue
		}
		w.scanned[n] = h
		n++
	}
	// From the back, so that no other space is needed.
	old := len(x.hits)
	x.hits = append(x.hits, w.scanned[:n]...)
	to := len(x.hits) - 1
	for i, j := old-1, n-1; j >= 0; to-- {
		if i >= 0 && x.hits[i].End > w.scanned[j].End {
			x.hits[to] = x.hits[i]
			i--
		} else {
			x.hits[to] = w.scanned[j]
			j--
		}
	}
}
