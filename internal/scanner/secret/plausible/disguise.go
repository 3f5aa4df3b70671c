package plausible

import (
	"encoding/base64"
)

// disguise looks through two disguises that make words look random: letters
// written as digits (P@ssw0rd) and base64. It returns why the value beneath is
// no credential, or nothing.
func disguise(v []byte, p *profile, c *Context, n *name) string {
	if len(v) <= 24 && p.digit+p.symbol > 0 && leet(v) {
		return tooWordy
	}
	if !p.base64 || len(v) < 8 || len(v) > 512 || len(v)%4 == 1 {
		return ""
	}
	var buf [512]byte
	trimmed := v
	for len(trimmed) > 0 && trimmed[len(trimmed)-1] == '=' {
		trimmed = trimmed[:len(trimmed)-1]
	}
	size, err := base64.RawStdEncoding.Decode(buf[:], trimmed)
	if err != nil || size < 5 {
		return ""
	}
	inner := buf[:size]
	for len(inner) > 0 && (inner[len(inner)-1] == '\n' || inner[len(inner)-1] == '\r') {
		inner = inner[:len(inner)-1]
	}
	for _, b := range inner {
		if b < 0x20 || b >= 0x7f {
			return "" // no text: keys are encoded so
		}
	}
	// user:password
	for i, b := range inner {
		if b == ':' && i > 0 && i+1 < len(inner) {
			inner = inner[i+1:]
			break
		}
	}
	if len(inner) < 3 {
		return "encoded words"
	}
	ip := profileOf(inner)
	if ip.space > 0 {
		return "encoded text"
	}
	if _, is := placeholder(inner); is {
		return "encoded placeholder"
	}
	x := surprise(inner)
	ic := *c
	ic.Kind = Password
	ic.Assignment = nil
	ic.Value = inner
	if r := x.rejects(inner, &ip, &ic, &name{}); r != "" {
		return "encoded words"
	}
	return ""
}

// leet reports whether v is made of words when digits and symbols that look
// like letters are read as these.
func leet(v []byte) bool {
	var buf [24]byte
	changed := 0
	for i, b := range v {
		l := b
		switch b {
		case '0':
			l = 'o'
		case '1', '!', '|':
			l = 'i'
		case '3':
			l = 'e'
		case '4', '@':
			l = 'a'
		case '5', '$':
			l = 's'
		case '7', '+':
			l = 't'
		case '8':
			l = 'b'
		}
		if l != b {
			changed++
		}
		buf[i] = l
	}
	if changed == 0 {
		return false
	}
	read := buf[:len(v)]
	x := surprise(read)
	if x.words > 0 && x.strange <= 2 {
		return true
	}
	// A number or mark behind the word stays what it is.
	end := len(v)
	for end > 0 && !isLetter(v[end-1]) {
		end--
	}
	if end < 4 || end == len(v) {
		return false
	}
	x = surprise(read[:end])
	return x.words > 0 && x.strange == 0 && len(v)-end <= 4
}
