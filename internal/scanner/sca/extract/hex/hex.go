// Package hex reads mix.lock, the lockfile of Elixir's Mix: an Elixir map of
// tuples. It tells exact versions and who needs whom, but not what the project
// itself asks for; mix.exs, which does, is a program and is not read.
package hex

import (
	"context"
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

var _ extract.Extractor = (*Extractor)(nil)

// Extractor reads mix.lock.
type Extractor struct{}

// New returns the extractor.
func New() *Extractor { return &Extractor{} }

// Name is "hex".
func (*Extractor) Name() string { return "hex" }

// Binary is false.
func (*Extractor) Binary() bool { return false }

// Wants reports whether the path is that of a mix.lock of the project's own.
func (*Extractor) Wants(path string) bool {
	base := collect.Base(path)
	return base == "mix.lock" && collect.Own(path)
}

type need struct {
	from     int
	name     string
	optional bool
}

// Extract reads a mix.lock.
func (*Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := parse(string(f.Content))
	if err != nil {
		return nil, fmt.Errorf("reading mix.lock: %w", err)
	}
	var (
		g     collect.Graph
		gaps  collect.Gaps
		needs []need
		apps  = map[string]int{} // by the name under which Mix knows them
	)
	for _, pair := range root.items {
		p, requires, ok := describe(pair, &gaps)
		if !ok {
			gaps.Add(int(pair.line), collect.Show(pair.key)+" cannot be a package and its version")
			continue
		}
		if _, twice := apps[pair.key]; twice {
			gaps.Add(int(pair.line), collect.Show(pair.key)+" is listed twice; Mix takes the last")
		}
		i := g.Add(p)
		apps[pair.key] = i
		for _, n := range requires {
			n.from = i
			needs = append(needs, n)
		}
	}
	missing, first := 0, need{}
	for _, n := range needs {
		if to, ok := apps[n.name]; ok { // optional ones need not be there
			scope := dependency.Production
			if n.optional {
				scope = dependency.Optional
			}
			g.Link(n.from, to, scope)
		} else if !n.optional {
			if missing++; missing == 1 {
				first = n
			}
		}
	}
	if missing > 0 {
		from := g.Package(first.from)
		gaps.Add(from.Line, fmt.Sprintf("packages that others need are not in the lockfile (%d), the first is %s, needed by %s: run mix deps.get and commit the result",
			missing, collect.Show(first.name), collect.Show(from.ID())))
	}
	packages, err := g.Packages()
	if err != nil {
		return nil, fmt.Errorf("reading mix.lock: %w", err)
	}
	return &dependency.Manifest{
		Path: f.Path, Format: "mix.lock", Kind: dependency.Lock, Ecosystem: dependency.Hex, Packages: packages, Gaps: gaps.List(),
	}, nil
}

// describe makes a package of "name": {:hex, :name, "1.0.0", …}.
func describe(pair term, gaps *collect.Gaps) (p dependency.Package, requires []need, ok bool) {
	if len(pair.items) == 0 || pair.items[0].kind != tuple {
		return p, nil, false
	}
	fields := pair.items[0].items
	at := func(i int) term {
		if i < len(fields) {
			return fields[i]
		}
		return term{}
	}
	p = dependency.Package{Ecosystem: dependency.Hex, Name: pair.key, Line: int(pair.line), Column: int(pair.column), EndColumn: int(pair.end)}
	switch at(0).text {
	case "hex":
		p.Name, p.Version = at(1).text, at(2).text
		if repo := at(6).text; repo != "" && repo != "hexpm" {
			p.Origin = "hex repository " + repo
		}
		// The digest at 3 is that of the archive's contents, at 7 the archive's.
		if outer := at(7).text; outer != "" {
			h, ok := collect.Digest("sha256", outer)
			if !ok {
				gaps.Add(int(pair.line), "the checksum of "+collect.Show(p.Name)+" is not a digest")
			} else {
				p.Hashes = []dependency.Hash{h}
			}
		}
		for _, dep := range at(5).items {
			if len(dep.items) == 0 {
				continue
			}
			n := need{name: dep.items[0].text}
			for _, option := range dep.items[len(dep.items)-1].items {
				if option.key == "optional" && len(option.items) == 1 && option.items[0].text == "true" {
					n.optional = true
				}
			}
			requires = append(requires, n)
		}
		ok = p.Version != ""
	case "git":
		p.Origin = collect.Address(at(1).text)
		if commit := at(2).text; commit != "" {
			p.Origin += "#" + commit
		}
		ok = p.Origin != ""
	case "path":
		p.Origin, p.Local = at(1).text, true
		ok = true
	}
	ok = ok && p.Name != "" && !strings.ContainsAny(p.Name, " /\\") && collect.Sound(p.Name) && collect.Sound(p.Version) && collect.Sound(p.Origin)
	return p, requires, ok
}
