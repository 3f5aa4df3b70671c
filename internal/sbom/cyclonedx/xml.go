package cyclonedx

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"bulwark/internal/sbom"
)

const xmlSpace = "http://cyclonedx.org/schema/bom/"

// xmlNode is a node of the dependency graph: in XML nodes stand within nodes.
type xmlNode struct {
	Ref   string    `xml:"ref,attr"`
	Needs []xmlNode `xml:"dependency"`
}

// xml reads element by element. Elements of unknown name are skipped. Entities
// other than the five of XML are an error of the decoder, and it resolves none
// from outside.
func (r *reader) xml(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("the encoding %.40q is not read; convert the file to UTF-8", charset)
	}
	err := r.root(d)
	if err != nil {
		line, _ := d.InputPos()
		return fmt.Errorf("line %d: %w", line, err)
	}
	return nil
}

func (r *reader) root(d *xml.Decoder) error {
	root, err := next(d)
	if err != nil {
		return err
	}
	if root == nil || root.Name.Local != "bom" || !strings.HasPrefix(root.Name.Space, xmlSpace) {
		return errors.New("the document is no bom of CycloneDX")
	}
	r.spec = strings.TrimPrefix(root.Name.Space, xmlSpace)
	for _, a := range root.Attr {
		if a.Name.Local == "serialNumber" {
			r.Document().Serial = a.Value
		}
	}
	if err := r.version(); err != nil {
		return err
	}
	return children(d, func(e *xml.StartElement) error {
		switch e.Name.Local {
		case "metadata":
			return r.xmlMetadata(d, e)
		case "components":
			return children(d, func(e *xml.StartElement) error {
				var c component
				if err := decode(d, e, &c); err != nil {
					return err
				}
				return r.component(&c, 0)
			})
		case "dependencies":
			return children(d, func(e *xml.StartElement) error {
				var n xmlNode
				if err := decode(d, e, &n); err != nil {
					return err
				}
				return r.xmlEdges(&n)
			})
		}
		return d.Skip()
	})
}

func (r *reader) xmlEdges(n *xmlNode) error {
	for i := range n.Needs {
		if err := r.Edge(n.Ref, n.Needs[i].Ref); err != nil {
			return err
		}
		if err := r.xmlEdges(&n.Needs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) xmlMetadata(d *xml.Decoder, e *xml.StartElement) error {
	type tool struct {
		Name    string `xml:"name"`
		Version string `xml:"version"`
	}
	var m struct {
		Timestamp string     `xml:"timestamp"`
		Old       []tool     `xml:"tools>tool"`
		New       []tool     `xml:"tools>components>component"`
		Component *component `xml:"component"`
	}
	if err := decode(d, e, &m); err != nil {
		return err
	}
	var made []sbom.Tool
	for _, t := range append(m.Old, m.New...) {
		if t.Name != "" {
			made = append(made, sbom.Tool{Name: t.Name, Version: t.Version})
		}
	}
	return r.metadata(m.Timestamp, made, m.Component)
}

// next returns the next element that starts, or nil at an end.
func next(d *xml.Decoder) (*xml.StartElement, error) {
	for {
		t, err := d.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil //nolint:nilnil // the end is neither an element nor an error
		}
	}
}

// children has f consume every element within the current one.
func children(d *xml.Decoder, f func(e *xml.StartElement) error) error {
	for {
		e, err := next(d)
		if err != nil || e == nil {
			return err
		}
		if err := f(e); err != nil {
			return err
		}
	}
}

func decode(d *xml.Decoder, e *xml.StartElement, v any) error {
	return d.DecodeElement(v, e)
}
