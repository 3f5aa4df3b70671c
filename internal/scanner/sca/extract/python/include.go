package python

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
)

// joinIncludes joins requirements files with what they include. What a file
// includes by -r is needed for what the including one is needed for; what it
// includes by -c states the versions of what it asks for without one.
func joinIncludes(parts []part, byPath map[string]*part) {
	j := &joiner{byPath: byPath, state: map[*part]visit{}, gaps: map[*part]*collect.Gaps{}, shipped: map[*part]bool{}}
	for i := range parts {
		if parts[i].extra.Requirements {
			j.walk(&parts[i])
		}
	}
	for i := range parts {
		p := &parts[i]
		if p.extra.Requirements && !p.extra.Constraints && requirementsScope(p.m.Path) == dependency.Production {
			j.ship(p)
		}
	}
	for i := range parts {
		p := &parts[i]
		if !p.extra.Requirements {
			continue
		}
		if j.shipped[p] && requirementsScope(p.m.Path) == dependency.Development {
			p.m = rescoped(p.m, dependency.Production)
		}
		for _, constraints := range j.constraints(p) {
			constrain(p, constraints)
		}
		if gaps := j.gaps[p]; gaps != nil {
			p.m = withGaps(p.m, gaps.List()...)
		}
	}
}

type visit uint8

const (
	unseen visit = iota
	open         // on the way that is being walked
	done
)

type joiner struct {
	byPath  map[string]*part
	state   map[*part]visit
	gaps    map[*part]*collect.Gaps
	shipped map[*part]bool // included, however remotely, by a production file
}

// target is the file that is included; nil, and why, if there is none to look at.
func (j *joiner) target(p *part, in include) (to *part, problem string) {
	name := strings.ReplaceAll(in.Path, `\`, "/")
	if strings.Contains(name, "://") {
		return nil, "is fetched from elsewhere and was not looked at: commit a copy"
	}
	full := path.Join(p.folder, name)
	if path.IsAbs(name) || len(name) > 1 && name[1] == ':' || full == ".." || strings.HasPrefix(full, "../") {
		return nil, "lies outside of the project and was not looked at: refer to a file of the project"
	}
	to = j.byPath[full]
	if to == nil || !to.extra.Requirements {
		return nil, "was not looked at: it is absent, or its name is not that of a requirements file (requirements*.txt)"
	}
	return to, ""
}

// walk reports what cannot be included, cycles among it.
func (j *joiner) walk(p *part) {
	j.state[p] = open
	for _, in := range p.extra.Includes {
		to, problem := j.target(p, in)
		if to != nil && j.state[to] == open {
			problem = "includes this file in turn: take one of the two out"
		}
		if problem != "" {
			if j.gaps[p] == nil {
				j.gaps[p] = &collect.Gaps{}
			}
			j.gaps[p].Add(in.Line, fmt.Sprintf("%s, which is included here, %s", collect.Show(in.Path), problem))
			continue
		}
		if j.state[to] == unseen {
			j.walk(to)
		}
	}
	j.state[p] = done
}

func (j *joiner) ship(p *part) {
	waiting := []*part{p}
	for len(waiting) > 0 {
		p := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if j.shipped[p] {
			continue
		}
		j.shipped[p] = true
		for _, in := range p.extra.Includes {
			if to, _ := j.target(p, in); to != nil && !in.Constraint {
				waiting = append(waiting, to)
			}
		}
	}
}

// constraints are the files that a file includes by -c.
func (j *joiner) constraints(p *part) []*part {
	var out []*part
	for _, in := range p.extra.Includes {
		if to, _ := j.target(p, in); to != nil && in.Constraint && to != p && !slices.Contains(out, to) && len(out) < 16 {
			out = append(out, to)
		}
	}
	return out
}

func rescoped(m *dependency.Manifest, scope dependency.Scope) *dependency.Manifest {
	copied := *m
	copied.Packages = slices.Clone(m.Packages)
	for i := range copied.Packages {
		copied.Packages[i].Scope = scope
	}
	return &copied
}

// constrain lets the line of a constraints file that states the version stand
// for the line that asks for the package without one: that is the line to
// change.
func constrain(p, constraints *part) {
	pins := map[string]int{}
	for i := range constraints.m.Packages {
		if q := &constraints.m.Packages[i]; q.Version != "" {
			if _, twice := pins[q.Name]; twice {
				pins[q.Name] = -1 // which one holds depends on the platform
			} else {
				pins[q.Name] = i
			}
		}
	}
	var kept []dependency.Package
	changed := *constraints.m
	changed.Packages = slices.Clone(changed.Packages)
	for _, q := range p.m.Packages {
		i, ok := pins[q.Name]
		if !ok || i < 0 || q.Version != "" || q.Local || q.Origin != "" {
			kept = append(kept, q)
			continue
		}
		pin := &changed.Packages[i]
		pin.Relation, pin.Via, pin.Scope = q.Relation, q.Via, stronger(pin.Scope, q.Scope)
	}
	if len(kept) == len(p.m.Packages) {
		return
	}
	constraints.m = &changed
	own := *p.m
	own.Packages = kept
	p.m = &own
}
