package actions

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

const sha = "0123456789abcdef0123456789abcdef01234567"

func show(m *dependency.Manifest) []string {
	if m == nil {
		return nil
	}
	var out []string
	for i := range m.Packages {
		p := &m.Packages[i]
		out = append(out, fmt.Sprintf("%d:%d-%d %s asks:%s from:%s local:%v hashes:%d", p.Line, p.Column, p.EndColumn, p.ID(), p.Constraint, p.Origin, p.Local, len(p.Hashes)))
	}
	for _, g := range m.Gaps {
		message, _, _ := strings.Cut(g.Message, ",")
		out = append(out, fmt.Sprintf("gap %d: %s", g.Line, message))
	}
	return out
}

func TestExtract(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"workflow", `on: push
jobs:
  a:
    steps:
      - uses: Actions/Checkout@v4.1.2
      - uses: "actions/cache/restore@v4"
      - uses: o/fixed@` + sha + ` # v1.2.3
      - uses: o/unknown@` + sha + `
      - uses: docker://alpine:3
      - uses: ./.github/actions/own
      - run: echo uses
  b:
    uses: o/r/.github/workflows/w.yml@main
`, []string{
			"5:15-38 actions/checkout@v4.1.2 asks: from: local:false hashes:0",
			"6:16-40 actions/cache asks:v4 from: local:false hashes:0",
			"7:15-63 o/fixed@v1.2.3 asks:" + sha + " from: local:false hashes:1",
			"8:15-65 o/unknown asks:" + sha + " from: local:false hashes:1",
			"10:15-36 .github/actions/own asks: from:.github/actions/own local:true hashes:0",
			"13:11-43 o/r asks:main from: local:false hashes:0",
			"gap 0: uses fixed to a commit without a comment that tells the version",
		}},
		{"composite action", "runs:\n  using: composite\n  steps:\n    - uses: a/b@1.2.3\n", []string{"4:13-22 a/b@1.2.3 asks: from: local:false hashes:0"}},
		{"alias", "jobs:\n  a: &a\n    steps:\n      - uses: a/b@v1.2.3\n  b: *a\n", []string{"4:15-25 a/b@v1.2.3 asks: from: local:false hashes:0"}},
		{"wrong", "jobs:\n  a:\n    steps:\n      - uses: nonsense\n      - uses: [a]\n      - uses: a/b\n", []string{
			`gap 4: "nonsense" is no action of the form owner/repository@version`, "gap 5: uses has no text as its value", `gap 6: "a/b" is no action of the form owner/repository@version`}},
		{"nothing of it", "reuses: x\n", nil},
		{"an address", "jobs: {a: {steps: [{uses: 'https://u:t@code.example.org/o/r@v1.0.0'}]}}", []string{
			"1:28-67 o/r@v1.0.0 asks: from:code.example.org local:false hashes:0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := New().Extract(t.Context(), extract.File{Path: ".github/workflows/a.yml", Content: []byte(tt.text)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, show(m)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHostile(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("x0: &x0 {steps: [{uses: a/b@v1.0.0}]}\n")
	for i := range 40 {
		fmt.Fprintf(&bomb, "x%d: &x%d [*x%d, *x%d, *x%d]\n", i+1, i+1, i, i, i)
	}
	bomb.WriteString("jobs: {a: *x40, b: *x0}\n")
	for _, text := range []string{
		"uses: " + strings.Repeat("[", 1<<16), "uses: " + strings.Repeat("{a: ", 1<<16), "uses: &a [*a]\njobs: *a", "uses: x" + strings.Repeat("y", 10<<20), "jobs: {a: &a {steps: [*a]}}\nuses: 1", bomb.String(),
	} {
		_, err := New().Extract(t.Context(), extract.File{Path: ".github/workflows/a.yml", Content: []byte(text)})
		t.Logf("%.20q: %.80v", text, err)
	}
}

func TestWants(t *testing.T) {
	for path, want := range map[string]bool{
		".github/workflows/a.yml": true, ".github/workflows/a.yaml": true, ".github/a.yml": false, "x/.github/workflows/a.yml": false,
		".github/actions/x/action.yml": true, "action.yaml": true, "node_modules/x/action.yml": false,
	} {
		if got := New().Wants(path); got != want {
			t.Errorf("Wants(%q) is %v", path, got)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("jobs: {a: &a {steps: [{uses: a/b@v1}]}, b: *a}")
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = New().Extract(t.Context(), extract.File{Path: "action.yml", Content: []byte(s)})
	})
}

func BenchmarkExtract(b *testing.B) {
	text := []byte("on: push\njobs:\n  a:\n    steps:\n" + strings.Repeat("      - name: a step\n        uses: actions/checkout@v4.1.2 # note\n        with:\n          x: y\n      - run: |\n          make test\n          make lint\n", 40))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(text); err != nil {
			b.Fatal(err)
		}
	}
}
