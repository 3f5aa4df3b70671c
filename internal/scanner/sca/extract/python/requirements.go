package python

import (
	"bytes"
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// requirementsName reports whether a path is that of a requirements or
// constraints file.
func requirementsName(path string) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	lower := strings.ToLower(base)
	if !strings.HasSuffix(lower, ".txt") {
		return false
	}
	if strings.Contains(lower, "requirements") || strings.Contains(lower, "constraints") {
		return true
	}
	dir := strings.TrimSuffix(path[:len(path)-len(base)], "/")
	return strings.ToLower(dir[strings.LastIndexByte(dir, '/')+1:]) == "requirements"
}

// requirementsScope is what the packages of a requirements file are for, by its
// name: "requirements-dev.txt", "requirements/test.txt".
func requirementsScope(path string) dependency.Scope {
	lower := strings.ToLower(path)
	base := strings.TrimSuffix(lower[strings.LastIndexByte(lower, '/')+1:], ".txt")
	dir := strings.TrimSuffix(lower[:strings.LastIndexByte(lower, '/')+1], "/")
	dir = dir[strings.LastIndexByte(dir, '/')+1:]
	switch {
	case strings.Contains(base, "constraints"):
		return dependency.Unstated
	case developmentName(base), developmentName(dir) && dir != "build" && dir != "release":
		return dependency.Development
	}
	return dependency.Production
}

// requirementsFile collects one requirements file
// (https://pip.pypa.io/en/stable/reference/requirements-file-format/).
type requirementsFile struct {
	lock     *lock
	line     int
	current  int  // the package that comments below speak of, -1 if none
	listed   bool // "# via" stands above, names follow
	compiled bool // by pip-compile or uv, which tell who needs what
	index    string
	roots    []int
	hashed   int // packages with digests
	good     int
	bad      int
}

// maxLogical is how long a requirement with its continued lines may be; a
// release has some hundred digests at most.
const maxLogical = 1 << 18

func readRequirements(content []byte, path string) (*dependency.Manifest, *extra, error) {
	base, _ := collect.Path(path)
	r := &requirementsFile{lock: newLock(), current: -1}
	scope := requirementsScope(path)
	constraints := strings.Contains(strings.ToLower(base), "constraints")
	r.lock.extra.Requirements, r.lock.extra.Constraints = true, constraints
	r.read(bytes.TrimPrefix(content, []byte("\ufeff")))
	if r.good == 0 && r.bad > 0 && !strings.EqualFold(base, "requirements.txt") && !strings.EqualFold(base, "constraints.txt") {
		return nil, nil, nil // prose
	}
	if r.index != "" && !publicIndex(r.index) && collect.Sound(r.index) {
		for i := range r.lock.graph.Len() {
			if p := r.lock.graph.Package(i); p.Origin == "" {
				p.Origin = r.index
			}
		}
	}
	for _, n := range r.lock.needs {
		if r.lock.first[n.name] == 0 && n.from >= 0 {
			// Whoever needs it is not in the file: it is the project itself.
			r.roots = append(r.roots, n.from)
		}
	}
	needs := r.lock.needs
	r.lock.needs = nil
	for _, n := range needs { // "via" tells who needs it, not what it needs
		r.lock.find(n.name, "", func(from int) {
			if from != n.from {
				r.lock.graph.Link(from, n.from, dependency.Production)
			}
		})
	}
	switch {
	case constraints && !r.compiled:
	case r.compiled:
		for _, i := range r.roots {
			r.lock.graph.AddRoot(i, scope)
		}
	default:
		r.lock.graph.Rooted = true
		for i := range r.lock.graph.Len() {
			r.lock.graph.AddRoot(i, scope)
		}
	}
	format := "requirements.txt"
	if constraints {
		format = "constraints.txt"
	}
	m, x, err := r.lock.finish(format)
	if err != nil {
		return nil, nil, err
	}
	m.Kind = dependency.Declared
	if r.compiled || r.hashed > 0 && r.hashed == r.lock.graph.Len() {
		m.Kind = dependency.Lock
	}
	for i := range m.Packages {
		if p := &m.Packages[i]; p.Scope == dependency.Unstated {
			p.Scope = scope // needed for what the whole file is for
		}
	}
	return m, x, nil
}

// read goes through the lines, joining continued ones.
func (r *requirementsFile) read(content []byte) {
	var joined strings.Builder
	start, column, width := 0, 0, 0
	long := false
	flush := func() {
		if start == 0 {
			return
		}
		text := joined.String()
		if long {
			r.gap(start, "a requirement longer than any can be")
		} else if strings.TrimSpace(text) != "" {
			r.logical(text, start, column, width)
		}
		joined.Reset()
		start, long = 0, false
	}
	for raw := range bytes.Lines(content) {
		r.line++
		line := bytes.TrimRight(raw, " \t\r\n")
		trimmed := bytes.TrimLeft(line, " \t\f")
		comment := ""
		continued := false
		if len(trimmed) > 0 && trimmed[0] == '#' {
			flush() // a comment ends a continued line, as in pip
			r.comment(short(trimmed[1:]))
			continue
		}
		if at := commentAt(trimmed); at >= 0 {
			comment = short(trimmed[at+1:])
			trimmed = bytes.TrimRight(trimmed[:at], " \t")
		} else if n := len(trimmed); n > 0 && trimmed[n-1] == '\\' {
			continued = true
			trimmed = trimmed[:n-1]
		}
		if start == 0 && len(trimmed) > 0 {
			start, column, width = r.line, len(line)-len(bytes.TrimLeft(line, " \t\f"))+1, len(trimmed)
		}
		if joined.Len()+len(trimmed) > maxLogical {
			long = true
		} else {
			joined.Write(trimmed)
			if continued {
				joined.WriteByte(' ')
			}
		}
		if !continued {
			flush()
		}
		if comment != "" {
			r.comment(comment)
		}
	}
	flush()
}

func short(text []byte) string {
	return strings.TrimSpace(string(text[:min(len(text), 4*extract.MaxName)]))
}

// commentAt is where a comment begins: at '#' behind white space.
func commentAt(line []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(line[from:], '#')
		if i < 0 {
			return -1
		}
		at := from + i
		if at == 0 || line[at-1] == ' ' || line[at-1] == '\t' {
			return at
		}
		from = at + 1
	}
}

// comment reads what pip-compile and uv note below or beside a requirement:
// "# via -r requirements.in, flask".
func (r *requirementsFile) comment(text string) {
	if strings.Contains(text, "autogenerated by pip-compile") || strings.Contains(text, "autogenerated by uv") {
		r.compiled = true
	}
	if rest, ok := strings.CutPrefix(text, "via"); ok && (rest == "" || rest[0] == ' ' || rest[0] == ':') {
		r.compiled = true
		text = strings.TrimLeft(rest, ": ")
		r.listed = text == ""
	} else if !r.listed {
		return
	}
	if r.current < 0 || text == "" {
		return
	}
	for by := range strings.SplitSeq(text, ",") {
		by = strings.TrimSpace(by)
		switch {
		case strings.HasPrefix(by, "-c"):
		case strings.HasPrefix(by, "-r"):
			r.roots = append(r.roots, r.current)
		default:
			name, from, _ := strings.Cut(by, " ")
			if n := strings.IndexByte(name, '['); n > 0 {
				name = name[:n]
			}
			if file, ok := strings.CutPrefix(from, "("); ok {
				r.roots = append(r.roots, r.current)
				r.source(strings.TrimSuffix(file, ")"))
			} else if name = normalize(name); name != "" && from == "" {
				r.lock.needs = append(r.lock.needs, need{from: r.current, name: name})
			}
		}
	}
}

// source notes a manifest that the file was compiled from.
func (r *requirementsFile) source(file string) {
	base := file[strings.LastIndexByte(file, '/')+1:]
	for _, known := range []string{"pyproject.toml", "setup.cfg"} {
		if base == known && len(r.lock.extra.Sources) < 2 && (len(r.lock.extra.Sources) == 0 || r.lock.extra.Sources[0] != known) {
			r.lock.extra.Sources = append(r.lock.extra.Sources, known)
		}
	}
}

func (r *requirementsFile) gap(line int, message string) {
	r.bad++
	r.lock.gaps.Add(line, message)
}

// logical reads one requirement or option. column and width tell where its
// first line stands.
func (r *requirementsFile) logical(text string, line, column, width int) {
	r.current, r.listed = -1, false
	if text[0] == '-' {
		r.option(text, line, column, width)
		return
	}
	r.requirement(text, line, column, width)
}

func (r *requirementsFile) option(text string, line, column, width int) {
	name, val := text, ""
	if strings.HasPrefix(text, "--") {
		if at := strings.IndexAny(text, "= \t"); at >= 0 {
			name, val = text[:at], text[at+1:]
		}
	} else if len(text) > 2 {
		name, val = text[:2], strings.TrimPrefix(text[2:], "=")
	}
	val = strings.Trim(strings.TrimSpace(val), `"'`)
	switch name {
	case "-r", "--requirement", "-c", "--constraint":
		if val == "" || !collect.Sound(val) {
			r.gap(line, name+" without a usable path")
			return
		}
		r.good++
		if len(r.lock.extra.Includes) < 1024 {
			r.lock.extra.Includes = append(r.lock.extra.Includes, include{Path: val, Line: line, Constraint: name == "-c" || name == "--constraint"})
		}
	case "-e", "--editable":
		r.good++
		r.direct("", val, line, column, width, true)
	case "-i", "--index-url", "--pypi-url":
		r.good++
		if r.index == "" {
			r.index = collect.Address(val)
		}
	case "--extra-index-url", "-f", "--find-links", "--no-index", "--no-binary", "--only-binary", "--prefer-binary", "--require-hashes", "--pre",
		"--trusted-host", "--use-feature", "--process-dependency-links", "--allow-external", "--allow-unverified", "--always-unzip", "-Z", "--no-use-wheel",
		"--use-wheel", "--no-deps", "--upgrade", "-U":
		r.good++
	default:
		r.gap(line, collect.Show(name)+" is no option of a requirements file")
	}
}

func (r *requirementsFile) requirement(text string, line, column, width int) {
	spec, hashes := text, []dependency.Hash(nil)
	if at := optionAt(text); at >= 0 {
		spec = strings.TrimRight(text[:at], " \t")
		hashes = requirementHashes(text[at:])
	}
	parsed, ok := parseRequirement(spec)
	if !ok {
		if parsed.url == "" && looksLikePath(spec) {
			target, _, _ := strings.Cut(spec, " ;")
			r.direct("", strings.TrimSpace(target), line, column, width, false)
			return
		}
		r.gap(line, collect.Show(spec)+" is no requirement")
		return
	}
	if parsed.url != "" {
		r.direct(parsed.name, parsed.url, line, column, min(width, parsed.end), false)
		return
	}
	r.add(dependency.Package{
		Name: parsed.name, Version: exact(parsed.spec), Constraint: parsed.spec, Hashes: hashes,
		Line: line, Column: column, EndColumn: column + min(width, parsed.end),
	})
}

func (r *requirementsFile) add(p dependency.Package) {
	i, ok := r.lock.add(p.Name, p)
	if !ok {
		r.bad++
		return
	}
	r.good++
	r.current = i
	if len(p.Hashes) > 0 {
		r.hashed++
	}
}

// direct takes up an address or path.
func (r *requirementsFile) direct(name, target string, line, column, width int, editable bool) {
	if at := strings.IndexByte(target, '['); at >= 0 && !strings.Contains(target, "://") {
		target = target[:at] // ".[extra]"
	}
	src := parseSource(target)
	if name == "" {
		name = src.name
	}
	if name == "" {
		r.good++
		if !src.local {
			r.gap(line, fmt.Sprintf("%s does not tell which package it is: write name @ address", collect.Show(src.origin)))
		}
		return // the project's own folder, without a name of its own
	}
	if src.name != "" && src.name != name {
		src.version = ""
	}
	local := src.local && (editable || src.version == "")
	r.add(dependency.Package{
		Name: name, Version: checked(src.version), Origin: src.origin, Local: local, Hashes: src.hashes,
		Line: line, Column: column, EndColumn: column + width,
	})
}

func looksLikePath(s string) bool {
	return strings.HasPrefix(s, ".") || strings.HasPrefix(s, "/") || strings.Contains(s, "://") || strings.HasPrefix(s, "file:") ||
		strings.HasSuffix(s, ".whl") || strings.HasSuffix(s, ".tar.gz") || strings.HasSuffix(s, ".zip")
}

// optionAt is where the options of one requirement begin, -1 if it has none.
func optionAt(text string) int {
	for _, mark := range []string{" --", "\t--"} {
		if i := strings.Index(text, mark); i >= 0 {
			return i
		}
	}
	return -1
}

func requirementHashes(options string) []dependency.Hash {
	var out []dependency.Hash
	next := false
	for word := range strings.FieldsSeq(options) {
		if len(out) == maxHashes {
			break
		}
		text, ok := strings.CutPrefix(word, "--hash=")
		if ok || next {
			out = hash(out, text)
		}
		next = word == "--hash"
	}
	return out
}
