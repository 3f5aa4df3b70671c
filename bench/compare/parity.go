package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// mostShown bounds how many missing places are printed one by one.
const mostShown = 50

// parity checks that Bulwark, given gitleaks' own rules and nothing else, finds
// everything that gitleaks finds.
func parity(ctx context.Context, s *settings) error {
	heading(s.out, "With gitleaks' own rules: what gitleaks finds and Bulwark does not")
	missed := 0
	for _, in := range []struct{ name, root string }{
		{"gitleaks' source", s.gitleaksSource}, {"Go standard library", s.goroot}, {"Kubernetes", s.kubernetes},
	} {
		theirs := s.gitleaksOn("dir", in.root, "-c", s.gitleaksRules)
		ours := s.bulwarkOn(in.root, "--no-git", "--no-cache", "--no-default-rules", "--rules", s.gitleaksRules)
		if _, err := measure(ctx, 1, theirs, ours); err != nil {
			return err
		}
		want, err := readGitleaks(filepath.Join(s.work, "gitleaks.json"))
		if err != nil {
			return err
		}
		got, err := readBulwark(filepath.Join(s.work, "bulwark.json"))
		if err != nil {
			return err
		}
		lost := missing(in.root, want, got)
		fmt.Fprintf(s.out, "%s: gitleaks %d places, bulwark %d, missing %d\n", in.name, len(want), len(got), len(lost))
		for i, p := range lost {
			if i == mostShown {
				fmt.Fprintf(s.out, "  … and %d more\n", len(lost)-mostShown)
				break
			}
			fmt.Fprintf(s.out, "  %s %s:%d%s\n", p.Rule, p.Path, p.Start, others(p, got))
		}
		missed += len(lost)
	}
	if missed > 0 {
		return fmt.Errorf("%d places that gitleaks finds are missing", missed)
	}
	return nil
}

// missing returns the places of want that got has not. Gitleaks counts the lines
// of its match, which may begin at the end of the line before the secret and end
// behind it; Bulwark counts those of the secret: the two agree when they overlap.
func missing(root string, want, got []place) []place {
	type key struct{ rule, path string }
	have := map[key][]place{}
	for _, p := range got {
		k := key{p.Rule, p.Path}
		have[k] = append(have[k], p)
	}
	var out []place
	for _, w := range want {
		w.Path = relative(root, w.Path)
		if !overlaps(w, have[key{w.Rule, w.Path}]) {
			out = append(out, w)
		}
	}
	return out
}

// others names the rules of other findings on the same lines: often the same
// secret, found by a more specific rule.
func others(p place, got []place) string {
	var rules []string
	for _, g := range got {
		if g.Path == p.Path && g.Start <= p.End && p.Start <= g.End && !slices.Contains(rules, g.Rule) {
			rules = append(rules, g.Rule)
		}
	}
	if len(rules) == 0 {
		return ""
	}
	return " (found there: " + strings.Join(rules, ", ") + ")"
}

func overlaps(w place, all []place) bool {
	for _, p := range all {
		if p.Start <= w.End && w.Start <= p.End {
			return true
		}
	}
	return false
}

// relative is a path of gitleaks' report, which begins as the scanned folder was
// written, as Bulwark writes it.
func relative(root, path string) string {
	if rel, ok := strings.CutPrefix(path, strings.TrimSuffix(root, "/")+"/"); ok {
		return rel
	}
	return path
}
