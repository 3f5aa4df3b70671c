package python

import (
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/tomltext"
)

// asks collects what a manifest asks for.
type asks struct {
	format   string
	requests []request
	gaps     collect.Gaps
}

// table takes up name = "range" and name = {version = "range", …}, in which
// Poetry and Pipenv agree but for what a bare version means.
func (a *asks) table(t tomltext.Node, scope dependency.Scope, one func(spec string) string) {
	for m := range t.Children() {
		name := normalize(m.Key())
		if name == "" {
			a.gaps.Add(m.Line(), collect.Show(m.Key())+" cannot be a package")
			continue
		}
		if name == "python" && a.format == "pyproject.toml" {
			continue // Poetry's word for the interpreter
		}
		if m.Kind() == tomltext.List { // alternatives for several platforms
			for v := range m.Children() {
				a.entry(name, m, v, scope, one)
			}
			continue
		}
		a.entry(name, m, m, scope, one)
	}
}

func (a *asks) entry(name string, at, v tomltext.Node, scope dependency.Scope, one func(spec string) string) {
	r := request{Name: name, Scope: scope, Line: at.Line()}
	r.column, r.end = at.Columns()
	switch v.Kind() {
	case tomltext.String:
		r.Range = v.Text()
	case tomltext.Table:
		r.Range = v.Get("version").Text()
		r.details(v)
	default:
		a.gaps.Add(at.Line(), "what is asked of "+collect.Show(name)+" is neither a version nor a table")
		return
	}
	if !collect.Sound(r.Range) || !collect.Sound(r.origin) {
		a.gaps.Add(at.Line(), "what is asked of "+collect.Show(name)+" cannot be understood")
		return
	}
	if r.version == "" {
		r.version = one(r.Range)
	}
	a.requests = append(a.requests, r)
}

// details reads the table form of one request.
func (r *request) details(v tomltext.Node) {
	if v.Get("optional").True() && r.Scope == dependency.Production {
		r.Scope = dependency.Optional
	}
	for e := range v.Get("extras").Children() {
		if e := normalize(e.Text()); e != "" {
			r.Extras = append(r.Extras, e)
		}
	}
	for _, key := range []string{"markers", "python", "platform", "sys_platform", "python_version"} {
		r.Soft = r.Soft || v.Get(key).Kind() != tomltext.Absent
	}
	for _, key := range []string{"git", "hg", "svn", "url", "file", "path"} {
		at := v.Get(key).Text()
		if at == "" {
			continue
		}
		src := parseSource(at)
		r.origin, r.local, r.version, r.hashes = src.origin, src.local && key == "path", src.version, src.hashes
		for _, ref := range []string{"rev", "ref", "tag", "branch"} {
			if text := v.Get(ref).Text(); text != "" {
				r.origin += "#" + text
				break
			}
		}
		r.Soft = r.Soft || r.local
		return
	}
}

// requirement takes up a PEP 508 text that begins at a column.
func (a *asks) requirement(text string, line, column int, scope dependency.Scope) {
	if strings.TrimSpace(text) == "" || len(a.requests) > extract.MaxPackages {
		return // too many are an error of the whole file, in finish
	}
	r, ok := parseRequirement(text)
	if !ok {
		a.gaps.Add(line, collect.Show(text)+" is no dependency (PEP 508)")
		return
	}
	out := request{
		Name: r.name, Range: r.spec, Scope: scope, Line: line, Soft: r.marker != "", Extras: r.extras, version: exact(r.spec),
	}
	if column > 0 {
		out.column, out.end = column, column+r.end
	}
	if r.url != "" {
		src := parseSource(r.url)
		out.origin, out.local, out.hashes = src.origin, src.local, src.hashes
		out.Soft = out.Soft || src.local
		if src.name == r.name {
			out.version = src.version
		}
	}
	a.requests = append(a.requests, out)
}

// finish makes the manifest.
func (a *asks) finish(project *dependency.Package) (*dependency.Manifest, *extra, error) {
	var g collect.Graph
	g.Rooted = true
	if len(a.requests) > extract.MaxPackages {
		return nil, nil, fmt.Errorf("more than %d dependencies: no project asks for that many; check where it comes from", extract.MaxPackages)
	}
	for _, r := range a.requests {
		g.AddRoot(g.Add(dependency.Package{
			Ecosystem: dependency.PyPI, Name: r.Name, Version: checked(r.version), Constraint: r.Range, Origin: r.origin, Local: r.local,
			Hashes: r.hashes, Line: r.Line, Column: r.column, EndColumn: r.end,
		}), r.Scope)
	}
	packages, err := g.Packages()
	if err != nil {
		return nil, nil, err
	}
	m := &dependency.Manifest{Format: a.format, Kind: dependency.Declared, Packages: packages, Gaps: a.gaps.List(), Project: project}
	return m, &extra{Manifest: true, Requests: a.requests}, nil
}

// checked is a version if it can be one.
func checked(version string) string {
	if !validVersion(version) {
		return ""
	}
	return version
}
