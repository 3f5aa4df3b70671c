package gitstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// grow makes a history with deltas, merges, tags and a stash.
func grow(t testing.TB, dir string) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	lines := make([]string, 400)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %d of %d", i, r.Uint32())
	}
	for c := range 30 {
		for range 5 {
			lines[r.IntN(len(lines))] = fmt.Sprintf("changed %d", r.Uint32())
		}
		write(t, dir, "a/big.txt", strings.Join(lines, "\n"))
		write(t, dir, fmt.Sprintf("b/%d.txt", c), fmt.Sprint(c))
		commitAll(t, dir, fmt.Sprintf("commit %d", c))
		if c == 10 {
			git(t, dir, "branch", "side")
			git(t, dir, "tag", "-a", "v1", "-m", "tagged")
			git(t, dir, "tag", "light")
		}
	}
	git(t, dir, "checkout", "-q", "side")
	write(t, dir, "side.txt", "side")
	commitAll(t, dir, "side")
	git(t, dir, "checkout", "-q", "main")
	git(t, dir, "merge", "-q", "--no-edit", "side")
	git(t, dir, "tag", "merged")
	write(t, dir, "empty", "")
	write(t, dir, "large.bin", strings.Repeat("0123456789", 2<<20/10))
	commitAll(t, dir, "last")
}

// checkAll compares every object, reference and a few revisions with git.
func checkAll(t *testing.T, dir string) {
	t.Helper()
	r := open(t, dir)
	for line := range strings.Lines(git(t, dir, "cat-file", "--batch-all-objects", "--batch-check")) {
		f := strings.Fields(line)
		id, err := ParseID(f[0])
		if err != nil {
			t.Fatal(err)
		}
		typ, data, err := r.Object(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %s %d", id, typ, len(data)); got != strings.TrimSpace(line) {
			t.Fatalf("got %s, want %s", got, line)
		}
		cmd := exec.Command("git", "cat-file", f[1], f[0])
		cmd.Dir = dir
		want, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(data) {
			t.Fatalf("content of %s differs", id)
		}
	}
	for _, rev := range []string{"HEAD", "@", "@~3", "main~2^1", "merged^2", "side", "v1", "light", "v1^{}", "v1~1", "refs/heads/main", "heads/side", "HEAD^0"} {
		want := git(t, dir, "rev-parse", rev+"^{commit}")
		got, err := r.Resolve(rev)
		if err != nil || got.String() != want {
			t.Errorf("Resolve(%q) = %s, %v; want %s", rev, got, err, want)
		}
		if got, err := r.Resolve(want[:9]); err != nil || got.String() != want {
			t.Errorf("Resolve(%q) = %s, %v; want %s", want[:9], got, err, want)
		}
	}
	for _, rev := range []string{"nope", "HEAD~1000", "HEAD^7", "../../etc/passwd", "HEAD@{1}", "HEAD:a", "ffff", ""} {
		got, err := r.Resolve(rev)
		if err == nil && rev != "" {
			t.Errorf("Resolve(%q) = %s, want an error", rev, got)
		}
	}
	var want, got []string
	for line := range strings.Lines(git(t, dir, "show-ref", "--head")) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		want = append(want, name+" "+id)
	}
	refs, err := r.Refs()
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range refs {
		got = append(got, ref.Name+" "+ref.ID.String())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("references (-want +got):\n%s", d)
	}
	head, err := r.Head()
	if err != nil || head.Branch != "main" || head.ID.String() != git(t, dir, "rev-parse", "HEAD") {
		t.Errorf("Head() = %+v, %v", head, err)
	}
	for _, pair := range [][2]string{{"main", "side"}, {"main~1", "side~1"}, {"main~5", "v1"}, {"side", "main~3"}} {
		a, err := r.Resolve(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Resolve(pair[1])
		if err != nil {
			t.Fatal(err)
		}
		base, err := r.MergeBase(context.Background(), a, b)
		if want := git(t, dir, "merge-base", pair[0], pair[1]); err != nil || base.String() != want {
			t.Errorf("MergeBase(%v) = %s, %v; want %s", pair, base, err, want)
		}
		commits, _, err := r.Range(context.Background(), b, a)
		if want := git(t, dir, "rev-list", "--count", pair[1]+".."+pair[0]); err != nil || fmt.Sprint(len(commits)) != want {
			t.Errorf("Range(%v) has %d commits, %v; want %s", pair, len(commits), err, want)
		}
	}
}

func TestAgainstGit(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			dir := initRepo(t, "--object-format="+format)
			grow(t, dir)
			t.Run("loose", func(t *testing.T) { checkAll(t, dir) })
			git(t, dir, "stash", "list")
			git(t, dir, "repack", "-q", "-d")
			write(t, dir, "more.txt", "more")
			commitAll(t, dir, "more")
			git(t, dir, "repack", "-q", "-d")
			git(t, dir, "pack-refs", "--all")
			t.Run("two packs", func(t *testing.T) { checkAll(t, dir) })
			git(t, dir, "repack", "-q", "-a", "-d", "-f", "--depth=50")
			t.Run("one pack", func(t *testing.T) { checkAll(t, dir) })
			git(t, dir, "-c", "pack.indexVersion=1", "-c", "repack.usedeltabaseoffset=false", "repack", "-q", "-a", "-d", "-f")
			t.Run("old formats", func(t *testing.T) { checkAll(t, dir) })
			wt := filepath.Join(t.TempDir(), "wt")
			git(t, dir, "worktree", "add", "-q", "--detach", wt, "side")
			t.Run("worktree", func(t *testing.T) {
				r := open(t, wt)
				head, err := r.Head()
				if err != nil || head.Branch != "" || head.ID.String() != git(t, wt, "rev-parse", "HEAD") {
					t.Errorf("Head() = %+v, %v", head, err)
				}
				if _, err := r.Commit(head.ID); err != nil {
					t.Error(err)
				}
			})
			clone := filepath.Join(t.TempDir(), "shared")
			git(t, dir, "clone", "-q", "--shared", "--bare", dir, clone)
			t.Run("alternates", func(t *testing.T) {
				r := open(t, clone)
				head, err := r.Head()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.Commit(head.ID); err != nil {
					t.Error(err)
				}
				if r.WorkTree() != "" {
					t.Errorf("a bare repository has the work tree %q", r.WorkTree())
				}
			})
		})
	}
}

func TestIndexAgainstGit(t *testing.T) {
	for _, version := range []string{"2", "3", "4"} {
		dir := initRepo(t)
		grow(t, dir)
		write(t, dir, "a/new", "x")
		git(t, dir, "add", "-N", "a/new")
		write(t, dir, strings.Repeat("long/", 100)+"name", "x")
		git(t, dir, "add", "long")
		git(t, dir, "update-index", "--index-version", version)
		git(t, dir, "update-index", "--skip-worktree", "side.txt")
		x, err := open(t, dir).Index()
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, e := range x.Entries {
			flag := "H"
			if e.SkipWorktree {
				flag = "S"
			}
			fmt.Fprintf(&got, "%s %06o %s %d\t%s\n", flag, e.Mode, e.ID, e.Stage, e.Path)
		}
		if d := cmp.Diff(git(t, dir, "ls-files", "-t", "-s"), strings.TrimSpace(got.String())); d != "" {
			t.Errorf("version %s (-want +got):\n%s", version, d)
		}
		if x.Tree == nil {
			t.Errorf("version %s: no cached tree", version)
		}
		info, err := os.Lstat(filepath.Join(dir, "a/big.txt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range x.Entries {
			if e.Path == "a/big.txt" && (int64(e.Size) != info.Size() || !time.Unix(int64(e.MTimeSec), int64(e.MTimeNsec)).Equal(info.ModTime())) {
				t.Errorf("entry %+v does not agree with %v %v", e, info.Size(), info.ModTime())
			}
		}
	}
}

func TestUnsupported(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"reftable":  {"[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = reftable\n", "reftable"},
		"extension": {"[core]\nrepositoryformatversion=1\n[extensions]\nshiny\n", "shiny"},
		"format":    {"[core]\nrepositoryformatversion=1\n[extensions]\nobjectFormat = md5\n", "md5"},
	} {
		dir := initRepo(t)
		write(t, dir, ".git/config", c.config)
		_, err := Open(dir, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.TempDir(), Options{}); !errors.Is(err, ErrNotRepository) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestMissingAndShallow(t *testing.T) {
	dir := initRepo(t)
	grow(t, dir)
	clone := filepath.Join(t.TempDir(), "c")
	git(t, dir, "clone", "-q", "--depth=3", "--no-single-branch", "file://"+dir, clone)
	r := open(t, clone)
	if !r.Shallow() {
		t.Error("not shallow")
	}
	head, err := r.Resolve("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	side, err := r.Resolve("origin/side~2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve("HEAD~10"); !errors.Is(err, ErrShallow) {
		t.Errorf("HEAD~10: %v", err)
	}
	last, err := r.Resolve("HEAD~2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.MergeBase(context.Background(), last, side); !errors.Is(err, ErrShallow) {
		t.Errorf("MergeBase(%s, %s): %v", head, side, err)
	}
	none, _ := ParseID(strings.Repeat("12", 20))
	if _, _, err := r.Object(none); !errors.Is(err, ErrMissing) {
		t.Errorf("a missing object: %v", err)
	}
}

// BenchmarkIndex reads the index of BULWARK_BENCH_REPO.
func BenchmarkIndex(b *testing.B) {
	dir := os.Getenv("BULWARK_BENCH_REPO")
	if dir == "" {
		b.Skip("BULWARK_BENCH_REPO names no repository")
	}
	r := open(b, dir)
	for b.Loop() {
		x, err := r.Index()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(x.Entries)), "entries")
	}
}
