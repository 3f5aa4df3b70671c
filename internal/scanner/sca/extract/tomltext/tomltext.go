// Package tomltext reads the TOML of manifests and lockfiles and keeps the line
// and column of every key. The syntax is read by go-toml's parser; this package
// joins its expressions to a tree in which tables named in several places are
// one.
//
// It maps nothing onto structs and does not complain of a key that is given
// twice: each is kept, and the caller decides. Time and memory are linear in the
// input and nesting is limited to MaxDepth.
package tomltext

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// MaxDepth is how deeply tables and arrays may nest.
const MaxDepth = 64

// Kind is the type of a value.
type Kind byte

// The kinds. A date is a Number here: neither is ever part of a package.
const (
	Absent Kind = iota // no such node
	String
	Bool
	Number
	Table
	List
)

// Error says where the text cannot be understood.
type Error struct {
	Line    int // from 1
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// node is an entry of a table, with its key, or an item of a list.
type node struct {
	key, text   string
	line        int32
	column, end int32 // of the key, or of a string in a list
	at, atEnd   int32 // columns of a string, within its quotes
	atLine      int32
	child, last int32 // 0 if none
	next        int32
	kind        Kind
}

type tree struct{ nodes []node }

// Node is a place in a parsed text. The zero Node is an absent one: it has no
// children and no text.
type Node struct {
	t *tree
	i int32
}

func (n Node) get() *node {
	if n.t == nil {
		return &node{}
	}
	return &n.t.nodes[n.i]
}

// Kind tells what the node's value is.
func (n Node) Kind() Kind { return n.get().kind }

// Key is the key of a table's entry, "" for an item of a list.
func (n Node) Key() string { return n.get().key }

// Line is where the entry begins, from 1; 0 if it is absent.
func (n Node) Line() int { return int(n.get().line) }

// Columns are the bytes of the key, or of an item that is a string with its
// quotes, from 1, the end exclusive; both 0 if unknown.
func (n Node) Columns() (start, end int) {
	at := n.get()
	return int(at.column), int(at.end)
}

// Value is where the content of a string stands, without its quotes; all 0 if
// the node is no string or has several lines.
func (n Node) Value() (line, start, end int) {
	at := n.get()
	return int(at.atLine), int(at.at), int(at.atEnd)
}

// Text is the text of a string, "" of anything else.
func (n Node) Text() string {
	at := n.get()
	if at.kind != String {
		return ""
	}
	return at.text
}

// True reports whether the value is true.
func (n Node) True() bool {
	at := n.get()
	return at.kind == Bool && at.text == "true"
}

// Children hands out the entries of a table or the items of a list.
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
// don't use it again and again on tables of any size.
func (n Node) Get(key string) Node {
	for c := range n.Children() {
		if c.Key() == key {
			return c
		}
	}
	return Node{}
}

// Path goes down by several keys.
func (n Node) Path(keys ...string) Node {
	for _, k := range keys {
		n = n.Get(k)
	}
	return n
}

// entry names a table by the one that holds it.
type entry struct {
	parent int32
	key    string
}

type parser struct {
	tree
	p      unstable.Parser
	text   string
	tables map[entry]int32 // those that a header or a dotted key names
	// where the last position was asked for
	offset, line, lineStart int
	err                     error
}

// Parse reads a text and returns its root, a table.
func Parse(data []byte) (root Node, err error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if len(text) > math.MaxInt32 {
		return Node{}, &Error{Line: 1, Message: "larger than 2 GiB"}
	}
	p := &parser{text: text, line: 1, tables: map[entry]int32{}}
	p.nodes = make([]node, 1, 64+len(text)/40)
	p.nodes[0] = node{kind: Table, line: 1}
	// The parser is somebody else's code fed with a stranger's bytes: should it
	// panic, that is a fault of the text, not the end of the process.
	defer func() {
		if r := recover(); r != nil {
			root, err = Node{}, &Error{Line: p.line, Message: fmt.Sprintf("cannot be parsed: %v", r)}
		}
	}()
	raw := data[len(data)-len(text):]
	p.p.Reset(raw)
	current := int32(0)
	for p.err == nil && p.p.NextExpression() {
		switch e := p.p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			current = p.header(e)
		case unstable.KeyValue:
			p.pair(current, e, 1)
		}
	}
	if p.err == nil {
		p.err = p.syntax(p.p.Error())
	}
	if p.err != nil {
		return Node{}, p.err
	}
	return Node{&p.tree, 0}, nil
}

// syntax gives a parser's error its line.
func (p *parser) syntax(err error) error {
	if err == nil {
		return nil
	}
	var at *unstable.ParserError
	if !errors.As(err, &at) {
		return &Error{Line: p.line, Message: err.Error()}
	}
	offset := len(p.text)
	if len(at.Highlight) > 0 {
		offset = int(p.p.Range(at.Highlight).Offset)
	}
	line, start := p.position(offset)
	message := at.Message
	for _, m := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
		if strings.HasPrefix(p.text[start:], m) {
			message = "a merge conflict that was left unresolved"
		}
	}
	return &Error{Line: line, Message: message}
}

// position returns the line of an offset and where that line starts. Offsets
// are asked for in rising order, so that all look-ups together take linear time.
func (p *parser) position(offset int) (line, start int) {
	if offset < p.offset {
		p.offset, p.line, p.lineStart = 0, 1, 0
	}
	passed := p.text[p.offset:offset]
	if i := strings.LastIndexByte(passed, '\n'); i >= 0 {
		p.line += strings.Count(passed, "\n")
		p.lineStart = p.offset + i + 1
	}
	p.offset = offset
	return p.line, p.lineStart
}

func (p *parser) fail(n *node, format string, args ...any) int32 {
	if p.err == nil {
		p.err = &Error{Line: int(n.line), Message: fmt.Sprintf(format, args...)}
	}
	return 0
}

// add appends a child.
func (p *parser) add(parent int32, n node) int32 {
	p.nodes = append(p.nodes, n)
	i := int32(len(p.nodes) - 1)
	owner := &p.nodes[parent]
	if owner.last == 0 {
		owner.child = i
	} else {
		p.nodes[owner.last].next = i
	}
	owner.last = i
	return i
}

// key makes a node of a part of a key.
func (p *parser) key(k *unstable.Node) node {
	offset, size := int(k.Raw.Offset), int(k.Raw.Length)
	line, start := p.position(offset)
	n := node{line: int32(line), column: int32(offset - start + 1), end: int32(offset - start + 1 + size)}
	if size == len(k.Data) {
		n.key = p.text[offset : offset+size]
	} else {
		n.key = string(k.Data)
	}
	return n
}

// header finds or makes the table that [a.b] or [[a.b]] names.
func (p *parser) header(e *unstable.Node) int32 {
	at := int32(0)
	depth := 0
	for it := e.Key(); it.Next(); {
		n := p.key(it.Node())
		if depth++; depth > MaxDepth {
			return p.fail(&n, "nested deeper than %d levels", MaxDepth)
		}
		last := it.IsLast()
		i, known := p.tables[entry{at, n.key}]
		switch {
		case last && e.Kind == unstable.ArrayTable:
			if !known {
				n.kind = List
				i = p.add(at, n)
				p.tables[entry{at, n.key}] = i
			} else if p.nodes[i].kind != List {
				return p.fail(&n, "%q is a table and an array of tables", n.key)
			}
			n.key, n.kind = "", Table
			at = p.add(i, n)
		case !known:
			n.kind = Table
			i = p.add(at, n)
			p.tables[entry{at, n.key}] = i
			at = i
		case p.nodes[i].kind == List:
			if last {
				return p.fail(&n, "%q is a table and an array of tables", n.key)
			}
			at = p.nodes[i].last
		default:
			at = i
		}
	}
	return at
}

// pair reads "a.b = value" into a table.
func (p *parser) pair(at int32, e *unstable.Node, depth int) {
	for it := e.Key(); it.Next(); depth++ {
		n := p.key(it.Node())
		if depth > MaxDepth {
			p.fail(&n, "nested deeper than %d levels", MaxDepth)
			return
		}
		if it.IsLast() {
			p.value(at, n, e.Value(), depth)
			return
		}
		i, known := p.tables[entry{at, n.key}]
		if known && p.nodes[i].kind != Table {
			p.fail(&n, "%q is a table and an array of tables", n.key)
			return
		}
		if !known {
			n.kind = Table
			i = p.add(at, n)
			p.tables[entry{at, n.key}] = i
		}
		at = i
	}
}

// value appends a child with a value.
func (p *parser) value(parent int32, n node, v *unstable.Node, depth int) {
	if depth > MaxDepth {
		p.fail(&n, "nested deeper than %d levels", MaxDepth)
		return
	}
	if n.line == 0 { // an item of a list: its own place, or that of the list
		n.line = p.nodes[parent].line
	}
	switch v.Kind {
	case unstable.String:
		n.kind = String
		p.str(&n, v)
		p.add(parent, n)
	case unstable.Bool:
		n.kind, n.text = Bool, string(v.Data)
		p.add(parent, n)
	case unstable.Array:
		n.kind = List
		i := p.add(parent, n)
		for it := v.Children(); it.Next() && p.err == nil; {
			if it.Node().Kind != unstable.Comment {
				p.value(i, node{}, it.Node(), depth+1)
			}
		}
	case unstable.InlineTable:
		n.kind = Table
		if n.column == 0 {
			line, start := p.position(int(v.Raw.Offset))
			n.line, n.column = int32(line), int32(int(v.Raw.Offset)-start+1)
			n.end = n.column + 1
		}
		i := p.add(parent, n)
		for it := v.Children(); it.Next() && p.err == nil; {
			if it.Node().Kind == unstable.KeyValue {
				p.pair(i, it.Node(), depth+1)
			}
		}
	default:
		n.kind = Number
		p.add(parent, n)
	}
}

// str fills in a string, as a part of the text where it has no escapes.
func (p *parser) str(n *node, v *unstable.Node) {
	offset, size := int(v.Raw.Offset), int(v.Raw.Length)
	if size != len(v.Data)+2 {
		n.text = string(v.Data)
	} else {
		n.text = p.text[offset+1 : offset+size-1]
	}
	line, start := p.position(offset)
	column := int32(offset - start + 1)
	if n.column == 0 {
		n.line, n.column, n.end = int32(line), column, column+int32(size)
	}
	if size == len(v.Data)+2 {
		n.atLine, n.at, n.atEnd = int32(line), column+1, column+int32(size)-1
	}
}
