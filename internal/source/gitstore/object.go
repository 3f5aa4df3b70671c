package gitstore

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
)

// Place says where an object lies: a key that is dense within a pack, so that
// sets of objects can be bitmaps. It is valid for one Repo.
type Place struct {
	Pack int32 // index of the pack, -1 for a loose object
	Pos  int32 // position in the pack's index; of a loose object, its folder
}

// Packs returns how many objects each pack holds.
func (r *Repo) Packs() []int {
	n := make([]int, len(r.packs))
	for i, p := range r.packs {
		n[i] = p.idx.count()
	}
	return n
}

// Find says where the object lies. Of several copies it is always the same.
func (r *Repo) Find(id ID) (Place, bool, error) {
	return r.findRaw(id.b[:id.n], id)
}

// FindPacked is Find for a raw id and packs only: it does not look for a
// loose object.
func (r *Repo) FindPacked(raw []byte) (Place, bool, error) {
	for _, p := range r.packs {
		pos, ok, err := p.idx.find(raw)
		if err != nil {
			return Place{}, false, err
		}
		if ok {
			return Place{Pack: p.number, Pos: int32(pos)}, true, nil
		}
	}
	return Place{}, false, nil
}

func (r *Repo) findRaw(raw []byte, id ID) (Place, bool, error) {
	pl, ok, err := r.FindPacked(raw)
	if ok || err != nil {
		return pl, ok, err
	}
	for i, dir := range r.loose {
		f, _, err := openRegular(loosePath(dir, id))
		if err == nil {
			f.Close()
			return Place{Pack: -1, Pos: int32(i)}, true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Place{}, false, err
		}
	}
	return Place{}, false, nil
}

// PackOffset returns where in its pack a packed object begins, for reading
// many objects in the order in which they lie.
func (r *Repo) PackOffset(pl Place) (int64, error) {
	if pl.Pack < 0 || int(pl.Pack) >= len(r.packs) {
		return 0, nil
	}
	return r.packs[pl.Pack].idx.offset(int(pl.Pos))
}

// PackedID returns the id of a packed object.
func (r *Repo) PackedID(pl Place) (ID, error) {
	if pl.Pack < 0 || int(pl.Pack) >= len(r.packs) {
		return ID{}, fmt.Errorf("object is not in a pack")
	}
	return r.packs[pl.Pack].idx.id(int(pl.Pos))
}

// Object returns the kind and content of an object. The content may be
// shared: it must not be changed.
func (r *Repo) Object(id ID) (Type, []byte, error) {
	if typ, data, ok := r.cache.get(looseKey(id), id); ok {
		return typ, data, nil
	}
	pl, ok, err := r.Find(id)
	if err == nil && !ok {
		err = ErrMissing
	}
	if err != nil {
		return 0, nil, fmt.Errorf("reading object %s: %w", id, err)
	}
	return r.ObjectAt(id, pl)
}

// ObjectAt is Object for one whose place is known.
func (r *Repo) ObjectAt(id ID, pl Place) (Type, []byte, error) {
	var typ Type
	var data []byte
	var err error
	if pl.Pack < 0 {
		typ, data, err = r.looseObject(id, pl)
	} else {
		var off int64
		p := r.packs[pl.Pack]
		if off, err = p.idx.offset(int(pl.Pos)); err == nil {
			typ, data, err = r.packed1(p, off, 0)
		}
	}
	if err != nil {
		return 0, nil, fmt.Errorf("reading object %s: %w", id, err)
	}
	return typ, data, nil
}

// typed returns the content of an object of one kind.
func (r *Repo) typed(id ID, want Type) ([]byte, error) {
	typ, data, err := r.Object(id)
	if err != nil {
		return nil, err
	}
	if typ != want {
		return nil, fmt.Errorf("object %s is a %s where a %s is expected", id, typ, want)
	}
	return data, nil
}

// packed1 reads the object at off: it goes down the chain of deltas to a base
// that is known or stored whole, then applies them on the way back. depth
// counts deltas of chains that led here from other packs.
func (r *Repo) packed1(p *pack, off int64, depth int) (Type, []byte, error) {
	type link struct {
		off   int64
		delta []byte
	}
	var (
		chain []link
		held  int64
		typ   Type
		data  []byte
		ok    bool
	)
	for {
		if typ, data, ok = r.cache.get(cacheKey{p.number, off}, ID{}); ok {
			break
		}
		if depth++; depth > maxDeltaDepth {
			return 0, nil, p.fault(off, fmt.Errorf("%w: the chain has more than %d links", errDelta, maxDeltaDepth))
		}
		h, raw, err := p.entry(off, r.maxObject)
		if err != nil {
			return 0, nil, err
		}
		if h.typ != ofsDelta && h.typ != refDelta {
			typ, data = h.typ, raw
			r.cache.put(cacheKey{p.number, off}, ID{}, typ, data)
			break
		}
		if held += int64(len(raw)); held > 2*r.maxObject {
			return 0, nil, p.fault(off, fmt.Errorf("%w: its deltas exceed %d bytes", ErrTooLarge, 2*r.maxObject))
		}
		chain = append(chain, link{off, raw})
		if h.typ == ofsDelta {
			off = h.base
			continue
		}
		pos, found, err := p.idx.find(h.id.Raw())
		if err != nil {
			return 0, nil, err
		}
		if found {
			if off, err = p.idx.offset(pos); err != nil {
				return 0, nil, err
			}
			continue
		}
		// A base outside the pack is not written by git but can be read.
		pl, found, err := r.Find(h.id)
		if err == nil && !found {
			err = fmt.Errorf("base %s: %w", h.id, ErrMissing)
		}
		if err != nil {
			return 0, nil, p.fault(off, err)
		}
		if pl.Pack < 0 {
			typ, data, err = r.looseObject(h.id, pl)
		} else {
			var at int64
			if at, err = r.PackOffset(pl); err == nil {
				typ, data, err = r.packed1(r.packs[pl.Pack], at, depth)
			}
		}
		if err != nil {
			return 0, nil, err
		}
		break
	}
	for i := len(chain) - 1; i >= 0; i-- {
		out, err := applyDelta(data, chain[i].delta, r.maxObject)
		if err != nil {
			return 0, nil, p.fault(chain[i].off, err)
		}
		data = out
		chain[i].delta = nil
		r.cache.put(cacheKey{p.number, chain[i].off}, ID{}, typ, data)
	}
	return typ, data, nil
}

// Size returns the inflated size of an object, or -1 if telling would mean to
// inflate it (it is stored as a delta).
func (r *Repo) Size(id ID, pl Place) int64 {
	if pl.Pack < 0 {
		if _, size, err := r.looseHeader(id, pl); err == nil {
			return size
		}
		return -1
	}
	off, err := r.PackOffset(pl)
	if err != nil {
		return -1
	}
	h, err := r.packs[pl.Pack].header(off)
	if err != nil || h.typ == ofsDelta || h.typ == refDelta {
		return -1
	}
	return h.size
}

// streamAbove is the size in bytes from which a blob stored whole is streamed.
const streamAbove = 8 << 20

// Content is a blob that lies in memory. It must not be changed.
type Content struct {
	bytes.Reader
	data []byte
}

// Bytes returns the whole content, shared and read-only.
func (c *Content) Bytes() []byte { return c.data }

// Close does nothing.
func (c *Content) Close() error { return nil }

// NewContent wraps content that nobody changes any more.
func NewContent(data []byte) *Content {
	c := &Content{data: data}
	c.Reader.Reset(data)
	return c
}

// OpenBlob returns the content of a blob: a *Content, or a stream for a large
// one. The caller closes it.
func (r *Repo) OpenBlob(id ID) (io.ReadCloser, error) {
	pl, ok, err := r.Find(id)
	if err == nil && !ok {
		err = ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("reading object %s: %w", id, err)
	}
	return r.OpenBlobAt(id, pl)
}

// OpenBlobAt is OpenBlob for one whose place is known.
func (r *Repo) OpenBlobAt(id ID, pl Place) (io.ReadCloser, error) {
	if size := r.largeWhole(id, pl); size > streamAbove {
		return r.streamBlob(id, pl)
	}
	typ, data, err := r.ObjectAt(id, pl)
	if err != nil {
		return nil, err
	}
	if typ != TypeBlob {
		return nil, fmt.Errorf("object %s is a %s where a blob is expected", id, typ)
	}
	return NewContent(data), nil
}

// largeWhole returns the size of a blob stored whole, else 0.
func (r *Repo) largeWhole(id ID, pl Place) int64 {
	if pl.Pack < 0 {
		if typ, size, err := r.looseHeader(id, pl); err == nil && typ == TypeBlob {
			return size
		}
		return 0
	}
	off, err := r.PackOffset(pl)
	if err != nil {
		return 0
	}
	h, err := r.packs[pl.Pack].header(off)
	if err != nil || h.typ != TypeBlob {
		return 0
	}
	return h.size
}

func (r *Repo) streamBlob(id ID, pl Place) (io.ReadCloser, error) {
	if pl.Pack >= 0 {
		off, err := r.PackOffset(pl)
		if err != nil {
			return nil, err
		}
		p := r.packs[pl.Pack]
		h, err := p.header(off)
		if err != nil {
			return nil, err
		}
		return p.stream(h)
	}
	path := loosePath(r.loose[pl.Pos], id)
	f, _, err := openRegular(path)
	if err != nil {
		return nil, fmt.Errorf("reading object %s: %w", id, err)
	}
	z, err := zlib.NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	_, size, n, err := looseFileHeader(f)
	if err == nil {
		_, err = io.CopyN(io.Discard, z, int64(n))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return &exactReader{z: z, left: size, under: f}, nil
}

func loosePath(dir string, id ID) string {
	hex := id.String()
	if len(hex) < 2 {
		return filepath.Join(dir, "none")
	}
	return filepath.Join(dir, hex[:2], hex[2:])
}

func (r *Repo) looseHeader(id ID, pl Place) (Type, int64, error) {
	f, _, err := openRegular(loosePath(r.loose[pl.Pos], id))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	typ, size, _, err := looseFileHeader(f)
	return typ, size, err
}

// looseFileHeader reads "blob 123\0" at the start of a loose object's file and
// returns its inflated length too.
func looseFileHeader(f io.ReaderAt) (Type, int64, int, error) {
	var src [512]byte
	n, err := f.ReadAt(src[:], 0)
	if n == 0 {
		return 0, 0, 0, noEOF(err)
	}
	return parseLooseHeader(src[:n])
}

func parseLooseHeader(src []byte) (Type, int64, int, error) {
	var dst [40]byte
	n, err := unzlibPrefix(dst[:], src)
	if err != nil {
		return 0, 0, 0, err
	}
	head, _, ok := bytes.Cut(dst[:n], []byte{0})
	kind, num, ok2 := bytes.Cut(head, []byte(" "))
	if !ok || !ok2 {
		return 0, 0, 0, errHeader
	}
	size, err := strconv.ParseInt(string(num), 10, 62)
	if err != nil || size < 0 {
		return 0, 0, 0, errHeader
	}
	for t := TypeCommit; t <= TypeTag; t++ {
		if t.String() == string(kind) {
			return t, size, len(head) + 1, nil
		}
	}
	return 0, 0, 0, errHeader
}

func (r *Repo) looseObject(id ID, pl Place) (Type, []byte, error) {
	if typ, data, ok := r.cache.get(looseKey(id), id); ok {
		return typ, data, nil
	}
	path := loosePath(r.loose[pl.Pos], id)
	src, err := readRegular(path, r.maxObject+r.maxObject/100+1024)
	if err != nil {
		return 0, nil, err
	}
	typ, size, n, err := parseLooseHeader(src)
	if err != nil {
		return 0, nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if size > r.maxObject {
		return 0, nil, fmt.Errorf("reading %s: %w: %d bytes, limit %d", path, ErrTooLarge, size, r.maxObject)
	}
	if size/1100 > int64(len(src)) {
		return 0, nil, fmt.Errorf("reading %s: %w", path, errSize)
	}
	dst := make([]byte, int64(n)+size)
	if _, err := unzlib(dst, src); err != nil {
		return 0, nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if typ != TypeBlob {
		// Trees and commits are read again and again, blobs hardly ever.
		r.cache.put(looseKey(id), id, typ, dst[n:])
	}
	return typ, dst[n:], nil
}
