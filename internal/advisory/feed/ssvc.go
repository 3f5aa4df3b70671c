package feed

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bulwark/internal/advisory"
)

// readSSVC reads the decision points that CISA's Vulnrichment states, as a table
// with the columns cve, exploitation, automatable, technical_impact and, if
// there, ssvc_date; others are passed over. Meaning of the points:
// https://www.cisa.gov/stakeholder-specific-vulnerability-categorization-ssvc
func readSSVC(r io.Reader) (table[advisory.SSVC], error) {
	var t table[advisory.SSVC]
	// The csv package has no limit of its own to the length of a record; the
	// reader that it is given has.
	c := csv.NewReader(r)
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return t, fmt.Errorf("reading the SSVC table: %w", unexpected(err))
	}
	head = slices.Clone(head)
	var column [5]int
	for i, name := range []string{"cve", "exploitation", "automatable", "technical_impact", "ssvc_date"} {
		column[i] = slices.Index(head, name)
		if column[i] < 0 && name != "ssvc_date" {
			return t, fmt.Errorf("reading the SSVC table: line 1 has no column %q", name)
		}
	}
	newest := ""
	for {
		row, err := c.Read()
		if err == io.EOF {
			break
		}
		var malformed *csv.ParseError
		if errors.As(err, &malformed) && errors.Is(err, csv.ErrFieldCount) {
			t.refuse(setSSVC, fmt.Sprintf("line %d", malformed.Line), "it has %d columns, want %d", len(row), len(head))
			continue
		}
		if err != nil {
			return t, fmt.Errorf("reading the SSVC table: %w", err)
		}
		e := advisory.SSVC{
			CVE: row[column[0]], Exploitation: strings.ToLower(row[column[1]]),
			Automatable: strings.ToLower(row[column[2]]), TechnicalImpact: strings.ToLower(row[column[3]]),
		}
		if column[4] >= 0 {
			e.Date = row[column[4]]
		}
		if e.Exploitation == "public poc" { // the word before SSVC 2.1
			e.Exploitation = "poc"
		}
		line, _ := c.FieldPos(0)
		name := fmt.Sprintf("line %d", line)
		switch {
		case !isCVE(e.CVE):
			t.refuse(setSSVC, name, "%q is no CVE id", clip(e.CVE))
		case !oneOf(e.Exploitation, "none", "poc", "active"):
			t.refuse(setSSVC, name, "exploitation %q: want none, poc or active", clip(e.Exploitation))
		case !oneOf(e.Automatable, "no", "yes"):
			t.refuse(setSSVC, name, "automatable %q: want no or yes", clip(e.Automatable))
		case !oneOf(e.TechnicalImpact, "partial", "total"):
			t.refuse(setSSVC, name, "technical_impact %q: want partial or total", clip(e.TechnicalImpact))
		case e.Date != "" && !isDay(e.Date):
			t.refuse(setSSVC, name, "ssvc_date %q is no day", clip(e.Date))
		default:
			newest = max(newest, e.Date)
			// The row shares memory that is used again only for its slice, not for
			// its text; but the text is that of a whole line: keep little.
			e.CVE, e.Date = strings.Clone(e.CVE), strings.Clone(e.Date)
			e.Exploitation, e.Automatable, e.TechnicalImpact = word(e.Exploitation), word(e.Automatable), word(e.TechnicalImpact)
			t.entries = append(t.entries, e)
		}
	}
	if newest != "" {
		day, err := time.Parse(time.DateOnly, newest)
		if err != nil {
			return t, fmt.Errorf("reading the SSVC table: the newest date %q is none", newest)
		}
		t.newest = day.Format(time.RFC3339)
	}
	return t, t.check(setSSVC)
}

// oneOf reports whether s is one of words.
func oneOf(s string, words ...string) bool { return slices.Contains(words, s) }

// word is a constant equal to s, which is one of them.
func word(s string) string {
	for _, w := range [...]string{"none", "poc", "active", "no", "yes", "partial", "total"} {
		if s == w {
			return w
		}
	}
	return s
}
