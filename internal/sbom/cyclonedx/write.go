package cyclonedx

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
)

type metadata struct {
	Timestamp  string     `json:"timestamp,omitempty"`
	Tools      *tools     `json:"tools,omitempty"`
	Component  *component `json:"component,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type tools struct {
	Components []component `json:"components"`
}

type node struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

type composition struct {
	Aggregate  string   `json:"aggregate"`
	Assemblies []string `json:"assemblies,omitempty"`
}

// Write writes JSON of one of Versions ("" is the default). Equal documents
// give equal bytes.
func Write(w io.Writer, d *sbom.Document, version string) error {
	if version == "" {
		version = Versions()[0]
	}
	if !slices.Contains(Versions(), version) {
		return fmt.Errorf("writing CycloneDX: version %q is not one of %s", version, strings.Join(Versions(), ", "))
	}
	e := &encoder{w: bufio.NewWriterSize(w, 64<<10), version: version}
	e.document(d)
	if e.err == nil {
		e.err = e.w.Flush()
	}
	if e.err != nil {
		return fmt.Errorf("writing CycloneDX: %w", e.err)
	}
	return nil
}

// encoder writes one component after the other, so that a large document does
// not stand in memory twice.
type encoder struct {
	w        *bufio.Writer
	version  string
	licences sbom.Licences
	err      error
}

func (e *encoder) text(s string) {
	if e.err == nil {
		_, e.err = e.w.WriteString(s)
	}
}

func (e *encoder) value(indent string, v any) {
	if e.err != nil {
		return
	}
	var b strings.Builder
	j := json.NewEncoder(&b)
	j.SetEscapeHTML(false)
	j.SetIndent(indent, "  ")
	if e.err = j.Encode(v); e.err == nil {
		e.text(strings.TrimSuffix(b.String(), "\n"))
	}
}

func (e *encoder) document(d *sbom.Document) {
	e.text("{\n  \"$schema\": \"http://cyclonedx.org/schema/bom-" + e.version + ".schema.json\",\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"" + e.version + "\",\n")
	if strings.HasPrefix(d.Serial, "urn:uuid:") {
		e.text("  \"serialNumber\": ")
		e.value("  ", d.Serial)
		e.text(",\n")
	}
	e.text("  \"version\": 1,\n  \"metadata\": ")
	e.value("  ", e.metadata(d))
	e.text(",\n  \"components\": [")
	for i := range d.Components {
		e.separate(i)
		e.value("    ", e.component(&d.Components[i]))
	}
	e.close(len(d.Components))
	e.text(",\n  \"dependencies\": [\n    ")
	e.value("    ", node{d.Subject.Ref, d.Direct})
	for i := range d.Components {
		if c := &d.Components[i]; len(c.Needs) > 0 || len(d.Direct) > 0 {
			e.text(",\n    ")
			e.value("    ", node{c.Ref, c.Needs})
		}
	}
	e.text("\n  ],\n  \"compositions\": [\n    ")
	whole := composition{"unknown", []string{d.Subject.Ref}}
	if len(d.Gaps) > 0 {
		whole.Aggregate = "incomplete"
	}
	e.value("    ", whole)
	e.text("\n  ]\n}\n")
}

func (e *encoder) separate(i int) {
	if i > 0 {
		e.text(",")
	}
	e.text("\n    ")
}

func (e *encoder) close(n int) {
	if n > 0 {
		e.text("\n  ")
	}
	e.text("]")
}

func (e *encoder) metadata(d *sbom.Document) *metadata {
	m := &metadata{}
	if !d.Created.IsZero() {
		m.Timestamp = d.Created.UTC().Format(time.RFC3339)
	}
	if len(d.Tools) > 0 {
		m.Tools = &tools{}
		for _, t := range d.Tools {
			m.Tools.Components = append(m.Tools.Components, component{Type: sbom.Application, Name: t.Name, Version: t.Version})
		}
	}
	m.Component = &component{Type: kind(d.Subject.Type, sbom.Application), Ref: d.Subject.Ref, Name: d.Subject.Name, Version: d.Subject.Version, PURL: d.Subject.PURL}
	for _, g := range d.Gaps {
		text := g.Message
		if g.Path != "" {
			text = g.Path + ":" + strconv.Itoa(g.Line) + ": " + g.Message
		}
		m.Properties = append(m.Properties, property{propGap, text})
	}
	return m
}

// kind keeps types that the schema knows.
func kind(name, other string) string {
	switch name {
	case "application", "framework", "library", "container", "platform", "operating-system", "device",
		"device-driver", "firmware", "file", "machine-learning-model", "data":
		return name
	}
	return other
}

func (e *encoder) component(n *sbom.Component) *component {
	p := &n.Package
	c := &component{Type: kind(n.Type, sbom.Library), Ref: n.Ref, Name: p.Name, Version: p.Version, PURL: n.PURL, Scope: scopes[p.Scope]}
	c.Group, c.Name = group(p)
	for _, h := range p.Hashes {
		if name := algorithms[h.Algorithm]; name != "" && digest(h.Value) {
			c.Hashes = append(c.Hashes, hash{name, h.Value})
		}
	}
	c.Licenses = e.choices(p.Licenses)
	if len(n.Occurrences) > 0 {
		c.Evidence = &evidence{}
		for _, o := range n.Occurrences {
			if e.version == "1.5" && o.Line > 0 {
				o.Path, o.Line = o.Path+"#"+strconv.Itoa(o.Line), 0
			}
			c.Evidence.Occurrences = append(c.Evidence.Occurrences, occurrence{o.Path, o.Line})
		}
	}
	for _, q := range [...]property{{propConstraint, p.Constraint}, {propLocal, yes(p.Local)}, {propRelation, string(p.Relation)}} {
		if q.Value != "" {
			c.Properties = append(c.Properties, q)
		}
	}
	return c
}

// group splits names as CycloneDX does for its own tools.
func group(p *dependency.Package) (group, name string) {
	switch p.Ecosystem {
	case dependency.NPM:
		if strings.HasPrefix(p.Name, "@") {
			if scope, rest, ok := strings.Cut(p.Name, "/"); ok && rest != "" {
				return scope, rest
			}
		}
	case dependency.Maven:
		if g, artifact, ok := strings.Cut(p.Name, ":"); ok && artifact != "" {
			return g, artifact
		}
	case dependency.Packagist:
		if vendor, rest, ok := strings.Cut(p.Name, "/"); ok && rest != "" {
			return vendor, rest
		}
	}
	return "", p.Name
}

// choices writes one expression where all licences are SPDX, else one licence
// each, as the schema wants it.
func (e *encoder) choices(texts []string) []choice {
	if len(texts) == 0 {
		return nil
	}
	if len(texts) == 1 {
		switch text, kind := e.licences.Judge(texts[0]); kind {
		case sbom.LicenceID:
			return []choice{{License: &license{ID: text}}}
		case sbom.LicenceExpression:
			return []choice{{Expression: text}}
		}
	} else if all, ok := e.licences.Expression(texts, func(string) string { return "" }); ok {
		return []choice{{Expression: all}}
	}
	var out []choice
	for _, t := range texts {
		if text, kind := e.licences.Judge(t); kind == sbom.LicenceID {
			out = append(out, choice{License: &license{ID: text}})
		} else {
			out = append(out, choice{License: &license{Name: text}})
		}
	}
	return out
}

// digest checks what the schema wants of a hash.
func digest(s string) bool {
	switch len(s) {
	case 32, 40, 64, 96, 128:
	default:
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return ""
}
