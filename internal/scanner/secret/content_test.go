package secret

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	secretrules "bulwark/content/secret"
	"bulwark/internal/finding"
	"bulwark/internal/scanner/secret/check"
	"bulwark/internal/scanner/secret/plausible"
	"bulwark/internal/scanner/secret/rule"
)

func loadContent(t *testing.T) *rule.Set {
	t.Helper()
	set, err := Load(secretrules.FS)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Finish(); err != nil {
		t.Fatal(err)
	}
	return set
}

// The examples beside the rules are their tests.
func TestContentExamples(t *testing.T) {
	set := loadContent(t)
	wrong, err := CheckExamples(set, func(*rule.Rule) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

func TestContentIsWellFormed(t *testing.T) {
	set := loadContent(t)
	id := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	for _, r := range set.Rules {
		bad := func(format string, args ...any) { t.Helper(); t.Errorf("rule "+r.ID+": "+format, args...) }
		for what, e := range map[string]*rule.Expr{"regex": r.Regex, "assigned_to": r.AssignedTo, "path": r.Path} {
			if e != nil && e.Err() != nil {
				bad("%s: %v", what, e.Err())
			}
		}
		if !id.MatchString(r.ID) {
			bad("the id is not kebab-case")
		}
		if r.Description == "" || r.Rationale == "" || r.Remedy == "" {
			bad("description, rationale and remedy must all say something")
		}
		if len(r.References) == 0 && !strings.HasPrefix(r.ID, "generic") {
			bad("no reference to where the format is documented")
		}
		if len(r.Examples.Leaks) < 1 || len(r.Examples.Clean) < 2 {
			bad("%d leaks and %d clean examples: want at least 1 and 2", len(r.Examples.Leaks), len(r.Examples.Clean))
		}
		for _, k := range r.Keywords {
			if len(k) < 3 {
				bad("keyword %q is shorter than 3 characters: it would be everywhere", k)
			}
		}
		if len(r.Keywords) == 0 {
			bad("no keywords: it would run on every byte")
		}
		if r.Regex != nil && r.AssignedTo == nil {
			if reach := r.Reach(); !reach.Anchored || reach.Length < 0 {
				bad("a match need not hold a keyword, or has no greatest length: %+v", reach)
			}
		}
		if r.Regex != nil && r.SecretGroup > r.Regex.Re().NumSubexp() {
			bad("secretGroup %d, but the regex has %d groups", r.SecretGroup, r.Regex.Re().NumSubexp())
		}
		if r.Check != "" {
			if _, ok := check.Lookup(r.Check); !ok {
				bad("no check is called %q; there are %v", r.Check, check.Names())
			}
		}
		if r.Judge != "" {
			if _, ok := plausible.ParseKind(r.Judge); !ok {
				bad("no kind of value is called %q", r.Judge)
			}
		}
		if r.Confidence == finding.Certain && r.Check == "" {
			bad("confidence certain needs a check")
		}
	}
}

func TestContentCoverage(t *testing.T) {
	set := loadContent(t)
	provider := 0
	var ids []string
	for _, r := range set.Rules {
		if !strings.HasPrefix(r.ID, "generic") && !r.SkipReport {
			provider++
		}
		ids = append(ids, r.ID)
	}
	if provider < 220 {
		t.Errorf("%d rules for providers' credentials, want at least 220", provider)
	}
	slices.Sort(ids)
	if dup := slices.Compact(slices.Clone(ids)); len(dup) != len(ids) {
		t.Error("rule ids are not unique")
	}
}
