package spdx

import (
	"bytes"
	"encoding/json"
	"fmt"

	"bulwark/internal/sbom"
)

// json reads member by member, so that only what matters stays in memory.
func (r *reader) json(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	err := r.members(d)
	if err != nil {
		offset := min(d.InputOffset(), int64(len(data)))
		return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
	}
	return nil
}

func (r *reader) members(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("%v stands where an object is expected", t)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if err := r.member(d, name); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

func (r *reader) member(d *json.Decoder, name string) error {
	switch name {
	case "spdxVersion":
		return d.Decode(&r.version)
	case "name":
		return d.Decode(&r.name)
	case "documentNamespace":
		return d.Decode(&r.Document().Serial)
	case "documentDescribes":
		var ids []string
		err := d.Decode(&ids)
		r.describes = append(r.describes, ids...)
		return err
	case "creationInfo":
		var c creation
		if err := d.Decode(&c); err != nil {
			return err
		}
		r.created(c.Created)
		for _, text := range c.Creators {
			r.creator(text)
		}
		return nil
	case "packages":
		return each(d, func() error {
			var p pkg
			if err := d.Decode(&p); err != nil {
				return err
			}
			return r.add(&p)
		})
	case "relationships":
		return each(d, func() error {
			var one relationship
			if err := d.Decode(&one); err != nil {
				return err
			}
			return r.relate(one.From, one.Type, one.To)
		})
	case "hasExtractedLicensingInfos":
		return each(d, func() error {
			var one extracted
			if err := d.Decode(&one); err != nil {
				return err
			}
			return r.extract(one)
		})
	}
	var skipped json.RawMessage
	return d.Decode(&skipped)
}

func (r *reader) extract(one extracted) error {
	if len(r.extracted) >= sbom.MaxComponents {
		return fmt.Errorf("more than %d licence texts", sbom.MaxComponents)
	}
	if r.extracted == nil {
		r.extracted = map[string]string{}
	}
	text := one.Name
	if text == "" || text == noAssertion {
		text = one.Text
	}
	r.extracted[one.ID] = text
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
