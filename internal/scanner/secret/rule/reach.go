package rule

import (
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unbounded is the Length of an expression whose matches have no greatest length.
const Unbounded = -1

// Reach tells how far around a keyword a match of an expression can lie, and
// so how little of the content the expression has to see.
type Reach struct {
	// Length is the greatest length of a match in bytes, or Unbounded.
	Length int
	// Before is how many bytes of a match at most precede the keyword.
	// Meaningful only if Anchored.
	Before int
	// Anchored is true if every match contains one of the keywords.
	Anchored bool
	// Firm and Stretch bound matches that have no greatest length: at most Firm
	// bytes of a match are not in Stretch, the bytes that may be repeated
	// without bound. Meaningful only if Length is Unbounded.
	Firm    int
	Stretch *[256]bool
	// Needs are further literals that every match contains, letter for letter.
	Needs []string
	// Head, if not nil, is worth trying before the expression.
	Head *Head
	// Folds is true if the expression ignores case in a way that lets
	// characters outside ASCII stand for ASCII letters (K for k, ſ for s): a
	// match of content that holds such may lack the keyword's own letters.
	Folds bool
}

// maxLength is the greatest bound that counts as one: beyond it, windows would
// cost more than reading the whole content.
const maxLength = 64 << 10

// maxSet bounds how many strings an expression may stand for to be treated as
// a choice of literals.
const maxSet = 256

// reachOf analyses the expression re with respect to the lower-case keywords.
func reachOf(re *syntax.Regexp, keywords []string) Reach {
	r := Reach{Length: maxLen(re), Folds: folds(re)}
	if len(keywords) > 0 {
		r.Before, r.Anchored = anchor(re, keywords)
	}
	r.Needs = needs(re, nil)
	if r.Length < 0 {
		r.Stretch = new([256]bool)
		r.Firm = firm(re, r.Stretch)
	}
	return r
}

func folds(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return re.Flags&syntax.FoldCase != 0
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			for _, r := range []rune{'\u017f', '\u212a'} {
				if re.Rune[i] <= r && r <= re.Rune[i+1] {
					return true
				}
			}
		}
	}
	for _, sub := range re.Sub {
		if folds(sub) {
			return true
		}
	}
	return false
}

// maxLen returns the greatest length in bytes of a match of re, or Unbounded.
func maxLen(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		n := 0
		for _, r := range re.Rune {
			n += runeLen(r, re.Flags&syntax.FoldCase != 0)
		}
		return n
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return 0
		}
		return utf8Len(re.Rune[len(re.Rune)-1])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	case syntax.OpCapture, syntax.OpQuest:
		return maxLen(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		if maxLen(re.Sub[0]) == 0 {
			return 0
		}
		return Unbounded
	case syntax.OpRepeat:
		n := maxLen(re.Sub[0])
		switch {
		case n == 0:
			return 0
		case re.Max < 0 || n < 0 || n*re.Max > maxLength:
			return Unbounded
		}
		return n * re.Max
	case syntax.OpConcat:
		sum := 0
		for _, sub := range re.Sub {
			n := maxLen(sub)
			if n < 0 || sum+n > maxLength {
				return Unbounded
			}
			sum += n
		}
		return sum
	case syntax.OpAlternate:
		most := 0
		for _, sub := range re.Sub {
			n := maxLen(sub)
			if n < 0 {
				return Unbounded
			}
			most = max(most, n)
		}
		return most
	}
	return 0 // assertions, the empty match, no match
}

// needs appends the literals that every match of re contains to list.
func needs(re *syntax.Regexp, list []string) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			list = append(list, string(re.Rune))
		}
	case syntax.OpCapture, syntax.OpPlus:
		list = needs(re.Sub[0], list)
	case syntax.OpRepeat:
		if re.Min > 0 {
			list = needs(re.Sub[0], list)
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			list = needs(sub, list)
		}
	}
	return list
}

// firm returns how many bytes of a match of re at most lie outside its parts
// that repeat without bound, and adds the bytes that those parts can hold to
// stretch.
func firm(re *syntax.Regexp, stretch *[256]bool) int {
	if n := maxLen(re); n >= 0 {
		return n
	}
	switch re.Op {
	case syntax.OpConcat, syntax.OpCapture, syntax.OpQuest:
		sum := 0
		for _, sub := range re.Sub {
			sum += firm(sub, stretch)
		}
		return sum
	case syntax.OpAlternate:
		most := 0
		for _, sub := range re.Sub {
			most = max(most, firm(sub, stretch))
		}
		return most
	}
	// A repetition without bound, or with one that is too large to count.
	addBytes(re, stretch)
	return 0
}

// addBytes adds every byte that a match of re can hold to set.
func addBytes(re *syntax.Regexp, set *[256]bool) {
	add := func(lo, hi rune) {
		for r := lo; r <= min(hi, 0x7f); r++ {
			set[r] = true
		}
		if hi > 0x7f {
			for b := 0x80; b < 0x100; b++ {
				set[b] = true
			}
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			add(r, r)
			if re.Flags&syntax.FoldCase != 0 {
				for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
					add(f, f)
				}
			}
		}
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			add(re.Rune[i], re.Rune[i+1])
		}
	case syntax.OpAnyChar:
		add(0, unicode.MaxRune)
	case syntax.OpAnyCharNotNL:
		add(0, '\n'-1)
		add('\n'+1, unicode.MaxRune)
	}
	for _, sub := range re.Sub {
		addBytes(sub, set)
	}
}

// runeLen is the most bytes that r, or under folding any of its variants, takes.
func runeLen(r rune, folded bool) int {
	n := utf8Len(r)
	if folded {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			n = max(n, utf8Len(f))
		}
	}
	return n
}

func utf8Len(r rune) int {
	if n := utf8.RuneLen(r); n > 0 {
		return n
	}
	return utf8.UTFMax
}

// anchor reports whether every match of re contains a keyword, and if so how
// many bytes of the match can precede it (Unbounded if any number).
func anchor(re *syntax.Regexp, keywords []string) (before int, ok bool) {
	if set, exact := strs(re); exact {
		if all(set, keywords) {
			return longest(set), true
		}
		return 0, false
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return anchor(re.Sub[0], keywords)
	case syntax.OpRepeat:
		if re.Min == 0 {
			return 0, false
		}
		return anchor(re.Sub[0], keywords)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			b, ok := anchor(sub, keywords)
			if !ok {
				return 0, false
			}
			before = further(before, b)
		}
		return before, true
	case syntax.OpConcat:
		// run is the set of strings that the last few neighbours stand for
		// together; lead is how far before run the match can begin.
		run, lead, runLen := []string{""}, 0, 0
		for _, sub := range re.Sub {
			set, exact := strs(sub)
			if exact && len(run)*len(set) <= maxSet {
				run = product(run, set)
				runLen = longest(run)
				if all(run, keywords) {
					return further(0, plus(lead, runLen)), true
				}
				continue
			}
			lead = plus(lead, runLen)
			if b, ok := anchor(sub, keywords); ok {
				return plus(lead, b), true
			}
			if exact { // too many combinations: begin anew with this one
				run, runLen = set, longest(set)
				continue
			}
			lead = plus(lead, maxLen(sub))
			run, runLen = []string{""}, 0
		}
	}
	return 0, false
}

func plus(a, b int) int {
	if a < 0 || b < 0 || a+b > maxLength {
		return Unbounded
	}
	return a + b
}

func further(a, b int) int {
	if a < 0 || b < 0 {
		return Unbounded
	}
	return max(a, b)
}

func longest(set []string) int {
	n := 0
	for _, s := range set {
		n = max(n, len(s))
	}
	return n
}

func product(a, b []string) []string {
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// all reports whether each string of set contains one of the keywords.
func all(set, keywords []string) bool {
	for _, s := range set {
		found := false
		for _, k := range keywords {
			if strings.Contains(s, k) {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return len(set) > 0
}

// strs returns the lower-cased strings that re matches, if they are few.
func strs(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{strings.ToLower(string(re.Rune))}, true
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, true
	case syntax.OpCharClass:
		var set []string
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i+1]-re.Rune[i] >= maxSet || len(set) >= maxSet {
				return nil, false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				low := string(unicode.ToLower(r))
				dup := false
				for _, s := range set {
					dup = dup || s == low
				}
				if !dup {
					set = append(set, low)
				}
			}
		}
		return set, len(set) > 0 && len(set) <= maxSet
	case syntax.OpCapture:
		return strs(re.Sub[0])
	case syntax.OpQuest:
		set, ok := strs(re.Sub[0])
		if !ok {
			return nil, false
		}
		return append([]string{""}, set...), true
	case syntax.OpRepeat:
		if re.Max < 0 || re.Min != re.Max || re.Max > 16 {
			return nil, false
		}
		one, ok := strs(re.Sub[0])
		if !ok {
			return nil, false
		}
		set := []string{""}
		for range re.Max {
			if len(set)*len(one) > maxSet {
				return nil, false
			}
			set = product(set, one)
		}
		return set, true
	case syntax.OpConcat:
		set := []string{""}
		for _, sub := range re.Sub {
			s, ok := strs(sub)
			if !ok || len(set)*len(s) > maxSet {
				return nil, false
			}
			set = product(set, s)
		}
		return set, true
	case syntax.OpAlternate:
		var set []string
		for _, sub := range re.Sub {
			s, ok := strs(sub)
			if !ok || len(set)+len(s) > maxSet {
				return nil, false
			}
			set = append(set, s...)
		}
		return set, len(set) > 0
	}
	return nil, false
}
