package feed

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// modified is what a modified_id.csv lists: when each record was last modified.
type modified map[string]time.Time

// readModified reads lines "<time>,<id>". Nothing malformed is passed over: a
// line less would remove a record. An id that is there twice has the later time.
func readModified(r io.Reader, most int) (modified, error) {
	out := modified{}
	lines := newLines(r)
	for {
		line, err := lines.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading modified_id.csv: line %d: %w", lines.n+1, err)
		}
		if line == "" {
			continue
		}
		stamp, id, found := strings.Cut(line, ",")
		when, err := time.Parse(time.RFC3339, stamp)
		if !found || err != nil || !validID(id) {
			return nil, fmt.Errorf("reading modified_id.csv: line %d is %q, want TIME,ID", lines.n, clip(line))
		}
		if old, found := out[id]; !found || when.After(old) {
			out[strings.Clone(id)] = when.UTC()
		}
		if len(out) > most {
			return nil, fmt.Errorf("reading modified_id.csv: more than %d records", most)
		}
	}
}

// newest is the latest time, as SourceInfo.Newest.
func (m modified) newest() string {
	var latest time.Time
	for _, when := range m {
		if when.After(latest) {
			latest = when
		}
	}
	if latest.IsZero() {
		return ""
	}
	return latest.Format(time.RFC3339)
}

// validID reports whether id can be that of a record: visible ASCII that is no
// path. It is still never used as a file's name.
func validID(id string) bool {
	if id == "" || len(id) > 200 || id[0] == '.' || id[0] == '-' {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '/' || c == '\\' || c == ',' || c == '"' {
			return false
		}
	}
	return true
}
