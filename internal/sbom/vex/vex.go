// Package vex reads and writes VEX documents, which say whether products are
// affected by vulnerabilities: OpenVEX 0.2 (https://github.com/openvex/spec)
// and CycloneDX. It matches their statements against packages. Whether a
// statement is to be believed, and what follows from it, is for policies: a
// document carries no proof of who wrote it.
//
// Drafts that this program writes carry what they were judged on: when the
// advisory was last modified and the identity of the content. A statement whose
// ground has changed no longer holds; Find leaves it out and says so.
package vex

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of a document.
const (
	MaxBytes      = 64 << 20
	MaxStatements = 200_000
	MaxProducts   = 1_000_000 // of all statements
	maxText       = 64 << 10  // bytes of one text; longer ones are cut
)

// Status says whether a product is affected.
type Status string

// The statuses, as OpenVEX names them.
const (
	NotAffected        Status = "not_affected"
	Affected           Status = "affected"
	Fixed              Status = "fixed"
	UnderInvestigation Status = "under_investigation"
)

// Justifications of NotAffected, as OpenVEX names them.
const (
	ComponentNotPresent = "component_not_present"
	CodeNotPresent      = "vulnerable_code_not_present"
	CodeNotReached      = "vulnerable_code_not_in_execute_path"
	CodeNotControlled   = "vulnerable_code_cannot_be_controlled_by_adversary"
	MitigationsExist    = "inline_mitigations_already_exist"
)

// Statement says one thing about one vulnerability.
type Statement struct {
	Vulnerability string   `json:"vulnerability"`
	Aliases       []string `json:"aliases,omitempty"`
	// Products are what it is about.
	Products      []Product `json:"products"`
	Status        Status    `json:"status"`
	Justification string    `json:"justification,omitempty"`
	Impact        string    `json:"impact,omitempty"` // why not affected, for people
	Action        string    `json:"action,omitempty"` // what to do if affected
	// Time is when it was made or last confirmed; zero: not stated.
	Time time.Time `json:"time,omitzero"`
	// Expires is when it ends; zero: no end is stated.
	Expires time.Time `json:"expires,omitzero"`
	// Ground is what it was judged on, if it says so.
	Ground Ground `json:"ground,omitzero"`
	Author string `json:"author,omitempty"`
}

// Product is a package, or a package within a product.
type Product struct {
	// ID is a package URL, with or without version, or another name of a
	// product. An empty one stands for any: a document about a component alone.
	ID string `json:"id,omitempty"`
	// Parts are package URLs of the components of the product that the
	// statement is about; empty: about the product itself.
	Parts []string `json:"parts,omitempty"`
}

// Ground is what a statement was judged on. Empty fields are not compared.
type Ground struct {
	// Modified is the advisory's last modification, RFC 3339.
	Modified string `json:"modified,omitempty"`
	// Content is the identity of the examined content: a revision or a hash.
	Content string `json:"content,omitempty"`
}

// Document is a set of statements.
type Document struct {
	ID         string      `json:"id,omitempty"`
	Author     string      `json:"author"`
	Time       time.Time   `json:"time,omitzero"`
	Tool       string      `json:"tool,omitempty"`
	Statements []Statement `json:"statements"`
	// Gaps are statements that could not be understood.
	Gaps []string `json:"gaps,omitempty"`
}

// ErrUnknown says that data is no VEX document of a format that is read.
var ErrUnknown = errors.New("this is neither OpenVEX nor CycloneDX with vulnerabilities, both as JSON")

// Read reads a document of either format.
func Read(data []byte) (*Document, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("reading VEX: larger than %d bytes", MaxBytes)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var head struct {
		Context   any    `json:"@context"`
		BOMFormat string `json:"bomFormat"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("reading VEX: %w; %w", err, ErrUnknown)
	}
	var d *Document
	var err error
	context, _ := head.Context.(string)
	switch {
	case strings.HasPrefix(context, openVEX):
		d, err = readOpenVEX(data)
	case head.BOMFormat == "CycloneDX":
		d, err = readCycloneDX(data)
	default:
		err = ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("reading VEX: %w", err)
	}
	return d, nil
}

// add keeps a statement if it can be relied on, else a gap.
func (d *Document) add(s Statement, products *int) error {
	if len(d.Statements)+len(d.Gaps) >= MaxStatements {
		return fmt.Errorf("more than %d statements", MaxStatements)
	}
	for _, p := range s.Products {
		*products += 1 + len(p.Parts)
	}
	if *products > MaxProducts {
		return fmt.Errorf("more than %d products", MaxProducts)
	}
	s.Vulnerability = strings.TrimSpace(s.Vulnerability)
	s.Impact, s.Action = cut(s.Impact), cut(s.Action)
	slices.Sort(s.Aliases)
	s.Aliases = slices.DeleteFunc(slices.Compact(s.Aliases), func(a string) bool { return a == "" || a == s.Vulnerability })
	fault := ""
	switch {
	case s.Vulnerability == "":
		fault = "names no vulnerability"
	case len(s.Products) == 0:
		fault = "names no product"
	case s.Status == NotAffected && s.Justification == "" && s.Impact == "":
		fault = "says not affected and not why"
	case !slices.Contains([]Status{NotAffected, Affected, Fixed, UnderInvestigation}, s.Status):
		fault = fmt.Sprintf("has the unknown status %.40q", string(s.Status))
	}
	if fault != "" {
		d.Gaps = append(d.Gaps, fmt.Sprintf("statement %d (%.60s) %s", len(d.Statements)+len(d.Gaps)+1, s.Vulnerability, fault))
		return nil
	}
	d.Statements = append(d.Statements, s)
	return nil
}

func cut(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// moment reads a time; the zero time if it is none.
func moment(text string) time.Time {
	for _, layout := range [...]string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
