// Package bun reads bun.lock, the text lockfile of Bun 1.2 and later: JSON with
// comments. A package is an array whose first element tells what it is
// ("name@1.2.3", "name@workspace:packages/a"); the key is its place, "a/b" being
// the b that only a gets.
package bun

import (
	"fmt"
	"strconv"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/jsontext"
	"bulwark/internal/scanner/sca/extract/npm/nest"
	"bulwark/internal/scanner/sca/extract/npm/packagejson"
	"bulwark/internal/scanner/sca/extract/npm/spec"
)

// Result is what one lockfile says.
type Result struct {
	Manifest *dependency.Manifest
	Members  []string // the folders of the workspace, the root's being "."
}

type reader struct {
	d        *jsontext.Decoder
	graph    collect.Graph
	gaps     collect.Gaps
	places   map[string]int
	needs    []need
	members  []string
	catalogs map[string]string // "catalogue\x00name": range
	project  *dependency.Package
	nested   *nest.Index
}

// need is one dependency of a package or, if from is -1, of a member.
type need struct {
	from  int
	place string
	name  string
	raw   string
	scope dependency.Scope
	peer  bool
}

// Extract reads a bun.lock.
func Extract(content []byte) (*Result, error) {
	r := &reader{d: jsontext.NewJSONC(content), places: map[string]int{}, catalogs: map[string]string{}}
	res, err := r.read()
	if err != nil {
		return nil, fmt.Errorf("reading bun.lock: %w", err)
	}
	return res, nil
}

func (r *reader) read() (*Result, error) {
	d := r.d
	if k := d.Kind(); k != jsontext.Object && d.Err() == nil {
		return nil, fmt.Errorf("it holds %s where an object is expected: check the file", k)
	}
	version := int64(-1)
	for key := range d.Object() {
		switch string(key) {
		case "lockfileVersion":
			version = d.Int()
		case "workspaces":
			r.workspaces()
		case "catalog":
			r.catalog("")
		case "catalogs":
			for name := range d.Object() {
				r.catalog(string(name))
			}
		case "packages":
			r.packages()
		}
	}
	if err := d.End(); err != nil {
		return nil, err
	}
	if version < 0 || version > 1 {
		return nil, fmt.Errorf("its version is %d, and only 0 and 1 are known: write it with a Bun that is known, or update Bulwark", version)
	}
	for _, odd := range d.Mismatches() {
		r.gaps.Add(odd.Line, odd.String())
	}
	r.resolve()
	packages, err := r.graph.Packages()
	if err != nil {
		return nil, err
	}
	return &Result{
		Manifest: &dependency.Manifest{
			Format: "bun.lock v" + strconv.FormatInt(version, 10), Kind: dependency.Lock, Ecosystem: dependency.NPM,
			Project: r.project, Packages: packages, Gaps: r.gaps.List(),
		},
		Members: r.members,
	}, nil
}

func (r *reader) catalog(name string) {
	for key := range r.d.Object() {
		r.catalogs[name+"\x00"+string(key)] = r.d.String()
	}
}

var groups = map[string]dependency.Scope{
	"dependencies": dependency.Production, "optionalDependencies": dependency.Optional,
	"peerDependencies": dependency.Production, "devDependencies": dependency.Development,
}

// dependencies reads the groups and the names of an object of a member or a
// package.
func (r *reader) dependencies(from int, place func() string, development bool) (name, version string, line int) {
	d := r.d
	first := len(r.needs)
	optional := map[string]bool{}
	for key := range d.Object() {
		switch group := string(key); group {
		case "name":
			line = d.Line(d.KeyStart())
			name = d.String()
		case "version":
			version = d.String()
		case "optionalPeers":
			for _, peer := range packagejson.Strings(d) {
				optional[peer] = true
			}
		case "dependencies", "optionalDependencies", "peerDependencies", "devDependencies":
			if group == "devDependencies" && !development {
				continue
			}
			for dep := range d.Object() {
				r.needs = append(r.needs, need{from: from, name: string(dep), raw: d.String(), scope: groups[group], peer: group == "peerDependencies"})
			}
		}
	}
	at := ""
	if place != nil {
		at = place()
	} else {
		at = name
	}
	for i := first; i < len(r.needs); i++ {
		r.needs[i].place = at
		if r.needs[i].peer && optional[r.needs[i].name] {
			r.needs[i].scope = dependency.Optional
		}
	}
	return name, version, line
}

func (r *reader) workspaces() {
	d := r.d
	r.graph.Rooted = true
	for key := range d.Object() {
		folder := string(key)
		if !collect.Sound(folder) {
			r.gaps.Add(d.Line(d.KeyStart()), collect.Show(folder)+" cannot be a folder")
			continue
		}
		place := func() string { return "" }
		if folder != "" {
			place = nil // by the name, below which its own packages are placed
		}
		name, version, line := r.dependencies(-1, place, true)
		if folder == "" {
			r.members = append(r.members, ".")
			if spec.ValidName(name) && collect.Sound(version) {
				r.project = &dependency.Package{Ecosystem: dependency.NPM, Name: name, Version: version, Local: true, Line: line}
			}
			continue
		}
		r.members = append(r.members, folder)
	}
}

func (r *reader) packages() {
	d := r.d
	for key := range d.Object() {
		place := string(key)
		start, end := d.KeyStart(), d.KeyEnd()
		line, column := d.Position(start)
		if d.Kind() != jsontext.Array || !collect.Sound(place) || strings.Count(place, "/") > nest.MaxLevels {
			r.gaps.Add(line, collect.Show(place)+" cannot be a package")
			continue
		}
		what, registry, integrity := "", "", ""
		first := len(r.needs)
		strings := 0
		for range d.Array() {
			switch d.Kind() {
			case jsontext.String:
				s := d.String()
				switch strings++; strings {
				case 1:
					what = s
				case 2:
					registry = s
				}
				if hashes, ok := collect.Integrity(s); strings > 1 && ok && len(hashes) > 0 {
					integrity = s
				}
			case jsontext.Object:
				r.dependencies(-1, func() string { return place }, false)
			}
		}
		if d.Err() != nil {
			return
		}
		p, ok := describe(what, registry, integrity)
		if !ok {
			r.gaps.Add(line, collect.Show(place)+" cannot be a package and its version")
			r.needs = r.needs[:first]
			continue
		}
		if p.Name == "" { // "name@root:", the project itself
			r.needs = r.needs[:first]
			continue
		}
		if _, twice := r.places[place]; twice {
			r.gaps.Add(line, collect.Show(place)+" is listed twice")
		}
		p.Line, p.Column, p.EndColumn = line, column, column+end-start
		i := r.graph.Add(p)
		r.places[place] = i
		if p.Local && strings == 1 {
			r.needs = r.needs[:first] // a member's needs stand in workspaces
		}
		for n := first; n < len(r.needs); n++ {
			r.needs[n].from = i
		}
	}
}

// describe makes a package of the elements of its array.
func describe(what, registry, integrity string) (p dependency.Package, ok bool) {
	name, ref, found := spec.Split(what)
	if !found || !spec.ValidName(name) || !collect.Sound(ref) || !collect.Sound(registry) {
		return p, false
	}
	p = dependency.Package{Ecosystem: dependency.NPM, Name: name}
	p.Hashes, _ = collect.Integrity(integrity) // "" is no digest and no fault
	if ref == "root:" {
		return dependency.Package{}, true
	}
	if v := spec.Exact(ref); v != "" {
		p.Version = ref
		p.Origin = spec.Origin(registry)
		return p, true
	}
	s := spec.Parse(name, ref)
	p.Local, p.Origin = s.Local, s.Origin
	if !s.Local && s.Origin == "" {
		p.Version = ref // no scheme of ours, but what the file says
	}
	return p, true
}

func (r *reader) resolve() {
	r.index()
	missing, first := 0, ""
	for _, n := range r.needs {
		to, ok := r.nested.Find(n.place, n.name)
		if !ok {
			if n.scope != dependency.Optional && !n.peer {
				if missing++; missing == 1 {
					first = collect.Show(n.name)
				}
			}
			continue
		}
		if n.from >= 0 {
			r.graph.Link(n.from, to, n.scope)
			continue
		}
		r.graph.AddRoot(to, n.scope)
		s := spec.Parse(n.name, n.raw)
		if s.Catalog {
			s.Range = r.catalogs[s.Range+"\x00"+n.name]
		}
		if p := r.graph.Package(to); p.Constraint == "" && !p.Local && collect.Sound(s.Range) {
			p.Constraint = s.Range
		}
	}
	if missing > 0 {
		r.gaps.Add(0, fmt.Sprintf("packages that are asked for are not in the lockfile (%d), the first is %s: run bun install and commit the lockfile", missing, first))
	}
}

// index notes which places hold which packages.
func (r *reader) index() {
	r.nested = nest.New(len(r.places), above)
	for place, i := range r.places {
		outer := above(place)
		r.nested.Put(outer, strings.TrimPrefix(place[len(outer):], "/"), i)
	}
}

// above is the place around another one. The last part of a place may be
// "@scope/name".
func above(place string) string {
	cut := strings.LastIndexByte(place, '/')
	if cut < 0 {
		return ""
	}
	if before := strings.LastIndexByte(place[:cut], '/'); strings.HasPrefix(place[before+1:], "@") {
		cut = before
	}
	return place[:max(cut, 0)]
}
