package db

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"bulwark/internal/advisory"
)

// meta is the account that a file keeps of itself.
type meta struct {
	Info advisory.Info `json:"info"` // without Serial, which is the body's digest
	Sets []string      `json:"sets"` // of the records, by number
}

// builder collects the sections.
type builder struct {
	in       *Input
	report   *Report
	records  []*gathered
	names    map[string]uint32 // id to group
	groups   [][]string
	ids      []string
	idOf     map[string]uint32
	sections [sectionCount][]byte
	info     advisory.Info
}

// Build writes a database of the input. Whoever calls it sees to it that the
// file appears whole: writes beside it, syncs, renames. The report is complete
// only without an error.
func Build(ctx context.Context, w io.Writer, in Input) (*Report, error) {
	b := &builder{in: &in, report: &Report{}}
	var err error
	if b.records, err = gather(ctx, &in, b.report); err != nil {
		return b.report, err
	}
	b.names, b.groups, b.report.Kept = groupRecords(b.records)
	b.info = advisory.Info{Format: Format, Built: in.Built.UTC().Truncate(1e9), Records: len(b.records), Groups: len(b.groups)}
	b.info.Sources = slices.Clone(in.Sources)
	slices.SortFunc(b.info.Sources, func(a, b advisory.SourceInfo) int { return strings.Compare(a.Name, b.Name) })
	b.writeIDs()
	for _, step := range [...]func(context.Context) error{
		b.writePackages, b.writeRecords, b.writeGroups, b.writeTables, b.writeProducts, b.writeMeta,
	} {
		if err := step(ctx); err != nil {
			return b.report, fmt.Errorf("building the advisory database: %w", err)
		}
	}
	digest, err := writeImage(w, &b.sections)
	if err != nil {
		return b.report, err
	}
	b.info.Serial = hex.EncodeToString(digest[:])
	b.report.Info = b.info
	b.report.finish()
	return b.report, nil
}

// writeIDs gives each name its number: its place in the sorted list.
func (b *builder) writeIDs() {
	b.ids = make([]string, 0, len(b.names))
	for id := range b.names {
		b.ids = append(b.ids, id)
	}
	for _, r := range b.records {
		for _, id := range r.upstream {
			if _, found := b.names[id]; !found {
				b.names[id] = none
				b.ids = append(b.ids, id)
			}
		}
	}
	slices.Sort(b.ids)
	b.idOf = make(map[string]uint32, len(b.ids))
	le := binary.LittleEndian
	var list, text []byte
	for i, id := range b.ids {
		b.idOf[id] = uint32(i)
		list = le.AppendUint32(list, uint32(len(text)))
		list = le.AppendUint32(list, uint32(len(id)))
		list = le.AppendUint32(list, b.names[id])
		text = append(text, id...)
	}
	b.sections[secIDs], b.sections[secIDText] = list, text
}

// writeGroups needs the records in their final sequence.
func (b *builder) writeGroups(context.Context) error {
	type content struct {
		records   []int
		upstream  []string
		malicious bool
		standing  bool
	}
	contents := make([]content, len(b.groups))
	for i, r := range b.records {
		c := &contents[b.names[r.id]]
		c.records = append(c.records, i)
		c.upstream = append(c.upstream, r.upstream...)
		c.malicious = c.malicious || r.malicious && !r.withdrawn
		c.standing = c.standing || !r.withdrawn
	}
	var ends, data []byte
	for i, group := range b.groups {
		c := &contents[i]
		var flags uint64
		if c.malicious {
			flags |= groupMalicious
		}
		if !c.standing {
			flags |= groupWithdrawn
		}
		data = binary.AppendUvarint(data, flags)
		data = binary.AppendUvarint(data, uint64(len(group)))
		for _, id := range group {
			data = binary.AppendUvarint(data, uint64(b.idOf[id]))
		}
		slices.Sort(c.upstream)
		c.upstream = slices.Compact(c.upstream)
		data = binary.AppendUvarint(data, uint64(len(c.upstream)))
		for _, id := range c.upstream {
			data = binary.AppendUvarint(data, uint64(b.idOf[id]))
		}
		data = binary.AppendUvarint(data, uint64(len(c.records)))
		for _, record := range c.records {
			data = binary.AppendUvarint(data, uint64(record))
		}
		ends = binary.LittleEndian.AppendUint64(ends, uint64(len(data)))
		b.report.Largest = max(b.report.Largest, len(group))
	}
	b.sections[secGroups], b.sections[secGroupData] = ends, data
	return nil
}

func (b *builder) writeMeta(context.Context) error {
	m := meta{Info: b.info, Sets: b.sets()}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("writing its account: %w", err)
	}
	b.sections[secMeta] = data
	return nil
}

// sets are the names of the sets, sorted.
func (b *builder) sets() []string {
	seen := make(map[string]bool)
	for _, r := range b.records {
		seen[r.set] = true
	}
	out := make([]string, 0, len(seen))
	for set := range seen {
		out = append(out, set)
	}
	slices.Sort(out)
	return out
}

// parallel calls do for 0 … n-1 on several goroutines until one fails.
func (b *builder) parallel(ctx context.Context, n int, do func(i int) error) error {
	workers := b.in.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var (
		next  atomic.Int64
		group sync.WaitGroup
		once  sync.Once
		first error
	)
	for range workers {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				err := ctx.Err()
				if err == nil {
					err = do(i)
				}
				if err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	group.Wait()
	return first
}
