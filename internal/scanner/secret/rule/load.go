package rule

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	toml "github.com/pelletier/go-toml/v2"

	"bulwark/internal/finding"
)

// MaxFile is the largest rule file that is read, in bytes.
const MaxFile = 8 << 20

// maxExpr bounds the source of one expression, in bytes.
const maxExpr = 64 << 10

// Set is an ordered collection of rules with what applies to all of them.
type Set struct {
	Rules      []*Rule
	Allowlists []*Allowlist // of the whole set
	byID       map[string]*Rule
	// Warnings are oddities of the files that did not keep the rules from
	// being used: unknown keys, disabled rules that don't exist.
	Warnings []string
	// UseDefault is set when a foreign file asks to extend the default rules.
	UseDefault bool
	// ExtendPath is a further file that a foreign file extends; empty if none.
	ExtendPath string
	disabled   []string
	targeted   map[string][]*Allowlist
}

// Rule returns the rule with the id, or nil.
func (s *Set) Rule(id string) *Rule { return s.byID[id] }

type fileRule struct {
	ID          string
	Description string
	Path        string
	Regex       string
	SecretGroup int `toml:"secretGroup"`
	Entropy     float64
	Keywords    []string
	Tags        []string
	AllowList   *fileAllowlist   `toml:"allowlist"`
	Allowlists  []*fileAllowlist `toml:"allowlists"`
	Required    []fileRequired   `toml:"required"`
	SkipReport  bool             `toml:"skipReport"`

	// Bulwark's extension.
	AssignedTo string              `toml:"assigned_to"`
	Judge      string              `toml:"judge"`
	Check      string              `toml:"check"`
	Verify     string              `toml:"verify"`
	Severity   *finding.Severity   `toml:"severity"`
	Confidence *finding.Confidence `toml:"confidence"`
	Rationale  string              `toml:"rationale"`
	Remedy     string              `toml:"remedy"`
	CWE        []string            `toml:"cwe"`
	Controls   []string            `toml:"controls"`
	References []string            `toml:"references"`
	Examples   Examples            `toml:"examples"`
}

type fileRequired struct {
	ID            string `toml:"id"`
	WithinLines   *int   `toml:"withinLines"`
	WithinColumns *int   `toml:"withinColumns"`
}

type fileAllowlist struct {
	Description string
	Condition   string
	Commits     []string
	Paths       []string
	RegexTarget string `toml:"regexTarget"`
	Regexes     []string
	StopWords   []string `toml:"stopwords"`
	TargetRules []string `toml:"targetRules"`
}

type file struct {
	Title       string
	Description string
	Extend      struct {
		Path          string
		URL           string `toml:"url"`
		UseDefault    bool   `toml:"useDefault"`
		DisabledRules []string
	}
	Rules      []fileRule
	AllowList  *fileAllowlist
	Allowlists []*fileAllowlist
	MinVersion string
}

// Parse reads one file. Foreign files, a team's own gitleaks configuration,
// are read leniently as gitleaks does (unknown keys become warnings), have all
// of their expressions compiled at once, and are applied to the letter. Errors
// name the file, the position or the rule, and what to do.
func Parse(name string, data []byte, foreign bool) (*Set, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("reading rules from %s: %d bytes, the limit is %d; split the file", name, len(data), MaxFile)
	}
	var f file
	s := &Set{byID: map[string]*Rule{}, targeted: map[string][]*Allowlist{}}
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		var strict *toml.StrictMissingError
		var at *toml.DecodeError
		switch {
		case errors.As(err, &strict) && foreign:
			for _, e := range strict.Errors {
				row, col := e.Position()
				s.Warnings = append(s.Warnings, fmt.Sprintf("%s:%d:%d: unknown key %s is ignored", name, row, col, strings.Join(e.Key(), ".")))
			}
			if err := toml.Unmarshal(data, &f); err != nil {
				return nil, tomlError(name, err)
			}
		case errors.As(err, &strict):
			e := strict.Errors[0]
			row, col := e.Position()
			return nil, fmt.Errorf("%s:%d:%d: unknown key %s", name, row, col, strings.Join(e.Key(), "."))
		case errors.As(err, &at):
			return nil, tomlError(name, err)
		default:
			return nil, fmt.Errorf("reading rules from %s: %w", name, err)
		}
	}
	for i := range f.Rules {
		r, err := translate(&f.Rules[i], foreign)
		if err != nil {
			id := cmp.Or(f.Rules[i].ID, fmt.Sprintf("number %d", i+1))
			return nil, fmt.Errorf("%s: rule %s: %w", name, id, err)
		}
		if s.byID[r.ID] != nil {
			return nil, fmt.Errorf("%s: rule %s is defined twice; rename one", name, r.ID)
		}
		s.byID[r.ID] = r
		s.Rules = append(s.Rules, r)
	}
	if f.AllowList != nil {
		if len(f.Allowlists) > 0 {
			return nil, fmt.Errorf("%s: [allowlist] and [[allowlists]] cannot both be used; keep [[allowlists]]", name)
		}
		f.Allowlists = append(f.Allowlists, f.AllowList)
	}
	for _, fa := range f.Allowlists {
		a, err := allowlist(fa)
		if err != nil {
			return nil, fmt.Errorf("%s: [[allowlists]]: %w", name, err)
		}
		if len(fa.TargetRules) == 0 {
			s.Allowlists = append(s.Allowlists, a)
		}
		for _, id := range fa.TargetRules {
			s.targeted[id] = append(s.targeted[id], a)
		}
	}
	if f.Extend.UseDefault && f.Extend.Path != "" {
		return nil, fmt.Errorf("%s: extend.useDefault and extend.path exclude one another; keep one", name)
	}
	if f.Extend.URL != "" {
		return nil, fmt.Errorf("%s: extend.url is not supported: a scan reaches no network; save the file and use extend.path", name)
	}
	s.UseDefault, s.ExtendPath, s.disabled = f.Extend.UseDefault, f.Extend.Path, f.Extend.DisabledRules
	return s, nil
}

func tomlError(name string, err error) error {
	var at *toml.DecodeError
	if errors.As(err, &at) {
		row, col := at.Position()
		return fmt.Errorf("%s:%d:%d: %s", name, row, col, strings.TrimPrefix(at.Error(), "toml: "))
	}
	return fmt.Errorf("reading rules from %s: %w", name, err)
}

// extended reports whether the rule uses one of Bulwark's own keys: then it is
// to be judged as Bulwark's own rules are.
func (f *fileRule) extended() bool {
	return f.AssignedTo != "" || f.Judge != "" || f.Check != "" || f.Severity != nil || f.Confidence != nil ||
		f.Rationale != "" || f.Remedy != ""
}

func translate(f *fileRule, foreign bool) (*Rule, error) {
	if strings.TrimSpace(f.ID) == "" {
		return nil, errors.New("id is missing")
	}
	r := &Rule{
		ID: f.ID, Description: f.Description, Rationale: f.Rationale, Remedy: f.Remedy,
		Severity: finding.High, Confidence: finding.Firm,
		Tags: f.Tags, CWE: f.CWE, Controls: f.Controls, References: f.References,
		Judge: f.Judge, Check: f.Check, Verify: f.Verify,
		SecretGroup: f.SecretGroup, Entropy: f.Entropy, SkipReport: f.SkipReport,
		Foreign: foreign && !f.extended(), Examples: f.Examples,
	}
	if f.Severity != nil {
		r.Severity = *f.Severity
	}
	if f.Confidence != nil {
		r.Confidence = *f.Confidence
	}
	if len(r.CWE) == 0 {
		r.CWE = []string{"CWE-798"}
	}
	for _, e := range []struct{ what, src string }{{"regex", f.Regex}, {"path", f.Path}, {"assigned_to", f.AssignedTo}} {
		if len(e.src) > maxExpr {
			return nil, fmt.Errorf("%s is %d bytes long, the limit is %d", e.what, len(e.src), maxExpr)
		}
	}
	if f.Path != "" {
		r.Path = NewExpr(f.Path)
	}
	if f.AssignedTo != "" {
		r.AssignedTo = NewExpr("(?i)(?:" + f.AssignedTo + ")")
		if f.Regex != "" {
			r.Regex = wholly(f.Regex)
		}
	} else if f.Regex != "" {
		r.Regex = NewExpr(f.Regex)
	}
	switch {
	case r.Regex == nil && r.AssignedTo == nil && r.Path == nil:
		return nil, errors.New("regex, path and assigned_to are all empty: it would find nothing")
	case r.AssignedTo != nil && r.Regex == nil && r.Judge == "":
		return nil, errors.New("assigned_to needs a regex or a judge for the value")
	case r.AssignedTo != nil && len(f.Keywords) == 0:
		return nil, errors.New("assigned_to needs keywords")
	}
	if foreign {
		for _, e := range []*Expr{r.Regex, r.Path, r.AssignedTo} {
			if e != nil && e.Err() != nil {
				return nil, fmt.Errorf("expression %q: %w; Go's RE2 syntax has no look-around and no back-references", e, e.Err())
			}
		}
		if r.Regex != nil && f.SecretGroup > r.Regex.Re().NumSubexp() {
			return nil, fmt.Errorf("secretGroup is %d, but the regex has %d groups", f.SecretGroup, r.Regex.Re().NumSubexp())
		}
	}
	for _, k := range f.Keywords {
		if k = strings.ToLower(k); k != "" && !slices.Contains(r.Keywords, k) {
			r.Keywords = append(r.Keywords, k)
		}
	}
	if f.AllowList != nil {
		if len(f.Allowlists) > 0 {
			return nil, errors.New("[rules.allowlist] and [[rules.allowlists]] cannot both be used; keep [[rules.allowlists]]")
		}
		f.Allowlists = append(f.Allowlists, f.AllowList)
	}
	for _, fa := range f.Allowlists {
		a, err := allowlist(fa)
		if err != nil {
			return nil, fmt.Errorf("[[rules.allowlists]]: %w", err)
		}
		r.Allowlists = append(r.Allowlists, a)
	}
	for _, q := range f.Required {
		if q.ID == "" {
			return nil, errors.New("[[rules.required]]: id is missing")
		}
		r.Required = append(r.Required, Required{q.ID, q.WithinLines, q.WithinColumns})
	}
	r.prepare()
	return r, nil
}

func allowlist(f *fileAllowlist) (*Allowlist, error) {
	a := &Allowlist{Description: f.Description}
	switch strings.ToUpper(f.Condition) {
	case "AND", "&&":
		a.All = true
	case "", "OR", "||":
	default:
		return nil, fmt.Errorf("unknown condition %q: want AND or OR", f.Condition)
	}
	switch f.RegexTarget {
	case "", "secret":
	case "match":
		a.Target = TargetMatch
	case "line":
		a.Target = TargetLine
	default:
		return nil, fmt.Errorf("unknown regexTarget %q: want secret, match or line", f.RegexTarget)
	}
	if len(f.Commits)+len(f.Paths)+len(f.Regexes)+len(f.StopWords) == 0 {
		return nil, errors.New("needs at least one of commits, paths, regexes or stopwords")
	}
	for _, c := range f.Commits {
		if a.Commits == nil {
			a.Commits = map[string]bool{}
		}
		a.Commits[strings.ToLower(strings.TrimSpace(c))] = true
	}
	compile := func(list []string) ([]*Expr, error) {
		var out []*Expr
		for _, src := range list {
			e := NewExpr(src)
			if err := e.Err(); err != nil {
				return nil, fmt.Errorf("expression %q: %w; Go's RE2 syntax has no look-around and no back-references", src, err)
			}
			out = append(out, e)
		}
		return out, nil
	}
	var err error
	if a.Paths, err = compile(f.Paths); err != nil {
		return nil, err
	}
	if a.Regexes, err = compile(f.Regexes); err != nil {
		return nil, err
	}
	for _, w := range f.StopWords {
		a.StopWords = append(a.StopWords, strings.ToLower(w))
	}
	return a, nil
}

// Extend joins a file that extends base: rules of base that s redefines are
// merged (the fields that s sets win, lists are appended), as gitleaks does;
// the others are added, except those that s disables.
func (s *Set) Extend(base *Set) {
	for _, id := range s.disabled {
		if base.byID[id] == nil {
			s.Warnings = append(s.Warnings, fmt.Sprintf("disabledRules: no rule %s", id))
		}
	}
	for _, b := range base.Rules {
		if slices.Contains(s.disabled, b.ID) {
			continue
		}
		own := s.byID[b.ID]
		if own == nil {
			s.byID[b.ID] = b
			s.Rules = append(s.Rules, b)
			continue
		}
		merged := *b
		merged.Foreign = b.Foreign && own.Foreign
		merged.Description = cmp.Or(own.Description, b.Description)
		merged.Entropy = cmp.Or(own.Entropy, b.Entropy)
		merged.SecretGroup = cmp.Or(own.SecretGroup, b.SecretGroup)
		if own.Regex != nil {
			merged.Regex, merged.AssignedTo, merged.Judge, merged.Check = own.Regex, own.AssignedTo, own.Judge, own.Check
			merged.Foreign = own.Foreign
		}
		if own.Path != nil {
			merged.Path = own.Path
		}
		merged.Tags = append(slices.Clone(b.Tags), own.Tags...)
		merged.Keywords = append(slices.Clone(b.Keywords), own.Keywords...)
		merged.Allowlists = append(slices.Clone(b.Allowlists), own.Allowlists...)
		merged.prepare()
		*own = merged
	}
	s.Allowlists = append(s.Allowlists, base.Allowlists...)
	s.Warnings = append(s.Warnings, base.Warnings...)
	for id, list := range base.targeted {
		s.targeted[id] = append(s.targeted[id], list...)
	}
	slices.SortStableFunc(s.Rules, func(a, b *Rule) int { return cmp.Compare(a.ID, b.ID) })
}

// Finish resolves references between rules once everything is joined.
func (s *Set) Finish() error {
	for id, list := range s.targeted {
		r := s.byID[id]
		if r == nil {
			return fmt.Errorf("[[allowlists]]: target rule %s does not exist", id)
		}
		r.Allowlists = append(r.Allowlists, list...)
	}
	s.targeted = nil
	for _, r := range s.Rules {
		for _, q := range r.Required {
			if s.byID[q.RuleID] == nil {
				return fmt.Errorf("rule %s requires rule %s, which does not exist", r.ID, q.RuleID)
			}
		}
	}
	return nil
}

// Add appends the rules of another file; a rule id that exists is an error.
func (s *Set) Add(other *Set) error {
	for _, r := range other.Rules {
		if s.byID[r.ID] != nil {
			return fmt.Errorf("rule %s is defined twice; rename one", r.ID)
		}
		s.byID[r.ID] = r
		s.Rules = append(s.Rules, r)
	}
	s.Allowlists = append(s.Allowlists, other.Allowlists...)
	s.Warnings = append(s.Warnings, other.Warnings...)
	for id, list := range other.targeted {
		s.targeted[id] = append(s.targeted[id], list...)
	}
	return nil
}

// Keep drops the rules for which keep is false.
func (s *Set) Keep(keep func(*Rule) bool) {
	s.Rules = slices.DeleteFunc(s.Rules, func(r *Rule) bool {
		if keep(r) {
			return false
		}
		delete(s.byID, r.ID)
		return true
	})
}

// NewSet returns a set without rules.
func NewSet() *Set {
	return &Set{byID: map[string]*Rule{}, targeted: map[string][]*Allowlist{}}
}
