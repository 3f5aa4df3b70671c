// Package gitsource offers git repositories as sources: the work tree, what a
// change or the staging area introduces, a commit's tree, the whole history.
//
// It reads through package gitstore and the file system and never runs git.
// Settings, hooks, filters, attributes and monitors of the repository have no
// effect, so that a hostile one gains nothing by being looked at; therefore
// content is taken as it lies there: nothing is smudged, no line ending is
// converted, no LFS object is fetched, no missing object is asked of a remote.
// It does not judge content, and it does not decide what a finding in the base
// of a change means; that is the business of packages scanner and triage.
package gitsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"bulwark/internal/asset"
	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitstore"
	"bulwark/internal/source/ignore"
)

// Reasons of skips.
const (
	SkipSubmodule  = "submodule"
	SkipNested     = "nested repository"
	SkipSparse     = "sparse: not checked out"
	SkipSymlink    = "symlink leaves the root"
	SkipNotRegular = "not a regular file"
	SkipUnreadable = "unreadable"
	SkipMissing    = "object missing"
	SkipPartial    = "partial clone: object not fetched"
	SkipExcluded   = "excluded by .bulwarkignore"
)

// IgnoreFile is the name of the files that say what Bulwark does not look at.
const IgnoreFile = ".bulwarkignore"

// Options configure a source. The zero value works.
type Options struct {
	// Optional: look only at these slash-separated paths relative to the root
	// and what lies below them. Default: everything.
	Paths []string
	// Optional: patterns in the syntax of .gitignore that leave out files,
	// tracked or not, in addition to the .bulwarkignore files.
	Exclude []byte
	// Optional: the user's own ignore file, usually
	// $XDG_CONFIG_HOME/git/ignore. Repositories can't name one.
	GlobalIgnore string
	// Optional: goroutines that read folders. Default: one per core.
	Workers int
	// Optional: limits of the object store.
	Store gitstore.Options
}

// IsLFSPointer reports whether a file that begins with head stands for a large
// file kept elsewhere (Git LFS). Pointers are shorter than 1 KiB.
func IsLFSPointer(head []byte) bool {
	return len(head) < 1024 && bytes.HasPrefix(head, []byte("version https://git-lfs.github.com/spec/"))
}

// repo is what all sources of this package share.
type repo struct {
	store *gitstore.Repo
	opts  Options
	asset asset.Asset
	head  gitstore.Head
	// maxEntries is the constant, but for tests.
	maxEntries int

	mu      sync.Mutex
	notices []outcome.Notice
}

func openRepo(path string, opts Options) (*repo, error) {
	for i, p := range opts.Paths {
		p = strings.Trim(filepath.ToSlash(filepath.Clean(p)), "/")
		if p == ".." || strings.HasPrefix(p, "../") {
			return nil, fmt.Errorf("path %q lies outside the repository", opts.Paths[i])
		}
		if i == 0 {
			opts.Paths = slices.Clone(opts.Paths)
		}
		opts.Paths[i] = p
	}
	if slices.Contains(opts.Paths, ".") {
		opts.Paths = nil
	}
	store, err := gitstore.Open(path, opts.Store)
	if err != nil {
		return nil, err
	}
	head, err := store.Head()
	if err != nil {
		store.Close()
		return nil, err
	}
	r := &repo{store: store, opts: opts, head: head, maxEntries: maxEntries}
	root := store.WorkTree()
	if root == "" {
		root = store.GitDir()
	}
	r.asset = asset.Asset{Kind: asset.Repository, Name: strings.TrimSuffix(filepath.Base(root), ".git"), Branch: head.Branch}
	if !head.ID.IsZero() {
		r.asset.Revision = head.ID.String()
	}
	for _, dir := range store.MissingAlternates() {
		r.notice("alternate-missing", fmt.Sprintf("The repository borrows objects from a folder that is not there or is nested too deeply: %s.", filepath.Base(dir)))
	}
	for _, err := range store.Damaged() {
		r.notice("pack-damaged", fmt.Sprintf("A pack cannot be read, its objects are missing: %v.", err))
	}
	return r, nil
}

// noteGaps notes what of a history may be absent.
func (r *repo) noteGaps() {
	if r.store.Shallow() {
		r.notice("shallow-clone", "The clone is shallow: older commits were not fetched and cannot be looked at. Run `git fetch --unshallow`, or check out with fetch-depth: 0.")
	}
	if r.store.Partial() {
		r.notice("partial-clone", "The clone is partial: objects that were not fetched cannot be looked at. Nothing is fetched on its behalf.")
	}
}

func (r *repo) notice(kind, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := outcome.Notice{Kind: kind, Message: message}
	if !slices.Contains(r.notices, n) {
		r.notices = append(r.notices, n)
	}
}

// Asset describes the repository.
func (r *repo) Asset() asset.Asset { return r.asset }

// Notices lists what a person should know. Valid after Walk.
func (r *repo) Notices() []outcome.Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notices)
}

// Close releases the repository's files. No File may be opened after.
func (r *repo) Close() error { return r.store.Close() }

// wanted reports whether a file lies within the paths asked for.
func (r *repo) wanted(path string) bool {
	if len(r.opts.Paths) == 0 {
		return true
	}
	for _, p := range r.opts.Paths {
		if rest, ok := strings.CutPrefix(path, p); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// entered reports whether a folder may hold wanted files. dir ends with "/".
func (r *repo) entered(dir string) bool {
	if len(r.opts.Paths) == 0 || dir == "" {
		return true
	}
	for _, p := range r.opts.Paths {
		if strings.HasPrefix(dir, p+"/") || strings.HasPrefix(p+"/", dir) {
			return true
		}
	}
	return false
}

// blobID is the ContentID of a blob.
func (r *repo) blobID(id gitstore.ID) string {
	return r.store.Format().String() + ":" + id.String()
}

// blobFile offers a blob of the store under a path. present is false if the
// store has no such object; miss says so.
func (r *repo) blobFile(path string, id gitstore.ID) (f source.File, present bool, err error) {
	pl, ok, err := r.store.Find(id)
	if err != nil || !ok {
		return f, false, err
	}
	return source.File{
		Path:      path,
		Size:      r.store.Size(id, pl),
		ContentID: r.blobID(id),
		Open:      func() (io.ReadCloser, error) { return r.store.OpenBlobAt(id, pl) },
	}, true, nil
}

// offer passes a blob to file, or to skip if it is missing.
func (r *repo) offer(path string, id gitstore.ID, commit *finding.Commit, historical bool, file func(source.File) error, skip func(outcome.Skip) error) error {
	f, ok, err := r.blobFile(path, id)
	if err != nil {
		return skip(outcome.Skip{Path: path, Reason: SkipUnreadable, Detail: err.Error(), Failed: true})
	}
	if !ok {
		return skip(r.miss(path, id))
	}
	f.Commit, f.Historical = commit, historical
	return file(f)
}

// miss is the skip for an object that the store does not hold: by design in a
// partial clone, else the repository is damaged.
func (r *repo) miss(path string, id gitstore.ID) outcome.Skip {
	if r.store.Partial() {
		return outcome.Skip{Path: path, Reason: SkipPartial, Detail: id.String()}
	}
	return outcome.Skip{Path: path, Reason: SkipMissing, Detail: id.String(), Failed: true}
}

func isMissing(err error) bool { return errors.Is(err, gitstore.ErrMissing) }

// exclusions returns the patterns of Options.Exclude and, if root is not the
// zero id, of the .bulwarkignore at the top of that tree.
func (r *repo) exclusions(root gitstore.ID) *ignore.List {
	var l *ignore.List
	l = l.Add("", r.opts.Exclude)
	if root.IsZero() {
		return l
	}
	e, ok, err := r.store.LookupTree(root, IgnoreFile)
	if err != nil || !ok || !e.IsFile() {
		return l
	}
	return l.Add("", r.ignoreBlob(e.ID()))
}

func (r *repo) ignoreBlob(id gitstore.ID) []byte {
	typ, data, err := r.store.Object(id)
	if err != nil || typ != gitstore.TypeBlob {
		return nil
	}
	return data
}

// treeOf returns the root tree of a commit, the zero id for the zero id.
func (r *repo) treeOf(commit gitstore.ID) (gitstore.ID, error) {
	if commit.IsZero() {
		return gitstore.ID{}, nil
	}
	c, err := r.store.Commit(commit)
	if err != nil {
		return gitstore.ID{}, err
	}
	return c.Tree, nil
}

func (r *repo) commitInfo(id gitstore.ID) *finding.Commit {
	c := &finding.Commit{ID: id.String()}
	if t, err := r.store.CommitText(id); err == nil {
		c.Author, c.Date, c.Subject = t.Author, t.Date, t.Subject
	}
	return c
}

// Root is the commit in which the history of Head began, going by first
// parents.
type Root struct{ Head, Commit gitstore.ID }

// nearby is how many commits are gone back to meet a head whose root is known.
const nearby = 2000

// RootCommit finds the root of HEAD: an identity that all full clones and forks
// share. Known: Optional: what was found earlier, which saves going back further
// than to its head. A shallow clone can't tell; the error then wraps
// gitstore.ErrShallow.
func RootCommit(ctx context.Context, path string, known Root) (Root, error) {
	r, err := gitstore.Open(path, gitstore.Options{})
	if err != nil {
		return Root{}, err
	}
	defer r.Close()
	head, err := r.Head()
	if err != nil {
		return Root{}, err
	}
	if head.ID.IsZero() {
		return Root{}, fmt.Errorf("finding the root commit: %w: the repository has no commit yet", gitstore.ErrNotFound)
	}
	if !known.Head.IsZero() {
		for id, n := head.ID, 0; n < nearby; n++ {
			if id == known.Head {
				return Root{Head: head.ID, Commit: known.Commit}, nil
			}
			c, err := r.Commit(id)
			if err != nil || len(c.Parents) == 0 {
				break
			}
			id = c.Parents[0]
		}
	}
	id, err := r.RootCommit(ctx, head.ID)
	if err != nil {
		return Root{}, fmt.Errorf("finding the root commit: %w", err)
	}
	return Root{Head: head.ID, Commit: id}, nil
}

// readIgnoreFile reads an ignore file of the user's, not the repository's.
func readIgnoreFile(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the global ignore file: %w", err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, ignore.MaxFile+1))
}
