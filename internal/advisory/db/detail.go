package db

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/osv"
)

type cachedBlock struct {
	number uint32
	text   []byte // nil: nothing
}

// block is the JSON of a block. It must not be written to.
func (db *DB) block(n uint32) ([]byte, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, c := range db.cache {
		if c.text != nil && c.number == n {
			return c.text, nil
		}
	}
	e, err := db.image.entry(secBlocks, int(n), blockSize)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	packed, err := db.image.view(secBlockData, le.Uint64(e), uint64(le.Uint32(e[8:])))
	if err != nil {
		return nil, err
	}
	size := le.Uint32(e[12:])
	if size > maxBlock {
		return nil, fault("block %d claims to have %d bytes", n, size)
	}
	if db.decoder == nil {
		if db.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecoderMaxWindow(maxWindow)); err != nil {
			return nil, fmt.Errorf("reading advisories: %w", err)
		}
	}
	text, err := db.decoder.DecodeAll(packed, nil)
	if err != nil {
		return nil, fault("unpacking block %d: %v", n, err)
	}
	if uint32(len(text)) != size {
		return nil, fault("block %d has %d bytes and claims %d", n, len(text), size)
	}
	db.cache[db.next] = cachedBlock{n, text}
	db.next = (db.next + 1) % len(db.cache)
	return text, nil
}

// json is a record as its source wrote it. It must not be written to.
func (db *DB) json(r record) ([]byte, error) {
	text, err := db.block(r.block)
	if err != nil {
		return nil, err
	}
	if uint64(r.offset)+uint64(r.size) > uint64(len(text)) {
		return nil, fault("a record lies beyond the end of block %d", r.block)
	}
	return text[r.offset : r.offset+r.size : r.offset+r.size], nil
}

// CVEs are the CVE ids of a vulnerability: those among its names, and those
// that its records say to be upstream, as distributions do. id may be any of its
// names. The error wraps ErrUnknown if there is none.
func (db *DB) CVEs(id string) ([]string, error) {
	n, found, err := db.groupOf(id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("looking up %q: %w", id, ErrUnknown)
	}
	g, err := db.group(n, true)
	if err != nil {
		return nil, err
	}
	return g.cves(), nil
}

func (g *group) cves() []string {
	var out []string
	for _, id := range slices.Concat(g.ids, g.upstream) {
		if isCVE(id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Detail is what is known of a vulnerability, by any of its names. Severities
// carry system and vector or label; scores are the caller's to work out. The
// error wraps ErrUnknown if there is none.
func (db *DB) Detail(id string) (*advisory.Detail, error) {
	n, found, err := db.groupOf(id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("looking up %q: %w", id, ErrUnknown)
	}
	g, err := db.group(n, true)
	if err != nil {
		return nil, err
	}
	m, err := db.meta()
	if err != nil {
		return nil, err
	}
	d := &advisory.Detail{ID: g.ids[0], Aliases: g.ids[1:]}
	parts := make([]*osv.Record, 0, len(g.records))
	for _, number := range g.records {
		r, err := db.record(number)
		if err != nil {
			return nil, err
		}
		text, err := db.json(r)
		if err != nil {
			return nil, err
		}
		part, err := osv.Parse(text)
		if err != nil {
			return nil, fault("%v", err)
		}
		set := ""
		if r.set < len(m.Sets) {
			set = m.Sets[r.set]
		}
		if part.License != "" {
			set = strings.TrimSpace(set + " (" + part.License + ")")
		}
		d.Sources = append(d.Sources, set)
		parts = append(parts, part)
	}
	assemble(d, parts)
	d.Exploits, err = db.Exploits(g.cves())
	return d, err
}

// assemble joins the records of one vulnerability: the text of the one that is
// best known, everything else of all.
func assemble(d *advisory.Detail, parts []*osv.Record) {
	slices.SortStableFunc(parts, func(a, b *osv.Record) int {
		if a.Withdrawn.IsZero() != b.Withdrawn.IsZero() {
			if a.Withdrawn.IsZero() {
				return -1
			}
			return 1
		}
		return compareIDs(a.ID, b.ID)
	})
	withdrawn := len(parts) > 0
	for _, p := range parts {
		d.Records = append(d.Records, p.ID)
		d.Summary = cmp.Or(d.Summary, p.Summary)
		d.Text = cmp.Or(d.Text, p.Details)
		if d.Published.IsZero() || !p.Published.IsZero() && p.Published.Before(d.Published) {
			d.Published = p.Published
		}
		if p.Modified.After(d.Modified) {
			d.Modified = p.Modified
		}
		if withdrawn = withdrawn && !p.Withdrawn.IsZero(); p.Withdrawn.After(d.Withdrawn) {
			d.Withdrawn = p.Withdrawn
		}
		d.CWEs = append(d.CWEs, p.CWEs...)
		for _, r := range p.References {
			if r.URL != "" {
				d.References = append(d.References, r.URL)
			}
		}
		d.Severities = append(d.Severities, severitiesOf(p)...)
		addSymbols(d, p)
	}
	if !withdrawn {
		d.Withdrawn = time.Time{}
	}
	for _, list := range [...]*[]string{&d.Records, &d.CWEs, &d.References, &d.Sources} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}
