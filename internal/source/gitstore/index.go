package gitstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Entry is one entry of the index.
type Entry struct {
	Path         string // slash-separated, any bytes but NUL
	ID           ID
	Mode         uint32
	Size         uint32 // of the file, modulo 2^32
	CTimeSec     uint32
	CTimeNsec    uint32
	MTimeSec     uint32
	MTimeNsec    uint32
	Ino          uint32
	Stage        uint8 // 0, or 1 to 3 for the sides of a conflict
	SkipWorktree bool  // not checked out, by a sparse checkout
	IntentToAdd  bool  // announced by `git add -N`: ID names no content
}

// IsGitlink reports whether the entry is a submodule.
func (e *Entry) IsGitlink() bool { return e.Mode&ModeMask == ModeGitlink }

// IsFile reports whether the entry is a regular file.
func (e *Entry) IsFile() bool { return e.Mode&ModeMask == ModeFile }

// IsDir reports whether the entry stands for a whole folder that a sparse
// index left out; ID is its tree and Path ends with "/".
func (e *Entry) IsDir() bool { return e.Mode&ModeMask == ModeDir }

// Index is git's list of the tracked files.
type Index struct {
	Entries []Entry // ascending by Path, then Stage
	Sparse  bool    // some entries may stand for folders
	// Tree is what the index knows about the trees that it would make, nil if
	// nothing.
	Tree *CacheTree
	// Written is when the index file was last changed: a file changed in the
	// same instant may differ though its entry agrees. Zero if there is none.
	Written time.Time
}

// CacheTree is a folder whose tree the index knows.
type CacheTree struct {
	Name     string
	Entries  int // index entries below; negative if ID is out of date
	ID       ID
	Children []*CacheTree
}

// Child returns the sub-folder of that name, or nil. It may be called on nil.
func (t *CacheTree) Child(name string) *CacheTree {
	if t == nil {
		return nil
	}
	for _, c := range t.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Index reads the index. A repository without one has an empty index.
func (r *Repo) Index() (*Index, error) {
	path := filepath.Join(r.gitDir, "index")
	// The time is taken before the content: if git replaces the file between,
	// more files look changed, not fewer.
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Index{}, nil
	}
	var b []byte
	if err == nil {
		b, err = readRegular(path, maxIndexFile)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	x, err := parseIndex(b, r.format)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	x.Written = info.ModTime()
	return x, nil
}

var errIndex = errors.New("the index is damaged: remove it and run `git reset`")

const (
	entryFixed  = 40 // bytes before the id
	maxPath     = 1 << 16
	maxTreeDeep = 2048
)

// parseIndex reads versions 2, 3 and 4.
func parseIndex(b []byte, format Format) (*Index, error) {
	n := format.Size()
	if len(b) < 12+n || string(b[:4]) != "DIRC" {
		return nil, errIndex
	}
	version := binary.BigEndian.Uint32(b[4:])
	count := int64(binary.BigEndian.Uint32(b[8:]))
	if version < 2 || version > 4 {
		return nil, fmt.Errorf("index version %d is unknown", version)
	}
	body := b[12 : len(b)-n]
	if count*int64(entryFixed+n+2) > int64(len(body)) {
		return nil, errIndex
	}
	x := &Index{Entries: make([]Entry, count)}
	// Paths are slices of one string.
	var text string
	if version < 4 {
		text = string(body)
	}
	var arena []byte
	var prev []byte
	pos := 0
	for i := range x.Entries {
		e := &x.Entries[i]
		if len(body)-pos < entryFixed+n+3 {
			return nil, errIndex
		}
		h := body[pos:]
		e.CTimeSec = binary.BigEndian.Uint32(h)
		e.CTimeNsec = binary.BigEndian.Uint32(h[4:])
		e.MTimeSec = binary.BigEndian.Uint32(h[8:])
		e.MTimeNsec = binary.BigEndian.Uint32(h[12:])
		e.Ino = binary.BigEndian.Uint32(h[20:])
		e.Mode = binary.BigEndian.Uint32(h[24:])
		e.Size = binary.BigEndian.Uint32(h[36:])
		e.ID.n = uint8(n)
		copy(e.ID.b[:], h[entryFixed:entryFixed+n])
		flags := binary.BigEndian.Uint16(h[entryFixed+n:])
		e.Stage = uint8(flags >> 12 & 3)
		at := entryFixed + n + 2
		if flags&0x4000 != 0 {
			if version < 3 || len(h) < at+2 {
				return nil, errIndex
			}
			more := binary.BigEndian.Uint16(h[at:])
			e.SkipWorktree = more&0x4000 != 0
			e.IntentToAdd = more&0x2000 != 0
			at += 2
		}
		if version == 4 {
			strip, used := offsetVarint(h[at:])
			if used == 0 || strip > uint64(len(prev)) {
				return nil, errIndex
			}
			at += used
			end := bytes.IndexByte(h[at:], 0)
			if end < 0 || len(prev)-int(strip)+end > maxPath || len(arena) > 64*len(b) {
				return nil, errIndex
			}
			start := len(arena)
			arena = append(arena, prev[:len(prev)-int(strip)]...)
			arena = append(arena, h[at:at+end]...)
			prev = arena[start:]
			e.Path = string(prev)
			pos += at + end + 1
		} else {
			length := int(flags & 0xfff)
			if length == 0xfff {
				length = bytes.IndexByte(h[at:], 0)
			}
			if length < 0 || length > maxPath || at+length >= len(h) || h[at+length] != 0 {
				return nil, errIndex
			}
			e.Path = text[pos+at : pos+at+length]
			pos += (at + length + 8) &^ 7
			if pos > len(body) {
				return nil, errIndex
			}
		}
		if !goodPath(e.Path, e.IsDir()) {
			return nil, errIndex
		}
		if i > 0 {
			p := &x.Entries[i-1]
			if e.Path < p.Path || e.Path == p.Path && e.Stage <= p.Stage {
				return nil, fmt.Errorf("%w: its entries are not in order", errIndex)
			}
		}
	}
	return x, x.extensions(body[pos:], n)
}

// goodPath refuses paths with empty parts; a trailing slash is part of a
// folder's path.
func goodPath(p string, dir bool) bool {
	if dir {
		if len(p) < 2 || p[len(p)-1] != '/' {
			return false
		}
		p = p[:len(p)-1]
	}
	if p == "" || p[0] == '/' || p[len(p)-1] == '/' {
		return false
	}
	for i := 1; i < len(p); i++ {
		if p[i] == '/' && p[i-1] == '/' || p[i] == 0 {
			return false
		}
	}
	return true
}

// offsetVarint reads the number that version 4 stores before a path, and how
// many bytes it took, 0 if it is damaged.
func offsetVarint(b []byte) (uint64, int) {
	if len(b) == 0 {
		return 0, 0
	}
	v := uint64(b[0] & 0x7f)
	i := 0
	for b[i]&0x80 != 0 {
		if i++; i >= len(b) || i > 8 {
			return 0, 0
		}
		v = (v+1)<<7 | uint64(b[i]&0x7f)
	}
	return v, i + 1
}

// extensions reads what follows the entries. Those whose name begins with a
// capital are optional.
func (x *Index) extensions(b []byte, idLen int) error {
	for len(b) >= 8 {
		name := string(b[:4])
		size := int64(binary.BigEndian.Uint32(b[4:]))
		b = b[8:]
		if size > int64(len(b)) {
			return errIndex
		}
		data := b[:size]
		b = b[size:]
		switch {
		case name == "TREE":
			// A damaged optional extension is no reason to give up.
			if t, rest, ok := parseCacheTree(data, idLen, 0); ok && len(rest) == 0 {
				x.Tree = t
			}
		case name == "sdir":
			x.Sparse = true
		case name == "link":
			return errors.New("the index is split in two files, which is not supported: run `git update-index --no-split-index`")
		case name[0] < 'A' || name[0] > 'Z':
			return fmt.Errorf("the index needs the extension %q, which is not supported", name)
		}
	}
	return nil
}

func parseCacheTree(b []byte, idLen, depth int) (*CacheTree, []byte, bool) {
	name, b, ok := bytes.Cut(b, []byte{0})
	if !ok || depth > maxTreeDeep {
		return nil, nil, false
	}
	line, b, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		return nil, nil, false
	}
	entries, subs, ok := bytes.Cut(line, []byte(" "))
	t := &CacheTree{Name: string(name)}
	n, ok2 := smallInt(subs)
	if !ok || !ok2 {
		return nil, nil, false
	}
	if string(entries) == "-1" {
		t.Entries = -1
	} else {
		if t.Entries, ok = smallInt(entries); !ok || len(b) < idLen {
			return nil, nil, false
		}
		t.ID = IDFromBytes(b[:idLen])
		b = b[idLen:]
	}
	for range n {
		var c *CacheTree
		if c, b, ok = parseCacheTree(b, idLen, depth+1); !ok {
			return nil, nil, false
		}
		t.Children = append(t.Children, c)
	}
	return t, b, true
}

func smallInt(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
