// Package plausible judges whether a value that stands where a credential
// might stand is one: from the meaning of the name it is assigned to, from its
// shape (code, text, path, hash, placeholder), from how far its letters are
// from words, and from the kind of file. It finds nothing by itself, reads no
// files, and knows no provider's formats.
package plausible

import (
	"bytes"
	"fmt"

	"bulwark/internal/finding"
	"bulwark/internal/scanner/secret/assign"
)

// Kind is what a value is suspected to be.
type Kind uint8

// The kinds, as rules name them.
const (
	Any Kind = iota
	Password
	Token
	Key
	Secret
	Nonce // nonces, salts and seeds: reported only when very strong
)

var kindNames = [...]string{"any", "password", "token", "key", "secret", "nonce"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// ParseKind returns the kind that String names.
func ParseKind(s string) (Kind, bool) {
	for i, n := range kindNames {
		if n == s {
			return Kind(i), true
		}
	}
	return Any, false
}

// Context is a value with what is known of the place where it stands.
type Context struct {
	Kind   Kind
	Name   []byte // what it is assigned to; empty if nothing
	Value  []byte
	Path   string
	Class  Class // of Path
	Syntax assign.Syntax
	// Assignment: Optional: how the value is assigned.
	Assignment *assign.Assignment
	Line       []byte // Optional: the line, or lines, of the assignment
}

// Judgement is what Judge thinks of a value.
type Judgement struct {
	Plausible  bool
	Confidence finding.Confidence
	// Reason says why not, as a fixed phrase; empty of plausible values.
	Reason   string
	Evidence []string
}

// core returns a value without the word that says how it is written: 0x, hex:,
// base64:, pass:.
func core(v []byte) []byte {
	if len(v) < 12 {
		return v
	}
	if v[0] == '0' && v[1]|0x20 == 'x' && isHex(v[2]) {
		return v[2:]
	}
	for _, s := range [...]string{"base64:", "hex:", "hexkey:", "hexpass:", "hexsecret:", "hexsalt:", "pass:", "key:", "salt:", "raw:", "plain:", "text:"} {
		if v[len(s)-1] == ':' && string(v[:len(s)]) == s {
			return v[len(s):]
		}
	}
	return v
}

// The reasons that a value of the form of a password survives.
const (
	tooWordy  = "words"
	tooLittle = "too little randomness"
)

func no(reason string) Judgement { return Judgement{Reason: reason} }

// longest bounds the length of a value, in bytes.
const longest = 1024

// cutMark stands in the credentials of rules' examples, so that no scanner
// takes them for live ones.
var cutMark = []byte("\u00a6")

// Judge decides whether a value is plausibly a credential. It allocates only
// for plausible values.
func Judge(c Context) Judgement {
	c.Value = core(c.Value)
	v := c.Value
	if len(v) < shortest(c.Kind) || len(v) > longest {
		return no("length")
	}
	if bytes.Contains(v, cutMark) {
		return no("cut")
	}
	switch c.Class {
	case Localisation:
		return no("localisation file")
	case LockFile:
		return no("lock file")
	}
	if c.Kind == Nonce && c.Class == Test {
		return no("nonce in a test") // test vectors hold little else
	}
	var n name
	if c.Assignment == nil || c.Assignment.Op != assign.UserInfo {
		n = readName(c.Name, c.Kind)
	}
	if n.reject != "" {
		return no(n.reject)
	}
	a := c.Assignment
	if a != nil {
		if r := assignmentRejects(&c, a, &n); r != "" {
			return no(r)
		}
	}
	p := profileOf(v)
	if r := p.rejects(v, &c, &n); r != "" {
		return no(r)
	}
	if r := shape(v, &p, &c, &n); r != "" {
		return no(r)
	}
	x := surprise(v)
	r := x.rejects(v, &p, &c, &n)
	if r == "" {
		r = disguise(v, &p, &c, &n)
	}
	chosen := (r == tooWordy || r == tooLittle) && isChosen(v, &p, &c, &n)
	if r != "" && !chosen {
		return no(r)
	}
	if r, is := placeholder(v); is {
		return no(r)
	}
	j := c.accept(&n, &p, x)
	if chosen {
		j.Confidence = finding.Tentative
		j.Evidence[len(j.Evidence)-1] = "the value has the form that password policies ask for"
	}
	return j
}

// isChosen reports whether a value of words may still be a password that a
// person chose: with capitals, digits and enough characters, as policies ask
// for (Welcome1, Oracle_19c).
func isChosen(v []byte, p *profile, c *Context, n *name) bool {
	if c.Kind != Password || n.weak || n.soft || len(v) < 8 || len(v) > 40 || p.digit == 0 || p.upper == 0 || p.lower == 0 || p.high > 0 {
		return false
	}
	if leet(v) {
		return false
	}
	for _, w := range [...]string{"test", "pass", "demo", "user", "secret", "abc", "123", "foo", "invalid", "wrong", "correct", "dummy", "fake", "your", "value", "string", "field", "sha", "utf", "http", "base64"} {
		if indexFold(v, w) >= 0 {
			return false
		}
	}
	return true
}

// rejects turns down values with too little information to be a credential.
func (x *reading) rejects(v []byte, p *profile, c *Context, n *name) string {
	need, each := demand(c, n, p, x.words)
	switch {
	case x.bits < need:
		return tooLittle
	case x.bits*100 < each*len(v) && !(x.bits >= 4*120 && x.strange >= 24 && p.digit >= 6 && x.bits*100 >= 4*370*len(v)):
		return tooWordy
	case n.weak && p.digit == 0:
		return tooWordy
	case x.words > 0 && x.strange < 4 || x.words > 0 && c.Kind != Password && x.strange < 6:
		return tooWordy
	}
	return ""
}

// accept sets the confidence of a plausible value and says what speaks for it.
func (c *Context) accept(n *name, p *profile, x reading) Judgement {
	j := Judgement{Plausible: true, Confidence: finding.Firm}
	a := c.Assignment
	switch {
	case c.Class != Production, c.Syntax == assign.Prose,
		n.weak, n.soft,
		x.bits < 4*36,
		x.bits*100 < 4*430*len(c.Value) && !p.hex,
		p.classes() < 2 && (len(c.Value) < 24 || x.bits < 4*110),
		a != nil && (a.Op == assign.Call || a.Op == assign.Compare || a.Op == assign.Query || a.Op == assign.Pair && c.Syntax == assign.Code || a.Embedded || a.Slash),
		x.words > 0 && x.bits < 4*60,
		illustrates(c.Line),
		a == nil && c.Syntax == assign.Code && len(c.Line) > 0 && !bytes.ContainsAny(c.Line, "\"'`"): // in a comment
		j.Confidence = finding.Tentative
	}
	switch {
	case a != nil && a.Op == assign.UserInfo:
		// The user is not shown: it may be a token.
		j.Evidence = append(j.Evidence, "it stands where a URL has its password")
	case len(c.Name) > 0:
		shown := c.Name
		if len(shown) > 60 {
			shown = shown[:60]
		}
		j.Evidence = append(j.Evidence, fmt.Sprintf("the name %s says %s", shown, c.Kind))
	}
	j.Evidence = append(j.Evidence, fmt.Sprintf("the value is far from words: %.1f bits a character", float64(x.bits)/4/float64(len(c.Value))))
	return j
}

// illustrates reports whether a line explains instead of doing: a comment, or
// one about a host that exists only in examples.
func illustrates(line []byte) bool {
	t := bytes.TrimLeft(line, " \t")
	if len(t) > 512 {
		t = t[:512]
	}
	for _, s := range [...]string{"//", "#", "*", "/*", "--", ">>>", ";;", "<!--", "%", "..", "REM "} {
		if len(t) > len(s) && string(t[:len(s)]) == s {
			return true
		}
	}
	for _, s := range [...]string{"example.com", "example.org", "example.net", "e.g.", "xample:"} {
		if bytes.Contains(t, []byte(s)) {
			return true
		}
	}
	return false
}

func shortest(k Kind) int {
	switch k {
	case Password:
		return 4
	case Nonce:
		return 16
	}
	return 8
}

// demand returns how much surprise, in quarters of a bit, a value must hold in
// all, and how much for every 100 characters.
func demand(c *Context, n *name, p *profile, words int) (need, each int) {
	need, each = 4*28, 4*430
	switch c.Kind {
	case Password:
		need = 4 * 22
		if words == 0 && p.digit > 0 && p.lower+p.upper > 0 && (p.symbol > 0 || p.upper > 0 && p.lower > 0) {
			each = 4 * 370 // several classes, as policies of passwords ask
		}
	case Key:
		need = 4 * 34
	case Nonce:
		need = 4 * 70
	}
	if p.hex && p.digit > 0 && len(c.Value) >= 16 {
		each = 4 * 350 // of 4 bits at most
	}
	if a := c.Assignment; a != nil && a.Embedded {
		each = 4 * 480
	}
	if n.weak {
		need = max(need, 4*60)
	}
	if c.Class == Minified || c.Class == Generated || c.Class == Vendored {
		need = max(need, 4*40)
	}
	return need, each
}
