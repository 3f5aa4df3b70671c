package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/version"
	"bulwark/internal/dependency"
)

// UnorderedError says that a version has no place in its ecosystem's order, so
// that only advisories were found that list it.
type UnorderedError struct {
	Ecosystem, Package, Version string
	// Groups is how many vulnerabilities of the package were not ruled out.
	Groups int
	Cause  error
}

// Error says what could not be compared.
func (e *UnorderedError) Error() string {
	return fmt.Sprintf("matching %s %s: %d known vulnerabilities of the package could not be ruled out: %v; state an exact version",
		e.Ecosystem, e.Package, e.Groups, e.Cause)
}

// Unwrap is the cause.
func (e *UnorderedError) Unwrap() error { return e.Cause }

// Match returns the vulnerabilities that affect a version of a package, sorted
// by ID. The ecosystem is one of the OSV schema, with its release where it has
// releases ("Debian:12"). A package of which nothing is known gives none.
//
// If the version has no place in the ecosystem's order and the package has
// vulnerabilities, the error is an *UnorderedError, and the matches are still
// those that list the version by its text.
func (db *DB) Match(ctx context.Context, ecosystem dependency.Ecosystem, name, text string) ([]advisory.Match, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, found, err := db.findPackage(string(ecosystem), normalName(string(ecosystem), name))
	if !found || err != nil {
		return nil, err
	}
	order := orderOf(string(ecosystem))
	q, unordered, err := p.locate(order, text)
	if err != nil {
		return nil, err
	}
	q.proof = advisory.Proof{Ecosystem: string(ecosystem), Package: name, Version: text, Comparator: order.Name()}
	var (
		matches []advisory.Match
		c       = &cursor{data: p.data}
		hits    []hit
		fixes   []int
	)
	for range p.groups {
		number := uint32(c.uvarint())
		fixes = fixes[:0]
		for range c.count() {
			fixes = append(fixes, c.number(p.versions))
		}
		hits = hits[:0]
		for range c.count() {
			if h, ok := q.read(c, &p); ok {
				hits = append(hits, h)
			}
		}
		if c.bad {
			return nil, fault("the advisories of %s are garbled", name)
		}
		if len(hits) == 0 {
			continue
		}
		m, err := db.match(number, hits, fixes, &p, q.proof)
		if err != nil {
			return nil, err
		}
		matches = append(matches, m)
	}
	slices.SortFunc(matches, func(a, b advisory.Match) int { return strings.Compare(a.ID, b.ID) })
	if unordered != nil {
		return matches, &UnorderedError{string(ecosystem), name, text, p.groups, unordered}
	}
	return matches, nil
}

// query is where a version stands among those of a package.
type query struct {
	placed bool
	// low and high bound the versions of the list that the order makes no
	// difference to, high exclusive.
	low, high int
	exact     int // number of the version if it is listed without order; else -1
	proof     advisory.Proof
}

// locate places a version. The second result is why it cannot be placed.
func (p *packed) locate(order *version.Order, text string) (query, error, error) {
	q := query{exact: -1}
	i, found, err := search(p.versions-p.ordered, func(i int) (int, error) {
		v, err := p.version(p.ordered + i)
		return compareText(v, text), err
	})
	if err != nil {
		return q, nil, err
	}
	if found {
		q.exact = p.ordered + i
	}
	wanted, unordered := order.Parse(text)
	if unordered != nil {
		return q, unordered, nil
	}
	i, found, err = search(p.ordered, func(i int) (int, error) {
		one, err := p.version(i)
		if err != nil {
			return 0, err
		}
		if string(one) == text {
			return 0, nil
		}
		v, err := order.Parse(string(one))
		if err != nil {
			return 0, fault("%v", err)
		}
		c, err := v.Compare(&wanted)
		if err != nil {
			unordered = err
		}
		return c, err
	})
	if unordered != nil {
		return q, unordered, nil
	}
	q.low, q.high, q.placed = i, i, err == nil
	if found {
		q.low, q.high = p.alike(i)
	}
	return q, nil, err
}

// hit is a record that affects the version: by an interval or by its list.
type hit struct {
	record uint32
	iv     ranked
	listed bool
}

// read reads an entry and tells whether it affects the version.
func (q *query) read(c *cursor, p *packed) (hit, bool) {
	c.uint64() // the fingerprint
	h := hit{record: uint32(c.uvarint())}
	found := false
	for range c.count() {
		from, to := c.number(p.ordered+1), c.uvarint()
		iv := ranked{from, int(to >> 2), end(to & 3)}
		if iv.end != open && to>>2 >= uint64(p.ordered) {
			c.bad = true
			return hit{}, false
		}
		if !found && q.placed && iv.holds(q.low, q.high) {
			found, h.iv = true, iv
		}
	}
	at := 0
	for range c.count() {
		start := at + c.number(p.versions+1)
		at = start + c.number(p.versions+1)
		if at > p.versions {
			c.bad = true
			return hit{}, false
		}
		if found {
			continue
		}
		if q.placed && start < q.high && at > q.low && q.low < q.high || q.exact >= start && q.exact < at {
			found, h.listed = true, true
		}
	}
	return h, found && !c.bad
}

// match puts a match together.
func (db *DB) match(number uint32, hits []hit, fixes []int, p *packed, proof advisory.Proof) (advisory.Match, error) {
	g, err := db.group(number, false)
	if err != nil {
		return advisory.Match{}, err
	}
	m := advisory.Match{ID: g.ids[0], Malicious: g.malicious, Proofs: make([]advisory.Proof, 0, len(hits))}
	if len(g.ids) > 1 {
		m.Aliases = g.ids[1:]
	}
	for _, h := range hits {
		r, err := db.record(h.record)
		if err != nil {
			return advisory.Match{}, err
		}
		one := proof
		if one.Record, err = db.id(r.id); err != nil {
			return advisory.Match{}, err
		}
		if n := len(m.Proofs); n > 0 && m.Proofs[n-1].Record == one.Record {
			continue // another part of the same record
		}
		one.Package = string(p.shown)
		if one.Listed = h.listed; !h.listed {
			if err := h.iv.describe(p, &one); err != nil {
				return advisory.Match{}, err
			}
		}
		m.Proofs = append(m.Proofs, one)
	}
	for _, fix := range fixes {
		v, err := p.version(fix)
		if err != nil {
			return advisory.Match{}, err
		}
		m.Fixed = append(m.Fixed, string(v))
	}
	return m, nil
}

// describe writes the bounds into a proof.
func (r ranked) describe(p *packed, proof *advisory.Proof) error {
	proof.Introduced = "0"
	if r.from > 0 {
		v, err := p.version(r.from - 1)
		if err != nil {
			return err
		}
		proof.Introduced = string(v)
	}
	if r.end != fixed && r.end != last {
		return nil
	}
	v, err := p.version(r.to)
	if err != nil {
		return err
	}
	if r.end == fixed {
		proof.Fixed = string(v)
	} else {
		proof.LastAffected = string(v)
	}
	return nil
}
