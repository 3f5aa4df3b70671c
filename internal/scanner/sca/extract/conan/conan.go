// Package conan reads what Conan knows of C and C++ packages: conan.lock of
// Conan 1 (a graph, version 0.4) and Conan 2 (a list, version 0.5), and
// conanfile.txt. conanfile.py is a program and is not read.
//
// The list of Conan 2 does not say who needs what; the conanfile.txt beside it
// is then what tells the direct ones, and is not reported by itself.
package conan

import (
	"context"
	"fmt"
	"path"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/jsontext"
)

// The formats as manifests name them.
const (
	formatGraph = "conan.lock v1"
	formatList  = "conan.lock v2"
	formatText  = "conanfile.txt"
)

// ranges is the gap of a conanfile.txt without a lockfile.
const ranges = "ranges of versions cannot be checked, and what the packages themselves need is not known; run conan lock create and commit conan.lock"

// Extractor reads conan.lock and conanfile.txt.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var (
	_ extract.Extractor = Extractor{}
	_ extract.Resolver  = Extractor{}
)

// Name is "conan".
func (Extractor) Name() string { return "conan" }

// Binary is false: both are text.
func (Extractor) Binary() bool { return false }

// Wants accepts conan.lock and conanfile.txt.
func (Extractor) Wants(p string) bool {
	base := path.Base(p)
	return base == "conan.lock" || base == "conanfile.txt"
}

// Extract reads one file.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	read := readLock
	switch path.Base(f.Path) {
	case "conan.lock":
	case "conanfile.txt":
		read = readText
	default:
		return nil, nil
	}
	m, err := read(f.Content)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path.Base(f.Path), err)
	}
	m.Path = f.Path
	return m, nil
}

// reference reads "name/version@user/channel#revision:package%time"; false if
// it is none. A version in brackets is a range.
func reference(s string) (p dependency.Package, ok bool) {
	p.Ecosystem = dependency.Conan
	name, rest, ok := strings.Cut(strings.TrimSpace(s), "/")
	if !ok || name == "" {
		return p, false
	}
	p.Name = name
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return p, false
		}
		p.Constraint = rest[1:end]
		rest = rest[end+1:]
	} else {
		end := strings.IndexAny(rest, "@#:%")
		if end < 0 {
			end = len(rest)
		}
		p.Version, rest = rest[:end], rest[end:]
	}
	if at, found := strings.CutPrefix(rest, "@"); found {
		if end := strings.IndexAny(at, "#:%"); end >= 0 {
			at = at[:end]
		}
		if at != "" && at != "_/_" {
			p.Origin = at // of another maker than the common registry
		}
	}
	good := collect.Sound(s) && p.Version+p.Constraint != "" && !strings.ContainsAny(name+p.Version, " \t\"'")
	return p, good
}

// node is a package of the graph of Conan 1.
type node struct {
	key      string
	index    int
	root     bool
	requires []string
	builds   []string
}

type reader struct {
	d     *jsontext.Decoder
	graph collect.Graph
	gaps  collect.Gaps
}

func readLock(content []byte) (*dependency.Manifest, error) {
	r := &reader{d: jsontext.New(content)}
	d := r.d
	if k := d.Kind(); k != jsontext.Object && d.Err() == nil {
		return nil, fmt.Errorf("it holds %s where an object is expected: check the file", k)
	}
	format := formatList
	for key := range d.Object() {
		switch string(key) {
		case "graph_lock":
			format = formatGraph
			for key := range d.Object() {
				if string(key) == "nodes" {
					r.nodes()
				}
			}
		case "requires":
			r.list(dependency.Production)
		case "build_requires", "python_requires", "config_requires":
			r.list(dependency.Development)
		}
	}
	if err := d.End(); err != nil {
		return nil, err
	}
	for _, odd := range d.Mismatches() {
		r.gaps.Add(odd.Line, odd.String())
	}
	packages, err := r.graph.Packages()
	if err != nil {
		return nil, err
	}
	return &dependency.Manifest{Format: format, Kind: dependency.Lock, Ecosystem: dependency.Conan, Packages: packages, Gaps: r.gaps.List()}, nil
}

// list reads one list of Conan 2.
func (r *reader) list(scope dependency.Scope) {
	for range r.d.Array() {
		at := r.d.Offset()
		if r.d.Kind() == jsontext.Array { // [reference, {…}]
			first := ""
			for i := range r.d.Array() {
				if i == 0 {
					first = r.d.String()
				}
			}
			r.add(first, at, scope)
			continue
		}
		r.add(r.d.String(), at, scope)
	}
}

// add takes up a reference; its number is -1 if it is none.
func (r *reader) add(ref string, at int, scope dependency.Scope) int {
	if r.d.Err() != nil {
		return -1
	}
	p, ok := reference(ref)
	p.Line, p.Column = r.d.Position(at)
	if !ok {
		r.gaps.Add(p.Line, collect.Show(ref)+" is no reference of the form name/version")
		return -1
	}
	p.EndColumn = p.Column + len(ref) + 2
	p.Scope = scope
	before := r.graph.Len()
	i := r.graph.Add(p)
	if r.graph.Len() == before {
		return -1 // too many, which Packages reports
	}
	return i
}

// nodes reads the graph of Conan 1. The nodes without a reference, or with a
// path, are the project itself.
func (r *reader) nodes() {
	d := r.d
	var all []node
	byKey := map[string]int{}
	for key := range d.Object() {
		n := node{key: string(key), index: -1}
		ref, own, context := "", false, ""
		at := d.KeyStart()
		for field := range d.Object() {
			switch string(field) {
			case "ref":
				at = d.Offset()
				ref = d.String()
			case "path":
				own = d.Kind() == jsontext.String
				d.Skip()
			case "context":
				context = d.String()
			case "requires":
				n.requires = r.keys()
			case "build_requires":
				n.builds = r.keys()
			}
		}
		if d.Err() != nil {
			return
		}
		if n.root = own || ref == ""; !n.root {
			scope := dependency.Unstated
			if context == "build" {
				scope = dependency.Development
			}
			n.index = r.add(ref, at, scope)
		}
		byKey[n.key] = len(all)
		all = append(all, n)
	}
	for _, n := range all {
		r.link(n, n.requires, dependency.Production, all, byKey)
		r.link(n, n.builds, dependency.Development, all, byKey)
	}
}

func (r *reader) keys() []string {
	var out []string
	for range r.d.Array() {
		out = append(out, r.d.String())
	}
	return out
}

func (r *reader) link(from node, keys []string, scope dependency.Scope, all []node, byKey map[string]int) {
	for _, key := range keys {
		i, ok := byKey[key]
		if !ok || all[i].index < 0 {
			continue
		}
		switch {
		case from.root:
			r.graph.AddRoot(all[i].index, scope)
		case from.index >= 0:
			r.graph.Link(from.index, all[i].index, scope)
		}
	}
}

// readText reads conanfile.txt: sections of references, one in a line.
func readText(content []byte) (*dependency.Manifest, error) {
	var graph collect.Graph
	var gaps collect.Gaps
	section := ""
	number := 0
	open := false
	for line := range strings.SplitSeq(string(content), "\n") {
		number++
		text, _, _ := strings.Cut(line, " #")
		text = strings.TrimSpace(text)
		switch {
		case text == "" || text[0] == '#':
			continue
		case text[0] == '[' && strings.HasSuffix(text, "]"):
			section = text[1 : len(text)-1]
			continue
		}
		scope := dependency.Production
		switch section {
		case "requires":
		case "build_requires", "tool_requires", "test_requires":
			scope = dependency.Development
		default:
			continue
		}
		p, ok := reference(text)
		if !ok {
			gaps.Add(number, collect.Show(text)+" is no reference of the form name/version")
			continue
		}
		p.Line, p.Scope = number, scope
		p.Column = strings.Index(line, text) + 1
		p.EndColumn = p.Column + len(text)
		open = open || p.Version == ""
		graph.AddRoot(graph.Add(p), scope)
	}
	if open {
		gaps.Add(0, ranges)
	}
	packages, err := graph.Packages()
	if err != nil {
		return nil, err
	}
	return &dependency.Manifest{Format: formatText, Kind: dependency.Declared, Ecosystem: dependency.Conan, Packages: packages, Gaps: gaps.List()}, nil
}

// Resolve says by each conanfile.txt which packages of the lockfile beside it
// are direct, and drops it.
func (Extractor) Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	texts := map[string]*dependency.Manifest{}
	for _, m := range all {
		if m.Format == formatText {
			texts[path.Dir(m.Path)] = m
		}
	}
	drop := map[*dependency.Manifest]bool{}
	for _, lock := range all {
		text := texts[path.Dir(lock.Path)]
		if ctx.Err() != nil {
			return all
		}
		if lock.Kind != dependency.Lock || text == nil {
			continue
		}
		drop[text] = true
		asks := make(map[string]*dependency.Package, len(text.Packages))
		for i := range text.Packages {
			asks[text.Packages[i].Name] = &text.Packages[i]
		}
		for i := range lock.Packages {
			p := &lock.Packages[i]
			if ask := asks[p.Name]; ask != nil {
				p.Relation, p.Via, p.Constraint = dependency.Direct, nil, ask.Constraint
			} else if p.Relation == dependency.Undeclared {
				p.Relation = dependency.Transitive
			}
		}
	}
	var out []*dependency.Manifest
	for _, m := range all {
		if !drop[m] {
			out = append(out, m)
		}
	}
	return out
}
