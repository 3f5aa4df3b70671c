package filesource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/asset"
	"bulwark/internal/outcome"
	"bulwark/internal/source"
)

// seen is what a walk came upon.
type seen struct {
	files map[string]string // content by path; "error: …" if it cannot be read
	skips []outcome.Skip
}

// collect walks src and reads every file after the walk, last first.
func collect(t testing.TB, src source.Source) seen {
	t.Helper()
	s := seen{files: map[string]string{}}
	var all []source.File
	err := src.Walk(t.Context(), func(f source.File) error {
		all = append(all, f)
		return nil
	}, func(k outcome.Skip) error {
		s.skips = append(s.skips, k)
		return nil
	})
	if err != nil {
		t.Fatalf("Walk: %v", err)
	}
	for _, f := range slices.Backward(all) {
		if _, twice := s.files[f.Path]; twice {
			t.Errorf("%s is walked twice", f.Path)
		}
		text, err := readFile(f)
		if err != nil {
			text = "error: " + err.Error()
		} else if f.Size >= 0 && int64(len(text)) != f.Size {
			t.Errorf("%s: %d bytes, announced as %d", f.Path, len(text), f.Size)
		}
		s.files[f.Path] = text
	}
	slices.SortFunc(s.skips, func(a, b outcome.Skip) int { return strings.Compare(a.Path, b.Path) })
	return s
}

func readFile(f source.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

// reasons lists the skips as "path: reason", failed ones with a "!".
func reasons(skips []outcome.Skip) []string {
	var out []string
	for _, s := range skips {
		mark := ""
		if s.Failed {
			mark = "!"
		}
		out = append(out, s.Path+": "+s.Reason+mark)
	}
	return out
}

func write(t testing.TB, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func directory(t testing.TB, root string, opts Options) *DirectorySource {
	t.Helper()
	d, err := Directory(root, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

type ignoreFunc func(string, bool) bool

func (f ignoreFunc) Ignored(path string, isDir bool) bool { return f(path, isDir) }

func TestDirectory(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, map[string]string{"secret": "x"})
	root := filepath.Join(t.TempDir(), "project")
	files := map[string]string{
		"a": "1", "b/c": "2", "b/d/e.txt": "3", "empty": "", "tar.tar": "no archive",
		"not UTF-8 \xff": "4", "back\\slash": "5", ".hidden/x": "6",
	}
	write(t, root, files)
	write(t, root, map[string]string{".git/config": "x", "b/.svn/y": "x", "gone/x": "x", "b/skip.log": "x", ".gitmodules": "m"})
	files[".gitmodules"] = "m"
	for name, target := range map[string]string{
		"to-file": "a", "to-dir": "b", "up": "../../../etc/passwd", "absolute": filepath.Join(outside, "secret"),
		"dangling": "nowhere", "loop": "loop", "out-dir": "..", "b/up": "../a", "b/through": "../out-dir/x",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	d := directory(t, root, Options{Ignore: ignoreFunc(func(p string, dir bool) bool {
		return p == "gone" && dir || strings.HasSuffix(p, ".log") && !dir
	})})
	if got, want := d.Asset(), (asset.Asset{Kind: asset.Directory, Name: "project"}); got != want {
		t.Errorf("Asset = %+v, want %+v", got, want)
	}
	got := collect(t, d)
	if diff := cmp.Diff(files, got.files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	want := []string{
		".git: version control data", "absolute: symlink leaves the root", "b/.svn: version control data", "b/skip.log: excluded",
		"b/through: symlink leaves the root", "b/up: symlink", "dangling: symlink", "gone: excluded", "loop: symlink",
		"out-dir: symlink leaves the root", "to-dir: symlink", "to-file: symlink", "up: symlink leaves the root",
	}
	if diff := cmp.Diff(want, reasons(got.skips)); diff != "" {
		t.Errorf("skips (-want +got):\n%s", diff)
	}
}

func TestDirectoryIgnoreFiles(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		".bulwarkignore": "*.log\n/gone/\n", "a.log": "x", "gone/x": "x", "keep": "1", "sub/gone/y": "2",
		"sub/.bulwarkignore": "!b.log\nonly-here\n", "sub/b.log": "3", "sub/only-here": "x", "only-here": "4", "never": "x",
	})
	got := collect(t, directory(t, root, Options{IgnoreFile: ".bulwarkignore", Ignore: ignoreFunc(func(p string, _ bool) bool { return p == "never" })}))
	want := []string{".bulwarkignore", "keep", "only-here", "sub/.bulwarkignore", "sub/b.log", "sub/gone/y"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.files))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.log: excluded", "gone: excluded", "never: excluded", "sub/only-here: excluded"}, reasons(got.skips)); diff != "" {
		t.Errorf("skips (-want +got):\n%s", diff)
	}
}

func TestDirectoryErrors(t *testing.T) {
	if _, err := Directory(filepath.Join(t.TempDir(), "none"), Options{}); err == nil {
		t.Error("a folder that does not exist was opened")
	}
	file := filepath.Join(t.TempDir(), "f")
	write(t, filepath.Dir(file), map[string]string{"f": ""})
	if _, err := Directory(file, Options{}); err == nil {
		t.Error("a file was opened as a folder")
	}
}

// A file that is replaced by a link or a folder between Walk and Open must not
// lead out of the root.
func TestDirectoryRace(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, map[string]string{"a": "outside", "sub/b": "outside"})
	root := t.TempDir()
	write(t, root, map[string]string{"a": "inside", "sub/b": "inside", "c": "inside"})
	var files []source.File
	d := directory(t, root, Options{})
	if err := d.Walk(t.Context(), func(f source.File) error { files = append(files, f); return nil }, func(outcome.Skip) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.RemoveAll(filepath.Join(root, "sub")), os.Remove(filepath.Join(root, "a")), os.Remove(filepath.Join(root, "c")),
		os.Symlink(filepath.Join(outside, "sub"), filepath.Join(root, "sub")), os.Symlink(filepath.Join(outside, "a"), filepath.Join(root, "a")),
		os.Mkdir(filepath.Join(root, "c"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) != 3 {
		t.Fatalf("%d files, want 3", len(files))
	}
	for _, f := range files {
		if text, err := readFile(f); err == nil {
			t.Errorf("%s was read as %q", f.Path, text)
		}
	}
}

func TestDirectoryManyAndDeep(t *testing.T) {
	root := t.TempDir()
	want := map[string]string{}
	for i := range 3 * dirBatch {
		want[fmt.Sprintf("many/%d", i)] = "x"
		if i%8 == 0 {
			want[fmt.Sprintf("many/dir%d/f", i)] = "x"
		}
	}
	deep := strings.Repeat("d/", 3*maxOpenDirs)
	want[deep+"f"] = "x"
	want[strings.Repeat("d/", maxOpenDirs+1)+"e/f"] = "x"
	write(t, root, want)
	got := collect(t, directory(t, root, Options{}))
	if diff := cmp.Diff(want, got.files); diff != "" || len(got.skips) > 0 {
		t.Errorf("skips %v, files (-want +got):\n%s", got.skips, diff)
	}
}

// A path longer than the system's limit can be reached element by element only.
func TestDirectoryLongPath(t *testing.T) {
	top := t.TempDir()
	dir, err := os.OpenRoot(top)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("n", 200)
	for range 30 {
		if err := dir.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		sub, err := dir.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := dir.Close(); err != nil {
			t.Fatal(err)
		}
		dir = sub
	}
	if err := errors.Join(dir.WriteFile("f", []byte("deep"), 0o644), dir.Close()); err != nil {
		t.Fatal(err)
	}
	got := collect(t, directory(t, top, Options{}))
	if diff := cmp.Diff(map[string]string{strings.Repeat(name+"/", 30) + "f": "deep"}, got.files); diff != "" || len(got.skips) > 0 {
		t.Errorf("skips %v, files (-want +got):\n%s", reasons(got.skips), diff)
	}
	r, err := os.OpenRoot(top)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.RemoveAll(name), r.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestWalkStops(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("d%d/f", i)] = "x"
	}
	write(t, root, files)
	archive := filepath.Join(t.TempDir(), "a.tgz")
	writeArchive(t, archive, gz(t, tarOf(t, entriesOf(files))))
	a, err := Archive(archive, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sentinel := errors.New("enough")
	for name, src := range map[string]source.Source{"directory": directory(t, root, Options{}), "archive": a} {
		t.Run(name, func(t *testing.T) {
			n := 0
			err := src.Walk(t.Context(), func(source.File) error {
				if n++; n == 3 {
					return sentinel
				}
				return nil
			}, func(outcome.Skip) error { return nil })
			if !errors.Is(err, sentinel) || n != 3 {
				t.Errorf("Walk = %v after %d files, want the callback's error after 3", err, n)
			}
			ctx, cancel := context.WithCancel(t.Context())
			n = 0
			err = src.Walk(ctx, func(source.File) error { n++; cancel(); return nil }, func(s outcome.Skip) error {
				t.Errorf("skip %+v", s)
				return nil
			})
			if !errors.Is(err, context.Canceled) || n != 1 {
				t.Errorf("Walk = %v after %d files, want context.Canceled after 1", err, n)
			}
		})
	}
}

func TestDirectoryArchives(t *testing.T) {
	root := t.TempDir()
	inner := zipOf(t, []entry{{name: "deep.txt", text: "deep"}})
	write(t, root, map[string]string{
		"plain.txt":      "p",
		"fake.zip":       "not a zip",
		"lib/a.jar":      string(zipOf(t, []entry{{name: "m.txt", text: "m"}, {name: "inner.zip", text: string(inner)}})),
		"release.tar.gz": string(gz(t, tarOf(t, []entry{{name: "r/f", text: "r"}}))),
		"notes.txt.gz":   string(gz(t, []byte("notes"))),
		"bad.zip":        "PK\x03\x04 and nothing else",
		"seven.gz":       "7z\xbc\xaf\x27\x1c",
	})
	got := collect(t, directory(t, root, Options{}))
	if len(got.files) != 7 || len(got.skips) != 0 {
		t.Errorf("archives left closed: files %v, skips %v", slices.Sorted(maps.Keys(got.files)), got.skips)
	}
	got = collect(t, directory(t, root, Options{Archives: 1}))
	want := map[string]string{
		"plain.txt": "p", "fake.zip": "not a zip", "lib/a.jar!/m.txt": "m", "release.tar.gz!/r/f": "r", "notes.txt.gz!/notes.txt": "notes",
	}
	if diff := cmp.Diff(want, got.files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	wantSkips := []string{"bad.zip: damaged archive!", "lib/a.jar!/inner.zip: archive nested too deep", "seven.gz: unsupported archive format"}
	if diff := cmp.Diff(wantSkips, reasons(got.skips)); diff != "" {
		t.Errorf("skips (-want +got):\n%s", diff)
	}
	got = collect(t, directory(t, root, Options{Archives: 2}))
	want["lib/a.jar!/inner.zip!/deep.txt"] = "deep"
	if diff := cmp.Diff(want, got.files); diff != "" {
		t.Errorf("two levels: files (-want +got):\n%s", diff)
	}
}

func TestStdin(t *testing.T) {
	tests := []struct {
		name, input string
		files       map[string]string
		skips       []string
	}{
		{"text", "hello", map[string]string{"stdin": "hello"}, nil},
		{"empty", "", map[string]string{"stdin": ""}, nil},
		{"long", strings.Repeat("x", 1<<20), map[string]string{"stdin": strings.Repeat("x", 1<<20)}, nil},
		{"tar", string(tarOf(t, []entry{{name: "a", text: "1"}})), map[string]string{"a": "1"}, nil},
		{"tar.gz", string(gz(t, tarOf(t, []entry{{name: "a", text: "1"}}))), map[string]string{"a": "1"}, nil},
		{"gz", string(gz(t, []byte("x"))), map[string]string{"stdin": "x"}, nil},
		{"zip", string(zipOf(t, []entry{{name: "a", text: "1"}})), map[string]string{"a": "1"}, nil},
		{"damaged", string(gz(t, tarOf(t, []entry{{name: "a", text: "1"}}))[:60]), map[string]string{}, []string{"stdin: damaged archive!"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Stdin(strings.NewReader(tt.input), Limits{})
			if s.Asset().Kind != asset.Stream {
				t.Errorf("Asset = %+v", s.Asset())
			}
			got := collect(t, s)
			if diff := cmp.Diff(tt.files, got.files); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.skips, reasons(got.skips)); diff != "" {
				t.Errorf("skips (-want +got):\n%s", diff)
			}
			if err := s.Walk(t.Context(), nil, nil); err == nil {
				t.Error("the stream was walked twice")
			}
		})
	}
}
