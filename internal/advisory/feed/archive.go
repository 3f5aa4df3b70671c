package feed

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"

	"bulwark/internal/advisory/db"
)

// archive is an all.zip whose directory was read. Records are unpacked when they
// are asked for, from several goroutines if need be.
type archive struct {
	records []entry
	refused []db.Problem
	ids     map[string]int // position in records
}

type entry struct {
	id   string
	file *zip.File
}

// errBomb is for data that unpacks to far more than it packs.
var errBomb = errors.New("it unpacks to far more than an honest file would")

// openArchive reads the directory of a zip of size bytes. The names of its
// entries are taken for ids, never for paths.
func openArchive(r io.ReaderAt, size int64, set string, lim Limits) (*archive, error) {
	if size > lim.Archive {
		return nil, fmt.Errorf("the archive has %d bytes, more than %d", size, lim.Archive)
	}
	// The directory needs 46 bytes and a name for each entry, so the size bounds
	// what reading it allocates.
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("reading the archive's directory: %w", err)
	}
	if len(z.File) > lim.Records {
		return nil, fmt.Errorf("the archive has %d entries, more than %d", len(z.File), lim.Records)
	}
	z.RegisterDecompressor(zip.Deflate, inflater())
	a := &archive{records: make([]entry, 0, len(z.File)), ids: make(map[string]int, len(z.File))}
	refuse := func(f *zip.File, format string, args ...any) {
		a.refused = append(a.refused, db.Problem{Set: set, Name: clip(f.Name), Reason: fmt.Sprintf(format, args...)})
	}
	var raw, packed uint64
	for _, f := range z.File {
		id, isJSON := strings.CutSuffix(f.Name, ".json")
		switch {
		case !isJSON || !validID(id):
			refuse(f, "the name of an entry must be ID.json")
		case !f.Mode().IsRegular():
			refuse(f, "it is no regular file")
		case f.Flags&1 != 0:
			refuse(f, "it is encrypted")
		case f.Method != zip.Deflate && f.Method != zip.Store:
			refuse(f, "unknown compression method %d", f.Method)
		case f.UncompressedSize64 > uint64(lim.Record):
			refuse(f, "it has %d bytes, more than %d", f.UncompressedSize64, lim.Record)
		default:
			if _, twice := a.ids[id]; twice {
				refuse(f, "the archive holds it twice")
				continue
			}
			raw += f.UncompressedSize64
			packed += f.CompressedSize64
			a.ids[id] = len(a.records)
			a.records = append(a.records, entry{id, f})
		}
	}
	// What the directory states is checked as well when a record is read.
	switch {
	case raw > uint64(lim.Raw):
		return nil, fmt.Errorf("the archive unpacks to %d bytes, more than %d", raw, lim.Raw)
	case raw > ratioFloor && raw/maxRatio > uint64(size), packed > uint64(size):
		// The second is one whose entries overlap.
		return nil, fmt.Errorf("the archive has %d bytes and unpacks to %d: %w", size, raw, errBomb)
	}
	return a, nil
}

// read appends the record to buf.
func (e entry) read(buf []byte) ([]byte, error) {
	r, err := e.file.Open()
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", e.id, err)
	}
	defer func() { _ = r.Close() }() // only read
	// The directory's size was checked against the limit; more than it states is
	// an error, which the one byte too many brings to light.
	want := int(e.file.UncompressedSize64)
	start := len(buf)
	if cap(buf)-start < want+1 {
		buf = append(make([]byte, 0, start+want+1), buf...)
	}
	buf = buf[:start+want+1]
	n, err := io.ReadFull(r, buf[start:])
	switch {
	case err == nil:
		return nil, fmt.Errorf("unpacking %s: it has more bytes than the %d stated", e.id, want)
	case n == want && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)):
		return buf[:start+n], nil
	}
	return nil, fmt.Errorf("unpacking %s: %w", e.id, err)
}

// record is the entry as the database takes it.
func (e entry) record(set string) db.Record {
	return db.Record{Set: set, Name: e.id, Read: e.read}
}

// inflater makes a source of decompressors that are used again.
func inflater() func(io.Reader) io.ReadCloser {
	var pool sync.Pool
	return func(r io.Reader) io.ReadCloser {
		if old, ok := pool.Get().(*inflating); ok {
			if f, ok := old.ReadCloser.(flate.Resetter); ok && f.Reset(r, nil) == nil {
				return old
			}
		}
		return &inflating{flate.NewReader(r), &pool}
	}
}

type inflating struct {
	io.ReadCloser
	pool *sync.Pool
}

func (i *inflating) Close() error {
	err := i.ReadCloser.Close()
	i.pool.Put(i)
	return err
}
