package osv

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const whole = `{"schema_version":"1.7.0","id":"GO-2030-0001","modified":"2030-01-02T03:04:05Z","published":"2030-01-01T00:00:00Z",
"withdrawn":"2030-02-01T00:00:00Z","aliases":["CVE-2030-1111"," CVE-2030-1111","All versions"],"related":["CVE-2030-2"],"upstream":["CVE-2030-3"],
"summary":"s","details":"d","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N"}],
"affected":[{"package":{"ecosystem":"Go","name":"example.com/m","purl":"pkg:golang/example.com/m"},
"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.2.3"},{"introduced":"2.0.0"},{"last_affected":"2.1.0"}]},
{"type":"GIT","repo":"https://example.com/m","events":[{"introduced":"0"},{"limit":"*"}]}],
"versions":["1.0.0"],"ecosystem_specific":{"imports":[{"path":"example.com/m/p","symbols":["F"]}],"severity":"High"},
"database_specific":{"malicious-packages-origins":[]}}],
"references":[{"type":"WEB","url":"https://example.com"}],
"database_specific":{"cwe_ids":["CWE-79","nonsense",7],"severity":"MODERATE","license":"CC0-1.0"}}`

func TestParse(t *testing.T) {
	got, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	day := func(m, d int) time.Time { return time.Date(2030, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	want := &Record{
		ID: "GO-2030-0001", Modified: day(1, 2).Add(3*time.Hour + 4*time.Minute + 5*time.Second), Published: day(1, 1), Withdrawn: day(2, 1),
		Aliases: []string{"CVE-2030-1111"}, Related: []string{"CVE-2030-2"}, Upstream: []string{"CVE-2030-3"},
		Summary: "s", Details: "d", Severity: []Severity{{"CVSS_V3", "CVSS:3.1/AV:N"}},
		Affected: []Affected{{
			Package: Package{"Go", "example.com/m", "pkg:golang/example.com/m"},
			Ranges: []Range{
				{SemVer, []Event{{Introduced: "0"}, {Fixed: "1.2.3"}, {Introduced: "2.0.0"}, {LastAffected: "2.1.0"}}},
				{Git, []Event{{Introduced: "0"}, {Limit: "*"}}},
			},
			Versions: []string{"1.0.0"}, Imports: []Import{{"example.com/m/p", []string{"F"}}}, Label: "high",
		}},
		References: []Reference{{"WEB", "https://example.com"}},
		CWEs:       []string{"CWE-79"}, Label: "moderate", License: "CC0-1.0", Malicious: true,
	}
	raw := cmpopts.IgnoreFields(Record{}, "Specific")
	if diff := cmp.Diff(want, got, raw, cmpopts.IgnoreFields(Affected{}, "Ecosystem", "Specific")); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	affected := func(s string) string {
		return `{"id":"X-1","modified":"2030-01-01T00:00:00Z","affected":[` + s + `]}`
	}
	ranged := func(s string) string {
		return affected(`{"package":{"ecosystem":"npm","name":"a"},"ranges":[` + s + `]}`)
	}
	tests := []struct{ name, in, id, field string }{
		{"cut short", `{"id":"X-1"`, "", ""},
		{"no object", `[]`, "", ""},
		{"no id", `{"modified":"2030-01-01T00:00:00Z"}`, "", "id"},
		{"id with a line break", `{"id":"X\n1","modified":"2030-01-01T00:00:00Z"}`, "X?1", "id"},
		{"long id", `{"id":"` + strings.Repeat("x", 300) + `","modified":"2030-01-01T00:00:00Z"}`, strings.Repeat("x", 64) + "…", "id"},
		{"no modified", `{"id":"X-1"}`, "X-1", "modified"},
		{"affected is text", `{"id":"X-1","modified":"2030-01-01T00:00:00Z","affected":"a"}`, "X-1", "affected"},
		{"no package", affected(`{"versions":["1"]}`), "X-1", "affected[0].package"},
		{"empty version", affected(`{"package":{"ecosystem":"npm","name":"a"},"versions":["1",""]}`), "X-1", "affected[0].versions[1]"},
		{"type of range", ranged(`{"type":"DATE","events":[]}`), "X-1", "affected[0].ranges[0].type"},
		{"no introduced", ranged(`{"type":"SEMVER","events":[{"fixed":"1"}]}`), "X-1", "affected[0].ranges[0].events"},
		{"two in one", ranged(`{"type":"SEMVER","events":[{"introduced":"0","fixed":"1"}]}`), "X-1", "affected[0].ranges[0].events[0]"},
		{"none in one", ranged(`{"type":"SEMVER","events":[{"introduced":"0"},{}]}`), "X-1", "affected[0].ranges[0].events[1]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.in))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Reason == "" || e.ID != test.id || e.Field != test.field {
				t.Errorf("got %q %q, want %q %q: %v", e.ID, e.Field, test.id, test.field, err)
			}
		})
	}
}

func TestParseYearOne(t *testing.T) {
	if _, err := Parse([]byte(`{"id":"X-1","modified":"0001-01-01T00:00:00Z"}`)); err != nil {
		t.Error(err)
	}
}

func TestParseKeepsNothing(t *testing.T) {
	data := []byte(whole)
	r, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if r.ID != "GO-2030-0001" || r.Affected[0].Versions[0] != "1.0.0" || !strings.Contains(string(r.Specific), "CC0") {
		t.Errorf("the record changed with its source: %+v", r)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"id":"X-1","modified":"2030-01-01T00:00:00Z","database_specific":{"cwe_ids":{"a":[1]},"severity":7.5}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse(data)
		if err == nil && (r.ID == "" || len(r.ID) > MaxID) {
			t.Errorf("id %q", r.ID)
		}
		if err != nil && !errors.As(err, new(*Error)) {
			t.Errorf("got %T", err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	data := []byte(whole)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
