// Package gradle reads Gradle's lockfiles (gradle.lockfile,
// buildscript-gradle.lockfile), gradle/verification-metadata.xml, version
// catalogues (gradle/libs.versions.toml) and the dependencies that build scripts
// in Groovy and Kotlin declare.
//
// Scripts are programs, and nothing is run: literals, variables, ext,
// gradle.properties and aliases of catalogues are put in, from the same folder
// and those above; all else is a gap. Conditions are not evaluated: every
// declaration counts. Versions that plugins or BOMs manage are not known. A
// plugin is reported as its marker artifact, for development.
//
// A lockfile is flat: it does not tell who needs a package, only for which
// configurations. Where one lies beside a script, the script tells which of its
// packages are direct, and is not reported itself. Verification metadata hold
// the digests of everything that was ever resolved, build plugins included; they
// complete lockfiles and count as a list of packages only where there is no
// lockfile.
package gradle

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

const (
	formatLock         = "Gradle lockfile"
	formatVerification = "Gradle verification metadata"
	formatScript       = "Gradle build script"
	formatCatalog      = "Gradle version catalogue"
	formatProperties   = "Gradle properties"
)

// Extractor reads the files of Gradle.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var (
	_ extract.Extractor = Extractor{}
	_ extract.Resolver  = Extractor{}
)

// Name is "gradle".
func (Extractor) Name() string { return "gradle" }

// Binary is false.
func (Extractor) Binary() bool { return false }

// Wants accepts lockfiles, verification metadata, scripts, catalogues and
// properties.
func (Extractor) Wants(p string) bool { return formatOf(p) != "" }

func formatOf(p string) string {
	base := path.Base(p)
	switch base {
	case "gradle.lockfile", "buildscript-gradle.lockfile":
		return formatLock
	case "verification-metadata.xml":
		return formatVerification
	case "gradle.properties":
		return formatProperties
	}
	switch {
	case strings.HasSuffix(base, ".gradle"), strings.HasSuffix(base, ".gradle.kts"):
		return formatScript
	case isCatalog(p):
		return formatCatalog
	}
	return ""
}

// Extract reads one file; what it takes from others, Resolve puts in.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &dependency.Manifest{Path: f.Path, Format: formatOf(f.Path), Kind: dependency.Declared, Ecosystem: dependency.Maven}
	switch m.Format {
	case formatLock:
		m.Kind = dependency.Lock
		var g collect.Graph
		var gaps collect.Gaps
		readLock(f.Content, path.Base(f.Path) == "buildscript-gradle.lockfile", &g, &gaps)
		return finish(m, &g, &gaps)
	case formatVerification:
		m.Kind = dependency.Lock
		root, err := xmltree.Parse(f.Content)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.Path, err)
		}
		if root.Name != formatRoot {
			return nil, nil
		}
		var g collect.Graph
		var gaps collect.Gaps
		readVerification(root, &g, &gaps)
		return finish(m, &g, &gaps)
	case formatScript, formatCatalog, formatProperties:
		return declared(m, f)
	}
	return nil, nil
}

func finish(m *dependency.Manifest, g *collect.Graph, gaps *collect.Gaps) (*dependency.Manifest, error) {
	var err error
	if m.Packages, err = g.Packages(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", m.Path, err)
	}
	m.Gaps = gaps.List()
	return m, nil
}

// declared reads what needs other files to be complete.
func declared(m *dependency.Manifest, f extract.File) (*dependency.Manifest, error) {
	u := &unit{m: m}
	var gaps collect.Gaps
	var err error
	switch m.Format {
	case formatScript:
		if u.Script, err = readScript(f, &gaps); err != nil {
			return nil, err
		}
		u.Script.Gaps = gaps.List()
		if len(u.Script.Declarations) == 0 && len(u.Script.Gaps) == 0 && len(u.Script.Variables) == 0 && len(u.Script.Applied) == 0 && len(u.Script.Platforms) == 0 {
			return nil, nil
		}
		b := newBuild()
		b.add(u)
		_, err = b.fill(u)
	case formatCatalog:
		if u.Catalog, err = readCatalog(f, &gaps); err != nil {
			return nil, err
		}
		u.Catalog.Gaps = gaps.List()
		err = u.Catalog.fill(m, nil, false)
	case formatProperties:
		if u.Properties = readProperties(f.Content); len(u.Properties) == 0 {
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Path, err)
	}
	if m.Extra, err = json.Marshal(u.kept); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Path, err)
	}
	return m, nil
}
