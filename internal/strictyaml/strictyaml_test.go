package strictyaml

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNearest(t *testing.T) {
	known := []string{"exclude", "max_file_size", "workers", "archives", "id"}
	for text, want := range map[string]string{
		"exlude": "exclude", "Exclude": "exclude", "max-file-size": "max_file_size", "wrokers": "workers",
		"archive": "archives", "maxfilesize": "max_file_size", "di": "id", "zzz": "", "": "", strings.Repeat("exclude", 20): "",
	} {
		if got := Nearest(text, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	d, root, err := Parse("f", []byte("a: 1\nb: [x, y]\nc: 2026-11-23\nd: {k: v}\n"), 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	d.Mapping(root, []Field{
		{Name: "a", Set: func(n *Node) {
			if v, ok := d.Int(n, 0, 5); ok && v == 1 {
				got = append(got, "int")
			}
		}},
		{Name: "b", Set: func(n *Node) { got = append(got, d.Strings(n)...) }},
		{Name: "c", Set: func(n *Node) {
			if v, ok := d.Date(n); ok {
				got = append(got, v.Format(DateLayout))
			}
		}},
		{Name: "d", Set: func(n *Node) { d.Entries(n, func(k, v *Node) { got = append(got, k.Value+"="+v.Value) }) }},
		{Name: "e", Required: true, Set: func(*Node) {}},
	})
	if diff := cmp.Diff([]string{"int", "x", "y", "2026-11-23", "k=v"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := Faults{{File: "f", Line: 1, Column: 1, Message: `the key "e" is missing`}}
	if diff := cmp.Diff(error(want), d.Err()); diff != "" {
		t.Errorf("Err (-want +got):\n%s", diff)
	}
	if _, root, err := Parse("f", []byte("# nothing\n"), 100); root != nil || err != nil {
		t.Errorf("an empty document: %v, %v", root, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a: [1, {b: c}]\n"))
	f.Add([]byte("a: &x 1\nb: *x\n--- 2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, err := Parse("f", data, 1<<20)
		var faults Faults
		if err != nil && (!errors.As(err, &faults) || len(faults) == 0 || faults[0].Message == "") {
			t.Errorf("not faults: %v", err)
		}
	})
}
