// Package strictyaml reads the small YAML files that people write for Bulwark
// (its configuration, the waivers) and refuses whatever they cannot have meant:
// unknown and repeated keys, values of another type, aliases, tags, a second
// document. Every fault carries file, line and column and, where there is one,
// a hint at what to do.
//
// It is not a general YAML decoder: there is no reflection and no mapping onto
// arbitrary structs. The caller says, key by key, what it expects.
package strictyaml

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Node is a node of the parsed document.
type Node = yaml.Node

// DateLayout is the one form in which dates are written.
const DateLayout = "2006-01-02"

const (
	maxFaults = 20 // reported at once; more only bury the first
	maxDepth  = 64 // levels of nesting in a document
)

// Fault is one thing wrong with a document.
type Fault struct {
	File    string
	Line    int // from 1; 0 where the fault concerns the whole file
	Column  int // in characters, from 1; 0 if unknown
	Message string
	Hint    string // what to do, empty if the message says it
}

func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
		if f.Column > 0 {
			fmt.Fprintf(&b, ":%d", f.Column)
		}
	}
	b.WriteString(": ")
	b.WriteString(f.Message)
	if f.Hint != "" {
		b.WriteString(" (")
		b.WriteString(f.Hint)
		b.WriteString(")")
	}
	return b.String()
}

// Faults are all that is wrong with a document, in the order of the text.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Decoder collects the faults of one document while its values are taken out.
type Decoder struct {
	name   string
	faults Faults
	more   int // faults beyond maxFaults
}

// Parse reads data, the content of the file called name, which may hold at most
// limit bytes, and returns the root node, nil when the document is empty. The
// error is a Faults.
func Parse(name string, data []byte, limit int) (*Decoder, *Node, error) {
	d := &Decoder{name: name}
	fail := func(f Fault) (*Decoder, *Node, error) {
		f.File = name
		return d, nil, Faults{f}
	}
	if len(data) > limit {
		return fail(Fault{
			Message: fmt.Sprintf("the file has %d bytes, more than the %d allowed", len(data), limit),
			Hint:    "is this the right file?",
		})
	}
	if !utf8.Valid(data) {
		return fail(Fault{Line: invalidUTF8Line(data), Message: "the file is not valid UTF-8", Hint: "save it as UTF-8"})
	}
	doc, next, err := decode(data)
	if err != nil {
		line, message := position(err)
		return fail(Fault{Line: line, Message: message})
	}
	if next != nil {
		return fail(Fault{Line: next.Line, Column: next.Column, Message: "a second YAML document", Hint: "keep one document per file"})
	}
	if doc == nil || len(doc.Content) == 0 {
		return d, nil, nil
	}
	root := doc.Content[0]
	if isNull(root) {
		return d, nil, nil
	}
	d.check(root, 0)
	if err := d.Err(); err != nil {
		return d, nil, err
	}
	return d, root, nil
}

// decode parses the first document and looks for another one. The YAML parser
// is somebody else's code fed with a stranger's bytes: should it panic, that is
// a fault of the document, not the end of the process.
func decode(data []byte) (doc, next *Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, next, err = nil, nil, fmt.Errorf("yaml: cannot be parsed: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var first, second Node
	switch err := dec.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
		return &first, nil, nil
	case err != nil:
		return nil, nil, err
	}
	return &first, &second, nil
}

func invalidUTF8Line(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		data = data[n:]
	}
	return line
}

var yamlPosition = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?(?:line (\d+): )?(.*)`)

// position takes the line out of a message of the YAML parser.
func position(err error) (line int, message string) {
	m := yamlPosition.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(m[1])
	return line, "not valid YAML: " + m[2]
}

// check refuses what makes YAML surprising or expensive: aliases (which let a
// small file expand without bound), explicit tags and deep nesting; and
// repeated keys, which other readers resolve silently.
func (d *Decoder) check(n *Node, depth int) {
	switch {
	case depth > maxDepth:
		d.Fault(n, "", "nested deeper than %d levels", maxDepth)
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.Fault(n, "write the value out", "anchors and aliases are not supported here")
		return
	case n.Style&yaml.TaggedStyle != 0:
		d.Fault(n, "remove the tag", "explicit tag %s", quote(n.Tag))
		return
	}
	if n.Kind == yaml.MappingNode {
		seen := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind != yaml.ScalarNode {
				d.Fault(k, "", "a key must be plain text")
				continue
			}
			if first, ok := seen[k.Value]; ok {
				d.Fault(k, "remove one of the two", "the key %s is already set on line %d", quote(k.Value), first)
			} else {
				seen[k.Value] = k.Line
			}
		}
	}
	for _, c := range n.Content {
		d.check(c, depth+1)
	}
}

// Fault records what is wrong at n; hint may be empty.
func (d *Decoder) Fault(n *Node, hint, format string, args ...any) {
	if len(d.faults) >= maxFaults {
		d.more++
		return
	}
	f := Fault{File: d.name, Message: fmt.Sprintf(format, args...), Hint: hint}
	if n != nil {
		f.Line, f.Column = n.Line, n.Column
	}
	d.faults = append(d.faults, f)
}

// Err returns the faults recorded so far as Faults, nil if there are none.
func (d *Decoder) Err() error {
	if len(d.faults) == 0 {
		return nil
	}
	all := slices.Clone(d.faults)
	slices.SortStableFunc(all, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if d.more > 0 {
		all = append(all, Fault{File: d.name, Message: fmt.Sprintf("and %d more", d.more)})
	}
	return all
}

// Field is a key that a mapping may have.
type Field struct {
	Name     string
	Required bool
	Set      func(*Node)
}

// Mapping takes the fields out of n in the order of the text. A key that no
// field names is a fault with the nearest known one as a hint. An absent or
// empty mapping (a key whose lines are all commented out) sets nothing.
func (d *Decoder) Mapping(n *Node, fields []Field) {
	var at *Node
	if n != nil && !isNull(n) {
		if n.Kind != yaml.MappingNode {
			d.Fault(n, "", "want a mapping of keys to values, have %s", kind(n))
			return
		}
		at = n
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			j := slices.IndexFunc(fields, func(f Field) bool { return f.Name == k.Value })
			if j < 0 {
				d.Fault(k, suggest(k.Value, fields), "unknown key %s", quote(k.Value))
				continue
			}
			fields[j].Set(v)
		}
	} else if n != nil {
		at = n
	}
	for _, f := range fields {
		if f.Required && !has(n, f.Name) {
			d.Fault(at, "", "the key %q is missing", f.Name)
		}
	}
}

func has(n *Node, key string) bool {
	if n == nil {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

// Entries calls each for the pairs of a mapping whose keys are free.
func (d *Decoder) Entries(n *Node, each func(key, value *Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.Fault(n, "", "want a mapping of keys to values, have %s", kind(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		each(n.Content[i], n.Content[i+1])
	}
}

// Items calls each for the items of a list. An empty value is an empty list.
func (d *Decoder) Items(n *Node, each func(item *Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.Fault(n, "put it in brackets: [ … ]", "want a list, have %s", kind(n))
		return
	}
	for _, c := range n.Content {
		each(c)
	}
}

// Strings takes a list of texts, each non-empty and named once.
func (d *Decoder) Strings(n *Node) []string {
	var out []string
	d.Items(n, func(item *Node) {
		s, ok := d.String(item)
		switch {
		case !ok:
		case slices.Contains(out, s):
			d.Fault(item, "remove one of the two", "%s is listed twice", quote(s))
		default:
			out = append(out, s)
		}
	})
	return out
}

// String takes a non-empty text. A bare number or boolean is a fault, since
// YAML would have changed it.
func (d *Decoder) String(n *Node) (string, bool) {
	if !d.scalar(n, "text") {
		return "", false
	}
	if n.ShortTag() != "!!str" {
		d.Fault(n, "put it in quotes", "want text, have %s", kind(n))
		return "", false
	}
	if strings.TrimSpace(n.Value) == "" {
		d.Fault(n, "give a value or remove the key", "the text is empty")
		return "", false
	}
	if i := strings.IndexFunc(n.Value, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }); i >= 0 {
		d.Fault(n, "", "the text holds a control character")
		return "", false
	}
	return n.Value, true
}

// Bool takes true or false.
func (d *Decoder) Bool(n *Node) (value, ok bool) {
	if !d.scalar(n, "true or false") {
		return false, false
	}
	if n.ShortTag() != "!!bool" {
		d.Fault(n, "write true or false", "want true or false, have %s", kind(n))
		return false, false
	}
	return strings.EqualFold(n.Value, "true"), true
}

// Int takes a decimal whole number between low and high.
func (d *Decoder) Int(n *Node, low, high int) (int, bool) {
	if !d.scalar(n, "a whole number") {
		return 0, false
	}
	if n.ShortTag() != "!!int" {
		d.Fault(n, "", "want a whole number, have %s", kind(n))
		return 0, false
	}
	v, err := strconv.Atoi(n.Value)
	if err != nil || v < low || v > high {
		d.Fault(n, "", "%s is out of range: want %d to %d", quote(n.Value), low, high)
		return 0, false
	}
	return v, true
}

// Number takes a decimal number between low and high.
func (d *Decoder) Number(n *Node, low, high float64) (float64, bool) {
	if !d.scalar(n, "a number") {
		return 0, false
	}
	if t := n.ShortTag(); t != "!!int" && t != "!!float" {
		d.Fault(n, "", "want a number, have %s", kind(n))
		return 0, false
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || math.IsNaN(v) || v < low || v > high {
		d.Fault(n, "", "%s is out of range: want %g to %g", quote(n.Value), low, high)
		return 0, false
	}
	return v, true
}

// Text takes any scalar as it is written, for values with a syntax of their
// own such as sizes.
func (d *Decoder) Text(n *Node, want string) (string, bool) {
	if !d.scalar(n, want) {
		return "", false
	}
	return n.Value, true
}

// Enum takes one of the texts in allowed.
func (d *Decoder) Enum(n *Node, allowed ...string) (string, bool) {
	want := "one of " + strings.Join(allowed, ", ")
	if !d.scalar(n, want) {
		return "", false
	}
	if !slices.Contains(allowed, n.Value) {
		hint := ""
		// YAML 1.1 readers turn a bare off into a boolean; here it stays text.
		if near := Nearest(n.Value, allowed); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		d.Fault(n, hint, "unknown value %s: want %s", quote(n.Value), want)
		return "", false
	}
	return n.Value, true
}

// Date takes a day as YYYY-MM-DD and returns its start in UTC.
func (d *Decoder) Date(n *Node) (time.Time, bool) {
	if !d.scalar(n, "a date") {
		return time.Time{}, false
	}
	t, err := time.Parse(DateLayout, n.Value)
	if err != nil {
		d.Fault(n, "write it as YYYY-MM-DD", "%s is not a date", quote(n.Value))
		return time.Time{}, false
	}
	return t, true
}

func (d *Decoder) scalar(n *Node, want string) bool {
	if isNull(n) {
		d.Fault(n, "give a value or remove the key", "the value is empty: want %s", want)
		return false
	}
	if n.Kind != yaml.ScalarNode {
		d.Fault(n, "", "want %s, have %s", want, kind(n))
		return false
	}
	return true
}

func isNull(n *Node) bool {
	return n == nil || n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// kind names what n is, for messages.
func kind(n *Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!str":
		return "the text " + quote(n.Value)
	case "!!bool":
		return "the boolean " + quote(n.Value)
	case "!!int", "!!float":
		return "the number " + quote(n.Value)
	case "!!timestamp":
		return "the date " + quote(n.Value)
	default:
		return quote(n.Value)
	}
}

// quote shows a stranger's text in a message: escaped and short.
func quote(s string) string {
	const limit = 60
	if len(s) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strconv.QuoteToGraphic(s)
}
