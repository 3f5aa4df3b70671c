package db

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bulwark/internal/advisory"
	"bulwark/internal/dependency"
)

// dataFolder is the folder of real data: advisories/ and lockfiles/ in it. The
// tests that need it are skipped without.
func dataFolder(tb testing.TB) string {
	tb.Helper()
	folder := os.Getenv("BULWARK_ADVISORY_DATA")
	if folder == "" {
		tb.Skip("BULWARK_ADVISORY_DATA names no folder of real advisories and lockfiles")
	}
	return folder
}

func unpackFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func zipRecords(paths []string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, path := range paths {
			z, err := zip.OpenReader(path)
			if err != nil {
				yield(Record{}, err)
				return
			}
			set := filepath.Base(filepath.Dir(filepath.Dir(path))) + "/" + filepath.Base(filepath.Dir(path))
			for _, f := range z.File {
				read := func(buf []byte) ([]byte, error) {
					r, err := f.Open()
					if err != nil {
						return nil, err
					}
					defer r.Close()
					b := bytes.NewBuffer(buf)
					_, err = b.ReadFrom(r)
					return b.Bytes(), err
				}
				if !yield(Record{set, f.Name, read}, nil) {
					return
				}
			}
		}
	}
}

func csvRows(path string) ([][]string, error) {
	data, err := unpackFile(path)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comment = '#'
	return r.ReadAll()
}

func sharedInput(folder string) (Input, error) {
	in := Input{Built: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	zips, err := filepath.Glob(filepath.Join(folder, "advisories", "osv*", "*", "all.zip"))
	if err != nil {
		return in, err
	}
	in.Records = zipRecords(zips)
	raw, err := os.ReadFile(filepath.Join(folder, "advisories", "kev.json"))
	if err != nil {
		return in, err
	}
	var kev struct {
		Vulnerabilities []struct{ CveID, DateAdded, DueDate, KnownRansomwareCampaignUse, VulnerabilityName, RequiredAction string }
	}
	if err := json.Unmarshal(raw, &kev); err != nil {
		return in, err
	}
	for _, k := range kev.Vulnerabilities {
		in.KEV = append(in.KEV, advisory.KEV{CVE: k.CveID, Added: k.DateAdded, Due: k.DueDate,
			Ransomware: k.KnownRansomwareCampaignUse == "Known", Name: k.VulnerabilityName, Action: k.RequiredAction})
	}
	rows, err := csvRows(filepath.Join(folder, "advisories", "epss", "epss_scores-2026-01-11.csv.gz"))
	if err != nil {
		return in, err
	}
	for _, row := range rows[1:] {
		score, err1 := strconv.ParseFloat(row[1], 64)
		percentile, err2 := strconv.ParseFloat(row[2], 64)
		if err := cmp.Or(err1, err2); err != nil {
			return in, err
		}
		in.EPSS = append(in.EPSS, advisory.EPSS{CVE: row[0], Score: score, Percentile: percentile, Date: "2026-01-11"})
	}
	if rows, err = csvRows(filepath.Join(folder, "advisories", "ssvc", "cisa_ssvc.csv.gz")); err != nil {
		return in, err
	}
	for _, row := range rows[1:] {
		in.SSVC = append(in.SSVC, advisory.SSVC{CVE: row[0], Exploitation: row[1], Automatable: row[2], TechnicalImpact: row[3], Date: row[7]})
	}
	if raw, err = unpackFile(filepath.Join(folder, "advisories", "eol", "products.json.gz")); err != nil {
		return in, err
	}
	var products map[string]struct {
		Title       string
		Identifiers []map[string]string
		Releases    []struct {
			ReleaseCycle, ReleaseDate, Latest string
			EOL                               any
		}
	}
	if err := json.Unmarshal(raw, &products); err != nil {
		return in, err
	}
	for _, p := range products {
		out := Product{Title: p.Title}
		for _, id := range p.Identifiers {
			if purl := id["purl"]; purl != "" {
				out.Purls = append(out.Purls, purl)
			}
		}
		for _, r := range p.Releases {
			one := Release{Cycle: r.ReleaseCycle, Released: r.ReleaseDate, Latest: r.Latest}
			switch e := r.EOL.(type) {
			case string:
				one.Ends = e
			case bool:
				one.Over = e
			}
			out.Releases = append(out.Releases, one)
		}
		in.Products = append(in.Products, out)
	}
	return in, nil
}

// shared builds the real database once for all tests.
var shared = sync.OnceValues(func() ([]byte, error) {
	in, err := sharedInput(os.Getenv("BULWARK_ADVISORY_DATA"))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	report, err := Build(context.Background(), &out, in)
	if err != nil {
		return nil, err
	}
	if len(report.Problems) > 0 {
		return nil, fmt.Errorf("%d records were refused: %v", len(report.Problems), report.Problems)
	}
	return out.Bytes(), nil
})

func sharedDB(tb testing.TB) *DB {
	dataFolder(tb)
	data, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	db, err := FromBytes(data)
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

type asked struct{ ecosystem, name, version string }

func expected(tb testing.TB) map[asked][]string {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join(dataFolder(tb), "lockfiles", "expected.tsv"))
	if err != nil {
		tb.Fatal(err)
	}
	rows := make(map[asked][]string)
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n")[1:] {
		f := strings.Split(line, "\t")
		key := asked{f[2], f[3], f[4]}
		rows[key] = append(rows[key], f[5])
	}
	return rows
}

// TestLockfiles holds the database against the rows that another scanner gives
// over the same data: the same records for each package, none more, none fewer.
func TestLockfiles(t *testing.T) {
	db := sharedDB(t)
	if err := db.Verify(); err != nil {
		t.Fatal(err)
	}
	rows := expected(t)
	count := 0
	for key, want := range rows {
		matches, err := db.Match(t.Context(), dependency.Ecosystem(key.ecosystem), key.name, key.version)
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, m := range matches {
			for _, p := range m.Proofs {
				got = append(got, p.Record)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		want = slices.Compact(want)
		count += len(want)
		for _, id := range want {
			if !slices.Contains(got, id) {
				t.Errorf("%v: %s is missing", key, id)
			}
		}
		for _, id := range got {
			if !slices.Contains(want, id) {
				t.Errorf("%v: %s is too much", key, id)
			}
		}
	}
	info, err := db.Info()
	if err != nil || info.Records != 77306 {
		t.Errorf("the database is of %d records, not of all 77306: %v", info.Records, err)
	}
	t.Logf("%d packages, %d records; %+v", len(rows), count, info)
}

func BenchmarkBuild(b *testing.B) {
	folder := dataFolder(b)
	for b.Loop() {
		in, err := sharedInput(folder)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Build(b.Context(), io.Discard, in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dataFolder(b)
	data, err := shared()
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		db, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// thousand are the packages of the real lockfiles and, up to 1,000, packages of
// the index with a version that one of their advisories names.
func thousand(tb testing.TB, db *DB) []asked {
	tb.Helper()
	var out []asked
	for key := range expected(tb) {
		out = append(out, key)
	}
	n := 0
	for p, err := range db.Packages() {
		if err != nil {
			tb.Fatal(err)
		}
		if n++; n%37 != 0 || len(out) >= 1000 {
			continue
		}
		packed, _, err := db.findPackage(string(p.Ecosystem), p.Name)
		if err != nil {
			tb.Fatal(err)
		}
		if packed.versions == 0 {
			continue
		}
		v, err := packed.version(packed.versions / 2)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, asked{string(p.Ecosystem), p.Name, string(v)})
	}
	return out
}

func BenchmarkMatch1000(b *testing.B) {
	db := sharedDB(b)
	list := thousand(b, db)
	b.ReportAllocs()
	b.ResetTimer()
	found := 0
	for b.Loop() {
		for _, key := range list {
			matches, err := db.Match(b.Context(), dependency.Ecosystem(key.ecosystem), key.name, key.version)
			var unordered *UnorderedError
			if err != nil && !errors.As(err, &unordered) {
				b.Fatal(err)
			}
			found += len(matches)
		}
	}
	b.ReportMetric(float64(found)/float64(b.N), "matches/op")
	b.ReportMetric(float64(len(list)), "packages")
	runtime.KeepAlive(db)
}
