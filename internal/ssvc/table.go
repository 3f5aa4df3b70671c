// Package ssvc says what to do about a vulnerability and by when: CISA's SSVC
// coordinator tree, the SSVC deployer tree and the deadlines of CISA's Binding
// Operational Directive 26-04. The three are tables in content/ssvc, each with
// its source; docs/priority.md tells how facts become points of the tables.
//
// It is pure: it reads no file, no clock and no network, and it imports nothing
// of ours but the tables. It does not look facts up (package advisory holds
// them) and does not decide what may pass (package policy does).
package ssvc

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits of a table: published ones have at most 72 rows of 5 columns.
const (
	maxTable  = 1 << 20 // bytes
	maxPoints = 8
	maxRows   = 4096
)

// Point is a decision point, or the outcome of a table, with its values in the
// order of the source, the least urgent first.
type Point struct {
	Name   string
	Values []string
}

// Row is one row of a table as it is written there: the values of its points
// and the outcome.
type Row struct {
	Values  []string
	Outcome string
}

// Table is a decision table that is total: every combination of its points'
// values has exactly one outcome.
type Table struct {
	Title, Version, Date, Licence string
	Sources                       []string
	Points                        []Point
	Outcome                       Point
	// Days are the days that each value of Outcome allows, -1 for no limit;
	// empty in tables that are not about time.
	Days []int
	Rows []Row

	outcomes []int // index into Outcome.Values, by combination
}

// LoadTable reads a table: CSV whose first line names the points and the
// outcome, preceded by lines of the form "# key: value". The keys are title,
// version, date, licence, source (repeatable), note, "point NAME" and
// "outcome NAME" with the known values in order, and days. The table must be
// total, without duplicates and unknown values. Errors name file and line.
func LoadTable(name string, text []byte) (*Table, error) {
	if len(text) > maxTable {
		return nil, fmt.Errorf("reading the decision table %s: it is larger than %d bytes", name, maxTable)
	}
	t := new(Table)
	rest, line, err := t.readHead(text)
	if err == nil {
		err = t.checkHead()
	}
	if err != nil {
		return nil, fmt.Errorf("reading the decision table %s: %w", name, err)
	}
	if err := t.readRows(rest, line); err != nil {
		return nil, fmt.Errorf("reading the decision table %s: %w", name, err)
	}
	return t, nil
}

// readHead reads the comment lines. It returns what follows and how many lines
// it read.
func (t *Table) readHead(text []byte) (rest []byte, lines int, err error) {
	for bytes.HasPrefix(text, []byte("#")) {
		lines++
		var row []byte
		row, text, _ = bytes.Cut(text, []byte("\n"))
		key, value, ok := strings.Cut(strings.TrimSpace(string(row[1:])), ":")
		if !ok {
			return nil, 0, fmt.Errorf("line %d: want \"# key: value\"", lines)
		}
		if err := t.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", lines, err)
		}
	}
	return text, lines, nil
}

func (t *Table) set(key, value string) error {
	switch key {
	case "title":
		t.Title = value
	case "version":
		t.Version = value
	case "date":
		t.Date = value
	case "licence":
		t.Licence = value
	case "source":
		t.Sources = append(t.Sources, value)
	case "note":
	case "days":
		for _, word := range strings.Fields(value) {
			n, err := days(word)
			if err != nil {
				return err
			}
			t.Days = append(t.Days, n)
		}
	default:
		kind, name, _ := strings.Cut(key, " ")
		p := Point{Name: strings.TrimSpace(name), Values: strings.Fields(value)}
		if p.Name == "" || (kind != "point" && kind != "outcome") {
			return fmt.Errorf("the key %q is not known", key)
		}
		if len(p.Values) == 0 {
			return fmt.Errorf("%s has no values", p.Name)
		}
		for i, v := range p.Values {
			if slices.Contains(p.Values[:i], v) {
				return fmt.Errorf("%s has the value %s twice", p.Name, v)
			}
		}
		if kind == "outcome" {
			if t.Outcome.Name != "" {
				return errors.New("there are two outcomes")
			}
			t.Outcome = p
			return nil
		}
		if t.point(p.Name) >= 0 {
			return fmt.Errorf("the point %s is there twice", p.Name)
		}
		t.Points = append(t.Points, p)
	}
	return nil
}

func days(word string) (int, error) {
	if word == "-" {
		return -1, nil
	}
	n := 0
	for _, c := range []byte(word) {
		if c < '0' || c > '9' || n > 9999 {
			return 0, fmt.Errorf("%q is not a number of days, nor - for no limit", word)
		}
		n = n*10 + int(c-'0')
	}
	return n, nil
}

func (t *Table) checkHead() error {
	switch {
	case t.Title == "" || t.Version == "" || t.Date == "" || t.Licence == "" || len(t.Sources) == 0:
		return errors.New("title, version, date, licence or source is missing")
	case len(t.Points) == 0 || len(t.Points) > maxPoints:
		return fmt.Errorf("it has %d points, want 1 to %d", len(t.Points), maxPoints)
	case t.Outcome.Name == "":
		return errors.New("it has no outcome")
	case len(t.Days) != 0 && len(t.Days) != len(t.Outcome.Values):
		return fmt.Errorf("there are %d days for %d outcomes", len(t.Days), len(t.Outcome.Values))
	}
	size := 1
	for _, p := range t.Points {
		if size *= len(p.Values); size > maxRows {
			return fmt.Errorf("its points have more than %d combinations", maxRows)
		}
	}
	t.outcomes = make([]int, size)
	for i := range t.outcomes {
		t.outcomes[i] = -1
	}
	return nil
}

// readRows reads the CSV part, which begins after the given line.
func (t *Table) readRows(text []byte, before int) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = len(t.Points) + 1
	r.ReuseRecord = true
	named := false
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var syntax *csv.ParseError
		if errors.As(err, &syntax) {
			return fmt.Errorf("line %d: %w", before+syntax.Line, syntax.Err)
		}
		if err != nil {
			return err
		}
		n, _ := r.FieldPos(0)
		line := before + n
		if !named {
			if err := t.checkNames(record); err != nil {
				return fmt.Errorf("line %d: %w", line, err)
			}
			named = true
			continue
		}
		at, err := t.index(record[:len(t.Points)])
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		outcome := slices.Index(t.Outcome.Values, record[len(t.Points)])
		if outcome < 0 {
			return fmt.Errorf("line %d: %s %q is not one of %s", line, t.Outcome.Name, record[len(t.Points)], strings.Join(t.Outcome.Values, ", "))
		}
		if t.outcomes[at] >= 0 {
			return fmt.Errorf("line %d: %s is there twice", line, strings.Join(record[:len(t.Points)], ","))
		}
		t.outcomes[at] = outcome
		t.Rows = append(t.Rows, Row{Values: slices.Clone(record[:len(t.Points)]), Outcome: t.Outcome.Values[outcome]})
	}
	if at := slices.Index(t.outcomes, -1); at >= 0 {
		return fmt.Errorf("the combination %s has no row", strings.Join(t.combination(at), ","))
	}
	return nil
}

func (t *Table) checkNames(record []string) error {
	for i, p := range append(slices.Clone(t.Points), t.Outcome) {
		if record[i] != p.Name {
			return fmt.Errorf("column %d is named %q, want %q", i+1, record[i], p.Name)
		}
	}
	return nil
}

func (t *Table) point(name string) int {
	return slices.IndexFunc(t.Points, func(p Point) bool { return p.Name == name })
}

// index numbers a combination of values, the last point counting fastest.
func (t *Table) index(values []string) (int, error) {
	at := 0
	for i, p := range t.Points {
		v := slices.Index(p.Values, values[i])
		if v < 0 {
			return 0, fmt.Errorf("%s %q is not one of %s", p.Name, values[i], strings.Join(p.Values, ", "))
		}
		at = at*len(p.Values) + v
	}
	return at, nil
}

// combination is the inverse of index.
func (t *Table) combination(at int) []string {
	values := make([]string, len(t.Points))
	for i := len(t.Points) - 1; i >= 0; i-- {
		n := len(t.Points[i].Values)
		values[i], at = t.Points[i].Values[at%n], at/n
	}
	return values
}

// Lookup returns the outcome for one value of each point, in the order of
// Points, and the days it allows: -1 for no limit and in tables without days.
func (t *Table) Lookup(values ...string) (outcome string, days int, err error) {
	if len(values) != len(t.Points) {
		return "", 0, fmt.Errorf("looking up %s: there are %d values for %d points", t.Title, len(values), len(t.Points))
	}
	at, err := t.index(values)
	if err != nil {
		return "", 0, fmt.Errorf("looking up %s: %w", t.Title, err)
	}
	o := t.outcomes[at]
	if len(t.Days) == 0 {
		return t.Outcome.Values[o], -1, nil
	}
	return t.Outcome.Values[o], t.Days[o], nil
}
