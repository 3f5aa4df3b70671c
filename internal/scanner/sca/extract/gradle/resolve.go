package gradle

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"bulwark/internal/dependency"
)

// kept is what Resolve needs of a file; one of the three is set.
type kept struct {
	Script     *script           `json:"script,omitempty"`
	Catalog    *catalog          `json:"catalog,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
}

// build holds the files of a repository by folder. What a folder lacks, the
// folders above it may have: Gradle takes properties, ext and catalogues from
// the root project.
type build struct {
	scripts    map[string][]*unit
	byPath     map[string]*unit
	catalogs   map[string]map[string]*unit // root folder → name
	properties map[string]map[string]string
	locks      map[string][]*dependency.Manifest
}

// unit is a manifest with what was kept of it.
type unit struct {
	m *dependency.Manifest
	kept
	root    string // of a catalogue
	managed *management
	// uses tells what scripts use of a catalogue, by alias; plugins begin with
	// "plugins.".
	uses map[string]using
}

// using tells how an entry of a catalogue is used.
type using struct {
	scope dependency.Scope
	shown bool // a script that is no longer shown for its lockfile is not
}

func newBuild() *build {
	return &build{scripts: map[string][]*unit{}, byPath: map[string]*unit{}, catalogs: map[string]map[string]*unit{},
		properties: map[string]map[string]string{}, locks: map[string][]*dependency.Manifest{}}
}

func (b *build) add(u *unit) {
	dir := path.Dir(u.m.Path)
	switch {
	case u.Script != nil:
		b.scripts[dir] = append(b.scripts[dir], u)
		b.byPath[u.m.Path] = u
	case u.Catalog != nil:
		u.root = dir
		if path.Base(dir) == "gradle" {
			u.root = path.Dir(dir)
		}
		if b.catalogs[u.root] == nil {
			b.catalogs[u.root] = map[string]*unit{}
		}
		b.catalogs[u.root][strings.TrimSuffix(path.Base(u.m.Path), catalogEnd)] = u
	case u.Properties != nil:
		b.properties[dir] = u.Properties
	case u.m.Format == formatLock:
		b.locks[dir] = append(b.locks[dir], u.m)
	}
}

// up yields a folder and those above it, the root "." last.
func up(dir string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for {
			if !yield(dir) || dir == "." || dir == "/" {
				return
			}
			dir = path.Dir(dir)
		}
	}
}

// above are the build scripts of a folder that set things up for a script there
// or below.
func (b *build) above(u *unit, dir string) []*unit {
	var out []*unit
	for _, base := range []string{"build.gradle", "build.gradle.kts"} {
		if s := b.byPath[path.Join(dir, base)]; s != nil && s != u {
			out = append(out, s)
		}
	}
	return out
}

// variable finds what a name stands for in a script.
func (b *build) variable(u *unit, name string) (string, bool) {
	if v, ok := u.Script.Variables[name]; ok {
		return v, true
	}
	dir := path.Dir(u.m.Path)
	for d := range up(dir) {
		for _, s := range b.above(u, d) {
			if v, ok := s.Script.Variables[name]; ok {
				return v, true
			}
			if v, ok := b.applied(s, d, name); ok {
				return v, true
			}
		}
		if v, ok := b.properties[d][name]; ok {
			return v, true
		}
	}
	return b.applied(u, dir, name)
}

// applied looks into the scripts that one applies.
func (b *build) applied(u *unit, dir, name string) (string, bool) {
	for _, from := range u.Script.Applied {
		root := false
		for _, start := range []string{"${rootDir}/", "${rootProject.projectDir}/", "${rootProject.rootDir}/", "${project.rootDir}/", "${projectDir}/"} {
			if rest, ok := strings.CutPrefix(from, start); ok {
				from, root = rest, true
			}
		}
		for d := range up(dir) {
			if s := b.byPath[path.Join(d, from)]; s != nil {
				if v, ok := s.Script.Variables[name]; ok {
					return v, true
				}
				break
			}
			if !root {
				break
			}
		}
	}
	return "", false
}

// catalog finds the catalogue that the first part of a name means, and returns
// what follows.
func (b *build) catalog(dir, ref string) (u *unit, rest string) {
	name, rest, ok := strings.Cut(ref, ".")
	if !ok {
		return nil, ""
	}
	for d := range up(dir) {
		if u := b.catalogs[d][name]; u != nil {
			return u, alias(rest)
		}
	}
	return nil, ""
}

// Resolve puts into scripts what other files define, gives the packages of
// lockfiles their relation and digests, and drops what these tell better.
func (Extractor) Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	b := newBuild()
	units := make([]*unit, 0, len(all))
	for _, m := range all {
		u := &unit{m: m}
		if len(m.Extra) > 0 {
			if err := json.Unmarshal(m.Extra, &u.kept); err != nil {
				m.Gaps = append(m.Gaps, dependency.Gap{Message: "what was kept of this file cannot be read: " + err.Error()})
			}
		}
		b.add(u)
		units = append(units, u)
	}
	declared := map[string]*declaredIn{}
	for _, u := range units {
		if ctx.Err() != nil {
			return all
		}
		if u.Script == nil {
			continue
		}
		found, err := b.fill(u)
		if err != nil {
			u.m.Gaps = append(u.m.Gaps, dependency.Gap{Message: err.Error()})
			continue
		}
		dir := path.Dir(u.m.Path)
		if len(b.locks[dir]) > 0 {
			if declared[dir] == nil {
				declared[dir] = newDeclaredIn()
			}
			declared[dir].take(u.m, found)
			b.cover(u.m, found, dir)
		}
		b.count(u, found)
	}
	for dir, d := range declared {
		for _, m := range b.locks[dir] {
			d.tell(m)
		}
	}
	return b.finish(units)
}

// declaredIn is what the scripts of a folder declare.
type declaredIn struct {
	names map[bool]map[string]dependency.Scope // by whether it is for the build
	whole map[bool]bool                        // everything declared has a name
}

func newDeclaredIn() *declaredIn {
	return &declaredIn{names: map[bool]map[string]dependency.Scope{true: {}, false: {}}, whole: map[bool]bool{true: true, false: true}}
}

func (d *declaredIn) take(m *dependency.Manifest, found *findings) {
	for i := range m.Packages {
		p := &m.Packages[i]
		names := d.names[found.build[p.ID()]]
		if s, had := names[p.Name]; !had || p.Scope == dependency.Production || s == dependency.Development {
			names[p.Name] = p.Scope
		}
	}
	if found.unnamed {
		d.whole[false], d.whole[true] = false, false
	}
}

// tell gives the packages of a lockfile their relation. A lockfile knows better
// than a script whether a package is shipped, but not that it is optional.
func (d *declaredIn) tell(m *dependency.Manifest) {
	build := path.Base(m.Path) != "gradle.lockfile"
	for i := range m.Packages {
		p := &m.Packages[i]
		scope, direct := d.names[build][p.Name]
		switch {
		case direct:
			p.Relation = dependency.Direct
			if scope == dependency.Optional && p.Scope == dependency.Production {
				p.Scope = scope
			}
		case d.whole[build]:
			p.Relation = dependency.Transitive
		}
	}
}

// cover takes out of a script what the lockfiles beside it tell.
func (b *build) cover(m *dependency.Manifest, found *findings, dir string) {
	for _, lock := range b.locks[dir] {
		build := path.Base(lock.Path) != "gradle.lockfile"
		m.Packages = slices.DeleteFunc(m.Packages, func(p dependency.Package) bool { return found.build[p.ID()] == build })
		if !build {
			m.Gaps = nil
		}
	}
}

// count notes what a script uses of catalogues.
func (b *build) count(u *unit, found *findings) {
	shown := map[string]bool{}
	for i := range u.m.Packages {
		shown[u.m.Packages[i].ID()] = true
	}
	for _, use := range found.uses {
		if use.catalog.uses == nil {
			use.catalog.uses = map[string]using{}
		}
		now := use.catalog.uses[use.alias]
		if now.scope == dependency.Unstated || rank(use.scope) < rank(now.scope) {
			now.scope = use.scope
		}
		now.shown = now.shown || shown[use.id]
		use.catalog.uses[use.alias] = now
	}
}

func rank(s dependency.Scope) int {
	switch s {
	case dependency.Production:
		return 0
	case dependency.Optional:
		return 1
	}
	return 2
}

// finish fills the catalogues and verification metadata and drops what is left
// empty.
func (b *build) finish(units []*unit) []*dependency.Manifest {
	below := map[string][]*dependency.Manifest{} // lockfiles at or beneath a folder
	for dir, locks := range b.locks {
		for d := range up(dir) {
			below[d] = append(below[d], locks...)
		}
	}
	for _, list := range below {
		slices.SortFunc(list, func(a, b *dependency.Manifest) int { return cmp.Compare(a.Path, b.Path) })
	}
	var out []*dependency.Manifest
	for _, u := range units {
		m := u.m
		m.Extra = nil
		switch {
		case u.Properties != nil:
			continue
		case u.Catalog != nil:
			if err := u.Catalog.fill(m, u.uses, len(below[u.root]) > 0); err != nil {
				m.Gaps = append(m.Gaps, dependency.Gap{Message: err.Error()})
			}
		case m.Format == formatVerification:
			if verify(m, below[path.Dir(path.Dir(m.Path))]) {
				continue
			}
		}
		if m.Kind == dependency.Declared && len(m.Packages) == 0 && len(m.Gaps) == 0 {
			continue
		}
		out = append(out, m)
	}
	return out
}

// verify gives the packages of lockfiles their digests and reports whether they
// replace the metadata.
func verify(m *dependency.Manifest, locks []*dependency.Manifest) (locked bool) {
	digests := make(map[string][]dependency.Hash, len(m.Packages))
	for i := range m.Packages {
		digests[m.Packages[i].ID()] = m.Packages[i].Hashes
	}
	for _, lock := range locks {
		locked = locked || path.Base(lock.Path) == "gradle.lockfile"
		for i := range lock.Packages {
			if p := &lock.Packages[i]; len(p.Hashes) == 0 {
				p.Hashes = digests[p.ID()]
			}
		}
	}
	return locked
}

// names is a list for a message.
func names(list []string) string {
	const most = 10
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
}
