package gitsource

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bulwark/internal/source/gitstore"
)

var errNotRegular = errors.New(SkipNotRegular)

type kind uint8

const (
	kindFile kind = iota
	kindDir
	kindSymlink
	kindOther // device, pipe, socket
)

type dirent struct {
	name string
	kind kind
}

// moment is a time as the index stores it: both parts modulo 2^32.
type moment struct{ sec, nsec uint32 }

func (m moment) before(t time.Time) bool {
	s := uint32(t.Unix())
	return m.sec < s || m.sec == s && m.nsec < uint32(t.Nanosecond())
}

type fileStat struct {
	known        bool // times and inode are known
	kind         kind
	size         int64
	ino          uint32
	mtime, ctime moment
}

// unchanged reports whether a file is surely the one that git saw when it
// wrote the index entry. It asks for more than git does: an entry with
// coarse or absent times never counts, since a hostile repository could make
// it, whereas a change time and an inode cannot be chosen. A file changed in
// or after the instant when the index was written may have changed again
// without a trace.
func unchanged(e *gitstore.Entry, s *fileStat, written time.Time) bool {
	return s.known && e.IsFile() && e.Stage == 0 && !e.IntentToAdd &&
		e.Size == uint32(s.size) && e.Ino == s.ino && e.Ino != 0 &&
		e.MTimeSec == s.mtime.sec && e.MTimeNsec == s.mtime.nsec &&
		e.CTimeSec == s.ctime.sec && e.CTimeNsec == s.ctime.nsec &&
		s.mtime.before(written)
}

// openInRoot opens rel below root where the system cannot refuse symbolic
// links by itself: os.Root keeps the file inside, and a link on the way is
// refused.
func openInRoot(root *os.Root, rel string, flags int) (*os.File, error) {
	for i := 0; i <= len(rel); i++ {
		if i < len(rel) && rel[i] != '/' {
			continue
		}
		info, err := root.Lstat(filepath.FromSlash(rel[:i]))
		if err != nil {
			return nil, err
		}
		if info.Mode()&os.ModeSymlink != 0 {
			return nil, fmt.Errorf("opening %s: a symbolic link is in the way", rel)
		}
		if i == len(rel) && !info.IsDir() && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("opening %s: %w", rel, errNotRegular)
		}
	}
	return root.OpenFile(filepath.FromSlash(rel), flags, 0)
}

// leavesRoot reports whether the symbolic link at rel leads out of root. One
// that leads nowhere is judged by its text.
func leavesRoot(root, rel string) bool {
	path := filepath.Join(root, filepath.FromSlash(rel))
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return true
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		text, err := os.Readlink(path)
		if err != nil {
			return false
		}
		if !filepath.IsAbs(text) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return true
			}
			text = filepath.Join(dir, text)
		}
		target = filepath.Clean(text)
	}
	inside := func(base string) bool {
		r, err := filepath.Rel(base, target)
		return err == nil && r != ".." && !strings.HasPrefix(r, ".."+string(filepath.Separator))
	}
	return !inside(real) && !inside(root)
}
