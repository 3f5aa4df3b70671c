package gitstore

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// appendCopy and appendInsert write delta instructions.
func appendCopy(d []byte, off, n int) []byte {
	d = append(d, 0x80|0x0f|0x70)
	d = append(d, byte(off), byte(off>>8), byte(off>>16), byte(off>>24))
	return append(d, byte(n), byte(n>>8), byte(n>>16))
}

func appendInsert(d, b []byte) []byte { return append(append(d, byte(len(b))), b...) }

func appendUvarint(d []byte, v int) []byte {
	for ; v >= 0x80; v >>= 7 {
		d = append(d, byte(v)|0x80)
	}
	return append(d, byte(v))
}

// What is not fresh stands in the base with the same neighbours.
func TestFreshRanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	base := make([]byte, 4000)
	for i := range base {
		base[i] = byte(rng.IntN(256))
	}
	for range 500 {
		var ops []byte
		size := 0
		for range 1 + rng.IntN(6) {
			if rng.IntN(2) == 0 {
				off := rng.IntN(len(base) - 300)
				n := 1 + rng.IntN(300)
				ops = appendCopy(ops, off, n)
				size += n
			} else {
				b := make([]byte, 1+rng.IntN(60))
				for i := range b {
					b[i] = byte(rng.IntN(256))
				}
				ops = appendInsert(ops, b)
				size += len(b)
			}
		}
		delta := append(appendUvarint(appendUvarint(nil, len(base)), size), ops...)
		got, err := freshRanges(delta)
		if err != nil {
			t.Fatal(err)
		}
		out, err := applyDelta(base, delta, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, r := range append(got, Range{len(out), len(out)}) {
			if stale := out[at:r.From]; len(stale) > 0 && !bytes.Contains(base, stale) {
				t.Fatalf("bytes %d to %d are not fresh and not in the base", at, r.From)
			}
			at = r.To
		}
	}
}

func TestFreshRangesWhole(t *testing.T) {
	base := []byte("0123456789")
	for name, tc := range map[string]struct {
		ops  []byte
		size int
		want int
	}{
		"all of the base":  {appendCopy(nil, 0, 10), 10, 0},
		"in two pieces":    {appendCopy(appendCopy(nil, 0, 4), 4, 6), 10, 0},
		"without the end":  {appendCopy(nil, 0, 9), 9, 1},
		"without the head": {appendCopy(nil, 1, 9), 9, 1},
	} {
		delta := append(appendUvarint(appendUvarint(nil, len(base)), tc.size), tc.ops...)
		got, err := freshRanges(delta)
		if err != nil || len(got) != tc.want {
			t.Errorf("%s: %v, %v; want %d ranges", name, got, err, tc.want)
		}
	}
}

func FuzzFreshRanges(f *testing.F) {
	f.Add(append(appendUvarint(appendUvarint(nil, 10), 10), appendCopy(nil, 0, 10)...))
	f.Fuzz(func(t *testing.T, delta []byte) {
		got, err := freshRanges(delta)
		if err != nil {
			return
		}
		at := -1
		for _, r := range got {
			if r.From < 0 || r.To < r.From || r.From <= at {
				t.Fatalf("ranges out of order: %v", got)
			}
			at = r.To
		}
	})
}
