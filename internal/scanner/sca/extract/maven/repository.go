package maven

import (
	"path"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

// repository holds the poms that lie together.
type repository struct {
	byPath    map[string]*entry
	byName    map[string]*namesakes // "group:artifact"
	manifests map[*dependency.Manifest]*entry
}

// namesakes are the poms of one group and artifact. Of each kind the first two
// are enough: the second where the first is the one that asks.
type namesakes struct {
	any         pair
	exact       map[string]pair // by version as written
	placeholder pair            // with a version that holds ${…}
	worked      map[string]bool // versions that were worked out so far
}

type pair [2]*entry

func (p *pair) add(e *entry) {
	if p[0] == nil {
		p[0] = e
	} else if p[1] == nil {
		p[1] = e
	}
}

// not is the first entry that is not e.
func (p pair) not(e *entry) *entry {
	if p[0] == e {
		return p[1]
	}
	return p[0]
}

func (n *namesakes) add(e *entry) {
	n.any.add(e)
	p := n.exact[e.version()]
	p.add(e)
	n.exact[e.version()] = p
	if strings.Contains(e.version(), "${") {
		n.placeholder.add(e)
	}
}

// entry is one pom with what is worked out for it, once.
type entry struct {
	path     string
	manifest *dependency.Manifest
	model    *model
	parent   *entry
	linked   bool
	// missingParent is the nearest ancestor that is not in the repository.
	missingParent string
	effective     *effective
	working       bool
}

func newRepository() *repository {
	return &repository{byPath: map[string]*entry{}, byName: map[string]*namesakes{}, manifests: map[*dependency.Manifest]*entry{}}
}

func (r *repository) add(m *dependency.Manifest, mod *model) {
	e := &entry{path: m.Path, manifest: m, model: mod}
	r.byPath[m.Path] = e
	r.manifests[m] = e
	name := e.group() + ":" + mod.Artifact
	n := r.byName[name]
	if n == nil {
		n = &namesakes{exact: map[string]pair{}, worked: map[string]bool{}}
		r.byName[name] = n
	}
	n.add(e)
}

// group and version are a project's own or its parent's.
func (e *entry) group() string {
	if e.model.Group == "" && e.model.Parent != nil {
		return e.model.Parent.Group
	}
	return e.model.Group
}

func (e *entry) version() string {
	if e.model.Version == "" && e.model.Parent != nil {
		return e.model.Parent.Version
	}
	return e.model.Version
}

// link finds the parent: at its relative path if the artifact there is the one
// meant, otherwise by its coordinates.
func (r *repository) link(e *entry) {
	if e.linked {
		return
	}
	e.linked = true
	p := e.model.Parent
	if p == nil {
		return
	}
	if p.Path != "" {
		at := path.Join(path.Dir(e.path), strings.ReplaceAll(p.Path, `\`, "/"))
		found := r.byPath[at]
		if found == nil {
			found = r.byPath[path.Join(at, "pom.xml")]
		}
		if found != nil && found != e && found.model.Artifact == p.Artifact && found.group() == p.Group && sameVersion(found.version(), p.Version) {
			e.parent = found
			return
		}
	}
	e.parent = r.find(p.coordinates, e)
	if e.parent == nil {
		e.missingParent = p.String()
	}
}

// sameVersion leaves what properties stand for to Maven.
func sameVersion(a, b string) bool {
	return a == b || strings.Contains(a, "${") || openVersion(b)
}

// find looks for coordinates among all poms; exactly the same version first.
func (r *repository) find(c coordinates, not *entry) *entry {
	n := r.byName[c.Group+":"+c.Artifact]
	if n == nil {
		return nil
	}
	if e := n.exact[c.Version].not(not); e != nil {
		return e
	}
	// A range or a property may mean any of them, and a pom whose own version is
	// a property may be meant by any version. The first counts.
	if openVersion(c.Version) {
		return n.any.not(not)
	}
	return n.placeholder.not(not)
}

// openVersion reports whether a version as written may stand for several.
func openVersion(v string) bool { return strings.Contains(v, "${") || strings.ContainsAny(v, "[(") }

// lineage is a pom and its ancestors, itself first. cycle: a pom is its own
// ancestor.
func (r *repository) lineage(e *entry) (list []*entry, cycle bool) {
	for e != nil {
		for _, seen := range list {
			if seen == e {
				return list, true
			}
		}
		if len(list) >= extract.MaxDepth {
			return list, true
		}
		list = append(list, e)
		r.link(e)
		e = e.parent
	}
	return list, false
}
