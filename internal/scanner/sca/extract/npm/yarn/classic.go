package yarn

import (
	"fmt"
	"strconv"
	"strings"

	"bulwark/internal/scanner/sca/extract/collect"
)

// classic reads version 1: entries at the margin, their fields indented by two
// blanks, the dependencies by four.
func (r *reader) classic(text string) error {
	var e *entry
	group := ""
	seen := false
	number, needs := 0, 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimRight(line, " \t\r")
		content := strings.TrimLeft(line, " ")
		if content == "" || content[0] == '#' {
			continue
		}
		seen = true
		switch indent := len(line) - len(content); {
		case indent == 0:
			if e != nil {
				r.add(e)
			}
			for _, mark := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
				if strings.HasPrefix(content, mark) {
					return fmt.Errorf("line %d: a merge conflict that was left unresolved: run yarn install and commit the result", number)
				}
			}
			if !strings.HasSuffix(content, ":") {
				return fmt.Errorf("line %d: a colon is expected at the end of an entry's first line", number)
			}
			e = &entry{line: number, column: 1, end: len(line)}
			group = ""
			var err error
			if e.descriptors, err = descriptors(content[:len(content)-1]); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
		case e == nil:
			return fmt.Errorf("line %d: indented, but no entry stands above", number)
		case indent == 2 && strings.HasSuffix(content, ":"):
			group = content[:len(content)-1]
		default:
			key, rest, err := token(content)
			if err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			value, rest, err := token(strings.TrimLeft(rest, " "))
			if err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			if rest != "" {
				r.gaps.Add(number, "text after a value")
			}
			if indent == 2 {
				group = ""
				e.set(key, value)
				continue
			}
			if group == "dependencies" || group == "optionalDependencies" {
				if needs++; needs > collect.MaxNeeds {
					return fmt.Errorf("line %d: more than %d needs of packages: no lockfile has that many; check where it comes from", number, collect.MaxNeeds)
				}
				e.needs = append(e.needs, need{name: key, asked: value, optional: group == "optionalDependencies"})
			}
		}
	}
	if e != nil {
		r.add(e)
	}
	if !seen && !strings.Contains(text, "yarn lockfile v1") {
		return fmt.Errorf("it is empty and not even marked as a lockfile: run yarn install and commit the result")
	}
	return nil
}

func (e *entry) set(key, value string) {
	switch key {
	case "version":
		e.version = value
	case "resolved":
		e.resolved = value
	case "integrity":
		e.integrity = value
	}
}

// descriptors takes apart "a@^1.0.0, "b@2 || 3"".
func descriptors(s string) ([]string, error) {
	var out []string
	for {
		d, rest, err := token(s)
		if err != nil {
			return nil, err
		}
		if d == "" {
			return nil, fmt.Errorf("a package and its version are expected, not %s", collect.Show(s))
		}
		out = append(out, d)
		if rest == "" {
			return out, nil
		}
		if rest[0] != ',' {
			return nil, fmt.Errorf("a comma is expected between packages, not %s", collect.Show(rest))
		}
		s = strings.TrimLeft(rest[1:], " ")
	}
}

// token is the quoted or plain text that s begins with, and what follows it.
func token(s string) (text, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexAny(s, " ,"); i >= 0 {
			return s[:i], s[i:], nil
		}
		return s, "", nil
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			if !strings.Contains(s[:i], `\`) {
				return s[1:i], s[i+1:], nil
			}
			text, err := strconv.Unquote(s[:i+1])
			if err != nil {
				return "", "", fmt.Errorf("the text %s is not well quoted", collect.Show(s[:i+1]))
			}
			return text, s[i+1:], nil
		}
	}
	return "", "", fmt.Errorf("a quoted text without an end: the file is cut short")
}

func cutFragment(address string) (before, fragment string, found bool) {
	return strings.Cut(address, "#")
}
