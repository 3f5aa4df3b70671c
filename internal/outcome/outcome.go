// Package outcome defines what a run of Bulwark results in: what was covered,
// what was found, what was decided and why. A Run is the document that every
// report is made from. It holds plain values and performs no I/O.
package outcome

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bulwark/internal/asset"
	"bulwark/internal/finding"
)

// SchemaID names the version of the JSON form of Run.
const SchemaID = "bulwark.run/v1"

// Verdict is the answer of the decision point.
type Verdict uint8

// Verdicts in ascending order of weight: the verdict of a run is the greatest
// of its parts.
const (
	Allow Verdict = iota
	Warn
	Unknown // could not look, or could not tell: an obligation to look again
	Block
)

var verdictNames = [...]string{"allow", "warn", "unknown", "block"}

func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// MarshalText writes the lower-case name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a name as written by MarshalText; any other text is an error.
func (v *Verdict) UnmarshalText(b []byte) error {
	i := slices.Index(verdictNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("unknown verdict %q: want one of %s", b, strings.Join(verdictNames[:], ", "))
	}
	*v = Verdict(i)
	return nil
}

// Decision is a verdict on one finding, or (with an empty Fingerprint) on the
// run as a whole.
type Decision struct {
	RuleID      string  `json:"rule_id,omitempty"`
	Fingerprint string  `json:"fingerprint,omitempty"`
	Verdict     Verdict `json:"verdict"`
	Policy      string  `json:"policy"` // "bulwark.gate/new-high-firm"
	Reason      string  `json:"reason"` // one sentence for a person
}

// ScannerStatus is data, so that "clean" is never confused with "crashed".
type ScannerStatus string

// The statuses of a scanner after a run.
const (
	Complete ScannerStatus = "complete" // looked at everything it wanted
	Partial  ScannerStatus = "partial"  // could not look at some of it
	Failed   ScannerStatus = "failed"   // its result must not be relied on
	NotRun   ScannerStatus = "not-run"  // was not asked, or could not start
)

// Skip is something that a scanner wanted and nobody looked at.
type Skip struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`           // a fixed phrase: "too large", "symlink leaves the root"
	Detail string `json:"detail,omitempty"` // "12.3 GiB, limit 1 GiB"
	// Failed is true when the content should have been examined and could not
	// be (an I/O error, a damaged object): the coverage is then partial. It is
	// false for what is left out by design (a submodule, an LFS pointer).
	Failed bool `json:"failed,omitempty"`
}

// Scanner is one scanner's account of a run.
type Scanner struct {
	Name     string        `json:"name"`
	Version  string        `json:"version"`
	RuleSet  string        `json:"rule_set"` // hash of the rules that were applied
	Rules    int           `json:"rules"`    // how many
	Status   ScannerStatus `json:"status"`
	Reason   string        `json:"reason,omitempty"` // why not Complete
	Files    int           `json:"files"`            // examined or answered from the cache
	Cached   int           `json:"cached"`           // of those, answered from the cache
	Bytes    int64         `json:"bytes"`            // read and examined in this run
	Skipped  int           `json:"skipped"`          // wanted, but not looked at
	Findings int           `json:"findings"`
}

// Notice is something about the run itself that a person should know: an
// expired or unused waiver, a shallow clone.
type Notice struct {
	Kind    string `json:"kind"` // "waiver-expired", "waiver-unused", "shallow-clone", …
	Message string `json:"message"`
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
}

// Tool names the program that made the run.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Run is the whole result of looking and deciding.
type Run struct {
	Schema     string            `json:"schema"` // SchemaID
	Tool       Tool              `json:"tool"`
	Asset      asset.Asset       `json:"asset"`
	Stage      string            `json:"stage"`    // "commit", "build", …
	Mode       string            `json:"mode"`     // "full", "change", "staged", "history"
	Settings   map[string]string `json:"settings"` // what configured this run; no secrets
	Started    time.Time         `json:"started"`
	DurationMS int64             `json:"duration_ms"`
	Verdict    Verdict           `json:"verdict"`
	// Incomplete says why the run ended early (cancelled, out of disk);
	// empty otherwise.
	Incomplete string            `json:"incomplete,omitempty"`
	Scanners   []Scanner         `json:"scanners"`
	Rules      []finding.Rule    `json:"rules"` // those that Findings name
	Findings   []finding.Finding `json:"findings"`
	Decisions  []Decision        `json:"decisions"`
	Skips      []Skip            `json:"skips"`
	Notices    []Notice          `json:"notices"`
}

// Rule returns the description of a rule by id, or nil.
func (r *Run) Rule(id string) *finding.Rule {
	for i := range r.Rules {
		if r.Rules[i].ID == id {
			return &r.Rules[i]
		}
	}
	return nil
}

// Decision returns the decision on f, or nil: a suppressed finding has none.
func (r *Run) Decision(f *finding.Finding) *Decision {
	for i := range r.Decisions {
		if r.Decisions[i].Fingerprint == f.Fingerprint && r.Decisions[i].RuleID == f.RuleID {
			return &r.Decisions[i]
		}
	}
	return nil
}
