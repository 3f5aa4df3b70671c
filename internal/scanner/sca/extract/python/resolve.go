package python

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
)

// part is a manifest with what it said for its neighbours.
type part struct {
	m       *dependency.Manifest
	extra   extra
	folder  string
	dropped bool
}

// Resolve joins lockfiles with the manifests they were made from, which are
// dropped then, and requirements files with what they include. The manifests
// given are not changed.
func (*Extractor) Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	parts := make([]part, len(all))
	byPath := make(map[string]*part, len(all))
	for i, m := range all {
		parts[i] = part{m: m, folder: path.Dir(m.Path)}
		if len(m.Extra) > 0 {
			if err := json.Unmarshal(m.Extra, &parts[i].extra); err != nil {
				parts[i].m = withGaps(m, dependency.Gap{Message: "what the file says for its neighbours cannot be read: scan again without the cache"})
			}
		}
		byPath[m.Path] = &parts[i]
	}
	for i := range parts {
		if ctx.Err() != nil {
			return all // whoever cancels does not look at it
		}
		parts[i].join(byPath)
	}
	joinIncludes(parts, byPath)
	out := make([]*dependency.Manifest, 0, len(all))
	for i := range parts {
		p := &parts[i]
		if p.dropped {
			continue
		}
		if p.m.Kind == dependency.Declared {
			p.m = unlocked(p.m)
		}
		out = append(out, p.m)
	}
	return out
}

func withGaps(m *dependency.Manifest, gaps ...dependency.Gap) *dependency.Manifest {
	if len(gaps) == 0 {
		return m
	}
	copied := *m
	copied.Gaps = append(slices.Clip(copied.Gaps), gaps...)
	return &copied
}

// unlocked adds to a manifest without a lockfile that ranges cannot be checked.
func unlocked(m *dependency.Manifest) *dependency.Manifest {
	const most = 5
	var names []string
	seen := map[string]bool{}
	line := 0
	for i := range m.Packages {
		p := &m.Packages[i]
		if p.Version != "" || p.Local || seen[p.Name] {
			continue
		}
		seen[p.Name] = true
		if len(names) < most {
			names = append(names, p.Name)
		}
		if line == 0 {
			line = p.Line
		}
	}
	if len(seen) == 0 {
		return m
	}
	list := strings.Join(names, ", ")
	if more := len(seen) - len(names); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	message := "no exact version is stated of " + list + ", and ranges cannot be checked: commit a lockfile"
	if strings.HasSuffix(m.Path, ".txt") {
		message += " or requirements pinned with =="
	}
	return withGaps(m, dependency.Gap{Line: line, Message: message})
}

// join completes a lockfile with its manifest and those of its members.
func (p *part) join(byPath map[string]*part) {
	for _, base := range p.extra.Sources { // compiled requirements
		if source := byPath[path.Join(p.folder, base)]; source != nil && source.extra.Manifest {
			source.dropped = true
			if p.m.Project == nil && source.m.Project != nil {
				copied := *p.m
				copied.Project = source.m.Project
				p.m = &copied
			}
		}
	}
	if p.extra.Asks == "" {
		return
	}
	for _, member := range p.extra.Members {
		if own := byPath[path.Join(p.folder, member, p.extra.Asks)]; own != nil && own.extra.Manifest {
			own.dropped = true
		}
	}
	asks := byPath[path.Join(p.folder, p.extra.Asks)]
	if asks == nil || !asks.extra.Manifest {
		return
	}
	asks.dropped = true
	m := *p.m
	if m.Project == nil {
		m.Project = asks.m.Project
	}
	if p.extra.Unrooted {
		p.root(&m, asks.extra.Requests)
	}
	held := make(map[string]bool, len(m.Packages))
	for i := range m.Packages {
		held[m.Packages[i].Name] = true
	}
	var gaps collect.Gaps
	for _, r := range asks.extra.Requests {
		if r.Soft || r.Scope == dependency.Optional || held[r.Name] || m.Project != nil && m.Project.Name == r.Name {
			continue
		}
		gaps.Add(0, fmt.Sprintf("line %d of %s asks for %s, which is not in this lockfile: lock anew and commit the lockfile", r.Line, asks.m.Path, collect.Show(r.Name)))
	}
	p.m = withGaps(&m, gaps.List()...)
}

// root works out anew who is direct and what each package is needed for, now
// that it is known what the project asks for.
func (p *part) root(m *dependency.Manifest, requests []request) {
	var g collect.Graph
	g.Rooted = true
	numbers := make(map[string]int, len(m.Packages))
	names := make(map[string][]int, len(m.Packages))
	for i := range m.Packages {
		q := m.Packages[i]
		q.Relation, q.Via, q.Requires = dependency.Undeclared, nil, nil
		g.Add(q)
		if _, twice := numbers[q.ID()]; !twice {
			numbers[q.ID()] = i
		}
		if len(names[q.Name]) < maxSame {
			names[q.Name] = append(names[q.Name], i)
		}
	}
	optional := make(map[[2]string]bool, len(p.extra.Optional))
	for _, o := range p.extra.Optional {
		optional[o] = true
	}
	activated := map[string]bool{} // packages asked for with extras
	for _, r := range requests {
		activated[r.Name] = activated[r.Name] || len(r.Extras) > 0
	}
	for i := range m.Packages {
		q := &m.Packages[i]
		for _, id := range q.Requires {
			to, ok := numbers[id]
			if !ok {
				continue // never so in what Extract makes
			}
			scope := dependency.Production
			if optional[[2]string{q.ID(), id}] && !activated[q.Name] {
				scope = dependency.Optional
			}
			g.Link(i, to, scope)
		}
	}
	for _, r := range requests {
		for _, i := range names[r.Name] {
			g.AddRoot(i, r.Scope)
			if q := g.Package(i); q.Constraint == "" && !q.Local {
				q.Constraint = r.Range
			}
		}
	}
	packages, err := g.Packages()
	if err != nil {
		return // the number was checked when they were read
	}
	if p.extra.Flat {
		for i := range packages {
			if q := &packages[i]; q.Relation == dependency.Undeclared && !q.Local {
				q.Relation = dependency.Transitive
			}
		}
	}
	m.Packages = packages
}
