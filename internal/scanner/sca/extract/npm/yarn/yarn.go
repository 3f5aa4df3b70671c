// Package yarn reads yarn.lock: version 1, which Yarn "classic" writes in a
// form of its own, and the YAML of Yarn 2 and later ("berry", __metadata). Both
// map what was asked for ("lodash@^4.0.0") to what was found.
//
// Version 1 does not tell what the project itself asks for, and neither tells
// what only development needs: that stands in package.json. Result therefore
// keeps the descriptors, by which the two are joined.
package yarn

import (
	"bytes"
	"fmt"
	"slices"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/npm/spec"
)

// Result is what one lockfile says.
type Result struct {
	Manifest *dependency.Manifest
	// Descriptors are the ids of the packages by what was asked for.
	Descriptors map[string]string
	// Optional are pairs of ids: the first works without the second.
	Optional [][2]string
	// Missing are needs that the lockfile alone does not meet: a resolution of
	// package.json may have changed what is asked for.
	Missing []Missing
	// Members are the folders of the workspace, the root's being "."; nil if
	// the lockfile does not tell.
	Members []string
}

// Missing is what a package asks for and the lockfile does not list.
type Missing struct {
	From  string `json:"from"` // the id of the package
	Name  string `json:"name"`
	Asked string `json:"asked"`
}

// Extract reads a yarn.lock of any version.
func Extract(content []byte) (*Result, error) {
	var r reader
	var err error
	format := ""
	// Only berry's files have __metadata, as the first entry.
	if bytes.HasPrefix(content, []byte("__metadata:")) || bytes.Contains(content, []byte("\n__metadata:")) {
		format, err = r.berry(content)
	} else {
		format, err = "yarn.lock v1", r.classic(string(content))
	}
	if err != nil {
		return nil, fmt.Errorf("reading yarn.lock: %w", err)
	}
	res, err := r.finish(format)
	if err != nil {
		return nil, fmt.Errorf("reading yarn.lock: %w", err)
	}
	return res, nil
}

// reader collects one lockfile.
type reader struct {
	graph       collect.Graph
	gaps        collect.Gaps
	descriptors map[string]int
	needs       []need
	members     []string
	project     *dependency.Package
}

// need is one dependency of a package.
type need struct {
	from     int
	name     string
	asked    string
	optional bool
}

// entry is one package of the lockfile.
type entry struct {
	descriptors []string
	line        int
	column, end int
	version     string
	resolved    string // an address (classic)
	resolution  string // a locator (berry)
	integrity   string
	soft        bool // a link to a folder
	needs       []need
}

// add takes up an entry.
func (r *reader) add(e *entry) {
	if r.descriptors == nil {
		r.descriptors = map[string]int{}
	}
	key, asked, ok := spec.Split(e.descriptors[0])
	located := key
	if e.resolution != "" {
		located, asked, ok = spec.Split(e.resolution)
	}
	if !ok || !spec.ValidName(located) || !collect.Sound(e.version) || !collect.Sound(asked) {
		r.gaps.Add(e.line, collect.Show(e.descriptors[0])+" cannot be a package and its version")
		return
	}
	s := spec.Parse(located, asked)
	p := dependency.Package{
		Ecosystem: dependency.NPM, Name: s.Name, Version: e.version, Line: e.line, Column: e.column, EndColumn: e.end,
		Local: s.Local || e.soft, Origin: spec.Origin(s.Origin),
	}
	if e.version == "0.0.0-use.local" {
		p.Version = ""
	}
	if e.resolved != "" {
		r.fetched(&p, e)
	}
	if p.Version == "" && !p.Local {
		r.gaps.Add(e.line, collect.Show(e.descriptors[0])+" has no version")
	}
	if e.integrity != "" {
		hashes, ok := collect.Integrity(e.integrity)
		if !ok {
			r.gaps.Add(e.line, collect.Show(e.descriptors[0])+": its integrity is not a digest")
		}
		for _, h := range p.Hashes {
			if !slices.Contains(hashes, h) {
				hashes = append(hashes, h)
			}
		}
		p.Hashes = hashes
	}
	i := r.graph.Add(p)
	for _, d := range e.descriptors {
		if _, twice := r.descriptors[d]; twice {
			r.gaps.Add(e.line, collect.Show(d)+" is listed twice")
		}
		r.descriptors[d] = i
	}
	for _, n := range e.needs {
		n.from = i
		r.needs = append(r.needs, n)
	}
	if p.Local && s.Local && e.resolution != "" {
		member := s.Origin
		if member == "" {
			member = "."
		}
		r.members = append(r.members, member)
		if member == "." {
			r.project = &dependency.Package{Ecosystem: dependency.NPM, Name: p.Name, Local: true, Line: e.line}
		}
	}
}

// fetched takes the address of version 1 into a package.
func (r *reader) fetched(p *dependency.Package, e *entry) {
	address, digest, _ := cutFragment(e.resolved)
	if h, ok := collect.Digest("sha1", digest); ok && spec.Origin(address) == "" {
		p.Hashes = append(p.Hashes, h)
	}
	p.Origin = spec.Origin(e.resolved)
	if !spec.Matches(address, p.Name, p.Version) {
		p.Origin = collect.Address(address)
		r.gaps.Add(e.line, fmt.Sprintf("%s is said to be version %s of %s but is fetched from %s: the lockfile may have been tampered with; write it anew",
			collect.Show(e.descriptors[0]), collect.Show(p.Version), collect.Show(p.Name), collect.Show(p.Origin)))
	}
	if !collect.Sound(p.Origin) {
		r.gaps.Add(e.line, collect.Show(e.descriptors[0])+": its address cannot be one")
		p.Origin = ""
	}
}

func (r *reader) finish(format string) (*Result, error) {
	byName := r.single()
	res := &Result{Descriptors: make(map[string]string, len(r.descriptors)), Members: r.members}
	for _, n := range r.needs {
		to, ok := r.find(n.name, n.asked, byName)
		if !ok {
			if !n.optional {
				res.Missing = append(res.Missing, Missing{From: r.graph.Package(n.from).ID(), Name: n.name, Asked: n.asked})
			}
			continue
		}
		scope := dependency.Production
		from, needed := r.graph.Package(n.from), r.graph.Package(to)
		switch {
		case n.optional:
			scope = dependency.Optional
			res.Optional = append(res.Optional, [2]string{from.ID(), needed.ID()})
		case from.Local:
			scope = dependency.Unstated // its package.json tells
		}
		if from.Local && needed.Constraint == "" && !needed.Local {
			needed.Constraint = spec.Parse(n.name, n.asked).Range
		}
		r.graph.Link(n.from, to, scope)
	}
	for d, i := range r.descriptors {
		res.Descriptors[d] = r.graph.Package(i).ID()
	}
	r.graph.Rooted = r.members != nil
	packages, err := r.graph.Packages()
	if err != nil {
		return nil, err
	}
	res.Manifest = &dependency.Manifest{
		Format: format, Kind: dependency.Lock, Ecosystem: dependency.NPM, Project: r.project, Packages: packages, Gaps: r.gaps.List(),
	}
	return res, nil
}

// single are the packages of which there is one version only, by the name under
// which they are asked for.
func (r *reader) single() map[string]int {
	out := make(map[string]int, len(r.descriptors))
	for d, i := range r.descriptors {
		name, _, _ := spec.Split(d)
		if before, ok := out[name]; ok && before != i {
			i = -1
		}
		out[name] = i
	}
	return out
}

// find is the package that a dependency gets. A resolution of package.json
// changes what is asked for without a trace in the lockfile; if there is one
// version only, it must be that.
func (r *reader) find(name, asked string, single map[string]int) (int, bool) {
	if i, ok := r.descriptors[name+"@"+asked]; ok {
		return i, true
	}
	if i, ok := r.descriptors[name+"@npm:"+asked]; ok {
		return i, true
	}
	i, ok := single[name]
	return i, ok && i >= 0
}
