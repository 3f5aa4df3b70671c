package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"bulwark/internal/finding"
)

// InputID names the version of Input.
const InputID = "bulwark.policy.input/v1"

// Input is the document that policies judge. Its JSON form is InputSchema:
// every field is always there, and a text that is not known is empty, so that
// no condition of a policy silently fails on a missing field.
type Input struct {
	Schema     string     `json:"schema"` // InputID
	Now        time.Time  `json:"now"`
	Stage      string     `json:"stage"`
	Mode       string     `json:"mode"` // "full", "change", "staged" or "history"
	Asset      Asset      `json:"asset"`
	Findings   []Finding  `json:"findings"`
	Scanners   []Scanner  `json:"scanners"`
	Skips      []Skips    `json:"skips"`
	Incomplete string     `json:"incomplete"`
	Parameters Parameters `json:"parameters"`
}

// Asset is what was examined, with what the project says of its importance.
type Asset struct {
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	Revision    string `json:"revision"`
	Branch      string `json:"branch"`
	Base        string `json:"base"`
	Criticality string `json:"criticality"`
	Exposure    string `json:"exposure"`
	DataClass   string `json:"data_class"`
}

// Finding is one finding with what policies may know of it; never a secret.
type Finding struct {
	RuleID         string            `json:"rule_id"`
	Scanner        string            `json:"scanner"`
	Fingerprint    string            `json:"fingerprint"`
	Severity       string            `json:"severity"`
	SeverityRank   int               `json:"severity_rank"` // 0 (info) to 4 (critical)
	Confidence     string            `json:"confidence"`
	ConfidenceRank int               `json:"confidence_rank"` // 0 (tentative) to 2 (certain)
	Status         string            `json:"status"`
	Message        string            `json:"message"`
	Masked         string            `json:"masked"`
	Tags           []string          `json:"tags"`
	CWE            []string          `json:"cwe"`
	Controls       []string          `json:"controls"`
	Properties     map[string]string `json:"properties"`
	Locations      []Location        `json:"locations"`
	Suppressed     bool              `json:"suppressed"` // every location is
}

// Location is one place of a finding.
type Location struct {
	Path        string      `json:"path"`
	StartLine   int         `json:"start_line"`
	Commit      string      `json:"commit"`
	CommitDate  string      `json:"commit_date"`
	Notes       []string    `json:"notes"`
	Suppressed  bool        `json:"suppressed"`
	Suppression Suppression `json:"suppression"`
}

// Suppression says how a place was accepted; empty when it was not.
type Suppression struct {
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Owner  string `json:"owner"`
	Reason string `json:"reason"`
	Until  string `json:"until"`
}

// Scanner is one scanner's account of the run.
type Scanner struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	Reason   string `json:"reason"`
	Files    int    `json:"files"`
	Skipped  int    `json:"skipped"`
	Findings int    `json:"findings"`
}

// Skips counts what was not looked at for one reason.
type Skips struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	Failed int    `json:"failed"` // of them, those that should have been examined
}

// Parameters tune the default policy. The zero value leaves its defaults.
type Parameters struct {
	Block Threshold `json:"block"`
	// Partial is the verdict on partial coverage: "", "unknown" or "warn".
	Partial string `json:"partial"`
	// NotRun is the verdict on a scanner that did not start: "", "unknown",
	// "warn" or "allow".
	NotRun string `json:"not_run"`
	// Dependency tunes what the default policy does with findings about packages.
	Dependency Dependency `json:"dependency"`
	// Rules maps a rule id to "off", "warn", "block" or the name of a severity
	// that replaces the finding's own.
	Rules map[string]string `json:"rules"`
}

// Dependency says what follows for packages that do not ship, for code that
// nothing reaches ("warn" or "judge") and for due dates that have passed ("warn"
// or "block"); empty for the defaults.
type Dependency struct {
	Development string `json:"development"`
	Unreachable string `json:"unreachable"`
	Overdue     string `json:"overdue"`
}

// Threshold is the least severity and confidence that block; empty for the
// default.
type Threshold struct {
	Severity   string `json:"severity"`
	Confidence string `json:"confidence"`
}

var (
	severities  = []string{"info", "low", "medium", "high", "critical"}
	confidences = []string{"tentative", "firm", "certain"}
	modes       = []string{"full", "change", "staged", "history"}
	statuses    = []string{string(finding.New), string(finding.Existing)}
)

// Validate reports every parameter that no policy would understand, as an
// error of kind Configuration.
func (p Parameters) Validate() error {
	var problems []Problem
	check := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			problems = append(problems, Problem{Message: fmt.Sprintf("%s: %q is not one of %s", key, value,
				strings.Join(slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" }), ", "))})
		}
	}
	check("policy.block.severity", p.Block.Severity, append([]string{""}, severities...)...)
	check("policy.block.confidence", p.Block.Confidence, append([]string{""}, confidences...)...)
	check("policy.partial", p.Partial, "", "unknown", "warn")
	check("policy.not_run", p.NotRun, "", "unknown", "warn", "allow")
	check("dependency.development", p.Dependency.Development, "", "warn", "judge")
	check("dependency.unreachable", p.Dependency.Unreachable, "", "warn", "judge")
	check("dependency.overdue", p.Dependency.Overdue, "", "warn", "block")
	for _, id := range slices.Sorted(maps.Keys(p.Rules)) {
		check("policy.rules."+id, p.Rules[id], append([]string{"off", "warn", "block"}, severities...)...)
	}
	if len(problems) > 0 {
		return &Error{Kind: Configuration, Op: "reading the policy parameters", Problems: problems}
	}
	return nil
}

// maxInput bounds a document for DecodeInput, in bytes.
const maxInput = 256 << 20

// DecodeInput reads an input document as `bulwark policy eval --input` takes
// it. Unknown fields, other versions and values outside the schema are errors
// of kind Configuration.
func DecodeInput(r io.Reader) (Input, error) {
	const op = "reading the policy input"
	d := json.NewDecoder(io.LimitReader(r, maxInput))
	d.DisallowUnknownFields()
	var in Input
	if err := d.Decode(&in); err != nil {
		return Input{}, configuration(op, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Input{}, configurationf(op, "", "there is more after the document, or it is larger than %d bytes", maxInput)
	}
	if err := in.validate(); err != nil {
		return Input{}, err
	}
	in.fill()
	return in, nil
}

// validate checks what a policy relies on.
func (in *Input) validate() error {
	const op = "reading the policy input"
	if in.Schema != InputID {
		return configurationf(op, "", "schema is %q, want %q", in.Schema, InputID)
	}
	if in.Now.IsZero() {
		return configurationf(op, "", "now is missing: a policy must know the time that it decides for")
	}
	if y := in.Now.Year(); y < 1970 || y > 2261 {
		return configurationf(op, "", "now is outside the years 1970 to 2261")
	}
	if !slices.Contains(modes, in.Mode) {
		return configurationf(op, "", "mode is %q, want one of %s", in.Mode, strings.Join(modes, ", "))
	}
	seen := make(map[[2]string]bool, len(in.Findings))
	for i := range in.Findings {
		f := &in.Findings[i]
		id := [2]string{f.RuleID, f.Fingerprint}
		switch {
		case f.RuleID == "" || f.Fingerprint == "":
			return configurationf(op, "", "findings[%d] has no rule_id or no fingerprint", i)
		case seen[id]:
			return configurationf(op, "", "findings[%d]: %s of rule %s is there twice", i, f.Fingerprint, f.RuleID)
		case slices.Index(severities, f.Severity) != f.SeverityRank || f.SeverityRank < 0:
			return configurationf(op, "", "findings[%d]: severity %q does not have rank %d", i, f.Severity, f.SeverityRank)
		case slices.Index(confidences, f.Confidence) != f.ConfidenceRank || f.ConfidenceRank < 0:
			return configurationf(op, "", "findings[%d]: confidence %q does not have rank %d", i, f.Confidence, f.ConfidenceRank)
		case !slices.Contains(statuses, f.Status):
			return configurationf(op, "", "findings[%d]: status is %q, want new or existing", i, f.Status)
		}
		seen[id] = true
	}
	return in.Parameters.Validate()
}

// fill replaces nil slices and maps by empty ones, so that they are not null in
// the document. What in shares with others is copied before it changes.
func (in *Input) fill() {
	in.Now = in.Now.UTC()
	in.Findings = filled(slices.Clone(in.Findings))
	in.Scanners = filled(in.Scanners)
	in.Skips = filled(in.Skips)
	if in.Parameters.Rules == nil {
		in.Parameters.Rules = map[string]string{}
	}
	for i := range in.Findings {
		f := &in.Findings[i]
		f.Tags, f.CWE, f.Controls = filled(f.Tags), filled(f.CWE), filled(f.Controls)
		if f.Properties == nil {
			f.Properties = map[string]string{}
		}
		if slices.ContainsFunc(f.Locations, func(l Location) bool { return l.Notes == nil }) {
			f.Locations = slices.Clone(f.Locations)
			for j := range f.Locations {
				f.Locations[j].Notes = filled(f.Locations[j].Notes)
			}
		}
		f.Locations = filled(f.Locations)
	}
}

func filled[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
