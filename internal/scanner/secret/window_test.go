package secret

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"bulwark/internal/identity"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/secret/rule"
)

// mixture returns a text of all leaks of the content, in random order and
// surroundings.
func mixture(set *rule.Set, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 1))
	var leaks []string
	for _, r := range set.Rules {
		for _, l := range r.Examples.Leaks {
			leaks = append(leaks, strings.ReplaceAll(l, rule.CutMark, ""))
		}
	}
	rng.Shuffle(len(leaks), func(i, j int) { leaks[i], leaks[j] = leaks[j], leaks[i] })
	filler := []string{"token", " = ", "\n", "\t", "password: ", "the quick brown fox ", "\u212aey", "://", "@", "\"", "'", "key", "0123456789abcdef", "é", "----"}
	var b strings.Builder
	for _, l := range leaks[:200] {
		for range rng.IntN(12) {
			b.WriteString(filler[rng.IntN(len(filler))])
		}
		if rng.IntN(3) > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l)
		if rng.IntN(3) > 0 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Expressions that run in windows find what they find in the whole text.
func TestWindowsLoseNothing(t *testing.T) {
	set := loadContent(t)
	e, err := newEngine(set)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(6) {
		text := mixture(set, seed)
		find := func(whole bool) map[string]int {
			c := &scanner.Chunk{Meta: scanner.Meta{Path: "deploy/settings.txt", Type: scanner.Text}, Content: []byte(text), Line: 1, Last: true}
			x := e.examine(context.Background(), c, identity.Key{1})
			defer x.release()
			x.everywhere = whole
			if err := x.look(); err != nil {
				t.Fatal(err)
			}
			found := map[string]int{}
			for _, c := range x.found {
				found[fmt.Sprintf("%s %d-%d", c.rule.ID, c.secret.lo, c.secret.hi)]++
			}
			return found
		}
		windows, whole := find(false), find(true)
		for place, n := range whole {
			if windows[place] != n {
				t.Errorf("seed %d: %s is found %d times in windows, %d times in the whole text", seed, place, windows[place], n)
			}
		}
		if len(whole) < 150 {
			t.Errorf("seed %d: only %d places found: the test says nothing", seed, len(whole))
		}
	}
}
