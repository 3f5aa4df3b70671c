package secret

import (
	"bytes"

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
// come in the order of their ends. A window that nothing fresh affects is left
// out: it is the same in the base.
func (x *examination) widen(i int32, reach rule.Reach, at int) {
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
		if !x.affected(w.lo, w.hi) {
			return
		}
		for _, n := range reach.Needs {
			if !bytes.Contains(x.text[w.lo:w.hi], []byte(n)) {
				return
			}
		}
		if h := reach.Head; h != nil {
			// A match that holds this keyword begins here.
			lo, hi := max(0, at-reach.Before-slack), min(len(x.text), at+h.Length+slack)
			if !h.Expr.Re().Match(x.text[lo:hi]) {
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
