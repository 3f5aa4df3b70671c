package keyword

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// naive is the definition: every occurrence of every word, case folded.
func naive(content []byte, words []string) []Hit {
	low := bytes.Clone(content)
	for i, b := range low {
		low[i] = fold(b)
	}
	var hits []Hit
	for n, w := range words {
		for i := 0; i+len(w) <= len(low); i++ {
			if string(low[i:i+len(w)]) == strings.ToLower(w) {
				hits = append(hits, Hit{int32(i), int32(i + len(w)), uint32(n)})
			}
		}
	}
	order(hits)
	return hits
}

func order(hits []Hit) {
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Word, b.Word))
	})
}

func TestScanEqualsDefinition(t *testing.T) {
	words := []string{"he", "she", "his", "hers", "ghp_", "Password", "ass", "word", "a", "sk-", "eyj", "eyjhb"}
	a, err := New(words)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 5, 100, 1023, 1024, 1025, 1026, 1027, 5000, 20001} {
		var b []byte
		for len(b) < size {
			switch rng.IntN(3) {
			case 0:
				w := words[rng.IntN(len(words))]
				if rng.IntN(2) == 0 {
					w = strings.ToUpper(w)
				}
				b = append(b, w...)
			case 1:
				b = append(b, "hsreiaswordg_-eyj"[rng.IntN(17)])
			default:
				b = append(b, byte(rng.IntN(256)))
			}
		}
		b = b[:size]
		got := a.Scan(b, nil)
		if !slices.IsSortedFunc(got, func(x, y Hit) int { return cmp.Compare(x.End, y.End) }) {
			t.Errorf("size %d: hits are not ordered by End", size)
		}
		order(got)
		if want := naive(b, words); !slices.Equal(got, want) {
			t.Errorf("size %d: %d hits, want %d", size, len(got), len(want))
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New([]string{"a", ""}); err == nil {
		t.Error("an empty word was accepted")
	}
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprint(i)+strings.Repeat("x", 10000))
	}
	if _, err := New(many); err == nil {
		t.Error("more than MaxStates states were accepted")
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("ushers"), "he,she,hers")
	f.Add(bytes.Repeat([]byte("ab"), 800), "abab,ba")
	f.Fuzz(func(t *testing.T, content []byte, list string) {
		var words []string
		for _, w := range strings.Split(list, ",") {
			// Only ASCII words fold the same way in the definition.
			if w != "" && len(words) < 8 && !slices.ContainsFunc([]byte(w), func(b byte) bool { return b >= 0x80 }) {
				words = append(words, w)
			}
		}
		a, err := New(words)
		if err != nil {
			t.Skip(err)
		}
		got := a.Scan(content, nil)
		order(got)
		if want := naive(content, words); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	var words []string
	rng := rand.New(rand.NewPCG(3, 4))
	for range 600 {
		var w []byte
		for range 4 + rng.IntN(6) {
			w = append(w, "abcdefghijklmnopqrstuvwxyz_-"[rng.IntN(28)])
		}
		words = append(words, string(w))
	}
	a, err := New(words)
	if err != nil {
		b.Fatal(err)
	}
	content := bytes.Repeat([]byte("func (s *Server) handle(w http.ResponseWriter, r *http.Request) {\n\tif r.Method != http.MethodGet {\n\t\treturn\n\t}\n"), 10000)
	var hits []Hit
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		hits = a.Scan(content, hits[:0])
	}
}
