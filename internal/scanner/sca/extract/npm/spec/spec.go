// Package spec understands what the dependencies of a package.json ask for and
// where a lockfile says that a package comes from: ranges, aliases, git
// repositories, archives, paths, workspace members, catalogues. It is shared by
// the readers of all lockfiles of the npm registry.
//
// It resolves nothing and compares no versions.
package spec

import (
	"net/url"
	"strings"

	"bulwark/internal/scanner/sca/extract/collect"
)

// Spec is what one dependency asks for.
type Spec struct {
	// Name is the package's real name, behind an alias.
	Name string
	// Range is what is asked for, without protocol and credentials.
	Range string
	// Version is set if the range allows one version only.
	Version string
	// Origin is the address or path, if it is not the registry.
	Origin string
	// Local is true for a part of the project.
	Local bool
	// Catalog is true if the range stands in a catalogue; Range is the
	// catalogue's name.
	Catalog bool
}

// Parse reads what the dependency called key asks for: "^1.2.0",
// "npm:other@1.2.3", "github:owner/name#v1", "workspace:*".
func Parse(key, raw string) Spec {
	raw = strings.TrimSpace(raw)
	protocol, rest, _ := strings.Cut(raw, ":")
	switch protocol {
	case "npm":
		if name, version, ok := Split(rest); ok {
			return Spec{Name: name, Range: version, Version: Exact(version)}
		}
		return Spec{Name: key, Range: rest, Version: Exact(rest)}
	case "workspace":
		return Spec{Name: key, Range: rest, Origin: path(rest), Local: true}
	case "catalog":
		return Spec{Name: key, Range: rest, Catalog: true}
	case "file", "link", "portal":
		return Spec{Name: key, Range: raw, Origin: rest, Local: !collect.IsArchive(rest)}
	case "patch":
		inner, _, _ := strings.Cut(rest, "#")
		if plain, err := url.PathUnescape(inner); err == nil {
			inner = plain
		}
		if name, version, ok := Split(inner); ok {
			version = strings.TrimPrefix(version, "npm:")
			return Spec{Name: name, Range: version, Version: Exact(version)}
		}
		return Spec{Name: key, Range: inner}
	case "github", "gitlab", "bitbucket", "gist", "git", "git+ssh", "git+https", "git+http", "git+file", "ssh", "http", "https":
		address := collect.Address(raw)
		return Spec{Name: key, Range: address, Origin: address}
	}
	switch {
	case strings.HasPrefix(raw, "./"), strings.HasPrefix(raw, "../"), strings.HasPrefix(raw, "/"), strings.HasPrefix(raw, "~/"), raw == ".", raw == "..":
		return Spec{Name: key, Range: raw, Origin: raw, Local: !collect.IsArchive(raw)}
	case strings.HasPrefix(raw, "git@"):
		return Spec{Name: key, Range: raw, Origin: raw}
	case strings.Count(collect.WithoutFragment(raw), "/") == 1 && !strings.ContainsAny(collect.WithoutFragment(raw), " @<>=^~|"):
		return Spec{Name: key, Range: raw, Origin: "github:" + raw}
	}
	return Spec{Name: key, Range: raw, Version: Exact(raw)}
}

// path is what follows "workspace:" if that is a path and no range.
func path(rest string) string {
	if Exact(rest) != "" || strings.ContainsAny(rest, "^~*<>=") {
		return ""
	}
	return rest
}

// Split takes "name@version" apart, with the scope's own @ in mind.
func Split(s string) (name, version string, ok bool) {
	if s == "" {
		return "", "", false
	}
	at := strings.IndexByte(s[1:], '@')
	if at < 0 {
		return s, "", false
	}
	return s[:at+1], s[at+2:], true
}

// Exact is the one version that a range allows, "" if it allows several: "1.2.3",
// "=1.2.3", "v1.2.3-rc.1".
func Exact(r string) string {
	v := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(r), "="))
	v = strings.TrimPrefix(v, "v")
	core := v
	if i := strings.IndexAny(v, "-+"); i >= 0 {
		core = v[:i]
		for _, c := range []byte(v[i:]) {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '-' && c != '+' {
				return ""
			}
		}
	}
	parts := 0
	for part := range strings.SplitSeq(core, ".") {
		parts++
		if part == "" || len(part) > 16 || strings.Trim(part, "0123456789") != "" {
			return ""
		}
	}
	if parts != 3 {
		return ""
	}
	return v
}

// registries are the addresses of the public registry and its mirror by Yarn,
// which serve the same archives.
var registries = []string{
	"https://registry.npmjs.org/", "https://registry.yarnpkg.com/", "https://registry.npmjs.com/",
	"http://registry.npmjs.org/", "http://registry.yarnpkg.com/",
}

// Origin is where a lockfile says that a package is fetched from, without
// credentials; "" for the public registry.
func Origin(resolved string) string {
	if resolved == "" {
		return ""
	}
	address := collect.Address(resolved)
	for _, r := range registries {
		if strings.HasPrefix(address, r) {
			return ""
		}
	}
	if strings.HasPrefix(address, "git") || strings.HasPrefix(address, "ssh") || strings.HasSuffix(collect.WithoutFragment(address), ".git") {
		return address // the fragment is the revision
	}
	return collect.WithoutFragment(address)
}

// Matches reports whether an address of the public registry holds the version of
// the package. A lockfile that says otherwise installs something else than it
// shows. For other addresses it is true: they may be named as they like.
func Matches(resolved, name, version string) bool {
	address := collect.WithoutFragment(collect.Address(resolved))
	for _, r := range registries {
		rest, ok := strings.CutPrefix(address, r)
		if !ok {
			continue
		}
		at := strings.LastIndex(rest, "/-/")
		if at < 0 {
			return true // some other form
		}
		held, file := rest[:at], rest[at+3:]
		if plain, err := url.PathUnescape(held); err == nil {
			held = plain
		}
		core, _, _ := strings.Cut(version, "+")
		return strings.EqualFold(held, name) && (version == "" || strings.HasSuffix(file, "-"+core+".tgz") || strings.HasSuffix(file, "-"+version+".tgz"))
	}
	return true
}

// ValidName reports whether a text can be the name of a package: no white space,
// nothing that leads out of a folder.
func ValidName(s string) bool {
	return s != "" && collect.Sound(s) && !strings.ContainsAny(s, " \\") && !strings.Contains(s, "..")
}
