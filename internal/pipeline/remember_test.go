package pipeline

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/scanner"
	"bulwark/internal/source"
	"bulwark/internal/triage"
)

func TestRemembered(t *testing.T) {
	contents := map[string]string{
		"a": "x\n# " + triage.Marker + ` f-word reason="a reason" until=2027-01-31`, "b": "y", "n\xff": "x", "p.png": "\x89PNG\x00",
	}
	text := func() *fakeScanner {
		f := finder("f", "x")
		f.wants = func(m scanner.Meta) bool { return m.Type != scanner.Binary }
		return f
	}
	// once looks with one cache folder, and says how many files were opened
	// and scanned.
	dir := t.TempDir()
	once := func(src *fakeSource, f *fakeScanner) (*Looked, int, int) {
		t.Helper()
		c, done := remembering(t, dir)
		l := mustLook(t, src, Options{Scanners: scanners(f), Workers: 2, Cache: c})
		done()
		return l, len(src.opened), len(f.scanned)
	}
	first, opened, scanned := once(known(contents), text())
	if opened != 4 || scanned != 3 {
		t.Fatalf("first run: %d opened, %d scanned", opened, scanned)
	}
	second, opened, scanned := once(known(contents), text())
	if opened != 0 || scanned != 0 {
		t.Errorf("second run: %d opened, %d scanned", opened, scanned)
	}
	if s := second.Scanners[0]; s.Files != 3 || s.Cached != 3 || s.Bytes != 0 || s.Status != outcome.Complete {
		t.Errorf("second run: %+v", s)
	}
	if diff := cmp.Diff(first.Findings, second.Findings); diff != "" {
		t.Errorf("findings (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(first.Directives, second.Directives); diff != "" || len(second.Directives) != 1 {
		t.Errorf("directives (-first +second):\n%s", diff)
	}
	if _, opened, scanned := once(files(contents), text()); opened != 4 || scanned != 3 {
		t.Errorf("without content ids, first: %d opened, %d scanned", opened, scanned)
	}
	if l, opened, scanned := once(files(contents), text()); opened != 4 || scanned != 0 || len(l.Directives) != 1 {
		t.Errorf("without content ids, second: %d opened, %d scanned, directives %v", opened, scanned, l.Directives)
	}

	for what, change := range map[string]func(*fakeScanner, *fakeSource){
		"rule set": func(f *fakeScanner, _ *fakeSource) { f.info.RuleSet = "r2" },
		"version":  func(f *fakeScanner, _ *fakeSource) { f.info.Version = "2" },
		"name":     func(f *fakeScanner, _ *fakeSource) { f.info.Name = "g" },
	} {
		f, src := text(), known(contents)
		change(f, src)
		if _, opened, scanned := once(src, f); opened != 4 || scanned != 3 {
			t.Errorf("another %s: %d opened, %d scanned", what, opened, scanned)
		}
	}
	// A scanner more has not seen the files.
	c, done := remembering(t, dir)
	src, f, more := known(contents), text(), finder("more", "y")
	mustLook(t, src, Options{Scanners: scanners(f, more), Cache: c})
	done()
	if len(src.opened) != 4 || len(more.scanned) != 4 {
		t.Errorf("a scanner more: %v opened, %d scanned", src.opened, len(more.scanned))
	}
}

func TestRememberedPlaces(t *testing.T) {
	commit := func(id string) *finding.Commit { return &finding.Commit{ID: id, Subject: "say \xff", Author: "Robin"} }
	make := func() *fakeSource {
		s := &fakeSource{}
		s.add(source.File{Path: "a\xff", ContentID: "sha1:1", Commit: commit("c1"), Historical: true}, "x")
		s.add(source.File{Path: "a\xff", ContentID: "sha1:1", Commit: commit("c2"), Historical: true}, "x")
		s.add(source.File{Path: "b", ContentID: "sha1:1"}, "x")
		return s
	}
	dir := t.TempDir()
	var was *Looked
	for range 2 {
		c, done := remembering(t, dir)
		l := mustLook(t, make(), Options{Scanners: scanners(finder("f", "x")), Cache: c})
		done()
		if len(l.Findings) != 3 || l.Findings[0].Locations[0].Path != "a\xff" || l.Findings[1].Locations[0].Commit.ID != "c2" ||
			l.Findings[1].Locations[0].Commit.Subject != "say \xff" || l.Findings[2].Locations[0].Commit != nil {
			t.Errorf("findings %+v", l.Findings)
		}
		if was != nil && l.Scanners[0].Cached != 3 {
			t.Errorf("%+v", l.Scanners[0])
		}
		was = l
	}
}

// What is not known for sure is not remembered.
func TestNotRemembered(t *testing.T) {
	t.Run("faults", func(t *testing.T) {
		dir := t.TempDir()
		contents := map[string]string{
			"broken": "x", "pointer": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
		}
		var was *Looked
		for range 2 {
			f := finder("f", "x")
			f.scan = func(_ context.Context, c *scanner.Chunk) (scanner.Result, error) {
				if c.Path == "broken" {
					return scanner.Result{}, errors.New("no")
				}
				return f.find(c), nil
			}
			g := finder("g", "x")
			c, done := remembering(t, dir)
			l := mustLook(t, known(contents), Options{Scanners: scanners(f, g), Workers: 1, Cache: c})
			done()
			if len(l.Skips) != 1 || l.Skips[0].Path != "pointer" || l.Scanners[0].Status != outcome.Failed {
				t.Errorf("%+v, skips %+v", l.Scanners, l.Skips)
			}
			if was != nil {
				if diff := cmp.Diff(was.Skips, l.Skips); diff != "" {
					t.Errorf("skips (-first +second):\n%s", diff)
				}
			}
			was = l
		}
	})
	t.Run("a scanner that failed meanwhile", func(t *testing.T) {
		dir := t.TempDir()
		failed := make(chan struct{})
		f := finder("f", "x")
		f.scan = func(context.Context, *scanner.Chunk) (scanner.Result, error) {
			return scanner.Result{}, errors.New("no")
		}
		g := finder("g", "x")
		g.wants = func(m scanner.Meta) bool { return m.Path == "next" }
		src := &fakeSource{}
		src.addReader(source.File{Path: "slow", Size: 1, ContentID: "sha1:slow"}, func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(after{failed}, strings.NewReader("x"))), nil
		})
		src.add(source.File{Path: "quick", ContentID: "sha1:quick"}, "x")
		src.addReader(source.File{Path: "next", Size: 1}, func() (io.ReadCloser, error) {
			close(failed) // the same worker had the quick file before
			return io.NopCloser(strings.NewReader("")), nil
		})
		c, done := remembering(t, dir)
		mustLook(t, src, Options{Scanners: scanners(f, g), Workers: 2, Cache: c})
		done()

		well := finder("f", "x")
		c, done = remembering(t, dir)
		src = &fakeSource{}
		src.add(source.File{Path: "slow", ContentID: "sha1:slow"}, "x")
		l := mustLook(t, src, Options{Scanners: scanners(well), Cache: c})
		done()
		if len(l.Findings) != 1 {
			t.Errorf("the scanner that failed in one file was remembered not to want another: %+v", l.Scanners)
		}
	})
	t.Run("a cancelled look", func(t *testing.T) {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		f := finder("f", "x")
		f.scan = func(context.Context, *scanner.Chunk) (scanner.Result, error) {
			cancel()
			return scanner.Result{}, nil // half of the truth
		}
		c, done := remembering(t, dir)
		if _, err := Look(ctx, known(map[string]string{"a": "x"}), Options{Scanners: scanners(f), Cache: c}); err != nil {
			t.Fatal(err)
		}
		done()
		c, done = remembering(t, dir)
		l := mustLook(t, known(map[string]string{"a": "x"}), Options{Scanners: scanners(finder("f", "x")), Cache: c})
		done()
		if len(l.Findings) != 1 {
			t.Errorf("findings %+v", l.Findings)
		}
	})
}

// after is at its end once the channel is closed.
type after struct{ c <-chan struct{} }

func (a after) Read([]byte) (int, error) { <-a.c; return 0, io.EOF }
