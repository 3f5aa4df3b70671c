package composer

import (
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/jsontext"
)

// packagist is what the lockfile notes for packages of the public registry.
const packagist = "https://packagist.org/"

// lock collects one composer.lock.
type lock struct {
	d        *jsontext.Decoder
	graph    collect.Graph
	gaps     collect.Gaps
	names    map[string]int // lower-case
	replaced map[string]int // names that a package replaces or provides
	needs    []need
}

type need struct {
	from int
	name string
}

func lockfile(content []byte) (*dependency.Manifest, extra, error) {
	l := &lock{d: jsontext.New(content), names: map[string]int{}, replaced: map[string]int{}}
	d := l.d
	if k := d.Kind(); k != jsontext.Object && d.Err() == nil {
		return nil, extra{}, fmt.Errorf("it holds %s where an object is expected: check the file", k)
	}
	for key := range d.Object() {
		switch string(key) {
		case "packages":
			for range d.Array() {
				l.pkg(dependency.Production)
			}
		case "packages-dev":
			for range d.Array() {
				l.pkg(dependency.Development)
			}
		}
	}
	if err := d.End(); err != nil {
		return nil, extra{}, err
	}
	for _, odd := range d.Mismatches() {
		l.gaps.Add(odd.Line, odd.String())
	}
	for _, n := range l.needs {
		to, ok := l.names[n.name]
		if !ok {
			to, ok = l.replaced[n.name]
		}
		if ok { // otherwise the project's own composer.json replaces it
			l.graph.Link(n.from, to, dependency.Production)
		}
	}
	m := &dependency.Manifest{Format: "composer.lock", Kind: dependency.Lock, Ecosystem: dependency.Packagist, Gaps: l.gaps.List()}
	var err error
	if m.Packages, err = l.graph.Packages(); err != nil {
		return nil, extra{}, err
	}
	x := extra{Replaced: make(map[string]string, len(l.replaced))}
	for name, i := range l.replaced {
		x.Replaced[name] = l.graph.Package(i).ID()
	}
	return m, x, nil
}

// pkg reads one package.
func (l *lock) pkg(scope dependency.Scope) {
	d := l.d
	start := d.Offset()
	line, column := d.Position(start)
	if k := d.Kind(); k != jsontext.Object {
		if d.Err() == nil {
			l.gaps.Add(line, fmt.Sprintf("%s where a package is expected", k))
		}
		return
	}
	p := dependency.Package{Ecosystem: dependency.Packagist, Scope: scope, Line: line, Column: column, EndColumn: column + 1}
	var requires, replaces []string
	notified, source, dist, reference := "", "", "", ""
	local := false
	for key := range d.Object() {
		switch string(key) {
		case "name":
			p.Line, p.Column = d.Position(d.Offset())
			p.Name = d.String()
			p.EndColumn = p.Column + len(p.Name) + len(`""`)
		case "version":
			if d.Kind() == jsontext.Number {
				p.Version = string(d.Raw())
			} else {
				p.Version = d.String()
			}
		case "source":
			_, source, reference, _ = location(d)
		case "dist":
			kind, url, _, sum := location(d)
			dist, local = url, kind == "path"
			if h, ok := collect.Digest("sha1", sum); ok {
				p.Hashes = []dependency.Hash{h}
			} else if sum != "" {
				l.gaps.Add(p.Line, collect.Show(p.Name)+": its checksum is not a digest")
			}
		case "license":
			p.Licenses = license(d)
		case "notification-url":
			notified = d.String()
		case "require":
			for name := range d.Object() {
				if !platform(string(name)) {
					requires = append(requires, strings.ToLower(string(name)))
				}
			}
		case "replace", "provide":
			for name := range d.Object() {
				replaces = append(replaces, strings.ToLower(string(name)))
			}
		}
	}
	if d.Err() != nil {
		return
	}
	p.Local = local
	if !strings.HasPrefix(notified, packagist) {
		if p.Origin = collect.Address(dist); source != "" {
			p.Origin = collect.Address(source)
			if reference != "" {
				p.Origin += "#" + reference
			}
		}
	}
	if !validName(p.Name) || !collect.Sound(p.Version) || !collect.Sound(p.Origin) || p.Version == "" {
		l.gaps.Add(p.Line, fmt.Sprintf("%s cannot be a package and %s its version", collect.Show(p.Name), collect.Show(p.Version)))
		return
	}
	lower := strings.ToLower(p.Name)
	if before, twice := l.names[lower]; twice {
		l.gaps.Add(p.Line, fmt.Sprintf("%s is listed twice, the first time on line %d", collect.Show(p.Name), l.graph.Package(before).Line))
	}
	i := l.graph.Add(p)
	l.names[lower] = i
	for _, name := range replaces {
		if _, ok := l.replaced[name]; !ok && len(name) <= 1<<10 {
			l.replaced[name] = i
		}
	}
	for _, name := range requires {
		l.needs = append(l.needs, need{i, name})
	}
}

// location reads "source" and "dist".
func location(d *jsontext.Decoder) (kind, url, reference, sum string) {
	for key := range d.Object() {
		switch string(key) {
		case "type":
			kind = d.String()
		case "url":
			url = d.String()
		case "reference":
			reference = d.String()
		case "shasum":
			sum = d.String()
		}
	}
	return kind, url, reference, sum
}
