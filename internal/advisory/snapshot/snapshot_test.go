package snapshot

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
	"bulwark/internal/advisory/install"
)

func keys() (ed25519.PublicKey, ed25519.PrivateKey) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	return key.Public().(ed25519.PublicKey), key
}

func otherKey() ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
}

// build writes a database of n packages, some of which differ by version.
func build(t testing.TB, path string, n, version int, built time.Time) advisory.Info {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	words := func() string {
		var b strings.Builder
		for range 30 {
			fmt.Fprintf(&b, "%x ", random.Uint32())
		}
		return b.String()
	}
	in := db.Input{Built: built, Sources: []advisory.SourceInfo{{Name: "osv/npm", Location: "osv/npm", Records: n}}}
	in.Records = func(yield func(db.Record, error) bool) {
		for i := range n {
			text, fixed := words(), 1
			if i%200 == 7 {
				fixed = version
			}
			data := fmt.Sprintf(`{"id":"GHSA-%05d","modified":"2026-01-%02dT00:00:00Z","aliases":["CVE-2026-%05d"],"summary":%q,"affected":[{"package":{"ecosystem":"npm","name":"package-%d"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"%d.0.0"}]}]}]}`,
				i, fixed, i, text, i/3, fixed)
			r := db.Record{Set: "osv/npm", Name: fmt.Sprint(i), Read: func(buf []byte) ([]byte, error) { return append(buf, data...), nil }}
			if !yield(r, nil) {
				return
			}
		}
	}
	var b bytes.Buffer
	rep, err := db.Build(t.Context(), &b, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return rep.Info
}

func day(n int) time.Time { return time.Date(2026, 11, n, 9, 0, 0, 0, time.UTC) }

func into(t *testing.T, path, snap string, o ImportOptions) (*Result, error) {
	t.Helper()
	lock, err := install.Acquire(t.Context(), path, day(24), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lock.Close(); err != nil {
			t.Error(err)
		}
	}()
	return Import(t.Context(), lock, snap, o, nil)
}

func same(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}

func TestSnapshots(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	public, private := keys()
	first := build(t, file("1.db"), 5000, 2, day(20))
	second := build(t, file("2.db"), 5010, 3, day(21))
	export := func(to, of, since string, key ed25519.PrivateKey) Manifest {
		t.Helper()
		o := ExportOptions{Database: file(of), Key: key}
		if since != "" {
			o.Since = file(since)
		}
		m, err := Export(t.Context(), file(to), o)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	full := export("1.snap", "1.db", "", private)
	export("2.snap", "2.db", "", private)
	delta := export("1-2.delta", "2.db", "1.db", private)
	export("unsigned.snap", "2.db", "", nil)
	if full.Kind != Full || delta.Kind != Delta || delta.Base.Serial != first.Serial || delta.Database.Serial != second.Serial {
		t.Errorf("full %+v, delta %+v", full, delta)
	}
	t.Logf("a snapshot has %d bytes, a delta %d", full.Payload.Size, delta.Payload.Size)

	target := file("target.db")
	fails := func(name, snap string, o ImportOptions, want error) {
		t.Helper()
		before, err := os.ReadFile(target)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if _, err := into(t, target, file(snap), o); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if now, err := os.ReadFile(target); err == nil && !bytes.Equal(before, now) {
			t.Errorf("%s: the database changed", name)
		}
	}
	works := func(name, snap string, o ImportOptions, want string) *Result {
		t.Helper()
		res, err := into(t, target, file(snap), o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !same(t, target, file(want)) {
			t.Errorf("%s: another database is there", name)
		}
		return res
	}
	signed := ImportOptions{Key: public}
	fails("delta to nothing", "1-2.delta", signed, ErrBase)
	fails("another key", "1.snap", ImportOptions{Key: otherKey()}, ErrSignature)
	fails("unsigned", "unsigned.snap", signed, ErrSignature)
	works("first", "1.snap", signed, "1.db")
	works("delta", "1-2.delta", signed, "2.db")
	if res := works("the same again", "2.snap", signed, "2.db"); !res.Same {
		t.Error("the same database was imported again")
	}
	fails("back", "1.snap", signed, ErrOlder)
	works("back, meant", "1.snap", ImportOptions{Key: public, AllowOlder: true}, "1.db")
	works("unsigned, meant", "unsigned.snap", ImportOptions{}, "2.db")

	build(t, file("3.db"), 5000, 4, day(19))
	export("3.snap", "3.db", "", private)
	works("another state", "3.snap", ImportOptions{Key: public, AllowOlder: true}, "3.db")
	fails("delta to another base", "1-2.delta", signed, ErrBase)
	if left, err := filepath.Glob(file("*.tmp-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind %v (%v)", left, err)
	}
}

// No byte of a snapshot can be altered, and none can be missing.
func TestAlteredSnapshots(t *testing.T) {
	dir := t.TempDir()
	public, private := keys()
	build(t, filepath.Join(dir, "1.db"), 50, 2, day(20))
	build(t, filepath.Join(dir, "2.db"), 51, 3, day(21))
	for _, since := range []string{"", filepath.Join(dir, "1.db")} {
		snap := filepath.Join(dir, "x.snap")
		if _, err := Export(t.Context(), snap, ExportOptions{Database: filepath.Join(dir, "2.db"), Since: since, Key: private}); err != nil {
			t.Fatal(err)
		}
		good, err := os.ReadFile(snap)
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(dir, "target.db")
		start, err := os.ReadFile(filepath.Join(dir, "1.db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, start, 0o644); err != nil {
			t.Fatal(err)
		}
		refused := func(name string, data []byte) {
			t.Helper()
			if err := os.WriteFile(snap, data, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := into(t, target, snap, ImportOptions{Key: public}); err == nil {
				t.Fatalf("%s was imported", name)
			}
			if now, err := os.ReadFile(target); err != nil || !bytes.Equal(now, start) {
				t.Fatalf("%s: the database changed (%v)", name, err)
			}
		}
		step := max(1, len(good)/150)
		for i := 0; i < len(good); i += step {
			bad := bytes.Clone(good)
			bad[i] ^= 1
			// The hint to the key, and how the envelope is written, say nothing.
			if head := bytes.Index(good, []byte(`"keyid"`)); head >= 0 && i >= head && i < bytes.Index(good, []byte(`"sig"`))+5 {
				continue
			}
			refused(fmt.Sprintf("one with byte %d altered", i), bad)
			refused(fmt.Sprintf("one cut at %d", i), good[:i])
		}
		refused("one with more after its end", append(bytes.Clone(good), 0))
	}
}

// forge writes a snapshot that is signed and lies.
func forge(t *testing.T, path string, m Manifest, payload []byte) {
	t.Helper()
	_, private := keys()
	m.Schema, m.Built, m.Format = schema, day(22), db.Format
	sum := sha256.Sum256(payload)
	m.Payload = Content{digestOf(sum[:]), int64(len(payload))}
	if m.Database.Digest == "" {
		m.Database.Digest = digestOf(make([]byte, 32))
	}
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal(body, private)
	if err != nil {
		t.Fatal(err)
	}
	head := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(sealed)))
	if err := os.WriteFile(path, append(append(head, sealed...), payload...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func squeezed(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pack(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Whoever has the key can sign nonsense, but not break what is there.
func TestSignedNonsense(t *testing.T) {
	dir := t.TempDir()
	public, _ := keys()
	target, snap := filepath.Join(dir, "target.db"), filepath.Join(dir, "x.snap")
	build(t, target, 10, 2, day(20))
	start, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(start)
	base := &File{Content: Content{digestOf(sum[:]), int64(len(start))}}
	parts := func(control, differences, fresh []byte) []byte {
		var head, out []byte
		for _, p := range [][]byte{control, differences, fresh} {
			z := squeezed(t, p)
			head = binary.LittleEndian.AppendUint64(head, uint64(len(z)))
			out = append(out, z...)
		}
		return append(head, out...)
	}
	bomb := squeezed(t, make([]byte, 64<<20))
	size := func(n int64) File { return File{Content: Content{Size: n}} }
	text := []byte("no database")
	textSum := sha256.Sum256(text)
	for name, c := range map[string]struct {
		m       Manifest
		payload []byte
	}{
		"bomb":             {Manifest{Kind: Full, Database: size(1000)}, bomb},
		"no zstd":          {Manifest{Kind: Full, Database: size(1000)}, text},
		"no database":      {Manifest{Kind: Full, Database: File{Content: Content{digestOf(textSum[:]), int64(len(text))}}}, squeezed(t, text)},
		"another digest":   {Manifest{Kind: Full, Database: size(int64(len(text)))}, squeezed(t, text)},
		"huge":             {Manifest{Kind: Full, Database: size(maxDatabase + 1)}, squeezed(t, text)},
		"negative":         {Manifest{Kind: Full, Database: size(-1)}, squeezed(t, text)},
		"unknown kind":     {Manifest{Kind: "other", Database: size(1)}, squeezed(t, text)},
		"delta, no base":   {Manifest{Kind: Delta, Database: size(1)}, parts(nil, nil, nil)},
		"delta, empty":     {Manifest{Kind: Delta, Base: base, Database: size(5)}, parts(nil, nil, nil)},
		"delta, too short": {Manifest{Kind: Delta, Base: base, Database: size(5)}, []byte("x")},
		"delta, lengths":   {Manifest{Kind: Delta, Base: base, Database: size(5)}, bytes.Repeat([]byte{0xff}, 40)},
		"delta, beyond":    {Manifest{Kind: Delta, Base: base, Database: size(1 << 40 >> 8)}, parts([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0}, nil, nil)},
		"delta, bomb":      {Manifest{Kind: Delta, Base: base, Database: size(5)}, parts([]byte{0, 5, 0}, nil, make([]byte, 8<<20))},
		"delta, backwards": {Manifest{Kind: Delta, Base: base, Database: size(5)}, parts([]byte{1, 0, 9, 1, 0, 0}, []byte{0, 0}, nil)},
		"delta, standing":  {Manifest{Kind: Delta, Base: base, Database: size(5)}, parts(make([]byte, 3000), nil, nil)},
	} {
		forge(t, snap, c.m, c.payload)
		_, err := into(t, target, snap, ImportOptions{Key: public})
		if err == nil {
			t.Errorf("%s was imported", name)
		}
		if now, err := os.ReadFile(target); err != nil || !bytes.Equal(now, start) {
			t.Fatalf("%s: the database changed (%v)", name, err)
		}
	}
}

// The example of DSSE's specification.
func TestPAE(t *testing.T) {
	got := string(pae("http://example.com/HelloWorld", []byte("hello world")))
	if diff := cmp.Diff("DSSEv1 29 http://example.com/HelloWorld 11 hello world", got); diff != "" {
		t.Error(diff)
	}
}

func TestKeys(t *testing.T) {
	public, private := keys()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	open := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	if got, err := PrivateKey(secret); err != nil || !got.Equal(private) {
		t.Errorf("private key: %v", err)
	}
	if got, err := PublicKey(open); err != nil || !got.Equal(public) {
		t.Errorf("public key: %v", err)
	}
	for _, bad := range [][]byte{nil, []byte("x"), open, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})} {
		if _, err := PrivateKey(bad); err == nil {
			t.Errorf("private key of %q", bad)
		}
	}
	for _, bad := range [][]byte{nil, []byte("x"), secret, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})} {
		if _, err := PublicKey(bad); err == nil {
			t.Errorf("public key of %q", bad)
		}
	}
}

// made applies what diff wrote.
func made(t testing.TB, old, next []byte) []byte {
	t.Helper()
	var control, differences, fresh, out bytes.Buffer
	if err := diff(old, next, deltaWriter{&control, &differences, &fresh}); err != nil {
		t.Fatal(err)
	}
	if err := apply(old, uint64(len(next)), deltaReader{&control, &differences, &fresh}, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func FuzzDiff(f *testing.F) {
	long := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz"), 20)
	f.Add([]byte("old"), []byte("new"))
	f.Add(long, append([]byte("front"), long...))
	f.Add(long, long[300:])
	f.Add(append(bytes.Clone(long), long[7:]...), append(long[100:400], long[:90]...))
	f.Fuzz(func(t *testing.T, old, next []byte) {
		if !bytes.Equal(made(t, old, next), next) {
			t.Error("another file came out")
		}
	})
}

func FuzzApply(f *testing.F) {
	f.Add([]byte("0123456789"), uint16(5), []byte{1, 4, 0}, []byte{1}, []byte("abcd"))
	f.Fuzz(func(t *testing.T, old []byte, size uint16, control, differences, fresh []byte) {
		var out bytes.Buffer
		err := apply(old, uint64(size), deltaReader{bytes.NewReader(control), bytes.NewReader(differences), bytes.NewReader(fresh)}, &out)
		if err == nil && out.Len() != int(size) || out.Len() > int(size) {
			t.Errorf("%d bytes came out, %d were meant (%v)", out.Len(), size, err)
		}
	})
}

func FuzzHead(f *testing.F) {
	public, private := keys()
	m := Manifest{Schema: schema, Kind: Full, Built: day(1), Database: File{Content: Content{digestOf(make([]byte, 32)), 1}}, Payload: Content{digestOf(make([]byte, 32)), 1}}
	body, err := json.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := seal(body, private)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(sealed))), sealed...))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, _, err := readHead(bytes.NewReader(data), public)
		if err == nil && !cmp.Equal(got, m) {
			t.Errorf("accepted %+v", got)
		}
		if got, _, err := readHead(bytes.NewReader(data), nil); err == nil && got.Payload.Size < 0 {
			t.Errorf("accepted %+v", got)
		}
	})
}

func BenchmarkDelta(b *testing.B) {
	dir := b.TempDir()
	build(b, filepath.Join(dir, "1.db"), 5000, 2, day(20))
	build(b, filepath.Join(dir, "2.db"), 5010, 3, day(21))
	old, err := os.ReadFile(filepath.Join(dir, "1.db"))
	if err != nil {
		b.Fatal(err)
	}
	next, err := os.ReadFile(filepath.Join(dir, "2.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(next)))
	b.ReportAllocs()
	for b.Loop() {
		if err := diff(old, next, deltaWriter{io.Discard, io.Discard, io.Discard}); err != nil {
			b.Fatal(err)
		}
	}
}
