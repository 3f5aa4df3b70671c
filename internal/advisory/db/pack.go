package db

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"

	"bulwark/internal/advisory/version"
)

// Flags of a group.
const (
	groupMalicious = 1 << iota
	groupWithdrawn
)

// sameAsLast marks a version that the order makes no difference to the one
// before of the list.
const sameAsLast = 1 << 31

// packageKey is a package by its normal name.
type packageKey struct{ ecosystem, name string }

// entry is what one record says of one package.
type entry struct {
	record    int // number
	group     uint32
	intervals []interval
	versions  []string
}

// packedPackage is a package ready to be written.
type packedPackage struct {
	key         packageKey
	shown       string // the name as the first record writes it
	entries     []entry
	data        []byte
	fingerprint uint64
}

// writePackages writes the package index and what Match reads of each package:
//
//	u32 versions, u32 ordered, u32 groups, u32 length of the shown name
//	u32 × versions: end of the version's text, and sameAsLast; text; shown name
//	groups × varints: group, fixes, version of each; entries:
//	    u64 fingerprint, record, intervals (from, to<<2|end), runs (gap, length)
//
// The versions are all that the records of the package name: the ordered ones
// first, ascending, then the others by text. An interval's bounds and the
// listed versions are numbers of that list (from: plus one, zero is the
// beginning), so that a question costs one binary search, and no comparison for
// each range.
func (b *builder) writePackages(ctx context.Context) error {
	byKey := make(map[packageKey]*packedPackage)
	for i, r := range b.records {
		if r.withdrawn {
			continue
		}
		for _, a := range r.affected {
			b.info.Unordered += a.unordered
			if len(a.intervals) == 0 && len(a.versions) == 0 {
				continue
			}
			key := packageKey{a.ecosystem, normalName(a.ecosystem, a.name)}
			p := byKey[key]
			if p == nil {
				p = &packedPackage{key: key, shown: a.name}
				byKey[key] = p
			}
			if n := len(p.entries); n > 0 && p.entries[n-1].record == i {
				e := &p.entries[n-1]
				e.intervals = append(slices.Clip(e.intervals), a.intervals...)
				e.versions = append(slices.Clip(e.versions), a.versions...)
				continue
			}
			p.entries = append(p.entries, entry{i, b.names[r.id], a.intervals, a.versions})
		}
		// Only the first is needed further on, by its name.
		if len(r.affected) > 0 {
			r.affected = []gatheredPackage{{ecosystem: r.affected[0].ecosystem, name: r.affected[0].name}}
		}
	}
	packages := make([]*packedPackage, 0, len(byKey))
	for _, p := range byKey {
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b *packedPackage) int {
		return cmp.Or(strings.Compare(a.key.ecosystem, b.key.ecosystem), strings.Compare(a.key.name, b.key.name))
	})
	b.info.Packages = len(packages)
	err := b.parallel(ctx, len(packages), func(i int) error {
		b.pack(packages[i])
		return nil
	})
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	total := 0
	for _, p := range packages {
		total += len(p.data)
	}
	data := make([]byte, 0, total)
	var ecosystems, list, names []byte
	last := -1 // where the entry of the present ecosystem begins
	for i, p := range packages {
		if i == 0 || packages[i-1].key.ecosystem != p.key.ecosystem {
			last = len(ecosystems)
			ecosystems = le.AppendUint32(ecosystems, uint32(len(names)))
			ecosystems = le.AppendUint32(ecosystems, uint32(len(p.key.ecosystem)))
			ecosystems = le.AppendUint32(ecosystems, uint32(i))
			ecosystems = le.AppendUint32(ecosystems, 0)
			names = append(names, p.key.ecosystem...)
		}
		le.PutUint32(ecosystems[last+12:], le.Uint32(ecosystems[last+12:])+1)
		list = le.AppendUint32(list, uint32(len(names)))
		list = le.AppendUint32(list, uint32(len(p.key.name)))
		list = le.AppendUint64(list, uint64(len(data)))
		list = le.AppendUint32(list, uint32(len(p.data)))
		list = le.AppendUint64(list, p.fingerprint)
		names = append(names, p.key.name...)
		data = append(data, p.data...)
		p.data = nil
	}
	b.sections[secEcosystems], b.sections[secPackages] = ecosystems, list
	b.sections[secNames], b.sections[secVersions] = names, data
	return nil
}

// orderOf is the order that the ranges of an ecosystem are in.
func orderOf(ecosystem string) *version.Order {
	if order, known := version.Of(ecosystem); known {
		return order
	}
	return version.Semver()
}

// table is the list of a package's versions.
type table struct {
	versions []string
	ordered  int
	number   map[string]int
	// low and high bound the versions that the order makes no difference
	// between, of each ordered one: low inclusive, high exclusive.
	low, high []int
}

func newTable(order *version.Order, p *packedPackage) *table {
	var all []string
	for _, e := range p.entries {
		for _, iv := range e.intervals {
			if iv.from != "" {
				all = append(all, iv.from)
			}
			if iv.end != open {
				all = append(all, iv.to)
			}
		}
		all = append(all, e.versions...)
	}
	slices.Sort(all)
	sorted, rest := order.Sort(slices.Compact(all))
	t := &table{versions: append(sorted, rest...), ordered: len(sorted)}
	t.number = make(map[string]int, len(t.versions))
	for i, v := range t.versions {
		t.number[v] = i
	}
	t.low, t.high = make([]int, t.ordered), make([]int, t.ordered)
	for i, begin := 0, 0; i < t.ordered; i++ {
		if i > begin && !same(order, sorted[i-1], sorted[i]) {
			begin = i
		}
		for k := begin; k <= i; k++ {
			t.low[k], t.high[k] = begin, i+1
		}
	}
	return t
}

func same(order *version.Order, a, b string) bool {
	v, err := order.Parse(a)
	if err != nil {
		return false
	}
	w, err := order.Parse(b)
	if err != nil {
		return false
	}
	c, err := v.Compare(&w)
	return err == nil && c == 0
}

// ranked is an interval by numbers of a table.
type ranked struct {
	from int // the version's number plus one
	to   int
	end  end
}

// holds tells whether a version is inside whose equals in the table are low to
// high, exclusive; low and high are the same for one that is not in the table.
func (r ranked) holds(low, high int) bool {
	if r.from > high {
		return false
	}
	switch r.end {
	case fixed, limit:
		return r.to >= high
	case last:
		return r.to >= low
	}
	return true
}

// packedEntry is an entry by numbers.
type packedEntry struct {
	record      int
	fingerprint uint64
	intervals   []ranked
	listed      []int // sorted
}

func (e *packedEntry) holds(low, high int) bool {
	for _, iv := range e.intervals {
		if iv.holds(low, high) {
			return true
		}
	}
	i, _ := slices.BinarySearch(e.listed, low)
	return i < len(e.listed) && e.listed[i] < high
}

func (b *builder) pack(p *packedPackage) {
	t := newTable(orderOf(p.key.ecosystem), p)
	slices.SortStableFunc(p.entries, func(a, b entry) int { return cmp.Compare(a.group, b.group) })
	le := binary.LittleEndian
	var text, groups []byte
	data := make([]byte, 16)
	for i, v := range t.versions {
		text = append(text, v...)
		end := uint32(len(text))
		if i > 0 && i < t.ordered && t.low[i] < i {
			end |= sameAsLast
		}
		data = le.AppendUint32(data, end)
	}
	count := 0
	whole := fnv.New64a()
	for first := 0; first < len(p.entries); count++ {
		group := p.entries[first].group
		end := first
		var packed []packedEntry
		for ; end < len(p.entries) && p.entries[end].group == group; end++ {
			e := b.rank(t, &p.entries[end])
			packed = append(packed, e)
			whole.Write(le.AppendUint64(nil, e.fingerprint))
		}
		fixes := fixesOf(t, packed)
		groups = binary.AppendUvarint(groups, uint64(group))
		groups = binary.AppendUvarint(groups, uint64(len(fixes)))
		for _, v := range fixes {
			groups = binary.AppendUvarint(groups, uint64(v))
		}
		groups = binary.AppendUvarint(groups, uint64(len(packed)))
		for i := range packed {
			groups = packed[i].append(groups)
		}
		first = end
	}
	le.PutUint32(data, uint32(len(t.versions)))
	le.PutUint32(data[4:], uint32(t.ordered))
	le.PutUint32(data[8:], uint32(count))
	le.PutUint32(data[12:], uint32(len(p.shown)))
	data = append(data, text...)
	data = append(data, p.shown...)
	p.data = bytes.Clone(append(data, groups...))
	p.fingerprint = whole.Sum64()
	p.entries = nil
}

// rank turns versions into numbers. A bound that cannot be ordered among the
// others drops its interval; Sort says so for all versions of the package or
// for none.
func (b *builder) rank(t *table, e *entry) packedEntry {
	r := b.records[e.record]
	out := packedEntry{record: e.record}
	hash := fnv.New64a()
	write := func(parts ...string) {
		for _, part := range parts {
			hash.Write([]byte(part))
			hash.Write([]byte{0})
		}
	}
	write(r.id)
	if r.malicious {
		write("malicious")
	}
	for _, iv := range e.intervals {
		write(iv.from, iv.to, string(rune('0'+iv.end)))
		n := ranked{end: iv.end}
		if iv.from != "" {
			n.from = t.number[iv.from] + 1
		}
		if iv.end != open {
			n.to = t.number[iv.to]
		}
		if n.from > t.ordered || n.to >= t.ordered && iv.end != open {
			continue
		}
		out.intervals = append(out.intervals, n)
	}
	for _, v := range e.versions {
		out.listed = append(out.listed, t.number[v])
	}
	slices.Sort(out.listed)
	out.listed = slices.Compact(out.listed)
	for _, n := range out.listed {
		write(t.versions[n])
	}
	out.fingerprint = hash.Sum64()
	return out
}

// fixesOf are the versions that repair the vulnerability: where an interval of
// one record ends with a fix and no other record of the group goes on.
func fixesOf(t *table, entries []packedEntry) []int {
	var out []int
	for i := range entries {
		for _, iv := range entries[i].intervals {
			if iv.end != fixed {
				continue
			}
			low, high := t.low[iv.to], t.high[iv.to]
			if !slices.ContainsFunc(entries, func(e packedEntry) bool { return e.holds(low, high) }) {
				// Of several spellings the first.
				out = append(out, low)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (e *packedEntry) append(data []byte) []byte {
	data = binary.LittleEndian.AppendUint64(data, e.fingerprint)
	data = binary.AppendUvarint(data, uint64(e.record))
	data = binary.AppendUvarint(data, uint64(len(e.intervals)))
	for _, iv := range e.intervals {
		data = binary.AppendUvarint(data, uint64(iv.from))
		data = binary.AppendUvarint(data, uint64(iv.to)<<2|uint64(iv.end))
	}
	var runs bytes.Buffer
	count, at := 0, 0
	for i := 0; i < len(e.listed); count++ {
		n := 1
		for i+n < len(e.listed) && e.listed[i+n] == e.listed[i]+n {
			n++
		}
		runs.Write(binary.AppendUvarint(nil, uint64(e.listed[i]-at)))
		runs.Write(binary.AppendUvarint(nil, uint64(n)))
		at = e.listed[i] + n
		i += n
	}
	data = binary.AppendUvarint(data, uint64(count))
	return append(data, runs.Bytes()...)
}
