// Package assign finds the value that is assigned to a name in text of any
// language: NAME = "v", "NAME": "v", <NAME>v</NAME>, --NAME v, setName("v") and
// their many relatives. It looks at a few hundred bytes around a place where
// the name is known to be, so its cost does not depend on the size or the
// shape of the file. It does not parse languages and does not judge values:
// that is the business of package plausible.
package assign

// Op says by which construct a value is given to a name.
type Op uint8

// The constructs.
const (
	None     Op = iota
	Equals      // NAME = v, NAME := v, NAME=v
	Colon       // NAME: v
	Arrow       // NAME => v
	Compare     // NAME == v, NAME.equals(v)
	Pair        // fn("NAME", "v"), {"name": "NAME", "value": "v"}
	Call        // NAME("v"), setName("v")
	Flag        // --NAME v
	Element     // <NAME>v</NAME>
	Phrase      // IDENTIFIED BY v
	Query       // ?NAME=v&
	UserInfo    // scheme://user:v@host; the name is all before the value
)

// Assignment is a name and its value as ranges of the content.
type Assignment struct {
	NameStart, NameEnd   int
	ValueStart, ValueEnd int
	Op                   Op
	// Quote is the character that encloses the value, 0 if none does. Of
	// \"v\" inside another string it is the inner one.
	Quote byte
	// Default is true for values that only stand in when another source gives
	// none: getenv("NAME", "v"), x || "v".
	Default bool
	// Wrapped is true for values inside a conversion: []byte("v").
	Wrapped bool
	// Embedded is true for what is text inside a string or comment of a
	// programming language: "password: v".
	Embedded bool
	// Slash is true if the name is the end of a path: "v1/secrets".
	Slash bool
	// After is the first character behind the value and its quote that is no
	// blank; 0 at the end of a line.
	After byte
	// Scheme is the length of an authentication scheme ("Bearer ") that was cut
	// from the front of the value; 0 if none was.
	Scheme int
}

// Bounds of how far a name and a value are followed, in bytes.
const (
	nameReach  = 96
	valueReach = 1024
	blankReach = 64
)

// At returns the assignment whose name the hit of hitLen bytes at content[hit:]
// is part of, and whether there is one. A hit on :// (or :\/\/, as JSON may have
// it) is of a URL, whose password is the value. It takes time and space independent
// of the size of content and allocates nothing.
func At(content []byte, hit, hitLen int, syn Syntax) (Assignment, bool) {
	if hit < 0 || hitLen <= 0 || hit > len(content)-hitLen {
		return Assignment{}, false
	}
	r := reader{text: content, syn: syn}
	if content[hit] == ':' && r.slashes(hit+1) > 0 {
		ok := r.userInfo(hit)
		return r.a, ok
	}
	lo, hi := max(0, hit-nameReach), min(len(content), hit+hitLen+nameReach)
	s, e := hit, hit+hitLen
	for s > lo && isName[content[s-1]] {
		s--
	}
	for e < hi && isName[content[e]] {
		e++
	}
	if (s == lo && lo > 0) || (e == hi && hi < len(content)) {
		return Assignment{}, false // inside a longer run than any name
	}
	dashes := 0
	for s < hit && (content[s] == '-' || content[s] == '.') {
		if content[s] == '-' {
			dashes++
		}
		s++
	}
	for e > hit+hitLen && (content[e-1] == '-' || content[e-1] == '.') {
		e--
	}
	r.a.NameStart, r.a.NameEnd = s, e
	r.dashes = dashes
	r.a.Slash = s > 0 && content[s-1] == '/'
	if !r.operator() {
		return Assignment{}, false
	}
	r.scheme()
	if r.a.ValueEnd <= r.a.ValueStart {
		return Assignment{}, false
	}
	r.after()
	return r.a, true
}

// isName tells the bytes of names, dotted and dashed ones included.
var isName = table("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.$")

// isWord tells the bytes of plain identifiers.
var isWord = table("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")

func table(chars string) (t [256]bool) {
	for i := range len(chars) {
		t[chars[i]] = true
	}
	return t
}

// reader is the state of one At.
type reader struct {
	text   []byte
	syn    Syntax
	a      Assignment
	dashes int
	// nameQuote is the quote around the name, 0 if none; escaped says that a
	// backslash precedes it.
	nameQuote byte
	escaped   bool
}

// byteAt returns the byte at p, 0 outside the text.
func (r *reader) byteAt(p int) byte {
	if uint(p) < uint(len(r.text)) {
		return r.text[p]
	}
	return 0
}

// blanks returns the first position at or after p that is no space or tab.
func (r *reader) blanks(p int) int {
	for end := min(len(r.text), p+blankReach); p < end && (r.text[p] == ' ' || r.text[p] == '\t'); {
		p++
	}
	return p
}

// space returns the first position at or after p that is no white space.
func (r *reader) space(p int) int {
	for end := min(len(r.text), p+2*blankReach); p < end && (r.text[p] == ' ' || r.text[p] == '\t' || r.text[p] == '\n' || r.text[p] == '\r'); {
		p++
	}
	return p
}

// foldedAt reports whether the text at p is the lower-case word, in any case.
func (r *reader) foldedAt(p int, word string) bool {
	if p < 0 || p+len(word) > len(r.text) {
		return false
	}
	for i := range len(word) {
		c := r.text[p+i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// after notes what follows the value.
func (r *reader) after() {
	p := r.a.ValueEnd
	for r.byteAt(p) == '\\' {
		p++
	}
	if r.a.Quote != 0 && r.byteAt(p) == r.a.Quote {
		p++
	}
	p = r.blanks(p)
	if c := r.byteAt(p); c != '\n' && c != '\r' {
		r.a.After = c
	}
}

// schemes are the words before a credential in an Authorization header.
var schemes = []string{"bearer ", "basic ", "token ", "apikey ", "api-key ", "oauth ", "jwt ", "negotiate ", "ntlm ", "digest "}

// scheme moves the start of the value behind an authentication scheme.
func (r *reader) scheme() {
	c := r.byteAt(r.a.ValueStart) | 0x20
	if c != 'b' && c != 't' && c != 'a' && c != 'o' && c != 'j' && c != 'n' && c != 'd' {
		return
	}
	for _, s := range schemes {
		if r.foldedAt(r.a.ValueStart, s) && r.a.ValueStart+len(s) < r.a.ValueEnd {
			r.a.ValueStart += len(s)
			r.a.Scheme = len(s)
			if s == "token " && r.foldedAt(r.a.ValueStart, "token=") { // Rails
				r.a.ValueStart += len("token=")
			}
			return
		}
	}
}
