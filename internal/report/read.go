package report

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// MaxReadBytes is the size of the largest JSON report that Read accepts.
const MaxReadBytes = 256 << 20

// PositionError is an error at a place of a JSON report. Line counts from 1,
// Column counts bytes from 1; Field is the place in the document, such as
// "findings[3].severity".
type PositionError struct {
	Line, Column int
	Field        string
	Err          error
}

func (e *PositionError) Error() string {
	at := fmt.Sprintf("line %d, column %d", e.Line, e.Column)
	if e.Field != "" {
		at += ", " + e.Field
	}
	return at + ": " + e.Err.Error()
}

func (e *PositionError) Unwrap() error { return e.Err }

// Read reads a run from its JSON form, as Write makes it. It is strict: a field
// that is unknown, missing, repeated, null or of another type is an error, and
// so is anything behind the document. Errors of the content are *PositionError.
// It reads MaxReadBytes at most and uses memory in proportion to what it reads.
func Read(r io.Reader) (*outcome.Run, error) { return read(r, MaxReadBytes) }

func read(r io.Reader, limit int64) (*outcome.Run, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the JSON report: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("reading the JSON report: it is larger than %d bytes", limit)
	}
	d := &decoder{data: data, dec: json.NewDecoder(bytes.NewReader(data)), types: map[reflect.Type][]jsonField{}}
	d.dec.UseNumber()
	run, err := d.document()
	if err != nil {
		return nil, fmt.Errorf("reading the JSON report: %w", err)
	}
	return run, nil
}

// decoder fills the wire types from JSON tokens. Package encoding/json alone
// would accept repeated, missing and differently spelled names, and names no
// position for most errors.
type decoder struct {
	data  []byte
	dec   *json.Decoder
	field []string // where in the document it is
	types map[reflect.Type][]jsonField
}

func (d *decoder) document() (*outcome.Run, error) {
	if i := invalidUTF8(d.data); i >= 0 {
		return nil, d.errorAt(i, errors.New("not valid UTF-8"))
	}
	if len(bytes.TrimLeft(d.data, " \t\r\n")) == 0 {
		return nil, d.errorAt(len(d.data), errors.New("empty: want a report made by --format json"))
	}
	var w wireRun
	if err := d.value(reflect.ValueOf(&w).Elem()); err != nil {
		return nil, err
	}
	if rest := bytes.TrimLeft(d.data[d.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, d.errorAt(len(d.data)-len(rest), errors.New("more text behind the report: one file holds one run"))
	}
	run, err := fromWire(&w)
	if err != nil {
		return nil, d.errorAt(len(d.data), err)
	}
	return run, nil
}

// invalidUTF8 returns where data stops being valid UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// errorAt wraps err with the line and column of a byte of the document.
func (d *decoder) errorAt(offset int, err error) error {
	offset = min(max(offset, 0), len(d.data))
	before := d.data[:offset]
	return &PositionError{
		Line:   bytes.Count(before, []byte("\n")) + 1,
		Column: offset - bytes.LastIndexByte(before, '\n'),
		Field:  strings.Join(d.field, ""),
		Err:    err,
	}
}

// start is the offset of the next token.
func (d *decoder) start() int {
	i := int(d.dec.InputOffset())
	for i < len(d.data) && strings.IndexByte(" \t\r\n,:", d.data[i]) >= 0 {
		i++
	}
	return i
}

// token returns the next token and where it starts.
func (d *decoder) token() (json.Token, int, error) {
	at := d.start()
	t, err := d.dec.Token()
	if err == nil {
		return t, at, nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		// The decoder counts from different origins for different faults;
		// where the token starts is close and always right.
		return nil, at, d.errorAt(at, errors.New(syntax.Error()))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, at, d.errorAt(len(d.data), errors.New("the report ends too early: was it written to the end?"))
	}
	return nil, at, d.errorAt(at, err)
}

func (d *decoder) enter(field string) { d.field = append(d.field, field) }
func (d *decoder) leave()             { d.field = d.field[:len(d.field)-1] }

// value reads the next value of the document into v.
func (d *decoder) value(v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	t, at, err := d.token()
	if err != nil {
		return err
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		s, ok := t.(string)
		if !ok {
			return d.errorAt(at, fmt.Errorf("want text, not %s", describe(t)))
		}
		if err := u.UnmarshalText([]byte(s)); err != nil {
			return d.errorAt(at, err)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return d.object(v, t, at)
	case reflect.Map:
		return d.stringMap(v, t, at)
	case reflect.Slice:
		return d.array(v, t, at)
	case reflect.String:
		s, ok := t.(string)
		if !ok {
			return d.errorAt(at, fmt.Errorf("want text, not %s", describe(t)))
		}
		if want := choices(v.Interface()); want != nil && !slices.Contains(want, s) {
			return d.errorAt(at, fmt.Errorf("unknown value %q: want one of %s", clip(s, 40), strings.Join(want, ", ")))
		}
		v.SetString(s)
	case reflect.Bool:
		b, ok := t.(bool)
		if !ok {
			return d.errorAt(at, fmt.Errorf("want true or false, not %s", describe(t)))
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, ok := t.(json.Number)
		if !ok {
			return d.errorAt(at, fmt.Errorf("want a number, not %s", describe(t)))
		}
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil {
			return d.errorAt(at, fmt.Errorf("want a whole number that fits 64 bits, not %s", clip(n.String(), 40)))
		}
		if i < 0 {
			return d.errorAt(at, fmt.Errorf("want a number that is not negative, not %d", i))
		}
		v.SetInt(i)
	default:
		return d.errorAt(at, fmt.Errorf("the program does not know how to read a %s here", v.Type()))
	}
	return nil
}

// choices lists what a text may be, or nil if it is free.
func choices(v any) []string {
	switch v.(type) {
	case finding.Status:
		return []string{string(finding.New), string(finding.Existing)}
	case outcome.ScannerStatus:
		return []string{string(outcome.Complete), string(outcome.Partial), string(outcome.Failed), string(outcome.NotRun)}
	}
	return nil
}

// describe names a token for an error message.
func describe(t json.Token) string {
	switch t := t.(type) {
	case nil:
		return "null"
	case json.Delim:
		if t == '{' {
			return "an object"
		}
		return "a list"
	case string:
		return "text"
	case bool:
		return "true or false"
	}
	return "a number"
}

// object reads the fields of a struct; t is its first token.
func (d *decoder) object(v reflect.Value, t json.Token, at int) error {
	if t != json.Delim('{') {
		return d.errorAt(at, fmt.Errorf("want an object, not %s", describe(t)))
	}
	fields, ok := d.types[v.Type()]
	if !ok {
		fields = jsonFields(v.Type())
		d.types[v.Type()] = fields
	}
	seen := make([]bool, len(fields))
	for {
		t, key, err := d.token()
		if err != nil {
			return err
		}
		if t == json.Delim('}') {
			break
		}
		name, ok := t.(string)
		if !ok {
			return d.errorAt(key, fmt.Errorf("want a field name, not %s", describe(t)))
		}
		i := slices.IndexFunc(fields, func(f jsonField) bool { return f.name == name })
		if i < 0 {
			return d.errorAt(key, fmt.Errorf("unknown field %q: the report was made by a newer version, or changed by hand", clip(name, 60)))
		}
		if seen[i] {
			return d.errorAt(key, fmt.Errorf("field %q appears twice", name))
		}
		seen[i] = true
		d.enter(separator(len(d.field)) + name)
		value := d.start()
		if err := d.value(v.FieldByIndex(fields[i].index)); err != nil {
			return err
		}
		if w, ok := v.Addr().Interface().(*wireRun); ok && name == "schema" && w.Schema != outcome.SchemaID {
			return d.errorAt(value, fmt.Errorf("unknown schema %q: this version reads %q", clip(w.Schema, 60), outcome.SchemaID))
		}
		d.leave()
	}
	for i, f := range fields {
		if !seen[i] && !f.optional {
			return d.errorAt(at, fmt.Errorf("field %q is missing", f.name))
		}
	}
	var err error
	switch w := v.Addr().Interface().(type) {
	case *wireLocation:
		_, err = decodePath(w.Path, w.PathEncoding)
	case *wireSkip:
		_, err = decodePath(w.Path, w.PathEncoding)
	case *wireNotice:
		_, err = decodePath(w.Path, w.PathEncoding)
	}
	if err != nil {
		return d.errorAt(at, err)
	}
	return nil
}

func separator(depth int) string {
	if depth == 0 {
		return ""
	}
	return "."
}

func (d *decoder) array(v reflect.Value, t json.Token, at int) error {
	if t != json.Delim('[') {
		return d.errorAt(at, fmt.Errorf("want a list, not %s", describe(t)))
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for d.dec.More() {
		d.enter("[" + strconv.Itoa(v.Len()) + "]")
		v.Grow(1)
		v.SetLen(v.Len() + 1)
		v.Index(v.Len() - 1).SetZero()
		if err := d.value(v.Index(v.Len() - 1)); err != nil {
			return err
		}
		d.leave()
	}
	_, _, err := d.token()
	return err
}

func (d *decoder) stringMap(v reflect.Value, t json.Token, at int) error {
	if t != json.Delim('{') {
		return d.errorAt(at, fmt.Errorf("want an object, not %s", describe(t)))
	}
	m := map[string]string{}
	for {
		t, key, err := d.token()
		if err != nil {
			return err
		}
		if t == json.Delim('}') {
			break
		}
		name, ok := t.(string)
		if !ok {
			return d.errorAt(key, fmt.Errorf("want a name, not %s", describe(t)))
		}
		if _, ok := m[name]; ok {
			return d.errorAt(key, fmt.Errorf("name %q appears twice", clip(name, 60)))
		}
		t, value, err := d.token()
		if err != nil {
			return err
		}
		s, ok := t.(string)
		if !ok {
			return d.errorAt(value, fmt.Errorf("want text for %q, not %s", clip(name, 60), describe(t)))
		}
		m[name] = s
	}
	v.Set(reflect.ValueOf(m))
	return nil
}

// jsonField is a field of a wire type.
type jsonField struct {
	name     string
	index    []int
	optional bool
}

// jsonFields lists the fields of a struct that JSON has, those of embedded
// structs included unless an outer field has the same name.
func jsonFields(t reflect.Type) []jsonField {
	var out []jsonField
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		field := jsonField{name: name, index: f.Index, optional: strings.Contains(rest, "omitempty")}
		i := slices.IndexFunc(out, func(o jsonField) bool { return o.name == name })
		switch {
		case i < 0:
			out = append(out, field)
		case len(f.Index) < len(out[i].index):
			out[i] = field
		}
	}
	return out
}
