package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"bulwark/internal/finding"
	"bulwark/internal/identity"
	"bulwark/internal/scanner"
)

var testKey = identity.Key{1, 2, 3}

// testRules are small rules with known behaviour, so that these tests do not
// depend on the content.
const testRules = `
[[rules]]
id = "acme-token"
description = "Acme token"
regex = '''\b(acme_[0-9a-z]{24})\b'''
keywords = ["acme_"]
rationale = "r"

[[rules]]
id = "acme-secret"
description = "Acme secret"
regex = '''acmesecret:\s{0,4}([0-9A-Z]{20})\b'''
keywords = ["acmesecret"]
severity = "critical"
[[rules.required]]
id = "acme-token"
withinLines = 3
`

func newScanner(t testing.TB, rules string, foreign bool) *Scanner {
	t.Helper()
	s, err := New(Config{Content: fstest.MapFS{}, Replace: true, Key: testKey, Files: []File{{"test.toml", []byte(rules), foreign}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scan(t testing.TB, s *Scanner, name, content string) []finding.Finding {
	t.Helper()
	res, err := s.Scan(context.Background(), chunk(name, content))
	if err != nil {
		t.Fatal(err)
	}
	return res.Findings
}

func chunk(name, content string) *scanner.Chunk {
	return &scanner.Chunk{
		Meta:    scanner.Meta{Path: name, Name: path.Base(name), Ext: path.Ext(name), Size: int64(len(content)), Type: scanner.Text},
		Content: []byte(content), Line: 1, Last: true,
	}
}

// token makes a value that looks alive, different for each n.
func token(n int) string {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	b := make([]byte, 24)
	for i := range b {
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[rng.IntN(36)]
	}
	return "acme" + "_" + string(b)
}

func TestPlaces(t *testing.T) {
	s := newScanner(t, testRules, false)
	content := "first line\r\nkey := \"" + token(1) + "\" // two: " + token(2) + "\r\n\n  " + token(1) + "\n"
	got := scan(t, s, "app/main.txt", content)
	type place struct{ line, column, end int }
	var places []place
	for _, f := range got {
		l := f.Locations[0]
		places = append(places, place{l.StartLine, l.StartColumn, l.EndColumn})
		if l.StartLine != l.EndLine {
			t.Errorf("%+v spans lines", l)
		}
	}
	want := []place{{2, 9, 38}, {2, 48, 77}, {4, 3, 32}}
	if !slices.Equal(places, want) {
		t.Errorf("places %v, want %v", places, want)
	}
	if got[0].Fingerprint != got[2].Fingerprint || got[0].Fingerprint == got[1].Fingerprint {
		t.Error("the same secret must have the same fingerprint, another one another")
	}
}

// No secret value, nor a telling part of one, is in anything that leaves.
func TestNothingLeaks(t *testing.T) {
	s := newScanner(t, testRules, false)
	a, b := token(3), token(4)
	other := "Zx9" + "kQ2vB7nM4tR8wL1cP6sD3" // no rule knows it, but it is a token
	content := fmt.Sprintf("a=%s b=%s %s\nacmesecret: %s # %s\n", a, b, other, "K7RQ2XVM9TZP4HWB6NDJ", a)
	res, err := s.Scan(context.Background(), chunk("x.txt", content))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Findings) != 4 {
		t.Fatalf("%d findings, want 4", len(res.Findings))
	}
	out, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{a, b, other, "K7RQ2XVM9TZP4HWB6NDJ"} {
		for i := 6; i+8 <= len(secret); i++ {
			if bytes.Contains(out, []byte(secret[i:i+8])) {
				t.Errorf("%q of %q is in the result", secret[i:i+8], secret)
				break
			}
		}
	}
	for _, f := range res.Findings {
		l := f.Locations[0]
		if marked := l.Excerpt[l.MarkStart:l.MarkEnd]; !strings.HasSuffix(marked, stars) {
			t.Errorf("the mark covers %q, want the stars", marked)
		}
	}
}

func TestComposite(t *testing.T) {
	s := newScanner(t, testRules, false)
	secret := "acmesecret: K7RQ2" + "XVM9TZP4HWB6NDJ\n"
	for _, tc := range []struct {
		name, content string
		want          bool
	}{
		{"part near", token(1) + "\n" + secret, true},
		{"part after", secret + "\n\n" + token(1), true},
		{"part too far", token(1) + "\n\n\n\n\n" + secret, false},
		{"no part", secret, false},
	} {
		got := slices.ContainsFunc(scan(t, s, "x.txt", tc.content), func(f finding.Finding) bool { return f.RuleID == "acme-secret" })
		if got != tc.want {
			t.Errorf("%s: found %v, want %v", tc.name, got, tc.want)
		}
	}
}

// A file in chunks gives the findings of the file in one piece.
func TestChunks(t *testing.T) {
	s := newScanner(t, testRules, false)
	rng := rand.New(rand.NewPCG(5, 6))
	var b strings.Builder
	for n := 0; b.Len() < 1<<20; n++ {
		b.WriteString(strings.Repeat("x y ", rng.IntN(2000)))
		if rng.IntN(3) > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(" " + token(n) + " ")
	}
	content := b.String()
	var want []finding.Location
	for _, f := range scan(t, s, "big.txt", content) {
		want = append(want, f.Locations...)
	}
	const size = 150_000
	var got []finding.Location
	for from := 0; ; {
		to := min(from+size, len(content))
		c := chunk("big.txt", content[from:to])
		c.Offset, c.Last = int64(from), to == len(content)
		c.Line += strings.Count(content[:from], "\n")
		c.Column = from - strings.LastIndexByte(content[:from], '\n') - 1
		res, err := s.Scan(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range res.Findings {
			got = append(got, f.Locations...)
		}
		if c.Last {
			break
		}
		from = to - s.Info().ChunkOverlap
	}
	if len(got) != len(want) {
		t.Fatalf("%d findings in chunks, %d in one piece", len(got), len(want))
	}
	for i := range got {
		if got[i].Compare(want[i]) != 0 {
			t.Fatalf("finding %d: %+v in chunks, %+v in one piece", i, got[i], want[i])
		}
	}
}

// gitleaks' own semantics, where they surprise.
func TestForeignRules(t *testing.T) {
	rules := `
[allowlist]
paths = ['''^vendor/''']
[[rules]]
id = "grouped"
regex = '''key=(?:a(\d{6})|b(\d{6}))'''
keywords = ["KEY="]
[rules.allowlist]
stopwords = ["123456"]
[[rules]]
id = "second-group"
regex = '''pair=(\w+):(\w+)'''
secretGroup = 2
entropy = 2.0
[[rules]]
id = "path-only"
path = '''\.p12$'''
[[rules]]
id = "line-allowed"
regex = '''tok-[0-9]{8}'''
keywords = ["tok-"]
[[rules.allowlists]]
condition = "AND"
regexTarget = "line"
regexes = ['''# test''']
paths = ['''_test\.txt$''']
`
	s := newScanner(t, rules, true)
	for _, tc := range []struct {
		name, path, content string
		want                []string
	}{
		{"first group that is not empty", "a.txt", "KEY=b777001\nkey=b777001", []string{"grouped"}},
		{"stop word", "a.txt", "key=a123456", nil},
		{"secret group and its entropy", "a.txt", "pair=user:hunter2xyz pair=user:aaaaaaaa", []string{"second-group"}},
		{"no keywords: runs everywhere", "a.txt", "x pair=q:w3rty8u", []string{"second-group"}},
		{"path alone", "certs/id.p12", "anything", []string{"path-only"}},
		{"global path", "vendor/x.txt", "key=a777001", nil},
		{"all conditions hold", "a_test.txt", "tok-12345678 # test", nil},
		{"one condition fails", "a.txt", "tok-12345678 # test", []string{"line-allowed"}},
		{"gitleaks:allow", "a.txt", "tok-12345678 # gitleaks:allow", nil},
	} {
		var got []string
		for _, f := range scan(t, s, tc.path, tc.content) {
			got = append(got, f.RuleID)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// The end of a window is not the end of the text.
func TestWindowEdges(t *testing.T) {
	s := newScanner(t, `
[[rules]]
id = "at-the-end"
regex = '''aaa(a+)$'''
keywords = ["aaaa"]
[[rules]]
id = "whole-line"
regex = '''(?m)^zzz[z]+$'''
keywords = ["zzzz"]
`, true)
	for name, tc := range map[string]struct {
		content string
		want    int
	}{
		"not at the end": {strings.Repeat("a", 1<<20) + "!", 0},
		"at the end":     {"b " + strings.Repeat("a", 1<<10), 1},
		"in the line":    {"x" + strings.Repeat("z", 1<<20), 0},
		"the line":       {"x\n" + strings.Repeat("z", 1<<10) + "\n", 1},
	} {
		if got := len(scan(t, s, "x.txt", tc.content)); got != tc.want {
			t.Errorf("%s: %d findings, want %d", name, got, tc.want)
		}
	}
}

func TestRefusedRules(t *testing.T) {
	for _, tc := range []struct{ name, rules, want string }{
		{"syntax", "[[rules]\n", "test.toml:1:"},
		{"look-ahead", "[[rules]]\nid = \"x\"\nregex = '''(?=a)'''\n", "no look-around"},
		{"group", "[[rules]]\nid = \"x\"\nregex = '''(a)'''\nsecretGroup = 2\n", "1 groups"},
		{"twice", "[[rules]]\nid = \"x\"\nregex = 'a'\n[[rules]]\nid = \"x\"\nregex = 'b'\n", "defined twice"},
		{"nothing", "[[rules]]\nid = \"x\"\n", "find nothing"},
		{"missing part", "[[rules]]\nid = \"x\"\nregex = 'a'\n[[rules.required]]\nid = \"y\"\n", "does not exist"},
		{"condition", "[[rules]]\nid = \"x\"\nregex = 'a'\n[[rules.allowlists]]\ncondition = \"XOR\"\npaths = ['a']\n", "AND or OR"},
	} {
		_, err := New(Config{Replace: true, Key: testKey, Files: []File{{"test.toml", []byte(tc.rules), true}}})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, err, tc.want)
		}
	}
	if _, err := New(Config{Replace: true}); err == nil {
		t.Error("a scanner without a key was made")
	}
}

// Hostile content ends: a scan that takes quadratic time would take hours for
// a megabyte of these. What is given up is said.
func TestHostileContentEnds(t *testing.T) {
	s := newScanner(t, testRules+`
[[rules]]
id = "optional-tail"
regex = '''q(?:[^!]*!)?'''
keywords = ["qqq"]
`, true)
	for name, tc := range map[string]struct {
		unit string
		gap  bool
	}{
		"keywords":         {"acme_", false},
		"secrets one line": {token(1) + " ", false},
		"secret per line":  {token(2) + "\n", false},
		"composite":        {"acmesecret: K7RQ2XVM9TZP4HWB6NDJ " + token(3) + "\n", false},
		"optional tail":    {"qqqqqqqqqqqqqqqq", true},
		"long s":           {"acme_ \u017f", false},
	} {
		content := strings.Repeat(tc.unit, 1<<20/len(tc.unit))
		res, err := s.Scan(context.Background(), chunk("x.txt", content))
		if err != nil {
			t.Fatal(err)
		}
		if (res.Gap != "") != tc.gap {
			t.Errorf("%s: gap %q, want one: %v", name, res.Gap, tc.gap)
		}
	}
}

func TestCancel(t *testing.T) {
	s := newScanner(t, testRules, false)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Scan(ctx, chunk("x.txt", token(1))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestRuleSetHash(t *testing.T) {
	base := newScanner(t, testRules, false).Info().RuleSet
	if again := newScanner(t, testRules, false).Info().RuleSet; again != base {
		t.Error("equal configurations have unequal hashes")
	}
	for name, c := range map[string]Config{
		"key":      {Key: identity.Key{9}},
		"rules":    {Key: testKey, Files: []File{{"test.toml", []byte(testRules + "\n# more"), false}}},
		"disabled": {Key: testKey, Disable: []string{"acme-secret"}},
		"severity": {Key: testKey, Severity: map[string]finding.Severity{"acme-token": finding.Low}},
	} {
		c.Replace = true
		if c.Files == nil {
			c.Files = []File{{"test.toml", []byte(testRules), false}}
		}
		s, err := New(c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.Info().RuleSet == base {
			t.Errorf("%s: a change does not show in the hash; stale results would be used", name)
		}
	}
}

func FuzzScan(f *testing.F) {
	s := newScanner(f, testRules, true)
	f.Add([]byte("acmesecret: K7RQ2XVM9TZP4HWB6NDJ "+token(1)), uint16(0))
	f.Add(bytes.Repeat([]byte("acme_\n"), 100), uint16(7))
	f.Fuzz(func(t *testing.T, content []byte, offset uint16) {
		c := chunk("x.txt", string(content))
		c.Offset = int64(offset)
		res, err := s.Scan(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range res.Findings {
			l := x.Locations[0]
			if l.StartLine < 1 || l.EndLine < l.StartLine || l.StartColumn < 1 || l.MarkStart > l.MarkEnd || l.MarkEnd > len(l.Excerpt) {
				t.Errorf("impossible place %+v", l)
			}
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add([]byte(testRules))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := New(Config{Replace: true, Key: testKey, Files: []File{{"fuzz.toml", data, true}}})
		if err != nil {
			return
		}
		if _, err := s.Scan(context.Background(), chunk("x.txt", "key=a777001 "+token(1))); err != nil {
			t.Fatal(err)
		}
	})
}
