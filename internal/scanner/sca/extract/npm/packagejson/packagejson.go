// Package packagejson reads package.json: what the project asks for, in which
// group, and which folders are its workspace members. What exactly gets
// installed only a lockfile tells.
package packagejson

import (
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/jsontext"
	"bulwark/internal/scanner/sca/extract/npm/spec"
)

// Format is what the manifests are called.
const Format = "package.json"

// maxWorkspaces is how many patterns of workspace members are kept. Each is
// compared with each folder.
const maxWorkspaces = 256

// File is what one package.json says.
type File struct {
	Name       string    `json:"name,omitempty"`
	Version    string    `json:"version,omitempty"`
	Requests   []Request `json:"requests,omitempty"`
	Workspaces []string  `json:"workspaces,omitempty"` // patterns of folders
	// Resolutions are what Yarn takes in place of what is asked for: "a",
	// "parent/a", "a@npm:^1.0.0", each with a range.
	Resolutions map[string]string `json:"resolutions,omitempty"`
}

// Request is one dependency that the file names.
type Request struct {
	Key   string           `json:"key"`
	Raw   string           `json:"raw"`
	Scope dependency.Scope `json:"scope"`
	Line  int              `json:"line"`
	// Soft is true where the package manager need not install it: an optional
	// dependency, a peer.
	Soft bool `json:"soft,omitempty"`

	column, columnEnd int
}

// groups are the sections of dependencies and what they are for.
var groups = map[string]dependency.Scope{
	"dependencies":         dependency.Production,
	"devDependencies":      dependency.Development,
	"optionalDependencies": dependency.Optional,
	"peerDependencies":     dependency.Production,
}

// Extract reads a package.json. The manifest's packages are what it asks for;
// the File is returned beside it.
func Extract(content []byte) (*dependency.Manifest, *File, error) {
	d := jsontext.New(content)
	m := &dependency.Manifest{Format: Format, Kind: dependency.Declared, Ecosystem: dependency.NPM}
	if k := d.Kind(); k != jsontext.Object && d.Err() == nil {
		return nil, nil, fmt.Errorf("reading package.json: it holds %s where an object is expected: check the file", k)
	}
	var (
		file      File
		gaps      collect.Gaps
		licenses  []string
		nameLine  int
		peerFrom  = -1 // the requests that are peers
		peerTo    = -1
		optPeers  = map[string]bool{}
		packaging collect.Graph
	)
	for key := range d.Object() {
		at := d.KeyStart()
		switch string(key) {
		case "name":
			nameLine = d.Line(at)
			file.Name = d.String()
		case "version":
			file.Version = d.String()
		case "license", "licenses":
			licenses = Licenses(d)
		case "workspaces":
			line := d.Line(at)
			if file.Workspaces = workspaces(d); len(file.Workspaces) > maxWorkspaces {
				gaps.Add(line, fmt.Sprintf("more than %d patterns of workspaces; the others are not looked at", maxWorkspaces))
				file.Workspaces = file.Workspaces[:maxWorkspaces]
			}
		case "resolutions":
			file.Resolutions = map[string]string{}
			for name := range d.Object() {
				if d.Kind() == jsontext.String {
					file.Resolutions[string(name)] = d.String()
				}
			}
		case "dependencies", "devDependencies", "optionalDependencies", "peerDependencies":
			from := len(file.Requests)
			file.requests(d, string(key), &gaps)
			if string(key) == "peerDependencies" {
				peerFrom, peerTo = from, len(file.Requests)
			}
		case "peerDependenciesMeta":
			OptionalPeers(d, optPeers)
		}
	}
	if err := d.End(); err != nil {
		return nil, nil, fmt.Errorf("reading package.json: %w", err)
	}
	for _, odd := range d.Mismatches() {
		gaps.Add(odd.Line, odd.String())
	}
	for i := range file.Requests {
		r := &file.Requests[i]
		if i >= peerFrom && i < peerTo {
			r.Soft = true
			if optPeers[r.Key] {
				r.Scope = dependency.Optional
			}
		}
		s := spec.Parse(r.Key, r.Raw)
		p := dependency.Package{
			Ecosystem: dependency.NPM, Name: s.Name, Version: s.Version, Constraint: s.Range, Origin: s.Origin, Local: s.Local,
			Line: r.Line, Column: r.column, EndColumn: r.columnEnd,
		}
		if s.Catalog {
			p.Constraint = collect.Address(r.Raw)
		}
		packaging.AddRoot(packaging.Add(p), r.Scope)
	}
	var err error
	if m.Packages, err = packaging.Packages(); err != nil {
		return nil, nil, fmt.Errorf("reading package.json: %w", err)
	}
	if file.Name != "" && spec.ValidName(file.Name) && collect.Sound(file.Version) {
		m.Project = &dependency.Package{
			Ecosystem: dependency.NPM, Name: file.Name, Version: file.Version, Local: true, Line: nameLine, Licenses: licenses,
		}
	}
	m.Gaps = gaps.List()
	return m, &file, nil
}

// requests reads one group of dependencies.
func (f *File) requests(d *jsontext.Decoder, group string, gaps *collect.Gaps) {
	seen := map[string]int{}
	for key := range d.Object() {
		start, end := d.KeyStart(), d.KeyEnd()
		line, column := d.Position(start)
		r := Request{Key: string(key), Scope: groups[group], Line: line, column: column, columnEnd: column + end - start, Soft: group == "optionalDependencies"}
		if d.Kind() != jsontext.String {
			gaps.Add(line, fmt.Sprintf("dependency %s has %s where a version is expected", collect.Show(r.Key), d.Kind()))
			continue
		}
		r.Raw = d.String()
		if !spec.ValidName(r.Key) || !collect.Sound(r.Raw) {
			gaps.Add(line, fmt.Sprintf("%s: neither name nor version of a dependency can look like this", collect.Show(r.Key)))
			continue
		}
		if before, ok := seen[r.Key]; ok {
			gaps.Add(line, fmt.Sprintf("dependency %s is named twice, the first time on line %d; npm takes the last", collect.Show(r.Key), before))
		}
		seen[r.Key] = line
		f.Requests = append(f.Requests, r)
	}
}

// workspaces reads both forms: ["a/*"] and {"packages": ["a/*"]}.
func workspaces(d *jsontext.Decoder) []string {
	var out []string
	switch d.Kind() {
	case jsontext.Object:
		for key := range d.Object() {
			if string(key) == "packages" {
				out = Strings(d)
			}
		}
	case jsontext.Array:
		out = Strings(d)
	}
	return out
}

// Strings reads an array of strings.
func Strings(d *jsontext.Decoder) []string {
	var out []string
	for range d.Array() {
		out = append(out, d.String())
	}
	return out
}

// OptionalPeers reads peerDependenciesMeta and notes which peers are optional.
func OptionalPeers(d *jsontext.Decoder, into map[string]bool) {
	for key := range d.Object() {
		name := string(key)
		for field := range d.Object() {
			if string(field) == "optional" && d.Bool() {
				into[name] = true
			}
		}
	}
}

// Licenses reads the forms in which package.json states a licence: an SPDX
// expression, {"type": "MIT"}, or a list of either, of which any may be chosen.
func Licenses(d *jsontext.Decoder) []string {
	var all []string
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" && collect.Sound(s) {
			all = append(all, s)
		}
	}
	one := func() {
		switch d.Kind() {
		case jsontext.String:
			add(d.String())
		case jsontext.Object:
			for key := range d.Object() {
				if k := string(key); (k == "type" || k == "name") && d.Kind() == jsontext.String {
					add(d.String())
				}
			}
		}
	}
	if d.Kind() != jsontext.Array {
		one()
	} else {
		for range d.Array() {
			one()
		}
	}
	if len(all) > 1 {
		return []string{Choice(all)}
	}
	return all
}

// Choice joins licences of which any may be chosen to one expression.
func Choice(all []string) string {
	parts := make([]string, len(all))
	for i, l := range all {
		parts[i] = l
		if strings.Contains(l, " ") && !strings.HasPrefix(l, "(") {
			parts[i] = "(" + l + ")"
		}
	}
	return strings.Join(parts, " OR ")
}
