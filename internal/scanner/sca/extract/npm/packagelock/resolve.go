package packagelock

import (
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/npm/nest"
	"bulwark/internal/scanner/sca/extract/npm/spec"
)

// follow gives the links of node_modules the packages that they stand for.
func (r *reader) follow() {
	for _, l := range r.links {
		at := strings.LastIndex(l.place, inModules)
		name := l.place[at+1:]
		if at >= 0 {
			name = l.place[at+len(inModules):]
		}
		if at < 0 || !spec.ValidName(name) || !collect.Sound(l.target) {
			r.gaps.Add(l.line, collect.Show(l.place)+" cannot be a link to a package")
			continue
		}
		if i, ok := r.places[l.target]; ok {
			if p := r.graph.Package(i); p.Local && p.Name == l.target[strings.LastIndexByte(l.target, '/')+1:] {
				p.Name = name // the folder's name says less than the link's
			}
			r.places[l.place] = i
			continue
		}
		r.places[l.place] = r.graph.Add(dependency.Package{Ecosystem: dependency.NPM, Name: name, Origin: collect.Address(l.target), Local: true, Line: l.line})
	}
}

// resolve links every need to the package that Node finds for it.
func (r *reader) resolve() {
	r.index()
	missing, first := 0, ""
	for _, n := range r.needs {
		to := r.find(n.place, n.name)
		if to < 0 {
			if n.scope == dependency.Production && !n.peer {
				if missing++; missing == 1 {
					first = fmt.Sprintf("%s, needed by %s", collect.Show(n.name), collect.Show(r.graph.Package(n.from).ID()))
				}
			}
			continue
		}
		r.graph.Link(n.from, to, n.scope)
		if p := r.graph.Package(n.from); p.Local {
			r.ask(to, n.raw)
		}
	}
	if missing > 0 {
		r.gaps.Add(0, fmt.Sprintf("packages that others need are not in the lockfile (%d), the first is %s: run npm install and commit the lockfile", missing, first))
	}
	for _, n := range r.rootAsks {
		to := r.find("", n.name)
		if to >= 0 {
			r.graph.AddRoot(to, n.scope)
			r.ask(to, n.raw)
			continue
		}
		if n.scope != dependency.Optional && !n.peer {
			r.gaps.Add(0, fmt.Sprintf("the project asks for %s, which is not in the lockfile: run npm install and commit the lockfile", collect.Show(n.name)))
		}
	}
}

// ask notes what the project itself asks for.
func (r *reader) ask(to int, raw string) {
	p := r.graph.Package(to)
	if p.Constraint != "" || p.Local || !collect.Sound(raw) {
		return
	}
	p.Constraint = spec.Parse(p.Name, raw).Range
}

// find is the package that code in a folder gets by name, -1 if there is none:
// Node looks into node_modules of the folder, then of each one above.
func (r *reader) find(place, name string) int {
	if i, ok := r.nested.Find(place, name); ok {
		return i
	}
	return -1
}

// index notes which folders hold which packages in their node_modules.
func (r *reader) index() {
	r.nested = nest.New(len(r.places), above)
	for place, i := range r.places {
		if at := strings.LastIndex(place, inModules); at >= 0 {
			r.nested.Put(strings.TrimSuffix(place[:at], "/"), place[at+len(inModules):], i)
		}
	}
}

// above is the folder in which Node looks after the one given.
func above(folder string) string {
	if i := strings.LastIndex(folder, inModules); i >= 0 {
		return strings.TrimSuffix(folder[:i], "/")
	}
	return folder[:max(strings.LastIndexByte(folder, '/'), 0)]
}
