// Package dependency defines what a manifest or lockfile says that software is
// made of: packages, who pulls them in, and where it is written. It is the
// ground that extraction, the advisory database and SBOMs share. It holds plain
// values and performs no I/O; what is wrong with a package belongs to package
// advisory.
package dependency

// Ecosystem is a namespace of package names with its own order of versions.
// The names are those of the OSV schema (https://ossf.github.io/osv-schema/),
// except for the last two, which OSV has no name for.
type Ecosystem string

// The ecosystems that are read.
const (
	NPM           Ecosystem = "npm"
	Go            Ecosystem = "Go"
	Maven         Ecosystem = "Maven"
	PyPI          Ecosystem = "PyPI"
	Cargo         Ecosystem = "crates.io"
	RubyGems      Ecosystem = "RubyGems"
	Packagist     Ecosystem = "Packagist"
	NuGet         Ecosystem = "NuGet"
	Swift         Ecosystem = "SwiftURL"
	Pub           Ecosystem = "Pub"
	Hex           Ecosystem = "Hex"
	Conan         Ecosystem = "ConanCenter"
	GitHubActions Ecosystem = "GitHub Actions"
	Debian        Ecosystem = "Debian" // with a release: "Debian:12"
	Alpine        Ecosystem = "Alpine" // with a release: "Alpine:v3.20"
	TerraformMod  Ecosystem = "Terraform module"
	TerraformProv Ecosystem = "Terraform provider"
)

// Scope says what a package is needed for. A package needed for several things
// has the one that comes first in this list.
type Scope string

// The scopes.
const (
	Production  Scope = "production"
	Optional    Scope = "optional"    // used in production if present
	Development Scope = "development" // tests, linters, build tools: not shipped
	Unstated    Scope = ""            // the file does not tell
)

// Relation says who asks for a package.
type Relation string

// The relations.
const (
	Direct     Relation = "direct"     // the project itself names it
	Transitive Relation = "transitive" // another package needs it
	Undeclared Relation = ""           // the file does not tell
)

// Hash is a digest that the file states of the package's archive.
type Hash struct {
	Algorithm string `json:"algorithm"` // "sha-256", "sha-512", "sha-1", "md5", lower-case
	Value     string `json:"value"`     // lower-case hex
}

// Package is one version of one package as one file declares it.
type Package struct {
	Ecosystem Ecosystem `json:"ecosystem"`
	// Name is written as advisories of the ecosystem write it: Maven
	// "group:artifact", a Go module path, "@scope/name" for npm, a PyPI name
	// normalised by PEP 503, Swift "github.com/owner/name", a GitHub action
	// "owner/repo" (lower-case).
	Name string `json:"name"`
	// Version is the exact version; empty when the file gives only a range.
	Version string `json:"version,omitempty"`
	// Constraint is what is asked for where no exact version is stated, or
	// what the project's own manifest asks for: "^4.17.0".
	Constraint string   `json:"constraint,omitempty"`
	Scope      Scope    `json:"scope,omitempty"`
	Relation   Relation `json:"relation,omitempty"`
	// Via is the shortest way from the project to this package: the ids
	// (Package.ID) of the packages between, the direct dependency first. Empty
	// for a direct one and where the file does not tell.
	Via []string `json:"via,omitempty"`
	// Requires are the ids (Package.ID) of the packages that it needs, sorted.
	Requires []string `json:"requires,omitempty"`
	// Licenses are the licences as the file states them, SPDX expressions
	// where it does; several mean that all apply.
	Licenses []string `json:"licenses,omitempty"`
	Hashes   []Hash   `json:"hashes,omitempty"`
	// Origin is where the package comes from if that is not the ecosystem's
	// default registry: a registry's, repository's or archive's address without
	// credentials, or a path.
	Origin string `json:"origin,omitempty"`
	// Local is true for a part of the project itself (a workspace member, a
	// path dependency, the root module): it is no third-party package.
	Local bool `json:"local,omitempty"`
	// Line is where the file declares it, from 1; Column and EndColumn count
	// bytes from 1, EndColumn is exclusive, both 0: the whole line.
	Line      int `json:"line,omitempty"`
	Column    int `json:"column,omitempty"`
	EndColumn int `json:"end_column,omitempty"`
}

// ID names the package within its manifest: "name@version", or the name alone
// if no exact version is known.
func (p *Package) ID() string {
	if p.Version == "" {
		return p.Name
	}
	return p.Name + "@" + p.Version
}

// Gap is a part of a manifest that could not be understood.
type Gap struct {
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

// Kind says what a manifest tells.
type Kind string

// The kinds of manifest.
const (
	Lock     Kind = "lock"     // exact versions of everything, as resolved
	Declared Kind = "manifest" // what the project asks for; ranges, mostly direct
	Built    Kind = "built"    // what a binary was built from
)

// Manifest is what one file declares.
type Manifest struct {
	// Path is slash-separated and relative to the asset's root.
	Path string `json:"path,omitempty"`
	// Format names the file format: "npm package-lock v3", "Cargo.lock".
	Format    string    `json:"format"`
	Kind      Kind      `json:"kind"`
	Ecosystem Ecosystem `json:"ecosystem"`
	// Project is the declaring project itself, where the file names it.
	Project *Package `json:"project,omitempty"`
	// Packages in the order of their lines, then names; no two are equal.
	Packages []Package `json:"packages,omitempty"`
	Gaps     []Gap     `json:"gaps,omitempty"`
	// Extra is what the format's resolver needs of this file to complete
	// others (a parent's properties, a catalogue of versions). JSON.
	Extra []byte `json:"extra,omitempty"`
}
