// Package swift reads Package.resolved of the Swift package manager and of
// Xcode, versions 1 to 3. The file lists exact versions and revisions, but not
// who asks for what: relation and scope remain unstated. Package.swift is a
// program and is not read.
package swift

import (
	"context"
	"fmt"
	"path"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/jsontext"
)

// Extractor reads Package.resolved.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var _ extract.Extractor = Extractor{}

// Name is "swift".
func (Extractor) Name() string { return "swift" }

// Binary is false: the file is text.
func (Extractor) Binary() bool { return false }

// Wants accepts Package.resolved, but none of a package that was fetched.
func (Extractor) Wants(p string) bool {
	dir, base := path.Split(p)
	if base != "Package.resolved" {
		return false
	}
	dir = "/" + dir
	return !strings.Contains(dir, "/.build/") && !strings.Contains(dir, "/Pods/")
}

// reader collects one file.
type reader struct {
	d     *jsontext.Decoder
	graph collect.Graph
	gaps  collect.Gaps
}

// Extract reads a Package.resolved.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := read(f.Content)
	if err != nil {
		return nil, fmt.Errorf("reading Package.resolved: %w", err)
	}
	m.Path = f.Path
	return m, nil
}

func read(content []byte) (*dependency.Manifest, error) {
	r := &reader{d: jsontext.New(content)}
	d := r.d
	if k := d.Kind(); k != jsontext.Object && d.Err() == nil {
		return nil, fmt.Errorf("it holds %s where an object is expected: check the file", k)
	}
	version := int64(0)
	for key := range d.Object() {
		switch string(key) {
		case "version":
			version = d.Int()
		case "pins":
			r.pins()
		case "object": // version 1
			for key := range d.Object() {
				if string(key) == "pins" {
					r.pins()
				}
			}
		}
	}
	if err := d.End(); err != nil {
		return nil, err
	}
	if version < 1 || version > 3 {
		return nil, fmt.Errorf("its version is %d, and only 1 to 3 are known: write it with a Swift that is known, or update Bulwark", version)
	}
	for _, odd := range d.Mismatches() {
		r.gaps.Add(odd.Line, odd.String())
	}
	packages, err := r.graph.Packages()
	if err != nil {
		return nil, err
	}
	return &dependency.Manifest{
		Format: fmt.Sprintf("Package.resolved v%d", version), Kind: dependency.Lock, Ecosystem: dependency.Swift,
		Packages: packages, Gaps: r.gaps.List(),
	}, nil
}

func (r *reader) pins() {
	for range r.d.Array() {
		r.pin()
	}
}

func (r *reader) pin() {
	d := r.d
	var identity, kind, location, version, revision, branch string
	line, column := d.Position(d.Offset())
	end := column + 1
	for key := range d.Object() {
		switch string(key) {
		case "identity", "package":
			at := d.Offset()
			identity = d.String()
			line, column = d.Position(at)
			end = column + len(identity) + 2
		case "kind":
			kind = d.String()
		case "location", "repositoryURL":
			location = d.String()
		case "state":
			for key := range d.Object() {
				switch string(key) {
				case "version":
					version = d.String()
				case "revision":
					revision = d.String()
				case "branch":
					branch = d.String()
				}
			}
		}
	}
	if d.Err() != nil {
		return
	}
	p := dependency.Package{
		Ecosystem: dependency.Swift, Name: name(location), Version: version, Line: line, Column: column, EndColumn: end,
	}
	if kind == "localSourceControl" || kind == "fileSystem" || strings.HasPrefix(location, "/") || strings.HasPrefix(location, ".") || strings.HasPrefix(location, "file:") {
		p.Name, p.Origin, p.Local = identity, location, true
	} else if kind == "registry" || location == "" {
		p.Name = identity
	}
	if p.Name == "" || !collect.Sound(p.Name) || !collect.Sound(version) || !collect.Sound(revision) || !collect.Sound(branch) || !collect.Sound(p.Origin) {
		r.gaps.Add(line, collect.Show(identity)+" cannot be a package: it has no usable name and address; run swift package resolve")
		return
	}
	if version == "" {
		// A branch or a bare revision: no version that could be compared.
		p.Constraint = branch
		if p.Constraint == "" {
			p.Constraint = revision
		}
		if !p.Local {
			r.gaps.Add(line, collect.Show(p.Name)+" is fixed to a revision without a version and cannot be checked; depend on a tagged version")
		}
	}
	if h, ok := collect.Digest("sha1", revision); ok {
		p.Hashes = []dependency.Hash{h}
	}
	r.graph.Add(p)
}

// name is the package's name as advisories have it: the address of its
// repository without scheme, credentials and ".git".
func name(location string) string {
	s := collect.WithoutFragment(collect.Address(location))
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = strings.TrimPrefix(rest, "git@")
	} else if user, rest, ok := strings.Cut(s, "@"); ok && !strings.Contains(user, "/") {
		s = strings.Replace(rest, ":", "/", 1) // git@host:owner/name
	}
	return strings.TrimSuffix(strings.Trim(s, "/"), ".git")
}
