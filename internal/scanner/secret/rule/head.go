package rule

import "regexp/syntax"

// Bounds of heads, in bytes.
const (
	headLength = 40 // of a match of a head
	headBefore = 48 // of a match before its keyword, at most
	headWorth  = 96 // of the shortest expression whose head is tried first
)

// Head is the beginning of an expression: every match of the expression begins
// with a match of its head. Where a keyword is in the text but no match of the
// head is near, there is none of the expression, and that takes far less to
// find out.
type Head struct {
	Expr *Expr
	// Length is the greatest length of a match of the head in bytes.
	Length int
}

// headOf returns the head of re, nil if trying it is not worth while.
func headOf(re *syntax.Regexp, r Reach) *Head {
	if !r.Anchored || r.Before < 0 || r.Before > headBefore || r.Length >= 0 && r.Length < headWorth {
		return nil
	}
	h, _ := cut(re, headLength)
	n := maxLen(h)
	if n < 4 {
		return nil
	}
	return &Head{Expr: NewExpr(h.String()), Length: n}
}

// cut returns an expression of which a match of at most budget bytes begins each
// match of re, and whether it is re itself.
func cut(re *syntax.Regexp, budget int) (head *syntax.Regexp, whole bool) {
	if n := maxLen(re); n >= 0 && n <= budget {
		return re, true
	}
	switch re.Op {
	case syntax.OpCapture:
		return cut(re.Sub[0], budget)
	case syntax.OpConcat:
		out := &syntax.Regexp{Op: syntax.OpConcat}
		for _, sub := range re.Sub {
			h, whole := cut(sub, budget)
			out.Sub = append(out.Sub, h)
			if !whole {
				break
			}
			budget -= maxLen(h)
		}
		return out, false
	case syntax.OpAlternate:
		out := &syntax.Regexp{Op: syntax.OpAlternate}
		for _, sub := range re.Sub {
			h, _ := cut(sub, budget)
			out.Sub = append(out.Sub, h)
		}
		return out, false
	case syntax.OpPlus:
		h, _ := cut(re.Sub[0], budget)
		return h, false
	case syntax.OpRepeat:
		one := maxLen(re.Sub[0])
		if one <= 0 || re.Min == 0 {
			break
		}
		if times := min(re.Min, budget/one); times > 0 {
			out := *re
			out.Min, out.Max = times, times
			return &out, false
		}
	case syntax.OpLiteral:
		out := *re
		for n := 0; n <= len(re.Rune); n++ {
			if out.Rune = re.Rune[:n]; maxLen(&out) > budget {
				out.Rune = re.Rune[:n-1]
				break
			}
		}
		if len(out.Rune) > 0 {
			return &out, false
		}
	}
	return &syntax.Regexp{Op: syntax.OpEmptyMatch}, false
}
