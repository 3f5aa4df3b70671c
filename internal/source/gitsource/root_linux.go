package gitsource

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// rootDir opens what lies below the root of a work tree, never through a
// symbolic link: neither the last element of a path nor a folder on the way.
type rootDir struct {
	f       *os.File
	root    *os.Root
	noOpen2 atomic.Bool // the kernel or a sandbox has no openat2
}

func openRootDir(path string) (*rootDir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		root.Close()
		return nil, err
	}
	return &rootDir{f: f, root: root}, nil
}

// open opens rel with the given flags. One of fd and f is valid.
func (d *rootDir) open(rel string, flags int) (fd int, f *os.File, err error) {
	if !d.noOpen2.Load() {
		how := unix.OpenHow{
			Flags:   uint64(flags | unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW),
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
		}
		for range 100 {
			fd, err := unix.Openat2(int(d.f.Fd()), rel, &how)
			switch {
			case err == nil:
				return fd, nil, nil
			case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
				continue
			case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
				d.noOpen2.Store(true)
			default:
				return -1, nil, &os.PathError{Op: "open", Path: rel, Err: err}
			}
			break
		}
	}
	// Slower: every folder on the way is looked at by itself.
	f, err = openInRoot(d.root, rel, flags|unix.O_NOFOLLOW)
	return -1, f, err
}

// openFile opens a regular file for reading. Anything else neither blocks nor
// is opened for longer than it takes to see what it is.
func (d *rootDir) openFile(rel string) (*os.File, error) {
	fd, f, err := d.open(rel, unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if f != nil {
		fd = int(f.Fd())
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errNotRegular
	}
	if err == nil {
		// Regular files don't block; without the flag the runtime does not
		// try to poll them.
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_RDONLY)
	}
	if f == nil {
		f = os.NewFile(uintptr(fd), rel)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening %s: %w", rel, err)
	}
	return f, nil
}

// folder is an open folder.
type folder struct {
	fd int
	f  *os.File // owns fd if not nil
}

func (d *rootDir) openFolder(rel string) (*folder, error) {
	fd, f, err := d.open(path.Clean("./"+rel), unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	if f != nil {
		fd = int(f.Fd())
	}
	return &folder{fd: fd, f: f}, nil
}

func (d *folder) close() {
	if d.f != nil {
		d.f.Close()
	} else {
		unix.Close(d.fd)
	}
}

// list returns what the folder holds, in no order, reading with buf.
func (d *folder) list(buf []byte) ([]dirent, error) {
	var out []dirent
	for {
		n, err := unix.Getdents(d.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return out, err
		}
		if n <= 0 {
			return out, nil
		}
		// struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
		for b := buf[:n]; len(b) >= 20; {
			size := int(binary.NativeEndian.Uint16(b[16:]))
			if size < 20 || size > len(b) {
				return out, errors.New("the kernel returned a damaged folder")
			}
			name := b[19:size]
			for i, c := range name {
				if c == 0 {
					name = name[:i]
					break
				}
			}
			typ := b[18]
			b = b[size:]
			if string(name) == "." || string(name) == ".." {
				continue
			}
			e := dirent{name: string(name)}
			switch typ {
			case unix.DT_REG:
				e.kind = kindFile
			case unix.DT_DIR:
				e.kind = kindDir
			case unix.DT_LNK:
				e.kind = kindSymlink
			case unix.DT_UNKNOWN:
				st, err := d.stat(e.name)
				if err != nil {
					continue
				}
				e.kind = st.kind
			default:
				e.kind = kindOther
			}
			out = append(out, e)
		}
	}
}

// stat examines an entry without following it.
func (d *folder) stat(name string) (fileStat, error) {
	var st unix.Stat_t
	err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	for errors.Is(err, unix.EINTR) {
		err = unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return fileStat{}, err
	}
	s := fileStat{
		known: true,
		size:  st.Size,
		ino:   uint32(st.Ino),
		mtime: moment{uint32(st.Mtim.Sec), uint32(st.Mtim.Nsec)},
		ctime: moment{uint32(st.Ctim.Sec), uint32(st.Ctim.Nsec)},
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		s.kind = kindFile
	case unix.S_IFDIR:
		s.kind = kindDir
	case unix.S_IFLNK:
		s.kind = kindSymlink
	default:
		s.kind = kindOther
	}
	return s, nil
}

func (d *rootDir) close() {
	d.f.Close()
	d.root.Close()
}
