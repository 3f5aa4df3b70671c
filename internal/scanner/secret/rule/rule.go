// Package rule reads secret rules: gitleaks' TOML format with Bulwark's
// extension keys, so that a team's own .gitleaks.toml works unchanged. It
// compiles and describes rules; applying them to content is the business of
// the package above.
package rule

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"

	"bulwark/internal/finding"
)

// Rule is one test for one type of credential.
type Rule struct {
	ID          string
	Description string
	Rationale   string
	Remedy      string
	Severity    finding.Severity
	Confidence  finding.Confidence
	Tags        []string
	CWE         []string
	Controls    []string
	References  []string

	// Regex finds the credential, or with AssignedTo set is matched against
	// the whole assigned value. Nil for rules about paths alone.
	Regex *Expr
	// AssignedTo is matched against the name that a value is assigned to.
	AssignedTo *Expr
	// Judge names the kind of plausibility test of an assigned value.
	Judge string
	// Check names the structural check of the found value.
	Check string
	// Verify names the provider that can say whether the credential is live.
	Verify string
	// Path limits the rule to paths that it matches.
	Path        *Expr
	SecretGroup int // 0: the first group that is not empty, else the whole match
	Entropy     float64
	Keywords    []string // lower-case
	Allowlists  []*Allowlist
	Required    []Required
	// SkipReport rules only serve as parts of composite rules.
	SkipReport bool
	// Foreign is true for rules of a team's own gitleaks file: they are
	// applied exactly as gitleaks applies them, without Bulwark's judgement.
	Foreign bool

	Examples Examples

	reach func() Reach
}

// Reach tells how far around a keyword a match can lie. It is computed once.
func (r *Rule) Reach() Reach { return r.reach() }

// Examples prove a rule.
type Examples struct {
	Leaks []string `toml:"leaks"` // in each the rule finds exactly one secret
	Clean []string `toml:"clean"` // in none it finds anything
	Path  string   `toml:"path"`  // Optional: where the examples stand. Default "example.txt".
}

// CutMark stands inside the credentials of examples, so that no scanner takes
// them for live ones. It is removed before use.
const CutMark = "\u00a6"

// Required names a rule that must match nearby for this one to count.
type Required struct {
	RuleID        string
	WithinLines   *int // nil: anywhere in the content
	WithinColumns *int
}

// Target says what an allowlist's expressions are tested against.
type Target uint8

// The targets.
const (
	TargetSecret Target = iota
	TargetMatch
	TargetLine
)

// Allowlist says what is not a finding.
type Allowlist struct {
	Description string
	All         bool // all criteria must hold; otherwise any
	Target      Target
	Commits     map[string]bool // lower-case
	Paths       []*Expr
	Regexes     []*Expr
	StopWords   []string // lower-case
}

// Expr is a regular expression that is compiled when first needed.
type Expr struct {
	src  string
	once sync.Once
	re   *regexp.Regexp
	bad  error
}

// NewExpr wraps the source of an expression without looking at it; Err tells
// whether it compiles.
func NewExpr(src string) *Expr { return &Expr{src: src} }

func (e *Expr) compile() {
	e.re, e.bad = regexp.Compile(e.src)
	if e.bad != nil {
		e.re = never
	}
}

var never = regexp.MustCompile(`[^\s\S]`)

// Err compiles the expression and reports why it cannot be.
func (e *Expr) Err() error {
	e.once.Do(e.compile)
	return e.bad
}

// Re returns the compiled expression; one that matches nothing if Err is not nil.
func (e *Expr) Re() *regexp.Regexp {
	e.once.Do(e.compile)
	return e.re
}

func (e *Expr) String() string { return e.src }

// Match reports whether the expression matches somewhere in s.
func (e *Expr) Match(s string) bool { return e.Re().MatchString(s) }

// wholly returns the expression that matches only all of its input.
func wholly(src string) *Expr { return NewExpr(`\A(?:` + src + `)\z`) }

func (r *Rule) prepare() {
	r.reach = sync.OnceValue(func() Reach {
		if r.Regex == nil || r.AssignedTo != nil {
			return Reach{Length: Unbounded}
		}
		parsed, err := syntax.Parse(r.Regex.src, syntax.Perl)
		if err != nil {
			return Reach{Length: Unbounded}
		}
		reach := reachOf(parsed.Simplify(), r.Keywords)
		reach.Head = headOf(parsed, reach)
		return reach
	})
}

// Describe returns what reports say about the rule.
func (r *Rule) Describe() finding.Rule {
	return finding.Rule{
		ID: r.ID, Title: r.Description, Rationale: r.Rationale, Remedy: r.Remedy,
		Scanner: "secret", Severity: r.Severity, Tags: r.Tags, CWE: r.CWE,
		Controls: r.Controls, References: r.References,
	}
}

// PathAllowed reports whether a criterion of a about the file alone makes the
// whole file not a finding. Lists that need all criteria and have some about
// content are left to Allowed.
func (a *Allowlist) PathAllowed(path, commit string) bool {
	inCommit := commit != "" && a.Commits[strings.ToLower(commit)]
	inPath := matchAny(a.Paths, path)
	if !a.All {
		return inCommit || inPath
	}
	if len(a.Regexes) > 0 || len(a.StopWords) > 0 {
		return false
	}
	return (len(a.Commits) == 0 || inCommit) && (len(a.Paths) == 0 || inPath)
}

// Allowed reports whether a finding with this secret, match and line is one
// that a allows.
func (a *Allowlist) Allowed(secret, match, line, path, commit string) bool {
	target := secret
	switch a.Target {
	case TargetMatch:
		target = match
	case TargetLine:
		target = line
	}
	inRegex := matchAny(a.Regexes, target)
	if !a.All {
		return inRegex || a.stopWord(secret)
	}
	if len(a.Commits) > 0 && (commit == "" || !a.Commits[strings.ToLower(commit)]) {
		return false
	}
	if len(a.Paths) > 0 && !matchAny(a.Paths, path) {
		return false
	}
	if len(a.Regexes) > 0 && !inRegex {
		return false
	}
	return len(a.StopWords) == 0 || a.stopWord(secret)
}

func (a *Allowlist) stopWord(secret string) bool {
	if len(a.StopWords) == 0 {
		return false
	}
	low := strings.ToLower(secret)
	for _, w := range a.StopWords {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

func matchAny(list []*Expr, s string) bool {
	if s == "" {
		return false
	}
	for _, e := range list {
		if e.Match(s) {
			return true
		}
	}
	return false
}
