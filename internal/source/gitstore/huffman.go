package gitstore

import "math/bits"

// The tables by which deflate streams are decoded: how they are laid out, and
// how they are built from the code lengths of a block.

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
