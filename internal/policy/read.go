package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ReadPaths reads what a project names as its policies, for Options: a folder
// (every .rego, .json, .yaml and .yml below it, hidden folders left out), a
// single such file, or a bundle (.tar.gz or .tgz). Symbolic links inside a
// folder are followed only within it. A zero Limits has the defaults. Errors
// are of kind Configuration.
//
// Data in a folder takes its place from its path below that folder; a single
// data file belongs to the top of data.
func ReadPaths(paths []string, limits Limits) (files map[string][]byte, bundles []Bundle, err error) {
	r := pathReader{limits: limits.withDefaults(), files: map[string][]byte{}}
	for _, p := range paths {
		if err := r.read(p); err != nil {
			return nil, nil, err
		}
	}
	return r.files, r.bundles, nil
}

type pathReader struct {
	limits  Limits
	total   int64
	files   map[string][]byte
	bundles []Bundle
}

func (r *pathReader) read(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return r.fail(name, err)
	}
	if !info.IsDir() {
		f, err := os.Open(name)
		if err != nil {
			return r.fail(name, err)
		}
		defer f.Close()
		base := filepath.Base(name)
		if isBundle(base) {
			b, err := r.content(f, name, r.limits.TotalBytes)
			r.bundles = append(r.bundles, Bundle{Name: base, Data: b})
			return err
		}
		if !isPolicyFile(base) {
			return configurationf(loading, name, "not a policy: want a folder, .rego, .json, .yaml or a bundle (.tar.gz)")
		}
		return r.keep(f, base, name)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return r.fail(name, err)
	}
	defer root.Close()
	return r.folder(root, name)
}

// folder reads below root, whose name is used in messages only.
func (r *pathReader) folder(root *os.Root, name string) error {
	seen := 0
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		// Entries that are no policies cost time as well.
		if seen++; seen > 50*r.limits.Files {
			return configurationf(loading, name, "the folder holds more than %d entries; name the folder that holds the policies", 50*r.limits.Files)
		}
		switch {
		case err != nil:
			return r.fail(filepath.Join(name, p), err)
		case p != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || !isPolicyFile(p):
			return nil
		}
		f, err := root.Open(p)
		if err != nil {
			return r.fail(filepath.Join(name, p), err)
		}
		defer f.Close()
		return r.keep(f, p, filepath.Join(name, p))
	})
	return err
}

// keep reads f under the name key, which decides where data goes.
func (r *pathReader) keep(f *os.File, key, name string) error {
	if _, twice := r.files[key]; twice {
		return configurationf(loading, name, "another path brought a file named %s already; rename one", key)
	}
	if len(r.files) >= r.limits.Files {
		return configurationf(loading, name, "there are more than %d policy files", r.limits.Files)
	}
	b, err := r.content(f, name, r.limits.FileBytes)
	r.files[key] = b
	return err
}

func (r *pathReader) content(f *os.File, name string, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, r.fail(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, configurationf(loading, name, "not a plain file")
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, r.fail(name, err)
	}
	if r.total += int64(len(b)); int64(len(b)) > limit || r.total > r.limits.TotalBytes {
		return nil, configurationf(loading, name, "too large: the limits are %d bytes for this file and %d together", limit, r.limits.TotalBytes)
	}
	return b, nil
}

func (r *pathReader) fail(name string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Kind: Configuration, Op: loading, Err: err, Problems: []Problem{{File: name, Message: fmt.Sprint(bare(err))}}}
}

// bare is err without the path, which the message has already.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func isBundle(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

func isPolicyFile(name string) bool {
	return slices.Contains([]string{".rego", ".json", ".yaml", ".yml"}, filepath.Ext(name))
}
