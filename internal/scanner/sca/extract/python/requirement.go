package python

import (
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
)

// normalize writes a name as PEP 503 has it: lower-case, with one hyphen for
// each run of hyphens, underscores and dots. It is "" if the text is no name
// (PEP 508: letters, digits and those three, none of the three at the ends).
func normalize(name string) string {
	if name == "" || !collect.Sound(name) || !alphanumeric(name[0]) || !alphanumeric(name[len(name)-1]) {
		return ""
	}
	plain := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '-' && name[i-1] != '-':
		case alphanumeric(c), c == '-', c == '_', c == '.':
			plain = false
		default:
			return ""
		}
	}
	if plain {
		return name
	}
	var b strings.Builder
	b.Grow(len(name))
	gap := false
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !alphanumeric(c) {
			gap = true
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// requirement is one dependency specifier (PEP 508):
// "name[extra] >=1,<2; python_version < '3'" or "name @ https://…".
type requirement struct {
	name   string // normalised
	extras []string
	spec   string // ">=1,<2", as written
	url    string
	marker string
	end    int // offset behind name, extras and spec or address
}

// parseRequirement reads a dependency specifier; ok is false if it is none.
func parseRequirement(s string) (r requirement, ok bool) {
	at := 0
	space := func() {
		for at < len(s) && (s[at] == ' ' || s[at] == '\t') {
			at++
		}
	}
	space()
	start := at
	for at < len(s) && (alphanumeric(s[at]) || s[at] == '-' || s[at] == '_' || s[at] == '.') {
		at++
	}
	if r.name = normalize(s[start:at]); r.name == "" {
		return r, false
	}
	r.end = at
	space()
	if at < len(s) && s[at] == '[' {
		closing := strings.IndexByte(s[at:], ']')
		if closing < 0 {
			return r, false
		}
		for extra := range strings.SplitSeq(s[at+1:at+closing], ",") {
			if extra = normalize(strings.TrimSpace(extra)); extra != "" {
				r.extras = append(r.extras, extra)
			}
		}
		at += closing + 1
		r.end = at
		space()
	}
	rest := s[at:]
	if strings.HasPrefix(rest, "@") {
		// A semicolon may be part of an address; a marker needs a space beside.
		address := rest[1:]
		cut := len(address)
		for _, mark := range []string{" ;", "\t;", "; "} {
			if i := strings.Index(address, mark); i >= 0 && i < cut {
				cut = i
			}
		}
		r.url = strings.TrimSpace(address[:cut])
		r.marker = strings.TrimLeft(address[cut:], " \t;")
		r.end = at + 1 + cut
		return r, r.url != "" && !strings.ContainsAny(r.url, " \t")
	}
	spec, marker, _ := strings.Cut(rest, ";")
	r.marker = strings.TrimSpace(marker)
	if trimmed := strings.TrimSpace(spec); trimmed != "" {
		r.end = at + len(strings.TrimRight(spec, " \t"))
		if strings.HasPrefix(trimmed, "(") && strings.HasSuffix(trimmed, ")") {
			trimmed = strings.TrimSpace(trimmed[1 : len(trimmed)-1])
		}
		r.spec = trimmed
	}
	return r, validSpec(r.spec)
}

// operators of PEP 440, the longer ones first.
var operators = [...]string{"===", "==", "~=", "!=", "<=", ">=", "<", ">"}

func validSpec(spec string) bool {
	if spec == "" {
		return true
	}
	if !collect.Sound(spec) {
		return false
	}
	for clause := range strings.SplitSeq(spec, ",") {
		clause = strings.TrimSpace(clause)
		if clause == "" {
			continue // a comma at the end
		}
		op := operator(clause)
		version := strings.TrimSpace(clause[len(op):])
		if op == "" || version == "" || strings.ContainsAny(version, " \t<>=~!;@'\"()[]") {
			return false
		}
	}
	return true
}

func operator(clause string) string {
	for _, op := range operators {
		if strings.HasPrefix(clause, op) {
			return op
		}
	}
	return ""
}

// exact is the one version that a specifier allows, "" if it allows several:
// "==1.2.3" and "===1.2.3", not "==1.2.*", and never the bound of a range.
func exact(spec string) string {
	found := ""
	for clause := range strings.SplitSeq(spec, ",") {
		clause = strings.TrimSpace(clause)
		op := operator(clause)
		if op != "==" && op != "===" {
			continue
		}
		version := strings.TrimSpace(clause[len(op):])
		if version == "" || strings.ContainsAny(version, "*|^~<>=/\\ ") {
			return ""
		}
		if found != "" && found != version {
			return "" // no version is both
		}
		found = version
	}
	return found
}

// exactPoetry is exact for Poetry's own notation, in which a bare version is
// that version alone (https://python-poetry.org/docs/dependency-specification/).
func exactPoetry(spec string) string {
	spec = strings.TrimSpace(spec)
	if spec != "" && spec[0] >= '0' && spec[0] <= '9' && !strings.ContainsAny(spec, "*,|^~<>=!/\\ ") {
		return spec
	}
	if strings.Contains(spec, "|") {
		return ""
	}
	return exact(spec)
}

// source is where an address or a path points to.
type source struct {
	origin  string
	version string // as the archive's name states it
	name    string // likewise, normalised
	local   bool
	hashes  []dependency.Hash
}

// parseSource reads an address or path as pip takes it, with "#egg=name" or
// "#sha256=…" behind it.
func parseSource(s string) source {
	address, fragment, _ := strings.Cut(s, "#")
	var out source
	for part := range strings.SplitSeq(fragment, "&") {
		key, val, _ := strings.Cut(part, "=")
		switch key {
		case "egg":
			val, _, _ = strings.Cut(val, "[")
			out.name = normalize(val)
		case "sha256", "sha384", "sha512", "sha1", "md5":
			if h, ok := collect.Digest(key, val); ok && len(out.hashes) < maxHashes {
				out.hashes = append(out.hashes, h)
			}
		}
	}
	out.origin = strings.TrimSpace(collect.Address(address))
	if !collect.Sound(out.origin) {
		out.origin = ""
	}
	out.local = strings.HasPrefix(address, "file:") || !strings.Contains(address, "://") && !strings.HasPrefix(address, "git@")
	name, version := archive(out.origin[strings.LastIndexAny(out.origin, `/\`)+1:])
	if name != "" && (out.name == "" || out.name == name) {
		out.name, out.version = name, version
		out.local = false // an archive in the tree is another's work all the same
	}
	return out
}

// archive reads name and version from the name of a wheel or a source archive
// (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
func archive(base string) (name, version string) {
	if stem, ok := strings.CutSuffix(base, ".whl"); ok {
		if n := strings.Count(stem, "-"); n == 4 || n == 5 {
			parts := strings.SplitN(stem, "-", 3)
			name, version = parts[0], parts[1]
		}
	} else {
		for _, end := range []string{".tar.gz", ".zip", ".tar.bz2"} {
			if stem, ok := strings.CutSuffix(base, end); ok {
				if i := strings.LastIndexByte(stem, '-'); i > 0 {
					name, version = stem[:i], stem[i+1:]
				}
				break
			}
		}
	}
	version = strings.ReplaceAll(version, "%2B", "+")
	if version == "" || version[0] < '0' || version[0] > '9' || strings.ContainsAny(version, "% ") {
		return "", ""
	}
	if name = normalize(name); name == "" {
		return "", ""
	}
	return name, version
}

// groupScope tells what a group of dependencies is for. Groups are not part of
// what is published; one whose name is not that of a development task may be
// installed in production all the same.
func groupScope(group string) dependency.Scope {
	switch strings.ToLower(group) {
	case "main", "default":
		return dependency.Production
	}
	if developmentName(group) {
		return dependency.Development
	}
	return dependency.Optional
}

// developmentName reports whether one of the words of a name is that of a
// development task.
func developmentName(name string) bool {
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		switch word {
		case "dev", "devel", "develop", "development", "test", "tests", "testing", "pytest", "unittest", "lint", "linting", "linter", "linters", "doc",
			"docs", "documentation", "sphinx", "typing", "types", "mypy", "ci", "build", "release", "format", "formatting", "check", "checks", "quality",
			"coverage", "bench", "benchmark", "benchmarks", "tox", "nox", "debug", "precommit", "tooling", "e2e", "qa", "style":
			return true
		}
	}
	return false
}

// stronger is the scope of what is needed for both.
func stronger(a, b dependency.Scope) dependency.Scope {
	for _, s := range [...]dependency.Scope{dependency.Production, dependency.Optional, dependency.Development} {
		if a == s || b == s {
			return s
		}
	}
	return dependency.Unstated
}
