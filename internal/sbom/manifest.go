package sbom

import (
	"slices"

	"bulwark/internal/dependency"
)

// maxVia bounds the ways of Manifest, in packages.
const maxVia = 32

// Manifest is what the document declares, as if a lockfile did: the packages
// that advisories can be looked up for, who needs them first. Components that
// should be identified and are not are a gap.
func (d *Document) Manifest() *dependency.Manifest {
	m := &dependency.Manifest{Format: d.Spec, Kind: dependency.Built}
	if m.Format == "" {
		m.Format = "SBOM"
	}
	number := make(map[string]int, len(d.Components))
	for i := range d.Components {
		number[d.Components[i].Ref] = i
	}
	// The shortest way to each component, by its predecessor.
	from := make([]int, len(d.Components))
	for i := range from {
		from[i] = -2 // not met
	}
	var queue []int
	for _, ref := range d.Direct {
		if i, ok := number[ref]; ok && from[i] == -2 {
			from[i] = -1
			queue = append(queue, i)
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, ref := range d.Components[i].Needs {
			if j, ok := number[ref]; ok && from[j] == -2 {
				from[j] = i
				queue = append(queue, j)
			}
		}
	}
	for i := range d.Components {
		c := &d.Components[i]
		if !c.Identified() {
			continue
		}
		p := c.Package
		p.Line = 1
		switch from[i] {
		case -2:
		case -1:
			p.Relation = dependency.Direct
		default:
			p.Relation = dependency.Transitive
			for j := from[i]; j >= 0 && len(p.Via) < maxVia; j = from[j] {
				p.Via = append(p.Via, d.Components[j].Package.ID())
			}
			slices.Reverse(p.Via)
		}
		m.Packages = append(m.Packages, p)
		if m.Ecosystem == "" {
			m.Ecosystem = p.Ecosystem
		}
	}
	for _, g := range d.Gaps {
		m.Gaps = append(m.Gaps, dependency.Gap{Line: g.Line, Message: g.Message})
	}
	return m
}
