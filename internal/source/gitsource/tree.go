package gitsource

import (
	"context"
	"fmt"
	"strings"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitstore"
	"bulwark/internal/source/ignore"
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

// walkBlobs calls blob for each regular file below a tree, in the order of
// paths. prefix is empty or ends with a slash. .bulwarkignore files within the
// tree take effect; submodules and what can't be read are skips.
func (r *repo) walkBlobs(ctx context.Context, tree gitstore.ID, prefix string, exclude *ignore.List, blob func(string, gitstore.TreeEntry) error, skip func(outcome.Skip) error) error {
	entries := 0
	return r.walkBlobsDeep(ctx, tree, prefix, exclude, 0, &entries, blob, skip)
}

const maxDepth = 4096 // of folders in folders

func (r *repo) walkBlobsDeep(ctx context.Context, tree gitstore.ID, prefix string, exclude *ignore.List, depth int, entries *int, blob func(string, gitstore.TreeEntry) error, skip func(outcome.Skip) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	data, err := r.store.Tree(tree)
	if err == nil && depth > maxDepth {
		err = fmt.Errorf("folders are nested more than %d deep", maxDepth)
	}
	if err != nil {
		return skip(r.treeFault(strings.TrimSuffix(prefix, "/"), tree, err))
	}
	size := r.store.Format().Size()
	if e, ok := findEntry(data, size, IgnoreFile); ok && e.IsFile() {
		exclude = exclude.Add(strings.TrimSuffix(prefix, "/"), r.ignoreBlob(e.ID()))
	}
	for len(data) > 0 {
		if *entries++; *entries > r.maxEntries {
			return errTooMany
		}
		var e gitstore.TreeEntry
		if e, data, err = gitstore.NextEntry(data, size); err != nil {
			return skip(r.treeFault(strings.TrimSuffix(prefix, "/"), tree, err))
		}
		path := prefix + string(e.Name)
		switch {
		case e.IsDir():
			if !r.entered(path + "/") {
				continue
			}
			if exclude.Match(path, true) == ignore.Ignored {
				err = skip(outcome.Skip{Path: path, Reason: SkipExcluded})
			} else {
				err = r.walkBlobsDeep(ctx, e.ID(), path+"/", exclude, depth+1, entries, blob, skip)
			}
		case !r.wanted(path):
		case e.Mode&gitstore.ModeMask == gitstore.ModeGitlink:
			err = skip(outcome.Skip{Path: path, Reason: SkipSubmodule})
		case e.IsFile():
			if exclude.Match(path, false) == ignore.Ignored {
				err = skip(outcome.Skip{Path: path, Reason: SkipExcluded})
			} else {
				err = blob(path, e)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// treeFault is the skip for a folder whose tree can't be read.
func (r *repo) treeFault(path string, tree gitstore.ID, err error) outcome.Skip {
	if path == "" {
		path = "."
	}
	if isMissing(err) {
		return r.miss(path, tree)
	}
	return outcome.Skip{Path: path, Reason: SkipUnreadable, Detail: err.Error(), Failed: true}
}

func findEntry(tree []byte, idLen int, name string) (gitstore.TreeEntry, bool) {
	for len(tree) > 0 {
		e, rest, err := gitstore.NextEntry(tree, idLen)
		if err != nil {
			break
		}
		if string(e.Name) == name {
			return e, true
		}
		tree = rest
	}
	return gitstore.TreeEntry{}, false
}
