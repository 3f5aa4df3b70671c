package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"bulwark/internal/finding"
	"bulwark/internal/sbom/vex"
)

// writeOpenVEX and writeCycloneDXVEX write what the run found out about each
// vulnerability, as a draft for a person to sign: unreachable ones are not
// affected, reachable ones are, of all others it is not known. What was judged
// on is in the statement, so that it ends when code or advisory changes.
func writeOpenVEX(w io.Writer, v *view, _ Options) error { return vex.WriteOpenVEX(w, draft(v)) }

func writeCycloneDXVEX(w io.Writer, v *view, _ Options) error {
	return vex.WriteCycloneDX(w, draft(v))
}

func draft(v *view) *vex.Document {
	d := &vex.Document{Author: "Unsigned draft by Bulwark", Tool: strings.TrimSpace("bulwark " + visible(v.Tool.Version)), Time: v.Started.UTC(), Statements: []vex.Statement{}}
	for _, e := range v.entries() {
		p := e.Properties
		if p[finding.PropVuln] == "" || p[finding.PropPURL] == "" {
			continue
		}
		s := vex.Statement{
			Vulnerability: visible(p[finding.PropVuln]), Time: d.Time, Author: d.Author,
			Ground: vex.Ground{Modified: visible(p[finding.PropModified])},
		}
		for _, a := range strings.Fields(p[finding.PropAliases]) {
			s.Aliases = append(s.Aliases, visible(a))
		}
		for _, u := range strings.Fields(p[finding.PropPURL]) {
			s.Products = append(s.Products, vex.Product{ID: visible(u)})
		}
		fix := "No fixed version is known."
		if to := p[finding.PropClear] + p[finding.PropFixed]; to != "" {
			fix = fmt.Sprintf("Raise %s to %s.", visible(p[finding.PropPackage]), visible(cmp.Or(p[finding.PropClear], p[finding.PropFixed])))
		}
		switch {
		case p[finding.PropMalicious] != "" || p[finding.PropReachable] == "yes":
			s.Status, s.Action = vex.Affected, fix
		case p[finding.PropReachable] == "no":
			s.Status, s.Justification = vex.NotAffected, vex.CodeNotReached
			s.Impact = visible(clip(evidence(e), 1000))
			s.Ground.Content = visible(p[finding.PropReachContent])
		default:
			s.Status = vex.UnderInvestigation
		}
		d.Statements = append(d.Statements, s)
	}
	return d
}
