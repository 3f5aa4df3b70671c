package cli_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"bulwark/internal/cli"
)

// databaseWorld is a folder with advisories and a place for the database.
type databaseWorld struct {
	t    *testing.T
	root string
	now  time.Time
}

func newDatabaseWorld(t *testing.T) *databaseWorld {
	w := &databaseWorld{t, t.TempDir(), time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	w.advisories(map[string]string{"GHSA-aaaa-bbbb-cccc": "1.2.4"})
	w.write("data/kev/kev.json", []byte(`{"dateReleased":"2026-08-07T00:00:00Z","count":1,"vulnerabilities":[{"cveID":"CVE-2026-1001","vulnerabilityName":"Left","dateAdded":"2026-08-07","requiredAction":"Raise it.","dueDate":"2026-08-28","knownRansomwareCampaignUse":"Known"}]}`))
	w.write("data/epss/epss_scores-2026-01-11.csv", []byte("#model_version:v1,score_date:2026-01-11\ncve,epss,percentile\nCVE-2026-1001,0.5,0.99\n"))
	w.write("data/ssvc/ssvc.csv", []byte("cve,exploitation,automatable,technical_impact,ssvc_date\nCVE-2026-1001,active,yes,total,2026-01-10\n"))
	w.write("data/eol/products.json", []byte(`{"left":{"title":"Left","identifiers":[{"purl":"pkg:npm/left"}],"releases":[{"releaseCycle":"1","eol":"2025-01-01"}]}}`))
	return w
}

// advisories writes an export of npm: ids and the versions that fix them.
func (w *databaseWorld) advisories(fixed map[string]string) {
	w.t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for id, version := range fixed {
		f, err := z.Create(id + ".json")
		if err != nil {
			w.t.Fatal(err)
		}
		record := map[string]any{
			"id": id, "modified": "2026-01-01T00:00:00Z", "published": "2025-12-01T00:00:00Z", "aliases": []string{"CVE-2026-1001"},
			"summary": "Left goes right\x1b[2J", "details": "First line.\nSecond line \u202e reversed.",
			"severity":   []map[string]string{{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},
			"references": []map[string]string{{"type": "WEB", "url": "https://left.example/advisory"}},
			"affected": []any{map[string]any{
				"package": map[string]string{"ecosystem": "npm", "name": "left"},
				"ranges":  []any{map[string]any{"type": "SEMVER", "events": []any{map[string]string{"introduced": "1.0.0"}, map[string]string{"fixed": version}}}},
			}},
		}
		if err := json.NewEncoder(f).Encode(record); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.write("data/osv/npm/all.zip", b.Bytes())
	w.write("data/osv/npm/modified_id.csv", []byte("2026-01-01T00:00:00Z,GHSA-aaaa-bbbb-cccc\n"))
}

func (w *databaseWorld) path(name string) string {
	return filepath.Join(w.root, filepath.FromSlash(name))
}

func (w *databaseWorld) write(name string, data []byte) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), data, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// run runs bulwark db and compares the exit code.
func (w *databaseWorld) run(code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	var out, err bytes.Buffer
	got := cli.Main(context.Background(), cli.Process{
		Args: append([]string{"db"}, args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err,
		Getenv: func(name string) string {
			return map[string]string{"XDG_CACHE_HOME": w.path("cache"), "HOME": w.path("home")}[name]
		},
		Now: func() time.Time { return w.now },
	})
	if got != code {
		w.t.Fatalf("db %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), err.String())
	}
	if code != 0 && code != 3 && out.Len() > 0 && args[0] != "status" {
		w.t.Errorf("db %s: wrote results though it failed: %s", strings.Join(args, " "), out.String())
	}
	return out.String(), err.String()
}

// has compares text with expressions.
func (w *databaseWorld) has(text string, expressions ...string) {
	w.t.Helper()
	for _, e := range expressions {
		if !regexp.MustCompile("(?m)" + e).MatchString(text) {
			w.t.Errorf("no %q in:\n%s", e, text)
		}
	}
}

func TestDatabaseVerbs(t *testing.T) {
	w := newDatabaseWorld(t)
	for _, args := range [][]string{{"status"}, {"show", "CVE-2026-1001"}, {"check", "npm", "left", "1.0.0"}, {"export", w.path("x"), "--unsigned"}} {
		_, stderr := w.run(1, args...)
		w.has(stderr, "^error: .*there is no advisory database; run `bulwark db update`")
	}
	stdout, stderr := w.run(0, "update", "--from", w.path("data"))
	w.has(stdout, "^1 records, 1 vulnerabilities, 1 packages from 5 sources in ", "^serial [0-9a-f]{64}$")
	if stderr != "" {
		t.Errorf("said %q", stderr)
	}

	stdout, _ = w.run(0, "status")
	w.has(stdout, `^database +.*cache.bulwark.advisories\.db$`, `^built +2026-11-24T09:00:00Z, 0 seconds ago \(current\)$`,
		`^newest +2026-01-01T00:00:00Z, 327 days before it was built`,
		`^osv/npm +1 +2026-01-01T00:00:00Z +data/osv/npm$`, `^kev +1 +2026-08-07T00:00:00Z +data/kev/kev.json$`)
	var status struct {
		Path, Serial string
		Size, Age    int64
		Stale        bool
		Sources      []struct{ Name string }
	}
	stdout, _ = w.run(0, "status", "--format", "json")
	if err := json.Unmarshal([]byte(stdout), &status); err != nil || status.Stale || len(status.Sources) != 5 || status.Size == 0 || len(status.Serial) != 64 {
		t.Errorf("%+v, %v", status, err)
	}
	w.now = w.now.Add(8 * 24 * time.Hour)
	stdout, stderr = w.run(1, "status")
	w.has(stdout, `8 days ago \(STALE: older than 7 days\)`)
	w.has(stderr, "8 days old, more than 7 days")
	w.run(0, "status", "--max-age", "0")
	w.run(2, "status", "--format", "xml")

	stdout, _ = w.run(0, "show", "GHSA-aaaa-bbbb-cccc")
	w.has(stdout, `^CVE-2026-1001  Left goes right\\u001b\[2J$`, `^Severity +critical 9\.8, CVSS:3\.1/`, `^Exploited +CVE-2026-1001, listed by CISA on 2026-08-07, due 2026-08-28, used by ransomware$`,
		`^EPSS +0\.50000, higher than 99\.00 % of all`, `^SSVC +exploitation active, automatable yes, technical impact total`, `^First line\.$`, `^Second line \\u202e reversed\.$`, `^  https://left\.example/advisory$`)
	stdout, _ = w.run(0, "show", "CVE-2026-1001", "--format", "json")
	if !json.Valid([]byte(stdout)) || strings.ContainsAny(stdout, "\x1b\u202e") {
		t.Errorf("invalid or harmful: %q", stdout)
	}
	_, stderr = w.run(1, "show", "CVE-2026-9999")
	w.has(stderr, "does not hold it")

	stdout, _ = w.run(0, "check", "npm", "left", "1.2.3")
	w.has(stdout, `^CVE-2026-1001 \(GHSA-aaaa-bbbb-cccc\)$`, `^  fixed in 1\.2\.4$`, `^  GHSA-aaaa-bbbb-cccc: affects left from 1\.0\.0, before 1\.2\.4; 1\.2\.3 is, compared as `)
	stdout, _ = w.run(0, "check", "npm", "left", "1.2.4")
	w.has(stdout, `^no known vulnerability affects npm left 1\.2\.4$`)
	stdout, _ = w.run(0, "check", "npm", "left", "1.2.3", "--format", "json")
	if !json.Valid([]byte(stdout)) {
		t.Errorf("invalid: %q", stdout)
	}
	_, stderr = w.run(1, "check", "PyPI", "left", "1.2.3")
	w.has(stderr, `no advisories of the ecosystem "PyPI", so nothing can be said`)
}

func TestDatabaseIsCarried(t *testing.T) {
	w := newDatabaseWorld(t)
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	w.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	w.write("public.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	here, there := w.path("here.db"), w.path("there.db")
	stdout, _ := w.run(0, "update", "--db", here, "--from", w.path("data"))
	first := regexp.MustCompile("serial ([0-9a-f]{64})").FindStringSubmatch(stdout)[1]
	w.run(0, "export", w.path("1.snapshot"), "--db", here, "--key", w.path("key.pem"))
	w.now = w.now.Add(24 * time.Hour)
	w.advisories(map[string]string{"GHSA-aaaa-bbbb-cccc": "1.2.5"})
	w.run(0, "update", "--db", here, "--from", w.path("data"), "--keep", "2")
	stdout, _ = w.run(0, "export", w.path("2.delta"), "--db", here, "--since", first[:16], "--key", w.path("key.pem"))
	w.has(stdout, "delta since "+first)

	_, stderr := w.run(2, "import", w.path("1.snapshot"), "--db", there)
	w.has(stderr, "--verify KEY.pem", "hint: --insecure-unsigned")
	_, stderr = w.run(2, "export", w.path("x"), "--db", here)
	w.has(stderr, "--key KEY.pem")
	w.run(2, "import", w.path("1.snapshot"), "--db", there, "--verify", w.path("key.pem"))
	w.run(2, "export", w.path("x"), "--db", here, "--key", w.path("key.pem"), "--since", "0123456789abcdef")
	_, stderr = w.run(1, "import", w.path("2.delta"), "--db", there, "--verify", w.path("public.pem"))
	w.has(stderr, "does not apply to the database installed")
	stdout, _ = w.run(0, "import", w.path("1.snapshot"), "--db", there, "--verify", w.path("public.pem"))
	w.has(stdout, "^imported 1 records", "^serial "+first)
	w.run(0, "import", w.path("2.delta"), "--db", there, "--verify", w.path("public.pem"))
	stdout, _ = w.run(0, "check", "npm", "left", "1.2.4", "--db", there)
	w.has(stdout, "fixed in 1.2.5")
	_, stderr = w.run(1, "import", w.path("1.snapshot"), "--db", there, "--verify", w.path("public.pem"))
	w.has(stderr, "older than the database installed.*--allow-older")
	w.run(0, "import", w.path("1.snapshot"), "--db", there, "--verify", w.path("public.pem"), "--allow-older")
	stdout, stderr = w.run(0, "import", w.path("1.snapshot"), "--db", there, "--insecure-unsigned")
	w.has(stdout, "^installed already:")
	w.has(stderr, "without verifying")
}

func TestDatabaseUpdateByURL(t *testing.T) {
	w := newDatabaseWorld(t)
	var asked []string
	files := http.FileServer(http.Dir(w.path("data")))
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		files.ServeHTTP(rw, r)
	}))
	defer s.Close()
	args := []string{"update", "--from", strings.Replace(s.URL, "//", "//robin:pass@", 1) + "/osv", "--ecosystem", "npm", "--kev", s.URL + "/kev/kev.json"}
	stdout, stderr := w.run(0, args...)
	w.has(stdout, "^1 records")
	w.has(stderr, "^reaching the network: 127.0.0.1:", "^fetching http://127.0.0.1:.*/osv/npm/all.zip$", "^no source for ends of life: give one with --eol$")
	if strings.Contains(stdout+stderr, "pass") {
		t.Errorf("told a password: %s%s", stdout, stderr)
	}
	if got := fmt.Sprint(asked); got != "[/osv/npm/modified_id.csv /osv/npm/all.zip /kev/kev.json]" {
		t.Errorf("asked for %s", got)
	}
	asked = nil
	w.run(0, args...)
	if got := fmt.Sprint(asked); got != "[/osv/npm/modified_id.csv /kev/kev.json]" {
		t.Errorf("asked for %s", got)
	}
	if err := os.Remove(w.path("data/kev/kev.json")); err != nil {
		t.Fatal(err)
	}
	_, stderr = w.run(1, args...)
	w.has(stderr, "^error: fetching http://127.0.0.1:.*/kev/kev.json: the server answered 404 Not Found$")
	w.run(0, "status")
}
