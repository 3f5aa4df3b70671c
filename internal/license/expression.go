// Package license reads what manifests state of licences and holds it against
// a policy: SPDX expressions (SPDX specification 2.3, annex D), the names that
// people write instead, and lists of what is allowed and denied.
//
// The ids are those of github.com/github/go-spdx. Its evaluator is not used: it
// tells whether an expression is satisfied, not which part of it is not, and
// takes more than ten times as long.
//
// It does not read licence texts and gives no legal advice. What follows from a
// denial is decided by package policy.
package license

import (
	"fmt"
	"strings"

	"github.com/github/go-spdx/v2/spdxexp/spdxlicenses"
)

// Limits of an expression, which is a stranger's text.
const (
	maxLength   = 4096 // bytes
	maxDepth    = 32   // nested parentheses
	maxOperands = 256
)

// Operator says how a node joins its operands.
type Operator uint8

// The operators.
const (
	Leaf Operator = iota // a licence
	And                  // all apply
	Or                   // the user chooses
)

// Expression is an SPDX expression as a tree. The zero value is not one.
type Expression struct {
	Op Operator
	// ID is the SPDX id in its own spelling or a LicenseRef; never a deprecated
	// id and never with "+" if a form "-or-later" exists. Of a Leaf.
	ID string
	// Plus is true for "ID+": this version or a later one. Of a Leaf.
	Plus bool
	// Exception is the SPDX id behind WITH, empty if there is none. Of a Leaf.
	Exception string
	Operands  []Expression // of And and Or, two or more
}

// String writes the expression with no more parentheses than it needs.
func (e Expression) String() string {
	var b strings.Builder
	e.write(&b, false)
	return b.String()
}

func (e Expression) write(b *strings.Builder, inAnd bool) {
	if e.Op == Leaf {
		b.WriteString(e.ID)
		if e.Plus {
			b.WriteByte('+')
		}
		if e.Exception != "" {
			b.WriteString(" WITH " + e.Exception)
		}
		return
	}
	word, open := " AND ", false
	if e.Op == Or {
		word, open = " OR ", inAnd
	}
	if open {
		b.WriteByte('(')
	}
	for i := range e.Operands {
		if i > 0 {
			b.WriteString(word)
		}
		e.Operands[i].write(b, e.Op == And)
	}
	if open {
		b.WriteByte(')')
	}
}

// join makes one expression of several; equal ones are there once.
func join(op Operator, all ...Expression) Expression {
	var flat []Expression
	seen := map[string]bool{}
	for _, e := range all {
		parts := []Expression{e}
		if e.Op == op {
			parts = e.Operands
		}
		for _, p := range parts {
			if s := p.String(); !seen[s] {
				seen[s] = true
				flat = append(flat, p)
			}
		}
	}
	if len(flat) == 1 {
		return flat[0]
	}
	return Expression{Op: op, Operands: flat}
}

// Parse reads an SPDX expression. Ids and operators may be in any case;
// deprecated ids become their successors ("GPL-2.0+" is GPL-2.0-or-later). An id
// that SPDX does not know is an error, as is anything that names the byte at
// which it stands.
func Parse(text string) (Expression, error) {
	if len(text) > maxLength {
		return Expression{}, fmt.Errorf("reading a licence expression: it is longer than %d bytes", maxLength)
	}
	p := parser{text: text}
	p.next()
	e, err := p.or(0)
	if err == nil && p.token != "" {
		err = p.fail("%q is more than one expression", p.token)
	}
	if err != nil {
		return Expression{}, err
	}
	return e, nil
}

type parser struct {
	text     string
	pos      int    // behind token
	at       int    // of token
	token    string // "(", ")" or a word; "" at the end
	operands int
}

func (p *parser) fail(format string, args ...any) error {
	return fmt.Errorf("reading a licence expression: at byte %d: %s", p.at+1, fmt.Sprintf(format, args...))
}

func (p *parser) next() {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t' || p.text[p.pos] == '\n' || p.text[p.pos] == '\r') {
		p.pos++
	}
	p.at = p.pos
	if p.pos < len(p.text) && (p.text[p.pos] == '(' || p.text[p.pos] == ')') {
		p.pos++
	} else {
		for p.pos < len(p.text) && !strings.ContainsRune(" \t\n\r()", rune(p.text[p.pos])) {
			p.pos++
		}
	}
	p.token = p.text[p.at:p.pos]
}

func (p *parser) or(depth int) (Expression, error) {
	return p.list(Or, "OR", func() (Expression, error) {
		return p.list(And, "AND", func() (Expression, error) { return p.operand(depth) })
	})
}

func (p *parser) list(op Operator, word string, operand func() (Expression, error)) (Expression, error) {
	first, err := operand()
	if err != nil {
		return Expression{}, err
	}
	all := []Expression{first}
	for strings.EqualFold(p.token, word) {
		p.next()
		e, err := operand()
		if err != nil {
			return Expression{}, err
		}
		all = append(all, e)
	}
	if len(all) == 1 {
		return first, nil
	}
	return join(op, all...), nil
}

func (p *parser) operand(depth int) (Expression, error) {
	switch {
	case p.token == "":
		return Expression{}, p.fail("a licence is missing")
	case p.token == ")":
		return Expression{}, p.fail("\")\" without \"(\"")
	case p.token == "(":
		if depth == maxDepth {
			return Expression{}, p.fail("more than %d nested parentheses", maxDepth)
		}
		p.next()
		e, err := p.or(depth + 1)
		if err != nil {
			return Expression{}, err
		}
		if p.token != ")" {
			return Expression{}, p.fail("\")\" is missing")
		}
		p.next()
		return e, nil
	}
	if p.operands++; p.operands > maxOperands {
		return Expression{}, p.fail("more than %d licences", maxOperands)
	}
	e, ok := leaf(p.token)
	if !ok {
		return Expression{}, p.fail("%q is no SPDX licence id", shorten(p.token))
	}
	p.next()
	if !strings.EqualFold(p.token, "WITH") {
		return e, nil
	}
	p.next()
	ok, exception := spdxlicenses.IsException(p.token)
	if !ok {
		return Expression{}, p.fail("%q is no SPDX exception id", shorten(p.token))
	}
	if e.Exception != "" && e.Exception != exception {
		return Expression{}, p.fail("there are two exceptions")
	}
	e.Exception = exception
	p.next()
	return e, nil
}

func shorten(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}

// leaf reads one id, with or without "+".
func leaf(word string) (Expression, bool) {
	if isReference(word) {
		return Expression{ID: word}, true
	}
	if e, ok := successor(word); ok {
		return e, true
	}
	id, plus := strings.CutSuffix(word, "+")
	if e, ok := successor(id); ok && plus {
		if base, only := strings.CutSuffix(e.ID, "-only"); only {
			return Expression{ID: base + "-or-later", Exception: e.Exception}, true
		}
		e.Plus = !strings.HasSuffix(e.ID, "-or-later")
		return e, true
	}
	if ok, known := spdxlicenses.IsActiveLicense(id); ok {
		if base, only := strings.CutSuffix(known, "-only"); only && plus {
			return Expression{ID: base + "-or-later"}, true
		}
		return Expression{ID: known, Plus: plus && !strings.HasSuffix(known, "-or-later")}, true
	}
	if ok, known := spdxlicenses.IsDeprecatedLicense(id); ok {
		return Expression{ID: known, Plus: plus}, true
	}
	return Expression{}, false
}

// isReference reports whether word is "LicenseRef-…" or
// "DocumentRef-…:LicenseRef-…".
func isReference(word string) bool {
	if document, rest, ok := strings.Cut(word, ":"); ok {
		name, ok := strings.CutPrefix(document, "DocumentRef-")
		if !ok || !isName(name) {
			return false
		}
		word = rest
	}
	name, ok := strings.CutPrefix(word, "LicenseRef-")
	return ok && isName(name)
}

func isName(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return s != ""
}

// successor gives the expression that replaces a deprecated id, as the SPDX
// licence list names it.
func successor(word string) (Expression, bool) {
	upper := strings.ToUpper(word)
	for _, family := range [...]string{"GPL-", "LGPL-", "AGPL-", "GFDL-"} {
		version, ok := strings.CutPrefix(upper, family)
		if !ok {
			continue
		}
		version, plus := strings.CutSuffix(version, "+")
		form := "-only"
		if plus {
			form = "-or-later"
		}
		if ok, id := spdxlicenses.IsActiveLicense(family + version + form); ok {
			return Expression{ID: id}, true
		}
	}
	switch upper {
	case "GPL-2.0-WITH-CLASSPATH-EXCEPTION":
		return Expression{ID: "GPL-2.0-only", Exception: "Classpath-exception-2.0"}, true
	case "GPL-2.0-WITH-GCC-EXCEPTION":
		return Expression{ID: "GPL-2.0-only", Exception: "GCC-exception-2.0"}, true
	case "GPL-2.0-WITH-AUTOCONF-EXCEPTION":
		return Expression{ID: "GPL-2.0-only", Exception: "Autoconf-exception-2.0"}, true
	case "GPL-2.0-WITH-BISON-EXCEPTION":
		return Expression{ID: "GPL-2.0-only", Exception: "Bison-exception-2.2"}, true
	case "GPL-2.0-WITH-FONT-EXCEPTION":
		return Expression{ID: "GPL-2.0-only", Exception: "Font-exception-2.0"}, true
	case "GPL-3.0-WITH-GCC-EXCEPTION":
		return Expression{ID: "GPL-3.0-only", Exception: "GCC-exception-3.1"}, true
	case "GPL-3.0-WITH-AUTOCONF-EXCEPTION":
		return Expression{ID: "GPL-3.0-only", Exception: "Autoconf-exception-3.0"}, true
	case "ECOS-2.0":
		return Expression{ID: "GPL-2.0-or-later", Exception: "eCos-exception-2.0"}, true
	case "WXWINDOWS":
		return Expression{ID: "GPL-2.0-or-later", Exception: "WxWindows-exception-3.1"}, true
	case "BSD-2-CLAUSE-FREEBSD", "BSD-2-CLAUSE-NETBSD":
		return Expression{ID: "BSD-2-Clause"}, true
	case "BZIP2-1.0.5":
		return Expression{ID: "bzip2-1.0.6"}, true
	case "STANDARDML-NJ":
		return Expression{ID: "SMLNJ"}, true
	}
	return Expression{}, false
}
