package gitsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

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
	hist   HistoryOptions
	walked *histWalk // after Walk
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

// histWalk is the state of one walk.
type histWalk struct {
	*History
	seen    [][]uint64 // a bitmap of blobs and trees for each pack
	loose   map[gitstore.ID]bool
	ids     []gitstore.ID // loose objects, by histBlob.off
	blobs   []histBlob
	paths   []string
	pathNum map[string]int32
	links   map[string]bool
	lost    int
	skip    func(outcome.Skip) error

	// Once all blobs are known, in the order of packs:
	order   []*gitstore.Commit
	infos   []*finding.Commit // by commit, made when needed
	current *placeSet
	bases   []int32 // index of the blob that one is a difference to; -1: none
	family  []int32 // index of the first of its family
}

// maxLost is how many missing objects are named one by one.
const maxLost = 100

// Walk implements source.Source.
func (h *History) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	commits, err := h.commits(ctx, skip)
	if err != nil {
		return err
	}
	w := &histWalk{History: h, loose: map[gitstore.ID]bool{}, pathNum: map[string]int32{}, links: map[string]bool{}, skip: skip}
	for _, n := range h.store.Packs() {
		w.seen = append(w.seen, make([]uint64, (n+63)/64))
	}
	if err := w.collect(ctx, commits); err != nil {
		return err
	}
	current, err := w.currentSet(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(w.blobs, func(a, b histBlob) int {
		return cmp.Or(cmp.Compare(a.place.Pack, b.place.Pack), cmp.Compare(a.off, b.off))
	})
	w.pathNum, w.seen, w.links = nil, nil, nil
	w.relate()
	w.order, w.infos, w.current = commits, make([]*finding.Commit, len(commits)), current
	h.walked = w
	for i := range w.blobs {
		if i%64 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, err := w.file(i)
		if err != nil {
			return err
		}
		w.derive(i, &f)
		if err := file(f); err != nil {
			return err
		}
	}
	return nil
}

// file returns blob i as it is on its own.
func (w *histWalk) file(i int) (source.File, error) {
	b := &w.blobs[i]
	if w.infos[b.commit] == nil {
		w.infos[b.commit] = w.commitInfo(w.order[b.commit].ID)
	}
	id, err := w.blobOf(b)
	if err != nil {
		return source.File{}, err
	}
	place := b.place
	return source.File{
		Path:       w.paths[b.path],
		Size:       w.store.Size(id, place),
		ContentID:  w.blobID(id),
		Commit:     w.infos[b.commit],
		Historical: !w.current.has(place, id),
		Open:       func() (io.ReadCloser, error) { return w.store.OpenBlobAt(id, place) },
	}, nil
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

// collect finds the blobs that each commit has and its parents have not.
func (w *histWalk) collect(ctx context.Context, commits []*gitstore.Commit) error {
	trees := make(map[gitstore.ID]gitstore.ID, len(commits))
	for _, c := range commits {
		trees[c.ID] = c.Tree
	}
	exclude := w.exclusions(gitstore.ID{})
	if head, err := w.treeOf(w.head.ID); err == nil {
		exclude = w.exclusions(head)
	}
	d := w.differ(func(path string, tree gitstore.ID, err error) error {
		return w.report(w.treeFault(path, tree, err), err)
	})
	if exclude == nil && len(w.opts.Paths) == 0 {
		d.again = w.marker(w.seen, w.loose)
	}
	var parents []gitstore.ID
	for num, c := range commits {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		parents = parents[:0]
		for _, p := range c.Parents {
			t, ok := trees[p]
			if !ok {
				pc, err := w.store.Commit(p)
				if err != nil {
					continue
				}
				t = pc.Tree
			}
			parents = append(parents, t)
		}
		err := d.newEntries(ctx, c.Tree, parents, nil, 0, func(path []byte, e *gitstore.TreeEntry) error {
			if e.Mode&gitstore.ModeMask == gitstore.ModeGitlink {
				if w.links[string(path)] {
					return nil
				}
				w.links[string(path)] = true
				return w.skip(outcome.Skip{Path: string(path), Reason: SkipSubmodule})
			}
			if !e.IsFile() {
				return nil
			}
			place, ok, err := w.store.FindPacked(e.Raw)
			if err == nil && ok && w.seen[place.Pack][place.Pos>>6]&(1<<(place.Pos&63)) != 0 {
				return nil
			}
			if exclude != nil && exclude.IgnoredPath(string(path), false) {
				return nil
			}
			var off int64
			switch {
			case err == nil && ok:
				w.seen[place.Pack][place.Pos>>6] |= 1 << (place.Pos & 63)
				off, err = w.store.PackOffset(place)
			case err == nil:
				id := e.ID()
				if w.loose[id] {
					return nil
				}
				w.loose[id] = true
				place, ok, err = w.store.Find(id)
				if err == nil && !ok {
					return w.report(w.miss(string(path), id), gitstore.ErrMissing)
				}
				off = int64(len(w.ids))
				w.ids = append(w.ids, id)
			}
			if err != nil {
				return w.skip(outcome.Skip{Path: string(path), Reason: SkipUnreadable, Detail: err.Error(), Failed: true})
			}
			w.blobs = append(w.blobs, histBlob{place: place, off: off, commit: int32(num), path: w.path(path)})
			return nil
		})
		if err != nil {
			return err
		}
	}
	if w.lost > maxLost {
		s := w.miss(".", gitstore.ID{})
		s.Detail = fmt.Sprintf("%d objects in all", w.lost)
		return w.skip(s)
	}
	return nil
}

// marker returns a function that marks an object in the bitmaps of packs, or
// loose, and reports whether it was marked before.
func (r *repo) marker(packs [][]uint64, loose map[gitstore.ID]bool) func(gitstore.ID) bool {
	return func(id gitstore.ID) bool {
		pl, ok, err := r.store.FindPacked(id.Raw())
		if err != nil || !ok {
			was := loose[id]
			loose[id] = true
			return was
		}
		set, bit := &packs[pl.Pack][pl.Pos>>6], uint64(1)<<(pl.Pos&63)
		was := *set&bit != 0
		*set |= bit
		return was
	}
}

// report passes on a skip, unless it is one of very many missing objects.
func (w *histWalk) report(s outcome.Skip, err error) error {
	if errors.Is(err, gitstore.ErrMissing) {
		if w.lost++; w.lost > maxLost {
			return nil
		}
	}
	return w.skip(s)
}

func (w *histWalk) path(p []byte) int32 {
	if n, ok := w.pathNum[string(p)]; ok {
		return n
	}
	n := int32(len(w.paths))
	s := string(p)
	w.paths = append(w.paths, s)
	w.pathNum[s] = n
	return n
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
