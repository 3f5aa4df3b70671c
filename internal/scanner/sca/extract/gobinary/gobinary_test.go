package gobinary

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
)

// build makes a program of a module that needs another one and one in a folder.
// Neither is fetched: both lie beside it.
func build(t testing.TB, goos string) []byte {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go tool to build a program with")
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":         "module example.org/program\n\ngo 1.21\n\nrequire (\n\texample.org/one v1.2.3\n\texample.org/two v0.1.0\n)\n\nreplace (\n\texample.org/one => ./one\n\texample.org/two v0.1.0 => ./two\n)\n",
		"main.go":        "package main\n\nimport (\n\t\"example.org/one\"\n\t\"example.org/two\"\n)\n\nfunc main() { println(one.Text + two.Text) }\n",
		"one/go.mod":     "module example.org/one\n\ngo 1.21\n",
		"one/one.go":     "package one\n\nvar Text = \"one\"\n",
		"two/go.mod":     "module example.org/two\n\ngo 1.21\n",
		"two/two.go":     "package two\n\nvar Text = \"two\"\n",
		"unused/go.mod":  "module example.org/unused\n",
		"unused/none.go": "package unused\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "program")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "build", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOOS="+goos, "GOARCH="+runtime.GOARCH)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building a program: %v\n%s", err, text)
	}
	content, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestProgram(t *testing.T) {
	content := build(t, runtime.GOOS)
	m, err := New().Extract(t.Context(), extract.File{Path: "bin/program", Content: content})
	if err != nil {
		t.Fatal(err)
	}
	own, ok := release(runtime.Version())
	std := "stdlib@" + own
	gap := ""
	if !ok {
		std, gap = "stdlib", "gap"
	}
	want := "Go binary\n0 example.org/one - p ~v1.2.3 @./one local\n0 example.org/two - p ~v0.1.0 @./two local\n0 " + std + " - p\n" + gap
	if got := collecttest.Show(m); got != want && !(gap != "" && strings.HasPrefix(got, want)) {
		t.Error(cmp.Diff(want, got))
	}
	if m.Project == nil || m.Project.Name != "example.org/program" || !m.Project.Local || m.Kind != dependency.Built {
		t.Errorf("project: %+v", m.Project)
	}
	hostile(t, content)
}

// hostile cuts the program short and alters its headers: nothing may panic, take
// long or come out differently the second time.
func hostile(t *testing.T, content []byte) {
	at := bytes.Index(content, mark)
	if at < 0 {
		t.Fatal("the program has no mark")
	}
	cuts := []int{len(content) - 1, len(content) / 2, at - 1, at + 1, at + len(mark), at + len(mark) + 2, at + 32, at + 33, at + 40, at + 200}
	for i := range 200 {
		cuts = append(cuts, i)
	}
	for _, n := range cuts {
		if n >= 0 && n < len(content) {
			collecttest.Check(t, New(), "program", content[:n])
		}
	}
	altered := bytes.Clone(content)
	try := func(i int) {
		for _, mask := range []byte{0xff, 0x80, 0x01} {
			altered[i] ^= mask
			collecttest.Check(t, New(), "program", altered)
			altered[i] ^= mask
		}
	}
	for i := range 128 {
		try(i)
	}
	for i := at; i < min(at+64, len(altered)); i++ {
		try(i)
	}
}

func TestOtherFiles(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "text": "text", "script": "#!/bin/sh\n", "short ELF": "\x7fELF", "short PE": "MZ", "Java class": "\xca\xfe\xba\xbe\x00\x00\x00\x41",
		"ELF of another language": "\x7fELF" + strings.Repeat("\x00", 1000),
		"mark in a text":          "text \xff Go buildinf:",
	} {
		m, err := New().Extract(t.Context(), extract.File{Path: "file", Content: []byte(content)})
		if m != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	for name, magic := range map[string]string{"ELF": "\x7fELF", "PE": "MZ", "Mach-O": "\xcf\xfa\xed\xfe", "fat Mach-O": "\xca\xfe\xba\xbe"} {
		content := magic + strings.Repeat("\xff", 2000) + string(mark) + strings.Repeat("\xff", 2000)
		if m, err := New().Extract(t.Context(), extract.File{Path: "lying", Content: []byte(content)}); err == nil {
			t.Errorf("%s with a mark and nothing else: %+v without an error", name, m)
		}
	}
}

func TestWants(t *testing.T) {
	for p, want := range map[string]bool{
		"bin/tool": true, "tool.exe": true, "tool-1.2.3": true, "tool.linux-amd64": true, "plugin.so": true,
		"a.go": false, "a.txt": false, "a.tar.gz": false, "a.json": false, "a.7z": false,
	} {
		if got := New().Wants(p); got != want {
			t.Errorf("%s: %t", p, got)
		}
	}
}

func TestRelease(t *testing.T) {
	for s, want := range map[string]string{
		"go1.22.1": "1.22.1", "go1.22": "1.22.0", "go1.22rc1": "1.22.0-rc.1", "go1.21.3 X:boringcrypto": "1.21.3", "go1.21.3-bigcorp": "1.21.3", "go1.24.0+auto": "1.24.0",
		"devel +abc": "", "": "", "go": "", "go1." + strings.Repeat("1", 100): "",
	} {
		if got, ok := release(s); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %t", s, got, ok)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01\xff Go buildinf:\x08\x02"))
	f.Add([]byte("MZ\xff Go buildinf:"))
	f.Add([]byte("\xcf\xfa\xed\xfe\xff Go buildinf:"))
	f.Fuzz(func(t *testing.T, content []byte) {
		collecttest.Check(t, New(), "program", content)
	})
}

func BenchmarkExtract(b *testing.B) {
	content := build(b, runtime.GOOS)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New().Extract(b.Context(), extract.File{Path: "program", Content: content}); err != nil {
			b.Fatal(err)
		}
	}
}
