// Package spdx reads and writes SPDX SBOMs (https://spdx.github.io/spdx-spec/):
// JSON and tag-value of versions 2.2 and 2.3 are read, 2.3 is written. Of a
// document it knows what package sbom has a place for; files, snippets,
// annotations and reviews are skipped. It does not validate against the schema:
// what it writes is validated by its tests, what it reads comes from many tools
// and is taken as far as it can be understood.
package spdx

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
)

const (
	documentID  = "SPDXRef-DOCUMENT"
	noAssertion = "NOASSERTION"
	none        = "NONE"
	// declaredIn begins sourceInfo of ours: places separated by ", ".
	declaredIn = "declared in "
	// asked begins the comment of ours that holds a constraint.
	asked = "version asked for: "
	local = "part of the project itself"
	// needed and related begin further parts of the comment.
	needed  = "needed for: "
	related = "relation: "
)

// document is the JSON form.
type document struct {
	ID            string         `json:"SPDXID"`
	Version       string         `json:"spdxVersion"`
	Creation      creation       `json:"creationInfo"`
	Name          string         `json:"name"`
	License       string         `json:"dataLicense"`
	Namespace     string         `json:"documentNamespace"`
	Comment       string         `json:"comment,omitempty"`
	Describes     []string       `json:"documentDescribes,omitempty"`
	Packages      []pkg          `json:"packages"`
	Relationships []relationship `json:"relationships"`
	Extracted     []extracted    `json:"hasExtractedLicensingInfos,omitempty"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
	Comment  string   `json:"comment,omitempty"`
}

type pkg struct {
	ID           string      `json:"SPDXID"`
	Name         string      `json:"name"`
	Version      string      `json:"versionInfo,omitempty"`
	Download     string      `json:"downloadLocation"`
	Analyzed     bool        `json:"filesAnalyzed"`
	Purpose      string      `json:"primaryPackagePurpose,omitempty"`
	Checksums    []checksum  `json:"checksums,omitempty"`
	SourceInfo   string      `json:"sourceInfo,omitempty"`
	Concluded    string      `json:"licenseConcluded,omitempty"`
	Declared     string      `json:"licenseDeclared,omitempty"`
	Copyright    string      `json:"copyrightText,omitempty"`
	Comment      string      `json:"comment,omitempty"`
	ExternalRefs []reference `json:"externalRefs,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type reference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

type extracted struct {
	ID   string `json:"licenseId"`
	Text string `json:"extractedText"`
	Name string `json:"name,omitempty"`
}

// algorithms are the names of SPDX by ours.
var algorithms = map[string]string{
	"md5": "MD5", "sha-1": "SHA1", "sha-224": "SHA224", "sha-256": "SHA256", "sha-384": "SHA384", "sha-512": "SHA512",
	"sha3-256": "SHA3-256", "sha3-384": "SHA3-384", "sha3-512": "SHA3-512",
	"blake2b-256": "BLAKE2b-256", "blake2b-384": "BLAKE2b-384", "blake2b-512": "BLAKE2b-512", "blake3": "BLAKE3",
}

func algorithmOf(name string) string {
	for ours, theirs := range algorithms {
		if theirs == name {
			return ours
		}
	}
	return strings.ToLower(name)
}

// purposes are the types of components by the purposes of SPDX 2.3.
var purposes = map[string]string{
	"APPLICATION": "application", "FRAMEWORK": "framework", "LIBRARY": "library", "CONTAINER": "container",
	"OPERATING-SYSTEM": "operating-system", "OPERATING_SYSTEM": "operating-system", "DEVICE": "device",
	"FIRMWARE": "firmware", "FILE": "file",
}

func purposeOf(kind string) string {
	if kind == "operating-system" {
		return "OPERATING_SYSTEM"
	}
	if kind == "" {
		return ""
	}
	for p, t := range purposes {
		if t == kind {
			return p
		}
	}
	return "OTHER"
}

// Read reads JSON or tag-value.
func Read(data []byte) (*sbom.Document, error) {
	if len(data) > sbom.MaxBytes {
		return nil, fmt.Errorf("reading SPDX: larger than %d bytes", sbom.MaxBytes)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	r := &reader{}
	var err error
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		err = r.json(data)
	} else {
		err = r.tags(data)
	}
	var d *sbom.Document
	if err == nil {
		d, err = r.finish()
	}
	if err != nil {
		return nil, fmt.Errorf("reading SPDX: %w", err)
	}
	return d, nil
}

// reader gathers a document.
type reader struct {
	sbom.Assembly
	version   string
	name      string
	describes []string
	packages  []sbom.Component
	relations []relation
	extracted map[string]string // texts by LicenseRef
}

// relation is a relationship that matters here.
type relation struct {
	from, to string // to is needed by from
	scope    dependency.Scope
}

// relate keeps dependencies and what the document describes.
func (r *reader) relate(from, kind, to string) error {
	if from == documentID && kind == "DESCRIBES" {
		r.describes = append(r.describes, to)
		return nil
	}
	if to == documentID && kind == "DESCRIBED_BY" {
		r.describes = append(r.describes, from)
		return nil
	}
	n := relation{from: to, to: from}
	switch kind {
	case "DEPENDS_ON":
		n.from, n.to = from, to
	case "DEPENDENCY_OF", "PROVIDED_DEPENDENCY_OF":
	case "RUNTIME_DEPENDENCY_OF":
		n.scope = dependency.Production
	case "OPTIONAL_DEPENDENCY_OF":
		n.scope = dependency.Optional
	case "DEV_DEPENDENCY_OF", "BUILD_DEPENDENCY_OF", "TEST_DEPENDENCY_OF":
		n.scope = dependency.Development
	default:
		return nil
	}
	if len(r.relations) >= sbom.MaxEdges {
		return fmt.Errorf("more than %d dependencies between packages", sbom.MaxEdges)
	}
	r.relations = append(r.relations, n)
	return nil
}

// neutral is the package as package sbom has it.
func (r *reader) neutral(p *pkg) (sbom.Component, error) {
	n := sbom.Component{Ref: p.ID, Type: purposes[p.Purpose]}
	if n.Type == "" && p.Purpose == "" {
		n.Type = sbom.Library
	}
	k := &n.Package
	k.Name, k.Version = p.Name, p.Version
	if k.Version == noAssertion {
		k.Version = ""
	}
	for _, e := range p.ExternalRefs {
		if e.Type == "purl" && n.PURL == "" {
			n.PURL = strings.TrimSpace(e.Locator)
		}
	}
	for _, c := range p.Checksums {
		k.Hashes = append(k.Hashes, dependency.Hash{Algorithm: algorithmOf(c.Algorithm), Value: strings.ToLower(c.Value)})
	}
	declared := p.Declared
	if declared == "" || declared == noAssertion || declared == none {
		declared = p.Concluded
	}
	if declared != "" && declared != noAssertion && declared != none {
		if len(declared) > sbom.MaxText {
			return n, fmt.Errorf("package %.60q: a licence of more than %d bytes", p.Name, sbom.MaxText)
		}
		k.Licenses = []string{declared}
	}
	if rest, ok := strings.CutPrefix(p.SourceInfo, declaredIn); ok {
		for _, at := range strings.Split(rest, ", ") {
			n.Occurrences = append(n.Occurrences, place(at))
		}
	}
	for _, line := range strings.Split(p.Comment, "; ") {
		if rest, ok := strings.CutPrefix(line, asked); ok {
			k.Constraint = rest
		} else if rest, ok := strings.CutPrefix(line, needed); ok && slices.Contains([]string{string(dependency.Production), string(dependency.Optional), string(dependency.Development)}, rest) {
			k.Scope = dependency.Scope(rest)
		} else if line == related+string(dependency.Transitive) {
			k.Relation = dependency.Transitive
		} else if line == local {
			k.Local = true
		}
	}
	return n, nil
}

// place reads "path:line" or "path".
func place(text string) sbom.Occurrence {
	if i := strings.LastIndexByte(text, ':'); i > 0 {
		if line, err := strconv.Atoi(text[i+1:]); err == nil && line > 0 {
			return sbom.Occurrence{Path: text[:i], Line: line}
		}
	}
	return sbom.Occurrence{Path: text}
}

func (r *reader) add(p *pkg) error {
	if len(r.packages) >= sbom.MaxComponents {
		return fmt.Errorf("more than %d packages", sbom.MaxComponents)
	}
	n, err := r.neutral(p)
	if err == nil {
		r.packages = append(r.packages, n)
	}
	return err
}

func (r *reader) created(text string) {
	if text == "" {
		return
	}
	d := r.Document()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		d.Gaps = append(d.Gaps, sbom.Gap{Message: fmt.Sprintf("the creation time %.40q is not a time", text)})
		return
	}
	d.Created = at.UTC()
}

// creator keeps tools: "Tool: syft-1.20.0".
func (r *reader) creator(text string) {
	name, ok := strings.CutPrefix(text, "Tool:")
	if !ok {
		return
	}
	t := sbom.Tool{Name: strings.TrimSpace(name)}
	if i := strings.LastIndexByte(t.Name, '-'); i > 0 && i+1 < len(t.Name) && strings.ContainsAny(t.Name[i+1:], "0123456789") {
		t.Name, t.Version = t.Name[:i], t.Name[i+1:]
	}
	d := r.Document()
	d.Tools = append(d.Tools, t)
}

// finish chooses the subject and adds packages and edges.
func (r *reader) finish() (*sbom.Document, error) {
	d := r.Document()
	switch r.version {
	case "SPDX-2.2", "SPDX-2.3":
		d.Spec = "SPDX " + strings.TrimPrefix(r.version, "SPDX-")
	case "":
		return nil, errors.New("the document does not say which version of SPDX it is (spdxVersion)")
	default:
		return nil, fmt.Errorf("version %.20q of SPDX is not one of 2.2 and 2.3", r.version)
	}
	// Several described packages are parts of something that only the
	// document's name names.
	d.Subject = sbom.Subject{Ref: documentID, Type: sbom.Application, Name: r.name}
	slices.Sort(r.describes)
	r.describes = slices.Compact(r.describes)
	root := ""
	if len(r.describes) == 1 {
		root = r.describes[0]
	}
	for i := range r.packages {
		p := &r.packages[i]
		r.resolve(p)
		if p.Ref == root && root != "" {
			d.Subject = sbom.Subject{Ref: root, Type: p.Type, Name: p.Package.Name, Version: p.Package.Version, PURL: p.PURL}
			root = ""
			continue
		}
		if err := r.Add(*p); err != nil {
			return nil, err
		}
	}
	r.packages = nil
	scopes := map[string]dependency.Scope{}
	for _, n := range r.relations {
		if err := r.Edge(n.from, n.to); err != nil {
			return nil, err
		}
		// Of several scopes the one that ships the package counts.
		if old := scopes[n.to]; n.scope != dependency.Unstated && (old == dependency.Unstated || old == dependency.Development || n.scope == dependency.Production) {
			scopes[n.to] = n.scope
		}
	}
	for ref, s := range scopes {
		r.SetScope(ref, s)
	}
	r.relations = nil
	return r.Finish(), nil
}

// resolve writes the text for a reference to a licence within the document.
func (r *reader) resolve(c *sbom.Component) {
	for i, l := range c.Package.Licenses {
		if text, ok := r.extracted[l]; ok && text != "" && len(text) <= 256 {
			c.Package.Licenses[i] = text
		}
	}
}
