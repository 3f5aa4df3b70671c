package secret

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	secretrules "bulwark/content/secret"
	"bulwark/internal/finding"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/secret/rule"
)

// edit changes text in a few places and returns what is kept of it, in pieces as
// long as those that sources tell of.
func edit(rng *rand.Rand, text string, leaks []string) (string, []scanner.Kept) {
	var out strings.Builder
	var kept []scanner.Kept
	keep := func(from, to int) {
		if to-from >= 64 {
			kept = append(kept, scanner.Kept{From: out.Len(), To: out.Len() + to - from, Base: from})
		}
		out.WriteString(text[from:to])
	}
	at := 0
	for range 1 + rng.IntN(6) {
		if at >= len(text) {
			break
		}
		next := at + rng.IntN(len(text)-at)
		keep(at, next)
		at = next
		switch rng.IntN(6) {
		case 0: // something goes
			at = min(len(text), at+rng.IntN(300))
		case 1: // a character changes
			out.WriteByte("aZ0\n\" ="[rng.IntN(7)])
			at = min(len(text), at+1)
		case 2:
			out.WriteString(leaks[rng.IntN(len(leaks))])
		case 3:
			out.WriteString("\ndata: " + base64.StdEncoding.EncodeToString([]byte(leaks[rng.IntN(len(leaks))])) + "\n")
		case 4: // something comes from elsewhere
			from := rng.IntN(len(text))
			keep(from, min(len(text), from+rng.IntN(2000)))
		case 5:
			out.WriteByte('\n')
		}
	}
	if at < len(text) {
		keep(at, len(text))
	}
	return out.String(), kept
}

func scanAll(t *testing.T, s *Scanner, path, text string, base scanner.State, kept []scanner.Kept) ([]finding.Finding, scanner.State) {
	t.Helper()
	c := chunk(path, text)
	c.Base, c.Kept, c.Remember = base, kept, true
	res, err := s.Scan(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return res.Findings, res.State
}

// With and without what is remembered of the content before, the findings are
// the same, over many generations.
func TestInherited(t *testing.T) {
	s, err := New(Config{Content: secretrules.FS, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	var leaks []string
	for _, r := range loadContent(t).Rules {
		for _, l := range r.Examples.Leaks {
			leaks = append(leaks, strings.ReplaceAll(l, rule.CutMark, ""))
		}
	}
	compared, inherited := 0, 0
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 3))
		text := mixture(loadContent(t), seed)
		if seed > 0 { // these letters have all windows widened
			text = strings.ReplaceAll(text, "\u212a", "k")
		}
		_, state := scanAll(t, s, "deploy/settings.txt", text, nil, nil)
		for generation := range 15 {
			next, kept := edit(rng, text, leaks)
			whole, _ := scanAll(t, s, "deploy/settings.txt", next, nil, nil)
			got, after := scanAll(t, s, "deploy/settings.txt", next, state, kept)
			if d := cmp.Diff(whole, got); d != "" {
				t.Fatalf("seed %d, generation %d: (-whole +inherited):\n%s", seed, generation, d)
			}
			compared += len(whole)
			for _, k := range kept {
				inherited += k.To - k.From
			}
			text, state = next, after
		}
	}
	if compared < 2000 || inherited < 100_000 {
		t.Errorf("%d findings compared, %d bytes inherited: the test says nothing", compared, inherited)
	}
}

// A base at another path helps only if its path tells the rules the same.
func TestInheritedFromAnotherPath(t *testing.T) {
	s, err := New(Config{Content: secretrules.FS, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(mixture(loadContent(t), 9), "\u212a", "k")
	for _, from := range []string{"src/a.py", "src/b.py", "test/a.py", "docs/readme.md", "a.json", ".npmrc", "x/.env"} {
		_, state := scanAll(t, s, from, text, nil, nil)
		for _, to := range []string{"src/a.py", "test/fixtures/b.py", "a.json", ".npmrc", "vendor/c.go"} {
			next := "\n" + text
			kept := []scanner.Kept{{From: 1, To: len(next), Base: 0}}
			whole, _ := scanAll(t, s, to, next, nil, nil)
			got, _ := scanAll(t, s, to, next, state, kept)
			if d := cmp.Diff(whole, got); d != "" {
				t.Errorf("%s from %s: (-whole +inherited):\n%s", to, from, d)
			}
		}
	}
}

// What holds for one commit alone is not inherited by another.
func TestInheritedPinned(t *testing.T) {
	s := newScanner(t, testRules+`
[[rules.allowlists]]
commits = ["0123456789012345678901234567890123456789"]
`, true)
	if _, state := scanAll(t, s, "a", "acmesecret: 0123456789ABCDEFGHIJ", nil, nil); state != nil {
		t.Error("something is remembered")
	}
}

// Both halves of a composite rule may come at different times.
func TestInheritedComposite(t *testing.T) {
	s := newScanner(t, testRules, false)
	filler := strings.Repeat("a line of nothing in particular\n", 20)
	half := "acmesecret: 0123456789ABCDEFGHIJ\n"
	for name, tc := range map[string]struct{ before, insert, after string }{
		"the part comes later":    {filler + half, token(1) + "\n", filler},
		"the secret comes later":  {filler + token(1) + "\n", half, filler},
		"they are torn apart":     {filler + token(1) + "\n", filler, half + filler},
		"something between them":  {filler + token(1) + "\n", "\n", half + filler},
		"something far from them": {token(1) + "\n" + half + filler, "x\n", filler},
	} {
		_, state := scanAll(t, s, "a", tc.before+tc.after, nil, nil)
		next := tc.before + tc.insert + tc.after
		n := len(tc.before)
		kept := []scanner.Kept{{From: 0, To: n, Base: 0}, {From: n + len(tc.insert), To: len(next), Base: n}}
		whole, _ := scanAll(t, s, "a", next, nil, nil)
		got, _ := scanAll(t, s, "a", next, state, kept)
		if d := cmp.Diff(whole, got); d != "" {
			t.Errorf("%s: (-whole +inherited):\n%s", name, d)
		}
	}
}

func FuzzInherited(f *testing.F) {
	f.Add("token = \""+token(1)+"\"\n", token(2), 3, 5)
	s := newScanner(f, testRules, false)
	f.Fuzz(func(t *testing.T, text, insert string, at, cut int) {
		if at < 0 || cut < 0 || at > len(text) || cut > len(text)-at {
			return
		}
		next := text[:at] + insert + text[at+cut:]
		var kept []scanner.Kept
		if at > 0 {
			kept = append(kept, scanner.Kept{From: 0, To: at, Base: 0})
		}
		if at+cut < len(text) {
			kept = append(kept, scanner.Kept{From: at + len(insert), To: len(next), Base: at + cut})
		}
		_, state := scanAll(t, s, "a", text, nil, nil)
		whole, _ := scanAll(t, s, "a", next, nil, nil)
		got, _ := scanAll(t, s, "a", next, state, kept)
		if fmt.Sprint(whole) != fmt.Sprint(got) {
			t.Fatalf("whole %v, inherited %v", whole, got)
		}
	})
}
