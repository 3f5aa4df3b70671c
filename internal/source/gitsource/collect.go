package gitsource

import (
	"context"
	"fmt"
	"runtime"

	"bulwark/internal/outcome"
	"bulwark/internal/source/gitstore"
)

// maxLost is how many missing objects are named one by one.
const maxLost = 100

// minStretch is the least number of commits that is worth a goroutine.
const minStretch = 500

// stretch is a number of successive commits, and what they have that their
// parents have not. Several are walked at once, each as if it were the first. What
// of one an earlier one has as well is dropped afterwards, so that together they
// give what one walk through all commits gives.
type stretch struct {
	*History
	seen    [][]uint64 // a bitmap of blobs and trees for each pack
	loose   map[gitstore.ID]bool
	ids     []gitstore.ID // loose objects, by histBlob.off
	blobs   []histBlob
	paths   []string
	pathNum map[string]int32
	links   map[string]bool
	left    []leftOut
}

// leftOut is a skip, and what it is about.
type leftOut struct {
	skip    outcome.Skip
	about   gitstore.ID // an object; or
	link    string      // the path of a submodule
	missing bool
}

// collect finds the blobs that each commit has and its parents have not.
func (w *histWalk) collect(ctx context.Context, skip func(outcome.Skip) error) error {
	return w.collectIn(ctx, min(runtime.GOMAXPROCS(0), len(w.order)/minStretch), skip)
}

// collectIn is collect in up to n stretches.
func (w *histWalk) collectIn(ctx context.Context, n int, skip func(outcome.Skip) error) error {
	commits := w.order
	trees := make(map[gitstore.ID]gitstore.ID, len(commits))
	for _, c := range commits {
		trees[c.ID] = c.Tree
	}
	exclude := w.exclusions(gitstore.ID{})
	if head, err := w.treeOf(w.head.ID); err == nil {
		exclude = w.exclusions(head)
	}
	// A tree that an earlier stretch saw has nothing new: all that it holds was
	// seen then. If only a part of the history is looked at, or of the paths, that
	// need not be.
	all := exclude == nil && len(w.opts.Paths) == 0
	if !all || w.hist != (HistoryOptions{}) {
		n = 1
	}
	n = max(1, n)
	stretches := make([]*stretch, n)
	errs := make([]error, n)
	err := inParallel(ctx, n, n, func(i int) {
		s := &stretch{History: w.History, loose: map[gitstore.ID]bool{}, pathNum: map[string]int32{}, links: map[string]bool{}}
		stretches[i] = s
		for _, n := range s.store.Packs() {
			s.seen = append(s.seen, make([]uint64, (n+63)/64))
		}
		d := s.differ(func(path string, tree gitstore.ID, err error) error {
			s.left = append(s.left, leftOut{skip: s.treeFault(path, tree, err), about: tree, missing: isMissing(err)})
			return nil
		})
		if all {
			d.again = s.marker(s.seen, s.loose)
		}
		var parents []gitstore.ID
		for num := i * len(commits) / n; num < (i+1)*len(commits)/n && errs[i] == nil; num++ {
			c := commits[num]
			parents = parents[:0]
			for _, p := range c.Parents {
				t, ok := trees[p]
				if !ok {
					pc, err := s.store.Commit(p)
					if err != nil {
						continue
					}
					t = pc.Tree
				}
				parents = append(parents, t)
			}
			errs[i] = d.newEntries(ctx, c.Tree, parents, nil, 0, func(path []byte, e *gitstore.TreeEntry) error {
				if exclude != nil && e.IsFile() && exclude.IgnoredPath(string(path), false) {
					return nil
				}
				s.entry(int32(num), path, e)
				return nil
			})
		}
	})
	if err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return w.join(stretches, all, skip)
}

// entry takes an entry of a tree that its commit's parents have not.
func (s *stretch) entry(commit int32, path []byte, e *gitstore.TreeEntry) {
	if e.Mode&gitstore.ModeMask == gitstore.ModeGitlink {
		if p := string(path); !s.links[p] {
			s.links[p] = true
			s.left = append(s.left, leftOut{skip: outcome.Skip{Path: p, Reason: SkipSubmodule}, link: p})
		}
		return
	}
	if !e.IsFile() {
		return
	}
	place, ok, err := s.store.FindPacked(e.Raw)
	var off int64
	switch {
	case err == nil && ok:
		set, bit := &s.seen[place.Pack][place.Pos>>6], uint64(1)<<(place.Pos&63)
		if *set&bit != 0 {
			return
		}
		*set |= bit
		off, err = s.store.PackOffset(place)
	case err == nil:
		id := e.ID()
		if s.loose[id] {
			return
		}
		s.loose[id] = true
		place, ok, err = s.store.Find(id)
		if err == nil && !ok {
			s.left = append(s.left, leftOut{skip: s.miss(string(path), id), about: id, missing: true})
			return
		}
		off = int64(len(s.ids))
		s.ids = append(s.ids, id)
	}
	if err != nil {
		s.left = append(s.left, leftOut{skip: outcome.Skip{Path: string(path), Reason: SkipUnreadable, Detail: err.Error(), Failed: true}, about: e.ID()})
		return
	}
	s.blobs = append(s.blobs, histBlob{place: place, off: off, commit: commit, path: s.path(path)})
}

func (s *stretch) path(p []byte) int32 {
	if n, ok := s.pathNum[string(p)]; ok {
		return n
	}
	n := int32(len(s.paths))
	name := string(p)
	s.paths = append(s.paths, name)
	s.pathNum[name] = n
	return n
}

// join takes what each stretch found and none before it did. once says that a
// tree was compared once within a stretch.
func (w *histWalk) join(stretches []*stretch, once bool, skip func(outcome.Skip) error) error {
	first := stretches[0]
	w.ids, w.blobs, w.paths = first.ids, first.blobs, first.paths
	left := first.left
	told := map[gitstore.ID]bool{}
	if once {
		for _, l := range left {
			told[l.about] = true
		}
	}
	have := map[gitstore.ID]bool{}
	for _, id := range w.ids {
		have[id] = true
	}
	for _, s := range stretches[1:] {
		names := make([]int32, len(s.paths))
		for i := range names {
			names[i] = -1
		}
		for _, b := range s.blobs {
			if b.place.Pack < 0 {
				id := s.ids[b.off]
				if have[id] {
					continue
				}
				have[id] = true
				b.off = int64(len(w.ids))
				w.ids = append(w.ids, id)
			} else {
				set, bit := &first.seen[b.place.Pack][b.place.Pos>>6], uint64(1)<<(b.place.Pos&63)
				if *set&bit != 0 {
					continue
				}
				*set |= bit
			}
			if names[b.path] < 0 {
				names[b.path] = first.path([]byte(s.paths[b.path]))
			}
			b.path = names[b.path]
			w.blobs = append(w.blobs, b)
		}
		for _, l := range s.left {
			if l.link != "" && !first.links[l.link] || l.link == "" && !told[l.about] {
				first.links[l.link], told[l.about] = true, true
				left = append(left, l)
			}
		}
	}
	w.paths = first.paths
	return w.report(left, skip)
}

// report passes on what was left out, but of very many missing objects only the
// first.
func (w *histWalk) report(left []leftOut, skip func(outcome.Skip) error) error {
	lost := 0
	for _, l := range left {
		if l.missing {
			if lost++; lost > maxLost {
				continue
			}
		}
		if err := skip(l.skip); err != nil {
			return err
		}
	}
	if lost > maxLost {
		s := w.miss(".", gitstore.ID{})
		s.Detail = fmt.Sprintf("%d objects in all", lost)
		return skip(s)
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
