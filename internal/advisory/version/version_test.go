package version

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/osv-scalibr/semantic"
)

func compare(t *testing.T, ecosystem, a, b string) int {
	t.Helper()
	order, ok := Of(ecosystem)
	if !ok {
		t.Fatalf("no order for %s", ecosystem)
	}
	v, err := order.Parse(a)
	if err != nil {
		t.Fatal(err)
	}
	w, err := order.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.Compare(&w)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompare(t *testing.T) {
	tests := []struct {
		ecosystem, a string
		sign         string
		b            string
	}{
		{"npm", "1.2.3", "<", "1.10.0"},
		{"npm", "1.2.3-rc.1", "<", "1.2.3"},
		{"npm", "1.2.3-rc.2", "<", "1.2.3-rc.10"},
		{"npm", "1.2.3+build.7", "=", "1.2.3"},
		{"Go", "v1.2.3", "=", "1.2.3"},
		{"Go", "v0.0.0-20230101000000-abcdefabcdef", "<", "0.0.0-20240101000000-abcdefabcdef"},
		{"Go", "2.0.0+incompatible", "=", "2.0.0"},
		{"Go", "1.2.4-0.20230101000000-abcdefabcdef", ">", "1.2.3"},
		{"crates.io", "0.5.0-dev", "<", "0.5.0"},
		{"PyPI", "1.0", "=", "1.0.0"},
		{"PyPI", "1!1.0", ">", "2.0"},
		{"PyPI", "1.0.dev1", "<", "1.0a1"},
		{"PyPI", "1.0a1", "<", "1.0rc1"},
		{"PyPI", "1.0.post1", ">", "1.0"},
		{"PyPI", "1.0+local.2", ">", "1.0"},
		{"PyPI", "2004d", "<", "0.1"},
		{"Maven", "1.0", "=", "1.0.0"},
		{"Maven", "1.0-SNAPSHOT", "<", "1.0"},
		{"Maven", "1.0.RC1", "<", "1.0.Final"},
		{"Maven", "1.0-alpha-1", "<", "1.0-beta-1"},
		{"Maven", "1.0-sp", ">", "1.0"},
		{"Maven", "2.9.10.8", ">", "2.9.10"},
		{"RubyGems", "1.0.0.pre1", "<", "1.0.0"},
		{"RubyGems", "1.0", "=", "1.0.0"},
		{"NuGet", "1.0.0.1", ">", "1.0.0"},
		{"NuGet", "1.0.0-Beta", "=", "1.0.0-beta"},
		{"Packagist", "v2.0.0-RC1", "<", "2.0.0"},
		{"Pub", "1.0.0+1", ">", "1.0.0"},
		{"Debian:12", "1:1.0-1", ">", "2.0-1"},
		{"Debian:12", "1.0~rc1-1", "<", "1.0-1"},
		{"Debian:12", "5.10.4-1+deb12u1", ">", "5.10.4-1"},
		{"Ubuntu:22.04:LTS", "2.0-1ubuntu1", ">", "2.0-1"},
		{"Alpine:v3.20", "1.2.3-r10", ">", "1.2.3-r9"},
		{"Alpine:v3.20", "1.2.3_rc1", "<", "1.2.3"},
		{"AlmaLinux:9", "0:1.0-1.el9_10", ">", "1.0-1.el9_2"},
		{"Red Hat:enterprise_linux:9", "1.0~beta-1", "<", "1.0-1"},
		{"Bitnami", "1.2.3", "<", "1.2.4"},
		{"GitHub Actions", "v4", "<", "4.1.0"},
		{"SwiftURL", "1.0.0", "<", "1.0.1"},
		{"ConanCenter", "1.0.9", "<", "1.0.10"},
		{"Hex", "1.0.0-rc", "<", "1.0.0"},
		{"Hackage", "1.2.0.1", "<", "1.2.0.2"},
		{"CRAN", "1.2-3", "<", "1.2-4"},
	}
	for _, test := range tests {
		got := map[int]string{-1: "<", 0: "=", 1: ">"}[compare(t, test.ecosystem, test.a, test.b)]
		if got != test.sign {
			t.Errorf("%s: %s %s %s, want %s", test.ecosystem, test.a, got, test.b, test.sign)
		}
		if back := compare(t, test.ecosystem, test.b, test.a); back != -compare(t, test.ecosystem, test.a, test.b) {
			t.Errorf("%s: %s and %s differ the other way round", test.ecosystem, test.a, test.b)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ ecosystem, text string }{
		{"npm", ""}, {"npm", "latest"}, {"npm", "^1.0.0"}, {"npm", "git+https://example.com/a.git"}, {"npm", "1.0 || 2.0"},
		{"npm", "1.0\x00"}, {"npm", strings.Repeat("1", MaxLength+1)}, {"npm", "v"},
		{"Go", "(devel)"}, {"Maven", "${project.version}"}, {"Maven", "[1.0,2.0)"}, {"PyPI", "main"}, {"PyPI", "@ https://example.com/1.0"},
		{"Packagist", "dev-master"}, {"RubyGems", "~> 1.2"}, {"NuGet", "[1.0.0, )"}, {"Debian:12", "x:1.0"}, {"Debian:12", "1.0;rm"},
		{"CRAN", "1.0a"}, {"Hackage", "1.0-beta"}, {"Alpine:v3.20", "edge"},
	}
	for _, test := range tests {
		order, _ := Of(test.ecosystem)
		if _, err := order.Parse(test.text); !errors.Is(err, ErrUnordered) || len(err.Error()) > 300 {
			t.Errorf("%s %q: got %v, want ErrUnordered", test.ecosystem, test.text, err)
		}
	}
	if _, ok := Of("OSS-Fuzz"); ok {
		t.Error("OSS-Fuzz has an order")
	}
	v, err1 := semver.Parse("1.0.0")
	w, err2 := maven.Parse("1.0.0")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if _, err := v.Compare(&w); !errors.Is(err, ErrUnordered) {
		t.Errorf("different orders compare: %v", err)
	}
}

func TestSort(t *testing.T) {
	sorted, rest := semver.Sort([]string{"2.0.0", "main", "1.10.0", "1.9.0", "2.0.0", "1.10.0-rc", "branch"})
	if diff := cmp.Diff([]string{"1.9.0", "1.10.0-rc", "1.10.0", "2.0.0"}, sorted); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"branch", "main"}, rest); diff != "" {
		t.Error(diff)
	}
	got, err := semver.SmallestAbove("1.9.5", []string{"2.0.0", "1.9.0", "1.10.0", "next"})
	if got != "1.10.0" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err = semver.SmallestAbove("3.0.0", []string{"2.0.0"}); got != "" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err = semver.SmallestAbove("main", nil); !errors.Is(err, ErrUnordered) {
		t.Errorf("got %v", err)
	}
}

var every = []string{"npm", "Pub", "NuGet", "Hackage", "Packagist", "RubyGems", "CRAN", "Alpine", "PyPI", "Maven", "Debian", "Red Hat"}

// TestHostile gives each order long versions of every monotonous kind.
func TestHostile(t *testing.T) {
	for _, ecosystem := range every {
		order, _ := Of(ecosystem)
		for _, unit := range []string{"1", "1.", "1-", "1a", "1~", "1_p1", "1:", "1+", "1.a-", "9.0-0", "1_alpha", "1!"} {
			text := strings.Repeat(unit, MaxLength/len(unit))
			start := time.Now()
			v, err := order.Parse(text)
			if err != nil {
				continue
			}
			w, err := order.Parse(text[:len(text)-1] + "2")
			if err == nil {
				_, err = v.Compare(&w)
			}
			if spent := time.Since(start); spent > 30*time.Second { // a square would take minutes
				t.Errorf("%s: %q… took %v (%v)", ecosystem, unit, spent, err)
			}
		}
	}
}

// FuzzPlain holds the short way against the library.
func FuzzPlain(f *testing.F) {
	f.Add("1.2.3", "1.2")
	f.Add("v1.0.0.0", "1")
	f.Add("0.0.0.0.0", "0")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, ecosystem := range every {
			order, _ := Of(ecosystem)
			v, err1 := order.Parse(a)
			w, err2 := order.Parse(b)
			if err1 != nil || err2 != nil {
				continue
			}
			got, err := v.Compare(&w)
			if err != nil {
				continue
			}
			x, err1 := semantic.Parse(a, order.library)
			y, err2 := semantic.Parse(b, order.library)
			if err1 != nil || err2 != nil {
				t.Fatalf("%s: the library refuses %q or %q: %v %v", ecosystem, a, b, err1, err2)
			}
			want, err := x.Compare(y)
			if err != nil || got != want {
				t.Errorf("%s: %q and %q compare %d, by the library %d, %v", ecosystem, a, b, got, want, err)
			}
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	for _, pair := range [][3]string{{"npm", "4.17.20", "4.17.21"}, {"npm", "4.17.20-rc.1", "4.17.21"}, {"PyPI", "3.2.1", "3.2.10"}, {"Debian", "1.2-3+deb12u1", "1.2-3"}} {
		b.Run(pair[0]+" "+pair[1], func(b *testing.B) {
			order, _ := Of(pair[0])
			b.ReportAllocs()
			for b.Loop() {
				v, err1 := order.Parse(pair[1])
				w, err2 := order.Parse(pair[2])
				if _, err := v.Compare(&w); err != nil || err1 != nil || err2 != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
