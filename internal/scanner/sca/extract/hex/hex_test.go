package hex_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
	"bulwark/internal/scanner/sca/extract/hex"
)

const lock = `%{
  "web": {:hex, :web_server, "2.9.0", "865dd8b6607e14cf03282e10e934023a1bd8be6f6bacf921a7e2a96d800cd452", [:make, :rebar3], [{:lib, "2.11.0", [hex: :lib, repo: "hexpm", optional: false]}, {:extra, "~> 1.0", [hex: :extra, repo: "hexpm", optional: true]}], "hexpm", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
  "lib": {:hex, :lib, "2.11.0", "0b9ff9c346629256c42ebe1eeb769a83c6cb771a6ee5960bd110ab0b9b872063", [:rebar3], [], "acme:private"},
  # a comment
  :old => {:git, "https://token:x@git.example/old.git", "abc123", [branch: "main"]},
}
`

func TestExtract(t *testing.T) {
	const want = `mix.lock: mix.lock
2 web_server@2.9.0 - - >lib@2.11.0 #sha-256:e3b0
3 lib@2.11.0 - - @hex repository acme:private
5 old - - @https://git.example/old.git#abc123
`
	if diff := cmp.Diff(want, collecttest.Resolve(t, hex.New(), "mix.lock", lock)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHostile(t *testing.T) { collecttest.Hostile(t, hex.New(), "mix.lock", lock) }

func FuzzExtract(f *testing.F) {
	f.Add([]byte(lock))
	f.Fuzz(func(t *testing.T, content []byte) { collecttest.Check(t, hex.New(), "mix.lock", content) })
}

// BenchmarkExtract reads a lockfile of 1,000 packages, each needing two others.
func BenchmarkExtract(b *testing.B) {
	const n = 1000
	var s strings.Builder
	s.WriteString("%{\n")
	for i := range n {
		fmt.Fprintf(&s, "  \"p%d\": {:hex, :p%d, \"1.0.0\", \"%064x\", [:mix], [{:p%d, \"~> 1.0\", [hex: :p, repo: \"hexpm\", optional: false]}, {:p%d, \"~> 1.0\", [hex: :p, repo: \"hexpm\", optional: false]}], \"hexpm\", \"%064x\"},\n", i, i, i, (i+1)%n, i*7%n, i)
	}
	s.WriteString("}\n")
	content := []byte(s.String())
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := hex.New().Extract(context.Background(), extract.File{Path: "mix.lock", Content: content})
		if err != nil || len(m.Packages) != n {
			b.Fatal(err)
		}
	}
}
