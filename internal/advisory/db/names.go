package db

import (
	"fmt"
	"strconv"
	"strings"
)

// normalName is the form of a package's name that is the same for all spellings
// that the ecosystem's registry takes for one.
func normalName(ecosystem, name string) string {
	base, _, _ := strings.Cut(ecosystem, ":")
	switch base {
	case "PyPI":
		return pep503(name)
	case "NuGet", "Packagist", "GitHub Actions", "Hex", "Pub", "VSCode", "SwiftURL":
		// A Swift package's name is its repository's address.
		name = strings.ToLower(name)
		if base == "SwiftURL" {
			name = strings.TrimPrefix(name, "https://")
			name = strings.TrimSuffix(strings.TrimSuffix(name, "/"), ".git")
		}
		return name
	}
	return name
}

// pep503 lower-cases a name and makes each run of "-", "_", "." one "-".
func pep503(name string) string {
	clean := true
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' || c == '_' || c == '.' || c == '-' && i > 0 && name[i-1] == '-' {
			clean = false
			break
		}
	}
	if clean {
		return name
	}
	out := make([]byte, 0, len(name))
	for i := range len(name) {
		c := name[i]
		if c == '_' || c == '.' {
			c = '-'
		}
		if c == '-' && len(out) > 0 && out[len(out)-1] == '-' {
			continue
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return string(out)
}

// kind ranks an id by how well it is known: CVE, GHSA, then the ecosystems' own
// databases, then others.
func kind(id string) int {
	prefix, _, found := strings.Cut(id, "-")
	if !found {
		return 9
	}
	switch prefix {
	case "CVE":
		return 0
	case "GHSA":
		return 1
	case "GO", "PYSEC", "RUSTSEC", "RUBYSEC", "MAL", "OSV", "HSEC", "RSEC", "PSF", "BIT", "DSA", "DLA", "DEBIAN", "ALPINE",
		"ALSA", "ALBA", "ALEA", "RLSA", "RXSA", "RHSA", "RHBA", "RHEA", "USN", "UBUNTU", "SUSE", "openSUSE", "MGASA", "EEF",
		"GSD", "JLSEC", "CURL", "ASB", "PUB", "FOP", "DRUPAL", "DTSA", "CGA", "LSN", "OESA", "ROOT", "MINI", "ECHO", "BELL":
		return 2
	}
	return 9
}

// lessID sorts ids by kind, then text.
func compareIDs(a, b string) int {
	if ka, kb := kind(a), kind(b); ka != kb {
		return ka - kb
	}
	return strings.Compare(a, b)
}

// cveKey is a CVE id as a number that sorts by year, then number.
func cveKey(id string) (uint64, bool) {
	rest, found := strings.CutPrefix(id, "CVE-")
	if !found || len(rest) < 9 || len(rest) > 17 || rest[4] != '-' {
		return 0, false
	}
	year, err := strconv.ParseUint(rest[:4], 10, 16)
	if err != nil {
		return 0, false
	}
	number, err := strconv.ParseUint(rest[5:], 10, 40)
	if err != nil || len(rest) > 9 && rest[5] == '0' {
		return 0, false
	}
	return year<<40 | number, true
}

// cveOf is the inverse of cveKey.
func cveOf(key uint64) string { return fmt.Sprintf("CVE-%04d-%04d", key>>40, key&(1<<40-1)) }

// dayKey is a day YYYY-MM-DD as the number YYYYMMDD; an empty one is 0.
func dayKey(day string) (uint32, bool) {
	if day == "" {
		return 0, true
	}
	if len(day) != 10 || day[4] != '-' || day[7] != '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(day[:4]+day[5:7]+day[8:], 10, 32)
	if err != nil {
		return 0, false
	}
	month, date := n/100%100, n%100
	return uint32(n), month >= 1 && month <= 12 && date >= 1 && date <= 31
}

// dayOf is the inverse of dayKey.
func dayOf(key uint32) string {
	if key == 0 {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", key/10000, key/100%100, key%100)
}
