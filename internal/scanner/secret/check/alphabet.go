package check

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	digits  = "0123456789"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = upper + lower
	base62  = digits + letters
)

// all reports whether s consists of bytes of set only; an empty s does not.
func all(s, set string) bool {
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(set, s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if hexValue(s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// hexValue returns the value of a hexadecimal digit of either case, or -1.
func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// distinct counts the different bytes of s.
func distinct(s string) int {
	var seen [256]bool
	n := 0
	for i := 0; i < len(s); i++ {
		if !seen[s[i]] {
			seen[s[i]] = true
			n++
		}
	}
	return n
}

// monotonous reports whether s was evidently typed, not generated: too few
// different characters for its length, one short unit repeated, or characters
// counted upwards or downwards ("0123456789abcdef", "fedcba9876543210").
func monotonous(s string) bool {
	if len(s) < 6 {
		return false
	}
	if distinct(s) < min(5, len(s)/3+1) {
		return true
	}
	for unit := 1; unit <= len(s)/2 && unit <= 16; unit++ {
		same := true
		for i := unit; i < len(s); i++ {
			if s[i] != s[i-unit] {
				same = false
				break
			}
		}
		if same {
			return true
		}
	}
	steps := 0
	for i := 1; i < len(s); i++ {
		if d := order(s[i]) - order(s[i-1]); d == 1 || d == -1 || d == -9 || d == 9 {
			steps++
		}
	}
	return steps*5 >= (len(s)-1)*4
}

// order places a byte so that 9 is followed by a.
func order(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'Z':
		return int(c-'A') + 10
	}
	return 100 + int(c)
}

// decodeBase64 decodes s in the standard or the URL alphabet, with or without
// padding. Set bits behind the last whole byte are tolerated unless strict.
func decodeBase64(s string, strict bool) ([]byte, bool) {
	url := strings.ContainsAny(s, "-_")
	if url && strings.ContainsAny(s, "+/") {
		return nil, false
	}
	body := strings.TrimRight(s, "=")
	if n := len(s) - len(body); n > 2 || (n > 0 && len(s)%4 != 0) || len(body)%4 == 1 || body == "" {
		return nil, false
	}
	if strings.ContainsAny(body, "\r\n") { // which the decoder would skip
		return nil, false
	}
	enc := base64.RawStdEncoding
	if url {
		enc = base64.RawURLEncoding
	}
	if strict {
		enc = enc.Strict()
	}
	b, err := enc.DecodeString(body)
	return b, err == nil
}

// decodeSegment decodes unpadded base64url, the encoding of JWS segments.
func decodeSegment(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	return b, err == nil
}

// printable reports whether b is UTF-8 text without control characters other
// than tabs and line ends.
func printable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if r != '\t' && r != '\n' && r != '\r' && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// clip makes a stranger's text fit for a property: printable, at most 128 bytes.
func clip(s string) string {
	const most = 128
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
