package ssvc

import (
	"fmt"
	"slices"
	"strings"
	"time"

	ssvctables "bulwark/content/ssvc"
)

// Deadlines beside those of BOD 26-04.
const (
	// AtOnce is the deadline of a malicious package. The directive is about
	// flaws, not about packages made to harm.
	AtOnce = "at-once"
	// Unpublished is the deadline of a vulnerability outside the KEV catalogue
	// for which neither automatable nor technical impact is published: CISA's
	// guidance on the directive gives 60 days then.
	Unpublished = "60-days"
	// Forensics ends the names of deadlines within which the asset must be
	// examined for a compromise.
	Forensics = "-and-forensics"
)

// Assessment is what to do about a vulnerability in an asset, and why.
type Assessment struct {
	Points Points `json:"points"`
	// Coordinator is the decision of CISA's tree: track, track*, attend, act.
	Coordinator string `json:"coordinator"`
	// Deployer is the decision of the deployer tree: defer, scheduled,
	// out-of-cycle, immediate.
	Deployer string `json:"deployer"`
	// Deadline is the remediation timeline: AtOnce or one of BOD 26-04's
	// fix-on-upgrade, 60-days, 14-days, 3-days, 3-days-and-forensics.
	Deadline string `json:"deadline"`
	// Days are the days that Deadline allows; -1: until the next upgrade.
	Days int `json:"days"`
	// Forensics says that the asset should be examined for a compromise.
	Forensics bool `json:"forensics"`
	// Start is the day from which Days count, YYYY-MM-DD, empty if none is
	// known, and StartFrom what happened on it: "kev", "first-seen" or
	// "published".
	Start     string `json:"start,omitempty"`
	StartFrom string `json:"start_from,omitempty"`
	// Due is the last day, YYYY-MM-DD; empty without Start and without limit.
	Due string `json:"due,omitempty"`
	// Unknown names the points that are not known and were given their default.
	Unknown []string `json:"unknown,omitempty"`
	// Reason says it all in one sentence.
	Reason string `json:"reason"`
}

// Model holds the three published tables. It is read-only after New and safe
// for concurrent use.
type Model struct {
	Coordinator, Deployer, Deadlines *Table
}

// New reads the built-in tables, which takes about 0.1 ms.
func New() (*Model, error) {
	m := new(Model)
	for _, t := range []struct {
		file   string
		into   **Table
		points []Point
	}{
		{"cisa-coordinator.csv", &m.Coordinator, []Point{pExploitation, pAutomatable, pImpact, {"mission-and-well-being", []string{"low", "medium", "high"}}}},
		{"deployer.csv", &m.Deployer, []Point{pExploitation, {"system-exposure", []string{"small", "controlled", "open"}}, pAutomatable,
			{"human-impact", []string{"low", "medium", "high", "very-high"}}}},
		{"bod-26-04.csv", &m.Deadlines, []Point{{"in-kev", pAutomatable.Values}, {"publicly-exposed", pAutomatable.Values}, pAutomatable, pImpact}},
	} {
		text, err := ssvctables.FS.ReadFile(t.file)
		if err != nil {
			return nil, fmt.Errorf("reading the built-in decision table %s: %w", t.file, err)
		}
		if *t.into, err = LoadTable(t.file, text); err != nil {
			return nil, err
		}
		if !slices.EqualFunc((*t.into).Points, t.points, func(a, b Point) bool { return a.Name == b.Name && slices.Equal(a.Values, b.Values) }) {
			return nil, fmt.Errorf("reading the built-in decision table %s: its points are not those that facts are turned into", t.file)
		}
	}
	if len(m.Deadlines.Days) == 0 {
		return nil, fmt.Errorf("reading the built-in decision table bod-26-04.csv: it has no line \"# days\"")
	}
	return m, nil
}

var (
	pExploitation = Point{"exploitation", []string{"none", "poc", "active"}}
	pAutomatable  = Point{"automatable", []string{"no", "yes"}}
	pImpact       = Point{"technical-impact", []string{"partial", "total"}}
)

// Assess weighs the facts about a vulnerability for one asset. What is not known
// is taken at its documented default and named in the result. It depends on its
// arguments alone: whether the due date has passed is for the caller, who knows
// the day. An error means that the tables of m are not those of New.
func (m *Model) Assess(f Facts, b Business) (Assessment, error) {
	p := points(f, b)
	a := Assessment{Points: p, Unknown: unknown(p)}
	var err error
	if a.Coordinator, _, err = m.Coordinator.Lookup(p.Exploitation.Value, p.Automatable.Value, p.TechnicalImpact.Value, p.Mission.Value); err != nil {
		return Assessment{}, err
	}
	if a.Deployer, _, err = m.Deployer.Lookup(p.Exploitation.Value, p.Exposure.Value, p.Automatable.Value, p.HumanImpact.Value); err != nil {
		return Assessment{}, err
	}
	if a.Deadline, a.Days, err = m.deadline(f, p); err != nil {
		return Assessment{}, err
	}
	a.Forensics = a.Deadline == AtOnce || strings.HasSuffix(a.Deadline, Forensics)
	start, from := start(f)
	if from != "" {
		a.Start, a.StartFrom = start.Format(time.DateOnly), from
		if a.Days >= 0 {
			a.Due = start.AddDate(0, 0, a.Days).Format(time.DateOnly)
		}
	}
	a.Reason = reason(f, &a)
	return a, nil
}

// deadline looks into the table of BOD 26-04, with the two rules beside it: what
// is exploited counts as if it were in the catalogue, and what CISA has published
// nothing about gets 60 days at most.
func (m *Model) deadline(f Facts, p Points) (string, int, error) {
	if f.Malicious {
		return AtOnce, 0, nil
	}
	yesNo := map[bool]string{false: "no", true: "yes"}
	exploited := p.Exploitation.Value == "active"
	name, days, err := m.Deadlines.Lookup(
		yesNo[exploited], yesNo[p.Exposure.Value == "open"], p.Automatable.Value, p.TechnicalImpact.Value)
	if err != nil {
		return "", 0, err
	}
	if exploited || p.Automatable.Basis == Vulnrichment || p.TechnicalImpact.Basis == Vulnrichment {
		return name, days, nil
	}
	nothing := p.Automatable.Basis == Assumed && p.TechnicalImpact.Basis == Assumed
	if nothing || days < 0 || days > 60 {
		return Unpublished, 60, nil
	}
	return name, days, nil
}

// start is the day from which the days count. For the catalogue it is the day
// of the entry, as in its own due dates. Otherwise it is the day on which the
// vulnerability was seen in the asset, or the advisory's.
func start(f Facts) (time.Time, string) {
	if f.KEV != nil && !f.Malicious {
		if t, ok := day(f.KEV.Added); ok {
			return t, "kev"
		}
	}
	if t, ok := day(f.FirstSeen); ok {
		return t, "first-seen"
	}
	if t, ok := day(f.Published); ok {
		return t, "published"
	}
	return time.Time{}, ""
}

func unknown(p Points) []string {
	var names []string
	for _, x := range []struct {
		name  string
		value Value
	}{
		{"exploitation", p.Exploitation}, {"automatable", p.Automatable}, {"technical impact", p.TechnicalImpact},
		{"exposure", p.Exposure}, {"criticality", p.HumanImpact},
	} {
		if x.value.Basis == Assumed {
			names = append(names, x.name)
		}
	}
	return names
}

// reason is one sentence: what to do by when, then why.
func reason(f Facts, a *Assessment) string {
	if f.Malicious {
		return "Remove at once: the package is malicious, so whatever installed or ran it may be compromised."
	}
	var do string
	switch {
	case a.Days < 0:
		do = "Fix with the next upgrade"
	case a.Due == "":
		do = fmt.Sprintf("Fix within %d days", a.Days)
	case a.Days <= 3:
		do = "Act by " + a.Due
	default:
		do = "Fix by " + a.Due
	}
	if a.Forensics {
		do += " and look for signs of a compromise"
	}
	why := []string{whyExploited(f, a.Points.Exploitation)}
	au, ti := a.Points.Automatable, a.Points.TechnicalImpact
	automatable := map[string]string{"no": "not automatable", "yes": "automatable"}[au.Value]
	switch {
	case au.Basis == Assumed && ti.Basis == Assumed:
		why = append(why, "automatable and technical impact unknown")
	case au.Basis == FromCVSS && ti.Basis == FromCVSS:
		why = append(why, automatable+" and "+ti.Value+" impact by its CVSS vector")
	default:
		why = append(why, qualified(automatable, au.Basis), qualified(ti.Value+" impact", ti.Basis))
	}
	switch e := a.Points.Exposure; {
	case e.Basis == Assumed:
		why = append(why, "exposure unknown and taken as internet-facing")
	case e.Value == "open":
		why = append(why, "internet-facing")
	case e.Value == "controlled":
		why = append(why, "internal")
	default:
		why = append(why, "isolated")
	}
	return do + ": " + strings.Join(why, ", ") + "."
}

func qualified(text string, b Basis) string {
	switch b {
	case FromCVSS:
		return text + " by its CVSS vector"
	case Assumed:
		return text + " assumed"
	}
	return text
}

func whyExploited(f Facts, v Value) string {
	switch {
	case v.Basis == Catalogue:
		text := "exploited in the wild (in KEV"
		if t, ok := day(f.KEV.Added); ok {
			text = "exploited in the wild (KEV since " + t.Format(time.DateOnly)
		}
		if f.KEV.Ransomware {
			text += ", used by ransomware"
		}
		return text + ")"
	case v.Value == "active":
		return "exploited in the wild"
	case v.Basis == FromEPSS:
		return fmt.Sprintf("exploitation likely (EPSS %.0f %%)", min(f.EPSS, 1)*100)
	case v.Value == "poc":
		return "exploit code is public"
	case v.Basis == Assumed:
		return "exploitation unknown"
	}
	return "no known exploitation"
}
