package cargo

import (
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/tomltext"
)

// locked is what tells packages of a lockfile apart.
type locked struct{ name, version, source string }

// lockReader collects one Cargo.lock.
type lockReader struct {
	graph collect.Graph
	gaps  collect.Gaps
	// Dependencies are written as short as is unambiguous.
	byName    map[string]int // number + 1
	byVersion map[[2]string]int
	exact     map[locked]int
	needs     []tomltext.Node // by number of the package
}

func readLock(content []byte) (*dependency.Manifest, error) {
	root, err := tomltext.Parse(content)
	if err != nil {
		return nil, err
	}
	list := root.Get("package")
	r := &lockReader{byName: map[string]int{}, byVersion: map[[2]string]int{}, exact: map[locked]int{}}
	if first := root.Get("root"); first.Kind() == tomltext.Table { // before Cargo 0.17
		r.add(first)
	}
	for p := range list.Children() {
		r.add(p)
	}
	for from := range r.needs {
		for dep := range r.needs[from].Children() {
			r.link(from, dep)
		}
	}
	sums := root.Get("metadata")
	for entry := range sums.Children() {
		r.checksum(entry)
	}
	packages, err := r.graph.Packages()
	if err != nil {
		return nil, err
	}
	return &dependency.Manifest{
		Format: "Cargo.lock", Kind: dependency.Lock, Ecosystem: dependency.Cargo, Packages: packages, Gaps: r.gaps.List(),
	}, nil
}

// add takes up one [[package]].
func (r *lockReader) add(n tomltext.Node) {
	var name, version, source, checksum string
	var needs tomltext.Node
	line, column, end := n.Line(), 0, 0
	for f := range n.Children() {
		switch f.Key() {
		case "name":
			name = f.Text()
			line, column, end = f.Value()
		case "version":
			version = f.Text()
		case "source":
			source = f.Text()
		case "checksum":
			checksum = f.Text()
		case "dependencies":
			needs = f
		}
	}
	if line == 0 {
		line = n.Line()
	}
	if !validName(name) || version == "" || !collect.Sound(version) || !collect.Sound(source) {
		r.gaps.Add(line, fmt.Sprintf("%s %s cannot be a package: write the lockfile anew with cargo generate-lockfile", collect.Show(name), collect.Show(version)))
		return
	}
	p := dependency.Package{
		Ecosystem: dependency.Cargo, Name: name, Version: version, Origin: origin(source), Local: source == "",
		Line: line, Column: column, EndColumn: end,
	}
	if checksum != "" {
		if h, ok := collect.Digest("sha256", checksum); ok {
			p.Hashes = []dependency.Hash{h}
		} else {
			r.gaps.Add(line, collect.Show(name)+": its checksum is no SHA-256")
		}
	}
	r.graph.Rooted = r.graph.Rooted || p.Local
	before := r.graph.Len()
	i := r.graph.Add(p)
	if r.graph.Len() == before {
		return // too many, which Packages reports
	}
	r.byName[name] = r.candidate(r.byName[name], i)
	r.byVersion[[2]string{name, version}] = r.candidate(r.byVersion[[2]string{name, version}], i)
	r.exact[locked{name, version, bare(source)}] = i
	r.needs = append(r.needs, needs)
}

// candidate notes a package that a short name may mean: the first one, and a
// local one before all others, since it is written without a source.
func (r *lockReader) candidate(had int, i int) int {
	if had == 0 || r.graph.Package(i).Local && !r.graph.Package(had-1).Local {
		return i + 1
	}
	return had
}

// bare is a source without the revision that it was resolved to, which
// dependencies may leave out.
func bare(source string) string {
	source, _, _ = strings.Cut(source, "#")
	return source
}

// find is the package that "name", "name version" or "name version (source)"
// means.
func (r *lockReader) find(s string) (int, bool) {
	name, rest, _ := strings.Cut(s, " ")
	version, source, _ := strings.Cut(rest, " ")
	candidate := 0
	switch {
	case source != "":
		i, ok := r.exact[locked{name, version, bare(strings.TrimSuffix(strings.TrimPrefix(source, "("), ")"))}]
		return i, ok
	case version != "":
		candidate = r.byVersion[[2]string{name, version}]
	default:
		candidate = r.byName[name]
	}
	return candidate - 1, candidate > 0
}

func (r *lockReader) link(from int, dep tomltext.Node) {
	to, ok := r.find(dep.Text())
	if !ok {
		r.gaps.Add(dep.Line(), fmt.Sprintf("%s needs %s, which the lockfile does not list", collect.Show(r.graph.Package(from).Name), collect.Show(dep.Text())))
		return
	}
	scope := dependency.Production
	if r.graph.Package(from).Local {
		scope = dependency.Unstated // Cargo.toml says what for
	}
	r.graph.Link(from, to, scope)
}

// checksum reads an entry of version 1: "checksum name version (source)" = "…".
func (r *lockReader) checksum(n tomltext.Node) {
	what, ok := strings.CutPrefix(n.Key(), "checksum ")
	if !ok || n.Text() == "" || n.Text() == "<none>" {
		return
	}
	i, ok := r.find(what)
	if !ok {
		return // of a package that is no longer there
	}
	h, ok := collect.Digest("sha256", n.Text())
	if !ok {
		r.gaps.Add(n.Line(), collect.Show(what)+": its checksum is no SHA-256")
		return
	}
	r.graph.Package(i).Hashes = []dependency.Hash{h}
}
