package triage

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulwark/internal/finding"
	"bulwark/internal/ssvc"
)

// Prioritise says of every vulnerability that nobody accepted what to do by
// when, and why: it sets the properties ssvc.coordinator, ssvc.deployer, due
// and urgency. Findings about anything else are left as they are. The
// properties are replaced, not changed: the input's maps stay as they were.
func Prioritise(findings []finding.Finding, b ssvc.Business) error {
	var model *ssvc.Model
	for i := range findings {
		f := &findings[i]
		if f.Properties[finding.PropVuln] == "" || f.Suppressed() {
			continue
		}
		if model == nil {
			var err error
			if model, err = ssvc.New(); err != nil {
				return err
			}
		}
		a, err := model.Assess(facts(f.Properties), b)
		if err != nil {
			return fmt.Errorf("weighing %s: %w", f.Properties[finding.PropVuln], err)
		}
		p := make(map[string]string, len(f.Properties)+4)
		for k, v := range f.Properties {
			p[k] = v
		}
		p[finding.PropCoordinator], p[finding.PropDeployer] = a.Coordinator, a.Deployer
		p[finding.PropUrgency] = a.Reason
		if a.Due != "" {
			p[finding.PropDue] = a.Due
		}
		f.Properties = p
	}
	return nil
}

func facts(p map[string]string) ssvc.Facts {
	f := ssvc.Facts{
		Malicious:       p[finding.PropMalicious] == "true",
		Exploitation:    p[finding.PropExploitation],
		Automatable:     p[finding.PropAutomatable],
		TechnicalImpact: p[finding.PropImpact],
		Vector:          p[finding.PropCVSSVector],
		Published:       p[finding.PropPublished],
	}
	if added := p[finding.PropKEVAdded]; added != "" {
		f.KEV = &ssvc.KEV{Added: added, Ransomware: p[finding.PropRansomware] == "true"}
	}
	if s, err := strconv.ParseFloat(strings.TrimSpace(p[finding.PropEPSS]), 64); err == nil {
		f.EPSS = s
	}
	return f
}

// NewlyReachable makes new those findings that the base had as well, but in code
// that nothing reached there. Compare must have been called before.
func NewlyReachable(findings, base []finding.Finding) {
	asleep := map[string]bool{}
	for i := range base {
		p := base[i].Properties[finding.PropReachable]
		if p == "no" {
			asleep[base[i].Fingerprint] = true
		}
	}
	for i := range findings {
		f := &findings[i]
		if f.Status == finding.Existing && f.Properties[finding.PropReachable] == "yes" && asleep[f.Fingerprint] {
			f.Status = finding.New
			f.Evidence = append(slices.Clone(f.Evidence), "the change makes it reachable: before, no code did")
		}
	}
}
