// Package gitstore reads git repositories: objects, references, the index. It
// reads the files that git writes and nothing else: it never runs a program,
// never writes, never reaches the network, and no setting of the repository
// changes what it does, for the repository may be hostile. Hooks, filters,
// attributes, file-system monitors, replace references and grafts have no
// effect. Of the configuration file only the object format and the extensions
// are believed, because without them the objects cannot be read at all.
//
// A ".git" file, "commondir" and "objects/info/alternates" are followed, since
// work trees, submodules and shared clones cannot be read without them. They
// can lead to another repository of the same user; what follows from that is
// only that objects are found there whose ids are known already.
//
// It does not compute differences, does not verify that an object's content
// has the hash that its id claims, and does not know work trees: that is the
// business of package gitsource.
package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

var (
	// ErrMissing is wrapped by errors about an object that the store does not
	// hold, as in partial and damaged clones.
	ErrMissing = errors.New("object is not in the repository")
	// ErrTooLarge is wrapped by errors about an object above Options.MaxObject.
	ErrTooLarge = errors.New("object is too large")
	// ErrNotRepository is wrapped by the error of Open where there is none.
	ErrNotRepository = errors.New("not a git repository")
	// ErrShallow is wrapped by errors caused by a history that was cut.
	ErrShallow = errors.New("the clone is shallow: its history is cut off")
	// ErrNotFound is wrapped by errors about a revision that names nothing.
	ErrNotFound = errors.New("no such revision")
)

// Limits of what is read from a repository.
const (
	DefaultMaxObject = 256 << 20 // bytes
	DefaultCache     = 32 << 20  // bytes

	maxDeltaDepth    = 4096 // git writes at most 4095
	maxAlternates    = 5    // nested, as in git
	maxSmallFile     = 1 << 20
	maxPackedRefs    = 1 << 30
	maxIndexFile     = 2 << 30
	maxSymbolicDepth = 8
)

// Options configure Open. The zero value works.
type Options struct {
	// Optional: the largest object held in memory, in bytes; larger ones are
	// streamed by OpenBlob if stored without delta, else are ErrTooLarge.
	// Default DefaultMaxObject.
	MaxObject int64
	// Optional: bytes of inflated objects kept as bases of deltas. Default
	// DefaultCache.
	Cache int64
}

// Repo is an open repository, safe for concurrent use.
type Repo struct {
	gitDir    string // of this work tree: HEAD, index
	commonDir string // shared by all work trees: objects, references
	workTree  string // empty if bare
	format    Format
	partial   bool
	shallow   map[ID]bool
	packs     []*pack
	loose     []string // object folders, ours first
	missing   []string // alternates that are not there
	damaged   []error  // packs that could not be opened
	maxObject int64
	cache     *baseCache

	packedOnce sync.Once
	packed     *packedRefs
	packedErr  error
}

// Open opens the repository at path: the root of a work tree, a ".git" folder
// or a bare repository. It does not search the folders above.
func Open(path string, opts Options) (*Repo, error) {
	r := &Repo{maxObject: opts.MaxObject, shallow: map[ID]bool{}}
	if r.maxObject <= 0 {
		r.maxObject = DefaultMaxObject
	}
	if opts.Cache <= 0 {
		opts.Cache = DefaultCache
	}
	r.cache = newBaseCache(opts.Cache)
	if err := r.locate(path); err != nil {
		return nil, err
	}
	if err := r.configure(); err != nil {
		return nil, err
	}
	if err := r.readShallow(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	if err := r.addObjects(filepath.Join(r.commonDir, "objects"), 0, seen); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// IsRepository reports whether path looks like something that Open opens.
func IsRepository(path string) bool {
	return new(Repo).locate(path) == nil
}

// locate finds the folders of the repository at path.
func (r *Repo) locate(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("opening repository: %w", err)
	}
	dot := filepath.Join(path, ".git")
	info, err := os.Stat(dot)
	switch {
	case err == nil && info.IsDir():
		r.gitDir, r.workTree = dot, path
	case err == nil && info.Mode().IsRegular():
		b, err := readRegular(dot, maxSmallFile)
		if err != nil {
			return fmt.Errorf("opening repository: reading %s: %w", dot, err)
		}
		target, ok := strings.CutPrefix(string(b), "gitdir: ")
		if !ok {
			return fmt.Errorf("opening repository: %s: %w: the file does not begin with \"gitdir: \"", dot, ErrNotRepository)
		}
		target = strings.TrimRight(target, "\r\n")
		if !filepath.IsAbs(target) {
			target = filepath.Join(path, target)
		}
		r.gitDir, r.workTree = filepath.Clean(target), path
	default:
		r.gitDir = path
		if filepath.Base(path) == ".git" {
			r.workTree = filepath.Dir(path)
		}
	}
	r.commonDir = r.gitDir
	b, err := readRegular(filepath.Join(r.gitDir, "commondir"), maxSmallFile)
	if err == nil {
		target := strings.TrimRight(string(b), "\r\n")
		if !filepath.IsAbs(target) {
			target = filepath.Join(r.gitDir, target)
		}
		r.commonDir = filepath.Clean(target)
	} else if !errors.Is(err, fs.ErrNotExist) && !isNotDir(err) {
		return fmt.Errorf("opening repository: %w", err)
	}
	for _, p := range []string{filepath.Join(r.gitDir, "HEAD"), filepath.Join(r.commonDir, "objects")} {
		if _, err := os.Lstat(p); err != nil {
			if errors.Is(err, fs.ErrNotExist) || isNotDir(err) {
				return fmt.Errorf("opening %s: %w (no %s)", path, ErrNotRepository, filepath.Base(p))
			}
			return fmt.Errorf("opening repository: %w", err)
		}
	}
	return nil
}

func (r *Repo) configure() error {
	path := filepath.Join(r.commonDir, "config")
	b, err := readRegular(path, maxSmallFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	c := parseConfig(b)
	for key, value := range c {
		ext, ok := strings.CutPrefix(key, "extensions.")
		if !ok {
			if strings.HasPrefix(key, "remote.") && strings.HasSuffix(key, ".promisor") && isTrue(value) {
				r.partial = true
			}
			continue
		}
		switch ext {
		case "noop", "noop-v1", "preciousobjects", "worktreeconfig", "relativeworktrees", "compatobjectformat":
		case "partialclone":
			r.partial = true
		case "objectformat":
			switch strings.ToLower(value) {
			case "sha1":
			case "sha256":
				r.format = SHA256
			default:
				return fmt.Errorf("reading %s: the repository's object format %q is unknown: only sha1 and sha256 can be read", path, cutText(value))
			}
		case "refstorage":
			if strings.ToLower(value) != "files" {
				return fmt.Errorf("reading %s: the repository stores its references as %q, which is not supported: run `git refs migrate --ref-format=files` or examine a fresh clone", path, cutText(value))
			}
		default:
			// Version 0 repositories ignore extensions that they do not know.
			if c["core.repositoryformatversion"] != "0" && c["core.repositoryformatversion"] != "" {
				return fmt.Errorf("reading %s: the repository needs the extension %q, which is not supported: examine a fresh clone instead", path, cutText(ext))
			}
		}
	}
	return nil
}

func (r *Repo) readShallow() error {
	path := filepath.Join(r.commonDir, "shallow")
	b, err := readRegular(path, 64<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	for line := range bytes.Lines(b) {
		id, err := ParseID(string(bytes.TrimSpace(line)))
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		r.shallow[id] = true
	}
	return nil
}

// addObjects takes in the object folder dir and its alternates.
func (r *Repo) addObjects(dir string, depth int, seen map[string]bool) error {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	if seen[dir] {
		return nil
	}
	seen[dir] = true
	r.loose = append(r.loose, dir)
	if err := r.openPacks(filepath.Join(dir, "pack")); err != nil {
		return err
	}
	list := filepath.Join(dir, "info", "alternates")
	b, err := readRegular(list, maxSmallFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", list, err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(dir, line)
		}
		info, err := os.Stat(line)
		if err != nil || !info.IsDir() || depth+1 > maxAlternates {
			r.missing = append(r.missing, line)
			continue
		}
		if err := r.addObjects(line, depth+1, seen); err != nil {
			return err
		}
	}
	return nil
}

// Close releases the open files. Nothing may use r after.
func (r *Repo) Close() error {
	var errs []error
	for _, p := range r.packs {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// GitDir is the folder that holds HEAD and the index.
func (r *Repo) GitDir() string { return r.gitDir }

// CommonDir is the folder that holds objects, references and info; it differs
// from GitDir in an added work tree.
func (r *Repo) CommonDir() string { return r.commonDir }

// WorkTree is the root of the work tree, empty for a bare repository.
func (r *Repo) WorkTree() string { return r.workTree }

// Format is the hash that names the objects.
func (r *Repo) Format() Format { return r.format }

// Shallow reports whether the history was cut off when cloning.
func (r *Repo) Shallow() bool { return len(r.shallow) > 0 }

// IsShallow reports whether the parents of commit id were cut off.
func (r *Repo) IsShallow(id ID) bool { return r.shallow[id] }

// Partial reports whether objects are missing by design: the repository is a
// partial clone, whose rest git would fetch on demand.
func (r *Repo) Partial() bool { return r.partial }

// MissingAlternates lists the alternate object folders that were not found or
// are nested too deeply; objects may be missing because of them.
func (r *Repo) MissingAlternates() []string { return r.missing }

// Damaged lists why packs could not be opened; their objects are missing.
func (r *Repo) Damaged() []error { return r.damaged }

// cutText shortens a stranger's text for a message.
func cutText(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
