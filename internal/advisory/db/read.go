package db

import (
	"cmp"
	"encoding/binary"
)

// cursor reads varints of bytes that are not believed.
type cursor struct {
	data []byte
	bad  bool
}

func (c *cursor) uvarint() uint64 {
	if len(c.data) > 0 && c.data[0] < 0x80 {
		v := c.data[0]
		c.data = c.data[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(c.data)
	if n <= 0 {
		c.bad, c.data = true, nil
		return 0
	}
	c.data = c.data[n:]
	return v
}

// count is the number of things that follow, of a byte each at least.
func (c *cursor) count() int {
	n := c.uvarint()
	if n > uint64(len(c.data)) {
		c.bad, c.data = true, nil
		return 0
	}
	return int(n)
}

// number is a number below limit.
func (c *cursor) number(limit int) int {
	n := c.uvarint()
	if n >= uint64(limit) {
		c.bad, c.data = true, nil
		return 0
	}
	return int(n)
}

func (c *cursor) uint64() uint64 {
	if len(c.data) < 8 {
		c.bad, c.data = true, nil
		return 0
	}
	v := binary.LittleEndian.Uint64(c.data)
	c.data = c.data[8:]
	return v
}

// text is a part of a section of text that an entry's offset and length name.
func (im *image) text(s section, entry []byte) ([]byte, error) {
	return im.view(s, uint64(binary.LittleEndian.Uint32(entry)), uint64(binary.LittleEndian.Uint32(entry[4:])))
}

// id is a name by its number.
func (db *DB) id(n uint32) (string, error) {
	e, err := db.image.entry(secIDs, int(n), idSize)
	if err != nil {
		return "", err
	}
	text, err := db.image.text(secIDText, e)
	return string(text), err
}

// groupOf is the group of a name.
func (db *DB) groupOf(id string) (uint32, bool, error) {
	group := none
	_, found, err := search(db.image.count(secIDs, idSize), func(i int) (int, error) {
		e, err := db.image.entry(secIDs, i, idSize)
		if err != nil {
			return 0, err
		}
		text, err := db.image.text(secIDText, e)
		if err != nil {
			return 0, err
		}
		c := compareText(text, id)
		if c == 0 {
			group = binary.LittleEndian.Uint32(e[8:])
		}
		return c, nil
	})
	return group, found && group != none, err
}

// group is what is kept of a group.
type group struct {
	ids       []string // the best-known first, the others sorted
	upstream  []string // CVEs
	records   []uint32
	malicious bool
	withdrawn bool
}

// group reads a group. With whole unset only names and flags are read.
func (db *DB) group(n uint32, whole bool) (group, error) {
	data, err := db.groupData(n)
	if err != nil {
		return group{}, err
	}
	c := &cursor{data: data}
	flags := c.uvarint()
	g := group{malicious: flags&groupMalicious != 0, withdrawn: flags&groupWithdrawn != 0}
	if g.ids, err = db.idList(c); err != nil {
		return group{}, err
	}
	if len(g.ids) == 0 {
		return group{}, fault("group %d has no name", n)
	}
	if !whole {
		return g, nil
	}
	if g.upstream, err = db.idList(c); err != nil {
		return group{}, err
	}
	records := db.image.count(secRecords, recordSize)
	g.records = make([]uint32, c.count())
	for i := range g.records {
		g.records[i] = uint32(c.number(records))
	}
	if c.bad {
		return group{}, fault("group %d is garbled", n)
	}
	return g, nil
}

func (db *DB) groupData(n uint32) ([]byte, error) {
	e, err := db.image.entry(secGroups, int(n), 8)
	if err != nil {
		return nil, err
	}
	end, start := binary.LittleEndian.Uint64(e), uint64(0)
	if n > 0 {
		if e, err = db.image.entry(secGroups, int(n-1), 8); err != nil {
			return nil, err
		}
		start = binary.LittleEndian.Uint64(e)
	}
	if start > end {
		return nil, fault("group %d ends before it begins", n)
	}
	return db.image.view(secGroupData, start, end-start)
}

func (db *DB) idList(c *cursor) ([]string, error) {
	n := c.count()
	if n == 0 {
		return nil, nil
	}
	ids := make([]string, n)
	limit := db.image.count(secIDs, idSize)
	for i := range ids {
		number := c.number(limit)
		if c.bad {
			return nil, fault("a list of names is garbled")
		}
		id, err := db.id(uint32(number))
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

// record is the table's entry of a record.
type record struct {
	id                  uint32
	block, offset, size uint32
	withdrawn           bool
	set                 int
}

func (db *DB) record(n uint32) (record, error) {
	e, err := db.image.entry(secRecords, int(n), recordSize)
	if err != nil {
		return record{}, err
	}
	le := binary.LittleEndian
	return record{
		id: le.Uint32(e), block: le.Uint32(e[8:]), offset: le.Uint32(e[12:]), size: le.Uint32(e[16:]),
		withdrawn: le.Uint16(e[20:])&recordWithdrawn != 0, set: int(le.Uint16(e[22:])),
	}, nil
}

// ecosystem is the range of an ecosystem's packages.
func (db *DB) ecosystem(name string) (first, count int, found bool, err error) {
	_, found, err = search(db.image.count(secEcosystems, ecosystemSize), func(i int) (int, error) {
		e, err := db.image.entry(secEcosystems, i, ecosystemSize)
		if err != nil {
			return 0, err
		}
		text, err := db.image.text(secNames, e)
		if err != nil {
			return 0, err
		}
		first, count = int(binary.LittleEndian.Uint32(e[8:])), int(binary.LittleEndian.Uint32(e[12:]))
		return compareText(text, name), nil
	})
	if err == nil && found && first+count > db.image.count(secPackages, packageSize) {
		return 0, 0, false, fault("the ecosystem %s has packages beyond the end", name)
	}
	return first, count, found, err
}

// packageAt is the index entry of a package.
type packageAt struct {
	name        []byte // normal
	off         uint64
	size        uint32
	fingerprint uint64
}

func (db *DB) packageAt(i int) (packageAt, error) {
	e, err := db.image.entry(secPackages, i, packageSize)
	if err != nil {
		return packageAt{}, err
	}
	name, err := db.image.text(secNames, e)
	le := binary.LittleEndian
	return packageAt{name, le.Uint64(e[8:]), le.Uint32(e[16:]), le.Uint64(e[20:])}, err
}

// findPackage is what is kept of a package; found is false if there is nothing.
func (db *DB) findPackage(ecosystem, name string) (p packed, found bool, err error) {
	first, count, found, err := db.ecosystem(ecosystem)
	if !found || err != nil {
		return packed{}, false, err
	}
	var at packageAt
	_, found, err = search(count, func(i int) (int, error) {
		var err error
		if at, err = db.packageAt(first + i); err != nil {
			return 0, err
		}
		return compareText(at.name, name), nil
	})
	if !found || err != nil {
		return packed{}, false, err
	}
	p, err = db.readPacked(at)
	return p, true, err
}

// packed is a package's versions and groups, as writePackages writes them.
type packed struct {
	versions, ordered, groups int
	ends                      []byte
	text                      []byte
	shown                     []byte
	data                      []byte
}

func (db *DB) readPacked(at packageAt) (packed, error) {
	data, err := db.image.view(secVersions, at.off, uint64(at.size))
	if err != nil {
		return packed{}, err
	}
	bad := fault("package %q is garbled", at.name)
	if len(data) < 16 {
		return packed{}, bad
	}
	le := binary.LittleEndian
	versions, ordered, groups, shown := le.Uint32(data), le.Uint32(data[4:]), le.Uint32(data[8:]), le.Uint32(data[12:])
	data = data[16:]
	if uint64(versions)*4 > uint64(len(data)) || ordered > versions || uint64(groups) > uint64(len(data)) {
		return packed{}, bad
	}
	p := packed{versions: int(versions), ordered: int(ordered), groups: int(groups)}
	p.ends, data = data[:versions*4], data[versions*4:]
	length := uint32(0)
	if versions > 0 {
		length = le.Uint32(p.ends[len(p.ends)-4:]) &^ sameAsLast
	}
	if uint64(length)+uint64(shown) > uint64(len(data)) {
		return packed{}, bad
	}
	p.text, data = data[:length], data[length:]
	p.shown, p.data = data[:shown], data[shown:]
	return p, nil
}

// version is the text of a version by number.
func (p *packed) version(i int) ([]byte, error) {
	if i < 0 || i >= p.versions {
		return nil, fault("there is no version %d", i)
	}
	end, start := binary.LittleEndian.Uint32(p.ends[i*4:])&^sameAsLast, uint32(0)
	if i > 0 {
		start = binary.LittleEndian.Uint32(p.ends[i*4-4:]) &^ sameAsLast
	}
	if start > end || uint64(end) > uint64(len(p.text)) {
		return nil, fault("version %d is garbled", i)
	}
	return p.text[start:end], nil
}

// alike is the run of ordered versions that the order makes no difference
// between and i is of, the end exclusive.
func (p *packed) alike(i int) (low, high int) {
	marked := func(k int) bool { return p.ends[k*4+3]&(sameAsLast>>24) != 0 }
	low, high = i, i+1
	for low > 0 && marked(low) {
		low--
	}
	for high < p.ordered && marked(high) {
		high++
	}
	return low, high
}

// compareText compares without turning one into the other.
func compareText(a []byte, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}
