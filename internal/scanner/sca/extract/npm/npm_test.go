package npm_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
	"bulwark/internal/scanner/sca/extract/npm"
	"bulwark/internal/scanner/sca/extract/npm/bunlockb"
)

// samples are the good files, one for each format.
var samples = []struct{ path, content string }{
	{"package.json", packageJSON}, {"package-lock.json", lockV1}, {"npm-shrinkwrap.json", lockV3},
	{"yarn.lock", yarnClassic}, {"yarn.lock", yarnBerry},
	{"pnpm-lock.yaml", pnpmV5}, {"pnpm-lock.yaml", pnpmV6}, {"pnpm-lock.yaml", pnpmV9}, {"bun.lock", bunLock},
}

var update = flag.Bool("update", false, "write the expected results anew")

func TestExtract(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
	}{
		{"package-json", []string{"package.json", packageJSON}},
		{"lock-v1-alone", []string{"package-lock.json", lockV1}},
		{"lock-v1", []string{"x/package-lock.json", lockV1, "x/package.json", packageJSON}},
		{"lock-v3", []string{"package-lock.json", lockV3, "packages/member/package.json", memberJSON}},
		{"yarn-classic", []string{"yarn.lock", yarnClassic, "package.json", packageJSON, "packages/member/package.json", memberJSON, "packages/old/package.json", memberJSON}},
		{"yarn-berry-alone", []string{"yarn.lock", yarnBerry}},
		{"yarn-berry", []string{"yarn.lock", yarnBerry, "package.json", packageJSON, "packages/member/package.json", memberJSON}},
		{"pnpm-v5", []string{"pnpm-lock.yaml", pnpmV5}},
		{"pnpm-v6", []string{"pnpm-lock.yaml", pnpmV6}},
		{"pnpm-v9", []string{"pnpm-lock.yaml", pnpmV9}},
		{"bun", []string{"bun.lock", bunLock}},
		{"shrinkwrap-wins", []string{"package-lock.json", lockV1, "npm-shrinkwrap.json", `{"lockfileVersion": 1}`}},
	} {
		got := collecttest.Resolve(t, npm.New(), c.files...)
		golden := filepath.Join("testdata", c.name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestWants(t *testing.T) {
	for path, want := range map[string]bool{
		"a/test/fixtures/package.json": true, "node_modules/a/package.json": false, "x/node_modules/.package-lock.json": false,
		"bower_components/a/package.json": false, "vendor/bundle/a/yarn.lock": false, "packages.json": false, "bun.lockb": false,
	} {
		if got := npm.New().Wants(path); got != want {
			t.Errorf("Wants(%q) = %v", path, got)
		}
	}
	e := bunlockb.New()
	if !e.Wants("x/bun.lockb") || !e.Binary() {
		t.Error("bun.lockb is not wanted")
	}
	if _, err := e.Extract(context.Background(), extract.File{Path: "bun.lockb"}); err == nil || !strings.Contains(err.Error(), "bun.lock ") {
		t.Errorf("bun.lockb: %v", err)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ path, content, want string }{
		{"package.json", `[]`, "an array where an object"},
		{"package.json", `{"name": "a"`, "cut short"},
		{"package-lock.json", "{\n\"packages\": {,}}", "line 2"},
		{"package-lock.json", `{"lockfileVersion": 4, "packages": {}}`, "only 1 to 3"},
		{"package-lock.json", strings.Repeat(`{"dependencies":{"a":`, 100), "nested deeper"},
		{"yarn.lock", "", "empty"},
		{"yarn.lock", "# yarn lockfile v1\n<<<<<<< ours\n", "merge conflict"},
		{"yarn.lock", "__metadata:\n  version: 8\n\"a@npm:1\": *x\n", "aliases are not supported"},
		{"pnpm-lock.yaml", "", "empty"},
		{"pnpm-lock.yaml", "lockfileVersion: '12.0'\n", "only 5 to 9"},
		{"pnpm-lock.yaml", "lockfileVersion: '9.0'\nx: &a [1]\ny: [*a, *a]\n", "aliases are not supported"},
		{"pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    resolution: {integrity: x", "cut short"},
		{"bun.lock", `{"lockfileVersion": 7}`, "only 0 and 1"},
	} {
		_, err := npm.New().Extract(context.Background(), extract.File{Path: c.path, Content: []byte(c.content)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.30q: %v, want %q", c.path, c.content, err, c.want)
		}
	}
}

func TestHostile(t *testing.T) {
	for _, s := range samples {
		collecttest.Hostile(t, npm.New(), s.path, s.content)
	}
}

// TestChain: a long chain of packages must not cost the square of its length.
func TestChain(t *testing.T) {
	const n = 50_000
	var b strings.Builder
	b.WriteString(`{"lockfileVersion":3,"packages":{"":{"dependencies":{"p0":"1"}}`)
	for i := range n {
		fmt.Fprintf(&b, `,"node_modules/p%d":{"version":"1.0.0","dependencies":{"p%d":"1"}}`, i, (i+1)%n)
	}
	b.WriteString("}}")
	m := collecttest.Extract(t, npm.New(), "package-lock.json", b.String())
	if len(m.Packages) != n || len(m.Gaps) != 0 {
		t.Fatalf("%d packages, gaps %v", len(m.Packages), m.Gaps)
	}
}

func fuzz(f *testing.F, path string) {
	for _, s := range samples {
		if s.path == path || path == "package-lock.json" && s.path == "npm-shrinkwrap.json" {
			f.Add([]byte(s.content))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) { collecttest.Check(t, npm.New(), path, content) })
}

func FuzzPackageJSON(f *testing.F) { fuzz(f, "package.json") }
func FuzzPackageLock(f *testing.F) { fuzz(f, "package-lock.json") }
func FuzzYarn(f *testing.F)        { fuzz(f, "yarn.lock") }
func FuzzPnpm(f *testing.F)        { fuzz(f, "pnpm-lock.yaml") }
func FuzzBun(f *testing.F)         { fuzz(f, "bun.lock") }

// generated are lockfiles of 1,000 packages, each needing some others.
func generated(path string) []byte {
	const n = 1000
	const sri = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
	var b strings.Builder
	switch path {
	case "package-lock.json":
		b.WriteString(`{"lockfileVersion":3,"packages":{"":{"dependencies":{"p0":"1"}}`)
		for i := range n {
			fmt.Fprintf(&b, ",\n\"node_modules/p%d\":{\n\"version\":\"1.0.0\",\n\"resolved\":\"https://registry.npmjs.org/p%d/-/p%d-1.0.0.tgz\",\n\"integrity\":%q,\n\"license\":\"MIT\",\n\"engines\":{\"node\":\">=8\"},\n\"dependencies\":{\"p%d\":\"1\",\n\"p%d\":\"1\"}}",
				i, i, i, sri, (i+1)%n, i*7%n)
		}
		b.WriteString("}}")
	case "yarn.lock":
		b.WriteString("# yarn lockfile v1\n")
		for i := range n {
			fmt.Fprintf(&b, "\np%d@1:\n  version \"1.0.0\"\n  resolved \"https://registry.yarnpkg.com/p%d/-/p%d-1.0.0.tgz\"\n  integrity %s\n  dependencies:\n    p%d \"1\"\n    p%d \"1\"\n",
				i, i, i, sri, (i+1)%n, i*7%n)
		}
	case "pnpm-lock.yaml":
		b.WriteString("lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      p0:\n        specifier: '1'\n        version: 1.0.0\npackages:\n")
		for i := range n {
			fmt.Fprintf(&b, "\n  p%d@1.0.0:\n    resolution: {integrity: %s}\n    engines: {node: '>=8'}\n", i, sri)
		}
		b.WriteString("snapshots:\n")
		for i := range n {
			fmt.Fprintf(&b, "\n  p%d@1.0.0:\n    dependencies:\n      p%d: 1.0.0\n      p%d: 1.0.0\n", i, (i+1)%n, i*7%n)
		}
	}
	return []byte(b.String())
}

func BenchmarkExtract(b *testing.B) {
	for _, path := range []string{"package-lock.json", "yarn.lock", "pnpm-lock.yaml"} {
		b.Run(path, func(b *testing.B) {
			content := generated(path)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := npm.New().Extract(context.Background(), extract.File{Path: path, Content: content}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
