// Package secretrules holds the built-in secret rules as data: one TOML file
// for each provider, each rule beside its examples. CONTRIBUTING.md tells how
// to add one. It holds no code.
package secretrules

import "embed"

// FS holds the rule files at its root.
//
//go:embed *.toml
var FS embed.FS
