package sbom

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom/purl"
)

// Options of New.
type Options struct {
	Subject Subject
	Tool    Tool
	// Created is when the manifests were as they are: the commit's time or
	// SOURCE_DATE_EPOCH, not the clock, so that equal input gives equal bytes.
	Created time.Time
}

// New builds the document of what manifests declare. Equal packages of several
// manifests become one component with all their places. The order of manifests
// does not matter.
func New(manifests []*dependency.Manifest, o Options) (*Document, error) {
	a := &Assembly{}
	d := a.Document()
	d.Subject, d.Created, d.Tools = o.Subject, o.Created.UTC().Truncate(time.Second), []Tool{o.Tool}
	if o.Tool == (Tool{}) {
		d.Tools = nil
	}
	if o.Created.IsZero() {
		d.Created = time.Time{}
	}
	if d.Subject.Type == "" {
		d.Subject.Type = Application
	}
	if d.Subject.Ref == "" {
		d.Subject.Ref = "subject:" + d.Subject.Name
	}
	manifests = slices.Clone(manifests)
	slices.SortStableFunc(manifests, func(x, y *dependency.Manifest) int {
		return cmp.Or(strings.Compare(x.Path, y.Path), strings.Compare(x.Format, y.Format))
	})
	m := merger{parts: map[string]*Component{}}
	for _, one := range manifests {
		m.add(one)
		for _, g := range one.Gaps {
			d.Gaps = append(d.Gaps, Gap{one.Path, g.Line, g.Message})
		}
	}
	refs := make([]string, 0, len(m.parts))
	for ref := range m.parts {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	for _, ref := range refs {
		c := m.parts[ref]
		slices.Sort(c.Package.Licenses)
		if err := a.Add(*c); err != nil {
			return nil, fmt.Errorf("building the SBOM of %s: %w", d.Subject.Name, err)
		}
	}
	for _, one := range manifests {
		if err := m.connect(a, one, d.Subject.Ref); err != nil {
			return nil, fmt.Errorf("building the SBOM of %s: %w", d.Subject.Name, err)
		}
	}
	d = a.Finish()
	return d, d.Seal()
}

// merger joins equal packages.
type merger struct {
	parts map[string]*Component // by ref
}

// refOf names a package within the document: equal packages of several
// manifests have one name.
func refOf(p *dependency.Package, url, path string) string {
	switch {
	case p.Local:
		folder, _ := cutLast(path)
		return "local:" + string(p.Ecosystem) + ":" + folder + ":" + p.ID()
	case url == "":
		return "package:" + string(p.Ecosystem) + ":" + p.ID()
	case p.Version == "" && p.Constraint != "":
		return url + "#" + p.Constraint
	}
	return url
}

func cutLast(path string) (folder, file string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

func (m *merger) add(one *dependency.Manifest) {
	for i := range one.Packages {
		p := &one.Packages[i]
		url := purl.PURL(*p)
		ref := refOf(p, url, one.Path)
		c := m.parts[ref]
		if c == nil {
			c = &Component{Ref: ref, Type: Library, PURL: url, Package: *p}
			if p.Local {
				c.Type = Application
			}
			k := &c.Package
			k.Via, k.Requires, k.Line, k.Column, k.EndColumn = nil, nil, 0, 0, 0
			k.Licenses, k.Hashes = slices.Clone(p.Licenses), slices.Clone(p.Hashes)
			m.parts[ref] = c
		} else {
			join(&c.Package, p)
		}
		if one.Path != "" {
			c.Occurrences = append(c.Occurrences, Occurrence{one.Path, p.Line})
		}
	}
}

func join(into, p *dependency.Package) {
	if scopeRank(p.Scope) < scopeRank(into.Scope) {
		into.Scope = p.Scope
	}
	if into.Relation != dependency.Direct && p.Relation != dependency.Undeclared {
		into.Relation = p.Relation
	}
	into.Hashes = append(into.Hashes, p.Hashes...)
	for _, l := range p.Licenses {
		if !slices.Contains(into.Licenses, l) {
			into.Licenses = append(into.Licenses, l)
		}
	}
	if into.Constraint == "" {
		into.Constraint = p.Constraint
	}
}

func scopeRank(s dependency.Scope) int {
	return slices.Index([]dependency.Scope{dependency.Production, dependency.Optional, dependency.Development, dependency.Unstated}, s)
}

// connect adds the edges that one manifest states.
func (m *merger) connect(a *Assembly, one *dependency.Manifest, subject string) error {
	byID := make(map[string][]string, len(one.Packages))
	own := make([]string, len(one.Packages))
	for i := range one.Packages {
		p := &one.Packages[i]
		own[i] = refOf(p, purl.PURL(*p), one.Path)
		byID[p.ID()] = append(byID[p.ID()], own[i])
	}
	for i := range one.Packages {
		p := &one.Packages[i]
		if p.Relation == dependency.Direct {
			if err := a.Edge(subject, own[i]); err != nil {
				return err
			}
		}
		for _, id := range p.Requires {
			for _, to := range byID[id] {
				if err := a.Edge(own[i], to); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
