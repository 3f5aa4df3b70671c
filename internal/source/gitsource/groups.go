package gitsource

import (
	"context"
	"io"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitstore"
)

var _ source.Grouped = (*History)(nil)

// looseGroup is how many blobs that packs do not hold make a group.
const looseGroup = 16

// Groups implements source.Grouped. A group is a blob that a pack stores whole
// and those that it stores as differences to it, or to one another: going
// through them in the order of gitstore.Deltas builds each just once.
func (h *History) Groups(ctx context.Context, group func(source.Group) error, skip func(outcome.Skip) error) error {
	w, err := h.find(ctx, skip)
	if err != nil {
		return err
	}
	for from, to := 0, 0; from < len(w.blobs); from = to {
		pack := w.blobs[from].place.Pack
		for to = from; to < len(w.blobs) && w.blobs[to].place.Pack == pack; {
			to++
		}
		if pack < 0 {
			err = w.loosely(from, to, group)
		} else {
			err = w.packed(ctx, pack, from, to, group)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// loosely groups blobs that have nothing in common.
func (w *histWalk) loosely(from, to int, group func(source.Group) error) error {
	for i := from; i < to; i += looseGroup {
		err := group(func(ctx context.Context, file func(source.File) error) error {
			for k := i; k < min(i+looseGroup, to); k++ {
				f, err := w.file(k)
				if err == nil {
					err = file(f)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// packed groups blobs of one pack.
func (w *histWalk) packed(ctx context.Context, pack int32, from, to int, group func(source.Group) error) error {
	offsets := make([]int64, 0, to-from)
	blobs := make([]int32, 0, to-from)
	for i := from; i < to; i++ {
		off := w.blobs[i].off
		if n := len(offsets); n > 0 && offsets[n-1] == off {
			// A damaged index: two names for one object.
			if err := w.loosely(i, i+1, group); err != nil {
				return err
			}
			continue
		}
		offsets, blobs = append(offsets, off), append(blobs, int32(i))
	}
	deltas, err := w.store.Deltas(ctx, pack, offsets)
	if err != nil {
		return err
	}
	for _, tree := range deltas.Trees() {
		err := group(func(ctx context.Context, file func(source.File) error) error {
			return deltas.Walk(tree, func(v *gitstore.DeltaVisit) error {
				if err := ctx.Err(); err != nil {
					return context.Cause(ctx)
				}
				i := int(blobs[v.Index])
				place := w.blobs[i].place
				f, id, err := w.describe(i)
				if err != nil {
					return err
				}
				f.Size = v.Size
				f.Version = &source.Version{
					Level: v.Level, Leaf: v.Leaf, Last: v.Last, Based: v.Based,
					Kept: func() []source.Kept { return kept(v.Kept()) },
				}
				f.Open = func() (io.ReadCloser, error) { return v.Open(id, place) }
				return file(f)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func kept(in []gitstore.Kept) []source.Kept {
	if in == nil {
		return nil
	}
	out := make([]source.Kept, len(in))
	for i, k := range in {
		out[i] = source.Kept(k)
	}
	return out
}
