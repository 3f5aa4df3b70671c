package gradle

import (
	"bytes"
	"strings"
)

// kind is the kind of a token of a build script.
type kind uint8

const (
	tokenEnd kind = iota
	tokenName
	tokenString
	tokenNumber
	tokenBreak // the end of a line, or a semicolon
	tokenSign
)

// token is one token of a build script, in Groovy or Kotlin.
type token struct {
	kind       kind
	template   bool // a string in which $name and ${…} are put in
	sign       byte // of a sign
	start, end int32
	line       int32
	column     int32
}

// lexer splits a script into tokens. It knows what both languages share;
// regular expressions between slashes are not told apart, so that a quote in
// one may swallow the rest of its line.
type lexer struct {
	src    []byte
	at     int
	line   int32
	begin  int // offset of the first byte of the line
	kotlin bool
}

// tokens reads the whole source, in one pass.
func (l *lexer) tokens() []token {
	out := make([]token, 0, len(l.src)/8)
	for {
		t := l.next()
		if t.kind == tokenEnd {
			return out
		}
		if t.kind == tokenBreak && (len(out) == 0 || out[len(out)-1].kind == tokenBreak) {
			continue
		}
		out = append(out, t)
	}
}

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (l *lexer) token(k kind) token {
	return token{kind: k, start: int32(l.at), line: l.line, column: int32(l.at - l.begin + 1)}
}

func (l *lexer) next() token {
	l.skip()
	if l.at >= len(l.src) {
		return token{kind: tokenEnd}
	}
	t := l.token(tokenSign)
	switch c := l.src[l.at]; {
	case c == '\n' || c == ';':
		t.kind = tokenBreak
		l.advance()
	case isNameStart(c):
		t.kind = tokenName
		for l.at < len(l.src) && (isNameStart(l.src[l.at]) || isDigit(l.src[l.at]) || l.src[l.at] == '$') {
			l.at++
		}
	case isDigit(c):
		t.kind = tokenNumber
		for l.at < len(l.src) && (isNameStart(l.src[l.at]) || isDigit(l.src[l.at]) || l.src[l.at] == '.' && l.at+1 < len(l.src) && isDigit(l.src[l.at+1])) {
			l.at++
		}
	case c == '"' || c == '\'':
		return l.text(c)
	case c == '`': // a Kotlin name in backticks
		stop := bytes.IndexAny(l.src[l.at+1:], "`\n")
		if stop < 0 || l.src[l.at+1+stop] == '\n' {
			t.sign = c
			l.at++
			break
		}
		t.kind, t.start = tokenName, t.start+1
		l.at += 1 + stop
		t.end = int32(l.at)
		l.at++
		return t
	default:
		t.sign = c
		l.at++
	}
	t.end = int32(l.at)
	return t
}

// advance passes one byte and counts lines.
func (l *lexer) advance() {
	if l.src[l.at] == '\n' {
		l.line++
		l.begin = l.at + 1
	}
	l.at++
}

// skip passes white space, line continuations and comments.
func (l *lexer) skip() {
	for l.at < len(l.src) {
		rest := l.src[l.at:]
		switch c := rest[0]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\f':
			l.at++
		case c == '\\' && len(rest) > 1 && rest[1] == '\n':
			l.at++
			l.advance()
		case c == '/' && len(rest) > 1 && rest[1] == '/', c == '#' && l.at == 0:
			stop := bytes.IndexByte(rest, '\n')
			if stop < 0 {
				stop = len(rest)
			}
			l.at += stop
		case c == '/' && len(rest) > 1 && rest[1] == '*':
			l.comment()
		default:
			return
		}
	}
}

// comment passes a block comment; Kotlin's may hold others.
func (l *lexer) comment() {
	depth := 0
	for l.at < len(l.src) {
		rest := l.src[l.at:]
		switch {
		case len(rest) > 1 && rest[0] == '/' && rest[1] == '*':
			if depth == 0 || l.kotlin {
				depth++
			}
			l.at += 2
		case len(rest) > 1 && rest[0] == '*' && rest[1] == '/':
			l.at += 2
			if depth--; depth == 0 {
				return
			}
		default:
			l.advance()
		}
	}
}

// text reads a string. Its start and end are those of what stands between the
// quotes. One that is not closed ends with its line, a triple one with the file.
func (l *lexer) text(quote byte) token {
	t := l.token(tokenString)
	t.template = quote == '"'
	width := 1
	if rest := l.src[l.at:]; len(rest) >= 3 && rest[1] == quote && rest[2] == quote {
		width = 3
	}
	for range width {
		l.at++
	}
	t.start += int32(width)
	t.column += int32(width)
	for l.at < len(l.src) {
		c := l.src[l.at]
		switch {
		case c == '\\' && !(width == 3 && l.kotlin) && l.at+1 < len(l.src) && l.src[l.at+1] != '\n':
			l.at += 2
		case c == '\n' && width == 1:
			t.end = int32(l.at)
			return t
		case c == quote && width == 1 || c == quote && len(l.src)-l.at >= 3 && l.src[l.at+1] == quote && l.src[l.at+2] == quote:
			t.end = int32(l.at)
			l.at += width
			return t
		case c == '$' && t.template && l.at+1 < len(l.src) && l.src[l.at+1] == '{':
			l.at = l.hole()
		default:
			l.advance()
		}
	}
	t.end = int32(l.at)
	return t
}

// hole is where the ${…} that begins here ends; it may hold strings. It does
// not leave the line.
func (l *lexer) hole() int {
	depth := 0
	var quote byte
	for i := l.at + 1; i < len(l.src); i++ {
		switch c := l.src[i]; {
		case c == '\n':
			return i
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(l.src)
}

// textOf is what a token says.
func (p *parser) textOf(t token) string { return string(p.src[t.start:t.end]) }

// unescape takes the backslashes out of what holds no placeholder.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
