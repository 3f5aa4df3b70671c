package python

import (
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/tomltext"
)

// readPoetry reads poetry.lock, of all versions of its format: 0.x and 1.x keep
// the digests apart and tell a category, 2.x keeps them with the package and
// since 2.1 tells the groups. None tells what the project itself asks for.
func readPoetry(content []byte, _ string) (*dependency.Manifest, *extra, error) {
	root, err := tomltext.Parse(content)
	if err != nil {
		return nil, nil, err
	}
	meta := root.Get("metadata")
	if meta.Kind() == tomltext.Absent {
		return nil, nil, notALock("metadata")
	}
	l := newLock()
	l.extra.Unrooted, l.extra.Asks = true, "pyproject.toml"
	apart := map[string]tomltext.Node{} // the digests, by name
	for _, key := range []string{"files", "hashes"} {
		for f := range meta.Get(key).Children() {
			apart[f.Key()] = f
		}
	}
	for pkg := range root.Get("package").Children() {
		p := dependency.Package{Version: pkg.Get("version").Text(), Scope: poetryScope(pkg)}
		name := place(&p, pkg)
		if src := pkg.Get("source"); src.Kind() == tomltext.Table {
			poetrySource(&p, src)
		}
		p.Hashes = fileHashes(p.Hashes, pkg.Get("files"))
		p.Hashes = fileHashes(p.Hashes, apart[name])
		if i, ok := l.add(name, p); ok {
			l.poetryNeeds(i, pkg)
			if p.Local {
				l.extra.Members = append(l.extra.Members, folder(p.Origin))
			}
		}
	}
	return l.finish("poetry.lock")
}

func (l *lock) poetryNeeds(from int, pkg tomltext.Node) {
	extras := poetryExtras(pkg.Get("extras"))
	for d := range pkg.Get("dependencies").Children() {
		n := need{from: from, line: d.Line(), name: normalize(d.Key()), scope: dependency.Production, soft: d.Kind() != tomltext.String}
		if n.name == "" {
			l.gaps.Add(d.Line(), collect.Show(d.Key())+" cannot be a package")
			continue
		}
		optional := d.Get("optional").True()
		l.askAll(n.name, d.Get("extras"))
		if d.Kind() == tomltext.List { // alternatives for several platforms
			optional = true
			for a := range d.Children() {
				optional = optional && a.Get("optional").True()
				l.askAll(n.name, a.Get("extras"))
			}
		}
		if optional {
			n.scope = dependency.Optional
			for _, e := range extras[n.name] {
				n.extra = e
				l.needs = append(l.needs, n)
			}
			if n.extra != "" {
				continue
			}
		}
		l.needs = append(l.needs, n)
	}
}

func (l *lock) askAll(name string, extras tomltext.Node) {
	for e := range extras.Children() {
		l.ask(name, normalize(e.Text()))
	}
}

// poetryScope is what the lockfile itself tells, nothing between 1.5 and 2.0.
func poetryScope(pkg tomltext.Node) dependency.Scope {
	scope := dependency.Unstated
	switch pkg.Get("category").Text() {
	case "main":
		scope = dependency.Production
	case "dev":
		scope = dependency.Development
	}
	for g := range pkg.Get("groups").Children() {
		scope = stronger(scope, groupScope(g.Text()))
	}
	if pkg.Get("optional").True() && scope != dependency.Development {
		return dependency.Optional
	}
	return scope
}

func poetrySource(p *dependency.Package, src tomltext.Node) {
	address := src.Get("url").Text()
	p.Origin = collect.Address(address)
	switch src.Get("type").Text() {
	case "directory":
		p.Local = true
	case "git":
		for _, key := range []string{"resolved_reference", "reference"} {
			if r := src.Get(key).Text(); r != "" {
				p.Origin += "#" + r
				break
			}
		}
	case "legacy", "":
		if publicIndex(address) {
			p.Origin = ""
		}
	}
}

// poetryExtras are the extras that a dependency belongs to:
// extra = ["name (>=1)"].
func poetryExtras(table tomltext.Node) map[string][]string {
	var out map[string][]string
	for m := range table.Children() {
		extra := normalize(m.Key())
		if extra == "" {
			continue
		}
		for d := range m.Children() {
			text := strings.TrimSpace(d.Text())
			if end := strings.IndexAny(text, " [(;<>=!~"); end >= 0 {
				text = text[:end]
			}
			if name := normalize(text); name != "" && len(out[name]) < maxSame {
				if out == nil {
					out = map[string][]string{}
				}
				out[name] = append(out[name], extra)
			}
		}
	}
	return out
}
