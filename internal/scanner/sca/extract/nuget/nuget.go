// Package nuget reads what .NET projects say of their NuGet packages:
// packages.lock.json, project.assets.json, *.deps.json, packages.config and
// project files with Directory.Packages.props and Directory.Build.props.
//
// Packages of several target frameworks are merged. "1.2.3" in a project file
// is a minimum of which NuGet takes the lowest version there is, so it is
// reported as the version; ranges and floating versions ("1.*") are constraints.
// Conditions of MSBuild are not evaluated: every reference counts. A project
// file whose lockfile or assets file is at hand is dropped in their favour.
package nuget

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

const (
	formatLock    = "NuGet packages.lock.json"
	formatAssets  = "NuGet project.assets.json"
	formatDeps    = ".NET deps.json"
	formatConfig  = "NuGet packages.config"
	formatProject = "MSBuild project"
	formatProps   = "MSBuild properties"
)

// Extractor reads the files of NuGet.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var (
	_ extract.Extractor = Extractor{}
	_ extract.Resolver  = Extractor{}
)

// Name is "nuget".
func (Extractor) Name() string { return "nuget" }

// Binary is false.
func (Extractor) Binary() bool { return false }

// Wants accepts lockfiles, assets files, project files and their properties.
func (Extractor) Wants(p string) bool { return formatOf(p) != "" }

func formatOf(p string) string {
	base := strings.ToLower(path.Base(p))
	switch base {
	case "packages.lock.json":
		return formatLock
	case "project.assets.json":
		return formatAssets
	case "packages.config":
		return formatConfig
	case "directory.packages.props", "directory.build.props":
		return formatProps
	}
	switch {
	case strings.HasSuffix(base, ".deps.json"):
		return formatDeps
	case strings.HasSuffix(base, ".csproj"), strings.HasSuffix(base, ".fsproj"), strings.HasSuffix(base, ".vbproj"):
		return formatProject
	}
	return ""
}

// Extract reads one file.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &dependency.Manifest{Path: f.Path, Format: formatOf(f.Path), Kind: dependency.Lock, Ecosystem: dependency.NuGet}
	var (
		g    collect.Graph
		gaps collect.Gaps
		e    *project
		err  error
	)
	switch m.Format {
	case formatLock:
		err = readLock(f.Content, &g, &gaps)
	case formatAssets, formatDeps:
		if m.Format == formatDeps {
			m.Kind = dependency.Built
		}
		var ours bool
		ours, err = readAssets(f.Content, m, &g, &gaps)
		if err == nil && !ours {
			return nil, nil
		}
	case formatConfig:
		err = readConfig(f.Content, &g, &gaps)
	case formatProject, formatProps:
		m.Kind = dependency.Declared
		if e, err = readProject(f.Content, &gaps); err == nil && e == nil {
			return nil, nil
		}
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w; restore it with dotnet restore", f.Path, err)
	}
	if e != nil {
		e.Gaps = gaps.List()
		if m.Extra, err = json.Marshal(e); err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.Path, err)
		}
		if err = e.fill(m, nil, nil); err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.Path, err)
		}
		return m, nil
	}
	if m.Packages, err = g.Packages(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Path, err)
	}
	m.Gaps = gaps.List()
	return m, nil
}

// hash reads a SHA-512 in base64, with or without "sha512-" before it.
func hash(s string) []dependency.Hash {
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "sha512-"))
	if err != nil || len(b) != 64 {
		return nil // projects have none
	}
	return []dependency.Hash{{Algorithm: "sha-512", Value: hex.EncodeToString(b)}}
}

// exact splits a requirement into a version, where it means one, and a
// constraint.
func exact(v string) (number, constraint string) {
	if inner, ok := strings.CutPrefix(v, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && !strings.ContainsAny(inner, ",[]()*") {
			return strings.TrimSpace(inner), ""
		}
	}
	if v == "" || strings.ContainsAny(v, "[](),*$") {
		return "", v
	}
	return v, ""
}
