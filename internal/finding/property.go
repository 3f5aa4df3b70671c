package finding

// Names of the properties that scanners of packages set, and that triage,
// policies and reports read. A property that is not known is absent.
const (
	PropVuln         = "vuln.id"        // "CVE-2021-44228"
	PropAliases      = "vuln.aliases"   // other names, separated by spaces
	PropSummary      = "vuln.summary"   // one line, from strangers
	PropPublished    = "vuln.published" // YYYY-MM-DD
	PropModified     = "vuln.modified"  // RFC 3339
	PropEcosystem    = "package.ecosystem"
	PropPackage      = "package.name"
	PropVersion      = "package.version"  // several: separated by spaces
	PropPURL         = "package.purl"     // several: separated by spaces
	PropScope        = "package.scope"    // "production", "optional", "development"; absent: not stated
	PropRelation     = "package.relation" // "direct", "transitive"; absent: not stated
	PropFixed        = "fix.version"      // the smallest that is not affected
	PropClear        = "fix.clear"        // the smallest that nothing known affects
	PropRaise        = "fix.raise"        // the direct dependencies that pull it in, separated by spaces
	PropCVSSScore    = "cvss.score"       // "9.8"
	PropCVSSVector   = "cvss.vector"
	PropEPSS         = "epss.score"      // 0 to 1
	PropPercentile   = "epss.percentile" // 0 to 1
	PropKEVAdded     = "kev.added"       // YYYY-MM-DD
	PropKEVDue       = "kev.due"         // YYYY-MM-DD
	PropRansomware   = "kev.ransomware"  // "true"
	PropMalicious    = "malicious"       // "true"
	PropExploitation = "vulnrichment.exploitation"
	PropAutomatable  = "vulnrichment.automatable"
	PropImpact       = "vulnrichment.technical_impact"
	PropCoordinator  = "ssvc.coordinator"  // "act"
	PropDeployer     = "ssvc.deployer"     // "immediate"
	PropDue          = "due"               // YYYY-MM-DD: by when to have acted
	PropUrgency      = "urgency"           // one sentence: what to do by when, and why
	PropReachable    = "reachable"         // "yes", "no", "unknown"
	PropReachContent = "reachable.content" // identity of the code that was looked at
	PropEOL          = "eol.date"          // YYYY-MM-DD
	PropLicense      = "license"           // as the package states it
)
