package db

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// blockBytes is how much JSON is compressed together, at least. Records of one
// package stand together: who asks for one asks for its neighbours.
const blockBytes = 64 << 10

// maxBlock is the limit on the JSON of a block that is read.
const maxBlock = 64 << 20

// maxWindow is the limit on the memory that a frame may ask for.
const maxWindow = 64 << 20

// Flags of a record.
const (
	recordWithdrawn = 1 << iota
	recordMalicious
)

// place is where the JSON of a record stands.
type place struct{ block, offset int }

// writeRecords writes the records' table and their JSON.
func (b *builder) writeRecords(ctx context.Context) error {
	order := make([]int, len(b.records))
	for i := range order {
		order[i] = i
	}
	home := func(i int) packageKey {
		if r := b.records[i]; len(r.affected) > 0 {
			return packageKey{r.affected[0].ecosystem, r.affected[0].name}
		}
		return packageKey{}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := home(i), home(j)
		return cmp.Or(strings.Compare(a.ecosystem, b.ecosystem), strings.Compare(a.name, b.name))
	})
	places := make([]place, len(b.records))
	var blocks [][]int
	size := blockBytes
	for _, i := range order {
		if size >= 4*blockBytes || size >= blockBytes/4 && cutHere(b.records[i].id) || len(blocks) == 0 {
			blocks = append(blocks, nil)
			size = 0
		}
		last := len(blocks) - 1
		places[i] = place{last, size}
		blocks[last] = append(blocks[last], i)
		size += b.records[i].size
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(max(b.in.Workers, 2)), zstd.WithEncoderCRC(false))
	if err != nil {
		return fmt.Errorf("compressing records: %w", err)
	}
	packed := make([][]byte, len(blocks))
	sizes := make([]int, len(blocks))
	// Two buffers for each goroutine at work, the JSON and its packed form.
	buffers := sync.Pool{New: func() any { return new([2][]byte) }}
	err = b.parallel(ctx, len(blocks), func(n int) error {
		buffer := buffers.Get().(*[2][]byte)
		defer buffers.Put(buffer)
		last := blocks[n][len(blocks[n])-1]
		sizes[n] = places[last].offset + b.records[last].size
		text := slices.Grow(buffer[0][:0], sizes[n])[:sizes[n]]
		for _, i := range blocks[n] {
			r := b.records[i]
			at := places[i].offset
			part := text[at : at+r.size : at+r.size]
			if json, err := s2.Decode(part, r.packed); err != nil || len(json) != r.size {
				return fmt.Errorf("compressing record %s: it did not unpack to %d bytes: %w", r.id, r.size, err)
			}
			r.packed = nil
		}
		buffer[0], buffer[1] = text, encoder.EncodeAll(text, buffer[1][:0])
		packed[n] = bytes.Clone(buffer[1])
		return nil
	})
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	total := 0
	for _, block := range packed {
		total += len(block)
	}
	index, data, records := make([]byte, 0, len(blocks)*blockSize), make([]byte, 0, total), make([]byte, 0, len(b.records)*recordSize)
	for n, block := range packed {
		index = le.AppendUint64(index, uint64(len(data)))
		index = le.AppendUint32(index, uint32(len(block)))
		index = le.AppendUint32(index, uint32(sizes[n]))
		data = append(data, block...)
		packed[n] = nil
	}
	setOf := make(map[string]int)
	for i, set := range b.sets() {
		setOf[set] = i
	}
	for i, r := range b.records {
		var flags uint16
		if r.withdrawn {
			flags |= recordWithdrawn
		}
		if r.malicious {
			flags |= recordMalicious
		}
		records = le.AppendUint32(records, b.idOf[r.id])
		records = le.AppendUint32(records, b.names[r.id])
		records = le.AppendUint32(records, uint32(places[i].block))
		records = le.AppendUint32(records, uint32(places[i].offset))
		records = le.AppendUint32(records, uint32(r.size))
		records = le.AppendUint16(records, flags)
		records = le.AppendUint16(records, uint16(setOf[r.set]))
		records = le.AppendUint64(records, uint64(r.modified))
		records = append(records, r.digest[:8]...)
	}
	b.sections[secBlocks], b.sections[secBlockData], b.sections[secRecords] = index, data, records
	return nil
}

// cutHere reports whether a block may end before the record with this id, which
// holds for one in 32. Since the cuts depend on the ids and not on the sizes
// before them, a changed record changes its own block and none behind it, and a
// delta between two databases stays small.
func cutHere(id string) bool {
	h := fnv.New32a()
	h.Write([]byte(id)) // never fails
	v := h.Sum32()
	v ^= v >> 15
	v *= 0x2c1b3c6d
	v ^= v >> 12
	return v%32 == 0
}
