package jsontext

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// enter opens an object or array.
func (d *Decoder) enter() bool {
	if d.depth++; d.depth > MaxDepth {
		d.fail("nested deeper than %d levels", MaxDepth)
		return false
	}
	d.pos++
	return true
}

// more moves to the next member of an object or array that ends with end; false
// at the end and after an error.
func (d *Decoder) more(end byte, first bool) bool {
	c := d.peek()
	if !first && c == ',' {
		d.pos++
		if c = d.peek(); c == end && !d.jsonc {
			d.fail("a comma before the closing %q", end)
			return false
		}
	} else if !first && c != end && d.err == nil {
		d.unexpected("a comma or the closing %q is expected", end)
		return false
	}
	if c == end {
		d.pos++
		d.depth--
		return false
	}
	if d.members++; d.members > MaxMembers {
		d.fail("more than %d keys and elements: no lockfile has that many; check where it comes from", MaxMembers)
		return false
	}
	if c == 0 {
		d.unexpected("a member or the closing %q is expected", end)
		return false
	}
	return true
}

// expect reports whether the next value has the kind; another one is passed
// over.
func (d *Decoder) expect(want Kind) bool {
	got := d.Kind()
	if got == want {
		return true
	}
	if d.err == nil {
		if got != Null && got != None {
			d.mismatch(d.pos, want, got)
		}
		d.Skip()
	}
	return false
}

func (d *Decoder) mismatch(offset int, want, got Kind) {
	if len(d.mismatches) >= maxMismatches {
		return
	}
	m := Mismatch{Line: d.Line(offset), Want: want, Got: got}
	if key := d.data[d.keyStart:d.keyEnd]; len(key) > 2 {
		m.Key = string(bytes.ToValidUTF8(key[1:min(len(key)-1, 65)], []byte("\ufffd")))
	}
	d.mismatches = append(d.mismatches, m)
}

// peek passes over white space and returns the next byte, 0 at the end.
func (d *Decoder) peek() byte {
	for d.pos < len(d.data) && d.err == nil {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		case '/':
			if !d.jsonc {
				return c
			}
			d.comment()
		default:
			return c
		}
	}
	return 0
}

func (d *Decoder) comment() {
	rest := d.data[d.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			d.pos += i
		} else {
			d.pos = len(d.data)
		}
	case bytes.HasPrefix(rest, []byte("/*")):
		i := bytes.Index(rest[2:], []byte("*/"))
		if i < 0 {
			d.fail("a comment without an end")
			return
		}
		d.pos += i + 4
	default:
		d.fail("an unexpected slash")
	}
}

func (d *Decoder) fail(format string, args ...any) {
	if d.err == nil {
		line, column := d.Position(d.pos)
		d.err = &SyntaxError{Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
	}
}

// unexpected fails; at the end of the input it says so.
func (d *Decoder) unexpected(format string, args ...any) {
	if d.pos >= len(d.data) {
		d.fail("the text ends in the middle of a value: the file is cut short")
		return
	}
	d.fail(format, args...)
}

func (d *Decoder) word(w string) {
	if !bytes.HasPrefix(d.data[d.pos:], []byte(w)) {
		d.unexpected("a value is expected")
		return
	}
	d.pos += len(w)
}

func (d *Decoder) digits() int {
	n := 0
	for d.pos < len(d.data) && '0' <= d.data[d.pos] && d.data[d.pos] <= '9' {
		d.pos++
		n++
	}
	return n
}

func (d *Decoder) number() {
	start := d.pos
	at := func(set string) bool {
		if d.pos < len(d.data) && bytes.IndexByte([]byte(set), d.data[d.pos]) >= 0 {
			d.pos++
			return true
		}
		return false
	}
	at("-")
	first := d.pos
	n := d.digits()
	good := n > 0 && (n == 1 || d.data[first] != '0')
	if good && at(".") {
		good = d.digits() > 0
	}
	if good && at("eE") {
		at("+-")
		good = d.digits() > 0
	}
	if !good {
		if d.pos < len(d.data) {
			d.pos = start
		}
		d.unexpected("a value is expected")
	}
}

// skipText passes over a string and reports whether it is plain: no escapes and
// nothing but ASCII.
func (d *Decoder) skipText() (plain, ok bool) {
	plain = true
	for i := d.pos + 1; i < len(d.data); i++ {
		switch c := d.data[i]; {
		case c == '"':
			d.pos = i + 1
			return plain, true
		case c == '\\':
			plain = false
			i++
			if i < len(d.data) && bytes.IndexByte([]byte(`"\/bfnrtu`), d.data[i]) < 0 {
				d.pos = i
				d.fail("an unknown escape in a string")
				return false, false
			}
			if i < len(d.data) && d.data[i] == 'u' && hex4(d.data[i+1:]) < 0 {
				if d.pos = i; len(d.data)-i < 5 {
					d.pos = len(d.data)
				}
				d.unexpected("four hexadecimal digits are expected after \\u")
				return false, false
			}
		case c < ' ':
			d.pos = i
			d.fail("a control character in a string")
			return false, false
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	d.pos = len(d.data)
	d.unexpected("")
	return false, false
}

// text reads the string at pos.
func (d *Decoder) text() ([]byte, bool) {
	start := d.pos + 1
	plain, ok := d.skipText()
	if !ok {
		return nil, false
	}
	raw := d.data[start : d.pos-1]
	if plain {
		return raw, true
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return bytes.ToValidUTF8(raw, []byte("\ufffd")), true
	}
	return bytes.ToValidUTF8(unescape(raw), []byte("\ufffd")), true
}

// unescape decodes the escapes of a string that skipText has found good.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				second := rune(-1)
				if len(raw) > i+6 && raw[i+1] == '\\' && raw[i+2] == 'u' {
					second = hex4(raw[i+3:])
				}
				if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default: // " \ / stand for themselves
			out = append(out, raw[i])
		}
	}
	return out
}

// hex4 is the value of four hexadecimal digits, -1 if they are not.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}
