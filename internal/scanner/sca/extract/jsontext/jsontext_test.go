package jsontext_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/scanner/sca/extract/jsontext"
)

func TestRead(t *testing.T) {
	d := jsontext.New([]byte("\ufeff{\n \"a\": \"x\\u00e9\\ud83d\\ude00\\n\", \"n\": -12,\n\t\"b\\u0061\": [true, null, {\"deep\": [1]}, \"s\"], \"a\": 7, \"skip\": {\"q\": [[]]}}"))
	type seen struct {
		Key          string
		Line, Column int
		Value        any
	}
	var got []seen
	for key := range d.Object() {
		line, column := d.Position(d.KeyStart())
		s := seen{Key: string(key), Line: line, Column: column}
		switch s.Key {
		case "a":
			s.Value = d.String()
		case "n":
			s.Value = d.Int()
		case "ba":
			var kinds []jsontext.Kind
			for range d.Array() {
				kinds = append(kinds, d.Kind())
			}
			s.Value = kinds
		}
		got = append(got, s)
	}
	if err := d.End(); err != nil {
		t.Fatal(err)
	}
	want := []seen{
		{"a", 2, 2, "xé😀\n"}, {"n", 2, 32, int64(-12)},
		{"ba", 3, 2, []jsontext.Kind{jsontext.Bool, jsontext.Null, jsontext.Object, jsontext.String}},
		{"a", 3, 47, ""}, {"skip", 3, 55, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m := d.Mismatches(); len(m) != 1 || m[0].Line != 3 || m[0].String() != `"a" is a number where a string is expected` {
		t.Errorf("mismatches: %v", m)
	}
}

func TestLeavingEarly(t *testing.T) {
	d := jsontext.New([]byte(`[{"a": 1, "b": {"c": 2}}, "next"]`))
	var next string
	for i := range d.Array() {
		if i == 0 {
			for range d.Object() {
				break
			}
			continue
		}
		next = d.String()
	}
	if err := d.End(); err != nil || next != "next" {
		t.Errorf("%q, %v", next, err)
	}
}

func TestSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "line 1, column 1: the text ends",
		"{\n\"a\": \n":              "line 3, column 1: the text ends in the middle of a value: the file is cut short",
		`{"a": 1,}`:                 "a comma before the closing",
		`{"a" 1}`:                   "a colon is expected",
		`{a: 1}`:                    "a key in quotes",
		`[1 2]`:                     "a comma or the closing",
		`["\x"]`:                    "unknown escape",
		`{"\u12g4": 1}`:             "hexadecimal digits",
		"[\"a\nb\"]":                "a control character",
		`[01]`:                      "a value is expected",
		`[1.]`:                      "a value is expected",
		`[nul]`:                     "a value is expected",
		`{} x`:                      "text after the end",
		"{}\x00":                    "a NUL byte",
		`// no`:                     "a value is expected",
		strings.Repeat("[", 100000): "nested deeper than 64 levels",
		strings.Repeat(`{"a":`, 99): "nested deeper than 64 levels",
	} {
		d := jsontext.New([]byte(text))
		d.Skip()
		if err := d.End(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func TestJSONC(t *testing.T) {
	d := jsontext.NewJSONC([]byte("// first\n{\"a\": [1, /* two */ 2,], // three\n}"))
	d.Skip()
	if err := d.End(); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"[,]", "{,}", "[1,,]", "/* no end", "[1 / 2]"} {
		d := jsontext.NewJSONC([]byte(bad))
		d.Skip()
		if d.End() == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestPosition(t *testing.T) {
	text := []byte(strings.Repeat("abc\n\nlonger line\n", 500) + strings.Repeat("x", 5000))
	d := jsontext.New(text)
	for offset := 0; offset <= len(text); offset += 7 {
		wantLine := bytes.Count(text[:offset], []byte("\n")) + 1
		wantColumn := offset - bytes.LastIndexByte(text[:offset], '\n')
		if line, column := d.Position(offset); line != wantLine || column != wantColumn {
			t.Fatalf("Position(%d) = %d, %d, want %d, %d", offset, line, column, wantLine, wantColumn)
		}
	}
}

// FuzzSkip compares what is taken for JSON with the standard library.
func FuzzSkip(f *testing.F) {
	for _, s := range []string{`{"a": [1, -2.5e+3, true, null, "\u00e9\n"]}`, `[`, `{"a":1,}`, `"\ud800"`, "1 2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		d := jsontext.New(content)
		d.Skip()
		err := d.End()
		if err != nil && strings.Contains(err.Error(), "nested deeper") || bytes.HasPrefix(content, []byte("\xef\xbb\xbf")) {
			return
		}
		if valid := json.Valid(content); valid != (err == nil) {
			t.Fatalf("%q: valid is %v, but %v", content, valid, err)
		}
		var want string
		if utf8.Valid(content) && json.Unmarshal(content, &want) == nil && len(content) > 0 && bytes.Contains(content, []byte{'"'}) {
			if got := jsontext.New(content).String(); got != want {
				t.Fatalf("%q is %q, want %q", content, got, want)
			}
		}
	})
}

func BenchmarkSkip(b *testing.B) {
	text := []byte("[" + strings.Repeat(`{"name": "package", "version": "1.2.3", "list": [1, 2, true]},`+"\n", 10000) + "0]")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		d := jsontext.New(text)
		d.Skip()
		if err := d.End(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMembers: what readers keep for each element must not add up without end.
func TestMembers(t *testing.T) {
	text := []byte("[" + strings.Repeat("0,", jsontext.MaxMembers) + "0]")
	d := jsontext.New(text)
	d.Skip()
	if err := d.End(); err == nil || !strings.Contains(err.Error(), "keys and elements") {
		t.Errorf("too many elements: %v", err)
	}
}
