package secret

import (
	"bytes"
	"cmp"
	"slices"

	"bulwark/internal/scanner"
	"bulwark/internal/scanner/secret/keyword"
	"bulwark/internal/scanner/secret/rule"
)

// slack widens windows so that assertions at their ends see their neighbours.
const slack = 8

// run is the state of the last window of a rule whose matches have no greatest
// length: of the bytes from the hit at up to hi, firm are not among those that
// the expression repeats without bound.
type run struct{ at, hi, firm int }

// keywordSlack covers that hits come in the order of their ends: one that
// begins a little before the last is seen after it.
const keywordSlack = 256

// widen adds the window around a hit to those of rule i: the smallest part of
// the text outside of which no match that holds this keyword can reach. Hits
// come in the order of their ends. A window far from everything fresh is left
// out: it is the same in the other content.
func (x *examination) widen(i int32, reach rule.Reach, at int, fresh freshness) {
	w := span{0, len(x.text)}
	s := x.spans[i]
	switch {
	case x.everywhere || !reach.Anchored || (x.whole && reach.Folds):
	case reach.Length >= 0:
		before := reach.Length
		if reach.Before >= 0 {
			before = min(before, reach.Before)
		}
		w.lo = max(0, at-before-slack)
		w.hi = min(len(x.text), at+reach.Length+slack)
		if !fresh.near(w.lo-freshMargin, w.hi+freshMargin) {
			return
		}
		for _, n := range reach.Needs {
			if !bytes.Contains(x.text[w.lo:w.hi], []byte(n)) {
				return
			}
		}
	default:
		w = x.stretch(i, reach, at)
	}
	if n := len(s); n > 0 && s[n-1].hi >= w.lo {
		s[n-1].hi = max(s[n-1].hi, w.hi)
		s[n-1].lo = min(s[n-1].lo, w.lo)
		return
	}
	x.spans[i] = append(s, w)
}

// How far from a fresh range, in bytes, what is the same may still be judged
// differently: by the line that it stands in, or by the name that it is
// assigned to; and how far from it a keyword is looked for. A credential that
// begins further before what changed in it is one that was changed in its
// middle.
const (
	freshMargin = 256
	assignReach = 1024
	wordsNear   = 2 << 10
)

// freshness tells what has to be looked at; nil: everything.
type freshness []scanner.Range

// freshness is that of the text that is being looked at. What was decoded is
// decoded because it is fresh.
func (x *examination) freshness() freshness {
	if x.layer != nil {
		return nil
	}
	return x.c.Fresh
}

// near reports whether something in [lo,hi) is fresh.
func (f freshness) near(lo, hi int) bool {
	if f == nil {
		return true
	}
	i, _ := slices.BinarySearchFunc(f, lo, func(r scanner.Range, lo int) int { return cmp.Compare(r.To, lo+1) })
	return i < len(f) && f[i].From < hi
}

// scanWords finds the keywords in the text, or in what of it is near something
// fresh.
func (x *examination) scanWords(fresh freshness, hits []keyword.Hit) []keyword.Hit {
	if fresh == nil {
		return x.e.words.Scan(x.text, hits)
	}
	for i := 0; i < len(fresh); {
		lo, hi := max(0, fresh[i].From-wordsNear), fresh[i].To+wordsNear
		for i++; i < len(fresh) && fresh[i].From-wordsNear <= hi; i++ {
			hi = fresh[i].To + wordsNear
		}
		from := len(hits)
		hits = x.e.words.Scan(x.text[lo:min(hi, len(x.text))], hits)
		for j := range hits[from:] {
			hits[from+j].Start += int32(lo)
			hits[from+j].End += int32(lo)
		}
	}
	return hits
}

// stretch returns the window around a hit of a rule whose matches have no
// greatest length: it ends where more bytes than the expression can match
// firmly are not among those that it repeats. The work of all hits together is
// linear in the text.
func (x *examination) stretch(i int32, reach rule.Reach, at int) span {
	s, r := x.spans[i], &x.runs[i]
	floor := 0
	if n := len(s); n > 0 {
		floor = s[n-1].hi
	}
	w := span{lo: at}
	if len(s) > 0 && at < r.hi {
		// Inside the last window: what was passed since no longer counts.
		for ; r.at < at; r.at++ {
			if !reach.Stretch[x.text[r.at]] {
				r.firm--
			}
		}
		w.lo = s[len(s)-1].lo
	} else {
		*r = run{at: at, hi: at}
		for firm := 0; w.lo > floor && (reach.Before < 0 || at-w.lo < reach.Before); w.lo-- {
			if !reach.Stretch[x.text[w.lo-1]] {
				if firm++; firm > reach.Firm {
					break
				}
			}
		}
		w.lo = max(0, w.lo-keywordSlack)
	}
	for ; r.hi < len(x.text); r.hi++ {
		if !reach.Stretch[x.text[r.hi]] {
			if r.firm == reach.Firm {
				break
			}
			r.firm++
		}
	}
	w.hi = min(len(x.text), r.hi+slack)
	return w
}
