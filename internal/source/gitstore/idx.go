package gitstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// readFile is what is asked of a pack and its index: an *os.File.
type readFile interface {
	io.ReaderAt
	io.Closer
}

// packIndex finds objects of one pack by id. It reads the part of the .idx
// file for one first byte of the id when that is first asked for, so that a few
// look-ups in a large repository stay cheap. The file is read and not mapped:
// if it shrinks meanwhile, that is an error and not a crash.
type packIndex struct {
	f       readFile
	path    string
	size    int64
	v1      bool
	idLen   int
	fanout  [257]uint32 // fanout[b] objects have a first byte < b
	buckets [256]atomic.Pointer[idxBucket]
}

// idxBucket holds the entries of one first byte.
type idxBucket struct {
	first uint32 // position of the first entry
	ids   []byte
	offs  []byte // four bytes each, big endian
}

func openIndex(path string, format Format) (*packIndex, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	return newIndex(f, size, path, format)
}

func newIndex(f readFile, size int64, path string, format Format) (*packIndex, error) {
	x := &packIndex{f: f, path: path, size: size, idLen: format.Size()}
	if err := x.readHeader(); err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return x, nil
}

func (x *packIndex) readHeader() error {
	var head [8 + 1024]byte
	if n, err := x.f.ReadAt(head[:], 0); n < 1024 {
		return noEOF(err)
	}
	table := head[:1024]
	if string(head[:4]) == "\xfftOc" {
		if v := binary.BigEndian.Uint32(head[4:]); v != 2 {
			return fmt.Errorf("index version %d is unknown", v)
		}
		table = head[8:]
	} else {
		x.v1 = true
	}
	for i := range 256 {
		x.fanout[i+1] = binary.BigEndian.Uint32(table[4*i:])
		if x.fanout[i+1] < x.fanout[i] {
			return errors.New("the index is damaged: its fan-out table is not ascending")
		}
	}
	n := int64(x.fanout[256])
	want := 1024 + n*int64(4+x.idLen) + 2*int64(x.idLen)
	if !x.v1 {
		want = 8 + 1024 + n*int64(x.idLen+8) + 2*int64(x.idLen)
	}
	if x.size < want {
		return fmt.Errorf("the index is cut off: %d objects need %d bytes, it has %d", n, want, x.size)
	}
	return nil
}

func (x *packIndex) count() int { return int(x.fanout[256]) }

func (x *packIndex) bucket(b byte) (*idxBucket, error) {
	if k := x.buckets[b].Load(); k != nil {
		return k, nil
	}
	first, n := x.fanout[b], int(x.fanout[int(b)+1]-x.fanout[b])
	k := &idxBucket{first: first, ids: make([]byte, n*x.idLen), offs: make([]byte, n*4)}
	if x.v1 {
		raw := make([]byte, n*(4+x.idLen))
		if _, err := x.f.ReadAt(raw, 1024+int64(first)*int64(4+x.idLen)); err != nil {
			return nil, fmt.Errorf("reading %s: %w", x.path, noEOF(err))
		}
		for i := range n {
			e := raw[i*(4+x.idLen):]
			copy(k.offs[4*i:], e[:4])
			copy(k.ids[i*x.idLen:], e[4:4+x.idLen])
		}
	} else if n > 0 {
		if _, err := x.f.ReadAt(k.ids, 1032+int64(first)*int64(x.idLen)); err != nil {
			return nil, fmt.Errorf("reading %s: %w", x.path, noEOF(err))
		}
		if _, err := x.f.ReadAt(k.offs, 1032+int64(x.count())*int64(x.idLen+4)+int64(first)*4); err != nil {
			return nil, fmt.Errorf("reading %s: %w", x.path, noEOF(err))
		}
	}
	x.buckets[b].Store(k)
	return k, nil
}

// find returns the position of the object with the raw id.
func (x *packIndex) find(id []byte) (pos int, ok bool, err error) {
	if len(id) != x.idLen || x.fanout[id[0]] == x.fanout[int(id[0])+1] {
		return 0, false, nil
	}
	k, err := x.bucket(id[0])
	if err != nil {
		return 0, false, err
	}
	i := x.search(k, id)
	if o := i * x.idLen; o < len(k.ids) && bytes.Equal(k.ids[o:o+x.idLen], id) {
		return int(k.first) + i, true, nil
	}
	return 0, false, nil
}

// search returns the first entry of k that is not below id. The ids are
// hashes, so the first probes go where id would be if they were spread evenly.
func (x *packIndex) search(k *idxBucket, id []byte) int {
	n := len(k.ids) / x.idLen
	lo, hi := 0, n
	if len(id) >= 5 && n > 8 {
		want := binary.BigEndian.Uint32(id[1:])
		guess := int(uint64(want) * uint64(n) >> 32)
		step := 4
		for s := x.idLen; ; step *= 4 {
			if l := guess - step; l > lo {
				if bytes.Compare(k.ids[l*s:l*s+s], id) < 0 {
					lo = l
				} else {
					hi = min(hi, l+1)
					guess = l
					continue
				}
			}
			if h := guess + step; h < hi {
				if bytes.Compare(k.ids[h*s:h*s+s], id) >= 0 {
					hi = h
				} else {
					lo = h
					guess = h
					continue
				}
			}
			break
		}
	}
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if bytes.Compare(k.ids[m*x.idLen:(m+1)*x.idLen], id) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// offset returns where in the pack the object at a position begins.
func (x *packIndex) offset(pos int) (int64, error) {
	b, err := x.bucketOf(pos)
	if err != nil {
		return 0, err
	}
	v := binary.BigEndian.Uint32(b.offs[4*(pos-int(b.first)):])
	if x.v1 || v&(1<<31) == 0 {
		return int64(v), nil
	}
	var big [8]byte
	at := 1032 + int64(x.count())*int64(x.idLen+8) + int64(v&^(1<<31))*8
	if _, err := x.f.ReadAt(big[:], at); err != nil {
		return 0, fmt.Errorf("reading %s: %w", x.path, noEOF(err))
	}
	off := binary.BigEndian.Uint64(big[:])
	if off > 1<<62 {
		return 0, fmt.Errorf("reading %s: offset of an object is damaged", x.path)
	}
	return int64(off), nil
}

// id returns the id at a position.
func (x *packIndex) id(pos int) (ID, error) {
	b, err := x.bucketOf(pos)
	if err != nil {
		return ID{}, err
	}
	o := (pos - int(b.first)) * x.idLen
	return IDFromBytes(b.ids[o : o+x.idLen]), nil
}

func (x *packIndex) bucketOf(pos int) (*idxBucket, error) {
	if pos < 0 || pos >= x.count() {
		return nil, fmt.Errorf("reading %s: no object at position %d", x.path, pos)
	}
	lo, hi := 0, 255
	for lo < hi {
		m := (lo + hi + 1) / 2
		if int(x.fanout[m]) <= pos {
			lo = m
		} else {
			hi = m - 1
		}
	}
	return x.bucket(byte(lo))
}

func noEOF(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
