package tomltext

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// show writes a tree in one line.
func show(n Node) string {
	var b strings.Builder
	switch n.Kind() {
	case String:
		fmt.Fprintf(&b, "%q", n.Text())
	case Bool:
		fmt.Fprint(&b, n.True())
	case Number:
		b.WriteString("#")
	case Table, List:
		open, end := "{", "}"
		if n.Kind() == List {
			open, end = "[", "]"
		}
		b.WriteString(open)
		for c := range n.Children() {
			if n.Kind() == Table {
				fmt.Fprintf(&b, "%s@%d", c.Key(), c.Line())
			}
			b.WriteString(show(c) + " ")
		}
		return strings.TrimSuffix(b.String(), " ") + end
	}
	return b.String()
}

func TestParse(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "{}"},
		{"byte order mark", "\ufeffa = 1", "{a@1#}"},
		{"scalars", "a = \"x\\ty\"\nb = 'l'\nc = true\nd = 1979-05-27\n", `{a@1"x\ty" b@2"l" c@3true d@4#}`},
		{"several lines", "a = \"\"\"\none\ntwo\"\"\"\nb = 1", `{a@1"one\ntwo" b@4#}`},
		{"tables in pieces", "[a]\nx = 1\n[b]\n[a.c]\ny = 2\n", `{a@1{x@2# c@4{y@5#}} b@3{}}`},
		{"arrays of tables", "[[p]]\nn = 'a'\n[p.d]\nx = 'y'\n[[p]]\nn = 'b'\n[[p.f]]\nz = 1\n", `{p@1[{n@2"a" d@3{x@4"y"}} {n@6"b" f@7[{z@8#}]}]}`},
		{"dotted", "a.b.c = 1\na.b.d = 2\ne = { f.g = 'h' }", `{a@1{b@1{c@1# d@2#}} e@3{f@3{g@3"h"}}}`},
		{"lists", "a = [\n 'x', # c\n { b = 'y' },\n]\n", `{a@1["x" {b@3"y"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, err := Parse([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, show(root)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParsePlaces(t *testing.T) {
	root, err := Parse([]byte("x = 1\n  name = \"abc\"\nl = [\n  'item']\n"))
	if err != nil {
		t.Fatal(err)
	}
	n := root.Get("name")
	line, from, to := n.Value()
	start, end := n.Columns()
	if got := [6]int{n.Line(), start, end, line, from, to}; got != [6]int{2, 3, 7, 2, 11, 14} {
		t.Errorf("the name is at %v", got)
	}
	for c := range root.Get("l").Children() {
		if start, end := c.Columns(); c.Line() != 4 || start != 3 || end != 9 {
			t.Errorf("the item is at %d:%d-%d", c.Line(), start, end)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"cut short", "a = [\n'x'", "line 2"},
		{"string without end", "\na = \"x", "line 2"},
		{"merge conflict", "a = 1\n<<<<<<< HEAD\n", "merge conflict"},
		{"two natures", "[a]\n[[a]]\n", "line 2"},
		{"deep list", "a = " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested deeper"},
		{"very deep list", "a = " + strings.Repeat("[", 1<<20), "nested"},
		{"deep key", strings.Repeat("a.", 100) + "a = 1", "nested deeper"},
		{"deep header", "[" + strings.Repeat("a.", 100) + "a]", "nested deeper"},
		{"not UTF-8", "a = \"\xff\"", "line 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, which does not say %q", err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[[package]]\nname = \"a\"\n[package.x]\ny = [ { a.b = 'c' } ]\n")
	f.Add("a.b = 1\n[a]\n[[a.b]]")
	f.Fuzz(func(t *testing.T, s string) {
		root, err := Parse([]byte(s))
		if err == nil {
			show(root)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "[[package]]\nname = \"package-%d\"\nversion = \"1.%d.0\"\nsource = { registry = \"https://example.org/simple\" }\ndependencies = [\n    { name = \"other\" },\n]\n\n", i, i)
	}
	data := []byte(text.String())
	if f := os.Getenv("TOMLTEXT_SAMPLE"); f != "" {
		var err error
		if data, err = os.ReadFile(f); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
