package python

import (
	"fmt"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/jsontext"
	"bulwark/internal/scanner/sca/extract/tomltext"
)

// readPipfileLock reads Pipfile.lock: exact versions by category, without edges.
func readPipfileLock(content []byte, _ string) (*dependency.Manifest, *extra, error) {
	d := jsontext.New(content)
	if k := d.Kind(); k != jsontext.Object && d.Err() == nil {
		return nil, nil, fmt.Errorf("it holds %s where an object is expected: run pipenv lock and commit the result", k)
	}
	l := newLock()
	l.extra = extra{Unrooted: true, Flat: true, Asks: "Pipfile"}
	indexes := map[string]string{} // name of an index: its address
	from := map[int]string{}       // the index that a package names
	known := false
	for key := range d.Object() {
		category := string(key)
		if category == "_meta" {
			known = true
			pipfileSources(d, indexes)
			continue
		}
		scope := groupScope(category)
		for key := range d.Object() {
			p := dependency.Package{Scope: scope}
			p.Line, p.Column = d.Position(d.KeyStart())
			p.EndColumn = p.Column + d.KeyEnd() - d.KeyStart()
			index := pipfilePackage(d, &p)
			if d.Err() != nil {
				break
			}
			if i, ok := l.add(string(key), p); ok && p.Origin == "" && index != "" {
				from[i] = index
			}
		}
	}
	if err := d.End(); err != nil {
		return nil, nil, err
	}
	if !known {
		return nil, nil, notALock("_meta")
	}
	for _, odd := range d.Mismatches() {
		l.gaps.Add(odd.Line, odd.String())
	}
	for i, index := range from {
		if address := indexes[index]; !publicIndex(address) && collect.Sound(address) {
			l.graph.Package(i).Origin = address
		}
	}
	return l.finish("Pipfile.lock")
}

func pipfileSources(d *jsontext.Decoder, indexes map[string]string) {
	for key := range d.Object() {
		if string(key) != "sources" {
			continue
		}
		for range d.Array() {
			name, address := "", ""
			for key := range d.Object() {
				switch string(key) {
				case "name":
					name = d.String()
				case "url":
					address = collect.Address(d.String())
				}
			}
			indexes[name] = address
		}
	}
}

// pipfilePackage reads one package and returns the name of its index.
func pipfilePackage(d *jsontext.Decoder, p *dependency.Package) (index string) {
	ref := ""
	for key := range d.Object() {
		switch string(key) {
		case "version":
			spec := d.String()
			if p.Version = exact(spec); p.Version == "" {
				p.Constraint = spec
			}
		case "hashes":
			for range d.Array() {
				p.Hashes = hash(p.Hashes, d.String())
			}
		case "index":
			index = d.String()
		case "git", "hg", "svn", "bzr", "file":
			p.Origin = collect.Address(d.String())
		case "ref":
			ref = d.String()
		case "path":
			src := parseSource(d.String())
			p.Origin, p.Local = src.origin, src.local
			if p.Version == "" {
				p.Version = src.version
			}
		}
	}
	if ref != "" && p.Origin != "" {
		p.Origin += "#" + ref
	}
	return index
}

// readPipfile reads what a Pipfile asks for
// (https://pipenv.pypa.io/en/latest/pipfile.html).
func readPipfile(content []byte, _ string) (*dependency.Manifest, *extra, error) {
	root, err := tomltext.Parse(content)
	if err != nil {
		return nil, nil, err
	}
	a := &asks{format: "Pipfile"}
	for category := range root.Children() {
		switch category.Key() {
		case "source", "requires", "pipenv", "scripts":
			continue
		}
		scope := groupScope(category.Key())
		if category.Key() == "packages" {
			scope = dependency.Production
		}
		a.table(category, scope, exact)
	}
	return a.finish(nil)
}
