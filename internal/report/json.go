package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

//go:embed schema/run-v1.schema.json
var schemaV1 string

// Schema returns the JSON Schema (draft 2020-12) of the JSON report.
func Schema() []byte { return []byte(schemaV1) }

// percent is the only value of path_encoding: each byte of the path that is not
// part of valid UTF-8, and each percent sign, stands as %XX.
const percent = "percent"

// The wire types are the run as JSON holds it. JSON is UTF-8, and paths are
// any bytes, so each object with a path says in path_encoding if the path had
// to be encoded. All other text that is not valid UTF-8 gets U+FFFD for each
// bad byte; the marks of an excerpt move along.
type (
	wireRun struct {
		outcome.Run
		Settings  map[string]string  `json:"settings"`
		Scanners  []outcome.Scanner  `json:"scanners"`
		Rules     []finding.Rule     `json:"rules"`
		Findings  []wireFinding      `json:"findings"`
		Decisions []outcome.Decision `json:"decisions"`
		Skips     []wireSkip         `json:"skips"`
		Notices   []wireNotice       `json:"notices"`
	}
	wireFinding struct {
		finding.Finding
		Locations []wireLocation `json:"locations"`
	}
	wireLocation struct {
		finding.Location
		PathEncoding string `json:"path_encoding,omitempty"`
	}
	wireSkip struct {
		outcome.Skip
		PathEncoding string `json:"path_encoding,omitempty"`
	}
	wireNotice struct {
		outcome.Notice
		PathEncoding string `json:"path_encoding,omitempty"`
	}
)

func writeJSON(w io.Writer, v *view, opts Options) error {
	return encode(w, toWire(v.Run), opts.Compact)
}

// encode writes v as JSON with a newline behind it, and without the escapes
// that protect HTML.
func encode(w io.Writer, v any, compact bool) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if !compact {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

func toWire(run *outcome.Run) *wireRun {
	r := &wireRun{
		Run:       *run,
		Settings:  distinct(run.Settings),
		Scanners:  full(run.Scanners),
		Rules:     full(run.Rules),
		Findings:  make([]wireFinding, len(run.Findings)),
		Decisions: full(run.Decisions),
		Skips:     make([]wireSkip, len(run.Skips)),
		Notices:   make([]wireNotice, len(run.Notices)),
	}
	if r.Settings == nil {
		r.Settings = map[string]string{}
	}
	if r.Schema == "" {
		r.Schema = outcome.SchemaID
	}
	for i, f := range run.Findings {
		locations := make([]wireLocation, len(f.Locations))
		for j, l := range f.Locations {
			locations[j] = toWireLocation(l)
		}
		f.Properties = distinct(f.Properties)
		r.Findings[i] = wireFinding{Finding: f, Locations: locations}
	}
	for i, s := range run.Skips {
		w := wireSkip{Skip: s}
		w.Path, w.PathEncoding = encodePath(s.Path)
		r.Skips[i] = w
	}
	for i, n := range run.Notices {
		w := wireNotice{Notice: n}
		w.Path, w.PathEncoding = encodePath(n.Path)
		r.Notices[i] = w
	}
	return r
}

// distinct returns m, or if names in it are not valid UTF-8 a copy in which they
// are: encoding/json would replace their bytes and could write one name twice.
// Of names that become one, the last in byte order stays.
func distinct(m map[string]string) map[string]string {
	names := slices.Sorted(maps.Keys(m))
	if !slices.ContainsFunc(names, func(s string) bool { return !utf8.ValidString(s) }) {
		return m
	}
	out := make(map[string]string, len(m))
	for _, name := range names {
		out[replaced(name)] = m[name]
	}
	return out
}

// full returns s, or an empty slice for nil: the JSON form has no null.
func full[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func toWireLocation(l finding.Location) wireLocation {
	w := wireLocation{Location: l}
	w.Path, w.PathEncoding = encodePath(l.Path)
	if !utf8.ValidString(l.Excerpt) {
		from, to := marks(l)
		before, mark := replaced(l.Excerpt[:from]), replaced(l.Excerpt[from:to])
		w.Excerpt = before + mark + replaced(l.Excerpt[to:])
		w.MarkStart, w.MarkEnd = len(before), len(before)+len(mark)
	}
	return w
}

// replaced returns s with U+FFFD for each byte that is not part of valid UTF-8.
func replaced(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// encodePath returns path as it stands in JSON, and its encoding.
func encodePath(path string) (encoded, encoding string) {
	if utf8.ValidString(path) {
		return path, ""
	}
	var b strings.Builder
	for i := 0; i < len(path); {
		r, n := utf8.DecodeRuneInString(path[i:])
		if r == utf8.RuneError && n == 1 || r == '%' {
			fmt.Fprintf(&b, "%%%02X", path[i])
		} else {
			b.WriteString(path[i : i+n])
		}
		i += n
	}
	return b.String(), percent
}

// decodePath is the inverse of encodePath.
func decodePath(path, encoding string) (string, error) {
	switch encoding {
	case "":
		return path, nil
	case percent:
	default:
		return "", fmt.Errorf("unknown path_encoding %q: want %q or none", clip(encoding, 40), percent)
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", fmt.Errorf("path ends inside a percent code")
		}
		hi, lo := unhex(path[i+1]), unhex(path[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("path holds %q, which is no percent code", "%"+path[i+1:i+3])
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// fromWire is the inverse of toWire.
func fromWire(w *wireRun) (*outcome.Run, error) {
	run := w.Run
	run.Settings, run.Scanners, run.Rules, run.Decisions = w.Settings, w.Scanners, w.Rules, w.Decisions
	run.Findings = make([]finding.Finding, len(w.Findings))
	var err error
	for i := range w.Findings {
		f := w.Findings[i].Finding
		f.Locations = make([]finding.Location, len(w.Findings[i].Locations))
		for j, l := range w.Findings[i].Locations {
			if l.Path, err = decodePath(l.Path, l.PathEncoding); err != nil {
				return nil, fmt.Errorf("findings[%d].locations[%d]: %w", i, j, err)
			}
			f.Locations[j] = l.Location
		}
		run.Findings[i] = f
	}
	run.Skips = make([]outcome.Skip, len(w.Skips))
	for i, s := range w.Skips {
		if s.Path, err = decodePath(s.Path, s.PathEncoding); err != nil {
			return nil, fmt.Errorf("skips[%d]: %w", i, err)
		}
		run.Skips[i] = s.Skip
	}
	run.Notices = slices.Grow([]outcome.Notice{}, len(w.Notices))
	for i, n := range w.Notices {
		if n.Path, err = decodePath(n.Path, n.PathEncoding); err != nil {
			return nil, fmt.Errorf("notices[%d]: %w", i, err)
		}
		run.Notices = append(run.Notices, n.Notice)
	}
	return &run, nil
}
