package filesource

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
)

func TestSpecialFiles(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"a": "1"})
	if err := unix.Mkfifo(filepath.Join(root, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := []string{"pipe: not a regular file"}
	if err := unix.Mknod(filepath.Join(root, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err == nil {
		want = append([]string{"null: not a regular file"}, want...)
	}
	got := collect(t, directory(t, root, Options{}))
	if diff := cmp.Diff(want, reasons(got.skips)); diff != "" || len(got.files) != 1 {
		t.Errorf("%d files, skips (-want +got):\n%s", len(got.files), diff)
	}
	// A file that has become a pipe must not make Open wait.
	var file source.File
	d := directory(t, root, Options{})
	if err := d.Walk(t.Context(), func(f source.File) error { file = f; return nil }, func(outcome.Skip) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "pipe"), filepath.Join(root, "a")); err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{false, true} {
		d.opener.once.Do(d.opener.probe)
		d.opener.plain = d.opener.plain || plain
		if _, err := file.Open(); err == nil {
			t.Errorf("a pipe was opened as a file (plain %v)", plain)
		}
	}
}

// Permissions do not stop root: the walk runs on a thread that uses the files of
// another user, who has no privileges.
func TestUnreadable(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"open": "1", "closed/a": "2", "file": "3", "sub/x": "4"})
	for p := root; p != filepath.Dir(p) && p != filepath.Clean(os.TempDir()); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"closed", "file"} {
		if err := os.Chmod(filepath.Join(root, p), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := os.Chmod(filepath.Join(root, "closed"), 0o755); err != nil {
			t.Error(err)
		}
	})
	d := directory(t, root, Options{})
	done := make(chan seen)
	go func() {
		// Never unlocked: the thread ends with the goroutine and takes its
		// changed identity with it.
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			if _, err := unix.SetfsuidRetUid(65534); err != nil {
				t.Error(err)
			}
		}
		defer close(done)
		done <- collect(t, d)
	}()
	got := <-done
	want := map[string]string{"open": "1", "sub/x": "4", "file": "error: open file: permission denied"}
	if diff := cmp.Diff(want, got.files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]outcome.Skip{{Path: "closed", Reason: "cannot be read", Detail: "permission denied", Failed: true}}, got.skips); diff != "" {
		t.Errorf("skips (-want +got):\n%s", diff)
	}
}

// Without openat2 the same files are found and the same doors stay shut.
func TestDirectoryWithoutOpenat2(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{"a": "1", "b/c": "2"}
	write(t, root, files)
	d := directory(t, root, Options{})
	d.opener.once.Do(func() {})
	d.opener.plain = true
	if diff := cmp.Diff(files, collect(t, d).files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
