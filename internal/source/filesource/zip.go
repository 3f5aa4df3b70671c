package filesource

import (
	"archive/zip"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
)

// Methods of compression in zip files beyond archive/zip's two; APPNOTE 6.3.10,
// 4.4.5.
const (
	zipBzip2 = 12
	zipZstd  = 93
	zipXZ    = 95
)

const zipEncrypted = 1 // general purpose bit flag 0; APPNOTE 4.4.4

// directoryShare bounds the central directory of a zip file, in bytes for each
// entry that may be looked at: archive/zip holds all of it in memory.
const directoryShare = 96

// cappedReaderAt fails once more than left bytes were read. Capped is turned off
// when the central directory is through.
type cappedReaderAt struct {
	r    io.ReaderAt
	left atomic.Int64
	open atomic.Bool
}

func (c *cappedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if !c.open.Load() && c.left.Add(-int64(len(p))) < 0 {
		return 0, errTooMany
	}
	return c.r.ReadAt(p, off)
}

// zip walks a zip file by its central directory. Entries are decompressed when
// they are opened, except for archives among them.
func (u *unpacker) zip(ctx context.Context, prefix string, c *content, level int) error {
	capped := &cappedReaderAt{r: c.r}
	capped.left.Store(u.limits.Entries*directoryShare + 1<<20)
	z, err := zip.NewReader(capped, c.size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return err
	}
	capped.open.Store(true)
	z.RegisterDecompressor(zip.Deflate, u.inflater)
	z.RegisterDecompressor(zipBzip2, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	z.RegisterDecompressor(zipZstd, zstd.ZipDecompressor(zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true)))
	z.RegisterDecompressor(zipXZ, func(r io.Reader) io.ReadCloser {
		x, err := decompress(xzFormat, r)
		if err != nil {
			return failedReader{err}
		}
		return x
	})
	for _, f := range z.File {
		if err := ctx.Err(); err != nil {
			return stop{err}
		}
		if err := u.count(); err != nil {
			return err
		}
		if f.Name != "" && f.Name[len(f.Name)-1] == '/' {
			continue
		}
		name := u.name(prefix, f.Name)
		if s, ok := u.zipSkip(name, f); ok {
			if err := u.skip(s); err != nil {
				return stop{err}
			}
			continue
		}
		if f.UncompressedSize64 == 0 && f.CompressedSize64 <= 2 {
			continue
		}
		if err := u.zipEntry(ctx, name, f, c, level); err != nil {
			return err
		}
	}
	return nil
}

// zipSkip says why f is left out without looking at its content.
func (u *unpacker) zipSkip(name string, f *zip.File) (outcome.Skip, bool) {
	s := outcome.Skip{Path: name}
	switch mode := f.Mode(); {
	case mode&fs.ModeSymlink != 0:
		s.Reason, s.Detail = reasonLink, "its target is examined where it lies"
	case mode&fs.ModeType != 0:
		s.Reason, s.Detail = reasonDevice, "in an archive"
	case f.Flags&zipEncrypted != 0:
		s.Reason = reasonEncrypted
	case f.Method != zip.Store && f.Method != zip.Deflate && f.Method != zipBzip2 && f.Method != zipZstd && f.Method != zipXZ:
		s.Reason, s.Detail = reasonUnsupported, fmt.Sprintf("compression method %d", f.Method)
	case u.suspicious(int64(min(f.UncompressedSize64, 1<<62)), int64(min(f.CompressedSize64, 1<<62))):
		s.Reason, s.Failed = reasonBomb, true
		s.Detail = fmt.Sprintf("%d bytes out of %d", f.UncompressedSize64, f.CompressedSize64)
	default:
		return s, false
	}
	return s, true
}

func (u *unpacker) zipEntry(ctx context.Context, name string, f *zip.File, in *content, level int) error {
	if looksLikeArchive(name) {
		r, err := u.openZip(f, in)
		if err != nil {
			return u.fault(ctx, name, err)
		}
		inner, err := u.spool.keep(withContext{ctx, r}, int64(min(f.UncompressedSize64, 1<<62)))
		if err := errors.Join(err, r.Close()); err != nil {
			return u.fault(ctx, name, err)
		}
		return u.entry(ctx, name, inner, level)
	}
	return stopIf(u.file(source.File{
		Path: name, Size: int64(min(f.UncompressedSize64, 1<<62)),
		Open: func() (io.ReadCloser, error) { return u.openZip(f, in) },
	}))
}

// openZip opens an entry for reading within the limits.
func (u *unpacker) openZip(f *zip.File, in *content) (io.ReadCloser, error) {
	done, err := in.pin()
	if err != nil {
		return nil, err
	}
	r, err := f.Open()
	if err != nil {
		done()
		return nil, err
	}
	return &zipReader{r: r, u: u, in: int64(min(f.CompressedSize64, 1<<62)), done: done}, nil
}

// zipReader holds an entry to the limits while it is decompressed; the sizes in
// the directory may lie.
type zipReader struct {
	r       io.ReadCloser
	u       *unpacker
	in, out int64
	done    func()
}

func (z *zipReader) Read(p []byte) (int, error) {
	n, err := z.r.Read(p)
	z.out += int64(n)
	if z.u.suspicious(z.out, z.in) {
		return 0, errBomb
	}
	if over := z.u.charge(n); over != nil {
		return 0, over
	}
	return n, err
}

func (z *zipReader) Close() error {
	if z.done == nil {
		return nil
	}
	_ = z.r.Close() // repeats what Read has said
	z.done()
	z.done = nil
	return nil
}

// withContext ends reading when the context is done.
type withContext struct {
	ctx context.Context
	r   io.Reader
}

func (w withContext) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

type failedReader struct{ error }

func (f failedReader) Read([]byte) (int, error) { return 0, f.error }
func (failedReader) Close() error               { return nil }

// inflater hands out decompressors again once they were closed: one takes 40 kB
// and archives have many small entries.
func (u *unpacker) inflater(r io.Reader) io.ReadCloser {
	if i, ok := u.inflaters.Get().(*inflater); ok {
		i.closed = false
		if err := i.r.(flate.Resetter).Reset(r, nil); err != nil {
			return failedReader{err}
		}
		return i
	}
	return &inflater{r: flate.NewReader(r), u: u}
}

type inflater struct {
	r      io.ReadCloser
	u      *unpacker
	closed bool
}

func (i *inflater) Read(p []byte) (int, error) {
	if i.closed {
		return 0, fs.ErrClosed
	}
	return i.r.Read(p)
}

func (i *inflater) Close() error {
	if i.closed {
		return nil
	}
	i.closed = true
	err := i.r.Close()
	i.u.inflaters.Put(i)
	return err
}
