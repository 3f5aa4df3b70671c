// Package policycontent carries the policies that are compiled into Bulwark,
// with their tests. It holds files and no logic; reading them is the business
// of package policy.
package policycontent

import "embed"

// Files holds the default gate, gate/*.rego, and its Rego tests.
//
//go:embed gate/*.rego
var Files embed.FS
