package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bulwark/internal/pipeline"
	"bulwark/internal/source"
	"bulwark/internal/source/filesource"
	"bulwark/internal/source/gitsource"
	"bulwark/internal/source/gitstore"
	"bulwark/internal/source/ignore"
)

// location is what PATH turned out to be.
type location struct {
	kind kind
	path string // absolute; empty for standard input
	// root is the folder that the configuration and relative paths belong to:
	// of a work tree its top, of a file its folder. Empty for standard input
	// and bare repositories.
	root string
	// below limits a work tree to a part of it; empty: all of it.
	below   string
	closers []func() error
}

type kind uint8

const (
	folder kind = iota
	workTree
	bareRepository
	singleFile
	standardInput
)

// locate finds out what PATH is.
func (f *scanFlags) locate(path string) (*location, error) {
	if path == "-" {
		return &location{kind: standardInput}, f.needsGit(path, false)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("%s: no such file or folder", path)
	}
	if err != nil {
		return nil, usage(err)
	}
	if !st.IsDir() {
		return &location{kind: singleFile, path: abs, root: filepath.Dir(abs)}, f.needsGit(path, false)
	}
	if f.plain {
		return &location{kind: folder, path: abs, root: abs}, nil
	}
	if isBare(abs) {
		if f.staged {
			return nil, usagef("--staged needs a work tree, and %s is a bare repository", path)
		}
		return &location{kind: bareRepository, path: abs}, nil
	}
	for dir := abs; ; {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			below, err := filepath.Rel(dir, abs)
			if err != nil {
				return nil, err
			}
			if below == "." {
				below = ""
			}
			return &location{kind: workTree, path: dir, root: dir, below: filepath.ToSlash(below)}, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return &location{kind: folder, path: abs, root: abs}, f.needsGit(path, true)
}

// needsGit reports that a flag asks for what only a repository has.
func (f *scanFlags) needsGit(path string, isFolder bool) error {
	for _, m := range []struct {
		name string
		set  bool
	}{{"--base", f.base != ""}, {"--staged", f.staged}, {"--history", f.history}} {
		if m.set {
			what := "a git repository"
			if isFolder {
				what += ", neither it nor a folder above is one"
			}
			return usagef("%s: %s needs %s", path, m.name, what)
		}
	}
	return nil
}

// isBare reports whether a folder looks like a git repository without a work
// tree.
func isBare(dir string) bool {
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

func (at *location) isGit() bool { return at.kind == workTree || at.kind == bareRepository }

func (at *location) close() {
	for _, c := range at.closers {
		_ = c() // only read from
	}
}

// partition names the asset in the cache.
func (at *location) partition() string { return at.path }

// rootCommit returns the id of the first commit of a repository; empty if it
// has none or this is none. To go back to it takes a while in a long history: it
// is remembered in the cache folder, if that is not empty, with the HEAD that it
// was found from.
func (at *location) rootCommit(ctx context.Context, cacheFolder string) (string, error) {
	if !at.isGit() {
		return "", nil
	}
	sum := sha256.Sum256([]byte(at.path))
	file := filepath.Join(cacheFolder, "roots-1", hex.EncodeToString(sum[:10]))
	var known gitsource.Root
	if cacheFolder != "" {
		if data, err := readFile(file, 1024); err == nil {
			head, root, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
			h, err1 := gitstore.ParseID(head)
			r, err2 := gitstore.ParseID(root)
			if err1 == nil && err2 == nil {
				known = gitsource.Root{Head: h, Commit: r}
			}
		}
	}
	root, err := gitsource.RootCommit(ctx, at.path, known)
	if err != nil {
		return "", err
	}
	if cacheFolder != "" && root != known {
		// Not remembered, it is found again: slower, not wrong.
		_ = writeFileAtomically(file, []byte(root.Head.String()+" "+root.Commit.String()+"\n"))
	}
	return root.Commit.String(), nil
}

// sources adds to q the source that the flags ask for, and what it is compared
// with.
func (f *scanFlags) sources(ctx context.Context, p Process, at *location, set *settings, q *pipeline.Request) error {
	q.Mode = "full"
	switch at.kind {
	case standardInput:
		q.Source = filesource.Stdin(p.Stdin, filesource.Limits{})
		return nil
	case singleFile:
		s, err := filesource.Open(at.path, filesource.Limits{})
		if err != nil {
			return usage(err)
		}
		q.Source = s
		return nil
	case folder:
		var ignored *ignore.List
		ignored = ignored.Add("", set.exclude())
		d, err := filesource.Directory(at.path, filesource.Options{Ignore: ignoring{ignored}, IgnoreFile: gitsource.IgnoreFile, Archives: set.cfg.Scan.Archives})
		if err != nil {
			return usage(err)
		}
		at.closers = append(at.closers, d.Close)
		q.Source = d
		return nil
	}
	return f.gitSources(ctx, p, at, set, q)
}

// ignoring adapts an ignore list to what a folder asks.
type ignoring struct{ list *ignore.List }

// Ignored implements filesource.Ignorer.
func (i ignoring) Ignored(path string, isDir bool) bool {
	return i.list.Match(path, isDir) == ignore.Ignored
}

// gitSources adds the sources of a repository to q.
func (f *scanFlags) gitSources(ctx context.Context, p Process, at *location, set *settings, q *pipeline.Request) error {
	opts := gitsource.Options{Exclude: set.exclude(), GlobalIgnore: globalIgnore(p)}
	if at.below != "" {
		opts.Paths = []string{at.below}
	}
	opened := func(c io.Closer, err error) error {
		if err != nil {
			return usage(err)
		}
		at.closers = append(at.closers, c.Close)
		return nil
	}
	switch {
	case f.base != "":
		s, err := gitsource.NewChange(ctx, at.path, f.base, opts)
		if err := opened(s, err); err != nil {
			return err
		}
		whole, err := gitsource.NewBase(ctx, at.path, f.base, opts)
		if err := opened(whole, err); err != nil {
			return err
		}
		after, err := f.after(at, opts)
		if err := opened(after, err); err != nil {
			return err
		}
		q.Source, q.Whole, q.Bases, q.Mode = set.watch(s), after, []source.Source{s.Before(), whole}, "change"
		return nil
	case f.staged:
		s, err := gitsource.NewStaged(ctx, at.path, opts)
		if err := opened(s, err); err != nil {
			return err
		}
		bases := []source.Source{s.Before()}
		if s.Asset().Revision != "" {
			whole, err := gitsource.NewTree(at.path, "HEAD", opts)
			if err := opened(whole, err); err != nil {
				return err
			}
			bases = append(bases, whole)
		}
		q.Source, q.Whole, q.Bases, q.Mode = set.watch(s), s.Whole(), bases, "staged"
		return nil
	case f.history:
		s, err := gitsource.NewHistory(at.path, opts, gitsource.HistoryOptions{})
		if err := opened(s, err); err != nil {
			return err
		}
		q.Source, q.Mode = s, "history"
		return nil
	case at.kind == bareRepository:
		s, err := gitsource.NewTree(at.path, "", opts)
		if err := opened(s, err); err != nil {
			return err
		}
		q.Source = s
		return nil
	}
	s, err := gitsource.NewWorktree(at.path, opts)
	if err := opened(s, err); err != nil {
		return err
	}
	q.Source = s
	return nil
}

// openSource is a source that is closed in the end.
type openSource interface {
	source.Source
	io.Closer
}

// after is everything that there is after a change.
func (f *scanFlags) after(at *location, opts gitsource.Options) (openSource, error) {
	if at.kind == bareRepository {
		return gitsource.NewTree(at.path, "", opts)
	}
	return gitsource.NewWorktree(at.path, opts)
}

// globalIgnore is the user's own ignore file, as git finds it by default.
func globalIgnore(p Process) string {
	base := p.Getenv("XDG_CONFIG_HOME")
	if base == "" {
		home := p.Getenv("HOME")
		if home == "" {
			return ""
		}
		base = filepath.Join(home, ".config")
	}
	return filepath.Join(base, "git", "ignore")
}
