package spdx

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
)

// WriteJSON writes SPDX 2.3 as JSON. Equal documents give equal bytes.
func WriteJSON(w io.Writer, d *sbom.Document) error {
	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(convert(d))
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing SPDX: %w", err)
	}
	return nil
}

// WriteTagValue writes SPDX 2.3 as tag-value.
func WriteTagValue(w io.Writer, d *sbom.Document) error {
	if _, err := io.WriteString(w, tagValue(convert(d))); err != nil {
		return fmt.Errorf("writing SPDX: %w", err)
	}
	return nil
}

// converter carries what is collected on the way.
type converter struct {
	out      *document
	ids      map[string]string // by ref
	licences sbom.Licences
	texts    map[string]string // of licences that are no SPDX expression, by LicenseRef
}

func convert(d *sbom.Document) *document {
	c := &converter{ids: map[string]string{}, texts: map[string]string{}}
	created := d.Created
	if created.IsZero() {
		created = time.Unix(0, 0) // the format requires one; see the package comment of sbom.Options
	}
	c.out = &document{
		ID: documentID, Version: "SPDX-2.3", License: "CC0-1.0", Name: nonEmpty(d.Subject.Name, noAssertion),
		Creation: creation{Created: created.UTC().Format(time.RFC3339), Creators: []string{}},
		Packages: make([]pkg, 0, len(d.Components)+1), Relationships: []relationship{},
	}
	for _, t := range d.Tools {
		name := t.Name
		if t.Version != "" {
			name += "-" + t.Version
		}
		c.out.Creation.Creators = append(c.out.Creation.Creators, "Tool: "+name)
	}
	if len(d.Tools) == 0 {
		c.out.Creation.Creators = append(c.out.Creation.Creators, "Organization: "+noAssertion)
	}
	c.out.Namespace = "https://spdx.org/spdxdocs/" + url.PathEscape(nonEmpty(d.Subject.Name, "sbom")) + "-" + strings.TrimPrefix(d.Serial, "urn:uuid:")
	if !strings.HasPrefix(d.Serial, "urn:uuid:") && strings.Contains(d.Serial, "://") {
		c.out.Namespace = d.Serial
	}
	var gaps []string
	for _, g := range d.Gaps {
		text := g.Message
		if g.Path != "" {
			text = g.Path + ":" + strconv.Itoa(g.Line) + ": " + g.Message
		}
		gaps = append(gaps, text)
	}
	c.out.Comment = strings.Join(gaps, "\n")
	root := c.subject(d)
	for i := range d.Components {
		c.ids[d.Components[i].Ref] = identifier(&d.Components[i])
	}
	c.out.Relationships = append(c.out.Relationships, relationship{documentID, "DESCRIBES", root})
	for i := range d.Components {
		c.component(&d.Components[i])
	}
	for _, ref := range d.Direct {
		one := relationship{root, "DEPENDS_ON", c.ids[ref]}
		if n := d.Component(ref); n != nil {
			switch n.Package.Scope {
			case dependency.Development:
				one = relationship{c.ids[ref], "DEV_DEPENDENCY_OF", root}
			case dependency.Optional:
				one = relationship{c.ids[ref], "OPTIONAL_DEPENDENCY_OF", root}
			}
		}
		c.out.Relationships = append(c.out.Relationships, one)
	}
	for i := range d.Components {
		from := c.ids[d.Components[i].Ref]
		for _, ref := range d.Components[i].Needs {
			c.out.Relationships = append(c.out.Relationships, relationship{from, "DEPENDS_ON", c.ids[ref]})
		}
	}
	for id, text := range c.texts {
		c.out.Extracted = append(c.out.Extracted, extracted{id, text, oneLine(text)})
	}
	slices.SortFunc(c.out.Extracted, func(a, b extracted) int { return strings.Compare(a.ID, b.ID) })
	return c.out
}

func nonEmpty(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// subject adds what the document describes.
func (c *converter) subject(d *sbom.Document) string {
	p := pkg{
		ID: "SPDXRef-Subject", Name: nonEmpty(d.Subject.Name, noAssertion), Version: d.Subject.Version, Download: noAssertion,
		Purpose:   nonEmpty(purposeOf(d.Subject.Type), "APPLICATION"),
		Concluded: noAssertion, Declared: noAssertion, Copyright: noAssertion,
	}
	if d.Subject.PURL != "" {
		p.ExternalRefs = []reference{{"PACKAGE-MANAGER", "purl", d.Subject.PURL}}
	}
	c.out.Packages = append(c.out.Packages, p)
	return p.ID
}

// identifier is unique by the hash of the ref, and readable.
func identifier(n *sbom.Component) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, n.Package.Name)
	sum := sha256.Sum256([]byte(n.Ref))
	return "SPDXRef-Package-" + strings.Trim(name[:min(len(name), 80)], "-") + "-" + hex.EncodeToString(sum[:8])
}

func (c *converter) component(n *sbom.Component) {
	k := &n.Package
	p := pkg{
		ID: c.ids[n.Ref], Name: nonEmpty(k.Name, noAssertion), Version: k.Version, Download: download(k.Origin),
		Purpose: purposeOf(n.Type), Concluded: noAssertion, Declared: noAssertion, Copyright: noAssertion,
	}
	for _, h := range k.Hashes {
		if name := algorithms[h.Algorithm]; name != "" && h.Value != "" && strings.Trim(h.Value, "0123456789abcdef") == "" {
			p.Checksums = append(p.Checksums, checksum{name, h.Value})
		}
	}
	if declared, ok := c.licences.Expression(k.Licenses, c.reference); ok {
		p.Declared = declared
	}
	if len(n.Occurrences) > 0 {
		places := make([]string, len(n.Occurrences))
		for i, o := range n.Occurrences {
			places[i] = o.Path
			if o.Line > 0 {
				places[i] += ":" + strconv.Itoa(o.Line)
			}
		}
		p.SourceInfo = declaredIn + strings.Join(places, ", ")
	}
	var notes []string
	if k.Constraint != "" {
		notes = append(notes, asked+k.Constraint)
	}
	if k.Scope != dependency.Unstated {
		notes = append(notes, needed+string(k.Scope))
	}
	if k.Relation == dependency.Transitive {
		notes = append(notes, related+string(k.Relation))
	}
	if k.Local {
		notes = append(notes, local)
	}
	p.Comment = strings.Join(notes, "; ")
	if n.PURL != "" && !strings.ContainsAny(n.PURL, " \t\r\n") {
		p.ExternalRefs = []reference{{"PACKAGE-MANAGER", "purl", n.PURL}}
	}
	c.out.Packages = append(c.out.Packages, p)
}

// reference names a licence that is no SPDX expression.
func (c *converter) reference(text string) string {
	sum := sha256.Sum256([]byte(text))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, text[:min(len(text), 40)])
	id := "LicenseRef-" + strings.Trim(name, "-") + "-" + hex.EncodeToString(sum[:4])
	c.texts[id] = text
	return id
}

// download is where the package is from, if that is a URI.
func download(origin string) string {
	if strings.Contains(origin, "://") && !strings.ContainsAny(origin, " \t\r\n\"<>") {
		return origin
	}
	return noAssertion
}
