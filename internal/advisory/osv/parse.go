package osv

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Error is a fault of a record.
type Error struct {
	ID     string // of the record, empty if it could not be read
	Field  string // "affected[0].ranges[1].events[2]"
	Reason string
}

// Error names record, field and fault.
func (e *Error) Error() string {
	id := e.ID
	if id == "" {
		id = "record without an id"
	}
	if e.Field == "" {
		return "reading OSV record: " + id + ": " + e.Reason
	}
	return "reading OSV record: " + id + ": " + e.Field + ": " + e.Reason
}

// Parse reads one record. The error is an *Error. The record keeps no part of
// data.
func Parse(data []byte) (*Record, error) {
	if len(data) > MaxBytes {
		return nil, &Error{Reason: fmt.Sprintf("it has %d bytes, more than %d", len(data), MaxBytes)}
	}
	r := new(Record)
	// Some records state the year 1, so a missing time is told by itself.
	wire := struct {
		*Record
		Modified *time.Time `json:"modified"`
	}{Record: r}
	if err := json.Unmarshal(data, &wire); err != nil {
		return nil, &Error{ID: printable(r.ID), Field: fieldOf(err), Reason: reasonOf(err)}
	}
	if wire.Modified != nil {
		r.Modified = *wire.Modified
	}
	if err := r.check(wire.Modified != nil); err != nil {
		err.ID = printable(r.ID)
		return nil, err
	}
	r.readSpecific()
	return r, nil
}

func fieldOf(err error) string {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return strings.TrimPrefix(t.Field, "Record.")
	}
	return ""
}

func reasonOf(err error) string {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return fmt.Sprintf("a JSON %s stands where a %s belongs (byte %d)", t.Value, t.Type, t.Offset)
	}
	var s *json.SyntaxError
	if errors.As(err, &s) {
		return fmt.Sprintf("not valid JSON at byte %d: %s", s.Offset, s)
	}
	return err.Error()
}

// printable shortens and cleans an id that is not checked yet, for messages.
func printable(id string) string {
	if len(id) > 64 {
		id = id[:64] + "…"
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == utf8.RuneError || c == 0x7f {
			return '?'
		}
		return c
	}, id)
}

func (r *Record) check(modified bool) *Error {
	if r.ID == "" {
		return &Error{Field: "id", Reason: "missing"}
	}
	if reason := idFault(r.ID); reason != "" {
		return &Error{Field: "id", Reason: reason}
	}
	if !modified {
		return &Error{Field: "modified", Reason: "missing"}
	}
	for _, list := range [...]struct {
		field string
		ids   *[]string
	}{{"aliases", &r.Aliases}, {"related", &r.Related}, {"upstream", &r.Upstream}} {
		if len(*list.ids) > MaxAliases {
			return &Error{Field: list.field, Reason: fmt.Sprintf("%d entries, more than %d", len(*list.ids), MaxAliases)}
		}
		*list.ids = cleanIDs(*list.ids)
	}
	if len(r.Affected) > MaxAffected {
		return &Error{Field: "affected", Reason: fmt.Sprintf("%d packages, more than %d", len(r.Affected), MaxAffected)}
	}
	for i := range r.Affected {
		if err := r.Affected[i].check(); err != nil {
			err.Field = fmt.Sprintf("affected[%d].%s", i, err.Field)
			return err
		}
	}
	return nil
}

// cleanIDs leaves out what cannot be a name: databases put remarks there
// ("All versions"), which are no reason to lose the record.
func cleanIDs(ids []string) []string {
	kept := ids[:0]
	for _, id := range ids {
		if id = strings.TrimSpace(id); idFault(id) == "" && !slices.Contains(kept, id) {
			kept = append(kept, id)
		}
	}
	return kept
}

// idFault says what is wrong with an id. An id is one printable word.
func idFault(id string) string {
	switch {
	case id == "":
		return "empty"
	case len(id) > MaxID:
		return fmt.Sprintf("%d bytes, more than %d", len(id), MaxID)
	}
	return wordFault(id)
}

// wordFault refuses control characters, white space and broken UTF-8.
func wordFault(s string) string {
	for _, c := range s {
		if c <= ' ' || c == 0x7f || c == utf8.RuneError {
			return fmt.Sprintf("character %q", c)
		}
	}
	return ""
}

// textFault refuses control characters and broken UTF-8, and lengths above max.
func textFault(s string, max int) string {
	if len(s) > max {
		return fmt.Sprintf("%d bytes, more than %d", len(s), max)
	}
	for _, c := range s {
		if c < ' ' || c == 0x7f || c == utf8.RuneError {
			return fmt.Sprintf("character %q", c)
		}
	}
	return ""
}

func (a *Affected) check() *Error {
	matched := len(a.Versions) > 0
	for i := range a.Ranges {
		if err := a.Ranges[i].check(); err != nil {
			err.Field = strings.TrimSuffix(fmt.Sprintf("ranges[%d].%s", i, err.Field), ".")
			return err
		}
		matched = matched || a.Ranges[i].Type != Git
	}
	if a.Package.Name == "" || a.Package.Ecosystem == "" {
		if a.Package.Name != a.Package.Ecosystem || matched {
			return &Error{Field: "package", Reason: "ecosystem or name is missing"}
		}
		return nil
	}
	if reason := textFault(a.Package.Name, MaxName); reason != "" {
		return &Error{Field: "package.name", Reason: reason}
	}
	if reason := textFault(a.Package.Ecosystem, MaxID); reason != "" {
		return &Error{Field: "package.ecosystem", Reason: reason}
	}
	if len(a.Versions) > MaxVersions {
		return &Error{Field: "versions", Reason: fmt.Sprintf("%d entries, more than %d", len(a.Versions), MaxVersions)}
	}
	for i, v := range a.Versions {
		if reason := versionFault(v); reason != "" {
			return &Error{Field: fmt.Sprintf("versions[%d]", i), Reason: reason}
		}
	}
	return nil
}

func versionFault(v string) string {
	if v == "" {
		return "empty"
	}
	return textFault(v, MaxVersion)
}

func (r *Range) check() *Error {
	switch r.Type {
	case SemVer, Ecosystem, Git:
	default:
		return &Error{Field: "type", Reason: fmt.Sprintf("%q is none of SEMVER, ECOSYSTEM, GIT", printable(string(r.Type)))}
	}
	if len(r.Events) > MaxEvents {
		return &Error{Field: "events", Reason: fmt.Sprintf("%d entries, more than %d", len(r.Events), MaxEvents)}
	}
	introduced := false
	for i, e := range r.Events {
		set := 0
		for _, v := range [...]string{e.Introduced, e.Fixed, e.LastAffected, e.Limit} {
			if v == "" {
				continue
			}
			set++
			if reason := textFault(v, MaxVersion); reason != "" {
				return &Error{Field: fmt.Sprintf("events[%d]", i), Reason: reason}
			}
		}
		if set != 1 {
			return &Error{Field: fmt.Sprintf("events[%d]", i),
				Reason: fmt.Sprintf("%d of introduced, fixed, last_affected and limit are set, exactly one must be", set)}
		}
		introduced = introduced || e.Introduced != ""
	}
	if !introduced {
		return &Error{Field: "events", Reason: "no event tells where the range is introduced"}
	}
	return nil
}
