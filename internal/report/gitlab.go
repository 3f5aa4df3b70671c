package report

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// gitlabVersion is the version of GitLab's report schemas that the report
// conforms to (secret-detection-report-format.json).
const gitlabVersion = "15.0.7"

const (
	gitlabNoCommit = "0000000" // what GitLab's own analyzer writes for content outside history
	gitlabPlaces   = 100       // further places of a finding
	gitlabMessages = 100       // messages about what was skipped
)

// gitlabForm is one of GitLab's report formats: each holds one scanner's findings.
type gitlabForm struct {
	scanner string // of Bulwark
	kind    string // scan.type
	holds   string // what it is for, as a message says it
}

var (
	gitlabSecrets      = gitlabForm{"secret", "secret_detection", "secrets"}
	gitlabDependencies = gitlabForm{"sca", "dependency_scanning", "dependencies"}
)

type (
	gitlabReport struct {
		Version         string                `json:"version"`
		Files           []gitlabManifest      `json:"dependency_files,omitempty"`
		Scan            gitlabScan            `json:"scan"`
		Vulnerabilities []gitlabVulnerability `json:"vulnerabilities"`
	}
	gitlabScan struct {
		Analyzer  gitlabTool      `json:"analyzer"`
		Scanner   gitlabTool      `json:"scanner"`
		Type      string          `json:"type"`
		StartTime string          `json:"start_time"`
		EndTime   string          `json:"end_time"`
		Status    string          `json:"status"`
		Messages  []gitlabMessage `json:"messages,omitempty"`
	}
	gitlabTool struct {
		ID      string       `json:"id"`
		Name    string       `json:"name"`
		Version string       `json:"version"`
		Vendor  gitlabVendor `json:"vendor"`
	}
	gitlabVendor struct {
		Name string `json:"name"`
	}
	gitlabMessage struct {
		Level string `json:"level"` // info, warn, fatal
		Value string `json:"value"`
	}
	gitlabVulnerability struct {
		ID          string                  `json:"id"`
		Name        string                  `json:"name"`
		Description string                  `json:"description,omitempty"`
		Severity    string                  `json:"severity"`
		Solution    string                  `json:"solution,omitempty"`
		Identifiers []gitlabIdentifier      `json:"identifiers"`
		Links       []gitlabLink            `json:"links,omitempty"`
		Location    gitlabLocation          `json:"location"`
		Extract     string                  `json:"raw_source_code_extract,omitempty"`
		Tracking    gitlabTracking          `json:"tracking"`
		Details     map[string]gitlabDetail `json:"details,omitempty"`
	}
	gitlabManifest struct {
		Path           string             `json:"path"`
		PackageManager string             `json:"package_manager"`
		Dependencies   []gitlabDependency `json:"dependencies"`
	}
	gitlabDependency struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
		Version string `json:"version"`
		Direct  bool   `json:"direct,omitempty"`
	}
	gitlabIdentifier struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Value string `json:"value"`
		URL   string `json:"url,omitempty"`
	}
	gitlabLink struct {
		URL string `json:"url"`
	}
	gitlabLocation struct {
		File       string            `json:"file"`
		StartLine  int               `json:"start_line,omitempty"`
		EndLine    int               `json:"end_line,omitempty"`
		Commit     *gitlabCommit     `json:"commit,omitempty"`
		Dependency *gitlabDependency `json:"dependency,omitempty"`
	}
	gitlabCommit struct {
		SHA     string `json:"sha"`
		Author  string `json:"author,omitempty"`
		Date    string `json:"date,omitempty"`
		Message string `json:"message,omitempty"`
	}
	gitlabTracking struct {
		Type  string               `json:"type"`
		Items []gitlabTrackingItem `json:"items"`
	}
	gitlabTrackingItem struct {
		File       string            `json:"file"`
		StartLine  int               `json:"start_line,omitempty"`
		EndLine    int               `json:"end_line,omitempty"`
		Signatures []gitlabSignature `json:"signatures"`
	}
	gitlabSignature struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"value"`
	}
	gitlabDetail struct {
		Name  string        `json:"name"`
		Type  string        `json:"type"`
		Value string        `json:"value,omitempty"`
		Items []gitlabPlace `json:"items,omitempty"`
	}
	gitlabPlace struct {
		Type      string `json:"type"`
		FileName  string `json:"file_name"`
		LineStart int    `json:"line_start"`
		LineEnd   int    `json:"line_end,omitempty"`
	}
)

// writeGitLab writes the findings of the secret scanner that were not accepted,
// one vulnerability for each finding whatever the number of its places.
func writeGitLab(w io.Writer, v *view, opts Options) error {
	return writeGitLabForm(w, v, opts, gitlabSecrets)
}

// writeGitLabDependencies writes the findings about packages that were not
// accepted (dependency-scanning-report-format.json).
func writeGitLabDependencies(w io.Writer, v *view, opts Options) error {
	return writeGitLabForm(w, v, opts, gitlabDependencies)
}

func writeGitLabForm(w io.Writer, v *view, opts Options, form gitlabForm) error {
	r := gitlabReport{Version: gitlabVersion, Scan: newGitLabScan(v, form), Vulnerabilities: []gitlabVulnerability{}}
	elsewhere := 0
	for _, e := range v.entries() {
		switch {
		case e.suppressed():
		case e.Scanner != form.scanner:
			elsewhere++
		default:
			r.Vulnerabilities = append(r.Vulnerabilities, newGitLabVulnerability(v, e))
			if form == gitlabDependencies {
				r.depend(e)
			}
		}
	}
	if elsewhere > 0 {
		r.Scan.Messages = append(r.Scan.Messages, gitlabMessage{"info",
			count(elsewhere, "finding") + " of other scanners left out: this form holds " + form.holds + " only."})
	}
	return encode(w, r, opts.Compact)
}

func newGitLabScan(v *view, form gitlabForm) gitlabScan {
	const layout = "2006-01-02T15:04:05" // UTC, without saying so
	tool := gitlabTool{ID: "bulwark", Name: "Bulwark", Version: cmp.Or(replaced(v.Tool.Version), "unknown"), Vendor: gitlabVendor{"Bulwark"}}
	s := gitlabScan{
		Analyzer: tool, Scanner: tool, Type: form.kind, Status: "success",
		StartTime: v.Started.UTC().Format(layout),
		EndTime:   v.Started.Add(time.Duration(v.DurationMS) * time.Millisecond).UTC().Format(layout),
	}
	say := func(level, text string) {
		s.Messages = append(s.Messages, gitlabMessage{level, visible(clip(text, 1000))})
	}
	say("info", "Bulwark: "+v.summary())
	if v.Incomplete != "" {
		s.Status = "failure"
		say("fatal", "The run ended early: "+v.Incomplete)
	}
	looked := false
	for _, sc := range v.Scanners {
		if sc.Name != form.scanner {
			continue
		}
		looked = looked || sc.Status == outcome.Complete || sc.Status == outcome.Partial
		switch sc.Status {
		case outcome.Complete:
		case outcome.Partial:
			say("warn", "The "+form.scanner+" scanner could not look at everything: "+sc.Reason)
		default:
			say("fatal", fmt.Sprintf("The %s scanner: %s: %s", form.scanner, sc.Status, sc.Reason))
		}
	}
	if !looked {
		s.Status = "failure"
	}
	for i, g := range v.skipGroups() {
		if i == gitlabMessages {
			break
		}
		level := "info"
		if g.Failed {
			level = "warn"
		}
		say(level, fmt.Sprintf("Not looked at: %s ×%s, such as %s", g.Reason, thousands(len(g.Skips)), clipPath(g.Skips[0].Path)))
	}
	return s
}

func newGitLabVulnerability(v *view, e *entry) gitlabVulnerability {
	l := e.first()
	g := gitlabVulnerability{
		ID:          findingUUID(e.Finding),
		Name:        clip(visible(cmp.Or(e.rule.Title, e.RuleID)), 250),
		Description: clip(gitlabDescription(e), 100_000),
		Severity:    [...]string{"Info", "Low", "Medium", "High", "Critical"}[min(e.Severity, finding.Critical)],
		Solution:    clip(visible(e.rule.Remedy), 6900),
		Location: gitlabLocation{
			File: replaced(l.Path), StartLine: l.StartLine, EndLine: max(l.EndLine, l.StartLine),
			Commit: &gitlabCommit{SHA: cmp.Or(replaced(v.Asset.Revision), gitlabNoCommit)},
		},
		Extract: replaced(cmp.Or(e.Masked, l.Excerpt)),
		Identifiers: []gitlabIdentifier{{
			Type: "bulwark_rule_id", Name: "Bulwark rule " + replaced(cmp.Or(e.RuleID, "unnamed")), Value: replaced(cmp.Or(e.RuleID, "unnamed")),
		}},
	}
	if c := l.Commit; c != nil {
		g.Location.Commit = &gitlabCommit{SHA: cmp.Or(replaced(c.ID), gitlabNoCommit), Author: replaced(c.Author), Date: replaced(c.Date), Message: replaced(c.Subject)}
	}
	for _, c := range e.rule.CWE {
		id := gitlabIdentifier{Type: "cwe", Name: replaced(c), Value: strings.TrimPrefix(replaced(c), "CWE-")}
		if id.Value == "" {
			continue
		}
		if strings.Trim(id.Value, "0123456789") == "" {
			id.URL = "https://cwe.mitre.org/data/definitions/" + id.Value + ".html"
		}
		g.Identifiers = append(g.Identifiers, id)
	}
	for _, ref := range e.rule.References {
		if webAddress(ref) {
			g.Links = append(g.Links, gitlabLink{ref})
		}
	}
	g.Tracking = gitlabTracking{Type: "source", Items: []gitlabTrackingItem{{
		File: g.Location.File, StartLine: g.Location.StartLine, EndLine: g.Location.EndLine,
		Signatures: []gitlabSignature{{Algorithm: "hash", Value: replaced(e.Fingerprint)}},
	}}}
	g.Details = map[string]gitlabDetail{
		"confidence": {Name: "Confidence", Type: "text", Value: e.Confidence.String()},
		"status":     {Name: "Status", Type: "text", Value: visible(cmp.Or(string(e.Status), "new"))},
		"id":         {Name: "Bulwark fingerprint", Type: "text", Value: cmp.Or(visible(e.Fingerprint), "none")},
	}
	if e.decision != nil {
		g.Details["decision"] = gitlabDetail{Name: "Decision", Type: "text", Value: decisionLine(e.decision)}
	}
	if len(e.places) > 1 {
		d := gitlabDetail{Name: fmt.Sprintf("Places (%s)", thousands(len(e.places))), Type: "list"}
		for _, p := range e.places[:min(len(e.places), gitlabPlaces)] {
			d.Items = append(d.Items, gitlabPlace{Type: "file-location", FileName: cmp.Or(replaced(p.Path), "(no path)"), LineStart: p.StartLine, LineEnd: p.EndLine})
		}
		g.Details["places"] = d
	}
	return g
}

// gitlabDescription explains a finding in GitLab's Markdown.
func gitlabDescription(e *entry) string {
	s := markdownText(e.what()) + "."
	if strings.HasSuffix(e.what(), ".") {
		s = markdownText(e.what())
	}
	if e.rule.Rationale != "" {
		s += "\n\n" + markdownText(e.rule.Rationale)
	}
	if len(e.Evidence) > 0 {
		s += "\n\nEvidence: " + markdownText(evidence(e))
	}
	return s
}

// findingUUID is a UUID (version 8, RFC 9562) made from a finding's identity,
// so that every report of it has the same.
func findingUUID(f *finding.Finding) string {
	b := sha256.Sum256([]byte("bulwark finding\x00" + f.RuleID + "\x00" + f.Fingerprint))
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
