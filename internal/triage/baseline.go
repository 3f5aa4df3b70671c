package triage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"bulwark/internal/finding"
	"bulwark/internal/identity"
)

// MaxBaselineFile is the largest baseline that ReadBaseline accepts, in bytes.
const MaxBaselineFile = 256 << 20

// Baseline lists the findings that a team had when it began, so that only new
// ones count. A finding that it lists is Existing wherever it moves; it is not
// suppressed: the default policy warns of it.
type Baseline struct {
	Version int       `json:"version"` // 1
	Created time.Time `json:"created"`
	Tool    string    `json:"tool"` // name and version of the program that wrote it
	// KeyID names the identity key that the fingerprints were made with; see
	// identity.KeyID. Empty: not stated.
	KeyID    string          `json:"key_id,omitempty"`
	Findings []BaselineEntry `json:"findings"` // by fingerprint
}

// BaselineEntry is one known finding. Only Fingerprint identifies it; the rest
// is for people.
type BaselineEntry struct {
	Fingerprint string `json:"fingerprint"`
	RuleID      string `json:"rule_id"`
	Path        string `json:"path"`  // of the first place
	Count       int    `json:"count"` // of places
}

// WriteBaseline makes the content of a baseline file from the findings of a full
// scan. Equal findings give equal bytes apart from created; one finding is one
// line, so that diffs stay small.
func WriteBaseline(findings []finding.Finding, tool, keyID string, created time.Time) ([]byte, error) {
	byPrint := make(map[string]*BaselineEntry, len(findings))
	for i := range findings {
		f := &findings[i]
		if f.Fingerprint == "" || len(f.Locations) == 0 {
			return nil, fmt.Errorf("writing the baseline: a finding of %q has no fingerprint or no place", f.RuleID)
		}
		e := BaselineEntry{Fingerprint: f.Fingerprint, RuleID: f.RuleID, Path: f.Locations[0].Path, Count: len(f.Locations)}
		have, ok := byPrint[e.Fingerprint]
		if !ok {
			byPrint[e.Fingerprint] = &e
			continue
		}
		// Two rules found the same thing: the first rule speaks for both.
		if e.RuleID < have.RuleID {
			have.RuleID = e.RuleID
		}
		have.Path, have.Count = min(have.Path, e.Path), max(have.Count, e.Count)
	}
	entries := make([]BaselineEntry, 0, len(byPrint))
	for _, e := range byPrint {
		entries = append(entries, *e)
	}
	slices.SortFunc(entries, func(a, b BaselineEntry) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })

	var b bytes.Buffer
	head := []struct {
		key   string
		value any
	}{{"version", 1}, {"created", created.UTC().Truncate(time.Second)}, {"tool", tool}, {"key_id", keyID}}
	b.WriteString("{\n")
	for _, h := range head {
		if h.value == "" {
			continue
		}
		v, err := json.Marshal(h.value)
		if err != nil {
			return nil, fmt.Errorf("writing the baseline: %w", err)
		}
		fmt.Fprintf(&b, "  %q: %s,\n", h.key, v)
	}
	b.WriteString("  \"findings\": [")
	for i, e := range entries {
		v, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("writing the baseline: %w", err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		b.Write(v)
	}
	if len(entries) > 0 {
		b.WriteString("\n  ")
	}
	b.WriteString("]\n}\n")
	return b.Bytes(), nil
}

// ReadBaseline reads data, the content of the baseline file called name. Unknown
// keys, another version and malformed or repeated fingerprints are errors.
func ReadBaseline(name string, data []byte) (*Baseline, error) {
	fail := func(format string, args ...any) (*Baseline, error) {
		return nil, fmt.Errorf("%s: %w; write it anew with bulwark scan --write-baseline, or restore it from version control",
			name, fmt.Errorf(format, args...))
	}
	if len(data) > MaxBaselineFile {
		return fail("the baseline has %d bytes, more than the %d allowed", len(data), MaxBaselineFile)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var b Baseline
	if err := dec.Decode(&b); err != nil {
		line, column := jsonPosition(data, err, dec.InputOffset())
		return fail("line %d, column %d: not a baseline: %w", line, column, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		line, column := offsetPosition(data, dec.InputOffset())
		return fail("line %d, column %d: text behind the end of the baseline", line, column)
	}
	if b.Version != 1 {
		return fail("version %d of the format is not known to this program: want 1", b.Version)
	}
	seen := make(map[string]struct{}, len(b.Findings))
	for i, e := range b.Findings {
		switch _, twice := seen[e.Fingerprint]; {
		case !identity.Valid(e.Fingerprint):
			return fail("entry %d: %q is not a fingerprint", i+1, cut(e.Fingerprint))
		case twice:
			return fail("entry %d: the fingerprint %s is listed twice", i+1, e.Fingerprint)
		case e.Count < 0:
			return fail("entry %d: a negative count", i+1)
		}
		seen[e.Fingerprint] = struct{}{}
	}
	return &b, nil
}

// jsonPosition finds where an error of package json happened; line and column
// (in bytes) count from 1.
func jsonPosition(data []byte, err error, offset int64) (line, column int) {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	return offsetPosition(data, offset)
}

func offsetPosition(data []byte, offset int64) (line, column int) {
	before := data[:max(0, min(offset, int64(len(data))))]
	return 1 + bytes.Count(before, []byte{'\n'}), len(before) - bytes.LastIndexByte(before, '\n')
}
