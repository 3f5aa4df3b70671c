package db

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/s2"

	"bulwark/internal/advisory/osv"
	"bulwark/internal/advisory/version"
)

// gathered is what the index needs of a record. The record itself waits
// compressed for its turn.
type gathered struct {
	id        string
	aliases   []string
	upstream  []string // the CVEs among them
	set       string
	modified  int64 // Unix seconds
	withdrawn bool
	malicious bool
	affected  []gatheredPackage
	digest    [sha256.Size]byte
	packed    []byte // S2 of the JSON
	size      int    // of the JSON
}

// gatheredPackage is one affected package; a record may name one several times.
type gatheredPackage struct {
	ecosystem, name string // as written
	intervals       []interval
	versions        []string
	unordered       int // ranges that were left out
}

// names yields the id and the aliases.
func (r *gathered) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(r.id) {
			return
		}
		for _, alias := range r.aliases {
			if !yield(alias) {
				return
			}
		}
	}
}

// cve is a CVE among the names; empty: none.
func (r *gathered) cve() string {
	for id := range r.names() {
		if isCVE(id) {
			return id
		}
	}
	return ""
}

// gather reads all records on several goroutines. The result is sorted by id,
// then set, and holds the newest state of each id.
func gather(ctx context.Context, in *Input, report *Report) ([]*gathered, error) {
	workers := in.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		records  []*gathered
		problems []Problem
	}
	const batch = 64
	queue := make(chan []Record, 2*workers)
	results := make([]result, workers)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			r := &results[i]
			w := worker{strings: make(map[string]string)}
			for records := range queue {
				for _, record := range records {
					if ctx.Err() != nil {
						break
					}
					one, err := w.read(record)
					if err != nil {
						r.problems = append(r.problems, Problem{record.Set, record.Name, err.Error()})
						continue
					}
					r.records = append(r.records, one)
				}
			}
		})
	}
	err := feed(ctx, in.Records, queue, batch)
	close(queue)
	group.Wait()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading OSV records: %w", err)
	}
	var all []*gathered
	for i := range results {
		all = append(all, results[i].records...)
		for _, p := range results[i].problems {
			report.refuse(p)
		}
	}
	return newest(all, report), nil
}

func feed(ctx context.Context, records iter.Seq2[Record, error], queue chan<- []Record, batch int) error {
	if records == nil {
		return nil
	}
	next := make([]Record, 0, batch)
	for record, err := range records {
		if err != nil {
			return fmt.Errorf("reading OSV records: %w", err)
		}
		if next = append(next, record); len(next) < batch {
			continue
		}
		select {
		case queue <- next:
		case <-ctx.Done():
			return fmt.Errorf("reading OSV records: %w", ctx.Err())
		}
		next = make([]Record, 0, batch)
	}
	queue <- next
	return nil
}

// newest sorts records and drops older states and repetitions.
func newest(all []*gathered, report *Report) []*gathered {
	slices.SortFunc(all, func(a, b *gathered) int {
		if c := strings.Compare(a.id, b.id); c != 0 {
			return c
		}
		if a.modified != b.modified {
			return int(min(max(b.modified-a.modified, -1), 1))
		}
		if c := strings.Compare(a.set, b.set); c != 0 {
			return c
		}
		return slices.Compare(a.digest[:], b.digest[:])
	})
	kept := all[:0]
	var first int // of the kept ones with the present id
	for _, r := range all {
		if len(kept) == 0 || kept[len(kept)-1].id != r.id {
			first = len(kept)
		}
		same := kept[first:]
		// An export for one ecosystem may hold another part of the same state.
		if len(same) > 0 && (same[0].modified != r.modified ||
			slices.ContainsFunc(same, func(k *gathered) bool { return k.digest == r.digest })) {
			report.Duplicates++
			continue
		}
		kept = append(kept, r)
	}
	clear(all[len(kept):])
	return kept
}

// worker reads records on one goroutine.
type worker struct {
	json    []byte
	packed  []byte
	strings map[string]string // versions and names come again and again
}

// maxInterned bounds the memory of what is remembered for reuse.
const maxInterned = 1 << 20

func (w *worker) intern(s string) string {
	if known, found := w.strings[s]; found {
		return known
	}
	if len(w.strings) < maxInterned {
		w.strings[s] = s
	}
	return s
}

func (w *worker) read(record Record) (*gathered, error) {
	if record.Read == nil {
		return nil, errors.New("reading OSV record: nothing to read it with")
	}
	data, err := record.Read(w.json[:0])
	if err != nil {
		return nil, fmt.Errorf("reading OSV record: %w", err)
	}
	if cap(data) <= 1<<20 {
		w.json = data
	}
	r, err := osv.Parse(data)
	if err != nil {
		return nil, err
	}
	w.packed = s2.Encode(w.packed[:cap(w.packed)], data)
	g := &gathered{
		id: r.ID, set: record.Set, modified: r.Modified.Unix(),
		withdrawn: !r.Withdrawn.IsZero(), malicious: r.Malicious,
		digest: sha256.Sum256(data), packed: bytes.Clone(w.packed), size: len(data),
	}
	for _, alias := range r.Aliases {
		if alias != r.ID {
			g.aliases = append(g.aliases, w.intern(alias))
		}
	}
	for id := range g.names() {
		g.malicious = g.malicious || strings.HasPrefix(id, "MAL-")
	}
	for _, id := range r.Upstream {
		if isCVE(id) {
			g.upstream = append(g.upstream, w.intern(id))
		}
	}
	for i := range r.Affected {
		if p, some := w.affected(&r.Affected[i]); some {
			g.affected = append(g.affected, p)
		}
	}
	return g, nil
}

// affected turns ranges into intervals. Git ranges are left out: their events
// are commits, which no version tells.
func (w *worker) affected(a *osv.Affected) (gatheredPackage, bool) {
	if a.Package.Name == "" {
		return gatheredPackage{}, false
	}
	p := gatheredPackage{ecosystem: w.intern(a.Package.Ecosystem), name: w.intern(a.Package.Name)}
	own, known := version.Of(a.Package.Ecosystem)
	for _, r := range a.Ranges {
		order := own
		switch {
		case r.Type == osv.Git:
			continue
		case !known && r.Type == osv.SemVer:
			order = version.Semver()
		case !known:
			p.unordered++
			continue
		}
		list, err := intervals(order, r.Events)
		if err != nil {
			p.unordered++
			continue
		}
		for _, iv := range list {
			p.intervals = append(p.intervals, interval{w.intern(iv.from), w.intern(iv.to), iv.end})
		}
	}
	if len(a.Versions) > 0 {
		p.versions = make([]string, len(a.Versions))
		for i, v := range a.Versions {
			p.versions[i] = w.intern(v)
		}
	}
	return p, len(p.intervals) > 0 || len(p.versions) > 0 || p.unordered > 0
}

// refuse counts a problem.
func (r *Report) refuse(p Problem) {
	if r.Refused == nil {
		r.Refused = make(map[string]int)
	}
	r.Refused[p.Set]++
	r.Problems = append(r.Problems, p)
}

// finish sorts the problems and keeps the first.
func (r *Report) finish() {
	slices.SortFunc(r.Problems, func(a, b Problem) int {
		for _, c := range [...]int{strings.Compare(a.Set, b.Set), strings.Compare(a.Name, b.Name), strings.Compare(a.Reason, b.Reason)} {
			if c != 0 {
				return c
			}
		}
		return 0
	})
	r.Problems = slices.Clip(r.Problems[:min(len(r.Problems), MaxProblems)])
}
