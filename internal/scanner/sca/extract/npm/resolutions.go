package npm

import (
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/npm/spec"
	"bulwark/internal/scanner/sca/extract/npm/yarn"
)

// replaced is what a resolution of package.json replaces: what a package asks
// for, in all of them or one, whatever is asked or exactly this
// (https://yarnpkg.com/configuration/manifest#resolutions).
type replaced struct {
	parent, name, asked string
}

// resolutions are the ranges that Yarn takes instead.
type resolutions map[replaced]string

func compileResolutions(stated map[string]string) resolutions {
	out := make(resolutions, len(stated))
	for key, value := range stated {
		var r replaced
		name := key
		// The parent ends with a slash that is not the one of a scope.
		if cut := parentEnd(key); cut > 0 {
			if parent, _, _ := spec.Split(key[:cut]); !strings.Contains(parent, "*") {
				r.parent = parent
			}
			name = key[cut+1:]
		}
		if r.name, r.asked, _ = spec.Split(name); r.name != "" {
			out[r] = value
		}
	}
	return out
}

// parentEnd is the offset of the slash between parent and name, 0 if there is
// no parent. Of "a/b/c" the parent is "a/b": deeper ways are not told apart.
func parentEnd(key string) int {
	end := len(key)
	if at := strings.Index(key[min(1, len(key)):], "@npm:"); at >= 0 && !strings.Contains(key[at+1:], "/") {
		end = at + 1
	}
	cut := strings.LastIndexByte(key[:end], '/')
	if cut > 0 {
		if before := strings.LastIndexByte(key[:cut], '/'); strings.HasPrefix(key[before+1:], "@") {
			cut = before // it was the scope's
		}
	}
	return max(cut, 0)
}

// find is what is taken in place of what parent ("" is the project) asks for.
func (r resolutions) find(parent, name, asked string) (string, bool) {
	for _, key := range [...]replaced{{parent, name, asked}, {parent, name, ""}, {"", name, asked}, {"", name, ""}} {
		if value, ok := r[key]; ok {
			return value, true
		}
	}
	return "", false
}

// instead is the id of the package that a resolution gives for what is asked.
func (p *part) instead(r resolutions, parent, name, asked string) (id string, ok bool) {
	value, ok := r.find(parent, name, asked)
	if !ok {
		return "", false
	}
	for _, d := range [...]string{name + "@" + value, name + "@npm:" + value} {
		if id, ok := p.extra.Descriptors[d]; ok {
			return id, true
		}
	}
	return "", false
}

// replace links the needs that only a resolution explains and returns the
// others.
func (p *part) replace(r resolutions, g *collect.Graph, numbers map[string]int) (unmet []yarn.Missing) {
	for _, m := range p.extra.Missing {
		parent, _, _ := spec.Split(m.From)
		id, ok := p.instead(r, parent, m.Name, m.Asked)
		from, known := numbers[m.From]
		to, found := numbers[id]
		if !ok || !known || !found {
			unmet = append(unmet, m)
			continue
		}
		g.Link(from, to, dependency.Production)
	}
	return unmet
}

// withUnmet says of a lockfile that others need what it does not list.
func withUnmet(m *dependency.Manifest, unmet []yarn.Missing) *dependency.Manifest {
	if len(unmet) == 0 {
		return m
	}
	return withGap(m, 0, fmt.Sprintf("packages that others need are not in the lockfile (%d), the first is %s, needed by %s: run yarn install and commit the lockfile",
		len(unmet), collect.Show(unmet[0].Name+"@"+unmet[0].Asked), collect.Show(unmet[0].From)))
}
