package cargo

import (
	"encoding/json"
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/tomltext"
)

// unchecked is the gap of a Cargo.toml without a lockfile.
const unchecked = "no Cargo.lock covers this file: ranges of versions cannot be checked, and what the packages themselves need is not known; run cargo generate-lockfile and commit Cargo.lock"

// extra is what Resolve needs of a Cargo.toml.
type extra struct {
	// Workspace are the dependencies that members may inherit, by key.
	Workspace map[string]dependency.Package `json:"workspace,omitempty"`
	// Inherits are the keys that stand for one of the workspace.
	Inherits []string `json:"inherits,omitempty"`
	// Root: it has a [workspace] table.
	Root bool `json:"root,omitempty"`
}

// sections are the tables of dependencies and what they are for.
var sections = map[string]dependency.Scope{
	"dependencies":       dependency.Production,
	"dev-dependencies":   dependency.Development,
	"dev_dependencies":   dependency.Development,
	"build-dependencies": dependency.Development,
	"build_dependencies": dependency.Development,
}

type manifestReader struct {
	graph    collect.Graph
	gaps     collect.Gaps
	extra    extra
	inherits map[string]bool
}

func readManifest(content []byte) (*dependency.Manifest, error) {
	root, err := tomltext.Parse(content)
	if err != nil {
		return nil, err
	}
	r := &manifestReader{inherits: map[string]bool{}}
	m := &dependency.Manifest{Format: "Cargo.toml", Kind: dependency.Declared, Ecosystem: dependency.Cargo}
	for t := range root.Children() {
		switch key := t.Key(); key {
		case "package", "project":
			m.Project = r.project(t)
		case "workspace":
			r.extra.Root = true
			r.extra.Workspace = map[string]dependency.Package{}
			deps := t.Get("dependencies")
			for dep := range deps.Children() {
				if p, _, ok := r.read(dep, dependency.Production); ok {
					r.extra.Workspace[dep.Key()] = p
				}
			}
		case "target":
			for target := range t.Children() {
				for s := range target.Children() {
					r.section(s)
				}
			}
		default:
			r.section(t)
		}
	}
	if m.Packages, err = r.graph.Packages(); err != nil {
		return nil, err
	}
	for i := range m.Packages {
		if !m.Packages[i].Local {
			r.gaps.Add(0, unchecked)
			break
		}
	}
	m.Gaps = r.gaps.List()
	if r.extra.Root || len(r.extra.Inherits) > 0 {
		if m.Extra, err = json.Marshal(r.extra); err != nil {
			return nil, fmt.Errorf("keeping the workspace: %w", err)
		}
	}
	return m, nil
}

func (r *manifestReader) project(t tomltext.Node) *dependency.Package {
	p := &dependency.Package{Ecosystem: dependency.Cargo, Local: true, Line: t.Line()}
	for f := range t.Children() {
		switch f.Key() {
		case "name":
			p.Name = f.Text()
			p.Line, p.Column, p.EndColumn = f.Value()
		case "version":
			p.Version = f.Text()
		case "license":
			if l := f.Text(); l != "" && collect.Sound(l) {
				// Before SPDX expressions Cargo took "MIT/Apache-2.0" for either.
				p.Licenses = []string{strings.ReplaceAll(l, "/", " OR ")}
			}
		}
	}
	if !validName(p.Name) || !collect.Sound(p.Version) {
		r.gaps.Add(t.Line(), collect.Show(p.Name)+" cannot be the name of a package")
		return nil
	}
	return p
}

func (r *manifestReader) section(t tomltext.Node) {
	scope, ok := sections[t.Key()]
	if !ok {
		return
	}
	for dep := range t.Children() {
		p, inherits, ok := r.read(dep, scope)
		if !ok {
			continue
		}
		if inherits && !r.inherits[dep.Key()] {
			r.inherits[dep.Key()] = true
			r.extra.Inherits = append(r.extra.Inherits, dep.Key())
		}
		r.graph.AddRoot(r.graph.Add(p), p.Scope)
	}
}

// read makes a package of an entry: a version or a table.
func (r *manifestReader) read(dep tomltext.Node, scope dependency.Scope) (p dependency.Package, inherits, ok bool) {
	p = dependency.Package{Ecosystem: dependency.Cargo, Name: dep.Key(), Scope: scope, Line: dep.Line()}
	p.Column, p.EndColumn = dep.Columns()
	var constraint, git, revision, registry string
	switch dep.Kind() {
	case tomltext.String:
		constraint = dep.Text()
	case tomltext.Table:
		for f := range dep.Children() {
			switch f.Key() {
			case "version":
				constraint = f.Text()
			case "package":
				p.Name = f.Text()
			case "path":
				p.Local, p.Origin = true, f.Text()
			case "git":
				git = f.Text()
			case "rev", "tag", "branch":
				revision = f.Text()
			case "registry", "registry-index":
				registry = f.Text()
			case "workspace":
				inherits = f.True()
			case "optional":
				if f.True() && scope == dependency.Production {
					p.Scope = dependency.Optional
				}
			}
		}
	default:
		r.gaps.Add(dep.Line(), collect.Show(dep.Key())+" has neither a version nor a table")
		return p, false, false
	}
	switch {
	case p.Local:
	case git != "":
		p.Origin = "git+" + collect.Address(git)
		if revision != "" {
			p.Origin += "#" + revision
		}
	case registry != "":
		p.Origin = collect.Address(registry)
	}
	if !validName(p.Name) || !collect.Sound(constraint) || !collect.Sound(p.Origin) {
		r.gaps.Add(dep.Line(), collect.Show(dep.Key())+" cannot be a dependency: check its name, version and address")
		return p, false, false
	}
	p.Constraint = strings.TrimSpace(constraint)
	p.Version = exact(p.Constraint)
	return p, inherits, true
}

// exact is the version of a requirement that only one version meets, such as
// "=1.2.3"; "" for all others: "1.2.3" means any later compatible one.
func exact(constraint string) string {
	v, ok := strings.CutPrefix(constraint, "=")
	v = strings.TrimSpace(v)
	if !ok || v == "" || strings.ContainsAny(v, ",*<>=~^ ") {
		return ""
	}
	core, _, _ := strings.Cut(v, "-")
	core, _, _ = strings.Cut(core, "+")
	if strings.Count(core, ".") != 2 {
		return ""
	}
	return v
}
