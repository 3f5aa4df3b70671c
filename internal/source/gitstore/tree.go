package gitstore

import (
	"bytes"
	"errors"
	"fmt"
)

// The kinds of entry, in the upper bits of a mode.
const (
	ModeMask    = 0o170000
	ModeDir     = 0o040000
	ModeFile    = 0o100000
	ModeSymlink = 0o120000
	ModeGitlink = 0o160000 // a submodule: the id is a commit of another repository
)

var errTree = errors.New("tree is damaged")

// TreeEntry is one entry of a tree. Its slices point into the tree.
type TreeEntry struct {
	Mode uint32
	Name []byte // not empty, without "/" and NUL, otherwise any bytes
	Raw  []byte // the id's bytes
}

// ID returns the entry's id.
func (e *TreeEntry) ID() ID { return IDFromBytes(e.Raw) }

// IsDir reports whether the entry is a folder.
func (e *TreeEntry) IsDir() bool { return e.Mode&ModeMask == ModeDir }

// IsFile reports whether the entry is a regular file.
func (e *TreeEntry) IsFile() bool { return e.Mode&ModeMask == ModeFile }

// Tree returns a tree's bytes, to be read with NextEntry.
func (r *Repo) Tree(id ID) ([]byte, error) {
	if id == r.emptyTree() {
		return nil, nil
	}
	return r.typed(id, TypeTree)
}

// emptyTree is known to git even where it is not stored.
func (r *Repo) emptyTree() ID {
	hex := "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
	if r.format == SHA256 {
		hex = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
	}
	id, _ := ParseID(hex)
	return id
}

// NextEntry splits the first entry from tree, whose ids have idLen bytes.
func NextEntry(tree []byte, idLen int) (e TreeEntry, rest []byte, err error) {
	i := 0
	for ; i < len(tree) && i < 8 && tree[i] != ' '; i++ {
		c := tree[i]
		if c < '0' || c > '7' {
			return e, nil, errTree
		}
		e.Mode = e.Mode<<3 | uint32(c-'0')
	}
	if i == 0 || i >= len(tree) || tree[i] != ' ' {
		return e, nil, errTree
	}
	tree = tree[i+1:]
	n := bytes.IndexByte(tree, 0)
	if n <= 0 || len(tree)-n-1 < idLen || bytes.IndexByte(tree[:n], '/') >= 0 {
		return e, nil, errTree
	}
	e.Name, e.Raw = tree[:n:n], tree[n+1:n+1+idLen]
	return e, tree[n+1+idLen:], nil
}

// LookupTree returns the entry at a slash-separated path below a tree.
func (r *Repo) LookupTree(root ID, path string) (TreeEntry, bool, error) {
	for {
		tree, err := r.Tree(root)
		if err != nil {
			return TreeEntry{}, false, err
		}
		name, below, deeper := bytes.Cut([]byte(path), []byte("/"))
		found := false
		var e TreeEntry
		for len(tree) > 0 && !found {
			if e, tree, err = NextEntry(tree, r.format.Size()); err != nil {
				return e, false, fmt.Errorf("reading tree %s: %w", root, err)
			}
			found = bytes.Equal(e.Name, name)
		}
		if !found || deeper && !e.IsDir() {
			return TreeEntry{}, false, nil
		}
		if !deeper {
			return e, true, nil
		}
		root, path = e.ID(), string(below)
	}
}

func isMissing(err error) bool { return errors.Is(err, ErrMissing) }
