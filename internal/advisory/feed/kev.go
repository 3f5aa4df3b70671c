package feed

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"bulwark/internal/advisory"
)

// readKEV reads CISA's catalogue. Format:
// https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json
func readKEV(r io.Reader) (table[advisory.KEV], error) {
	var t table[advisory.KEV]
	var doc struct {
		Title           string            `json:"title"`
		CatalogVersion  string            `json:"catalogVersion"`
		DateReleased    string            `json:"dateReleased"`
		Count           *int              `json:"count"`
		Vulnerabilities []json.RawMessage `json:"vulnerabilities"`
	}
	if err := decodeJSON(r, &doc); err != nil {
		return t, fmt.Errorf("reading the KEV catalogue: %w", err)
	}
	if doc.Vulnerabilities == nil {
		return t, fmt.Errorf("reading the KEV catalogue: it has no list \"vulnerabilities\"")
	}
	if doc.Count != nil && *doc.Count != len(doc.Vulnerabilities) {
		return t, fmt.Errorf("reading the KEV catalogue: it states %d entries and has %d: it was cut or altered", *doc.Count, len(doc.Vulnerabilities))
	}
	released, err := time.Parse(time.RFC3339, doc.DateReleased)
	if err != nil {
		return t, fmt.Errorf("reading the KEV catalogue: dateReleased %q is no date", clip(doc.DateReleased))
	}
	t.newest = released.UTC().Format(time.RFC3339)
	seen := make(map[string]bool, len(doc.Vulnerabilities))
	for i, raw := range doc.Vulnerabilities {
		name := fmt.Sprintf("entry %d", i+1)
		var e struct {
			CVE    string `json:"cveID"`
			Name   string `json:"vulnerabilityName"`
			Added  string `json:"dateAdded"`
			Due    string `json:"dueDate"`
			Action string `json:"requiredAction"`
			Ransom string `json:"knownRansomwareCampaignUse"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.refuse(setKEV, name, "%v", err)
			continue
		}
		switch {
		case !isCVE(e.CVE):
			t.refuse(setKEV, name, "cveID %q is no CVE id", clip(e.CVE))
		case seen[e.CVE]:
			t.refuse(setKEV, e.CVE, "it is listed twice")
		case !isDay(e.Added):
			t.refuse(setKEV, e.CVE, "dateAdded %q is no day", clip(e.Added))
		case !isDay(e.Due):
			t.refuse(setKEV, e.CVE, "dueDate %q is no day", clip(e.Due))
		default:
			seen[e.CVE] = true
			t.entries = append(t.entries, advisory.KEV{
				CVE: e.CVE, Added: e.Added, Due: e.Due, Name: e.Name, Action: e.Action,
				Ransomware: strings.EqualFold(e.Ransom, "known"),
			})
		}
	}
	return t, t.check(setKEV)
}

// decodeJSON reads one JSON value and nothing after it.
func decodeJSON(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	if err := d.Decode(v); err != nil {
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		if err != nil {
			return err
		}
		return fmt.Errorf("more follows after its end")
	}
	return nil
}
