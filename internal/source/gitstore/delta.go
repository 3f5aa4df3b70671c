package gitstore

import "errors"

var errDelta = errors.New("delta is damaged")

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

// applyDelta rebuilds an object from its base. size, which the delta itself
// claims, must not exceed limit.
func applyDelta(base, delta []byte, limit int64) ([]byte, error) {
	from, delta, ok := uvarint(delta)
	if !ok || from != int64(len(base)) {
		return nil, errDelta
	}
	size, delta, ok := uvarint(delta)
	if !ok || size < 0 {
		return nil, errDelta
	}
	if size > limit {
		return nil, ErrTooLarge
	}
	// A copy of at most 16 MiB takes at least one byte: a size that the
	// instructions cannot reach is not allocated.
	if size>>24 > int64(len(delta)) {
		return nil, errDelta
	}
	out := make([]byte, size)
	op := 0
	for len(delta) > 0 {
		c := delta[0]
		delta = delta[1:]
		if c&0x80 == 0 {
			n := int(c)
			if n == 0 || n > len(delta) || n > len(out)-op {
				return nil, errDelta
			}
			copy(out[op:], delta[:n])
			op += n
			delta = delta[n:]
			continue
		}
		var off, n, used int
		need := func(shift uint) int {
			if used < len(delta) {
				v := int(delta[used]) << shift
				used++
				return v
			}
			used = len(delta) + 1
			return 0
		}
		if c&0x01 != 0 {
			off = need(0)
		}
		if c&0x02 != 0 {
			off |= need(8)
		}
		if c&0x04 != 0 {
			off |= need(16)
		}
		if c&0x08 != 0 {
			off |= need(24)
		}
		if c&0x10 != 0 {
			n = need(0)
		}
		if c&0x20 != 0 {
			n |= need(8)
		}
		if c&0x40 != 0 {
			n |= need(16)
		}
		if n == 0 {
			n = 0x10000
		}
		if used > len(delta) || off > len(base) || n > len(base)-off || n > len(out)-op {
			return nil, errDelta
		}
		copy(out[op:op+n], base[off:])
		op += n
		delta = delta[used:]
	}
	if op != len(out) {
		return nil, errDelta
	}
	return out, nil
}
