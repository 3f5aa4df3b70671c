package ignore

import "strings"

// pattern is one line of an ignore file.
type pattern struct {
	negated  bool // begins with "!"
	dirOnly  bool // ends with "/"
	anchored bool // has another "/": matches the path, not the name
	literal  bool // no wildcards: text is what it matches
	suffix   bool // "*" and a literal, which is text
	text     string
	parts    []part
}

// part is what stands between two slashes of a pattern.
type part struct {
	any    bool // "**": any number of folders
	tokens []token
	min    int // bytes that it matches at least
}

type token struct {
	kind tokenKind
	char byte
	set  *[4]uint64
}

type tokenKind uint8

const (
	char tokenKind = iota
	question
	star
	class
)

// compile reads a line without line end. ok is false for what cannot match
// anything, such as a bracket that is not closed.
func compile(line []byte) (p pattern, ok bool) {
	s := string(line)
	if s[0] == '!' {
		p.negated = true
		s = s[1:]
	}
	if n := len(s); n > 0 && s[n-1] == '/' {
		p.dirOnly = true
		s = s[:n-1]
	}
	if s == "" {
		return p, false
	}
	p.anchored = strings.Contains(s, "/")
	if !p.anchored {
		if !strings.ContainsAny(s, `*?[\`) {
			p.literal, p.text = true, s
			return p, true
		}
		if s[0] == '*' && !strings.ContainsAny(s[1:], `*?[\`) {
			p.suffix, p.text = true, s[1:]
			return p, true
		}
	} else {
		s = strings.TrimPrefix(s, "/")
		if !strings.ContainsAny(s, `*?[\`) {
			p.literal, p.text = true, s
			return p, true
		}
	}
	p.parts, ok = split(s, p.anchored)
	return p, ok
}

// split reads a pattern into parts. Between brackets a slash is a character
// of the class, which no path can match.
func split(s string, anchored bool) ([]part, bool) {
	var parts []part
	cur := part{}
	stars := 0 // of a part made of nothing else
	flush := func() {
		if anchored && stars >= 2 && len(cur.tokens) == 1 {
			cur = part{any: true}
		}
		parts = append(parts, cur)
		cur, stars = part{}, 0
	}
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '/':
			flush()
			i++
		case '*':
			for i < len(s) && s[i] == '*' {
				stars++
				i++
			}
			cur.tokens = append(cur.tokens, token{kind: star})
		case '?':
			cur.tokens = append(cur.tokens, token{kind: question})
			cur.min++
			i++
		case '[':
			set, n := bracket(s[i:])
			if n == 0 {
				return nil, false
			}
			cur.tokens = append(cur.tokens, token{kind: class, set: set})
			cur.min++
			i += n
		case '\\':
			if i+1 == len(s) {
				return nil, false
			}
			if s[i+1] == '/' {
				i++
				continue
			}
			cur.tokens = append(cur.tokens, token{kind: char, char: s[i+1]})
			cur.min++
			i += 2
		default:
			cur.tokens = append(cur.tokens, token{kind: char, char: c})
			cur.min++
			i++
		}
	}
	flush()
	return parts, true
}

var classes = map[string]func(byte) bool{
	"alnum":  func(c byte) bool { return alpha(c) || digit(c) },
	"alpha":  alpha,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < 32 || c == 127 },
	"digit":  digit,
	"graph":  func(c byte) bool { return c > 32 && c < 127 },
	"lower":  func(c byte) bool { return c >= 'a' && c <= 'z' },
	"print":  func(c byte) bool { return c >= 32 && c < 127 },
	"punct":  func(c byte) bool { return c > 32 && c < 127 && !alpha(c) && !digit(c) },
	"space":  func(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' },
	"upper":  func(c byte) bool { return c >= 'A' && c <= 'Z' },
	"xdigit": func(c byte) bool { return digit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' },
}

func alpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func digit(c byte) bool { return c >= '0' && c <= '9' }

// bracket reads the class at the start of s and returns its length, 0 if it
// is not closed or names an unknown class.
func bracket(s string) (*[4]uint64, int) {
	var set [4]uint64
	put := func(c byte) { set[c>>6] |= 1 << (c & 63) }
	at := func(i int) byte { // NUL ends the pattern, as in C
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	i := 1
	negated := at(i) == '!' || at(i) == '^'
	if negated {
		i++
	}
	prev := byte(0) // the start of a possible range
	for first := true; first || at(i) != ']'; first = false {
		c := at(i)
		switch {
		case c == 0:
			return nil, 0
		case c == '\\':
			i++
			if c = at(i); c == 0 {
				return nil, 0
			}
			put(c)
			prev = c
		case c == '-' && prev != 0 && at(i+1) != 0 && at(i+1) != ']':
			i++
			if c = at(i); c == '\\' {
				i++
				if c = at(i); c == 0 {
					return nil, 0
				}
			}
			for x := int(prev); x <= int(c); x++ {
				put(byte(x))
			}
			prev = 0
		case c == '[' && at(i+1) == ':':
			end := i + 2
			for at(end) != 0 && at(end) != ']' {
				end++
			}
			if at(end) == 0 {
				return nil, 0
			}
			if end-1 < i+2 || at(end-1) != ':' {
				put('[')
				prev = '['
				break
			}
			in, ok := classes[s[i+2:end-1]]
			if !ok {
				return nil, 0
			}
			for x := range 256 {
				if in(byte(x)) {
					put(byte(x))
				}
			}
			i = end
			prev = 0
		default:
			put(c)
			prev = c
		}
		i++
	}
	if negated {
		for j := range set {
			set[j] = ^set[j]
		}
	}
	return &set, i + 1
}

func (p *pattern) match(rel, name string, isDir bool) bool {
	switch {
	case p.dirOnly && !isDir:
		return false
	case p.literal && p.anchored:
		return rel == p.text
	case p.literal:
		return name == p.text
	case p.suffix:
		return strings.HasSuffix(name, p.text)
	case !p.anchored:
		return p.parts[0].match(name)
	}
	return matchParts(p.parts, rel)
}

// matchParts compares folder by folder. When it fails it goes back to the last
// "**" and lets that take one folder more; going back further cannot help, so
// the time is bounded by the product of the lengths.
func matchParts(parts []part, path string) bool {
	var (
		i         int    // next part
		rest      = path // not yet matched
		done      bool   // nothing is left, not even an empty name
		retryPart = -1
		retryRest string
	)
	for {
		if i < len(parts) && parts[i].any {
			if i++; i == len(parts) {
				return !done // a trailing "**" wants something inside
			}
			if done {
				return false
			}
			retryPart, retryRest = i, rest
			continue
		}
		if i == len(parts) && done {
			return true
		}
		if i < len(parts) && !done {
			name, below, deeper := strings.Cut(rest, "/")
			if parts[i].match(name) {
				i++
				rest, done = below, !deeper
				continue
			}
		}
		if retryPart < 0 {
			return false
		}
		_, below, deeper := strings.Cut(retryRest, "/")
		if !deeper {
			return false
		}
		i, rest, done, retryRest = retryPart, below, false, below
	}
}

// match compares one name, going back to the last star only.
func (p *part) match(s string) bool {
	if len(s) < p.min {
		return false
	}
	t, i := 0, 0
	backT, backI := -1, 0
	for i < len(s) || t < len(p.tokens) {
		if t < len(p.tokens) {
			tok := &p.tokens[t]
			switch {
			case tok.kind == star:
				t++
				backT, backI = t, i
				continue
			case i < len(s) && (tok.kind == question || tok.kind == char && tok.char == s[i] ||
				tok.kind == class && tok.set[s[i]>>6]&(1<<(s[i]&63)) != 0):
				t++
				i++
				continue
			}
		}
		if backT < 0 || backI >= len(s) {
			return false
		}
		backI++
		t, i = backT, backI
	}
	return true
}
