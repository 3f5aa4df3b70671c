package snapshot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// A delta says how to make a new file from an old one. It is a list of
// instructions, each of three numbers:
//
//	similar  so many bytes are those of the old file, from where it stands, plus
//	         the differences (byte by byte, modulo 256)
//	fresh    so many bytes follow as they are
//	move     then the place in the old file moves by so many bytes
//
// Numbers that point into a file move all together when something is put in
// front of what they point at. So most differences are zero or one value again
// and again, which compresses to nearly nothing. Instructions, differences and
// fresh bytes are three streams of their own.

const (
	seedSize   = 24 // bytes that must be equal for places to be compared
	seedStride = 8  // one place of so many of the old file is remembered
	// enough: another place must fit so many bytes better than the present one.
	enough = 8
)

// deltaWriter receives the three streams.
type deltaWriter struct{ control, differences, fresh io.Writer }

// diff writes how to make next from old.
func diff(old, next []byte, w deltaWriter) error {
	places := remember(old)
	var (
		scan     int // in next: where the search is
		done     int // in next: what is written
		oldStart int // in old: the place that done stands for
	)
	for done < len(next) {
		// Where does something begin that has another place in old?
		at, place := len(next), -1
		for ; scan+seedSize <= len(next); scan++ {
			if shift := scan - done + oldStart; shift >= 0 && shift+8 <= len(old) && same8(old[shift:], next[scan:]) {
				// The present place still fits.
				scan += 7
				continue
			}
			candidate := places.find(old, next[scan:])
			if candidate < 0 {
				continue
			}
			length := equal(old[candidate:], next[scan:])
			if length < seedSize {
				continue
			}
			here := 0
			if shift := scan - done + oldStart; shift >= 0 && shift < len(old) {
				here = matching(old[shift:], next[scan:], length)
			}
			if length >= here+enough {
				at, place = scan, candidate
				break
			}
			scan += length - 1
		}
		similar := forward(old[min(oldStart, len(old)):], next[done:at])
		back := 0
		if place >= 0 {
			back = backward(old[:place], next[done:at])
			if over := similar + back - (at - done); over > 0 {
				// Both claim the bytes between: split them where it fits best.
				cut := split(old, next, oldStart, done, place, at, similar, back, over)
				similar = similar - over + cut
				back = at - done - similar
			}
		}
		end := at - back
		fresh := end - done - similar
		move := 0
		if place >= 0 {
			move = place - back - (oldStart + similar)
		}
		if err := w.emit(old, next, oldStart, done, similar, fresh, move); err != nil {
			return err
		}
		oldStart += similar + move
		done = end
		if place < 0 {
			break
		}
		scan = max(scan, at) + seedSize
	}
	return nil
}

func (w deltaWriter) emit(old, next []byte, oldStart, done, similar, fresh, move int) error {
	var control []byte
	control = binary.AppendUvarint(control, uint64(similar))
	control = binary.AppendUvarint(control, uint64(fresh))
	control = binary.AppendVarint(control, int64(move))
	if _, err := w.control.Write(control); err != nil {
		return err
	}
	var buf [8192]byte
	for n := 0; n < similar; {
		part := min(len(buf), similar-n)
		for i := range part {
			buf[i] = next[done+n+i] - old[oldStart+n+i]
		}
		if _, err := w.differences.Write(buf[:part]); err != nil {
			return err
		}
		n += part
	}
	_, err := w.fresh.Write(next[done+similar : done+similar+fresh])
	return err
}

// forward is how far the bytes are more alike than not.
func forward(old, next []byte) int {
	best, length, score := 0, 0, 0
	for i := range min(len(old), len(next)) {
		if old[i] == next[i] {
			score++
		} else {
			score--
		}
		if score > best {
			best, length = score, i+1
		}
		if score < best-64 {
			break
		}
	}
	return length
}

// backward is forward from the end.
func backward(old, next []byte) int {
	best, length, score := 0, 0, 0
	for i := 1; i <= min(len(old), len(next)); i++ {
		if old[len(old)-i] == next[len(next)-i] {
			score++
		} else {
			score--
		}
		if score > best {
			best, length = score, i
		}
		if score < best-64 {
			break
		}
	}
	return length
}

// split says how many of the over bytes that two places claim go to the first.
func split(old, next []byte, oldStart, done, place, at, similar, back, over int) int {
	best, cut, score := 0, 0, 0
	for i := range over {
		x := next[done+similar-over+i]
		if x == old[oldStart+similar-over+i] {
			score++
		}
		if x == old[place-back+i] {
			score--
		}
		if score > best {
			best, cut = score, i+1
		}
	}
	return cut
}

func same8(a, b []byte) bool {
	return binary.LittleEndian.Uint64(a) == binary.LittleEndian.Uint64(b)
}

// equal is how many bytes are equal.
func equal(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for ; i < n && a[i] == b[i]; i++ {
	}
	return i
}

// matching counts the equal bytes among the first n.
func matching(a, b []byte, n int) int {
	count := 0
	for i := range min(len(a), len(b), n) {
		if a[i] == b[i] {
			count++
		}
	}
	return count
}

// seeds finds places in the old file by their first bytes.
type seeds struct {
	table []uint32 // place / seedStride + 1
	shift uint
}

func remember(old []byte) *seeds {
	n := len(old)/seedStride + 1
	width := max(bits.Len(uint(n)), 8)
	s := &seeds{make([]uint32, 1<<width), uint(64 - width)}
	for i := 0; i+seedSize <= len(old); i += seedStride {
		slot := &s.table[s.slot(old[i:])]
		if *slot == 0 {
			*slot = uint32(i/seedStride + 1)
		}
	}
	return s
}

func (s *seeds) slot(b []byte) uint64 {
	le := binary.LittleEndian
	const k = 0x9e3779b97f4a7c15
	h := le.Uint64(b) * k
	h = (bits.RotateLeft64(h, 29) ^ le.Uint64(b[8:])) * k
	h = (bits.RotateLeft64(h, 29) ^ le.Uint64(b[16:])) * k
	return h >> s.shift
}

// find is a place in old that may begin like b, or -1.
func (s *seeds) find(old, b []byte) int {
	v := s.table[s.slot(b)]
	if v == 0 {
		return -1
	}
	place := (int(v) - 1) * seedStride
	if !same8(old[place:], b) {
		return -1
	}
	return place
}

// deltaReader delivers the three streams.
type deltaReader struct{ control, differences, fresh io.Reader }

// apply writes the file that a delta makes of an old one: size bytes.
func apply(old []byte, size uint64, r deltaReader, w io.Writer) error {
	control := bufio.NewReader(r.control)
	var (
		written uint64
		idle    uint64
		at      int64
		buf     = make([]byte, 64<<10)
	)
	take := func(from io.Reader, n uint64, add bool) error {
		for n > 0 {
			part := buf[:min(uint64(len(buf)), n)]
			if _, err := io.ReadFull(from, part); err != nil {
				return fmt.Errorf("%w: the delta ends early: %w", ErrMalformed, err)
			}
			if add {
				base := old[at : at+int64(len(part))]
				for i := range part {
					part[i] += base[i]
				}
				at += int64(len(part))
			}
			if _, err := w.Write(part); err != nil {
				return err
			}
			n -= uint64(len(part))
		}
		return nil
	}
	for written < size {
		similar, err1 := binary.ReadUvarint(control)
		fresh, err2 := binary.ReadUvarint(control)
		move, err3 := binary.ReadVarint(control)
		if err := errors.Join(err1, err2, err3); err != nil {
			return fmt.Errorf("%w: the delta's instructions end early: %w", ErrMalformed, err)
		}
		if left := size - written; similar > left || fresh > left-similar {
			return fmt.Errorf("%w: the delta makes more than %d bytes", ErrMalformed, size)
		}
		if similar+fresh == 0 {
			// Some are only moves, but none can go on for ever.
			if idle++; idle > size/seedSize+1 {
				return fmt.Errorf("%w: the delta only moves about", ErrMalformed)
			}
		}
		if similar > uint64(len(old))-uint64(at) {
			return fmt.Errorf("%w: the delta reads beyond the end of the old database", ErrMalformed)
		}
		if err := take(r.differences, similar, true); err != nil {
			return err
		}
		if err := take(r.fresh, fresh, false); err != nil {
			return err
		}
		if move > int64(len(old)) || move < -int64(len(old)) || at+move < 0 || at+move > int64(len(old)) {
			return fmt.Errorf("%w: the delta moves out of the old database", ErrMalformed)
		}
		at += move
		written += similar + fresh
	}
	for _, stream := range []io.Reader{control, r.differences, r.fresh} {
		if n, err := io.ReadFull(stream, buf[:1]); n > 0 || err != io.EOF {
			return fmt.Errorf("%w: the delta has more than it needs", ErrMalformed)
		}
	}
	return nil
}
