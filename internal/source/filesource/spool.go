package filesource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// What a decompressor yields can be read once, but a File may be opened after
// Walk went on, or never. So each entry is kept: in memory while less than
// memoryInFlight is held so, else in a temporary file without a name. Waiting
// for readers instead would deadlock on an entry that nobody wants to open.
const (
	memoryInFlight = 64 << 20 // bytes of all entries kept in memory
	memoryPerEntry = 8 << 20  // larger entries go to the file at once
)

// spool keeps the content of entries until they are read or forgotten.
type spool struct {
	dir   string // for the temporary file
	limit int64  // bytes that the temporary file may hold
	held  atomic.Int64

	mu   sync.Mutex
	file *os.File // made when first needed; closed when nothing refers to it
	end  int64
}

var errSpoolFull = errors.New("the temporary file for archive content is full")

// content is something that can be read any number of times, from anywhere.
type content struct {
	r    io.ReaderAt
	size int64
	// open prepares for reading behind r, and returns what to do when done;
	// nil if there is nothing to prepare.
	open func() (done func(), err error)
	hold *hold
}

// hold is a share of the memory in flight. It is given back by release, or when
// the content that owns it is forgotten.
type hold struct {
	of    *spool
	bytes int64
	done  atomic.Bool
}

func (h *hold) release() {
	if h != nil && !h.done.Swap(true) {
		h.of.held.Add(-h.bytes)
	}
}

// keep reads r to its end. Size is a hint, -1 if unknown.
func (s *spool) keep(r io.Reader, size int64) (*content, error) {
	want := size
	if size < 0 {
		want = 64 << 10
	}
	if want > memoryPerEntry || s.held.Load()+want > memoryInFlight {
		return s.spill(nil, r)
	}
	var b bytes.Buffer
	b.Grow(int(want) + bytes.MinRead)
	n, err := io.Copy(&b, io.LimitReader(r, want))
	if err != nil {
		return nil, err
	}
	if n == want {
		// A lying or unknown size: there may be more.
		if _, err := io.Copy(&b, io.LimitReader(r, memoryPerEntry-want+1)); err != nil {
			return nil, err
		}
	}
	held := int64(b.Cap())
	if int64(b.Len()) > memoryPerEntry || s.held.Load()+held > memoryInFlight {
		return s.spill(b.Bytes(), r)
	}
	s.held.Add(held)
	h := &hold{of: s, bytes: held}
	c := &content{r: bytes.NewReader(b.Bytes()), size: int64(b.Len()), hold: h}
	runtime.AddCleanup(c, (*hold).release, h)
	return c, nil
}

// spill writes head and the rest of r behind what the temporary file holds.
func (s *spool) spill(head []byte, r io.Reader) (*content, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "bulwark-*")
		if err != nil {
			return nil, fmt.Errorf("keeping archive content in a temporary file: %w", err)
		}
		// Without a name the file ends with the process, however that ends.
		if err := os.Remove(f.Name()); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("keeping archive content in a temporary file: %w", err)
		}
		s.file = f
	}
	start := s.end
	w := io.NewOffsetWriter(s.file, start)
	n, err := io.Copy(w, io.LimitReader(io.MultiReader(bytes.NewReader(head), r), s.limit-start+1))
	if err != nil {
		return nil, err
	}
	if start+n > s.limit {
		return nil, errSpoolFull
	}
	s.end += n
	return &content{r: io.NewSectionReader(s.file, start, n), size: n}, nil
}

// reader opens c.
func (c *content) reader() (io.ReadCloser, error) {
	done := func() {}
	if c.open != nil {
		var err error
		if done, err = c.open(); err != nil {
			return nil, err
		}
	}
	return &contentReader{SectionReader: io.NewSectionReader(c.r, 0, c.size), of: c, done: done}, nil
}

type contentReader struct {
	*io.SectionReader
	of   *content
	done func()
	once sync.Once
}

func (r *contentReader) Close() error {
	r.once.Do(func() {
		r.done()
		r.of.hold.release()
	})
	return nil
}

// sharedFile is a file on disk that is open while somebody uses it: during Walk
// and while entries are read. It is opened again at need, so that an archive
// whose entries nobody opens costs no descriptor.
type sharedFile struct {
	open func() (*os.File, error)
	size int64

	mu    sync.Mutex
	file  *os.File
	users int
}

var errChanged = errors.New("the archive changed while it was examined")

// acquire opens the file if it is closed; release must follow.
func (s *sharedFile) acquire() (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		f, err := s.open()
		if err != nil {
			return nil, err
		}
		if info, err := f.Stat(); err != nil || info.Size() != s.size {
			return nil, errors.Join(errChanged, err, f.Close())
		}
		s.file = f
	}
	s.users++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.users--; s.users == 0 {
			_ = s.file.Close() // only read from
			s.file = nil
		}
	}, nil
}

// ReadAt implements io.ReaderAt, between acquire and release.
func (s *sharedFile) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	f := s.file
	s.mu.Unlock()
	if f == nil {
		return 0, os.ErrClosed
	}
	return f.ReadAt(p, off)
}
