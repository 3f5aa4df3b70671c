package gitsource

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
)

// git runs git in dir with a fixed identity and no configuration of the machine.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com",
		"GIT_AUTHOR_DATE=1700000000 +0100")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func initRepo(t testing.TB, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := filepath.Join(t.TempDir(), "repo")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	git(t, dir, append([]string{"init", "-q", "-b", "main"}, args...)...)
	return dir
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, dir, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func commitAll(t testing.TB, dir, message string) string {
	t.Helper()
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", message)
	return git(t, dir, "rev-parse", "HEAD")
}

// settle makes the entries of the index older than the index itself, so that
// files count as unmodified.
func settle(t testing.TB, dir string) {
	t.Helper()
	time.Sleep(20 * time.Millisecond)
	git(t, dir, "update-index", "--refresh", "-q")
	now := time.Now()
	if err := os.Chtimes(filepath.Join(dir, ".git", "index"), now, now); err != nil {
		t.Fatal(err)
	}
}

// seenFile is what a test compares of a File.
type seenFile struct {
	Content    string
	ID         string // ContentID, cut to its kind
	Commit     string
	Historical bool
}

// result of walking a source: by path, or by path and commit if historical.
type result struct {
	files map[string]seenFile
	skips map[string]string
	order []string
}

func walk(t testing.TB, s source.Source) result {
	t.Helper()
	r := result{files: map[string]seenFile{}, skips: map[string]string{}}
	var files []source.File
	err := s.Walk(context.Background(), func(f source.File) error {
		files = append(files, f)
		return nil
	}, func(k outcome.Skip) error {
		r.skips[k.Path] = k.Reason
		if k.Failed {
			r.skips[k.Path] += " (failed)"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Content is read after the walk, as a slow consumer would.
	for _, f := range files {
		in, err := f.Open()
		if err != nil {
			t.Fatalf("opening %s: %v", f.Path, err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatalf("reading %s: %v", f.Path, err)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		if f.Size >= 0 && f.Size != int64(len(b)) {
			t.Errorf("%s: size %d, read %d", f.Path, f.Size, len(b))
		}
		k, _, _ := strings.Cut(f.ContentID, ":")
		sf := seenFile{Content: string(b), ID: k, Historical: f.Historical}
		key := f.Path
		if f.Commit != nil {
			sf.Commit = f.Commit.Subject
		}
		if f.Historical {
			key = f.Path + "@" + sf.Commit
		}
		for {
			if _, dup := r.files[key]; !dup {
				break
			}
			key += "'"
		}
		r.files[key] = sf
		r.order = append(r.order, key)
	}
	return r
}

func (r result) names() []string {
	n := slices.Clone(r.order)
	slices.Sort(n)
	return n
}

func worktree(t testing.TB, dir string, opts Options) *Worktree {
	t.Helper()
	w, err := NewWorktree(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func change(t testing.TB, dir, base string, opts Options) *Change {
	t.Helper()
	c, err := NewChange(context.Background(), dir, base, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func history(t testing.TB, dir string, hist HistoryOptions) *History {
	t.Helper()
	h, err := NewHistory(dir, Options{}, hist)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func numbered(prefix string, n int) []string {
	var s []string
	for i := range n {
		s = append(s, fmt.Sprintf("%s%d", prefix, i))
	}
	return s
}

// runGit runs git and returns its error.
func runGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func shell(dir, command string) (string, error) {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
