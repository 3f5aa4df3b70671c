package report

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// sarifLimits are the sizes that a SARIF file is cut to.
type sarifLimits struct {
	results   int // per run
	locations int // per result
	rules     int // per run
	tags      int // per rule
	notes     int // notifications per run
	gzipped   int // bytes of the compressed file
}

// githubLimits are what GitHub's code scanning accepts ("SARIF support for code
// scanning", section on limits). It stores 5,000 results and shows 100 places
// and 10 tags of those; the number of notifications is our own choice.
func githubLimits() sarifLimits {
	return sarifLimits{results: 25_000, locations: 1_000, rules: 25_000, tags: 20, notes: 1_000, gzipped: 10_000_000}
}

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	srcRoot     = "SRCROOT"
)

func writeSARIF(w io.Writer, v *view, opts Options) error {
	return writeSARIFWithin(w, v, opts, githubLimits())
}

// writeSARIFWithin writes the file, leaving out the least grave results until
// it fits the limits.
func writeSARIFWithin(w io.Writer, v *view, opts Options, lim sarifLimits) error {
	for {
		var b bytes.Buffer
		if err := encode(&b, newSARIF(v, opts, lim), opts.Compact); err != nil {
			return err
		}
		size := gzipSize(b.Bytes(), lim.gzipped)
		if size <= lim.gzipped || min(lim.results, len(v.Findings)) <= 1 {
			_, err := w.Write(b.Bytes())
			return err
		}
		kept := min(lim.results, len(v.Findings))
		lim.results = max(min(int(float64(kept)*0.9*float64(lim.gzipped)/float64(size)), kept-1), 1)
	}
}

// gzipSize returns the size of data compressed, or 0 if that cannot be above
// limit because data itself is not.
func gzipSize(data []byte, limit int) int {
	if len(data) <= limit {
		return 0
	}
	var n counter
	z := gzip.NewWriter(&n)
	// Writing to a counter cannot fail.
	_, _ = z.Write(data)
	_ = z.Close()
	return int(n)
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func newSARIF(v *view, opts Options, lim sarifLimits) *sarifLog {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: cmp.Or(v.Tool.Name, "bulwark"), Version: replaced(v.Tool.Version), Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints",
		OriginalURIBaseIDs: map[string]sarifArtifactPlace{
			srcRoot: {Description: &sarifText{Text: "The root of " + plainText(cmp.Or(v.Asset.Name, "what was examined"))}},
		},
		Results: []sarifResult{},
		Properties: map[string]any{
			"schema": outcome.SchemaID, "verdict": v.Verdict, "summary": v.summary(),
			"asset": v.Asset, "stage": v.Stage, "mode": v.Mode, "decisions": full(v.decisions),
		},
	}
	if opts.RepositoryURI != "" {
		run.VersionControlProvenance = []sarifVersionControl{{
			RepositoryURI: opts.RepositoryURI, RevisionID: v.Asset.Revision, Branch: v.Asset.Branch,
			MappedTo: sarifArtifactPlace{URIBaseID: srcRoot},
		}}
	}
	all := v.entries()
	kept := all[:min(len(all), lim.results)]
	index, least := map[string]int{}, map[string]finding.Confidence{}
	for _, e := range kept {
		if c, ok := least[e.RuleID]; !ok || e.Confidence < c {
			least[e.RuleID] = e.Confidence
		}
	}
	for _, e := range kept {
		if _, ok := index[e.RuleID]; !ok && len(run.Tool.Driver.Rules) < lim.rules {
			index[e.RuleID] = len(run.Tool.Driver.Rules)
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, newSARIFRule(e.rule, precision(least[e.RuleID]), lim))
		}
	}
	cutPlaces := 0
	for _, e := range kept {
		r, cut := newSARIFResult(v, e, lim)
		if i, ok := index[e.RuleID]; ok {
			r.RuleIndex = &i
		}
		cutPlaces += cut
		run.Results = append(run.Results, r)
	}
	run.Invocations = []sarifInvocation{newInvocation(v, len(all)-len(kept), cutPlaces, lim)}
	return &sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}}
}

// precision is GitHub's word for how far a rule can be trusted: that of its
// least confident finding.
func precision(least finding.Confidence) string {
	return [...]string{"medium", "high", "very-high"}[min(least, finding.Certain)]
}

func newSARIFRule(r *finding.Rule, precision string, lim sarifLimits) sarifRule {
	title := plainText(cmp.Or(r.Title, r.ID))
	text := strings.TrimSpace(plainText(r.Rationale) + "\n\n" + plainText(r.Remedy))
	md := strings.TrimSpace(markdownText(r.Rationale) + "\n\n" + markdownText(r.Remedy))
	var links []string
	for _, ref := range r.References {
		if webAddress(ref) {
			links = append(links, ref)
		}
	}
	if len(links) > 0 {
		text += "\n\nSee " + strings.Join(links, ", ")
		md += "\n\nSee <" + strings.Join(links, ">, <") + ">"
	}
	if text == "" {
		text, md = title, markdownText(cmp.Or(r.Title, r.ID))
	}
	tags := []string{"security"}
	for _, c := range r.CWE {
		tags = append(tags, "external/cwe/"+strings.ToLower(replaced(c)))
	}
	for _, t := range r.Tags {
		if t = replaced(t); !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	out := sarifRule{
		ID: replaced(r.ID), Name: title,
		ShortDescription:     sarifText{Text: title},
		FullDescription:      sarifText{Text: cmp.Or(plainText(r.Rationale), title)},
		Help:                 sarifText{Text: text, Markdown: md},
		DefaultConfiguration: sarifConfig{level(r.Severity)},
		Properties: map[string]any{
			"precision": precision, "tags": tags[:min(len(tags), lim.tags)],
			"problem.severity": map[string]string{"error": "error", "warning": "warning", "note": "recommendation"}[level(r.Severity)],
		},
	}
	if len(links) > 0 {
		out.HelpURI = links[0]
	}
	if s := securitySeverity(r.Severity); s != "" {
		out.Properties["security-severity"] = s
	}
	if len(r.Controls) > 0 {
		out.Properties["controls"] = r.Controls
	}
	return out
}

// level is the SARIF level of a severity.
func level(s finding.Severity) string {
	switch {
	case s >= finding.High:
		return "error"
	case s == finding.Medium:
		return "warning"
	}
	return "note"
}

// securitySeverity is a number in the range that GitHub shows as the severity
// of the same name: above 9.0 critical, 7.0 high, 4.0 medium, 0.1 low.
func securitySeverity(s finding.Severity) string {
	return [...]string{"", "2.5", "5.5", "8.0", "9.5"}[min(s, finding.Critical)]
}

func newSARIFResult(v *view, e *entry, lim sarifLimits) (r sarifResult, cut int) {
	r = sarifResult{
		RuleID: replaced(e.RuleID), Level: level(e.Severity),
		Message:             sarifText{Text: plainText(clip(e.what(), 1000))},
		Locations:           []sarifLocation{},
		PartialFingerprints: map[string]string{"bulwarkFingerprint/v1": replaced(e.Fingerprint)},
		Properties: map[string]any{
			"severity": e.Severity, "confidence": e.Confidence, "verdict": e.verdict, "scanner": e.Scanner,
		},
	}
	if v.Asset.Base != "" || e.Status == finding.Existing {
		r.BaselineState = "new"
		if e.Status == finding.Existing {
			r.BaselineState = "unchanged"
		}
	}
	if d := e.decision; d != nil {
		r.Properties["policy"], r.Properties["reason"] = d.Policy, d.Reason
	}
	if len(e.Evidence) > 0 {
		r.Properties["evidence"] = e.Evidence
	}
	if e.Masked != "" {
		r.Properties["masked"] = e.Masked
	}
	if len(e.Properties) > 0 {
		r.Properties["facts"] = e.Properties
	}
	places, related := e.places, e.accepted
	if e.suppressed() {
		places, related = e.accepted, nil
		delete(r.Properties, "verdict")
		r.Suppressions = suppressions(e.accepted, lim)
	}
	for _, l := range places[:min(len(places), lim.locations)] {
		r.Locations = append(r.Locations, newSARIFLocation(l))
	}
	cut = len(places) - len(r.Locations)
	room := min(len(related), lim.locations-len(r.Locations))
	for _, l := range related[:room] {
		s := newSARIFLocation(l)
		s.Message = &sarifText{Text: "accepted: " + plainText(acceptance(l.Suppression))}
		r.RelatedLocations = append(r.RelatedLocations, s)
	}
	return r, cut + len(related) - room
}

// suppressions lists the distinct reasons why places were accepted.
func suppressions(places []finding.Location, lim sarifLimits) []sarifSuppression {
	var out []sarifSuppression
	seen := map[finding.Suppression]bool{}
	for _, l := range places {
		if seen[*l.Suppression] || len(out) == lim.locations {
			continue
		}
		seen[*l.Suppression] = true
		s := sarifSuppression{Kind: "external", Status: "accepted", Justification: replaced(l.Suppression.Reason),
			Properties: map[string]any{"kind": l.Suppression.Kind}}
		if l.Suppression.Kind == "inline" {
			s.Kind = "inSource"
		}
		for name, value := range map[string]string{"id": l.Suppression.ID, "owner": l.Suppression.Owner, "until": l.Suppression.Until} {
			if value != "" {
				s.Properties[name] = value
			}
		}
		out = append(out, s)
	}
	return out
}

func newSARIFLocation(l finding.Location) sarifLocation {
	out := sarifLocation{PhysicalLocation: sarifPhysical{ArtifactLocation: sarifArtifactPlace{URI: pathURI(l.Path), URIBaseID: srcRoot}}}
	if l.StartLine > 0 {
		r := &sarifRegion{StartLine: l.StartLine, EndLine: max(l.EndLine, l.StartLine)}
		r.StartColumn, r.EndColumn = characters(l)
		out.PhysicalLocation.Region = r
		if l.Excerpt != "" {
			out.PhysicalLocation.ContextRegion = &sarifRegion{StartLine: l.StartLine, EndLine: r.EndLine,
				Snippet: &sarifText{Text: replaced(l.Excerpt)}}
		}
	}
	p := map[string]any{}
	if l.Commit != nil {
		p["commit"] = *l.Commit
	}
	if len(l.Notes) > 0 {
		p["notes"] = l.Notes
	}
	if !utf8.ValidString(l.Path) {
		p["path"] = visible(l.Path)
	}
	if len(p) > 0 {
		out.Properties = p
	}
	return out
}

// pathURI is path as a relative URI reference: every byte but RFC 3986's
// unreserved characters and the slash is percent-encoded, and so is a slash at
// the start, which would make it absolute or name a host.
func pathURI(path string) string {
	var b strings.Builder
	lead := len(path) - len(strings.TrimLeft(path, "/"))
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/' && i >= lead:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func newInvocation(v *view, cutResults, cutPlaces int, lim sarifLimits) sarifInvocation {
	inv := sarifInvocation{ExecutionSuccessful: v.Incomplete == ""}
	if !v.Started.IsZero() {
		const layout = "2006-01-02T15:04:05.000Z"
		inv.StartTimeUTC = v.Started.UTC().Format(layout)
		inv.EndTimeUTC = v.Started.Add(time.Duration(v.DurationMS) * time.Millisecond).UTC().Format(layout)
	}
	scanners := []map[string]any{}
	note := func(id, level, text string, at ...finding.Location) {
		n := sarifNotification{Descriptor: sarifDescriptor{id}, Level: level, Message: sarifText{Text: plainText(text)}}
		for _, l := range at {
			n.Locations = append(n.Locations, newSARIFLocation(l))
		}
		inv.Notifications = append(inv.Notifications, n)
	}
	if v.Incomplete != "" {
		note("incomplete", "error", "The run ended early: "+v.Incomplete)
	}
	for _, s := range v.Scanners {
		scanners = append(scanners, map[string]any{"name": s.Name, "version": s.Version, "ruleSet": s.RuleSet,
			"rules": s.Rules, "status": s.Status, "files": s.Files, "cached": s.Cached, "skipped": s.Skipped, "findings": s.Findings})
		switch s.Status {
		case outcome.Complete:
		case outcome.Failed:
			inv.ExecutionSuccessful = false
			note("scanner-failed", "error", fmt.Sprintf("The scanner %s failed: %s", s.Name, s.Reason))
		default:
			note("scanner-"+string(s.Status), "warning", fmt.Sprintf("The scanner %s: %s: %s", s.Name, s.Status, s.Reason))
		}
	}
	inv.Properties = map[string]any{"scanners": scanners, "settings": full(settings(v.Settings))}
	if cutResults > 0 {
		note("results-left-out", "warning", fmt.Sprintf("%s left out to stay within the limits of code scanning, the least grave ones.", count(cutResults, "result")))
	}
	if cutPlaces > 0 {
		note("places-left-out", "warning", fmt.Sprintf("%s left out: a result may name %s.", count(cutPlaces, "place"), count(lim.locations, "place")))
	}
	for _, n := range v.Notices[:min(len(v.Notices), lim.notes)] {
		var at []finding.Location
		if n.Path != "" {
			at = append(at, finding.Location{Path: n.Path, StartLine: n.Line})
		}
		note(n.Kind, "warning", n.Message, at...)
	}
	room := lim.notes - len(inv.Notifications)
	for _, g := range v.skipGroups() {
		level := "note"
		if g.Failed {
			level = "error"
		}
		for i, s := range g.Skips {
			if room <= 0 {
				note("skipped", level, fmt.Sprintf("%s ×%s more not looked at", g.Reason, thousands(len(g.Skips)-i)))
				break
			}
			room--
			text := "Not looked at: " + g.Reason
			if s.Detail != "" {
				text += ", " + s.Detail
			}
			note("skipped", level, text, finding.Location{Path: s.Path})
		}
	}
	return inv
}

// settings lists what configured the run, "name=value", by name.
func settings(m map[string]string) []string {
	var out []string
	for name, value := range m {
		out = append(out, replaced(name+"="+value))
	}
	slices.Sort(out)
	return out
}

// plainText is s for a SARIF plain text message: visible, and without the
// brackets that viewers take for an embedded link (3.11.6).
func plainText(s string) string {
	return strings.ReplaceAll(visible(s), "](", "] (")
}

// webAddress reports whether s is an http or https address without characters
// that would end it in Markdown or HTML.
func webAddress(s string) bool {
	if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") || len(s) > 2000 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"'`\\^{}|()[]", c) >= 0 {
			return false
		}
	}
	return true
}
