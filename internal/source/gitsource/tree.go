package gitsource

import (
	"context"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitstore"
)

// Tree is the tree of one commit.
type Tree struct {
	*repo
	commit gitstore.ID
}

var _ source.Source = (*Tree)(nil)

// NewTree opens the tree of the commit that rev names, HEAD if it is empty.
func NewTree(path, rev string, opts Options) (*Tree, error) {
	r, err := openRepo(path, opts)
	if err != nil {
		return nil, err
	}
	id, err := r.store.Resolve(rev)
	if err != nil {
		r.Close()
		return nil, err
	}
	if rev != "" && id != r.head.ID {
		r.asset.Branch = ""
	}
	r.asset.Revision = id.String()
	return &Tree{repo: r, commit: id}, nil
}

// NewBase opens the whole tree of the merge base of HEAD and baseRev.
func NewBase(ctx context.Context, path, baseRev string, opts Options) (*Tree, error) {
	r, err := openRepo(path, opts)
	if err != nil {
		return nil, err
	}
	base, err := r.mergeBase(ctx, baseRev)
	if err != nil {
		r.Close()
		return nil, err
	}
	return &Tree{repo: r, commit: base}, nil
}

// mergeBase finds the merge base of HEAD and baseRev and notes it in the asset.
func (r *repo) mergeBase(ctx context.Context, baseRev string) (gitstore.ID, error) {
	id, err := r.store.Resolve(baseRev)
	if err != nil {
		return id, err
	}
	head, err := r.store.Resolve("HEAD")
	if err != nil {
		return id, err
	}
	base, err := r.store.MergeBase(ctx, head, id)
	if err != nil {
		return base, err
	}
	r.asset.Base = base.String()
	return base, nil
}

// Walk implements source.Source. Files come in the order of their paths.
func (t *Tree) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	tree, err := t.treeOf(t.commit)
	if err != nil {
		return err
	}
	return t.walkBlobs(ctx, tree, "", t.exclusions(gitstore.ID{}), func(path string, e gitstore.TreeEntry) error {
		return t.offer(path, e.ID(), nil, false, file, skip)
	}, skip)
}
