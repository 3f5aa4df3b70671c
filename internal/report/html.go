package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// Limits of the page: beyond them a browser gets slow, and another kind of
// report serves better.
const (
	htmlFindings = 2_000 // in each section
	htmlPlaces   = 100   // of a finding
	htmlPaths    = 200   // skipped, for each reason
)

type (
	htmlPage struct {
		CSP                            string
		Style                          template.CSS
		Class, Verdict, Asset, Summary string
		About, Decisions, Notices      []string
		Filters                        []htmlFilter
		Sections                       []htmlSection
		Scanners                       []htmlScanner
		Skips                          []htmlSkips
		Skipped                        string
	}
	htmlFilter  struct{ Name, Count string }
	htmlSection struct {
		Title, Count, Left string
		Folded             bool
		Findings           []htmlFinding
	}
	htmlFinding struct {
		Severity, What, Rule, Status, Confidence, Where string
		Excerpt                                         bool
		Line, Before, Marked, After                     string
		Facts                                           []htmlFact
		Links                                           []string
	}
	htmlFact struct {
		Name, Value string
		Code        bool
		List        []string
	}
	htmlScanner struct{ Name, Class, Status, Line, Rules string }
	htmlSkips   struct {
		Title string
		Paths []string
	}
)

// writeHTML writes one page that needs nothing else: no script, no font, no
// image, and a content security policy that forbids all but its own style. The
// filter by severity is CSS.
func writeHTML(w io.Writer, v *view, _ Options) error {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return err
	}
	return t.Execute(w, newPage(v))
}

func newPage(v *view) *htmlPage {
	sum := sha256.Sum256([]byte(pageCSS))
	p := &htmlPage{
		CSP: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'",
		Style:   template.CSS(pageCSS), // ours, and the hash above vouches for it
		Class:   v.Verdict.String(),
		Verdict: v.verdictWord(),
		Asset:   visible(clip(cmp.Or(v.Asset.Name, "Bulwark"), 200)),
		Summary: v.detail(),
		Skipped: thousands(len(v.Skips)),
	}
	about := func(name, value string) {
		if value != "" {
			p.About = append(p.About, name+visible(clip(value, 100)))
		}
	}
	about("", string(v.Asset.Kind))
	about("branch ", v.Asset.Branch)
	about("at ", v.Asset.Revision)
	about("base ", v.Asset.Base)
	about("mode ", v.Mode)
	if !v.Started.IsZero() {
		about("", v.Started.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	about("", strings.TrimSpace(v.Tool.Name+" "+v.Tool.Version))
	for i := range v.decisions {
		p.Decisions = append(p.Decisions, decisionLine(&v.decisions[i]))
	}
	for _, n := range v.Notices {
		p.Notices = append(p.Notices, noticeLine(n)+" ("+visible(clip(n.Kind, 60))+")")
	}
	counts := map[finding.Severity]int{}
	for _, e := range v.entries() {
		counts[min(e.Severity, finding.Critical)]++
	}
	for s := finding.Critical; ; s-- {
		if counts[s] > 0 {
			p.Filters = append(p.Filters, htmlFilter{s.String(), thousands(counts[s])})
		}
		if s == finding.Info {
			break
		}
	}
	for _, g := range []struct {
		title  string
		list   []*entry
		folded bool
	}{{"Blocked", v.blocked, false}, {"Undecided", v.unknown, false}, {"Warnings", v.warned, false}, {"Allowed", v.allowed, true}, {"Accepted", v.suppressed, true}} {
		if len(g.list) > 0 {
			p.Sections = append(p.Sections, newHTMLSection(g.title, g.list, g.folded))
		}
	}
	for _, s := range v.Scanners {
		class := "not-run"
		switch s.Status {
		case outcome.Complete, outcome.Partial, outcome.Failed:
			class = string(s.Status)
		}
		p.Scanners = append(p.Scanners, htmlScanner{visible(s.Name), class, visible(string(s.Status)), v.scannerLine(s), thousands(s.Rules)})
	}
	for _, g := range v.skipGroups() {
		s := htmlSkips{Title: fmt.Sprintf("%s ×%s", visible(g.Reason), thousands(len(g.Skips)))}
		if g.Failed {
			s.Title += ", failed"
		}
		for i, k := range g.Skips {
			if i == htmlPaths {
				s.Paths = append(s.Paths, "and "+thousands(len(g.Skips)-i)+" more")
				break
			}
			line := visible(k.Path)
			if k.Detail != "" {
				line += " (" + visible(clip(k.Detail, 200)) + ")"
			}
			s.Paths = append(s.Paths, line)
		}
		p.Skips = append(p.Skips, s)
	}
	return p
}

func newHTMLSection(title string, list []*entry, folded bool) htmlSection {
	s := htmlSection{Title: title, Count: thousands(len(list)), Folded: folded}
	for i, e := range list {
		if i == htmlFindings {
			s.Left = fmt.Sprintf("%s more not shown on this page: see the JSON report.", count(len(list)-i, "finding"))
			break
		}
		s.Findings = append(s.Findings, newHTMLFinding(e))
	}
	return s
}

func newHTMLFinding(e *entry) htmlFinding {
	l := e.first()
	f := htmlFinding{
		Severity: min(e.Severity, finding.Critical).String(), What: visible(e.what()), Rule: visible(e.RuleID),
		Status: visible(string(e.Status)), Confidence: e.Confidence.String(), Where: fullPosition(l),
		Excerpt: l.Excerpt != "", Line: "?",
	}
	if l.StartLine > 0 {
		f.Line = fmt.Sprint(l.StartLine)
	}
	from := true
	for _, s := range spans(l) {
		switch {
		case s.marked:
			f.Marked += s.text
			from = false
		case from:
			f.Before += s.text
		default:
			f.After += s.text
		}
	}
	fact := func(name, value string) {
		if value != "" {
			f.Facts = append(f.Facts, htmlFact{Name: name, Value: value})
		}
	}
	f.Facts = append(f.Facts, htmlPlacesFacts(e)...)
	fact("Evidence", evidence(e))
	fact("Why it matters", visible(e.rule.Rationale))
	fact("How to fix", visible(e.rule.Remedy))
	if !e.suppressed() {
		fact("Decision", e.decided())
	}
	if len(e.rule.CWE) > 0 {
		fact("Weakness", visible(strings.Join(e.rule.CWE, ", ")))
	}
	f.Facts = append(f.Facts, htmlFact{Name: "Id", Value: visible(e.Fingerprint), Code: true})
	for _, r := range e.rule.References {
		if webAddress(r) {
			f.Links = append(f.Links, r)
		}
	}
	return f
}

// htmlPlacesFacts lists what is known of the places of a finding.
func htmlPlacesFacts(e *entry) []htmlFact {
	list := func(name string, places []finding.Location) htmlFact {
		f := htmlFact{Name: name}
		for i, l := range places {
			if i == htmlPlaces {
				f.List = append(f.List, "and "+thousands(len(places)-i)+" more")
				break
			}
			s := fullPosition(l)
			if l.Commit != nil {
				s += " (" + shortCommit(l.Commit) + ")"
			}
			for _, n := range l.Notes {
				s += ", " + visible(clip(n, 200))
			}
			if l.Suppression != nil {
				s += ": " + acceptance(l.Suppression)
			}
			f.List = append(f.List, s)
		}
		return f
	}
	var out []htmlFact
	if len(e.places) > 0 {
		out = append(out, list("Places", e.places))
	}
	if len(e.accepted) > 0 {
		out = append(out, list("Accepted", e.accepted))
	}
	return out
}

// fullPosition is position with the whole path.
func fullPosition(l finding.Location) string {
	if len(l.Path) <= maxPath {
		return position(l)
	}
	short := l
	short.Path = ""
	return visible(l.Path) + strings.TrimPrefix(position(short), "(no path)")
}
