// Package snapshot carries advisory databases to places without a network: as
// one file that holds a whole database, or how a newer one differs from an older
// one, with a signed account of it. A file is believed only as far as its
// signature and its digests go; it names no paths.
//
// A snapshot proves who made the database, not that the advisories in it are
// true, and not that no newer one exists.
package snapshot

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"bulwark/internal/advisory"
)

// The file, numbers little-endian:
//
//	magic, u32 length of the envelope, envelope, payload
//
// The payload of a whole database is one zstd frame; that of a delta three:
// instructions, differences, fresh bytes, after three u64 with their lengths.
const (
	magic       = "BWKSNAP1"
	schema      = "bulwark.advisories/v1"
	maxEnvelope = 4 << 20
	maxDatabase = 8 << 30
	maxWindow   = 64 << 20 // bytes that a frame may ask for
	deltaHead   = 24
)

// ErrMalformed is for a file that is no snapshot, or a damaged one.
var ErrMalformed = errors.New("the snapshot is malformed")

// The kinds of snapshot.
const (
	Full  = "full"
	Delta = "delta"
)

// Manifest is the signed account of a snapshot.
type Manifest struct {
	Schema string `json:"schema"`
	Kind   string `json:"kind"`
	// Database is what is there after the import.
	Database File `json:"database"`
	// Base is the only database that a delta can be applied to.
	Base    *File                 `json:"base,omitempty"`
	Payload Content               `json:"payload"`
	Built   time.Time             `json:"built"` // of the database
	Format  int                   `json:"format"`
	Records int                   `json:"records"`
	Sources []advisory.SourceInfo `json:"sources"`
}

// Content is a run of bytes.
type Content struct {
	Digest string `json:"digest"` // "sha-256:…"
	Size   int64  `json:"size"`
}

// File is a database.
type File struct {
	Serial string `json:"serial"`
	Content
}

func (m *Manifest) check() error {
	switch {
	case m.Schema != schema:
		return fmt.Errorf("%w: its schema is %q, this program reads %q", ErrMalformed, clip(m.Schema), schema)
	case m.Kind != Full && m.Kind != Delta, (m.Kind == Delta) != (m.Base != nil):
		return fmt.Errorf("%w: its kind is %q", ErrMalformed, clip(m.Kind))
	case m.Built.IsZero():
		return fmt.Errorf("%w: it states no time of building", ErrMalformed)
	}
	contents := []Content{m.Database.Content, m.Payload}
	if m.Base != nil {
		contents = append(contents, m.Base.Content)
	}
	for _, c := range contents {
		sum, found := strings.CutPrefix(c.Digest, "sha-256:")
		if _, err := hex.DecodeString(sum); !found || err != nil || len(sum) != 2*sha256.Size || c.Size < 0 || c.Size > maxDatabase {
			return fmt.Errorf("%w: its manifest states an impossible digest or size", ErrMalformed)
		}
	}
	return nil
}

// opened is a snapshot whose envelope was read.
type opened struct {
	file     *os.File
	manifest Manifest
	start    int64 // of the payload
}

// open reads the envelope of a snapshot and verifies it, unless key is nil.
func open(path string, key ed25519.PublicKey) (o *opened, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	m, start, err := readHead(f, key)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size()-start != m.Payload.Size {
		return nil, fmt.Errorf("%w: %d bytes follow its manifest, which states %d: it was cut short or appended to", ErrMalformed, st.Size()-start, m.Payload.Size)
	}
	return &opened{f, m, start}, nil
}

// readHead reads what stands before the payload.
func readHead(r io.Reader, key ed25519.PublicKey) (m Manifest, start int64, err error) {
	head := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, head); err != nil || string(head[:len(magic)]) != magic {
		return m, 0, fmt.Errorf("%w: it does not begin with %q", ErrMalformed, magic)
	}
	n := binary.LittleEndian.Uint32(head[len(magic):])
	if n > maxEnvelope {
		return m, 0, fmt.Errorf("%w: its envelope has %d bytes, more than %d", ErrMalformed, n, maxEnvelope)
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return m, 0, err
	}
	if len(data) != int(n) {
		return m, 0, fmt.Errorf("%w: it was cut short", ErrMalformed)
	}
	body, err := unseal(data, key)
	if err != nil {
		return m, 0, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, 0, fmt.Errorf("%w: its manifest: %w", ErrMalformed, err)
	}
	return m, int64(len(head)) + int64(n), m.check()
}

// checkPayload compares the payload with its digest.
func (o *opened) checkPayload() error {
	h := sha256.New()
	if _, err := io.Copy(h, o.section(0, o.manifest.Payload.Size)); err != nil {
		return fmt.Errorf("reading the snapshot: %w", err)
	}
	if got := digestOf(h.Sum(nil)); got != o.manifest.Payload.Digest {
		return fmt.Errorf("%w: the digest of its content is %s, its manifest states %s", ErrMalformed, got, o.manifest.Payload.Digest)
	}
	return nil
}

func digestOf(sum []byte) string { return "sha-256:" + hex.EncodeToString(sum) }

func (o *opened) section(off, n int64) *io.SectionReader {
	return io.NewSectionReader(o.file, o.start+off, n)
}

// unpack writes the database that the snapshot holds. old is the base of a delta.
func (o *opened) unpack(old []byte, w io.Writer) error {
	h := sha256.New()
	out := &limited{w: io.MultiWriter(w, h), left: o.manifest.Database.Size}
	var err error
	if o.manifest.Kind == Full {
		err = o.unpackFull(out)
	} else {
		err = o.unpackDelta(old, out)
	}
	if err != nil {
		return err
	}
	if out.left > 0 {
		return fmt.Errorf("%w: its database is shorter than its manifest states", ErrMalformed)
	}
	if got := digestOf(h.Sum(nil)); got != o.manifest.Database.Digest {
		return fmt.Errorf("%w: the digest of its database is %s, its manifest states %s", ErrMalformed, got, o.manifest.Database.Digest)
	}
	return nil
}

func (o *opened) unpackFull(w io.Writer) error {
	z, err := decompressor(o.section(0, o.manifest.Payload.Size))
	if err != nil {
		return err
	}
	defer z.Close()
	if _, err := io.Copy(w, z); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

func (o *opened) unpackDelta(old []byte, w io.Writer) error {
	head := make([]byte, deltaHead)
	if _, err := io.ReadFull(o.section(0, o.manifest.Payload.Size), head); err != nil {
		return fmt.Errorf("%w: it was cut short", ErrMalformed)
	}
	at := int64(deltaHead)
	var streams [3]*zstd.Decoder
	for i := range streams {
		n := binary.LittleEndian.Uint64(head[8*i:])
		if n > uint64(o.manifest.Payload.Size-at) {
			return fmt.Errorf("%w: its parts are longer than it is", ErrMalformed)
		}
		z, err := decompressor(o.section(at, int64(n)))
		if err != nil {
			return err
		}
		defer z.Close()
		streams[i] = z
		at += int64(n)
	}
	if at != o.manifest.Payload.Size {
		return fmt.Errorf("%w: more follows after its parts", ErrMalformed)
	}
	return apply(old, uint64(o.manifest.Database.Size), deltaReader{streams[0], streams[1], streams[2]}, w)
}

func decompressor(r io.Reader) (*zstd.Decoder, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxDatabase))
	if err != nil {
		return nil, fmt.Errorf("unpacking the snapshot: %w", err)
	}
	return z, nil
}

// limited refuses more bytes than are expected.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, fmt.Errorf("%w: its database is longer than its manifest states", ErrMalformed)
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	return n, err
}
