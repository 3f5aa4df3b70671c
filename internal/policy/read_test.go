package policy

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree writes files below a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadPaths(t *testing.T) {
	dir := tree(t, map[string]string{
		"p/a.rego": "package a", "p/sub/data.yaml": "x: 1", "p/README.md": "no", "p/.git/c.rego": "no", "p/.hidden.rego": "no",
		"one.rego": "package one", "team.tar.gz": "bundle",
	})
	files, bundles, err := ReadPaths([]string{filepath.Join(dir, "p"), filepath.Join(dir, "one.rego"), filepath.Join(dir, "team.tar.gz")}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.rego", "one.rego", "sub/data.yaml"}, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if len(bundles) != 1 || bundles[0].Name != "team.tar.gz" || string(bundles[0].Data) != "bundle" {
		t.Errorf("bundles %+v", bundles)
	}
}

func TestReadPathsErrors(t *testing.T) {
	dir := tree(t, map[string]string{
		"p/a.rego": "package a", "q/a.rego": "package a", "big/a.rego": strings.Repeat("#", 200), "b.txt": "no",
		"many/1.rego": "", "many/2.rego": "", "many/3.rego": "", "secret.rego": "package secret", "link/x.txt": "",
	})
	if err := os.Symlink(filepath.Join(dir, "secret.rego"), filepath.Join(dir, "link", "l.rego")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		paths []string
		want  string
	}{
		"missing":          {[]string{"none"}, "no such file"},
		"wrong kind":       {[]string{"b.txt"}, "not a policy"},
		"same name":        {[]string{"p", "q"}, "another path brought"},
		"too large":        {[]string{"big"}, "too large"},
		"too many":         {[]string{"many"}, "more than 2"},
		"link leaves root": {[]string{"link"}, "l.rego"},
	} {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for _, p := range c.paths {
				paths = append(paths, filepath.Join(dir, p))
			}
			_, _, err := ReadPaths(paths, Limits{FileBytes: 100, Files: 2})
			if !IsKind(err, Configuration) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one of kind configuration that says %q", err, c.want)
			}
		})
	}
}
