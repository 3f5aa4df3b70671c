package report

import (
	"fmt"
	"io"
	"strings"

	"bulwark/internal/outcome"
)

// annotationsPerType is how many annotations of one type GitHub keeps of a step
// ("Workflow commands for GitHub Actions"); it drops the others silently.
const annotationsPerType = 10

// writeGitHub writes workflow commands: an error for each finding that blocks
// or is undecided, a warning for each that is warned of, as many as GitHub
// keeps, and one notice that sums up the run and says how many are not shown.
func writeGitHub(w io.Writer, v *view, _ Options) error {
	left := 0
	annotate := func(command string, list []*entry) error {
		for i, e := range list {
			if i == annotationsPerType {
				left += len(list) - i
				break
			}
			if _, err := io.WriteString(w, annotation(command, e)); err != nil {
				return err
			}
		}
		return nil
	}
	grave := append(append([]*entry{}, v.blocked...), v.unknown...)
	if err := annotate("error", grave); err != nil {
		return err
	}
	if err := annotate("warning", v.warned); err != nil {
		return err
	}
	text := v.summary()
	if left > 0 {
		text += "\n" + count(left, "finding") + " more not annotated: see the full report"
	}
	for _, s := range v.Scanners {
		if s.Status != outcome.Complete {
			text += "\n" + visible(s.Name+": "+string(s.Status)+": "+clip(s.Reason, 300))
		}
	}
	_, err := fmt.Fprintf(w, "::notice title=Bulwark::%s\n", commandData(text))
	return err
}

func annotation(command string, e *entry) string {
	l := e.first()
	props := []string{}
	add := func(name, value string) { props = append(props, name+"="+commandProperty(value)) }
	if l.Path != "" {
		add("file", visible(l.Path))
		if l.StartLine > 0 {
			add("line", fmt.Sprint(l.StartLine))
			add("endLine", fmt.Sprint(max(l.EndLine, l.StartLine)))
			start, end := characters(l)
			if start > 0 && l.EndLine <= l.StartLine { // GitHub takes columns only on one line
				add("col", fmt.Sprint(start))
				if end > 0 {
					add("endColumn", fmt.Sprint(end))
				}
			}
		}
	}
	add("title", visible(clip(e.Severity.String()+": "+e.rule.Title, 200)))
	lines := []string{visible(clip(e.what(), 500)) + " [" + visible(clip(e.RuleID, 100)) + "]"}
	if n := len(e.places) - 1; n > 0 {
		lines = append(lines, "Also in "+count(n, "other place")+".")
	}
	if e.rule.Remedy != "" {
		lines = append(lines, "Fix: "+visible(clip(e.rule.Remedy, 1000)))
	}
	lines = append(lines, "Decision: "+e.decided())
	return "::" + command + " " + strings.Join(props, ",") + "::" + commandData(strings.Join(lines, "\n")) + "\n"
}

// commandData escapes the message of a workflow command as the runner's
// toolkit does.
func commandData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// commandProperty escapes the value of a property of a workflow command.
func commandProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
