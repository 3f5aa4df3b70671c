package gomod

import (
	goversion "go/version"
	"strings"

	"bulwark/internal/dependency"
)

// standardLibrary is the package that go and toolchain lines ask for; ok is
// false if neither names a version. Either may be "".
func standardLibrary(goLine, toolchain string, goAt, toolchainAt place) (p dependency.Package, ok bool) {
	at := goAt
	v := "go" + goLine
	if !goversion.IsValid(v) {
		v = ""
	}
	// A toolchain may carry the name of its maker: go1.21.3-bigcorp.
	t, _, _ := strings.Cut(toolchain, "-")
	if goversion.IsValid(t) && goversion.Compare(t, v) > 0 {
		v, at = t, toolchainAt
	}
	if v == "" {
		return dependency.Package{}, false
	}
	p = dependency.Package{
		Ecosystem:  dependency.Go,
		Name:       "stdlib",
		Constraint: ">=" + strings.TrimPrefix(v, "go"),
		Scope:      dependency.Production,
		Relation:   dependency.Direct,
		Line:       at.Line, Column: at.Column, EndColumn: at.End,
	}
	if v != goversion.Lang(v) {
		p.Version = semantic(v)
	}
	return p, true
}

// semantic writes a release of Go as a semantic version, as the Go vulnerability
// database does: go1.21rc2 is 1.21.0-rc.2.
func semantic(v string) string {
	v = strings.TrimPrefix(v, "go")
	for _, kind := range []string{"rc", "beta", "alpha"} {
		if before, after, found := strings.Cut(v, kind); found {
			return patched(before) + "-" + kind + "." + after
		}
	}
	return patched(v)
}

func patched(v string) string {
	if strings.Count(v, ".") == 1 {
		return v + ".0"
	}
	return v
}
