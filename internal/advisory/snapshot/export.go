package snapshot

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"bulwark/internal/advisory/db"
)

// ExportOptions say what is exported.
type ExportOptions struct {
	Database string // path
	// Since: Optional: path of an older database, to write a delta against.
	Since string
	// Key signs; nil writes a snapshot without signature.
	Key ed25519.PrivateKey
}

// loaded is a database that is wholly in memory and verified: the bytes that are
// exported are those that were verified.
type loaded struct {
	data []byte
	File
}

func load(path string) (*loaded, *db.DB, error) {
	st, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil, fmt.Errorf("%s: %w", path, db.ErrMissing)
		}
		return nil, nil, err
	}
	if st.Size() > maxDatabase {
		return nil, nil, fmt.Errorf("%s has %d bytes, more than %d", path, st.Size(), int64(maxDatabase))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	d, err := db.FromBytes(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := d.Verify(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), d.Close())
	}
	info, err := d.Info()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), d.Close())
	}
	sum := sha256.Sum256(data)
	return &loaded{data, File{info.Serial, Content{digestOf(sum[:]), int64(len(data))}}}, d, nil
}

// Export writes a snapshot to path, which appears whole or not at all.
func Export(ctx context.Context, path string, o ExportOptions) (m Manifest, err error) {
	next, d, err := load(o.Database)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	info, err := d.Info()
	if err != nil {
		return m, err
	}
	m = Manifest{
		Schema: schema, Kind: Full, Database: next.File,
		Built: info.Built, Format: info.Format, Records: info.Records, Sources: info.Sources,
	}
	var old *loaded
	if o.Since != "" {
		var base *db.DB
		if old, base, err = load(o.Since); err != nil {
			return m, err
		}
		defer func() { err = errors.Join(err, base.Close()) }()
		m.Kind, m.Base = Delta, &old.File
	}
	dir, name := filepath.Split(path)
	payload, err := newPart(or(dir, "."), name)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, payload.remove()) }()
	if old == nil {
		err = pack(payload, next.data)
	} else {
		err = packDelta(or(dir, "."), name, payload, old.data, next.data)
	}
	if err != nil {
		return m, err
	}
	if err := ctx.Err(); err != nil {
		return m, err
	}
	m.Payload = Content{digestOf(payload.hash.Sum(nil)), payload.n}
	body, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	sealed, err := seal(body, o.Key)
	if err != nil {
		return m, err
	}
	if len(sealed) > maxEnvelope {
		return m, fmt.Errorf("the account of the snapshot has %d bytes, more than %d: the database has too many sources", len(sealed), maxEnvelope)
	}
	out, err := newPart(or(dir, "."), name)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, out.remove()) }()
	head := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(sealed)))
	if _, err := out.Write(append(head, sealed...)); err != nil {
		return m, err
	}
	if err := payload.copyTo(out); err != nil {
		return m, err
	}
	return m, out.publish(path)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// pack compresses data.
func pack(w io.Writer, data []byte) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(8<<20))
	if err != nil {
		return err
	}
	_, err = z.Write(data)
	return errors.Join(err, z.Close())
}

// packDelta writes the three streams of a delta one after the other.
func packDelta(dir, name string, w io.Writer, old, next []byte) (err error) {
	var parts [3]*part
	var streams [3]*zstd.Encoder
	for i := range parts {
		if parts[i], err = newPart(dir, name); err != nil {
			return err
		}
		p := parts[i]
		defer func() { err = errors.Join(err, p.remove()) }()
		if streams[i], err = zstd.NewWriter(p, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(8<<20)); err != nil {
			return err
		}
	}
	err = diff(old, next, deltaWriter{streams[0], streams[1], streams[2]})
	var head []byte
	for i, z := range streams {
		err = errors.Join(err, z.Close())
		head = binary.LittleEndian.AppendUint64(head, uint64(parts[i].n))
	}
	if err != nil {
		return fmt.Errorf("writing the delta: %w", err)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, p := range parts {
		if err := p.copyTo(w); err != nil {
			return err
		}
	}
	return nil
}

// part is a temporary file.
type part struct {
	f    *os.File
	hash hash.Hash
	n    int64
	gone bool
}

func newPart(dir, name string) (*part, error) {
	f, err := os.CreateTemp(dir, name+".tmp-*")
	if err != nil {
		return nil, fmt.Errorf("writing the snapshot: %w", err)
	}
	return &part{f: f, hash: sha256.New()}, nil
}

func (p *part) Write(b []byte) (int, error) {
	n, err := p.f.Write(b)
	p.hash.Write(b[:n])
	p.n += int64(n)
	if err != nil {
		return n, fmt.Errorf("writing the snapshot: %w", err)
	}
	return n, nil
}

func (p *part) copyTo(w io.Writer) error {
	if _, err := io.Copy(w, io.NewSectionReader(p.f, 0, p.n)); err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	return nil
}

// publish gives the file its name.
func (p *part) publish(path string) error {
	if err := p.f.Sync(); err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	if err := p.f.Chmod(0o644); err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	p.gone = true
	err := p.f.Close()
	if err == nil {
		err = os.Rename(p.f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing the snapshot: %w", errors.Join(err, os.Remove(p.f.Name())))
	}
	return nil
}

func (p *part) remove() error {
	if p.gone {
		return nil
	}
	p.gone = true
	return errors.Join(p.f.Close(), os.Remove(p.f.Name()))
}
