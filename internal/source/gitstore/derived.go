package gitstore

// Range is a part of a content, in bytes: From is in it, To is not.
type Range struct{ From, To int }

// DeltaBase returns where in the same pack the object lies that the one at pl
// is stored as a difference to; ok is false if it is stored whole or its base
// is told by id.
func (r *Repo) DeltaBase(pl Place) (offset int64, ok bool) {
	if pl.Pack < 0 {
		return 0, false
	}
	off, err := r.PackOffset(pl)
	if err != nil {
		return 0, false
	}
	h, err := r.packs[pl.Pack].header(off)
	if err != nil || h.typ != ofsDelta {
		return 0, false
	}
	return h.base, true
}

// Fresh returns the ranges, ascending, of an object stored as a difference that
// its base does not have: what the delta inserts, and the seams of what it
// copies from different places. Everything else stands in the base, in its
// surroundings.
func (r *Repo) Fresh(pl Place) ([]Range, error) {
	off, err := r.PackOffset(pl)
	if err != nil {
		return nil, err
	}
	p := r.packs[pl.Pack]
	h, delta, err := p.entry(off, r.maxObject)
	if err != nil {
		return nil, err
	}
	if h.typ != ofsDelta && h.typ != refDelta {
		return nil, p.fault(off, errDelta)
	}
	fresh, err := freshRanges(delta)
	if err != nil {
		return nil, p.fault(off, err)
	}
	return fresh, nil
}

func freshRanges(delta []byte) ([]Range, error) {
	from, delta, ok := uvarint(delta)
	if !ok {
		return nil, errDelta
	}
	size, delta, ok := uvarint(delta)
	if !ok || size < 0 {
		return nil, errDelta
	}
	var fresh []Range
	add := func(lo, hi int) {
		lo, hi = max(lo, 0), min(hi, int(size))
		if n := len(fresh); n > 0 && fresh[n-1].To >= lo {
			fresh[n-1].To = max(fresh[n-1].To, hi)
			return
		}
		fresh = append(fresh, Range{lo, hi})
	}
	at, next := 0, 0 // in the result; where a copy has to begin to go on seamlessly
	for len(delta) > 0 {
		c := delta[0]
		delta = delta[1:]
		if c&0x80 == 0 {
			n := int(c)
			if n == 0 || n > len(delta) {
				return nil, errDelta
			}
			add(at-1, at+n+1)
			at += n
			delta = delta[n:]
			next = -1
			continue
		}
		var field [7]int // four bytes of the offset, three of the length
		for i := range field {
			if c&(1<<i) != 0 {
				if len(delta) == 0 {
					return nil, errDelta
				}
				field[i] = int(delta[0])
				delta = delta[1:]
			}
		}
		off := field[0] | field[1]<<8 | field[2]<<16 | field[3]<<24
		n := field[4] | field[5]<<8 | field[6]<<16
		if n == 0 {
			n = 0x10000
		}
		if off != next {
			add(at-1, at+1)
		}
		at += n
		if int64(at) > size {
			return nil, errDelta
		}
		next = off + n
	}
	if int64(next) != from {
		add(at-1, at)
	}
	if int64(at) != size {
		return nil, errDelta
	}
	if fresh == nil {
		fresh = []Range{}
	}
	return fresh, nil
}
