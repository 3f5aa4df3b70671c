package watch

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"bulwark/internal/dependency"
)

// state is what is remembered between runs.
type state struct {
	serial string // of the database of the last run
	cycles string
	runs   uint64 // that were committed
	outbox int64  // its size when this was committed
	sboms  []stored
	pairs  []pair
}

// stored is one SBOM.
type stored struct {
	path          string
	size, mtime   int64
	digest        [32]byte
	name, version string
	unidentified  int
	pairs         []uint32 // ascending
}

// pair is one version of one package, and what stands about it.
type pair struct {
	ecosystem           dependency.Ecosystem
	name, version, purl string
	evaluated           bool
	vulns               []standing
	ends                string // YYYY-MM-DD
	over                bool
}

func (p *pair) key() string {
	return string(p.ecosystem) + "\x00" + p.name + "\x00" + p.version
}

// standing is a vulnerability that affects a pair, or did.
type standing struct {
	id      string
	aliases []string
	kev     bool
	score   float64 // EPSS at the last alert, or lower
	gone    bool
	born    bool // in this run
}

// magic begins the file; the last byte is the version of the form.
const magic = "BWWATCH\x01"

// ErrState says that the file is not a state of this program's making.
var ErrState = errors.New("the state is damaged or of another version: remove it to begin anew, which reports nothing that is known already")

// sweep drops pairs that no SBOM has any more.
func (s *state) sweep() {
	used := make([]bool, len(s.pairs))
	for i := range s.sboms {
		for _, id := range s.sboms[i].pairs {
			used[id] = true
		}
	}
	moved := make([]uint32, len(s.pairs))
	kept := s.pairs[:0]
	for i := range s.pairs {
		if used[i] {
			moved[i] = uint32(len(kept))
			kept = append(kept, s.pairs[i])
		}
	}
	if len(kept) == len(moved) {
		return
	}
	s.pairs = kept
	for i := range s.sboms {
		for k, id := range s.sboms[i].pairs {
			s.sboms[i].pairs[k] = moved[id]
		}
	}
}

// save writes the state beside, syncs and renames: there is always a whole one.
func (s *state) save(name string) (err error) {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) // under the lock
	if err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing the state %s: %w", name, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(s.encode())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

func loadState(name string) (*state, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &state{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	s, err := decodeState(data)
	if err != nil {
		return nil, fmt.Errorf("reading the state %s: %w", name, err)
	}
	return s, nil
}

func (s *state) encode() []byte {
	e := encoder{buf: make([]byte, 0, 1<<20)}
	e.buf = append(e.buf, magic...)
	e.text(s.serial)
	e.text(s.cycles)
	e.number(s.runs)
	e.number(uint64(s.outbox))
	e.number(uint64(len(s.pairs)))
	for i := range s.pairs {
		e.pair(&s.pairs[i])
	}
	e.number(uint64(len(s.sboms)))
	for i := range s.sboms {
		b := &s.sboms[i]
		e.text(b.path)
		e.number(uint64(b.size))
		e.number(uint64(b.mtime))
		e.buf = append(e.buf, b.digest[:]...)
		e.text(b.name)
		e.text(b.version)
		e.number(uint64(b.unidentified))
		e.number(uint64(len(b.pairs)))
		last := uint32(0)
		for _, id := range b.pairs {
			e.number(uint64(id - last))
			last = id
		}
	}
	sum := sha256.Sum256(e.buf)
	return append(e.buf, sum[:]...)
}

type encoder struct{ buf []byte }

func (e *encoder) number(n uint64) { e.buf = binary.AppendUvarint(e.buf, n) }

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

func (e *encoder) pair(p *pair) {
	e.text(string(p.ecosystem))
	e.text(p.name)
	e.text(p.version)
	e.text(p.purl)
	e.text(p.ends)
	e.number(flags(p.evaluated, p.over))
	e.number(uint64(len(p.vulns)))
	for i := range p.vulns {
		v := &p.vulns[i]
		e.text(v.id)
		e.number(uint64(len(v.aliases)))
		for _, a := range v.aliases {
			e.text(a)
		}
		e.number(flags(v.kev, v.gone))
		e.number(math.Float64bits(v.score))
	}
}

func flags(a, b bool) (n uint64) {
	if a {
		n = 1
	}
	if b {
		n |= 2
	}
	return n
}

// decodeState reads what encode wrote. Its texts are parts of data.
func decodeState(data []byte) (*state, error) {
	if len(data) < len(magic)+sha256.Size || string(data[:len(magic)]) != magic {
		return nil, ErrState
	}
	body, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, ErrState
	}
	all := string(body)
	d := &decoder{text: all[len(magic):]}
	s := &state{serial: d.string(), cycles: d.string(), runs: d.number(), outbox: int64(d.number())}
	s.pairs = make([]pair, d.count())
	for i := range s.pairs {
		d.pair(&s.pairs[i])
	}
	s.sboms = make([]stored, d.count())
	for i := range s.sboms {
		b := &s.sboms[i]
		b.path, b.size, b.mtime = d.string(), int64(d.number()), int64(d.number())
		copy(b.digest[:], d.take(len(b.digest)))
		b.name, b.version, b.unidentified = d.string(), d.string(), int(d.number())
		b.pairs = make([]uint32, d.count())
		last := uint64(0)
		for k := range b.pairs {
			if last += d.number(); last >= uint64(len(s.pairs)) {
				d.broken = true
				last = 0
			}
			b.pairs[k] = uint32(last)
		}
	}
	if d.broken || d.text != "" || s.outbox < 0 {
		return nil, ErrState
	}
	return s, nil
}

type decoder struct {
	text   string
	broken bool
}

func (d *decoder) take(n int) string {
	if n < 0 || n > len(d.text) {
		d.broken, d.text = true, ""
		return ""
	}
	s := d.text[:n]
	d.text = d.text[n:]
	return s
}

func (d *decoder) number() uint64 {
	var n uint64
	for i := 0; i < len(d.text) && i < binary.MaxVarintLen64; i++ {
		c := d.text[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.text = d.text[i+1:]
			return n
		}
	}
	d.broken, d.text = true, ""
	return 0
}

// count is a number of things of which each takes a byte at least.
func (d *decoder) count() int {
	n := d.number()
	if n > uint64(len(d.text)) {
		d.broken, d.text = true, ""
		return 0
	}
	return int(n)
}

func (d *decoder) string() string { return d.take(d.count()) }

func (d *decoder) pair(p *pair) {
	p.ecosystem = dependency.Ecosystem(d.string())
	p.name, p.version, p.purl, p.ends = d.string(), d.string(), d.string(), d.string()
	f := d.number()
	p.evaluated, p.over = f&1 != 0, f&2 != 0
	if n := d.count(); n > 0 {
		p.vulns = make([]standing, n)
	}
	for i := range p.vulns {
		v := &p.vulns[i]
		v.id = d.string()
		if n := d.count(); n > 0 {
			v.aliases = make([]string, n)
		}
		for k := range v.aliases {
			v.aliases[k] = d.string()
		}
		f := d.number()
		v.kev, v.gone = f&1 != 0, f&2 != 0
		v.score = math.Float64frombits(d.number())
	}
}

// LastDatabase is the serial of the database that the state was last evaluated
// with; empty if there is no state yet.
func LastDatabase(name string) (string, error) {
	s, err := loadState(name)
	if err != nil {
		return "", err
	}
	return s.serial, nil
}
