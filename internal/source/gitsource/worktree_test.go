package gitsource

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWorktree(t *testing.T) {
	dir := initRepo(t)
	write(t, dir, "a.txt", "a")
	write(t, dir, "a/b.txt", "b")
	write(t, dir, "a-b", "dash sorts before slash")
	write(t, dir, "gone.txt", "gone")
	write(t, dir, "touched.txt", "old")
	write(t, dir, "deleted/x", "x")
	write(t, dir, "forced/keep.log", "tracked though ignored")
	write(t, dir, ".gitignore", "*.log\nbuild/\n")
	write(t, dir, "latin\xe9.txt", "name")
	write(t, dir, "utf16.txt", "\xff\xfeh\x00i\x00")
	git(t, dir, "add", "-f", "forced/keep.log")
	commitAll(t, dir, "first")
	settle(t, dir)
	write(t, dir, "touched.txt", "new")
	write(t, dir, "untracked.txt", "u")
	write(t, dir, "new/deep/file", "n")
	write(t, dir, "x.log", "ignored")
	write(t, dir, "forced/other.log", "ignored")
	write(t, dir, "build/out", "ignored")
	git(t, dir, "init", "-q", "nested")
	write(t, dir, "nested/file", "n")
	write(t, dir, "fake/.git/HEAD", "not a repository")
	write(t, dir, "fake/file", "f")
	write(t, dir, "sub/.gitignore", "!*.log\n")
	write(t, dir, "sub/y.log", "included again")
	remove(t, dir, "gone.txt")
	remove(t, dir, "deleted")
	got := walk(t, worktree(t, dir, Options{}))
	want := map[string]seenFile{
		".gitignore":      {Content: "*.log\nbuild/\n", ID: "wt-sha1"},
		"a.txt":           {Content: "a", ID: "wt-sha1"},
		"a-b":             {Content: "dash sorts before slash", ID: "wt-sha1"},
		"a/b.txt":         {Content: "b", ID: "wt-sha1"},
		"forced/keep.log": {Content: "tracked though ignored", ID: "wt-sha1"},
		"latin\xe9.txt":   {Content: "name", ID: "wt-sha1"},
		"utf16.txt":       {Content: "\xff\xfeh\x00i\x00", ID: "wt-sha1"},
		"touched.txt":     {Content: "new"},
		"untracked.txt":   {Content: "u"},
		"new/deep/file":   {Content: "n"},
		"fake/file":       {Content: "f"},
		"sub/.gitignore":  {Content: "!*.log\n"},
		"sub/y.log":       {Content: "included again"},
	}
	if d := cmp.Diff(want, got.files); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"nested": SkipNested}, got.skips); d != "" {
		t.Errorf("skips (-want +got):\n%s", d)
	}
	if !slices.IsSorted(got.order) {
		t.Errorf("not in order: %q", got.order)
	}
	// git has the same opinion of what there is to see.
	ls := strings.Split(git(t, dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00")
	ls = slices.DeleteFunc(ls, func(s string) bool { return s == "" || s == "gone.txt" || s == "deleted/x" || s == "nested/" })
	slices.Sort(ls)
	if d := cmp.Diff(slices.Compact(ls), got.names()); d != "" {
		t.Errorf("against git (-git +got):\n%s", d)
	}
}

func TestWorktreeRestricted(t *testing.T) {
	dir := initRepo(t)
	for _, n := range []string{"a/x", "a/b/y", "ab/z", "c/d/e", "c/f", "top"} {
		write(t, dir, n, n)
	}
	commitAll(t, dir, "first")
	write(t, dir, "c/d/untracked", "u")
	got := walk(t, worktree(t, dir, Options{Paths: []string{"a", "./c/d/", "top"}}))
	if d := cmp.Diff([]string{"a/b/y", "a/x", "c/d/e", "c/d/untracked", "top"}, got.names()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if _, err := NewWorktree(dir, Options{Paths: []string{"../x"}}); err == nil {
		t.Error("a path outside is accepted")
	}
}

func TestBulwarkIgnore(t *testing.T) {
	dir := initRepo(t)
	write(t, dir, "vendor/a", "a")
	write(t, dir, "keep/a.gen", "a")
	write(t, dir, "keep/b", "b")
	write(t, dir, "c", "c")
	write(t, dir, ".bulwarkignore", "vendor/\n*.gen\n")
	commitAll(t, dir, "first")
	want := map[string]string{"vendor": SkipExcluded, "keep/a.gen": SkipExcluded, "c": SkipExcluded}
	files := []string{".bulwarkignore", "keep/b"}
	opts := Options{Exclude: []byte("/c\n")}
	tree, err := NewTree(dir, "", opts)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]result{"work tree": walk(t, worktree(t, dir, opts)), "tree": walk(t, tree)} {
		if d := cmp.Diff(want, got.skips); d != "" {
			t.Errorf("%s: skips (-want +got):\n%s", name, d)
		}
		if d := cmp.Diff(files, got.names()); d != "" {
			t.Errorf("%s: files (-want +got):\n%s", name, d)
		}
	}
}

func TestSymlinksAndDevices(t *testing.T) {
	dir := initRepo(t)
	outside := t.TempDir()
	write(t, outside, "secret", "outside")
	write(t, dir, "real/file", "inside")
	write(t, dir, "moved/file", "was a folder")
	for name, target := range map[string]string{
		"in": "real/file", "in-dir": "real", "out": filepath.Join(outside, "secret"), "out-dir": outside,
		"up": "../../x", "dangling": "nowhere", "abs": filepath.Join(dir, "real/file"),
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	commitAll(t, dir, "first")
	// A folder on the way becomes a link to somewhere else.
	remove(t, dir, "moved")
	write(t, outside, "file", "outside")
	if err := os.Symlink(outside, filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pipe", filepath.Join(dir, ".gitignore")); err != nil {
		t.Fatal(err)
	}
	w := worktree(t, dir, Options{})
	got := walk(t, w)
	if d := cmp.Diff([]string{"real/file"}, got.names()); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	want := map[string]string{"out": SkipSymlink, "out-dir": SkipSymlink, "up": SkipSymlink, "moved": SkipSymlink, "pipe": SkipNotRegular}
	if d := cmp.Diff(want, got.skips); d != "" {
		t.Errorf("skips (-want +got):\n%s", d)
	}
	for _, slow := range []bool{false, true} {
		setSlow(w.root, slow)
		for _, rel := range []string{"moved/file", "out", "in", "in-dir/file", "pipe", "real", "../repo/real/file", "/etc/passwd"} {
			if f, err := w.root.openFile(rel); err == nil {
				f.Close()
				t.Errorf("slow %v: opened %s", slow, rel)
			}
		}
		f, err := w.root.openFile("real/file")
		if err != nil {
			t.Errorf("slow %v: %v", slow, err)
			continue
		}
		f.Close()
	}
}

func TestHostileConfiguration(t *testing.T) {
	dir := initRepo(t)
	write(t, dir, "a", "a\r\n")
	write(t, dir, ".gitattributes", "* filter=evil text=auto\n")
	git(t, dir, "add", "a")
	git(t, dir, "commit", "-qm", "first")
	marker := filepath.Join(t.TempDir(), "ran")
	script := filepath.Join(dir, ".git", "evil")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch "+marker+"\ncat\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, kv := range [][2]string{
		{"core.fsmonitor", script}, {"core.hooksPath", filepath.Join(dir, ".git")}, {"filter.evil.clean", script},
		{"filter.evil.smudge", script}, {"core.sshCommand", script}, {"core.editor", script}, {"core.pager", script},
		{"core.worktree", "/"}, {"core.excludesFile", "/etc/passwd"}, {"remote.origin.url", "ext::" + script},
		{"remote.origin.promisor", "true"}, {"extensions.partialClone", "origin"}, {"diff.external", script},
	} {
		f, err := os.OpenFile(filepath.Join(dir, ".git", "config"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		section, key, _ := strings.Cut(kv[0], ".")
		if i := strings.LastIndexByte(key, '.'); i >= 0 {
			section, key = section+` "`+key[:i]+`"`, key[i+1:]
		}
		if _, err := f.WriteString("[" + section + "]\n\t" + key + " = " + kv[1] + "\n"); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	write(t, dir, "b", "b")
	if got := walk(t, worktree(t, dir, Options{})).names(); !slices.Equal(got, []string{".gitattributes", "a", "b"}) {
		t.Errorf("files %q", got)
	}
	walk(t, history(t, dir, HistoryOptions{}))
	walk(t, change(t, dir, "HEAD", Options{}))
	if _, err := os.Stat(marker); err == nil {
		t.Error("a program of the repository ran")
	}
}

func TestSubmoduleSparseUnmerged(t *testing.T) {
	sub := initRepo(t)
	write(t, sub, "s", "s")
	commitAll(t, sub, "sub")
	dir := initRepo(t)
	write(t, dir, "a/x", "x")
	write(t, dir, "b/y", "y")
	write(t, dir, "b/c/z", "z")
	git(t, dir, "submodule", "-q", "add", sub, "mod")
	commitAll(t, dir, "first")
	got := walk(t, worktree(t, dir, Options{}))
	if d := cmp.Diff([]string{".gitmodules", "a/x", "b/c/z", "b/y"}, got.names()); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"mod": SkipSubmodule}, got.skips); d != "" {
		t.Errorf("skips (-want +got):\n%s", d)
	}
	// The submodule by itself, through its .git file.
	if got := walk(t, worktree(t, filepath.Join(dir, "mod"), Options{})).names(); !slices.Equal(got, []string{"s"}) {
		t.Errorf("submodule: %q", got)
	}

	for _, sparseIndex := range []string{"--no-sparse-index", "--sparse-index"} {
		git(t, dir, "sparse-checkout", "set", "--cone", sparseIndex, "a")
		settle(t, dir)
		got = walk(t, worktree(t, dir, Options{}))
		want := map[string]seenFile{
			".gitmodules": got.files[".gitmodules"],
			"a/x":         {Content: "x", ID: "wt-sha1"},
			"b/y":         {Content: "y", ID: "sha1"},
			"b/c/z":       {Content: "z", ID: "sha1"},
		}
		if d := cmp.Diff(want, got.files); d != "" {
			t.Errorf("%s: files (-want +got):\n%s", sparseIndex, d)
		}
		if got := walk(t, change(t, dir, "HEAD", Options{})); len(got.files) != 0 {
			t.Errorf("%s: change of nothing: %v", sparseIndex, got.names())
		}
	}
	git(t, dir, "sparse-checkout", "disable")

	git(t, dir, "checkout", "-q", "-b", "side")
	write(t, dir, "a/x", "side")
	commitAll(t, dir, "side")
	git(t, dir, "checkout", "-q", "main")
	write(t, dir, "a/x", "main")
	commitAll(t, dir, "main")
	if _, err := runGit(dir, "merge", "side"); err == nil {
		t.Fatal("the merge has no conflict")
	}
	got = walk(t, worktree(t, dir, Options{}))
	if f := got.files["a/x"]; !strings.Contains(f.Content, "<<<<<<<") || f.ID != "" {
		t.Errorf("conflict: %+v", f)
	}
	if got.names()[1] != "a/x" || len(got.files) != 4 {
		t.Errorf("conflict: %q", got.names())
	}
}

func TestUnreadableFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("needs a user other than root, who may read everything; TestFaults of internal/cli has the same as root")
	}
	dir := initRepo(t)
	write(t, dir, "a/x", "x")
	write(t, dir, "b", "b")
	commitAll(t, dir, "first")
	if err := os.Chmod(filepath.Join(dir, "a"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "a"), 0o777)
	got := walk(t, worktree(t, dir, Options{}))
	if d := cmp.Diff(map[string]string{"a": SkipUnreadable + " (failed)"}, got.skips); d != "" {
		t.Errorf("skips (-want +got):\n%s", d)
	}
}

func TestGlobalIgnore(t *testing.T) {
	dir := initRepo(t)
	write(t, dir, "a", "a")
	write(t, dir, "b", "b")
	write(t, dir, "c", "c")
	write(t, dir, ".git/info/exclude", "b\n")
	global := filepath.Join(t.TempDir(), "ignore")
	write(t, filepath.Dir(global), "ignore", "c\n")
	got := walk(t, worktree(t, dir, Options{GlobalIgnore: global}))
	if !slices.Equal(got.names(), []string{"a"}) {
		t.Errorf("files %q", got.names())
	}
}

func TestIsLFSPointer(t *testing.T) {
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
	if !IsLFSPointer([]byte(pointer)) || IsLFSPointer([]byte("version 1")) || IsLFSPointer([]byte(pointer+strings.Repeat("x", 1024))) {
		t.Error("LFS pointers are mistaken")
	}
}
