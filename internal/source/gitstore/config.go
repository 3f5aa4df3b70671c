package gitstore

import (
	"bytes"
	"strings"
)

// parseConfig reads a git configuration file into "section.sub.key" → last
// value, with section and key in lower case. It is tolerant: what it does not
// understand it leaves out, and it follows no include. Nothing that it returns
// may decide about more than how objects are stored.
func parseConfig(b []byte) map[string]string {
	out := map[string]string{}
	section := ""
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte("\n"))
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] == '[' {
			end := headerEnd(line)
			if end < 0 {
				continue
			}
			section = sectionName(string(line[1:end]))
			line = bytes.TrimSpace(line[end+1:])
		}
		if len(line) == 0 || line[0] == '#' || line[0] == ';' {
			continue
		}
		key, value, has := bytes.Cut(line, []byte("="))
		name := strings.ToLower(string(bytes.TrimSpace(key)))
		if !has {
			name, _, _ = strings.Cut(name, " ")
			out[section+"."+name] = "true"
			continue
		}
		var text string
		text, b = configValue(value, b)
		out[section+"."+name] = text
	}
	return out
}

// headerEnd returns the index of the bracket that closes a section header.
func headerEnd(line []byte) int {
	quoted := false
	for i := 1; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ']' && !quoted:
			return i
		}
	}
	return -1
}

func sectionName(s string) string {
	name, sub, ok := strings.Cut(s, "\"")
	name = strings.ToLower(strings.TrimSpace(name))
	if !ok {
		return name
	}
	sub = strings.TrimSuffix(strings.TrimSpace(sub), "\"")
	return name + "." + sub
}

// configValue reads a value, which may continue on the lines of rest behind a
// backslash, and returns what is left of rest.
func configValue(line, rest []byte) (string, []byte) {
	var out []byte
	keep := 0 // length up to the last character that is not trailing space
	quoted := false
	line = bytes.TrimLeft(line, " \t")
	for i := 0; ; i++ {
		if i >= len(line) {
			break
		}
		c := line[i]
		switch {
		case c == '\\' && i+1 == len(line):
			if len(rest) == 0 {
				return string(out[:keep]), rest
			}
			line, rest, _ = bytes.Cut(rest, []byte("\n"))
			line = bytes.TrimSuffix(line, []byte("\r"))
			i = -1
		case c == '\\':
			i++
			switch line[i] {
			case 'n':
				out = append(out, '\n')
			case 't':
				out = append(out, '\t')
			case 'b':
				out = append(out, '\b')
			default:
				out = append(out, line[i])
			}
			keep = len(out)
		case c == '"':
			quoted = !quoted
			keep = len(out)
		case (c == '#' || c == ';') && !quoted:
			return string(out[:keep]), rest
		default:
			out = append(out, c)
			if quoted || c != ' ' && c != '\t' {
				keep = len(out)
			}
		}
	}
	return string(out[:keep]), rest
}

func isTrue(v string) bool {
	switch strings.ToLower(v) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}
