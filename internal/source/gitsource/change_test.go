package gitsource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitstore"
)

// branch makes a repository whose HEAD has left main.
func branch(t *testing.T, args ...string) string {
	t.Helper()
	dir := initRepo(t, args...)
	for _, n := range numbered("same/dir/f", 20) {
		write(t, dir, n, n)
	}
	write(t, dir, "edited", "old")
	write(t, dir, "deleted", "deleted")
	write(t, dir, "renamed/from", "renamed")
	write(t, dir, "touched", "touched")
	write(t, dir, "dirty", "clean")
	write(t, dir, "crlf", "a\nb\n")
	commitAll(t, dir, "base")
	git(t, dir, "checkout", "-q", "-b", "feature")
	write(t, dir, "edited", "password-in-between")
	write(t, dir, "leaked", "leaked")
	commitAll(t, dir, "oops")
	write(t, dir, "edited", "new")
	remove(t, dir, "leaked")
	remove(t, dir, "deleted")
	if err := os.Rename(filepath.Join(dir, "renamed"), filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	commitAll(t, dir, "fixed")
	git(t, dir, "checkout", "-q", "main")
	write(t, dir, "on-main", "not of the change")
	commitAll(t, dir, "main goes on")
	git(t, dir, "checkout", "-q", "feature")
	settle(t, dir)
	return dir
}

func TestChange(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		dir := branch(t, "--object-format="+format)
		write(t, dir, "dirty", "dirty")
		write(t, dir, "crlf", "a\r\nb\r\n")
		write(t, dir, "untracked", "u")
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(dir, "touched"), later, later); err != nil {
			t.Fatal(err)
		}
		c := change(t, dir, "main", Options{})
		want := map[string]seenFile{
			"edited":      {Content: "new", ID: "wt-" + format},
			"other/from":  {Content: "renamed", ID: "wt-" + format},
			"dirty":       {Content: "dirty"},
			"untracked":   {Content: "u"},
			"edited@oops": {Content: "password-in-between", ID: format, Commit: "oops", Historical: true},
			"leaked@oops": {Content: "leaked", ID: format, Commit: "oops", Historical: true},
		}
		got := walk(t, c)
		if d := cmp.Diff(want, got.files); d != "" {
			t.Errorf("%s: files (-want +got):\n%s", format, d)
		}
		if len(got.skips) != 0 {
			t.Errorf("%s: skips %v", format, got.skips)
		}
		wantBefore := map[string]seenFile{
			"edited":       {Content: "old", ID: format},
			"deleted":      {Content: "deleted", ID: format},
			"renamed/from": {Content: "renamed", ID: format},
			"dirty":        {Content: "clean", ID: format},
		}
		if d := cmp.Diff(wantBefore, walk(t, c.Before()).files); d != "" {
			t.Errorf("%s: before (-want +got):\n%s", format, d)
		}
		if base := git(t, dir, "merge-base", "main", "HEAD"); c.Asset().Base != base || c.Asset().Branch != "feature" || c.Asset().Name != "repo" {
			t.Errorf("%s: asset %+v, base %s", format, c.Asset(), base)
		}
		base, err := NewBase(context.Background(), dir, "main", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(walk(t, base).files); n != 26 {
			t.Errorf("%s: the base has %d files, want 26", format, n)
		}
		base.Close()

		// The same without a work tree, and without what was not committed.
		bare := filepath.Join(t.TempDir(), "repo.git")
		git(t, dir, "clone", "-q", "--bare", dir, bare)
		c = change(t, bare, "main", Options{})
		delete(want, "dirty")
		delete(want, "untracked")
		for _, n := range []string{"edited", "other/from"} {
			f := want[n]
			f.ID = format
			want[n] = f
		}
		if d := cmp.Diff(want, walk(t, c).files); d != "" {
			t.Errorf("%s: bare: files (-want +got):\n%s", format, d)
		}
		delete(wantBefore, "dirty")
		if d := cmp.Diff(wantBefore, walk(t, c.Before()).files); d != "" {
			t.Errorf("%s: bare: before (-want +got):\n%s", format, d)
		}
	}
}

func TestChangeAfterCopy(t *testing.T) {
	dir := branch(t)
	// Without times that agree, and without the cached tree, content decides.
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	git(t, copied, "read-tree", "HEAD")
	c := change(t, copied, "main", Options{})
	if d := cmp.Diff([]string{"edited", "edited@oops", "leaked@oops", "other/from"}, walk(t, c).names()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	c = change(t, copied, "main", Options{Paths: []string{"other"}})
	if d := cmp.Diff([]string{"other/from"}, walk(t, c).names()); d != "" {
		t.Errorf("restricted (-want +got):\n%s", d)
	}
}

func TestChangeWithMerge(t *testing.T) {
	dir := branch(t)
	git(t, dir, "merge", "-q", "--no-edit", "main")
	settle(t, dir)
	got := walk(t, change(t, dir, "main", Options{}))
	// What came from main is not of the change.
	if d := cmp.Diff([]string{"edited", "edited@oops", "leaked@oops", "other/from"}, got.names()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestChangeShallow(t *testing.T) {
	dir := branch(t)
	clone := filepath.Join(t.TempDir(), "c")
	git(t, dir, "clone", "-q", "--depth=1", "--no-single-branch", "file://"+dir, clone)
	_, err := NewChange(context.Background(), clone, "origin/main", Options{})
	if !errors.Is(err, gitstore.ErrShallow) || !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Errorf("error %v", err)
	}
	if _, err := RootCommit(context.Background(), clone, Root{}); !errors.Is(err, gitstore.ErrShallow) {
		t.Errorf("root commit: %v", err)
	}
	h := history(t, clone, HistoryOptions{})
	walk(t, h)
	if n := h.Notices(); len(n) != 1 || n[0].Kind != "shallow-clone" {
		t.Errorf("notices %v", n)
	}
	root, err := RootCommit(context.Background(), dir, Root{})
	id := root.Commit
	if want := git(t, dir, "rev-list", "--max-parents=0", "HEAD"); err != nil || id.String() != want {
		t.Errorf("root commit %s, %v; want %s", id, err, want)
	}
}

func TestStaged(t *testing.T) {
	for _, commitFirst := range []bool{true, false} {
		dir := initRepo(t)
		write(t, dir, "a/x", "x")
		write(t, dir, "b", "b")
		write(t, dir, "c", "c")
		var before map[string]seenFile
		want := []string{"a/x", "b", "c"}
		git(t, dir, "add", "-A")
		if commitFirst {
			commitAll(t, dir, "first")
			write(t, dir, "a/x", "staged")
			write(t, dir, "n/new", "new")
			remove(t, dir, "c")
			git(t, dir, "add", "-A")
			write(t, dir, "a/x", "not staged")
			write(t, dir, "intent", "i")
			git(t, dir, "add", "-N", "intent")
			want = []string{"a/x", "n/new"}
			before = map[string]seenFile{"a/x": {Content: "x", ID: "sha1"}, "c": {Content: "c", ID: "sha1"}}
		}
		s, err := NewStaged(context.Background(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := walk(t, s)
		if d := cmp.Diff(want, got.names()); d != "" {
			t.Errorf("staged (-want +got):\n%s", d)
		}
		if commitFirst && got.files["a/x"].Content != "staged" {
			t.Errorf("content %q", got.files["a/x"].Content)
		}
		if before == nil {
			before = map[string]seenFile{}
		}
		if d := cmp.Diff(before, walk(t, s.Before()).files); d != "" {
			t.Errorf("before (-want +got):\n%s", d)
		}
		s.Close()
	}
}

func TestHistory(t *testing.T) {
	dir := branch(t)
	git(t, dir, "tag", "-a", "v1", "-m", "v1")
	write(t, dir, "dirty", "stashed once")
	git(t, dir, "stash", "-q")
	write(t, dir, "dirty", "stashed twice")
	git(t, dir, "stash", "-q")
	check := func(name, dir string) {
		t.Helper()
		got := walk(t, history(t, dir, HistoryOptions{}))
		want := map[string]bool{}
		for line := range strings.Lines(git(t, dir, "rev-list", "--objects", "--all", "--reflog")) {
			id, _, ok := strings.Cut(strings.TrimSpace(line), " ")
			if ok && git(t, dir, "cat-file", "-t", id) == "blob" {
				want[git(t, dir, "cat-file", "blob", id)] = true
			}
		}
		have := map[string]bool{}
		for _, f := range got.files {
			c := strings.TrimSpace(f.Content)
			if have[c] {
				t.Errorf("%s: %q comes twice", name, f.Content)
			}
			have[c] = true
			if f.ID != "sha1" || f.Commit == "" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("%s: (-want +got):\n%s", name, d)
		}
		if f := got.files["leaked@oops"]; f.Commit != "oops" || !f.Historical {
			t.Errorf("%s: %+v", name, f)
		}
		if f := got.files["renamed/from"]; f.Commit != "base" || f.Historical {
			t.Errorf("%s: %+v, %v", name, f, got.names())
		}
	}
	check("loose", dir)
	git(t, dir, "gc", "-q")
	check("packed", dir)
	if got := walk(t, history(t, dir, HistoryOptions{Since: "main"})).names(); !slices.Contains(got, "leaked@oops") || slices.Contains(got, "on-main@main goes on") {
		t.Errorf("since main: %q", got)
	}
	if got := walk(t, history(t, dir, HistoryOptions{Limit: 1})); len(got.files) != 1 {
		t.Errorf("the last commit: %q", got.names())
	}
}

func TestHistoryDamaged(t *testing.T) {
	dir := branch(t)
	id := git(t, dir, "rev-parse", "feature~1:leaked")
	if err := os.Remove(filepath.Join(dir, ".git", "objects", id[:2], id[2:])); err != nil {
		t.Fatal(err)
	}
	got := walk(t, history(t, dir, HistoryOptions{}))
	if d := cmp.Diff(map[string]string{"leaked": SkipMissing + " (failed)"}, got.skips); d != "" {
		t.Errorf("skips (-want +got):\n%s", d)
	}
	git(t, dir, "config", "remote.origin.promisor", "true")
	git(t, dir, "config", "extensions.partialClone", "origin")
	got = walk(t, history(t, dir, HistoryOptions{}))
	if d := cmp.Diff(map[string]string{"leaked": SkipPartial}, got.skips); d != "" {
		t.Errorf("skips (-want +got):\n%s", d)
	}
}

func TestBareAndWorktreeAdd(t *testing.T) {
	dir := branch(t)
	wt := filepath.Join(t.TempDir(), "added")
	git(t, dir, "worktree", "add", "-q", wt, "main")
	if got := walk(t, worktree(t, wt, Options{})); len(got.files) != 27 {
		t.Errorf("added work tree: %d files", len(got.files))
	}
	bare := filepath.Join(t.TempDir(), "b.git")
	git(t, dir, "clone", "-q", "--bare", dir, bare)
	if _, err := NewWorktree(bare, Options{}); err == nil {
		t.Error("a bare repository has a work tree")
	}
	tree, err := NewTree(bare, "main", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if got := walk(t, tree); len(got.files) != 27 || tree.Asset().Name != "b" {
		t.Errorf("bare: %d files, asset %+v", len(got.files), tree.Asset())
	}
}

func TestLargeTree(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a tree of 100,000 entries")
	}
	dir := initRepo(t)
	write(t, dir, "x", "x")
	id := git(t, dir, "hash-object", "-w", "x")
	var b strings.Builder
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&b, "100644 %s\td%03d/f%06d\n", id, i%300, i)
	}
	remove(t, dir, "x")
	write(t, dir, ".git/list", b.String())
	cmd := "git update-index --index-info < .git/list && git commit -qm many"
	if out, err := shell(dir, cmd); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tree, err := NewTree(dir, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	start := time.Now()
	if got := walk(t, tree); len(got.files) != n {
		t.Errorf("%d files", len(got.files))
	}
	t.Log("read in", time.Since(start))
	c := change(t, dir, "HEAD", Options{})
	if len(c.visits) != 0 || len(c.before) != n {
		t.Errorf("all deleted: %d visits, %d before", len(c.visits), len(c.before))
	}
}

// TestBomb looks at a few small trees that stand for 10^12 files.
func TestBomb(t *testing.T) {
	dir := initRepo(t)
	write(t, dir, "x", "x")
	id, mode, kind := git(t, dir, "hash-object", "-w", "x"), "100644", "blob"
	remove(t, dir, "x")
	for range 12 {
		var b strings.Builder
		for i := range 10 {
			fmt.Fprintf(&b, "%s %s %s\tn%d\n", mode, kind, id, i)
		}
		write(t, dir, ".git/list", b.String())
		out, err := shell(dir, "git mktree < .git/list")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		id, mode, kind = strings.TrimSpace(out), "40000", "tree"
	}
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "empty")
	commit := git(t, dir, "commit-tree", "-p", "HEAD", "-m", "bomb", id)
	git(t, dir, "update-ref", "refs/heads/main", commit)
	start := time.Now()
	if got := walk(t, history(t, dir, HistoryOptions{})); len(got.files) != 1 {
		t.Errorf("%d files, want 1", len(got.files))
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the history took %v", d)
	}
	if testing.Short() {
		return
	}
	if got := walk(t, change(t, dir, "HEAD~1", Options{})); len(got.files) != 1 {
		t.Errorf("change: %q", got.names())
	}
	tree, err := NewTree(dir, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	tree.maxEntries = 10_000
	err = tree.Walk(context.Background(), func(source.File) error { return nil }, func(outcome.Skip) error { return nil })
	if !errors.Is(err, errTooMany) {
		t.Errorf("tree: %v", err)
	}
	t.Log("refused after", time.Since(start))
}

func TestCancel(t *testing.T) {
	dir := branch(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := worktree(t, dir, Options{})
	if err := w.Walk(ctx, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("work tree: %v", err)
	}
	if _, err := NewChange(ctx, dir, "main", Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("change: %v", err)
	}
}
