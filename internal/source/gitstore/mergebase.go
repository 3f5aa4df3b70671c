package gitstore

import (
	"container/heap"
	"context"
	"fmt"
	"math"
)

// Marks of commits while two histories are walked.
const (
	fromA uint8 = 1 << iota
	fromB
	stale  // an ancestor of a common ancestor
	result // a common ancestor, perhaps not the best
)

// commitQueue gives the youngest commit first.
type commitQueue struct {
	items []*Commit
	seq   []int // insertion order, so that equal dates stay in order
	n     int
}

func (q *commitQueue) Len() int { return len(q.items) }
func (q *commitQueue) Less(i, j int) bool {
	if q.items[i].Time != q.items[j].Time {
		return q.items[i].Time > q.items[j].Time
	}
	return q.seq[i] < q.seq[j]
}
func (q *commitQueue) Swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	q.seq[i], q.seq[j] = q.seq[j], q.seq[i]
}
func (q *commitQueue) Push(x any) {
	q.items = append(q.items, x.(*Commit))
	q.seq = append(q.seq, q.n)
	q.n++
}
func (q *commitQueue) Pop() any {
	last := len(q.items) - 1
	c := q.items[last]
	q.items, q.seq = q.items[:last], q.seq[:last]
	return c
}

// MergeBase returns the best common ancestor of two commits; of several (after
// criss-cross merges) the youngest. Where there is none the error wraps
// ErrShallow if the clone may be to blame, else ErrNotFound.
func (r *Repo) MergeBase(ctx context.Context, a, b ID) (ID, error) {
	if a == b {
		return a, nil
	}
	found, cut, err := r.commonAncestors(ctx, a, b)
	if err != nil {
		return ID{}, fmt.Errorf("finding the merge base of %s and %s: %w", a, b, err)
	}
	if len(found) == 0 {
		if cut {
			return ID{}, fmt.Errorf("finding the merge base of %s and %s: %w before they meet: run `git fetch --unshallow`, or check out with fetch-depth: 0", a, b, ErrShallow)
		}
		return ID{}, fmt.Errorf("finding the merge base of %s and %s: %w: their histories have nothing in common", a, b, ErrNotFound)
	}
	// Clocks that run backwards can leave an ancestor of another candidate.
	for len(found) > 1 {
		reduced := false
		for i := 1; i < len(found) && !reduced; i++ {
			common, _, err := r.commonAncestors(ctx, found[0], found[i])
			if err != nil {
				return ID{}, err
			}
			for _, c := range common {
				if c == found[0] {
					found, reduced = found[1:], true
				} else if c == found[i] {
					found, reduced = append(found[:i:i], found[i+1:]...), true
				}
				if reduced {
					break
				}
			}
		}
		if !reduced {
			break
		}
	}
	return found[0], nil
}

// commonAncestors returns common ancestors of a and b that no other returned
// one is known to descend from, the youngest first. cut reports whether the
// walk met a commit whose parents were cut off.
func (r *Repo) commonAncestors(ctx context.Context, a, b ID) (found []ID, cut bool, err error) {
	marks := map[ID]uint8{}
	q := &commitQueue{}
	fresh := 0 // queued commits that are not stale
	queued := map[ID]int{}
	push := func(id ID, mark uint8) error {
		have := marks[id]
		if have&mark == mark {
			return nil
		}
		c, err := r.Commit(id)
		if err != nil {
			return err
		}
		if have&stale == 0 && mark&stale != 0 {
			fresh -= queued[id]
		}
		marks[id] = have | mark
		queued[id]++
		if marks[id]&stale == 0 {
			fresh++
		}
		heap.Push(q, c)
		return nil
	}
	if err := push(a, fromA); err != nil {
		return nil, false, err
	}
	if err := push(b, fromB); err != nil {
		return nil, false, err
	}
	var results []ID
	for n := 0; fresh > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		c := heap.Pop(q).(*Commit)
		m := marks[c.ID]
		queued[c.ID]--
		if m&stale == 0 {
			fresh--
		}
		cut = cut || r.shallow[c.ID]
		pass := m & (fromA | fromB | stale)
		if m&(fromA|fromB) == fromA|fromB {
			if m&result == 0 {
				marks[c.ID] |= result
				results = append(results, c.ID)
			}
			pass |= stale
		}
		for _, p := range c.Parents {
			if err := push(p, pass); err != nil {
				return nil, false, err
			}
		}
	}
	for _, id := range results {
		if marks[id]&stale == 0 {
			found = append(found, id)
		}
	}
	return found, cut, nil
}

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
		c, err := r.Commit(id)
		if err != nil {
			return ID{}, err
		}
		if len(c.Parents) == 0 {
			return id, nil
		}
		id = c.Parents[0]
	}
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
