package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

var update = flag.Bool("update", false, "write the golden files")

func fixtures() map[string]*outcome.Run {
	return map[string]*outcome.Run{"clean": cleanRun(), "blocked": blockedRun(), "hostile": hostileRun(), "packages": packagesRun()}
}

// render writes a report to memory.
func render(t *testing.T, kind Kind, run *outcome.Run, opts Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, kind, run, opts); err != nil {
		t.Fatalf("Write(%s): %v", kind, err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for name, run := range fixtures() {
		for _, kind := range Kinds() {
			golden(t, filepath.Join("testdata", name+"."+string(kind)), render(t, kind, run, Options{}))
		}
		golden(t, filepath.Join("testdata", name+".verbose-color-60.text"), render(t, Text, run, Options{Color: true, Verbose: true, Width: 60}))
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run go test -update", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got); go test -update writes it anew:\n%s", path, diff)
	}
}

func TestDeterministic(t *testing.T) {
	for _, kind := range Kinds() {
		if a, b := render(t, kind, blockedRun(), Options{}), render(t, kind, blockedRun(), Options{}); a != b {
			t.Errorf("%s: two reports of one run differ", kind)
		}
	}
}

// TestHostileStaysInside looks in every report for what no report may hold raw.
func TestHostileStaysInside(t *testing.T) {
	command := regexp.MustCompile(`(?m)^(::|##\[)`)
	for name, run := range fixtures() {
		for _, kind := range Kinds() {
			got := render(t, kind, run, Options{})
			if !utf8.ValidString(got) {
				t.Errorf("%s.%s: not valid UTF-8", name, kind)
			}
			machine := kind == JSON || kind == SARIF || kind == GitLab || kind == GitLabDependency || kind == OpenVEX || kind == CycloneDXVEX // their readers decode
			for _, r := range got {
				if r != '\n' && (r < ' ' || r == 0x7f) {
					t.Errorf("%s.%s: holds the control character %q", name, kind, r)
					break
				}
				if !machine && r != '\n' && hidden(r) {
					t.Errorf("%s.%s: holds the invisible character %q", name, kind, r)
					break
				}
			}
			if kind != GitHub && command.MatchString(got) {
				t.Errorf("%s.%s: a line starts a workflow command", name, kind)
			}
			if !machine && strings.Contains(got, "<script") && kind != Text && kind != GitHub {
				// Markdown may hold it inside a code span or a fenced block only.
				for line := range strings.SplitSeq(got, "\n") {
					if kind != Markdown || !insideCode(line, "<script") {
						t.Errorf("%s.%s: holds <script outside code: %.200s", name, kind, line)
					}
				}
			}
		}
	}
}

// insideCode reports whether each s in line is in a code span, or the line
// looks like the only line of a fenced block.
func insideCode(line, s string) bool {
	if strings.HasPrefix(line, `\x1b`) {
		return true
	}
	for i, part := range strings.Split(line, "`") {
		if i%2 == 0 && strings.Contains(part, s) {
			return false
		}
	}
	return true
}

func TestGitHubLines(t *testing.T) {
	for name, run := range fixtures() {
		got := render(t, GitHub, run, Options{})
		for line := range strings.SplitSeq(strings.TrimSuffix(got, "\n"), "\n") {
			if !regexp.MustCompile(`^::(error|warning|notice) [^\r]*::`).MatchString(line) {
				t.Errorf("%s: no command: %.100q", name, line)
			}
		}
	}
	run := cleanRun()
	for i := range 25 {
		fp := fmt.Sprint("secret/1:", i)
		run.Findings = append(run.Findings, finding.Finding{RuleID: "r", Fingerprint: fp, Locations: []finding.Location{{Path: "a,b:c"}}})
		run.Decisions = append(run.Decisions, outcome.Decision{RuleID: "r", Fingerprint: fp, Verdict: outcome.Block})
	}
	got := render(t, GitHub, run, Options{})
	if n := strings.Count(got, "::error file=a%2Cb%3Ac,"); n != annotationsPerType {
		t.Errorf("%d annotations, want %d", n, annotationsPerType)
	}
	if !strings.Contains(got, "15 findings more not annotated") {
		t.Errorf("the notice does not say how many are missing: %s", got)
	}
}

func TestParseKind(t *testing.T) {
	for _, k := range Kinds() {
		got, err := ParseKind(strings.ToUpper(string(k)))
		if err != nil || got != k {
			t.Errorf("ParseKind(%q) = %q, %v", k, got, err)
		}
		if k.About() == "" {
			t.Errorf("%s has no description", k)
		}
	}
	if k, err := ParseKind("md"); err != nil || k != Markdown {
		t.Errorf("ParseKind(md) = %q, %v", k, err)
	}
	_, err := ParseKind("pdf")
	if err == nil || !strings.Contains(err.Error(), `"pdf"`) || !strings.Contains(err.Error(), "sarif") {
		t.Errorf("ParseKind(pdf): %v", err)
	}
}

type brokenWriter struct{ left int }

var errBroken = errors.New("no space left")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		n := w.left
		w.left = 0
		return n, errBroken
	}
	w.left -= len(p)
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	run := blockedRun()
	for _, kind := range Kinds() {
		for _, n := range []int{0, 100} {
			if err := Write(&brokenWriter{n}, kind, run, Options{}); !errors.Is(err, errBroken) {
				t.Errorf("%s after %d bytes: %v", kind, n, err)
			}
		}
	}
	if err := Write(&bytes.Buffer{}, "pdf", run, Options{}); err == nil {
		t.Error("an unknown kind is no error")
	}
	if err := Write(&bytes.Buffer{}, JSON, nil, Options{}); err == nil {
		t.Error("a nil run is no error")
	}
}
