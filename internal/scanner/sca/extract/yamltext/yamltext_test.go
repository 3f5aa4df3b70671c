package yamltext_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"bulwark/internal/scanner/sca/extract/yamltext"
)

func show(b *strings.Builder, n yamltext.Node, list bool) {
	if !list {
		fmt.Fprintf(b, "%q:", n.Key())
	}
	switch n.Kind() {
	case yamltext.Scalar:
		fmt.Fprintf(b, "%q", n.Text())
	case yamltext.Absent:
		b.WriteString("~")
	default:
		b.WriteString("{")
		for c := range n.Children() {
			show(b, c, n.Kind() == yamltext.List)
			b.WriteString(" ")
		}
		b.WriteString("}")
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"mapping", "a: 1\nb:\n  c: x y # comment\n  'd e': \"q\\n\"\nf:\n", `"":{"a":"1" "b":{"c":"x y" "d e":"q\n" } "f":~ }`},
		{"sequences", "a:\n- 1\n- b: 2\n  c: 3\n-\n  d: 4\n- - x\n  - y\ne: [1, {f: 2, g}, 'h''i']\n", `"":{"a":{"1" {"b":"2" "c":"3" } {"d":"4" } {"x" "y" } } "e":{"1" {"f":"2" "g":~ } "h'i" } }`},
		{"scalars", "a: >-\n  one\n  two: 2\nb: |\n  x\n   y\n\nc: plain\n  goes on\nd: http://x:1/y#z\n", `"":{"a":"one two: 2" "b":"x\n y" "c":"plain goes on" "d":"http://x:1/y#z" }`},
		{"explicit keys", "? 'long key'\n: v: 1\n  w: 2\n? k\n: x\n", `"":{"long key":{"v":"1" "w":"2" } "k":"x" }`},
		{"flow on several lines", "a: {b: [1,\n  2], # c\n  d: e}\nf: g\n", `"":{"a":{"b":{"1" "2" } "d":"e" } "f":"g" }`},
		{"documents", "%YAML 1.2\n---\na: 1\n...\n---\nb: 2\n", `"":{"a":"1" }"":{"b":"2" }`},
		{"carriage returns", "a: 1\r\nb:\r\n  c: 2\r\n", `"":{"a":"1" "b":{"c":"2" } }`},
		{"repeated", "a: 1\na: 2\n", `"":{"a":"1" "a":"2" }`},
		{"nothing", "# only a comment\n\n", ""},
	} {
		docs, err := yamltext.Parse([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var b strings.Builder
		for _, d := range docs {
			show(&b, d, false)
		}
		if diff := cmp.Diff(c.want, b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestPositions(t *testing.T) {
	docs, err := yamltext.Parse([]byte("a: >-\n  text\n\n  more\nb:\n  'c d': [1,\n    2]\n  e: 'x\n    y'\n  f: z\n"))
	if err != nil {
		t.Fatal(err)
	}
	b := docs[0].Get("b")
	got := []int{b.Line()}
	for _, key := range []string{"c d", "e", "f"} {
		start, end := b.Get(key).Columns()
		got = append(got, b.Get(key).Line(), start, end)
	}
	if diff := cmp.Diff([]int{5, 6, 3, 8, 8, 3, 4, 10, 3, 4}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a: &x 1\n":                        "line 1: anchors and aliases",
		"a: 1\nb: *a\n":                    "line 2: anchors and aliases",
		"a: !!str 1\n":                     "tags are not supported",
		"a:\n\tb: 1\n":                     "line 2: indented by a tab",
		"a: 'x\n":                          "cut short",
		"a: {b: [\n":                       "cut short",
		"a: 1\n b: 2\n c\n":                "",
		"a:\n  b: 1\n c: 2\n":              "line 3",
		"<<<<<<< ours\n":                   "merge conflict",
		"a:\n- 1\nb\n":                     "a key and a colon",
		"a:\n  - 1\n  b: 2\n":              "belongs to nothing",
		strings.Repeat("- ", 10000):        "nested deeper",
		strings.Repeat("[", 10000):         "a key and a colon",
		"a: " + strings.Repeat("[", 10000): "nested deeper",
	} {
		_, err := yamltext.Parse([]byte(text))
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

// FuzzParse checks that whatever a general parser reads as mappings of plain
// text comes out the same here, if it is not refused.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a: 1\nb:\n  - c: d\n", "a: {b: 'c', d: [\"e\"]}\n", "? a\n: b\n", "a: |\n  b\n", "a:\n- b\n- c\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		docs, err := yamltext.Parse(content)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, d := range docs {
			show(&b, d, false)
		}
		if strings.Trim(string(content), "abcdefghij0123456789:\n ") != "" {
			return
		}
		var general map[string]string
		if yaml.Unmarshal(content, &general) != nil || len(docs) != 1 {
			return
		}
		for k, v := range general {
			if got := docs[0].Get(k).Text(); v != "" && got != v {
				t.Fatalf("%q: %q is %q, want %q", content, k, got, v)
			}
		}
	})
}
