package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/scanner"
	"bulwark/internal/source"
	"bulwark/internal/triage"
)

func scanners(list ...*fakeScanner) []scanner.Scanner {
	var out []scanner.Scanner
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func TestEachFileIsReadOnceAndOfferedToAll(t *testing.T) {
	src := files(map[string]string{"a.txt": "x", "b.py": "y x", "c.png": "\x89PNG\x00\x00", "d.lock": "x", "e.md": ""})
	text := finder("text", "x")
	text.wants = func(m scanner.Meta) bool { return m.Ext != ".lock" && m.Type != scanner.Binary }
	python := finder("python", "y")
	python.wants = func(m scanner.Meta) bool { return m.Ext == ".py" }
	l := mustLook(t, src, Options{Scanners: scanners(text, python), Workers: 2})

	want := map[string]int{"a.txt": 1, "b.py": 1, "c.png": 1, "e.md": 1} // d.lock interests nobody
	if diff := cmp.Diff(want, src.opened); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.txt", "b.py", "e.md"}, text.paths()); diff != "" {
		t.Errorf("text scanner was offered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b.py"}, python.paths()); diff != "" {
		t.Errorf("python scanner was offered (-want +got):\n%s", diff)
	}
	for _, m := range text.asked {
		if m.Path == "d.lock" && m.Type != scanner.Undetermined {
			t.Error("asked again about a file that was not opened")
		}
	}
	if diff := cmp.Diff([]string{"a.txt:1:1", "b.py:1:1", "b.py:1:3"}, places(l)); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if s := l.Scanners; s[0].Status != outcome.Complete || s[0].Files != 3 || s[1].Files != 1 || s[1].Findings != 1 {
		t.Errorf("scanners %+v", s)
	}
}

func TestVeryLargeFile(t *testing.T) {
	// The word lies across the first boundary, wholly in the overlap, and at the end.
	text := []byte(strings.Repeat(strings.Repeat("-", 99)+"\n", 200_000)) // 20 MB
	copy(text[chunkSize-3:], "needle")
	copy(text[len(text)-7:], "needle")
	src := files(map[string]string{"big": string(text), "small": "needle"})
	whole, pieces := finder("whole", "needle"), finder("pieces", "needle")
	whole.info.ChunkOverlap = 0
	l := mustLook(t, src, Options{Scanners: scanners(whole, pieces), Workers: 1})

	if diff := cmp.Diff([]string{"small"}, whole.paths()); diff != "" {
		t.Errorf("the scanner of whole files was offered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]outcome.Skip{{Path: "big", Reason: "too large for the whole scanner", Detail: "more than 8 MiB", Failed: true}}, l.Skips); diff != "" {
		t.Errorf("skips (-want +got):\n%s", diff)
	}
	w, p := l.Scanners[0], l.Scanners[1]
	if w.Status != outcome.Partial || w.Skipped != 1 || w.Files != 1 || w.Reason != "1 file could not be looked at" {
		t.Errorf("whole: %+v", w)
	}
	if p.Status != outcome.Complete || p.Skipped != 0 || p.Files != 2 {
		t.Errorf("pieces: %+v", p)
	}
	at := func(offset int) string { return fmt.Sprintf("big:%d:%d", offset/100+1, offset%100+1) }
	got := slices.Compact(slices.Sorted(slices.Values(places(l))))
	want := slices.Sorted(slices.Values([]string{at(chunkSize - 3), at(len(text) - 7), "small:1:1"}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(pieces.scanned, func(c scanner.Chunk) bool { return c.Last && c.Offset > 2*(chunkSize-64)-1 }) {
		t.Errorf("the chunks were %+v", pieces.scanned)
	}

	// The cache does not make up for what nobody looked at.
	dir := t.TempDir()
	for range 2 {
		src := known(map[string]string{"big": string(text)})
		src.files[0].ContentID = "sha1:big"
		c, done := remembering(t, dir)
		l := mustLook(t, src, Options{Scanners: scanners(whole, pieces), Workers: 1, Cache: c})
		done()
		if l.Scanners[0].Status != outcome.Partial {
			t.Errorf("with a cache: %+v", l.Scanners[0])
		}
	}
}

func TestOnlyWholeFileScannersDoNotReadOn(t *testing.T) {
	read := 0
	src := &fakeSource{}
	src.addReader(source.File{Path: "endless", Size: -1}, func() (io.ReadCloser, error) { return io.NopCloser(zeros{&read}), nil })
	whole := finder("whole", "x")
	whole.info.ChunkOverlap = 0
	l := mustLook(t, src, Options{Scanners: scanners(whole)})
	if len(l.Skips) != 1 || read > 2*chunkSize {
		t.Errorf("read %d bytes, skips %+v", read, l.Skips)
	}
}

// zeros is text without end.
type zeros struct{ n *int }

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	if z.n != nil {
		*z.n += len(p)
	}
	return len(p), nil
}

func TestMaxFileSize(t *testing.T) {
	src := files(map[string]string{"large": strings.Repeat("x", 2000), "fine": "x"})
	l := mustLook(t, src, Options{Scanners: scanners(finder("f", "x")), MaxFileSize: 1000})
	want := []outcome.Skip{{Path: "large", Reason: "too large", Detail: "1.953 KiB, the limit is 1000 bytes (scan.max_file_size)", Failed: true}}
	if diff := cmp.Diff(want, l.Skips); diff != "" || src.opened["large"] != 0 {
		t.Errorf("opened %v, skips (-want +got):\n%s", src.opened, diff)
	}
	// A file of unknown size is found out while it is read; what came before counts.
	src = &fakeSource{}
	src.addReader(source.File{Path: "endless", Size: -1}, func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("needle\n"), zeros{})), nil
	})
	l = mustLook(t, src, Options{Scanners: scanners(finder("f", "needle")), MaxFileSize: 20 << 20})
	if len(l.Skips) != 1 || l.Skips[0].Reason != "too large" || !strings.Contains(l.Skips[0].Detail, "were examined") || l.Scanners[0].Status != outcome.Partial {
		t.Errorf("skips %+v, %+v", l.Skips, l.Scanners)
	}
	if diff := cmp.Diff([]string{"endless:1:1"}, places(l)); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

func TestUTF16(t *testing.T) {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("first\nsecond needle, größe\n")) {
		b = append(b, byte(u), byte(u>>8))
	}
	l := mustLook(t, files(map[string]string{"a.txt": string(b)}), Options{Scanners: scanners(finder("f", "needle"))})
	if diff := cmp.Diff([]string{"a.txt:2:8"}, places(l)); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

func TestDirectivesOfLargeFiles(t *testing.T) {
	line := "x = 1 # " + triage.Marker + ` f-word reason="a reason" until=2027-01-31` + "\n"
	fill := strings.Repeat(strings.Repeat("-", 63)+"\n", chunkSize/64)
	for _, before := range []int{0, 10, 40, 64, 70, len(line), 200} { // the directive lies across the boundary
		text := fill[:len(fill)-before-1] + "\n" + line + fill
		f := finder("f", "needle")
		f.info.ChunkOverlap = 256
		l := mustLook(t, files(map[string]string{"a": text}), Options{Scanners: scanners(f)})
		d := l.Directives["a"]
		if len(d.Problems) > 0 || len(d.Directives) != 1 || d.Directives[0].Line != strings.Count(text[:strings.Index(text, "x =")], "\n")+1 {
			t.Errorf("%d before the boundary: %+v", before, d)
		}
	}
	// A line longer than a chunk holds no directive that can be trusted.
	long := strings.Repeat("-", 2*chunkSize) + " # " + triage.Marker + " f-word\nneedle"
	l := mustLook(t, files(map[string]string{"a": long}), Options{Scanners: scanners(finder("f", "needle"))})
	if diff := cmp.Diff([]string{"a:2:1"}, places(l)); diff != "" || len(l.Directives) != 0 {
		t.Errorf("directives %+v, places (-want +got):\n%s", l.Directives, diff)
	}
}

func TestCancel(t *testing.T) {
	huge := &fakeSource{}
	huge.addReader(source.File{Path: "huge", Size: -1}, func() (io.ReadCloser, error) { return io.NopCloser(zeros{}), nil })
	utf := &fakeSource{}
	utf.addReader(source.File{Path: "huge", Size: -1}, func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("\xff\xfe"), zeros{})), nil
	})
	waiting := finder("waiting", "x")
	waiting.scan = func(ctx context.Context, _ *scanner.Chunk) (scanner.Result, error) {
		<-ctx.Done()
		return scanner.Result{}, ctx.Err()
	}
	concluding := finder("concluding", "x")
	concluding.after = func(ctx context.Context, _ []scanner.Fact) ([]finding.Finding, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, tt := range map[string]struct {
		src source.Source
		s   *fakeScanner
	}{
		"endless source":     {&endlessSource{}, finder("f", "needle")},
		"endless file":       {huge, finder("f", "needle")},
		"endless UTF-16":     {utf, finder("f", "needle")},
		"scanner takes long": {files(map[string]string{"a": "x", "b": "x", "c": "x"}), waiting},
		"endless conclusion": {files(map[string]string{"a": "x"}), concluding},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var cancelled time.Time
			time.AfterFunc(50*time.Millisecond, func() { cancelled = time.Now(); cancel() })
			l, err := Look(ctx, tt.src, Options{Scanners: scanners(tt.s), MaxFileSize: 1 << 60})
			if err != nil {
				t.Fatal(err)
			}
			// 100 ms are promised; a loaded machine gets more.
			if took := time.Since(cancelled); took > time.Second {
				t.Errorf("Look returned %v after it was cancelled", took)
			}
			if l.Incomplete != "cancelled" || l.Scanners[0].Status != outcome.Partial || l.Scanners[0].Reason != "cancelled" {
				t.Errorf("incomplete %q, %+v", l.Incomplete, l.Scanners)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if l, err := Look(ctx, &endlessSource{}, Options{Scanners: scanners(finder("f", "x"))}); err != nil || l.Incomplete != "the time limit was reached" {
		t.Errorf("%v, %+v", err, l)
	}
}

func TestFailures(t *testing.T) {
	src := files(map[string]string{"a": "x", "b": "panic x", "c": "x", "d": "gap", "e": "x"})
	src.skips = []outcome.Skip{{Path: "link", Reason: "symlink"}}
	src.addReader(source.File{Path: "f", Size: 1}, func() (io.ReadCloser, error) { return nil, errors.New("the disk is tired") })
	src.addReader(source.File{Path: "g", Size: 1}, func() (io.ReadCloser, error) {
		return nil, fmt.Errorf("opening: %w", &source.Left{Reason: "missing object"})
	})
	broken, careful := finder("broken", "x"), finder("careful", "x")
	broken.scan = func(context.Context, *scanner.Chunk) (scanner.Result, error) {
		return scanner.Result{}, errors.New("no memory left")
	}
	careful.scan = func(_ context.Context, c *scanner.Chunk) (scanner.Result, error) {
		switch c.Path {
		case "b":
			panic("a bug \xff in the scanner")
		case "d":
			return scanner.Result{Gap: "the middle"}, nil
		}
		return careful.find(c), nil
	}
	l := mustLook(t, src, Options{Scanners: scanners(broken, careful), Workers: 1})
	if diff := cmp.Diff([]string{"a:1:1", "c:1:1", "e:1:1"}, places(l)); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	want := []outcome.Skip{
		{Path: "b", Reason: "examining it failed", Detail: "internal error: a bug ? in the scanner", Failed: true},
		{Path: "d", Reason: "not wholly examined", Detail: "the middle", Failed: true},
		{Path: "f", Reason: "cannot be read", Detail: "the disk is tired", Failed: true},
		{Path: "g", Reason: "missing object"},
		{Path: "link", Reason: "symlink"},
	}
	if diff := cmp.Diff(want, l.Skips); diff != "" {
		t.Errorf("skips (-want +got):\n%s", diff)
	}
	if s := l.Scanners[0]; s.Status != outcome.Failed || s.Reason != "no memory left" || len(broken.scanned) != 1 {
		t.Errorf("%d chunks, %+v", len(broken.scanned), s)
	}
	if s := l.Scanners[1]; s.Status != outcome.Partial || s.Reason != "3 files could not be looked at" || s.Skipped != 5 {
		t.Errorf("%+v", s)
	}

	lost := errors.New("the index is damaged")
	src = files(map[string]string{"a": "x"})
	src.fail = lost
	if _, err := Look(t.Context(), src, Options{Scanners: scanners(careful)}); !errors.Is(err, lost) {
		t.Errorf("Walk's error: %v", err)
	}
}

func TestConclude(t *testing.T) {
	s := finder("f", "x")
	s.scan = func(_ context.Context, c *scanner.Chunk) (scanner.Result, error) {
		return scanner.Result{Facts: json.RawMessage(`"` + string(c.Content) + `"`)}, nil
	}
	s.after = func(_ context.Context, facts []scanner.Fact) ([]finding.Finding, error) {
		return []finding.Finding{s.finding(facts[0].Path, len(facts), 0)}, nil
	}
	contents := map[string]string{}
	var want []scanner.Fact
	for i := range 50 {
		path := fmt.Sprintf("%02d", i)
		contents[path] = "of " + path
		want = append(want, scanner.Fact{Path: path, Data: json.RawMessage(`"of ` + path + `"`)})
	}
	dir := t.TempDir()
	for _, cached := range []int{0, 50} {
		c, done := remembering(t, dir)
		l := mustLook(t, known(contents), Options{Scanners: scanners(s), Workers: 8, Cache: c})
		done()
		if diff := cmp.Diff(want, s.facts); diff != "" {
			t.Errorf("%d cached: facts (-want +got):\n%s", cached, diff)
		}
		if diff := cmp.Diff([]string{"00:50:1"}, places(l)); diff != "" || l.Scanners[0].Cached != cached {
			t.Errorf("%+v, places (-want +got):\n%s", l.Scanners[0], diff)
		}
	}
	for name, after := range map[string]func() error{
		"an error":            func() error { return errors.New("cannot tell") },
		"internal error: bug": func() error { panic("bug") },
	} {
		s.after = func(context.Context, []scanner.Fact) ([]finding.Finding, error) { return nil, after() }
		l := mustLook(t, files(contents), Options{Scanners: scanners(s, finder("other", "of")), Workers: 2})
		if l.Scanners[0].Status != outcome.Failed || l.Scanners[1].Status != outcome.Complete || l.Scanners[1].Findings != 50 {
			t.Errorf("%s: %+v", name, l.Scanners)
		}
	}
}

func TestOrderIsThatOfContent(t *testing.T) {
	contents := map[string]string{}
	for i := range 200 {
		contents[fmt.Sprintf("%d/file", i%17*100+i)] = strings.Repeat("needle\n", i%5) + "other"
	}
	contents["not\xffutf8"] = "needle"
	var first string
	for range 20 {
		src := files(contents)
		src.skips = []outcome.Skip{{Path: "z", Reason: "symlink"}, {Path: "y", Reason: "symlink"}}
		l := mustLook(t, src, Options{Scanners: scanners(finder("one", "needle"), finder("two", "other")), Workers: 8})
		got := fmt.Sprintf("%q %+v %+v", places(l), l.Skips, l.Scanners)
		if first == "" {
			first = got
		}
		if got != first {
			t.Fatalf("two runs differ:\n%s", cmp.Diff(first, got))
		}
	}
	if !strings.Contains(first, `"not\xffutf8:1:1"`) {
		t.Error("the path that is not UTF-8 was changed")
	}
}

func TestTooManyFindings(t *testing.T) {
	const each = 50_000
	text := strings.Repeat("x", each)
	src := files(map[string]string{"a": text, "b": text, "c": text, "d": text, "e": text})
	l := mustLook(t, src, Options{Scanners: scanners(finder("f", "x")), Workers: 2})
	want := []outcome.Skip{{Reason: "too many findings", Detail: "50000 beyond the first 200000 were not kept", Failed: true}}
	if diff := cmp.Diff(want, l.Skips); diff != "" || len(l.Findings) != maxFindings || l.Scanners[0].Status != outcome.Partial {
		t.Errorf("%d findings, %+v, skips (-want +got):\n%s", len(l.Findings), l.Scanners, diff)
	}

	src = &fakeSource{}
	for i := range maxSkips + 7 {
		src.skips = append(src.skips, outcome.Skip{Path: fmt.Sprint(i), Reason: "symlink"})
	}
	l = mustLook(t, src, Options{Scanners: scanners(finder("f", "x"))})
	if n := len(l.Skips); n != maxSkips+1 || l.Skips[n-1].Detail != "7 beyond the first 50000" || l.Scanners[0].Status != outcome.Partial {
		t.Errorf("%d skips, the last %+v, %+v", n, l.Skips[n-1], l.Scanners)
	}
}

// heldContent lies in memory, as the blobs of a history do.
type heldContent struct {
	*strings.Reader
	content string
}

func (h heldContent) Bytes() []byte { return []byte(h.content) }
func (heldContent) Close() error    { return nil }

// What is decoded comes once, whether it is read or lies in memory.
func TestDecodedOnce(t *testing.T) {
	const bom = "\xef\xbb\xbfone\nneedle\n"
	src := files(map[string]string{"read": bom})
	src.addReader(source.File{Path: "held", Size: int64(len(bom))}, func() (io.ReadCloser, error) {
		return heldContent{strings.NewReader(bom), bom}, nil
	})
	l := mustLook(t, src, Options{Scanners: scanners(finder("f", "needle")), Workers: 1})
	if diff := cmp.Diff([]string{"held:2:1", "read:2:1"}, places(l)); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

// groupedSource offers versions of a file, each built upon the one before.
type groupedSource struct {
	fakeSource
	kept func(level int) []source.Kept
}

func (s *groupedSource) Groups(_ context.Context, group func(source.Group) error, _ func(outcome.Skip) error) error {
	return group(func(ctx context.Context, file func(source.File) error) error {
		for i, f := range s.files {
			f.Version = &source.Version{
				Level: i, Based: i > 0, Leaf: i == len(s.files)-1, Last: i > 0,
				Kept: func() []source.Kept { return s.kept(i) },
			}
			if err := file(f); err != nil {
				return err
			}
		}
		return nil
	})
}

// Of versions of a file a scanner is told what it remembers of the one before,
// so far as that was examined, as it is, by that scanner.
func TestVersions(t *testing.T) {
	src := &groupedSource{kept: func(int) []source.Kept { return []source.Kept{{From: 0, To: 2, Base: 0}} }}
	for i, content := range []string{"zero", "one", "\xff\xfet\x00w\x00o\x00", "three", "four\x00", "five", "six"} {
		src.add(source.File{Path: fmt.Sprint(i)}, content)
	}
	s := finder("f", "needle")
	s.wants = func(m scanner.Meta) bool { return m.Type != scanner.Binary }
	var bases []string
	s.scan = func(_ context.Context, c *scanner.Chunk) (scanner.Result, error) {
		bases = append(bases, fmt.Sprintf("%s upon %v, kept %d, remember %v", c.Path, c.Base, len(c.Kept), c.Remember))
		return scanner.Result{State: c.Path}, nil
	}
	other := finder("other", "needle")
	l := mustLook(t, src, Options{Scanners: scanners(s, other), Workers: 1})
	want := []string{
		"0 upon <nil>, kept 0, remember true",
		"1 upon 0, kept 1, remember true",
		"2 upon <nil>, kept 0, remember false", // UTF-16: the scanner sees other bytes than are stored
		"3 upon <nil>, kept 0, remember true",
		"5 upon <nil>, kept 1, remember true", // 4 is binary
		"6 upon 5, kept 1, remember false",    // nothing is built upon it
	}
	if diff := cmp.Diff(want, bases); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range other.scanned {
		if c.Base != nil {
			t.Errorf("%s: a scanner that remembers nothing is given %v", c.Path, c.Base)
		}
	}
	if l.Scanners[0].Files != 6 || l.Scanners[1].Files != 7 {
		t.Errorf("%+v", l.Scanners)
	}
}

// Directives are found in what is kept as in what is new.
func TestVersionsWithDirectives(t *testing.T) {
	const head, tail = "first line\n", "last line\n"
	directive := "x # " + triage.Marker + ` rule-id reason="a good one" until=2027-01-31` + "\n"
	var contents []string
	src := &groupedSource{}
	for i, c := range []string{head + tail, head + directive + tail, head + directive + "y\n" + tail, head + tail} {
		contents = append(contents, c)
		src.add(source.File{Path: fmt.Sprint(i)}, c)
	}
	src.kept = func(level int) []source.Kept {
		if level == 0 {
			return nil
		}
		base, c := contents[level-1], contents[level]
		return []source.Kept{
			{From: 0, To: len(head), Base: 0},
			{From: len(c) - len(tail), To: len(c), Base: len(base) - len(tail)},
		}
	}
	l := mustLook(t, src, Options{Scanners: scanners(finder("f", "needle")), Workers: 1})
	for path, want := range map[string]int{"0": 0, "1": 1, "2": 1, "3": 0} {
		if n := len(l.Directives[path].Directives); n != want {
			t.Errorf("version %s: %d directives, want %d", path, n, want)
		}
	}
}
