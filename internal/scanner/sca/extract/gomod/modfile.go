package gomod

import (
	"bytes"
	"errors"
	"fmt"
	goversion "go/version"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// directives are the lines that the library's lax reading leaves out, since
// they count only in the main module, which is just what is read here.
type directives struct {
	replaces    []replacement
	excludes    map[version]bool
	tools       []string
	toolchain   string
	toolchainAt place
}

func readMod(f extract.File) (*dependency.Manifest, error) {
	// What is no version ("master") is for the go command to replace. It is
	// noted and stood in for, so that the rest can be read.
	queries := map[string]string{}
	fix := func(modulePath, v string) (string, error) {
		_, major, ok := module.SplitPathVersion(modulePath)
		if !ok || module.CanonicalVersion(v) == v && module.CheckPathMajor(v, major) == nil {
			return v, nil
		}
		queries[modulePath] = v
		if prefix := module.PathMajorPrefix(major); prefix != "" {
			return prefix + ".0.0", nil
		}
		return "v0.0.0", nil
	}
	file, err := modfile.ParseLax(f.Path, f.Content, fix)
	if err != nil {
		return nil, parseError(f.Path, err)
	}
	var gaps collect.Gaps
	d := readDirectives(f.Content, file.Syntax, &gaps)
	m := &dependency.Manifest{Path: f.Path, Format: formatMod, Kind: dependency.Lock, Ecosystem: dependency.Go}
	if file.Module != nil && collect.Sound(file.Module.Mod.Path) {
		at := placeOf(f.Content, file.Module.Syntax)
		m.Project = &dependency.Package{
			Ecosystem: dependency.Go, Name: strings.Clone(file.Module.Mod.Path), Local: true,
			Line: at.Line, Column: at.Column, EndColumn: at.End,
		}
	}
	var e extra
	var goLine string
	var goAt place
	if file.Go != nil {
		goLine, goAt = file.Go.Version, placeOf(f.Content, file.Go.Syntax)
	}
	// Without a go line the go command takes 1.16.
	if goLine == "" || goversion.Compare("go"+goLine, "go1.17") < 0 {
		e.Unpruned = true
		m.Kind = dependency.Declared
		gaps.Add(goAt.Line, incomplete)
	}
	var g collect.Graph
	if p, ok := standardLibrary(goLine, d.toolchain, goAt, d.toolchainAt); ok {
		g.Add(p)
	}
	tools := toolModules(d.tools, file.Require)
	replaced := byModule(d.replaces)
	for _, r := range file.Require {
		at := placeOf(f.Content, r.Syntax)
		if !collect.Sound(r.Mod.Path) || !collect.Sound(r.Mod.Version) {
			gaps.Add(at.Line, "the name or version of a module is too long or holds control characters")
			continue
		}
		p := dependency.Package{
			Ecosystem: dependency.Go, Name: strings.Clone(r.Mod.Path), Version: strings.Clone(r.Mod.Version),
			Scope: dependency.Production, Relation: dependency.Direct,
			Line: at.Line, Column: at.Column, EndColumn: at.End,
		}
		if r.Indirect {
			p.Relation = dependency.Transitive
			if tools[r.Mod.Path] { // needed by a tool line and by no import
				p.Relation, p.Scope = dependency.Direct, dependency.Development
			}
		}
		if q, ok := queries[p.Name]; ok {
			p.Version, p.Constraint = "", strings.Clone(q)
			gaps.Add(at.Line, fmt.Sprintf("%s is no version of %s; run go mod tidy", collect.Show(q), collect.Show(p.Name)))
		}
		if d.excludes[version{p.Name, p.Version}] {
			gaps.Add(at.Line, fmt.Sprintf("%s is required at %s, which is excluded, so that another version is used; run go mod tidy", collect.Show(p.Name), collect.Show(p.Version)))
			p.Version, p.Constraint = "", p.Version
		}
		if by := replaced.of(version{p.Name, p.Version}); by != nil {
			old := version{p.Name, p.Version}
			replace(&p, by)
			p.Line, p.Column, p.EndColumn = by.Line, by.Column, by.End
			if e.Replaced == nil {
				e.Replaced = map[string]version{}
			}
			e.Replaced[p.ID()] = old
		}
		g.Add(p)
	}
	return finish(m, &g, &gaps, e)
}

// replace makes of a required module the one that is built instead.
func replace(p *dependency.Package, by *replacement) {
	if by.New.Version == "" {
		p.Local, p.Origin, p.Constraint, p.Version = true, by.New.Path, p.Version, ""
		return
	}
	p.Name, p.Version = by.New.Path, by.New.Version
}

// replacements finds the replace line of a module: one of its version comes
// before one of all versions.
type replacements map[version]*replacement

func byModule(list []replacement) replacements {
	out := make(replacements, len(list))
	for i := range list {
		out[list[i].Old] = &list[i]
	}
	return out
}

func (r replacements) of(v version) *replacement {
	if by := r[v]; by != nil {
		return by
	}
	return r[version{Path: v.Path}]
}

// toolModules are the modules that hold the packages of tool lines: of those
// required the one with the longest path.
func toolModules(tools []string, required []*modfile.Require) map[string]bool {
	if len(tools) == 0 {
		return nil
	}
	known := make(map[string]bool, len(required))
	for _, r := range required {
		known[r.Mod.Path] = true
	}
	out := map[string]bool{}
	for _, tool := range tools {
		for p := tool; p != ""; {
			if known[p] {
				out[p] = true
				break
			}
			p = p[:max(0, strings.LastIndexByte(p, '/'))]
		}
	}
	return out
}

// readDirectives reads replace, exclude, tool and toolchain lines. What it
// cannot read is a gap.
func readDirectives(content []byte, syntax *modfile.FileSyntax, gaps *collect.Gaps) directives {
	d := directives{excludes: map[version]bool{}}
	for _, stmt := range syntax.Stmt {
		switch s := stmt.(type) {
		case *modfile.Line:
			if len(s.Token) > 0 {
				d.read(content, s.Token[0], s.Token[1:], s, gaps)
			}
		case *modfile.LineBlock:
			if len(s.Token) == 0 {
				continue
			}
			for _, line := range s.Line {
				d.read(content, s.Token[0], line.Token, line, gaps)
			}
		}
	}
	return d
}

func (d *directives) read(content []byte, verb string, args []string, line *modfile.Line, gaps *collect.Gaps) {
	switch verb {
	case "replace", "exclude", "tool", "toolchain":
	default:
		return
	}
	plain := make([]string, len(args))
	for i, a := range args {
		var ok bool
		if plain[i], ok = unquote(a); !ok || !collect.Sound(plain[i]) {
			gaps.Add(line.Start.Line, "a "+verb+" line cannot be read")
			return
		}
	}
	switch {
	case verb == "tool" && len(plain) == 1:
		d.tools = append(d.tools, plain[0])
	case verb == "toolchain" && len(plain) == 1:
		d.toolchain, d.toolchainAt = plain[0], placeOf(content, line)
	case verb == "exclude" && len(plain) == 2:
		d.excludes[version{plain[0], plain[1]}] = true
	case verb == "replace":
		if r, ok := readReplace(plain); ok {
			r.place = placeOf(content, line)
			d.replaces = append(d.replaces, r)
			return
		}
		fallthrough
	default:
		gaps.Add(line.Start.Line, "a "+verb+" line cannot be read")
	}
}

// readReplace reads "old [version] => new [version]".
func readReplace(args []string) (r replacement, ok bool) {
	switch {
	case len(args) >= 3 && len(args) <= 4 && args[1] == "=>":
		r.Old, args = version{Path: args[0]}, args[2:]
	case len(args) >= 4 && len(args) <= 5 && args[2] == "=>":
		r.Old, args = version{args[0], args[1]}, args[3:]
	default:
		return r, false
	}
	r.New.Path = args[0]
	if len(args) == 2 {
		r.New.Version = args[1]
	}
	// A folder has no version, and a module must have one.
	return r, isFolder(r.New.Path) == (r.New.Version == "")
}

// unquote returns a copy of a token without the quotes that it may have.
func unquote(s string) (string, bool) {
	if s != "" && (s[0] == '"' || s[0] == '`') {
		t, err := strconv.Unquote(s)
		return t, err == nil
	}
	return strings.Clone(s), true
}

// placeOf is where a line's arguments are written.
func placeOf(content []byte, line *modfile.Line) place {
	if line == nil {
		return place{}
	}
	start, end := line.Start.Byte, line.End.Byte
	if start < 0 || end > len(content) || start > end {
		return place{Line: line.Start.Line}
	}
	begin := bytes.LastIndexByte(content[:start], '\n') + 1
	text := content[start:end]
	if !line.InBlock { // the verb stands before
		if i := bytes.IndexAny(text, " \t"); i >= 0 {
			rest := bytes.TrimLeft(text[i:], " \t")
			start, text = end-len(rest), rest
		}
	}
	text = bytes.TrimRight(text, " \t\r\n")
	return place{Line: line.Start.Line, Column: start - begin + 1, End: start - begin + 1 + len(text)}
}

// parseError says what is wrong, with the first line only: one mistake tends to
// bring others.
func parseError(p string, err error) error {
	var list modfile.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return fmt.Errorf("reading %s: line %d: %w; check it with go mod edit -json", p, list[0].Pos.Line, list[0].Err)
	}
	return fmt.Errorf("reading %s: %w", p, err)
}
