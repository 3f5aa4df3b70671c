package filesource

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
)

// Limits bound what archives may unfold to, whatever they claim. Each zero is
// its default.
type Limits struct {
	// Bytes is how many uncompressed bytes are taken out of all archives of a
	// walk together. Default 8 GiB.
	Bytes int64
	// Entries is how many entries are looked at in all archives of a walk
	// together. Default 1,000,000.
	Entries int64
	// Ratio is how many times larger than its compressed form an entry may be
	// once it exceeds RatioFrom bytes. Defaults 1000 and 64 MiB.
	Ratio     int64
	RatioFrom int64
	// Nested is how many levels of archives inside an archive are opened; one
	// deeper than that is left out by name. Default 1, at most 3; negative for
	// none.
	Nested int
	// TempDir is where content that does not fit in memory waits, in a file
	// without a name. Default: that of the operating system.
	TempDir string
}

func (l Limits) withDefaults() Limits {
	l.Bytes = cmp.Or(l.Bytes, 8<<30)
	l.Entries = cmp.Or(l.Entries, 1_000_000)
	l.Ratio = cmp.Or(l.Ratio, 1000)
	l.RatioFrom = cmp.Or(l.RatioFrom, 64<<20)
	l.Nested = max(0, min(cmp.Or(l.Nested, 1), 3))
	return l
}

// Reasons of skips in archives.
const (
	reasonBomb        = "suspected zip bomb"
	reasonTooMuch     = "archive too large"
	reasonTooMany     = "too many entries in archives"
	reasonDamaged     = "damaged archive"
	reasonEncrypted   = "encrypted archive entry"
	reasonUnsupported = "unsupported archive format"
	reasonLink        = "link in an archive"
	reasonDevice      = "not a regular file"
	reasonDeep        = "archive nested too deep"
)

var (
	errBomb    = errors.New(reasonBomb)
	errTooMuch = errors.New(reasonTooMuch)
	errTooMany = errors.New(reasonTooMany)
)

// maxUnsafeNotices bounds the notices about unsafe names.
const maxUnsafeNotices = 20

// unpacker takes the entries out of archives. One unpacker serves a whole walk,
// so that its budgets hold for all archives together.
type unpacker struct {
	limits Limits
	spool  *spool
	file   func(source.File) error
	skip   func(outcome.Skip) error
	// buffers recycles decompressors between the entries of zip files.
	inflaters sync.Pool

	bytes   atomic.Int64 // taken so far, also by readers that were opened later
	entries int64

	notices []outcome.Notice
	unsafe  int
}

func newUnpacker(l Limits, file func(source.File) error, skip func(outcome.Skip) error) *unpacker {
	l = l.withDefaults()
	return &unpacker{limits: l, spool: &spool{dir: l.TempDir, limit: l.Bytes}, file: file, skip: skip}
}

// stop is an error of a callback or of the context: the walk ends with it.
type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

func stopIf(err error) error {
	if err == nil {
		return nil
	}
	return stop{err}
}

// archive walks c, the archive whose own path is name and whose entries' paths
// begin with prefix. Level is 0 for an archive that lies in no other. What is
// wrong with the archive becomes a skip; the error is a stop.
func (u *unpacker) archive(ctx context.Context, name, prefix string, c *content, level int) error {
	done := func() {}
	if c.open != nil {
		var err error
		if done, err = c.open(); err != nil {
			return u.fault(ctx, name, err)
		}
	}
	defer done()
	head := make([]byte, headSize)
	n, err := c.r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return u.fault(ctx, name, err)
	}
	switch f := detect(head[:n]); f {
	case zipFormat:
		err = u.zip(ctx, prefix, c, level)
	case tarFormat:
		section := io.NewSectionReader(c.r, 0, c.size)
		err = u.tar(ctx, prefix, &meter{ctx: ctx, u: u, r: section}, &lazyTar{section, c}, level)
	case plain:
		err = errors.New("it is no archive")
	case unsupported:
		return stopIf(u.skip(outcome.Skip{Path: name, Reason: reasonUnsupported}))
	default:
		err = u.stream(ctx, name, prefix, f, io.NewSectionReader(c.r, 0, c.size), level)
	}
	return u.fault(ctx, name, err)
}

// fault turns what went wrong with the archive or entry called name into a skip.
func (u *unpacker) fault(ctx context.Context, name string, err error) error {
	var s stop
	switch {
	case err == nil:
		return nil
	case errors.As(err, &s):
		return s
	case ctx.Err() != nil:
		return stop{ctx.Err()}
	}
	out := outcome.Skip{Path: name, Reason: reasonDamaged, Detail: err.Error(), Failed: true}
	switch {
	case errors.Is(err, errBomb):
		out.Reason, out.Detail = reasonBomb, fmt.Sprintf("more than %d times its compressed size", u.limits.Ratio)
	case errors.Is(err, errTooMuch), errors.Is(err, errSpoolFull):
		out.Reason, out.Detail = reasonTooMuch, fmt.Sprintf("it and the archives before it hold more than %d bytes", u.limits.Bytes)
	case errors.Is(err, errTooMany):
		out.Reason, out.Detail = reasonTooMany, fmt.Sprintf("more than %d; the rest was not looked at", u.limits.Entries)
	}
	return stopIf(u.skip(out))
}

// stream walks r, which is compressed: a tar file or a single file.
func (u *unpacker) stream(ctx context.Context, name, prefix string, f format, r io.Reader, level int) error {
	in := &counter{r: r}
	in.ahead = bufio.NewReaderSize(in, 64<<10)
	z, err := decompress(f, in.ahead)
	if err != nil {
		return err
	}
	defer func() { _ = z.Close() }() // only read from
	m := &meter{ctx: ctx, u: u, r: z, in: in}
	buffered := bufio.NewReaderSize(m, 64<<10)
	head, err := buffered.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if detect(head) == tarFormat {
		return u.tar(ctx, prefix, &meter{ctx: ctx, u: u, r: buffered, in: in, charged: true}, nil, level)
	}
	// A zip or another archive in a compression of its own: one entry.
	if err := u.count(); err != nil {
		return err
	}
	c, err := u.spool.keep(&ratioReader{buffered, m}, -1)
	if err != nil {
		return err
	}
	return u.entry(ctx, prefix+innerName(name), c, level)
}

// lazyTar lets entries of an uncompressed tar be read where they lie.
type lazyTar struct {
	section *io.SectionReader
	of      *content
}

// tar walks a tar file. With lazy, m must read from lazy.section.
func (u *unpacker) tar(ctx context.Context, prefix string, m *meter, lazy *lazyTar, level int) error {
	var in io.Reader = m
	if lazy != nil {
		in = lazy.section // a seeker, so that content is passed over unread
	}
	t := tar.NewReader(in)
	for {
		if err := ctx.Err(); err != nil {
			return stop{err}
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		if err := u.count(); err != nil {
			return err
		}
		name := u.name(prefix, h.Name)
		switch h.Typeflag {
		case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		case tar.TypeSymlink, tar.TypeLink:
			err = u.skip(outcome.Skip{Path: name, Reason: reasonLink, Detail: "its target is examined where it lies"})
			if err != nil {
				return stop{err}
			}
			continue
		default:
			if err := u.skip(outcome.Skip{Path: name, Reason: reasonDevice, Detail: "in an archive"}); err != nil {
				return stop{err}
			}
			continue
		}
		if h.Size == 0 {
			continue
		}
		var c *content
		if lazy != nil && !sparse(h) {
			at, err := lazy.section.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			if at+h.Size > lazy.section.Size() {
				return fmt.Errorf("%s: %w", h.Name, io.ErrUnexpectedEOF)
			}
			of := lazy.of
			c = &content{r: io.NewSectionReader(of.r, at, h.Size), size: h.Size, open: of.pin}
		} else {
			m.begin()
			var r io.Reader = t
			if sparse(h) {
				// Holes cost nothing in the archive: count what comes out.
				r = &meter{ctx: ctx, u: u, r: t}
			} else {
				r = &ratioReader{t, m}
			}
			c, err = u.spool.keep(r, h.Size)
			if err != nil {
				if !errors.Is(err, errBomb) {
					return err
				}
				if err := u.fault(ctx, name, err); err != nil {
					return err
				}
				continue
			}
		}
		if err := u.entry(ctx, name, c, level); err != nil {
			return err
		}
	}
}

func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// pin keeps what c lies in open, or in memory, until the result is called.
func (c *content) pin() (func(), error) {
	if c.open == nil {
		return func() { runtime.KeepAlive(c) }, nil
	}
	return c.open()
}

// entry offers c or, if it is an archive and not too deep, its entries.
func (u *unpacker) entry(ctx context.Context, name string, c *content, level int) error {
	if looksLikeArchive(name) && c.size > 0 {
		head := make([]byte, headSize)
		n, err := c.r.ReadAt(head, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if f := detect(head[:n]); f != plain {
			if level < u.limits.Nested {
				return u.archive(ctx, name, name+"!/", c, level+1)
			}
			return stopIf(u.skip(outcome.Skip{Path: name, Reason: reasonDeep, Detail: fmt.Sprintf("limit %d", u.limits.Nested)}))
		}
	}
	return stopIf(u.file(source.File{Path: name, Size: c.size, Open: c.reader}))
}

func (u *unpacker) count() error {
	if u.entries++; u.entries > u.limits.Entries {
		return errTooMany
	}
	return nil
}

// name makes the path of an entry, and a notice if its own was unsafe: the
// content is examined all the same.
func (u *unpacker) name(prefix, name string) string {
	clean, safe := safeName(name)
	if !safe {
		if u.unsafe++; u.unsafe <= maxUnsafeNotices {
			u.notices = append(u.notices, outcome.Notice{Kind: "unsafe-path", Path: prefix + clean,
				Message: fmt.Sprintf("the archive calls this entry %q, which leaves the folder that it is unpacked to", cutName(name))})
		}
	}
	return prefix + clean
}

// allNotices returns the notices, with a count of those that were left out.
func (u *unpacker) allNotices() []outcome.Notice {
	if more := u.unsafe - maxUnsafeNotices; more > 0 {
		return append(u.notices[:len(u.notices):len(u.notices)], outcome.Notice{Kind: "unsafe-path",
			Message: fmt.Sprintf("%d more entries of archives have unsafe paths", more)})
	}
	return u.notices
}

func cutName(s string) string {
	const limit = 200
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}

// charge takes n bytes out of the budget of all archives.
func (u *unpacker) charge(n int) error {
	if u.bytes.Add(int64(n)) > u.limits.Bytes {
		return errTooMuch
	}
	return nil
}

// counter counts what is read through it.
type counter struct {
	r     io.Reader
	n     int64
	ahead *bufio.Reader // holds what was read and not yet used; may be nil
}

func (c *counter) used() int64 {
	if c.ahead == nil {
		return c.n
	}
	return c.n - int64(c.ahead.Buffered())
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// meter passes decompressed content on, watching the context and the budgets.
type meter struct {
	ctx     context.Context // of the Walk that owns the meter
	u       *unpacker
	r       io.Reader
	in      *counter // the compressed side; nil if there is none
	charged bool     // somebody else charges the budget
	out     int64

	entryOut, entryIn int64 // where the current entry began
}

func (m *meter) begin() {
	m.entryOut = m.out
	if m.in != nil {
		m.entryIn = m.in.used()
	}
}

func (m *meter) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	m.out += int64(n)
	if !m.charged {
		if over := m.u.charge(n); over != nil {
			return 0, over
		}
	}
	return n, err
}

// suspicious reports whether the entry so far, of out bytes made from in, is
// out of all proportion. (Deflate cannot do better than 1032 to 1.)
func (u *unpacker) suspicious(out, in int64) bool {
	return out > u.limits.RatioFrom && out/u.limits.Ratio > in
}

// ratioReader reads an entry of a compressed tar as long as its proportions
// hold.
type ratioReader struct {
	r io.Reader
	m *meter
}

func (r *ratioReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if m := r.m; m.in != nil && m.u.suspicious(m.out-m.entryOut, m.in.used()-m.entryIn) {
		return 0, errBomb
	}
	return n, err
}
