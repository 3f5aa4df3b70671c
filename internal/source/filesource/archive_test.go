package filesource

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
)

type entry struct {
	name, text string
	kind       byte   // tar type
	link       string // target
}

func entriesOf(files map[string]string) []entry {
	var out []entry
	for n, t := range files {
		out = append(out, entry{name: n, text: t})
	}
	return out
}

func tarOf(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.kind == tar.TypeSymlink {
			h.SetMode(os.ModeSymlink | 0o777)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressed(t testing.TB, data []byte, make func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := make(&b)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t testing.TB, data []byte) []byte {
	return compressed(t, data, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
}

func xzOf(t testing.TB, data []byte) []byte {
	return compressed(t, data, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) })
}

func zst(t testing.TB, data []byte) []byte {
	return compressed(t, data, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
}

func writeArchive(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func archive(t testing.TB, name string, data []byte, limits Limits) *ArchiveSource {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	writeArchive(t, path, data)
	a, err := Archive(path, limits)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestArchiveKinds(t *testing.T) {
	files := map[string]string{"a": "1", "d/b.txt": strings.Repeat("2", 100_000), "c/é": "3"}
	plainTar := tarOf(t, entriesOf(files))
	for name, data := range map[string][]byte{
		"x.tar": plainTar, "x.tar.gz": gz(t, plainTar), "x.txz": xzOf(t, plainTar), "x.tar.zst": zst(t, plainTar), "x.zip": zipOf(t, entriesOf(files)),
		"no suffix": gz(t, plainTar), "two members.tgz": append(gz(t, plainTar[:700]), gz(t, plainTar[700:])...),
		"two streams.txz":   append(append(xzOf(t, plainTar[:700]), 0, 0, 0, 0), xzOf(t, plainTar[700:])...),
		"concatenated.tzst": append(zst(t, plainTar[:700]), zst(t, plainTar[700:])...),
	} {
		t.Run(name, func(t *testing.T) {
			a := archive(t, name, data, Limits{})
			got := collect(t, a)
			if diff := cmp.Diff(files, got.files); diff != "" || len(got.skips) > 0 {
				t.Errorf("skips %v, files (-want +got):\n%s", got.skips, diff)
			}
			if a.Asset().Name != name {
				t.Errorf("Asset = %+v", a.Asset())
			}
			// A second walk finds the same.
			if diff := cmp.Diff(got, collect(t, a), cmp.AllowUnexported(seen{})); diff != "" {
				t.Errorf("second walk (-first +second):\n%s", diff)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "text.zip")
	writeArchive(t, path, []byte("text"))
	if _, err := Archive(path, Limits{}); err == nil || !strings.Contains(err.Error(), "neither a zip nor a tar") {
		t.Errorf("Archive of a text: %v", err)
	}
	if _, err := Archive(t.TempDir(), Limits{}); err == nil {
		t.Error("a folder was opened as an archive")
	}
}

func TestArchiveNames(t *testing.T) {
	entries := []entry{
		{name: "../../etc/passwd", text: "1"}, {name: "/abs", text: "2"}, {name: `win\dows`, text: "3"}, {name: `C:\x`, text: "4"},
		{name: "a/../b", text: "5"}, {name: "./fine", text: "6"}, {name: "..", text: "7"},
	}
	want := map[string]string{"etc/passwd": "1", "abs": "2", "win/dows": "3", "x": "4", "a/b": "5", "fine": "6", "unnamed": "7"}
	for name, data := range map[string][]byte{"a.tar": tarOf(t, entries), "a.tgz": gz(t, tarOf(t, entries)), "a.zip": zipOf(t, entries)} {
		a := archive(t, name, data, Limits{})
		got := collect(t, a)
		if diff := cmp.Diff(want, got.files); diff != "" {
			t.Errorf("%s: files (-want +got):\n%s", name, diff)
		}
		if n := a.Notices(); len(n) != 6 || n[0].Kind != "unsafe-path" || n[0].Path != "etc/passwd" || !strings.Contains(n[0].Message, `"../../etc/passwd"`) {
			t.Errorf("%s: notices %+v", name, n)
		}
	}
}

func TestArchiveSpecialEntries(t *testing.T) {
	entries := []entry{
		{name: "link", kind: tar.TypeSymlink, link: "/etc/passwd"}, {name: "hard", kind: tar.TypeLink, link: "f"},
		{name: "pipe", kind: tar.TypeFifo}, {name: "dev", kind: tar.TypeChar}, {name: "dir/", kind: tar.TypeDir}, {name: "f", text: "x"},
	}
	got := collect(t, archive(t, "a.tar", tarOf(t, entries), Limits{}))
	want := []string{"dev: not a regular file", "hard: link in an archive", "link: link in an archive", "pipe: not a regular file"}
	if diff := cmp.Diff(want, reasons(got.skips)); diff != "" {
		t.Errorf("tar: skips (-want +got):\n%s", diff)
	}
	z := zipOf(t, []entry{{name: "link", text: "/etc/passwd", kind: tar.TypeSymlink}, {name: "dir/"}, {name: "f", text: "x"}, {name: "crypt", text: "yyyy"}})
	// Set the encryption flag and an unknown method in the central directory.
	at := bytes.LastIndex(z, []byte("PK\x01\x02"))
	z[at+8] |= 1
	got = collect(t, archive(t, "a.zip", z, Limits{}))
	want = []string{"crypt: encrypted archive entry", "link: link in an archive"}
	if diff := cmp.Diff(want, reasons(got.skips)); diff != "" {
		t.Errorf("zip: skips (-want +got):\n%s", diff)
	}
	z[at+8] &^= 1
	z[at+10] = 99
	got = collect(t, archive(t, "a.zip", z, Limits{}))
	want[0] = "crypt: unsupported archive format"
	if diff := cmp.Diff(want, reasons(got.skips)); diff != "" {
		t.Errorf("zip: skips (-want +got):\n%s", diff)
	}
}

func TestArchiveDamaged(t *testing.T) {
	noise := make([]byte, 300_000)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(r.Uint32())
	}
	files := []entry{{name: "a", text: "first"}, {name: "b", text: string(noise)}}
	tarred := tarOf(t, files)
	for name, data := range map[string][]byte{
		"cut.tar": tarred[:len(tarred)-60_000], "cut.tgz": func() []byte { z := gz(t, tarred); return z[:len(z)-40] }(),
		"cut.txz": func() []byte { z := xzOf(t, tarred); return z[:len(z)-60] }(),
	} {
		got := collect(t, archive(t, name, data, Limits{}))
		if got.files["a"] != "first" || len(got.files) > 2 {
			t.Errorf("%s: what comes before the damage is missing: %d files", name, len(got.files))
		}
		if r := reasons(got.skips); len(r) != 1 || r[0] != name+": damaged archive!" {
			t.Errorf("%s: skips %v", name, r)
		}
	}
	z := zipOf(t, files)
	got := collect(t, archive(t, "cut.zip", z[:len(z)-30], Limits{}))
	if r := reasons(got.skips); len(r) != 1 || r[0] != "cut.zip: damaged archive!" || len(got.files) != 0 {
		t.Errorf("cut.zip: skips %v", r)
	}
	z[40] ^= 0xff // the content of the first entry
	got = collect(t, archive(t, "bit.zip", z, Limits{}))
	if !strings.HasPrefix(got.files["a"], "error: ") {
		t.Errorf("a damaged entry was read as %q", got.files["a"])
	}
}

const zerosPiece = 16 << 20

// zeroZip is a zip file with an entry of 1 GiB of zeros, compressed about as far
// as deflate can: 64 times the same piece, each ending on a byte boundary.
func zeroZip(t testing.TB, name string) []byte {
	t.Helper()
	piece := compressed(t, make([]byte, zerosPiece), func(w io.Writer) (io.WriteCloser, error) {
		f, err := flate.NewWriter(w, flate.BestCompression)
		return flushed{f}, err
	})
	raw := append(bytes.Repeat(piece, 64), 3, 0) // and an empty last block
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	sum := crc32.NewIEEE()
	for range 64 {
		if _, err := sum.Write(make([]byte, zerosPiece)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := w.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, CRC32: sum.Sum32(), CompressedSize64: uint64(len(raw)), UncompressedSize64: 1 << 30})
	if err == nil {
		_, err = f.Write(raw)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// flushed ends a deflate stream on a byte boundary, open for more.
type flushed struct{ *flate.Writer }

func (f flushed) Close() error { return f.Flush() }

func TestZipBomb(t *testing.T) {
	data := zeroZip(t, "zeros")
	got := collect(t, archive(t, "bomb.zip", data, Limits{}))
	if diff := cmp.Diff([]string{"zeros: suspected zip bomb!"}, reasons(got.skips)); diff != "" || len(got.files) > 0 {
		t.Errorf("files %d, skips (-want +got):\n%s", len(got.files), diff)
	}
	// The directory lies: it says that the entry is small.
	at := bytes.Index(data, []byte("PK\x01\x02"))
	copy(data[at+24:], []byte{0, 0, 0x10, 0})
	got = collect(t, archive(t, "lying.zip", data, Limits{}))
	if text := got.files["zeros"]; !strings.HasPrefix(text, "error: ") {
		t.Errorf("the lying bomb gave %d bytes", len(text))
	}

	// Inside a tar file the bomb is one entry; the next one is still read.
	head := tarOf(t, []entry{{name: "before", text: "x"}})
	head = head[:len(head)-1024] // without the end of the archive
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: "zeros", Size: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	bomb := gz(t, append(head, b.Bytes()...))
	bomb = append(bomb, bytes.Repeat(gz(t, make([]byte, zerosPiece)), 64)...)
	bomb = append(bomb, gz(t, tarOf(t, []entry{{name: "after", text: "x"}}))...)
	got = collect(t, archive(t, "bomb.tgz", bomb, Limits{}))
	if diff := cmp.Diff([]string{"zeros: suspected zip bomb!"}, reasons(got.skips)); diff != "" || len(got.files) != 2 {
		t.Errorf("tgz: files %d, skips (-want +got):\n%s", len(got.files), diff)
	}
	// A single compressed file.
	z := bytes.Repeat(zst(t, make([]byte, zerosPiece)), 10)
	got = collect(t, archive(t, "bomb.zst", z, Limits{}))
	if diff := cmp.Diff([]string{"bomb.zst: suspected zip bomb!"}, reasons(got.skips)); diff != "" || len(got.files) != 0 {
		t.Errorf("zst: files %d, skips (-want +got):\n%s", len(got.files), diff)
	}
}

func TestBudgets(t *testing.T) {
	var entries []entry
	for i := range 20 {
		entries = append(entries, entry{name: fmt.Sprintf("f%02d", i), text: strings.Repeat("x", 10_000)})
	}
	got := collect(t, archive(t, "a.tgz", gz(t, tarOf(t, entries)), Limits{Bytes: 100_000}))
	if r := reasons(got.skips); len(r) != 1 || r[0] != "a.tgz: archive too large!" || len(got.files) < 1 || len(got.files) > 10 {
		t.Errorf("bytes, tgz: %d files, skips %v", len(got.files), r)
	}
	got = collect(t, archive(t, "a.zip", zipOf(t, entries), Limits{Bytes: 100_000}))
	failed := 0
	for _, text := range got.files {
		if strings.HasPrefix(text, "error: archive too large") {
			failed++
		}
	}
	if failed != 10 {
		t.Errorf("bytes, zip: %d of 20 entries were refused, want 10", failed)
	}
	for name, data := range map[string][]byte{"a.tar": tarOf(t, entries), "a.zip": zipOf(t, entries)} {
		got = collect(t, archive(t, name, data, Limits{Entries: 5}))
		if r := reasons(got.skips); len(r) != 1 || r[0] != name+": too many entries in archives!" || len(got.files) != 5 {
			t.Errorf("entries, %s: %d files, skips %v", name, len(got.files), r)
		}
	}
}

func TestNested(t *testing.T) {
	data := []byte("core")
	name := "f"
	for i := range 6 {
		next := fmt.Sprintf("n%d.zip", i)
		switch i % 3 {
		case 0:
			data = zipOf(t, []entry{{name: name, text: string(data)}})
		case 1:
			next = fmt.Sprintf("n%d.tar", i)
			data = tarOf(t, []entry{{name: name, text: string(data)}, {name: "side", text: "side"}})
		case 2:
			next = fmt.Sprintf("n%d.tgz", i)
			data = gz(t, tarOf(t, []entry{{name: name, text: string(data)}}))
		}
		name = next
	}
	got := collect(t, archive(t, "outer.tgz", data, Limits{}))
	if diff := cmp.Diff(map[string]string{"n4.tar!/side": "side"}, got.files); diff != "" {
		t.Errorf("one level: files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"n4.tar!/n3.zip: archive nested too deep"}, reasons(got.skips)); diff != "" {
		t.Errorf("one level: skips (-want +got):\n%s", diff)
	}
	got = collect(t, archive(t, "outer.tgz", data, Limits{Nested: 9}))
	if diff := cmp.Diff([]string{"n4.tar!/n3.zip!/n2.tgz!/n1.tar: archive nested too deep"}, reasons(got.skips)); diff != "" {
		t.Errorf("three levels: skips (-want +got):\n%s", diff)
	}
	// Wide rather than deep: each level holds the one below many times.
	wide := zipOf(t, []entry{{name: "f", text: strings.Repeat("x", 50_000)}})
	for level := range 3 {
		var entries []entry
		for i := range 12 {
			entries = append(entries, entry{name: fmt.Sprintf("l%d-%d.zip", level, i), text: string(wide)})
		}
		wide = zipOf(t, entries)
	}
	got = collect(t, archive(t, "wide.zip", wide, Limits{Nested: 3, Entries: 500, Bytes: 1 << 20}))
	if len(got.files) > 500 {
		t.Errorf("wide: %d files came out of 500 entries", len(got.files))
	}
}

func TestHundredThousandEntries(t *testing.T) {
	const n = 100_000
	var zb, tb bytes.Buffer
	zw, tw := zip.NewWriter(&zb), tar.NewWriter(&tb)
	for i := range n {
		name := fmt.Sprintf("dir%d/file%d", i%100, i)
		f, err := zw.CreateHeader(&zip.FileHeader{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, name); err != nil {
			t.Fatal(err)
		}
		if err := tw.WriteHeader(&tar.Header{Name: name, Size: int64(len(name))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"a.zip": zb.Bytes(), "a.tar": tb.Bytes(), "a.tgz": gz(t, tb.Bytes())} {
		start := time.Now()
		files := 0
		err := archive(t, name, data, Limits{}).Walk(t.Context(), func(f source.File) error {
			files++
			text, err := readFile(f)
			if err == nil && text != f.Path {
				err = fmt.Errorf("%s holds %q", f.Path, text)
			}
			return err
		}, func(s outcome.Skip) error { return fmt.Errorf("skip %+v", s) })
		if err != nil || files != n {
			t.Errorf("%s: %d files, %v", name, files, err)
		}
		t.Logf("%s: %d entries walked and read in %v", name, files, time.Since(start).Round(time.Millisecond))
	}
}

// Entries that nobody opens must neither block the walk nor fill the memory.
func TestSpoolOfUnopenedEntries(t *testing.T) {
	const size, n = 4 << 20, 60
	text := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz\n", size/37+1)[:size]
	var entries []entry
	for i := range n {
		entries = append(entries, entry{name: fmt.Sprintf("f%d", i), text: text})
	}
	dir := t.TempDir()
	a := archive(t, "a.tzst", zst(t, tarOf(t, entries)), Limits{TempDir: dir})
	var kept []source.File
	if err := a.Walk(t.Context(), func(f source.File) error { kept = append(kept, f); return nil }, func(s outcome.Skip) error { return fmt.Errorf("skip %+v", s) }); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("heap in use with %d MiB in unopened entries: %d MiB", n*size>>20, m.HeapInuse>>20)
	for _, f := range kept {
		if got, err := readFile(f); err != nil || got != text {
			t.Fatalf("%s: %d bytes, %v", f.Path, len(got), err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

func TestXZDictionary(t *testing.T) {
	big := xzOf(t, []byte("hello"))
	// A block header with a dictionary of 4 GiB: magic 6, flags 2, CRC 4, then
	// header size, flags, filter id, property size, property.
	big[16] = 40
	got := collect(t, archive(t, "big.xz", big, Limits{}))
	if len(got.skips) != 1 || !strings.Contains(got.skips[0].Detail, "wants a dictionary of 4095 MiB") {
		t.Errorf("skips %+v", got.skips)
	}
	second := append(xzOf(t, []byte("hello")), big...)
	got = collect(t, archive(t, "second.xz", second, Limits{}))
	if len(got.skips) != 1 || !strings.Contains(got.skips[0].Detail, "wants a dictionary of 4095 MiB") {
		t.Errorf("second stream: skips %+v", got.skips)
	}
	// Several blocks and incompressible content pass unharmed.
	noise := make([]byte, 3<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	data := compressed(t, noise, func(w io.Writer) (io.WriteCloser, error) { return xz.WriterConfig{BlockSize: 300_001}.NewWriter(w) })
	got = collect(t, archive(t, "blocks.xz", data, Limits{}))
	if got.files["blocks"] != string(noise) || len(got.skips) > 0 {
		t.Errorf("blocks: %d bytes, skips %+v", len(got.files["blocks"]), got.skips)
	}
}

func TestSparseTar(t *testing.T) {
	// A GNU sparse entry (old format) of 10 GiB without any data.
	h := make([]byte, 512)
	copy(h, "sparse")
	copy(h[100:], "0000644\x00")
	copy(h[108:], "0000000\x000000000\x00")
	copy(h[124:], "00000000000\x0000000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[386:], "120000000000") // one map entry: at its end, no bytes
	copy(h[398:], "00000000000\x00")
	copy(h[483:], "120000000000") // real size 10 GiB
	sum := 0
	copy(h[148:], "        ")
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	data := append(h, tarOf(t, []entry{{name: "after", text: "x"}})...)
	got := collect(t, archive(t, "s.tar", data, Limits{Bytes: 100 << 20}))
	t.Log(reasons(got.skips))
	if len(got.skips) != 1 || !got.skips[0].Failed {
		t.Errorf("skips %+v, files %d", got.skips, len(got.files))
	}
}

func FuzzArchive(f *testing.F) {
	files := []entry{{name: "a", text: "hello"}, {name: "d/b.zip", text: string(zipOf(f, []entry{{name: "x", text: "y"}}))}}
	tarred := tarOf(f, files)
	for _, seed := range [][]byte{tarred, gz(f, tarred), zipOf(f, files), zst(f, tarred), xzOf(f, []byte("hello")), []byte("BZh91AY&SY")} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		s := Stdin(bytes.NewReader(data), Limits{Bytes: 1 << 22, Entries: 1000, RatioFrom: 1 << 20, TempDir: dir})
		err := s.Walk(t.Context(), func(f source.File) error {
			if strings.HasPrefix(f.Path, "/") || strings.Contains("/"+f.Path+"/", "/../") || strings.Contains(f.Path, "\x00") {
				t.Errorf("unsafe path %q", f.Path)
			}
			r, err := f.Open()
			if err != nil {
				return nil
			}
			_, _ = io.Copy(io.Discard, r)
			return r.Close()
		}, func(outcome.Skip) error { return nil })
		if err != nil {
			t.Errorf("Walk: %v", err)
		}
	})
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a/b", "../x", `C:\..\y`, "/", "\x00", "c:/c:/x", "a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, safe := safeName(name)
		if clean == "" || strings.HasPrefix(clean, "/") || strings.ContainsAny(clean, "\\\x00") || strings.Contains("/"+clean+"/", "/../") {
			t.Errorf("safeName(%q) = %q", name, clean)
		}
		if safe && filepath.IsAbs(name) {
			t.Errorf("safeName(%q) is said to be safe", name)
		}
	})
}
