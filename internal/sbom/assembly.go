package sbom

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom/purl"
)

// Assembly gathers a document piece by piece, in any order, within the limits.
// The zero Assembly is ready for use.
type Assembly struct {
	doc   Document
	refs  map[string]int // of components
	edges []edge
}

type edge struct{ from, to string }

// Document gives access to everything but components and edges.
func (a *Assembly) Document() *Document { return &a.doc }

// Add adds a component. It completes Package from the package URL, and makes
// up a Ref if there is none or it is taken.
func (a *Assembly) Add(c Component) error {
	if len(a.doc.Components) >= MaxComponents {
		return fmt.Errorf("more than %d components", MaxComponents)
	}
	for _, s := range [...]string{c.Ref, c.PURL, c.Package.Name, c.Package.Version} {
		if len(s) > MaxText {
			return fmt.Errorf("component %.60q: a text of more than %d bytes", c.Package.Name, MaxText)
		}
	}
	if c.PURL != "" && c.Package.Ecosystem == "" {
		if p, err := purl.FromPURL(c.PURL); err == nil {
			c.Package.Ecosystem, c.Package.Name, c.Package.Origin = p.Ecosystem, p.Name, p.Origin
			if p.Version != "" {
				c.Package.Version = p.Version
			}
		}
	}
	if a.refs == nil {
		a.refs = map[string]int{}
	}
	if c.Ref == "" {
		if c.Ref = c.PURL; c.Ref == "" {
			c.Ref = c.Package.ID()
		}
	}
	if _, taken := a.refs[c.Ref]; taken || c.Ref == "" {
		// Counting from the number of components keeps this linear.
		for n := len(a.doc.Components); ; n++ {
			ref := c.Ref + "#" + strconv.Itoa(n+1)
			if _, taken := a.refs[ref]; !taken {
				c.Ref = ref
				break
			}
		}
	}
	slices.SortFunc(c.Occurrences, compareOccurrences)
	c.Occurrences = slices.Compact(c.Occurrences)
	slices.SortFunc(c.Package.Hashes, compareHashes)
	c.Package.Hashes = slices.Compact(c.Package.Hashes)
	a.refs[c.Ref] = len(a.doc.Components)
	a.doc.Components = append(a.doc.Components, c)
	return nil
}

// Edge says that from needs to, both refs, which may be added later.
func (a *Assembly) Edge(from, to string) error {
	if len(a.edges) >= MaxEdges {
		return fmt.Errorf("more than %d dependencies between components", MaxEdges)
	}
	a.edges = append(a.edges, edge{from, to})
	return nil
}

// SetScope sets the scope of a component that was added.
func (a *Assembly) SetScope(ref string, s dependency.Scope) {
	if i, ok := a.refs[ref]; ok {
		a.doc.Components[i].Package.Scope = s
	}
}

// Finish puts the graph into the components, sorts, and derives the relation of
// components to the subject where it is not stated. Edges to nowhere are a gap.
func (a *Assembly) Finish() *Document {
	d := &a.doc
	lost := 0
	for _, e := range a.edges {
		_, known := a.refs[e.to]
		from, ok := a.refs[e.from]
		switch {
		case e.from == e.to:
		case known && ok:
			c := &d.Components[from]
			c.Needs = append(c.Needs, e.to)
		case known && e.from == d.Subject.Ref && e.from != "":
			d.Direct = append(d.Direct, e.to)
		case e.to == d.Subject.Ref && ok:
			// What needs the subject is outside of it.
		default:
			lost++
		}
	}
	a.edges = nil
	if lost > 0 {
		d.Gaps = append(d.Gaps, Gap{Message: fmt.Sprintf("%d dependencies name components that the document does not list", lost)})
	}
	for i := range d.Components {
		d.Components[i].Needs = sorted(d.Components[i].Needs)
	}
	d.Direct = sorted(d.Direct)
	a.relate()
	slices.SortFunc(d.Components, func(x, y Component) int { return strings.Compare(x.Ref, y.Ref) })
	return d
}

func sorted(refs []string) []string {
	slices.Sort(refs)
	return slices.Clip(slices.Compact(refs))
}

// relate walks from the subject.
func (a *Assembly) relate() {
	d := &a.doc
	var queue []int
	seen := make([]bool, len(d.Components))
	visit := func(refs []string, r dependency.Relation) {
		for _, ref := range refs {
			i := a.refs[ref]
			if seen[i] {
				continue
			}
			seen[i] = true
			if p := &d.Components[i].Package; p.Relation == dependency.Undeclared {
				p.Relation = r
			}
			queue = append(queue, i)
		}
	}
	visit(d.Direct, dependency.Direct)
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		visit(d.Components[i].Needs, dependency.Transitive)
	}
}
