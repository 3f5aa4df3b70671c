package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/advisory/db"
	"bulwark/internal/advisory/install"
)

func now() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }

// osvRecord is a record of a package that is affected below a version.
func osvRecord(id, modified, name, fixed string) string {
	return fmt.Sprintf(`{"id":%q,"modified":%q,"summary":"About %s","affected":[{"package":{"ecosystem":"npm","name":%q},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`,
		id, modified, id, name, fixed)
}

// export is an OSV export that a test server serves and counts.
type export struct {
	mu       sync.Mutex
	records  map[string]string // id to JSON
	modified map[string]string
	hide     map[string]bool // not served one by one
	asked    []string
	handle   func(w http.ResponseWriter, r *http.Request) bool // true: answered
}

func newExport(ids ...string) *export {
	e := &export{records: map[string]string{}, modified: map[string]string{}, hide: map[string]bool{}}
	for _, id := range ids {
		e.set(id, "2026-01-01T00:00:00Z", "2.0.0")
	}
	return e
}

func (e *export) set(id, modified, fixed string) {
	e.records[id], e.modified[id] = osvRecord(id, modified, "left", fixed), modified
}

func (e *export) remove(id string) { delete(e.records, id); delete(e.modified, id) }

func (e *export) index() []byte {
	var b bytes.Buffer
	for _, id := range slices.Sorted(maps.Keys(e.modified)) {
		fmt.Fprintf(&b, "%s,%s\n", e.modified[id], id)
	}
	return b.Bytes()
}

func (e *export) zip(t testing.TB) []byte {
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(e.records)) {
		parts = append(parts, id+".json", e.records[id])
	}
	return zipOf(t, parts...)
}

func (e *export) server(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		name := strings.TrimPrefix(r.URL.Path, "/osv/npm/")
		e.asked = append(e.asked, name)
		if e.handle != nil && e.handle(w, r) {
			return
		}
		serve := func(data []byte) {
			sum, _, err := digest(bytes.NewReader(data))
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("ETag", `"`+sum+`"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}
		id := strings.TrimSuffix(name, ".json")
		switch {
		case name == modifiedName:
			serve(e.index())
		case name == archiveName:
			serve(e.zip(t))
		case e.records[id] != "" && !e.hide[id]:
			serve([]byte(e.records[id]))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// taken returns what was asked for since the last call, sorted.
func (e *export) taken() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.asked
	e.asked = nil
	slices.Sort(out)
	return out
}

func (e *export) do(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

func run(t *testing.T, path string, o Options) (*Result, error) {
	t.Helper()
	lock, err := install.Acquire(t.Context(), path, now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lock.Close(); err != nil {
			t.Error(err)
		}
	}()
	if o.Now.IsZero() {
		o.Now = now()
	}
	o.Transport.Pause = time.Millisecond
	return Update(t.Context(), lock, o, nil)
}

// fixes reads the first fixed versions of the records in a database.
func fixes(t *testing.T, path string) map[string]string {
	t.Helper()
	d, err := db.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	out := map[string]string{}
	matches, err := d.Match(t.Context(), "npm", "left", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range matches {
		out[m.ID] = strings.Join(m.Fixed, " ")
	}
	return out
}

func TestUpdateByDelta(t *testing.T) {
	e := newExport("A-1", "A-2", "A-3", "ALSA-2026:1")
	s := e.server(t)
	path := filepath.Join(t.TempDir(), "advisories.db")
	o := Options{From: []string{s.URL + "/osv"}, Ecosystems: []string{"npm"}}
	step := func(name string, want map[string]string, asked ...string) {
		t.Helper()
		if _, err := run(t, path, o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(asked, e.taken()); diff != "" {
			t.Errorf("%s: asked for: %s", name, diff)
		}
		if diff := cmp.Diff(want, fixes(t, path)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	all := func(more ...string) map[string]string {
		m := map[string]string{"A-1": "2.0.0", "A-2": "2.0.0", "A-3": "2.0.0", "ALSA-2026:1": "2.0.0"}
		for i := 0; i < len(more); i += 2 {
			if m[more[i]] = more[i+1]; more[i+1] == "" {
				delete(m, more[i])
			}
		}
		return m
	}
	step("first", all(), archiveName, modifiedName)
	step("nothing new", all(), modifiedName)
	e.do(func() {
		e.set("A-2", "2026-02-01T00:00:00.5Z", "3.0.0")
		e.set("A:4", "2026-02-01T00:00:00Z", "4.0.0")
		e.remove("A-1")
	})
	step("changed, new, gone", all("A-1", "", "A-2", "3.0.0", "A:4", "4.0.0"), "A-2.json", "A:4.json", modifiedName)
	step("nothing new again", all("A-1", "", "A-2", "3.0.0", "A:4", "4.0.0"), modifiedName)
	e.do(func() { e.set("A-2", "2026-03-01T00:00:00Z", "3.5.0") })
	step("changed twice", all("A-1", "", "A-2", "3.5.0", "A:4", "4.0.0"), "A-2.json", modifiedName)

	// One that is listed before it is there is asked for again.
	e.do(func() { e.set("A-5", "2026-03-02T00:00:00Z", "5.0.0"); e.hide["A-5"] = true })
	step("missing", all("A-1", "", "A-2", "3.5.0", "A:4", "4.0.0"), "A-5.json", modifiedName)
	e.do(func() { e.hide["A-5"] = false })
	step("no longer missing", all("A-1", "", "A-2", "3.5.0", "A:4", "4.0.0", "A-5", "5.0.0"), "A-5.json", modifiedName)

	// What is kept is damaged: everything is fetched anew.
	kept, err := filepath.Glob(filepath.Join(path+storeSuffix, strings.Repeat("?", 64)))
	if err != nil || len(kept) != 3 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	for _, name := range kept {
		write(t, []byte("x"), name)
	}
	step("damaged", all("A-1", "", "A-2", "3.5.0", "A:4", "4.0.0", "A-5", "5.0.0"), archiveName, modifiedName)

	// Many changes: the archive is cheaper.
	e.do(func() {
		for i := range 100 {
			e.set(fmt.Sprintf("B-%d", i), "2026-04-01T00:00:00Z", "0.1.0")
		}
	})
	step("many", all("A-1", "", "A-2", "3.5.0", "A:4", "4.0.0", "A-5", "5.0.0"), archiveName, modifiedName)

	// An index that was cut does not thin out the database.
	e.do(func() {
		for i := range 90 {
			e.remove(fmt.Sprintf("B-%d", i))
		}
	})
	if _, err := run(t, path, o); err == nil || !strings.Contains(err.Error(), "no longer lists 90 of 105") {
		t.Errorf("shrunk: %v", err)
	}
	e.taken()
	o.AllowShrink = true
	step("meant", all("A-1", "", "A-2", "3.5.0", "A:4", "4.0.0", "A-5", "5.0.0"), modifiedName)
}

// The tables are fetched only when they changed.
func TestUpdateTables(t *testing.T) {
	var asked, fresh int
	mux := http.NewServeMux()
	mux.HandleFunc("/kev.json", func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Last-Modified", "Fri, 07 Aug 2026 16:45:47 GMT")
		if r.Header.Get("If-Modified-Since") == "Fri, 07 Aug 2026 16:45:47 GMT" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fresh++
		fmt.Fprint(w, kevFile(oneKEV, 1))
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	root := t.TempDir()
	write(t, zipOf(t, "A-1.json", osvRecord("A-1", "2026-01-01T00:00:00Z", "left", "2.0.0")), root, "osv", "npm", "all.zip")
	path := filepath.Join(root, "db", "advisories.db")
	address := strings.Replace(s.URL, "://", "://user:pass@", 1) + "/kev.json?token=abc"
	for range 2 {
		res, err := run(t, path, Options{From: []string{filepath.Join(root, "osv")}, KEV: address})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Info.Sources[0]; got.Location != s.URL+"/kev.json" || got.Records != 1 {
			t.Errorf("source %+v", got)
		}
	}
	if asked != 2 || fresh != 1 {
		t.Errorf("asked %d times, fetched %d times", asked, fresh)
	}
	state, err := os.ReadFile(filepath.Join(path+storeSuffix, stateName))
	if err != nil || bytes.Contains(state, []byte("pass")) || bytes.Contains(state, []byte("token")) {
		t.Errorf("the state holds credentials or cannot be read: %s, %v", state, err)
	}
}

// Whatever a server does, the database stays as it was.
func TestUpdateFailures(t *testing.T) {
	answer := func(name string, f func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/"+name) {
				return false
			}
			f(w, r)
			return true
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer elsewhere.Close()
	truncated := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "PK")
	}
	for _, c := range []struct {
		name   string
		handle func(http.ResponseWriter, *http.Request) bool
		lim    Limits
		want   string
	}{
		{"not found", answer(modifiedName, func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }), Limits{}, "404 Not Found"},
		{"broken", answer(archiveName, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), Limits{}, "500 Internal"},
		{"truncated", answer(archiveName, truncated), Limits{}, "unexpected EOF"},
		{"no zip", answer(archiveName, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }), Limits{}, "directory"},
		{"page instead of index", answer(modifiedName, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }), Limits{}, "line 1"},
		{"empty index", answer(modifiedName, func(http.ResponseWriter, *http.Request) {}), Limits{}, "lists no records"},
		{"oversize stated", answer(archiveName, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "99999999") }), Limits{Archive: 1 << 20}, "too large"},
		{"oversize sent", answer(archiveName, func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}), Limits{Archive: 1 << 20}, "too large"},
		{"redirect to another host", answer(archiveName, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/x", http.StatusFound)
		}), Limits{}, "another host"},
		{"redirect to a file", answer(archiveName, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}), Limits{}, "refused"},
		{"redirect for ever", answer(archiveName, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"?again/"+archiveName, http.StatusFound)
		}), Limits{}, "redirects"},
		{"not modified unasked", answer(archiveName, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }), Limits{}, "304"},
		{"archive lacks what is listed", answer(archiveName, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(zipOf(t, "A-1.json", osvRecord("A-1", "2026-01-01T00:00:00Z", "left", "2.0.0")))
		}), Limits{Delta: 1}, "lacks 2 of the 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newExport("A-1", "A-2", "A-3")
			s := e.server(t)
			path := filepath.Join(t.TempDir(), "advisories.db")
			o := Options{From: []string{s.URL + "/osv"}, Ecosystems: []string{"npm"}}
			if _, err := run(t, path, o); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(path + storeSuffix); err != nil {
				t.Fatal(err)
			}
			e.do(func() { e.handle = c.handle })
			o.Limits = c.lim
			if _, err = run(t, path, o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the database changed (%v)", err)
			}
			left, err := filepath.Glob(filepath.Join(path+storeSuffix, "tmp-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// Of the ecosystems that nobody named, those that there are will do; but one that
// was there and is gone is a fault.
func TestUpdateOptional(t *testing.T) {
	e := newExport("A-1", "A-2")
	s := e.server(t)
	path := filepath.Join(t.TempDir(), "advisories.db")
	var said []string
	o := Options{From: []string{s.URL + "/osv"}, Ecosystems: []string{"ConanCenter", "npm"}, Say: func(s string) { said = append(said, s) }}
	if _, err := run(t, path, o); err == nil {
		t.Error("an ecosystem that was asked for is missing")
	}
	o.Optional = true
	if _, err := run(t, path, o); err != nil || !slices.Contains(said, s.URL+"/osv has no export of ConanCenter: nothing will be known of it") {
		t.Errorf("%v, %q", err, said)
	}
	e.do(func() {
		e.handle = func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }
	})
	if _, err := run(t, path, o); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v", err)
	}
}

// A record fetched alone must be the one that was asked for.
func TestUpdateRefusesAnotherRecord(t *testing.T) {
	e := newExport("A-1", "A-2")
	s := e.server(t)
	path := filepath.Join(t.TempDir(), "advisories.db")
	o := Options{From: []string{s.URL + "/osv"}, Ecosystems: []string{"npm"}}
	if _, err := run(t, path, o); err != nil {
		t.Fatal(err)
	}
	e.do(func() {
		e.set("A-1", "2026-02-01T00:00:00Z", "9.0.0")
		e.records["A-1"] = strings.Replace(e.records["A-1"], "A-1", "A-2", 1)
	})
	if _, err := run(t, path, o); err == nil || !strings.Contains(err.Error(), `it is the record "A-2"`) {
		t.Errorf("%v", err)
	}
}

// Few malformed records are left out and told of; many refuse the source.
func TestUpdateCountsRefused(t *testing.T) {
	for _, c := range []struct {
		bad int
		ok  bool
	}{{0, true}, {2, true}, {40, false}} {
		var parts []string
		for i := range 100 {
			id := fmt.Sprintf("A-%d", i)
			text := osvRecord(id, "2026-01-01T00:00:00Z", "left", "2.0.0")
			if i < c.bad {
				text = text[:40]
			}
			parts = append(parts, id+".json", text)
		}
		root := t.TempDir()
		write(t, zipOf(t, parts...), root, "npm", "all.zip")
		res, err := run(t, filepath.Join(root, "x.db"), Options{From: []string{root}})
		switch {
		case c.ok && err != nil:
			t.Errorf("%d: %v", c.bad, err)
		case c.ok && (res.Info.Records != 100-c.bad || len(res.Problems) != c.bad):
			t.Errorf("%d: %d records, problems %v", c.bad, res.Info.Records, res.Problems)
		case !c.ok && (err == nil || !strings.Contains(err.Error(), "40 of 100 entries are malformed")):
			t.Errorf("%d: %v", c.bad, err)
		}
		if _, err := os.Stat(filepath.Join(root, "x.db")); (err == nil) != c.ok {
			t.Errorf("%d: %v", c.bad, err)
		}
	}
}

// What is in the account of a source.
func TestUpdateAccount(t *testing.T) {
	root := filepath.Join(t.TempDir(), "data")
	write(t, zipOf(t, "A-1.json", osvRecord("A-1", "2026-01-01T00:00:00Z", "left", "2.0.0")), root, "osv", "npm", "all.zip")
	write(t, []byte("2026-01-01T00:00:00Z,A-1\n"), root, "osv", "npm", modifiedName)
	write(t, gz(t, []byte(kevFile(oneKEV, 1))), root, "kev", "kev.json.gz")
	res, err := run(t, filepath.Join(root, "x.db"), Options{From: []string{root}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range res.Info.Sources {
		got = append(got, fmt.Sprintf("%s %s %d %s %d", s.Name, s.Location, s.Records, s.Newest, len(s.Digest)))
	}
	want := []string{"kev data/kev/kev.json.gz 1 2026-08-07T16:45:47Z 72", "osv/npm data/osv/npm 1 2026-01-01T00:00:00Z 72"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := run(t, filepath.Join(root, "x.db"), Options{From: []string{root}, Ecosystems: []string{"PyPI"}}); err == nil {
		t.Error("an ecosystem that is not there was taken")
	}
	if _, err := run(t, filepath.Join(root, "x.db"), Options{From: []string{root}, Ecosystems: []string{"../x"}}); err == nil {
		t.Error("a path was taken for an ecosystem")
	}
}

func FuzzState(f *testing.F) {
	data, err := json.Marshal(remembered{Version: 1, Files: map[string]kept{"https://a.example/x": {SHA256: "../../x", Size: 1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		write(t, data, dir, stateName)
		s, err := openStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range s.old.Files {
			if s.intact(k) {
				t.Errorf("an empty store holds %+v", k)
			}
		}
	})
}
