package gitsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"bulwark/internal/source/gitstore"
)

// differ compares trees, and the index with a tree, reading only folders in
// which they differ.
type differ struct {
	r    *repo
	size int // bytes of an id
	// fault is told of a tree that can't be read; the comparison goes on.
	fault func(path string, tree gitstore.ID, err error) error
	// Optional: says that a tree was compared before, whose entries need not
	// be reported again wherever they appear.
	again func(tree gitstore.ID) bool
	// entries counts what one comparison looked at: a small tree that names
	// one other many times, in several layers, would keep it busy for ever.
	entries int
}

// maxEntries is how many entries of trees one walk or comparison looks at.
const maxEntries = 10_000_000

var errTooMany = errors.New("the tree has more entries than any sound repository: it was probably made to keep its readers busy")

func (r *repo) differ(fault func(string, gitstore.ID, error) error) *differ {
	return &differ{r: r, size: r.store.Format().Size(), fault: fault}
}

// newEntries calls fn for each entry but folders below tree that no tree of
// parents has, with the same content, under the same path.
func (d *differ) newEntries(ctx context.Context, tree gitstore.ID, parents []gitstore.ID, prefix []byte, depth int, fn func(path []byte, e *gitstore.TreeEntry) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if depth == 0 {
		d.entries = 0
	}
	if d.again != nil && d.again(tree) {
		return nil
	}
	data, err := d.r.store.Tree(tree)
	if err == nil && depth > maxDepth {
		err = fmt.Errorf("folders are nested more than %d deep", maxDepth)
	}
	if err != nil {
		return d.fault(strings.TrimSuffix(string(prefix), "/"), tree, err)
	}
	type cursor struct {
		rest []byte
		e    gitstore.TreeEntry
		ok   bool
	}
	var few [4]cursor
	cursors := few[:0]
	for _, p := range parents {
		if p == tree {
			return nil
		}
		b, err := d.r.store.Tree(p)
		if err != nil {
			// Without the other side everything counts as new.
			continue
		}
		c := cursor{rest: b}
		cursors = append(cursors, c)
	}
	next := func(c *cursor) {
		var err error
		c.ok = false
		if len(c.rest) > 0 {
			if c.e, c.rest, err = gitstore.NextEntry(c.rest, d.size); err == nil {
				c.ok = true
			} else {
				c.rest = nil
			}
		}
	}
	if len(cursors) == 1 {
		// Versions of a tree mostly share their beginning.
		skip := commonEntries(data, cursors[0].rest, d.size)
		data, cursors[0].rest = data[skip:], cursors[0].rest[skip:]
	}
	for i := range cursors {
		next(&cursors[i])
	}
	for len(data) > 0 {
		if d.entries++; d.entries > d.r.maxEntries {
			return errTooMany
		}
		var e gitstore.TreeEntry
		if e, data, err = gitstore.NextEntry(data, d.size); err != nil {
			return d.fault(strings.TrimSuffix(string(prefix), "/"), tree, err)
		}
		same := false
		var below []gitstore.ID
		for i := range cursors {
			c := &cursors[i]
			for c.ok && compareEntries(&c.e, &e) < 0 {
				next(c)
			}
			if !c.ok || !bytes.Equal(c.e.Name, e.Name) {
				continue
			}
			if bytes.Equal(c.e.Raw, e.Raw) && c.e.Mode&gitstore.ModeMask == e.Mode&gitstore.ModeMask {
				same = true
				break
			}
			if e.IsDir() && c.e.IsDir() {
				below = append(below, c.e.ID())
			}
		}
		if same {
			continue
		}
		path := append(prefix[:len(prefix):len(prefix)], e.Name...)
		if e.IsDir() {
			path = append(path, '/')
			if !d.r.entered(string(path)) {
				continue
			}
			err = d.newEntries(ctx, e.ID(), below, path, depth+1, fn)
		} else if d.r.wanted(string(path)) {
			err = fn(path, &e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// commonEntries returns the length of the entries that a and b begin with.
func commonEntries(a, b []byte, idLen int) int {
	n := min(len(a), len(b))
	const block = 256
	k := 0
	for k+block <= n && bytes.Equal(a[k:k+block], b[k:k+block]) {
		k += block
	}
	// Up to k the bytes agree: take whole entries.
	at := 0
	for at < k {
		_, rest, err := gitstore.NextEntry(a[at:k], idLen)
		if err != nil {
			break
		}
		at = k - len(rest)
	}
	return at
}

func compareEntries(a, b *gitstore.TreeEntry) int {
	k := min(len(a.Name), len(b.Name))
	if c := bytes.Compare(a.Name[:k], b.Name[:k]); c != 0 {
		return c
	}
	at := func(e *gitstore.TreeEntry) byte {
		switch {
		case len(e.Name) > k:
			return e.Name[k]
		case e.IsDir():
			return '/'
		}
		return 0
	}
	return int(at(a)) - int(at(b))
}

// indexDiff says how an index differs from a tree.
type indexDiff struct {
	differs []bool // by position in the index: the tree has it not, or otherwise
	// before are the files of the tree that the index has not, or otherwise.
	before []pathID
}

type pathID struct {
	path string
	id   gitstore.ID
}

// compareIndex compares the entries of an index with a tree (the zero id being
// the empty one). Folders whose tree the index knows to be the same cost
// nothing.
func (d *differ) compareIndex(ctx context.Context, index *gitstore.Index, tree gitstore.ID) (*indexDiff, error) {
	x := &indexDiff{differs: make([]bool, len(index.Entries))}
	c := &indexComparer{d: d, entry: index.Entries, out: x}
	return x, c.folder(ctx, 0, len(index.Entries), tree, index.Tree, "", 0)
}

type indexComparer struct {
	d     *differ
	entry []gitstore.Entry
	out   *indexDiff
}

func (c *indexComparer) folder(ctx context.Context, lo, hi int, tree gitstore.ID, known *gitstore.CacheTree, prefix string, depth int) error {
	if !c.d.r.entered(prefix) {
		return nil
	}
	if known != nil && known.Entries == hi-lo && known.ID == tree && !tree.IsZero() {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var data []byte
	if !tree.IsZero() {
		var err error
		data, err = c.d.r.store.Tree(tree)
		if err == nil && depth > maxDepth {
			err = fmt.Errorf("folders are nested more than %d deep", maxDepth)
		}
		if err != nil {
			for i := lo; i < hi; i++ {
				c.out.differs[i] = true
			}
			return c.d.fault(strings.TrimSuffix(prefix, "/"), tree, err)
		}
	}
	var e gitstore.TreeEntry
	have := false
	next := func() error {
		have = false
		if len(data) == 0 {
			return nil
		}
		var err error
		if e, data, err = gitstore.NextEntry(data, c.d.size); err != nil {
			data = nil
			return c.d.fault(strings.TrimSuffix(prefix, "/"), tree, err)
		}
		have = true
		return nil
	}
	if err := next(); err != nil {
		return err
	}
	w := walker{entry: c.entry}
	for i := lo; i < hi || have; {
		order := 1
		name, isDir, end := "", false, i
		if i < hi {
			rest := c.entry[i].Path[len(prefix):]
			if slash := strings.IndexByte(rest, '/'); slash >= 0 {
				name, isDir = rest[:slash], true
				end = w.rangeEnd(prefix+name+"/", i, hi)
			} else {
				name = rest
				for end = i + 1; end < hi && c.entry[end].Path == c.entry[i].Path; end++ {
				}
			}
			order = -1
			if have {
				order = compareNames(name, isDir, string(e.Name), e.IsDir())
			}
		}
		var err error
		switch {
		case order > 0:
			err = c.onlyTree(ctx, &e, prefix)
		case isDir && c.entry[i].IsDir() && c.entry[i].Path == prefix+name+"/":
			// A sparse index has the folder's tree instead of its files.
			if order < 0 || !bytes.Equal(c.entry[i].ID.Raw(), e.Raw) {
				c.out.differs[i] = true
				if order == 0 {
					err = c.onlyTree(ctx, &e, prefix)
				}
			}
		case isDir && order == 0:
			err = c.folder(ctx, i, end, e.ID(), known.Child(name), prefix+name+"/", depth+1)
		case order == 0 && end == i+1 && c.entry[i].Stage == 0 && !c.entry[i].IntentToAdd && bytes.Equal(c.entry[i].ID.Raw(), e.Raw) && c.entry[i].Mode&gitstore.ModeMask == e.Mode&gitstore.ModeMask:
		default:
			for k := i; k < end; k++ {
				c.out.differs[k] = true
			}
			if order == 0 {
				err = c.onlyTree(ctx, &e, prefix)
			}
		}
		if err == nil && order >= 0 {
			err = next()
		}
		if err != nil {
			return err
		}
		if order <= 0 {
			i = end
		}
	}
	return nil
}

// onlyTree records what only the tree has.
func (c *indexComparer) onlyTree(ctx context.Context, e *gitstore.TreeEntry, prefix string) error {
	path := prefix + string(e.Name)
	add := func(p []byte, e *gitstore.TreeEntry) error {
		if e.IsFile() {
			c.out.before = append(c.out.before, pathID{string(p), e.ID()})
		}
		return nil
	}
	if e.IsDir() {
		return c.d.newEntries(ctx, e.ID(), nil, []byte(path+"/"), 1, add)
	}
	if !c.d.r.wanted(path) {
		return nil
	}
	return add([]byte(path), e)
}
