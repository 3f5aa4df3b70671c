// Package advisory defines what is known of packages from outside:
// vulnerabilities, malicious packages, exploitation and ends of life. It holds
// plain values; reading, building and refreshing the local database of them is
// done by the packages below. Whether an advisory matters to an asset is for
// packages triage and policy.
package advisory

import "time"

// Severity is one score that a source gives.
type Severity struct {
	System string  `json:"system"` // "CVSS:2.0", "CVSS:3.0", "CVSS:3.1", "CVSS:4.0", "label"
	Vector string  `json:"vector,omitempty"`
	Score  float64 `json:"score,omitempty"` // base score, 0 to 10; 0 with System "label"
	Label  string  `json:"label"`           // none, low, medium, high, critical
	Source string  `json:"source"`          // the record it is from
}

// Exploitation is what is known of attacks, all by CVE.
type Exploitation struct {
	KEV  *KEV  `json:"kev,omitempty"`
	EPSS *EPSS `json:"epss,omitempty"`
	SSVC *SSVC `json:"ssvc,omitempty"`
}

// KEV is an entry of CISA's catalogue of known exploited vulnerabilities.
type KEV struct {
	CVE        string `json:"cve"`
	Added      string `json:"added"` // YYYY-MM-DD
	Due        string `json:"due"`   // YYYY-MM-DD, for US federal agencies
	Ransomware bool   `json:"ransomware"`
	Name       string `json:"name"`
	Action     string `json:"action"`
}

// EPSS is the probability of exploitation within 30 days (FIRST.org).
type EPSS struct {
	CVE        string  `json:"cve"`
	Score      float64 `json:"score"`      // 0 to 1
	Percentile float64 `json:"percentile"` // 0 to 1
	Date       string  `json:"date"`       // YYYY-MM-DD, of the scores
}

// SSVC are the decision points that CISA's Vulnrichment publishes.
type SSVC struct {
	CVE             string `json:"cve"`
	Exploitation    string `json:"exploitation"`     // none, poc, active
	Automatable     string `json:"automatable"`      // no, yes
	TechnicalImpact string `json:"technical_impact"` // partial, total
	Date            string `json:"date"`             // YYYY-MM-DD
}

// Proof says why a version is affected by one record.
type Proof struct {
	Record string `json:"record"` // the record's id
	// Package and Version are as the record's ecosystem writes them.
	Ecosystem string `json:"ecosystem"`
	Package   string `json:"package"`
	Version   string `json:"version"`
	// Range is the affected range that holds Version. Introduced "0" is the
	// beginning; Fixed is exclusive, LastAffected inclusive, both may be empty:
	// no end. Empty altogether if Listed.
	Introduced   string `json:"introduced,omitempty"`
	Fixed        string `json:"fixed,omitempty"`
	LastAffected string `json:"last_affected,omitempty"`
	// Listed is true when the record names the version explicitly.
	Listed     bool   `json:"listed,omitempty"`
	Comparator string `json:"comparator"` // "semver", "maven", "pep440", …
}

// Match is one vulnerability that affects one version of a package. Records
// that are aliases of one another are one match.
type Match struct {
	// ID is the name that people use: the CVE if there is exactly one, else
	// the smallest by kind (CVE, GHSA, the ecosystem's own, others) and text.
	ID        string   `json:"id"`
	Aliases   []string `json:"aliases,omitempty"` // all other names, sorted
	Malicious bool     `json:"malicious,omitempty"`
	Proofs    []Proof  `json:"proofs"` // one for each record, by record id
	// Fixed are the versions from which the package is no longer affected, one
	// for each line of releases that has one, ascending; empty: no fix known.
	Fixed []string `json:"fixed,omitempty"`
}

// Detail is what a person wants to read of a vulnerability. It is read from
// disk only on request.
type Detail struct {
	ID         string       `json:"id"`
	Records    []string     `json:"records"` // the ids of the records joined here
	Aliases    []string     `json:"aliases,omitempty"`
	Summary    string       `json:"summary"`
	Text       string       `json:"text"` // Markdown from strangers
	Published  time.Time    `json:"published,omitzero"`
	Modified   time.Time    `json:"modified"`
	Withdrawn  time.Time    `json:"withdrawn,omitzero"` // every record was withdrawn, the last one then
	Severities []Severity   `json:"severities,omitempty"`
	CWEs       []string     `json:"cwes,omitempty"` // "CWE-79"
	References []string     `json:"references,omitempty"`
	Exploits   Exploitation `json:"exploits"`
	// Symbols are the affected functions by import path, for Go records that
	// state them.
	Symbols map[string][]string `json:"symbols,omitempty"`
	// Licence and Source of the data, for attribution.
	Sources []string `json:"sources,omitempty"`
}

// Cycle is one release cycle of a product and when it ends.
type Cycle struct {
	Product string `json:"product"` // "Django"
	Cycle   string `json:"cycle"`   // "3.2"
	// Ended is the last day of support, YYYY-MM-DD; empty with Over: ended on
	// a day that is not stated.
	Ended  string `json:"ended,omitempty"`
	Over   bool   `json:"over"`
	Latest string `json:"latest,omitempty"` // newest version of the cycle
	// Next is the oldest cycle that is still supported; empty: none.
	Next string `json:"next,omitempty"`
}

// SourceInfo is the account of one source within a database.
type SourceInfo struct {
	Name     string `json:"name"`     // "osv/npm", "kev", "epss", "ssvc", "eol"
	Location string `json:"location"` // URL or folder name, no credentials, no absolute path
	Records  int    `json:"records"`
	Newest   string `json:"newest,omitempty"` // RFC 3339: the newest record's modification, or the date of the scores
	Digest   string `json:"digest"`           // "sha-256:…" of what was read
}

// Info is the account of a database.
type Info struct {
	Format   int          `json:"format"`
	Serial   string       `json:"serial"` // identity of the content: hex SHA-256
	Built    time.Time    `json:"built"`
	Sources  []SourceInfo `json:"sources"`
	Records  int          `json:"records"`  // OSV records, withdrawn ones included
	Groups   int          `json:"groups"`   // vulnerabilities after merging aliases
	Packages int          `json:"packages"` // distinct (ecosystem, name)
	// Unordered counts ranges whose bounds no version scheme parses; they match
	// only versions that are listed.
	Unordered int `json:"unordered"`
}
