package gitsource

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"sync"

	"bulwark/internal/asset"
	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitstore"
)

// Change is what HEAD and the work tree introduce since the merge base with
// another revision: the files of the work tree (of HEAD, in a bare repository)
// that differ from the merge base, untracked ones included, and the blobs of
// the commits between that are in neither state, for a secret that a later
// commit took out again stays in the history. Those are Historical and name
// their commit. Before has the other side.
type Change struct {
	*repo
	root    *rootDir // nil if bare
	index   *gitstore.Index
	base    gitstore.ID // the merge base
	visits  []visit     // changed files of the work tree, and skips
	blobs   []pathID    // changed files of HEAD, if bare
	between []betweenBlob
	before  []pathID
	faults  []outcome.Skip
}

type betweenBlob struct {
	pathID
	commit gitstore.ID
}

var _ source.Source = (*Change)(nil)

// NewChange opens the repository at path and finds out what changed since the
// merge base of HEAD and baseRev. That costs about what `git status` costs and
// reads no content but that of files which seem touched and may not be.
func NewChange(ctx context.Context, path, baseRev string, opts Options) (*Change, error) {
	r, err := openRepo(path, opts)
	if err != nil {
		return nil, err
	}
	r.noteGaps()
	c := &Change{repo: r}
	if err := c.find(ctx, baseRev); err != nil {
		r.Close()
		return nil, fmt.Errorf("finding what changed: %w", err)
	}
	return c, nil
}

func (c *Change) fault(path string, tree gitstore.ID, err error) error {
	c.faults = append(c.faults, c.treeFault(path, tree, err))
	return nil
}

func (c *Change) find(ctx context.Context, baseRev string) error {
	var err error
	if c.base, err = c.mergeBase(ctx, baseRev); err != nil {
		return err
	}
	baseTree, err := c.treeOf(c.base)
	if err != nil {
		return err
	}
	final := map[gitstore.ID]bool{}
	if c.store.WorkTree() == "" {
		err = c.findBare(ctx, baseTree, final)
	} else {
		err = c.findWorkTree(ctx, baseTree, final)
	}
	if err != nil {
		return err
	}
	return c.findBetween(ctx, baseTree, final)
}

func (c *Change) findBare(ctx context.Context, baseTree gitstore.ID, final map[gitstore.ID]bool) error {
	tree, err := c.treeOf(c.head.ID)
	if err != nil {
		return err
	}
	exclude := c.exclusions(tree)
	d := c.differ(c.fault)
	err = d.newEntries(ctx, tree, []gitstore.ID{baseTree}, nil, 0, func(path []byte, e *gitstore.TreeEntry) error {
		p := string(path)
		switch {
		case exclude.IgnoredPath(p, false):
			c.faults = append(c.faults, outcome.Skip{Path: p, Reason: SkipExcluded})
		case e.IsFile():
			final[e.ID()] = true
			c.blobs = append(c.blobs, pathID{p, e.ID()})
		case e.Mode&gitstore.ModeMask == gitstore.ModeGitlink:
			c.faults = append(c.faults, outcome.Skip{Path: p, Reason: SkipSubmodule})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.newEntries(ctx, baseTree, []gitstore.ID{tree}, nil, 0, func(path []byte, e *gitstore.TreeEntry) error {
		if e.IsFile() {
			c.before = append(c.before, pathID{string(path), e.ID()})
		}
		return nil
	})
}

// findWorkTree compares the index with the base while it walks the work tree,
// and joins both.
func (c *Change) findWorkTree(ctx context.Context, baseTree gitstore.ID, final map[gitstore.ID]bool) error {
	var err error
	if c.root, err = c.openWorkTree(); err != nil {
		return err
	}
	if c.index, err = c.store.Index(); err != nil {
		return err
	}
	var (
		wg      sync.WaitGroup
		diff    *indexDiff
		diffErr error
	)
	wg.Go(func() { diff, diffErr = c.differ(c.fault).compareIndex(ctx, c.index, baseTree) })
	n := len(c.index.Entries)
	seen := make([]bool, n)  // the walk came by: the file is there, or accounted for
	dirty := make([]bool, n) // it may differ from the index
	var sizes map[int]int64
	var others []visit // untracked files and skips
	err = walkTree(ctx, c.repo, c.root, c.index, func(v *visit) error {
		if v.entry < 0 {
			others = append(others, *v)
			return nil
		}
		seen[v.entry] = true
		switch {
		case v.skip != nil:
			others = append(others, *v)
		case !v.clean && !v.sparse:
			dirty[v.entry] = true
			if sizes == nil {
				sizes = map[int]int64{}
			}
			sizes[v.entry] = v.size
		}
		return nil
	})
	wg.Wait()
	if err != nil {
		return err
	}
	if diffErr != nil {
		return diffErr
	}
	c.before = diff.before
	same, err := c.unmodified(ctx, dirty, sizes)
	if err != nil {
		return err
	}
	for i := range c.index.Entries {
		e := &c.index.Entries[i]
		if e.Stage != 0 && i > 0 && c.index.Entries[i-1].Path == e.Path {
			continue
		}
		v := visit{path: e.Path, entry: i, sparse: e.IsDir() || e.SkipWorktree && !dirty[i], clean: !dirty[i] || same[i], size: -1}
		if size, ok := sizes[i]; ok {
			v.size = size
		}
		switch {
		case !c.entered(e.Path) && !c.wanted(e.Path) || !e.IsFile() && !e.IsDir():
			continue
		case !seen[i]:
			// Deleted, or in a folder that is left out.
			if !diff.differs[i] && e.IsFile() && c.wanted(e.Path) {
				c.before = append(c.before, pathID{e.Path, e.ID})
			}
			continue
		case dirty[i] && same[i]:
			if !diff.differs[i] {
				continue
			}
		case dirty[i]:
			if !diff.differs[i] {
				c.before = append(c.before, pathID{e.Path, e.ID})
			}
		case !diff.differs[i]:
			continue
		}
		if !dirty[i] || same[i] {
			final[e.ID] = true
		}
		others = append(others, v)
	}
	// A skip stands for its path: nothing else is said of it.
	slices.SortStableFunc(others, func(a, b visit) int {
		if n := strings.Compare(a.path, b.path); n != 0 {
			return n
		}
		return skipRank(a) - skipRank(b)
	})
	for i, v := range others {
		if i > 0 && v.path == others[i-1].path && others[i-1].skip != nil {
			continue
		}
		// What is left out by design and was so before is no news.
		if v.skip != nil && v.entry >= 0 && !v.skip.Failed && !diff.differs[v.entry] {
			continue
		}
		c.visits = append(c.visits, v)
	}
	return nil
}

func skipRank(v visit) int {
	if v.skip != nil {
		return 0
	}
	return 1
}

// unmodified tells of the files whose times differ from the index whether their
// content does not: after a checkout from a cache or a copy of the folder all
// files look touched.
func (c *Change) unmodified(ctx context.Context, dirty []bool, sizes map[int]int64) ([]bool, error) {
	same := make([]bool, len(dirty))
	var todo []int
	for i := range dirty {
		e := &c.index.Entries[i]
		if dirty[i] && e.IsFile() && e.Stage == 0 && !e.IntentToAdd {
			todo = append(todo, i)
		}
	}
	return same, inParallel(ctx, c.opts.Workers, len(todo), func(k int) {
		i := todo[k]
		same[i] = c.sameContent(&c.index.Entries[i], sizes[i])
	})
}

// hashLimit is the size up to which a file is compared; larger ones count as
// changed. In bytes.
const hashLimit = 64 << 20

// sameContent reports whether a file of the work tree has the content that its
// entry names, as it is or with CRLF line ends turned to LF.
func (c *Change) sameContent(e *gitstore.Entry, size int64) bool {
	if size > hashLimit {
		return false
	}
	f, err := c.root.openFile(e.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	data := make([]byte, 0, size+512)
	for {
		if len(data) == cap(data) {
			return false // it grows
		}
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return false
		}
	}
	if c.hash(data) == e.ID {
		return true
	}
	return bytes.Contains(data, []byte("\r\n")) && c.hash(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))) == e.ID
}

// hash returns the id of a blob.
func (r *repo) hash(data []byte) gitstore.ID {
	var h hash.Hash
	if r.store.Format() == gitstore.SHA256 {
		h = sha256.New()
	} else {
		h = sha1.New()
	}
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return gitstore.IDFromBytes(h.Sum(nil))
}

// findBetween collects the blobs of the commits since the base that are in
// neither the base nor the final state.
func (c *Change) findBetween(ctx context.Context, baseTree gitstore.ID, final map[gitstore.ID]bool) error {
	commits, missing, err := c.store.Range(ctx, c.base, c.head.ID)
	if err != nil {
		return err
	}
	if missing > 0 {
		c.faults = append(c.faults, outcome.Skip{Path: ".", Reason: SkipMissing, Detail: fmt.Sprintf("%d commits", missing), Failed: !c.store.Partial()})
	}
	headTree, err := c.treeOf(c.head.ID)
	if err != nil {
		return err
	}
	exclude := c.exclusions(headTree)
	for _, p := range c.before {
		final[p.id] = true
	}
	d := c.differ(c.fault)
	if exclude == nil && len(c.opts.Paths) == 0 {
		marks := make([][]uint64, 0, 8)
		for _, n := range c.store.Packs() {
			marks = append(marks, make([]uint64, (n+63)/64))
		}
		d.again = c.marker(marks, map[gitstore.ID]bool{})
	}
	for _, commit := range commits {
		if c.store.IsShallow(commit.ID) {
			// Cut off: what its parents had is not known. The base stands in.
			commit.Parents = []gitstore.ID{c.base}
		}
		var parents []gitstore.ID
		for _, p := range commit.Parents {
			if t, err := c.treeOf(p); err == nil {
				parents = append(parents, t)
			}
		}
		err := d.newEntries(ctx, commit.Tree, parents, nil, 0, func(path []byte, e *gitstore.TreeEntry) error {
			id := e.ID()
			if !e.IsFile() || final[id] {
				return nil
			}
			p := string(path)
			if exclude.IgnoredPath(p, false) {
				return nil
			}
			if b, ok, err := c.store.LookupTree(baseTree, p); err == nil && ok && b.ID() == id {
				return nil
			}
			final[id] = true
			c.between = append(c.between, betweenBlob{pathID{p, id}, commit.ID})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Walk implements source.Source: first the final state in the order of paths,
// then what the commits between had, in the order of commits.
func (c *Change) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	for _, s := range c.faults {
		if err := skip(s); err != nil {
			return err
		}
	}
	for i := range c.visits {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		v := &c.visits[i]
		var err error
		switch {
		case v.skip != nil:
			err = skip(*v.skip)
		case v.sparse:
			err = c.sparse(ctx, &c.index.Entries[v.entry], file, skip)
		default:
			f := c.file(c.root, c.index, v)
			err = file(f)
		}
		if err != nil {
			return err
		}
	}
	for _, b := range c.blobs {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.offer(b.path, b.id, nil, false, file, skip); err != nil {
			return err
		}
	}
	infos := map[gitstore.ID]*finding.Commit{}
	for _, b := range c.between {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if infos[b.commit] == nil {
			infos[b.commit] = c.commitInfo(b.commit)
		}
		if err := c.offer(b.path, b.id, infos[b.commit], true, file, skip); err != nil {
			return err
		}
	}
	return nil
}

// Before is the other side of the change: the base's versions of the files that
// it touches or deletes, so that what they contained is not new.
func (c *Change) Before() source.Source {
	a := c.asset
	a.Revision, a.Branch = a.Base, ""
	return &blobList{repo: c.repo, asset: a, blobs: c.before}
}

// blobList is a source made of blobs.
type blobList struct {
	*repo
	asset asset.Asset
	blobs []pathID
	skips []outcome.Skip
}

var _ source.Source = (*blobList)(nil)

func (b *blobList) Asset() asset.Asset { return b.asset }

func (b *blobList) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	for _, s := range b.skips {
		if err := skip(s); err != nil {
			return err
		}
	}
	for _, p := range b.blobs {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := b.offer(p.path, p.id, nil, false, file, skip); err != nil {
			return err
		}
	}
	return nil
}
