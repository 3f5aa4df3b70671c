// Package format tells the formats of SBOMs apart, and reads and writes
// whichever it is.
package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"bulwark/internal/sbom"
	"bulwark/internal/sbom/cyclonedx"
	"bulwark/internal/sbom/spdx"
)

// Names are what Write takes; the first of each kind is the usual one.
func Names() []string {
	names := []string{"cyclonedx", "spdx", "spdx-tag-value"}
	for _, v := range cyclonedx.Versions() {
		names = append(names, "cyclonedx-"+v)
	}
	slices.Sort(names[3:])
	return names
}

// Check reports whether Write knows a format.
func Check(name string) error {
	if slices.Contains(Names(), name) {
		return nil
	}
	return fmt.Errorf("the SBOM format %q is not one of %s", name, strings.Join(Names(), ", "))
}

// Write writes a document in one of the formats of Names.
func Write(w io.Writer, d *sbom.Document, name string) error {
	if err := Check(name); err != nil {
		return err
	}
	switch name {
	case "spdx":
		return spdx.WriteJSON(w, d)
	case "spdx-tag-value":
		return spdx.WriteTagValue(w, d)
	}
	return cyclonedx.Write(w, d, strings.TrimPrefix(strings.TrimPrefix(name, "cyclonedx"), "-"))
}

// ErrUnknown says that data is an SBOM of no format that is read.
var ErrUnknown = errors.New("this is neither CycloneDX (JSON, XML) nor SPDX (JSON, tag-value)")

// Read reads a document of any format.
func Read(data []byte) (*sbom.Document, error) {
	if len(data) > sbom.MaxBytes {
		return nil, fmt.Errorf("reading the SBOM: larger than %d bytes", sbom.MaxBytes)
	}
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(trimmed) == 0 {
		return nil, fmt.Errorf("reading the SBOM: it is empty: %w", ErrUnknown)
	}
	switch {
	case trimmed[0] == '<':
		return cyclonedx.Read(data)
	case trimmed[0] != '{':
		if bytes.Contains(trimmed[:min(len(trimmed), 64<<10)], []byte("SPDXVersion:")) {
			return spdx.Read(data)
		}
		return nil, fmt.Errorf("reading the SBOM: %w", ErrUnknown)
	}
	kind, err := sniff(trimmed)
	switch {
	case kind == "bomFormat":
		return cyclonedx.Read(data)
	case kind == "spdxVersion":
		return spdx.Read(data)
	case err != nil:
		return nil, fmt.Errorf("reading the SBOM: %w", err)
	}
	return nil, fmt.Errorf("reading the SBOM: %w", ErrUnknown)
}

// sniff returns the first member of the object that tells the format. It skips
// the values of others without keeping them.
func sniff(data []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return "", err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", err
		}
		if name, ok := key.(string); ok && (name == "bomFormat" || name == "spdxVersion") {
			return name, nil
		}
		if err := skip(d); err != nil {
			return "", err
		}
	}
	return "", nil
}

func skip(d *json.Decoder) error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > 10_000 {
				return errors.New("nested deeper than 10000")
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
