package swift

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

const revision = "0123456789abcdef0123456789abcdef01234567"

func show(m *dependency.Manifest) []string {
	out := []string{m.Format}
	for i := range m.Packages {
		p := &m.Packages[i]
		out = append(out, fmt.Sprintf("%d:%d-%d %s asks:%s from:%s local:%v hashes:%d", p.Line, p.Column, p.EndColumn, p.ID(), p.Constraint, p.Origin, p.Local, len(p.Hashes)))
	}
	for _, g := range m.Gaps {
		out = append(out, fmt.Sprintf("gap %d: %s", g.Line, g.Message))
	}
	return out
}

func TestExtract(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"version 1", `{"object": {"pins": [
{"package": "Log", "repositoryURL": "https://u:t@github.com/Owner/Log.git",
 "state": {"branch": null, "revision": "` + revision + `", "version": "1.4.2"}}
]}, "version": 1}`, []string{"Package.resolved v1", "2:13-18 github.com/Owner/Log@1.4.2 asks: from: local:false hashes:1"}},
		{"version 2", `{"pins": [
{"identity": "a", "kind": "remoteSourceControl", "location": "git@github.com:o/a.git", "state": {"branch": "main", "revision": "` + revision + `"}},
{"identity": "b", "kind": "localSourceControl", "location": "/home/x/b", "state": {"revision": "` + revision + `"}}
], "version": 2}`, []string{"Package.resolved v2", "2:14-17 github.com/o/a asks:main from: local:false hashes:1",
			"3:14-17 b asks:" + revision + " from:/home/x/b local:true hashes:1",
			`gap 2: "github.com/o/a" is fixed to a revision without a version and cannot be checked; depend on a tagged version`}},
		{"version 3", `{"originHash": "x", "pins": [
{"identity": "o.reg", "kind": "registry", "location": "", "state": {"version": "2.0.0"}},
{"identity": "", "location": ""}
], "version": 3}`, []string{"Package.resolved v3", "2:14-21 o.reg@2.0.0 asks: from: local:false hashes:0",
			`gap 3: "" cannot be a package: it has no usable name and address; run swift package resolve`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := New().Extract(t.Context(), extract.File{Path: "Package.resolved", Content: []byte(tt.text)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, show(m)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	for _, text := range []string{"", "[]", `{"version": 9, "pins": []}`, `{"pins": [`, `{"pins": ` + strings.Repeat("[", 1<<16)} {
		if m, err := New().Extract(t.Context(), extract.File{Path: "Package.resolved", Content: []byte(text)}); err == nil {
			t.Errorf("%.20q gives %+v", text, m)
		}
	}
}

func TestWants(t *testing.T) {
	for path, want := range map[string]bool{"Package.resolved": true, "App.xcodeproj/x/Package.resolved": true, ".build/a/Package.resolved": false, "Package.swift": false} {
		if got := New().Wants(path); got != want {
			t.Errorf("Wants(%q) is %v", path, got)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(`{"pins":[{"identity":"a","location":"git@h:o/a","state":{"version":"1"}}],"version":2}`)
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := New().Extract(t.Context(), extract.File{Path: "Package.resolved", Content: []byte(s)}); err == nil && m == nil {
			t.Error("neither a manifest nor an error")
		}
	})
}

func BenchmarkExtract(b *testing.B) {
	pin := `{"identity": "a%d", "kind": "remoteSourceControl", "location": "https://github.com/o/a%d", "state": {"revision": "` + revision + `", "version": "1.0.%d"}}`
	var pins []string
	for i := range 200 {
		pins = append(pins, fmt.Sprintf(pin, i, i, i))
	}
	text := []byte(`{"pins": [` + strings.Join(pins, ",\n") + `], "version": 2}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(text); err != nil {
			b.Fatal(err)
		}
	}
}
