package nest_test

import (
	"path"
	"strings"
	"testing"

	"bulwark/internal/scanner/sca/extract/npm/nest"
)

func above(folder string) string {
	return strings.TrimSuffix(path.Dir("/" + folder)[1:], "/")
}

func TestFind(t *testing.T) {
	x := nest.New(4, above)
	x.Put("", "a", 1)
	x.Put("p/q", "a", 2)
	x.Put("p", "b", 3)
	for _, c := range []struct {
		folder, name string
		want         int
	}{
		{"", "a", 1}, {"p", "a", 1}, {"p/q", "a", 2}, {"p/q/r/s", "a", 2}, {"p/q/r", "b", 3}, {"q", "b", 0}, {"", "c", 0},
	} {
		if got, ok := x.Find(c.folder, c.name); got != c.want || ok != (c.want != 0) {
			t.Errorf("Find(%q, %q) = %d, %v, want %d", c.folder, c.name, got, ok, c.want)
		}
	}
	x.Put("p/q", "b", 4) // also right behind a look-up in the same folder
	if got, _ := x.Find("p/q", "b"); got != 4 {
		t.Errorf("after a change: %d, want 4", got)
	}
}

func BenchmarkFind(b *testing.B) {
	x := nest.New(2, above)
	deep := strings.Repeat("a/", nest.MaxLevels-1) + "a"
	x.Put("", "a", 1)
	x.Put(deep, "b", 2)
	b.ReportAllocs()
	for b.Loop() {
		x.Find(deep, "a")
	}
}
