package gradle

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// placeholders yields the names in ${…}.
func placeholders(s string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for {
			_, rest, ok := strings.Cut(s, "${")
			if !ok {
				return
			}
			name, rest, ok := strings.Cut(rest, "}")
			if !ok || !yield(name) {
				return
			}
			s = rest
		}
	}
}

// plain takes off what only says where a name is defined.
func plain(name string) string {
	for {
		first, rest, ok := strings.Cut(name, ".")
		if !ok {
			return name
		}
		switch first {
		case "project", "rootProject", "ext", "extra", "this", "parent", "properties":
			name = rest
		default:
			return name
		}
	}
}

// expander puts in what placeholders stand for. Each is worked out once, so
// that names that mean one another cost no more than their number.
type expander struct {
	b       *build
	u       *unit
	dir     string
	done    map[string]meaning
	running map[string]bool
}

func newExpander(b *build, u *unit) *expander {
	return &expander{b: b, u: u, dir: path.Dir(u.m.Path), done: map[string]meaning{}, running: map[string]bool{}}
}

// meaning is a text; missing is the first placeholder that could not be put in.
type meaning struct{ text, missing string }

func (x *expander) text(s string, depth int) meaning {
	if !strings.Contains(s, "${") {
		return meaning{text: s}
	}
	var b strings.Builder
	out := meaning{}
	for {
		before, rest, ok := strings.Cut(s, "${")
		if !ok {
			break
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			break
		}
		b.WriteString(before)
		v := x.value(name, depth)
		if v.missing != "" {
			b.WriteString("${" + name + "}")
			out.missing = cmp.Or(out.missing, v.missing)
		} else {
			b.WriteString(v.text)
		}
		s = after
		if b.Len() > extract.MaxName {
			return meaning{missing: "a text of too great length"}
		}
	}
	b.WriteString(s)
	if b.Len() > extract.MaxName {
		return meaning{missing: "a text of too great length"}
	}
	out.text = b.String()
	return out
}

func (x *expander) value(name string, depth int) meaning {
	short := plain(name)
	if v, ok := x.done[short]; ok {
		return v
	}
	if x.running[short] || depth >= extract.MaxDepth {
		return meaning{missing: name}
	}
	raw, ok := x.b.variable(x.u, short)
	if !ok {
		if c, rest := x.b.catalog(x.dir, short); c != nil {
			if version, is := strings.CutPrefix(rest, "versions."); is {
				raw, ok = c.Catalog.Versions[version], c.Catalog.Versions[version] != ""
			}
		}
	}
	if !ok {
		return meaning{missing: name}
	}
	x.running[short] = true
	v := x.text(raw, depth+1)
	delete(x.running, short)
	x.done[short] = v
	return v
}

// findings is what filling a script found out besides its packages.
type findings struct {
	build   map[string]bool // package id → needed only for the build
	uses    []usage
	unnamed bool // something is declared whose name is not known
}

// usage is an entry of a catalogue that a script uses.
type usage struct {
	catalog *unit
	alias   string
	scope   dependency.Scope
	id      string
}

// item is one package that a declaration means.
type item struct {
	name, version string
	missing       string
	from          *unit // the catalogue
	alias         string
}

// fill writes the packages of a script into its manifest.
func (b *build) fill(u *unit) (*findings, error) {
	x := newExpander(b, u)
	var (
		g     collect.Graph
		gaps  collect.Gaps
		out   = &findings{build: map[string]bool{}, unnamed: len(u.Script.Gaps) > 0}
		over  = b.managements(u)
		open  []string
		first int32
	)
	for _, gap := range u.Script.Gaps {
		gaps.Add(gap.Line, gap.Message)
	}
	for i := range u.Script.Declarations {
		d := &u.Script.Declarations[i]
		scope := scopeOf(d)
		list, problem := x.items(d)
		if problem != "" {
			gaps.Add(int(d.Line), problem)
			out.unnamed = true
			continue
		}
		for _, it := range list {
			if d.Use == constraint {
				continue
			}
			wanted := it.version
			if wanted == "" && it.missing == "" && d.Use != plugin {
				wanted = version(over, it.name)
			}
			if !collect.Sound(wanted) || !collect.Sound(it.name) {
				gaps.Add(int(d.Line), "a name or version that is too long or holds control characters")
				out.unnamed = true
				continue
			}
			if d.Use == plugin && wanted == "" && it.missing == "" {
				continue // Gradle's own, or of the build logic: settings tell its version
			}
			p := dependency.Package{Ecosystem: dependency.Maven, Name: it.name, Scope: scope, Relation: dependency.Direct,
				Line: int(d.Line), Column: int(d.Column), EndColumn: int(d.End)}
			switch p.Version, p.Constraint = exact(wanted); {
			case it.missing != "":
				gaps.Add(p.Line, fmt.Sprintf("the version of %s is %s, which is set neither here nor in gradle.properties, ext or a version catalogue above", p.Name, shown(it.missing)))
			case wanted == "":
				open = append(open, p.Name)
				first = cmp.Or(first, d.Line)
			case p.Version == "":
				gaps.Add(p.Line, fmt.Sprintf("the version of %s is the range %s; write a gradle.lockfile to fix it", p.Name, collect.Show(p.Constraint)))
			}
			g.Add(p)
			id := p.ID()
			was, had := out.build[id]
			out.build[id] = d.Build && (was || !had)
			if it.from != nil {
				out.uses = append(out.uses, usage{it.from, it.alias, scope, id})
			}
		}
	}
	if len(open) > 0 {
		where := "neither this script nor a catalogue states them"
		if list := boms(over); len(list) > 0 {
			where = "they are left to " + names(list)
		}
		open = compact(open)
		gaps.Add(int(first), fmt.Sprintf("dependencies without a known version: %d (%s); %s; write a gradle.lockfile, or scan an SBOM of the build, to know them", len(open), names(open), where))
	}
	packages, err := g.Packages()
	if err != nil {
		return nil, err
	}
	u.m.Packages, u.m.Gaps = packages, gaps.List()
	return out, nil
}

// compact takes out repetitions and keeps the order.
func compact(list []string) []string {
	seen := make(map[string]bool, len(list))
	return slices.DeleteFunc(list, func(s string) bool {
		was := seen[s]
		seen[s] = true
		return was
	})
}

// shown is a placeholder for a message.
func shown(missing string) string {
	if missing == "?" {
		return "an expression"
	}
	return collect.Show("${" + missing + "}")
}

func scopeOf(d *declaration) dependency.Scope {
	switch {
	case d.Build, d.Test, forDevelopment(d.Configuration), d.Configuration == "developmentOnly", d.Configuration == "classpath":
		return dependency.Development
	case d.Configuration == "optional":
		return dependency.Optional
	}
	return dependency.Production
}

// items are the packages that a declaration means. problem says why they are
// not known.
func (x *expander) items(d *declaration) (list []item, problem string) {
	override := x.text(d.Version, 0)
	finish := func(it item) item {
		if d.Version != "" {
			it.version, it.missing = override.text, override.missing
		}
		return it
	}
	text := d.Notation
	if ref, ok := single(text); ok {
		list, found := x.reference(ref)
		if found {
			for i := range list {
				list[i] = finish(list[i])
			}
			return list, ""
		}
	}
	m := x.text(text, 0)
	if d.Use == plugin {
		if m.missing != "" || m.text == "" || strings.ContainsAny(m.text, ":/ ") || !collect.Sound(m.text) {
			return nil, "the plugin " + collect.Show(m.text) + " is in no version catalogue of this repository"
		}
		return []item{finish(item{name: marker(m.text)})}, ""
	}
	// The version of a notation may be missing, but not the name.
	name, version, ok := split(m.text)
	if !ok || strings.Contains(name, "${") || !collect.Sound(name) || !collect.Sound(version) {
		if m.missing != "" {
			if ref, alone := single(text); alone {
				return nil, "what " + collect.Show(ref) + " stands for is neither set here nor in a version catalogue of this repository"
			}
			return nil, "the name of a dependency holds " + shown(m.missing) + ", which is not set"
		}
		return nil, collect.Show(m.text) + " is not group:artifact:version"
	}
	it := item{name: name, version: version}
	if strings.Contains(version, "${") {
		it.missing = cmp.Or(m.missing, "?")
	}
	return []item{finish(it)}, ""
}

// single reports whether a text is one placeholder and nothing else.
func single(s string) (string, bool) {
	name, ok := strings.CutPrefix(s, "${")
	if !ok || strings.IndexByte(name, '}') != len(name)-1 {
		return "", false
	}
	return name[:len(name)-1], true
}

// marker is the artifact that stands for a plugin.
func marker(id string) string { return id + ":" + id + ".gradle.plugin" }

// reference follows a name that stands for one or several dependencies.
func (x *expander) reference(ref string) ([]item, bool) {
	ref = plain(ref)
	if group, ok := x.b.variable(x.u, ref+".group"); ok {
		if name, ok := x.b.variable(x.u, ref+".name"); ok {
			version, _ := x.b.variable(x.u, ref+".version")
			g, n, v := x.text(group, 0), x.text(name, 0), x.text(version, 0)
			if g.missing == "" && n.missing == "" && g.text != "" && n.text != "" {
				return []item{{name: g.text + ":" + n.text, version: v.text, missing: v.missing}}, true
			}
		}
	}
	if _, ok := x.b.variable(x.u, ref); ok {
		return nil, false // a text
	}
	c, rest := x.b.catalog(x.dir, ref)
	if c == nil {
		return nil, false
	}
	if bundle, ok := strings.CutPrefix(rest, "bundles."); ok {
		var out []item
		for _, name := range c.Catalog.Bundles[bundle] {
			if it, ok := c.item(name); ok {
				out = append(out, it)
			}
		}
		return out, len(out) > 0
	}
	it, ok := c.item(rest)
	return []item{it}, ok
}

// item is the entry of a catalogue.
func (u *unit) item(name string) (item, bool) {
	e := u.Catalog.Libraries[name]
	id, isPlugin := strings.CutPrefix(name, "plugins.")
	if isPlugin {
		e = u.Catalog.Plugins[id]
	}
	if e == nil || e.Name == "" {
		return item{}, false
	}
	it := item{name: e.Name, version: e.Version, from: u, alias: name}
	if isPlugin {
		it.name = marker(e.Name)
	}
	if missing, ok := single(e.Version); ok {
		it.version, it.missing = "", missing
	}
	return it, true
}

// split reads group:artifact[:version[:classifier]][@type].
func split(s string) (name, version string, ok bool) {
	s, _, _ = strings.Cut(s, "@")
	parts := strings.SplitN(s, ":", 5)
	if len(parts) < 2 || len(parts) > 4 || parts[0] == "" || parts[1] == "" || strings.ContainsAny(parts[0]+parts[1], " /\\\"'") {
		return "", "", false
	}
	if len(parts) > 2 {
		version = parts[2]
	}
	return parts[0] + ":" + parts[1], version, true
}

// exact splits a requirement into the version that it means and a constraint:
// "1.2" is the least version, and used unless something else asks for a higher
// one; "1.2!!" and "[1.2]" are exact.
func exact(v string) (version, constraint string) {
	v = strings.TrimSpace(v)
	if before, preferred, ok := strings.Cut(v, "!!"); ok {
		if preferred != "" {
			return exact(preferred)
		}
		v = before
	}
	if inner, ok := strings.CutPrefix(v, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && !strings.ContainsAny(inner, ",[]()+") {
			return strings.TrimSpace(inner), ""
		}
	}
	if strings.ContainsAny(v, "[](),") || strings.HasSuffix(v, "+") || strings.Contains(v, "${") || strings.HasPrefix(v, "latest.") {
		return "", v
	}
	return v, ""
}

// fill writes the entries of a catalogue into its manifest. What scripts use
// has the scope they give it. Whether anything uses the others is not known:
// build logic in other languages may. They are left out where there are
// lockfiles, which tell.
func (c *catalog) fill(m *dependency.Manifest, uses map[string]using, locked bool) error {
	var g collect.Graph
	var gaps collect.Gaps
	for _, gap := range c.Gaps {
		gaps.Add(gap.Line, gap.Message)
	}
	put := func(alias, name string, e *entry, scope dependency.Scope) {
		if e.Name == "" {
			gaps.Add(e.Line, "an entry without group, name or id, or one that is too long")
			return
		}
		use, used := uses[alias]
		if used && !use.shown || !used && locked {
			return
		}
		p := dependency.Package{Ecosystem: dependency.Maven, Name: name, Scope: scope, Line: e.Line, Column: e.Column, EndColumn: e.End}
		if used {
			p.Relation, p.Scope = dependency.Direct, use.scope
		}
		p.Version, p.Constraint = exact(e.Version)
		if missing, ok := single(e.Version); ok {
			p.Constraint = ""
			gaps.Add(e.Line, fmt.Sprintf("the version of %s is %s, which the catalogue does not hold", name, collect.Show(missing)))
		} else if p.Constraint != "" {
			gaps.Add(e.Line, fmt.Sprintf("the version of %s is the range %s; write a gradle.lockfile to fix it", name, collect.Show(p.Constraint)))
		}
		g.Add(p)
	}
	for _, name := range byLine(c.Libraries) {
		put(name, c.Libraries[name].Name, c.Libraries[name], dependency.Unstated)
	}
	for _, name := range byLine(c.Plugins) {
		put("plugins."+name, marker(c.Plugins[name].Name), c.Plugins[name], dependency.Development)
	}
	packages, err := g.Packages()
	if err != nil {
		return err
	}
	m.Packages, m.Gaps = packages, gaps.List()
	return nil
}

// byLine are the names of entries as they stand in the file.
func byLine(all map[string]*entry) []string {
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(all[a].Line, all[b].Line), cmp.Compare(a, b))
	})
}
