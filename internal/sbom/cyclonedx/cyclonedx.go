// Package cyclonedx reads and writes CycloneDX SBOMs (https://cyclonedx.org):
// JSON and XML of versions 1.2 to 1.7 are read, JSON of 1.5 to 1.7 is written.
// Of a document it knows what package sbom has a place for; services, formulas,
// cryptography and the rest are skipped. Vulnerabilities within a document are
// for package vex. It does not validate against the schemas: what it writes is
// validated by its tests, what it reads comes from many tools and is taken as
// far as it can be understood.
package cyclonedx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
)

// Versions that are written, the default first.
func Versions() []string { return []string{"1.6", "1.7", "1.5"} }

// Names of properties of ours.
const (
	propConstraint = "bulwark:constraint"
	propLocal      = "bulwark:local"
	propRelation   = "bulwark:relation"
	propGap        = "bulwark:gap"
)

// component is a component in JSON and XML.
type component struct {
	Type       string      `json:"type" xml:"type,attr"`
	Ref        string      `json:"bom-ref,omitempty" xml:"bom-ref,attr"`
	Group      string      `json:"group,omitempty" xml:"group"`
	Name       string      `json:"name" xml:"name"`
	Version    string      `json:"version,omitempty" xml:"version"`
	Scope      string      `json:"scope,omitempty" xml:"scope"`
	Hashes     []hash      `json:"hashes,omitempty" xml:"hashes>hash"`
	Licenses   []choice    `json:"licenses,omitempty" xml:"-"`
	PURL       string      `json:"purl,omitempty" xml:"purl"`
	Components []component `json:"components,omitempty" xml:"components>component"`
	Evidence   *evidence   `json:"evidence,omitempty" xml:"evidence"`
	Properties []property  `json:"properties,omitempty" xml:"properties>property"`

	XMLLicenses    []license `json:"-" xml:"licenses>license"`
	XMLExpressions []string  `json:"-" xml:"licenses>expression"`
}

type hash struct {
	Algorithm string `json:"alg" xml:"alg,attr"`
	Content   string `json:"content" xml:",chardata"`
}

// choice is a licence or an expression.
type choice struct {
	License    *license `json:"license,omitempty"`
	Expression string   `json:"expression,omitempty"`
}

type license struct {
	ID   string `json:"id,omitempty" xml:"id"`
	Name string `json:"name,omitempty" xml:"name"`
}

type evidence struct {
	Occurrences []occurrence `json:"occurrences,omitempty" xml:"occurrences>occurrence"`
}

type occurrence struct {
	Location string `json:"location" xml:"location"`
	Line     int    `json:"line,omitempty" xml:"line"`
}

type property struct {
	Name  string `json:"name" xml:"name,attr"`
	Value string `json:"value" xml:",chardata"`
}

// algorithms are the names of CycloneDX by ours.
var algorithms = map[string]string{
	"md5": "MD5", "sha-1": "SHA-1", "sha-256": "SHA-256", "sha-384": "SHA-384", "sha-512": "SHA-512",
	"sha3-256": "SHA3-256", "sha3-384": "SHA3-384", "sha3-512": "SHA3-512",
	"blake2b-256": "BLAKE2b-256", "blake2b-384": "BLAKE2b-384", "blake2b-512": "BLAKE2b-512", "blake3": "BLAKE3",
}

// scopes are the names of CycloneDX by ours.
var scopes = map[dependency.Scope]string{
	dependency.Production: "required", dependency.Optional: "optional", dependency.Development: "excluded",
}

func scopeOf(name string) dependency.Scope {
	for s, n := range scopes {
		if n == name {
			return s
		}
	}
	return dependency.Unstated
}

// neutral is the component as package sbom has it.
func (c *component) neutral() (sbom.Component, error) {
	n := sbom.Component{Ref: c.Ref, Type: c.Type, PURL: strings.TrimSpace(c.PURL)}
	p := &n.Package
	p.Name, p.Version, p.Scope = strings.TrimSpace(c.Name), strings.TrimSpace(c.Version), scopeOf(strings.TrimSpace(c.Scope))
	if g := strings.TrimSpace(c.Group); g != "" {
		p.Name = g + "/" + p.Name
	}
	for _, h := range c.Hashes {
		p.Hashes = append(p.Hashes, dependency.Hash{Algorithm: strings.ToLower(h.Algorithm), Value: strings.ToLower(strings.TrimSpace(h.Content))})
	}
	for _, l := range c.Licenses {
		c.XMLExpressions = append(c.XMLExpressions, l.Expression)
		if l.License != nil {
			c.XMLLicenses = append(c.XMLLicenses, *l.License)
		}
	}
	for _, l := range c.XMLLicenses {
		c.XMLExpressions = append(c.XMLExpressions, either(l.ID, l.Name))
	}
	for _, text := range c.XMLExpressions {
		if text = strings.TrimSpace(text); len(text) > sbom.MaxText {
			return n, fmt.Errorf("component %.60q: a licence of more than %d bytes", c.Name, sbom.MaxText)
		} else if text != "" && !slices.Contains(p.Licenses, text) {
			p.Licenses = append(p.Licenses, text)
		}
	}
	slices.Sort(p.Licenses)
	if c.Evidence != nil {
		for _, o := range c.Evidence.Occurrences {
			path, line := strings.TrimSpace(o.Location), max(o.Line, 0)
			// Version 1.5 has no lines; ours stand behind "#".
			if before, after, ok := cutLast(path, "#"); ok && line == 0 {
				if at, err := strconv.Atoi(after); err == nil && at > 0 {
					path, line = before, at
				}
			}
			if path != "" {
				n.Occurrences = append(n.Occurrences, sbom.Occurrence{Path: path, Line: line})
			}
		}
	}
	for _, q := range c.Properties {
		value := strings.TrimSpace(q.Value)
		switch {
		case q.Name == propConstraint:
			p.Constraint = value
		case q.Name == propLocal:
			p.Local = value == "true"
		case q.Name == propRelation && (value == string(dependency.Direct) || value == string(dependency.Transitive)):
			p.Relation = dependency.Relation(value)
		case isSyftPath(q.Name), q.Name == "SrcFile", q.Name == "aquasecurity:trivy:FilePath":
			if value = strings.TrimPrefix(value, "/"); value != "" && (c.Evidence == nil || len(c.Evidence.Occurrences) == 0) {
				n.Occurrences = append(n.Occurrences, sbom.Occurrence{Path: value})
			}
		}
	}
	return n, nil
}

// isSyftPath recognises "syft:location:0:path".
func isSyftPath(name string) bool {
	return strings.HasPrefix(name, "syft:location:") && strings.HasSuffix(name, ":path")
}

func either(a, b string) string {
	if strings.TrimSpace(a) != "" {
		return a
	}
	return b
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
