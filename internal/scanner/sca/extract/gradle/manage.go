package gradle

import (
	"path"
	"slices"
	"strings"
)

// management is what a script says of versions that others leave out.
type management struct {
	versions map[string]string // by "group:artifact"
	boms     []string          // named, but not at hand
}

// maxBOMs is how many BOMs of one script are named.
const maxBOMs = 100

// management of a script: its constraints and BOMs, worked out once.
func (b *build) management(u *unit) *management {
	if u.managed != nil {
		return u.managed
	}
	m := &management{versions: map[string]string{}}
	u.managed = m
	x := newExpander(b, u)
	for i := range u.Script.Declarations {
		d := &u.Script.Declarations[i]
		if d.Use != constraint && d.Use != platform {
			continue
		}
		list, problem := x.items(d)
		if problem != "" {
			continue // fill reports it
		}
		for _, it := range list {
			switch {
			case d.Use == platform && len(m.boms) < maxBOMs:
				m.boms = append(m.boms, it.name)
			case d.Use == constraint && it.missing == "" && it.version != "":
				m.versions[it.name] = it.version
			}
		}
	}
	return m
}

// managements are those that apply to a script, the nearest first: its own, that
// of the platform projects which it names, and the same of the build scripts
// above it, which set things up for the projects below.
func (b *build) managements(u *unit) []*management {
	var out []*management
	add := func(s *unit) {
		out = append(out, b.management(s))
		for _, project := range s.Script.Platforms {
			for _, p := range b.project(path.Dir(s.m.Path), project) {
				out = append(out, b.management(p))
			}
		}
	}
	add(u)
	for d := range up(path.Dir(u.m.Path)) {
		for _, s := range b.above(u, d) {
			add(s)
		}
	}
	return out
}

// project finds the scripts of a project like ":libs:core", whose folder has
// the same name unless settings say otherwise.
func (b *build) project(dir, name string) []*unit {
	folder := strings.ReplaceAll(strings.Trim(name, ":"), ":", "/")
	for d := range up(dir) {
		if list := b.scripts[path.Join(d, folder)]; len(list) > 0 {
			return list[:min(len(list), 4)] // it has one, or one of each language
		}
	}
	return nil
}

// version is what manages a package's version, "" if nothing at hand does.
func version(all []*management, name string) string {
	for _, m := range all {
		if v := m.versions[name]; v != "" {
			return v
		}
	}
	return ""
}

// boms are the BOMs that versions may be left to.
func boms(all []*management) []string {
	var out []string
	for _, m := range all {
		out = append(out, m.boms...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
