// Package extract is the contract of what reads manifests and lockfiles, one
// folder for each family of formats. An extractor is a pure function of path
// and content: it opens nothing, runs nothing, reaches nothing and resolves no
// range by asking a registry. What a project's other files add (a parent, a
// catalogue, the manifest beside a lockfile) is joined by a Resolver afterwards.
package extract

import (
	"context"

	"bulwark/internal/dependency"
)

// File is what is read. All of it comes from strangers.
type File struct {
	Path    string // slash-separated, relative to the asset's root
	Content []byte // valid only during the call: clone what is kept
}

// Limits that every extractor keeps.
const (
	MaxPackages = 200_000 // of one file; more is an error
	MaxDepth    = 64      // nesting of objects, arrays, elements
	MaxName     = 1 << 10 // bytes of one name, version or constraint; a longer one is a gap
)

// Extractor reads one or several file formats.
type Extractor interface {
	// Name is unique: "npm", "gomod".
	Name() string
	// Wants reports by path alone whether the file is one of its own.
	Wants(path string) bool
	// Binary reports whether it reads binary files; otherwise text.
	Binary() bool
	// Extract reads a whole file. An error (with the line where known) means
	// that the file as a whole cannot be relied on: it is then reported as not
	// looked at. A part that cannot be understood is a Gap of the manifest.
	// A nil manifest without an error means: not one of its own after all.
	// It never panics and takes time and memory linear in the content.
	Extract(ctx context.Context, f File) (*dependency.Manifest, error)
}

// Resolver is implemented by extractors whose files complete one another.
type Resolver interface {
	// Resolve is given all manifests that this extractor made, ordered by
	// path, and returns them completed; it may drop those that another one
	// supersedes (a manifest beside its lockfile).
	Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest
}
