package python

import (
	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/tomltext"
)

// readUV reads uv.lock (https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile).
// It tells everything: members, groups, extras and who needs whom.
func readUV(content []byte, _ string) (*dependency.Manifest, *extra, error) {
	root, err := tomltext.Parse(content)
	if err != nil {
		return nil, nil, err
	}
	if root.Get("version").Kind() == tomltext.Absent {
		return nil, nil, notALock("version of its format")
	}
	l := newLock()
	l.extra.Asks = "pyproject.toml"
	ranges := map[string]string{} // what the members ask for
	var project *dependency.Package
	for pkg := range root.Get("package").Children() {
		var p dependency.Package
		var needs, optional, dev, groups, meta tomltext.Node
		name := place(&p, pkg)
		for f := range pkg.Children() {
			switch f.Key() {
			case "version":
				p.Version = f.Text()
			case "source":
				uvSource(&p, f)
			case "sdist":
				p.Hashes = hash(p.Hashes, f.Get("hash").Text())
			case "wheels":
				p.Hashes = fileHashes(p.Hashes, f)
			case "dependencies":
				needs = f
			case "optional-dependencies":
				optional = f
			case "dev-dependencies":
				dev = f
			case "dependency-groups":
				groups = f
			case "metadata":
				meta = f
			}
		}
		i, ok := l.add(name, p)
		if !ok {
			continue
		}
		l.uvNeeds(i, needs, dependency.Production, "")
		for e := range optional.Children() {
			l.uvNeeds(i, e, dependency.Optional, normalize(e.Key()))
		}
		for _, list := range []tomltext.Node{dev, groups} {
			for g := range list.Children() {
				l.uvNeeds(i, g, groupScope(g.Key()), "")
			}
		}
		if !p.Local {
			continue
		}
		l.extra.Members = append(l.extra.Members, folder(p.Origin))
		l.graph.Rooted = true
		if p.Origin == "." {
			own := *l.graph.Package(i)
			project = &own
		}
		uvRanges(ranges, meta.Get("requires-dist"))
		for g := range meta.Get("requires-dev").Children() {
			uvRanges(ranges, g)
		}
	}
	l.uvManifest(root.Get("manifest"))
	for name, spec := range ranges {
		l.find(name, "", func(i int) {
			if p := l.graph.Package(i); !p.Local {
				p.Constraint = spec
			}
		})
	}
	m, x, err := l.finish("uv.lock")
	if err != nil {
		return nil, nil, err
	}
	m.Project = project
	return m, x, nil
}

func uvSource(p *dependency.Package, source tomltext.Node) {
	for s := range source.Children() {
		switch s.Key() {
		case "registry":
			if at := s.Text(); !publicIndex(at) {
				p.Origin = collect.Address(at)
			}
		case "git", "url", "path":
			p.Origin = collect.Address(s.Text())
		case "directory", "editable", "virtual":
			p.Origin, p.Local = s.Text(), true
		}
	}
}

// uvManifest reads what is asked for beside the members: by a script, or by the
// workspace itself.
func (l *lock) uvManifest(manifest tomltext.Node) {
	ask := func(list tomltext.Node, scope dependency.Scope) {
		for r := range list.Children() {
			l.find(normalize(r.Get("name").Text()), "", func(i int) { l.graph.AddRoot(i, scope) })
		}
	}
	ask(manifest.Get("requirements"), dependency.Production)
	for g := range manifest.Get("dependency-groups").Children() {
		ask(g, groupScope(g.Key()))
	}
}

func (l *lock) uvNeeds(from int, list tomltext.Node, scope dependency.Scope, extra string) {
	for d := range list.Children() {
		n := need{from: from, line: d.Line(), scope: scope, extra: extra}
		for f := range d.Children() {
			switch f.Key() {
			case "name":
				n.name = normalize(f.Text())
			case "version":
				n.version = f.Text()
			}
		}
		if n.name == "" {
			l.gaps.Add(d.Line(), "a dependency without a name: lock anew and commit the lockfile")
			continue
		}
		for e := range d.Get("extra").Children() {
			l.ask(n.name, normalize(e.Text()))
		}
		l.needs = append(l.needs, n)
	}
}

func uvRanges(to map[string]string, list tomltext.Node) {
	for r := range list.Children() {
		name, spec := normalize(r.Get("name").Text()), r.Get("specifier").Text()
		if name != "" && spec != "" && collect.Sound(spec) && to[name] == "" {
			to[name] = spec
		}
	}
}
