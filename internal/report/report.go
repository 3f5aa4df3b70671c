// Package report turns a run (outcome.Run) into the documents that people and
// machines read: text for a terminal, JSON, SARIF, GitLab's secret detection and
// dependency scanning reports, JUnit, Markdown, HTML and GitHub workflow
// annotations; and reads the JSON form back.
//
// It decides nothing, looks at nothing and reaches nothing: what is in the run
// is all it knows. Whatever in a run comes from the examined repository (paths,
// excerpts, authors, subjects, reasons) is hostile, and is escaped here for the
// place it goes to. It never sees a secret: findings arrive masked.
package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"bulwark/internal/outcome"
)

// Kind names a form of report.
type Kind string

// The kinds of report.
const (
	Text   Kind = "text"   // for a person at a terminal or reading a log
	JSON   Kind = "json"   // the run itself; Read takes it back
	SARIF  Kind = "sarif"  // SARIF 2.1.0, for code scanning and editors
	GitLab Kind = "gitlab" // GitLab's secret detection report
	// GitLabDependency is GitLab's dependency scanning report.
	GitLabDependency Kind = "gitlab-dependency"
	OpenVEX          Kind = "openvex"       // OpenVEX 0.2, a draft
	CycloneDXVEX     Kind = "cyclonedx-vex" // CycloneDX with vulnerabilities, a draft
	JUnit            Kind = "junit"         // JUnit XML, for CI servers that show tests
	Markdown         Kind = "markdown"      // a comment on a pull request
	HTML             Kind = "html"          // one self-contained page
	GitHub           Kind = "github"        // workflow commands that GitHub shows as annotations
)

// Options are the choices that a caller has. The zero value gives plain text
// of DefaultWidth columns and indented JSON.
type Options struct {
	// Color lets the text report use ANSI colours.
	Color bool
	// Width is the number of columns of the terminal. Optional: DefaultWidth.
	Width int
	// Verbose lists in the text report what is otherwise only counted:
	// accepted findings, all places, all skipped paths.
	Verbose bool
	// Compact writes JSON, SARIF and GitLab reports on one line.
	Compact bool
	// RepositoryURI is the address of the examined repository, for the SARIF
	// report's version control details. Optional: left out when empty, for a
	// run doesn't know it.
	RepositoryURI string
}

// DefaultWidth is the width in columns of a text report whose reader is unknown.
const DefaultWidth = 100

type form struct {
	kind  Kind
	about string
	write func(w io.Writer, v *view, opts Options) error
}

// forms lists every kind, in the order in which help shows them.
func forms() []form {
	return []form{
		{Text, "for a person at a terminal or reading a log", writeText},
		{JSON, "the run itself, which convert takes back", writeJSON},
		{SARIF, "SARIF 2.1.0, for code scanning and editors", writeSARIF},
		{GitLab, "GitLab's secret detection report", writeGitLab},
		{GitLabDependency, "GitLab's dependency scanning report", writeGitLabDependencies},
		{OpenVEX, "draft of OpenVEX statements", writeOpenVEX},
		{CycloneDXVEX, "draft of CycloneDX VEX statements", writeCycloneDXVEX},
		{JUnit, "JUnit XML, for CI servers that show tests", writeJUnit},
		{Markdown, "a comment on a pull request", writeMarkdown},
		{HTML, "one self-contained page", writeHTML},
		{GitHub, "workflow commands that GitHub shows as annotations", writeGitHub},
	}
}

// Kinds lists the kinds of report.
func Kinds() []Kind {
	var all []Kind
	for _, f := range forms() {
		all = append(all, f.kind)
	}
	return all
}

// About says in a phrase what a kind is for; it is empty for an unknown kind.
func (k Kind) About() string {
	for _, f := range forms() {
		if f.kind == k {
			return f.about
		}
	}
	return ""
}

// alias returns the kind that people also call by name.
func alias(name string) (Kind, bool) {
	switch name {
	case "terminal", "txt":
		return Text, true
	case "md":
		return Markdown, true
	case "htm":
		return HTML, true
	case "annotations":
		return GitHub, true
	}
	return "", false
}

// ParseKind returns the kind that s names, in any case. The error for any other
// text lists the kinds.
func ParseKind(s string) (Kind, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	if slices.Contains(Kinds(), Kind(name)) {
		return Kind(name), nil
	}
	if k, ok := alias(name); ok {
		return k, nil
	}
	names := make([]string, 0, 8)
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	if len(name) > 40 {
		name = name[:40] + "…"
	}
	return "", fmt.Errorf("unknown report kind %q: use one of %s", name, strings.Join(names, ", "))
}

// errNoRun is returned for a nil run, a mistake of the caller.
var errNoRun = errors.New("no run to report on")

// Write writes run to w in the form kind. The same run and options give the
// same bytes. The run is not changed.
func Write(w io.Writer, kind Kind, run *outcome.Run, opts Options) error {
	if run == nil {
		return errNoRun
	}
	for _, f := range forms() {
		if f.kind != kind {
			continue
		}
		b := bufio.NewWriterSize(w, 1<<16)
		if err := f.write(b, newView(run), opts); err != nil {
			return fmt.Errorf("writing the %s report: %w", kind, err)
		}
		if err := b.Flush(); err != nil {
			return fmt.Errorf("writing the %s report: %w", kind, err)
		}
		return nil
	}
	_, err := ParseKind(string(kind))
	return err
}
