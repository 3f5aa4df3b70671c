package collect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
)

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"https://user:token@host/a?x=y#frag": "https://host/a#frag",
		"https://token@host":                 "https://host",
		"https://a@b@host/c@d":               "https://host/c@d",
		"ssh://git@host/a.git":               "ssh://git@host/a.git",
		"git@host:a/b.git":                   "git@host:a/b.git",
		"user:token@host/a":                  "host/a",
		"^1.0.0":                             "^1.0.0",
	} {
		if got := collect.Address(in); got != want {
			t.Errorf("Address(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestIntegrity(t *testing.T) {
	hashes, ok := collect.Integrity("md5-1B2M2Y8AsgTpgAmY7PhCfg== sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=?opt")
	want := []dependency.Hash{
		{Algorithm: "md5", Value: "d41d8cd98f00b204e9800998ecf8427e"},
		{Algorithm: "sha-1", Value: "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
	}
	if diff := cmp.Diff(want, hashes); diff != "" || !ok {
		t.Errorf("%v (-want +got):\n%s", ok, diff)
	}
	for _, bad := range []string{"sha512-abcd", "sha1-2jmj", "x", "sha1-!!!!", "sha512-" + strings.Repeat("A", 1000)} {
		if hashes, ok := collect.Integrity(bad); ok || len(hashes) != 0 {
			t.Errorf("Integrity(%q) = %v", bad, hashes)
		}
	}
}

func TestSound(t *testing.T) {
	for in, want := range map[string]bool{
		"": true, "a-b.c@1": true, "größe": true, "a\nb": false, "a\x7f": false, "\xff": false, "a\u202eb": false, strings.Repeat("a", 1025): false,
	} {
		if got := collect.Sound(in); got != want {
			t.Errorf("Sound(%q) = %v", in, got)
		}
	}
}

func TestGraph(t *testing.T) {
	var g collect.Graph
	add := func(name string) int { return g.Add(dependency.Package{Name: name, Version: "1", Line: g.Len() + 1}) }
	a, dev, mid, low, opt, alone, twin := add("a"), add("dev"), add("mid"), add("low"), add("opt"), add("alone"), add("a")
	g.AddRoot(dev, dependency.Development)
	g.AddRoot(a, dependency.Production)
	g.Link(dev, low, dependency.Production) // the shortest way, but only in development
	g.Link(a, mid, dependency.Production)
	g.Link(mid, low, dependency.Production)
	g.Link(low, a, dependency.Production) // a cycle
	g.Link(twin, opt, dependency.Optional)
	_ = alone
	got, err := g.Packages()
	if err != nil {
		t.Fatal(err)
	}
	pkg := func(name string, line int, s dependency.Scope, r dependency.Relation, via, requires []string) dependency.Package {
		return dependency.Package{Name: name, Version: "1", Line: line, Scope: s, Relation: r, Via: via, Requires: requires}
	}
	want := []dependency.Package{
		pkg("a", 1, dependency.Production, dependency.Direct, nil, []string{"mid@1", "opt@1"}),
		pkg("dev", 2, dependency.Development, dependency.Direct, nil, []string{"low@1"}),
		pkg("mid", 3, dependency.Production, dependency.Transitive, []string{"a@1"}, []string{"low@1"}),
		pkg("low", 4, dependency.Production, dependency.Transitive, []string{"a@1", "mid@1"}, []string{"a@1"}),
		pkg("opt", 5, dependency.Optional, dependency.Transitive, []string{"a@1"}, nil),
		pkg("alone", 6, dependency.Unstated, dependency.Undeclared, nil, nil),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
