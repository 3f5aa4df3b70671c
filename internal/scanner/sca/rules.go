package sca

import "bulwark/internal/finding"

// The rules' ids.
const (
	Vulnerable = "vulnerable-dependency"
	Malicious  = "malicious-dependency"
	EndOfLife  = "end-of-life-dependency"
	License    = "denied-license"
	Unchecked  = "unchecked-dependency"
)

// rules are few: what differs from one vulnerability to the next stands in the
// advisories. A finding's severity is the advisory's.
var rules = []finding.Rule{
	{
		ID: Vulnerable, Title: "Dependency with a known vulnerability", Severity: finding.Medium,
		Rationale: "The version in use is in the affected range of a published advisory. Attackers read advisories too; exploits for popular packages follow within days.",
		Remedy:    "Raise the package to a version that the finding names as fixed. For a transitive package raise the direct dependency that pulls it in. If the vulnerable code cannot be reached, record that with a VEX statement or a waiver.",
		Tags:      []string{"dependency"}, CWE: []string{"CWE-1395"},
		Controls:   []string{"nist-800-53:SI-2", "nist-800-53:RA-5", "nist-800-53:SR-3", "pci-dss:6.3.3", "iso-27001:A.8.8", "soc2:CC7.1"},
		References: []string{"https://owasp.org/www-project-top-ten/", "https://www.cisa.gov/known-exploited-vulnerabilities-catalog"},
	},
	{
		ID: Malicious, Title: "Malicious package", Severity: finding.Critical,
		Rationale: "The package, or this version of it, was published to do harm: to steal credentials, open a back door or mine. Installing it is enough to be compromised.",
		Remedy:    "Remove the package and everything that pulls it in. Treat every machine that installed it as compromised: rotate the credentials that it could read, and look for what it left behind.",
		Tags:      []string{"dependency", "malware"}, CWE: []string{"CWE-506"},
		Controls:   []string{"nist-800-53:SI-3", "nist-800-53:SR-11", "iso-27001:A.8.7", "soc2:CC6.8", "pci-dss:5.2.1"},
		References: []string{"https://github.com/ossf/malicious-packages"},
	},
	{
		ID: EndOfLife, Title: "Dependency past its end of life", Severity: finding.Medium,
		Rationale: "Nobody fixes vulnerabilities in this release line any more, and often nobody publishes advisories for it either: a clean result means little.",
		Remedy:    "Move to a release line that is still supported. The finding names the oldest one.",
		Tags:      []string{"dependency", "end-of-life"}, CWE: []string{"CWE-1104"},
		Controls:   []string{"nist-800-53:SA-22", "pci-dss:12.3.4", "iso-27001:A.8.8"},
		References: []string{"https://endoflife.date/"},
	},
	{
		ID: License, Title: "Dependency under a licence that policy denies", Severity: finding.Medium,
		Rationale: "The licence that the package states asks for something that the organisation has decided not to give, such as publishing its own source.",
		Remedy:    "Replace the package, obtain another licence, or have the use approved and record that as a waiver.",
		Tags:      []string{"dependency", "license"},
		Controls:  []string{"nist-800-53:CM-10", "iso-27001:A.5.32"}, References: []string{"https://spdx.org/licenses/"},
	},
	{
		ID: Unchecked, Title: "Dependencies that could not be checked", Severity: finding.Info,
		Rationale: "The file asks for a range of versions, or for a version that no scheme of its ecosystem orders. What will be installed is not known, so nothing can be said of it.",
		Remedy:    "Commit a lockfile, or pin exact versions.",
		Tags:      []string{"dependency"}, CWE: []string{"CWE-1357"},
		Controls: []string{"nist-800-53:SR-3", "nist-800-53:CM-2"}, References: []string{"https://slsa.dev/spec/v1.0/"},
	},
}
