package db

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/osv"
	"bulwark/internal/advisory/version"
	"bulwark/internal/dependency"
)

const stamp = `"modified":"2030-01-01T00:00:00Z"`

func npm(id, aliases, events, more string) string {
	return `{"id":"` + id + `",` + stamp + `,"aliases":[` + aliases + `],"affected":[{"package":{"ecosystem":"npm","name":"left"},` +
		`"ranges":[{"type":"SEMVER","events":[` + events + `]}]` + more + `}]}`
}

func input(records ...string) Input {
	return Input{
		Built: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Workers: 2,
		Records: func(yield func(Record, error) bool) {
			for i, r := range records {
				read := func(buf []byte) ([]byte, error) { return append(buf, r...), nil }
				if !yield(Record{"osv/test", fmt.Sprint(i), read}, nil) {
					return
				}
			}
		},
	}
}

func build(tb testing.TB, in Input) ([]byte, *Report) {
	tb.Helper()
	var out bytes.Buffer
	report, err := Build(tb.Context(), &out, in)
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes(), report
}

func open2(tb testing.TB, in Input) *DB {
	tb.Helper()
	data, report := build(tb, in)
	if len(report.Problems) > 0 {
		tb.Fatal(report.Problems)
	}
	db, err := FromBytes(data)
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

func ids(matches []advisory.Match) string {
	var out []string
	for _, m := range matches {
		out = append(out, m.ID)
	}
	return strings.Join(out, " ")
}

func TestMatch(t *testing.T) {
	db := open2(t, input(
		npm("GHSA-1", `"CVE-2030-1111"`, `{"introduced":"0"},{"fixed":"1.2.0"},{"introduced":"2.0.0"},{"fixed":"2.3.0"}`, ""),
		npm("NSWG-7", `"CVE-2030-1111"`, `{"introduced":"0"},{"last_affected":"1.1.9"}`, ""),
		npm("GHSA-2", ``, `{"introduced":"1.0.0"}`, `,"versions":["0.9.0","next"]`),
		npm("MAL-2030-1", ``, `{"introduced":"9.0.0"},{"last_affected":"9.0.0"}`, ""),
		`{"id":"GHSA-3",`+stamp+`,"withdrawn":"2030-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"left"},"versions":["1.0.0"]}]}`,
		`{"id":"PYSEC-1",`+stamp+`,"affected":[{"package":{"ecosystem":"PyPI","name":"Left_Pad"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"limit":"2.0"}]}]}]}`,
		`{"id":"GIT-1",`+stamp+`,"affected":[{"package":{"ecosystem":"npm","name":"gone"},"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}`,
		`{"id":"ODD-1",`+stamp+`,"affected":[{"package":{"ecosystem":"Odd","name":"o"},"versions":["x1"],"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}`,
	))
	tests := []struct {
		ecosystem     dependency.Ecosystem
		name, version string
		want          string
	}{
		{"npm", "left", "0.1.0", "CVE-2030-1111"},
		{"npm", "left", "0.9.0", "CVE-2030-1111 GHSA-2"},
		{"npm", "left", "v1.1.9", "CVE-2030-1111 GHSA-2"},
		{"npm", "left", "1.2.0", "GHSA-2"},
		{"npm", "left", "1.2.0-rc.1", "CVE-2030-1111 GHSA-2"},
		{"npm", "left", "2.2.9+build", "CVE-2030-1111 GHSA-2"},
		{"npm", "left", "9.0.0", "GHSA-2 MAL-2030-1"},
		{"npm", "Left", "0.1.0", ""},
		{"npm", "unknown", "main", ""},
		{"npm", "gone", "1.0.0", ""},
		{"Cargo", "left", "0.1.0", ""},
		{"PyPI", "left.pad", "1.9", "PYSEC-1"},
		{"PyPI", "left-pad", "2.0", ""},
		{"Odd", "o", "x1", "ODD-1"},
	}
	for _, test := range tests {
		got, err := db.Match(t.Context(), test.ecosystem, test.name, test.version)
		var unordered *UnorderedError
		if test.ecosystem == "Odd" && errors.As(err, &unordered) {
			err = nil
		}
		if err != nil || ids(got) != test.want {
			t.Errorf("%s %s %s: got %q, %v, want %q", test.ecosystem, test.name, test.version, ids(got), err, test.want)
		}
	}
	got, err := db.Match(t.Context(), "npm", "left", "next")
	var unordered *UnorderedError
	if !errors.As(err, &unordered) || !errors.Is(err, version.ErrUnordered) || unordered.Groups != 3 || ids(got) != "GHSA-2" {
		t.Errorf("got %q, %v", ids(got), err)
	}
	if got, err = db.Match(t.Context(), "npm", "left", "1.1.0"); err != nil {
		t.Fatal(err)
	}
	want := []advisory.Match{
		{ID: "CVE-2030-1111", Aliases: []string{"GHSA-1", "NSWG-7"}, Fixed: []string{"1.2.0", "2.3.0"}, Proofs: []advisory.Proof{
			{Record: "GHSA-1", Ecosystem: "npm", Package: "left", Version: "1.1.0", Introduced: "0", Fixed: "1.2.0", Comparator: "semver"},
			{Record: "NSWG-7", Ecosystem: "npm", Package: "left", Version: "1.1.0", Introduced: "0", LastAffected: "1.1.9", Comparator: "semver"},
		}},
		{ID: "GHSA-2", Proofs: []advisory.Proof{
			{Record: "GHSA-2", Ecosystem: "npm", Package: "left", Version: "1.1.0", Introduced: "1.0.0", Comparator: "semver"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	info, err := db.Info()
	if err != nil || info.Records != 8 || info.Packages != 3 || info.Unordered != 1 || len(info.Serial) != 64 {
		t.Errorf("got %+v, %v", info, err)
	}
	if d, err := db.Detail("GHSA-3"); err != nil || d.Withdrawn.IsZero() {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := db.Detail("GHSA-9"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestIntervals(t *testing.T) {
	in := func(v string) osv.Event { return osv.Event{Introduced: v} }
	fix := func(v string) osv.Event { return osv.Event{Fixed: v} }
	end := func(v string) osv.Event { return osv.Event{LastAffected: v} }
	lim := func(v string) osv.Event { return osv.Event{Limit: v} }
	tests := []struct {
		name   string
		events []osv.Event
		want   []interval
	}{
		{"unsorted", []osv.Event{fix("2"), in("1"), fix("4"), in("3")}, []interval{{"1", "2", fixed}, {"3", "4", fixed}}},
		{"touching", []osv.Event{in("0"), fix("2"), in("2"), fix("3")}, []interval{{"", "2", fixed}, {"2", "3", fixed}}},
		{"nothing", []osv.Event{in("2"), fix("2")}, []interval{{"2", "2", fixed}}},
		{"one version, backwards", []osv.Event{end("2"), in("2")}, []interval{{"2", "2", last}}},
		{"twice introduced", []osv.Event{in("1"), in("2"), end("3")}, []interval{{"1", "3", last}}},
		{"open", []osv.Event{in("1"), fix("2"), in("3")}, []interval{{"1", "2", fixed}, {"3", "", open}}},
		{"fixed before", []osv.Event{in("3"), fix("2")}, []interval{{"3", "", open}}},
		{"limit", []osv.Event{in("0"), lim("2"), lim("1"), in("5")}, []interval{{"", "2", limit}}},
		{"no limit", []osv.Event{in("1"), lim("*")}, []interval{{"1", "", open}}},
		{"limit between", []osv.Event{in("1"), fix("2"), in("3"), fix("5"), in("7"), lim("4")}, []interval{{"1", "2", fixed}, {"3", "4", limit}}},
	}
	for _, test := range tests {
		got, err := intervals(version.Semver(), test.events)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(interval{})); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	if _, err := intervals(version.Semver(), []osv.Event{in("main")}); err == nil {
		t.Error("a branch became a bound")
	}
}

func TestGroups(t *testing.T) {
	rec := func(id string, aliases ...string) *gathered { return &gathered{id: id, aliases: aliases} }
	gone := rec("W-1", "CVE-1", "CVE-9")
	gone.withdrawn = true
	tests := []struct {
		name    string
		records []*gathered
		want    []string
		kept    int
	}{
		{"shared alias", []*gathered{rec("GHSA-1", "CVE-1"), rec("PYSEC-1", "CVE-1")}, []string{"CVE-1 GHSA-1 PYSEC-1"}, 0},
		{"chain without a CVE", []*gathered{rec("A-1", "B-1"), rec("C-1", "B-1")}, []string{"A-1 B-1 C-1"}, 0},
		{"one record names both", []*gathered{rec("GHSA-1", "CVE-1", "CVE-2"), rec("X-1", "CVE-2")}, []string{"CVE-1 CVE-2 GHSA-1 X-1"}, 0},
		{"chain over a third name", []*gathered{rec("GHSA-1", "CVE-1"), rec("X-1", "CVE-2", "GHSA-1")}, []string{"CVE-1 GHSA-1", "CVE-2 X-1"}, 1},
		{"one without a CVE between", []*gathered{rec("A-1", "GHSA-1", "GHSA-2"), rec("GHSA-1", "CVE-1"), rec("GHSA-2", "CVE-2")},
			[]string{"CVE-1 A-1 GHSA-1", "CVE-2 GHSA-2"}, 1},
		{"withdrawn joins nothing", []*gathered{gone, rec("A-1", "CVE-1"), rec("B-1", "CVE-9")}, []string{"CVE-1 A-1 W-1", "CVE-9 B-1"}, 1},
		{"the CVE's own record", []*gathered{rec("CVE-1"), rec("GHSA-1", "CVE-1")}, []string{"CVE-1 GHSA-1"}, 0},
	}
	for _, test := range tests {
		_, groups, kept := groupRecords(test.records)
		var got []string
		for _, g := range groups {
			got = append(got, strings.Join(g, " "))
		}
		if diff := cmp.Diff(test.want, got); diff != "" || kept != test.kept {
			t.Errorf("%s: kept %d apart, want %d: %s", test.name, kept, test.kept, diff)
		}
	}
}

func sample() Input {
	in := input(
		npm("GHSA-1", `"CVE-2030-1111"`, `{"introduced":"0"},{"fixed":"1.2.0"}`, `,"versions":["1.0.0","odd"]`),
		npm("NSWG-7", `"CVE-2030-1111"`, `{"introduced":"0"},{"last_affected":"1.1.9"}`, ""),
		`{"id":"DEBIAN-CVE-2030-2222",`+stamp+`,"upstream":["CVE-2030-2222"],"summary":"S","details":"T","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L"}],
		"affected":[{"package":{"ecosystem":"Debian:12","name":"curl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"7.1-2"}]}]}],
		"references":[{"type":"WEB","url":"https://example.com/b"},{"type":"WEB","url":"https://example.com/a"}],
		"database_specific":{"cwe_ids":["CWE-79"],"severity":"Important","license":"CC0-1.0"}}`,
	)
	in.KEV = []advisory.KEV{{CVE: "CVE-2030-2222", Added: "2030-01-05", Due: "2030-01-20", Name: "n", Action: "a"}}
	in.EPSS = []advisory.EPSS{{CVE: "CVE-2030-2222", Score: 0.97123, Percentile: 0.99999, Date: "2030-01-04"}, {CVE: "CVE-2030-1111", Score: 0.00043, Percentile: 0.1, Date: "2030-01-04"}}
	in.SSVC = []advisory.SSVC{{CVE: "CVE-2030-2222", Exploitation: "active", Automatable: "yes", TechnicalImpact: "total", Date: "2030-01-04"},
		{CVE: "CVE-2030-1111", Exploitation: "none", Automatable: "no", TechnicalImpact: "partial", Date: "2030-01-04"}}
	in.Products = []Product{{Title: "Django", Purls: []string{"pkg:pypi/Django", "pkg:github/django/django"}, Releases: []Release{
		{Cycle: "5.2", Released: "2025-04-02", Ends: "2028-04-30", Latest: "5.2.9"}, {Cycle: "4.2", Released: "2023-04-03", Ends: "2026-04-30", Latest: "4.2.27"},
		{Cycle: "4", Released: "2019-04-03", Over: true}}}}
	in.Sources = []advisory.SourceInfo{{Name: "osv/test", Location: "test", Records: 3, Digest: "sha-256:00"}}
	return in
}

func TestDetail(t *testing.T) {
	db := open2(t, sample())
	got, err := db.Detail("DEBIAN-CVE-2030-2222")
	if err != nil {
		t.Fatal(err)
	}
	want := &advisory.Detail{
		ID: "DEBIAN-CVE-2030-2222", Records: []string{"DEBIAN-CVE-2030-2222"}, Aliases: []string{}, Summary: "S", Text: "T",
		Modified: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		Severities: []advisory.Severity{{System: "CVSS:3.1", Vector: "CVSS:3.1/AV:N/AC:L", Source: "DEBIAN-CVE-2030-2222"},
			{System: "label", Label: "high", Source: "DEBIAN-CVE-2030-2222"}},
		CWEs: []string{"CWE-79"}, References: []string{"https://example.com/a", "https://example.com/b"}, Sources: []string{"osv/test (CC0-1.0)"},
		Exploits: advisory.Exploitation{
			KEV:  &advisory.KEV{CVE: "CVE-2030-2222", Added: "2030-01-05", Due: "2030-01-20", Name: "n", Action: "a"},
			EPSS: &advisory.EPSS{CVE: "CVE-2030-2222", Score: 0.97123, Percentile: 0.99999, Date: "2030-01-04"},
			SSVC: &advisory.SSVC{CVE: "CVE-2030-2222", Exploitation: "active", Automatable: "yes", TechnicalImpact: "total", Date: "2030-01-04"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	both, err := db.Exploits([]string{"GHSA-1", "CVE-2030-1111", "CVE-2030-2222", "CVE-2030-9999"})
	if err != nil || cmp.Diff(want.Exploits, both) != "" {
		t.Errorf("got %+v, %v", both, err)
	}
	if cves, err := db.CVEs("GHSA-1"); err != nil || !slices.Equal(cves, []string{"CVE-2030-1111"}) {
		t.Errorf("got %v, %v", cves, err)
	}
}

func TestEndOfLife(t *testing.T) {
	db := open2(t, sample())
	tests := []struct {
		kind, namespace, name, version, day string
		want                                advisory.Cycle
		found                               bool
	}{
		{"pypi", "", "django", "4.2.1", "2026-04-30", advisory.Cycle{Product: "Django", Cycle: "4.2", Ended: "2026-04-30", Latest: "4.2.27", Next: "5.2"}, true},
		{"pypi", "", "Django", "4.2.1", "2026-05-01", advisory.Cycle{Product: "Django", Cycle: "4.2", Ended: "2026-04-30", Over: true, Latest: "4.2.27", Next: "5.2"}, true},
		{"github", "django", "django", "v5.2", "2029-01-01", advisory.Cycle{Product: "Django", Cycle: "5.2", Ended: "2028-04-30", Over: true, Latest: "5.2.9"}, true},
		{"pypi", "", "django", "4.1", "2026-01-01", advisory.Cycle{Product: "Django", Cycle: "4", Over: true, Next: "4.2"}, true},
		{"pypi", "", "django", "4.20.1", "2026-01-01", advisory.Cycle{Product: "Django", Cycle: "4", Over: true, Next: "4.2"}, true},
		{"pypi", "", "django", "6.0", "2026-01-01", advisory.Cycle{}, false},
		{"npm", "", "django", "4.2", "2026-01-01", advisory.Cycle{}, false},
	}
	for _, test := range tests {
		got, found, err := db.EndOfLife(test.kind, test.namespace, test.name, test.version, test.day)
		if err != nil || found != test.found || got != test.want {
			t.Errorf("%s %s: got %+v, %v, %v, want %+v", test.name, test.version, got, found, err, test.want)
		}
	}
	if _, _, err := db.EndOfLife("pypi", "", "django", "4.2", "today"); err == nil {
		t.Error("a day that is none was taken")
	}
}

func TestCompare(t *testing.T) {
	before := open2(t, input(
		npm("GHSA-1", ``, `{"introduced":"0"},{"fixed":"1.2.0"}`, ""),
		npm("GHSA-2", ``, `{"introduced":"0"},{"fixed":"1.2.0"}`, ""),
		npm("GHSA-3", ``, `{"introduced":"0"},{"fixed":"1.2.0"}`, ""),
		strings.ReplaceAll(npm("GHSA-4", ``, `{"introduced":"0"}`, ""), `"left"`, `"same"`),
		strings.ReplaceAll(npm("GHSA-5", ``, `{"introduced":"0"}`, ""), `"left"`, `"lost"`),
	))
	in := input(
		npm("GHSA-1", `"CVE-2030-1111"`, `{"introduced":"0"},{"fixed":"1.2.0"}`, ""), // has a CVE now: no difference
		npm("GHSA-2", ``, `{"introduced":"0"},{"fixed":"1.3.0"}`, ""),
		strings.Replace(npm("GHSA-3", ``, `{"introduced":"0"},{"fixed":"1.2.0"}`, ""), stamp, `"modified":"2030-02-01T00:00:00Z","withdrawn":"2030-02-01T00:00:00Z"`, 1),
		strings.ReplaceAll(npm("GHSA-4", ``, `{"introduced":"0"}`, ""), `"left"`, `"same"`),
		npm("GHSA-6", ``, `{"introduced":"0"},{"fixed":"1.2.0"}`, ""),
		strings.ReplaceAll(npm("GHSA-7", ``, `{"introduced":"0"}`, ""), `"left"`, `"new"`),
	)
	in.KEV = sample().KEV
	in.EPSS = sample().EPSS
	after := open2(t, in)
	var got []Change
	for c, err := range Compare(before, after) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	want := []Change{
		{Package: Package{"npm", "left"}, Added: []string{"GHSA-6"}, Changed: []string{"GHSA-2"}, Withdrawn: []string{"GHSA-3"}},
		{Package: Package{"npm", "lost"}, Withdrawn: []string{"GHSA-5"}},
		{Package: Package{"npm", "new"}, Added: []string{"GHSA-7"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var exploits []string
	for c, err := range CompareExploits(before, after, 0.1) {
		if err != nil {
			t.Fatal(err)
		}
		exploits = append(exploits, fmt.Sprintf("%s kev=%t epss=%t", c.CVE, c.KEV != nil, c.EPSS != nil))
	}
	if diff := cmp.Diff([]string{"CVE-2030-2222 kev=true epss=false", "CVE-2030-2222 kev=false epss=true"}, exploits); diff != "" {
		t.Error(diff)
	}
	for c, err := range Compare(after, after) {
		t.Errorf("the same differs: %+v, %v", c, err)
	}
}

func TestNewest(t *testing.T) {
	older := npm("GHSA-1", ``, `{"introduced":"0"}`, "")
	newer := strings.Replace(npm("GHSA-1", ``, `{"introduced":"0"},{"fixed":"1.0.0"}`, ""), stamp, `"modified":"2030-02-01T00:00:00Z"`, 1)
	other := strings.ReplaceAll(newer, `"left"`, `"right"`) // the same state in another ecosystem's export
	data, report := build(t, input(older, newer, newer, other, "{"))
	if report.Duplicates != 2 || report.Refused["osv/test"] != 1 || len(report.Problems) != 1 {
		t.Errorf("got %+v", report)
	}
	db, err := FromBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"left", "right"} {
		for v, want := range map[string]string{"0.9.0": "GHSA-1", "1.0.0": ""} {
			if got, err := db.Match(t.Context(), "npm", name, v); err != nil || ids(got) != want {
				t.Errorf("%s %s: got %q, %v", name, v, ids(got), err)
			}
		}
	}
	var raw int
	for r, err := range db.Records() {
		if err != nil || r.ID != "GHSA-1" || r.Set != "osv/test" {
			t.Errorf("got %+v, %v", r, err)
		}
		raw++
	}
	if raw != 2 {
		t.Errorf("%d records", raw)
	}
}

func TestReproducible(t *testing.T) {
	in := sample()
	first, _ := build(t, in)
	records := slices.Collect(func(yield func(Record) bool) {
		for r := range in.Records {
			if !yield(r) {
				return
			}
		}
	})
	slices.Reverse(records)
	in.Records = func(yield func(Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
	slices.Reverse(in.EPSS)
	in.Workers = 1
	second, _ := build(t, in)
	if !bytes.Equal(first, second) {
		t.Error("the same input in another sequence gave other bytes")
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	data, _ := build(t, sample())
	write := func(name string, data []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	change := func(at int) []byte {
		out := bytes.Clone(data)
		out[at] ^= 0x40
		return out
	}
	tests := []struct {
		name string
		path string
		want error
	}{
		{"missing", filepath.Join(folder, "none"), ErrMissing},
		{"empty", write("empty", nil), ErrDamaged},
		{"cut", write("cut", data[:len(data)-1]), ErrDamaged},
		{"cut in the header", write("header", data[:50]), ErrDamaged},
		{"appended to", write("appended", append(bytes.Clone(data), 0)), ErrDamaged},
		{"another file", write("other", bytes.Repeat([]byte("text "), 100)), ErrFormat},
		{"another format", write("format", change(8)), ErrFormat},
		{"altered header", write("altered", change(100)), ErrDamaged},
		{"altered sums", write("sums", change(len(data)-1)), ErrDamaged},
	}
	for _, test := range tests {
		db, err := Open(test.path)
		if !errors.Is(err, test.want) || db != nil || !strings.Contains(err.Error(), "bulwark db update") {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
	db, err := Open(write("whole", data))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Verify(); err != nil {
		t.Error(err)
	}
	if got, err := db.Match(t.Context(), "npm", "left", "1.0.0"); err != nil || ids(got) != "CVE-2030-1111" {
		t.Errorf("got %q, %v", ids(got), err)
	}
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Error(err)
	}
	if _, err := db.Detail("GHSA-1"); err == nil {
		t.Error("a closed database answers")
	}
	body, err := Open(write("body", change(pageSize+10)))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if err := body.Verify(); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if _, err := body.Detail("GHSA-1"); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}
