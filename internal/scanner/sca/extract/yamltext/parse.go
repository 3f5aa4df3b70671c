package yamltext

import (
	"fmt"
	"strings"
)

// level is an open mapping or sequence in block style.
type level struct {
	owner  int32 // the node whose children these are
	last   int32 // its last child, 0 if none
	indent int
	kind   Kind // Absent until the first line shows it
}

type parser struct {
	tree
	pos       int
	line      int
	lineStart int
	levels    []level
	err       *Error
}

// Parse reads all documents of a text and returns their roots, mappings or
// sequences. Documents without content are left out.
func Parse(data []byte) ([]Node, error) {
	p := &parser{tree: tree{text: string(data)}, line: 1}
	p.nodes = make([]node, 1, min(64+len(data)/48, maxNodes))
	p.text = strings.TrimPrefix(p.text, "\ufeff")
	var roots []int32
	for p.pos < len(p.text) && p.err == nil {
		switch rest := p.text[p.pos:]; {
		case marker(rest, "---"), marker(rest, "..."):
			p.levels = p.levels[:0]
			p.pos += 3
			if p.spaces(); p.pos < len(p.text) && !strings.ContainsRune("\r\n#", rune(p.text[p.pos])) {
				p.fail("a value on the line of a document marker is not supported")
			}
			p.skipLine()
		case rest[0] == '%':
			p.skipLine()
		default:
			p.entry(&roots)
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	out := make([]Node, 0, len(roots))
	for _, i := range roots {
		out = append(out, Node{&p.tree, i})
	}
	return out, nil
}

func marker(rest, m string) bool {
	return strings.HasPrefix(rest, m) && (len(rest) == 3 || strings.IndexByte(" \t\r\n", rest[3]) >= 0)
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &Error{Line: p.line, Message: fmt.Sprintf(format, args...)}
	}
	p.pos = len(p.text)
}

func (p *parser) skipLine() {
	i := strings.IndexByte(p.text[p.pos:], '\n')
	if i < 0 {
		p.pos = len(p.text)
		return
	}
	p.advance(p.pos + i + 1)
}

// advance moves to a later position and counts the lines between.
func (p *parser) advance(to int) {
	passed := p.text[p.pos:to]
	if n := strings.Count(passed, "\n"); n > 0 {
		p.line += n
		p.lineStart = p.pos + strings.LastIndexByte(passed, '\n') + 1
	}
	p.pos = to
}

func (p *parser) spaces() {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
}

// atEnd reports whether nothing but a comment is left of the line.
func (p *parser) atEnd() bool {
	if p.pos >= len(p.text) {
		return true
	}
	switch p.text[p.pos] {
	case '\n', '\r', '#':
		return true
	}
	return false
}

// entry reads a line with all that belongs to its value.
func (p *parser) entry(roots *[]int32) {
	for p.pos < len(p.text) && p.text[p.pos] == ' ' {
		p.pos++
	}
	indent := p.pos - p.lineStart
	if p.pos < len(p.text) && p.text[p.pos] == '\t' {
		if p.spaces(); !p.atEnd() {
			p.fail("indented by a tab, which YAML does not allow")
		}
	}
	if p.atEnd() {
		p.skipLine()
		return
	}
	if len(p.levels) == 0 {
		*roots = append(*roots, p.add(node{line: int32(p.line)}))
		p.open((*roots)[len(*roots)-1], indent)
	}
	dash := p.follows('-')
	if !p.settle(indent, dash) {
		return
	}
	p.member(indent)
	p.skipLine()
}

// follows reports whether the character stands here by itself: "- a", "? a".
func (p *parser) follows(c byte) bool {
	if p.text[p.pos] != c {
		return false
	}
	return p.pos+1 == len(p.text) || strings.IndexByte(" \t\r\n", p.text[p.pos+1]) >= 0
}

// maxNodes is how many keys and items a text may have: ten for each of the most
// packages that a lockfile may hold.
const maxNodes = 2_000_000

func (p *parser) add(n node) int32 {
	if len(p.nodes) >= maxNodes {
		p.fail("more than %d keys and items: no lockfile has that many", maxNodes)
		return int32(len(p.nodes) - 1)
	}
	p.nodes = append(p.nodes, n)
	return int32(len(p.nodes) - 1)
}

func (p *parser) open(owner int32, indent int) {
	if len(p.levels) >= MaxDepth {
		p.fail("nested deeper than %d levels", MaxDepth)
		return
	}
	p.levels = append(p.levels, level{owner: owner, indent: indent})
}

func (p *parser) top() *level { return &p.levels[len(p.levels)-1] }

// settle closes the levels that a line of this indentation ends, opens the one
// that it begins, and reports whether the line is a member of the top level.
func (p *parser) settle(indent int, dash bool) bool {
	for len(p.levels) > 1 {
		top := p.top()
		if top.indent < indent || top.indent == indent && (top.kind != List || dash) {
			break
		}
		p.levels = p.levels[:len(p.levels)-1]
	}
	top := p.top()
	if top.indent > indent {
		p.fail("indented less than the lines above")
		return false
	}
	if top.last != 0 && (indent > top.indent || dash && top.kind == Map) {
		// Only a key without a value, or an empty item, can have lines below.
		if p.nodes[top.last].kind != Absent {
			p.fail("a line that belongs to nothing above it%s", p.conflict())
			return false
		}
		p.open(top.last, indent)
	} else if indent > top.indent {
		p.fail("indented more than the lines above")
	}
	return p.err == nil
}

// conflict explains a line of a merge that was left unresolved.
func (p *parser) conflict() string {
	for _, m := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
		if strings.HasPrefix(p.text[p.lineStart:], m) {
			return ": a merge conflict that was left unresolved"
		}
	}
	return ""
}

// member reads an entry or item of the top level; pos stands at its first byte.
func (p *parser) member(indent int) {
	switch {
	case p.follows('-'):
		if p.kind(List); p.err != nil {
			return
		}
		item := p.append(node{line: int32(p.line), column: int32(indent + 1), columnEnd: int32(indent + 2)})
		p.pos++
		p.compact(item)
	case p.follows('?'):
		if p.kind(Map); p.err != nil {
			return
		}
		p.pos++
		p.spaces()
		start, line, column := p.pos, p.line, p.pos-p.lineStart+1
		holder := node{}
		if p.atEnd() {
			p.fail("a key is expected after the question mark")
			return
		}
		p.scalar(&holder, indent)
		if p.err != nil {
			return
		}
		key := decode(p.text[holder.start:holder.end], holder.style)
		p.append(node{key: key, line: int32(line), column: int32(column), columnEnd: int32(column + int(holder.end) - start)})
	case p.follows(':'):
		top := p.top()
		if top.kind != Map || top.last == 0 || p.nodes[top.last].kind != Absent {
			p.fail("a value without a key")
			return
		}
		p.pos++
		p.compact(top.last)
	default:
		p.pair(indent)
	}
}

// compact reads what follows "- " or ": ": a value, or a mapping or sequence
// that begins on the same line.
func (p *parser) compact(owner int32) {
	p.spaces()
	if p.atEnd() {
		return
	}
	indent := p.pos - p.lineStart
	if p.follows('-') || p.follows('?') || p.isPair() {
		p.open(owner, indent)
		if p.err == nil {
			p.member(indent)
		}
		return
	}
	p.value(owner, p.top().indent)
}

func (p *parser) kind(k Kind) {
	top := p.top()
	if top.kind == Absent {
		top.kind = k
		p.nodes[top.owner].kind = k
	}
	if top.kind != k {
		p.fail("a mapping and a sequence are mixed%s", p.conflict())
	}
}

func (p *parser) append(n node) int32 {
	i := p.add(n)
	top := p.top()
	if top.last == 0 {
		p.nodes[top.owner].child = i
	} else {
		p.nodes[top.last].next = i
	}
	top.last = i
	return i
}

// keyEnd finds the colon behind the key at pos; -1 if this is no pair.
func (p *parser) keyEnd() (end, colon int) {
	line := p.text[p.pos:]
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	if c := line[0]; c == '"' || c == '\'' {
		n := quoted(line)
		if n < 0 {
			return -1, -1
		}
		rest := strings.TrimLeft(line[n:], " ")
		if !pairColon(rest) {
			return -1, -1
		}
		return p.pos + n, p.pos + len(line) - len(rest)
	}
	if strings.IndexByte("[{#&*!|>%@`", line[0]) >= 0 {
		return -1, -1
	}
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == ':' && pairColon(line[i:]):
			return p.pos + len(strings.TrimRight(line[:i], " \t")), p.pos + i
		case line[i] == '#' && i > 0 && line[i-1] == ' ':
			return -1, -1
		}
	}
	return -1, -1
}

func pairColon(s string) bool {
	return s != "" && s[0] == ':' && (len(s) == 1 || strings.IndexByte(" \t\r\n", s[1]) >= 0)
}

func (p *parser) isPair() bool {
	_, colon := p.keyEnd()
	return colon >= 0
}

// quoted is the length of the quoted scalar that s begins with, -1 if it has no
// end.
func quoted(s string) int {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '"':
			i++
		case s[i] == quote && quote == '\'' && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return -1
}

// pair reads "key: value".
func (p *parser) pair(indent int) {
	end, colon := p.keyEnd()
	if colon < 0 {
		switch p.text[p.pos] {
		case '*', '&':
			p.fail("anchors and aliases are not supported")
		default:
			p.fail("a key and a colon are expected%s", p.conflict())
		}
		return
	}
	if p.kind(Map); p.err != nil {
		return
	}
	key := p.text[p.pos:end]
	if key != "" && (key[0] == '"' || key[0] == '\'') {
		s := double
		if key[0] == '\'' {
			s = single
		}
		key = decode(key, s)
	}
	column := int32(p.pos - p.lineStart + 1)
	i := p.append(node{key: key, line: int32(p.line), column: column, columnEnd: column + int32(end-p.pos)})
	p.pos = colon + 1
	if p.spaces(); !p.atEnd() {
		p.value(i, indent)
	}
}

// value reads the scalar or flow collection at pos into a node.
func (p *parser) value(owner int32, indent int) {
	switch p.text[p.pos] {
	case '{', '[':
		p.flow(owner, len(p.levels))
		if p.spaces(); p.err == nil && !p.atEnd() {
			p.fail("text after a closing bracket")
		}
		return
	}
	n := p.nodes[owner]
	p.scalar(&n, indent)
	p.nodes[owner] = n
}
