// Package yamltext reads the YAML that tools write into lockfiles: mappings and
// sequences in block or flow style, plain, quoted and block scalars, comments,
// several documents. It keeps the line and column of every key and is several
// times as fast as a general YAML parser.
//
// It is no general YAML parser. What lockfiles never have is refused, not
// guessed at: anchors, aliases, tags, indentation by tabs. Scalars stay text
// whatever they look like, so a version 1.10 remains "1.10". A repeated key is
// kept each time; the caller decides. Time and memory are linear in the input
// and nesting is limited to MaxDepth.
package yamltext

import (
	"fmt"
	"iter"
	"strings"
)

// MaxDepth is how deeply mappings and sequences may nest.
const MaxDepth = 64

// Kind is the type of a value.
type Kind byte

// The kinds.
const (
	Absent Kind = iota // no such node, or a key without a value
	Scalar
	Map
	List
)

// Error says where the text cannot be understood.
type Error struct {
	Line    int // from 1
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

type style byte

const (
	plain style = iota
	single
	double
	literal
	folded
)

// node is an entry of a mapping, with its key, or an item of a sequence.
type node struct {
	key        string
	start, end int32 // of the scalar in the text, with its quotes
	line       int32
	column     int32 // of the key or item, from 1
	columnEnd  int32
	child      int32 // first, 0 if none
	next       int32
	kind       Kind
	style      style
}

// tree holds the nodes of a text; number 0 stands for an absent one.
type tree struct {
	text  string
	nodes []node
}

// Node is a place in a parsed text. The zero Node is an absent one: it has no
// children and no text.
type Node struct {
	t *tree
	i int32
}

func (n Node) at() *node {
	if n.t == nil {
		return &node{}
	}
	return &n.t.nodes[n.i]
}

// Kind tells what the node's value is.
func (n Node) Kind() Kind { return n.at().kind }

// Key is the key of a mapping's entry, "" for an item of a sequence.
func (n Node) Key() string { return n.at().key }

// Line is where the entry begins, from 1; 0 if it is absent.
func (n Node) Line() int { return int(n.at().line) }

// Columns are the bytes of the key in its line, from 1, the end exclusive.
func (n Node) Columns() (start, end int) {
	at := n.at()
	return int(at.column), int(at.columnEnd)
}

// Children hands out the entries of a mapping or the items of a sequence.
func (n Node) Children() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		if n.t == nil {
			return
		}
		for i := n.t.nodes[n.i].child; i != 0; i = n.t.nodes[i].next {
			if !yield(Node{n.t, i}) {
				return
			}
		}
	}
}

// Get returns the first entry with the key. It looks at one after the other;
// don't use it on mappings of any size.
func (n Node) Get(key string) Node {
	for c := range n.Children() {
		if c.Key() == key {
			return c
		}
	}
	return Node{}
}

// Text is the text of a scalar, "" of anything else. Without escapes and folds
// it is a part of the text that was parsed and costs nothing.
func (n Node) Text() string {
	at := n.at()
	if at.kind != Scalar {
		return ""
	}
	return decode(n.t.text[at.start:at.end], at.style)
}

// decode takes quotes, escapes and folds off a scalar.
func decode(raw string, s style) string {
	switch s {
	case single:
		return fold(strings.ReplaceAll(raw[1:len(raw)-1], "''", "'"))
	case double:
		return unescape(fold(raw[1 : len(raw)-1]))
	case literal, folded:
		return block(raw, s)
	}
	return fold(raw)
}

// fold joins the lines of a scalar by single spaces.
func fold(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if i > 0 {
			line = strings.TrimLeft(line, " \t")
		}
		if i < len(lines)-1 {
			line = strings.TrimRight(line, " \t\r")
		}
		lines[i] = line
	}
	return strings.Join(lines, " ")
}

// block is the text of a block scalar: the common indentation and the line
// breaks at the end are left out.
func block(raw string, s style) string {
	lines := strings.Split(strings.TrimRight(raw, "\r\n "), "\n")
	indent := -1
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		lines[i] = line
		if n := len(line) - len(strings.TrimLeft(line, " ")); n < len(line) && (indent < 0 || n < indent) {
			indent = n
		}
	}
	for i, line := range lines {
		lines[i] = line[min(max(indent, 0), len(line)):]
	}
	if s == literal {
		return strings.Join(lines, "\n")
	}
	return strings.Join(lines, " ")
}

// escapes are those of a double-quoted scalar that stand for one byte.
var escapes = map[byte]byte{
	'0': 0, 'a': '\a', 'b': '\b', 't': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': 0x1b,
	' ': ' ', '"': '"', '/': '/', '\\': '\\',
}

// escapeDigits is how many hexadecimal digits follow an escape.
var escapeDigits = map[byte]int{'x': 2, 'u': 4, 'U': 8}

// unescape decodes the escapes of a double-quoted scalar; one that does not
// exist stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if c, ok := escapes[s[i]]; ok {
			b.WriteByte(c)
			continue
		}
		digits := escapeDigits[s[i]]
		r, ok := hex(s[i+1:], digits)
		if digits == 0 || !ok {
			b.WriteByte('\\')
			b.WriteByte(s[i])
			continue
		}
		i += digits
		b.WriteRune(r)
	}
	return b.String()
}

func hex(s string, digits int) (rune, bool) {
	if len(s) < digits {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[:digits]) {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
