package gitsource

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
)

// groups is what the groups of a history hold, as walk would give it.
func groups(t *testing.T, h *History) (r result, based int) {
	t.Helper()
	r = result{files: map[string]seenFile{}, skips: map[string]string{}}
	var list []source.Group
	err := h.Groups(t.Context(), func(g source.Group) error {
		list = append(list, g)
		return nil
	}, func(k outcome.Skip) error {
		r.skips[k.Path] = k.Reason
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range list {
		contents := map[int]string{}
		err := g(t.Context(), func(f source.File) error {
			in, err := f.Open()
			if err != nil {
				return err
			}
			b, err := io.ReadAll(in)
			if err != nil {
				return err
			}
			if f.Version != nil {
				v := f.Version
				if v.Based {
					based++
					for _, k := range v.Kept() {
						if string(b[k.From:k.To]) != contents[v.Level-1][k.Base:k.Base+k.To-k.From] {
							t.Errorf("%s: %+v is not in the base", f.Path, k)
						}
					}
				}
				contents[v.Level] = string(b)
			}
			r.files[fmt.Sprintf("%s %s %s %v", f.ContentID, f.Path, f.Commit.Subject, f.Historical)] = seenFile{Content: string(b)}
			return in.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return r, based
}

// Groups give what Walk gives.
func TestGroups(t *testing.T) {
	dir := initRepo(t)
	for i := range 25 {
		var b strings.Builder
		for line := range 200 {
			fmt.Fprintf(&b, "line %d of version %d\n", line, i*(line%9/8))
		}
		write(t, dir, fmt.Sprintf("dir%d/file", i/10), b.String())
		write(t, dir, "other", fmt.Sprint(i))
		commitAll(t, dir, fmt.Sprint("commit ", i))
	}
	for _, packed := range []bool{false, true} {
		if packed {
			git(t, dir, "gc", "-q", "--aggressive")
		}
		want := result{files: map[string]seenFile{}}
		err := history(t, dir, HistoryOptions{}).Walk(t.Context(), func(f source.File) error {
			in, err := f.Open()
			if err != nil {
				return err
			}
			b, err := io.ReadAll(in)
			want.files[fmt.Sprintf("%s %s %s %v", f.ContentID, f.Path, f.Commit.Subject, f.Historical)] = seenFile{Content: string(b)}
			return err
		}, func(outcome.Skip) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		got, based := groups(t, history(t, dir, HistoryOptions{}))
		if d := cmp.Diff(want.files, got.files); d != "" {
			t.Errorf("packed %v: (-walk +groups):\n%s", packed, d)
		}
		if packed && based < 15 || !packed && based > 0 {
			t.Errorf("packed %v: %d contents have a base", packed, based)
		}
	}
}

// Several stretches of commits together find what one finds.
func TestStretches(t *testing.T) {
	dir := initRepo(t)
	git(t, dir, "-c", "advice.addEmbeddedRepo=false", "init", "-q", "sub")
	git(t, dir+"/sub", "commit", "-q", "--allow-empty", "-m", "in sub")
	for i := range 12 {
		write(t, dir, "file", fmt.Sprint(i%5)) // comes back again and again
		write(t, dir, fmt.Sprintf("folder/%d", i%4), fmt.Sprint("x", i/2))
		commitAll(t, dir, fmt.Sprint("commit ", i))
	}
	for _, packed := range []bool{false, true} {
		if packed {
			git(t, dir, "gc", "-q")
		}
		find := func(n int) (files []string, skips []string) {
			h := history(t, dir, HistoryOptions{})
			w := &histWalk{History: h}
			var err error
			if w.order, err = h.commits(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := w.collectIn(t.Context(), n, func(k outcome.Skip) error {
				skips = append(skips, k.Path+" "+k.Reason)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			for i := range w.blobs {
				b := &w.blobs[i]
				id, err := w.blobOf(b)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, fmt.Sprint(id, " ", w.paths[b.path], " ", b.commit))
			}
			return files, skips
		}
		files, skips := find(1)
		if len(files) < 10 || len(skips) != 1 {
			t.Fatalf("%d files, %q: the test says nothing", len(files), skips)
		}
		for n := 2; n <= 12; n++ {
			f, s := find(n)
			if d := cmp.Diff(files, f); d != "" {
				t.Errorf("packed %v, %d stretches: files (-one +several):\n%s", packed, n, d)
			}
			if d := cmp.Diff(skips, s); d != "" {
				t.Errorf("packed %v, %d stretches: skips (-one +several):\n%s", packed, n, d)
			}
		}
	}
}

func TestGroupsCancel(t *testing.T) {
	dir := initRepo(t)
	write(t, dir, "a", "x")
	commitAll(t, dir, "c")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := history(t, dir, HistoryOptions{})
	if err := h.Groups(ctx, func(source.Group) error { return nil }, func(outcome.Skip) error { return nil }); err == nil {
		t.Error("goes on when nobody wants it")
	}
}
