package cyclonedx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bulwark/internal/sbom"
)

// Read reads JSON or XML. An error says that the document as a whole cannot be
// relied on.
func Read(data []byte) (*sbom.Document, error) {
	if len(data) > sbom.MaxBytes {
		return nil, fmt.Errorf("reading CycloneDX: larger than %d bytes", sbom.MaxBytes)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	r := &reader{}
	var err error
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '<' {
		err = r.xml(trimmed)
	} else {
		err = r.json(data)
	}
	if err != nil {
		return nil, fmt.Errorf("reading CycloneDX: %w", err)
	}
	return r.Finish(), nil
}

// reader gathers a document.
type reader struct {
	sbom.Assembly
	format string
	spec   string
}

func (r *reader) json(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := open(d, '{'); err != nil {
		return located(data, d, err)
	}
	for d.More() {
		key, err := d.Token()
		if err == nil {
			name, _ := key.(string)
			err = r.member(d, name)
		}
		if err != nil {
			return located(data, d, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return located(data, d, err)
	}
	if r.format != "CycloneDX" {
		return errors.New(`the document does not say "bomFormat": "CycloneDX"`)
	}
	return r.version()
}

// member reads one member of the document.
func (r *reader) member(d *json.Decoder, name string) error {
	switch name {
	case "bomFormat":
		return d.Decode(&r.format)
	case "specVersion":
		return d.Decode(&r.spec)
	case "serialNumber":
		return d.Decode(&r.Document().Serial)
	case "metadata":
		var m struct {
			Timestamp string          `json:"timestamp"`
			Tools     json.RawMessage `json:"tools"`
			Component *component      `json:"component"`
		}
		if err := d.Decode(&m); err != nil {
			return err
		}
		return r.metadata(m.Timestamp, toolsOf(m.Tools), m.Component)
	case "components":
		return each(d, func() error {
			var c component
			if err := d.Decode(&c); err != nil {
				return err
			}
			return r.component(&c, 0)
		})
	case "dependencies":
		return each(d, func() error {
			var n node
			if err := d.Decode(&n); err != nil {
				return err
			}
			for _, to := range n.DependsOn {
				if err := r.Edge(n.Ref, to); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var skipped json.RawMessage
	return d.Decode(&skipped)
}

func (r *reader) metadata(timestamp string, made []sbom.Tool, c *component) error {
	doc := r.Document()
	if timestamp = strings.TrimSpace(timestamp); timestamp != "" {
		if at, err := time.Parse(time.RFC3339, timestamp); err == nil {
			doc.Created = at.UTC()
		} else {
			doc.Gaps = append(doc.Gaps, sbom.Gap{Message: fmt.Sprintf("the timestamp %.40q is not a time", timestamp)})
		}
	}
	doc.Tools = made
	if c == nil {
		return nil
	}
	n, err := c.neutral()
	if err != nil {
		return err
	}
	doc.Subject = sbom.Subject{Ref: c.Ref, Type: c.Type, Name: n.Package.Name, Version: n.Package.Version, PURL: n.PURL}
	if doc.Subject.Ref == "" {
		doc.Subject.Ref = "subject:" + doc.Subject.Name
	}
	for i := range c.Components {
		if err := r.component(&c.Components[i], 1); err != nil {
			return err
		}
	}
	return nil
}

// component adds c and what is nested in it.
func (r *reader) component(c *component, depth int) error {
	if depth > sbom.MaxDepth {
		return fmt.Errorf("components nested deeper than %d", sbom.MaxDepth)
	}
	n, err := c.neutral()
	if err != nil {
		return err
	}
	if c.Ref == "" || c.Ref != r.Document().Subject.Ref {
		if err := r.Add(n); err != nil {
			return err
		}
	}
	for i := range c.Components {
		if err := r.component(&c.Components[i], depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) version() error {
	switch r.spec {
	case "1.2", "1.3", "1.4", "1.5", "1.6", "1.7":
		r.Document().Spec = "CycloneDX " + r.spec
		return nil
	}
	return fmt.Errorf("version %.20q of CycloneDX is not one of 1.2 to 1.7", r.spec)
}

// toolsOf reads the list of versions up to 1.4 and the object since 1.5.
func toolsOf(data json.RawMessage) []sbom.Tool {
	type one struct {
		Vendor  string `json:"vendor"`
		Group   string `json:"group"`
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	var list []one
	if json.Unmarshal(data, &list) != nil {
		var object struct {
			Components []one `json:"components"`
		}
		if json.Unmarshal(data, &object) != nil {
			return nil // of a form that no version defines
		}
		list = object.Components
	}
	var tools []sbom.Tool
	for _, t := range list {
		if t.Name != "" {
			tools = append(tools, sbom.Tool{Name: t.Name, Version: t.Version})
		}
	}
	return tools
}

func open(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v stands where %q is expected", t, want.String())
	}
	return nil
}

// each reads an array, or null.
func each(d *json.Decoder, element func() error) error {
	t, err := d.Token()
	if err != nil || t == nil {
		return err
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%v stands where a list is expected", t)
	}
	for d.More() {
		if err := element(); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// located adds the line.
func located(data []byte, d *json.Decoder, err error) error {
	offset := min(d.InputOffset(), int64(len(data)))
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
}
