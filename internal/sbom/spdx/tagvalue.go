package spdx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// tags reads tag-value: "Tag: value" lines, where a value may be
// <text>several lines</text>.
func (r *reader) tags(data []byte) error {
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return errors.New("the document is neither JSON nor UTF-8 text")
	}
	s := &scanner{rest: data}
	p := &section{reader: r}
	for {
		tag, value, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = p.tag(tag, value)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", s.line, err)
		}
	}
	return p.end()
}

// scanner cuts the text into tags.
type scanner struct {
	rest []byte
	line int
}

func (s *scanner) next() (tag, value string, err error) {
	for len(s.rest) > 0 {
		var line []byte
		line, s.rest = cutLine(s.rest)
		s.line++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		name, text, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return "", "", fmt.Errorf("%.40q is no tag with a value", line)
		}
		text = bytes.TrimSpace(text)
		if after, ok := bytes.CutPrefix(text, []byte("<text>")); ok {
			text, err = s.text(after)
			if err != nil {
				return "", "", err
			}
		}
		return string(name), string(text), nil
	}
	return "", "", io.EOF
}

// text reads on to </text>.
func (s *scanner) text(first []byte) ([]byte, error) {
	end := []byte("</text>")
	if before, _, ok := bytes.Cut(first, end); ok {
		return before, nil
	}
	i := bytes.Index(s.rest, end)
	if i < 0 {
		return nil, errors.New("<text> without </text>")
	}
	text := append(append(bytes.Clone(first), '\n'), s.rest[:i]...)
	s.line += bytes.Count(s.rest[:i], []byte("\n"))
	_, s.rest = cutLine(s.rest[i:])
	s.line++
	return text, nil
}

func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

// section gathers what belongs to one package or licence.
type section struct {
	*reader
	pkg      *pkg
	license  *extracted
	skipping bool // within a file or snippet
}

func (s *section) end() error {
	if s.pkg != nil {
		if err := s.add(s.pkg); err != nil {
			return err
		}
	}
	if s.license != nil {
		if err := s.extract(*s.license); err != nil {
			return err
		}
	}
	s.pkg, s.license, s.skipping = nil, nil, false
	return nil
}

func (s *section) tag(tag, value string) error {
	switch tag {
	case "PackageName":
		if err := s.end(); err != nil {
			return err
		}
		s.pkg = &pkg{Name: value}
		return nil
	case "LicenseID":
		if err := s.end(); err != nil {
			return err
		}
		s.license = &extracted{ID: value}
		return nil
	case "FileName", "SnippetSPDXID":
		if err := s.end(); err != nil {
			return err
		}
		s.skipping = true
		return nil
	case "Relationship":
		parts := strings.Fields(value)
		if len(parts) < 3 {
			return fmt.Errorf("the relationship %.60q has not three parts", value)
		}
		return s.relate(parts[0], parts[1], parts[2])
	}
	switch {
	case s.skipping:
	case s.license != nil:
		switch tag {
		case "ExtractedText":
			s.license.Text = value
		case "LicenseName":
			s.license.Name = value
		}
	case s.pkg != nil:
		return s.packageTag(tag, value)
	default:
		s.documentTag(tag, value)
	}
	return nil
}

func (s *section) documentTag(tag, value string) {
	switch tag {
	case "SPDXVersion":
		s.version = value
	case "DocumentName":
		s.name = value
	case "DocumentNamespace":
		s.Document().Serial = value
	case "Creator":
		s.creator(value)
	case "Created":
		s.created(value)
	}
}

func (s *section) packageTag(tag, value string) error {
	p := s.pkg
	switch tag {
	case "SPDXID":
		p.ID = value
	case "PackageVersion":
		p.Version = value
	case "PrimaryPackagePurpose":
		p.Purpose = value
	case "PackageChecksum":
		if name, sum, ok := strings.Cut(value, ":"); ok && len(p.Checksums) < 64 {
			p.Checksums = append(p.Checksums, checksum{strings.TrimSpace(name), strings.TrimSpace(sum)})
		}
	case "PackageSourceInfo":
		p.SourceInfo = value
	case "PackageLicenseDeclared":
		p.Declared = value
	case "PackageLicenseConcluded":
		p.Concluded = value
	case "PackageComment":
		p.Comment = value
	case "ExternalRef":
		parts := strings.Fields(value)
		if len(parts) != 3 {
			return fmt.Errorf("the external reference %.60q has not three parts", value)
		}
		p.ExternalRefs = append(p.ExternalRefs, reference{parts[0], parts[1], parts[2]})
	}
	return nil
}

// tagValue writes the document as tag-value.
func tagValue(d *document) string {
	var b strings.Builder
	put := func(tag, value string) {
		if value == "" {
			return
		}
		if strings.ContainsAny(value, "\r\n") || strings.HasPrefix(value, "<text>") {
			// What would end the text early is taken apart.
			value = "<text>" + strings.ReplaceAll(value, "</text>", "< /text>") + "</text>"
		}
		b.WriteString(tag + ": " + value + "\n")
	}
	put("SPDXVersion", d.Version)
	put("DataLicense", d.License)
	put("SPDXID", d.ID)
	put("DocumentName", oneLine(d.Name))
	put("DocumentNamespace", d.Namespace)
	put("DocumentComment", d.Comment)
	for _, c := range d.Creation.Creators {
		put("Creator", oneLine(c))
	}
	put("Created", d.Creation.Created)
	for i := range d.Packages {
		p := &d.Packages[i]
		b.WriteString("\n")
		put("PackageName", oneLine(p.Name))
		put("SPDXID", p.ID)
		put("PackageVersion", oneLine(p.Version))
		put("PackageDownloadLocation", p.Download)
		put("FilesAnalyzed", "false")
		put("PrimaryPackagePurpose", p.Purpose)
		for _, c := range p.Checksums {
			put("PackageChecksum", c.Algorithm+": "+c.Value)
		}
		put("PackageSourceInfo", p.SourceInfo)
		put("PackageLicenseConcluded", p.Concluded)
		put("PackageLicenseDeclared", p.Declared)
		put("PackageCopyrightText", p.Copyright)
		put("PackageComment", p.Comment)
		for _, e := range p.ExternalRefs {
			put("ExternalRef", e.Category+" "+e.Type+" "+e.Locator)
		}
	}
	for _, e := range d.Extracted {
		b.WriteString("\n")
		put("LicenseID", e.ID)
		put("ExtractedText", e.Text)
		put("LicenseName", oneLine(e.Name))
	}
	b.WriteString("\n")
	for _, r := range d.Relationships {
		put("Relationship", r.From+" "+r.Type+" "+r.To)
	}
	return b.String()
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, s)
}
