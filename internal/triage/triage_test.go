package triage

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/strictyaml"
)

var now = time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)

func fp(n int) string { return fmt.Sprintf("secret/1:%032x", n) }

func found(rule string, n int, places ...string) finding.Finding {
	f := finding.Finding{RuleID: rule, Fingerprint: fp(n), Status: finding.New}
	for _, p := range places {
		path, line := p, 1
		if i := strings.LastIndexByte(p, ':'); i >= 0 {
			path = p[:i]
			_, _ = fmt.Sscan(p[i+1:], &line)
		}
		f.Locations = append(f.Locations, finding.Location{Path: path, StartLine: line})
	}
	return f
}

func waivers(t testing.TB, text string) []Waiver {
	t.Helper()
	w, err := ParseWaivers("waivers.yaml", []byte("version: 1\nwaivers:\n"+text), now, 365)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// shape is what Apply said, short enough to compare.
func shape(fs []finding.Finding, notices []outcome.Notice, problems []Problem) []string {
	var out []string
	for _, f := range fs {
		for _, l := range f.Locations {
			by := "-"
			if s := l.Suppression; s != nil {
				by = s.Kind + " " + s.ID
			}
			out = append(out, fmt.Sprintf("%s %s:%d %s %s", f.RuleID, l.Path, l.StartLine, f.Status, strings.TrimSpace(by)))
		}
	}
	for _, n := range notices {
		out = append(out, fmt.Sprintf("%s %s:%d", n.Kind, n.Path, n.Line))
	}
	for _, p := range problems {
		out = append(out, fmt.Sprintf("problem %s:%d:%d", p.Path, p.Line, p.Column))
	}
	return out
}

func directives(t testing.TB, texts map[string]string) map[string]FileDirectives {
	out := map[string]FileDirectives{}
	for path, text := range texts {
		d, p := Directives([]byte(strings.ReplaceAll(text, "ALLOW", dir)))
		out[path] = FileDirectives{d, p}
	}
	return out
}

func TestApply(t *testing.T) {
	commit := &finding.Commit{ID: "c1"}
	old := found("jwt", 1, "a")
	old.Locations[0].Commit = commit
	tests := []struct {
		name     string
		findings []finding.Finding
		inline   map[string]string
		waivers  string
		baseline *Baseline
		opts     Options
		want     []string
	}{
		{"nothing", []finding.Finding{found("jwt", 1, "a")}, nil, "", nil, Options{Full: true}, []string{"jwt a:1 new -"}},
		{
			"inline, same line and above", []finding.Finding{found("jwt", 1, "a:1", "b:2", "c:1")},
			map[string]string{"a": "x # ALLOW jwt reason=x until=2027-10-01", "b": "# ALLOW jwt reason=x until=2027-10-01\nx", "c": "# ALLOW other reason=x until=2027-10-01"},
			"", nil, Options{Full: true},
			[]string{"jwt a:1 new inline", "jwt b:2 new inline", "jwt c:1 new -", "directive-unused c:1"},
		},
		{
			"inline behind code does not reach below", []finding.Finding{found("jwt", 1, "a:2")},
			map[string]string{"a": "x # ALLOW jwt reason=x until=2027-10-01\ny"}, "", nil, Options{},
			[]string{"jwt a:2 new -"},
		},
		{
			"inline on its last day, expired, soon", []finding.Finding{found("jwt", 1, "a:1", "b:1", "c:1")},
			map[string]string{"a": "x # ALLOW jwt reason=x until=2026-11-23", "b": "x # ALLOW jwt reason=x until=2026-11-22", "c": "x # ALLOW jwt reason=x until=2026-12-08"},
			"", nil, Options{},
			[]string{"jwt a:1 new inline", "jwt b:1 new -", "jwt c:1 new inline", "directive-expiring a:1", "directive-expired b:1"},
		},
		{
			"inline problems", []finding.Finding{found("jwt", 1, "a:1")},
			map[string]string{"a": "x # ALLOW jwt reason=x until=2036-11-22", "b": "# ALLOW nope reason=x until=2027-01-01", "c": "\n# ALLOW jwt"},
			"", nil, Options{KnownRule: func(id string) bool { return id == "jwt" }},
			[]string{"jwt a:1 new -", "problem a:1:5", "problem b:1:3", "problem c:2:3"},
		},
		{
			"inline needs an owner", []finding.Finding{found("jwt", 1, "a:1", "b:1")},
			map[string]string{"a": "x # ALLOW jwt reason=x until=2027-01-01", "b": "x # ALLOW jwt reason=x until=2027-01-01 owner=me"}, "", nil,
			Options{Inline: InlineRequireOwner}, []string{"jwt a:1 new -", "jwt b:1 new inline", "problem a:1:5"},
		},
		{
			"inline forbidden", []finding.Finding{found("jwt", 1, "a:1")},
			map[string]string{"a": "x # ALLOW jwt reason=x until=2027-01-01"}, "", nil, Options{Inline: InlineForbid}, []string{"jwt a:1 new -", "problem a:1:5"},
		},
		{
			"history: obeyed, but its faults are nobody's", []finding.Finding{old},
			map[string]string{"a\x00c1": "x # ALLOW jwt reason=x until=2027-10-01\n# ALLOW jwt\n# ALLOW jwt reason=x until=2099-01-01"}, "", nil, Options{Full: true},
			[]string{"jwt a:1 new inline"},
		},
		{
			"waiver by fingerprint and by rule and path", []finding.Finding{found("jwt", 1, "a", "test/b"), found("jwt", 2, "test/c", "src/d")}, nil, `
- {id: W-1, fingerprint: "` + fp(1) + `", owner: me, reason: r, expires: 2027-10-01}
- {id: W-2, rule: jwt, paths: [test/], owner: me, reason: r, expires: 2027-09-01}
- {id: W-3, rule: "aws-*", paths: ["**"], owner: me, reason: r, expires: 2027-09-01}
`, nil, Options{Full: true},
			[]string{"jwt a:1 new waiver W-1", "jwt test/b:1 new waiver W-1", "jwt test/c:1 new waiver W-2", "jwt src/d:1 new -", "waiver-unused waivers.yaml:6"},
		},
		{
			"an unused waiver is not said to be so when not everything was seen", nil, nil,
			"- {id: W-3, rule: a, paths: [b], owner: me, reason: r, expires: 2027-09-01}\n", nil, Options{}, nil,
		},
		{
			"an expired waiver brings its finding back", []finding.Finding{found("jwt", 1, "a"), found("jwt", 2, "b")}, nil, `
- {id: W-1, fingerprint: "` + fp(1) + `", owner: me, reason: r, expires: 2026-11-22}
- {id: W-2, fingerprint: "` + fp(2) + `", owner: me, reason: r, expires: 2026-11-22}
- {id: W-3, fingerprint: "` + fp(2) + `", owner: me, reason: r, expires: 2026-11-30}
`, nil, Options{},
			[]string{"jwt a:1 new -", "jwt b:1 new waiver W-3", "waiver-expired waivers.yaml:4", "waiver-expired waivers.yaml:5", "waiver-expiring waivers.yaml:6"},
		},
		{
			"fingerprint, rule and path must all agree", []finding.Finding{found("jwt", 1, "a", "b")}, nil, `
- {id: W-1, fingerprint: "` + fp(1) + `", rule: "j*", paths: [/a], owner: me, reason: r, expires: 2027-10-01}
- {id: W-2, fingerprint: "` + fp(1) + `", rule: other, owner: me, reason: r, expires: 2027-10-01}
`, nil, Options{}, []string{"jwt a:1 new waiver W-1", "jwt b:1 new -"},
		},
		{
			"stages", []finding.Finding{found("jwt", 1, "a")}, nil,
			"- {id: W-1, rule: '*', paths: ['*'], owner: me, reason: r, expires: 2027-10-01, stages: [build]}\n", nil, Options{Stage: "commit", Full: true},
			[]string{"jwt a:1 new -"},
		},
		{
			"baseline", []finding.Finding{found("jwt", 1, "moved"), found("renamed-rule", 2, "a", "b"), found("jwt", 3, "c")}, nil, "",
			&Baseline{Version: 1, Findings: []BaselineEntry{{fp(1), "jwt", "was", 1}, {fp(2), "jwt", "a", 1}, {fp(9), "jwt", "x", 1}}}, Options{Full: true},
			[]string{"jwt moved:1 existing -", "renamed-rule a:1 existing -", "renamed-rule b:1 existing -", "jwt c:1 new -", "baseline-stale :0", "baseline-grown a:1"},
		},
		{
			"baseline of another key", []finding.Finding{found("jwt", 1, "a")}, nil, "",
			&Baseline{Version: 1, KeyID: "aaaaaaaa", Findings: []BaselineEntry{{fp(1), "jwt", "a", 1}}}, Options{KeyID: "bbbbbbbb"},
			[]string{"jwt a:1 new -", "problem :0:0"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := cmp.Diff(tt.findings, nil)
			var ws []Waiver
			if tt.waivers != "" {
				ws = waivers(t, tt.waivers)
			}
			d := directives(t, tt.inline)
			got := shape(Apply(tt.findings, d, ws, tt.baseline, now, tt.opts))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Apply (-want +got):\n%s", diff)
			}
			if cmp.Diff(tt.findings, nil) != before {
				t.Error("Apply changed its input")
			}
			for range 5 {
				if diff := cmp.Diff(got, shape(Apply(tt.findings, d, ws, tt.baseline, now, tt.opts))); diff != "" {
					t.Errorf("not the same again:\n%s", diff)
				}
			}
		})
	}
}

func TestApplySuppressionIsFilled(t *testing.T) {
	fs, _, _ := Apply([]finding.Finding{found("jwt", 1, "a:1", "b")}, directives(t, map[string]string{"a": `x # ALLOW jwt reason="why not" owner=me until=2027-01-31`}),
		waivers(t, "- {id: W-1, rule: jwt, paths: [b], owner: team, reason: r, expires: 2027-10-01}\n"), nil, now, Options{})
	want := []*finding.Suppression{
		{Kind: "inline", Owner: "me", Reason: "why not", Until: "2027-01-31"},
		{Kind: "waiver", ID: "W-1", Owner: "team", Reason: "r", Until: "2027-10-01"},
	}
	for i, w := range want {
		if d := cmp.Diff(w, fs[0].Locations[i].Suppression); d != "" {
			t.Errorf("place %d (-want +got):\n%s", i, d)
		}
	}
}

func TestCompare(t *testing.T) {
	base := []finding.Finding{found("old-name", 1, "x"), found("jwt", 2, "y")}
	in := []finding.Finding{found("jwt", 1, "elsewhere"), found("jwt", 3, "y")}
	in[1].Status = finding.Existing
	got := Compare(in, base)
	if got[0].Status != finding.Existing || got[1].Status != finding.New || in[0].Status != finding.New {
		t.Errorf("Compare = %v, %v; input %v", got[0].Status, got[1].Status, in[0].Status)
	}
}

// crowd is n findings in n files and 1,000 waivers of one rule, none of which the
// index by rule or fingerprint can leave out.
func crowd(t testing.TB, n int) ([]finding.Finding, []Waiver) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "- {id: W-%d, rule: jwt, paths: ['dir%d/**/*_test.go', 'other*%d'], owner: me, reason: r, expires: 2027-10-01}\n", i, i, i)
	}
	fs := make([]finding.Finding, n)
	for i := range fs {
		fs[i] = found("jwt", i, fmt.Sprintf("dir%d/sub/file%d_test.go:3", i%2000, i))
	}
	return fs, waivers(t, text.String())
}

func TestApplyToManyWaivers(t *testing.T) {
	fs, ws := crowd(t, 4000)
	out, notices, _ := Apply(fs, nil, ws, nil, now, Options{Full: true})
	n := 0
	for i := range out {
		if out[i].Suppressed() {
			n++
		}
	}
	if n != 2000 || len(notices) != 0 {
		t.Errorf("%d suppressed, %d notices", n, len(notices))
	}
}

// The worst case that is meant to stay bearable: 100,000 findings.
func BenchmarkApply(b *testing.B) {
	fs, ws := crowd(b, 100_000)
	for b.Loop() {
		Apply(fs, nil, ws, nil, now, Options{Full: true})
	}
}

func TestParseWaiversFaults(t *testing.T) {
	const ok = "id: W-1, rule: jwt, paths: [a], owner: me, reason: r, expires: 2027-10-01"
	tests := map[string]string{
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "owner: me, ", "", 1) + "}":           `w:3:3: the key "owner" is missing`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "reason: r, ", "", 1) + "}":           `the key "reason" is missing`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "reason: r", "reason: '  '", 1) + "}": `the text is empty`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, ", expires: 2027-10-01", "", 1) + "}": `the key "expires" is missing`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "2027-10-01", "2027-11-24", 1) + "}":  `ends in 366 days, more than the 365 allowed`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "2027-10-01", "soon", 1) + "}":        `"soon" is not a date`,
		"version: 1\nwaivers:\n- {" + ok + "}\n- {" + ok + "}":                                  `w:4:3: the id "W-1" is already used on line 3`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "paths: [a], ", "", 1) + "}":          `is too wide`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "rule: jwt, ", "", 1) + "}":           `is too wide`,
		"version: 1\nwaivers:\n- {" + ok + ", fingerprint: abc}":                                `"abc" is not a fingerprint`,
		"version: 1\nwaivers:\n- {" + ok + ", stages: [bild]}":                                  `did you mean "build"?`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "[a]", "['!a']", 1) + "}":             `cannot be negated`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "[a]", "[a/../b]", 1) + "}":           `.. segment`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "[a]", "[]", 1) + "}":                 `the list of paths is empty`,
		"version: 1\nwaivers:\n- {" + ok + ", ownr: x}":                                         `unknown key "ownr" (did you mean "owner"?)`,
		"waivers: []": `the key "version" is missing`,
		"":            `the key "version" is missing`,
		"version: 1\nwaivers:\n- {" + strings.Replace(ok, "W-1", "'W 1'", 1) + "}": `is not an id`,
	}
	for text, want := range tests {
		_, err := ParseWaivers("w", []byte(text), now, 365)
		var faults strictyaml.Faults
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n\t= %v\n\twant %s", text, err, want)
		}
	}
	if w, err := ParseWaivers("w", []byte("version: 1\nwaivers:\n"), now, 365); err != nil || len(w) != 0 {
		t.Errorf("no waivers: %v %v", w, err)
	}
	if _, err := ParseWaivers("w", []byte("version: 1\nwaivers:\n- {"+strings.Replace(ok, "2027-10-01", "2027-11-23", 1)+"}"), now, 365); err != nil {
		t.Errorf("exactly the days allowed: %v", err)
	}
}

func TestPathGlob(t *testing.T) {
	tests := []struct {
		pattern string
		match   []string
		not     []string
	}{
		{"a.go", []string{"a.go", "x/a.go", "x/a.go/y"}, []string{"b.go", "aa.go", "a.goo"}},
		{"*.go", []string{"a.go", "x/y/b.go"}, []string{"a.go.txt", "go"}},
		{"/a.go", []string{"a.go", "a.go/x"}, []string{"x/a.go"}},
		{"test/", []string{"test/a", "x/test/b"}, []string{"test", "x/test"}},
		{"a/b", []string{"a/b", "a/b/c"}, []string{"a/bc", "x/a/b", "a"}},
		{"a/*", []string{"a/b", "a/b/c"}, []string{"a", "b/a"}},
		{"a/**", []string{"a/b", "a/b/c"}, []string{"b"}},
		{"**/x", []string{"x", "a/x", "a/b/x/y"}, []string{"xy"}},
		{"a/**/z", []string{"a/z", "a/b/z", "a/b/c/z"}, []string{"a", "z", "a/b"}},
		{"a?c", []string{"abc"}, []string{"ac", "a/c"}},
		{"[a-c]x", []string{"ax", "d/bx"}, []string{"dx"}},
		{"[!a-c]x", []string{"dx"}, []string{"ax", "x"}},
		{`a\*b`, []string{"a*b"}, []string{"aab"}},
		{"[x", []string{"[x"}, []string{"x"}},
		{"a*b*c", []string{"abc", "axxbxxc"}, []string{"acb", "a/b/c"}},
	}
	for _, tt := range tests {
		g, err := newPathGlob(tt.pattern)
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
			continue
		}
		for _, p := range tt.match {
			if !g.match(p, strings.Split(p, "/")) {
				t.Errorf("%q does not match %q", tt.pattern, p)
			}
		}
		for _, p := range tt.not {
			if g.match(p, strings.Split(p, "/")) {
				t.Errorf("%q matches %q", tt.pattern, p)
			}
		}
	}
	g, err := newPathGlob(strings.Repeat("a*", 30) + "b")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	name := strings.Repeat("a", 4096)
	if g.match(name, []string{name}) || time.Since(start) > 2*time.Second {
		t.Errorf("a hostile pattern took %v", time.Since(start))
	}
}

func TestBaseline(t *testing.T) {
	fs := []finding.Finding{found("b", 2, "y", "z"), found("a", 1, "x <html>"), found("c", 2, "w")}
	data, err := WriteBaseline(fs, "bulwark 1.0", "0123abcd", now.In(time.FixedZone("", 3600)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadBaseline("b.json", data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	want := &Baseline{Version: 1, Created: now, Tool: "bulwark 1.0", KeyID: "0123abcd", Findings: []BaselineEntry{
		{fp(1), "a", "x <html>", 1}, {fp(2), "b", "w", 2},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", d, data)
	}
	again, err := WriteBaseline([]finding.Finding{fs[2], fs[1], fs[0]}, "bulwark 1.0", "0123abcd", now)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("the order of the findings changes the file (%v):\n%s\n%s", err, data, again)
	}
	empty, err := WriteBaseline(nil, "t", "", now)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ReadBaseline("b", empty); err != nil || len(got.Findings) != 0 {
		t.Errorf("an empty baseline: %v\n%s", err, empty)
	}
	if _, err := WriteBaseline([]finding.Finding{{RuleID: "x"}}, "t", "", now); err == nil {
		t.Error("a finding without identity was written")
	}
	good := string(data)
	for text, wantErr := range map[string]string{
		"": "line 1", "[]": "not a baseline", "{}": "version 0",
		strings.Replace(good, `"version": 1`, `"version": 2`, 1): "version 2",
		strings.Replace(good, `"tool"`, `"tol"`, 1):              "tol",
		strings.Replace(good, fp(1), fp(2), 1):                   "listed twice",
		strings.Replace(good, fp(1), "x", 1):                     "not a fingerprint",
		strings.Replace(good, `"count":1`, `"count":"1"`, 1):     "line 7",
		strings.Replace(good, `"count":1`, `"count":-1`, 1):      "negative",
		good + "x":         "behind the end",
		good[:len(good)/2]: "not a baseline",
	} {
		if _, err := ReadBaseline("b.json", []byte(text)); err == nil || !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%.80q: %v, want %q", text, err, wantErr)
		}
	}
}

func FuzzWaivers(f *testing.F) {
	f.Add([]byte("version: 1\nwaivers:\n- {id: W-1, rule: '*', paths: ['a/**/[b'], owner: me, reason: r, expires: 2027-10-01}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ws, err := ParseWaivers("w", data, now, 365)
		if err != nil {
			var faults strictyaml.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("not faults: %v", err)
			}
			return
		}
		for _, w := range ws {
			if w.ID == "" || w.Owner == "" || w.Reason == "" || w.Expires.IsZero() || w.Expires.daysLeft(now) > 365 || w.Fingerprint == "" && (w.Rule == "" || len(w.Paths) == 0) {
				t.Errorf("accepted %+v", w)
			}
		}
		Apply([]finding.Finding{found("jwt", 1, "a/b/c")}, nil, ws, nil, now, Options{Full: true})
	})
}

func FuzzBaseline(f *testing.F) {
	data, err := WriteBaseline([]finding.Finding{found("a", 1, "x")}, "t", "", now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ReadBaseline("b", data)
		if err != nil {
			return
		}
		var fs []finding.Finding
		for i, e := range b.Findings {
			fs = append(fs, finding.Finding{RuleID: e.RuleID, Fingerprint: e.Fingerprint, Locations: make([]finding.Location, 1)})
			fs[i].Locations[0].Path = e.Path
		}
		out, err := WriteBaseline(fs, b.Tool, b.KeyID, b.Created)
		if err != nil {
			return
		}
		again, err := ReadBaseline("b", out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out)
		}
		if d := cmp.Diff(b.Findings, again.Findings, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(BaselineEntry{}, "Count"), cmpopts.SortSlices(func(a, b BaselineEntry) bool { return a.Fingerprint < b.Fingerprint })); d != "" {
			t.Errorf("(-first +second):\n%s", d)
		}
	})
}
