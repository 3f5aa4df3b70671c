package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"bulwark/internal/source"
	"bulwark/internal/source/filesource"
)

// location is what PATH turned out to be.
type location struct {
	path string // absolute; empty for standard input
	kind kind
	// root is the folder that the configuration and relative paths belong to:
	// of a work tree its top, of a file its folder. Empty for standard input.
	root    string
	closers []func() error
}

type kind uint8

const (
	folder kind = iota
	workTree
	bareRepository
	archiveFile
	plainFile
	standardInput
)

// locate finds out what PATH is.
func (f *scanFlags) locate(p Process, path string) (*location, error) {
	if path == "-" {
		return &location{kind: standardInput}, nil
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
	at := &location{path: abs, root: abs}
	if !st.IsDir() {
		at.root = filepath.Dir(abs)
		at.kind = archiveFile
		return at, nil
	}
	return at, nil
}

func (at *location) close() {
	for _, c := range at.closers {
		_ = c() // only read from
	}
}

// partition names the asset in the cache.
func (at *location) partition() string { return at.path }

func (at *location) rootCommit() (string, error) { return "", nil }

func (at *location) shallow() bool { return false }

func (f *scanFlags) sources(p Process, at *location, set *settings) (source.Source, []source.Source, string, error) {
	switch at.kind {
	case standardInput:
		return filesource.Stdin(p.Stdin, filesource.Limits{}), nil, "full", nil
	case archiveFile:
		s, err := filesource.Archive(at.path, filesource.Limits{})
		return s, nil, "full", err
	}
	d, err := filesource.Directory(at.path, filesource.Options{})
	if err != nil {
		return nil, nil, "", err
	}
	at.closers = append(at.closers, d.Close)
	return d, nil, "full", nil
}
