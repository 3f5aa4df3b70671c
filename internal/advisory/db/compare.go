package db

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"bulwark/internal/advisory"
	"bulwark/internal/dependency"
)

// Package is a package that the database knows something of.
type Package struct {
	Ecosystem dependency.Ecosystem
	Name      string // in its normal spelling
}

// Packages yields all packages by ecosystem, then name. An error ends it.
func (db *DB) Packages() iter.Seq2[Package, error] {
	return func(yield func(Package, error) bool) {
		for row, err := range db.rows() {
			if err != nil {
				yield(Package{}, err)
				return
			}
			if !yield(Package{dependency.Ecosystem(row.ecosystem), string(row.at.name)}, nil) {
				return
			}
		}
	}
}

type row struct {
	ecosystem string
	at        packageAt
}

func (db *DB) rows() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for i := range db.image.count(secEcosystems, ecosystemSize) {
			e, err := db.image.entry(secEcosystems, i, ecosystemSize)
			if err == nil {
				var name []byte
				if name, err = db.image.text(secNames, e); err == nil {
					first, count := binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:])
					ecosystem := string(name)
					for k := range uint64(count) {
						at, err := db.packageAt(int(uint64(first) + k))
						if !yield(row{ecosystem, at}, err) || err != nil {
							return
						}
					}
				}
			}
			if err != nil {
				yield(row{}, err)
				return
			}
		}
	}
}

// RawRecord is an OSV record as its source wrote it.
type RawRecord struct {
	ID, Set string
	JSON    []byte // must not be written to, and ends with the next one
}

// Records yields all records, withdrawn ones included, by id: what a database is
// built anew from when a delta is laid over it. An error ends it.
func (db *DB) Records() iter.Seq2[RawRecord, error] {
	return func(yield func(RawRecord, error) bool) {
		m, err := db.meta()
		if err != nil {
			yield(RawRecord{}, err)
			return
		}
		type at struct {
			record
			number int
		}
		all := make([]at, 0, db.image.count(secRecords, recordSize))
		for i := range cap(all) {
			r, err := db.record(uint32(i))
			if err != nil {
				yield(RawRecord{}, err)
				return
			}
			all = append(all, at{r, i})
		}
		// By block, so that each is unpacked once.
		slices.SortFunc(all, func(a, b at) int {
			return cmp.Or(cmp.Compare(a.block, b.block), cmp.Compare(a.offset, b.offset))
		})
		for _, r := range all {
			out := RawRecord{}
			if out.ID, err = db.id(r.id); err == nil {
				out.JSON, err = db.json(r.record)
			}
			if err == nil && r.set >= len(m.Sets) {
				err = fault("record %s is of set %d of %d", out.ID, r.set, len(m.Sets))
			}
			if err != nil {
				yield(RawRecord{}, err)
				return
			}
			out.Set = m.Sets[r.set]
			if !yield(out, nil) {
				return
			}
		}
	}
}

// Change is what is different for one package between two databases.
// Vulnerabilities are named by Match.ID, sorted.
type Change struct {
	Package
	Added     []string // known of now
	Changed   []string // other versions are affected, or it became known to be malicious
	Withdrawn []string // no longer said to affect the package; named as before
}

// Compare yields the packages whose vulnerabilities differ, by ecosystem, then
// name. The work follows the differences: what is the same is passed over at the
// cost of a comparison of two numbers. An error ends it.
func Compare(before, after *DB) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		next, stop := iter.Pull2(before.rows())
		defer stop()
		a, err, more := next()
		// emit compares one package that may be missing on one side.
		emit := func(old, now *row) bool {
			c, err := compareRows(before, after, old, now)
			if err != nil {
				yield(Change{}, err)
				return false
			}
			return len(c.Added)+len(c.Changed)+len(c.Withdrawn) == 0 || yield(c, nil)
		}
		for b, failed := range after.rows() {
			if failed != nil {
				yield(Change{}, failed)
				return
			}
			for more && err == nil && compareRowNames(a, b) < 0 {
				if !emit(&a, nil) {
					return
				}
				a, err, more = next()
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			if more && compareRowNames(a, b) == 0 {
				if a.at.fingerprint != b.at.fingerprint && !emit(&a, &b) {
					return
				}
				a, err, more = next()
			} else if !emit(nil, &b) {
				return
			}
		}
		for ; more; a, err, more = next() {
			if err != nil {
				yield(Change{}, err)
				return
			}
			if !emit(&a, nil) {
				return
			}
		}
	}
}

func compareRowNames(a, b row) int {
	return cmp.Or(cmp.Compare(a.ecosystem, b.ecosystem), bytes.Compare(a.at.name, b.at.name))
}

func compareRows(before, after *DB, old, now *row) (Change, error) {
	var c Change
	var olds, news map[uint32]uint64
	var err error
	if old != nil {
		c.Package = Package{dependency.Ecosystem(old.ecosystem), string(old.at.name)}
		if olds, err = before.fingerprints(old.at); err != nil {
			return c, err
		}
	}
	if now != nil {
		c.Package = Package{dependency.Ecosystem(now.ecosystem), string(now.at.name)}
		if news, err = after.fingerprints(now.at); err != nil {
			return c, err
		}
	}
	// A vulnerability may have become known by another name since.
	was := make(map[uint32]uint64) // by new group
	for _, number := range slices.Sorted(maps.Keys(olds)) {
		g, err := before.group(number, false)
		if err != nil {
			return c, err
		}
		found := false
		for _, id := range g.ids {
			n, known, err := after.groupOf(id)
			if err != nil {
				return c, err
			}
			if _, here := news[n]; known && here {
				// Two old ones may be one now.
				was[n] += olds[number]
				found = true
				break
			}
		}
		if !found {
			c.Withdrawn = append(c.Withdrawn, g.ids[0])
		}
	}
	for number, fingerprint := range news {
		old, known := was[number]
		if known && old == fingerprint {
			continue
		}
		g, err := after.group(number, false)
		if err != nil {
			return c, err
		}
		if known {
			c.Changed = append(c.Changed, g.ids[0])
		} else {
			c.Added = append(c.Added, g.ids[0])
		}
	}
	for _, list := range [...][]string{c.Added, c.Changed, c.Withdrawn} {
		slices.Sort(list)
	}
	return c, nil
}

// fingerprints are those of the groups of a package: the sum of its entries'.
func (db *DB) fingerprints(at packageAt) (map[uint32]uint64, error) {
	p, err := db.readPacked(at)
	if err != nil {
		return nil, err
	}
	out := make(map[uint32]uint64, p.groups)
	c := &cursor{data: p.data}
	for range p.groups {
		number := uint32(c.uvarint())
		for range c.count() {
			c.uvarint() // a fix
		}
		for range c.count() {
			out[number] += c.uint64()
			c.uvarint() // the record
			for range 2 {
				for range c.count() {
					c.uvarint()
					c.uvarint()
				}
			}
		}
		if c.bad {
			return nil, fault("the advisories of %q are garbled", at.name)
		}
	}
	return out, nil
}

// ExploitChange is what is different for one CVE between two databases.
type ExploitChange struct {
	CVE string
	// KEV is the new entry of a CVE that was not in the catalogue before.
	KEV *advisory.KEV
	// EPSS is the new score where it moved by the asked difference, Before the
	// old one, zero if there was none.
	EPSS   *advisory.EPSS
	Before float64
}

// CompareExploits yields the CVEs that are new in KEV and those whose EPSS score
// moved, up or down, by least or more (0 to 1); a CVE without a score counts as
// zero. They come by kind, then CVE. An error ends it.
func CompareExploits(before, after *DB, least float64) iter.Seq2[ExploitChange, error] {
	return func(yield func(ExploitChange, error) bool) {
		for i := range after.image.count(secKEV, kevSize) {
			c, changed, err := kevChange(before, after, i)
			if err != nil {
				yield(c, fmt.Errorf("comparing KEV: %w", err))
				return
			}
			if changed && !yield(c, nil) {
				return
			}
		}
		at := 0 // both tables are walked through side by side
		for i := range after.image.count(secEPSS, epssSize) {
			e, err := after.image.entry(secEPSS, i, epssSize)
			var old float64
			if err == nil {
				old, at, err = before.epssFrom(at, binary.LittleEndian.Uint64(e))
			}
			if err != nil {
				yield(ExploitChange{}, fmt.Errorf("comparing EPSS: %w", err))
				return
			}
			// Scores are decimal: half of the last place settles rounding.
			now := epssOf(e)
			if math.Abs(now.Score-old) < least-0.5/scale || now.Score == old {
				continue
			}
			if !yield(ExploitChange{CVE: now.CVE, EPSS: now, Before: old}, nil) {
				return
			}
		}
	}
}

func kevChange(before, after *DB, i int) (ExploitChange, bool, error) {
	e, err := after.image.entry(secKEV, i, kevSize)
	if err != nil {
		return ExploitChange{}, false, err
	}
	key := binary.LittleEndian.Uint64(e)
	old, err := before.byCVE(secKEV, kevSize, key)
	if old != nil || err != nil {
		return ExploitChange{}, false, err
	}
	kev, err := after.kev(key)
	return ExploitChange{CVE: cveOf(key), KEV: kev}, kev != nil, err
}

// epssFrom is the score of a CVE, looked for from entry at on.
func (db *DB) epssFrom(at int, key uint64) (score float64, next int, err error) {
	for count := db.image.count(secEPSS, epssSize); at < count; at++ {
		e, err := db.image.entry(secEPSS, at, epssSize)
		if err != nil {
			return 0, at, err
		}
		switch k := binary.LittleEndian.Uint64(e); {
		case k == key:
			return epssOf(e).Score, at + 1, nil
		case k > key:
			return 0, at, nil
		}
	}
	return 0, at, nil
}
