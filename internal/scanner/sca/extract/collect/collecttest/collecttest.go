// Package collecttest holds what every extractor of lockfiles must stand: a
// compact form of a manifest for comparison, hostile content, and the promises
// that a fuzz test checks. It is for tests only.
package collecttest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// Show writes a manifest as one line for each package and gap:
// "line id relation scope <via >requires ~constraint @origin =local".
func Show(m *dependency.Manifest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", m.Format)
	for i := range m.Packages {
		p := &m.Packages[i]
		fmt.Fprintf(&b, "%d %s %s %s", p.Line, p.ID(), first(string(p.Relation)), first(string(p.Scope)))
		if len(p.Via) > 0 {
			fmt.Fprintf(&b, " <%s", strings.Join(p.Via, ","))
		}
		if len(p.Requires) > 0 {
			fmt.Fprintf(&b, " >%s", strings.Join(p.Requires, ","))
		}
		if p.Constraint != "" {
			fmt.Fprintf(&b, " ~%s", p.Constraint)
		}
		if p.Origin != "" {
			fmt.Fprintf(&b, " @%s", p.Origin)
		}
		for _, l := range p.Licenses {
			fmt.Fprintf(&b, " (%s)", l)
		}
		for _, h := range p.Hashes {
			fmt.Fprintf(&b, " #%s:%s", h.Algorithm, h.Value[:4])
		}
		if p.Local {
			b.WriteString(" local")
		}
		b.WriteByte('\n')
	}
	for _, g := range m.Gaps {
		fmt.Fprintf(&b, "gap %d %s\n", g.Line, g.Message)
	}
	return b.String()
}

func first(s string) string {
	if s == "" {
		return "-"
	}
	return s[:1]
}

// Extract reads content as the file path.
func Extract(t testing.TB, e extract.Extractor, path, content string) *dependency.Manifest {
	t.Helper()
	if !e.Wants(path) {
		t.Fatalf("%s is not wanted", path)
	}
	m, err := e.Extract(context.Background(), extract.File{Path: path, Content: []byte(content)})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return m
}

// Resolve extracts files, given as path and content in turn, and joins them.
func Resolve(t testing.TB, e extract.Extractor, files ...string) string {
	t.Helper()
	var all []*dependency.Manifest
	for i := 0; i < len(files); i += 2 {
		all = append(all, Extract(t, e, files[i], files[i+1]))
	}
	slices.SortFunc(all, func(a, b *dependency.Manifest) int { return strings.Compare(a.Path, b.Path) })
	if r, ok := e.(extract.Resolver); ok {
		all = r.Resolve(context.Background(), all)
	}
	var b strings.Builder
	for _, m := range all {
		fmt.Fprintf(&b, "%s: %s", m.Path, Show(m))
	}
	return b.String()
}

// Check holds whatever content has to the extractors' promises.
func Check(t testing.TB, e extract.Extractor, path string, content []byte) {
	t.Helper()
	before := bytes.Clone(content)
	ctx := context.Background()
	m, err := e.Extract(ctx, extract.File{Path: path, Content: content})
	if !bytes.Equal(before, content) {
		t.Fatal("the content was changed")
	}
	again, errAgain := e.Extract(ctx, extract.File{Path: path, Content: content})
	if (err == nil) != (errAgain == nil) {
		t.Fatalf("%v at first, then %v", err, errAgain)
	}
	if err != nil || m == nil {
		return
	}
	if Show(m) != Show(again) {
		t.Fatalf("not the same twice:\n%s\n%s", Show(m), Show(again))
	}
	lines := bytes.Count(content, []byte("\n")) + 1
	ids := map[string]bool{}
	for i := range m.Packages {
		ids[m.Packages[i].ID()] = true
	}
	for i := range m.Packages {
		p := &m.Packages[i]
		if p.Name == "" || !collect.Sound(p.Name) || !collect.Sound(p.Version) || !collect.Sound(p.Constraint) || !collect.Sound(p.Origin) {
			t.Fatalf("unsound: %+v", p)
		}
		if p.Line < 0 || p.Line > lines || p.EndColumn < p.Column {
			t.Fatalf("impossible position: %+v of %d lines", p, lines)
		}
		if !slices.IsSorted(p.Requires) || len(p.Via) > collect.MaxVia || p.Relation == dependency.Direct && len(p.Via) > 0 {
			t.Fatalf("inconsistent: %+v", p)
		}
		for _, id := range append(slices.Clone(p.Requires), p.Via...) {
			if !ids[id] {
				t.Fatalf("%s names %q, which is no package", p.ID(), id)
			}
		}
	}
	if r, ok := e.(extract.Resolver); ok {
		all := []*dependency.Manifest{m}
		shown := Show(m)
		r.Resolve(ctx, all)
		if Show(m) != shown {
			t.Fatal("Resolve changed what it was given")
		}
	}
}

// Hostile feeds an extractor with every beginning of a good file and with what
// strangers may think up. Nothing may panic or take long.
func Hostile(t *testing.T, e extract.Extractor, path, good string) {
	t.Helper()
	for i := 0; i < len(good); i++ {
		Check(t, e, path, []byte(good[:i]))
		mutated := []byte(good)
		mutated[i] ^= 0x21
		Check(t, e, path, mutated)
	}
	for name, unit := range map[string]string{
		"zeros": "\x00", "braces": "{", "brackets": "[", "objects": `{"a":`, "quotes": `"`, "dashes": "- ", "spaces": " ", "breaks": "\n",
		"letters": "a", "lines": "a:\n", "deeper": "a: {b: ", "colons": ":", "backslashes": `\`, "tuples": "%{", "question": "? ", "comment": "/*",
	} {
		size := 10 << 20 / scale
		if strings.Contains(unit, "\n") {
			size = 2 << 20 / scale // as many lines as no lockfile has
		}
		content := bytes.Repeat([]byte(unit), size/len(unit))
		start := time.Now()
		_, err := e.Extract(context.Background(), extract.File{Path: path, Content: content})
		// The square of the size would take hours; the race detector takes seconds.
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%d bytes of %s take %v (%v)", len(content), name, took, err)
		}
	}
}
