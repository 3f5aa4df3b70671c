package secret

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"bulwark/internal/identity"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/secret/rule"
)

// defaultExamplePath is where an example stands that names no path: neither a
// test nor code of a language with rules of its own.
const defaultExamplePath = "deploy/settings.txt"

// CheckExamples runs the examples of every rule for which want is true through
// the whole set and returns what is wrong, one line each.
func CheckExamples(set *rule.Set, want func(*rule.Rule) bool) ([]string, error) {
	e, err := newEngine(set)
	if err != nil {
		return nil, err
	}
	key := identity.Key{1} // any: fingerprints are not looked at
	var wrong []string
	for _, r := range set.Rules {
		if !want(r) {
			continue
		}
		report := func(format string, args ...any) {
			wrong = append(wrong, r.ID+": "+fmt.Sprintf(format, args...))
		}
		for i, text := range r.Examples.Leaks {
			found, err := e.example(r, text, key)
			if err != nil {
				return nil, err
			}
			n := 0
			var others []string
			for _, c := range found {
				if c.rule == r {
					n++
				} else {
					others = append(others, c.rule.ID)
				}
			}
			if n != 1 {
				report("leak %d of %d is found %d times, want once (other rules: %s)", i+1, len(r.Examples.Leaks), n, cmp.Or(strings.Join(others, ", "), "none"))
			}
		}
		for i, text := range r.Examples.Clean {
			found, err := e.example(r, text, key)
			if err != nil {
				return nil, err
			}
			for _, c := range found {
				if c.rule == r {
					report("clean example %d of %d is found", i+1, len(r.Examples.Clean))
					break
				}
			}
		}
	}
	return wrong, nil
}

// example examines one example as a file of its own.
func (e *engine) example(r *rule.Rule, text string, key identity.Key) ([]candidate, error) {
	text = strings.ReplaceAll(text, rule.CutMark, "")
	path := cmp.Or(r.Examples.Path, defaultExamplePath)
	c := &scanner.Chunk{Meta: scanner.Meta{Path: path, Size: int64(len(text)), Type: scanner.Text}, Content: []byte(text), Line: 1, Last: true}
	x := e.examine(context.Background(), c, key)
	defer x.release()
	if r.SkipReport {
		// Only a part of others: look at what it matches itself.
		if err := x.look(); err != nil {
			return nil, err
		}
	} else if err := x.run(); err != nil {
		return nil, err
	}
	return append([]candidate(nil), x.found...), nil
}
