// Package filesource walks what lies in plain files: a folder outside version
// control, an archive, standard input. It never leaves the root that it was
// given, executes nothing, and holds archives to limits whatever they claim.
// Content is handed on as it is; telling its encoding is for package textenc,
// and repositories are for package gitsource.
package filesource

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"bulwark/internal/asset"
	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/ignore"
)

// Reasons of skips in folders.
const (
	reasonUnreadable = "cannot be read"
	reasonSymlink    = "symlink"
	reasonLeaves     = "symlink leaves the root"
	reasonVCS        = "version control data"
	reasonIgnored    = "excluded"
	reasonLongIgnore = "ignore file too long: the patterns beyond the limit have no effect"
)

var (
	_ source.Source = (*DirectorySource)(nil)
	_ source.Source = (*ArchiveSource)(nil)
	_ source.Source = (*StdinSource)(nil)
)

// Ignorer tells what a project excludes.
type Ignorer interface {
	// Ignored is asked for a path that is slash-separated and relative to the
	// root; what lies in an ignored folder is not asked for.
	Ignored(path string, isDir bool) bool
}

// Options of Directory.
type Options struct {
	// Ignore: Optional: what to leave out. Default: nothing.
	Ignore Ignorer
	// IgnoreFile: Optional: the name of files of gitignore's syntax that are
	// obeyed in every folder, for what lies below it. Default: none.
	IgnoreFile string
	// Archives: Optional: how many levels of archives in the tree are opened.
	// Default 0: they are offered as the files that they are.
	Archives int
	// Limits: Optional: hold for all archives together; Nested is not used.
	Limits Limits
}

// DirectorySource is a folder outside version control.
type DirectorySource struct {
	root    *os.Root
	opener  *opener
	name    string
	opts    Options
	notices []outcome.Notice
}

// Directory returns the folder at path as a source. Close it when every file
// has been read.
func Directory(path string, opts Options) (*DirectorySource, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("opening the folder: %w", err)
	}
	o, err := newOpener(root)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the folder: %w", err), root.Close())
	}
	name := filepath.Base(path)
	if abs, err := filepath.Abs(path); err == nil {
		name = filepath.Base(abs)
	}
	return &DirectorySource{root: root, opener: o, name: name, opts: opts}, nil
}

// Close gives the folder back. Files that were not opened can no longer be.
func (d *DirectorySource) Close() error { return errors.Join(d.opener.close(), d.root.Close()) }

// Asset implements source.Source.
func (d *DirectorySource) Asset() asset.Asset {
	return asset.Asset{Kind: asset.Directory, Name: d.name}
}

// Notices implements source.Source.
func (d *DirectorySource) Notices() []outcome.Notice { return d.notices }

// Walk implements source.Source. The order is that of the file system.
func (d *DirectorySource) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	limits := d.opts.Limits
	limits.Nested = d.opts.Archives - 1
	if limits.Nested <= 0 {
		limits.Nested = -1
	}
	u := newUnpacker(limits, file, skip)
	w := &walk{d: d, u: u, file: file, skip: skip}
	err := w.dir(ctx, ".", 0, nil)
	d.notices = u.allNotices()
	var s stop
	if errors.As(err, &s) {
		return s.error
	}
	return err
}

// walk is one Walk over a folder.
type walk struct {
	d    *DirectorySource
	u    *unpacker
	file func(source.File) error
	skip func(outcome.Skip) error
}

const (
	dirBatch = 512 // entries of a folder that are held at once
	// maxOpenDirs is how many folders are open at once. Deeper ones are walked
	// after the folder around them, whose list of sub-folders is then held.
	maxOpenDirs = 64
)

// versionControl are folders whose content is not text of the project: a
// repository is examined as such, by package gitsource.
var versionControl = map[string]bool{".git": true, ".hg": true, ".svn": true, ".bzr": true}

func (w *walk) dir(ctx context.Context, rel string, depth int, ignores *ignore.List) error {
	f, err := w.d.root.Open(filepath.FromSlash(rel))
	if err != nil {
		return w.unreadable(rel, err)
	}
	closed := false
	defer func() {
		if !closed {
			_ = f.Close() // only read from
		}
	}()
	if ignores, err = w.ignoreFile(rel, ignores); err != nil {
		return err
	}
	var later []string
	for {
		entries, err := f.ReadDir(dirBatch)
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			path := e.Name()
			if rel != "." {
				path = rel + "/" + path
			}
			if !e.IsDir() {
				if err := w.entry(ctx, f, path, e, ignores); err != nil {
					return err
				}
				continue
			}
			switch {
			case versionControl[e.Name()]:
				err = w.skip(outcome.Skip{Path: path, Reason: reasonVCS})
			case w.ignored(path, true, ignores):
				err = w.skip(outcome.Skip{Path: path, Reason: reasonIgnored})
			case depth < maxOpenDirs:
				err = w.dir(ctx, path, depth+1, ignores)
			default:
				later = append(later, path)
			}
			if err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if err := w.unreadable(rel, err); err != nil {
				return err
			}
			break
		}
	}
	closed = true
	_ = f.Close() // only read from
	for _, path := range later {
		if err := w.dir(ctx, path, depth+1, ignores); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) ignored(path string, isDir bool, ignores *ignore.List) bool {
	return w.d.opts.Ignore != nil && w.d.opts.Ignore.Ignored(path, isDir) || ignores.Match(path, isDir) == ignore.Ignored
}

// ignoreFile adds the ignore file of the folder rel, if it has one, to those of
// the folders around it. The error is that of the skip callback.
func (w *walk) ignoreFile(rel string, ignores *ignore.List) (*ignore.List, error) {
	if w.d.opts.IgnoreFile == "" {
		return ignores, nil
	}
	path, dir := w.d.opts.IgnoreFile, ""
	if rel != "." {
		path, dir = rel+"/"+path, rel
	}
	r, err := w.d.opener.open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ignores, nil
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(r, ignore.MaxFile+1))
		err = errors.Join(err, r.Close())
	}
	if err != nil { // nothing is left out by a file that cannot be read
		return ignores, w.unreadable(path, err)
	}
	ignores = ignores.Add(dir, text)
	if ignores.Truncated() {
		return ignores, w.skip(outcome.Skip{Path: path, Reason: reasonLongIgnore})
	}
	return ignores, nil
}

// entry looks at what is no folder.
func (w *walk) entry(ctx context.Context, dir *os.File, path string, e fs.DirEntry, ignores *ignore.List) error {
	if w.ignored(path, false, ignores) {
		return w.skip(outcome.Skip{Path: path, Reason: reasonIgnored})
	}
	switch t := e.Type(); {
	case t&fs.ModeSymlink != 0:
		return w.symlink(path)
	case t.IsRegular():
	default:
		return w.skip(outcome.Skip{Path: path, Reason: reasonDevice, Detail: kindOf(t)})
	}
	size, err := w.d.opener.size(dir, e.Name(), path)
	if err != nil {
		return w.unreadable(path, err)
	}
	if w.d.opts.Archives > 0 && size > 0 && looksLikeArchive(e.Name()) {
		shared := &sharedFile{size: size, open: func() (*os.File, error) { return w.d.opener.file(path) }}
		c := &content{r: shared, size: size, open: shared.acquire}
		is, err := isArchive(c)
		if err != nil {
			return w.unreadable(path, err)
		}
		if is {
			return w.u.archive(ctx, path, path+"!/", c, 0)
		}
	}
	return w.file(source.File{Path: path, Size: size, Open: func() (io.ReadCloser, error) { return w.d.opener.open(path) }})
}

func isArchive(c *content) (bool, error) {
	r, err := c.reader()
	if err != nil {
		return false, err
	}
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return detect(head[:n]) != plain, errors.Join(err, r.Close())
}

// symlink reports a link. It is never followed: what it names inside the root
// is visited by its own name.
func (w *walk) symlink(path string) error {
	_, err := w.d.root.Stat(filepath.FromSlash(path))
	s := outcome.Skip{Path: path, Reason: reasonSymlink, Detail: "its target is examined by its own name"}
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		s.Detail = "its target does not exist"
	case strings.Contains(err.Error(), "escapes"): // os has no exported error for it
		s.Reason, s.Detail = reasonLeaves, ""
	default:
		s.Detail = cause(err)
	}
	return w.skip(s)
}

// unreadable reports what should have been examined and could not be. What is
// gone meanwhile need not be.
func (w *walk) unreadable(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) && path != "." {
		return nil
	}
	return w.skip(outcome.Skip{Path: path, Reason: reasonUnreadable, Detail: cause(err), Failed: true})
}

// cause is an error without the path that the skip has already.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func kindOf(t fs.FileMode) string {
	switch {
	case t&fs.ModeNamedPipe != 0:
		return "named pipe"
	case t&fs.ModeSocket != 0:
		return "socket"
	case t&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

// ArchiveSource is an archive file: zip and its kin, tar, either compressed or
// not, or a single compressed file.
type ArchiveSource struct {
	name    string
	file    *sharedFile
	limits  Limits
	notices []outcome.Notice
}

// Archive returns the archive at path as a source.
func Archive(path string, limits Limits) (*ArchiveSource, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening the archive: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("opening the archive: %s is not a regular file", path)
	}
	a := &ArchiveSource{name: filepath.Base(path), limits: limits}
	a.file = &sharedFile{size: info.Size(), open: func() (*os.File, error) { return os.Open(path) }}
	is, err := isArchive(a.content())
	if err != nil {
		return nil, fmt.Errorf("opening the archive: %w", err)
	}
	if !is {
		return nil, fmt.Errorf("opening the archive: %s is neither a zip nor a tar file, nor compressed by gzip, bzip2, xz or zstd", path)
	}
	return a, nil
}

func (a *ArchiveSource) content() *content {
	return &content{r: a.file, size: a.file.size, open: a.file.acquire}
}

// Asset implements source.Source.
func (a *ArchiveSource) Asset() asset.Asset { return asset.Asset{Kind: asset.Archive, Name: a.name} }

// Notices implements source.Source.
func (a *ArchiveSource) Notices() []outcome.Notice { return a.notices }

// Walk implements source.Source. The order is that of the archive.
func (a *ArchiveSource) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	u := newUnpacker(a.limits, file, skip)
	err := u.archive(ctx, a.name, "", a.content(), 0)
	a.notices = u.allNotices()
	var s stop
	if errors.As(err, &s) {
		return s.error
	}
	return err
}

// StdinSource is what comes through a stream: one file, or an archive.
type StdinSource struct {
	r       io.Reader
	limits  Limits
	walked  atomic.Bool
	notices []outcome.Notice
}

// StdinName is the path of the one file of a stream.
const StdinName = "stdin"

// Stdin returns the stream r as a source: the file "stdin", or the entries of
// the archive that it begins with by its magic number.
func Stdin(r io.Reader, limits Limits) *StdinSource { return &StdinSource{r: r, limits: limits} }

// Asset implements source.Source.
func (s *StdinSource) Asset() asset.Asset {
	return asset.Asset{Kind: asset.Stream, Name: StdinName}
}

// Notices implements source.Source.
func (s *StdinSource) Notices() []outcome.Notice { return s.notices }

// Walk implements source.Source. A stream can be walked once.
func (s *StdinSource) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	if s.walked.Swap(true) {
		return errors.New("reading the stream: it was read already")
	}
	r := bufio.NewReaderSize(s.r, 64<<10)
	head, err := r.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return skip(outcome.Skip{Path: StdinName, Reason: reasonUnreadable, Detail: cause(err), Failed: true})
	}
	format := detect(head)
	if format == plain || format == unsupported {
		return file(source.File{Path: StdinName, Size: -1, Open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }})
	}
	u := newUnpacker(s.limits, file, skip)
	switch format {
	case zipFormat: // needs its end first
		var c *content
		if c, err = u.spool.keep(withContext{ctx, r}, -1); err == nil {
			err = u.archive(ctx, StdinName, "", c, 0)
		}
	case tarFormat:
		err = u.tar(ctx, "", &meter{ctx: ctx, u: u, r: r}, nil, 0)
	default:
		err = u.stream(ctx, StdinName, "", format, r, 0)
	}
	err = u.fault(ctx, StdinName, err)
	s.notices = u.allNotices()
	var st stop
	if errors.As(err, &st) {
		return st.error
	}
	return err
}

// openRegular opens path below root, and only if it is a regular file.
func openRegular(root *os.Root, path string) (*os.File, error) {
	f, err := root.OpenFile(filepath.FromSlash(path), os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

var errNotRegular = errors.New(reasonDevice)
