package nuget

import (
	"errors"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/jsontext"
	"bulwark/internal/scanner/sca/extract/xmltree"
)

// need is an edge of which only the name of its end is known yet.
type need struct {
	from int
	name string
}

// readLock reads a packages.lock.json, version 1 or 2: dependencies, then target
// framework, then package.
func readLock(content []byte, g *collect.Graph, gaps *collect.Gaps) error {
	d := jsontext.New(content)
	found := false
	for key := range d.Object() {
		if string(key) != "dependencies" {
			continue
		}
		found = true
		for range d.Object() {
			byName := map[string]int{}
			var needs []need
			for name := range d.Object() {
				readLocked(d, string(name), g, gaps, byName, &needs)
			}
			link(g, byName, needs)
		}
	}
	if err := d.End(); err != nil {
		return err
	}
	if !found {
		return errors.New("no dependencies in it: not a lockfile of NuGet")
	}
	mismatches(d, gaps)
	return nil
}

func readLocked(d *jsontext.Decoder, name string, g *collect.Graph, gaps *collect.Gaps, byName map[string]int, needs *[]need) {
	line, column := d.Position(d.KeyStart())
	p := dependency.Package{Ecosystem: dependency.NuGet, Name: name, Scope: dependency.Production, Line: line, Column: column}
	_, p.EndColumn = d.Position(d.KeyEnd())
	var kind string
	var names []string
	for key := range d.Object() {
		switch string(key) {
		case "type":
			kind = d.String()
		case "requested":
			p.Constraint = d.String()
		case "resolved":
			p.Version = d.String()
		case "contentHash":
			p.Hashes = hash(d.String())
		case "dependencies":
			for n := range d.Object() {
				names = append(names, string(n))
			}
		}
	}
	if !sound(&p) {
		gaps.Add(line, "a package whose name or version is missing, too long or holds control characters")
		return
	}
	p.Local = kind == "Project"
	if p.Version == "" && !p.Local {
		gaps.Add(line, "the package "+collect.Show(name)+" has no resolved version")
	}
	i := g.Add(p)
	byName[strings.ToLower(name)] = i
	if kind == "Direct" || p.Local {
		g.AddRoot(i, dependency.Production)
	}
	for _, n := range names {
		*needs = append(*needs, need{i, n})
	}
}

func link(g *collect.Graph, byName map[string]int, needs []need) {
	for _, n := range needs {
		if to, ok := byName[strings.ToLower(n.name)]; ok {
			g.Link(n.from, to, dependency.Production)
		}
	}
}

func sound(p *dependency.Package) bool {
	return p.Name != "" && collect.Sound(p.Name) && collect.Sound(p.Version) && collect.Sound(p.Constraint) && collect.Sound(p.Origin)
}

func mismatches(d *jsontext.Decoder, gaps *collect.Gaps) {
	for _, m := range d.Mismatches() {
		gaps.Add(m.Line, m.String())
	}
}

// readAssets reads a project.assets.json or *.deps.json: targets with the
// edges, libraries with the packages. ours is false for another JSON file.
func readAssets(content []byte, m *dependency.Manifest, g *collect.Graph, gaps *collect.Gaps) (ours bool, err error) {
	type edge struct{ from, name string }
	var (
		d      = jsontext.New(content)
		byID   = map[string]int{} // "Name/1.0", lower-case
		edges  [][]edge           // by target
		groups []map[string]string
		direct = map[string]bool{}
	)
	for key := range d.Object() {
		switch string(key) {
		case "targets":
			for range d.Object() {
				var list []edge
				here := map[string]string{}
				for id := range d.Object() {
					from := strings.ToLower(string(id))
					name, _, _ := strings.Cut(from, "/")
					here[name] = from
					for k := range d.Object() {
						if string(k) == "dependencies" {
							for n := range d.Object() {
								list = append(list, edge{from: from, name: strings.ToLower(string(n))})
							}
						}
					}
				}
				edges, groups = append(edges, list), append(groups, here)
			}
		case "libraries":
			ours = true
			for id := range d.Object() {
				line, column := d.Position(d.KeyStart())
				_, end := d.Position(d.KeyEnd())
				name, v, _ := strings.Cut(string(id), "/")
				p := dependency.Package{Ecosystem: dependency.NuGet, Name: strings.Clone(name), Version: strings.Clone(v), Scope: dependency.Production, Line: line, Column: column, EndColumn: end}
				for k := range d.Object() {
					switch string(k) {
					case "type":
						p.Local = d.String() == "project"
					case "sha512":
						p.Hashes = hash(d.String())
					}
				}
				if !sound(&p) || p.Version == "" {
					gaps.Add(line, "a library without name or version, or one that is too long")
					continue
				}
				i := g.Add(p)
				byID[strings.ToLower(string(id))] = i
				if p.Local {
					if m.Format == formatDeps && m.Project == nil {
						m.Project = &p // the program itself comes first
					}
					g.AddRoot(i, dependency.Production)
				}
			}
		case "projectFileDependencyGroups":
			for range d.Object() {
				for range d.Array() {
					name, _, _ := strings.Cut(d.String(), " ")
					direct[strings.ToLower(name)] = true
				}
			}
		}
	}
	if err := d.End(); err != nil {
		return false, err
	}
	mismatches(d, gaps)
	for t, list := range edges {
		for _, e := range list {
			from, ok := byID[e.from]
			to, ok2 := byID[groups[t][e.name]]
			if ok && ok2 {
				g.Link(from, to, dependency.Production)
			}
		}
	}
	for id, i := range byID {
		if name, _, _ := strings.Cut(id, "/"); direct[name] {
			g.AddRoot(i, dependency.Production)
		}
	}
	return ours, nil
}

// readConfig reads a packages.config: all packages, exact, without telling who
// needs them.
func readConfig(content []byte, g *collect.Graph, gaps *collect.Gaps) error {
	root, err := xmltree.Parse(content)
	if err != nil {
		return err
	}
	for _, e := range root.All("package") {
		p := dependency.Package{
			Ecosystem: dependency.NuGet, Name: e.Attr("id"), Version: e.Attr("version"), Scope: dependency.Production,
			Constraint: e.Attr("allowedVersions"), Line: e.Line, Column: e.Column, EndColumn: e.EndColumn,
		}
		if strings.EqualFold(e.Attr("developmentDependency"), "true") {
			p.Scope = dependency.Development
		}
		if !sound(&p) || p.Version == "" {
			gaps.Add(e.Line, "a package without id or version, or one that is too long")
			continue
		}
		g.Add(p)
	}
	return nil
}
