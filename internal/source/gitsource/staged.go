package gitsource

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitstore"
)

// Staged is what the next commit would introduce: the blobs of the index that
// differ from HEAD. Of a conflict it has all sides. Before has what HEAD has
// in their place.
type Staged struct {
	*repo
	list   *blobList
	before *blobList
}

var _ source.Source = (*Staged)(nil)

// NewStaged opens the staging area of the repository at path.
func NewStaged(ctx context.Context, path string, opts Options) (*Staged, error) {
	r, err := openRepo(path, opts)
	if err != nil {
		return nil, err
	}
	s := &Staged{repo: r}
	if err := s.find(ctx); err != nil {
		r.Close()
		return nil, fmt.Errorf("finding what is staged: %w", err)
	}
	return s, nil
}

func (s *Staged) find(ctx context.Context) error {
	index, err := s.store.Index()
	if err != nil {
		return err
	}
	tree, err := s.treeOf(s.head.ID)
	if err != nil {
		return err
	}
	s.asset.Base = s.asset.Revision
	s.list = &blobList{repo: s.repo, asset: s.asset}
	s.before = &blobList{repo: s.repo, asset: s.asset}
	d := s.differ(func(path string, tree gitstore.ID, err error) error {
		s.list.skips = append(s.list.skips, s.treeFault(path, tree, err))
		return nil
	})
	diff, err := d.compareIndex(ctx, index, tree)
	if err != nil {
		return err
	}
	s.before.blobs = diff.before
	return s.collect(ctx, index, s.list, func(i int) bool { return diff.differs[i] })
}

// collect adds to list the blobs of the index entries that want names.
func (s *Staged) collect(ctx context.Context, index *gitstore.Index, list *blobList, want func(i int) bool) error {
	exclude := s.exclusions(gitstore.ID{})
	for i := range index.Entries {
		if e := &index.Entries[i]; e.Path == IgnoreFile && e.IsFile() && !e.IntentToAdd {
			exclude = exclude.Add("", s.ignoreBlob(e.ID))
			break
		}
	}
	for i := range index.Entries {
		e := &index.Entries[i]
		if !want(i) || e.IntentToAdd || !s.wanted(e.Path) && !e.IsDir() {
			continue
		}
		switch {
		case e.IsGitlink():
			list.skips = append(list.skips, outcome.Skip{Path: e.Path, Reason: SkipSubmodule})
		case exclude.IgnoredPath(e.Path, false):
			list.skips = append(list.skips, outcome.Skip{Path: e.Path, Reason: SkipExcluded})
		case e.IsDir():
			err := s.walkBlobs(ctx, e.ID, e.Path, exclude, func(path string, te gitstore.TreeEntry) error {
				list.blobs = append(list.blobs, pathID{path, te.ID()})
				return nil
			}, func(k outcome.Skip) error {
				list.skips = append(list.skips, k)
				return nil
			})
			if err != nil {
				return err
			}
		case e.IsFile():
			list.blobs = append(list.blobs, pathID{e.Path, e.ID})
		}
	}
	return nil
}

// Walk implements source.Source.
func (s *Staged) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	return s.list.Walk(ctx, file, skip)
}

// Before is what HEAD has where the index differs.
func (s *Staged) Before() source.Source { return s.before }

// Whole is everything that the next commit holds.
func (s *Staged) Whole() source.Source { return &wholeIndex{s} }

// wholeIndex is the whole index of a Staged.
type wholeIndex struct{ *Staged }

// Walk implements source.Source.
func (w *wholeIndex) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	index, err := w.store.Index()
	if err != nil {
		return err
	}
	list := &blobList{repo: w.repo, asset: w.asset}
	if err := w.collect(ctx, index, list, func(int) bool { return true }); err != nil {
		return err
	}
	return list.Walk(ctx, file, skip)
}

// inParallel calls fn for 0 to n-1 from several goroutines (one per core if
// workers is 0) until ctx is done.
func inParallel(ctx context.Context, workers, n int, fn func(int)) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				fn(i)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
