package watch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/advisory"
	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
	"bulwark/internal/sbom/cyclonedx"
)

// fake is a database in memory: what affects "name@version".
type fake struct {
	serial, cycles string
	affects        map[string][]advisory.Match
	kev            map[string]bool
	epss           map[string]float64
	ends           map[string]string // by name
	asked          int
	fail           error
}

func (f *fake) Serial() string { return f.serial }
func (f *fake) Cycles() string { return f.cycles }
func (f *fake) Match(_ context.Context, p dependency.Package) ([]advisory.Match, bool, error) {
	f.asked++
	return f.affects[p.ID()], p.Version == "odd", f.fail
}

func (f *fake) Exploits(ids []string) (x advisory.Exploitation, err error) {
	for _, id := range ids {
		if f.kev[id] {
			x.KEV = &advisory.KEV{CVE: id, Added: "2026-01-02"}
		}
		if s, ok := f.epss[id]; ok {
			x.EPSS = &advisory.EPSS{CVE: id, Score: s}
		}
	}
	return x, nil
}

func (f *fake) EndOfLife(_ string, p dependency.Package, day string) (advisory.Cycle, bool, error) {
	end, ok := f.ends[p.Name]
	return advisory.Cycle{Product: p.Name, Cycle: "1", Ended: end, Over: end < day}, ok, nil
}

func start() *fake {
	return &fake{
		serial: "1", affects: map[string][]advisory.Match{"b@1": {{ID: "CVE-2026-0001", Aliases: []string{"GHSA-b"}}}},
		kev: map[string]bool{}, epss: map[string]float64{"CVE-2026-0001": 0.05}, ends: map[string]string{"c": "2026-01-10"},
	}
}

func store(t testing.TB, folder, name string, purls ...string) {
	t.Helper()
	d := &sbom.Document{Subject: sbom.Subject{Ref: "root", Name: strings.TrimSuffix(name, ".json"), Version: "1"}}
	for _, p := range purls {
		d.Components = append(d.Components, sbom.Component{Ref: p, PURL: p, Package: dependency.Package{Name: "x"}})
	}
	var b bytes.Buffer
	if err := cyclonedx.Write(&b, d, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// site is a folder with a state.
type site struct {
	t       testing.TB
	folder  string
	state   string
	now     time.Time
	emitted []Alert
}

func newSite(t testing.TB) *site {
	s := &site{t: t, folder: t.TempDir(), now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
	s.state = filepath.Join(t.TempDir(), "watch.state")
	store(t, s.folder, "one.json", "pkg:npm/a@1", "pkg:npm/b@1")
	store(t, s.folder, "two.json", "pkg:npm/b@1", "pkg:npm/c@1")
	return s
}

func (s *site) options(db Database, delta *Delta) Options {
	return Options{Folder: s.folder, State: s.state, Database: db, Delta: delta, Now: s.now, Emit: func(line []byte) error {
		var a Alert
		if err := json.Unmarshal(line, &a); err != nil {
			return err
		}
		s.emitted = append(s.emitted, a)
		return nil
	}}
}

// run returns what was emitted, as "kind sbom purl vulnerability".
func (s *site) run(db Database, delta *Delta) ([]string, *Result) {
	s.t.Helper()
	s.emitted = nil
	r, err := Run(s.t.Context(), s.options(db, delta))
	if err != nil {
		s.t.Fatal(err)
	}
	return texts(s.emitted), r
}

func texts(alerts []Alert) []string {
	var out []string
	for _, a := range alerts {
		out = append(out, strings.TrimSpace(fmt.Sprint(a.Kind, " ", a.SBOM, " ", a.PURL, " ", a.Vulnerability)))
	}
	return out
}

func TestRun(t *testing.T) {
	s := newSite(t)
	db := start()
	check := func(what string, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", what, diff)
		}
	}
	got, r := s.run(db, nil)
	check("first run", got)
	if r.SBOMs != 2 || r.Read != 2 || r.Packages != 3 || r.Evaluated != 3 {
		t.Fatalf("first run: %+v", r)
	}
	got, r = s.run(db, nil)
	check("nothing new", got)
	if r.Read != 0 || r.Evaluated != 0 {
		t.Fatalf("nothing new: %+v", r)
	}

	db.serial, db.affects["a@1"] = "2", []advisory.Match{{ID: "CVE-2026-0002"}}
	got, r = s.run(db, &Delta{From: "1", Packages: []dependency.Package{{Ecosystem: dependency.NPM, Name: "a"}}})
	check("newly affected", got, "affected one.json pkg:npm/a@1 CVE-2026-0002")
	if r.Evaluated != 1 || r.Full {
		t.Fatalf("the work does not follow the delta: %+v", r)
	}

	db.serial, db.kev["CVE-2026-0001"], db.epss["CVE-2026-0001"] = "3", true, 0.11
	got, _ = s.run(db, &Delta{From: "2", CVEs: []string{"CVE-2026-0001"}})
	check("exploited and likelier", got,
		"kev one.json pkg:npm/b@1 CVE-2026-0001", "epss one.json pkg:npm/b@1 CVE-2026-0001",
		"kev two.json pkg:npm/b@1 CVE-2026-0001", "epss two.json pkg:npm/b@1 CVE-2026-0001")

	db.serial, db.epss["CVE-2026-0001"] = "4", 0.25
	got, _ = s.run(db, &Delta{From: "3", CVEs: []string{"CVE-2026-0001"}})
	check("a small rise", got)
	db.serial, db.epss["CVE-2026-0001"] = "5", 0.31
	got, _ = s.run(db, nil)
	check("small rises add up, without a delta", got, "epss one.json pkg:npm/b@1 CVE-2026-0001", "epss two.json pkg:npm/b@1 CVE-2026-0001")

	db.serial, db.affects["b@1"] = "6", []advisory.Match{{ID: "CVE-2025-9999", Aliases: []string{"CVE-2026-0001", "GHSA-b"}}}
	got, _ = s.run(db, nil)
	check("another name is no news", got)

	db.serial, db.affects["b@1"] = "7", nil
	got, _ = s.run(db, &Delta{From: "6", Packages: []dependency.Package{{Ecosystem: dependency.NPM, Name: "b"}}})
	check("withdrawn", got, "withdrawn one.json pkg:npm/b@1 CVE-2025-9999", "withdrawn two.json pkg:npm/b@1 CVE-2025-9999")
	db.serial, db.affects["b@1"] = "8", []advisory.Match{{ID: "CVE-2025-9999"}}
	got, _ = s.run(db, nil)
	check("and back", got, "affected one.json pkg:npm/b@1 CVE-2025-9999", "affected two.json pkg:npm/b@1 CVE-2025-9999")

	s.now = time.Date(2026, 1, 11, 0, 0, 0, 0, time.UTC)
	got, _ = s.run(db, nil)
	check("end of life by the calendar", got, "end-of-life two.json pkg:npm/c@1")
	got, _ = s.run(db, nil)
	check("only once", got)

	store(t, s.folder, "three.json", "pkg:npm/b@1", "pkg:npm/c@1")
	if err := os.Remove(filepath.Join(s.folder, "one.json")); err != nil {
		t.Fatal(err)
	}
	got, r = s.run(db, nil)
	check("a new SBOM is taken as it is", got)
	if r.SBOMs != 2 || r.Removed != 1 || r.Packages != 2 {
		t.Fatalf("after removal: %+v", r)
	}
	store(t, s.folder, "four.json", "pkg:npm/b@1", "pkg:npm/c@1", "pkg:npm/a@odd")
	s.emitted = nil
	o := s.options(db, nil)
	o.Initial = true
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	check("initial", texts(s.emitted), "affected four.json pkg:npm/b@1 CVE-2025-9999", "end-of-life four.json pkg:npm/c@1")
}

func TestDamagedSBOMStaysWatched(t *testing.T) {
	s := newSite(t)
	db := start()
	s.run(db, nil)
	if err := os.WriteFile(filepath.Join(s.folder, "two.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	db.serial, db.affects["c@1"] = "2", []advisory.Match{{ID: "CVE-2026-0003"}}
	got, r := s.run(db, nil)
	if len(r.Problems) != 1 || r.Problems[0].Path != "two.json" || !slices.Equal(got, []string{"affected two.json pkg:npm/c@1 CVE-2026-0003"}) {
		t.Errorf("%v, %+v", got, r)
	}
	store(t, s.folder, "two.json", "pkg:npm/b@1")
	if _, r := s.run(db, nil); len(r.Problems) != 0 || r.Read != 1 || r.Packages != 2 {
		t.Errorf("after repair: %+v", r)
	}
}

// Whatever is lost between two steps, each alert is in the outbox once and is
// handed on.
func TestCrashes(t *testing.T) {
	before := start()
	after := start()
	after.serial, after.affects["a@1"], after.kev["CVE-2026-0001"] = "2", []advisory.Match{{ID: "CVE-2026-0002"}}, true
	const want = 3
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := newSite(t)
		s.run(before, nil)
		state, err := os.ReadFile(s.state)
		if err != nil {
			t.Fatal(err)
		}
		// A run that ends after some bytes of the outbox, before the commit.
		o := s.options(after, nil)
		o.Emit = nil
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		box, err := os.ReadFile(s.state + ".outbox")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.state, state, 0o644); err != nil {
			t.Fatal(err)
		}
		cut := random.IntN(len(box) + 1)
		torn := slices.Clone(box[:cut])
		if random.IntN(2) == 0 {
			torn = append(torn, make([]byte, random.IntN(50))...) // blocks that were never written
		}
		if err := os.WriteFile(s.state+".outbox", torn, 0o644); err != nil {
			t.Fatal(err)
		}
		// The next is stopped while handing on.
		seen := map[string]int{}
		emitted := 0
		for range want + 1 {
			o = s.options(after, nil)
			o.Emit = func(line []byte) error {
				var a Alert
				if err := json.Unmarshal(line, &a); err != nil {
					return err
				}
				if random.IntN(2) == 0 {
					return errors.New("the pipe is closed")
				}
				seen[a.ID]++
				emitted++
				return nil
			}
			if _, err := Run(t.Context(), o); err == nil {
				break
			}
		}
		if _, err := Run(t.Context(), s.options(after, nil)); err != nil {
			t.Fatal(err)
		}
		for _, a := range s.emitted {
			seen[a.ID]++
		}
		final, err := os.ReadFile(s.state + ".outbox")
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(final, []byte("\n")); n != want || len(seen) != want {
			t.Fatalf("seed %d, cut at %d: %d alerts in the outbox, %d seen, want %d\n%s", seed, cut, n, len(seen), want, final)
		}
		for id, n := range seen {
			if n != 1 {
				t.Fatalf("seed %d: alert %s was handed on %d times", seed, id, n)
			}
		}
	}
}

func TestFailuresChangeNothing(t *testing.T) {
	s := newSite(t)
	db := start()
	s.run(db, nil)
	state, _ := os.ReadFile(s.state)
	db.serial, db.fail = "2", errors.New("the disk is gone")
	if _, err := Run(t.Context(), s.options(db, nil)); !errors.Is(err, db.fail) {
		t.Errorf("error %v", err)
	}
	if now, _ := os.ReadFile(s.state); !bytes.Equal(state, now) {
		t.Error("a failed run changed the state")
	}
	release, err := lock(s.state + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), s.options(db, nil)); !errors.Is(err, ErrBusy) {
		t.Errorf("two runs at once: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]byte{{}, state[:len(state)-1], append(slices.Clone(state[:20]), state[21:]...), []byte("hello")} {
		if err := os.WriteFile(s.state, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), s.options(start(), nil)); !errors.Is(err, ErrState) {
			t.Errorf("a damaged state: %v", err)
		}
	}
}

func FuzzState(f *testing.F) {
	s := &state{serial: "1", pairs: []pair{{name: "a", vulns: []standing{{id: "CVE-1", aliases: []string{"x"}, score: 0.5}}}}, sboms: []stored{{path: "a", pairs: []uint32{0}}}}
	whole := s.encode()
	f.Add(whole[len(magic) : len(whole)-sha256.Size])
	f.Fuzz(func(t *testing.T, data []byte) {
		// The digest is beside the point.
		s, err := decodeState(seal(data))
		if err == nil {
			if again, err := decodeState(s.encode()); err != nil || len(again.pairs) != len(s.pairs) {
				t.Fatal("what was written is not read", err)
			}
		}
	})
}

// BenchmarkDelta: 1,000 advisories over 10,000 SBOMs of 100 components each.
func BenchmarkDelta(b *testing.B) {
	const boms, size, names, advisories = 10_000, 100, 20_000, 1_000
	folder := b.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range boms {
		var purls []string
		for range size {
			purls = append(purls, fmt.Sprintf("pkg:npm/package-%d@%d.0.0", random.IntN(names), random.IntN(5)))
		}
		slices.Sort(purls)
		store(b, folder, fmt.Sprintf("%05d.json", i), slices.Compact(purls)...)
	}
	db := start()
	s := &site{t: b, folder: folder, state: filepath.Join(b.TempDir(), "state"), now: time.Unix(0, 0)}
	begin := time.Now()
	s.run(db, nil)
	b.ReportMetric(time.Since(begin).Seconds(), "s/first")
	after := start()
	delta := &Delta{From: "1"}
	after.serial = "2"
	for i := range advisories {
		name := fmt.Sprintf("package-%d", i*(names/advisories))
		delta.Packages = append(delta.Packages, dependency.Package{Ecosystem: dependency.NPM, Name: name})
		for v := range 3 {
			id := fmt.Sprintf("%s@%d.0.0", name, v)
			after.affects[id] = []advisory.Match{{ID: fmt.Sprintf("CVE-2026-%d", 10000+i)}}
		}
	}
	saved, err := os.ReadFile(s.state)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(saved))/1e6, "MB-state")
	alerts := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if err := errors.Join(os.WriteFile(s.state, saved, 0o644), os.RemoveAll(s.state+".outbox"), os.RemoveAll(s.state+".emitted")); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		o := s.options(after, delta)
		o.Emit = func([]byte) error { return nil }
		r, err := Run(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		if r.Full {
			b.Fatal("every package was evaluated")
		}
		alerts = r.Alerts
	}
	b.ReportMetric(float64(alerts), "alerts")
}

func seal(body []byte) []byte {
	body = append([]byte(magic), body...)
	sum := sha256.Sum256(body)
	return append(body, sum[:]...)
}
