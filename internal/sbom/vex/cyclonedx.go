package vex

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"bulwark/internal/sbom"
)

// Properties of ours.
const (
	propModified = "bulwark:advisory-modified"
	propContent  = "bulwark:content"
	propExpires  = "bulwark:expires"
)

type cdxDocument struct {
	Schema          string          `json:"$schema,omitempty"`
	Format          string          `json:"bomFormat"`
	Spec            string          `json:"specVersion"`
	Serial          string          `json:"serialNumber,omitempty"`
	Version         int             `json:"version"`
	Metadata        *cdxMetadata    `json:"metadata,omitempty"`
	Components      []cdxComponent  `json:"components,omitempty"`
	Vulnerabilities []vulnerability `json:"vulnerabilities"`
}

type cdxMetadata struct {
	Timestamp string        `json:"timestamp,omitempty"`
	Authors   []cdxAuthor   `json:"authors,omitempty"`
	Component *cdxComponent `json:"component,omitempty"`
}

type cdxAuthor struct {
	Name string `json:"name"`
}

type cdxComponent struct {
	Type       string         `json:"type"`
	Ref        string         `json:"bom-ref,omitempty"`
	Name       string         `json:"name"`
	PURL       string         `json:"purl,omitempty"`
	Components []cdxComponent `json:"components,omitempty"`
}

type vulnerability struct {
	ID         string         `json:"id"`
	References []cdxReference `json:"references,omitempty"`
	Analysis   *analysis      `json:"analysis,omitempty"`
	Advice     string         `json:"recommendation,omitempty"`
	Affects    []affect       `json:"affects,omitempty"`
	Properties []cdxProperty  `json:"properties,omitempty"`
}

type cdxReference struct {
	ID     string    `json:"id"`
	Source cdxSource `json:"source"`
}

type cdxSource struct {
	Name string `json:"name,omitempty"`
}

type analysis struct {
	State         string `json:"state"`
	Justification string `json:"justification,omitempty"`
	Detail        string `json:"detail,omitempty"`
	FirstIssued   string `json:"firstIssued,omitempty"`
	LastUpdated   string `json:"lastUpdated,omitempty"`
}

type affect struct {
	Ref string `json:"ref"`
}

type cdxProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// states and justifications translate to OpenVEX's. CycloneDX knows more
// justifications; the detail keeps what is lost.
var states = map[string]Status{
	"resolved": Fixed, "resolved_with_pedigree": Fixed, "exploitable": Affected, "in_triage": UnderInvestigation,
	"false_positive": NotAffected, "not_affected": NotAffected,
}

var justifications = map[string]string{
	"code_not_present": CodeNotPresent, "code_not_reachable": CodeNotReached,
	"requires_configuration": CodeNotControlled, "requires_dependency": CodeNotControlled, "requires_environment": CodeNotControlled,
	"protected_by_compiler": MitigationsExist, "protected_at_runtime": MitigationsExist,
	"protected_at_perimeter": MitigationsExist, "protected_by_mitigating_control": MitigationsExist,
}

func readCycloneDX(data []byte) (*Document, error) {
	var in cdxDocument
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("CycloneDX: %w", err)
	}
	d := &Document{ID: in.Serial, Statements: []Statement{}}
	purls := map[string]string{} // by bom-ref
	subject := ""
	if m := in.Metadata; m != nil {
		d.Time = moment(m.Timestamp)
		if len(m.Authors) > 0 {
			d.Author = m.Authors[0].Name
		}
		if m.Component != nil {
			if subject = m.Component.PURL; subject == "" {
				subject = m.Component.Name
			}
			purls[m.Component.Ref] = subject
			collect(purls, m.Component.Components, 0)
		}
	}
	collect(purls, in.Components, 0)
	products := 0
	for i := range in.Vulnerabilities {
		v := &in.Vulnerabilities[i]
		if v.Analysis == nil || v.Analysis.State == "" {
			continue // a finding, not a statement
		}
		s := Statement{Vulnerability: v.ID, Status: states[v.Analysis.State], Author: d.Author, Time: d.Time, Action: v.Advice}
		if s.Status == "" {
			s.Status = Status(v.Analysis.State)
		}
		if s.Status == NotAffected {
			s.Impact, s.Justification = v.Analysis.Detail, justifications[v.Analysis.Justification]
			if v.Analysis.State == "false_positive" && s.Impact == "" {
				s.Impact = "false positive"
			}
		}
		for _, r := range v.References {
			s.Aliases = append(s.Aliases, r.ID)
		}
		for _, text := range [...]string{v.Analysis.FirstIssued, v.Analysis.LastUpdated} {
			if t := moment(text); !t.IsZero() {
				s.Time = t
			}
		}
		for _, p := range v.Properties {
			switch p.Name {
			case propModified:
				s.Ground.Modified = p.Value
			case propContent:
				s.Ground.Content = p.Value
			case propExpires:
				s.Expires = moment(p.Value)
			}
		}
		parts := Product{ID: subject}
		for _, a := range v.Affects {
			switch id := target(purls, a.Ref); {
			case id == "":
			case id == subject:
				s.Products = append(s.Products, Product{ID: id})
			default:
				parts.Parts = append(parts.Parts, id)
			}
		}
		if len(parts.Parts) > 0 {
			s.Products = append(s.Products, parts)
		}
		if err := d.add(s, &products); err != nil {
			return nil, fmt.Errorf("CycloneDX: %w", err)
		}
	}
	return d, nil
}

func collect(purls map[string]string, list []cdxComponent, depth int) {
	if depth > sbom.MaxDepth {
		return // a ref that is not found is a gap later
	}
	for i := range list {
		if c := &list[i]; c.Ref != "" && c.PURL != "" {
			purls[c.Ref] = c.PURL
		}
		collect(purls, list[i].Components, depth+1)
	}
}

// target resolves a ref: of this document, a package URL, or a link to another
// document ("urn:cdx:serial/version#ref") whose ref is a package URL.
func target(purls map[string]string, ref string) string {
	if id := purls[ref]; id != "" {
		return id
	}
	if strings.HasPrefix(ref, "urn:cdx:") {
		_, after, _ := strings.Cut(ref, "#")
		if id := purls[after]; id != "" {
			return id
		}
		if text, err := url.PathUnescape(after); err == nil && strings.HasPrefix(text, "pkg:") {
			ref = text
			if strings.HasPrefix(after, "pkg:") {
				ref = after
			}
		}
	}
	if strings.HasPrefix(ref, "pkg:") {
		return ref
	}
	return ""
}

// WriteCycloneDX writes CycloneDX 1.6. Equal documents give equal bytes.
func WriteCycloneDX(w io.Writer, d *Document) error {
	out := cdxDocument{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1, Vulnerabilities: []vulnerability{}}
	out.Metadata = &cdxMetadata{Timestamp: stamp(d.Time)}
	if d.Author != "" {
		out.Metadata.Authors = []cdxAuthor{{d.Author}}
	}
	out.Metadata.Component = container(d)
	refs := map[string]bool{}
	if c := out.Metadata.Component; c != nil {
		refs[c.Ref] = true
	}
	for i := range d.Statements {
		s := &d.Statements[i]
		v := vulnerability{ID: s.Vulnerability, Advice: s.Action, Analysis: &analysis{Detail: s.Impact, LastUpdated: stamp(s.Time)}}
		for _, a := range s.Aliases {
			v.References = append(v.References, cdxReference{ID: a, Source: cdxSource{Name: "alias"}})
		}
		v.Analysis.State = map[Status]string{NotAffected: "not_affected", Affected: "exploitable", Fixed: "resolved", UnderInvestigation: "in_triage"}[s.Status]
		if s.Status == NotAffected {
			v.Analysis.Justification = map[string]string{
				ComponentNotPresent: "code_not_present", CodeNotPresent: "code_not_present", CodeNotReached: "code_not_reachable",
				CodeNotControlled: "requires_configuration", MitigationsExist: "protected_by_mitigating_control",
			}[s.Justification]
		}
		for _, p := range [...]cdxProperty{{propModified, s.Ground.Modified}, {propContent, s.Ground.Content}, {propExpires, stamp(s.Expires)}} {
			if p.Value != "" {
				v.Properties = append(v.Properties, p)
			}
		}
		for _, p := range s.Products {
			ids := p.Parts
			if len(ids) == 0 {
				ids = []string{p.ID}
			}
			for _, id := range ids {
				if id == "" || slices.Contains(v.Affects, affect{id}) {
					continue
				}
				v.Affects = append(v.Affects, affect{id})
				if !refs[id] {
					refs[id] = true
					out.Components = append(out.Components, component(id))
				}
			}
		}
		out.Vulnerabilities = append(out.Vulnerabilities, v)
	}
	data, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("writing CycloneDX: %w", err)
	}
	out.Serial = sbom.Serial(data)
	return encode(w, "CycloneDX", out)
}

// container is the product that all statements about parts name, or nil.
func container(d *Document) *cdxComponent {
	id := ""
	for i := range d.Statements {
		for _, p := range d.Statements[i].Products {
			if len(p.Parts) == 0 || p.ID == "" {
				continue
			}
			if id != "" && id != p.ID {
				return nil
			}
			id = p.ID
		}
	}
	if id == "" {
		return nil
	}
	c := component(id)
	c.Type = sbom.Application
	return &c
}

func component(id string) cdxComponent {
	c := cdxComponent{Type: sbom.Library, Ref: id, Name: id}
	if u, err := parse(id); err == nil {
		c.PURL, c.Name = id, u.Name
	}
	return c
}
