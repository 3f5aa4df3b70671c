package vex

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bulwark/internal/sbom"
)

const openVEX = "https://openvex.dev/ns"

// ours begins the part of status_notes that a program can read:
// "bulwark: holds until code or advisory changes; advisory-modified=…; content=…; expires=…".
const ours = "bulwark: holds until code or advisory changes"

type openDocument struct {
	Context    string          `json:"@context"`
	ID         string          `json:"@id"`
	Author     string          `json:"author"`
	Timestamp  string          `json:"timestamp"`
	Version    json.RawMessage `json:"version"`
	Tooling    string          `json:"tooling,omitempty"`
	Statements []openStatement `json:"statements"`
}

type openStatement struct {
	Vulnerability openVulnerability `json:"vulnerability"`
	Timestamp     string            `json:"timestamp,omitempty"`
	LastUpdated   string            `json:"last_updated,omitempty"`
	Products      []openProduct     `json:"products"`
	Status        string            `json:"status"`
	Notes         string            `json:"status_notes,omitempty"`
	Justification string            `json:"justification,omitempty"`
	Impact        string            `json:"impact_statement,omitempty"`
	Action        string            `json:"action_statement,omitempty"`
}

// openVulnerability is an object since 0.2 and was a text before.
type openVulnerability struct {
	ID      string   `json:"@id,omitempty"`
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
}

func (v *openVulnerability) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &v.Name)
	}
	type plain openVulnerability
	return json.Unmarshal(data, (*plain)(v))
}

// openProduct is an object since 0.2 and was a text before.
type openProduct struct {
	ID          string            `json:"@id,omitempty"`
	Identifiers map[string]string `json:"identifiers,omitempty"`
	Parts       []openProduct     `json:"subcomponents,omitempty"`
}

func (p *openProduct) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &p.ID)
	}
	type plain openProduct
	return json.Unmarshal(data, (*plain)(p))
}

func (p *openProduct) name() string {
	if purl := p.Identifiers["purl"]; purl != "" {
		return purl
	}
	return p.ID
}

func readOpenVEX(data []byte) (*Document, error) {
	var in openDocument
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("OpenVEX: %w", err)
	}
	d := &Document{ID: in.ID, Author: in.Author, Tool: in.Tooling, Time: moment(in.Timestamp), Statements: []Statement{}}
	products := 0
	for i := range in.Statements {
		o := &in.Statements[i]
		s := Statement{
			Vulnerability: o.Vulnerability.Name, Aliases: slices.Clone(o.Vulnerability.Aliases), Status: Status(o.Status),
			Justification: o.Justification, Impact: o.Impact, Action: o.Action, Author: in.Author, Time: d.Time,
		}
		if s.Vulnerability == "" {
			s.Vulnerability = o.Vulnerability.ID
		}
		for _, text := range [...]string{o.Timestamp, o.LastUpdated} {
			if t := moment(text); t.After(s.Time) || (text == o.Timestamp && !t.IsZero()) {
				s.Time = t
			}
		}
		s.ground(o.Notes)
		for j := range o.Products {
			p := Product{ID: o.Products[j].name()}
			for k := range o.Products[j].Parts {
				p.Parts = append(p.Parts, o.Products[j].Parts[k].name())
			}
			s.Products = append(s.Products, p)
		}
		if err := d.add(s, &products); err != nil {
			return nil, fmt.Errorf("OpenVEX: %w", err)
		}
	}
	return d, nil
}

// ground reads status_notes of ours.
func (s *Statement) ground(notes string) {
	if !strings.HasPrefix(notes, ours) {
		return
	}
	for _, part := range strings.Split(notes, "; ") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "advisory-modified":
			s.Ground.Modified = value
		case "content":
			s.Ground.Content = value
		case "expires":
			s.Expires = moment(value)
		}
	}
}

func (s *Statement) notes() string {
	if s.Ground == (Ground{}) && s.Expires.IsZero() {
		return ""
	}
	text := ours
	for _, part := range [...][2]string{{"advisory-modified", s.Ground.Modified}, {"content", s.Ground.Content}, {"expires", stamp(s.Expires)}} {
		if part[1] != "" {
			text += "; " + part[0] + "=" + strings.ReplaceAll(part[1], ";", ",")
		}
	}
	return text
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// WriteOpenVEX writes OpenVEX 0.2. Equal documents give equal bytes; without an
// ID the document is named by its content.
func WriteOpenVEX(w io.Writer, d *Document) error {
	out := openDocument{
		Context: openVEX + "/v0.2.0", ID: d.ID, Author: d.Author, Timestamp: stamp(d.Time), Tooling: d.Tool,
		Version: json.RawMessage("1"), Statements: []openStatement{},
	}
	if out.Timestamp == "" {
		out.Timestamp = stamp(time.Unix(0, 0)) // the format requires one
	}
	for i := range d.Statements {
		s := &d.Statements[i]
		o := openStatement{
			Vulnerability: openVulnerability{Name: s.Vulnerability, Aliases: s.Aliases}, Timestamp: stamp(s.Time), Status: string(s.Status),
			Notes: s.notes(), Justification: s.Justification, Impact: s.Impact, Action: s.Action, Products: []openProduct{},
		}
		if o.Timestamp == out.Timestamp {
			o.Timestamp = ""
		}
		for _, p := range s.Products {
			n := product(p.ID)
			for _, part := range p.Parts {
				n.Parts = append(n.Parts, product(part))
			}
			o.Products = append(o.Products, n)
		}
		out.Statements = append(out.Statements, o)
	}
	if out.ID == "" {
		data, err := json.Marshal(out)
		if err != nil {
			return fmt.Errorf("writing OpenVEX: %w", err)
		}
		out.ID = sbom.Serial(data)
	}
	return encode(w, "OpenVEX", out)
}

func product(id string) openProduct {
	p := openProduct{ID: id}
	if strings.HasPrefix(id, "pkg:") {
		p.Identifiers = map[string]string{"purl": id}
	}
	return p
}

func encode(w io.Writer, format string, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing %s: %w", format, err)
	}
	return nil
}
