package imports

import (
	"bytes"
	"strings"
)

// javascript finds import and export … from, import(), require() and
// require.resolve() (ECMA-262, section 16.2; Node.js modules). Comments,
// strings, templates and regular expressions are stepped over.
func javascript(src []byte, u *Used) {
	s := jsScanner{src: src, u: u}
	s.run()
}

type jsScanner struct {
	src []byte
	at  int
	u   *Used
	// The last two tokens that are neither space nor comment: words and single
	// bytes; a string is "'".
	last, before string
	braces       []bool // open braces: true for ${ of a template
}

func (s *jsScanner) token(t string) { s.before, s.last = s.last, t }

func (s *jsScanner) run() {
	for s.at < len(s.src) {
		c := s.src[s.at]
		switch {
		case c == '\n' || blank(c):
			s.at++
		case c == '/' && s.peek(1) == '/':
			s.to("\n")
		case c == '/' && s.peek(1) == '*':
			s.at += 2
			s.to("*/")
		case c == '/' && s.expression():
			s.regexp()
		case c == '\'' || c == '"':
			text, ok := s.text(c)
			s.module(text, ok)
			s.token("'")
		case c == '`':
			s.called()
			s.at++
			s.template()
		case c == '{':
			s.at++
			s.braces = append(s.braces, false)
			s.token("{")
		case c == '}':
			s.at++
			inTemplate := false
			if n := len(s.braces); n > 0 {
				inTemplate = s.braces[n-1]
				s.braces = s.braces[:n-1]
			}
			if inTemplate {
				s.template()
			} else {
				s.token("}")
			}
		case word(c):
			s.called()
			from := s.at
			for s.at < len(s.src) && word(s.src[s.at]) {
				s.at++
			}
			s.token(string(s.src[from:s.at]))
		default:
			s.called()
			s.at++
			s.token(string(c))
		}
	}
}

func (s *jsScanner) peek(n int) byte {
	if s.at+n < len(s.src) {
		return s.src[s.at+n]
	}
	return 0
}

// to goes behind the next end, or to the end of the content.
func (s *jsScanner) to(end string) {
	i := bytes.Index(s.src[s.at:], []byte(end))
	if i < 0 {
		s.at = len(s.src)
		return
	}
	s.at += i + len(end)
}

// expression reports whether a slash starts a regular expression here, not a
// division.
func (s *jsScanner) expression() bool {
	switch s.last {
	case "", "(", ",", "=", ":", "[", "!", "&", "|", "?", "{", "}", ";", "+", "-", "*", "%", "<", ">", "~", "^",
		"return", "typeof", "case", "in", "of", "do", "else", "void", "delete", "throw", "new", "yield", "await":
		return true
	}
	return false
}

// regexp steps over a regular expression; one that does not end on its line is
// a slash after all.
func (s *jsScanner) regexp() {
	class := false
	for i := s.at + 1; i < len(s.src) && s.src[i] != '\n'; i++ {
		switch s.src[i] {
		case '\\':
			i++
		case '[':
			class = true
		case ']':
			class = false
		case '/':
			if !class {
				s.at = i + 1
				s.token("'")
				return
			}
		}
	}
	s.at++
	s.token("/")
}

// text reads a string; ok is false if it does not end on its line.
func (s *jsScanner) text(quote byte) (string, bool) {
	from := s.at + 1
	for i := from; i < len(s.src); i++ {
		switch s.src[i] {
		case '\\':
			i++
		case '\n':
			s.at = i
			return "", false
		case quote:
			s.at = i + 1
			return string(s.src[from:i]), true
		}
	}
	s.at = len(s.src)
	return "", false
}

// template steps over the text of a template up to its end or to "${", whose
// expression is read as code.
func (s *jsScanner) template() {
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '\\':
			s.at++
		case c == '`':
			s.at++
			s.token("'")
			return
		case c == '$' && s.peek(1) == '{':
			s.at += 2
			s.braces = append(s.braces, true)
			s.token("{")
			return
		}
		s.at++
	}
	s.at = min(s.at, len(s.src))
}

// module takes a string that stands where a module is named.
func (s *jsScanner) module(text string, ok bool) {
	named := s.last == "from" || s.last == "import" ||
		s.last == "(" && (s.before == "require" || s.before == "import" || s.before == "resolve")
	if !named {
		return
	}
	if !ok || strings.ContainsAny(text, "\\${}") {
		s.u.Computed = true
		return
	}
	s.u.add(npmPackage(text))
}

// called notes a module that is named by something other than a string.
func (s *jsScanner) called() {
	if s.last == "(" && (s.before == "require" || s.before == "import") && s.src[s.at] != ')' {
		s.u.Computed = true
	}
}

// npmPackage is the package of a module specifier; empty for a path or a module
// of Node.js itself that says so.
func npmPackage(spec string) string {
	spec, _, _ = strings.Cut(spec, "!") // webpack's loaders
	if spec == "" || spec[0] == '.' || spec[0] == '/' || spec[0] == '#' || strings.Contains(spec, ":") {
		return ""
	}
	first, rest, more := strings.Cut(spec, "/")
	if strings.HasPrefix(first, "@") {
		if !more {
			return ""
		}
		second, _, _ := strings.Cut(rest, "/")
		return first + "/" + second
	}
	return first
}
