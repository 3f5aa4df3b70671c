package terraform

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// kind is the type of a token.
type kind byte

const (
	end kind = iota // of the text
	newline
	name
	text  // a string; dynamic if it has an interpolation
	other // an operator, a number, any other single character
	open  // { [ (
	close // } ] )
)

// token is one token of HCL's native syntax.
type token struct {
	kind         kind
	value        string // of a string: its content
	dynamic      bool
	line, column int
	width        int // bytes in the text
}

// maxDepth is how deeply brackets may nest.
const maxDepth = 64

// scanner splits HCL into tokens
// (https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md). It keeps to
// what is needed to find blocks and plain attributes: expressions are only passed
// over.
type scanner struct {
	s         string
	pos       int
	line      int
	lineStart int
	depth     int
	err       error
}

func (s *scanner) fail(format string, args ...any) token {
	if s.err == nil {
		s.err = fmt.Errorf("line %d: %s", s.line, fmt.Sprintf(format, args...))
	}
	s.pos = len(s.s)
	return token{kind: end, line: s.line}
}

func (s *scanner) newLine() {
	s.pos++
	s.line++
	s.lineStart = s.pos
}

// advance passes over text that may have line breaks.
func (s *scanner) advance(to int) {
	passed := s.s[s.pos:to]
	if i := strings.LastIndexByte(passed, '\n'); i >= 0 {
		s.line += strings.Count(passed, "\n")
		s.lineStart = s.pos + i + 1
	}
	s.pos = to
}

// next reads a token.
func (s *scanner) next() token {
	for s.pos < len(s.s) {
		rest := s.s[s.pos:]
		c := rest[0]
		t := token{line: s.line, column: s.pos - s.lineStart + 1, width: 1, value: rest[:1]}
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			s.pos++
		case c == '\n':
			s.newLine()
			t.kind = newline
			return t
		case c == '#' || strings.HasPrefix(rest, "//"):
			i := strings.IndexByte(rest, '\n')
			if i < 0 {
				i = len(rest)
			}
			s.pos += i
		case strings.HasPrefix(rest, "/*"):
			i := strings.Index(rest[2:], "*/")
			if i < 0 {
				return s.fail("a comment without an end: the file is cut short")
			}
			s.advance(s.pos + i + 4)
		case c == '"':
			return s.quoted(t)
		case strings.HasPrefix(rest, "<<"):
			if s.heredoc(rest) {
				t.kind, t.dynamic = text, true
				return t
			}
			s.pos++
			t.kind = other
			return t
		case strings.IndexByte("{[(", c) >= 0:
			s.pos++
			if s.depth++; s.depth > maxDepth {
				return s.fail("nested deeper than %d levels", maxDepth)
			}
			t.kind = open
			return t
		case strings.IndexByte("}])", c) >= 0:
			s.pos++
			if s.depth--; s.depth < 0 {
				return s.fail("a closing %q that nothing opened", c)
			}
			t.kind = close
			return t
		case letter(c):
			n := 1
			for n < len(rest) && (letter(rest[n]) || rest[n] == '-' || '0' <= rest[n] && rest[n] <= '9') {
				n++
			}
			s.pos += n
			t.kind, t.value, t.width = name, rest[:n], n
			return t
		default:
			s.pos++
			t.kind = other
			return t
		}
	}
	if s.depth > 0 && s.err == nil {
		return s.fail("brackets without an end: the file is cut short")
	}
	return token{kind: end, line: s.line}
}

func letter(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c >= utf8.RuneSelf
}

// quoted reads a string. An interpolation may hold strings of its own.
func (s *scanner) quoted(t token) token {
	start := s.pos
	var stack []byte // '"' within a string, '{' within an interpolation
	stack = append(stack, '"')
	i := start + 1
	for ; i < len(s.s) && len(stack) > 0; i++ {
		c := s.s[i]
		if stack[len(stack)-1] == '"' {
			switch {
			case c == '\\':
				i++
			case c == '\n':
				return s.fail("a string without an end")
			case c == '"':
				stack = stack[:len(stack)-1]
			case (c == '$' || c == '%') && strings.HasPrefix(s.s[i+1:], string(c)+"{"):
				i += 2 // "$${" stands for itself
			case (c == '$' || c == '%') && strings.HasPrefix(s.s[i+1:], "{"):
				i++
				t.dynamic = true
				stack = append(stack, '{')
			}
		} else {
			switch c {
			case '"':
				stack = append(stack, '"')
			case '{':
				stack = append(stack, '{')
			case '}':
				stack = stack[:len(stack)-1]
			}
		}
		if len(stack) > maxDepth {
			return s.fail("nested deeper than %d levels", maxDepth)
		}
	}
	if len(stack) > 0 {
		return s.fail("a string without an end: the file is cut short")
	}
	t.kind = text
	t.value = s.s[start+1 : i-1]
	t.width = i - start
	if strings.IndexByte(t.value, '\\') >= 0 {
		t.value = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(t.value)
	}
	s.advance(i)
	return t
}

// heredoc passes over "<<EOT … EOT"; false if this is none.
func (s *scanner) heredoc(rest string) bool {
	// No marker is longer, and looking farther each time would not be linear.
	size := strings.IndexByte(rest[:min(len(rest), 256)], '\n')
	if size < 0 {
		return false
	}
	head, body := rest[:size], rest[size+1:]
	word := strings.TrimRight(strings.TrimPrefix(head[2:], "-"), "\r \t")
	if word == "" || !letter(word[0]) || strings.ContainsAny(word, " \t\"{}()") {
		return false
	}
	at := s.pos + len(head) + 1
	for line := range strings.SplitSeq(body, "\n") {
		if strings.TrimSpace(line) == word {
			s.advance(at + len(line))
			return true
		}
		at += len(line) + 1
	}
	s.fail("the text <<%.40s has no end: the file is cut short", word)
	return true
}
