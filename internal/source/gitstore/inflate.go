package gitstore

import (
	"encoding/binary"
	"errors"
	"hash/adler32"
	"math/bits"
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

const (
	litRoot  = 10 // bits of the first-level literal/length table
	distRoot = 8
	litMax   = 2048 // entries, first and second level: at most 1334 for complete codes
	distMax  = 512  // at most 402
)

// A table entry holds in bits 0-7 the code's length in bits and, by kind:
// a literal (entryLiteral, value in bits 16-23), a length or distance (base in
// bits 16-31, extra bits in 8-12), the end of the block (entryEnd), or a second
// level (entrySub, start in bits 16-30, its index width in 8-12).
// Zero is an invalid code.
const (
	entryLiteral = 1 << 15
	entryEnd     = 1 << 14
	entrySub     = 1 << 13
)

var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	codeOrder   = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
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

// fixed builds the tables of blocks with fixed codes.
func (z *inflater) fixed() {
	if z.fixedReady {
		return
	}
	l := z.lens[:]
	for i := range 288 {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	z.build(z.fixedLit[:], l[:288], litRoot, litEntry)
	for i := range 32 {
		l[i] = 5
	}
	z.build(z.fixedDist[:], l[:32], distRoot, distEntry)
	z.fixedReady = true
}

// dynamic reads the code lengths of a block and builds its tables.
func (z *inflater) dynamic(src []byte, bb uint64, nb uint, pos int) (uint64, uint, int, error) {
	fill := func() {
		for nb <= 56 && pos < len(src) {
			bb |= uint64(src[pos]) << nb
			pos++
			nb += 8
		}
	}
	fill()
	if nb < 14 {
		return 0, 0, 0, errShortInput
	}
	nlit := int(bb&31) + 257
	ndist := int(bb>>5&31) + 1
	ncode := int(bb>>10&15) + 4
	bb >>= 14
	nb -= 14
	if nlit > 286 || ndist > 30 {
		return 0, 0, 0, errCorrupt
	}
	var codeLens [19]uint8
	for i := range ncode {
		if nb < 3 {
			if fill(); nb < 3 {
				return 0, 0, 0, errShortInput
			}
		}
		codeLens[codeOrder[i]] = uint8(bb & 7)
		bb >>= 3
		nb -= 3
	}
	// The code of the code lengths has at most 7 bits: one level.
	var codes [128]uint32
	if !z.build(codes[:], codeLens[:], 7, codeEntry) {
		return 0, 0, 0, errCorrupt
	}
	lens := z.lens[:nlit+ndist]
	for i := 0; i < len(lens); {
		if nb < 14 {
			fill()
		}
		e := codes[bb&127]
		n := uint(e & 63)
		if e == 0 && nb >= 7 {
			return 0, 0, 0, errCorrupt
		}
		if e == 0 || n > nb {
			return 0, 0, 0, errShortInput
		}
		bb >>= n
		nb -= n
		sym := e >> 16
		if sym < 16 {
			lens[i] = uint8(sym)
			i++
			continue
		}
		var value uint8
		var rep int
		var x uint
		switch sym {
		case 16:
			if i == 0 {
				return 0, 0, 0, errCorrupt
			}
			value, rep, x = lens[i-1], 3, 2
		case 17:
			rep, x = 3, 3
		default:
			rep, x = 11, 7
		}
		if nb < x {
			return 0, 0, 0, errShortInput
		}
		rep += int(bb & (1<<x - 1))
		bb >>= x
		nb -= x
		if i+rep > len(lens) {
			return 0, 0, 0, errCorrupt
		}
		for range rep {
			lens[i] = value
			i++
		}
	}
	if lens[256] == 0 {
		return 0, 0, 0, errCorrupt
	}
	if !z.build(z.lit[:], lens[:nlit], litRoot, litEntry) || !z.build(z.dist[:], lens[nlit:], distRoot, distEntry) {
		return 0, 0, 0, errCorrupt
	}
	return bb, nb, pos, nil
}

func codeEntry(sym int) uint32 { return uint32(sym) << 16 }

func litEntry(sym int) uint32 {
	switch {
	case sym < 256:
		return uint32(sym)<<16 | entryLiteral
	case sym == 256:
		return entryEnd
	case sym < 286:
		return uint32(lengthBase[sym-257])<<16 | uint32(lengthExtra[sym-257])<<8
	}
	return 0
}

func distEntry(sym int) uint32 {
	if sym < 30 {
		return uint32(distBase[sym])<<16 | uint32(distExtra[sym])<<8
	}
	return 0
}

// build fills table from code lengths and reports whether they form a
// complete code, or an empty one, or a single code of one bit.
func (z *inflater) build(table []uint32, lens []uint8, root uint, entry func(int) uint32) bool {
	var count [16]int
	for _, l := range lens {
		count[l&15]++
	}
	used := len(lens) - count[0]
	count[0] = 0
	size := 1 << root
	if used == 0 {
		clear(table[:size])
		return true
	}
	left := 1
	longest := uint(0)
	var next [17]int
	for l := 1; l <= 15; l++ {
		left = left<<1 - count[l]
		if left < 0 {
			return false
		}
		if count[l] > 0 {
			longest = uint(l)
		}
		next[l+1] = next[l] + count[l]
	}
	if left > 0 {
		if longest != 1 {
			return false
		}
		clear(table[:size])
	}
	for sym, l := range lens {
		if l != 0 {
			z.sorted[next[l]] = uint16(sym)
			next[l]++
		}
	}
	var (
		code      uint // canonical, most significant bit first
		length    = uint(1)
		subPrefix = -1
		subStart  int
		subBits   uint
		free      = size
	)
	for i := range used {
		for count[length] == 0 {
			length++
			code <<= 1
		}
		sym := int(z.sorted[i])
		e := entry(sym)
		if e != 0 || len(table) == 128 {
			e |= uint32(length)
		}
		rev := int(bits.Reverse16(uint16(code)) >> (16 - length))
		if length <= root {
			for j := rev; j < size; j += 1 << length {
				table[j] = e
			}
		} else {
			prefix := rev & (size - 1)
			if prefix != subPrefix {
				subPrefix, subStart = prefix, free
				subBits = length - root
				room := 1 << subBits
				for subBits+root < longest {
					room -= count[subBits+root]
					if room <= 0 {
						break
					}
					subBits++
					room <<= 1
				}
				free += 1 << subBits
				if free > len(table) {
					return false
				}
				table[prefix] = uint32(subStart)<<16 | uint32(subBits)<<8 | entrySub
			}
			for j := rev >> root; j < 1<<subBits; j += 1 << (length - root) {
				table[subStart+j] = e
			}
		}
		code++
		count[length]--
	}
	return true
}
