// Package bunlockb knows bun.lockb, the binary lockfile of Bun before 1.2, and
// says that it cannot be looked at: its layout is that of one release's memory.
// It is here so that such a file is reported and not passed over.
package bunlockb

import (
	"context"
	"errors"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

var _ extract.Extractor = Extractor{}

// Extractor refuses bun.lockb with an advice.
type Extractor struct{}

// New returns the extractor.
func New() Extractor { return Extractor{} }

// Name is "bun.lockb".
func (Extractor) Name() string { return "bun.lockb" }

// Binary is true.
func (Extractor) Binary() bool { return true }

// Wants reports whether the path is that of a bun.lockb of the project's own.
func (Extractor) Wants(path string) bool {
	base := collect.Base(path)
	return base == "bun.lockb" && collect.Own(path)
}

// Extract always returns an error.
func (Extractor) Extract(context.Context, extract.File) (*dependency.Manifest, error) {
	return nil, errors.New("bun.lockb is Bun's old binary lockfile and cannot be read: run bun install --save-text-lockfile with Bun 1.2 or later and commit bun.lock in its place")
}
