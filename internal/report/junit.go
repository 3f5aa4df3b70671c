package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"bulwark/internal/outcome"
)

type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr,omitempty"`
		Cases     []junitCase `xml:"testcase"`
		Out       *junitOut   `xml:"system-out"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
		Skipped *junitSkipped `xml:"skipped"`
		Out     *junitOut     `xml:"system-out"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",innerxml"`
	}
	junitOut struct {
		Text string `xml:",innerxml"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
)

// writeJUnit writes one test suite for each scanner and one for the decisions
// on the run. What blocks is a failure, what is unknown an error, what was
// accepted is skipped, a warning passes with its text as output. A scanner that
// looked and found nothing has one passing test. XML cannot hold control
// characters at all; visible has written them out.
func writeJUnit(w io.Writer, v *view, _ Options) error {
	all := junitSuites{Name: "bulwark", Time: fmt.Sprintf("%.3f", float64(max(v.DurationMS, 0))/1000)}
	index := map[string]int{}
	suite := func(name string) *junitSuite {
		i, ok := index[name]
		if !ok {
			i = len(all.Suites)
			index[name] = i
			s := junitSuite{Name: "bulwark." + visible(cmp.Or(name, "unnamed")), Time: "0"}
			if !v.Started.IsZero() {
				s.Timestamp = v.Started.UTC().Format("2006-01-02T15:04:05")
			}
			all.Suites = append(all.Suites, s)
		}
		return &all.Suites[i]
	}
	for _, s := range v.Scanners {
		suite(s.Name).Out = newJUnitOut(visible(string(s.Status)) + ": " + v.scannerLine(s))
	}
	for _, e := range v.entries() {
		s := suite(e.Scanner)
		s.Cases = append(s.Cases, junitFinding(s.Name, e))
	}
	for _, sc := range v.Scanners {
		s := suite(sc.Name)
		c := junitCase{Class: s.Name, Name: "looks at everything", Time: "0"}
		switch {
		case sc.Status == outcome.Failed:
			c.Error = &junitProblem{Message: "the scanner failed", Type: "failed", Text: xmlText(visible(sc.Reason))}
		case sc.Status == outcome.NotRun:
			c.Skipped = &junitSkipped{Message: visible("not run: " + sc.Reason)}
		case sc.Status == outcome.Partial:
			c.Out = newJUnitOut(visible("partial: " + sc.Reason))
		case len(s.Cases) == 0:
			c.Name = "no findings"
		default:
			continue
		}
		s.Cases = append(s.Cases, c)
	}
	for i := range v.decisions {
		d := &v.decisions[i]
		s := suite("policy")
		c := junitCase{Class: s.Name, Name: visible(cmp.Or(clip(d.Policy, 200), "unnamed")), Time: "0"}
		switch d.Verdict {
		case outcome.Block:
			c.Failure = &junitProblem{Message: visible(clip(d.Reason, 1000)), Type: d.Verdict.String()}
		case outcome.Unknown:
			c.Error = &junitProblem{Message: visible(clip(d.Reason, 1000)), Type: d.Verdict.String()}
		default:
			c.Out = newJUnitOut(visible(clip(d.Reason, 1000)))
		}
		s.Cases = append(s.Cases, c)
	}
	if v.Incomplete != "" {
		s := suite("run")
		s.Cases = append(s.Cases, junitCase{Class: s.Name, Name: "reaches the end", Time: "0",
			Error: &junitProblem{Message: visible(clip(v.Incomplete, 1000)), Type: "incomplete"}})
	}
	for i := range all.Suites {
		s := &all.Suites[i]
		for _, c := range s.Cases {
			s.Tests++
			switch {
			case c.Failure != nil:
				s.Failures++
			case c.Error != nil:
				s.Errors++
			case c.Skipped != nil:
				s.Skipped++
			}
		}
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitFinding(class string, e *entry) junitCase {
	l := e.first()
	c := junitCase{
		Class: class + "." + visible(clip(e.RuleID, 100)), Time: "0",
		Name: fmt.Sprintf("%s at %s", visible(clip(e.what(), 300)), position(l)),
		File: visible(l.Path), Line: max(l.StartLine, 0),
	}
	text := junitText(e)
	title := e.Severity.String() + ": " + visible(clip(e.what(), 300))
	switch {
	case e.suppressed():
		c.Skipped = &junitSkipped{Message: acceptance(l.Suppression)}
	case e.verdict == outcome.Block:
		c.Failure = &junitProblem{Message: title, Type: e.Severity.String(), Text: xmlText(text)}
	case e.verdict == outcome.Unknown:
		c.Error = &junitProblem{Message: title, Type: e.Severity.String(), Text: xmlText(text)}
	default:
		c.Out = newJUnitOut(e.verdict.String() + ": " + text)
	}
	return c
}

func newJUnitOut(s string) *junitOut { return &junitOut{xmlText(s)} }

// xmlText escapes s as character data; unlike encoding/xml it leaves line ends
// for people to see.
func xmlText(s string) string {
	var b strings.Builder
	// Writing to a strings.Builder cannot fail.
	_ = xml.EscapeText(&b, []byte(s))
	return strings.ReplaceAll(b.String(), "&#xA;", "\n")
}

// junitText is a finding as a few lines of text.
func junitText(e *entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s: %s [%s]\n", e.Severity, e.Confidence, visible(clip(e.what(), 1000)), visible(clip(e.RuleID, 100)))
	for i, l := range e.places {
		if i == textPlaces {
			fmt.Fprintf(&b, "and %s more\n", thousands(len(e.places)-i))
			break
		}
		fmt.Fprintf(&b, "at %s\n", position(l))
	}
	for _, f := range []struct{ name, value string }{
		{"evidence", evidence(e)}, {"why", visible(e.rule.Rationale)}, {"fix", visible(e.rule.Remedy)},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, "%s: %s\n", f.name, f.value)
		}
	}
	fmt.Fprintf(&b, "decision: %s\n", e.decided())
	fmt.Fprintf(&b, "id: %s\n", visible(clip(e.Fingerprint, 200)))
	return b.String()
}
