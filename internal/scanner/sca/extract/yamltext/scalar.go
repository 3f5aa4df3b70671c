package yamltext

import "strings"

// scalar reads the scalar at pos, on one or several lines, into n. The lines
// that belong to it are those indented deeper than indent.
func (p *parser) scalar(n *node, indent int) {
	n.kind = Scalar
	n.start = int32(p.pos)
	switch p.text[p.pos] {
	case '"', '\'':
		n.style = double
		if p.text[p.pos] == '\'' {
			n.style = single
		}
		size := quoted(p.text[p.pos:])
		if size < 0 {
			p.fail("a quoted text without an end: the file is cut short")
			return
		}
		p.advance(p.pos + size)
		n.end = int32(p.pos)
		if p.spaces(); !p.atEnd() {
			p.fail("text after a closing quote")
		}
	case '|', '>':
		n.style = literal
		if p.text[p.pos] == '>' {
			n.style = folded
		}
		p.skipLine()
		n.start = int32(p.pos)
		n.end = n.start
		for p.pos < len(p.text) && (p.deeper(indent) || p.blank()) {
			p.skipLine()
			n.end = int32(p.pos)
		}
		p.back()
	case '&', '*':
		p.fail("anchors and aliases are not supported")
	case '!':
		p.fail("tags are not supported")
	case '@', '`', '%':
		p.fail("a value that begins with %q must be in quotes", p.text[p.pos])
	default:
		n.end = int32(p.plainEnd())
		p.pos = int(n.end)
		// A plain text may go on, indented deeper.
		for p.continues(indent) {
			p.skipLine()
			p.spaces()
			n.end = int32(p.plainEnd())
			p.pos = int(n.end)
		}
	}
}

// plainEnd is the end of the plain text on this line.
func (p *parser) plainEnd() int {
	line := p.text[p.pos:]
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	if i := strings.Index(line, " #"); i >= 0 {
		line = line[:i]
	}
	return p.pos + len(strings.TrimRight(line, " \t\r"))
}

// continues reports whether the next line goes on with the plain text at pos.
func (p *parser) continues(indent int) bool {
	i := strings.IndexByte(p.text[p.pos:], '\n')
	if i < 0 {
		return false
	}
	next := p.text[p.pos+i+1:]
	rest := strings.TrimLeft(next[:min(len(next), indent+2)], " ")
	if len(next) < indent+2 || len(rest) > 1 {
		return false // not deeper
	}
	rest = strings.TrimLeft(next, " ")
	return rest != "" && strings.IndexByte("\r\n#", rest[0]) < 0
}

// deeper reports whether the line at pos is indented deeper than indent.
func (p *parser) deeper(indent int) bool {
	line := p.text[p.pos:]
	if len(line) <= indent+1 {
		return false
	}
	for _, c := range []byte(line[:indent+1]) {
		if c != ' ' {
			return false
		}
	}
	return true
}

func (p *parser) blank() bool {
	for i := p.pos; i < len(p.text); i++ {
		switch p.text[i] {
		case '\n':
			return true
		case ' ', '\t', '\r':
		default:
			return false
		}
	}
	return true
}

// back moves from the start of a line to the end of the one before, so that
// whoever reads lines goes on with this one.
func (p *parser) back() {
	if p.pos > 0 && p.text[p.pos-1] == '\n' {
		p.pos--
		p.line--
		p.lineStart = strings.LastIndexByte(p.text[:p.pos], '\n') + 1
	}
}

// gap passes over white space, line breaks and comments within brackets.
func (p *parser) gap() byte {
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; c {
		case ' ', '\t', '\r':
			p.pos++
		case '\n', '#':
			p.skipLine()
		default:
			return c
		}
	}
	return 0
}

// flow reads the collection in brackets at pos into a node.
func (p *parser) flow(owner int32, depth int) {
	if depth >= MaxDepth {
		p.fail("nested deeper than %d levels", MaxDepth)
		return
	}
	kind, end := Map, byte('}')
	if p.text[p.pos] == '[' {
		kind, end = List, ']'
	}
	p.nodes[owner].kind = kind
	p.pos++
	last := int32(0)
	for p.err == nil {
		c := p.gap()
		if c == end {
			p.pos++
			return
		}
		if c == 0 {
			p.fail("brackets without an end: the file is cut short")
			return
		}
		i := p.flowMember(kind, depth)
		if last == 0 {
			p.nodes[owner].child = i
		} else {
			p.nodes[last].next = i
		}
		last = i
		switch c := p.gap(); {
		case c == ',':
			p.pos++
		case c == 0:
			p.fail("brackets without an end: the file is cut short")
		case c != end && p.err == nil:
			p.fail("a comma or the closing %q is expected", end)
		}
	}
}

func (p *parser) flowMember(kind Kind, depth int) int32 {
	column := int32(p.pos - p.lineStart + 1)
	i := p.add(node{line: int32(p.line), column: column, columnEnd: column})
	if kind == Map {
		start := p.pos
		var key node
		if !p.flowScalar(&key) {
			return i
		}
		p.nodes[i].key = decode(p.text[key.start:key.end], key.style)
		p.nodes[i].columnEnd = column + int32(p.pos-start)
		if p.gap() != ':' {
			return i // a key without a value
		}
		p.pos++
	}
	switch c := p.gap(); c {
	case '{', '[':
		p.flow(i, depth+1)
	case ',', '}', ']':
		if kind == List {
			p.fail("a value is expected")
		}
	default:
		value := p.nodes[i]
		p.flowScalar(&value)
		p.nodes[i] = value
	}
	return i
}

// flowScalar reads a scalar within brackets.
func (p *parser) flowScalar(n *node) bool {
	n.kind = Scalar
	n.start = int32(p.pos)
	if p.pos >= len(p.text) {
		p.fail("brackets without an end: the file is cut short")
		return false
	}
	switch c := p.text[p.pos]; c {
	case '"', '\'':
		n.style = double
		if c == '\'' {
			n.style = single
		}
		size := quoted(p.text[p.pos:])
		if size < 0 {
			p.fail("a quoted text without an end: the file is cut short")
			return false
		}
		p.advance(p.pos + size)
		n.end = int32(p.pos)
		return true
	case '&', '*':
		p.fail("anchors and aliases are not supported")
		return false
	case '!':
		p.fail("tags are not supported")
		return false
	}
	i := p.pos
scan:
	for ; i < len(p.text); i++ {
		switch c := p.text[i]; c {
		case ',', '[', ']', '{', '}', '\n':
			break scan
		case ':':
			if i+1 == len(p.text) || strings.IndexByte(" \t\r\n,[]{}", p.text[i+1]) >= 0 {
				break scan
			}
		case '#':
			if i > p.pos && p.text[i-1] == ' ' {
				break scan
			}
		}
	}
	n.end = int32(p.pos + len(strings.TrimRight(p.text[p.pos:i], " \t\r")))
	if n.end == n.start {
		p.fail("a value is expected")
		return false
	}
	p.pos = i
	return true
}
