package feed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
)

func kevFile(entries string, count int) string {
	return fmt.Sprintf(`{"title":"t","catalogVersion":"1","dateReleased":"2026-08-07T16:45:47.0648Z","count":%d,"vulnerabilities":[%s]}`, count, entries)
}

const oneKEV = `{"cveID":"CVE-2026-8037","vulnerabilityName":"Name","dateAdded":"2026-08-07","requiredAction":"Act","dueDate":"2026-08-10","knownRansomwareCampaignUse":"Known"}`

func TestReadKEV(t *testing.T) {
	got, err := readKEV(strings.NewReader(kevFile(oneKEV, 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := []advisory.KEV{{CVE: "CVE-2026-8037", Added: "2026-08-07", Due: "2026-08-10", Ransomware: true, Name: "Name", Action: "Act"}}
	if diff := cmp.Diff(want, got.entries); diff != "" {
		t.Error(diff)
	}
	if got.newest != "2026-08-07T16:45:47Z" {
		t.Errorf("newest = %q", got.newest)
	}
	twice := oneKEV + "," + oneKEV
	if got, err = readKEV(strings.NewReader(kevFile(twice, 2))); err != nil || len(got.entries) != 1 || len(got.refused) != 1 {
		t.Errorf("twice the same: %d entries, %v, %v", len(got.entries), got.refused, err)
	}
}

func TestReadEPSS(t *testing.T) {
	got, err := readEPSS(strings.NewReader("#model_version:v2025.03.14,score_date:2026-01-11T12:55:00Z\r\ncve,epss,percentile\r\nCVE-1999-0199,0.00793,0.73407\nCVE-2026-123456,1,1"))
	if err != nil {
		t.Fatal(err)
	}
	want := []advisory.EPSS{
		{CVE: "CVE-1999-0199", Score: 0.00793, Percentile: 0.73407, Date: "2026-01-11"},
		{CVE: "CVE-2026-123456", Score: 1, Percentile: 1, Date: "2026-01-11"},
	}
	if diff := cmp.Diff(want, got.entries); diff != "" {
		t.Error(diff)
	}
}

func TestReadSSVC(t *testing.T) {
	got, err := readSSVC(strings.NewReader("cve,exploitation,automatable,technical_impact,other,ssvc_date\n" +
		"CVE-1999-0006,none,yes,total,x,2024-08-01\nCVE-2024-1000,Public PoC,No,Partial,\"a,\"\"b\",2024-08-03\n" +
		"CVE-2024-1001,maybe,no,partial,,2024-08-03\nCVE-2024-1002,none,no\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []advisory.SSVC{
		{CVE: "CVE-1999-0006", Exploitation: "none", Automatable: "yes", TechnicalImpact: "total", Date: "2024-08-01"},
		{CVE: "CVE-2024-1000", Exploitation: "poc", Automatable: "no", TechnicalImpact: "partial", Date: "2024-08-03"},
	}
	if diff := cmp.Diff(want, got.entries); diff != "" {
		t.Error(diff)
	}
	wantRefused := []db.Problem{
		{Set: "ssvc", Name: "line 4", Reason: `exploitation "maybe": want none, poc or active`},
		{Set: "ssvc", Name: "line 5", Reason: "it has 3 columns, want 6"},
	}
	if diff := cmp.Diff(wantRefused, got.refused); diff != "" {
		t.Error(diff)
	}
	if got.newest != "2024-08-03T00:00:00Z" {
		t.Errorf("newest = %q", got.newest)
	}
}

func TestReadEOL(t *testing.T) {
	want := []db.Product{{Title: "Django", Purls: []string{"pkg:pypi/django"}, Releases: []db.Release{
		{Cycle: "4.2", Released: "2023-04-03", Ends: "2026-04-30", Latest: "4.2.30", Support: "2023-12-04"},
		{Cycle: "1.0", Over: true},
		{Cycle: "6"},
	}}}
	for name, text := range map[string]string{
		"files": `{"django":{"title":"Django","identifiers":[{"purl":"pkg:pypi/django"},{"repology":"python:django"},{"purl":"pkg:pypi/django?x=y"}],
			"releases":[{"releaseCycle":"4.2","releaseDate":"2023-04-03","eol":"2026-04-30","eoas":"2023-12-04","latest":"4.2.30"},{"releaseCycle":1.0,"eol":true},{"releaseCycle":6,"eol":false}]}}`,
		"API": `{"schema_version":"1.2.0","generated_at":"2026-08-01T00:00:00+00:00","total":1,"result":[{"name":"django","label":"Django","identifiers":[{"id":"pkg:pypi/django","type":"purl"},{"id":"cpe:/a:x","type":"cpe"}],
			"releases":[{"name":"4.2","releaseDate":"2023-04-03","isEol":true,"eolFrom":"2026-04-30","eoasFrom":"2023-12-04","latest":{"name":"4.2.30"}},{"name":"1.0","isEol":true,"eolFrom":null},{"name":"6","isEol":false,"latest":null}]}]}`,
	} {
		got, err := readEOL(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got.entries); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What is wrong with a whole file refuses it.
func TestReadersRefuse(t *testing.T) {
	readers := map[string]func(io.Reader) error{
		"kev":      func(r io.Reader) error { _, err := readKEV(r); return err },
		"epss":     func(r io.Reader) error { _, err := readEPSS(r); return err },
		"ssvc":     func(r io.Reader) error { _, err := readSSVC(r); return err },
		"eol":      func(r io.Reader) error { _, err := readEOL(r); return err },
		"modified": func(r io.Reader) error { _, err := readModified(r, 3); return err },
	}
	head := "#model_version:v1,score_date:2026-01-11\ncve,epss,percentile\n"
	for _, c := range []struct{ reader, text, want string }{
		{"kev", "", "unexpected EOF"},
		{"kev", "{}", "no list"},
		{"kev", kevFile(oneKEV, 2), "states 2 entries and has 1"},
		{"kev", kevFile(oneKEV, 1)[:80], "unexpected EOF"},
		{"kev", kevFile(oneKEV, 1) + "{}", "more follows"},
		{"kev", strings.Replace(kevFile(oneKEV, 1), "2026-08-07T", "x", 1), "is no date"},
		{"kev", kevFile(`{"cveID":"X"}`, 1), "1 of 1 entries are malformed"},
		{"epss", "", "unexpected EOF"},
		{"epss", "cve,epss,percentile\n", "no score_date"},
		{"epss", "#score_date:yesterday\n", "is no date"},
		{"epss", head[:40] + "\ncve,epss\n", "line 2"},
		{"epss", head + strings.Repeat("CVE-2026-0001,2,0\n", 4), "4 of 4 entries are malformed"},
		{"epss", head + strings.Repeat("x", maxLine+1), "longer than"},
		{"ssvc", "", "unexpected EOF"},
		{"ssvc", "cve,exploitation\n", `no column "automatable"`},
		{"ssvc", "cve,exploitation,automatable,technical_impact\n\"", "extraneous or missing"},
		{"eol", "", "unexpected EOF"},
		{"eol", "[]", "cannot unmarshal"},
		{"eol", "{}", "no products"},
		{"eol", `{"a":{"releases":[{"eol":"soon"}]}}`, "1 of 1 entries are malformed"},
		{"modified", "yesterday,A-1\n", "line 1"},
		{"modified", "2026-01-01T00:00:00Z\n", "line 1"},
		{"modified", "2026-01-01T00:00:00Z,../../etc/passwd\n", "line 1"},
		{"modified", "2026-01-01T00:00:00Z,A-1\n2026-01-01T00:0", "line 2"},
		{"modified", "2026-01-01T00:00:00Z,A\n2026-01-01T00:00:00Z,B\n2026-01-01T00:00:00Z,C\n2026-01-01T00:00:00Z,D\n", "more than 3"},
	} {
		err := readers[c.reader](strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v, want %q", c.reader, clip(c.text), err, c.want)
		}
	}
}

func TestReadModified(t *testing.T) {
	got, err := readModified(strings.NewReader("2026-08-21T12:56:10Z,ALSA-2026:55775\n2026-08-22T12:56:10.5+02:00,ALSA-2026:55775\n2026-01-01T00:00:00Z,ALPINE-CVE-????-?????\n"), 10)
	if err != nil || len(got) != 2 || got.newest() != "2026-08-22T10:56:10Z" {
		t.Errorf("%v, %q, %v", got, got.newest(), err)
	}
}

func gz(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpacked(t *testing.T) {
	bomb := gz(t, make([]byte, 64<<20))
	small := gz(t, []byte("hello"))
	for _, c := range []struct {
		name string
		data []byte
		most int64
		want string
		err  string
	}{
		{"plain", []byte("hello"), 5, "hello", ""},
		{"empty", nil, 5, "", ""},
		{"one byte", []byte("h"), 5, "h", ""},
		{"gzip", small, 5, "hello", ""},
		{"too large", []byte("hello!"), 5, "", "more than 5 bytes"},
		{"too large packed", gz(t, []byte("hello!")), 5, "", "more than 5 bytes"},
		{"cut", small[:len(small)-6], 5, "", "unexpected EOF"},
		{"bomb", bomb, 1 << 30, "", errBomb.Error()},
	} {
		r, err := unpacked(bytes.NewReader(c.data), c.most)
		var got []byte
		if err == nil {
			got, err = io.ReadAll(r)
		}
		switch {
		case c.err == "" && (err != nil || string(got) != c.want):
			t.Errorf("%s: %q, %v", c.name, got, err)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %v, want %s", c.name, err, c.err)
		}
	}
}

func FuzzKEV(f *testing.F) {
	f.Add([]byte(kevFile(oneKEV, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readKEV(bytes.NewReader(data))
		for _, e := range got.entries {
			if err == nil && (!isCVE(e.CVE) || !isDay(e.Added) || !isDay(e.Due)) {
				t.Errorf("accepted %+v", e)
			}
		}
	})
}

func FuzzEPSS(f *testing.F) {
	f.Add([]byte("#model_version:v1,score_date:2026-01-11\ncve,epss,percentile\nCVE-2026-0001,0.5,0.5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readEPSS(bytes.NewReader(data))
		for _, e := range got.entries {
			if err == nil && (!isCVE(e.CVE) || !(e.Score >= 0 && e.Score <= 1 && e.Percentile >= 0 && e.Percentile <= 1) || !isDay(e.Date)) {
				t.Errorf("accepted %+v", e)
			}
		}
	})
}

func FuzzSSVC(f *testing.F) {
	f.Add([]byte("cve,exploitation,automatable,technical_impact,ssvc_date\nCVE-1999-0006,none,yes,total,2024-08-01\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readSSVC(bytes.NewReader(data))
		for _, e := range got.entries {
			if err == nil && (!isCVE(e.CVE) || !oneOf(e.Exploitation, "none", "poc", "active")) {
				t.Errorf("accepted %+v", e)
			}
		}
	})
}

func FuzzEOL(f *testing.F) {
	f.Add([]byte(`{"django":{"title":"Django","identifiers":[{"purl":"pkg:pypi/django"}],"releases":[{"releaseCycle":"4.2","eol":"2026-04-30"}]}}`))
	f.Add([]byte(`{"schema_version":"1","result":[{"name":"django","releases":[{"name":"4.2","isEol":true}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readEOL(bytes.NewReader(data))
		for _, p := range got.entries {
			for _, r := range p.Releases {
				if err == nil && r.Ends != "" && (!isDay(r.Ends) || r.Over) {
					t.Errorf("accepted %+v", r)
				}
			}
		}
	})
}

func FuzzModified(f *testing.F) {
	f.Add([]byte("2026-08-21T12:56:10Z,ALSA-2026:55775\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readModified(bytes.NewReader(data), 100)
		if err != nil && got != nil {
			t.Error("a list and an error")
		}
		for id := range got {
			if !validID(id) || strings.ContainsAny(id, "/\\\n") {
				t.Errorf("accepted %q", id)
			}
		}
	})
}

func FuzzUnpacked(f *testing.F) {
	f.Add(gz(f, []byte("hello")))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := unpacked(bytes.NewReader(data), 1<<20)
		if err != nil {
			return
		}
		if n, err := io.Copy(io.Discard, r); n > 1<<20 && !errors.Is(err, errBomb) {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})
}
