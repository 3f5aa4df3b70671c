// Package python reads what Python projects are made of: requirements and
// constraints files, the lockfiles of Poetry, PDM, Pipenv and uv, pylock.toml
// (PEP 751), and what pyproject.toml, Pipfile and setup.cfg ask for. Resolve
// joins a lockfile with the manifest beside it, and requirements files with what
// they include.
//
// A range is never turned into a version: without a lockfile only an exact pin
// has one. Markers are not evaluated: what is needed on some platform counts as
// needed. setup.py is a program and is not read, nor is anything that was
// installed into an environment.
package python

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

var (
	_ extract.Extractor = (*Extractor)(nil)
	_ extract.Resolver  = (*Extractor)(nil)
)

// maxHashes is how many digests of one package are kept: a release may have
// one for each platform.
const maxHashes = 8

// Extractor reads the formats of Python projects.
type Extractor struct{}

// New returns the extractor; it is an extract.Resolver as well.
func New() extract.Extractor { return &Extractor{} }

// Name is "python".
func (*Extractor) Name() string { return "python" }

// Binary is false.
func (*Extractor) Binary() bool { return false }

// Wants reports whether the path is one of the project's own files.
func (*Extractor) Wants(path string) bool { return formatOf(path) != nil }

// reader reads one format. Its manifest lacks the path. A nil manifest without
// an error: the file is not one of its own after all.
type reader func(content []byte, path string) (*dependency.Manifest, *extra, error)

func formatOf(path string) reader {
	r := readerOf(collect.Base(path), path)
	if r == nil || !collect.Own(path) || installed(path) {
		return nil
	}
	return r
}

func readerOf(base, path string) reader {
	switch base {
	case "poetry.lock":
		return readPoetry
	case "pdm.lock":
		return readPDM
	case "uv.lock":
		return readUV
	case "pylock.toml":
		return readPylock
	case "Pipfile.lock":
		return readPipfileLock
	case "Pipfile":
		return readPipfile
	case "pyproject.toml":
		return readPyproject
	case "setup.cfg":
		return readSetupCfg
	}
	switch {
	case strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml"):
		return readPylock
	case requirementsName(path):
		return readRequirements
	}
	return nil
}

// installed reports whether a path lies in an environment.
func installed(path string) bool {
	for dir := range strings.SplitSeq(path, "/") {
		switch dir {
		case "site-packages", "dist-packages", ".venv", ".tox", ".nox", "__pypackages__":
			return true
		}
		if strings.HasSuffix(dir, ".egg-info") || strings.HasSuffix(dir, ".dist-info") {
			return true
		}
	}
	return false
}

// extra is what Resolve needs of a file beyond its packages.
type extra struct {
	// Requests are what a pyproject.toml, Pipfile or setup.cfg asks for.
	Requests []request `json:"requests,omitempty"`
	// Manifest is true for those three.
	Manifest bool `json:"manifest,omitempty"`
	// Unrooted: a lockfile that does not tell what the project asks for; with
	// Flat it does not tell either who needs whom.
	Unrooted bool `json:"unrooted,omitempty"`
	Flat     bool `json:"flat,omitempty"`
	// Asks is the base name of the manifest that the lockfile was made from.
	Asks string `json:"asks,omitempty"`
	// Optional are edges between ids, of a lockfile.
	Optional [][2]string `json:"optional,omitempty"`
	// Members are the folders of a lockfile's local packages.
	Members []string `json:"members,omitempty"`
	// Includes are those of a requirements file.
	Includes []include `json:"includes,omitempty"`
	// Requirements is true for a requirements file, Constraints for one that
	// by its name only holds constraints.
	Requirements bool `json:"requirements,omitempty"`
	Constraints  bool `json:"constraints,omitempty"`
	// Sources are the manifests that a compiled requirements file names.
	Sources []string `json:"sources,omitempty"`
}

// request is one thing that a project asks for.
type request struct {
	Name  string           `json:"name"` // normalised
	Range string           `json:"range,omitempty"`
	Scope dependency.Scope `json:"scope,omitempty"`
	Line  int              `json:"line,omitempty"`
	// Soft: a lockfile may lack it (a marker, a path).
	Soft bool `json:"soft,omitempty"`
	// Extras are what is asked for beyond the package itself.
	Extras []string `json:"extras,omitempty"`

	version, origin string
	local           bool
	column, end     int
	hashes          []dependency.Hash
}

type include struct {
	Path       string `json:"path"`
	Line       int    `json:"line"`
	Constraint bool   `json:"constraint,omitempty"`
}

// Extract reads one file.
func (*Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	read := formatOf(f.Path)
	if read == nil {
		return nil, nil
	}
	base, _ := collect.Path(f.Path)
	m, x, err := read(f.Content, f.Path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", base, err)
	}
	if m == nil {
		return nil, nil
	}
	m.Path, m.Ecosystem = f.Path, dependency.PyPI
	if m.Extra, err = json.Marshal(x); err != nil {
		return nil, fmt.Errorf("keeping what %s says for its neighbours: %w", base, err)
	}
	return m, nil
}
