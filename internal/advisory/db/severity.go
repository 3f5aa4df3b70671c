package db

import (
	"slices"
	"strings"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/osv"
)

// severitiesOf are the ratings that a record states, each once. Labels in use
// are brought to the five of CVSS.
func severitiesOf(r *osv.Record) []advisory.Severity {
	var out []advisory.Severity
	add := func(s advisory.Severity) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	rate := func(list []osv.Severity) {
		for _, s := range list {
			if system := systemOf(s); system != "" {
				add(advisory.Severity{System: system, Vector: s.Score, Source: r.ID})
			} else if label := labelOf(s.Score); label != "" {
				add(advisory.Severity{System: "label", Label: label, Source: r.ID})
			}
		}
	}
	rate(r.Severity)
	if label := labelOf(r.Label); label != "" {
		add(advisory.Severity{System: "label", Label: label, Source: r.ID})
	}
	for i := range r.Affected {
		rate(r.Affected[i].Severity)
		if label := labelOf(r.Affected[i].Label); label != "" {
			add(advisory.Severity{System: "label", Label: label, Source: r.ID})
		}
	}
	return out
}

// systemOf is the version of CVSS that a vector is of. Vectors of version 3
// and 4 say so themselves.
func systemOf(s osv.Severity) string {
	if len(s.Score) > osv.MaxID {
		return ""
	}
	for _, system := range [...]string{"CVSS:4.0", "CVSS:3.1", "CVSS:3.0"} {
		if strings.HasPrefix(s.Score, system+"/") {
			return system
		}
	}
	if s.Type == "CVSS_V2" && strings.Contains(s.Score, "AV:") {
		return "CVSS:2.0"
	}
	return ""
}

func labelOf(label string) string {
	switch strings.ToLower(strings.TrimSpace(label)) {
	case "none", "negligible", "informational", "info":
		return "none"
	case "low", "minor":
		return "low"
	case "medium", "moderate":
		return "medium"
	case "high", "important", "major":
		return "high"
	case "critical":
		return "critical"
	}
	return ""
}

// addSymbols adds what a Go record states of affected functions.
func addSymbols(d *advisory.Detail, r *osv.Record) {
	for i := range r.Affected {
		for _, imported := range r.Affected[i].Imports {
			if imported.Path == "" {
				continue
			}
			if d.Symbols == nil {
				d.Symbols = make(map[string][]string)
			}
			all := append(d.Symbols[imported.Path], imported.Symbols...)
			slices.Sort(all)
			d.Symbols[imported.Path] = slices.Compact(all)
		}
	}
}
