package db

import (
	"iter"
	"time"

	"bulwark/internal/advisory"
)

// Input is everything a database is built from. Equal input gives equal bytes:
// Build sorts what it is given and reads no clock.
type Input struct {
	// Records yields the OSV records of all sets in any order. An error ends the
	// build. Records that are there twice (one export of OSV repeats a record in
	// each of its ecosystems) are kept once; of several states of one record
	// only the newest by "modified".
	Records iter.Seq2[Record, error]

	KEV  []advisory.KEV
	EPSS []advisory.EPSS
	SSVC []advisory.SSVC
	// Products are the products with stated ends of life.
	Products []Product

	// Sources is the account of what was read, one for each set and table. It
	// is stored as given, sorted by name.
	Sources []advisory.SourceInfo
	// Built is when the input was gathered, stored to the second in UTC.
	Built time.Time

	// Workers is how many records are parsed at once; 0 means GOMAXPROCS.
	Workers int
}

// Record is one OSV record, not read yet.
type Record struct {
	// Set is the name of the set it is of, as in Sources: "osv/npm".
	Set string
	// Name is how messages call it where its id is not known: its file's name.
	Name string
	// Read returns the record's JSON. It may use buf, which is empty and has the
	// capacity of an earlier record, as append does; the result is not kept.
	// It is called once, from one of several goroutines, after the iterator has
	// moved on: it must not depend on the iterator's state.
	Read func(buf []byte) ([]byte, error)
}

// Product is one product with its release cycles, as endoflife.date lists them.
type Product struct {
	Title string `json:"title"` // "Django"
	// Purls are package URLs without version that denote the product:
	// "pkg:pypi/django". Identifiers of other kinds are left out.
	Purls    []string  `json:"purls"`
	Releases []Release `json:"releases"` // in any order
}

// Release is one release cycle of a product.
type Release struct {
	Cycle    string `json:"cycle"`              // "3.2"
	Released string `json:"released,omitempty"` // YYYY-MM-DD, may be empty
	// Ends is the last day of support, YYYY-MM-DD; empty with Over: ended on a
	// day that is not stated; empty without Over: no end is stated.
	Ends    string `json:"ends,omitempty"`
	Over    bool   `json:"over,omitempty"`
	Latest  string `json:"latest,omitempty"`  // newest version of the cycle
	Support string `json:"support,omitempty"` // last day of active support, YYYY-MM-DD, may be empty
}

// Report says what Build took and what it could not take. A record that is
// refused does not end the build: whoever started it decides whether the
// database is still good enough.
type Report struct {
	Info advisory.Info
	// Duplicates counts records that were there before, or in a newer state.
	Duplicates int
	// Refused counts what was left out because it was malformed, by set; for
	// the tables the set is "kev", "epss", "ssvc", "eol".
	Refused map[string]int
	// Problems are the first of them, at most MaxProblems, sorted.
	Problems []Problem
	// Largest is how many names the largest group of aliases has.
	Largest int
	// Kept counts the pairs of CVEs that were not merged although a chain of
	// aliases joins them, because no record names both.
	Kept int
}

// Problem is one record or entry that was refused.
type Problem struct {
	Set    string `json:"set"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// MaxProblems is the limit of Report.Problems.
const MaxProblems = 100
