package conan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

func read(t *testing.T, path, text string) *dependency.Manifest {
	t.Helper()
	m, err := New().Extract(t.Context(), extract.File{Path: path, Content: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func show(m *dependency.Manifest) []string {
	out := []string{m.Format}
	for i := range m.Packages {
		p := &m.Packages[i]
		out = append(out, fmt.Sprintf("%d:%d %s %s %s via:%s asks:%s from:%s", p.Line, p.Column, p.ID(), p.Scope, p.Relation, strings.Join(p.Via, ","), p.Constraint, p.Origin))
	}
	for _, g := range m.Gaps {
		out = append(out, fmt.Sprintf("gap %d: %s", g.Line, g.Message))
	}
	return out
}

const list = `{"version": "0.5", "requires": [
 "zlib/1.3#abc%1",
 "fmt/10.0@me/stable#abc",
 "nonsense"
], "build_requires": [
 "cmake/3.27.0#a"
], "python_requires": []}`

func TestExtract(t *testing.T) {
	tests := []struct {
		name, path, text string
		want             []string
	}{
		{"version 1", "conan.lock", `{"graph_lock": {"nodes": {
 "0": {"path": "conanfile.py", "requires": ["1"], "build_requires": ["3"]},
 "1": {"ref": "openssl/1.1.1#a", "requires": ["2"]},
 "2": {"ref": "zlib/1.3", "requires": ["1", "9"]},
 "3": {"ref": "cmake/3.27.0", "context": "build"}
}, "revisions_enabled": true}, "version": "0.4"}`, []string{"conan.lock v1",
			"3:15 openssl@1.1.1 production direct via: asks: from:",
			"4:15 zlib@1.3 production transitive via:openssl@1.1.1 asks: from:",
			"5:15 cmake@3.27.0 development direct via: asks: from:"}},
		{"version 2", "conan.lock", list, []string{"conan.lock v2",
			"2:2 zlib@1.3 production  via: asks: from:",
			"3:2 fmt@10.0 production  via: asks: from:me/stable",
			"6:2 cmake@3.27.0 development  via: asks: from:",
			`gap 4: "nonsense" is no reference of the form name/version`}},
		{"text", "conanfile.txt", "[requires]\nzlib/1.3 # c\nfmt/[>=9 <11]\n[tool_requires]\n cmake/3.27.0\n[options]\nx=True\n", []string{"conanfile.txt",
			"2:1 zlib@1.3 production direct via: asks: from:",
			"3:1 fmt production direct via: asks:>=9 <11 from:",
			"5:2 cmake@3.27.0 development direct via: asks: from:",
			"gap 0: " + ranges}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, show(read(t, tt.path, tt.text))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	all := []*dependency.Manifest{read(t, "a/conan.lock", list), read(t, "a/conanfile.txt", "[requires]\nfmt/[>=9]\n"), read(t, "b/conanfile.txt", "[requires]\nfmt/9\n")}
	all = New().(extract.Resolver).Resolve(t.Context(), all)
	if len(all) != 2 || all[1].Path != "b/conanfile.txt" {
		t.Fatalf("%d manifests are left", len(all))
	}
	if got := show(all[0])[1:3]; got[0] != "2:2 zlib@1.3 production transitive via: asks: from:" || got[1] != "3:2 fmt@10.0 production direct via: asks:>=9 from:me/stable" {
		t.Errorf("%q", got)
	}
}

func TestRefuses(t *testing.T) {
	for _, text := range []string{"", "[]", `{"requires": [`, `{"graph_lock": ` + strings.Repeat("[", 1<<16)} {
		if m, err := New().Extract(t.Context(), extract.File{Path: "conan.lock", Content: []byte(text)}); err == nil {
			t.Errorf("%.20q gives %+v", text, m)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(list, "[requires]\nzlib/1.3\n")
	f.Add(`{"graph_lock":{"nodes":{"0":{"requires":["1"]},"1":{"ref":"a/1"}}}}`, "")
	f.Fuzz(func(t *testing.T, lock, text string) {
		var all []*dependency.Manifest
		for _, file := range []extract.File{{Path: "conan.lock", Content: []byte(lock)}, {Path: "conanfile.txt", Content: []byte(text)}} {
			if m, err := New().Extract(t.Context(), file); err == nil {
				all = append(all, m)
			}
		}
		New().(extract.Resolver).Resolve(t.Context(), all)
	})
}

func BenchmarkExtract(b *testing.B) {
	var refs []string
	for i := range 300 {
		refs = append(refs, fmt.Sprintf(`"package%d/1.%d.0#0123456789abcdef0123456789abcdef%%1700000000.1"`, i, i))
	}
	text := []byte(`{"version": "0.5", "requires": [` + strings.Join(refs, ",\n") + `]}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readLock(text); err != nil {
			b.Fatal(err)
		}
	}
}
