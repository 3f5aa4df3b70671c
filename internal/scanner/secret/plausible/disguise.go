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

// leet reports whether v is made of words when the digits and symbols inside
// them that look like letters are read as these. Digits and marks behind a word
// stay what they are.
func leet(v []byte) bool {
	var buf [24]byte
	end := len(v)
	for end > 0 && !isLetter(v[end-1]) && v[end-1] != '$' {
		end--
	}
	if end < 4 || end > len(buf) {
		return false
	}
	changed := false
	for i, b := range v[:end] {
		l := looksLike(b)
		changed = changed || l != b
		buf[i] = l
	}
	if !changed {
		return false
	}
	x := surprise(buf[:end])
	return x.words > 0 && x.strange <= 2 && len(v)-end <= 4
}

// looksLike returns the letter that b is written for, or b.
func looksLike(b byte) byte {
	switch b {
	case '0':
		return 'o'
	case '1', '!', '|':
		return 'i'
	case '3':
		return 'e'
	case '4', '@':
		return 'a'
	case '5', '$':
		return 's'
	case '7', '+':
		return 't'
	case '8':
		return 'b'
	}
	return b
}
