// Package gomod reads what Go modules say of their dependencies: go.mod,
// go.sum, go.work and vendor/modules.txt.
//
// Since Go 1.17 go.mod lists every module that the build of the project needs,
// with the version selected (https://go.dev/ref/mod#graph-pruning). An older one
// lists only what the project asks for itself; vendor/modules.txt or, failing
// that, go.sum then complete it. go.sum does not say which of its versions are
// selected: the highest one of each module whose archive (not only its go.mod)
// is listed is taken, which minimal version selection can only undercut when
// go.sum holds what is no longer needed.
//
// The standard library is the package "stdlib". go and toolchain lines state a
// minimum, and whoever builds may use a newer release; the higher of both is
// reported as the version, as osv-scanner does. A go line without a patch number
// ("go 1.21") names only a version of the language, not a release: it is
// reported as a constraint without a version, since matching it would blame the
// project for everything that later patches mended.
//
// Modules that only tests need cannot be told from others: all are taken for
// production, save those that only a tool line needs. It selects no versions
// across the modules of a workspace and asks no module proxy.
package gomod

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// The formats as manifests name them.
const (
	formatMod    = "go.mod"
	formatSum    = "go.sum"
	formatWork   = "go.work"
	formatVendor = "vendor/modules.txt"
)

// incomplete is the gap of a go.mod that does not list what its modules need.
const incomplete = "a go.mod of before Go 1.17 lists only direct modules, and neither vendor/modules.txt nor go.sum tells the others; raise the go line to 1.17 or later and run go mod tidy"

// Extractor reads the files of Go modules.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var (
	_ extract.Extractor = Extractor{}
	_ extract.Resolver  = Extractor{}
)

// Name is "gomod".
func (Extractor) Name() string { return "gomod" }

// Binary is false: all are text.
func (Extractor) Binary() bool { return false }

// Wants accepts go.mod, go.sum, go.work and vendor/modules.txt, but none of a
// vendored module: what of those is built, vendor/modules.txt says.
func (Extractor) Wants(p string) bool {
	dir, base := path.Split(p)
	switch base {
	case "go.mod", "go.sum", "go.work":
		return !strings.HasPrefix(dir, "vendor/") && !strings.Contains(dir, "/vendor/")
	case "modules.txt":
		parent := strings.TrimSuffix(dir, "vendor/")
		return parent != dir && (parent == "" || strings.HasSuffix(parent, "/")) &&
			!strings.HasPrefix(parent, "vendor/") && !strings.Contains(parent, "/vendor/")
	}
	return false
}

// Extract reads one file.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	base := path.Base(f.Path)
	if (base == "go.mod" || base == "go.work") && len(f.Content) > maxMod {
		return nil, fmt.Errorf("reading %s: a file of %d bytes; the most that is read are %d; check where it comes from", f.Path, len(f.Content), maxMod)
	}
	switch base {
	case "go.mod":
		return readMod(f)
	case "go.sum":
		return readSum(f)
	case "go.work":
		return readWork(f)
	case "modules.txt":
		return readVendor(f)
	}
	return nil, nil
}

// maxMod is the size in bytes of the largest go.mod and go.work that is read:
// room for 15,000 modules. The library holds a syntax tree of the whole file and
// a message for each line that it does not understand.
const maxMod = 1 << 20

// extra is what Resolve needs of a file.
type extra struct {
	// Unpruned: a go.mod of before Go 1.17.
	Unpruned bool `json:"unpruned,omitempty"`
	// Replaces are the replace lines of a go.work.
	Replaces []replacement `json:"replaces,omitempty"`
	// Replaced names, for what a go.mod replaces, the module required: by the
	// id of the package as reported.
	Replaced map[string]version `json:"replaced,omitempty"`
}

// version is one version of one module.
type version struct {
	Path    string `json:"path"`
	Version string `json:"version,omitempty"`
}

// replacement is one replace line.
type replacement struct {
	Old version `json:"old"`
	New version `json:"new"` // without a version: a folder
	place
}

// place is where something is written.
type place struct {
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	End    int `json:"end,omitempty"`
}

func (e extra) empty() bool { return !e.Unpruned && len(e.Replaces) == 0 && len(e.Replaced) == 0 }

// finish fills the manifest with what was read.
func finish(m *dependency.Manifest, g *collect.Graph, gaps *collect.Gaps, e extra) (*dependency.Manifest, error) {
	packages, err := g.Packages()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", m.Path, err)
	}
	m.Packages, m.Gaps = packages, gaps.List()
	if !e.empty() {
		if m.Extra, err = json.Marshal(e); err != nil {
			return nil, fmt.Errorf("reading %s: %w", m.Path, err)
		}
	}
	return m, nil
}

// isFolder reports whether the right side of a replace line is a path.
func isFolder(s string) bool {
	return s == "." || s == ".." || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") ||
		strings.HasPrefix(s, "/") || strings.HasPrefix(s, `.\`) || strings.HasPrefix(s, `..\`) ||
		len(s) > 2 && s[1] == ':' && (s[2] == '\\' || s[2] == '/')
}
