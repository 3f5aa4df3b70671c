// Package cargo reads what Rust projects say of their dependencies: Cargo.lock
// in its versions 1 to 4 and Cargo.toml
// (https://doc.rust-lang.org/cargo/reference/manifest.html).
//
// Cargo.lock lists exact versions and who needs what, but not what for: which
// dependencies of a workspace's own packages are for tests or builds only says
// Cargo.toml, and Resolve joins the two. What a package of a registry needs
// counts as production, since the lockfile does not tell its kinds apart; build
// scripts' needs of the project itself are development, as they are not shipped.
// A Cargo.toml that a lockfile covers is not reported by itself.
//
// It does not choose versions, knows no features and platforms (a lockfile
// covers all of them), and reads nothing that cargo vendor has copied.
package cargo

import (
	"context"
	"fmt"
	"path"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// Extractor reads Cargo.lock and Cargo.toml.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var (
	_ extract.Extractor = Extractor{}
	_ extract.Resolver  = Extractor{}
)

// Name is "cargo".
func (Extractor) Name() string { return "cargo" }

// Binary is false: both are text.
func (Extractor) Binary() bool { return false }

// Wants accepts Cargo.lock and Cargo.toml outside of vendored and packaged
// crates.
func (Extractor) Wants(p string) bool {
	dir, base := path.Split(p)
	if base != "Cargo.lock" && base != "Cargo.toml" {
		return false
	}
	dir = "/" + dir
	return !strings.Contains(dir, "/vendor/") && !strings.Contains(dir, "/target/package/")
}

// Extract reads one file.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	read := readManifest
	switch path.Base(f.Path) {
	case "Cargo.lock":
		read = readLock
	case "Cargo.toml":
	default:
		return nil, nil
	}
	m, err := read(f.Content)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path.Base(f.Path), err)
	}
	m.Path = f.Path
	return m, nil
}

// origin is where a lockfile's source is, "" for crates.io.
func origin(source string) string {
	switch source {
	case "registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/":
		return ""
	}
	return collect.Address(source)
}

// validName reports whether a crate can have the name.
func validName(name string) bool {
	if name == "" || len(name) > extract.MaxName {
		return false
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c >= 0x80: // Cargo allows letters of all scripts for local packages
			return collect.Sound(name)
		default:
			return false
		}
	}
	return true
}
