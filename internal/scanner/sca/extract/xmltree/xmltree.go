// Package xmltree reads an XML file that declares dependencies into a small
// tree with the place of each element. It is made for strangers' files: nesting
// and the number of elements are limited, entities of a document type are never
// expanded and nothing is fetched. It knows nothing of namespaces (prefixes are
// cut off) and is no general reader of XML: comments, processing instructions
// and document types are passed over.
package xmltree

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"bulwark/internal/scanner/sca/extract"
)

// MaxElements is how many elements a file may have.
const MaxElements = 2_000_000

// Element is an element with what it holds. A nil *Element has no children, no
// attributes and no text.
type Element struct {
	Name     string
	Attrs    []Attr
	Text     string // own text, without that of children, trimmed
	Children []*Element
	// Line and Column, from 1, are where the start tag begins, EndColumn is
	// behind it if it ends on the same line, otherwise 0. TextLine, TextColumn
	// and TextEnd are the same of the text, 0 if there is none.
	Line, Column, EndColumn       int
	TextLine, TextColumn, TextEnd int
}

// Attr is an attribute.
type Attr struct{ Name, Value string }

// Attr returns the value of an attribute; names are compared without case, as
// MSBuild does and as Maven has none.
func (e *Element) Attr(name string) string {
	v, _ := e.Lookup(name)
	return v
}

// Lookup is Attr that also tells whether the attribute is there.
func (e *Element) Lookup(name string) (string, bool) {
	if e == nil {
		return "", false
	}
	for _, a := range e.Attrs {
		if strings.EqualFold(a.Name, name) {
			return a.Value, true
		}
	}
	return "", false
}

// Child returns the first child of that name, nil if there is none.
func (e *Element) Child(name string) *Element {
	if e == nil {
		return nil
	}
	for _, c := range e.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Value is the text of the first child of that name.
func (e *Element) Value(name string) string {
	if c := e.Child(name); c != nil {
		return c.Text
	}
	return ""
}

// All returns the children of e of that name.
func (e *Element) All(name string) []*Element {
	if e == nil {
		return nil
	}
	var out []*Element
	for _, c := range e.Children {
		if c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// Root returns the name of the first element without reading further, "" if
// there is none.
func Root(content []byte) string {
	d := decoder(utf8Of(content))
	for {
		t, err := d.RawToken()
		if err != nil {
			return "" // the reader of the whole file reports it
		}
		if s, ok := t.(xml.StartElement); ok {
			return s.Name.Local
		}
	}
}

func decoder(content []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(content))
	d.Strict = true
	d.Entity = nil
	// The content is UTF-8 already, whatever the declaration says.
	d.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	return d
}

// Parse reads a whole file and returns its root element. An error tells the line.
func Parse(content []byte) (*Element, error) {
	content = utf8Of(content)
	d := decoder(content)
	at := places{content: content, line: 1}
	var (
		root  *Element
		stack []*Element
		count int
	)
	for {
		start := int(d.InputOffset())
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, syntax(err, at.lineOf(int(d.InputOffset())))
		}
		end := int(d.InputOffset())
		switch t := token.(type) {
		case xml.StartElement:
			if count++; count > MaxElements {
				return nil, fmt.Errorf("line %d: more than %d elements", at.lineOf(start), MaxElements)
			}
			if len(stack) >= extract.MaxDepth {
				return nil, fmt.Errorf("line %d: elements nested deeper than %d levels", at.lineOf(start), extract.MaxDepth)
			}
			if len(stack) == 0 && root != nil {
				return nil, fmt.Errorf("line %d: a second root element", at.lineOf(start))
			}
			e := &Element{Name: t.Name.Local}
			e.Line, e.Column, e.EndColumn = at.span(start, end)
			if len(t.Attr) > 0 {
				e.Attrs = make([]Attr, len(t.Attr))
				for i, a := range t.Attr {
					e.Attrs[i] = Attr{a.Name.Local, a.Value}
				}
			}
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.Children = append(top.Children, e)
			} else {
				root = e
			}
			stack = append(stack, e)
		case xml.EndElement:
			if len(stack) == 0 || stack[len(stack)-1].Name != t.Name.Local {
				return nil, fmt.Errorf("line %d: </%s> closes nothing", at.lineOf(start), short(t.Name.Local))
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) == 0 {
				continue
			}
			text := bytes.TrimSpace(t)
			if len(text) == 0 {
				continue
			}
			e := stack[len(stack)-1]
			if e.Text == "" {
				from, to := start, end
				for from < to && isSpace(content[from]) {
					from++
				}
				for to > from && isSpace(content[to-1]) {
					to--
				}
				e.Text = string(text)
				e.TextLine, e.TextColumn, e.TextEnd = at.span(from, to)
			} else if len(e.Text) <= extract.MaxName { // split by a comment
				e.Text += string(text)
			}
		}
	}
	if len(stack) > 0 {
		return nil, fmt.Errorf("line %d: the file ends before </%s>: it is cut short", at.lineOf(len(content)), short(stack[len(stack)-1].Name))
	}
	if root == nil {
		return nil, errors.New("no element: not an XML file")
	}
	return root, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func short(s string) string { return s[:min(len(s), 64)] }

func syntax(err error, line int) error {
	var s *xml.SyntaxError
	if errors.As(err, &s) {
		return fmt.Errorf("line %d: %s", line, s.Msg)
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// places turns offsets, asked for in rising order, into lines and columns.
type places struct {
	content []byte
	offset  int
	line    int
	begin   int // offset of the first byte of the line
}

func (p *places) lineOf(offset int) int {
	line, _, _ := p.span(offset, offset)
	return line
}

func (p *places) span(start, end int) (line, column, endColumn int) {
	start = max(p.offset, min(start, len(p.content)))
	end = max(start, min(end, len(p.content)))
	passed := p.content[p.offset:start]
	p.line += bytes.Count(passed, []byte{'\n'})
	if i := bytes.LastIndexByte(passed, '\n'); i >= 0 {
		p.begin = p.offset + i + 1
	}
	p.offset = start
	column = start - p.begin + 1
	if bytes.IndexByte(p.content[start:end], '\n') >= 0 {
		return p.line, column, 0
	}
	return p.line, column, column + end - start
}

// utf8Of turns UTF-16 and what is not UTF-8 (taken for ISO 8859-1) into UTF-8
// and cuts a byte order mark off. Columns then count bytes of the UTF-8 text.
func utf8Of(b []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		b = b[3:]
	}
	if order != nil {
		units := make([]uint16, 0, len(b)/2)
		for i := 2; i+1 < len(b); i += 2 {
			units = append(units, order.Uint16(b[i:]))
		}
		return []byte(string(utf16.Decode(units)))
	}
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/8)
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}
