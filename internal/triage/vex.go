package triage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/sbom/vex"
)

// ApplyVEX suppresses the vulnerabilities that statements say do not affect the
// asset: not_affected, or fixed, for every version in use. Other statements are
// noted as evidence. What has lapsed is a notice. The findings are changed in
// place; their maps and slices are replaced, not written to.
func ApplyVEX(findings []finding.Finding, index *vex.Index, now time.Time) []outcome.Notice {
	if index == nil {
		return nil
	}
	var notices []outcome.Notice
	for i := range findings {
		f := &findings[i]
		p := f.Properties
		if p[finding.PropVuln] == "" || p[finding.PropMalicious] != "" {
			continue // no statement makes malice harmless
		}
		q := vex.Query{
			IDs:    append([]string{p[finding.PropVuln]}, strings.Fields(p[finding.PropAliases])...),
			Ground: vex.Ground{Modified: p[finding.PropModified], Content: p[finding.PropReachContent]}, Now: now,
		}
		var said []*vex.Statement
		purls := strings.Fields(p[finding.PropPURL])
		for _, purl := range purls {
			q.PURL = purl
			s, lapsed := index.Find(q)
			for _, l := range lapsed {
				notices = append(notices, outcome.Notice{Kind: "vex-lapsed", Path: place(f),
					Message: fmt.Sprintf("the VEX statement about %s in %s (%s) no longer holds: %s", p[finding.PropVuln], purl, l.Statement.Status, l.Reason)})
			}
			if s != nil {
				said = append(said, s)
			}
		}
		if len(said) == 0 {
			continue
		}
		harmless := func(s *vex.Statement) bool { return s.Status == vex.NotAffected || s.Status == vex.Fixed }
		if len(said) == len(purls) && !slices.ContainsFunc(said, func(s *vex.Statement) bool { return !harmless(s) }) {
			suppress(f, said[0])
			continue
		}
		for _, s := range said {
			note := fmt.Sprintf("VEX: %s", s.Status)
			if why := strings.TrimSpace(s.Justification + " " + s.Impact + " " + s.Action); why != "" {
				note += ": " + why
			}
			if !slices.Contains(f.Evidence, note) {
				f.Evidence = append(slices.Clone(f.Evidence), note)
			}
		}
	}
	return notices
}

func place(f *finding.Finding) string {
	if len(f.Locations) == 0 {
		return ""
	}
	return f.Locations[0].Path
}

// suppress accepts the places that nothing else has accepted.
func suppress(f *finding.Finding, s *vex.Statement) {
	reason := string(s.Status)
	for _, text := range []string{s.Justification, s.Impact} {
		if text != "" {
			reason += ": " + text
		}
	}
	until := ""
	if !s.Expires.IsZero() {
		until = s.Expires.UTC().Format(time.DateOnly)
	}
	f.Locations = slices.Clone(f.Locations)
	for j := range f.Locations {
		if f.Locations[j].Suppression == nil {
			f.Locations[j].Suppression = &finding.Suppression{Kind: "vex", ID: s.Vulnerability, Owner: s.Author, Reason: reason, Until: until}
		}
	}
}
