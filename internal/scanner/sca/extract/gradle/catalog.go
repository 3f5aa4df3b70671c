package gradle

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// catalog is a version catalogue
// (https://docs.gradle.org/current/userguide/version_catalogs.html). Aliases
// are kept as scripts write them: foo-bar and foo_bar are foo.bar.
type catalog struct {
	Versions  map[string]string   `json:"v,omitempty"`
	Libraries map[string]*entry   `json:"l,omitempty"`
	Plugins   map[string]*entry   `json:"p,omitempty"`
	Bundles   map[string][]string `json:"b,omitempty"`
	Gaps      []dependency.Gap    `json:"g,omitempty"`
}

// entry is a library or plugin of a catalogue, its version put in.
type entry struct {
	Name    string `json:"n"` // "group:artifact", or the id of a plugin
	Version string `json:"v,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"col,omitempty"`
	End     int    `json:"end,omitempty"`
}

// maxCatalog is the size in bytes of the largest catalogue that is read.
const maxCatalog = 4 << 20

// catalogEnd is how the names of catalogues end; Gradle makes the part before
// it the name that scripts use.
const catalogEnd = ".versions.toml"

// alias writes an alias as scripts do.
func alias(s string) string { return strings.NewReplacer("-", ".", "_", ".").Replace(s) }

func readCatalog(f extract.File, gaps *collect.Gaps) (*catalog, error) {
	if len(f.Content) > maxCatalog {
		return nil, fmt.Errorf("reading %s: a version catalogue of %d bytes; the most that is read are %d", f.Path, len(f.Content), maxCatalog)
	}
	if line := tooDeep(f.Content); line > 0 {
		return nil, fmt.Errorf("reading %s: line %d: brackets nested deeper than %d levels", f.Path, line, extract.MaxDepth)
	}
	r := catalogReader{at: lines{content: f.Content, line: 1}, gaps: gaps, refs: map[*entry]string{},
		c: &catalog{Versions: map[string]string{}, Libraries: map[string]*entry{}, Plugins: map[string]*entry{}, Bundles: map[string][]string{}}}
	r.p.Reset(f.Content)
	var table []string
	for r.p.NextExpression() {
		n := r.p.Expression()
		switch n.Kind {
		case unstable.Table, unstable.ArrayTable:
			table, _ = keys(n)
			if len(table) == 2 { // [libraries.web] module = …
				it := n.Key()
				for it.Next() {
					r.place(it.Node())
				}
			}
		case unstable.KeyValue:
			r.pair(table, n)
		}
	}
	if err := r.p.Error(); err != nil {
		line := 0
		var bad *unstable.ParserError
		if errors.As(err, &bad) && len(bad.Highlight) > 0 {
			line = r.p.Shape(r.p.Range(bad.Highlight)).Start.Line
		}
		return nil, fmt.Errorf("reading %s: line %d: %w; check it with gradle help", f.Path, line, err)
	}
	if len(r.c.Libraries)+len(r.c.Plugins) > extract.MaxPackages {
		return nil, fmt.Errorf("reading %s: %d entries: no catalogue has that many", f.Path, len(r.c.Libraries)+len(r.c.Plugins))
	}
	r.versions()
	return r.c, nil
}

type catalogReader struct {
	p    unstable.Parser
	at   lines
	c    *catalog
	gaps *collect.Gaps
	refs map[*entry]string
	here place // of the key that is read
}

type place struct{ line, column, end int }

// lines turns rising offsets into lines.
type lines struct {
	content             []byte
	offset, line, begin int
}

func (l *lines) place(offset, length int) place {
	if offset < l.offset || offset+length > len(l.content) {
		return place{line: l.line}
	}
	passed := l.content[l.offset:offset]
	l.line += bytes.Count(passed, []byte{'\n'})
	if i := bytes.LastIndexByte(passed, '\n'); i >= 0 {
		l.begin = l.offset + i + 1
	}
	l.offset = offset
	return place{l.line, offset - l.begin + 1, offset - l.begin + 1 + length}
}

func (r *catalogReader) place(n *unstable.Node) {
	if n.Raw.Length > 0 {
		r.here = r.at.place(int(n.Raw.Offset), int(n.Raw.Length))
	}
}

func keys(n *unstable.Node) (out []string, first *unstable.Node) {
	it := n.Key()
	for it.Next() {
		if first == nil {
			first = it.Node()
		}
		out = append(out, string(it.Node().Data))
	}
	return out, first
}

// pair reads one key and value, wherever its table stands.
func (r *catalogReader) pair(table []string, n *unstable.Node) {
	own, first := keys(n)
	if first != nil && len(table) < 2 {
		r.place(first)
	}
	name := append(table[:len(table):len(table)], own...)
	if len(name) < 2 || len(name) > 8 {
		return // the format's metadata
	}
	for _, k := range name {
		if k == "" || !collect.Sound(k) {
			r.gaps.Add(r.here.line, "a name that is empty, too long or holds control characters")
			return
		}
	}
	v := n.Value()
	switch name[0] {
	case "versions":
		r.version(alias(name[1]), name[2:], v)
	case "libraries":
		r.entry(r.c.Libraries, name[1], name[2:], v)
	case "plugins":
		r.entry(r.c.Plugins, name[1], name[2:], v)
	case "bundles":
		if len(name) == 2 && v.Kind == unstable.Array {
			var list []string
			for it := v.Children(); it.Next(); {
				if s := string(it.Node().Data); it.Node().Kind == unstable.String && collect.Sound(s) {
					list = append(list, alias(s))
				}
			}
			r.c.Bundles[alias(name[1])] = list
		}
	}
}

// strength orders the parts of a rich version: what is strictly meant counts
// most.
func strength(part string) int {
	switch part {
	case "strictly":
		return 3
	case "require":
		return 2
	case "prefer":
		return 1
	}
	return 0
}

// rich reads { strictly = …, require = …, prefer = … }. Of a strict range and a
// preferred version in it the preferred one is used.
func rich(v *unstable.Node) string {
	best, text, preferred := 0, "", ""
	for it := v.Children(); it.Next(); {
		k, _ := keys(it.Node())
		value := it.Node().Value()
		if len(k) != 1 || value.Kind != unstable.String {
			continue
		}
		if k[0] == "prefer" {
			preferred = string(value.Data)
		}
		if s := strength(k[0]); s > best {
			best, text = s, string(value.Data)
		}
	}
	return narrower(text, preferred)
}

// narrower is the preferred version where the other is only a range.
func narrower(text, preferred string) string {
	if v, _ := exact(text); v == "" && preferred != "" {
		return preferred
	}
	return text
}

func (r *catalogReader) version(name string, more []string, v *unstable.Node) {
	text := ""
	switch {
	case v.Kind == unstable.InlineTable && len(more) == 0:
		text = rich(v)
	case v.Kind == unstable.String && len(more) == 0:
		text = string(v.Data)
	case v.Kind == unstable.String && len(more) == 1 && strength(more[0]) > 0: // name.strictly = "1"
		text = narrower(r.c.Versions[name], string(v.Data))
	default:
		return
	}
	if !collect.Sound(text) {
		r.gaps.Add(r.here.line, "a version that is too long or holds control characters")
		return
	}
	r.c.Versions[name] = text
}

// entry reads a library or plugin: "g:a:v", a table, or one key of its table.
func (r *catalogReader) entry(all map[string]*entry, name string, more []string, v *unstable.Node) {
	name = alias(name)
	e := all[name]
	if e == nil {
		e = &entry{Line: r.here.line, Column: r.here.column, End: r.here.end}
		all[name] = e
	}
	if len(more) > 0 {
		r.field(e, more, v)
		return
	}
	switch v.Kind {
	case unstable.String:
		text := string(v.Data)
		cut := strings.LastIndexByte(text, ':')
		if cut < 0 || !collect.Sound(text) {
			return
		}
		e.Name, e.Version = text[:cut], text[cut+1:]
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			k, _ := keys(it.Node())
			r.field(e, k, it.Node().Value())
		}
	}
}

func (r *catalogReader) field(e *entry, name []string, v *unstable.Node) {
	text := string(v.Data)
	if v.Kind == unstable.InlineTable && len(name) == 1 && name[0] == "version" {
		for it := v.Children(); it.Next(); {
			if k, _ := keys(it.Node()); len(k) == 1 && k[0] == "ref" {
				r.refs[e] = alias(string(it.Node().Value().Data))
			}
		}
		if text = rich(v); collect.Sound(text) {
			e.Version = text
		}
		return
	}
	if v.Kind != unstable.String || !collect.Sound(text) {
		return
	}
	switch strings.Join(name, ".") {
	case "module", "id":
		e.Name = text
	case "group":
		_, artifact, _ := strings.Cut(e.Name, ":")
		e.Name = text + ":" + artifact
	case "name":
		group, _, _ := strings.Cut(e.Name, ":")
		e.Name = group + ":" + text
	case "version":
		e.Version = text
	case "version.ref":
		r.refs[e] = alias(text)
	case "version.strictly", "version.require":
		e.Version = narrower(text, e.Version)
	case "version.prefer":
		e.Version = narrower(e.Version, text)
	}
}

// versions puts in the versions referred to and takes out what has no name.
func (r *catalogReader) versions() {
	for kind, all := range map[string]map[string]*entry{"library": r.c.Libraries, "plugin": r.c.Plugins} {
		for _, e := range all {
			group, artifact, ok := strings.Cut(e.Name, ":")
			if kind == "plugin" {
				ok, group, artifact = e.Name != "", e.Name, e.Name
			}
			if !ok || group == "" || artifact == "" || strings.Contains(artifact, ":") || !collect.Sound(e.Name) {
				e.Name = ""
				continue
			}
			if ref, ok := r.refs[e]; ok {
				if e.Version, ok = r.c.Versions[ref]; !ok {
					e.Version = "${versions." + ref + "}"
				}
			}
		}
	}
}

// isCatalog reports whether a path is that of a version catalogue.
func isCatalog(p string) bool {
	base := path.Base(p)
	return strings.HasSuffix(base, catalogEnd) && base != catalogEnd
}

// tooDeep is the line on which brackets are nested deeper than the limit, 0 if
// nowhere: the TOML reader goes down with them.
func tooDeep(content []byte) int {
	depth, line := 0, 1
	for i := 0; i < len(content); i++ {
		switch c := content[i]; c {
		case '\n':
			line++
		case '[', '{':
			if depth++; depth > extract.MaxDepth {
				return line
			}
		case ']', '}':
			depth = max(0, depth-1)
		case '#':
			for i+1 < len(content) && content[i+1] != '\n' {
				i++
			}
		case '"', '\'':
			width := 1
			if i+2 < len(content) && content[i+1] == c && content[i+2] == c {
				width = 3
			}
			for i += width; i < len(content); i++ {
				if content[i] == '\n' {
					if width == 1 {
						line++
						break
					}
					line++
				}
				if content[i] == '\\' && c == '"' {
					i++
					continue
				}
				if content[i] == c && (width == 1 || i+2 < len(content) && content[i+1] == c && content[i+2] == c) {
					i += width - 1
					break
				}
			}
		}
	}
	return 0
}
