package gitstore

import (
	"container/heap"
	"context"
	"fmt"
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
