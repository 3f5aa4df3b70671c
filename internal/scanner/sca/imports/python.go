package imports

import (
	"bytes"
	"strings"
)

// python finds import and from … import statements, and the literal arguments
// of __import__ and import_module (The Python Language Reference, section 7.11).
// Comments and strings are stepped over.
func python(src []byte, u *Used) {
	start := true // of a statement
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == '\n' || c == ';' || c == ':':
			start = true
			i++
		case blank(c):
			i++
		case c == '\\' && i+1 < len(src):
			i += 2
		case c == '#':
			for i < len(src) && src[i] != '\n' {
				i++
			}
		case c == '\'' || c == '"':
			i = pyString(src, i)
			start = false
		case word(c):
			from := i
			for i < len(src) && word(src[i]) {
				i++
			}
			switch name := string(src[from:i]); {
			case start && name == "import":
				i = pyImport(src, i, u)
			case start && name == "from":
				i = pyFrom(src, i, u)
			case name == "__import__" || name == "import_module":
				i = pyCall(src, i, u)
			}
			start = false
		default:
			start = false
			i++
		}
	}
}

// pyString goes behind a string.
func pyString(src []byte, i int) int {
	quote := src[i]
	if end := []byte{quote, quote, quote}; bytes.HasPrefix(src[i:], end) {
		for j := i + 3; j < len(src); j++ {
			if src[j] == '\\' {
				j++
			} else if src[j] == quote && bytes.HasPrefix(src[j:], end) {
				return j + 3
			}
		}
		return len(src)
	}
	for j := i + 1; j < len(src); j++ {
		switch src[j] {
		case '\\':
			j++
		case quote:
			return j + 1
		case '\n':
			return j
		}
	}
	return len(src)
}

func pySpace(src []byte, i int) int {
	for i < len(src) && (blank(src[i]) || src[i] == '\\' && i+1 < len(src) && src[i+1] == '\n' || i > 0 && src[i] == '\n' && src[i-1] == '\\') {
		i++
	}
	return i
}

// pyName reads a dotted name and returns its first part.
func pyName(src []byte, i int) (top string, next int) {
	from := i
	for i < len(src) && (word(src[i]) || src[i] == '.') {
		i++
	}
	top, _, _ = strings.Cut(string(src[from:i]), ".")
	return top, i
}

func pyImport(src []byte, i int, u *Used) int {
	for {
		var top string
		top, i = pyName(src, pySpace(src, i))
		u.add(top)
		i = pySpace(src, i)
		if bytes.HasPrefix(src[i:], []byte("as ")) || bytes.HasPrefix(src[i:], []byte("as\t")) {
			_, i = pyName(src, pySpace(src, i+2))
			i = pySpace(src, i)
		}
		if i >= len(src) || src[i] != ',' {
			return i
		}
		i++
	}
}

func pyFrom(src []byte, i int, u *Used) int {
	i = pySpace(src, i)
	if i < len(src) && src[i] == '.' { // relative
		return i
	}
	top, i := pyName(src, i)
	if j := pySpace(src, i); bytes.HasPrefix(src[j:], []byte("import")) {
		u.add(top)
	}
	return i
}

func pyCall(src []byte, i int, u *Used) int {
	i = pySpace(src, i)
	if i >= len(src) || src[i] != '(' {
		return i
	}
	i = pySpace(src, i+1)
	if i < len(src) && (src[i] == '\'' || src[i] == '"') {
		end := pyString(src, i)
		if top, _, _ := strings.Cut(strings.Trim(string(src[i:end]), `'"`), "."); top != "" {
			u.add(top)
		}
		return end
	}
	u.Computed = true
	return i
}
