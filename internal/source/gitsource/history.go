package gitsource

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitstore"
)

// History is every blob that HEAD, a branch, a tag, a remote branch, a stash
// or another reference reaches, once, with the first commit that has it: the
// oldest, parents before children. Blobs that HEAD's tree still holds are not
// Historical. Files come in the order in which packs hold them; opened in
// about that order, each is built from what was built before.
type History struct {
	*repo
	hist HistoryOptions
}

// HistoryOptions restrict a history. The zero value asks for all of it.
type HistoryOptions struct {
	// Optional: leave out what this revision reaches.
	Since string
	// Optional: look at so many commits, the last in topological order; what
	// older ones have is left out.
	Limit int
}

var _ source.Source = (*History)(nil)

// NewHistory opens the history of the repository at path.
func NewHistory(path string, opts Options, hist HistoryOptions) (*History, error) {
	r, err := openRepo(path, opts)
	if err != nil {
		return nil, err
	}
	r.noteGaps()
	return &History{repo: r, hist: hist}, nil
}

// histBlob is a blob on its way out. There are as many as the history has
// blobs: keep it small.
type histBlob struct {
	place  gitstore.Place
	off    int64 // in its pack; of a loose object, its position in History's list
	commit int32
	path   int32
}

// histWalk is what was found.
type histWalk struct {
	*History
	ids   []gitstore.ID // loose objects, by histBlob.off
	blobs []histBlob    // in the order of packs
	paths []string

	order   []*gitstore.Commit
	infos   []atomic.Pointer[finding.Commit] // by commit, made when needed
	current *placeSet
}

// Walk implements source.Source.
func (h *History) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	w, err := h.find(ctx, skip)
	if err != nil {
		return err
	}
	for i := range w.blobs {
		if i%64 == 0 && ctx.Err() != nil {
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

// find finds all blobs.
func (h *History) find(ctx context.Context, skip func(outcome.Skip) error) (*histWalk, error) {
	commits, err := h.commits(ctx, skip)
	if err != nil {
		return nil, err
	}
	w := &histWalk{History: h, order: commits, infos: make([]atomic.Pointer[finding.Commit], len(commits))}
	if err := w.collect(ctx, skip); err != nil {
		return nil, err
	}
	if w.current, err = w.currentSet(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(w.blobs, func(a, b histBlob) int {
		return cmp.Or(cmp.Compare(a.place.Pack, b.place.Pack), cmp.Compare(a.off, b.off))
	})
	return w, nil
}

// file returns blob i as it is on its own.
func (w *histWalk) file(i int) (source.File, error) {
	f, id, err := w.describe(i)
	if err != nil {
		return f, err
	}
	place := w.blobs[i].place
	f.Size = w.store.Size(id, place)
	f.Open = func() (io.ReadCloser, error) { return w.store.OpenBlobAt(id, place) }
	return f, nil
}

// describe returns what is known of blob i without looking at it.
func (w *histWalk) describe(i int) (source.File, gitstore.ID, error) {
	b := &w.blobs[i]
	info := w.infos[b.commit].Load()
	if info == nil {
		w.infos[b.commit].CompareAndSwap(nil, w.commitInfo(w.order[b.commit].ID))
		info = w.infos[b.commit].Load()
	}
	id, err := w.blobOf(b)
	if err != nil {
		return source.File{}, id, err
	}
	return source.File{
		Path: w.paths[b.path], Size: -1, ContentID: w.blobID(id), Commit: info, Historical: !w.current.has(b.place, id),
	}, id, nil
}

func (w *histWalk) blobOf(b *histBlob) (gitstore.ID, error) {
	if b.place.Pack < 0 {
		return w.ids[b.off], nil
	}
	return w.store.PackedID(b.place)
}

// commits returns the commits to look at, parents before children.
func (h *History) commits(ctx context.Context, skip func(outcome.Skip) error) ([]*gitstore.Commit, error) {
	refs, err := h.store.Refs()
	if err != nil {
		return nil, err
	}
	var tips []gitstore.ID
	lost := 0
	for _, ref := range refs {
		id, typ, err := h.store.Peel(ref.ID)
		switch {
		case isMissing(err):
			lost++
		case err != nil:
			if err := skip(outcome.Skip{Path: ref.Name, Reason: SkipUnreadable, Detail: err.Error(), Failed: true}); err != nil {
				return nil, err
			}
		case typ == gitstore.TypeCommit:
			tips = append(tips, id)
		}
	}
	var since gitstore.ID
	if h.hist.Since != "" {
		if since, err = h.store.Resolve(h.hist.Since); err != nil {
			return nil, err
		}
		h.asset.Base = since.String()
	}
	commits, missing, err := h.store.Reachable(ctx, tips, since)
	if err != nil {
		return nil, err
	}
	if lost += missing; lost > 0 {
		s := outcome.Skip{Path: ".", Reason: SkipMissing, Detail: fmt.Sprintf("%d commits", lost), Failed: true}
		if h.store.Partial() {
			s.Reason, s.Failed = SkipPartial, false
		}
		if err := skip(s); err != nil {
			return nil, err
		}
	}
	if h.hist.Limit > 0 && len(commits) > h.hist.Limit {
		commits = commits[len(commits)-h.hist.Limit:]
		h.notice("history-limited", fmt.Sprintf("Only the last %d commits were looked at, as asked for.", h.hist.Limit))
	}
	return commits, nil
}

// placeSet is a set of objects.
type placeSet struct {
	packs [][]uint64
	loose map[gitstore.ID]bool
}

func (s *placeSet) has(pl gitstore.Place, id gitstore.ID) bool {
	if pl.Pack < 0 {
		return s.loose[id]
	}
	return s.packs[pl.Pack][pl.Pos>>6]&(1<<(pl.Pos&63)) != 0
}

// currentSet returns the blobs of HEAD's tree.
func (w *histWalk) currentSet(ctx context.Context) (*placeSet, error) {
	s := &placeSet{loose: map[gitstore.ID]bool{}}
	for _, n := range w.store.Packs() {
		s.packs = append(s.packs, make([]uint64, (n+63)/64))
	}
	tree, err := w.treeOf(w.head.ID)
	if err != nil || tree.IsZero() {
		return s, nil
	}
	d := w.differ(func(string, gitstore.ID, error) error { return nil })
	mark := w.marker(s.packs, s.loose)
	if len(w.opts.Paths) == 0 {
		d.again = mark
	}
	err = d.newEntries(ctx, tree, nil, nil, 0, func(_ []byte, e *gitstore.TreeEntry) error {
		mark(e.ID())
		return nil
	})
	return s, err
}
