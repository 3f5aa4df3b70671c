package gomod

import (
	"bytes"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// readVendor reads a vendor/modules.txt as the go command writes it:
// "# module version [=> replacement [version]]", "## explicit; go 1.20", then
// the packages that are copied. A module without any is not built.
func readVendor(f extract.File) (*dependency.Manifest, error) {
	var (
		g       collect.Graph
		gaps    collect.Gaps
		current dependency.Package
		open    bool
		copied  bool
	)
	flush := func() {
		if open && copied {
			g.Add(current)
		}
		open, copied = false, false
	}
	line := 0
	seen := false
	for raw := range bytes.Lines(f.Content) {
		line++
		text := string(bytes.TrimRight(raw, "\r\n"))
		switch {
		case strings.HasPrefix(text, "## "):
			explicit := false
			for mark := range strings.SplitSeq(text[3:], ";") {
				explicit = explicit || strings.TrimSpace(mark) == "explicit"
			}
			if open && explicit { // go.mod names it
				current.Relation = dependency.Undeclared
			}
		case strings.HasPrefix(text, "# "):
			flush()
			seen = true
			fields := strings.Fields(text[2:])
			for _, field := range fields {
				if !collect.Sound(field) {
					fields = nil
					break
				}
			}
			if len(fields) >= 3 && fields[1] == "=>" {
				continue // a replace line that concerns nothing vendored
			}
			if len(fields) < 2 || len(fields) > 2 && (len(fields) < 4 || fields[2] != "=>") {
				gaps.Add(line, "not a module and a version")
				continue
			}
			current = dependency.Package{
				Ecosystem: dependency.Go, Name: fields[0], Version: fields[1],
				Scope: dependency.Production, Relation: dependency.Transitive,
				Line: line, Column: 3, EndColumn: len(text) + 1,
			}
			if len(fields) > 2 {
				if r, ok := readReplace(fields); ok {
					replace(&current, &r)
				} else {
					gaps.Add(line, "a replacement cannot be read")
					continue
				}
			}
			open = true
		case text != "":
			copied = true
		}
	}
	flush()
	if !seen && len(bytes.TrimSpace(f.Content)) > 0 {
		return nil, nil // another file of that name
	}
	m := &dependency.Manifest{Path: f.Path, Format: formatVendor, Kind: dependency.Lock, Ecosystem: dependency.Go}
	return finish(m, &g, &gaps, extra{})
}
