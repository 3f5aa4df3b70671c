package gitsource

import (
	"cmp"
	"context"
	"slices"

	"bulwark/internal/source"
)

var _ source.Families = (*History)(nil)

// relate finds out which blobs packs store as a difference to another blob of
// the walk at the same path. Packs hold a base before what differs from it.
func (w *histWalk) relate() {
	w.bases = make([]int32, len(w.blobs))
	w.family = make([]int32, len(w.blobs))
	for i := range w.blobs {
		w.bases[i], w.family[i] = -1, int32(i)
		b := &w.blobs[i]
		off, ok := w.store.DeltaBase(b.place)
		if !ok {
			continue
		}
		at, found := slices.BinarySearchFunc(w.blobs[:i], histBlob{place: b.place, off: off}, func(x, y histBlob) int {
			return cmp.Or(cmp.Compare(x.place.Pack, y.place.Pack), cmp.Compare(x.off, y.off))
		})
		if found && w.blobs[at].path == b.path {
			w.bases[i], w.family[i] = int32(at), w.family[at]
		}
	}
}

// derive makes f, blob i, one of its family.
func (w *histWalk) derive(i int, f *source.File) {
	f.Family = int(w.family[i]) + 1
	base := w.bases[i]
	if base < 0 {
		return
	}
	id, err := w.blobOf(&w.blobs[base])
	if err != nil {
		return // it is then looked at as a whole
	}
	f.ContentID += "-" + id.String()
	place := w.blobs[i].place
	f.Fresh = func() ([]source.Range, error) {
		fresh, err := w.store.Fresh(place)
		if err != nil {
			return nil, err
		}
		out := make([]source.Range, len(fresh))
		for i, r := range fresh {
			out[i] = source.Range(r)
		}
		return out, nil
	}
}

// Again implements source.Families.
func (h *History) Again(ctx context.Context, families map[int]bool, file func(source.File) error) error {
	w := h.walked
	if w == nil {
		return nil
	}
	for i := range w.blobs {
		if !families[int(w.family[i])+1] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		f, err := w.file(i)
		if err != nil {
			return err
		}
		if err := file(f); err != nil {
			return err
		}
	}
	return nil
}
