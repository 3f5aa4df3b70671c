package db

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"
)

// The file, all numbers little-endian:
//
//	header    magic, format, sizes, SHA-256 of the body, section table, CRC
//	body      the sections one after the other, from the first page on
//	sums      CRC-32C of each page of the body
//
// The header's CRC covers the header and, through a field, the sums; a page's
// sum is checked when the page is first read. So opening costs the same for a
// file of any size, and no page that was altered is ever believed.
const (
	magic = "BWKADVDB"
	// Format is the version of the layout. A file of another version is
	// refused: it is built anew, not converted.
	Format = 1

	pageSize     = 4096
	headerFixed  = 80
	sectionEntry = 16
	maxSections  = 64
	maxFile      = 8 << 30
)

// section numbers a part of the body.
type section int

const (
	secMeta       section = iota // JSON of meta
	secEcosystems                // ecosystemSize each, sorted by name
	secPackages                  // packageSize each, by ecosystem, then name
	secNames                     // text of the two above
	secVersions                  // what Match reads of a package
	secRecords                   // recordSize each, by id
	secIDs                       // idSize each, sorted
	secIDText                    // text of the ids
	secGroups                    // uint64 each: end within secGroupData
	secGroupData                 // varints
	secBlocks                    // blockSize each
	secBlockData                 // zstd frames
	secKEV                       // kevSize each, by CVE
	secKEVData                   // JSON of advisory.KEV
	secEPSS                      // epssSize each, by CVE
	secSSVC                      // ssvcSize each, by CVE
	secPurls                     // purlSize each, sorted
	secPurlText                  // text of the keys
	secProducts                  // JSON of Product
	sectionCount
)

// Sizes of the fixed entries, in bytes.
const (
	ecosystemSize = 16 // name offset, name length, first package, packages
	packageSize   = 28 // name offset, name length, data offset (8), data length, fingerprint (8)
	recordSize    = 40 // id, group, block, offset, length, flags (2), set (2), modified (8), start of its SHA-256 (8)
	idSize        = 12 // offset, length, group
	blockSize     = 16 // offset (8), packed length, length
	kevSize       = 16 // CVE (8), offset, length
	epssSize      = 20 // CVE (8), score, percentile, date
	ssvcSize      = 16 // CVE (8), date, points
	purlSize      = 16 // text offset, text length, product offset, product length
)

// none stands for no group.
const none = ^uint32(0)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type span struct{ off, size uint64 }

// image is a file in memory that is not believed.
type image struct {
	data     []byte
	sections [sectionCount]span
	body     uint64 // where it begins; it ends where sums begin
	sums     []byte
	seen     []atomic.Uint32 // one bit for each page that was checked
	digest   [sha256.Size]byte
}

// fault is the error for a file that contradicts itself.
func fault(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// openImage checks the header. It reads nothing of the body.
func openImage(data []byte) (*image, error) {
	if len(data) < headerFixed {
		return nil, fault("it has only %d bytes", len(data))
	}
	if string(data[:8]) != magic {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrFormat, magic)
	}
	le := binary.LittleEndian
	if format := le.Uint32(data[8:]); format != Format {
		return nil, fmt.Errorf("%w: its format is %d, this program reads %d", ErrFormat, format, Format)
	}
	count := uint64(le.Uint32(data[12:]))
	size, body, sumsOff := le.Uint64(data[16:]), le.Uint64(data[24:]), le.Uint64(data[32:])
	if size != uint64(len(data)) {
		return nil, fault("it has %d bytes and was written with %d: it was cut short or appended to", len(data), size)
	}
	headerSize := headerFixed + count*sectionEntry
	if count != uint64(sectionCount) || headerSize > body || body > sumsOff || sumsOff > size || body%pageSize != 0 || sumsOff%pageSize != 0 {
		return nil, fault("its header contradicts itself")
	}
	sum := crc32.Checksum(data[:44], castagnoli)
	sum = crc32.Update(sum, castagnoli, data[48:headerSize])
	if sum != le.Uint32(data[44:]) {
		return nil, fault("the checksum of its header is wrong")
	}
	sums := data[sumsOff:]
	pages := (sumsOff - body) / pageSize
	if uint64(len(sums)) != pages*4 {
		return nil, fault("%d pages have %d bytes of checksums", pages, len(sums))
	}
	if crc32.Checksum(sums, castagnoli) != le.Uint32(data[40:]) {
		return nil, fault("the checksum of its checksums is wrong")
	}
	im := &image{data: data, body: body, sums: sums, seen: make([]atomic.Uint32, pages/32+1)}
	copy(im.digest[:], data[48:80])
	for i := range im.sections {
		at := data[headerFixed+i*sectionEntry:]
		s := span{le.Uint64(at), le.Uint64(at[8:])}
		if s.off < body || s.off > sumsOff || s.size > sumsOff-s.off {
			return nil, fault("section %d lies outside of it", i)
		}
		im.sections[i] = s
	}
	return im, nil
}

// size is the number of bytes of a section.
func (im *image) size(s section) uint64 { return im.sections[s].size }

// count is the number of entries of a section of fixed entries.
func (im *image) count(s section, entry uint64) int { return int(im.sections[s].size / entry) }

// view is a part of a section, checked. It must not be written to, and ends with
// the image.
func (im *image) view(s section, off, n uint64) ([]byte, error) {
	sp := im.sections[s]
	if off > sp.size || n > sp.size-off {
		return nil, fault("section %d has %d bytes, %d from %d are asked for", s, sp.size, n, off)
	}
	start := sp.off + off
	if n > 0 {
		first, last := (start-im.body)/pageSize, (start+n-1-im.body)/pageSize
		for page := first; page <= last; page++ {
			if im.seen[page/32].Load()&(1<<(page%32)) == 0 {
				if err := im.checkPage(page); err != nil {
					return nil, err
				}
			}
		}
	}
	return im.data[start : start+n : start+n], nil
}

// entry is one entry of a section of fixed entries.
func (im *image) entry(s section, i int, size uint64) ([]byte, error) {
	return im.view(s, uint64(i)*size, size)
}

func (im *image) checkPage(page uint64) error {
	start := im.body + page*pageSize
	if crc32.Checksum(im.data[start:start+pageSize], castagnoli) != binary.LittleEndian.Uint32(im.sums[page*4:]) {
		return fault("page %d was altered", page)
	}
	im.seen[page/32].Or(1 << (page % 32))
	return nil
}

// verify reads the whole body.
func (im *image) verify() error {
	body := im.data[im.body : uint64(len(im.data))-uint64(len(im.sums))]
	for page := range uint64(len(body)) / pageSize {
		if err := im.checkPage(page); err != nil {
			return err
		}
	}
	if sha256.Sum256(body) != im.digest {
		return fault("its SHA-256 is not %s", hex.EncodeToString(im.digest[:]))
	}
	return nil
}

// writeImage writes a file of the sections.
func writeImage(w io.Writer, sections *[sectionCount][]byte) (digest [sha256.Size]byte, err error) {
	headerSize := headerFixed + int(sectionCount)*sectionEntry
	body := (headerSize + pageSize - 1) / pageSize * pageSize
	header := make([]byte, body)
	le := binary.LittleEndian
	hash := sha256.New()
	var (
		sums []byte
		page = make([]byte, 0, pageSize)
		at   = uint64(body)
	)
	// feed passes bytes on to the digest and the page sums.
	feed := func(b []byte) {
		hash.Write(b)
		for len(b) > 0 {
			n := min(pageSize-len(page), len(b))
			page = append(page, b[:n]...)
			b = b[n:]
			if len(page) == pageSize {
				sums = le.AppendUint32(sums, crc32.Checksum(page, castagnoli))
				page = page[:0]
			}
		}
	}
	pad := func(to uint64) []byte { return make([]byte, (to-at%to)%to) }
	var gaps [sectionCount][]byte
	for i, s := range sections {
		// Eight bytes apart, so that no entry of a size of four or eight is
		// split more than needed.
		gaps[i] = pad(8)
		feed(gaps[i])
		at += uint64(len(gaps[i]))
		le.PutUint64(header[headerFixed+i*sectionEntry:], at)
		le.PutUint64(header[headerFixed+i*sectionEntry+8:], uint64(len(s)))
		feed(s)
		at += uint64(len(s))
	}
	tail := pad(pageSize)
	feed(tail)
	at += uint64(len(tail))
	hash.Sum(digest[:0])

	copy(header, magic)
	le.PutUint32(header[8:], Format)
	le.PutUint32(header[12:], uint32(sectionCount))
	le.PutUint64(header[16:], at+uint64(len(sums)))
	le.PutUint64(header[24:], uint64(body))
	le.PutUint64(header[32:], at)
	le.PutUint32(header[40:], crc32.Checksum(sums, castagnoli))
	copy(header[48:], digest[:])
	sum := crc32.Checksum(header[:44], castagnoli)
	le.PutUint32(header[44:], crc32.Update(sum, castagnoli, header[48:headerSize]))

	parts := [][]byte{header}
	for i, s := range sections {
		parts = append(parts, gaps[i], s)
	}
	for _, part := range append(parts, tail, sums) {
		if _, err := io.Copy(w, bytes.NewReader(part)); err != nil {
			return digest, fmt.Errorf("writing the advisory database: %w", err)
		}
	}
	return digest, nil
}
