package xmltree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"bulwark/internal/scanner/sca/extract"
)

// show writes a tree as name[attributes]"text"(children), with the places.
func show(e *Element) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s@%d:%d-%d", e.Name, e.Line, e.Column, e.EndColumn)
	for _, a := range e.Attrs {
		fmt.Fprintf(&b, " %s=%s", a.Name, a.Value)
	}
	if e.Text != "" {
		fmt.Fprintf(&b, " %q@%d:%d-%d", e.Text, e.TextLine, e.TextColumn, e.TextEnd)
	}
	if len(e.Children) > 0 {
		b.WriteString(" (")
		for i, c := range e.Children {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(show(c))
		}
		b.WriteString(")")
	}
	return b.String()
}

func TestParse(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"places", "<?xml version='1.0'?>\n<a>\n  <b x='1' y=\"2\">text</b>\n</a>", `a@2:1-4 (b@3:3-18 x=1 y=2 "text"@3:18-22)`},
		{"text is trimmed", "<a>\n  text \n</a>", `a@1:1-4 "text"@2:3-7`},
		{"a tag over two lines", "<a\n x='1'>t</a>", `a@1:1-0 x=1 "t"@2:8-9`},
		{"empty element", "<a><b/></a>", "a@1:1-4 (b@1:4-8)"},
		{"prefixes are cut off", "<m:a xmlns:m='u'><m:b/></m:a>", "a@1:1-18 m=u (b@1:18-24)"},
		{"comment within text", "<a>one<!-- no -->two</a>", `a@1:1-4 "onetwo"@1:4-7`},
		{"character data", "<a><![CDATA[<x>]]></a>", `a@1:1-4 "<x>"@1:4-19`},
		{"known entities", "<a>&lt;&#65;</a>", `a@1:1-4 "<A"@1:4-13`},
		{"document type", "<!DOCTYPE a>\n<a/>", "a@2:1-5"},
		{"byte order mark", "\xef\xbb\xbf<a/>", "a@1:1-5"},
		{"another encoding", "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", `a@1:44-47 "é"@1:47-49`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Parse([]byte(tt.content))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(e); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestUTF16(t *testing.T) {
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		var content []byte
		for _, u := range utf16.Encode([]rune("\ufeff<a>é😀</a>")) {
			content = order.AppendUint16(content, u)
		}
		e, err := Parse(content)
		if err != nil || e.Text != "é😀" {
			t.Errorf("%s endian: %+v, %v", name, e, err)
		}
		if Root(content) != "a" {
			t.Errorf("%s endian: the root is %q", name, Root(content))
		}
	}
}

func TestErrors(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"empty", "", "not an XML file"},
		{"text only", "text", "not an XML file"},
		{"cut short", "<a>\n<b>", "line 2: the file ends before </b>"},
		{"cut within a tag", "<a>\n<b x=", "line 2: "},
		{"crossed", "<a>\n<b></a></b>", "line 2: </a> closes nothing"},
		{"second root", "<a/>\n<b/>", "line 2: a second root"},
		{"own entity", "<!DOCTYPE a [<!ENTITY x 'y'>]>\n<a>&x;</a>", "line 2: "},
		{"deep", strings.Repeat("<a>\n", 100), "nested deeper than 64"},
	}
	for _, tt := range tests {
		if _, err := Parse([]byte(tt.content)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestNilElement(t *testing.T) {
	var e *Element
	if e.Child("a") != nil || e.Value("a") != "" || e.Attr("a") != "" || e.All("a") != nil || e.Child("a").Child("b").Value("c") != "" {
		t.Error("nil has something")
	}
}

func TestLookup(t *testing.T) {
	e, err := Parse([]byte("<a Version='1' none=''><b>1</b><b>2</b></a>"))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := e.Lookup("NONE"); v != "" || !ok {
		t.Error("an empty attribute is not found")
	}
	if e.Attr("version") != "1" || e.Value("b") != "1" || len(e.All("b")) != 2 {
		t.Errorf("got %s", show(e))
	}
}

// TestHostile: every beginning of a file, and files of one thing repeated.
func TestHostile(t *testing.T) {
	good := []byte("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]>\n<a x='1'><!-- c --><b>&lt;<![CDATA[d]]></b></a>")
	for i := range good {
		if _, err := Parse(good[:i]); err == nil {
			t.Errorf("no error with %d of %d bytes", i, len(good))
		}
	}
	for _, unit := range []string{"<a>", "<a/>", "</a>", "<!--", "&lt;", "<a b='", "<!DOCTYPE a [", "<![CDATA[", "<?x ", "\x00", "\xff\xfe", "a", "\n"} {
		for _, before := range []string{"", "<a>"} {
			content := append([]byte(before), bytes.Repeat([]byte(unit), 1<<20/len(unit))...)
			start := time.Now()
			Root(content)
			_, err := Parse(content)
			if took := time.Since(start); took > 30*time.Second { // a square would take minutes
				t.Errorf("1 MB of %q take %v (%v)", unit, took, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("<?xml version='1.0'?><a x='1'><b>t</b></a>"))
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		before := bytes.Clone(content)
		e, err := Parse(content)
		if !bytes.Equal(before, content) {
			t.Fatal("the content was changed")
		}
		if err != nil {
			return
		}
		lines := bytes.Count(utf8Of(content), []byte("\n")) + 1
		var check func(e *Element, depth int)
		check = func(e *Element, depth int) {
			if depth > extract.MaxDepth || e.Line < 1 || e.Line > lines || e.TextLine > lines || e.EndColumn != 0 && e.EndColumn < e.Column || e.TextEnd != 0 && e.TextEnd < e.TextColumn {
				t.Fatalf("impossible: %s of %d lines, depth %d", show(e), lines, depth)
			}
			for _, c := range e.Children {
				check(c, depth+1)
			}
		}
		check(e, 1)
	})
}

func BenchmarkParse(b *testing.B) {
	content := []byte("<project>\n" + strings.Repeat("  <dependency>\n    <groupId>org.example</groupId>\n    <artifactId>web</artifactId>\n    <version>1.0</version>\n  </dependency>\n", 1000) + "</project>\n")
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(content); err != nil {
			b.Fatal(err)
		}
	}
}
