// Package config holds a project's settings: the struct, its defaults and a
// strict reader of .bulwark.yaml. It takes bytes and returns values; it reads no
// file, no environment and no flag. Flags override what it returns, the caller
// sees to that. New fields must have a good zero value or a default, so that a
// new binary starts with an old file.
package config

import (
	"bulwark/internal/finding"
	"bulwark/internal/identity"
)

// FileName is where a project keeps its configuration, relative to its root.
const FileName = ".bulwark.yaml"

// MaxFileSize is the largest configuration that Parse accepts, in bytes.
const MaxFileSize = 1 << 20

// Config is everything that a project can set.
type Config struct {
	Version     int          `json:"version"` // 1
	IdentityKey identity.Key `json:"-"`       // zero: not set
	Asset       Asset        `json:"asset"`
	Scan        Scan         `json:"scan"`
	Secret      Secret       `json:"secret"`
	Dependency  Dependency   `json:"dependency"`
	Triage      Triage       `json:"triage"`
	Policy      Policy       `json:"policy"`
	Cache       Cache        `json:"cache"`
	Verify      Verify       `json:"verify"`
}

// Asset is the business context that policies may weigh. Empty: not stated.
type Asset struct {
	Owner       string `json:"owner,omitempty"`
	Criticality string `json:"criticality,omitempty"` // low, medium, high, critical
	Exposure    string `json:"exposure,omitempty"`    // isolated, internal, internet
	DataClass   string `json:"data_class,omitempty"`
}

// Scan says what is looked at.
type Scan struct {
	Exclude     []string `json:"exclude,omitempty"` // gitignore patterns
	MaxFileSize Size     `json:"max_file_size"`     // larger files are reported as skipped
	Workers     int      `json:"workers"`           // 0: one for each core
	// Archives is how many levels of archives inside the tree are opened; 0
	// leaves them closed.
	Archives int `json:"archives"`
}

// Secret configures the secret scanner.
type Secret struct {
	Rules    []string                    `json:"rules,omitempty"`    // files in gitleaks' TOML format, relative to the root
	Replace  bool                        `json:"replace,omitempty"`  // Rules stand alone, without the built-in ones
	Disable  []string                    `json:"disable,omitempty"`  // rule ids
	Severity map[string]finding.Severity `json:"severity,omitempty"` // by rule id
}

// Dependency configures the scanner of packages. Where its database lies is not
// for a repository to say.
type Dependency struct {
	Enabled bool `json:"enabled"`
	// MaxAgeDays is how old the advisory database may be before the scanner
	// counts as not run; 0: any age.
	MaxAgeDays int      `json:"max_age_days"`
	VEX        []string `json:"vex,omitempty"` // OpenVEX or CycloneDX files
	Licenses   Licenses `json:"licenses"`
	// Development, Unreachable and Overdue say what the default policy does with
	// findings of packages that do not ship, that no code calls, and of which
	// the due date has passed.
	Development string `json:"development"` // warn, judge
	Unreachable string `json:"unreachable"` // warn, judge
	Overdue     string `json:"overdue"`     // warn, block
}

// Licenses say which licences packages may state: SPDX ids or names of groups.
// With Allow, everything else is denied.
type Licenses struct {
	Allow   []string `json:"allow,omitempty"`
	Deny    []string `json:"deny,omitempty"`
	Unknown string   `json:"unknown"`          // of a package that states none that is known: allow, warn, deny
	Except  []string `json:"except,omitempty"` // names of packages that are not judged
}

// The ways to treat inline directives.
const (
	InlineAllow        = "allow"
	InlineRequireOwner = "require-owner"
	InlineForbid       = "forbid"
)

// Triage says what has been accepted. Paths are relative to the root; a file of
// a default name that does not exist is no error.
type Triage struct {
	Waivers       string `json:"waivers"`
	Baseline      string `json:"baseline"`
	MaxWaiverDays int    `json:"max_waiver_days"` // no waiver ends later than this from today
	Inline        string `json:"inline"`
}

// Action is what the default policy does with the findings of a rule.
type Action string

// The actions.
const (
	Block Action = "block"
	Warn  Action = "warn"
	Off   Action = "off"
)

// Policy configures the decision point.
type Policy struct {
	Block     Threshold         `json:"block"`
	Partial   string            `json:"partial"`              // verdict when some content could not be read: unknown, warn
	NotRun    string            `json:"not_run"`              // verdict when a scanner did not start: unknown, warn, allow
	Rules     map[string]Action `json:"rules,omitempty"`      // by rule id
	Files     []string          `json:"files,omitempty"`      // Rego files or folders to add
	Bundle    string            `json:"bundle,omitempty"`     // an OPA bundle to add
	BundleKey string            `json:"bundle_key,omitempty"` // public key (PEM) that signed the bundle
	Replace   bool              `json:"replace,omitempty"`    // Files and Bundle stand alone
}

// Threshold is the least that a new finding must have to block.
type Threshold struct {
	Severity   finding.Severity   `json:"severity"`
	Confidence finding.Confidence `json:"confidence"`
}

// Cache bounds the user's cache folder.
type Cache struct {
	MaxSize Size `json:"max_size"`
}

// Verify configures `scan --verify`, which asks providers whether a credential
// is live. It never turns verification on.
type Verify struct {
	Providers []string `json:"providers,omitempty"` // empty: all that are supported
	Rate      float64  `json:"rate"`                // requests per second to one provider
}

// Default returns the settings of a project without a configuration.
func Default() Config {
	return Config{
		Version: 1,
		Scan:    Scan{MaxFileSize: 1 << 30},
		Dependency: Dependency{Enabled: true, MaxAgeDays: 7, Licenses: Licenses{Unknown: "allow"},
			Development: "warn", Unreachable: "warn", Overdue: "warn"},
		Triage: Triage{
			Waivers:       ".bulwark/waivers.yaml",
			Baseline:      ".bulwark/baseline.json",
			MaxWaiverDays: 365,
			Inline:        InlineAllow,
		},
		Policy: Policy{Block: Threshold{Severity: finding.High, Confidence: finding.Firm}, Partial: "unknown", NotRun: "unknown"},
		Cache:  Cache{MaxSize: 512 << 20},
		Verify: Verify{Rate: 2},
	}
}
