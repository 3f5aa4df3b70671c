package filesource

import (
	"errors"
	"fmt"
	"io"
)

var errXZ = errors.New("xz: damaged block")

// xzGuard follows the structure of an .xz stream that passes through it and
// fails when a block asks for a dictionary larger than maxWindow: the decoder
// allocates what the header says. It knows the containers (stream, block and
// LZMA2 chunk headers) of version 1.2 of the format and decodes nothing.
type xzGuard struct {
	r     io.Reader
	state xzState
	need  int64  // bytes of have to collect, or to pass in xzPass
	have  []byte // of the header being collected
	next  xzState
	check int64 // size of a block's check, in bytes
	// length counts the bytes of the block or index so far, for its padding.
	length  int64
	records uint64 // of the index: numbers still to come; see xzCount
	shift   uint   // of the number being read
	err     error
}

type xzState uint8

const (
	xzMagic     xzState = iota // 4 bytes: of a stream header, or padding
	xzStream                   // the other 8 bytes of a stream header
	xzBlockSize                // the size byte of a block header, or of the index
	xzBlock                    // the rest of the block header
	xzChunk                    // the control byte of an LZMA2 chunk
	xzChunkHead                // the rest of a chunk's header
	xzPass                     // need bytes, then next
	xzCount                    // the number of records of the index, byte by byte
	xzRecords                  // the numbers of the index, byte by byte
)

func (g *xzGuard) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.r.Read(p)
	if g.follow(p[:n]) != nil {
		return 0, g.err
	}
	return n, err
}

// xzCheckSizes are the sizes of the sixteen kinds of check.
var xzCheckSizes = [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

func (g *xzGuard) follow(p []byte) error {
	for len(p) > 0 {
		if g.state == xzPass {
			n := min(g.need, int64(len(p)))
			g.need -= n
			p = p[n:]
			if g.need == 0 {
				g.state = g.next
			}
			continue
		}
		want := int64(1)
		switch g.state {
		case xzMagic:
			want = 4
		case xzStream:
			want = 8
		case xzBlock, xzChunkHead:
			want = g.need
		}
		n := min(want-int64(len(g.have)), int64(len(p)))
		g.have = append(g.have, p[:n]...)
		p = p[n:]
		if int64(len(g.have)) < want {
			return nil
		}
		head := g.have
		g.have = g.have[:0]
		if g.err = g.step(head); g.err != nil {
			return g.err
		}
	}
	return nil
}

func (g *xzGuard) pass(n int64, next xzState) {
	g.state, g.need, g.next = xzPass, n, next
	if n == 0 {
		g.state = next
	}
}

// step acts on a complete header.
func (g *xzGuard) step(head []byte) error {
	switch g.state {
	case xzMagic:
		if head[0]|head[1]|head[2]|head[3] != 0 {
			g.state = xzStream
		}
	case xzStream:
		g.check = xzCheckSizes[head[3]&15]
		g.state = xzBlockSize
	case xzBlockSize:
		if head[0] == 0 {
			g.state, g.length, g.records, g.shift = xzCount, 1, 0, 0
			return nil
		}
		g.state, g.need = xzBlock, (int64(head[0])+1)*4-1
	case xzBlock:
		if err := xzDictionary(head); err != nil {
			return err
		}
		g.state, g.length = xzChunk, 0
	case xzChunk:
		g.length++
		switch c := head[0]; {
		case c == 0: // the end of the block
			g.pass((4-g.length%4)%4+g.check, xzBlockSize)
		case c == 1 || c == 2:
			g.state, g.need = xzChunkHead, 2
		case c >= 0xC0:
			g.state, g.need = xzChunkHead, 5
		case c >= 0x80:
			g.state, g.need = xzChunkHead, 4
		default:
			return errXZ
		}
	case xzCount:
		g.length++
		if g.shift > 56 {
			return errXZ
		}
		g.records |= uint64(head[0]&0x7f) << g.shift
		g.shift += 7
		if head[0] < 0x80 {
			g.records *= 2 // a record is two numbers
			g.state = xzRecords
			if g.records == 0 {
				g.endIndex()
			}
		}
	case xzRecords:
		g.length++
		if head[0] < 0x80 {
			if g.records--; g.records == 0 {
				g.endIndex()
			}
		}
	case xzChunkHead:
		g.length += int64(len(head))
		size := int64(head[0])<<8 | int64(head[1])
		if len(head) > 2 {
			size = int64(head[2])<<8 | int64(head[3])
		}
		size++
		g.length += size
		g.pass(size, xzChunk)
	}
	return nil
}

// endIndex passes the padding and check of the index and the stream's footer.
func (g *xzGuard) endIndex() { g.pass((4-g.length%4)%4+4+12, xzMagic) }

// xzDictionary checks the filter flags of a block header, of which the size byte
// is gone.
func xzDictionary(head []byte) error {
	flags, at := head[0], 1
	skip := func() bool { // a variable-length integer
		for n := 0; at < len(head) && n < 9; n++ {
			at++
			if head[at-1] < 0x80 {
				return true
			}
		}
		return false
	}
	for _, bit := range []byte{0x40, 0x80} {
		if flags&bit != 0 && !skip() {
			return errXZ
		}
	}
	// LZMA2 must be the only filter here: the decoder knows no other.
	if flags&3 != 0 || at+2 >= len(head) || head[at] != 0x21 || head[at+1] != 1 {
		return errors.New("xz: a filter other than LZMA2")
	}
	bits := head[at+2]
	if bits > 40 {
		return errXZ
	}
	size := int64(1)<<32 - 1
	if bits < 40 {
		size = (2 | int64(bits&1)) << (bits/2 + 11)
	}
	if size > maxWindow {
		return fmt.Errorf("xz: wants a dictionary of %d MiB, limit %d MiB", size>>20, maxWindow>>20)
	}
	return nil
}
