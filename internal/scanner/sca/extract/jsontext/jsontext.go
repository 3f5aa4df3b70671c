// Package jsontext reads JSON written by strangers and keeps the positions: a
// pull reader over the bytes, without reflection and without a tree, that tells
// for every key on which line it stands. It is for lockfiles and manifests,
// which are large, of which only some keys matter, and where every finding must
// point at a line.
//
//	d := jsontext.New(content)
//	for key := range d.Object() {
//		switch string(key) {
//		case "name":
//			name = d.String()
//		case "dependencies":
//			for dep := range d.Object() {
//				line := d.Line(d.KeyStart())
//				…
//			}
//		}
//	}
//	if err := d.End(); err != nil { … }
//
// A value that the loop's body does not take is skipped (and still checked). The
// first syntax error ends all loops and is what Err and End return. A value of
// another type than asked for is skipped, yields the zero value and is
// remembered (Mismatches); null yields the zero value silently. A repeated key
// is handed out each time: the caller decides, since JSON's readers take the
// last and an attacker may count on that.
//
// Time and memory are linear in the input; nesting is limited to MaxDepth, and
// the number of keys and elements to MaxMembers. It does not write JSON and maps nothing onto structs; encoding/json does that.
package jsontext

import (
	"bytes"
	"fmt"
	"iter"
	"strconv"
)

// MaxDepth is how deeply objects and arrays may nest.
const MaxDepth = 64

// MaxMembers is how many keys of objects and elements of arrays one text may
// hold. What readers keep of a text is bounded by it: the largest lockfiles known
// have some 500,000.
const MaxMembers = 4_000_000

// maxMismatches is how many mismatches are kept; more only bury the first.
const maxMismatches = 20

// Kind is the type of a value.
type Kind byte

// The kinds. None is the end of the input, or no value at all.
const (
	None Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "true or false"
	case Number:
		return "a number"
	case String:
		return "a string"
	case Array:
		return "an array"
	case Object:
		return "an object"
	}
	return "nothing"
}

// SyntaxError says where the text stops being JSON.
type SyntaxError struct {
	Line, Column int // from 1; Column counts bytes
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Mismatch is a value of another type than the format has there.
type Mismatch struct {
	Line      int
	Key       string // the innermost key, if any
	Want, Got Kind
}

func (m Mismatch) String() string {
	return fmt.Sprintf("%q is %s where %s is expected", m.Key, m.Got, m.Want)
}

// Decoder reads one JSON text. It is not safe for concurrent use.
type Decoder struct {
	data       []byte
	pos        int
	depth      int
	members    int
	jsonc      bool
	err        *SyntaxError
	keyStart   int
	keyEnd     int
	lines      lineIndex
	mismatches []Mismatch
}

// New returns a decoder of strict JSON (RFC 8259). A byte order mark is passed
// over. The decoder keeps data and does not change it.
func New(data []byte) *Decoder {
	d := &Decoder{data: data}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		d.pos = 3
	}
	return d
}

// NewJSONC returns a decoder that also takes // and /* */ comments and a comma
// after the last element.
func NewJSONC(data []byte) *Decoder {
	d := New(data)
	d.jsonc = true
	return d
}

// Err is the first syntax error, nil if there is none so far.
func (d *Decoder) Err() error {
	if d.err == nil {
		return nil
	}
	return d.err
}

// End checks that nothing follows the value, and returns the first syntax error.
func (d *Decoder) End() error {
	if d.err == nil && d.peek() != 0 {
		d.fail("text after the end of the JSON value")
	}
	if d.err == nil && d.pos < len(d.data) {
		d.fail("a NUL byte after the end of the JSON value")
	}
	return d.Err()
}

// Mismatches are the values of an unexpected type, the first 20.
func (d *Decoder) Mismatches() []Mismatch { return d.mismatches }

// KeyStart is the offset of the opening quote of the key that the innermost
// running Object loop handed out last; read it before reading the value.
func (d *Decoder) KeyStart() int { return d.keyStart }

// KeyEnd is the offset behind the closing quote of that key.
func (d *Decoder) KeyEnd() int { return d.keyEnd }

// Offset is where the decoder stands; before a value is read, its first byte.
func (d *Decoder) Offset() int {
	d.peek()
	return d.pos
}

// Kind tells the type of the next value without taking it.
func (d *Decoder) Kind() Kind {
	if d.err != nil {
		return None
	}
	switch c := d.peek(); {
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '"':
		return String
	case c == 't' || c == 'f':
		return Bool
	case c == 'n':
		return Null
	case c == '-' || '0' <= c && c <= '9':
		return Number
	}
	return None
}

// Object reads an object and hands out its keys. The key is valid for good and
// must not be changed. Leaving the loop early skips the rest of the object.
func (d *Decoder) Object() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !d.expect(Object) || !d.enter() {
			return
		}
		going := true
		for first := true; ; first = false {
			if !d.more('}', first) {
				return
			}
			start := d.pos
			if d.data[d.pos] != '"' {
				d.fail("a key in quotes is expected")
				return
			}
			key, ok := d.text()
			if !ok {
				return
			}
			end := d.pos
			if d.peek() != ':' {
				d.fail("a colon is expected after a key")
				return
			}
			d.pos++
			d.peek()
			value := d.pos
			if going {
				d.keyStart, d.keyEnd = start, end
				going = yield(key)
			}
			if d.err == nil && d.pos == value {
				d.Skip()
			}
			if d.err != nil {
				return
			}
		}
	}
}

// Array reads an array and hands out the indices of its elements.
func (d *Decoder) Array() iter.Seq[int] {
	return func(yield func(int) bool) {
		if !d.expect(Array) || !d.enter() {
			return
		}
		going := true
		for i := 0; ; i++ {
			if !d.more(']', i == 0) {
				return
			}
			value := d.pos
			if going {
				going = yield(i)
			}
			if d.err == nil && d.pos == value {
				d.Skip()
			}
			if d.err != nil {
				return
			}
		}
	}
}

// String reads a string. Invalid UTF-8 becomes U+FFFD.
func (d *Decoder) String() string { return string(d.Text()) }

// Text reads a string without copying it where it has no escapes: what it
// returns may be a part of the input and must not be changed.
func (d *Decoder) Text() []byte {
	if !d.expect(String) {
		return nil
	}
	b, _ := d.text()
	return b
}

// Bool reads true or false.
func (d *Decoder) Bool() bool {
	if !d.expect(Bool) {
		return false
	}
	value := d.data[d.pos] == 't'
	d.Skip()
	return value
}

// Int reads a whole number; a fraction or an overflow is a mismatch.
func (d *Decoder) Int() int64 {
	if !d.expect(Number) {
		return 0
	}
	start := d.pos
	d.Skip()
	n, err := strconv.ParseInt(string(d.data[start:min(d.pos, start+24)]), 10, 64)
	if err != nil {
		d.mismatch(start, Number, Number)
		return 0
	}
	return n
}

// Raw reads any value and returns its bytes, a part of the input.
func (d *Decoder) Raw() []byte {
	d.peek()
	start := d.pos
	d.Skip()
	if d.err != nil {
		return nil
	}
	return d.data[start:d.pos]
}

// Skip passes over one value of any type, and checks it.
func (d *Decoder) Skip() {
	if d.err != nil {
		return
	}
	switch d.peek() {
	case '{':
		keyStart, keyEnd := d.keyStart, d.keyEnd
		for range d.Object() { // the loop skips what its body leaves
		}
		d.keyStart, d.keyEnd = keyStart, keyEnd
	case '[':
		for range d.Array() {
		}
	case '"':
		d.skipText()
	case 't':
		d.word("true")
	case 'f':
		d.word("false")
	case 'n':
		d.word("null")
	default:
		d.number()
	}
}

// Line is the line of an offset, from 1.
func (d *Decoder) Line(offset int) int {
	line, _ := d.Position(offset)
	return line
}

// Position is the line and the column in bytes of an offset, both from 1.
func (d *Decoder) Position(offset int) (line, column int) {
	return d.lines.position(d.data, offset)
}
