package ssvc

import (
	"slices"
	"strings"
	"time"
)

// KEV is an entry of CISA's catalogue of known exploited vulnerabilities.
type KEV struct {
	Added      string // YYYY-MM-DD
	Ransomware bool   // known to be used in ransomware campaigns
}

// Facts are what is known of a vulnerability. The zero value of a field means
// that it is not known.
type Facts struct {
	// Malicious is true for a package that was published to do harm, as
	// opposed to one with a flaw.
	Malicious bool
	KEV       *KEV    // nil: not in the catalogue
	EPSS      float64 // probability of exploitation within 30 days, 0 to 1; 0: no score
	// Exploitation (none, poc, active), Automatable (no, yes) and
	// TechnicalImpact (partial, total) are the points that CISA's Vulnrichment
	// publishes. Any other value counts as not known.
	Exploitation, Automatable, TechnicalImpact string
	// Vector is a CVSS vector in the form of package cvss: version 2.0 without
	// prefix, the others with it.
	Vector string
	// Published is the day of the advisory, FirstSeen the day on which the
	// vulnerability was first seen in this asset; YYYY-MM-DD.
	Published, FirstSeen string
}

// Business is what the project says of the asset.
type Business struct {
	Exposure    string // internet, internal, isolated
	Criticality string // low, medium, high, critical
	// DataClass is in the words of the organisation; restrictedData and
	// confidentialData are those that count.
	DataClass string
}

// Basis says where the value of a point is from.
type Basis string

// The bases, the most reliable first.
const (
	Stated       Basis = "stated"       // by the project's configuration
	Catalogue    Basis = "kev"          // CISA's KEV catalogue
	Vulnrichment Basis = "vulnrichment" // published by CISA for this CVE
	Nature       Basis = "malicious"    // follows from being a malicious package
	FromCVSS     Basis = "cvss"         // derived from the CVSS vector
	FromEPSS     Basis = "epss"         // derived from the EPSS score
	Assumed      Basis = "assumed"      // not known: the documented default
)

// Value is the value of a point and where it is from.
type Value struct {
	Value string `json:"value"`
	Basis Basis  `json:"basis"`
}

// Points are the decision points of all three tables.
type Points struct {
	Exploitation    Value `json:"exploitation"`     // none, poc, active
	Automatable     Value `json:"automatable"`      // no, yes
	TechnicalImpact Value `json:"technical_impact"` // partial, total
	Exposure        Value `json:"exposure"`         // small, controlled, open
	Mission         Value `json:"mission"`          // mission and well-being: low, medium, high
	HumanImpact     Value `json:"human_impact"`     // low, medium, high, very-high
}

// epssPublic is the EPSS score from which exploitation is taken to be at least
// as likely as for a vulnerability with a public proof of concept. The threshold
// is ours: neither CISA nor FIRST.org defines one.
const epssPublic = 0.1

// points turns facts into points. docs/priority.md has the rules in a table.
func points(f Facts, b Business) Points {
	p := Points{
		Exploitation:    exploitation(f),
		Automatable:     automatable(f),
		TechnicalImpact: technicalImpact(f),
		Exposure:        exposure(b.Exposure),
	}
	p.Mission, p.HumanImpact = impact(b)
	return p
}

// exploitation is the gravest that any source says: each of them knows only
// some of the attacks, and the published point may be older than the others.
func exploitation(f Facts) Value {
	switch {
	case f.Malicious:
		return Value{"active", Nature}
	case f.KEV != nil:
		return Value{"active", Catalogue}
	}
	best := Value{"none", Assumed}
	take := func(v string, b Basis) {
		if best.Basis == Assumed || slices.Index(pExploitation.Values, v) > slices.Index(pExploitation.Values, best.Value) {
			best = Value{v, b}
		}
	}
	switch f.Exploitation {
	case "none", "poc", "active":
		take(f.Exploitation, Vulnrichment)
	}
	switch metric(f.Vector, "E") {
	case "A": // 4.0: attacked
		take("active", FromCVSS)
	case "P", "POC", "F", "H": // proof of concept, functional, high
		take("poc", FromCVSS)
	}
	if f.EPSS >= epssPublic {
		take("poc", FromEPSS)
	}
	return best
}

// automatable: an attack over the network that needs no privileges, no user
// and no luck can be automated.
func automatable(f Facts) Value {
	switch {
	case f.Malicious:
		return Value{"yes", Nature}
	case f.Automatable == "yes" || f.Automatable == "no":
		return Value{f.Automatable, Vulnrichment}
	}
	v := f.Vector
	var yes, known bool
	switch {
	case strings.HasPrefix(v, "CVSS:4."):
		known = metric(v, "AV") != ""
		yes = metric(v, "AV") == "N" && metric(v, "AC") == "L" && metric(v, "AT") == "N" && metric(v, "PR") == "N" && metric(v, "UI") == "N"
		if au := metric(v, "AU"); au == "Y" || au == "N" { // the supplemental metric asks the very question
			yes = au == "Y"
		}
	case strings.HasPrefix(v, "CVSS:3."):
		known = metric(v, "AV") != ""
		yes = metric(v, "AV") == "N" && metric(v, "AC") == "L" && metric(v, "PR") == "N" && metric(v, "UI") == "N"
	default:
		known = metric(v, "Au") != ""
		yes = metric(v, "AV") == "N" && metric(v, "AC") == "L" && metric(v, "Au") == "N"
	}
	return derived(known, yes, "no", "yes")
}

// technicalImpact: who can read and change everything controls the component.
func technicalImpact(f Facts) Value {
	switch {
	case f.Malicious:
		return Value{"total", Nature}
	case f.TechnicalImpact == "total" || f.TechnicalImpact == "partial":
		return Value{f.TechnicalImpact, Vulnrichment}
	}
	v := f.Vector
	c, i, all := metric(v, "C"), metric(v, "I"), "H"
	switch {
	case strings.HasPrefix(v, "CVSS:4."):
		c, i = metric(v, "VC"), metric(v, "VI")
	case !strings.HasPrefix(v, "CVSS:"):
		all = "C"
	}
	return derived(c != "" && i != "", c == all && i == all, "partial", "total")
}

// derived is what the vector says, or the graver value if there is none.
func derived(known, grave bool, mild, worse string) Value {
	switch {
	case !known:
		return Value{worse, Assumed}
	case grave:
		return Value{worse, FromCVSS}
	}
	return Value{mild, FromCVSS}
}

func exposure(word string) Value {
	switch word {
	case "internet":
		return Value{"open", Stated}
	case "internal":
		return Value{"controlled", Stated}
	case "isolated":
		return Value{"small", Stated}
	}
	return Value{"open", Assumed}
}

// Data classes, lower-case, that raise the impact of an asset to at least high
// and medium.
const (
	restrictedData   = " restricted secret top-secret regulated personal pii phi health payment pci cardholder financial credentials "
	confidentialData = " confidential sensitive "
)

// impact is what the business loses. Human impact has one step more than
// mission and well-being.
func impact(b Business) (mission, human Value) {
	names := [...]string{"low", "medium", "high", "very-high"}
	level, basis := 1, Assumed
	for i, c := range [...]string{"low", "medium", "high", "critical"} {
		if b.Criticality == c {
			level, basis = i, Stated
		}
	}
	class := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(b.DataClass)), " ", "-")
	least := 0
	switch {
	case class == "":
	case strings.Contains(restrictedData, " "+class+" "):
		least = 2
	case strings.Contains(confidentialData, " "+class+" "):
		least = 1
	}
	if least > level {
		level, basis = least, Stated
	}
	return Value{names[min(level, 2)], basis}, Value{names[level], basis}
}

// metric returns the value of one metric of a CVSS vector, "" if it is not there.
func metric(vector, name string) string {
	for part := range strings.SplitSeq(vector, "/") {
		if m, value, ok := strings.Cut(part, ":"); ok && m == name {
			return value
		}
	}
	return ""
}

// day reads YYYY-MM-DD, or the start of an RFC 3339 time; false if it is none.
func day(text string) (time.Time, bool) {
	if len(text) > len(time.DateOnly) && text[len(time.DateOnly)] == 'T' {
		text = text[:len(time.DateOnly)]
	}
	t, err := time.Parse(time.DateOnly, text)
	return t, err == nil
}
