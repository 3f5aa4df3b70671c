// Package feed reads what the advisory database is built from: OSV bulk exports,
// CISA's KEV catalogue, EPSS scores, SSVC decision points and ends of life, each
// from a folder or over HTTP; and it brings a database up to date with them.
//
// It takes apart what strangers made, so every reader has limits and gives
// values or an error. It does not look into OSV records (package db does when it
// builds), never decides what an advisory means, and leaves a database alone
// whose sources cannot all be read: half of the truth looks like all of it.
//
// It is the only package below advisory that reaches the network, and only
// update does so.
package feed

import (
	"fmt"
	"strings"

	"bulwark/internal/advisory/db"
)

// The public addresses of the sources.
const (
	PublicOSV  = "https://osv-vulnerabilities.storage.googleapis.com"
	PublicKEV  = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
	PublicEPSS = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
	PublicEOL  = "https://endoflife.date/api/v1/products/full"
)

// Limits bound what is read of one source. Zero fields mean the default.
type Limits struct {
	Archive int64 // bytes of one all.zip. Default: 2 GiB
	Raw     int64 // bytes of all records of one all.zip, unpacked. Default: 16 GiB
	Record  int64 // bytes of one record. Default: 16 MiB
	Records int   // records of one all.zip. Default: 2,000,000
	Table   int64 // bytes of one table or index, unpacked. Default: 256 MiB
	Delta   int   // records that are fetched one by one. Default: 1,000
}

func (l Limits) filled() Limits {
	fill(&l.Archive, 2<<30)
	fill(&l.Raw, 16<<30)
	fill(&l.Record, 16<<20)
	fill(&l.Records, 2_000_000)
	fill(&l.Table, 256<<20)
	fill(&l.Delta, 1000)
	return l
}

func fill[T int | int64](v *T, standard T) {
	if *v == 0 {
		*v = standard
	}
}

// Beyond ratioFloor bytes, unpacked data may be at most maxRatio times as large
// as packed. Advisories pack about 4 : 1, lists of versions up to 30 : 1.
const (
	maxRatio   = 150
	ratioFloor = 8 << 20
)

// table is a source that is no set of records: its entries, what was refused
// of it, and its date.
type table[T any] struct {
	entries []T
	refused []db.Problem
	newest  string // as SourceInfo.Newest
}

// refuse notes an entry that is malformed.
func (t *table[T]) refuse(set, name, format string, args ...any) {
	t.refused = append(t.refused, db.Problem{Set: set, Name: clip(name), Reason: fmt.Sprintf(format, args...)})
}

// thin is the error if so much of a source is refused that what remains would
// pass for the whole.
func thin(set string, refused, total int, first string) error {
	if refused == 0 || total > refused && (refused <= 3 || refused*100 <= total) {
		return nil
	}
	if first != "" {
		first = ", the first: " + first
	}
	return fmt.Errorf("%s: %d of %d entries are malformed%s; at most 1 in 100 may be, so the source is refused as a whole", set, refused, total, first)
}

// check applies thin to a table.
func (t *table[T]) check(set string) error {
	first := ""
	if len(t.refused) > 0 {
		first = t.refused[0].Name + ": " + t.refused[0].Reason
	}
	return thin(set, len(t.refused), len(t.refused)+len(t.entries), first)
}

// clip shortens a stranger's text for a message.
func clip(s string) string {
	const most = 120
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// isCVE reports whether s is a CVE id: CVE-YYYY-N, N of 4 to 10 digits.
func isCVE(s string) bool {
	if len(s) < 13 || len(s) > 19 || s[:4] != "CVE-" || s[8] != '-' {
		return false
	}
	for i := 4; i < len(s); i++ {
		if i != 8 && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// isDay reports whether s has the form YYYY-MM-DD.
func isDay(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	for i := range len(s) {
		if i != 4 && i != 7 && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	month, day := s[5:7], s[8:]
	return month >= "01" && month <= "12" && day >= "01" && day <= "31"
}

// The tables' names, as in advisory.SourceInfo.
const (
	setKEV  = "kev"
	setEPSS = "epss"
	setSSVC = "ssvc"
	setEOL  = "eol"
)
