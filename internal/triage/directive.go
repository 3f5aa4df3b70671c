package triage

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Marker is what a file must contain to be worth a call of Directives.
const Marker = "bulwark:allow"

// placeholderID is the rule id that documentation writes for "some rule". A
// directive that names it is an example and means nothing.
const placeholderID = "RULE-ID"

const (
	maxDirectives    = 1000 // in one file
	maxDirectiveText = 4096 // bytes of a line that are read behind the marker
	maxMarginText    = 4096 // bytes of a line that are read before the marker
	maxRulesListed   = 50   // ids in one directive
	maxMarkersTried  = 8    // of one line that may turn out to be no directive
)

// Date is a day in UTC, written YYYY-MM-DD.
type Date struct{ time.Time }

const dateLayout = "2006-01-02"

// ParseDate reads YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(dateLayout, s)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a date: write it as YYYY-MM-DD", s)
	}
	return Date{t}, nil
}

func (d Date) String() string { return d.Format(dateLayout) }

// MarshalText writes YYYY-MM-DD.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD.
func (d *Date) UnmarshalText(b []byte) error {
	v, err := ParseDate(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// MarshalJSON writes the text, in the place of time.Time's own method.
func (d Date) MarshalJSON() ([]byte, error) { return []byte(`"` + d.String() + `"`), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Date) UnmarshalJSON(b []byte) error {
	return d.UnmarshalText(bytes.Trim(b, `"`))
}

// passed reports whether d, the last day on which something holds, is over.
func (d Date) passed(now time.Time) bool { return !now.UTC().Before(d.AddDate(0, 0, 1)) }

// daysLeft counts the days from today to d; 0 is today.
func (d Date) daysLeft(now time.Time) int {
	return int(d.Sub(now.UTC().Truncate(24*time.Hour)) / (24 * time.Hour))
}

// Directive is an inline acceptance, `bulwark:allow RULE-ID reason="…"
// until=2027-01-31`, in a comment. It covers findings that start on its own
// line; if nothing but the comment stands there, also those on the line Below.
type Directive struct {
	Line   int      `json:"line"`            // from 1
	Column int      `json:"column"`          // of the marker, in bytes from 1
	Below  int      `json:"below,omitempty"` // 0: only Line
	Rules  []string `json:"rules"`
	Reason string   `json:"reason"`
	Owner  string   `json:"owner,omitempty"`
	Until  Date     `json:"until"` // the last day it holds
}

// Problem is something that a person wrote and Bulwark cannot obey. A run with
// problems is a wrong configuration, not an allowed change.
type Problem struct {
	Path    string `json:"path,omitempty"` // empty as Directives returns it
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Path)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	b.WriteString(": ")
	b.WriteString(p.Message)
	return b.String()
}

// FileDirectives is the result of Directives in one value, as it is cached.
type FileDirectives struct {
	Directives []Directive `json:"directives,omitempty"`
	Problems   []Problem   `json:"problems,omitempty"`
}

// Directives finds the directives in the decoded content of a file. It is a
// pure function of content, so its result can be cached: which rules exist and
// how far ahead a date may lie is checked by Apply.
//
// A directive counts only behind the start of a comment (of any language) on the
// same line. Text between quotes, such as this format in a manual, is none, and
// neither is an example with the id RULE-ID.
func Directives(content []byte) ([]Directive, []Problem) {
	var out []Directive
	var problems []Problem
	var ownLine []bool
	marker := []byte(Marker)
	line, at := 1, 0 // line number of content[at]
	lineStart, tried := -1, 0
	for {
		i := bytes.Index(content[at:], marker)
		if i < 0 {
			break
		}
		i += at
		line += bytes.Count(content[at:i], []byte{'\n'})
		start := bytes.LastIndexByte(content[at:i], '\n') + 1 + at
		if start == at && lineStart >= 0 {
			start = lineStart // the same line again
		}
		if start != lineStart {
			lineStart, tried = start, 0
		}
		tried++
		end := len(content)
		if j := bytes.IndexByte(content[i:], '\n'); j >= 0 {
			end = i + j
		}
		at = i + len(marker)
		if tried > maxMarkersTried {
			at = end
			continue
		}
		inComment, own := margin(content[max(start, i-maxMarginText):i])
		if !inComment || start < i-maxMarginText {
			continue
		}
		rest := content[i+len(marker) : end]
		column := i - start + 1
		if len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' && rest[0] != '\r' {
			continue // a longer word
		}
		if len(out)+len(problems) >= maxDirectives {
			problems = append(problems, Problem{Line: line, Column: column,
				Message: fmt.Sprintf("more than %d directives in one file: use a waiver with paths", maxDirectives)})
			break
		}
		d, example, err := parseDirective(rest)
		switch {
		case example:
		case err != nil:
			problems = append(problems, Problem{Line: line, Column: column, Message: err.Error()})
		default:
			d.Line, d.Column = line, column
			out, ownLine = append(out, d), append(ownLine, own)
		}
		// What follows on this line belongs to this directive.
		at = end
	}
	// A directive above another one covers the line below them both.
	below := 0
	for i := len(out) - 1; i >= 0; i-- {
		if !ownLine[i] {
			continue
		}
		if i+1 < len(out) && ownLine[i+1] && out[i+1].Line == out[i].Line+1 {
			out[i].Below = below
			continue
		}
		below = out[i].Line + 1
		out[i].Below = below
	}
	return out, problems
}

// commentStarts are the ways in which languages begin a comment.
var commentStarts = []string{
	"//", "#", "/*", "--", ";", "<!--", "%", "{{/*", "{{!", "{#", "(*", "{-", "<%", "'''", `"""`, "@*", "!", "'", "|", "::",
}

// inlineStarts are those that may follow code on a line without being mistaken
// for something else in most languages.
var inlineStarts = []string{"//", "#", "/*", "--", ";", "<!--", "%", "{{/*", "{{!", "{#", "(*", "{-", "@*"}

// margin looks at what stands before the marker on its line: whether a comment
// begins there, and whether nothing but the comment does.
func margin(before []byte) (inComment, own bool) {
	// The marker must begin a word: `…"bulwark:allow` is a text, not a comment.
	trimmed := bytes.TrimRight(before, " \t")
	if len(trimmed) == len(before) && len(before) > 0 {
		last, _ := utf8.DecodeLastRune(before)
		if last != utf8.RuneError && (unicode.IsLetter(last) || unicode.IsDigit(last) || strings.ContainsRune("\"'`_", last)) {
			return false, false
		}
	}
	lead := strings.TrimLeft(string(trimmed), " \t\ufeff")
	for _, s := range commentStarts {
		if strings.HasPrefix(lead, s) {
			return true, true
		}
	}
	// Inside a block comment or a batch file.
	if strings.HasPrefix(lead, "*") || isREM(lead) {
		return true, true
	}
	for _, s := range inlineStarts {
		if strings.Contains(lead, s) {
			return true, false
		}
	}
	return false, false
}

func isREM(lead string) bool {
	lead = strings.TrimPrefix(lead, "@")
	return len(lead) >= 3 && strings.EqualFold(lead[:3], "REM") && (len(lead) == 3 || lead[3] == ' ' || lead[3] == '\t')
}

// closers end a comment; what follows is code again.
var closers = []string{"*/", "-->", "}}", "#}", "*)", "-}", "%>", "*@"}

const directiveForm = `write: ` + Marker + ` RULE-ID reason="why" until=YYYY-MM-DD`

// parseDirective reads what follows the marker on its line.
func parseDirective(rest []byte) (d Directive, example bool, err error) {
	if len(rest) > maxDirectiveText {
		rest = rest[:maxDirectiveText]
	}
	s := strings.TrimRight(string(rest), "\r")
	if !utf8.ValidString(s) {
		return d, false, fmt.Errorf("the directive is not valid UTF-8")
	}
	s = strings.TrimLeft(s, " \t")
	// Ids, separated by commas, with or without blanks around them.
	for {
		end := strings.IndexFunc(s, func(r rune) bool { return !isIDRune(r) })
		if end < 0 {
			end = len(s)
		}
		id := s[:end]
		if id == "" || strings.HasPrefix(s[end:], "=") {
			return d, false, fmt.Errorf("the directive names no rule: %s", directiveForm)
		}
		// "*/" directly behind an id is the end of the comment, not of the id.
		if len(d.Rules) >= maxRulesListed {
			return d, false, fmt.Errorf("the directive names more than %d rules", maxRulesListed)
		}
		d.Rules = append(d.Rules, id)
		example = example || id == placeholderID
		s = strings.TrimLeft(s[end:], " \t")
		if !strings.HasPrefix(s, ",") {
			break
		}
		s = strings.TrimLeft(s[1:], " \t")
	}
	if example {
		return d, true, nil
	}
	seen := map[string]bool{}
	for s != "" && !startsWithAny(s, closers) {
		name, value, tail, err := keyValue(s)
		if err != nil {
			return d, false, err
		}
		if seen[name] {
			return d, false, fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
		switch name {
		case "reason":
			d.Reason = strings.TrimSpace(value)
		case "owner":
			d.Owner = strings.TrimSpace(value)
		case "until":
			if d.Until, err = ParseDate(value); err != nil {
				return d, false, err
			}
		default:
			return d, false, fmt.Errorf("unknown word %q in the directive: %s", cut(name), directiveForm)
		}
		s = strings.TrimLeft(tail, " \t")
	}
	switch {
	case d.Reason == "":
		return d, false, fmt.Errorf("the directive has no reason: %s", directiveForm)
	case d.Until.IsZero():
		return d, false, fmt.Errorf("the directive has no end: %s", directiveForm)
	}
	return d, false, nil
}

func isIDRune(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r))
}

// keyValue takes name=value off s; the value is quoted or one word.
func keyValue(s string) (name, value, rest string, err error) {
	end := strings.IndexFunc(s, func(r rune) bool { return r < 'a' || r > 'z' })
	if end < 0 {
		end = len(s)
	}
	if end == 0 || !strings.HasPrefix(s[end:], "=") {
		word, _, _ := strings.Cut(s, " ")
		return "", "", "", fmt.Errorf("unexpected %q in the directive: %s", cut(word), directiveForm)
	}
	name, s = s[:end], s[end+1:]
	if s == "" || s[0] != '"' && s[0] != '\'' {
		end := strings.IndexAny(s, " \t")
		if end < 0 {
			end = len(s)
		}
		for _, c := range closers {
			if i := strings.Index(s[:end], c); i >= 0 {
				end = i
			}
		}
		return name, s[:end], s[end:], nil
	}
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == quote || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case s[i] == quote:
			return name, b.String(), s[i+1:], nil
		case s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f:
			return "", "", "", fmt.Errorf("the %s holds a control character", name)
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", "", fmt.Errorf("the quote of %s is not closed on the same line", name)
}

func startsWithAny(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// cut shortens a stranger's text for a message.
func cut(s string) string {
	const limit = 40
	if len(s) <= limit {
		return s
	}
	i := limit
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return s[:i] + "…"
}
