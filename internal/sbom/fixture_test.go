package sbom_test

import (
	"errors"
	"time"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
)

// manifests are two files that share a package.
func manifests() []*dependency.Manifest {
	return []*dependency.Manifest{{
		Path: "web/package-lock.json", Format: "npm package-lock v3", Kind: dependency.Lock, Ecosystem: dependency.NPM,
		Packages: []dependency.Package{
			{Ecosystem: dependency.NPM, Name: "express", Version: "4.18.2", Scope: dependency.Production, Relation: dependency.Direct, Line: 10,
				Requires: []string{"qs@6.11.0"}, Licenses: []string{"MIT"},
				Hashes: []dependency.Hash{{Algorithm: "sha-1", Value: "da39a3ee5e6b4b0d3255bfef95601890afd80709"}}},
			{Ecosystem: dependency.NPM, Name: "qs", Version: "6.11.0", Scope: dependency.Production, Relation: dependency.Transitive, Line: 20, Licenses: []string{"BSD-3-Clause"}},
			{Ecosystem: dependency.NPM, Name: "web-shared", Version: "0.1.0", Local: true, Relation: dependency.Direct, Line: 30, Requires: []string{"qs@6.11.0"}},
		},
	}, {
		Path: "api/package-lock.json", Format: "npm package-lock v3", Kind: dependency.Lock, Ecosystem: dependency.NPM,
		Packages: []dependency.Package{
			{Ecosystem: dependency.NPM, Name: "qs", Version: "6.11.0", Scope: dependency.Development, Relation: dependency.Direct, Line: 5,
				Licenses: []string{"BSD-3-Clause", "See the licence file"}},
			{Ecosystem: dependency.NPM, Name: "left-pad", Constraint: "^1.0.0", Scope: dependency.Optional, Relation: dependency.Direct, Line: 7, Licenses: []string{"(MIT OR WTFPL)"}},
		},
		Gaps: []dependency.Gap{{Line: 9, Message: "a version that is a link"}},
	}}
}

var errUnordered = errors.New("unordered")

func options() sbom.Options {
	return sbom.Options{
		Subject: sbom.Subject{Name: "shop", Version: "1f2e3d"}, Tool: sbom.Tool{Name: "bulwark", Version: "0.3.0"},
		Created: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC),
	}
}
