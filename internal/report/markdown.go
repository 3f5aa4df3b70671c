package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// maxMarkdown is the size of the longest comment that GitHub takes, 65,536
// characters; counting bytes instead errs on the safe side.
const maxMarkdown = 65_536

// markdownMark is how a pipeline finds its earlier comment, to replace it.
const markdownMark = "<!-- bulwark-report -->\n"

// mdSection is a piece of the comment. Its rows are left out from the end when
// the comment gets too long.
type mdSection struct {
	head, tail string
	rows       []string
	noun       string // of a row
	place      int    // where it stands in the comment
	share      int    // how many percent of what room is left it may take
}

func (s mdSection) at(place, share int) mdSection {
	s.place, s.share = place, share
	return s
}

// within returns the section with as many rows as fit into room bytes.
func (s mdSection) within(room int) (text string, rows int) {
	room -= len(s.head) + len(s.tail)
	for rows < len(s.rows) && len(s.rows[rows]) <= room {
		room -= len(s.rows[rows])
		rows++
	}
	if rows == 0 {
		return "", 0
	}
	return s.head + strings.Join(s.rows[:rows], "") + s.tail, rows
}

// writeMarkdown writes a comment for a pull request: verdict, what blocks as a
// table with the details folded, the rest folded. When it would get too long,
// the least grave rows are left out, and the comment says how many.
func writeMarkdown(w io.Writer, v *view, _ Options) error {
	b := markdownMark + "## Bulwark: " + v.verdictWord() + "\n\n" + markdownText(v.detail()) + "\n"
	var run []string
	for i := range v.decisions {
		if d := &v.decisions[i]; d.Verdict != outcome.Allow {
			run = append(run, fmt.Sprintf("- **%s** by %s\n", d.Verdict, markdownText(policyReason(d))))
		}
	}
	// In the order in which they claim room; place is where they stand.
	sections := []mdSection{
		{place: 0, share: 100, head: "\n", rows: run, noun: "decision"},
		mdScanners(v).at(7, 100),
		mdTable("Blocked", v.blocked, true).at(1, 50),
		mdTable("Undecided", v.unknown, true).at(2, 50),
		mdDetails(v).at(4, 70),
		mdTable("Warnings", v.warned, false).at(3, 70),
		mdNotices(v).at(5, 100),
		mdSkips(v).at(6, 100),
	}
	const reserve = 500 // for the note on what was cut
	room := maxMarkdown - len(b) - reserve
	whole := 0 // bytes, if nothing is cut; too large in any case if something must be
	for _, s := range sections {
		text, _ := s.within(maxMarkdown)
		whole += len(text)
	}
	var cut []string
	placed := make([]string, len(sections))
	for _, s := range sections {
		if len(s.rows) == 0 {
			continue
		}
		limit := room
		if whole > maxMarkdown-len(b)-reserve {
			limit = room * s.share / 100
		}
		text, n := s.within(limit)
		placed[s.place] = text
		room -= len(text)
		if n < len(s.rows) {
			cut = append(cut, count(len(s.rows)-n, s.noun))
		}
	}
	b += strings.Join(placed, "")
	if len(cut) > 0 {
		b += "\n> Left out to fit into a comment: " + strings.Join(cut, ", ") + ". The full report has everything.\n"
	}
	_, err := io.WriteString(w, b)
	return err
}

func mdTable(title string, list []*entry, open bool) mdSection {
	s := mdSection{}
	const columns = "| Severity | Finding | Where | Status |\n|---|---|---|---|\n"
	if open {
		s.head = fmt.Sprintf("\n### %s (%s)\n\n%s", title, thousands(len(list)), columns)
	} else {
		s.head = fmt.Sprintf("\n<details>\n<summary>%s (%s)</summary>\n\n%s", title, thousands(len(list)), columns)
		s.tail = "\n</details>\n"
	}
	s.noun = strings.ToLower(strings.TrimSuffix(title, "s")) + " table row"
	for _, e := range list {
		where := markdownCode(position(e.first()))
		if n := len(e.places) - 1; n > 0 {
			where += fmt.Sprintf(" and %s more", thousands(n))
		}
		s.rows = append(s.rows, fmt.Sprintf("| %s | %s (%s) | %s | %s, %s |\n", e.Severity,
			markdownText(clip(e.what(), 200)), markdownCode(clip(e.RuleID, 80)), where, markdownText(clip(string(e.Status), 20)), e.Confidence))
	}
	return s
}

// mdDetails explains each finding that blocks or is undecided.
func mdDetails(v *view) mdSection {
	s := mdSection{head: "\n", noun: "explanation"}
	for _, e := range append(append([]*entry{}, v.blocked...), v.unknown...) {
		l := e.first()
		var b strings.Builder
		fmt.Fprintf(&b, "<details>\n<summary>%s: %s</summary>\n\n", e.Severity, markdownText(clip(e.what(), 200)))
		if l.Excerpt != "" {
			var line strings.Builder
			for _, p := range spans(l) {
				line.WriteString(p.text)
			}
			b.WriteString(fence(line.String()) + "\n")
		}
		for i, p := range e.places {
			if i == textPlaces {
				fmt.Fprintf(&b, "- and %s more\n", thousands(len(e.places)-i))
				break
			}
			fmt.Fprintf(&b, "- %s%s\n", markdownCode(position(p)), mdCommit(p))
		}
		b.WriteString("\n")
		for _, f := range []struct{ name, value string }{
			{"Evidence", evidence(e)}, {"Why it matters", clip(e.rule.Rationale, 1000)}, {"How to fix", clip(e.rule.Remedy, 1000)},
		} {
			if f.value != "" {
				fmt.Fprintf(&b, "**%s:** %s\n\n", f.name, markdownText(f.value))
			}
		}
		fmt.Fprintf(&b, "**Decision:** %s\n\n", markdownText(e.decided()))
		fmt.Fprintf(&b, "**Id:** %s\n\n</details>\n\n", markdownCode(clip(e.Fingerprint, 100)))
		s.rows = append(s.rows, b.String())
	}
	return s
}

func mdCommit(l finding.Location) string {
	if l.Commit == nil {
		return ""
	}
	return ", commit " + markdownCode(shortCommit(l.Commit))
}

func mdNotices(v *view) mdSection {
	s := mdSection{head: fmt.Sprintf("\n<details>\n<summary>Notices (%s)</summary>\n\n", thousands(len(v.Notices))), tail: "\n</details>\n", noun: "notice"}
	for _, n := range v.Notices {
		at := ""
		if n.Path != "" {
			at = markdownCode(position(finding.Location{Path: n.Path, StartLine: n.Line})) + ": "
		}
		s.rows = append(s.rows, fmt.Sprintf("- %s%s (%s)\n", at, markdownText(clip(n.Message, 600)), markdownText(clip(n.Kind, 60))))
	}
	return s
}

func mdSkips(v *view) mdSection {
	s := mdSection{head: fmt.Sprintf("\n<details>\n<summary>Not looked at (%s)</summary>\n\n", thousands(len(v.Skips))), tail: "\n</details>\n", noun: "reason"}
	for _, g := range v.skipGroups() {
		note := ""
		if g.Failed {
			note = ", failed"
		}
		paths := make([]string, 0, textPaths)
		for _, p := range g.Skips[:min(len(g.Skips), textPaths)] {
			paths = append(paths, markdownCode(visible(clipPath(p.Path))))
		}
		more := ""
		if n := len(g.Skips) - textPaths; n > 0 {
			more = fmt.Sprintf(" and %s more", thousands(n))
		}
		s.rows = append(s.rows, fmt.Sprintf("- %s ×%s%s: %s%s\n", markdownText(clip(g.Reason, 120)), thousands(len(g.Skips)), note, strings.Join(paths, ", "), more))
	}
	return s
}

func mdScanners(v *view) mdSection {
	s := mdSection{head: "\n", noun: "scanner"}
	for _, sc := range v.Scanners {
		s.rows = append(s.rows, fmt.Sprintf("- **%s**: %s, %s\n", markdownText(clip(sc.Name, 40)), markdownText(clip(string(sc.Status), 20)), markdownText(v.scannerLine(sc))))
	}
	return s
}

// fence is a fenced code block of one line, its fence longer than any in it.
func fence(line string) string {
	longest, run := 0, 0
	for _, r := range line {
		if r == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	f := strings.Repeat("`", max(3, longest+1))
	return f + "\n" + line + "\n" + f + "\n"
}

// markdownCode is s as a code span, in which neither markup nor mentions nor
// references mean anything. The two characters that could end it or the table
// cell around it are written out.
func markdownCode(s string) string {
	s = strings.NewReplacer("`", `\x60`, "|", `\x7c`).Replace(visible(s))
	return "`" + cmp.Or(strings.TrimSpace(s), "(empty)") + "`"
}

// markdownText is s as plain text in Markdown of any flavour. Markup is escaped
// by character references. Mentions (@name), references (#1, !1, GH-1) and
// addresses are found by GitHub and GitLab in the rendered text, where no
// escaping reaches; an invisible word joiner behind their first character
// breaks them.
func markdownText(s string) string {
	s = visible(s)
	var b strings.Builder
	for i, r := range s {
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		word := unicode.IsLetter(next) || unicode.IsDigit(next) || next == '_' || next == '/' || next == '"'
		switch {
		case r < utf8.RuneSelf && strings.ContainsRune("\\`*_[]|~<>&$", r), i == 0 && strings.ContainsRune("#+-=", r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
		if word && (strings.ContainsRune("@#!$%~&:^", r) || r == '.' && endsWord(s[:i], "www") || r == '-' && endsWord(s[:i], "gh")) {
			b.WriteString("&#8288;")
		}
	}
	return b.String()
}

// endsWord reports whether the last word of s is word, in any case: behind
// "www" a dot makes a link, behind "GH" a hyphen makes a reference.
func endsWord(s, word string) bool {
	if len(s) < len(word) || !strings.EqualFold(s[len(s)-len(word):], word) {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(s[:len(s)-len(word)])
	return !unicode.IsLetter(before) && !unicode.IsDigit(before)
}
