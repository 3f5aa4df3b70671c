package feed

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
)

const (
	fetchers = 8 // records that are fetched at once
	// shrinkable: an index may lose so many records, or a tenth of them; one that
	// loses more was cut.
	shrinkable = 20
)

// remoteSet is one ecosystem of an OSV export at an address.
type remoteSet struct {
	root, ecosystem string
	set             string // "osv/npm"
}

// fetchSet brings an ecosystem up to date: only the records that changed if they
// are few, else the whole archive.
func (g *gathering) fetchSet(ctx context.Context, rs remoteSet) error {
	base, err := below(rs.root, rs.ecosystem)
	if err != nil {
		return err
	}
	key := Public(base)
	old := g.store.old.Sets[key]
	whole := g.store.intact(old.Archive) && g.store.intact(old.Index) && (old.Delta.SHA256 == "" || g.store.intact(old.Delta))
	if !whole {
		old = keptSource{}
	}
	ask := old.Index
	if len(old.Missing) > 0 {
		ask.validators = validators{} // an index that did not change has still records to be asked for
	}
	now := keptSource{Archive: old.Archive, Delta: old.Delta}
	if now.Index, _, err = g.store.fetch(ctx, g.client, base+"/"+modifiedName, ask, g.lim.Table); err != nil {
		return err
	}
	listed, err := g.index(now.Index)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if len(listed) == 0 {
		return fmt.Errorf("%s/%s lists no records", key, modifiedName)
	}
	var wanted []string // to be fetched one by one
	if whole {
		held, err := g.index(old.Index)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if lost := len(held) - count(held, listed); lost > max(shrinkable, len(held)/10) && !g.opts.AllowShrink {
			return fmt.Errorf("%s/%s no longer lists %d of %d records: it was probably cut, so the source is refused; if it is meant, update with --allow-shrink", key, modifiedName, lost, len(held))
		}
		for _, id := range old.Missing {
			delete(held, id)
		}
		for id, when := range listed {
			if before, found := held[id]; !found || when.After(before) {
				wanted = append(wanted, id)
			}
		}
	}
	full := !whole || len(wanted) > g.lim.Delta || len(wanted) > max(len(listed)/5, 20)
	if full {
		g.say("fetching %s/%s", key, archiveName)
		if now.Archive, _, err = g.store.fetch(ctx, g.client, base+"/"+archiveName, kept{}, g.lim.Archive); err != nil {
			return err
		}
		now.Delta, wanted = kept{}, nil
	}
	main, err := g.openKept(now.Archive, rs.set)
	if err != nil {
		return fmt.Errorf("%s/%s: %w", key, archiveName, err)
	}
	if full {
		// The archive may be older than the index.
		made, dated := http.ParseTime(now.Archive.Modified)
		for id, when := range listed {
			if _, found := main.ids[id]; !found || dated == nil && when.After(made) {
				wanted = append(wanted, id)
			}
		}
		if len(wanted) > max(g.lim.Delta, len(listed)/100) {
			return fmt.Errorf("%s/%s lacks %d of the %d records that %s lists: it was probably cut, so the source is refused", key, archiveName, len(wanted), len(listed), modifiedName)
		}
	}
	slices.Sort(wanted)
	if len(wanted) > 0 {
		g.say("fetching %d records of %s", len(wanted), key)
	}
	fetched, err := g.fetchRecords(ctx, base, wanted, listed, &now)
	if err != nil {
		return err
	}
	var extra *archive
	if now.Delta.SHA256 != "" {
		if extra, err = g.openKept(now.Delta, rs.set); err != nil {
			return fmt.Errorf("records fetched before of %s: %w", key, err)
		}
	}
	if len(fetched) > 0 {
		if now.Delta, err = g.keepDelta(extra, listed, fetched); err != nil {
			return err
		}
		if extra, err = g.openKept(now.Delta, rs.set); err != nil {
			return err
		}
	}
	n := 0
	add := func(e entry) {
		g.records = append(g.records, e.record(rs.set))
		n++
	}
	if extra != nil {
		for _, e := range extra.records {
			if _, found := listed[e.id]; found {
				add(e)
			}
		}
	}
	for _, e := range main.records {
		newer := false
		if extra != nil {
			_, newer = extra.ids[e.id]
		}
		if _, found := listed[e.id]; found && !newer {
			add(e)
		}
	}
	g.refuse(rs.set, main.refused)
	if len(now.Missing) > 0 {
		g.say("%d records that %s/%s lists could not be had yet; they are asked for again next time, the first: %s", len(now.Missing), key, modifiedName, now.Missing[0])
	}
	g.store.next.Sets[key] = now
	sum, _, err := digest(strings.NewReader(now.Index.SHA256 + "\n" + now.Archive.SHA256 + "\n" + now.Delta.SHA256))
	g.sources = append(g.sources, advisory.SourceInfo{Name: rs.set, Location: key, Records: n, Newest: listed.newest(), Digest: "sha-256:" + sum})
	return err
}

// count is how many ids of a are in b.
func count(a, b modified) int {
	n := 0
	for id := range a {
		if _, found := b[id]; found {
			n++
		}
	}
	return n
}

func (g *gathering) index(k kept) (modified, error) {
	f, err := g.store.open(k)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return readModified(&bounded{r: f, most: g.lim.Table}, g.lim.Records)
}

// openKept opens an archive that is read until the gathering ends.
func (g *gathering) openKept(k kept, set string) (*archive, error) {
	f, err := g.store.open(k)
	if err != nil {
		return nil, err
	}
	g.open = append(g.open, f)
	return openArchive(f, k.Size, set, g.lim)
}

// fetchRecords fetches records one by one. One that is not there, or is there
// only in an older state than is listed, is noted as missing.
func (g *gathering) fetchRecords(ctx context.Context, base string, ids []string, listed modified, now *keptSource) (map[string][]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu    sync.Mutex
		out   = make(map[string][]byte, len(ids))
		size  int64
		first error
		group sync.WaitGroup
		queue = make(chan string)
	)
	one := func(id string) error {
		address, err := below(base, id+".json")
		if err != nil {
			return err
		}
		var b bytes.Buffer
		_, _, err = g.client.get(ctx, address, validators{}, g.lim.Record, &b, func() error { b.Reset(); return nil })
		var status *statusError
		gone := errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusGone)
		if err != nil && !gone {
			return err
		}
		older := false
		if !gone {
			var head struct {
				ID       string    `json:"id"`
				Modified time.Time `json:"modified"`
			}
			if err := json.Unmarshal(b.Bytes(), &head); err != nil {
				return fmt.Errorf("reading %s: %w", Public(address), err)
			}
			if head.ID != id {
				return fmt.Errorf("reading %s: it is the record %q", Public(address), clip(head.ID))
			}
			// Lists state less than a second, or not, as they please.
			older = head.Modified.Before(listed[id].Truncate(time.Second))
		}
		mu.Lock()
		defer mu.Unlock()
		if gone || older {
			now.Missing = append(now.Missing, id)
		}
		if !gone {
			out[id] = b.Bytes()
		}
		if size += int64(b.Len()); size > g.lim.Table {
			return fmt.Errorf("fetching records of %s: they have more than %d bytes", Public(base), g.lim.Table)
		}
		return nil
	}
	for range min(fetchers, len(ids)) {
		group.Go(func() {
			for id := range queue {
				if err := one(id); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
					cancel()
				}
			}
		})
	}
feeding:
	for _, id := range ids {
		select {
		case queue <- id:
		case <-ctx.Done():
			break feeding
		}
	}
	close(queue)
	group.Wait()
	if first == nil {
		first = ctx.Err()
	}
	slices.Sort(now.Missing)
	return out, first
}

// keepDelta writes an archive of the records fetched before and now, as far as
// they are still listed.
func (g *gathering) keepDelta(before *archive, listed modified, fetched map[string][]byte) (kept, error) {
	return g.store.put(func(w io.Writer) error {
		z := zip.NewWriter(w)
		write := func(id string, data []byte) error {
			f, err := z.Create(id + ".json")
			if err != nil {
				return err
			}
			_, err = f.Write(data)
			return err
		}
		if before != nil {
			for _, e := range before.records {
				if _, again := fetched[e.id]; again {
					continue
				}
				if _, found := listed[e.id]; !found {
					continue
				}
				data, err := e.read(nil)
				if err != nil {
					return err
				}
				if err := write(e.id, data); err != nil {
					return err
				}
			}
		}
		for _, id := range slices.Sorted(maps.Keys(fetched)) {
			if err := write(id, fetched[id]); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

// refuse notes entries that are malformed.
func (g *gathering) refuse(set string, problems []db.Problem) {
	g.refused[set] += len(problems)
	for _, p := range problems {
		if len(g.problems) < db.MaxProblems {
			g.problems = append(g.problems, p)
		}
	}
}
