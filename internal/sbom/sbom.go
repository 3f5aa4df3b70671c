// Package sbom defines what a software bill of materials says, whatever format
// it is written in: a subject, what it is made of, who needs whom, where that
// is written, by which tool and when. It builds one from manifests and compares
// two. The formats are read and written by the packages below; none of them
// judges what it reads, fetches anything or trusts the one who wrote it.
package sbom

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // UUID version 5 is defined by SHA-1
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"bulwark/internal/dependency"
)

// Limits that every reader keeps. What exceeds them is an error, never cut.
const (
	MaxBytes      = 256 << 20 // of one document
	MaxComponents = 500_000
	MaxEdges      = 5_000_000 // of the dependency graph
	MaxDepth      = 64        // of components within components
	MaxText       = 16 << 10  // bytes of one name, version, licence; a longer one is an error
)

// Types of components, as CycloneDX names them. Others are kept as read.
const (
	Library     = "library"
	Application = "application"
)

// Document is one SBOM.
type Document struct {
	Subject Subject `json:"subject"`
	// Components sorted by Ref.
	Components []Component `json:"components"`
	// Direct are the refs of the components that the subject itself needs,
	// sorted.
	Direct []string `json:"direct,omitempty"`
	Tools  []Tool   `json:"tools,omitempty"`
	// Created is when the content was true (the commit's time), in UTC.
	Created time.Time `json:"created,omitzero"`
	// Serial is "urn:uuid:…" or another URI that the document calls itself.
	Serial string `json:"serial,omitempty"`
	// Spec is the format that it was read from, "CycloneDX 1.6"; empty if built.
	Spec string `json:"spec,omitempty"`
	// Gaps are parts of manifests or of a read document that could not be
	// understood.
	Gaps []Gap `json:"gaps,omitempty"`
}

// Subject is what a document is about.
type Subject struct {
	Ref     string `json:"ref"`
	Type    string `json:"type,omitempty"` // default Application
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // a version or revision
	PURL    string `json:"purl,omitempty"`
}

// Tool is a program that made the document.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Component is one part of the subject.
type Component struct {
	// Ref names the component within the document.
	Ref  string `json:"ref"`
	Type string `json:"type,omitempty"`
	// Package is what is known of it as a package. Its Ecosystem is empty if no
	// package URL of a known type is stated. Via, Requires and Line are not
	// used: see Needs and Occurrences.
	Package dependency.Package `json:"package"`
	PURL    string             `json:"purl,omitempty"`
	// Needs are the refs of the components that it needs, sorted.
	Needs []string `json:"needs,omitempty"`
	// Occurrences are where it is declared, sorted.
	Occurrences []Occurrence `json:"occurrences,omitempty"`
}

// Occurrence is a place in a file.
type Occurrence struct {
	Path string `json:"path"`
	Line int    `json:"line,omitempty"` // from 1; 0: the file as a whole
}

// Gap is something that the document should tell and does not.
type Gap struct {
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

// Identified reports whether advisories can be looked up for the component.
func (c *Component) Identified() bool { return c.Package.Ecosystem != "" }

// Wanting reports whether the component should be identified and is not: it is
// neither a local part of the subject nor of a type that no package registry
// has (a file, an operating system, hardware, an application that groups others).
func (c *Component) Wanting() bool {
	if c.Identified() || c.Package.Local {
		return false
	}
	switch c.Type {
	case "", Library, "framework", "container":
		return true
	}
	return false
}

// Unidentified counts the components that are wanting.
func (d *Document) Unidentified() int {
	n := 0
	for i := range d.Components {
		if d.Components[i].Wanting() {
			n++
		}
	}
	return n
}

// Component returns the component with a ref, or nil.
func (d *Document) Component(ref string) *Component {
	i, ok := slices.BinarySearchFunc(d.Components, ref, func(c Component, ref string) int { return strings.Compare(c.Ref, ref) })
	if !ok {
		return nil
	}
	return &d.Components[i]
}

// space is the name space of serials (RFC 9562, version 5).
var space = [16]byte{0x6b, 0x1d, 0x0c, 0x52, 0x3e, 0x0f, 0x5a, 0x0e, 0x9c, 0x7e, 0x51, 0x0b, 0x77, 0x2e, 0x8a, 0x41}

// Seal sets Serial from the content: equal documents have equal serials.
func (d *Document) Seal() error {
	plain := *d
	plain.Serial = ""
	data, err := json.Marshal(&plain)
	if err != nil {
		return fmt.Errorf("deriving the serial number of the SBOM: %w", err)
	}
	d.Serial = Serial(data)
	return nil
}

// Serial is "urn:uuid:" with the UUID of version 5 of some content.
func Serial(content []byte) string {
	u := sha1.Sum(append(space[:len(space):len(space)], content...)) //nolint:gosec // as above
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	s := hex.EncodeToString(u[:16])
	return "urn:uuid:" + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func compareOccurrences(a, b Occurrence) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
}

func compareHashes(a, b dependency.Hash) int {
	return cmp.Or(strings.Compare(a.Algorithm, b.Algorithm), strings.Compare(a.Value, b.Value))
}
