package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitstore"
)

// Worktree is a work tree as it lies there: tracked files and those that are
// neither tracked nor ignored.
//
// A symbolic link has no content of its own: what it names inside the root is
// visited by its own path, one that leaves the root is a skip. Tracked files
// that a sparse checkout left out are taken from the store. The conflicting
// sides of a merge count as the one file that lies in the work tree.
type Worktree struct {
	*repo
	root *rootDir
}

var _ source.Source = (*Worktree)(nil)

// NewWorktree opens the work tree whose root is path.
func NewWorktree(path string, opts Options) (*Worktree, error) {
	r, err := openRepo(path, opts)
	if err != nil {
		return nil, err
	}
	root, err := r.openWorkTree()
	if err != nil {
		r.Close()
		return nil, err
	}
	return &Worktree{repo: r, root: root}, nil
}

func (r *repo) openWorkTree() (*rootDir, error) {
	if r.store.WorkTree() == "" {
		return nil, errors.New("the repository is bare: it has no work tree, examine a revision instead")
	}
	root, err := openRootDir(r.store.WorkTree())
	if err != nil {
		return nil, fmt.Errorf("opening work tree: %w", err)
	}
	return root, nil
}

// Walk implements source.Source. Files come in the order of their paths.
func (w *Worktree) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	index, err := w.store.Index()
	if err != nil {
		return err
	}
	return walkTree(ctx, w.repo, w.root, index, func(v *visit) error {
		switch {
		case v.skip != nil:
			return skip(*v.skip)
		case v.sparse:
			return w.sparse(ctx, &index.Entries[v.entry], file, skip)
		}
		return file(w.file(w.root, index, v))
	})
}

// file is a regular file of the work tree.
func (r *repo) file(root *rootDir, index *gitstore.Index, v *visit) source.File {
	path := v.path
	f := source.File{Path: path, Size: v.size, Open: func() (io.ReadCloser, error) {
		f, err := root.openFile(path)
		if err != nil {
			return nil, err
		}
		return f, nil
	}}
	if v.clean {
		f.ContentID = "wt-" + r.blobID(index.Entries[v.entry].ID)
	}
	return f
}

// sparse offers what a sparse checkout left out: a file, or in a sparse index
// a whole folder.
func (r *repo) sparse(ctx context.Context, e *gitstore.Entry, file func(source.File) error, skip func(outcome.Skip) error) error {
	if !e.IsDir() {
		return r.offerSparse(e.Path, e.ID, file, skip)
	}
	exclude := r.exclusions(gitstore.ID{})
	return r.walkBlobs(ctx, e.ID, e.Path, exclude, func(path string, te gitstore.TreeEntry) error {
		return r.offerSparse(path, te.ID(), file, skip)
	}, func(s outcome.Skip) error {
		if s.Reason == SkipPartial || s.Reason == SkipMissing {
			s = outcome.Skip{Path: s.Path, Reason: SkipSparse}
		}
		return skip(s)
	})
}

func (r *repo) offerSparse(path string, id gitstore.ID, file func(source.File) error, skip func(outcome.Skip) error) error {
	return r.offer(path, id, nil, false, file, func(s outcome.Skip) error {
		if s.Reason == SkipPartial || s.Reason == SkipMissing {
			s = outcome.Skip{Path: s.Path, Reason: SkipSparse}
		}
		return skip(s)
	})
}
