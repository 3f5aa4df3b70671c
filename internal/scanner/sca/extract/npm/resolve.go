package npm

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/npm/packagejson"
	"bulwark/internal/scanner/sca/extract/npm/spec"
	"bulwark/internal/scanner/sca/extract/npm/yarn"
)

// part is a manifest with what it said for its neighbours.
type part struct {
	m       *dependency.Manifest
	extra   extra
	folder  string
	dropped bool
}

// Resolve joins lockfiles with the package.json files of their folder and
// workspace, which are dropped then. The manifests given are not changed.
func (*Extractor) Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	parts := make([]part, 0, len(all))
	byFolder := map[string]*part{} // the package.json of a folder
	shrunk := map[string]bool{}    // folders with npm-shrinkwrap.json
	for _, m := range all {
		p := part{m: m, folder: path.Dir(m.Path)}
		if len(m.Extra) > 0 {
			if err := json.Unmarshal(m.Extra, &p.extra); err != nil {
				p.m = withGap(m, 0, "what the file says for its neighbours cannot be read: scan again without the cache")
			}
		}
		parts = append(parts, p)
	}
	for i := range parts {
		p := &parts[i]
		if p.extra.File != nil {
			byFolder[p.folder] = p
		}
		if p.extra.Shrinkwrap {
			shrunk[p.folder] = true
		}
	}
	for i := range parts {
		p := &parts[i]
		if ctx.Err() != nil {
			return all // whoever cancels does not look at it
		}
		if p.m.Kind != dependency.Lock {
			continue
		}
		if shrunk[p.folder] && path.Base(p.m.Path) == "package-lock.json" {
			p.dropped = true // npm does not look at it
			continue
		}
		members := p.workspace(byFolder)
		p.complete(members)
		for _, member := range members {
			member.dropped = true
		}
	}
	out := make([]*dependency.Manifest, 0, len(all))
	for i := range parts {
		p := &parts[i]
		if p.dropped {
			continue
		}
		if p.extra.File != nil {
			p.m = unlocked(p.m)
		}
		out = append(out, p.m)
	}
	return out
}

func withGap(m *dependency.Manifest, line int, message string) *dependency.Manifest {
	copied := *m
	copied.Gaps = append(slices.Clip(copied.Gaps), dependency.Gap{Line: line, Message: message})
	return &copied
}

// unlocked adds to a package.json without a lockfile that ranges cannot be
// checked.
func unlocked(m *dependency.Manifest) *dependency.Manifest {
	for i := range m.Packages {
		if p := &m.Packages[i]; p.Version == "" && !p.Local {
			return withGap(m, 0, "package.json asks for ranges and no lockfile that can be read covers it: commit package-lock.json, yarn.lock, pnpm-lock.yaml or bun.lock so that exact versions can be checked")
		}
	}
	return m
}

// workspace finds the package.json files that a lockfile stands for: that of its
// folder and those of the members, the folder's own first.
func (p *part) workspace(byFolder map[string]*part) []*part {
	var out []*part
	taken := map[*part]bool{}
	root, ok := byFolder[p.folder]
	if ok {
		out = append(out, root)
		taken[root] = true
	}
	for _, folder := range p.extra.Members {
		member, found := byFolder[path.Join(p.folder, folder)]
		if found && !taken[member] {
			out = append(out, member)
			taken[member] = true
		}
	}
	if ok && len(root.extra.File.Workspaces) > 0 {
		var folders []string
		patterns := compile(root.extra.File.Workspaces)
		for folder, member := range byFolder {
			if !taken[member] && inWorkspace(p.folder, folder, patterns) {
				folders = append(folders, folder)
			}
		}
		slices.Sort(folders)
		for _, folder := range folders {
			out = append(out, byFolder[folder])
		}
	}
	return out
}

// pattern stands for folders of a workspace, or takes them out again.
type pattern struct {
	parts []string
	not   bool
}

func compile(patterns []string) []pattern {
	out := make([]pattern, 0, len(patterns))
	for _, text := range patterns {
		text, not := strings.CutPrefix(text, "!")
		text = strings.TrimSuffix(strings.TrimPrefix(text, "./"), "/")
		if len(text) <= 256 {
			out = append(out, pattern{strings.Split(text, "/"), not})
		}
	}
	return out
}

// inWorkspace reports whether a folder is one of the workspace's members.
func inWorkspace(root, folder string, patterns []pattern) bool {
	relative := folder
	if root != "." {
		rest, ok := strings.CutPrefix(folder, root+"/")
		if !ok {
			return false
		}
		relative = rest
	}
	in := false
	parts := strings.Split(relative, "/")
	for _, p := range patterns {
		if matches(p.parts, parts) {
			in = !p.not
		}
	}
	return in
}

// matches compares a path with a pattern, part by part; "**" stands for any
// number of parts.
func matches(pattern, parts []string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(parts) {
		if i < len(pattern) && pattern[i] == "**" {
			star, mark = i, j
			i++
			continue
		}
		if i < len(pattern) {
			// A pattern that is none matches nothing, as in the package managers.
			if ok, err := path.Match(pattern[i], parts[j]); ok && err == nil {
				i++
				j++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	for i < len(pattern) && pattern[i] == "**" {
		i++
	}
	return i == len(pattern)
}

// complete adds to a lockfile what the package.json files know: what the project
// itself asks for and what it needs it for.
func (p *part) complete(members []*part) {
	if len(members) == 0 {
		p.m = withUnmet(p.m, p.extra.Missing)
		return
	}
	m := *p.m
	var unmet []yarn.Missing
	if p.extra.Unrooted {
		unmet = p.root(&m, members)
	}
	held := make(map[string]bool, len(m.Packages))
	for i := range m.Packages {
		held[m.Packages[i].Name] = true
	}
	for _, member := range members {
		held[member.extra.File.Name] = true
	}
	var gaps collect.Gaps
	for _, member := range members {
		for _, r := range member.extra.File.Requests {
			s := spec.Parse(r.Key, r.Raw)
			if r.Soft || s.Local || held[s.Name] || held[r.Key] {
				continue
			}
			gaps.Add(0, fmt.Sprintf("line %d of %s asks for %s, which is not in this lockfile: install anew and commit the lockfile", r.Line, member.m.Path, collect.Show(r.Key)))
		}
	}
	m.Gaps = append(slices.Clip(m.Gaps), gaps.List()...)
	if m.Project == nil {
		m.Project = members[0].m.Project
	}
	p.m = withUnmet(&m, unmet)
}

// root works out anew who is direct and what each package is needed for, now
// that it is known what the project asks for.
func (p *part) root(m *dependency.Manifest, members []*part) (unmet []yarn.Missing) {
	var g collect.Graph
	g.Rooted = true
	numbers := make(map[string]int, len(m.Packages))
	for i := range m.Packages {
		q := m.Packages[i]
		q.Relation, q.Via = dependency.Undeclared, nil
		number := g.Add(q)
		if _, twice := numbers[q.ID()]; !twice {
			numbers[q.ID()] = number
		}
	}
	optional := make(map[[2]string]bool, len(p.extra.Optional))
	for _, o := range p.extra.Optional {
		optional[o] = true
	}
	for i := range m.Packages {
		q := &m.Packages[i]
		for _, id := range q.Requires {
			to, ok := numbers[id]
			if !ok {
				continue // never so in what Extract makes
			}
			scope := dependency.Production
			switch {
			case optional[[2]string{q.ID(), id}]:
				scope = dependency.Optional
			case q.Local:
				scope = dependency.Unstated
			}
			// A member's package.json, below, tells better than the lockfile
			// what it needs a package for.
			g.Link(i, to, scope)
		}
		g.Package(i).Requires = nil
	}
	// Only those of the workspace's root count, which comes first.
	resolved := compileResolutions(members[0].extra.File.Resolutions)
	unmet = p.replace(resolved, &g, numbers)
	names := map[string]int{} // the packages of one version only
	for i := range m.Packages {
		if _, twice := names[m.Packages[i].Name]; twice {
			names[m.Packages[i].Name] = -1
		} else {
			names[m.Packages[i].Name] = i
		}
	}
	for _, member := range members {
		for _, r := range member.extra.File.Requests {
			to, ok := p.find(r, resolved, numbers, names)
			if !ok {
				continue // reported where all lockfiles are compared
			}
			g.AddRoot(to, r.Scope)
			if q := g.Package(to); q.Constraint == "" && !q.Local {
				q.Constraint = spec.Parse(r.Key, r.Raw).Range
			}
		}
	}
	if packages, err := g.Packages(); err == nil { // the number was checked when they were read
		m.Packages = packages
	}
	return unmet
}

// find is the package that the project gets for what it asks for.
func (p *part) find(r packagejson.Request, resolved resolutions, numbers, names map[string]int) (int, bool) {
	for _, d := range [...]string{r.Key + "@" + r.Raw, r.Key + "@npm:" + r.Raw, r.Key} {
		if id, ok := p.extra.Descriptors[d]; ok {
			i, ok := numbers[id]
			return i, ok
		}
	}
	if id, ok := p.instead(resolved, "", r.Key, r.Raw); ok {
		i, ok := numbers[id]
		return i, ok
	}
	i, ok := names[spec.Parse(r.Key, r.Raw).Name]
	return i, ok && i >= 0
}
