// Package composer reads PHP's composer.lock and composer.json
// (https://getcomposer.org/doc/04-schema.md). The lockfile tells development
// from production but not what the project itself asks for; Resolve takes that
// from the composer.json beside it.
package composer

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/jsontext"
)

var (
	_ extract.Extractor = (*Extractor)(nil)
	_ extract.Resolver  = (*Extractor)(nil)
)

// Extractor reads Composer's files.
type Extractor struct{}

// New returns the extractor.
func New() *Extractor { return &Extractor{} }

// Name is "composer".
func (*Extractor) Name() string { return "composer" }

// Binary is false.
func (*Extractor) Binary() bool { return false }

// Wants reports whether the path is that of a composer.json or composer.lock of
// the project's own.
func (*Extractor) Wants(path string) bool {
	base := collect.Base(path)
	return (base == "composer.lock" || base == "composer.json") && collect.Own(path)
}

// extra is what Resolve needs of a composer.json.
type extra struct {
	Name     string    `json:"name,omitempty"`
	Requests []request `json:"requests,omitempty"`
	// Replaced are the names that packages of a lockfile stand in for.
	Replaced map[string]string `json:"replaced,omitempty"`
}

type request struct {
	Name  string           `json:"name"`
	Range string           `json:"range"`
	Scope dependency.Scope `json:"scope"`
	Line  int              `json:"line"`

	column, columnEnd int
}

// Extract reads one file.
func (*Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	base, _ := collect.Path(f.Path)
	var m *dependency.Manifest
	var x extra
	var err error
	switch base {
	case "composer.lock":
		m, x, err = lockfile(f.Content)
	case "composer.json":
		m, x, err = manifest(f.Content)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", base, err)
	}
	m.Path = f.Path
	if m.Extra, err = json.Marshal(x); err != nil {
		return nil, fmt.Errorf("keeping what %s says for its neighbours: %w", base, err)
	}
	return m, nil
}

// platform reports whether a name is part of PHP or Composer itself, and no
// package: "php", "ext-json", "composer-runtime-api".
func platform(name string) bool {
	return !strings.Contains(name, "/")
}

func validName(name string) bool {
	return collect.Sound(name) && strings.Count(name, "/") == 1 && !strings.ContainsAny(name, " \\") && !strings.Contains(name, "..")
}

// requests reads an object of names and ranges.
func requests(d *jsontext.Decoder, scope dependency.Scope, gaps *collect.Gaps) []request {
	var out []request
	for key := range d.Object() {
		name := string(key)
		start, end := d.KeyStart(), d.KeyEnd()
		if platform(name) {
			continue
		}
		line, column := d.Position(start)
		r := request{Name: name, Range: d.String(), Scope: scope, Line: line, column: column, columnEnd: column + end - start}
		if !validName(name) || !collect.Sound(r.Range) {
			gaps.Add(line, collect.Show(name)+" cannot be a package and what is asked of it")
			continue
		}
		out = append(out, r)
	}
	return out
}

func manifest(content []byte) (*dependency.Manifest, extra, error) {
	var x extra
	var gaps collect.Gaps
	d := jsontext.New(content)
	if k := d.Kind(); k != jsontext.Object && d.Err() == nil {
		return nil, x, fmt.Errorf("it holds %s where an object is expected: check the file", k)
	}
	line, version := 0, ""
	var licenses []string
	for key := range d.Object() {
		switch string(key) {
		case "name":
			line = d.Line(d.KeyStart())
			x.Name = d.String()
		case "version":
			version = d.String()
		case "license":
			licenses = license(d)
		case "require":
			x.Requests = append(x.Requests, requests(d, dependency.Production, &gaps)...)
		case "require-dev":
			x.Requests = append(x.Requests, requests(d, dependency.Development, &gaps)...)
		}
	}
	if err := d.End(); err != nil {
		return nil, x, err
	}
	for _, odd := range d.Mismatches() {
		gaps.Add(odd.Line, odd.String())
	}
	var g collect.Graph
	for _, r := range x.Requests {
		g.AddRoot(g.Add(dependency.Package{
			Ecosystem: dependency.Packagist, Name: r.Name, Version: exact(r.Range), Constraint: r.Range,
			Line: r.Line, Column: r.column, EndColumn: r.columnEnd,
		}), r.Scope)
	}
	m := &dependency.Manifest{Format: "composer.json", Kind: dependency.Declared, Ecosystem: dependency.Packagist, Gaps: gaps.List()}
	var err error
	if m.Packages, err = g.Packages(); err != nil {
		return nil, x, err
	}
	if validName(x.Name) && collect.Sound(version) {
		m.Project = &dependency.Package{Ecosystem: dependency.Packagist, Name: x.Name, Version: version, Local: true, Line: line, Licenses: licenses}
	}
	return m, x, nil
}

// exact is the one version that a range allows, "" if it allows several.
func exact(r string) string {
	v := strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(r), "="))
	digits := strings.TrimPrefix(v, "v")
	if digits == "" || digits[0] < '0' || digits[0] > '9' || strings.Count(digits, ".") < 2 || strings.ContainsAny(digits, " *,|<>^~xX@#") {
		return ""
	}
	return v
}

// license reads one licence or a list, of which any may be chosen.
func license(d *jsontext.Decoder) []string {
	var all []string
	add := func() {
		if s := strings.TrimSpace(string(d.Text())); s != "" && collect.Sound(s) {
			all = append(all, s)
		}
	}
	if d.Kind() != jsontext.Array {
		add()
		return all
	}
	for range d.Array() {
		add()
	}
	if len(all) < 2 {
		return all
	}
	for i, l := range all {
		if strings.Contains(l, " ") && !strings.HasPrefix(l, "(") {
			all[i] = "(" + l + ")"
		}
	}
	return []string{strings.Join(all, " OR ")}
}

// Resolve joins each composer.lock with the composer.json beside it. The
// manifests given are not changed.
func (*Extractor) Resolve(_ context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	asks := map[string]*dependency.Manifest{} // composer.json by folder
	locked := map[string]bool{}
	for _, m := range all {
		if m.Kind == dependency.Declared {
			asks[path.Dir(m.Path)] = m
		} else {
			locked[path.Dir(m.Path)] = true
		}
	}
	out := make([]*dependency.Manifest, 0, len(all))
	for _, m := range all {
		folder := path.Dir(m.Path)
		if m.Kind == dependency.Declared {
			if !locked[folder] {
				out = append(out, unlocked(m))
			}
			continue
		}
		if ask := asks[folder]; ask != nil {
			m = join(m, ask)
		}
		out = append(out, m)
	}
	return out
}

func withGap(m *dependency.Manifest, message string) *dependency.Manifest {
	copied := *m
	copied.Gaps = append(slices.Clip(copied.Gaps), dependency.Gap{Message: message})
	return &copied
}

func unlocked(m *dependency.Manifest) *dependency.Manifest {
	for i := range m.Packages {
		if m.Packages[i].Version == "" {
			return withGap(m, "composer.json asks for ranges and no lockfile is beside it: commit a lockfile so that exact versions can be checked")
		}
	}
	return m
}

func join(lock, ask *dependency.Manifest) *dependency.Manifest {
	var have, want extra
	if json.Unmarshal(lock.Extra, &have) != nil || json.Unmarshal(ask.Extra, &want) != nil {
		return withGap(lock, "what the file says for its neighbours cannot be read: scan again without the cache")
	}
	m := *lock
	var g collect.Graph
	g.Rooted = true
	numbers := make(map[string]int, len(m.Packages))
	names := make(map[string]int, len(m.Packages))
	for i := range m.Packages {
		q := m.Packages[i]
		numbers[q.ID()] = i
		names[strings.ToLower(q.Name)] = i
		g.Add(q)
		g.Package(i).Requires = nil
	}
	for i := range m.Packages {
		for _, id := range m.Packages[i].Requires {
			if to, ok := numbers[id]; ok {
				g.Link(i, to, dependency.Production)
			}
		}
	}
	var gaps collect.Gaps
	for _, r := range want.Requests {
		to, ok := names[strings.ToLower(r.Name)]
		if !ok {
			if _, replaced := have.Replaced[strings.ToLower(r.Name)]; !replaced {
				gaps.Add(0, fmt.Sprintf("line %d of %s asks for %s, which is not in this lockfile: run composer update and commit the lockfile", r.Line, ask.Path, collect.Show(r.Name)))
			}
			continue
		}
		g.AddRoot(to, r.Scope)
		g.Package(to).Constraint = r.Range
	}
	packages, err := g.Packages()
	if err != nil {
		return withGap(lock, err.Error())
	}
	m.Packages = packages
	m.Gaps = append(slices.Clip(m.Gaps), gaps.List()...)
	m.Project = ask.Project
	return &m
}
