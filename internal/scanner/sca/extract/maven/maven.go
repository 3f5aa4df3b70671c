// Package maven reads Maven's project files: pom.xml and *.pom.
//
// What a pom inherits is taken from parents and imported bills of materials
// (BOMs) that lie in the same repository; properties, ${project.*} and
// ${revision} are put in, dependencyManagement and profiles that are active by
// default are applied. What lies elsewhere cannot be known offline: such a
// dependency has no version, and a gap names the parent, BOM or property that
// is missing. Dependencies inherited from a parent are reported where the parent
// declares them, and again for the child only if they come out differently there.
//
// Transitive dependencies are not resolved: that takes the poms of all packages.
// Managed versions that no dependency uses are no packages, nor are plugins.
//
// Scope test is for development. Scope provided counts as production: the
// container supplies the package, but it runs there, and the code is built
// against it. <optional> is optional.
package maven

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/xmltree"
)

const format = "Maven POM"

// Extractor reads Maven's project files.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var (
	_ extract.Extractor = Extractor{}
	_ extract.Resolver  = Extractor{}
)

// Name is "maven".
func (Extractor) Name() string { return "maven" }

// Binary is false.
func (Extractor) Binary() bool { return false }

// Wants accepts pom.xml and *.pom.
func (Extractor) Wants(p string) bool {
	base := path.Base(p)
	return base == "pom.xml" || strings.HasSuffix(base, ".pom")
}

// Extract reads one pom as far as it tells by itself; Resolve adds the others.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := xmltree.Parse(f.Content)
	if err != nil {
		if !strings.HasSuffix(f.Path, "pom.xml") && xmltree.Root(f.Content) != "project" {
			return nil, nil // another kind of file that ends in .pom
		}
		return nil, fmt.Errorf("reading %s: %w; check it with mvn validate", f.Path, err)
	}
	if root.Name != "project" {
		return nil, nil
	}
	var gaps collect.Gaps
	m := readModel(root, &gaps)
	if len(m.Deps)+len(m.Managed) > extract.MaxPackages {
		return nil, fmt.Errorf("reading %s: %d dependencies: no pom has that many", f.Path, len(m.Deps)+len(m.Managed))
	}
	m.Gaps = gaps.List()
	out := &dependency.Manifest{Path: f.Path, Format: format, Kind: dependency.Declared, Ecosystem: dependency.Maven}
	if out.Extra, err = json.Marshal(m); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Path, err)
	}
	alone := newRepository()
	alone.add(out, m)
	if err := alone.fill(out); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Path, err)
	}
	return out, nil
}

// Resolve puts in what poms take from one another.
func (Extractor) Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	r := newRepository()
	for _, m := range all {
		if len(m.Extra) == 0 {
			continue
		}
		var mod model
		if err := json.Unmarshal(m.Extra, &mod); err != nil {
			m.Gaps = append(m.Gaps, dependency.Gap{Message: "what was kept of this file cannot be read: " + err.Error()})
			continue
		}
		r.add(m, &mod)
	}
	for _, m := range all {
		if ctx.Err() != nil {
			break
		}
		if err := r.fill(m); err != nil {
			m.Gaps = append(m.Gaps, dependency.Gap{Message: err.Error()})
		}
	}
	for _, m := range all {
		m.Extra = nil
	}
	return all
}
