// Package packagelock reads npm's lockfiles package-lock.json and
// npm-shrinkwrap.json, versions 1 to 3
// (https://docs.npmjs.com/cli/configuring-npm/package-lock-json).
//
// Versions 2 and 3 list folders ("node_modules/a/node_modules/b"); which of
// several nested versions a package gets is found as Node does, from its own
// folder upwards. Version 1 nests the packages themselves and is brought into
// the same form. What the project asks for stands in version 2 and 3 only.
package packagelock

import (
	"fmt"
	"strconv"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/jsontext"
	"bulwark/internal/scanner/sca/extract/npm/nest"
	"bulwark/internal/scanner/sca/extract/npm/packagejson"
	"bulwark/internal/scanner/sca/extract/npm/spec"
)

const inModules = "node_modules/"

// Result is what one lockfile says.
type Result struct {
	Manifest *dependency.Manifest
	// Members are the folders of workspace members and other parts of the
	// project, relative to the lockfile.
	Members []string
	// Top are the packages (their ids) that code of the project itself gets by
	// name; only where the lockfile does not tell what the project asks for.
	Top map[string]string
}

// reader collects one lockfile.
type reader struct {
	d        *jsontext.Decoder
	graph    collect.Graph
	gaps     collect.Gaps
	places   map[string]int // folder of installation: number of the package
	links    []link
	needs    []need
	project  *dependency.Package
	rootAsks []need
	members  []string
	hasRoot  bool
	nested   *nest.Index
}

// link is a folder in node_modules that stands for one of the project.
type link struct {
	place, target string
	line          int
}

// need is one dependency of a place.
type need struct {
	from  int // number of the package
	place string
	name  string
	raw   string
	scope dependency.Scope
	peer  bool
}

// Extract reads a lockfile.
func Extract(content []byte) (*Result, error) {
	res, err := read(content)
	if err != nil {
		return nil, fmt.Errorf("reading npm's lockfile: %w", err)
	}
	return res, nil
}

func read(content []byte) (*Result, error) {
	r := &reader{d: jsontext.New(content), places: make(map[string]int, len(content)/700)}
	d := r.d
	if k := d.Kind(); k != jsontext.Object && d.Err() == nil {
		return nil, fmt.Errorf("it holds %s where an object is expected: check the file", k)
	}
	version := int64(0)
	var name, projectVersion string
	var old *reader // the packages in the form of version 1
	hasPackages := false
	for key := range d.Object() {
		switch string(key) {
		case "lockfileVersion":
			version = d.Int()
		case "name":
			name = d.String()
		case "version":
			projectVersion = d.String()
		case "packages":
			hasPackages = true
			r.packages()
		case "dependencies":
			if hasPackages {
				continue // version 2 repeats itself for older npm
			}
			old = &reader{d: d, places: map[string]int{}}
			old.version1("")
		}
	}
	if err := d.End(); err != nil {
		return nil, err
	}
	if version > 3 {
		return nil, fmt.Errorf("its version is %d, and only 1 to 3 are known: write it with an npm that is known, or update Bulwark", version)
	}
	if !hasPackages && old != nil {
		r = old
	}
	if r.project == nil && spec.ValidName(name) && collect.Sound(projectVersion) {
		r.project = &dependency.Package{Ecosystem: dependency.NPM, Name: name, Version: projectVersion, Local: true, Line: 1}
	}
	for _, odd := range d.Mismatches() {
		r.gaps.Add(odd.Line, odd.String())
	}
	return r.finish(max(version, 1))
}

func (r *reader) finish(version int64) (*Result, error) {
	r.follow()
	r.resolve()
	res := &Result{Members: r.members}
	if !r.hasRoot {
		res.Top = map[string]string{}
		for place, i := range r.places {
			if name, ok := strings.CutPrefix(place, inModules); ok && !strings.Contains(name, inModules) {
				res.Top[name] = r.graph.Package(i).ID()
			}
		}
	}
	packages, err := r.graph.Packages()
	if err != nil {
		return nil, err
	}
	res.Manifest = &dependency.Manifest{
		Format: "npm package-lock v" + strconv.FormatInt(version, 10), Kind: dependency.Lock, Ecosystem: dependency.NPM,
		Project: r.project, Packages: packages, Gaps: r.gaps.List(),
	}
	return res, nil
}

// entry is one installed package as the file has it.
type entry struct {
	name, version, resolved, integrity    string
	dev, optional, devOptional, link, own bool
	licenses                              []string
}

// packages reads the section of versions 2 and 3.
func (r *reader) packages() {
	d := r.d
	for key := range d.Object() {
		place := string(key)
		start, end := d.KeyStart(), d.KeyEnd()
		line, column := d.Position(start)
		if !collect.Sound(place) || strings.Count(place, inModules) > 32 || strings.Count(place, "/") > nest.MaxLevels {
			r.gaps.Add(line, collect.Show(place)+" cannot be a folder of packages")
			continue
		}
		if d.Kind() != jsontext.Object {
			r.gaps.Add(line, fmt.Sprintf("%s has %s where a package is expected", collect.Show(place), d.Kind()))
			continue
		}
		var e entry
		optional := map[string]bool(nil)
		from := len(r.needs)
		for field := range d.Object() {
			switch string(field) {
			case "name":
				e.name = d.String()
			case "version":
				e.version = d.String()
			case "resolved":
				if d.Kind() == jsontext.String {
					e.resolved = d.String()
				}
			case "integrity":
				e.integrity = d.String()
			case "link":
				e.link = d.Bool()
			case "dev":
				e.dev = d.Bool()
			case "optional":
				e.optional = d.Bool()
			case "devOptional":
				e.devOptional = d.Bool()
			case "license", "licenses":
				e.licenses = packagejson.Licenses(d)
			case "dependencies":
				r.asks(place, dependency.Production, false)
			case "optionalDependencies":
				r.asks(place, dependency.Optional, false)
			case "peerDependencies":
				r.asks(place, dependency.Production, true)
			case "devDependencies":
				// Those of an installed package are never installed.
				if !strings.Contains(place, inModules) {
					r.asks(place, dependency.Development, false)
				}
			case "peerDependenciesMeta":
				optional = map[string]bool{}
				packagejson.OptionalPeers(d, optional)
			}
		}
		if d.Err() != nil {
			return
		}
		for i := range optional {
			for n := from; n < len(r.needs); n++ {
				if r.needs[n].peer && r.needs[n].name == i {
					r.needs[n].scope = dependency.Optional
				}
			}
		}
		if place == "" {
			r.root(e, from, line)
			continue
		}
		if e.link {
			r.needs = r.needs[:from]
			r.links = append(r.links, link{place, e.resolved, line})
			continue
		}
		if _, twice := r.places[place]; twice {
			r.gaps.Add(line, collect.Show(place)+" is listed twice; npm takes the last")
		}
		installed := strings.LastIndex(place, inModules)
		e.own = installed < 0
		if e.name == "" {
			e.name = place[strings.LastIndexByte(place, '/')+1:]
			if !e.own {
				e.name = place[installed+len(inModules):]
			}
		}
		if !r.add(e, place, line, column, column+end-start) {
			r.needs = r.needs[:from]
			continue
		}
		for i := range r.needs[from:] {
			r.needs[from+i].from = r.places[place]
		}
		if e.own {
			r.members = append(r.members, place)
		}
	}
}

// root takes up the project itself, whose needs are those from number from on.
func (r *reader) root(e entry, from, line int) {
	r.hasRoot = true
	r.graph.Rooted = true
	r.rootAsks = append(r.rootAsks, r.needs[from:]...)
	r.needs = r.needs[:from]
	if spec.ValidName(e.name) && collect.Sound(e.version) {
		r.project = &dependency.Package{
			Ecosystem: dependency.NPM, Name: e.name, Version: e.version, Local: true, Line: line, Licenses: e.licenses,
		}
	}
}

// add takes up a package; false if it cannot be one, which is a gap then.
func (r *reader) add(e entry, place string, line, column, columnEnd int) bool {
	p, ok := r.build(e, place, line)
	if !ok {
		return false
	}
	p.Column, p.EndColumn = column, columnEnd
	r.places[place] = r.graph.Add(p)
	return true
}

// build makes a package of an entry; false if it cannot be one.
func (r *reader) build(e entry, place string, line int) (p dependency.Package, ok bool) {
	if alias := spec.Parse(e.name, e.version); strings.HasPrefix(e.version, "npm:") {
		e.name, e.version = alias.Name, alias.Version
	} else if alias.Origin != "" && spec.Exact(e.version) == "" {
		e.version = "" // version 1: an address in place of the version
		if e.resolved == "" {
			e.resolved = alias.Origin
		}
		e.own = e.own || alias.Local
	}
	if !spec.ValidName(e.name) || !collect.Sound(e.version) {
		r.gaps.Add(line, collect.Show(place)+": neither name nor version of a package can look like this")
		return p, false
	}
	p = dependency.Package{Ecosystem: dependency.NPM, Name: e.name, Version: e.version, Licenses: e.licenses, Line: line, Local: e.own}
	if path, ok := strings.CutPrefix(e.resolved, "file:"); ok {
		p.Origin = path
		p.Local = !collect.IsArchive(path)
	} else if e.own {
		p.Origin = place
		if e.resolved != "" {
			p.Origin = e.resolved
		}
	} else {
		p.Origin = spec.Origin(e.resolved)
		if !spec.Matches(e.resolved, e.name, e.version) {
			p.Origin = collect.WithoutFragment(collect.Address(e.resolved))
			r.gaps.Add(line, fmt.Sprintf("%s is said to be version %s of %s but is fetched from %s: the lockfile may have been tampered with; write it anew",
				collect.Show(place), collect.Show(e.version), collect.Show(e.name), collect.Show(p.Origin)))
		}
	}
	if !collect.Sound(p.Origin) {
		r.gaps.Add(line, collect.Show(place)+": its address cannot be one")
		p.Origin = ""
	}
	hashes, ok := collect.Integrity(e.integrity)
	if !ok {
		r.gaps.Add(line, collect.Show(place)+": its integrity is not a digest")
	}
	p.Hashes = hashes
	switch {
	case e.own:
	case e.devOptional || e.optional && !e.dev:
		p.Scope = dependency.Optional
	case e.dev:
		p.Scope = dependency.Development
	default:
		p.Scope = dependency.Production
	}
	return p, true
}

// asks reads one group of dependencies of a place.
func (r *reader) asks(place string, scope dependency.Scope, peer bool) {
	for key := range r.d.Object() {
		if r.d.Kind() != jsontext.String {
			continue
		}
		r.needs = append(r.needs, need{place: place, name: string(key), raw: string(r.d.Text()), scope: scope, peer: peer})
	}
}

// version1 reads the section of version 1; places and needs come out as those of
// the later versions.
func (r *reader) version1(place string) {
	d := r.d
	for key := range d.Object() {
		name := string(key)
		start, end := d.KeyStart(), d.KeyEnd()
		line, column := d.Position(start)
		if !spec.ValidName(name) || d.Kind() != jsontext.Object {
			r.gaps.Add(line, collect.Show(name)+" cannot be a package")
			continue
		}
		own := inModules + name
		if place != "" {
			own = place + "/" + own
		}
		if len(own) > extract.MaxName {
			r.gaps.Add(line, collect.Show(name)+" is nested too deeply to be a package")
			continue
		}
		if _, twice := r.places[own]; twice {
			r.gaps.Add(line, collect.Show(own)+" is listed twice; npm takes the last")
		}
		// Its number is given before all is known, so that the nested come after.
		number := r.graph.Add(dependency.Package{})
		r.places[own] = number
		e := entry{name: name}
		for field := range d.Object() {
			switch string(field) {
			case "version":
				e.version = d.String()
			case "resolved":
				if d.Kind() == jsontext.String {
					e.resolved = d.String()
				}
			case "integrity":
				e.integrity = d.String()
			case "dev":
				e.dev = d.Bool()
			case "optional":
				e.optional = d.Bool()
			case "requires":
				if d.Kind() == jsontext.Object {
					from := len(r.needs)
					r.asks(own, dependency.Production, false)
					for i := range r.needs[from:] {
						r.needs[from+i].from = number
					}
				}
			case "dependencies":
				r.version1(own)
			}
		}
		if d.Err() != nil {
			return
		}
		p, ok := r.build(e, own, line)
		if !ok {
			p = dependency.Package{Ecosystem: dependency.NPM, Name: name, Line: line}
		}
		p.Column, p.EndColumn = column, column+end-start
		r.graph.Replace(number, p)
	}
}
