package gitstore

import "errors"

var errDelta = errors.New("delta is damaged")

// Kept is a part of a content that its base has as well: Content[From:To]
// equals the base's bytes from Base on.
type Kept struct{ From, To, Base int }

// minKept is the shortest part, in bytes, that is worth a Kept: what git finds
// to be equal in text that was written anew is many pieces of little more than
// 16 bytes, from anywhere.
const minKept = 64

// uvarint reads a number of a delta's header and returns the rest of b.
func uvarint(b []byte) (int64, []byte, bool) {
	var v uint64
	for i := 0; i < len(b) && i < 9; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return int64(v), b[i+1:], true
		}
	}
	return 0, nil, false
}

// deltaSize returns the size of what delta makes of a base of from bytes, and
// the instructions.
func deltaSize(delta []byte, from int, limit int64) (size int64, ops []byte, err error) {
	base, delta, ok := uvarint(delta)
	if !ok || base != int64(from) {
		return 0, nil, errDelta
	}
	size, ops, ok = uvarint(delta)
	if !ok || size < 0 {
		return 0, nil, errDelta
	}
	if size > limit {
		return 0, nil, ErrTooLarge
	}
	// A copy of at most 16 MiB takes at least one byte: a size that the
	// instructions cannot reach is not allocated.
	if size>>24 > int64(len(ops)) {
		return 0, nil, errDelta
	}
	return size, ops, nil
}

// applyDelta rebuilds an object from its base. size, which the delta itself
// claims, must not exceed limit.
func applyDelta(base, delta []byte, limit int64) ([]byte, error) {
	size, ops, err := deltaSize(delta, len(base), limit)
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	if _, err := build(out, base, ops, nil); err != nil {
		return nil, err
	}
	return out, nil
}

// build fills out by the instructions of a delta. What it copies in pieces of
// minKept bytes or more is appended to kept, ascending, unless that is nil.
func build(out, base, ops []byte, kept []Kept) ([]Kept, error) {
	var (
		op   int  // next byte of out
		last Kept // what is being copied, in pieces that follow one another
	)
	for i := 0; i < len(ops); {
		c := ops[i]
		i++
		if c&0x80 == 0 {
			n := int(c)
			if n == 0 || n > len(ops)-i || n > len(out)-op {
				return nil, errDelta
			}
			copy(out[op:op+n], ops[i:i+n])
			op += n
			i += n
			continue
		}
		var off, n, used int
		if len(ops)-i >= 7 { // all fields are there, however many are used
			for b := range 4 {
				if c&(1<<b) != 0 {
					off |= int(ops[i+used]) << (8 * b)
					used++
				}
			}
			for b := range 3 {
				if c&(0x10<<b) != 0 {
					n |= int(ops[i+used]) << (8 * b)
					used++
				}
			}
		} else {
			for b := range 7 {
				if c&(1<<b) == 0 {
					continue
				}
				if used >= len(ops)-i {
					return nil, errDelta
				}
				v := int(ops[i+used])
				used++
				if b < 4 {
					off |= v << (8 * b)
				} else {
					n |= v << (8 * (b - 4))
				}
			}
		}
		if n == 0 {
			n = 0x10000
		}
		if off > len(base) || n > len(base)-off || n > len(out)-op {
			return nil, errDelta
		}
		copy(out[op:op+n], base[off:off+n])
		i += used
		if kept != nil {
			if op == last.To && off-op == last.Base-last.From {
				last.To += n
			} else {
				if last.To-last.From >= minKept {
					kept = append(kept, last)
				}
				last = Kept{From: op, To: op + n, Base: off}
			}
		}
		op += n
	}
	if op != len(out) {
		return nil, errDelta
	}
	if kept != nil && last.To-last.From >= minKept {
		kept = append(kept, last)
	}
	return kept, nil
}
