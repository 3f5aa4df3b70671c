package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"bulwark/internal/finding"
)

// tabStop is how many columns apart tab stops are in a code frame.
const tabStop = 4

// span is one visible piece of an excerpt.
type span struct {
	text   string
	cols   int
	marked bool
}

// spans makes an excerpt visible piece by piece, tabs expanded, and says which
// pieces lie in the mark. A mark beyond the excerpt is cut to it.
func spans(l finding.Location) []span {
	from, to := marks(l)
	var out []span
	col := 0
	for i := 0; i < len(l.Excerpt); {
		r, n := utf8.DecodeRuneInString(l.Excerpt[i:])
		s := span{marked: i >= from && i < to}
		switch {
		case r == '\t':
			s.cols = tabStop - col%tabStop
			s.text = strings.Repeat(" ", s.cols)
		case r == utf8.RuneError && n == 1:
			s.text = fmt.Sprintf(`\x%02x`, l.Excerpt[i])
			s.cols = len(s.text)
		case hidden(r):
			s.text = escapeRune(r)
			s.cols = len(s.text)
		default:
			s.text, s.cols = string(r), columns(r)
		}
		col += s.cols
		out = append(out, s)
		i += n
	}
	return out
}

// marks returns the byte range that l marks in its excerpt, cut to the excerpt.
func marks(l finding.Location) (from, to int) {
	from = min(max(l.MarkStart, 0), len(l.Excerpt))
	to = min(max(l.MarkEnd, from), len(l.Excerpt))
	return from, to
}

// frame is an excerpt as three runs of visible text and the columns of its mark.
type frame struct {
	before, marked, after string
	markFrom, markCols    int
}

// newFrame fits the excerpt of l into limit columns: if it is wider, the part
// around the mark is shown, with an ellipsis where something was left out.
func newFrame(l finding.Location, limit int) frame {
	all := spans(l)
	total, first, last := 0, -1, -1
	for i, s := range all {
		total += s.cols
		if s.marked {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	lo, hi := 0, len(all)
	if total > limit {
		lo, hi = window(all, max(first, 0), max(last, 0), limit-2) // two ellipses
	}
	var f frame
	if lo > 0 {
		f.before, f.markFrom = "…", 1
	}
	for i := lo; i < hi; i++ {
		switch s := all[i]; {
		case s.marked:
			f.marked += s.text
			f.markCols += s.cols
		case first >= 0 && i > last:
			f.after += s.text
		default:
			f.before += s.text
			f.markFrom += s.cols
		}
	}
	if hi < len(all) {
		f.after += "…"
	}
	return f
}

// window returns the range of pieces to show in limit columns: as much of
// [first, last] as fits, with a third of the rest in front of it.
func window(all []span, first, last, limit int) (lo, hi int) {
	used := 0
	hi = first
	for hi < len(all) && hi <= last && used+all[hi].cols <= limit {
		used += all[hi].cols
		hi++
	}
	lo = first
	for front := (limit - used) / 3; lo > 0 && all[lo-1].cols <= front; lo-- {
		front -= all[lo-1].cols
		used += all[lo-1].cols
	}
	for hi < len(all) && used+all[hi].cols <= limit {
		used += all[hi].cols
		hi++
	}
	for lo > 0 && used+all[lo-1].cols <= limit {
		lo--
		used += all[lo].cols
	}
	return lo, hi
}
