package python

import (
	"testing"

	"bulwark/internal/dependency"
)

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"Django": "django", "a-b": "a-b", "A__b..C": "a-b-c", "a-_.b": "a-b", "zope.interface": "zope-interface", "2to3": "2to3",
		"": "", "-a": "", "a-": "", "a b": "", "größe": "", "a/b": "",
	} {
		if got := normalize(in); got != want {
			t.Errorf("normalize(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestExact(t *testing.T) {
	for in, want := range map[string]string{
		"==1.2.3": "1.2.3", "===1.2": "1.2", "== 1.0 , >=0.5": "1.0", "==1.2.*": "", ">=2.19": "", "~=1.0": "", "<=3": "", "!=1": "", "": "",
		"==1,==2": "", "==1 || ==2": "", "==../x": "",
	} {
		if got := exact(in); got != want {
			t.Errorf("exact(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"1.2.3": "1.2.3", "^1.2": "", "~1": "", "1.*": "", "*": "", "==2": "2", ">=1,<2": "", "1 || 2": "", "==1 || ==2": ""} {
		if got := exactPoetry(in); got != want {
			t.Errorf("exactPoetry(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseRequirement(t *testing.T) {
	for in, want := range map[string]requirement{
		"a":                        {name: "a", end: 1},
		"A.b [x, Y] (>=1) ; m":     {name: "a-b", extras: []string{"x", "y"}, spec: ">=1", marker: "m", end: 16},
		"a>=1,<2":                  {name: "a", spec: ">=1,<2", end: 7},
		"a @ https://h/p;x ; os=1": {name: "a", url: "https://h/p;x", marker: "os=1", end: 17},
	} {
		got, ok := parseRequirement(in)
		if !ok || got.name != want.name || got.spec != want.spec || got.url != want.url || got.marker != want.marker || got.end != want.end || len(got.extras) != len(want.extras) {
			t.Errorf("parseRequirement(%q) = %+v, %v", in, got, ok)
		}
	}
	for _, bad := range []string{"", "-a", "a b", "a=1", "a>=", "a[x", "a @", "a>=1 2", "a @ x y", "https://h/p"} {
		if got, ok := parseRequirement(bad); ok {
			t.Errorf("parseRequirement(%q) = %+v", bad, got)
		}
	}
}

func TestArchive(t *testing.T) {
	for in, want := range map[string][2]string{
		"Foo_Bar-1.0-py3-none-any.whl": {"foo-bar", "1.0"}, "foo-1.0-1-py3-none-any.whl": {"foo", "1.0"}, "foo-bar-2.1.tar.gz": {"foo-bar", "2.1"},
		"foo.zip": {}, "v1.0.tar.gz": {}, "foo-master.zip": {}, "foo.whl": {}, "": {},
	} {
		if name, version := archive(in); name != want[0] || version != want[1] {
			t.Errorf("archive(%q) = %q, %q", in, name, version)
		}
	}
}

func TestMarkerScope(t *testing.T) {
	for in, want := range map[string]dependency.Scope{
		"": dependency.Unstated, "python_version > '3'": dependency.Unstated, "'dev' in dependency_groups": dependency.Development,
		`"pdf" in extras or "dev" in dependency_groups`: dependency.Optional, "'dev' not in dependency_groups": dependency.Unstated,
		"'default' in dependency_groups": dependency.Production,
	} {
		if got := markerScope(in); got != want {
			t.Errorf("markerScope(%q) = %q, want %q", in, got, want)
		}
	}
}
