//go:build !linux

package gitsource

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// rootDir opens what lies below the root of a work tree, never through a
// symbolic link.
type rootDir struct {
	root *os.Root
}

func openRootDir(path string) (*rootDir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &rootDir{root: root}, nil
}

func (d *rootDir) openFile(rel string) (*os.File, error) {
	f, err := openInRoot(d.root, rel, os.O_RDONLY|nonBlock)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("opening %s: %w", rel, errNotRegular)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// folder is an open folder.
type folder struct {
	f    *os.File
	root *os.Root
	rel  string
}

func (d *rootDir) openFolder(rel string) (*folder, error) {
	rel = path.Clean("./" + rel)
	f, err := openInRoot(d.root, rel, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return &folder{f: f, root: d.root, rel: rel}, nil
}

func (d *folder) close() { d.f.Close() }

func (d *folder) list([]byte) ([]dirent, error) {
	entries, err := d.f.ReadDir(-1)
	out := make([]dirent, 0, len(entries))
	for _, e := range entries {
		out = append(out, dirent{name: e.Name(), kind: kindOf(e.Type())})
	}
	return out, err
}

func (d *folder) stat(name string) (fileStat, error) {
	info, err := d.root.Lstat(filepath.Join(filepath.FromSlash(d.rel), name))
	if err != nil {
		return fileStat{}, err
	}
	s := fileStat{kind: kindOf(info.Mode()), size: info.Size()}
	fillStat(&s, info)
	return s, nil
}

func kindOf(m fs.FileMode) kind {
	switch {
	case m.IsRegular():
		return kindFile
	case m.IsDir():
		return kindDir
	case m&fs.ModeSymlink != 0:
		return kindSymlink
	}
	return kindOther
}

func (d *rootDir) close() { d.root.Close() }
