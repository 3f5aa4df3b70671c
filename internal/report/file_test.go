package report

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bulwark/internal/outcome"
)

// names of the files in a folder, hidden ones included.
func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.json")
	for range 2 { // anew, and over an earlier report
		if err := WriteFile(path, JSON, blockedRun(), Options{}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != render(t, JSON, blockedRun(), Options{}) {
			t.Fatalf("the file holds another report: %v", err)
		}
	}
	if got := listing(t, dir); got != "out.json" {
		t.Errorf("the folder holds %s", got)
	}
	if info, _ := os.Stat(path); info.Mode().Perm()&0o200 == 0 || info.Mode().Perm()&0o111 != 0 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestWriteFileErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.json")
	if err := os.WriteFile(path, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	unwritable := cleanRun()
	unwritable.Started = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) // beyond what RFC 3339 can hold
	tests := []struct {
		name string
		path string
		kind Kind
		run  *outcome.Run
		want string
	}{
		{"report that cannot be made", path, JSON, unwritable, "writing the json report"},
		{"no run", path, JSON, nil, "no run"},
		{"unknown kind", path, "pdf", cleanRun(), "unknown report kind"},
		{"a folder", dir, JSON, cleanRun(), "it is a folder"},
		{"no folder", filepath.Join(dir, "no", "out.json"), JSON, cleanRun(), "create the folder first"},
		{"no name", "", JSON, cleanRun(), "the name is empty"},
	}
	for _, test := range tests {
		err := WriteFile(test.path, test.kind, test.run, Options{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "earlier" {
		t.Errorf("the earlier report is now %q, %v", got, err)
	}
	if got := listing(t, dir); got != "out.json" {
		t.Errorf("the folder holds %s", got)
	}
}

func TestWriteFileThroughLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.json"), filepath.Join(dir, "link.json")
	if err := os.WriteFile(real, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.json", link); err != nil {
		t.Skip(err)
	}
	if err := WriteFile(link, JSON, cleanRun(), Options{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link was replaced: %v, %v", info.Mode(), err)
	}
	if got, _ := os.ReadFile(real); len(got) == 0 {
		t.Error("the file behind the link is empty")
	}
}

func TestWriteFileToDevice(t *testing.T) {
	if err := WriteFile(os.DevNull, JSON, cleanRun(), Options{}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("the device was replaced: %v", err)
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		if err := WriteFile("/dev/full", JSON, cleanRun(), Options{}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a full disk: %v", err)
		}
	}
}
