package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// Limits of the text report when it is not verbose.
const (
	textPlaces = 10 // places of a finding
	textPaths  = 3  // paths named for each reason why something was skipped
	minWidth   = 40 // columns; a narrower terminal gets lines of this width
	maxText    = 120
)

// style is an ANSI graphic rendition.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	redder style = "1;31"
	green  style = "32"
	yellow style = "33"
	blue   style = "1;34"
	cyan   style = "36"
)

func severityStyle(s finding.Severity) style {
	switch s {
	case finding.Critical:
		return redder
	case finding.High:
		return red
	case finding.Medium:
		return yellow
	case finding.Low:
		return cyan
	}
	return dim
}

func verdictStyle(v outcome.Verdict) style {
	switch v {
	case outcome.Block:
		return redder
	case outcome.Unknown, outcome.Warn:
		return yellow
	}
	return green
}

// textWriter prints a run for people. The first error of w is kept.
type textWriter struct {
	w     io.Writer
	v     *view
	opts  Options
	width int
	err   error
}

func writeText(w io.Writer, v *view, opts Options) error {
	t := &textWriter{w: w, v: v, opts: opts, width: opts.Width}
	if t.width <= 0 {
		t.width = DefaultWidth
	}
	t.width = max(t.width, minWidth)
	t.section("Blocked", v.blocked, redder)
	t.section("Undecided", v.unknown, yellow)
	t.section("Warnings", v.warned, yellow)
	if opts.Verbose {
		t.section("Allowed", v.allowed, green)
		t.section("Accepted", v.suppressed, dim)
	}
	t.decisions()
	t.notices()
	t.skips()
	t.scanners()
	t.printf("%s\n", t.summary())
	return t.err
}

func (t *textWriter) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

func (t *textWriter) paint(s style, text string) string {
	if !t.opts.Color || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// summary is the last line, its verdict coloured.
func (t *textWriter) summary() string {
	return t.paint(verdictStyle(t.v.Verdict), t.v.verdictWord()+":") + " " + t.v.detail()
}

func (t *textWriter) heading(s string, st style) {
	t.printf("%s\n", t.paint(st, s))
}

func (t *textWriter) section(title string, list []*entry, st style) {
	if len(list) == 0 {
		return
	}
	t.heading(fmt.Sprintf("%s (%s)", title, thousands(len(list))), st)
	t.printf("\n")
	for _, g := range byPackage(list) {
		if g.pkg != nil {
			t.packages(g.pkg)
		} else {
			t.finding(g.one)
		}
	}
}

// finding prints a heading, a code frame of the first place and the facts.
func (t *textWriter) finding(e *entry) {
	st := severityStyle(e.Severity)
	t.printf("%s %s %s\n", t.paint(st, e.Severity.String()+":"),
		t.paint(bold, visible(clip(e.what(), 400))), t.paint(dim, "["+visible(clip(e.RuleID, 100))+"]"))
	l := e.first()
	gutter := len(strconv.Itoa(max(l.StartLine, 1)))
	pad := strings.Repeat(" ", gutter)
	where := position(l)
	if l.EndLine > l.StartLine && l.StartLine > 0 {
		where += fmt.Sprintf(" (to line %d)", l.EndLine)
	}
	status := string(e.Status) + ", " + e.Confidence.String()
	t.printf("%s%s %s  %s\n", pad, t.paint(blue, "-->"), where, t.paint(dim, visible(clip(status, 60))))
	bar := t.paint(blue, "|")
	if l.Excerpt != "" {
		f := newFrame(l, t.width-gutter-3)
		number := "?"
		if l.StartLine > 0 {
			number = strconv.Itoa(l.StartLine)
		}
		t.printf("%s %s\n", pad, bar)
		line := strings.TrimRight(fmt.Sprintf("%s%s%s", f.before, t.paint(st, f.marked), f.after), " ")
		t.printf("%s %s %s\n", t.paint(blue, fmt.Sprintf("%*s", gutter, number)), bar, line)
		if f.markCols > 0 {
			t.printf("%s %s %s%s\n", pad, bar, strings.Repeat(" ", f.markFrom),
				t.paint(st, strings.Repeat("^", f.markCols)))
		}
	}
	t.printf("%s %s\n", pad, bar)
	t.facts(e, l, gutter)
	t.printf("\n")
}

// facts prints what is known of a finding, one "= name value" after the other.
func (t *textWriter) facts(e *entry, first finding.Location, gutter int) {
	fact := func(name, value string) { t.fact(gutter, name, value) }
	if first.Commit != nil {
		fact("commit", shortCommit(first.Commit))
	}
	for _, n := range first.Notes {
		fact("note", visible(clip(n, 300)))
	}
	t.places(e, fact)
	if len(e.Evidence) > 0 {
		fact("evidence", evidence(e))
	}
	if e.rule.Rationale != "" {
		fact("why", visible(clip(e.rule.Rationale, 1000)))
	}
	if e.rule.Remedy != "" {
		fact("fix", visible(clip(e.rule.Remedy, 1000)))
	}
	if e.suppressed() {
		fact("accepted", acceptance(first.Suppression))
	} else {
		fact("decision", e.decided())
	}
	fact("id", visible(clip(e.Fingerprint, 100)))
}

// places lists the places behind the first.
func (t *textWriter) places(e *entry, fact func(name, value string)) {
	rest := e.places
	if e.suppressed() {
		rest = e.accepted
	}
	if len(rest) > 0 {
		rest = rest[1:]
	}
	for i, l := range rest {
		name := "also at"
		if i > 0 {
			name = ""
		}
		if i == textPlaces-1 && !t.opts.Verbose {
			fact(name, fmt.Sprintf("and %s more", thousands(len(rest)-i)))
			break
		}
		where := position(l)
		if l.Commit != nil {
			where += " (" + shortCommit(l.Commit) + ")"
		}
		fact(name, where)
	}
	if e.suppressed() || len(e.accepted) == 0 {
		return
	}
	if !t.opts.Verbose {
		fact("accepted", "in "+count(len(e.accepted), "other place"))
		return
	}
	for _, l := range e.accepted {
		fact("accepted", "at "+position(l)+": "+acceptance(l.Suppression))
	}
}

// fact prints one value, wrapped, its continuation lines indented. Without a
// name it continues the fact before.
func (t *textWriter) fact(gutter int, name, value string) {
	pad := strings.Repeat(" ", gutter)
	lead := fmt.Sprintf("%-8s ", name)
	lines := wrap(value, min(t.width, maxText)-gutter-3-len(lead))
	for i, line := range lines {
		if i == 0 && name != "" {
			t.printf("%s %s %s%s\n", pad, t.paint(blue, "="), t.paint(bold, lead), line)
		} else {
			t.printf("%s   %s%s\n", pad, strings.Repeat(" ", len(lead)), line)
		}
	}
}

// decisions prints what was decided about the run as a whole.
func (t *textWriter) decisions() {
	shown := 0
	for i := range t.v.decisions {
		d := &t.v.decisions[i]
		if d.Verdict == outcome.Allow && !t.opts.Verbose {
			continue
		}
		if shown == 0 {
			t.heading("Decisions on the run", bold)
		}
		shown++
		t.item(t.paint(verdictStyle(d.Verdict), d.Verdict.String()), len(d.Verdict.String()), policyReason(d))
	}
	if shown > 0 {
		t.printf("\n")
	}
}

func (t *textWriter) notices() {
	if len(t.v.Notices) == 0 {
		return
	}
	t.heading("Notices", bold)
	for _, n := range t.v.Notices {
		kind := visible(clip(n.Kind, 60))
		t.item(t.paint(yellow, kind), width(kind), noticeLine(n))
	}
	t.printf("\n")
}

// item prints "  label  value", the value wrapped.
func (t *textWriter) item(label string, labelCols int, value string) {
	const column = 18
	gap := strings.Repeat(" ", max(column-labelCols, 2))
	for i, line := range wrap(value, min(t.width, maxText)-column-2) {
		if i == 0 {
			t.printf("  %s%s%s\n", label, gap, line)
		} else {
			t.printf("  %s%s\n", strings.Repeat(" ", column), line)
		}
	}
}

// skips prints what was not looked at, by reason.
func (t *textWriter) skips() {
	groups := t.v.skipGroups()
	if len(groups) == 0 {
		return
	}
	t.heading(fmt.Sprintf("Not looked at (%s)", thousands(len(t.v.Skips))), bold)
	for _, g := range groups {
		st := dim
		note := ""
		if g.Failed {
			st, note = yellow, ", failed"
		}
		t.printf("  %s\n", t.paint(st, fmt.Sprintf("%s ×%s%s", visible(clip(g.Reason, 120)), thousands(len(g.Skips)), note)))
		for i, s := range g.Skips {
			if i == textPaths && !t.opts.Verbose {
				t.printf("    and %s more\n", thousands(len(g.Skips)-i))
				break
			}
			line := visible(clipPath(s.Path))
			if s.Detail != "" {
				line += " (" + visible(clip(s.Detail, 200)) + ")"
			}
			t.printf("    %s\n", line)
		}
	}
	t.printf("\n")
}

// scanners prints one line for each scanner.
func (t *textWriter) scanners() {
	name, status := 0, 0
	for _, s := range t.v.Scanners {
		name = max(name, width(visible(clip(s.Name, 40))))
		status = max(status, len(s.Status))
	}
	for _, s := range t.v.Scanners {
		st := green
		switch s.Status {
		case outcome.Complete:
		case outcome.Failed:
			st = redder
		default:
			st = yellow
		}
		n, shown := visible(clip(s.Name, 40)), visible(clip(string(s.Status), 20))
		t.printf("%s%s  %s%s  %s\n", t.paint(bold, n), strings.Repeat(" ", max(name-width(n), 0)),
			t.paint(st, shown), strings.Repeat(" ", max(status-width(shown), 0)), t.v.scannerLine(s))
	}
}

// evidence joins the facts that support a finding.
func evidence(e *entry) string {
	parts := make([]string, len(e.Evidence))
	for i, s := range e.Evidence {
		parts[i] = visible(clip(s, 200))
	}
	return strings.Join(parts, "; ")
}

// decisionLine says what was decided, by which policy and why.
func decisionLine(d *outcome.Decision) string {
	return d.Verdict.String() + " by " + policyReason(d)
}

func policyReason(d *outcome.Decision) string {
	s := visible(clip(d.Policy, 120))
	if s == "" {
		s = "an unnamed policy"
	}
	if d.Reason != "" {
		s += ": " + visible(clip(d.Reason, 600))
	}
	return s
}

func noticeLine(n outcome.Notice) string {
	s := visible(clip(n.Message, 600))
	if n.Path != "" {
		s = position(finding.Location{Path: n.Path, StartLine: n.Line}) + ": " + s
	}
	return s
}

// wrap breaks s at spaces into lines of at most limit columns; a longer word
// has a line of its own.
func wrap(s string, limit int) []string {
	limit = max(limit, 20)
	var lines []string
	line, cols := "", 0
	for word := range strings.SplitSeq(s, " ") {
		w := width(word)
		switch {
		case line == "" && cols == 0:
			line, cols = word, w
		case cols+1+w > limit:
			lines = append(lines, line)
			line, cols = word, w
		default:
			line += " " + word
			cols += 1 + w
		}
	}
	return append(lines, line)
}
