package gitsource

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"bulwark/internal/outcome"
	"bulwark/internal/source/gitstore"
	"bulwark/internal/source/ignore"
)

// The walk of a work tree goes over the folders and, beside each, over that
// part of the index that lies below it; both are in the same order. Folders
// are read by several goroutines, the next one needed first, and what they hold
// is passed on in order by the caller's goroutine.

// visit is one thing that the walk came across.
type visit struct {
	path  string
	entry int // position in the index; -1 if untracked
	// clean: the file is surely what the index says. sparse: it is not checked
	// out, its content is in the store.
	clean, sparse bool
	size          int64
	skip          *outcome.Skip // instead of a file
}

// maxWaiting is how many visits may be waiting for the caller before the
// goroutines stop reading ahead.
const maxWaiting = 100_000

type walker struct {
	repo  *repo
	root  *rootDir
	index *gitstore.Index
	entry []gitstore.Entry

	mu      sync.Mutex
	cond    *sync.Cond
	stack   []*node // folders to read, the next one last
	waiting int
	stop    bool
}

// node is a folder of the walk.
type node struct {
	rel     string // with a trailing slash; "" for the root
	lo, hi  int    // the part of the index below it
	ignores *ignore.List
	exclude *ignore.List
	ignored bool // inside an ignored folder: only tracked files count

	claimed atomic.Bool
	done    chan struct{}
	visits  []visit
	below   []child // folders, each before the visit at its position
}

type child struct {
	at   int
	node *node
}

// walkTree calls fn for each visit in the order of paths.
func walkTree(ctx context.Context, r *repo, root *rootDir, index *gitstore.Index, fn func(*visit) error) error {
	w := &walker{repo: r, root: root, index: index, entry: index.Entries}
	w.cond = sync.NewCond(&w.mu)
	ignores, err := r.baseIgnores()
	if err != nil {
		return err
	}
	top := &node{lo: 0, hi: len(w.entry), ignores: ignores, exclude: r.exclusions(gitstore.ID{}), done: make(chan struct{})}
	w.stack = append(w.stack, top)
	workers := r.opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(w.work)
	}
	defer wg.Wait()
	defer w.halt()
	buf := make([]byte, 32<<10)
	return w.emit(ctx, top, buf, fn)
}

// baseIgnores are the ignore files that lie outside the work tree.
func (r *repo) baseIgnores() (*ignore.List, error) {
	b, err := readIgnoreFile(r.opts.GlobalIgnore)
	if err != nil {
		return nil, err
	}
	var l *ignore.List
	l = l.Add("", b)
	info, err := openRootDir(r.store.CommonDir())
	if err != nil {
		return nil, err
	}
	defer info.close()
	if f, err := info.openFile("info/exclude"); err == nil {
		defer f.Close()
		if b, err := io.ReadAll(io.LimitReader(f, ignore.MaxFile+1)); err == nil {
			l = l.Add("", b)
		}
	}
	return l, nil
}

func (w *walker) halt() {
	w.mu.Lock()
	w.stop = true
	w.mu.Unlock()
	w.cond.Broadcast()
}

func (w *walker) work() {
	buf := make([]byte, 32<<10)
	for {
		w.mu.Lock()
		for !w.stop && (len(w.stack) == 0 || w.waiting > maxWaiting) {
			w.cond.Wait()
		}
		if w.stop {
			w.mu.Unlock()
			return
		}
		n := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		w.mu.Unlock()
		if n.claimed.CompareAndSwap(false, true) {
			w.read(n, buf)
		}
	}
}

// emit passes on what n holds. If nobody has begun to read n, it does so
// itself, so that it never waits for a goroutine that waits for it.
func (w *walker) emit(ctx context.Context, n *node, buf []byte, fn func(*visit) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if n.claimed.CompareAndSwap(false, true) {
		w.read(n, buf)
	} else {
		<-n.done
	}
	below := n.below
	for i := range n.visits {
		for len(below) > 0 && below[0].at <= i {
			if err := w.emit(ctx, below[0].node, buf, fn); err != nil {
				return err
			}
			below = below[1:]
		}
		if err := fn(&n.visits[i]); err != nil {
			return err
		}
	}
	for _, c := range below {
		if err := w.emit(ctx, c.node, buf, fn); err != nil {
			return err
		}
	}
	w.mu.Lock()
	before := w.waiting
	w.waiting -= len(n.visits)
	wake := before > maxWaiting && w.waiting <= maxWaiting
	w.mu.Unlock()
	if wake {
		w.cond.Broadcast()
	}
	n.visits, n.below = nil, nil
	return nil
}

// read fills n and queues the folders below it.
func (w *walker) read(n *node, buf []byte) {
	w.fill(n, buf)
	close(n.done)
	w.mu.Lock()
	w.waiting += len(n.visits)
	for i := len(n.below) - 1; i >= 0; i-- {
		w.stack = append(w.stack, n.below[i].node)
	}
	more := len(n.below)
	w.mu.Unlock()
	if more == 1 {
		w.cond.Signal()
	} else if more > 1 {
		w.cond.Broadcast()
	}
}

func (w *walker) fill(n *node, buf []byte) {
	dir, err := w.root.openFolder(n.rel)
	var names []dirent
	if err == nil {
		defer dir.close()
		names, err = dir.list(buf)
	}
	if err != nil && !vanished(err) {
		n.add(visit{path: n.rel, entry: -1, skip: &outcome.Skip{
			Path: strings.TrimSuffix(n.rel, "/"), Reason: SkipUnreadable, Detail: plain(err), Failed: true}})
	}
	w.prepare(n, names)
	if n.lo == n.hi && n.rel != "" && slices.ContainsFunc(names, func(e dirent) bool { return e.name == ".git" }) &&
		gitstore.IsRepository(filepath.Join(w.repo.store.WorkTree(), filepath.FromSlash(n.rel))) {
		n.add(visit{path: n.rel, entry: -1, skip: &outcome.Skip{Path: strings.TrimSuffix(n.rel, "/"), Reason: SkipNested}})
		return
	}
	slices.SortFunc(names, func(a, b dirent) int { return compareNames(a.name, a.kind == kindDir, b.name, b.kind == kindDir) })
	var links map[string]bool // submodules
	i, d := n.lo, 0
	for i < n.hi || d < len(names) {
		var c int
		var rest string
		var slash int
		if i < n.hi {
			rest = w.entry[i].Path[len(n.rel):]
			slash = strings.IndexByte(rest, '/')
		}
		switch {
		case d == len(names):
			c = -1
		case i == n.hi:
			c = 1
		case slash >= 0:
			c = compareNames(rest[:slash], true, names[d].name, names[d].kind == kindDir)
		default:
			c = compareNames(rest, false, names[d].name, names[d].kind == kindDir)
		}
		if c > 0 {
			if !links[names[d].name] {
				w.untracked(n, dir, names[d])
			}
			d++
			continue
		}
		if slash >= 0 {
			name := rest[:slash]
			end := w.rangeEnd(n.rel+name+"/", i, n.hi)
			if c == 0 {
				w.descend(n, name, i, end, true)
				d++
			} else {
				w.absent(n, i, end)
			}
			i = end
			continue
		}
		// One path, which has several entries while a merge is in conflict.
		end := i + 1
		for end < n.hi && w.entry[end].Path == w.entry[i].Path {
			end++
		}
		e := &w.entry[i]
		switch {
		case e.IsGitlink():
			if links == nil {
				links = map[string]bool{}
			}
			links[rest] = true
			if w.repo.wanted(e.Path) {
				n.add(visit{path: e.Path, entry: i, skip: &outcome.Skip{Path: e.Path, Reason: SkipSubmodule}})
			}
		case c == 0:
			w.tracked(n, dir, i, names[d])
		default:
			w.absent(n, i, end)
		}
		if c == 0 {
			d++
		}
		i = end
	}
}

func (n *node) add(v visit) { n.visits = append(n.visits, v) }

// prepare takes in the ignore files of a folder.
func (w *walker) prepare(n *node, names []dirent) {
	dir := strings.TrimSuffix(n.rel, "/")
	for _, e := range names {
		if e.kind != kindFile || e.name != ".gitignore" && e.name != IgnoreFile {
			continue
		}
		f, err := w.root.openFile(n.rel + e.name)
		if err != nil {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(f, ignore.MaxFile+1))
		f.Close()
		if err != nil {
			continue
		}
		if e.name == IgnoreFile {
			n.exclude = n.exclude.Add(dir, b)
		} else if !n.ignored {
			n.ignores = n.ignores.Add(dir, b)
		}
		if n.exclude.Truncated() || n.ignores.Truncated() {
			w.repo.notice("ignore-file-truncated", "An ignore file is too long; the patterns beyond the limit have no effect: "+n.rel+e.name+".")
		}
	}
}

// rangeEnd returns the end of the index entries whose path begins with prefix.
func (w *walker) rangeEnd(prefix string, lo, hi int) int {
	// Most folders are small: gallop.
	step := 1
	for lo+step < hi && strings.HasPrefix(w.entry[lo+step].Path, prefix) {
		lo += step
		step *= 2
	}
	hi = min(hi, lo+step)
	return lo + sort.Search(hi-lo, func(k int) bool { return !strings.HasPrefix(w.entry[lo+k].Path, prefix) })
}

// descend queues a folder, unless nothing in it counts.
func (w *walker) descend(n *node, name string, lo, hi int, tracked bool) {
	rel := n.rel + name + "/"
	if !w.repo.entered(rel) {
		return
	}
	path := rel[:len(rel)-1]
	if n.exclude.Match(path, true) == ignore.Ignored {
		n.add(visit{path: path, entry: -1, skip: &outcome.Skip{Path: path, Reason: SkipExcluded}})
		return
	}
	ignored := n.ignored || n.ignores.Match(path, true) == ignore.Ignored
	if ignored && !tracked {
		return
	}
	n.below = append(n.below, child{len(n.visits), &node{rel: rel, lo: lo, hi: hi, ignores: n.ignores, exclude: n.exclude, ignored: ignored, done: make(chan struct{})}})
}

// untracked handles what is not in the index.
func (w *walker) untracked(n *node, dir *folder, d dirent) {
	if d.name == ".git" {
		return
	}
	if d.kind == kindDir {
		w.descend(n, d.name, 0, 0, false)
		return
	}
	path := n.rel + d.name
	if n.ignored || !w.repo.wanted(path) || n.ignores.Match(path, false) == ignore.Ignored {
		return
	}
	v := visit{path: path, entry: -1}
	if w.special(n, &v, d.kind) {
		return
	}
	st, err := dir.stat(d.name)
	if err != nil {
		return // gone meanwhile
	}
	v.size = st.size
	n.add(v)
}

// special handles exclusion and what is not a regular file.
func (w *walker) special(n *node, v *visit, k kind) bool {
	if n.exclude.Match(v.path, false) == ignore.Ignored {
		v.skip = &outcome.Skip{Path: v.path, Reason: SkipExcluded}
		n.add(*v)
		return true
	}
	switch k {
	case kindFile:
		return false
	case kindSymlink:
		if leavesRoot(w.repo.store.WorkTree(), v.path) {
			v.skip = &outcome.Skip{Path: v.path, Reason: SkipSymlink}
			n.add(*v)
		}
	default:
		v.skip = &outcome.Skip{Path: v.path, Reason: SkipNotRegular}
		n.add(*v)
	}
	return true
}

// tracked handles an index entry that is there.
func (w *walker) tracked(n *node, dir *folder, i int, d dirent) {
	e := &w.entry[i]
	if !w.repo.wanted(e.Path) {
		return
	}
	v := visit{path: e.Path, entry: i}
	if w.special(n, &v, d.kind) {
		return
	}
	st, err := dir.stat(d.name)
	if err != nil {
		if !vanished(err) {
			v.skip = &outcome.Skip{Path: v.path, Reason: SkipUnreadable, Detail: plain(err), Failed: true}
			n.add(v)
		}
		return
	}
	v.size = st.size
	v.clean = unchanged(e, &st, w.index.Written)
	n.add(v)
}

// absent handles index entries without a file: deleted, or not checked out.
func (w *walker) absent(n *node, lo, hi int) {
	for i := lo; i < hi; i++ {
		e := &w.entry[i]
		switch {
		case e.IsGitlink():
			if w.repo.wanted(e.Path) {
				n.add(visit{path: e.Path, entry: i, skip: &outcome.Skip{Path: e.Path, Reason: SkipSubmodule}})
			}
		case e.IsDir():
			if w.repo.entered(e.Path) {
				n.add(visit{path: e.Path, entry: i, sparse: true})
			}
		case e.SkipWorktree && e.IsFile() && w.repo.wanted(e.Path):
			v := visit{path: e.Path, entry: i, sparse: true}
			if n.exclude.IgnoredPath(e.Path, false) {
				v.skip = &outcome.Skip{Path: v.path, Reason: SkipExcluded}
			}
			n.add(v)
		}
	}
}

// compareNames orders the names of a folder as git does: a folder's as if it
// ended with a slash.
func compareNames(a string, aDir bool, b string, bDir bool) int {
	k := min(len(a), len(b))
	if c := strings.Compare(a[:k], b[:k]); c != 0 {
		return c
	}
	at := func(s string, dir bool) byte {
		switch {
		case len(s) > k:
			return s[k]
		case dir:
			return '/'
		}
		return 0
	}
	x, y := at(a, aDir), at(b, bDir)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return len(a) - len(b)
}

// vanished reports an error about something that is not there, or was
// replaced by a link or file since its folder was read.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// plain is an error's cause, without the path that stands beside it anyway.
func plain(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
