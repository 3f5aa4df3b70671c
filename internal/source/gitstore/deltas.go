package gitstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Deltas is a set of blobs of one pack, arranged by what each is stored as a
// difference to. Going through it in that order builds each blob once, from
// what was built right before, holds little and looks nothing up. It is
// immutable and safe for concurrent use.
//
// An object and all that is built upon it, directly or not, form a tree. A walk
// visits a tree depth first, the child with most below it last: before going
// into that one, its parent is no longer needed. So of n objects no more than
// about log₂ n are held at once.
type Deltas struct {
	repo  *Repo
	pack  *pack
	nodes []deltaNode // in the order of visits
	trees []DeltaTree
}

// DeltaTree is a blob stored whole with all that is built upon it.
type DeltaTree struct {
	from, to int32 // of Deltas.nodes
	bytes    int64 // inflated, of what is stored
}

type deltaNode struct {
	off, end int64
	stored   int64 // inflated size of what is stored
	size     int64 // of the object, if it is stored whole; else -1
	want     int32 // index of the blob; -1: nobody wants it, but for what is built upon it
	level    int32 // how many objects it is built upon
	last     bool  // the last that is built upon its base
	leaf     bool  // nothing is built upon it
}

// deltaHeld is how much one walk holds at once, in bytes. What exceeds it is
// read without regard to what was built before.
const deltaHeld = 64 << 20

// Deltas arranges the blobs of a pack that begin at offsets, which ascend.
func (r *Repo) Deltas(ctx context.Context, pack int32, offsets []int64) (*Deltas, error) {
	if pack < 0 || int(pack) >= len(r.packs) {
		return nil, fmt.Errorf("arranging the objects of pack %d: there is no such pack", pack)
	}
	p := r.packs[pack]
	if err := p.open(); err != nil {
		return nil, err
	}
	all, err := p.idx.offsets()
	if err != nil {
		return nil, err
	}
	d := &Deltas{repo: r, pack: p}
	return d, d.arrange(ctx, all, offsets)
}

// offsets returns where all objects begin, ascending.
func (x *packIndex) offsets() ([]int64, error) {
	all := make([]int64, x.count())
	for i := range all {
		var err error
		if all[i], err = x.offset(i); err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// plan is what is known of the objects of the pack while they are arranged.
type plan struct {
	all  []int64 // where they begin, ascending
	node []int32 // by position in all: its index in those below; -1: it has no part in it
	at   []int32 // its position in all
	base []int32 // index of the object that it is built upon; -1: none, or not known by its offset
	desc []deltaNode
}

// arrange finds the base of every blob that is wanted, and their bases in turn,
// and orders them.
func (d *Deltas) arrange(ctx context.Context, all, wanted []int64) error {
	p := &plan{all: all, node: make([]int32, len(all))}
	for i := range p.node {
		p.node[i] = -1
	}
	for i, off := range wanted {
		if i%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at, ok := slices.BinarySearch(all, off)
		if !ok {
			return d.pack.fault(off, errHeader) // it was not taken from the index
		}
		if n := p.node[at]; n >= 0 {
			p.desc[n].want = int32(i) // it is a base as well
			continue
		}
		above := int32(-1) // what is built upon it
		for {
			n := p.node[at]
			seen := n >= 0
			below := -1
			if !seen {
				n, below = d.add(p, at)
			}
			if above >= 0 {
				p.base[above] = n
			} else {
				p.desc[n].want = int32(i)
			}
			if seen || below < 0 {
				break
			}
			above, at = n, below
		}
	}
	d.order(p)
	return nil
}

// add takes the object at a position into the plan and returns where in all its
// base is, negative if it has none.
func (d *Deltas) add(p *plan, at int) (n int32, below int) {
	n = int32(len(p.desc))
	p.node[at] = n
	p.at, p.base = append(p.at, int32(at)), append(p.base, -1)
	p.desc = append(p.desc, deltaNode{off: p.all[at], end: p.all[at] + 4096, size: -1, want: -1})
	node := &p.desc[n]
	h, err := d.pack.header(node.off)
	if err != nil {
		return n, -1 // whoever reads it will be told
	}
	// The object ends where the next one begins. What is damaged does not have
	// more read than its size is worth.
	node.stored = h.size
	node.end = h.data + h.size + h.size>>8 + 128
	if at+1 < len(p.all) {
		node.end = min(node.end, p.all[at+1])
	}
	switch h.typ {
	case ofsDelta:
		if below, ok := slices.BinarySearch(p.all[:at], h.base); ok {
			return n, below
		}
	case TypeBlob:
		node.size = h.size
	}
	return n, -1
}

// order puts the objects in the order of visits.
func (d *Deltas) order(p *plan) {
	count := len(p.desc)
	sorted := make([]int32, count) // as they lie in the pack: a base before what is built upon it
	for i := range sorted {
		sorted[i] = int32(i)
	}
	slices.SortFunc(sorted, func(a, b int32) int { return cmp.Compare(p.at[a], p.at[b]) })
	weight := make([]int64, count) // inflated bytes of the object and all upon it
	first := make([]int32, count+1)
	for _, n := range sorted {
		weight[n] = p.desc[n].stored + 1
		if b := p.base[n]; b >= 0 {
			if p.desc[n].level = p.desc[b].level + 1; p.desc[n].level >= maxDeltaDepth {
				p.base[n], p.desc[n].level = -1, 0 // it will be refused as too deep
				continue
			}
			first[b+1]++
		}
	}
	for _, n := range slices.Backward(sorted) {
		if b := p.base[n]; b >= 0 {
			weight[b] += weight[n]
		}
	}
	for n := range count {
		first[n+1] += first[n]
	}
	children := make([]int32, first[count])
	next := slices.Clone(first[:count])
	for _, n := range sorted {
		if b := p.base[n]; b >= 0 {
			children[next[b]] = n
			next[b]++
		}
	}
	d.nodes = make([]deltaNode, 0, count)
	type visit struct {
		n    int32
		last bool
	}
	var stack []visit
	for _, root := range sorted {
		if p.base[root] >= 0 {
			continue
		}
		from := int32(len(d.nodes))
		stack = append(stack[:0], visit{root, true})
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			below := children[first[v.n]:first[v.n+1]]
			node := p.desc[v.n]
			node.last, node.leaf = v.last, len(below) == 0
			d.nodes = append(d.nodes, node)
			slices.SortFunc(below, func(a, b int32) int { return cmp.Or(-cmp.Compare(weight[a], weight[b]), cmp.Compare(b, a)) })
			for i, n := range below { // the heaviest at the bottom of the stack
				stack = append(stack, visit{n, i == 0})
			}
		}
		d.trees = append(d.trees, DeltaTree{from: from, to: int32(len(d.nodes)), bytes: weight[root]})
	}
	slices.SortFunc(d.trees, func(a, b DeltaTree) int { return cmp.Or(-cmp.Compare(a.bytes, b.bytes), cmp.Compare(a.from, b.from)) })
}

// Trees returns the trees, those that take longest first, so that workers which
// each take the next one end at about the same time.
func (d *Deltas) Trees() []DeltaTree { return d.trees }

// DeltaVisit is one blob on a walk. It is valid only during the visit.
type DeltaVisit struct {
	// Index is that of its offset among those given to Repo.Deltas.
	Index int
	// Level is how many objects it is built upon. The one that was visited last
	// at the level before is the base, if Based; else nobody wanted the base.
	Level int
	Based bool
	// Size is that of the content in bytes, -1 if that is not known.
	Size int64
	// Leaf is true if nothing is built upon it, Last if nothing else will come
	// that is built upon its base.
	Leaf, Last bool

	walk *deltaWalk
	node *deltaNode
}

// Walk visits the blobs of a tree that are wanted, each after its base. It stops at
// the first error of visit.
func (d *Deltas) Walk(t DeltaTree, visit func(*DeltaVisit) error) error {
	w := &deltaWalk{d: d, alone: t.to-t.from == 1}
	w.buf = packBuffers.Get().(*packBuffer)
	defer w.buf.release()
	for i := t.from; i < t.to; i++ {
		n := &d.nodes[i]
		w.enter(n)
		if n.want < 0 {
			continue
		}
		v := DeltaVisit{
			Index: int(n.want), Size: n.size, Level: int(n.level), Leaf: n.leaf, Last: n.last, walk: w, node: n,
			Based: n.level > 0 && w.frames[n.level-1].node.want >= 0,
		}
		if err := visit(&v); err != nil {
			return err
		}
	}
	return nil
}

// Open returns the content, as Repo.OpenBlobAt does.
func (v *DeltaVisit) Open(id ID, pl Place) (io.ReadCloser, error) {
	if v.walk.alone && v.node.end-v.node.off > streamAbove/1000 && v.walk.d.repo.largeWhole(id, pl) > streamAbove {
		return v.walk.d.repo.streamBlob(id, pl)
	}
	data, err := v.walk.content(v.node.level)
	if errors.Is(err, errNotHeld) {
		return v.walk.d.repo.OpenBlobAt(id, pl)
	}
	if err != nil {
		return nil, fmt.Errorf("reading object %s: %w", id, err)
	}
	return NewContent(data), nil
}

// Kept returns, ascending, what the content has from its base; nil if that is not
// known. It is to be asked after Open.
func (v *DeltaVisit) Kept() []Kept { return v.walk.frames[v.node.level].kept }

// errNotHeld says of an object that it is not built along the way.
var errNotHeld = errors.New("the object is read for itself")

// deltaWalk is one walk through a tree.
type deltaWalk struct {
	d      *Deltas
	buf    *packBuffer
	alone  bool
	frames []deltaFrame // by level: the objects that the present one is built upon
	held   int64        // bytes in frames
	delta  []byte       // reused
	free   [][]byte     // contents to be reused
}

type deltaFrame struct {
	node *deltaNode
	data []byte // nil: not built yet, or no longer needed
	err  error
	kept []Kept // nil: not known
	room []Kept // reused for kept
}

// enter makes n the present object.
func (w *deltaWalk) enter(n *deltaNode) {
	for i := int(n.level); i < len(w.frames); i++ {
		w.drop(i)
		w.frames[i].node = nil
	}
	for len(w.frames) <= int(n.level) {
		w.frames = append(w.frames, deltaFrame{})
	}
	f := &w.frames[n.level]
	f.node, f.err, f.kept = n, nil, nil
}

// drop gives up the content at a level.
func (w *deltaWalk) drop(level int) {
	f := &w.frames[level]
	if f.data == nil {
		return
	}
	w.held -= int64(len(f.data))
	if len(w.free) < 8 && cap(f.data) <= deltaHeld/8 {
		w.free = append(w.free, f.data[:0])
	}
	f.data = nil
}

// alloc returns n bytes of any content.
func (w *deltaWalk) alloc(n int64) []byte {
	best := -1
	for i, b := range w.free {
		if int64(cap(b)) >= n && (best < 0 || cap(b) < cap(w.free[best])) {
			best = i
		}
	}
	if best < 0 {
		if len(w.free) == 8 {
			w.free = w.free[1:] // too small for what comes now
		}
		return make([]byte, n, n+n/4+64)
	}
	b := w.free[best][:n]
	w.free[best] = w.free[len(w.free)-1]
	w.free = w.free[:len(w.free)-1]
	return b
}

// content builds the object at a level, and those before as far as they are
// not built yet.
func (w *deltaWalk) content(level int32) ([]byte, error) {
	from := level
	for from > 0 && w.frames[from].data == nil && w.frames[from].err == nil {
		from--
	}
	for i := from; i <= level; i++ {
		f := &w.frames[i]
		if f.data == nil && f.err == nil {
			f.err = w.build(int(i))
		}
		if f.err != nil {
			w.frames[level].err = f.err
			return nil, f.err
		}
	}
	return w.frames[level].data, nil
}

// build builds the object at a level from the one before.
func (w *deltaWalk) build(level int) error {
	f := &w.frames[level]
	if level == 0 {
		return w.whole(f)
	}
	base := &w.frames[level-1]
	h, delta, err := w.d.pack.inflateAt(w.buf, f.node.off, f.node.end, w.d.repo.maxObject, w.scratch)
	if err != nil {
		return err
	}
	if h.typ != ofsDelta {
		return w.d.pack.fault(f.node.off, errHeader) // it was another one just now
	}
	size, ops, err := deltaSize(delta, len(base.data), w.d.repo.maxObject)
	if err != nil {
		return w.d.pack.fault(f.node.off, err)
	}
	if w.held+size > deltaHeld {
		return errNotHeld
	}
	data := w.alloc(size)
	kept, err := build(data, base.data, ops, append(f.room[:0], Kept{})[:0])
	if err != nil {
		return w.d.pack.fault(f.node.off, err)
	}
	f.data, f.kept, f.room = data, kept, kept
	w.held += size
	if f.node.last {
		w.drop(level - 1)
	}
	return nil
}

// whole reads the object at level 0.
func (w *deltaWalk) whole(f *deltaFrame) error {
	h, err := w.d.pack.header(f.node.off)
	if err != nil {
		return err
	}
	if h.typ != TypeBlob || h.size > deltaHeld {
		return errNotHeld // the base of something else, of another pack, or large
	}
	_, data, err := w.d.pack.inflateAt(w.buf, f.node.off, f.node.end, deltaHeld, w.alloc)
	if err != nil {
		return err
	}
	f.data = data
	w.held += int64(len(data))
	return nil
}

// scratch returns n bytes that are used until the next call.
func (w *deltaWalk) scratch(n int64) []byte {
	if int64(cap(w.delta)) < n {
		w.delta = make([]byte, n+n/4)
	}
	return w.delta[:n]
}
