package cargo

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func read(t *testing.T, path, content string) *dependency.Manifest {
	t.Helper()
	m, err := New().Extract(t.Context(), extract.File{Path: path, Content: []byte(content)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// show writes what matters of a package in one line.
func show(m *dependency.Manifest) []string {
	var out []string
	for i := range m.Packages {
		p := &m.Packages[i]
		s := fmt.Sprintf("%d %s %s %s", p.Line, p.ID(), p.Scope, p.Relation)
		for _, part := range []struct{ name, value string }{
			{"asks", p.Constraint}, {"via", strings.Join(p.Via, ",")}, {"needs", strings.Join(p.Requires, ",")}, {"from", p.Origin},
		} {
			if part.value != "" {
				s += " " + part.name + ":" + part.value
			}
		}
		if p.Local {
			s += " local"
		}
		if len(p.Hashes) > 0 {
			s += fmt.Sprintf(" hashes:%d", len(p.Hashes))
		}
		out = append(out, s)
	}
	for _, g := range m.Gaps {
		out = append(out, fmt.Sprintf("gap %d: %s", g.Line, g.Message))
	}
	return out
}

func TestWants(t *testing.T) {
	for path, want := range map[string]bool{
		"Cargo.lock": true, "a/Cargo.toml": true, "vendor/serde/Cargo.toml": false, "a/vendor/b/Cargo.lock": false, "cargo.lock": false, "Cargo.toml.orig": false,
	} {
		if got := New().Wants(path); got != want {
			t.Errorf("Wants(%q) is %v", path, got)
		}
	}
}

func TestLock(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"version 1", `[[package]]
name = "app"
version = "0.1.0"
dependencies = [
 "one 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)",
 "fork 2.0.0 (git+https://x:t@example.org/f?branch=main#abc)",
]

[[package]]
name = "one"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "fork"
version = "2.0.0"
source = "git+https://x:t@example.org/f?branch=main#abc"

[metadata]
"checksum one 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)" = "` + sum + `"
`, []string{
			"2 app@0.1.0   needs:fork@2.0.0,one@1.0.0 local",
			"10 one@1.0.0  direct hashes:1",
			"15 fork@2.0.0  direct from:git+https://example.org/f#abc",
		}},
		{"version 4", `version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = ["two 2.0.0", "one"]

[[package]]
name = "one"
version = "1.0.0"
source = "sparse+https://index.crates.io/"
checksum = "` + sum + `"
dependencies = ["two 1.0.0"]

[[package]]
name = "two"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "two"
version = "2.0.0"
source = "registry+https://crates.example.org/index"
`, []string{
			"4 app@0.1.0   needs:one@1.0.0,two@2.0.0 local",
			"9 one@1.0.0  direct needs:two@1.0.0 hashes:1",
			"16 two@1.0.0  transitive via:one@1.0.0",
			"21 two@2.0.0  direct from:registry+https://crates.example.org/index",
		}},
		{"cycle, missing and broken", `[[package]]
name = "a"
version = "1.0.0"
source = "x"
dependencies = ["b", "nowhere"]
[[package]]
name = "b"
version = "1.0.0"
source = "x"
checksum = "12"
dependencies = ["a"]
[[package]]
name = "../x"
version = "1"
`, []string{
			"2 a@1.0.0   needs:b@1.0.0 from:x",
			"7 b@1.0.0   needs:a@1.0.0 from:x",
			`gap 7: "b": its checksum is no SHA-256`,
			`gap 13: "../x" "1" cannot be a package: write the lockfile anew with cargo generate-lockfile`,
			`gap 5: "a" needs "nowhere", which the lockfile does not list`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, show(read(t, "Cargo.lock", tt.text))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestManifest(t *testing.T) {
	m := read(t, "Cargo.toml", `[package]
name = "app"
version = "0.1.0"
license = "MIT/Apache-2.0"

[dependencies]
serde = "1"
pinned = "=1.2.3"
almost = "=1.2"
real-name = { package = "renamed", version = "0.3", optional = true }
beside = { path = "../beside" }
[dependencies.repo]
git = "https://token@example.org/repo"
tag = "v1"
[dev-dependencies]
tester = "2"
[target.'cfg(windows)'.build-dependencies]
builder = "3"
`)
	want := []string{
		"7 serde production direct asks:1",
		"8 pinned@1.2.3 production direct asks:=1.2.3",
		"9 almost production direct asks:=1.2",
		"10 renamed optional direct asks:0.3",
		"11 beside production direct from:../beside local",
		"12 repo production direct from:git+https://example.org/repo#v1",
		"16 tester development direct asks:2",
		"18 builder development direct asks:3",
		"gap 0: " + unchecked,
	}
	if diff := cmp.Diff(want, show(m)); diff != "" {
		t.Error(diff)
	}
	if m.Project == nil || m.Project.ID() != "app@0.1.0" || m.Project.Licenses[0] != "MIT OR Apache-2.0" {
		t.Errorf("the project is %+v", m.Project)
	}
}

func TestResolve(t *testing.T) {
	files := []struct{ path, text string }{
		{"alone/Cargo.toml", "[package]\nname = 'alone'\n[dependencies]\nx.workspace = true\n"},
		{"Cargo.lock", "[[package]]\nname = 'app'\nversion = '1.0.0'\ndependencies = ['a', 'lib', 't']\n" +
			"[[package]]\nname = 'lib'\nversion = '1.0.0'\ndependencies = ['b']\n" +
			"[[package]]\nname = 'a'\nversion = '1.0.0'\nsource = 's'\ndependencies = ['c']\n" +
			"[[package]]\nname = 'b'\nversion = '1.0.0'\nsource = 's'\n" +
			"[[package]]\nname = 'c'\nversion = '1.0.0'\nsource = 's'\n" +
			"[[package]]\nname = 't'\nversion = '1.0.0'\nsource = 's'\n"},
		{"Cargo.toml", "[workspace]\nmembers = ['app', 'lib']\n[workspace.dependencies]\nx = { package = 'a', version = '1' }\n"},
		{"app/Cargo.toml", "[package]\nname = 'app'\n[dependencies]\nx = { workspace = true }\nlib = { path = '../lib' }\n[dev-dependencies]\nt = '1'\n"},
		{"lib/Cargo.toml", "[package]\nname = 'lib'\n[build-dependencies]\nb = '1'\n"},
	}
	var all []*dependency.Manifest
	for _, f := range files {
		all = append(all, read(t, f.path, f.text))
	}
	all = New().(extract.Resolver).Resolve(context.Background(), all)
	if len(all) != 2 || all[0].Path != "alone/Cargo.toml" || all[1].Path != "Cargo.lock" {
		t.Fatalf("%d manifests are left", len(all))
	}
	want := []string{
		"2 app@1.0.0   needs:a@1.0.0,lib@1.0.0,t@1.0.0 from:app local",
		"6 lib@1.0.0 production direct needs:b@1.0.0 from:lib local",
		"10 a@1.0.0 production direct asks:1 needs:c@1.0.0 from:s",
		"15 b@1.0.0 development direct asks:1 from:s",
		"19 c@1.0.0 production transitive via:a@1.0.0 from:s",
		"23 t@1.0.0 development direct asks:1 from:s",
	}
	if diff := cmp.Diff(want, show(all[1])); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"4 a production direct asks:1", "gap 0: " + unchecked}, show(all[0])); diff != "" {
		t.Error(diff)
	}
}

func TestRefuses(t *testing.T) {
	for _, text := range []string{"[[package]\n", "[[package]]\nname = \"a", strings.Repeat("[", 1<<16), "a = " + strings.Repeat("[", 1<<16)} {
		if _, err := New().Extract(t.Context(), extract.File{Path: "Cargo.lock", Content: []byte(text)}); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%.20q: the error is %v", text, err)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("[[package]]\nname = 'a'\nversion = '1.0.0'\ndependencies = ['a', 'b 1']\n", "[dependencies]\na = '=1.0.0'\n")
	f.Add("[metadata]\n\"checksum a 1 (x)\" = 'y'", "[workspace.dependencies]\na = {path='.'}")
	f.Fuzz(func(t *testing.T, lock, manifest string) {
		var all []*dependency.Manifest
		for _, file := range []extract.File{{Path: "Cargo.lock", Content: []byte(lock)}, {Path: "Cargo.toml", Content: []byte(manifest)}} {
			if m, err := New().Extract(t.Context(), file); err == nil {
				all = append(all, m)
			}
		}
		New().(extract.Resolver).Resolve(t.Context(), all)
	})
}

func BenchmarkLock(b *testing.B) {
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "[[package]]\nname = \"package-%d\"\nversion = \"1.%d.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"%s\"\ndependencies = [\n \"package-%d\",\n \"package-%d\",\n]\n\n", i, i, sum, (i+1)%500, i/2)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readLock([]byte(text.String())); err != nil {
			b.Fatal(err)
		}
	}
}
