package gitstore

import (
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Type is the kind of an object.
type Type uint8

// The kinds of object, numbered as in packs.
const (
	TypeCommit Type = 1
	TypeTree   Type = 2
	TypeBlob   Type = 3
	TypeTag    Type = 4

	ofsDelta Type = 6
	refDelta Type = 7
)

func (t Type) String() string {
	switch t {
	case TypeCommit:
		return "commit"
	case TypeTree:
		return "tree"
	case TypeBlob:
		return "blob"
	case TypeTag:
		return "tag"
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// pack is one .pack file with its index. The pack is opened when first needed.
type pack struct {
	number int32
	path   string // of the .pack file
	idx    *packIndex

	once sync.Once
	f    readFile
	end  int64 // where the objects end and the checksum begins
	err  error
}

func (r *Repo) openPacks(dir string) error {
	names, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", dir, err)
	}
	have := map[string]bool{}
	midx := false
	var packs []string
	for _, e := range names {
		name := e.Name()
		switch {
		case strings.HasSuffix(name, ".promisor"):
			r.partial = true
		case strings.HasSuffix(name, ".idx"):
			have[strings.TrimSuffix(name, ".idx")] = true
		case strings.HasSuffix(name, ".pack"):
			packs = append(packs, strings.TrimSuffix(name, ".pack"))
		case name == "multi-pack-index":
			midx = true
		}
	}
	slices.Sort(packs)
	for _, name := range packs {
		path := filepath.Join(dir, name)
		if !have[name] {
			hint := ""
			if midx {
				hint = " (only the multi-pack-index has it: run `git multi-pack-index repack` or `git gc`)"
			}
			r.damaged = append(r.damaged, fmt.Errorf("%s.pack has no index%s", path, hint))
			continue
		}
		idx, err := openIndex(path+".idx", r.format)
		if err != nil {
			r.damaged = append(r.damaged, err)
			continue
		}
		r.packs = append(r.packs, &pack{number: int32(len(r.packs)), path: path + ".pack", idx: idx})
	}
	return nil
}

func (p *pack) open() error {
	p.once.Do(func() {
		f, size, err := openRegular(p.path)
		if err != nil {
			p.err = err
			return
		}
		p.err = p.check(f, size)
	})
	return p.err
}

// check takes f as the pack's file if it looks like one.
func (p *pack) check(f readFile, size int64) (err error) {
	var head [12]byte
	if _, err = f.ReadAt(head[:], 0); err != nil {
		err = fmt.Errorf("reading %s: %w", p.path, noEOF(err))
	} else if v := binary.BigEndian.Uint32(head[4:]); string(head[:4]) != "PACK" || v != 2 && v != 3 {
		err = fmt.Errorf("reading %s: not a pack of version 2 or 3", p.path)
	} else if n := binary.BigEndian.Uint32(head[8:]); int(n) != p.idx.count() {
		err = fmt.Errorf("reading %s: the pack has %d objects, its index %d", p.path, n, p.idx.count())
	}
	if err != nil {
		f.Close()
		return err
	}
	p.f, p.end = f, size-int64(p.idx.idLen)
	return nil
}

func (p *pack) close() error {
	err := p.idx.f.Close()
	p.once.Do(func() { p.err = os.ErrClosed })
	if p.f != nil {
		err = errors.Join(err, p.f.Close())
	}
	return err
}

// packedHeader is what stands before the compressed bytes of an object.
type packedHeader struct {
	typ  Type
	size int64 // inflated bytes: of the object, or of the delta
	data int64 // where in the pack the compressed bytes begin
	base int64 // ofsDelta: where the base begins
	id   ID    // refDelta: the base
}

var errHeader = errors.New("object header is damaged")

// parseHeader reads the header at the start of b, which lies at off.
func parseHeader(b []byte, off int64, idLen int) (packedHeader, error) {
	if len(b) == 0 {
		return packedHeader{}, errHeader
	}
	h := packedHeader{typ: Type(b[0] >> 4 & 7), size: int64(b[0] & 15)}
	i := 1
	for shift := uint(4); b[i-1]&0x80 != 0; shift += 7 {
		if i >= len(b) || shift > 53 {
			return packedHeader{}, errHeader
		}
		h.size |= int64(b[i]&0x7f) << shift
		i++
	}
	switch h.typ {
	case TypeCommit, TypeTree, TypeBlob, TypeTag:
	case ofsDelta:
		if i >= len(b) {
			return packedHeader{}, errHeader
		}
		rel := int64(b[i] & 0x7f)
		for b[i]&0x80 != 0 {
			if i++; i >= len(b) || rel > 1<<50 {
				return packedHeader{}, errHeader
			}
			rel = (rel+1)<<7 | int64(b[i]&0x7f)
		}
		i++
		if h.base = off - rel; rel <= 0 || h.base < 12 {
			return packedHeader{}, errHeader
		}
	case refDelta:
		if len(b)-i < idLen {
			return packedHeader{}, errHeader
		}
		h.id = IDFromBytes(b[i : i+idLen])
		i += idLen
	default:
		return packedHeader{}, errHeader
	}
	h.data = off + int64(i)
	return h, nil
}

// packBuffer is scratch space for compressed bytes.
type packBuffer struct{ b []byte }

var packBuffers = sync.Pool{New: func() any { return &packBuffer{b: make([]byte, 64<<10)} }}

// release gives b back, unless it has grown so large that it is not worth keeping.
func (b *packBuffer) release() {
	if cap(b.b) <= 4<<20 {
		packBuffers.Put(b)
	}
}

// readAt reads up to n bytes at off, fewer at the end of the objects.
func (p *pack) readAt(buf *packBuffer, off int64, n int64) ([]byte, error) {
	if off < 12 || off >= p.end {
		return nil, io.ErrUnexpectedEOF
	}
	n = min(n, p.end-off)
	if int64(cap(buf.b)) < n {
		buf.b = make([]byte, n)
	}
	b := buf.b[:n]
	m, err := p.f.ReadAt(b, off)
	if m == 0 {
		return nil, noEOF(err)
	}
	return b[:m], nil
}

// header reads the header of the object at off.
func (p *pack) header(off int64) (packedHeader, error) {
	if err := p.open(); err != nil {
		return packedHeader{}, err
	}
	var b [64]byte
	if off < 12 || off >= p.end {
		return packedHeader{}, p.fault(off, errHeader)
	}
	n, err := p.f.ReadAt(b[:min(int64(len(b)), p.end-off)], off)
	if n == 0 {
		return packedHeader{}, p.fault(off, noEOF(err))
	}
	h, err := parseHeader(b[:n], off, p.idx.idLen)
	if err != nil {
		return h, p.fault(off, err)
	}
	return h, nil
}

func (p *pack) fault(off int64, err error) error {
	return fmt.Errorf("reading %s at offset %d: %w", p.path, off, err)
}

// entry reads the header at off and inflates what follows, the object itself
// or its delta, in one go.
func (p *pack) entry(off, limit int64) (packedHeader, []byte, error) {
	buf := packBuffers.Get().(*packBuffer)
	defer buf.release()
	return p.inflateAt(buf, off, off+4096, limit, func(n int64) []byte { return make([]byte, n) })
}

// inflateAt is entry for an object that is thought to end before end: if it
// does, it is read at once. The result is in memory that alloc gives, of just
// the length it is asked for.
func (p *pack) inflateAt(buf *packBuffer, off, end, limit int64, alloc func(int64) []byte) (packedHeader, []byte, error) {
	if err := p.open(); err != nil {
		return packedHeader{}, nil, err
	}
	src, err := p.readAt(buf, off, end-off)
	if err != nil {
		return packedHeader{}, nil, p.fault(off, err)
	}
	h, err := parseHeader(src, off, p.idx.idLen)
	if err != nil {
		return h, nil, p.fault(off, err)
	}
	if h.size > limit {
		return h, nil, p.fault(off, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, h.size, limit))
	}
	// Deflate shrinks to no less than 1/1032: a size that the rest of the pack
	// cannot hold is not allocated.
	if h.size/1100 > p.end-h.data {
		return h, nil, p.fault(off, errSize)
	}
	dst := alloc(h.size)
	src = src[h.data-off:]
	for n := int64(len(src)); ; {
		_, err = unzlib(dst, src)
		if !errors.Is(err, errShortInput) || n >= p.end-h.data {
			break
		}
		// Most text shrinks to less than a half; what does not takes a
		// second attempt.
		n = max(n*4, h.size/2)
		if src, err = p.readAt(buf, h.data, n); err != nil {
			break
		}
	}
	if err != nil {
		return h, nil, p.fault(off, err)
	}
	return h, dst, nil
}

// stream inflates an object stored without delta, without holding it.
func (p *pack) stream(h packedHeader) (io.ReadCloser, error) {
	z, err := zlib.NewReader(io.NewSectionReader(p.f, h.data, p.end-h.data))
	if err != nil {
		return nil, p.fault(h.data, err)
	}
	return &exactReader{z: z, left: h.size}, nil
}

// exactReader is an error if z holds more or less than left bytes.
type exactReader struct {
	z     io.ReadCloser
	left  int64
	under io.Closer // optional
}

func (e *exactReader) Read(b []byte) (int, error) {
	n, err := e.z.Read(b)
	e.left -= int64(n)
	if e.left < 0 || err == io.EOF && e.left > 0 {
		return 0, errSize
	}
	return n, err
}

func (e *exactReader) Close() error {
	err := e.z.Close()
	if e.under != nil {
		err = errors.Join(err, e.under.Close())
	}
	return err
}
