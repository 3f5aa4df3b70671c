// Package finding defines what every scanner of Bulwark says: a rule, a place,
// a severity, a confidence and an identity that survives. It holds plain values
// and performs no I/O; deciding what follows from a finding belongs to packages
// triage and policy.
package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says how bad it is if the finding is right.
type Severity uint8

// Severities in ascending order.
const (
	Info Severity = iota
	Low
	Medium
	High
	Critical
)

var severityNames = [...]string{"info", "low", "medium", "high", "critical"}

func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText writes the lower-case name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name as written by MarshalText; any other text is an error.
func (s *Severity) UnmarshalText(b []byte) error {
	i := slices.Index(severityNames[:], strings.ToLower(string(b)))
	if i < 0 {
		return fmt.Errorf("unknown severity %q: want one of %s", b, strings.Join(severityNames[:], ", "))
	}
	*s = Severity(i)
	return nil
}

// Confidence says how likely it is that the finding is right.
type Confidence uint8

// Confidences in ascending order.
const (
	// Tentative: worth a look, often wrong (a weak context, a test path).
	Tentative Confidence = iota
	// Firm: format and context agree; wrong in fewer than 8 of 100 cases.
	Firm
	// Certain: proven by structure (a checksum, a parsed key) or by the
	// provider itself.
	Certain
)

var confidenceNames = [...]string{"tentative", "firm", "certain"}

func (c Confidence) String() string {
	if int(c) < len(confidenceNames) {
		return confidenceNames[c]
	}
	return fmt.Sprintf("confidence(%d)", uint8(c))
}

// MarshalText writes the lower-case name.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a name as written by MarshalText; any other text is an error.
func (c *Confidence) UnmarshalText(b []byte) error {
	i := slices.Index(confidenceNames[:], strings.ToLower(string(b)))
	if i < 0 {
		return fmt.Errorf("unknown confidence %q: want one of %s", b, strings.Join(confidenceNames[:], ", "))
	}
	*c = Confidence(i)
	return nil
}

// Rule is the description of a test, shared by all of its findings.
type Rule struct {
	ID    string `json:"id"`    // unique, kebab-case, stable for ever
	Title string `json:"title"` // a short noun phrase: "GitHub personal access token"
	// Rationale says why a finding matters, in one or two sentences.
	Rationale string `json:"rationale,omitempty"`
	// Remedy says what to do about a finding, in one to three sentences.
	Remedy     string   `json:"remedy,omitempty"`
	Scanner    string   `json:"scanner"`
	Severity   Severity `json:"severity"` // the rule's default; a finding may differ
	Tags       []string `json:"tags,omitempty"`
	CWE        []string `json:"cwe,omitempty"`      // "CWE-798"
	Controls   []string `json:"controls,omitempty"` // "nist-800-53:IA-5(7)"
	References []string `json:"references,omitempty"`
}

// Commit says which commit introduced the examined content. Present only for
// findings of a history or of a change's intermediate commits.
type Commit struct {
	ID     string `json:"id"`
	Author string `json:"author,omitempty"` // "Name <mail>", from a stranger: escape it
	Date   string `json:"date,omitempty"`   // RFC 3339
	// Subject is the first line of the commit message, from a stranger: escape it.
	Subject string `json:"subject,omitempty"`
}

// Location is one place of a finding.
type Location struct {
	// Path is slash-separated and relative to the asset's root. Inside an
	// archive it continues behind "!/". It may hold any bytes but NUL.
	Path string `json:"path"`
	// StartLine and EndLine count from 1. StartColumn and EndColumn count
	// bytes of the decoded UTF-8 line from 1; EndColumn is exclusive.
	StartLine   int `json:"start_line"`
	StartColumn int `json:"start_column"`
	EndLine     int `json:"end_line"`
	EndColumn   int `json:"end_column"`
	// Excerpt is the line StartLine, masked, cut to at most 240 bytes around
	// the finding. MarkStart and MarkEnd are the byte range in Excerpt that
	// the finding is about.
	Excerpt   string  `json:"excerpt,omitempty"`
	MarkStart int     `json:"mark_start,omitempty"`
	MarkEnd   int     `json:"mark_end,omitempty"`
	Commit    *Commit `json:"commit,omitempty"`
	// Notes are short facts about this place: "inside a test folder",
	// "decoded from base64".
	Notes []string `json:"notes,omitempty"`
	// Suppression is set by triage when this place was accepted: by an inline
	// directive, the waiver file or a baseline.
	Suppression *Suppression `json:"suppression,omitempty"`
}

// Suppression says why a place, though found, does not count.
type Suppression struct {
	Kind   string `json:"kind"`            // "inline", "waiver", "baseline" or "vex"
	ID     string `json:"id,omitempty"`    // the waiver's id
	Owner  string `json:"owner,omitempty"` // who answers for it
	Reason string `json:"reason,omitempty"`
	Until  string `json:"until,omitempty"` // the last day it holds, YYYY-MM-DD
}

// Status says how a finding relates to what was there before.
type Status string

// The statuses. A run without a base or baseline has only New.
const (
	New      Status = "new"      // introduced by the change, or no base to compare with
	Existing Status = "existing" // the base had it, or the baseline lists it
)

// Finding is a rule, its places and its identity. Findings with one fingerprint
// are one finding with several places.
type Finding struct {
	RuleID string `json:"rule_id"`
	// Fingerprint is the identity: "<scheme>:<32 hex digits>", such as
	// "secret/1:6f…". It survives moved lines, renamed files, reformatted
	// surroundings and reworded rules.
	Fingerprint string     `json:"fingerprint"`
	Scanner     string     `json:"scanner"`
	Severity    Severity   `json:"severity"`
	Confidence  Confidence `json:"confidence"`
	// Message says what was found, in one sentence without secret values:
	// "GitHub personal access token, checksum valid".
	Message string `json:"message"`
	Status  Status `json:"status"`
	// Evidence are short facts that support the finding, ordered: "CRC-32
	// checksum matches", "variable is named api_secret", "entropy 4.6".
	Evidence []string `json:"evidence,omitempty"`
	// Masked is the found value with everything but a harmless prefix
	// replaced: "ghp_…". Empty where a finding is not about a value.
	Masked string `json:"masked,omitempty"`
	// Properties are scanner-specific facts a policy may want:
	// "aws.account": "123456789012", "verified": "live".
	Properties map[string]string `json:"properties,omitempty"`
	Locations  []Location        `json:"locations"`
}

// Suppressed reports whether every place of f was accepted.
func (f *Finding) Suppressed() bool {
	for i := range f.Locations {
		if f.Locations[i].Suppression == nil {
			return false
		}
	}
	return len(f.Locations) > 0
}

// Compare orders locations by path, position and commit.
func (l Location) Compare(m Location) int {
	lc, mc := "", ""
	if l.Commit != nil {
		lc = l.Commit.ID
	}
	if m.Commit != nil {
		mc = m.Commit.ID
	}
	return cmp.Or(
		cmp.Compare(l.Path, m.Path),
		cmp.Compare(l.StartLine, m.StartLine),
		cmp.Compare(l.StartColumn, m.StartColumn),
		cmp.Compare(l.EndLine, m.EndLine),
		cmp.Compare(l.EndColumn, m.EndColumn),
		cmp.Compare(lc, mc),
	)
}

// Compare orders findings as reports list them: the gravest first, then by
// first place, rule and fingerprint, so that two runs print the same.
func (f Finding) Compare(g Finding) int {
	var fl, gl Location
	if len(f.Locations) > 0 {
		fl = f.Locations[0]
	}
	if len(g.Locations) > 0 {
		gl = g.Locations[0]
	}
	return cmp.Or(
		-cmp.Compare(f.Severity, g.Severity),
		-cmp.Compare(f.Confidence, g.Confidence),
		fl.Compare(gl),
		cmp.Compare(f.RuleID, g.RuleID),
		cmp.Compare(f.Fingerprint, g.Fingerprint),
	)
}

// Merge joins findings of equal fingerprint into one with all of their places
// (exact duplicates dropped), keeping the gravest severity, the highest
// confidence and the union of the evidence, and sorts the result by Compare.
// The input is not kept.
func Merge(all []Finding) []Finding {
	byID := make(map[string]int, len(all))
	var out []Finding
	for _, f := range all {
		key := f.RuleID + "\x00" + f.Fingerprint
		i, ok := byID[key]
		if !ok {
			byID[key] = len(out)
			f.Locations = slices.Clone(f.Locations)
			f.Evidence = slices.Clone(f.Evidence)
			out = append(out, f)
			continue
		}
		have := &out[i]
		if f.Severity > have.Severity {
			have.Severity = f.Severity
		}
		if f.Confidence > have.Confidence {
			have.Confidence, have.Message = f.Confidence, f.Message
		}
		if f.Status == New {
			have.Status = New
		}
		for _, e := range f.Evidence {
			if !slices.Contains(have.Evidence, e) {
				have.Evidence = append(have.Evidence, e)
			}
		}
		have.Locations = append(have.Locations, f.Locations...)
	}
	for i := range out {
		l := out[i].Locations
		slices.SortStableFunc(l, Location.Compare)
		out[i].Locations = slices.CompactFunc(l, func(a, b Location) bool { return a.Compare(b) == 0 })
	}
	slices.SortStableFunc(out, Finding.Compare)
	return out
}
