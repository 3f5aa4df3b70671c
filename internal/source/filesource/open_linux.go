package filesource

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// nonBlock keeps an open from waiting for the other end, should the regular
// file that was listed have become a named pipe.
const nonBlock = unix.O_NONBLOCK

// opener opens files below a root. On Linux one call of openat2(2) does what
// os.Root does in several for each element of the path: the kernel refuses to
// leave the root and to follow links. Where it is missing (before Linux 5.6, or
// filtered), os.Root does it.
type opener struct {
	root *os.Root
	dir  *os.File
	fd   int
	// plain is set once openat2 proved to be missing.
	once  sync.Once
	plain bool
}

func newOpener(root *os.Root) (*opener, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	return &opener{root: root, dir: dir, fd: int(dir.Fd())}, nil
}

func (o *opener) close() error { return o.dir.Close() }

const openFlags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NOCTTY | unix.O_NONBLOCK

func (o *opener) openat2(path string) (int, error) {
	how := unix.OpenHow{Flags: openFlags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	for tries := 0; ; tries++ {
		fd, err := unix.Openat2(o.fd, path, &how)
		// EAGAIN: a rename elsewhere kept the kernel from being sure.
		if err == unix.EINTR || err == unix.EAGAIN && tries < 100 {
			continue
		}
		return fd, err
	}
}

// probe finds out whether openat2 works here.
func (o *opener) probe() {
	fd, err := unix.Openat2(o.fd, ".", &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH})
	if err != nil {
		o.plain = true
		return
	}
	_ = unix.Close(fd)
}

// open opens a regular file for reading from its start to its end.
func (o *opener) open(path string) (io.ReadCloser, error) {
	o.once.Do(o.probe)
	if !o.plain {
		fd, err := o.openat2(path)
		if err == nil {
			var st unix.Stat_t
			if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
				_ = unix.Close(fd)
				return nil, &fs.PathError{Op: "open", Path: path, Err: errNotRegular}
			}
			return &fdReader{fd: fd, path: path}, nil
		}
		if !errors.Is(err, unix.ENAMETOOLONG) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
	return openRegular(o.root, path)
}

// file opens a regular file for reading at any place.
func (o *opener) file(path string) (*os.File, error) { return openRegular(o.root, path) }

// size is that of the entry name of the open folder dir, whose path is path.
func (o *opener) size(dir *os.File, name, path string) (int64, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
		}
		return st.Size, nil
	}
}

// fdReader reads a regular file without the machinery of os.File, which costs
// more than reading a small file does. It is not safe for concurrent use.
type fdReader struct {
	fd   int
	path string
}

func (r *fdReader) Read(p []byte) (int, error) {
	if r.fd < 0 {
		return 0, fs.ErrClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := unix.Read(r.fd, p[:min(len(p), 1<<30)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, &fs.PathError{Op: "read", Path: r.path, Err: err}
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (r *fdReader) Close() error {
	if r.fd < 0 {
		return nil
	}
	fd := r.fd
	r.fd = -1
	return unix.Close(fd)
}
