package cargo

import (
	"context"
	"encoding/json"
	"path"
	"slices"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
)

// workspace is a lockfile with the manifests that it covers.
type workspace struct {
	lock    *dependency.Manifest
	members map[string]*dependency.Manifest // by name of the package
	locals  map[string]bool                 // names of its own packages
}

func newWorkspace(lock *dependency.Manifest) *workspace {
	w := &workspace{lock: lock, members: map[string]*dependency.Manifest{}, locals: map[string]bool{}}
	for i := range lock.Packages {
		if p := &lock.Packages[i]; p.Local {
			w.locals[p.Name] = true
		}
	}
	return w
}

// Resolve joins lockfiles and the manifests in and below their folders.
func (Extractor) Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	locks := map[string]*workspace{} // by folder
	extras := map[string]extra{}     // by folder
	for _, m := range all {
		dir := path.Dir(m.Path)
		if m.Kind == dependency.Lock {
			locks[dir] = newWorkspace(m)
			continue
		}
		if len(m.Extra) == 0 {
			continue
		}
		var e extra
		if err := json.Unmarshal(m.Extra, &e); err != nil {
			m.Gaps = append(m.Gaps, dependency.Gap{Message: "what was kept of this file cannot be read: " + err.Error()})
		}
		extras[dir] = e
		m.Extra = nil
	}
	drop := map[*dependency.Manifest]bool{}
	for _, m := range all {
		if ctx.Err() != nil {
			return all
		}
		if m.Kind == dependency.Lock {
			continue
		}
		dir := path.Dir(m.Path)
		inherit(m, extras[dir].Inherits, nearest(dir, func(d string) (map[string]dependency.Package, bool) {
			e, ok := extras[d]
			return e.Workspace, ok && e.Root
		}))
		w := nearest(dir, func(d string) (*workspace, bool) { w, ok := locks[d]; return w, ok })
		if w == nil {
			continue
		}
		switch {
		case m.Project != nil:
			if _, twice := w.members[m.Project.Name]; !twice && w.locals[m.Project.Name] {
				w.members[m.Project.Name] = m
				drop[m] = true
			}
		case dir == path.Dir(w.lock.Path):
			drop[m] = true // the root of a workspace without a package of its own
		}
	}
	for _, m := range all {
		if w := locks[path.Dir(m.Path)]; m.Kind == dependency.Lock && len(w.members) > 0 {
			w.complete()
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(m *dependency.Manifest) bool { return drop[m] })
}

// nearest asks for each folder from dir upwards until there is an answer.
func nearest[T any](dir string, of func(string) (T, bool)) T {
	for {
		if found, ok := of(dir); ok {
			return found
		}
		up := path.Dir(dir)
		if up == dir {
			var none T
			return none
		}
		dir = up
	}
}

// inherit fills in what the workspace says of a dependency.
func inherit(m *dependency.Manifest, keys []string, from map[string]dependency.Package) {
	if len(keys) == 0 {
		return
	}
	inherits := make(map[string]bool, len(keys))
	for _, k := range keys {
		inherits[k] = true
	}
	for i := range m.Packages {
		p := &m.Packages[i]
		w, known := from[p.Name]
		if !inherits[p.Name] || !known || p.Constraint != "" || p.Origin != "" {
			continue
		}
		p.Name, p.Constraint, p.Version, p.Origin, p.Local = w.Name, w.Constraint, w.Version, w.Origin, w.Local
	}
}

// complete works out the scopes of a lockfile by what its members ask for.
func (w *workspace) complete() {
	var g collect.Graph
	numbers := make(map[string]int, len(w.lock.Packages))
	for _, p := range w.lock.Packages {
		p.Scope, p.Relation, p.Via = dependency.Unstated, dependency.Undeclared, nil
		numbers[p.ID()] = g.Add(p)
	}
	g.Rooted = true
	for i := range w.lock.Packages {
		from := &w.lock.Packages[i]
		var asks map[string]*dependency.Package
		if m := w.members[from.Name]; from.Local && m != nil {
			asks = make(map[string]*dependency.Package, len(m.Packages))
			for j := range m.Packages {
				p := &m.Packages[j]
				if had := asks[p.Name]; had == nil || less(p.Scope, had.Scope) {
					asks[p.Name] = p
				}
			}
			g.Package(i).Licenses = m.Project.Licenses
			g.Package(i).Origin = path.Dir(m.Path)
			if len(w.members) == 1 {
				w.lock.Project = m.Project
			}
		}
		for _, id := range from.Requires {
			to, ok := numbers[id]
			if !ok {
				continue
			}
			scope := dependency.Production
			if from.Local {
				scope = dependency.Unstated
				if p := asks[g.Package(to).Name]; p != nil {
					scope = p.Scope
					if g.Package(to).Constraint == "" {
						g.Package(to).Constraint = p.Constraint
					}
				} else if asks != nil {
					scope = dependency.Production
				}
			}
			g.Link(i, to, scope)
		}
	}
	packages, err := g.Packages()
	if err != nil { // no more packages than were read
		w.lock.Gaps = append(w.lock.Gaps, dependency.Gap{Message: err.Error()})
		return
	}
	w.lock.Packages = packages
}

// less orders scopes, the most needed first.
func less(a, b dependency.Scope) bool {
	order := []dependency.Scope{dependency.Production, dependency.Optional, dependency.Development, dependency.Unstated}
	return slices.Index(order, a) < slices.Index(order, b)
}
