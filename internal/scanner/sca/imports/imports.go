// Package imports reads from source files which packages they import: the
// cheapest evidence of whether a dependency is used at all. It follows no call
// and resolves no path; what a program loads by a name that it computes is
// reported as such, not guessed.
package imports

import (
	"path"
	"slices"
	"strings"

	"bulwark/internal/dependency"
)

// Used is what one source file imports.
type Used struct {
	Ecosystem dependency.Ecosystem `json:"e"`
	// Names are npm packages ("@scope/name"), top-level Python modules, or Java
	// packages and classes ("org.apache.logging.log4j.Logger"), sorted.
	Names []string `json:"n,omitempty"`
	// Computed is true when the file also loads modules by a computed name.
	Computed bool `json:"c,omitempty"`
}

// maxNames bounds what one file can name; a generated file is cut there and
// counts as Computed, since not all of it is known.
const maxNames = 10_000

type language struct {
	ecosystem dependency.Ecosystem
	read      func(content []byte, u *Used)
}

func of(name string) (language, bool) {
	switch strings.ToLower(path.Ext(name)) {
	case ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".vue", ".svelte":
		return language{dependency.NPM, javascript}, !strings.HasSuffix(name, ".d.ts")
	case ".py":
		return language{dependency.PyPI, python}, true
	case ".java", ".kt", ".kts", ".scala", ".groovy":
		return language{dependency.Maven, java}, true
	}
	return language{}, false
}

// Wants reports whether a file is production code in a language that is read.
func Wants(name string) bool {
	_, ok := of(name)
	return ok && !apart(name)
}

// apart reports whether a file is not part of what ships: tests, examples,
// what is installed or built.
func apart(name string) bool {
	dir, base := path.Split(name)
	for part := range strings.SplitSeq(strings.ToLower(dir), "/") {
		switch part {
		case "test", "tests", "__tests__", "__mocks__", "testing", "testdata", "spec", "specs", "e2e", "cypress",
			"fixtures", "examples", "example", "docs", "benchmarks", "node_modules", "bower_components", "site-packages", "venv", ".venv":
			return true
		}
	}
	base = strings.ToLower(base)
	stem := strings.TrimSuffix(base, path.Ext(base))
	return strings.HasSuffix(stem, ".test") || strings.HasSuffix(stem, ".spec") || strings.HasSuffix(stem, ".stories") ||
		strings.HasSuffix(stem, "_test") || strings.HasPrefix(stem, "test_") || stem == "conftest" || stem == "gruntfile" || stem == "gulpfile"
}

// Read returns what a file imports; it takes time linear in the content.
func Read(name string, content []byte) Used {
	l, ok := of(name)
	if !ok {
		return Used{}
	}
	u := Used{Ecosystem: l.ecosystem}
	l.read(content, &u)
	slices.Sort(u.Names)
	u.Names = slices.Compact(u.Names)
	return u
}

func (u *Used) add(name string) {
	switch {
	case name == "" || len(name) > 256:
	case len(u.Names) >= maxNames:
		u.Computed = true
	default:
		u.Names = append(u.Names, name)
	}
}

func word(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// blank reports white space within a line.
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\f' }
