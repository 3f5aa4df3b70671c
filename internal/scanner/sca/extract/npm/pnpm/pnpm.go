// Package pnpm reads pnpm-lock.yaml, versions 5 to 9
// (https://github.com/pnpm/spec/tree/master/lockfile). The file lists what each
// workspace member (importer) asks for, the packages, and, from version 9 on
// apart from them, what each needs (snapshots). One package may be there several
// times, each time with other peers; they become one.
package pnpm

import (
	"fmt"
	"strconv"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/npm/spec"
	"bulwark/internal/scanner/sca/extract/yamltext"
)

// Result is what one lockfile says.
type Result struct {
	Manifest *dependency.Manifest
	Members  []string // the folders of the importers, the root's being "."
}

type reader struct {
	graph    collect.Graph
	gaps     collect.Gaps
	major    int
	packages map[string]int    // by key without peers, for version 9
	keys     map[string]int    // by the whole key
	catalogs map[string]string // "catalogue\x00name": range
	members  []string
	missing  int
	first    string
}

// Extract reads a pnpm-lock.yaml.
func Extract(content []byte) (*Result, error) {
	res, err := read(content)
	if err != nil {
		return nil, fmt.Errorf("reading pnpm-lock.yaml: %w", err)
	}
	return res, nil
}

func read(content []byte) (*Result, error) {
	docs, err := yamltext.Parse(content)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("it is empty: run pnpm install and commit the lockfile")
	}
	r := &reader{packages: map[string]int{}, keys: map[string]int{}, catalogs: map[string]string{}}
	version := ""
	for _, doc := range docs {
		v := doc.Get("lockfileVersion").Text()
		major, err := strconv.Atoi(strings.SplitN(v, ".", 2)[0])
		if err != nil {
			return nil, fmt.Errorf("line %d: lockfileVersion is %s, which is no version", max(doc.Get("lockfileVersion").Line(), 1), collect.Show(v))
		}
		if major < 5 || major > 9 {
			return nil, fmt.Errorf("its version is %d, and only 5 to 9 are known: write it with a pnpm that is known, or update Bulwark", major)
		}
		r.major, version = major, v
		r.document(doc)
	}
	if r.missing > 0 {
		r.gaps.Add(0, fmt.Sprintf("packages that others need are not in the lockfile (%d), the first is %s: run pnpm install and commit the lockfile", r.missing, r.first))
	}
	packages, err := r.graph.Packages()
	if err != nil {
		return nil, err
	}
	return &Result{
		Manifest: &dependency.Manifest{
			Format: "pnpm-lock v" + version, Kind: dependency.Lock, Ecosystem: dependency.NPM, Packages: packages, Gaps: r.gaps.List(),
		},
		Members: r.members,
	}, nil
}

func (r *reader) document(doc yamltext.Node) {
	var importers, packages, snapshots yamltext.Node
	for n := range doc.Children() {
		switch n.Key() {
		case "importers":
			importers = n
		case "packages":
			packages = n
		case "snapshots":
			snapshots = n
		case "catalogs":
			for catalog := range n.Children() {
				for dep := range catalog.Children() {
					r.catalogs[catalog.Key()+"\x00"+dep.Key()] = dep.Get("specifier").Text()
				}
			}
		}
	}
	for n := range packages.Children() {
		r.pkg(n)
	}
	for n := range snapshots.Children() {
		if _, known := r.keys[n.Key()]; known {
			continue
		}
		bare, _, _ := strings.Cut(n.Key(), "(")
		i, ok := r.packages[bare]
		if !ok {
			i = r.pkg(n)
		}
		if i >= 0 {
			r.keys[n.Key()] = i
		}
	}
	needs := packages
	if snapshots.Kind() == yamltext.Map {
		needs = snapshots
	}
	for n := range needs.Children() {
		if from, ok := r.keys[n.Key()]; ok {
			r.link(from, n.Get("dependencies"), dependency.Production)
			r.link(from, n.Get("optionalDependencies"), dependency.Optional)
		}
	}
	if importers.Kind() != yamltext.Map {
		r.importer(".", doc)
		return
	}
	for n := range importers.Children() {
		r.importer(n.Key(), n)
	}
}

// pkg takes up one of packages; -1 if it cannot be one.
func (r *reader) pkg(n yamltext.Node) int {
	name, version := r.splitKey(n.Key())
	p := dependency.Package{Ecosystem: dependency.NPM, Line: n.Line()}
	p.Column, p.EndColumn = n.Columns()
	for f := range n.Children() {
		switch f.Key() {
		case "name":
			name = f.Text()
		case "version":
			version = f.Text()
		case "resolution":
			r.resolution(&p, f)
		}
	}
	s := spec.Parse(name, version)
	if s.Version == "" && (s.Origin != "" || s.Local) {
		if p.Origin == "" {
			p.Origin = s.Origin
		}
		p.Local = p.Local || s.Local
		version = ""
	}
	if !spec.ValidName(name) || !collect.Sound(version) || !collect.Sound(p.Origin) {
		r.gaps.Add(n.Line(), collect.Show(n.Key())+" cannot be a package and its version")
		return -1
	}
	p.Name, p.Version = name, version
	if _, twice := r.keys[n.Key()]; twice {
		r.gaps.Add(n.Line(), collect.Show(n.Key())+" is listed twice")
	}
	i := r.graph.Add(p)
	r.keys[n.Key()] = i
	bare, _, _ := strings.Cut(n.Key(), "(")
	r.packages[bare] = i
	return i
}

func (r *reader) resolution(p *dependency.Package, n yamltext.Node) {
	repo, commit := "", ""
	for f := range n.Children() {
		switch f.Key() {
		case "integrity":
			hashes, ok := collect.Integrity(f.Text())
			if !ok {
				r.gaps.Add(f.Line(), "an integrity that is not a digest")
			}
			p.Hashes = hashes
		case "tarball":
			tarball := f.Text()
			if path, ok := strings.CutPrefix(tarball, "file:"); ok {
				p.Origin = path
			} else {
				p.Origin = spec.Origin(tarball)
			}
		case "repo":
			repo = collect.Address(f.Text())
		case "commit":
			commit = f.Text()
		case "directory":
			p.Origin, p.Local = f.Text(), true
		}
	}
	if repo != "" {
		p.Origin = repo
		if commit != "" {
			p.Origin += "#" + commit
		}
	}
}

// splitKey takes the key of a package apart: "/name/1.0.0_peers" (version 5),
// "/name@1.0.0(peer@2.0.0)" (6), "name@1.0.0" (9).
func (r *reader) splitKey(key string) (name, version string) {
	key, _, _ = strings.Cut(key, "(")
	rest, slash := strings.CutPrefix(key, "/")
	if r.major >= 6 {
		if !slash {
			if i := strings.Index(key, "/@"); i > 0 && strings.Contains(key[:i], ".") && !strings.Contains(key[:i], "@") {
				rest = key[i+1:] // a registry's host stands before
			}
		}
		name, version, _ = spec.Split(rest)
		return name, version
	}
	if !slash { // a registry's host, or a repository, stands before
		_, rest, _ = strings.Cut(key, "/")
	}
	parts := strings.SplitN(rest, "/", 3)
	if strings.HasPrefix(rest, "@") && len(parts) == 3 {
		name, version = parts[0]+"/"+parts[1], parts[2]
	} else {
		name, version, _ = strings.Cut(rest, "/")
	}
	version, _, _ = strings.Cut(version, "_")
	return name, version
}

// target finds the package that a reference stands for: a version with its
// peers, or, for an alias or an address, a whole key.
func (r *reader) target(name, ref string) (int, bool) {
	for _, key := range [...]string{name + "@" + ref, "/" + name + "@" + ref, "/" + name + "/" + ref, ref} {
		if i, ok := r.keys[key]; ok {
			return i, true
		}
	}
	return 0, false
}

func (r *reader) link(from int, deps yamltext.Node, scope dependency.Scope) {
	for dep := range deps.Children() {
		ref := dep.Text()
		if strings.HasPrefix(ref, "link:") {
			continue // another member
		}
		to, ok := r.target(dep.Key(), ref)
		if !ok {
			if scope == dependency.Production {
				r.miss(dep.Key(), ref, r.graph.Package(from).ID())
			}
			continue
		}
		r.graph.Link(from, to, scope)
	}
}

func (r *reader) miss(name, ref, by string) {
	if r.missing++; r.missing == 1 {
		r.first = fmt.Sprintf("%s, needed by %s", collect.Show(name+"@"+ref), collect.Show(by))
	}
}

// groups are the sections of an importer and what they are for.
var groups = map[string]dependency.Scope{
	"dependencies": dependency.Production, "optionalDependencies": dependency.Optional, "devDependencies": dependency.Development,
	"configDependencies": dependency.Development, "packageManagerDependencies": dependency.Development,
}

// importer takes up what one member of the workspace asks for.
func (r *reader) importer(folder string, n yamltext.Node) {
	if !collect.Sound(folder) {
		r.gaps.Add(n.Line(), collect.Show(folder)+" cannot be a folder")
		return
	}
	r.members = append(r.members, folder)
	r.graph.Rooted = true
	asked := map[string]string{}
	for s := range n.Get("specifiers").Children() {
		asked[s.Key()] = s.Text()
	}
	for group := range n.Children() {
		scope, ok := groups[group.Key()]
		if !ok {
			continue
		}
		for dep := range group.Children() {
			ref, constraint := dep.Text(), asked[dep.Key()]
			if dep.Kind() == yamltext.Map {
				ref, constraint = dep.Get("version").Text(), dep.Get("specifier").Text()
			}
			if strings.HasPrefix(ref, "link:") {
				continue // another member, or a folder
			}
			to, ok := r.target(dep.Key(), ref)
			if !ok {
				r.gaps.Add(dep.Line(), fmt.Sprintf("%s is asked for, which is not in the lockfile: run pnpm install and commit the lockfile", collect.Show(dep.Key()+"@"+ref)))
				continue
			}
			r.graph.AddRoot(to, scope)
			s := spec.Parse(dep.Key(), constraint)
			if s.Catalog {
				catalog := s.Range
				if catalog == "" {
					catalog = "default"
				}
				s.Range = r.catalogs[catalog+"\x00"+dep.Key()]
			}
			if p := r.graph.Package(to); p.Constraint == "" && collect.Sound(s.Range) {
				p.Constraint = s.Range
			}
		}
	}
}
