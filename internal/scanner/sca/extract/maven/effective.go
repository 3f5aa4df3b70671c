package maven

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// effective is a pom with all put in that the repository holds.
type effective struct {
	coordinates
	managed map[key]*declaration
	order   []key // of managed, as declared
	deps    []resolved
	own     map[key]int // the first of deps that the pom itself declares; made when asked for
	// absent are the parents and BOMs that are not in the repository.
	absent []string
	cycle  bool
}

// resolved is a dependency with its version worked out. missing is the property
// that is not known.
type resolved struct {
	declaration
	missing string
	from    *entry // the pom that declares it
}

// work makes the effective pom, once. It returns nil for a pom whose BOMs lead
// back to it.
func (r *repository) work(e *entry, depth int) *effective {
	if e.effective != nil {
		return e.effective
	}
	if e.working || depth > extract.MaxDepth {
		return nil
	}
	e.working = true
	defer func() { e.working = false }()
	lineage, cycle := r.lineage(e)
	out := &effective{managed: map[key]*declaration{}, cycle: cycle}
	if last := lineage[len(lineage)-1]; last.missingParent != "" {
		out.absent = append(out.absent, "parent "+last.missingParent)
	}
	own := map[string]string{}
	for _, a := range slices.Backward(lineage) {
		maps.Copy(own, a.model.Properties)
	}
	own["project.groupId"], own["project.artifactId"], own["project.version"] = e.group(), e.model.Artifact, e.version()
	if p := e.model.Parent; p != nil {
		own["project.parent.groupId"], own["project.parent.artifactId"], own["project.parent.version"] = p.Group, p.Artifact, p.Version
	}
	props := newProperties(own)
	put := func(d declaration) (declaration, string) {
		first := ""
		for _, field := range []*string{&d.Group, &d.Artifact, &d.Version, &d.Type, &d.Classifier, &d.Scope, &d.Optional, &d.SystemPath} {
			text, missing := props.text(*field)
			*field, first = text, cmp.Or(first, missing)
		}
		return d, first
	}
	out.Group, _ = props.text(e.group())
	out.Artifact, _ = props.text(e.model.Artifact)
	out.Version, _ = props.text(e.version())

	// Management: the nearest pom wins, BOMs come after all of them, in order.
	var imports []declaration
	for _, a := range lineage {
		for i := range a.model.Managed {
			d, _ := put(a.model.Managed[i])
			if d.Scope == "import" && d.Type == "pom" {
				imports = append(imports, d)
				continue
			}
			out.manage(&d)
		}
	}
	for _, d := range imports {
		bom := r.find(d.coordinates, e)
		var from *effective
		if bom != nil {
			from = r.work(bom, depth+1)
		}
		if from == nil {
			out.absent = append(out.absent, "BOM "+d.coordinates.String())
			continue
		}
		out.absent = append(out.absent, from.absent...)
		for _, k := range from.order {
			out.manage(from.managed[k])
		}
	}
	slices.Sort(out.absent)
	out.absent = slices.Compact(out.absent)

	seen := map[key]bool{}
	for _, a := range lineage {
		for i := range a.model.Deps {
			d, missing := put(a.model.Deps[i])
			k := d.key()
			// The same pom may name a dependency twice; the last then counts in
			// Maven, but both are written there, so both are shown.
			if a != e && seen[k] {
				continue
			}
			seen[k] = true
			if m := out.managed[k]; m != nil {
				if d.Version == "" {
					d.Version = m.Version
					missing = cmp.Or(missing, placeholder(d.Version))
				}
				d.Scope = cmp.Or(d.Scope, m.Scope)
				d.Optional = cmp.Or(d.Optional, m.Optional)
			}
			out.deps = append(out.deps, resolved{d, missing, a})
		}
	}
	e.effective = out
	if n := r.byName[e.group()+":"+e.model.Artifact]; n != nil {
		n.worked[out.Version] = true
	}
	return out
}

func (f *effective) manage(d *declaration) {
	k := d.key()
	if f.managed[k] == nil {
		f.managed[k] = d
		f.order = append(f.order, k)
	}
}

// placeholder is the name of the first ${property} that is left in a text.
func placeholder(s string) string {
	if _, rest, ok := strings.Cut(s, "${"); ok {
		if name, _, ok := strings.Cut(rest, "}"); ok {
			return name
		}
	}
	return ""
}

// fill writes what is worked out into the manifest.
func (r *repository) fill(m *dependency.Manifest) error {
	e := r.manifests[m]
	if e == nil {
		return nil
	}
	f := r.work(e, 0)
	if f == nil {
		return fmt.Errorf("the bills of materials of %s import one another in a circle", e.path)
	}
	var (
		g       collect.Graph
		gaps    collect.Gaps
		unknown []string
		first   int
	)
	for _, gap := range e.model.Gaps {
		gaps.Add(gap.Line, gap.Message)
	}
	if f.cycle {
		line := 0
		if e.model.Parent != nil {
			line = e.model.Parent.Line
		}
		gaps.Add(line, "the parents of this pom lead back to it; what is inherited is not complete")
	}
	m.Project = &dependency.Package{
		Ecosystem: dependency.Maven, Name: f.Group + ":" + f.Artifact, Version: exact(f.Version),
		Local: true, Licenses: e.model.Licenses, Line: e.model.Line,
	}
	for i := range f.deps {
		d := &f.deps[i]
		if d.from != e {
			if r.sameThere(d) {
				continue
			}
			d.Line, d.Column, d.End = e.model.Parent.Line, 0, 0
		}
		p := d.pack()
		if strings.Contains(p.Name, "${") {
			gaps.Add(d.Line, fmt.Sprintf("the property %s is not known, so that the dependency has no name", collect.Show(cmp.Or(d.missing, placeholder(p.Name)))))
			continue
		}
		p.Local = r.holds(d.Group, d.Artifact, d.Version)
		if p.Version == "" && !p.Local {
			switch {
			case d.missing != "":
				gaps.Add(d.Line, fmt.Sprintf("the version of %s is ${%s}, which %s", p.Name, d.missing, whyUnknown(f.absent)))
			case d.Version != "":
				gaps.Add(d.Line, fmt.Sprintf("the version of %s is the range %s; which one is used is known only where it is resolved", p.Name, d.Version))
			default:
				unknown = append(unknown, p.Name)
				first = cmp.Or(first, d.Line)
			}
		}
		g.Add(p)
	}
	if len(unknown) > 0 {
		gaps.Add(first, missingVersions(unknown, f.absent))
	}
	packages, err := g.Packages()
	if err != nil {
		return err
	}
	m.Packages, m.Gaps = packages, gaps.List()
	return nil
}

// sameThere reports whether an inherited dependency is reported alike for the
// pom that declares it.
func (r *repository) sameThere(d *resolved) bool {
	f := r.work(d.from, 0)
	if f == nil {
		return false
	}
	if f.own == nil {
		f.own = make(map[key]int, len(f.deps))
		for i := range f.deps {
			if o := &f.deps[i]; o.from == d.from {
				if _, had := f.own[o.key()]; !had {
					f.own[o.key()] = i
				}
			}
		}
	}
	i, ok := f.own[d.key()]
	if !ok {
		return false
	}
	o := &f.deps[i]
	return o.Version == d.Version && o.Scope == d.Scope && o.Optional == d.Optional
}

// holds reports whether the artifact is a project of the repository.
func (r *repository) holds(group, artifact, version string) bool {
	n := r.byName[group+":"+artifact]
	if n == nil {
		return false
	}
	return version == "" || n.placeholder[0] != nil || n.exact[version][0] != nil || n.worked[version]
}

func (d *resolved) pack() dependency.Package {
	p := dependency.Package{
		Ecosystem: dependency.Maven, Name: d.Group + ":" + d.Artifact, Version: exact(d.Version),
		Scope: dependency.Production, Relation: dependency.Direct,
		Line: d.Line, Column: d.Column, EndColumn: d.End,
	}
	if p.Version == "" {
		p.Constraint = d.Version
	}
	switch {
	case d.Scope == "test":
		p.Scope = dependency.Development
	case d.Optional == "true":
		p.Scope = dependency.Optional
	}
	if d.Scope == "system" && collect.Sound(d.SystemPath) {
		p.Origin = d.SystemPath
	}
	return p
}

// exact is the version that a requirement allows, "" if it allows several:
// "1.0" is Maven's soft requirement of just that, "[1.0]" a hard one.
func exact(v string) string {
	if inner, ok := strings.CutPrefix(v, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && !strings.ContainsAny(inner, ",[]()") {
			return strings.TrimSpace(inner)
		}
	}
	if strings.ContainsAny(v, "[](),") || strings.Contains(v, "${") || v == "LATEST" || v == "RELEASE" {
		return ""
	}
	return v
}

func whyUnknown(absent []string) string {
	if len(absent) == 0 {
		return "no pom of this repository sets"
	}
	return "is set neither here nor in a pom of this repository; not here: " + list(absent)
}

// missingVersions is one gap for all dependencies whose version is elsewhere.
func missingVersions(names, absent []string) string {
	where := "no pom of this repository manages them"
	if len(absent) > 0 {
		where = "not in this repository: " + list(absent)
	}
	return fmt.Sprintf("dependencies without a known version: %d (%s); %s; scan an SBOM of the build to know them", len(names), list(names), where)
}

// list names the first few.
func list(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}
