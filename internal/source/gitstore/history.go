package gitstore

import (
	"container/heap"
	"context"
	"fmt"
	"math"
)

// Range returns the commits that are reachable from tip but not from base,
// parents before children. Missing commits are passed over and counted.
func (r *Repo) Range(ctx context.Context, base, tip ID) (commits []*Commit, missing int, err error) {
	marks := map[ID]uint8{}
	q := &commitQueue{}
	wanted := 0 // queued commits not known to be reachable from base
	queued := map[ID]int{}
	push := func(id ID, mark uint8) error {
		have := marks[id]
		if have&mark == mark {
			return nil
		}
		c, err := r.Commit(id)
		if isMissing(err) {
			missing++
			return nil
		}
		if err != nil {
			return err
		}
		if have&fromB == 0 && mark&fromB != 0 {
			wanted -= queued[id]
		}
		marks[id] = have | mark
		queued[id]++
		if marks[id]&fromB == 0 {
			wanted++
		}
		heap.Push(q, c)
		return nil
	}
	if !base.IsZero() {
		if err := push(base, fromB); err != nil {
			return nil, 0, err
		}
	}
	if err := push(tip, fromA); err != nil {
		return nil, 0, err
	}
	// When nothing wanted is left in the queue, what was wanted may still turn
	// out to be reachable from base: by commits as young as it, or by some
	// whose clock was wrong.
	const patience = 64
	oldest := int64(math.MaxInt64)
	extra := 0
	seen := map[ID]bool{}
	var out []*Commit
	for n := 0; q.Len() > 0; n++ {
		if wanted == 0 && q.items[0].Time < oldest {
			if extra++; extra > patience {
				break
			}
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		c := heap.Pop(q).(*Commit)
		m := marks[c.ID]
		queued[c.ID]--
		if m&fromB == 0 {
			wanted--
			oldest = min(oldest, c.Time)
		}
		if !seen[c.ID] {
			seen[c.ID] = true
			out = append(out, c)
		}
		for _, p := range c.Parents {
			if err := push(p, m&(fromA|fromB)); err != nil {
				return nil, 0, err
			}
		}
	}
	var keep []*Commit
	for _, c := range out {
		if marks[c.ID]&fromB == 0 {
			keep = append(keep, c)
		}
	}
	return TopoOrder(keep), missing, nil
}

// TopoOrder orders commits so that parents come before children, the older
// first where that leaves a choice.
func TopoOrder(commits []*Commit) []*Commit {
	index := make(map[ID]int32, len(commits))
	for i, c := range commits {
		index[c.ID] = int32(i)
	}
	children := make([][]int32, len(commits))
	waiting := make([]int32, len(commits))
	for i, c := range commits {
		for _, p := range c.Parents {
			if j, ok := index[p]; ok {
				children[j] = append(children[j], int32(i))
				waiting[i]++
			}
		}
	}
	q := &oldestFirst{commits: commits}
	for i := range commits {
		if waiting[i] == 0 {
			heap.Push(q, int32(i))
		}
	}
	out := make([]*Commit, 0, len(commits))
	for q.Len() > 0 {
		i := heap.Pop(q).(int32)
		out = append(out, commits[i])
		for _, ch := range children[i] {
			if waiting[ch]--; waiting[ch] == 0 {
				heap.Push(q, ch)
			}
		}
	}
	return out
}

type oldestFirst struct {
	commits []*Commit
	heap    []int32
}

func (q *oldestFirst) Len() int { return len(q.heap) }
func (q *oldestFirst) Less(i, j int) bool {
	a, b := q.commits[q.heap[i]], q.commits[q.heap[j]]
	if a.Time != b.Time {
		return a.Time < b.Time
	}
	return a.ID.Compare(b.ID) < 0
}
func (q *oldestFirst) Swap(i, j int) { q.heap[i], q.heap[j] = q.heap[j], q.heap[i] }
func (q *oldestFirst) Push(x any)    { q.heap = append(q.heap, x.(int32)) }
func (q *oldestFirst) Pop() any {
	n := len(q.heap) - 1
	i := q.heap[n]
	q.heap = q.heap[:n]
	return i
}

// RootCommit returns the commit without parents that is reached from id by
// first parents.
func (r *Repo) RootCommit(ctx context.Context, id ID) (ID, error) {
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ID{}, context.Cause(ctx)
		}
		if r.shallow[id] {
			return ID{}, fmt.Errorf("%w: run `git fetch --unshallow`, or check out with fetch-depth: 0", ErrShallow)
		}
		parent, err := r.firstParent(id)
		if err != nil {
			return ID{}, err
		}
		if parent.IsZero() {
			return id, nil
		}
		id = parent
	}
}

// firstParent returns the first parent of a commit, zero if it has none. Of a
// commit that lies whole in a pack it inflates no more than it must.
func (r *Repo) firstParent(id ID) (ID, error) {
	if pl, ok, err := r.FindPacked(id.Raw()); err == nil && ok {
		if p, ok := r.quickParent(r.packs[pl.Pack], pl); ok {
			return p, nil
		}
	}
	c, err := r.Commit(id)
	if err != nil || len(c.Parents) == 0 {
		return ID{}, err
	}
	return c.Parents[0], nil
}

func (r *Repo) quickParent(p *pack, pl Place) (ID, bool) {
	off, err := p.idx.offset(int(pl.Pos))
	if err != nil || p.open() != nil {
		return ID{}, false
	}
	buf := packBuffers.Get().(*packBuffer)
	defer packBuffers.Put(buf)
	src, err := p.readAt(buf, off, 512)
	if err != nil {
		return ID{}, false
	}
	h, err := parseHeader(src, off, p.idx.idLen)
	if err != nil || h.typ != TypeCommit {
		return ID{}, false
	}
	need := len("tree \nparent \n") + 4*r.format.Size()
	var head [160]byte
	n, err := unzlibPrefix(head[:need], src[h.data-off:])
	if err != nil || n < need {
		return ID{}, false
	}
	_, rest, ok := headerID(head[:n], "tree ", r.format)
	if !ok {
		return ID{}, false
	}
	if parent, _, ok := headerID(rest, "parent ", r.format); ok {
		return parent, true
	}
	return ID{}, len(rest) > 7 && string(rest[:7]) == "author "
}

// Reachable returns the commits that any of tips reaches, but not since
// (unless zero), parents before children, and how many are missing.
func (r *Repo) Reachable(ctx context.Context, tips []ID, since ID) (commits []*Commit, missing int, err error) {
	hide := map[ID]bool{}
	if !since.IsZero() {
		behind, _, err := r.Reachable(ctx, []ID{since}, ID{})
		if err != nil {
			return nil, 0, err
		}
		for _, c := range behind {
			hide[c.ID] = true
		}
	}
	var out []*Commit
	stack := append([]ID(nil), tips...)
	for n := 0; len(stack) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if hide[id] {
			continue
		}
		hide[id] = true
		c, err := r.Commit(id)
		if isMissing(err) {
			missing++
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		out = append(out, c)
		stack = append(stack, c.Parents...)
	}
	return TopoOrder(out), missing, nil
}
