package report

import (
	"strings"
	"testing"
	"unicode/utf8"

	"bulwark/internal/finding"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 秘密 🙂":     "plain é 秘密 🙂",
		"\x1b[31m":         `\x1b[31m`,
		"a\nb\r\tc":        `a\nb\r\tc`,
		"\x00\x7f":         `\x00\x7f`,
		"\u0085\u009b":     `\u0085\u009b`,
		"exe\u202egnp":     `exe\u202egnp`,
		"a\u200bb\ufeff":   `a\u200bb\ufeff`,
		"\u2028\u2029":     `\u2028\u2029`,
		"\xff\xfe":         `\xff\xfe`,
		"\xed\xa0\x80":     `\xed\xa0\x80`,
		"\ufffd":           "\ufffd",
		"\U000e0041":       `\U000e0041`,
		"\u3164\u115f":     `\u3164\u115f`,
		"\u00a0\u2800":     `\u00a0\u2800`,
		"x\ufe0f":          `x\ufe0f`,
		`back\slash`:       `back\slash`,
		"e\u0301":          "e\u0301",
		"\ufffe\U0010ffff": `\ufffe\U0010ffff`,
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	for _, test := range []struct {
		in    string
		limit int
		want  string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc…"}, {"aé", 2, "a…"}, {"秘密", 4, "秘…"}, {"\xff\xff\xff\xff", 2, "\xff\xff…"}} {
		if got := clip(test.in, test.limit); got != test.want {
			t.Errorf("clip(%q, %d) = %q, want %q", test.in, test.limit, got, test.want)
		}
	}
	long := strings.Repeat("é", 400)
	if got := clipPath(long + ".go"); !utf8.ValidString(got) || len(got) > maxPath+10 || !strings.HasSuffix(got, ".go") {
		t.Errorf("clipPath: %q", got)
	}
}

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "秘密": 4, "e\u0301": 1, "🙂": 2, "ﾊ": 1, "…": 1} {
		if got := width(s); got != want {
			t.Errorf("width(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestFrame(t *testing.T) {
	tests := []struct {
		name  string
		l     finding.Location
		limit int
		line  string
		marks string
	}{
		{"plain", finding.Location{Excerpt: `k = "…"`, MarkStart: 5, MarkEnd: 8}, 80, `k = "…"`, `     ^`},
		{"tabs", finding.Location{Excerpt: "\ta\tb", MarkStart: 3, MarkEnd: 4}, 80, "    a   b", "        ^"},
		{"tab marked", finding.Location{Excerpt: "a\tb", MarkStart: 1, MarkEnd: 2}, 80, "a   b", " ^^^"},
		{"wide", finding.Location{Excerpt: "秘密 x密", MarkStart: 7, MarkEnd: 11}, 80, "秘密 x密", "     ^^^"},
		{"combining", finding.Location{Excerpt: "e\u0301 x", MarkStart: 4, MarkEnd: 5}, 80, "e\u0301 x", "  ^"},
		{"escapes", finding.Location{Excerpt: "\x1b\xff x", MarkStart: 3, MarkEnd: 4}, 80, `\x1b\xff x`, "         ^"},
		{"no mark", finding.Location{Excerpt: "abc"}, 80, "abc", ""},
		{"mark beyond", finding.Location{Excerpt: "abc", MarkStart: 1, MarkEnd: 99}, 80, "abc", " ^^"},
		{"mark backwards", finding.Location{Excerpt: "abc", MarkStart: 9, MarkEnd: -4}, 80, "abc", ""},
		{"negative mark", finding.Location{Excerpt: "abc", MarkStart: -5, MarkEnd: 1}, 80, "abc", "^"},
		{"cut", finding.Location{Excerpt: strings.Repeat("a", 50) + "XYZ" + strings.Repeat("b", 50), MarkStart: 50, MarkEnd: 53}, 20, "…aaaaaXYZbbbbbbbbbb…", "      ^^^"},
		{"cut at the end", finding.Location{Excerpt: "XY" + strings.Repeat("b", 50), MarkStart: 0, MarkEnd: 2}, 20, "XYbbbbbbbbbbbbbbbb…", "^^"},
		{"cut at the start", finding.Location{Excerpt: strings.Repeat("a", 50) + "XY", MarkStart: 50, MarkEnd: 52}, 20, "…aaaaaaaaaaaaaaaaXY", "                 ^^"},
		{"long mark", finding.Location{Excerpt: strings.Repeat("X", 50), MarkStart: 0, MarkEnd: 50}, 20, "XXXXXXXXXXXXXXXXXX…", "^^^^^^^^^^^^^^^^^^"},
		{"empty", finding.Location{MarkEnd: 3}, 20, "", ""},
	}
	for _, test := range tests {
		f := newFrame(test.l, test.limit)
		line := f.before + f.marked + f.after
		marks := ""
		if f.markCols > 0 {
			marks = strings.Repeat(" ", f.markFrom) + strings.Repeat("^", f.markCols)
		}
		if line != test.line || marks != test.marks {
			t.Errorf("%s:\n got %q\n     %q\nwant %q\n     %q", test.name, line, marks, test.line, test.marks)
		}
		if width(line) > test.limit {
			t.Errorf("%s: %d columns, limit %d", test.name, width(line), test.limit)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add(hostile, 3, 9, 40)
	f.Fuzz(func(t *testing.T, s string, from, to, limit int) {
		v := visible(s)
		if !utf8.ValidString(v) {
			t.Fatalf("visible(%q) is not valid UTF-8", s)
		}
		for _, r := range v {
			if hidden(r) {
				t.Fatalf("visible(%q) holds %q", s, r)
			}
		}
		limit = min(max(limit, 20), 500)
		l := finding.Location{Excerpt: s, MarkStart: from, MarkEnd: to, StartLine: 1, StartColumn: from, EndLine: 1, EndColumn: to}
		fr := newFrame(l, limit)
		if got := width(fr.before + fr.marked + fr.after); got > limit {
			t.Fatalf("frame of %q is %d columns wide, limit %d", s, got, limit)
		}
		characters(l)
		encoded, encoding := encodePath(s)
		if back, err := decodePath(encoded, encoding); err != nil || back != s {
			t.Fatalf("path %q came back as %q, %v", s, back, err)
		}
		if strings.ContainsAny(markdownText(s), "<>|`\n") || strings.ContainsAny(commandProperty(v), "\n:,") {
			t.Fatalf("%q is not escaped", s)
		}
	})
}
