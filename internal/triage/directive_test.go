package triage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// dir is what a directive looks like in the tests below, cut in two so that this
// file holds none.
const dir = "bulwark" + ":allow"

func date(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestDirectives(t *testing.T) {
	full := dir + ` jwt reason="test key" until=2027-01-31`
	want := Directive{Line: 1, Column: 1, Rules: []string{"jwt"}, Reason: "test key", Until: date("2027-01-31")}
	at := func(column, below int) []Directive {
		d := want
		d.Column, d.Below = column, below
		return []Directive{d}
	}
	tests := []struct {
		name, text string
		want       []Directive
	}{
		{"behind code", `key = 1 # ` + full, at(11, 0)},
		{"slashes", `x := "a" // ` + full, at(13, 0)},
		{"own line", "# " + full + "\nkey", at(3, 2)},
		{"own line, indented, CRLF", "\t# " + full + "\r\nkey\r\n", at(4, 2)},
		{"block", "/* " + full + " */", at(4, 2)},
		{"block before code", "/* " + full + " */ int x;", at(4, 2)},
		{"dashes", "-- " + full, at(4, 2)},
		{"semicolon", "; " + full, at(3, 2)},
		{"HTML", "<!-- " + full + " -->", at(6, 2)},
		{"percent", "% " + full, at(3, 2)},
		{"REM", "rem " + full, at(5, 2)},
		{"@REM", "@REM " + full, at(6, 2)},
		{"template", "{{/* " + full + " */}}", at(6, 2)},
		{"Jinja", "{# " + full + " #}", at(4, 2)},
		{"inside a block", " * " + full, at(4, 2)},
		{"no blank", "#" + full, at(2, 2)},
		{"behind another remark", "x # nosec " + full, at(11, 0)},
		{"quoted", `"` + full + `"`, nil},
		{"quoted behind a mark", `"# ` + full + `"`, nil},
		{"in backticks", "# write `" + full + "`", nil},
		{"no comment", full, nil},
		{"other word", "# " + dir + "ed jwt", nil},
		{"example", "# " + dir + " " + placeholderID + ` reason="…" until=2027-01-31`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := Directives([]byte(tt.text))
			if tt.name == "quoted behind a mark" { // a quote behind the end is a fault, not silence
				if len(problems) != 1 {
					t.Errorf("problems = %v", problems)
				}
				return
			}
			if len(problems) > 0 {
				t.Errorf("problems = %v", problems)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("Directives (-want +got):\n%s", d)
			}
		})
	}
}

func TestDirectiveWords(t *testing.T) {
	until := date("2027-01-31")
	good := map[string]Directive{
		` a,b , c reason="x" until=2027-01-31`:               {Rules: []string{"a", "b", "c"}, Reason: "x"},
		` a owner=team@x until=2027-01-31 reason='it''s'`:    {},
		` a owner="A B" until="2027-01-31" reason=word`:      {Rules: []string{"a"}, Owner: "A B", Reason: "word"},
		` a reason="say \"hi\" \\ there" until=2027-01-31`:   {Rules: []string{"a"}, Reason: `say "hi" \ there`},
		` aws.key-id_1 reason="größe" until=2027-01-31*/x()`: {Rules: []string{"aws.key-id_1"}, Reason: "größe"},
	}
	for text, want := range good {
		got, example, err := parseDirective([]byte(text))
		if want.Rules == nil {
			if err == nil {
				t.Errorf("%q was accepted as %+v", text, got)
			}
			continue
		}
		want.Until = until
		if err != nil || example {
			t.Errorf("%q: %v", text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
	}
	for text, want := range map[string]string{
		``:                                    "names no rule",
		` reason="x" until=2027-01-31`:        "names no rule",
		` a until=2027-01-31`:                 "no reason",
		` a reason="  " until=2027-01-31`:     "no reason",
		` a reason="x"`:                       "no end",
		` a reason="x" until=31.1.2027`:       "not a date",
		` a reason="x" until=2027-02-30`:      "not a date",
		` a reason="x until=2027-01-31`:       "not closed",
		` a reason="x" untill=2027-01-31`:     `unknown word "untill"`,
		` a b reason="x" until=2027-01-31`:    `unexpected "b"`,
		` a, reason="x" until=2027-01-31`:     "names no rule",
		` a reason="x" reason="y"`:            "given twice",
		" a reason=\"\x1b[31m\" until=x":      "control character",
		" a reason=\"\xff\" until=2027-01-31": "not valid UTF-8",
	} {
		if _, _, err := parseDirective([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestDirectivesStackedAndBounded(t *testing.T) {
	text := "a\n# " + dir + " one reason=x until=2027-01-31\n# " + dir + " two reason=x until=2027-01-31\nsecret # " + dir + " three reason=x until=2027-01-31\n# " + dir + " bad\n"
	got, problems := Directives([]byte(text))
	var lines []string
	for _, d := range got {
		lines = append(lines, fmt.Sprintf("%s %d %d", d.Rules[0], d.Line, d.Below))
	}
	if d := cmp.Diff([]string{"one 2 4", "two 3 4", "three 4 0"}, lines); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if len(problems) != 1 || problems[0].Line != 5 || problems[0].Column != 3 {
		t.Errorf("problems = %+v", problems)
	}
	many := strings.Repeat("# "+dir+" a reason=x until=2027-01-31\n", 3000)
	got, problems = Directives([]byte(many))
	if len(got) != maxDirectives || len(problems) != 1 {
		t.Errorf("%d directives, %d problems", len(got), len(problems))
	}
	start := time.Now()
	Directives([]byte("#" + strings.Repeat(" "+dir, 100_000)))
	Directives([]byte(strings.Repeat("x"+dir, 100_000)))
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("hostile lines took %v", d)
	}
	// What is cached is what was found.
	in := FileDirectives{Directives: got[:1], Problems: problems}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out FileDirectives
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(in, out); d != "" {
		t.Errorf("JSON (-want +got):\n%s\n%s", d, b)
	}
}

func FuzzDirectives(f *testing.F) {
	f.Add([]byte("x # " + dir + ` a,b reason="x" until=2027-01-31` + "\n"))
	f.Add([]byte("/* " + dir + ` a reason="\"" owner=me until=2027-01-31 */`))
	f.Add([]byte("{{/* " + dir))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, problems := Directives(data)
		lines := strings.Count(string(data), "\n") + 1
		for _, d := range got {
			if d.Line < 1 || d.Line > lines || d.Column < 1 || len(d.Rules) == 0 || d.Reason == "" || d.Until.IsZero() || d.Below != 0 && d.Below <= d.Line {
				t.Errorf("%+v", d)
			}
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Message == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}
