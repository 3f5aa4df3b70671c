// Package npm reads what projects of the npm registry are made of: package.json
// and the lockfiles of npm, Yarn, pnpm and Bun, each read by a package below
// this one. Resolve joins a lockfile with the package.json files of its
// workspace; a package.json without a lockfile stays, with a gap that says so.
//
// Folders into which a package manager installs are not read, only what the
// project itself declares.
package npm

import (
	"context"
	"encoding/json"
	"fmt"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/npm/bun"
	"bulwark/internal/scanner/sca/extract/npm/packagejson"
	"bulwark/internal/scanner/sca/extract/npm/packagelock"
	"bulwark/internal/scanner/sca/extract/npm/pnpm"
	"bulwark/internal/scanner/sca/extract/npm/yarn"
)

var (
	_ extract.Extractor = (*Extractor)(nil)
	_ extract.Resolver  = (*Extractor)(nil)
)

// Extractor reads the formats of the npm registry.
type Extractor struct{}

// New returns the extractor.
func New() *Extractor { return &Extractor{} }

// Name is "npm".
func (*Extractor) Name() string { return "npm" }

// Binary is false; bun.lockb has an extractor of its own.
func (*Extractor) Binary() bool { return false }

// Wants reports whether the path is one of the project's own files.
func (*Extractor) Wants(path string) bool {
	switch collect.Base(path) {
	case "package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock":
		return collect.Own(path)
	}
	return false
}

// extra is what Resolve needs of a file beyond its packages.
type extra struct {
	File        *packagejson.File `json:"file,omitempty"`
	Descriptors map[string]string `json:"descriptors,omitempty"` // what is asked for: id of the package
	Optional    [][2]string       `json:"optional,omitempty"`    // edges between ids
	Members     []string          `json:"members,omitempty"`     // folders
	Missing     []yarn.Missing    `json:"missing,omitempty"`
	Unrooted    bool              `json:"unrooted,omitempty"` // the lockfile needs package.json
	Shrinkwrap  bool              `json:"shrinkwrap,omitempty"`
}

// Extract reads one file.
func (*Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	base, _ := collect.Path(f.Path)
	var m *dependency.Manifest
	var x extra
	switch base {
	case "package.json":
		manifest, file, err := packagejson.Extract(f.Content)
		if err != nil {
			return nil, err
		}
		m, x.File = manifest, file
	case "package-lock.json", "npm-shrinkwrap.json":
		res, err := packagelock.Extract(f.Content)
		if err != nil {
			return nil, err
		}
		m = res.Manifest
		x = extra{Members: res.Members, Descriptors: res.Top, Unrooted: res.Top != nil, Shrinkwrap: base == "npm-shrinkwrap.json"}
	case "yarn.lock":
		res, err := yarn.Extract(f.Content)
		if err != nil {
			return nil, err
		}
		m = res.Manifest
		x = extra{Members: res.Members, Descriptors: res.Descriptors, Optional: res.Optional, Missing: res.Missing, Unrooted: true}
	case "pnpm-lock.yaml":
		res, err := pnpm.Extract(f.Content)
		if err != nil {
			return nil, err
		}
		m, x.Members = res.Manifest, res.Members
	case "bun.lock":
		res, err := bun.Extract(f.Content)
		if err != nil {
			return nil, err
		}
		m, x.Members = res.Manifest, res.Members
	default:
		return nil, nil
	}
	m.Path = f.Path
	content, err := json.Marshal(x)
	if err != nil {
		return nil, fmt.Errorf("keeping what %s says for its neighbours: %w", base, err)
	}
	m.Extra = content
	return m, nil
}
