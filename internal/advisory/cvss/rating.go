package cvss

import (
	"cmp"
	"fmt"
	"strings"

	"bulwark/internal/advisory"
)

// The labels, ascending.
const (
	None     = "none"
	Low      = "low"
	Medium   = "medium"
	High     = "high"
	Critical = "critical"
)

// Rate gives a score from 0 to 10 its label: by the qualitative severity rating
// scale of CVSS 3.x and 4.0 (none 0, low from 0.1, medium from 4, high from 7,
// critical from 9). CVSS 2.0 defines none; for it, NVD's is used, in which high
// is the gravest, with 0 called none as in the later versions.
func Rate(system string, score float64) string {
	switch {
	case score <= 0:
		return None
	case score < 4:
		return Low
	case score < 7:
		return Medium
	case score < 9 || system == V20:
		return High
	}
	return Critical
}

// ParseLabel reads the word that a source uses instead of a vector, in any
// case: those of CVSS, GitHub's "moderate", Red Hat's and Debian's "important",
// "negligible", "unimportant". It has no score.
func ParseLabel(word string) (advisory.Severity, error) {
	s := advisory.Severity{System: Label}
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "none", "unimportant":
		s.Label = None
	case "low", "minor", "negligible":
		s.Label = Low
	case "medium", "moderate":
		s.Label = Medium
	case "high", "important":
		s.Label = High
	case "critical":
		s.Label = Critical
	default:
		if len(word) > 40 {
			word = word[:40]
		}
		return advisory.Severity{}, fmt.Errorf("reading a severity: %q is not one of none, low, medium, high, critical or a known synonym", word)
	}
	return s, nil
}

// Worst picks the one severity that rates a vulnerability; false if there is
// none. Sources disagree, so the choice is made by what is known best of the
// package at hand, not by the highest figure. In this order:
//
//  1. a vector before a label, because it can be checked;
//  2. the most trusted source: GitHub's reviewed advisories, then the databases
//     of the ecosystems (Go, PyPI, RustSec and others), both of which rate the
//     library itself; then the CVE record; then distributions, which rate the
//     package as they build it;
//  3. the newest system: 4.0, 3.1, 3.0, 2.0;
//  4. the worst: the highest score, then label.
//
// The order of the input does not matter.
func Worst(severities []advisory.Severity) (advisory.Severity, bool) {
	if len(severities) == 0 {
		return advisory.Severity{}, false
	}
	best := severities[0]
	for _, s := range severities[1:] {
		if outranks(s, best) {
			best = s
		}
	}
	return best, true
}

func outranks(a, b advisory.Severity) bool {
	return cmp.Or(
		cmp.Compare(kind(a), kind(b)),
		cmp.Compare(trust(a.Source), trust(b.Source)),
		cmp.Compare(a.System, b.System), // "CVSS:2.0" < … < "CVSS:4.0"
		cmp.Compare(a.Score, b.Score),
		cmp.Compare(rank(a.Label), rank(b.Label)),
		cmp.Compare(b.Vector, a.Vector),
		cmp.Compare(b.Source, a.Source),
	) > 0
}

func kind(s advisory.Severity) int {
	if s.System == Label {
		return 0
	}
	return 1
}

func rank(label string) int {
	switch label {
	case Low:
		return 1
	case Medium:
		return 2
	case High:
		return 3
	case Critical:
		return 4
	}
	return 0
}

// trust ranks the record that a severity is from by the prefix of its id, as
// the OSV schema assigns them (https://ossf.github.io/osv-schema/#id-modified-fields).
func trust(record string) int {
	prefix, _, _ := strings.Cut(record, "-")
	switch prefix {
	case "GHSA":
		return 4
	case "GO", "PYSEC", "RUSTSEC", "RUBYSEC", "HSEC", "EEF", "PSF", "RSEC", "DRUPAL", "V8", "CURL", "JLSEC", "OSEC":
		return 3
	case "CVE":
		return 2
	case "DSA", "DLA", "DTSA", "DEBIAN", "UBUNTU", "USN", "ALPINE", "ALSA", "ALBA", "ALEA", "RLSA", "RXSA", "RHSA", "RHBA", "RHEA",
		"SUSE", "openSUSE", "MGASA", "OESA", "CGA", "MINI", "BELL", "AZL", "ECHO":
		return 0
	}
	return 1
}
