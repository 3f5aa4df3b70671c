package spec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/scanner/sca/extract/npm/spec"
)

func TestParse(t *testing.T) {
	for raw, want := range map[string]spec.Spec{
		"^1.2.0":                          {Name: "k", Range: "^1.2.0"},
		" =1.2.3 ":                        {Name: "k", Range: "=1.2.3", Version: "1.2.3"},
		"v1.2.3-rc.1+b":                   {Name: "k", Range: "v1.2.3-rc.1+b", Version: "1.2.3-rc.1+b"},
		"1.2":                             {Name: "k", Range: "1.2"},
		"1.2.x":                           {Name: "k", Range: "1.2.x"},
		"latest":                          {Name: "k", Range: "latest"},
		"":                                {Name: "k"},
		"npm:@s/real@1.2.3":               {Name: "@s/real", Range: "1.2.3", Version: "1.2.3"},
		"npm:^2.0.0":                      {Name: "k", Range: "^2.0.0"},
		"workspace:*":                     {Name: "k", Range: "*", Local: true},
		"workspace:packages/a":            {Name: "k", Range: "packages/a", Origin: "packages/a", Local: true},
		"catalog:react18":                 {Name: "k", Range: "react18", Catalog: true},
		"file:../a":                       {Name: "k", Range: "file:../a", Origin: "../a", Local: true},
		"file:a-1.0.0.tgz":                {Name: "k", Range: "file:a-1.0.0.tgz", Origin: "a-1.0.0.tgz"},
		"./a":                             {Name: "k", Range: "./a", Origin: "./a", Local: true},
		"owner/name#v1":                   {Name: "k", Range: "owner/name#v1", Origin: "github:owner/name#v1"},
		"git+ssh://git@git.example/a#abc": {Name: "k", Range: "git+ssh://git@git.example/a#abc", Origin: "git+ssh://git@git.example/a#abc"},
		"https://u:p@x.example/a.tgz?t=1": {Name: "k", Range: "https://x.example/a.tgz", Origin: "https://x.example/a.tgz"},
		"patch:k@npm%3A1.0.0#p":           {Name: "k", Range: "1.0.0", Version: "1.0.0"},
	} {
		if diff := cmp.Diff(want, spec.Parse("k", raw)); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", raw, diff)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		resolved, name, version string
		want                    bool
	}{
		{"https://registry.npmjs.org/@s/a/-/a-1.0.0.tgz", "@s/a", "1.0.0", true},
		{"https://registry.npmjs.org/@s%2fa/-/a-1.0.0.tgz#abc", "@s/a", "1.0.0+build", true},
		{"https://registry.npmjs.org/b/-/b-1.0.0.tgz", "a", "1.0.0", false},
		{"https://registry.npmjs.org/a/-/a-1.0.1.tgz", "a", "1.0.0", false},
		{"https://registry.example/b/-/b-1.0.0.tgz", "a", "1.0.0", true},
		{"", "a", "1.0.0", true},
	} {
		if got := spec.Matches(c.resolved, c.name, c.version); got != c.want {
			t.Errorf("Matches(%q, %q, %q) = %v", c.resolved, c.name, c.version, got)
		}
	}
}
