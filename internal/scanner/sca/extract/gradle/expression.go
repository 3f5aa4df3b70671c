package gradle

import (
	"strings"

	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// value is what an expression of a script says, without running it.
type value struct {
	// text is a string or number; what is to be put in stands as ${name}.
	text   string
	isText bool
	// ref is a dotted name: "libs.web.core", "springVersion".
	ref string
	// call is the name of a function that was called; args are its arguments,
	// or the entries of a list or map.
	call   string
	isList bool
	args   []argument
	at     token
}

// argument is an argument of a call or an entry of a list or map.
type argument struct {
	name string // "" for one without
	value
}

// maxArguments is how many arguments or entries are kept of one call or list.
const maxArguments = 10_000

// unknown is a placeholder for an expression that is not understood; no
// property can have its name.
const unknown = "${?}"

// template is the text of a value, "" if it is none.
func (v *value) template() string {
	switch {
	case v.isText:
		return v.text
	case v.ref != "":
		return "${" + v.ref + "}"
	}
	return ""
}

// named returns the text of the argument of a name.
func named(args []argument, names ...string) string {
	for i := range args {
		for _, n := range names {
			if args[i].name == n {
				return args[i].template()
			}
		}
	}
	return ""
}

func (p *parser) peek() token {
	if p.pos < len(p.toks) {
		return p.toks[p.pos]
	}
	return token{kind: tokenEnd}
}

func (p *parser) after(n int) token {
	if p.pos+n < len(p.toks) {
		return p.toks[p.pos+n]
	}
	return token{kind: tokenEnd}
}

func (t token) is(sign byte) bool { return t.kind == tokenSign && t.sign == sign }

func (p *parser) breaks() {
	for p.peek().kind == tokenBreak {
		p.pos++
	}
}

// expression reads primaries joined by +. It always passes at least one token
// unless it stands before a closing bracket, a comma, a break or the end.
func (p *parser) expression(depth int) value {
	v := p.primary(depth)
	for p.peek().is('+') && !p.after(1).is('=') {
		p.pos++
		p.breaks()
		w := p.primary(depth)
		a, b := v.template(), w.template()
		if a == "" && !v.isText {
			a = unknown
		}
		if b == "" && !w.isText {
			b = unknown
		}
		v = value{text: cutLong(a + b), isText: true, at: v.at}
	}
	return v
}

// cutLong keeps a text that grows bit by bit from growing without end.
func cutLong(s string) string {
	if len(s) > 4*extract.MaxName {
		return unknown
	}
	return s
}

func (p *parser) primary(depth int) value {
	t := p.peek()
	if depth > extract.MaxDepth {
		p.tooDeep = true
		p.pos = len(p.toks)
		return value{at: t}
	}
	switch {
	case t.kind == tokenString:
		p.pos++
		v := value{text: p.template(t, depth), isText: true, at: t}
		p.chain(&v, depth)
		return v
	case t.kind == tokenNumber:
		p.pos++
		return value{text: p.textOf(t), isText: true, at: t}
	case t.kind == tokenName:
		p.pos++
		if t.end > t.start && p.textOf(t) == "new" {
			return value{at: t}
		}
		v := value{ref: p.textOf(t), at: t}
		p.chain(&v, depth)
		return v
	case t.is('['):
		p.pos++
		v := value{isList: true, args: p.arguments(']', depth+1), at: t}
		p.chain(&v, depth)
		return v
	case t.is('('):
		p.pos++
		args := p.arguments(')', depth+1)
		v := value{at: t}
		if len(args) == 1 && args[0].name == "" {
			v = args[0].value
		}
		p.chain(&v, depth)
		return v
	case t.is('{'):
		p.braces()
	case t.is(')'), t.is(']'), t.is('}'), t.is(','), t.kind == tokenBreak, t.kind == tokenEnd:
	default:
		p.pos++
	}
	return value{at: t}
}

// chain reads what follows a value: .name, ["name"], (arguments).
func (p *parser) chain(v *value, depth int) {
	for {
		t := p.peek()
		switch {
		case t.is('?') && p.after(1).is('.'), t.is('!') && p.after(1).is('!'):
			p.pos++
			if t.is('!') {
				p.pos++
			}
		case t.is('.') && p.after(1).kind == tokenName:
			name := p.textOf(p.after(1))
			p.pos += 2
			switch {
			case p.peek().is('(') && accessor(name):
				p.pos++
				p.arguments(')', depth+1)
			case v.ref != "":
				v.ref = cutLong(v.ref + "." + name)
			}
		case t.kind == tokenBreak && p.after(1).is('.') && p.after(2).kind == tokenName:
			p.pos++ // the chain goes on on the next line
		case t.is('[') && v.ref != "" && p.after(1).kind == tokenString && p.after(2).is(']'):
			v.ref = cutLong(v.ref + "." + p.textOf(p.after(1)))
			p.pos += 3
		case t.is('('):
			p.pos++
			args := p.arguments(')', depth+1)
			p.called(v, args)
		default:
			return
		}
	}
}

// accessor reports whether a method returns what it is called on, for us.
func accessor(name string) bool {
	switch name {
	case "get", "getOrNull", "orNull", "toString", "asProvider", "trim":
		return true
	}
	return false
}

// called makes a call of a name. Looking up a property is a name again.
func (p *parser) called(v *value, args []argument) {
	if v.ref == "" {
		return // a method of a call or text: what it makes of it is not known
	}
	name := v.ref[strings.LastIndexByte(v.ref, '.')+1:]
	switch name {
	case "property", "findProperty", "getProperty", "gradleProperty":
		if len(args) == 1 && args[0].isText {
			v.ref = args[0].text
			return
		}
	}
	v.call, v.args, v.ref = name, args, ""
}

// arguments reads up to the closing bracket, which is passed. With end 0 it
// reads those of a call without brackets, up to the end of the statement.
func (p *parser) arguments(end byte, depth int) []argument {
	var out []argument
	for p.pos < len(p.toks) {
		t := p.peek()
		if end != 0 {
			p.breaks()
			if t = p.peek(); t.is(end) {
				p.pos++
				return out
			}
		} else if t.kind == tokenBreak || t.is('{') {
			return out
		}
		if t.is('}') {
			return out // a bracket is missing
		}
		before := p.pos
		var a argument
		if n := p.after(1); (t.kind == tokenName || t.kind == tokenString) && (n.is(':') && !p.after(2).is(':') || n.is('=') && !p.after(2).is('=')) {
			a.name = p.textOf(t)
			p.pos += 2
			p.breaks()
		}
		a.value = p.expression(depth)
		if n := p.peek(); n.kind == tokenName && p.textOf(n) == "to" { // Kotlin's pair
			p.pos++
			w := p.expression(depth)
			if a.isText {
				a = argument{name: a.text, value: w}
			}
		}
		if len(out) < maxArguments {
			out = append(out, a)
		}
		if p.peek().is(',') {
			p.pos++
			if end == 0 {
				p.breaks()
			}
			continue
		}
		if end == 0 {
			return out
		}
		if p.pos == before {
			p.pos++
		}
	}
	return out
}

// braces passes a block as a whole.
func (p *parser) braces() {
	depth := 0
	for ; p.pos < len(p.toks); p.pos++ {
		switch t := p.toks[p.pos]; {
		case t.is('{'):
			depth++
		case t.is('}'):
			if depth--; depth == 0 {
				p.pos++
				return
			}
		}
	}
}

// template is the text of a string, each $name and ${expression} as ${name}.
func (p *parser) template(t token, depth int) string {
	s := p.textOf(t)
	if len(s) > 4*extract.MaxName {
		return unknown
	}
	if !t.template || strings.IndexByte(s, '$') < 0 {
		if strings.Contains(s, "${") { // plain text here, a placeholder later
			return unknown
		}
		return unescape(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteByte(s[i+1])
			i += 2
		case s[i] != '$' || i+1 >= len(s):
			b.WriteByte(s[i])
			i++
		case s[i+1] == '{':
			l := lexer{src: []byte(s), at: i, kotlin: p.kotlin}
			end := l.hole()
			b.WriteString(p.inner(s[i+2:max(i+2, end-1)], depth+1))
			i = end
		case isNameStart(s[i+1]):
			j := i + 1
			for j < len(s) && (isNameStart(s[j]) || isDigit(s[j]) || !p.kotlin && s[j] == '.' && j+1 < len(s) && isNameStart(s[j+1])) {
				j++
			}
			b.WriteString("${" + s[i+1:j] + "}")
			i = j
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return cutLong(b.String())
}

// inner reads the expression of a ${…}.
func (p *parser) inner(src string, depth int) string {
	if depth > 4 || !collect.Sound(src) {
		return unknown
	}
	l := lexer{src: []byte(src), line: 1, kotlin: p.kotlin}
	q := parser{src: l.src, toks: l.tokens(), kotlin: p.kotlin, out: p.out}
	v := q.expression(depth)
	if text := v.template(); text != "" && q.pos == len(q.toks) {
		return text
	}
	return unknown
}
