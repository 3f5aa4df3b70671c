// Package purl translates between packages and package URLs
// (https://github.com/package-url/purl-spec): the names that SBOMs, VEX
// documents and other tools know a package by, and the names that advisories
// of its ecosystem use. It does not compare versions and looks nothing up.
//
// Letters: the specification asks for lower-case Go module paths; other tools
// and OSV keep the case, and the module proxy distinguishes it. So it is kept.
//
// Terraform has no registered type. Like other tools this package writes
// "pkg:terraform/hashicorp/aws@5.0.0", and adds kind=provider or kind=module,
// since both registries use the same names. Without kind, two parts after an
// optional host are a provider and three a module.
package purl

import (
	"fmt"
	"net/url"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"bulwark/internal/dependency"
)

// MaxLength is the limit on a package URL that is read, in bytes.
const MaxLength = 4 << 10

// The qualifiers that are read or written.
const (
	qualifierKind       = "kind"           // of Terraform: module, provider
	qualifierDistro     = "distro"         // debian-12, alpine-3.20
	qualifierUpstream   = "upstream"       // the source package of a binary one
	qualifierVCS        = "vcs_url"        // where it comes from: a repository
	qualifierDownload   = "download_url"   // … an archive
	qualifierRepository = "repository_url" // … a registry
	qualifierUser       = "user"           // of Conan
	qualifierChannel    = "channel"        // of Conan
)

// types are the ecosystems whose package URL has type and name only, or type
// and a name whose last "/" ends the namespace.
var types = map[dependency.Ecosystem]string{
	dependency.NPM:           "npm",
	dependency.Go:            "golang",
	dependency.Maven:         "maven",
	dependency.PyPI:          "pypi",
	dependency.Cargo:         "cargo",
	dependency.RubyGems:      "gem",
	dependency.Packagist:     "composer",
	dependency.NuGet:         "nuget",
	dependency.Swift:         "swift",
	dependency.Pub:           "pub",
	dependency.Hex:           "hex",
	dependency.Conan:         "conan",
	dependency.GitHubActions: "github",
	dependency.Debian:        "deb",
	dependency.Alpine:        "apk",
	dependency.TerraformMod:  "terraform",
	dependency.TerraformProv: "terraform",
}

// PURL is the package URL of p, or empty if p has no name, is of an ecosystem
// without a type, or is a local part of the project: a package URL would claim
// that it is the package of that name in a public registry.
func PURL(p dependency.Package) string {
	release := ""
	ecosystem := p.Ecosystem
	if name, after, ok := strings.Cut(string(ecosystem), ":"); ok {
		ecosystem, release = dependency.Ecosystem(name), after
	}
	kind, ok := types[ecosystem]
	if !ok || p.Name == "" || p.Local {
		return ""
	}
	u := packageurl.PackageURL{Type: kind, Version: p.Version}
	u.Namespace, u.Name = split(p.Name)
	add := func(key, value string) {
		if value != "" {
			u.Qualifiers = append(u.Qualifiers, packageurl.Qualifier{Key: key, Value: value})
		}
	}
	switch ecosystem {
	case dependency.NPM:
		if !strings.HasPrefix(p.Name, "@") {
			u.Namespace, u.Name = "", p.Name
		}
	case dependency.Maven:
		group, artifact, ok := strings.Cut(p.Name, ":")
		if !ok {
			return ""
		}
		u.Namespace, u.Name = group, artifact
	case dependency.Go:
		u.Version = goVersion(p.Name, p.Version)
	case dependency.PyPI:
		u.Namespace, u.Name = "", NormalizePyPI(p.Name)
	case dependency.Packagist, dependency.GitHubActions, dependency.Hex:
		u.Namespace, u.Name = strings.ToLower(u.Namespace), strings.ToLower(u.Name)
	case dependency.Cargo, dependency.RubyGems, dependency.NuGet, dependency.Pub:
		u.Namespace, u.Name = "", p.Name
	case dependency.Conan:
		u.Namespace = ""
		name, where, found := strings.Cut(p.Name, "@")
		u.Name = name
		if user, channel, ok := strings.Cut(where, "/"); found && ok {
			u.Namespace = user
			add(qualifierUser, user)
			add(qualifierChannel, channel)
		}
	case dependency.Debian:
		u.Namespace, u.Name = "debian", strings.ToLower(p.Name)
		if release != "" {
			add(qualifierDistro, "debian-"+release)
		}
	case dependency.Alpine:
		u.Namespace, u.Name = "alpine", p.Name
		if release != "" {
			add(qualifierDistro, "alpine-"+strings.TrimPrefix(release, "v"))
		}
	case dependency.TerraformMod:
		add(qualifierKind, "module")
	case dependency.TerraformProv:
		add(qualifierKind, "provider")
	}
	if u.Name == "" {
		return ""
	}
	add(origin(p.Origin))
	return u.ToString()
}

// split cuts at the last slash.
func split(name string) (namespace, last string) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name
	}
	return strings.Trim(name[:i], "/"), name[i+1:]
}

// goVersion gives module versions their "v"; the standard library and the
// toolchain are numbered without.
func goVersion(name, version string) string {
	if version == "" || name == "stdlib" || name == "toolchain" || version[0] < '0' || version[0] > '9' {
		return version
	}
	return "v" + version
}

// origin tells by which qualifier an address is stated; a path by none.
func origin(address string) (key, value string) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return "", ""
	}
	host, _, _ := strings.Cut(rest, "/")
	if strings.Contains(host, "@") && !strings.Contains(scheme, "ssh") {
		return "", "" // credentials have no business here
	}
	path, _, _ := strings.Cut(rest, "#")
	path, _, _ = strings.Cut(path, "?")
	if strings.HasPrefix(scheme, "git") || strings.Contains(scheme, "ssh") || strings.HasSuffix(path, ".git") {
		return qualifierVCS, address
	}
	if scheme != "https" && scheme != "http" {
		return "", ""
	}
	for _, end := range [...]string{".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip", ".whl", ".gem", ".crate", ".jar", ".nupkg"} {
		if strings.HasSuffix(path, end) {
			return qualifierDownload, address
		}
	}
	return qualifierRepository, address
}

// UnsupportedError says that a package URL is well formed, but of a type whose
// ecosystem is not known.
type UnsupportedError struct {
	PURL, Type string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("the package URL %s is of type %q, which belongs to no known ecosystem", shortened(e.PURL), e.Type)
}

// FromPURL is the package that a package URL denotes: ecosystem, name, version
// and origin. The version is empty if the URL has none. For a binary package of
// a distribution the name (and, where stated, the version) is that of its source package if
// the URL states it, because advisories are about source packages. A type that
// is not known is an UnsupportedError.
func FromPURL(text string) (dependency.Package, error) {
	if len(text) > MaxLength {
		return dependency.Package{}, fmt.Errorf("reading package URL %s: longer than %d bytes", shortened(text), MaxLength)
	}
	u, err := packageurl.FromString(text)
	if err != nil {
		return dependency.Package{}, fmt.Errorf("reading package URL %s: %w", shortened(text), err)
	}
	if u.Name == "" {
		return dependency.Package{}, fmt.Errorf("reading package URL %s: it has no name", shortened(text))
	}
	p := dependency.Package{Name: u.Name, Version: u.Version}
	q := func(key string) string {
		for i := range u.Qualifiers {
			if u.Qualifiers[i].Key == key {
				return u.Qualifiers[i].Value
			}
		}
		return ""
	}
	joined := u.Name
	if u.Namespace != "" {
		joined = u.Namespace + "/" + u.Name
	}
	switch u.Type {
	case "npm":
		p.Ecosystem, p.Name = dependency.NPM, joined
	case "golang":
		p.Ecosystem = dependency.Go
		if p.Name, err = written(text); err != nil {
			return dependency.Package{}, err
		}
		p.Version = goVersion(p.Name, strings.TrimPrefix(u.Version, "go"))
	case "maven":
		if u.Namespace == "" {
			return dependency.Package{}, fmt.Errorf("reading package URL %s: a Maven package needs a group", shortened(text))
		}
		p.Ecosystem, p.Name = dependency.Maven, u.Namespace+":"+u.Name
	case "pypi":
		p.Ecosystem, p.Name = dependency.PyPI, NormalizePyPI(u.Name)
	case "cargo":
		p.Ecosystem = dependency.Cargo
	case "gem":
		p.Ecosystem = dependency.RubyGems
	case "composer":
		p.Ecosystem, p.Name = dependency.Packagist, joined
	case "nuget":
		p.Ecosystem = dependency.NuGet
	case "swift":
		p.Ecosystem, p.Name = dependency.Swift, strings.TrimSuffix(joined, ".git")
	case "pub":
		p.Ecosystem = dependency.Pub
	case "hex":
		p.Ecosystem, p.Name = dependency.Hex, joined
	case "conan":
		p.Ecosystem = dependency.Conan
		if user, channel := q(qualifierUser), q(qualifierChannel); user != "" && channel != "" {
			p.Name = u.Name + "@" + user + "/" + channel
		}
	case "github", "githubactions":
		p.Ecosystem, p.Name = dependency.GitHubActions, strings.ToLower(joined)
	case "terraform":
		p.Ecosystem, p.Name = terraform(q(qualifierKind), joined), joined
	case "bitnami":
		p.Ecosystem = "Bitnami"
	case "deb", "apk", "rpm":
		p.Ecosystem = distribution(u.Type, u.Namespace, q(qualifierDistro))
		if p.Ecosystem == "" {
			return dependency.Package{}, &UnsupportedError{text, u.Type + "/" + u.Namespace}
		}
		if source, version, stated := strings.Cut(q(qualifierUpstream), "@"); source != "" {
			p.Name = source
			if stated && version != "" {
				p.Version = version
			}
		}
	default:
		return dependency.Package{}, &UnsupportedError{text, u.Type}
	}
	for _, key := range [...]string{qualifierVCS, qualifierDownload, qualifierRepository} {
		if v := q(key); v != "" {
			p.Origin = withoutCredentials(v)
			break
		}
	}
	return p, nil
}

// written is namespace and name as they are written: the library makes those
// of some types lower-case.
func written(text string) (string, error) {
	rest := text[len("pkg:"):]
	for _, c := range [...]string{"#", "?"} {
		rest, _, _ = strings.Cut(rest, c)
	}
	rest = strings.TrimLeft(rest, "/")
	_, rest, _ = strings.Cut(rest, "/")
	if i := strings.LastIndexByte(rest, '@'); i > strings.LastIndexByte(rest, '/') {
		rest = rest[:i]
	}
	name, err := url.PathUnescape(strings.Trim(rest, "/"))
	if err != nil {
		return "", fmt.Errorf("reading package URL %s: %w", shortened(text), err)
	}
	return name, nil
}

func terraform(kind, name string) dependency.Ecosystem {
	parts := strings.Count(name, "/") + 1
	if host, _, ok := strings.Cut(name, "/"); ok && strings.Contains(host, ".") {
		parts--
	}
	if kind == "module" || (kind == "" && parts > 2) {
		return dependency.TerraformMod
	}
	return dependency.TerraformProv
}

// distribution names the ecosystem with its release. Tools write the distro
// as "debian-12", "alpine-3.18.4" or as a number alone.
func distribution(kind, vendor, distro string) dependency.Ecosystem {
	release := distro
	if name, after, ok := strings.Cut(distro, "-"); ok && strings.EqualFold(name, vendor) {
		release = after
	} else if distro != "" && (distro[0] < '0' || distro[0] > '9') {
		release = "" // a code name, or another distribution's
	}
	numbers := func(n int) string {
		parts := strings.SplitN(release, ".", n+1)
		return strings.Join(parts[:min(n, len(parts))], ".")
	}
	name := ""
	switch kind + "/" + vendor {
	case "deb/debian":
		name, release = string(dependency.Debian), numbers(1)
	case "deb/ubuntu":
		name = "Ubuntu"
	case "apk/alpine":
		name, release = string(dependency.Alpine), numbers(2)
		if release != "" {
			release = "v" + strings.TrimPrefix(release, "v")
		}
	case "rpm/almalinux":
		name, release = "AlmaLinux", numbers(1)
	case "rpm/rocky", "rpm/rockylinux":
		name, release = "Rocky Linux", numbers(1)
	default:
		return ""
	}
	if release == "" {
		return dependency.Ecosystem(name)
	}
	return dependency.Ecosystem(name + ":" + release)
}

// NormalizePyPI writes a project name as PEP 503 says: lower-case, runs of
// "-", "_" and "." as one "-".
func NormalizePyPI(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	dash := false
	for i := range len(name) {
		c := name[i]
		if c == '-' || c == '_' || c == '.' {
			if !dash {
				b.WriteByte('-')
			}
			dash = true
			continue
		}
		dash = false
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// withoutCredentials cuts user and password out of an address.
func withoutCredentials(address string) string {
	i := strings.Index(address, "://")
	if i < 0 {
		return address
	}
	rest := address[i+3:]
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		return address[:i+3] + rest[at+1:]
	}
	return address
}

// shortened quotes a stranger's text for messages.
func shortened(text string) string {
	const most = 120
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}
