package gitstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
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

func someKept() []Kept { return make([]Kept, 0, 4) }

// checkKept fails if kept is not what out has from base, ascending and apart.
func checkKept(t *testing.T, out, base []byte, kept []Kept) {
	t.Helper()
	at := 0
	for _, k := range kept {
		if k.From < at || k.To-k.From < minKept || k.To > len(out) || k.Base < 0 || k.Base+k.To-k.From > len(base) {
			t.Fatalf("%+v is out of place in %v", k, kept)
		}
		if !bytes.Equal(out[k.From:k.To], base[k.Base:k.Base+k.To-k.From]) {
			t.Fatalf("%+v is not in the base", k)
		}
		at = k.To
	}
}

func TestKept(t *testing.T) {
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
				ops = appendInsert(ops, b)
				size += len(b)
			}
		}
		out := make([]byte, size)
		kept, err := build(out, base, ops, someKept())
		if err != nil {
			t.Fatal(err)
		}
		checkKept(t, out, base, kept)
		again, err := applyDelta(base, append(appendUvarint(appendUvarint(nil, len(base)), size), ops...), 1<<20)
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("two ways, two results: %v", err)
		}
	}
}

func TestKeptPieces(t *testing.T) {
	base := bytes.Repeat([]byte("0123456789"), 100)
	for name, tc := range map[string]struct {
		ops  []byte
		size int
		want []Kept
	}{
		"all of the base": {appendCopy(nil, 0, 1000), 1000, []Kept{{0, 1000, 0}}},
		"in two pieces":   {appendCopy(appendCopy(nil, 0, 40), 40, 60), 100, []Kept{{0, 100, 0}}},
		"turned around":   {appendCopy(appendCopy(nil, 500, 100), 0, 100), 200, []Kept{{0, 100, 500}, {100, 200, 0}}},
		"too short":       {appendCopy(appendInsert(nil, []byte("x")), 0, minKept-1), minKept, []Kept{}},
		"behind a text":   {appendCopy(appendInsert(nil, []byte("xy")), 7, minKept), minKept + 2, []Kept{{2, 2 + minKept, 7}}},
	} {
		got, err := build(make([]byte, tc.size), base, tc.ops, someKept())
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, tc.want)
		}
	}
}

func FuzzBuild(f *testing.F) {
	f.Add(bytes.Repeat([]byte("base content"), 20), appendCopy(appendInsert(nil, []byte("x")), 3, 100), 101)
	f.Fuzz(func(t *testing.T, base, ops []byte, size int) {
		if size < 0 || size > 1<<20 {
			return
		}
		out := make([]byte, size)
		if kept, err := build(out, base, ops, someKept()); err == nil {
			checkKept(t, out, base, kept)
		}
	})
}

// packOffsets returns where the blobs of a pack begin, ascending, with their ids.
func packOffsets(t testing.TB, r *Repo, pack int32) (offsets []int64, ids map[int64]ID) {
	t.Helper()
	ids = map[int64]ID{}
	for pos := range r.packs[pack].idx.count() {
		pl := Place{Pack: pack, Pos: int32(pos)}
		id, err := r.PackedID(pl)
		if err != nil {
			t.Fatal(err)
		}
		typ, _, err := r.ObjectAt(id, pl)
		if err != nil {
			t.Fatal(err)
		}
		if off, err := r.PackOffset(pl); err != nil {
			t.Fatal(err)
		} else if typ == TypeBlob {
			offsets, ids[off] = append(offsets, off), id
		}
	}
	slices.Sort(offsets)
	return offsets, ids
}

// visitAll walks all trees and compares each content with the object read alone. It
// returns how many blobs came and how many of them were built upon another.
func visitAll(t *testing.T, r *Repo, offsets []int64, ids map[int64]ID, open func(index int) bool) (came, built int) {
	t.Helper()
	d, err := r.Deltas(t.Context(), 0, offsets)
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range d.Trees() {
		contents := map[int][]byte{}
		err := d.Walk(tree, func(v *DeltaVisit) error {
			came++
			delete(contents, v.Level)
			if !open(v.Index) {
				return nil
			}
			id := ids[offsets[v.Index]]
			pl, _, err := r.Find(id)
			if err != nil {
				return err
			}
			in, err := v.Open(id, pl)
			if err != nil {
				return err
			}
			got, err := io.ReadAll(in)
			if err != nil {
				return err
			}
			_, want, err := r.ObjectAt(id, pl)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is %d bytes, read alone %d: %v", id, len(got), len(want), err)
			}
			if v.Size >= 0 && v.Size != int64(len(want)) {
				t.Errorf("%s: size %d, want %d", id, v.Size, len(want))
			}
			if base, ok := contents[v.Level-1]; ok && v.Based {
				built++
				checkKept(t, got, base, v.Kept())
			}
			contents[v.Level] = bytes.Clone(got)
			return in.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return came, built
}

// versions makes a repository with versions of two files, and packs it.
func versions(t testing.TB, n int, args ...string) *Repo {
	t.Helper()
	dir := initRepo(t)
	for i := range n {
		var b bytes.Buffer
		for line := range 400 {
			fmt.Fprintf(&b, "line %d of the file, version %d\n", line, i*(line%7/6))
		}
		write(t, dir, "a", b.String())
		write(t, dir, "b", fmt.Sprint("short ", i))
		commitAll(t, dir, "c")
	}
	git(t, dir, append(args, "repack", "-adfq", "--depth=50")...)
	return open(t, dir)
}

func TestDeltas(t *testing.T) {
	for name, args := range map[string][]string{
		"by offset": nil,
		"by id":     {"-c", "repack.usedeltabaseoffset=false"},
	} {
		r := versions(t, 30, args...)
		offsets, ids := packOffsets(t, r, 0)
		came, built := visitAll(t, r, offsets, ids, func(int) bool { return true })
		if came != len(offsets) || name == "by offset" && built < 20 {
			t.Errorf("%s: %d of %d blobs came, %d were built upon another", name, came, len(offsets), built)
		}
		// What is not opened is built all the same, where others need it.
		if came, _ := visitAll(t, r, offsets, ids, func(i int) bool { return i%3 == 0 }); came != len(offsets) {
			t.Errorf("%s, some opened: %d of %d blobs came", name, came, len(offsets))
		}
		// What nobody wants is built all the same, but does not come.
		var some []int64
		for i, off := range offsets {
			if i%4 == 3 {
				some = append(some, off)
			}
		}
		if came, _ := visitAll(t, r, some, ids, func(int) bool { return true }); came != len(some) {
			t.Errorf("%s, some wanted: %d of %d blobs came", name, came, len(some))
		}
	}
}

// packOf makes a pack of a whole blob and differences, each to the one before.
func packOf(t testing.TB, first []byte, deltas [][]byte) (*Repo, []int64) {
	t.Helper()
	pack, idx, offsets := packBytes(t, first, deltas)
	return repoOf(t, pack, idx), offsets
}

func packBytes(t testing.TB, first []byte, deltas [][]byte) (pack, idx []byte, offsets []int64) {
	t.Helper()
	pack = append([]byte("PACK"), 0, 0, 0, 2)
	pack = binary.BigEndian.AppendUint32(pack, uint32(1+len(deltas)))
	entry := func(typ Type, data []byte) {
		off := int64(len(pack))
		b := byte(typ)<<4 | byte(len(data)&15)
		for n := len(data) >> 4; ; n >>= 7 {
			if n > 0 {
				b |= 0x80
			}
			pack = append(pack, b)
			if n == 0 {
				break
			}
			b = byte(n & 0x7f)
		}
		if typ == ofsDelta {
			rel := off - offsets[len(offsets)-1]
			enc := []byte{byte(rel & 0x7f)}
			for rel >>= 7; rel > 0; rel >>= 7 {
				rel--
				enc = append([]byte{byte(rel&0x7f) | 0x80}, enc...)
			}
			pack = append(pack, enc...)
		}
		pack = append(pack, deflated(t, data, 6)...)
		offsets = append(offsets, off)
	}
	entry(TypeBlob, first)
	for _, d := range deltas {
		entry(ofsDelta, d)
	}
	pack = append(pack, make([]byte, 20)...)

	idx = append([]byte("\xfftOc"), 0, 0, 0, 2)
	for range 256 {
		idx = binary.BigEndian.AppendUint32(idx, uint32(len(offsets)))
	}
	for i := range offsets {
		id := make([]byte, 20)
		binary.BigEndian.PutUint32(id[1:], uint32(i))
		idx = append(idx, id...)
	}
	idx = append(idx, make([]byte, 4*len(offsets))...)
	for _, off := range offsets {
		idx = binary.BigEndian.AppendUint32(idx, uint32(off))
	}
	return pack, append(idx, make([]byte, 40)...), offsets
}

// A walk holds few contents at once, however many are built upon one another.
func TestDeltasHoldLittle(t *testing.T) {
	var deltas [][]byte
	for i := range 100 {
		d := appendCopy(appendUvarint(appendUvarint(nil, 100), 100), 0, 99)
		deltas = append(deltas, appendInsert(d, []byte{byte(i)}))
	}
	r, offsets := packOf(t, make([]byte, 100), deltas)
	d, err := r.Deltas(t.Context(), 0, offsets)
	if err != nil {
		t.Fatal(err)
	}
	came := 0
	for _, tree := range d.Trees() {
		err := d.Walk(tree, func(v *DeltaVisit) error {
			if came++; came > 1 && (v.Level != came-1 || !v.Last || v.Leaf != (came == len(offsets))) {
				t.Errorf("blob %d: %+v", came, v)
			}
			content, err := v.walk.content(v.node.level)
			if v.Level > 0 && (err != nil || content[99] != byte(v.Level-1)) {
				t.Errorf("level %d: %v, %v", v.Level, content, err)
			}
			if v.walk.held > 100 {
				t.Errorf("level %d: %d bytes are held", v.Level, v.walk.held)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if came != len(offsets) {
		t.Errorf("%d of %d blobs came", came, len(offsets))
	}
}

// repoOf is a repository of one pack in memory.
func repoOf(t testing.TB, packData, idxData []byte) *Repo {
	t.Helper()
	x, err := newIndex(memoryFile{bytes.NewReader(idxData)}, int64(len(idxData)), "idx", SHA1)
	if err != nil {
		t.Fatal(err)
	}
	p := &pack{path: "pack", idx: x}
	p.once.Do(func() { p.err = p.check(memoryFile{bytes.NewReader(packData)}, int64(len(packData))) })
	if p.err != nil {
		t.Fatal(p.err)
	}
	return &Repo{packs: []*pack{p}, maxObject: 1 << 30, cache: newBaseCache(1 << 20)}
}

// Chains that no git writes are refused, and take no memory to speak of.
func TestHostileDeltas(t *testing.T) {
	grow := func(from, to int) []byte { // doubles, and so on
		d := appendUvarint(appendUvarint(nil, from), to)
		for at := 0; at < to; at += from {
			d = appendCopy(d, 0, min(from, to-at))
		}
		return d
	}
	visit := func(r *Repo, offsets []int64) (failed int, held int64) {
		t.Helper()
		d, err := r.Deltas(t.Context(), 0, offsets)
		if err != nil {
			t.Fatal(err)
		}
		for _, tree := range d.Trees() {
			err := d.Walk(tree, func(v *DeltaVisit) error {
				if _, err := v.walk.content(v.node.level); err != nil {
					failed++
				}
				held = max(held, v.walk.held)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return failed, held
	}

	var deep [][]byte
	for range maxDeltaDepth + 100 {
		deep = append(deep, grow(10, 10))
	}
	r, offsets := packOf(t, []byte("0123456789"), deep)
	if failed, _ := visit(r, offsets); failed == 0 {
		t.Error("a chain without end is followed")
	}

	var wide [][]byte
	size := 1 << 20
	for size < 512<<20 {
		wide = append(wide, grow(size, 2*size))
		size *= 2
	}
	r, offsets = packOf(t, make([]byte, 1<<20), wide)
	if failed, held := visit(r, offsets); failed == 0 || held > deltaHeld {
		t.Errorf("%d contents refused, %d bytes held at once", failed, held)
	}

	r, offsets = packOf(t, []byte("0123456789"), [][]byte{grow(10, 10), grow(11, 11), grow(11, 11)})
	if failed, _ := visit(r, offsets); failed != 2 {
		t.Errorf("%d contents refused, want the one whose delta is of another base, and what is built upon it", failed)
	}
}

// FuzzDeltas arranges and builds what a pack and its index claim to hold.
func FuzzDeltas(f *testing.F) {
	base := bytes.Repeat([]byte("0123456789"), 10)
	var deltas [][]byte
	for i := range 4 {
		d := appendInsert(appendUvarint(appendUvarint(nil, 100), 100), []byte{byte(i)})
		deltas = append(deltas, appendCopy(d, 1, 99))
	}
	packData, idxData, _ := packBytes(f, base, deltas)
	f.Add(packData, idxData)
	f.Fuzz(func(t *testing.T, packData, idxData []byte) {
		x, err := newIndex(memoryFile{bytes.NewReader(idxData)}, int64(len(idxData)), "idx", SHA1)
		if err != nil || x.count() > 1000 {
			return
		}
		p := &pack{path: "pack", idx: x}
		p.once.Do(func() { p.err = p.check(memoryFile{bytes.NewReader(packData)}, int64(len(packData))) })
		r := &Repo{packs: []*pack{p}, maxObject: 1 << 20, cache: newBaseCache(1 << 20)}
		all, err := x.offsets()
		if err != nil {
			return
		}
		d, err := r.Deltas(t.Context(), 0, all)
		if err != nil {
			return
		}
		came := 0
		for _, tree := range d.Trees() {
			err := d.Walk(tree, func(v *DeltaVisit) error {
				came++
				if in, err := v.Open(ID{}, Place{}); err == nil {
					in.Close()
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if came != len(all) {
			t.Fatalf("%d of %d objects came", came, len(all))
		}
	})
}
