package sca

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
	"bulwark/internal/advisory/version"
	"bulwark/internal/dependency"
	"bulwark/internal/finding"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/sca/extract"
)

// Conclude implements scanner.Concluder: it joins the manifests of all files
// and says what is wrong with their packages. Without a database, or with one
// that is too old, its error is a *scanner.NotRunError; findings that need none
// come beside it.
func (s *Scanner) Conclude(ctx context.Context, facts []scanner.Fact) ([]finding.Finding, error) {
	manifests, used, err := s.join(ctx, facts)
	if err != nil {
		return nil, err
	}
	if s.cfg.Collect != nil {
		s.cfg.Collect(manifests)
	}
	if len(manifests) == 0 {
		return nil, nil // nothing to match: no database is needed either
	}
	b := newBuilder(s, manifests)
	b.licenses()
	notRun := s.match(ctx, b)
	if notRun != nil && !errors.As(notRun, new(*scanner.NotRunError)) {
		return nil, notRun
	}
	if s.cfg.Reach {
		b.reach(used)
	}
	b.unchecked()
	return b.findings(), notRun
}

// join joins the facts of all files.
func (s *Scanner) join(ctx context.Context, facts []scanner.Fact) ([]*dependency.Manifest, *usage, error) {
	used := newUsage()
	by := map[string][]*dependency.Manifest{}
	last := ""
	for i, f := range facts {
		if i > 0 && f.Path == last {
			continue // the same file, looked at twice
		}
		last = f.Path
		var all []fact
		if err := json.Unmarshal(f.Data, &all); err != nil {
			return nil, nil, fmt.Errorf("reading the packages kept of %s: %w; delete the cache folder", f.Path, err)
		}
		for _, x := range all {
			if x.Used != nil {
				used.add(*x.Used)
			}
			if x.Manifest == nil {
				continue
			}
			x.Manifest.Path = f.Path
			by[x.Extractor] = append(by[x.Extractor], x.Manifest)
		}
	}
	var out []*dependency.Manifest
	for _, x := range s.cfg.Extractors {
		all := by[x.Name()]
		if len(all) == 0 {
			continue
		}
		if r, ok := x.(extract.Resolver); ok {
			all = r.Resolve(ctx, all)
		}
		out = append(out, all...)
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(out, func(a, b *dependency.Manifest) int { return cmp.Compare(a.Path, b.Path) })
	return out, used, nil
}

// match asks the database about every package.
func (s *Scanner) match(ctx context.Context, b *builder) error {
	if s.cfg.Open == nil {
		return nil
	}
	known, err := s.cfg.Open()
	if err != nil {
		return &scanner.NotRunError{Reason: err.Error()}
	}
	for _, p := range b.packages {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.version == "" || p.local {
			continue
		}
		matches, err := known.Match(ctx, p.ecosystem, p.name, p.version)
		var unordered *db.UnorderedError
		switch {
		case errors.As(err, &unordered):
			b.unordered(p, unordered)
		case err != nil:
			return fmt.Errorf("matching %s %s %s: %w", p.ecosystem, p.name, p.version, err)
		}
		for _, m := range matches {
			detail, err := known.Detail(m.ID)
			if err != nil {
				return fmt.Errorf("reading %s: %w", m.ID, err)
			}
			b.vulnerable(p, m, detail)
		}
		if p.clear, err = clearing(ctx, known, p, matches); err != nil {
			return err
		}
		cycle, ok, err := known.EndOfLife(p.first(), s.cfg.Now.UTC().Format("2006-01-02"))
		if err != nil {
			return fmt.Errorf("looking for the end of life of %s %s: %w", p.name, p.version, err)
		}
		if ok && cycle.Over {
			b.ended(p, cycle)
		}
	}
	if age := s.cfg.Now.Sub(known.Info().Built); s.cfg.MaxAge > 0 && age > s.cfg.MaxAge {
		return &scanner.NotRunError{Reason: fmt.Sprintf(
			"the advisory database is %s old and may be %s (dependency.max_age): what was published since is unknown; run `bulwark db update`",
			days(age.Hours()), days(s.cfg.MaxAge.Hours()))}
	}
	return nil
}

// clearing finds the smallest version of u that no advisory affects: one of
// those that fix one of the matches. Empty: none of them is clear.
func clearing(ctx context.Context, known Advisories, u *unit, matches []advisory.Match) (string, error) {
	var candidates []string
	for _, m := range matches {
		if len(m.Fixed) == 0 {
			return "", nil
		}
		candidates = append(candidates, m.Fixed...)
	}
	order, ok := version.Of(string(u.ecosystem))
	if !ok {
		return "", nil
	}
	const most = 200 // a package with so many release lines needs a person
	at := u.version
	for range most {
		c, err := order.SmallestAbove(at, candidates)
		if err != nil || c == "" {
			return "", nil // what cannot be ordered has been reported
		}
		at = c
		left, err := known.Match(ctx, u.ecosystem, u.name, c)
		if err != nil && !errors.As(err, new(*db.UnorderedError)) {
			return "", fmt.Errorf("matching %s %s %s: %w", u.ecosystem, u.name, c, err)
		}
		if len(left) == 0 && err == nil {
			return c, nil
		}
	}
	return "", nil
}

func days(hours float64) string {
	if n := int(hours / 24); n != 1 {
		return fmt.Sprintf("%d days", n)
	}
	return "1 day"
}

// place is where one manifest declares a package.
type place struct {
	manifest *dependency.Manifest
	pkg      *dependency.Package
}

// unit is one version of one package with all of its places.
type unit struct {
	ecosystem     dependency.Ecosystem
	name, version string
	local         bool
	places        []place
	clear         string // the smallest version that nothing known affects
}

func (u *unit) first() dependency.Package { return *u.places[0].pkg }

// built reports whether a binary says that it was built from u.
func (u *unit) built() bool {
	return slices.ContainsFunc(u.places, func(p place) bool { return p.manifest.Kind == dependency.Built })
}

// scope is the widest of the places': what ships somewhere ships.
func (u *unit) scope() dependency.Scope {
	order := []dependency.Scope{dependency.Production, dependency.Unstated, dependency.Optional, dependency.Development}
	best := len(order) - 1
	for _, p := range u.places {
		best = min(best, slices.Index(order, p.pkg.Scope))
	}
	return order[max(best, 0)]
}

// relation is Direct if any place names it directly.
func (u *unit) relation() dependency.Relation {
	r := dependency.Undeclared
	for _, p := range u.places {
		switch p.pkg.Relation {
		case dependency.Direct:
			return dependency.Direct
		case dependency.Transitive:
			r = dependency.Transitive
		}
	}
	return r
}

// units groups the packages of all manifests, ordered by ecosystem, name and
// version.
func units(manifests []*dependency.Manifest) []*unit {
	type key struct {
		ecosystem     dependency.Ecosystem
		name, version string
	}
	by := map[key]*unit{}
	var out []*unit
	for _, m := range manifests {
		for i := range m.Packages {
			p := &m.Packages[i]
			k := key{p.Ecosystem, p.Name, p.Version}
			u := by[k]
			if u == nil {
				u = &unit{ecosystem: p.Ecosystem, name: p.Name, version: p.Version, local: true}
				by[k] = u
				out = append(out, u)
			}
			u.local = u.local && p.Local
			u.places = append(u.places, place{m, p})
		}
	}
	slices.SortFunc(out, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(a.ecosystem, b.ecosystem), strings.Compare(a.name, b.name), strings.Compare(a.version, b.version))
	})
	return out
}
