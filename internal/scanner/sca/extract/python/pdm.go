package python

import (
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/tomltext"
)

// readPDM reads pdm.lock. A package with extras has a part of its own for them;
// the parts are joined. What the project itself asks for is not told.
func readPDM(content []byte, _ string) (*dependency.Manifest, *extra, error) {
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
	apart := map[string]tomltext.Node{} // before 4.0 the digests are by "name version"
	for f := range meta.Get("files").Children() {
		apart[f.Key()] = f
	}
	for pkg := range root.Get("package").Children() {
		p := dependency.Package{Version: pkg.Get("version").Text()}
		name := place(&p, pkg)
		pdmOrigin(&p, pkg)
		for g := range pkg.Get("groups").Children() {
			p.Scope = stronger(p.Scope, groupScope(g.Text()))
		}
		p.Hashes = fileHashes(p.Hashes, pkg.Get("files"))
		p.Hashes = fileHashes(p.Hashes, apart[name+" "+p.Version])
		i, ok := l.add(name, p)
		if !ok {
			continue
		}
		if p.Local {
			l.extra.Members = append(l.extra.Members, folder(p.Origin))
		}
		for d := range pkg.Get("dependencies").Children() {
			r, ok := parseRequirement(d.Text())
			if !ok {
				l.gaps.Add(d.Line(), collect.Show(d.Text())+" is no dependency (PEP 508)")
				continue
			}
			l.needs = append(l.needs, need{from: i, line: d.Line(), name: r.name, version: exact(r.spec), scope: dependency.Production, soft: r.marker != ""})
		}
	}
	return l.finish("pdm.lock")
}

func pdmOrigin(p *dependency.Package, pkg tomltext.Node) {
	for _, key := range []string{"git", "hg", "svn", "bzr", "url", "path"} {
		at := pkg.Get(key).Text()
		if at == "" {
			continue
		}
		p.Origin = collect.Address(at)
		if key == "path" {
			p.Local = !collect.IsArchive(at) && !strings.HasSuffix(at, ".whl")
		} else if r := pkg.Get("revision").Text(); r != "" {
			p.Origin += "#" + r
		}
		return
	}
}

// readPylock reads pylock.toml (PEP 751,
// https://packaging.python.org/en/latest/specifications/pylock-toml/).
func readPylock(content []byte, _ string) (*dependency.Manifest, *extra, error) {
	root, err := tomltext.Parse(content)
	if err != nil {
		return nil, nil, err
	}
	if root.Get("lock-version").Kind() == tomltext.Absent {
		return nil, nil, notALock("lock-version")
	}
	l := newLock()
	l.extra.Unrooted, l.extra.Asks = true, "pyproject.toml"
	edges := false
	for pkg := range root.Get("packages").Children() {
		p := dependency.Package{Version: pkg.Get("version").Text(), Scope: markerScope(pkg.Get("marker").Text())}
		name := place(&p, pkg)
		pylockOrigin(&p, pkg)
		for _, key := range []string{"archive", "sdist"} {
			p.Hashes = tableHashes(p.Hashes, pkg.Path(key, "hashes"))
		}
		for w := range pkg.Get("wheels").Children() {
			p.Hashes = tableHashes(p.Hashes, w.Get("hashes"))
		}
		i, ok := l.add(name, p)
		if !ok {
			continue
		}
		if p.Local {
			l.extra.Members = append(l.extra.Members, folder(p.Origin))
		}
		for d := range pkg.Get("dependencies").Children() {
			if n := normalize(d.Get("name").Text()); n != "" {
				edges = true
				l.needs = append(l.needs, need{from: i, line: d.Line(), name: n, version: d.Get("version").Text(), scope: dependency.Production})
			}
		}
	}
	l.extra.Flat = !edges
	return l.finish("pylock.toml")
}

// tableHashes adds {sha256 = "…"}.
func tableHashes(to []dependency.Hash, table tomltext.Node) []dependency.Hash {
	for h := range table.Children() {
		to = hash(to, strings.ToLower(h.Key())+":"+h.Text())
	}
	return to
}

func pylockOrigin(p *dependency.Package, pkg tomltext.Node) {
	where := func(key string) string {
		if at := pkg.Path(key, "url").Text(); at != "" {
			return collect.Address(at)
		}
		return pkg.Path(key, "path").Text()
	}
	switch {
	case pkg.Get("vcs").Kind() == tomltext.Table:
		p.Origin = where("vcs")
		if commit := pkg.Path("vcs", "commit-id").Text(); commit != "" {
			p.Origin += "#" + commit
		}
	case pkg.Get("directory").Kind() == tomltext.Table:
		p.Origin, p.Local = where("directory"), true
	case pkg.Get("archive").Kind() == tomltext.Table:
		p.Origin = where("archive")
	default:
		if index := pkg.Get("index").Text(); !publicIndex(index) {
			p.Origin = collect.Address(index)
		}
	}
}

// markerScope reads what a package is locked for out of its marker:
// "'dev' in dependency_groups", "'socks' in extras". Anything else that has to
// hold beside it only narrows where it is installed.
func markerScope(marker string) dependency.Scope {
	scope := dependency.Unstated
	for rest := marker; ; {
		before, after, found := strings.Cut(rest, " in ")
		if !found {
			return scope
		}
		rest = strings.TrimLeft(after, " ")
		before = strings.TrimRight(before, " ")
		switch {
		case strings.HasSuffix(before, " not"):
		case strings.HasPrefix(rest, "dependency_groups"):
			quoted := strings.TrimRight(before, `'"`)
			scope = stronger(scope, groupScope(quoted[strings.LastIndexAny(quoted, `'"`)+1:]))
		case strings.HasPrefix(rest, "extras"):
			scope = stronger(scope, dependency.Optional)
		}
	}
}
