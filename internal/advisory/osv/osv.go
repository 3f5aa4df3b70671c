// Package osv reads one advisory in the OSV format, schema 1.x
// (https://ossf.github.io/osv-schema/). It checks the parts that matching
// depends on, keeps limits on hostile input and leaves free-form parts out that
// it does not know.
//
// It does not compare versions, does not judge severity and does not fetch:
// those are packages version, cvss and feed.
package osv

import (
	"encoding/json"
	"time"
)

// Limits on one record. The largest records of the public exports (Linux, with
// every tag listed) stay well below them.
const (
	MaxBytes    = 16 << 20 // of JSON
	MaxID       = 256      // bytes of an id or alias
	MaxName     = 1024     // bytes of a package name
	MaxVersion  = 1024     // bytes of a version
	MaxAliases  = 1024     // of each of aliases, related, upstream
	MaxAffected = 65536    // affected packages
	MaxEvents   = 8192     // events of one range
	MaxVersions = 262144   // listed versions of one affected package
)

// Record is one advisory.
type Record struct {
	ID        string    `json:"id"`
	Modified  time.Time `json:"modified"`
	Published time.Time `json:"published"`
	// Withdrawn is when the record was withdrawn; zero: it stands.
	Withdrawn  time.Time   `json:"withdrawn"`
	Aliases    []string    `json:"aliases"`
	Related    []string    `json:"related"`
	Upstream   []string    `json:"upstream"`
	Summary    string      `json:"summary"`
	Details    string      `json:"details"` // Markdown from strangers
	Severity   []Severity  `json:"severity"`
	Affected   []Affected  `json:"affected"`
	References []Reference `json:"references"`

	// What database_specific tells, by the names in common use.

	CWEs      []string `json:"-"` // cwe_ids, cwes: "CWE-79"
	Label     string   `json:"-"` // severity, lower-case, one word: "high", "moderate"
	License   string   `json:"-"` // license, of the record itself
	Malicious bool     `json:"-"` // it has malicious-packages-origins

	// Specific is database_specific as it stands.
	Specific json.RawMessage `json:"database_specific"`
}

// Severity is a rating by a system ("CVSS_V2", "CVSS_V3", "CVSS_V4", "Ubuntu").
type Severity struct {
	Type  string `json:"type"`
	Score string `json:"score"` // a CVSS vector, or the system's label
}

// Reference is a link; Type is "ADVISORY", "FIX", "WEB" and so on.
type Reference struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

// Affected is one package with the versions that are affected.
type Affected struct {
	Package  Package    `json:"package"` // empty: only sources in Git are named
	Severity []Severity `json:"severity"`
	Ranges   []Range    `json:"ranges"`
	// Versions are listed one by one, beside Ranges.
	Versions []string `json:"versions"`

	// Imports are the affected packages of a Go module (ecosystem_specific).
	Imports []Import `json:"-"`
	// Label is the severity of ecosystem_specific or database_specific.
	Label string `json:"-"`

	Ecosystem json.RawMessage `json:"ecosystem_specific"`
	Specific  json.RawMessage `json:"database_specific"`
}

// Package names a package within an ecosystem.
type Package struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Purl      string `json:"purl"`
}

// Import is one affected package of a Go module.
type Import struct {
	Path    string   `json:"path"`
	Symbols []string `json:"symbols"` // empty: the whole package
}

// RangeType says by what order the events of a range are sorted.
type RangeType string

// The types of range.
const (
	SemVer    RangeType = "SEMVER"
	Ecosystem RangeType = "ECOSYSTEM"
	Git       RangeType = "GIT"
)

// Range is a timeline of events.
type Range struct {
	Type   RangeType `json:"type"`
	Events []Event   `json:"events"`
}

// Event is one point of a timeline; exactly one field is set. Introduced "0"
// is the beginning; Fixed is exclusive, LastAffected inclusive; Limit "*" is
// no limit.
type Event struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
	Limit        string `json:"limit"`
}
