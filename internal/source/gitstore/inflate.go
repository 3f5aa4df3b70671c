package gitstore

import (
	"encoding/binary"
	"errors"
	"hash/adler32"
	"sync"
)

// Git objects are short zlib streams (RFC 1950, RFC 1951) whose inflated size
// is known beforehand. Decoding from one slice into another, without window,
// reader or writer between, is several times faster than a streaming decoder,
// and looking at a history is little else. Large blobs are streamed by
// compress/zlib instead.

var (
	errShortInput = errors.New("compressed data ends early")
	errCorrupt    = errors.New("compressed data is damaged")
	errSize       = errors.New("inflated size differs from the recorded one")
)

// inflater holds the tables of one decoding. It is large: reuse it.
type inflater struct {
	lit, fixedLit   [litMax]uint32
	dist, fixedDist [distMax]uint32
	fixedReady      bool
	lens            [320]uint8
	sorted          [320]uint16
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// unzlib inflates the zlib stream at the start of src, whose inflated size
// must be len(dst), and returns how much of src it took. errShortInput means
// that src ends before the stream does.
func unzlib(dst, src []byte) (int, error) {
	if err := zlibHeader(src); err != nil {
		return 0, err
	}
	z := inflaters.Get().(*inflater)
	n, err := z.inflate(dst, src[2:], false)
	inflaters.Put(z)
	if err != nil {
		return 0, err
	}
	n += 2
	if len(src) < n+4 {
		return 0, errShortInput
	}
	if binary.BigEndian.Uint32(src[n:]) != adler32.Checksum(dst) {
		return 0, errCorrupt
	}
	return n + 4, nil
}

// unzlibPrefix inflates as much as fits in dst and returns its length; errors
// after the first byte are left to whoever reads the whole.
func unzlibPrefix(dst, src []byte) (int, error) {
	if err := zlibHeader(src); err != nil {
		return 0, err
	}
	z := inflaters.Get().(*inflater)
	n, err := z.inflate(dst, src[2:], true)
	inflaters.Put(z)
	return n, err
}

func zlibHeader(src []byte) error {
	if len(src) < 2 {
		return errShortInput
	}
	if src[0]&15 != 8 || src[0]>>4 > 7 || src[1]&0x20 != 0 || (uint(src[0])<<8|uint(src[1]))%31 != 0 {
		return errCorrupt
	}
	return nil
}

// inflate decodes a deflate stream. With prefix false the output must fill dst
// exactly, and the number of source bytes taken is returned. With prefix true
// it stops as soon as dst is full or the stream ends, and the number of bytes
// written is returned.
func (z *inflater) inflate(dst, src []byte, prefix bool) (int, error) {
	var (
		bb  uint64 // bits not yet taken, the next in bit 0
		nb  uint   // how many of them count
		pos int    // next byte of src
		op  int    // next byte of dst
	)
	for {
		for nb <= 56 && pos < len(src) {
			bb |= uint64(src[pos]) << nb
			pos++
			nb += 8
		}
		if nb < 3 {
			return 0, errShortInput
		}
		final := bb&1 != 0
		kind := bb >> 1 & 3
		bb >>= 3
		nb -= 3
		switch kind {
		case 0:
			bb >>= nb & 7
			nb -= nb & 7
			pos -= int(nb >> 3)
			bb, nb = 0, 0
			if len(src)-pos < 4 {
				return 0, errShortInput
			}
			n := int(binary.LittleEndian.Uint16(src[pos:]))
			if n != int(^binary.LittleEndian.Uint16(src[pos+2:])) {
				return 0, errCorrupt
			}
			pos += 4
			m := n
			if n > len(dst)-op {
				if !prefix {
					return 0, errSize
				}
				m = len(dst) - op
			}
			if m > len(src)-pos {
				return 0, errShortInput
			}
			copy(dst[op:op+m], src[pos:])
			op += m
			pos += m
			if m < n {
				return op, nil
			}
		case 1, 2:
			lit, dist := &z.lit, &z.dist
			if kind == 1 {
				z.fixed()
				lit, dist = &z.fixedLit, &z.fixedDist
			} else {
				var err error
				if bb, nb, pos, err = z.dynamic(src, bb, nb, pos); err != nil {
					return 0, err
				}
			}
			s := blockState{bb: bb, nb: nb, pos: pos, op: op}
			full, err := s.block(dst, src, lit, dist)
			if err != nil {
				return 0, err
			}
			bb, nb, pos, op = s.bb, s.nb, s.pos, s.op
			if full {
				if prefix {
					return op, nil
				}
				return 0, errSize
			}
		default:
			return 0, errCorrupt
		}
		if final {
			break
		}
		if prefix && op == len(dst) {
			return op, nil
		}
	}
	if prefix {
		return op, nil
	}
	if op != len(dst) {
		return 0, errSize
	}
	return pos - int(nb>>3), nil
}

type blockState struct {
	bb  uint64
	nb  uint
	pos int
	op  int
}

// block decodes one Huffman block. full means that the output did not fit.
func (s *blockState) block(dst, src []byte, lit *[litMax]uint32, dist *[distMax]uint32) (full bool, err error) {
	bb, nb, pos, op := s.bb, s.nb, s.pos, s.op
	// Both ends far: no checks within one round.
	for len(src)-pos >= 16 && len(dst)-op >= 288 {
		bb |= binary.LittleEndian.Uint64(src[pos:]) << (nb & 63)
		pos += int(63-nb) >> 3
		nb |= 56
		e := lit[bb&(1<<litRoot-1)]
		if e&entryLiteral != 0 {
			bb >>= e & 63
			nb -= uint(e & 63)
			dst[op] = byte(e >> 16)
			op++
			e = lit[bb&(1<<litRoot-1)]
			if e&entryLiteral != 0 {
				bb >>= e & 63
				nb -= uint(e & 63)
				dst[op] = byte(e >> 16)
				op++
				e = lit[bb&(1<<litRoot-1)]
				if e&entryLiteral != 0 {
					bb >>= e & 63
					nb -= uint(e & 63)
					dst[op] = byte(e >> 16)
					op++
					continue
				}
			}
			// At most 20 of at least 56 bits are gone, 48 may be needed.
			bb |= binary.LittleEndian.Uint64(src[pos:]) << (nb & 63)
			pos += int(63-nb) >> 3
			nb |= 56
		}
		if e&entrySub != 0 {
			e = lit[(uint64(e>>16)+bb>>litRoot&(1<<(e>>8&15)-1))&(litMax-1)]
			if e&entryLiteral != 0 {
				bb >>= e & 63
				nb -= uint(e & 63)
				dst[op] = byte(e >> 16)
				op++
				continue
			}
		}
		if e == 0 {
			return false, errCorrupt
		}
		bb >>= e & 63
		nb -= uint(e & 63)
		if e&entryEnd != 0 {
			s.bb, s.nb, s.pos, s.op = bb, nb, pos, op
			return false, nil
		}
		x := uint(e >> 8 & 15)
		length := int(e>>16) + int(bb&(1<<x-1))
		bb >>= x
		nb -= x
		e = dist[bb&(1<<distRoot-1)]
		if e&entrySub != 0 {
			e = dist[(uint64(e>>16)+bb>>distRoot&(1<<(e>>8&15)-1))&(distMax-1)]
		}
		if e == 0 {
			return false, errCorrupt
		}
		bb >>= e & 63
		nb -= uint(e & 63)
		x = uint(e >> 8 & 15)
		d := int(e>>16) + int(bb&(1<<x-1))
		bb >>= x
		nb -= x
		if d > op {
			return false, errCorrupt
		}
		end := op + length
		if d >= 8 {
			// Whole words; up to seven bytes too many are overwritten later.
			for {
				binary.LittleEndian.PutUint64(dst[op:], binary.LittleEndian.Uint64(dst[op-d:]))
				op += 8
				if op >= end {
					break
				}
			}
			op = end
		} else {
			for ; op < end; op++ {
				dst[op] = dst[op-d]
			}
		}
	}
	// The bits above nb are valid but uncounted after a word refill: drop them.
	bb &= 1<<nb - 1
	for {
		for nb <= 56 && pos < len(src) {
			bb |= uint64(src[pos]) << nb
			pos++
			nb += 8
		}
		e := lit[bb&(1<<litRoot-1)]
		if e&entrySub != 0 {
			e = lit[(uint64(e>>16)+bb>>litRoot&(1<<(e>>8&15)-1))&(litMax-1)]
		}
		if uint(e&63) > nb || e == 0 && nb < 15 {
			return false, errShortInput
		}
		if e == 0 {
			return false, errCorrupt
		}
		bb >>= e & 63
		nb -= uint(e & 63)
		if e&entryLiteral != 0 {
			if op == len(dst) {
				s.op = op
				return true, nil
			}
			dst[op] = byte(e >> 16)
			op++
			continue
		}
		if e&entryEnd != 0 {
			s.bb, s.nb, s.pos, s.op = bb, nb, pos, op
			return false, nil
		}
		x := uint(e >> 8 & 15)
		length := int(e>>16) + int(bb&(1<<x-1))
		if x > nb {
			return false, errShortInput
		}
		bb >>= x
		nb -= x
		e = dist[bb&(1<<distRoot-1)]
		if e&entrySub != 0 {
			e = dist[(uint64(e>>16)+bb>>distRoot&(1<<(e>>8&15)-1))&(distMax-1)]
		}
		if uint(e&63) > nb || e == 0 && nb < 15 {
			return false, errShortInput
		}
		if e == 0 {
			return false, errCorrupt
		}
		bb >>= e & 63
		nb -= uint(e & 63)
		x = uint(e >> 8 & 15)
		if x > nb {
			return false, errShortInput
		}
		d := int(e>>16) + int(bb&(1<<x-1))
		bb >>= x
		nb -= x
		if d > op {
			return false, errCorrupt
		}
		end := min(op+length, len(dst))
		full = op+length > len(dst)
		for ; op < end; op++ {
			dst[op] = dst[op-d]
		}
		if full {
			s.op = op
			return true, nil
		}
	}
}
