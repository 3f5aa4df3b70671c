package feed

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zipOf packs files, names and contents in turn.
func zipOf(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchiveNamesAreIDs(t *testing.T) {
	data := zipOf(t, "A-1.json", "one", "../../etc/cron.d/x.json", "two", "/abs.json", "three", `..\win.json`, "four",
		"deep/A-2.json", "five", "folder/", "", "readme.txt", "six", ".hidden.json", "seven", "A-1.json", "again", "ALSA-2026:1.json", "eight")
	a, err := openArchive(bytes.NewReader(data), int64(len(data)), "osv/x", Limits{}.filled())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range a.records {
		text, err := e.read(nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.id+"="+string(text))
	}
	if diff := cmp.Diff([]string{"A-1=one", "ALSA-2026:1=eight"}, got); diff != "" {
		t.Error(diff)
	}
	if len(a.refused) != 8 {
		t.Errorf("refused %d: %v", len(a.refused), a.refused)
	}
}

func TestArchiveLimits(t *testing.T) {
	small := zipOf(t, "A-1.json", "one", "A-2.json", "two")
	bomb := zipOf(t, "A-1.json", strings.Repeat("a", 15<<20))
	for _, c := range []struct {
		name string
		data []byte
		lim  Limits
		want string
	}{
		{"size", small, Limits{Archive: 10}, "more than 10"},
		{"entries", small, Limits{Records: 1}, "more than 1"},
		{"raw", small, Limits{Raw: 5}, "more than 5"},
		{"bomb", bomb, Limits{}, errBomb.Error()},
		{"cut", small[:len(small)-9], Limits{}, "directory"},
		{"empty", nil, Limits{}, "directory"},
	} {
		_, err := openArchive(bytes.NewReader(c.data), int64(len(c.data)), "osv/x", c.lim.filled())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	a, err := openArchive(bytes.NewReader(small), int64(len(small)), "osv/x", Limits{Record: 2}.filled())
	if err != nil || len(a.records) != 0 || len(a.refused) != 2 {
		t.Errorf("large records: %d taken, %d refused, %v", len(a.records), len(a.refused), err)
	}
}

// A directory that lies about an entry is found out when the entry is read.
func TestArchiveLies(t *testing.T) {
	data := zipOf(t, "A-1.json", strings.Repeat("one ", 100))
	at := bytes.LastIndex(data, []byte("PK\x01\x02"))
	for name, size := range map[string]byte{"shorter": 10, "longer": 255} {
		lie := bytes.Clone(data)
		lie[at+24], lie[at+25] = size, 3*(size/255)
		a, err := openArchive(bytes.NewReader(lie), int64(len(lie)), "osv/x", Limits{}.filled())
		if err != nil {
			continue
		}
		if text, err := a.records[0].read(nil); err == nil {
			t.Errorf("%s: read %d bytes", name, len(text))
		}
	}
	broken := bytes.Clone(data)
	broken[45] ^= 0xff
	a, err := openArchive(bytes.NewReader(broken), int64(len(broken)), "osv/x", Limits{}.filled())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.records[0].read(nil); err == nil {
		t.Error("altered bytes were read")
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(zipOf(f, "A-1.json", "one", "../x.json", "two"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lim := Limits{Record: 1 << 20, Records: 100, Raw: 4 << 20}.filled()
		a, err := openArchive(bytes.NewReader(data), int64(len(data)), "osv/x", lim)
		if err != nil {
			return
		}
		for _, e := range a.records {
			if !validID(e.id) {
				t.Errorf("accepted %q", e.id)
			}
			if text, err := e.read(nil); err == nil && len(text) > 1<<20 {
				t.Errorf("read %d bytes", len(text))
			}
		}
	})
}

func write(t testing.TB, data []byte, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLook(t *testing.T) {
	root := filepath.Join(t.TempDir(), "data")
	z := zipOf(t, "A-1.json", "{}")
	write(t, z, root, "osv", "npm", "all.zip")
	write(t, z, root, "osv", "crates.io", "all.zip")
	write(t, z, root, "osv-derived", "npm", "all.zip")
	write(t, []byte(kevFile("", 0)), root, "kev.json")
	old := strings.Replace(kevFile("", 0), "2026-08", "2025-08", 1)
	write(t, gz(t, []byte(old)), root, "kev", "known_exploited_vulnerabilities-2027-01-01.json.gz")
	write(t, nil, root, "epss", "epss_scores-2026-01-08.csv.gz")
	write(t, nil, root, "epss", "epss_scores-2026-01-11.csv.gz")
	write(t, nil, root, "README.md")

	names := func(f found) (out []string) {
		for _, s := range f.sets {
			out = append(out, s.set+"/"+s.ecosystem+" "+s.shown)
		}
		return out
	}
	for _, c := range []struct {
		dir  string
		want []string
	}{
		{root, []string{"osv/crates.io data/osv/crates.io", "osv/npm data/osv/npm", "osv-derived/npm data/osv-derived/npm"}},
		{filepath.Join(root, "osv"), []string{"osv/crates.io osv/crates.io", "osv/npm osv/npm"}},
		{filepath.Join(root, "osv", "npm"), []string{"osv/npm npm"}},
		{filepath.Join(root, "kev"), nil},
	} {
		f, err := look(c.dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, names(f)); diff != "" {
			t.Errorf("%s: %s", c.dir, diff)
		}
	}
	f, err := look(root)
	if err != nil {
		t.Fatal(err)
	}
	// The date that the content states counts more than that of the name.
	if got := filepath.Base(newestOf(f.tables[setKEV])); got != "kev.json" {
		t.Errorf("newest KEV: %s", got)
	}
	if got := filepath.Base(newestOf(f.tables[setEPSS])); got != "epss_scores-2026-01-11.csv.gz" {
		t.Errorf("newest EPSS: %s", got)
	}
	if _, err := look(t.TempDir()); err == nil {
		t.Error("an empty folder holds advisories")
	}
	if _, err := look(filepath.Join(root, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func BenchmarkArchive(b *testing.B) {
	var parts []string
	for i := range 1000 {
		parts = append(parts, fmt.Sprintf("A-%d.json", i), strings.Repeat(fmt.Sprintf(`{"id":"A-%d"}`, i), 100))
	}
	data := zipOf(b, parts...)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		a, err := openArchive(bytes.NewReader(data), int64(len(data)), "osv/x", Limits{}.filled())
		if err != nil {
			b.Fatal(err)
		}
		var buf []byte
		for _, e := range a.records {
			if buf, err = e.read(buf[:0]); err != nil {
				b.Fatal(err)
			}
		}
	}
}
