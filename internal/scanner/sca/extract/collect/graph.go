// Package collect turns what a reader of a lockfile has found into packages: it
// holds them with their edges, works out who is direct, the shortest way to
// each, and what each is needed for, and merges what is the same package in
// several places. It also holds the checks that every reader of stranger's
// names, addresses and digests needs: lengths, credentials, encodings.
//
// It reads no format and opens nothing.
package collect

import (
	"cmp"
	"fmt"
	"slices"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

// MaxVia is how many packages a way names. Of a longer way only the first are
// kept, so that a chain of packages costs no more than its length.
const MaxVia = 32

// MaxNeeds is how many needs of packages a reader takes up from one file; more
// is an error. The largest lockfiles known have some 100,000.
const MaxNeeds = 2_000_000

// Graph holds the packages of one lockfile while it is read. The zero Graph is
// ready for use.
type Graph struct {
	nodes []node
	edges []edge
	roots []edge // from the project itself
	// Rooted says that the file tells what the project itself asks for, even
	// if that is nothing. AddRoot sets it.
	Rooted bool
	full   bool
}

type node struct {
	pkg   dependency.Package
	first int32 // index of its first edge + 1, 0 if none
	last  int32
	// stated: the file itself tells the scope.
	stated bool
}

type edge struct {
	to    int32
	next  int32 // index of the next edge of the same node + 1
	scope dependency.Scope
}

// Add takes up a package and returns its number. Scope, if set, is what the
// file states; it is not worked out then.
func (g *Graph) Add(p dependency.Package) int {
	if len(g.nodes) > extract.MaxPackages {
		g.full = true
		return len(g.nodes) - 1
	}
	g.nodes = append(g.nodes, node{pkg: p, stated: p.Scope != dependency.Unstated})
	return len(g.nodes) - 1
}

// Len is the number of packages taken up.
func (g *Graph) Len() int { return len(g.nodes) }

// Package is the one with the number, to be completed before Packages is called.
func (g *Graph) Package(i int) *dependency.Package { return &g.nodes[i].pkg }

// Link notes that one package needs another: Production, or Optional if it works
// without it. A local package may have any scope.
func (g *Graph) Link(from, to int, scope dependency.Scope) {
	g.edges = append(g.edges, edge{to: int32(to), scope: scope})
	number := int32(len(g.edges))
	n := &g.nodes[from]
	if n.first == 0 {
		n.first = number
	} else {
		g.edges[n.last-1].next = number
	}
	n.last = number
}

// AddRoot notes that the project itself asks for a package.
func (g *Graph) AddRoot(to int, scope dependency.Scope) {
	g.Rooted = true
	g.roots = append(g.roots, edge{to: int32(to), scope: scope})
}

// Packages works everything out and returns the packages by line, then name,
// version and origin; none twice. What a local package asks for counts as asked for by
// the project. An error means more packages than a file can have.
func (g *Graph) Packages() ([]dependency.Package, error) {
	if g.full {
		return nil, fmt.Errorf("more than %d packages: no lockfile has that many; check where it comes from", extract.MaxPackages)
	}
	same := g.merge()
	g.reach(same)
	ids := make([]string, len(g.nodes))
	for i := range g.nodes {
		if same[i] == int32(i) {
			ids[i] = g.nodes[i].pkg.ID()
		}
	}
	count := 0
	for i := range g.nodes {
		if same[i] == int32(i) {
			count++
		}
	}
	out := make([]dependency.Package, 0, count)
	requires := make([]string, 0, len(g.edges))
	for i := range g.nodes {
		if same[i] != int32(i) {
			continue
		}
		p := g.nodes[i].pkg
		if !Sound(p.Constraint) {
			p.Constraint = "" // it tells nothing that can be shown
		}
		start := len(requires)
		for e := g.nodes[i].first; e != 0; e = g.edges[e-1].next {
			if to := same[g.edges[e-1].to]; to != int32(i) {
				requires = append(requires, ids[to])
			}
		}
		if own := requires[start:]; len(own) > 0 {
			slices.Sort(own)
			own = slices.Compact(own)
			requires = requires[:start+len(own)]
			p.Requires = own[:len(own):len(own)]
		}
		out = append(out, p)
	}
	if !slices.IsSortedFunc(out, order) {
		slices.SortStableFunc(out, order)
	}
	return out, nil
}

func order(a, b dependency.Package) int {
	if c := cmp.Compare(a.Line, b.Line); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Column, b.Column), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Origin, b.Origin))
}

// identity is what makes two places hold the same package.
type identity struct {
	ecosystem             dependency.Ecosystem
	name, version, origin string
	local                 bool
	constraint            string // only without a version
}

// merge joins the places that hold the same package and returns for each the
// one that stands for all. The edges of the others are moved to it.
func (g *Graph) merge() []int32 {
	same := make([]int32, len(g.nodes))
	seen := make(map[identity]int32, len(g.nodes))
	for i := range g.nodes {
		n := &g.nodes[i]
		p := &n.pkg
		id := identity{p.Ecosystem, p.Name, p.Version, p.Origin, p.Local, ""}
		if p.Version == "" {
			id.constraint = p.Constraint
		}
		to, ok := seen[id]
		if !ok {
			seen[id] = int32(i)
			same[i] = int32(i)
			continue
		}
		same[i] = to
		g.join(&g.nodes[to], n)
	}
	return same
}

func (g *Graph) join(to, from *node) {
	if from.first != 0 {
		if to.first == 0 {
			to.first = from.first
		} else {
			g.edges[to.last-1].next = from.first
		}
		to.last = from.last
		from.first, from.last = 0, 0
	}
	if from.stated {
		if !to.stated || rank(from.pkg.Scope) < rank(to.pkg.Scope) {
			to.pkg.Scope = from.pkg.Scope
		}
		to.stated = true
	}
	if to.pkg.Constraint == "" {
		to.pkg.Constraint = from.pkg.Constraint
	}
	if len(to.pkg.Licenses) == 0 {
		to.pkg.Licenses = from.pkg.Licenses
	}
	for _, h := range from.pkg.Hashes {
		if !slices.Contains(to.pkg.Hashes, h) && len(to.pkg.Hashes) < maxHashes {
			to.pkg.Hashes = append(slices.Clip(to.pkg.Hashes), h)
		}
	}
}

// rank orders scopes, the most needed first.
func rank(s dependency.Scope) int {
	switch s {
	case dependency.Production:
		return 0
	case dependency.Optional:
		return 1
	case dependency.Development:
		return 2
	}
	return 3
}

var byRank = [...]dependency.Scope{dependency.Production, dependency.Optional, dependency.Development, dependency.Unstated}

// reach walks from the project, first by what production needs, then by what is
// optional, then by what only development needs, then by what nobody says the
// use of. The first walk that arrives gives the scope and, being breadth-first,
// the shortest way.
func (g *Graph) reach(same []int32) {
	const unreached = 255
	scopes := make([]uint8, len(g.nodes))
	via := make([][]string, len(g.nodes))      // the way to a package
	children := make([][]string, len(g.nodes)) // the way to what it needs, shared
	direct := make([]bool, len(g.nodes))
	for i := range scopes {
		scopes[i] = unreached
	}
	roots := slices.Clone(g.roots)
	for i := range g.nodes {
		if same[i] != int32(i) || !g.nodes[i].pkg.Local {
			continue
		}
		for e := g.nodes[i].first; e != 0; e = g.edges[e-1].next {
			roots = append(roots, g.edges[e-1])
		}
	}
	rooted := g.Rooted
	for _, r := range roots {
		direct[same[r.to]] = true
	}
	var waiting []int32 // needed in production, with optional needs of their own
	var queue []int32
	for level := range byRank {
		queue = queue[:0]
		enter := func(i int32, way []string) {
			if scopes[i] == unreached {
				scopes[i] = uint8(level)
				if !direct[i] {
					via[i] = way
				}
				queue = append(queue, i)
			}
		}
		for _, r := range roots {
			if rank(r.scope) == level {
				enter(same[r.to], nil)
			}
		}
		if byRank[level] == dependency.Optional {
			for _, w := range waiting {
				for e := g.nodes[w].first; e != 0; e = g.edges[e-1].next {
					enter(same[g.edges[e-1].to], g.way(w, via, children))
				}
			}
		}
		for at := 0; at < len(queue); at++ {
			i := queue[at]
			if g.nodes[i].pkg.Local {
				continue // its needs are roots
			}
			optional := false
			for e := g.nodes[i].first; e != 0; e = g.edges[e-1].next {
				if rank(g.edges[e-1].scope) <= level {
					enter(same[g.edges[e-1].to], g.way(i, via, children))
				} else {
					optional = true
				}
			}
			if optional {
				waiting = append(waiting, i)
			}
		}
	}
	for i := range g.nodes {
		if same[i] != int32(i) {
			continue
		}
		p := &g.nodes[i].pkg
		reached := scopes[i] != unreached
		if reached && !g.nodes[i].stated {
			p.Scope = byRank[scopes[i]]
		}
		switch {
		case direct[i]:
			p.Relation = dependency.Direct
		case reached && rooted:
			p.Relation = dependency.Transitive
			p.Via = via[i]
		}
	}
}

// way is the way to what package i needs. All that it needs share it.
func (g *Graph) way(i int32, via, children [][]string) []string {
	if children[i] != nil {
		return children[i]
	}
	if len(via[i]) >= MaxVia {
		children[i] = via[i]
		return via[i]
	}
	way := make([]string, 0, len(via[i])+1)
	way = append(way, via[i]...)
	children[i] = append(way, g.nodes[i].pkg.ID())
	return children[i]
}

// Replace puts another package in the place of the one with the number.
func (g *Graph) Replace(i int, p dependency.Package) {
	g.nodes[i].pkg = p
	g.nodes[i].stated = p.Scope != dependency.Unstated
}
