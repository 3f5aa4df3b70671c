package feed

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"bulwark/internal/advisory/db"
)

// readEOL reads the products of endoflife.date, in either of two layouts: an
// object of products by name, as the project's own files describe them, or the
// answer of its API, version 1 (https://endoflife.date/docs/api/v1/).
func readEOL(r io.Reader) (table[db.Product], error) {
	var t table[db.Product]
	var doc map[string]json.RawMessage
	if err := decodeJSON(r, &doc); err != nil {
		return t, fmt.Errorf("reading the ends of life: %w", err)
	}
	if raw, found := doc["result"]; found && doc["schema_version"] != nil {
		err := readEOLAPI(&t, doc, raw)
		return t, err
	}
	if len(doc) == 0 {
		return t, fmt.Errorf("reading the ends of life: no products")
	}
	newest := ""
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		var p struct {
			Title       string              `json:"title"`
			Identifiers []map[string]string `json:"identifiers"`
			Releases    []struct {
				Cycle      text            `json:"releaseCycle"`
				Released   text            `json:"releaseDate"`
				EOL        json.RawMessage `json:"eol"`
				Support    json.RawMessage `json:"eoas"`
				Latest     text            `json:"latest"`
				LatestDate text            `json:"latestReleaseDate"`
			} `json:"releases"`
		}
		if err := json.Unmarshal(doc[name], &p); err != nil {
			t.refuse(setEOL, name, "%v", err)
			continue
		}
		out := db.Product{Title: or(p.Title, name)}
		for _, id := range p.Identifiers {
			out.Purls = addPurl(out.Purls, id["purl"])
		}
		var failed error
		for _, r := range p.Releases {
			rel := db.Release{Cycle: string(r.Cycle), Released: day(string(r.Released)), Latest: string(r.Latest)}
			var over bool
			if rel.Ends, over, failed = dayOrBool(r.EOL); failed != nil {
				failed = fmt.Errorf("release %s: eol: %w", clip(rel.Cycle), failed)
				break
			}
			rel.Over = over
			if support, _, err := dayOrBool(r.Support); err == nil {
				rel.Support = support
			}
			newest = max(newest, rel.Released, day(string(r.LatestDate)))
			out.Releases = append(out.Releases, rel)
		}
		if failed != nil {
			t.refuse(setEOL, name, "%v", failed)
			continue
		}
		t.entries = append(t.entries, out)
	}
	t.newest = midnight(newest)
	return t, t.check(setEOL)
}

// readEOLAPI reads the layout of the API.
func readEOLAPI(t *table[db.Product], doc map[string]json.RawMessage, raw json.RawMessage) error {
	var result []json.RawMessage
	if err := json.Unmarshal(raw, &result); err != nil {
		return fmt.Errorf("reading the ends of life: result: %w", err)
	}
	var generated string
	if raw := doc["generated_at"]; raw != nil {
		if err := json.Unmarshal(raw, &generated); err != nil {
			return fmt.Errorf("reading the ends of life: generated_at: %w", err)
		}
		if when, err := time.Parse(time.RFC3339, generated); err == nil {
			t.newest = when.UTC().Format(time.RFC3339)
		}
	}
	for i, raw := range result {
		var p struct {
			Name        string `json:"name"`
			Label       string `json:"label"`
			Identifiers []struct {
				ID   string `json:"id"`
				Type string `json:"type"`
			} `json:"identifiers"`
			Releases []struct {
				Name     string `json:"name"`
				Released string `json:"releaseDate"`
				Over     bool   `json:"isEol"`
				Ends     string `json:"eolFrom"`
				Support  string `json:"eoasFrom"`
				Latest   *struct {
					Name string `json:"name"`
				} `json:"latest"`
			} `json:"releases"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			t.refuse(setEOL, fmt.Sprintf("product %d", i+1), "%v", err)
			continue
		}
		if p.Name == "" {
			t.refuse(setEOL, fmt.Sprintf("product %d", i+1), "it has no name")
			continue
		}
		out := db.Product{Title: or(p.Label, p.Name)}
		for _, id := range p.Identifiers {
			if id.Type == "purl" {
				out.Purls = addPurl(out.Purls, id.ID)
			}
		}
		for _, r := range p.Releases {
			rel := db.Release{Cycle: r.Name, Released: day(r.Released), Ends: day(r.Ends), Support: day(r.Support)}
			rel.Over = r.Over && rel.Ends == ""
			if r.Latest != nil {
				rel.Latest = r.Latest.Name
			}
			out.Releases = append(out.Releases, rel)
		}
		t.entries = append(t.entries, out)
	}
	if len(t.entries) == 0 && len(t.refused) == 0 {
		return fmt.Errorf("reading the ends of life: no products")
	}
	return t.check(setEOL)
}

// text is a string that some files write as a number.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	if string(b) == "null" {
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("%s is neither text nor a number", clip(string(b)))
	}
	*t = text(n)
	return nil
}

// dayOrBool reads a day, or whether it is over.
func dayOrBool(raw json.RawMessage) (ends string, over bool, err error) {
	switch string(raw) {
	case "", "null", "false":
		return "", false, nil
	case "true":
		return "", true, nil
	}
	if err := json.Unmarshal(raw, &ends); err != nil || !isDay(ends) {
		return "", false, fmt.Errorf("%s is neither a day nor true or false", clip(string(raw)))
	}
	return ends, false, nil
}

// addPurl adds a package URL without version, qualifiers and subpath.
func addPurl(purls []string, purl string) []string {
	if !strings.HasPrefix(purl, "pkg:") || len(purl) > 512 {
		return purls
	}
	purl, _, _ = strings.Cut(purl, "#")
	purl, _, _ = strings.Cut(purl, "?")
	if slices.Contains(purls, purl) {
		return purls
	}
	return append(purls, purl)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// day returns s if it is one.
func day(s string) string {
	if isDay(s) {
		return s
	}
	return ""
}

// midnight is the beginning of a day, which may be empty, as RFC 3339.
func midnight(day string) string {
	if day == "" {
		return ""
	}
	return day + "T00:00:00Z"
}
