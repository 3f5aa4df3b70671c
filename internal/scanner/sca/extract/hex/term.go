package hex

import (
	"fmt"
	"strings"

	"bulwark/internal/scanner/sca/extract"
)

type kind byte

const (
	none   kind = iota
	text        // a string, an atom, a number
	list        // [a, b]
	tuple       // {a, b}
	object      // %{"a": b}
	entry       // a: b, within a list, tuple or map: key and one item
)

// term is a literal of Elixir.
type term struct {
	kind        kind
	key         string // of an entry
	text        string
	items       []term
	line        int32
	column, end int32
}

type parser struct {
	s         string
	pos       int
	line      int
	lineStart int
	terms     int
}

// maxTerms is how many terms a file may hold; a package takes about 30.
const maxTerms = 2_000_000

// parse reads a file that holds one map.
func parse(s string) (term, error) {
	p := &parser{s: s, line: 1}
	root, err := p.value(0)
	if err != nil {
		return term{}, err
	}
	if root.kind != object {
		return term{}, p.fail("a map, %%{…}, is expected")
	}
	if p.next() != 0 {
		return term{}, p.fail("text after the end of the map")
	}
	return root, nil
}

func (p *parser) fail(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if p.pos >= len(p.s) {
		message += ": the file is cut short"
	} else {
		for _, mark := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
			if strings.HasPrefix(p.s[p.lineStart:], mark) {
				message = "a merge conflict that was left unresolved: run mix deps.get and commit the result"
			}
		}
	}
	return fmt.Errorf("line %d: %s", p.line, message)
}

// next passes over white space and comments and returns the next byte, 0 at the
// end.
func (p *parser) next() byte {
	for p.pos < len(p.s) {
		switch c := p.s[p.pos]; c {
		case '\n':
			p.pos++
			p.line++
			p.lineStart = p.pos
		case ' ', '\t', '\r':
			p.pos++
		case '#':
			for p.pos < len(p.s) && p.s[p.pos] != '\n' {
				p.pos++
			}
		default:
			return c
		}
	}
	return 0
}

func (p *parser) column() int32 { return int32(p.pos - p.lineStart + 1) }

func word(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '.' || c == '@' || c == '?' || c == '!' || c == '-' || c >= 0x80
}

// value reads a term.
func (p *parser) value(depth int) (term, error) {
	if depth > extract.MaxDepth {
		return term{}, p.fail("nested deeper than %d levels", extract.MaxDepth)
	}
	c := p.next()
	if p.terms++; p.terms > maxTerms {
		return term{}, p.fail("more than %d values: no lockfile has that many; check where it comes from", maxTerms)
	}
	t := term{line: int32(p.line), column: p.column()}
	switch {
	case c == '%':
		p.pos++
		if p.next() != '{' {
			return t, p.fail("a map, %%{…}, is expected")
		}
		return p.items(t, object, '}', depth)
	case c == '{':
		return p.items(t, tuple, '}', depth)
	case c == '[':
		return p.items(t, list, ']', depth)
	case c == '"':
		t.kind = text
		var err error
		if t.text, err = p.quoted(); err != nil {
			return t, err
		}
		t.end = p.column()
		return t, nil
	case c == ':' && p.pos+1 < len(p.s) && (word(p.s[p.pos+1]) || p.s[p.pos+1] == '"'):
		p.pos++
		if p.s[p.pos] == '"' {
			return p.value(depth + 1)
		}
		fallthrough
	case word(c):
		start := p.pos
		for p.pos < len(p.s) && word(p.s[p.pos]) {
			p.pos++
		}
		t.kind, t.text, t.end = text, p.s[start:p.pos], p.column()
		return t, nil
	}
	return t, p.fail("a value is expected")
}

func (p *parser) quoted() (string, error) {
	p.pos++
	start := p.pos
	escaped := false
	for p.pos < len(p.s) {
		switch p.s[p.pos] {
		case '"':
			s := p.s[start:p.pos]
			p.pos++
			if escaped {
				s = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\#`, `#`).Replace(s)
			}
			return s, nil
		case '\\':
			escaped = true
			p.pos++
		case '\n':
			return "", p.fail("a text in quotes ends with the line")
		}
		p.pos++
	}
	p.pos = len(p.s)
	return "", p.fail("a text in quotes without an end")
}

// items reads what stands between brackets.
func (p *parser) items(t term, k kind, end byte, depth int) (term, error) {
	t.kind = k
	p.pos++
	for {
		if p.next() == end {
			p.pos++
			return t, nil
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return t, err
		}
		// key: value and key => value
		arrow := 0
		if c := p.next(); item.kind == text && c == ':' {
			arrow = 1
		} else if item.kind == text && strings.HasPrefix(p.s[p.pos:], "=>") {
			arrow = 2
		}
		if arrow > 0 {
			p.pos += arrow
			value, err := p.value(depth + 1)
			if err != nil {
				return t, err
			}
			item = term{kind: entry, key: item.text, items: []term{value}, line: item.line, column: item.column, end: item.end}
		} else if k == object {
			return t, p.fail("a colon is expected after a key")
		}
		t.items = append(t.items, item)
		switch p.next() {
		case ',':
			p.pos++
		case end:
		default:
			return t, p.fail("a comma or the closing %q is expected", end)
		}
	}
}
