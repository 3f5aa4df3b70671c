// Package licensedata holds what Bulwark knows of licences beyond the SPDX
// list, as data: groups that a policy can name, and the names that people write
// instead of SPDX ids. It holds no code; reading it is the business of package
// license.
package licensedata

import "embed"

// FS holds groups.toml and names.toml at its root.
//
//go:embed *.toml
var FS embed.FS
