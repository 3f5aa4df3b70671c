package nuget

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
	"bulwark/internal/scanner/sca/extract/xmltree"
)

// project is what a project or properties file says, nothing put in yet.
type project struct {
	Properties map[string]string `json:"properties,omitempty"` // names in lower case
	Central    map[string]string `json:"central,omitempty"`    // PackageVersion; names in lower case
	References []reference       `json:"references,omitempty"`
	Gaps       []dependency.Gap  `json:"gaps,omitempty"`
}

type reference struct {
	Name        string `json:"name"`
	Version     string `json:"version,omitempty"`
	Development bool   `json:"development,omitempty"`
	Project     bool   `json:"project,omitempty"`
	Line        int    `json:"line"`
	Column      int    `json:"column,omitempty"`
	End         int    `json:"end,omitempty"`
}

func readProject(content []byte, gaps *collect.Gaps) (*project, error) {
	root, err := xmltree.Parse(content)
	if err != nil {
		return nil, err
	}
	if root.Name != "Project" {
		return nil, nil
	}
	p := &project{Properties: map[string]string{}, Central: map[string]string{}}
	for _, group := range root.All("PropertyGroup") {
		for _, e := range group.Children {
			if collect.Sound(e.Text) && collect.Sound(e.Name) {
				p.Properties[strings.ToLower(e.Name)] = e.Text
			}
		}
	}
	for _, group := range root.All("ItemGroup") {
		for _, e := range group.Children {
			p.readItem(e, gaps)
		}
	}
	return p, nil
}

// attrOrChild: MSBuild takes metadata in either form.
func attrOrChild(e *xmltree.Element, name string) string {
	if v := e.Attr(name); v != "" {
		return v
	}
	return e.Value(name)
}

func (p *project) readItem(e *xmltree.Element, gaps *collect.Gaps) {
	name := e.Attr("Include")
	if name == "" {
		name = e.Attr("Update")
	}
	v := attrOrChild(e, "VersionOverride")
	if v == "" {
		v = attrOrChild(e, "Version")
	}
	switch e.Name {
	case "PackageVersion", "PackageReference", "GlobalPackageReference", "ProjectReference":
	default:
		return
	}
	if name == "" || !collect.Sound(name) || !collect.Sound(v) {
		if e.Attr("Remove") == "" {
			gaps.Add(e.Line, "a reference without a name, or one that is too long")
		}
		return
	}
	r := reference{Name: name, Version: v, Line: e.Line, Column: e.Column, End: e.EndColumn}
	switch e.Name {
	case "PackageVersion":
		p.Central[strings.ToLower(name)] = v
		return
	case "PackageReference":
		r.Development = strings.EqualFold(attrOrChild(e, "PrivateAssets"), "all")
	case "GlobalPackageReference":
		r.Development = true
	case "ProjectReference":
		r.Project, r.Version = true, ""
	}
	p.References = append(p.References, r)
}

// expand puts in $(properties) of the files given, the nearest first. Values
// that themselves hold properties are followed a few levels.
func expand(s string, files []*project) string {
	for range 8 {
		start := strings.Index(s, "$(")
		if start < 0 {
			return s
		}
		length := strings.IndexByte(s[start:], ')')
		if length < 0 {
			return s
		}
		name := strings.ToLower(s[start+2 : start+length])
		found := false
		for _, f := range files {
			if v, ok := f.Properties[name]; ok {
				s, found = s[:start]+v+s[start+length+1:], true
				break
			}
		}
		if !found || len(s) > extract.MaxName {
			return s
		}
	}
	return s
}

// fill writes the packages into the manifest: with the properties files that
// apply to it, and the manifests of the projects that it refers to by path.
func (p *project) fill(m *dependency.Manifest, above []*project, known map[string]bool) error {
	files := append([]*project{p}, above...)
	var (
		g    collect.Graph
		gaps collect.Gaps
	)
	for _, gap := range p.Gaps {
		gaps.Add(gap.Line, gap.Message)
	}
	for _, r := range p.References {
		pkg := dependency.Package{
			Ecosystem: dependency.NuGet, Name: expand(r.Name, files), Scope: dependency.Production, Relation: dependency.Direct,
			Line: r.Line, Column: r.Column, EndColumn: r.End,
		}
		if r.Development {
			pkg.Scope = dependency.Development
		}
		if r.Project {
			file := strings.ReplaceAll(r.Name, `\`, "/")
			pkg.Local, pkg.Origin = true, file
			pkg.Name = strings.TrimSuffix(path.Base(file), path.Ext(file))
			if target := path.Join(path.Dir(m.Path), file); known != nil && !strings.Contains(file, "$(") && !known[strings.ToLower(target)] {
				gaps.Add(r.Line, fmt.Sprintf("the project %s that is referred to is not here", collect.Show(file)))
			}
			g.Add(pkg)
			continue
		}
		v := r.Version
		for _, f := range files {
			if v != "" {
				break
			}
			v = f.Central[strings.ToLower(pkg.Name)]
		}
		pkg.Version, pkg.Constraint = exact(expand(v, files))
		switch {
		case v == "":
			gaps.Add(r.Line, fmt.Sprintf("the version of %s is stated neither here nor in a Directory.Packages.props above", collect.Show(pkg.Name)))
		case strings.Contains(pkg.Constraint, "$("):
			gaps.Add(r.Line, fmt.Sprintf("the version of %s is %s, which is set neither here nor in properties above", collect.Show(pkg.Name), collect.Show(pkg.Constraint)))
		case pkg.Version == "":
			gaps.Add(r.Line, fmt.Sprintf("the version of %s is the range %s; commit a packages.lock.json to fix it", collect.Show(pkg.Name), collect.Show(pkg.Constraint)))
		}
		g.Add(pkg)
	}
	packages, err := g.Packages()
	if err != nil {
		return err
	}
	m.Packages, m.Gaps = packages, gaps.List()
	return nil
}

// Resolve applies properties files to the projects below them and drops what a
// lockfile or assets file tells better.
func (Extractor) Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	projects := map[*dependency.Manifest]*project{}
	props := map[string]*project{} // by path in lower case
	known := map[string]bool{}
	better := map[string]string{} // folder → format that tells more
	for _, m := range all {
		dir := path.Dir(m.Path)
		switch m.Format {
		case formatLock:
			better[dir] = formatLock
		case formatAssets: // lies in obj beneath the project
			if better[path.Dir(dir)] == "" {
				better[path.Dir(dir)] = formatAssets
			}
		case formatProject, formatProps:
			known[strings.ToLower(m.Path)] = true
			var p project
			if err := json.Unmarshal(m.Extra, &p); err != nil {
				m.Gaps = append(m.Gaps, dependency.Gap{Message: "what was kept of this file cannot be read: " + err.Error()})
				continue
			}
			projects[m] = &p
			if m.Format == formatProps {
				props[strings.ToLower(m.Path)] = &p
			}
		}
		m.Extra = nil
	}
	out := make([]*dependency.Manifest, 0, len(all))
	for _, m := range all {
		if ctx.Err() != nil {
			return all
		}
		dir := path.Dir(m.Path)
		p := projects[m]
		if m.Format == formatAssets && better[path.Dir(dir)] == formatLock || m.Format == formatProject && better[dir] != "" {
			continue
		}
		if p != nil {
			if err := p.fill(m, above(dir, p, props), known); err != nil {
				m.Gaps = append(m.Gaps, dependency.Gap{Message: err.Error()})
			}
			if m.Format == formatProps && len(m.Packages) == 0 && len(m.Gaps) == 0 {
				continue
			}
		}
		out = append(out, m)
	}
	return slices.Clip(out)
}

// above are the nearest Directory.Build.props and Directory.Packages.props of a
// folder: MSBuild takes one of each.
func above(dir string, not *project, props map[string]*project) []*project {
	var out []*project
	for _, base := range []string{"directory.build.props", "directory.packages.props"} {
		for d := strings.ToLower(dir); ; d = path.Dir(d) {
			if p := props[path.Join(d, base)]; p != nil {
				if p != not {
					out = append(out, p)
				}
				break
			}
			if d == "." || d == "/" || d == "" {
				break
			}
		}
	}
	return out
}
