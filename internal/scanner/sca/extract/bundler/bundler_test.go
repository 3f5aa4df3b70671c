package bundler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/bundler"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
)

const lock = `GIT
  remote: https://token:x@git.example/forked.git
  revision: 0123abc
  branch: main
  specs:
    forked (0.4.0)
      rack (>= 2)

PATH
  remote: engines/core
  specs:
    core (0.1.0)
      nokogiri (~> 1.15)

GEM
  remote: https://rubygems.org/
  specs:
    nokogiri (1.15.0-x86_64-linux)
      racc (~> 1.4)
    nokogiri (1.15.0)
      mini_portile2 (~> 2.8)
      racc (~> 1.4)
    mini_portile2 (2.8.1)
    racc (1.7.0)
    rack (3.0.0)

GEM
  remote: https://gems.example/
  specs:
    inner (1.0.0.pre1)
      bundler

PLATFORMS
  ruby

DEPENDENCIES
  core!
  forked!
  inner (= 1.0.0.pre1)!
  windows-only

CHECKSUMS
  rack (3.0.0) sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  racc (1.7.0) sha256=short

BUNDLED WITH
   2.5.0
`

const want = `x/Gemfile.lock: Gemfile.lock
6 forked@0.4.0 d - >rack@3.0.0 @https://git.example/forked.git#0123abc
12 core@0.1.0 d - >nokogiri@1.15.0 @engines/core local
18 nokogiri@1.15.0 d - >mini_portile2@2.8.1,racc@1.7.0
23 mini_portile2@2.8.1 t - <nokogiri@1.15.0
24 racc@1.7.0 t - <nokogiri@1.15.0
25 rack@3.0.0 t - <forked@0.4.0 #sha-256:e3b0
30 inner@1.0.0.pre1 d - ~= 1.0.0.pre1 @https://gems.example/
gap 44 the checksum of "racc" is not a digest
`

func TestExtract(t *testing.T) {
	if diff := cmp.Diff(want, collecttest.Resolve(t, bundler.New(), "x/Gemfile.lock", lock)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for path, want := range map[string]bool{"gems.locked": true, "vendor/bundle/ruby/Gemfile.lock": false, "a/Gemfile": false} {
		if got := bundler.New().Wants(path); got != want {
			t.Errorf("Wants(%q) = %v", path, got)
		}
	}
}

func TestHostile(t *testing.T) { collecttest.Hostile(t, bundler.New(), "Gemfile.lock", lock) }

func FuzzExtract(f *testing.F) {
	f.Add([]byte(lock))
	f.Fuzz(func(t *testing.T, content []byte) { collecttest.Check(t, bundler.New(), "Gemfile.lock", content) })
}

// BenchmarkExtract reads a lockfile of 1,000 packages, each needing two others.
func BenchmarkExtract(b *testing.B) {
	const n = 1000
	var s strings.Builder
	s.WriteString("GEM\n  remote: https://rubygems.org/\n  specs:\n")
	for i := range n {
		fmt.Fprintf(&s, "    p%d (1.0.0)\n      p%d (>= 1)\n      p%d (~> 1.0)\n", i, (i+1)%n, i*7%n)
	}
	s.WriteString("\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  p0\n")
	content := []byte(s.String())
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := bundler.New().Extract(context.Background(), extract.File{Path: "Gemfile.lock", Content: content})
		if err != nil || len(m.Packages) != n {
			b.Fatal(err)
		}
	}
}
