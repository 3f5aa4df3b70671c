package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// unit is a labelled line or range of lines.
type unit struct {
	path       string
	start, end int
	truth      bool
	ignored    bool
	categories map[string]bool // of the true labels, or of all if none is true
	found      []place
}

// scores is the result of a comparison.
type scores struct {
	units      []*unit
	unlabelled []place
	findings   int
}

type extent struct {
	path       string
	start, end int
}

func score(labels []label, places []place, without map[string]bool) *scores {
	units := map[extent]*unit{}
	s := &scores{}
	for _, truth := range []bool{true, false} { // true labels decide what a unit is
		for _, l := range labels {
			if l.truth != truth {
				continue
			}
			left := slices.DeleteFunc(slices.Clone(l.categories), func(c string) bool { return without[c] })
			k := extent{l.path, l.start, l.end}
			u := units[k]
			if u == nil {
				u = &unit{path: l.path, start: l.start, end: l.end, ignored: true, categories: map[string]bool{}}
				units[k] = u
				s.units = append(s.units, u)
			}
			if len(left) == 0 {
				continue
			}
			u.ignored = false
			u.truth = u.truth || truth
			if u.truth == truth {
				for _, c := range left {
					u.categories[c] = true
				}
			}
		}
	}
	at := map[string][]*unit{}
	repos := map[string]bool{}
	for _, u := range s.units {
		at[u.path] = append(at[u.path], u)
		repos[repo(u.path)] = true
	}
	for _, p := range places {
		if !repos[repo(p.path)] {
			continue
		}
		s.findings++
		var hit []*unit
		for _, u := range at[p.path] {
			if p.start <= u.end && u.start <= p.end {
				hit = append(hit, u)
			}
		}
		if len(hit) == 0 {
			s.unlabelled = append(s.unlabelled, p)
			continue
		}
		// Where a true and a false unit overlap, the finding is of the true one.
		anyTrue := slices.ContainsFunc(hit, func(u *unit) bool { return u.truth || u.ignored })
		for _, u := range hit {
			if u.truth || u.ignored || !anyTrue {
				u.found = append(u.found, p)
			}
		}
	}
	slices.SortFunc(s.units, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
	})
	return s
}

// repo returns the id of the repository in data/<id>/….
func repo(path string) string {
	_, rest, _ := strings.Cut(path, "/")
	id, _, _ := strings.Cut(rest, "/")
	return id
}

type counts struct{ tp, fp, fn, tn int }

func (c counts) String() string {
	ratio := func(a, b int) string {
		if b == 0 {
			return "    -"
		}
		return fmt.Sprintf("%5.3f", float64(a)/float64(b))
	}
	return fmt.Sprintf("%5d %5d %5d %6d      %s   %s", c.tp, c.fp, c.fn, c.tn, ratio(c.tp, c.tp+c.fp), ratio(c.tp, c.tp+c.fn))
}

func (c *counts) add(u *unit) {
	switch {
	case u.truth && len(u.found) > 0:
		c.tp++
	case u.truth:
		c.fn++
	case len(u.found) > 0:
		c.fp++
	default:
		c.tn++
	}
}

func (s *scores) print(w io.Writer) {
	var all counts
	categories, repos, rules := map[string]*counts{}, map[string]*counts{}, map[string]*counts{}
	count := func(in map[string]*counts, k string, u *unit) {
		if in[k] == nil {
			in[k] = &counts{}
		}
		in[k].add(u)
	}
	for _, u := range s.units {
		if u.ignored {
			continue
		}
		all.add(u)
		count(repos, repo(u.path), u)
		for c := range u.categories {
			count(categories, c, u)
		}
		seen := map[string]bool{}
		for _, p := range u.found {
			if !seen[p.rule] {
				seen[p.rule] = true
				count(rules, p.rule+" ("+p.confidence+")", u)
			}
		}
	}
	fmt.Fprintf(w, "%-44s    TP    FP    FN     TN  precision  recall\n", "")
	for _, part := range []struct {
		title string
		of    map[string]*counts
	}{{"by category", categories}, {"by repository", repos}, {"by rule", rules}} {
		fmt.Fprintln(w, part.title)
		for _, k := range slices.Sorted(maps.Keys(part.of)) {
			fmt.Fprintf(w, "  %-42s %s\n", k, part.of[k])
		}
	}
	fmt.Fprintf(w, "%-44s %s\n", "all", all)
	fmt.Fprintf(w, "%d findings, %d of them on lines without a label\n", s.findings, len(s.unlabelled))
}

// list shows units and findings with the lines of the files.
func (s *scores) list(w io.Writer, dir string, what map[string]bool) error {
	files := map[string][]string{}
	line := func(path string, n int) string {
		lines, ok := files[path]
		if !ok {
			b, err := os.ReadFile(dir + "/" + path)
			if err != nil {
				return "(" + err.Error() + ")"
			}
			lines = strings.Split(string(b), "\n")
			files[path] = lines
		}
		if n < 1 || n > len(lines) {
			return ""
		}
		text := strings.TrimSpace(lines[n-1])
		return text[:min(len(text), 200)]
	}
	show := func(kind string, path string, n int, about string) {
		if what[kind] {
			fmt.Fprintf(w, "%s %s:%d %s | %s\n", kind, path, n, about, line(path, n))
		}
	}
	for _, u := range s.units {
		about := strings.Join(slices.Sorted(maps.Keys(u.categories)), ":")
		for _, p := range u.found {
			about += " " + p.rule + "/" + p.confidence
		}
		switch {
		case u.ignored:
		case u.truth && len(u.found) > 0:
			show("tp", u.path, u.start, about)
		case u.truth:
			show("fn", u.path, u.start, about)
		case len(u.found) > 0:
			show("fp", u.path, u.start, about)
		}
	}
	for _, p := range s.unlabelled {
		show("unlabelled", p.path, p.start, p.rule+"/"+p.confidence)
	}
	return nil
}
