// Package pub reads Dart's pubspec.lock and pubspec.yaml. The lockfile tells
// direct from transitive and, for direct packages, production from development;
// who needs whom it does not tell.
package pub

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/yamltext"
)

var (
	_ extract.Extractor = (*Extractor)(nil)
	_ extract.Resolver  = (*Extractor)(nil)
)

// Extractor reads pub's files.
type Extractor struct{}

// New returns the extractor.
func New() *Extractor { return &Extractor{} }

// Name is "pub".
func (*Extractor) Name() string { return "pub" }

// Binary is false.
func (*Extractor) Binary() bool { return false }

// Wants reports whether the path is that of a pubspec.lock or pubspec.yaml of
// the project's own.
func (*Extractor) Wants(path string) bool {
	base := collect.Base(path)
	return (base == "pubspec.lock" || base == "pubspec.yaml") && collect.Own(path)
}

// Extract reads one file.
func (*Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	base, _ := collect.Path(f.Path)
	docs, err := yamltext.Parse(f.Content)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", base, err)
	}
	if len(docs) != 1 || docs[0].Kind() != yamltext.Map {
		return nil, fmt.Errorf("reading %s: one YAML mapping is expected: check the file", base)
	}
	m := &dependency.Manifest{Path: f.Path, Format: base, Ecosystem: dependency.Pub}
	if base == "pubspec.lock" {
		err = lockfile(m, docs[0])
	} else {
		err = pubspec(m, docs[0])
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", base, err)
	}
	return m, nil
}

func sound(p *dependency.Package) bool {
	return p.Name != "" && !strings.ContainsAny(p.Name, " /\\") && collect.Sound(p.Name) && collect.Sound(p.Version) && collect.Sound(p.Constraint) && collect.Sound(p.Origin)
}

// registries serve the public packages.
func registry(url string) bool {
	url = strings.TrimSuffix(url, "/")
	return url == "" || url == "https://pub.dev" || url == "https://pub.dartlang.org"
}

func lockfile(m *dependency.Manifest, doc yamltext.Node) error {
	m.Kind = dependency.Lock
	var g collect.Graph
	var gaps collect.Gaps
	seen := map[string]int{}
	for n := range doc.Get("packages").Children() {
		p := dependency.Package{Ecosystem: dependency.Pub, Name: n.Key(), Line: n.Line()}
		p.Column, p.EndColumn = n.Columns()
		source := ""
		var description yamltext.Node
		for f := range n.Children() {
			switch f.Key() {
			case "dependency":
				switch f.Text() {
				case "direct main":
					p.Relation, p.Scope = dependency.Direct, dependency.Production
				case "direct dev":
					p.Relation, p.Scope = dependency.Direct, dependency.Development
				case "direct overridden":
					p.Relation = dependency.Direct
				case "transitive":
					p.Relation = dependency.Transitive
				default:
					gaps.Add(f.Line(), "an unknown kind of dependency: "+collect.Show(f.Text()))
				}
			case "description":
				description = f
			case "source":
				source = f.Text()
			case "version":
				p.Version = f.Text()
			}
		}
		locate(&p, source, description, &gaps)
		if !sound(&p) || p.Version == "" {
			gaps.Add(n.Line(), collect.Show(n.Key())+" cannot be a package and its version")
			continue
		}
		if before, twice := seen[p.Name]; twice {
			gaps.Add(n.Line(), fmt.Sprintf("%s is listed twice, the first time on line %d", collect.Show(p.Name), before))
		}
		seen[p.Name] = n.Line()
		g.Add(p)
	}
	if doc.Get("packages").Kind() == yamltext.Absent && doc.Get("sdks").Kind() == yamltext.Absent {
		return fmt.Errorf("it has neither packages nor sdks: run dart pub get and commit the result")
	}
	var err error
	m.Packages, err = g.Packages()
	m.Gaps = gaps.List()
	return err
}

// locate takes over where a package comes from.
func locate(p *dependency.Package, source string, d yamltext.Node, gaps *collect.Gaps) {
	switch source {
	case "hosted":
		if url := collect.Address(d.Get("url").Text()); !registry(url) {
			p.Origin = url
		}
		if name := d.Get("name").Text(); name != "" {
			p.Name = name
		}
		if sum := d.Get("sha256").Text(); sum != "" {
			h, ok := collect.Digest("sha256", sum)
			if !ok {
				gaps.Add(d.Get("sha256").Line(), "the checksum of "+collect.Show(p.Name)+" is not a digest")
				return
			}
			p.Hashes = []dependency.Hash{h}
		}
	case "git":
		p.Origin = collect.Address(d.Get("url").Text())
		if commit := d.Get("resolved-ref").Text(); commit != "" {
			p.Origin += "#" + commit
		}
	case "path":
		p.Origin, p.Local = d.Get("path").Text(), true
	case "sdk":
		p.Origin = "sdk:" + d.Text()
	default:
		gaps.Add(p.Line, fmt.Sprintf("%s comes from %s, which is not known", collect.Show(p.Name), collect.Show(source)))
	}
}

func pubspec(m *dependency.Manifest, doc yamltext.Node) error {
	m.Kind = dependency.Declared
	var g collect.Graph
	var gaps collect.Gaps
	project := dependency.Package{Ecosystem: dependency.Pub, Local: true}
	for n := range doc.Children() {
		switch n.Key() {
		case "name":
			project.Name, project.Line = n.Text(), n.Line()
		case "version":
			project.Version = n.Text()
		case "resolution":
			if n.Text() == "workspace" {
				m.Extra = []byte(member)
			}
		case "dependencies", "dependency_overrides":
			requests(&g, n, dependency.Production, &gaps)
		case "dev_dependencies":
			requests(&g, n, dependency.Development, &gaps)
		}
	}
	if sound(&project) {
		m.Project = &project
	}
	var err error
	m.Packages, err = g.Packages()
	m.Gaps = gaps.List()
	return err
}

// requests reads one group of dependencies.
func requests(g *collect.Graph, group yamltext.Node, scope dependency.Scope, gaps *collect.Gaps) {
	for n := range group.Children() {
		p := dependency.Package{Ecosystem: dependency.Pub, Name: n.Key(), Constraint: n.Text(), Line: n.Line()}
		p.Column, p.EndColumn = n.Columns()
		for f := range n.Children() {
			switch f.Key() {
			case "version":
				p.Constraint = f.Text()
			case "hosted":
				url := f.Text()
				if f.Kind() == yamltext.Map {
					url = f.Get("url").Text()
				}
				if url = collect.Address(url); !registry(url) {
					p.Origin = url
				}
			case "git":
				url, ref := f.Text(), ""
				if f.Kind() == yamltext.Map {
					url, ref = f.Get("url").Text(), f.Get("ref").Text()
				}
				if p.Origin = collect.Address(url); ref != "" {
					p.Origin += "#" + ref
				}
			case "path":
				p.Origin, p.Local = f.Text(), true
			case "sdk":
				p.Origin = "sdk:" + f.Text()
			}
		}
		if !sound(&p) {
			gaps.Add(n.Line(), collect.Show(n.Key())+" cannot be a package and what is asked of it")
			continue
		}
		p.Version = exact(p.Constraint)
		g.AddRoot(g.Add(p), scope)
	}
}

// exact is the one version that a range allows, "" if it allows several.
func exact(r string) string {
	if r == "" || r[0] < '0' || r[0] > '9' || strings.Count(r, ".") < 2 || strings.ContainsAny(r, " <>^|") {
		return ""
	}
	return r
}

// member is what a pubspec.yaml says for its neighbours if it is a part of a
// workspace (https://dart.dev/tools/pub/workspaces), whose lockfile stands above.
const member = `{"workspace":true}`

// covered reports whether a lockfile stands for a pubspec.yaml.
func covered(m *dependency.Manifest, locked map[string]bool) bool {
	folder := path.Dir(m.Path)
	if string(m.Extra) != member {
		return locked[folder]
	}
	for ; folder != "." && folder != "/"; folder = path.Dir(folder) {
		if locked[folder] {
			return true
		}
	}
	return locked["."]
}

// Resolve drops a pubspec.yaml whose lockfile is beside it, or above it in a
// workspace, and takes from the one beside it what is asked for. The manifests given are not changed.
func (*Extractor) Resolve(_ context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	asks := map[string]*dependency.Manifest{}
	locked := map[string]bool{}
	for _, m := range all {
		if m.Kind == dependency.Declared {
			asks[path.Dir(m.Path)] = m
		} else {
			locked[path.Dir(m.Path)] = true
		}
	}
	out := make([]*dependency.Manifest, 0, len(all))
	for _, m := range all {
		folder := path.Dir(m.Path)
		if m.Kind == dependency.Declared {
			if !covered(m, locked) {
				out = append(out, unlocked(m))
			}
			continue
		}
		if ask := asks[folder]; ask != nil {
			m = join(m, ask)
		}
		out = append(out, m)
	}
	return out
}

func unlocked(m *dependency.Manifest) *dependency.Manifest {
	for i := range m.Packages {
		if p := &m.Packages[i]; p.Version == "" && !p.Local && !strings.HasPrefix(p.Origin, "sdk:") {
			copied := *m
			copied.Gaps = append(slices.Clip(copied.Gaps), dependency.Gap{
				Message: "pubspec.yaml asks for ranges and no lockfile is beside it: commit a lockfile so that exact versions can be checked",
			})
			return &copied
		}
	}
	return m
}

func join(lock, ask *dependency.Manifest) *dependency.Manifest {
	m := *lock
	m.Packages = slices.Clone(m.Packages)
	m.Project = ask.Project
	names := make(map[string]int, len(m.Packages))
	for i := range m.Packages {
		names[m.Packages[i].Name] = i
	}
	var gaps collect.Gaps
	for i := range ask.Packages {
		q := &ask.Packages[i]
		at, ok := names[q.Name]
		if !ok {
			if !q.Local {
				gaps.Add(0, fmt.Sprintf("line %d of %s asks for %s, which is not in this lockfile: run dart pub get and commit the result", q.Line, ask.Path, collect.Show(q.Name)))
			}
			continue
		}
		m.Packages[at].Constraint = q.Constraint
		if m.Packages[at].Scope == dependency.Unstated {
			m.Packages[at].Scope = q.Scope
		}
	}
	m.Gaps = append(slices.Clip(m.Gaps), gaps.List()...)
	return &m
}
