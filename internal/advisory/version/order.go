package version

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Order is the order of one ecosystem's versions.
type Order struct {
	name    string // for proofs: "semver", "maven", "pep440", …
	library string // the ecosystem that the library has the order under
	// plain is up to how many numbers a version of nothing but numbers is
	// compared without the library; 0: never. longer: of two that are equal so
	// far, the longer is greater; else missing numbers are zero. letter: a
	// leading "v" is skipped.
	plain  int
	longer bool
	letter bool
	// start is what must stand first and rest what may follow; nil: anything
	// printable without spaces.
	start, rest func(c byte) bool
	reason      string
}

// Name is what the order is called in proofs.
func (o *Order) Name() string { return o.name }

// Of is the order of an ecosystem of the OSV schema
// (https://ossf.github.io/osv-schema/#defined-ecosystems), with or without
// release: "npm", "Debian:12". The second result is false where none is
// known; such an advisory matches only the versions that it lists.
func Of(ecosystem string) (*Order, bool) {
	name, _, _ := strings.Cut(ecosystem, ":")
	switch name {
	case "npm", "Go", "crates.io", "SwiftURL", "Hex", "ConanCenter", "Bitnami", "Julia", "GHC",
		"Bioconductor", "Docker Hardened Images",
		// These have no order of their own; their registries require semantic
		// versions, or their tags follow them.
		"GitHub Actions", "Terraform module", "Terraform provider", "VSCode", "Kubernetes":
		return &semver, true
	case "Pub":
		return &pub, true
	case "NuGet":
		return &nuget, true
	case "Maven":
		return &maven, true
	case "PyPI":
		return &pep440, true
	case "RubyGems":
		return &rubygems, true
	case "Packagist":
		return &composer, true
	case "CRAN":
		return &cran, true
	case "Hackage":
		return &hackage, true
	case "Debian", "Ubuntu", "Echo":
		return &debian, true
	case "Alpine", "Alpaquita", "BellSoft Hardened Containers", "Chainguard", "MinimOS", "Wolfi":
		return &alpine, true
	case "AlmaLinux", "Azure Linux", "Mageia", "Photon OS", "Red Hat", "Rocky Linux", "SUSE", "openEuler", "openSUSE":
		return &rpm, true
	}
	return nil, false
}

// Semver is the order of semantic versions, for ranges that say so in an
// ecosystem without an order of its own.
func Semver() *Order { return &semver }

// The orders. They are never changed.
var (
	semver   = Order{name: "semver", library: "npm", plain: 3, letter: true, start: digit, reason: needDigit}
	pub      = Order{name: "pub", library: "Pub", plain: 3, letter: true, start: digit, reason: needDigit}
	nuget    = Order{name: "nuget", library: "NuGet", plain: 4, letter: true, start: digit, reason: needDigit}
	hackage  = Order{name: "hackage", library: "Hackage", letter: true, start: digit, reason: needDigit}
	composer = Order{name: "composer", library: "Packagist", plain: maxPlain, longer: true, letter: true, start: digit, reason: needDigit}
	rubygems = Order{name: "rubygems", library: "RubyGems", plain: maxPlain, start: digit, rest: rubyByte, reason: needDigit}
	cran     = Order{name: "cran", library: "CRAN", start: digit, reason: needDigit}
	alpine   = Order{name: "apk", library: "Alpine", start: digit, reason: needDigit}
	pep440   = Order{name: "pep440", library: "PyPI", plain: maxPlain}
	maven    = Order{name: "maven", library: "Maven", plain: maxPlain, rest: mavenByte, reason: "it has a placeholder, or is a range"}
	debian   = Order{name: "dpkg", library: "Debian", start: alnum, rest: debianByte, reason: "dpkg allows no such character"}
	rpm      = Order{name: "rpm", library: "Red Hat"}
)

const needDigit = "it does not begin with a number"

func digit(c byte) bool { return c >= '0' && c <= '9' }

func alnum(c byte) bool {
	return digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func rubyByte(c byte) bool { return alnum(c) || c == '.' || c == '-' || c == '+' || c == '_' }

func debianByte(c byte) bool {
	return alnum(c) || c == '.' || c == '+' || c == '-' || c == ':' || c == '~' || c == '_'
}

func mavenByte(c byte) bool { return !strings.ContainsRune("${}[](),@*", rune(c)) }

// fault says why text is no version of the order. It is deliberately coarse:
// it keeps out what cannot be a version (a branch, a placeholder, a URL), and
// leaves the grammar to the library.
func (o *Order) fault(text string) string {
	if text == "" {
		return "it is empty"
	}
	if len(text) > MaxLength {
		return fmt.Sprintf("it has %d bytes, more than %d", len(text), MaxLength)
	}
	for _, c := range text {
		if c <= ' ' || c == 0x7f || c == utf8.RuneError {
			return fmt.Sprintf("it has the character %q", c)
		}
	}
	if o == &pep440 {
		// Versions older than PEP 440 may begin with anything, but every one
		// that was released has a number somewhere.
		if !strings.ContainsAny(text, "0123456789") || strings.ContainsAny(text, "/@<>=,;") {
			return "it is neither a version by PEP 440 nor an older one"
		}
		return ""
	}
	body := text
	if o.letter && len(body) > 1 && (body[0] == 'v' || body[0] == 'V' && o == &composer) {
		body = body[1:]
	}
	if o.start != nil && !o.start(body[0]) {
		return o.reason
	}
	if o.rest != nil {
		for i := range len(body) {
			if !o.rest(body[i]) {
				return o.reason
			}
		}
	}
	return ""
}
