package gradle

import (
	"fmt"
	"path"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// script is what one build script says, nothing put in yet.
type script struct {
	Declarations []declaration     `json:"d,omitempty"`
	Variables    map[string]string `json:"v,omitempty"` // nearest meaning, templates
	Applied      []string          `json:"a,omitempty"` // scripts it applies, as written
	// Platforms are the projects of the build that it takes versions from.
	Platforms []string         `json:"p,omitempty"`
	Gaps      []dependency.Gap `json:"g,omitempty"`
}

// use says what a declaration is for.
type use string

const (
	library    use = ""
	platform   use = "platform"   // a BOM: it manages versions
	plugin     use = "plugin"     // Notation is its id
	constraint use = "constraint" // a version for what something else asks for
)

// declaration is one dependency as written. Texts hold ${placeholders}.
type declaration struct {
	Use           use    `json:"u,omitempty"`
	Configuration string `json:"c,omitempty"`
	// Notation is "group:artifact:version"; alone "${libs.web}" it may be an
	// alias of a catalogue, or a variable that holds such a notation.
	Notation string `json:"n,omitempty"`
	// Version, if set, comes before the notation's.
	Version string `json:"v,omitempty"`
	// Build: needed to build the project, not by what is built.
	Build bool `json:"b,omitempty"`
	// Test: declared for a source set or suite of tests.
	Test   bool  `json:"t,omitempty"`
	Line   int32 `json:"line,omitempty"`
	Column int32 `json:"col,omitempty"`
	End    int32 `json:"end,omitempty"`
}

// maxScript is the size in bytes of the largest build script that is read.
const maxScript = 8 << 20

// parser reads a build script without running it.
type parser struct {
	src     []byte
	toks    []token
	pos     int
	kotlin  bool
	tooDeep bool
	blocks  []block
	out     *script
	gaps    *collect.Gaps
	twice   map[string]bool // variables that are given two meanings
}

// block is what the lines within braces are about.
type block struct {
	outer        bool // of the script itself: what is set here is the project's
	dependencies bool
	constraints  bool
	build        bool // buildscript, pluginManagement
	test         bool // a source set or suite of tests
	plugins      bool
	extra        bool // ext, extra
	management   bool // of the dependency management plugin
	imports      bool // BOMs of it
	rich         bool // version { strictly … } of the declaration
	declared     int  // the declaration that it completes + 1
}

func readScript(f extract.File, gaps *collect.Gaps) (*script, error) {
	if len(f.Content) > maxScript {
		return nil, fmt.Errorf("reading %s: a build script of %d bytes; the most that is read are %d", f.Path, len(f.Content), maxScript)
	}
	p := &parser{src: f.Content, kotlin: strings.HasSuffix(f.Path, ".kts"), out: &script{Variables: map[string]string{}}, gaps: gaps, twice: map[string]bool{}}
	l := lexer{src: p.src, line: 1, kotlin: p.kotlin}
	p.toks = l.tokens()
	p.blocks = append(p.blocks, block{outer: true, build: strings.HasPrefix(f.Path, "buildSrc/") || strings.Contains(f.Path, "/buildSrc/")})
	for p.pos < len(p.toks) {
		switch t := p.toks[p.pos]; {
		case t.is('}'):
			if len(p.blocks) > 1 {
				p.blocks = p.blocks[:len(p.blocks)-1]
			}
			p.pos++
		case t.is('{'):
			p.open("", 0)
		case t.kind == tokenName || t.kind == tokenString:
			p.statement()
		default:
			p.pos++
		}
	}
	if p.tooDeep {
		return nil, fmt.Errorf("reading %s: brackets nested deeper than %d levels", f.Path, extract.MaxDepth)
	}
	if len(p.out.Declarations) > extract.MaxPackages {
		return nil, fmt.Errorf("reading %s: %d dependencies: no build script has that many", f.Path, len(p.out.Declarations))
	}
	p.keep()
	return p.out, nil
}

func (p *parser) in() *block { return &p.blocks[len(p.blocks)-1] }

// open enters the block that begins here, that of a call.
func (p *parser) open(name string, declared int) {
	p.pos++
	if len(p.blocks) > 10*extract.MaxDepth {
		p.tooDeep = true
		p.pos = len(p.toks)
		return
	}
	b := *p.in()
	child := block{build: b.build, test: b.test}
	for part := range strings.SplitSeq(name, ".") {
		child.test = child.test || forDevelopment(part)
	}
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "if", "else", "for", "while", "when", "try", "each", "forEach", "afterEvaluate", "run", "with":
		child = b
		child.outer, child.declared = false, 0
	case "allprojects", "subprojects", "configure":
		child.outer = true
	case "buildscript", "pluginManagement":
		child.build = true
	case "dependencies":
		child.dependencies, child.constraints = true, b.management
	case "constraints":
		child.dependencies, child.constraints = b.dependencies, b.dependencies
	case "plugins":
		child.plugins = true
	case "ext", "extra":
		child.extra = true
	case "dependencyManagement":
		child.management = true
	case "imports":
		child.imports = b.management
	case "version":
		child.rich, child.declared = b.declared > 0, b.declared
	}
	if declared > 0 {
		child = block{declared: declared, build: b.build, test: b.test}
	}
	p.blocks = append(p.blocks, child)
}

// statement reads a call, an assignment or a definition, up to its end or to
// where its block begins.
func (p *parser) statement() {
	start := p.peek()
	defined := false
	for p.peek().kind == tokenName && p.after(1).kind == tokenName && modifier(p.textOf(p.peek())) {
		defined = true
		p.pos++
	}
	name := p.path()
	declared := 0
	switch t := p.peek(); {
	case t.is('=') && !p.after(1).is('='):
		p.pos++
		p.breaks()
		p.define(name, p.expression(0), defined)
	case t.is(':') && defined:
		for p.pos < len(p.toks) && !p.ends(p.peek()) && !p.peek().is('=') && !p.isName("by") {
			p.pos++
		}
		if p.peek().is('=') {
			p.pos++
			p.define(name, p.expression(0), true)
		} else if p.isName("by") {
			p.delegate(name)
		}
	case defined && p.isName("by"):
		p.delegate(name)
	case t.is('('):
		declared = p.call(name, p.bracketed(), start)
	case t.kind == tokenName && p.infix(t), t.kind == tokenString && start.kind == tokenName, t.is('[') && start.kind == tokenName:
		declared = p.call(name, p.arguments(0, 0), start)
	}
	p.rest(name, declared)
}

// infix reports whether a name begins the arguments of a call without brackets.
func (p *parser) infix(t token) bool {
	switch p.textOf(t) {
	case "in", "is", "as", "instanceof", "by", "else":
		return false
	}
	return true
}

func modifier(s string) bool {
	switch s {
	case "def", "val", "var", "const", "final", "private", "internal", "public", "static", "String":
		return true
	}
	return false
}

func (p *parser) isName(s string) bool {
	t := p.peek()
	return t.kind == tokenName && p.textOf(t) == s
}

func (p *parser) ends(t token) bool {
	return t.kind == tokenBreak || t.kind == tokenEnd || t.is('{') || t.is('}')
}

// path reads a.b["c"].
func (p *parser) path() string {
	t := p.peek()
	name := p.textOf(t)
	p.pos++
	if t.kind == tokenString {
		return name
	}
	for {
		switch {
		case p.peek().is('.') && p.after(1).kind == tokenName:
			name = cutLong(name + "." + p.textOf(p.after(1)))
			p.pos += 2
		case p.peek().is('[') && p.after(1).kind == tokenString && p.after(2).is(']'):
			name = cutLong(name + "." + p.textOf(p.after(1)))
			p.pos += 3
		default:
			return name
		}
	}
}

// delegate reads "by extra("1.0")" and "by extra { "1.0" }".
func (p *parser) delegate(name string) {
	p.pos++
	if !p.isName("extra") {
		return
	}
	if n := p.after(1); n.is('(') || n.is('{') {
		p.pos += 2
		p.define(name, p.expression(0), true)
		if n.is('{') && p.peek().is('}') {
			p.pos++
		}
	}
}

// rest passes what is left of a statement; "version" there is a plugin's.
func (p *parser) rest(name string, declared int) {
	for p.pos < len(p.toks) {
		t := p.peek()
		switch {
		case t.is('{'):
			p.open(name, declared)
			return
		case t.kind == tokenBreak && p.after(1).is('.'):
			p.pos++
		case p.ends(t):
			return
		case t.kind == tokenName && p.textOf(t) == "version" && p.in().plugins && declared > 0:
			p.pos++
			d := &p.out.Declarations[declared-1]
			if p.peek().is('(') {
				if list := p.bracketed(); len(list) == 1 {
					d.Version = list[0].template()
				}
			} else {
				v := p.expression(0)
				d.Version = v.template()
			}
		case t.kind == tokenName && declared == 0:
			name = p.textOf(t)
			p.pos++
		case t.is('('):
			p.bracketed()
		case t.is(','): // a closure as the last argument
			p.pos++
			p.breaks()
		default:
			p.pos++
		}
	}
}

// bracketed reads the arguments of the bracket that begins here.
func (p *parser) bracketed() []argument {
	p.pos++
	return p.arguments(')', 0)
}

// define notes what a name stands for, if it may be a version or a dependency.
func (p *parser) define(name string, v value, local bool) {
	b := p.in()
	if !local && !b.outer && !b.extra && !strings.HasPrefix(name, "ext.") && !strings.Contains(name, "extra.") && !strings.Contains(name, ".ext.") {
		return
	}
	p.assign(plain(name), &v, 0)
}

func (p *parser) assign(name string, v *value, depth int) {
	if v.isList && depth < 8 {
		for i := range v.args {
			if a := &v.args[i]; a.name != "" {
				p.assign(cutLong(name+"."+a.name), &a.value, depth+1)
			}
		}
		return
	}
	if (v.call == "mapOf" || v.call == "mutableMapOf") && depth < 8 {
		p.assign(name, &value{isList: true, args: v.args}, depth+1)
		return
	}
	text := v.template()
	if text == "" || !collect.Sound(text) || !collect.Sound(name) {
		text = unknown
	}
	if old, had := p.out.Variables[name]; had && old != text {
		p.twice[name] = true
	}
	p.out.Variables[name] = text
}

// keep leaves of the variables only what others may need: nothing that could be
// a password is kept beyond this file.
func (p *parser) keep() {
	used := map[string]bool{}
	note := func(text string) {
		for name := range placeholders(text) {
			used[plain(name)] = true
		}
	}
	for i := range p.out.Declarations {
		d := &p.out.Declarations[i]
		note(d.Notation)
		note(d.Version)
	}
	for name := range p.twice {
		p.out.Variables[name] = unknown
	}
	for _, text := range p.out.Variables {
		note(text)
	}
	for name, text := range p.out.Variables {
		if !used[name] && !mayServe(text) {
			delete(p.out.Variables, name)
		}
	}
}

// mayServe reports whether a text has the shape of a version, a group or a
// notation.
func mayServe(s string) bool {
	if s == "" || len(s) > 200 {
		return false
	}
	if strings.Contains(s, "://") {
		return false
	}
	if strings.ContainsAny(s, ":") || strings.Contains(s, "${") {
		return true
	}
	first := strings.TrimLeft(s, "v[(")
	if first == "" {
		return false
	}
	if isDigit(first[0]) {
		return len(s) <= 40
	}
	return len(s) <= 80 && isNameStart(first[0]) && strings.Count(s, ".") >= 1 && !strings.ContainsAny(s, " /")
}

// apply notes a script that is applied: apply from: "gradle/versions.gradle".
func (p *parser) apply(args []argument) {
	from := named(args, "from")
	for i := range args {
		if args[i].name == "from" && (args[i].call == "file") && len(args[i].args) == 1 {
			from = args[i].args[0].template()
		}
	}
	if from != "" && len(p.out.Applied) < 100 && !strings.Contains(from, "://") && collect.Sound(from) && strings.HasPrefix(path.Ext(from), ".") {
		p.out.Applied = append(p.out.Applied, from)
	}
}
