package report

import (
	"cmp"
	"slices"
	"strings"

	"bulwark/internal/finding"
)

// depend turns the newest vulnerability of the report into one of a package:
// GitLab wants to know which, and by what names the advisory goes.
func (r *gitlabReport) depend(e *entry) {
	g := &r.Vulnerabilities[len(r.Vulnerabilities)-1]
	p := e.Properties
	d := gitlabDependency{
		Version: cmp.Or(replaced(strings.Join(strings.Fields(p[finding.PropVersion]), ", ")), "unknown"),
		Direct:  p[finding.PropRelation] == "direct",
	}
	d.Package.Name = cmp.Or(replaced(p[finding.PropPackage]), "unknown")
	g.Location = gitlabLocation{File: g.Location.File, StartLine: g.Location.StartLine, EndLine: g.Location.EndLine, Dependency: &d}
	g.Extract = ""
	g.Name = clip(visible(e.what()), 250)
	if id := p[finding.PropVuln]; id != "" {
		g.Identifiers = append(gitlabAdvisories(append([]string{id}, strings.Fields(p[finding.PropAliases])...)), g.Identifiers...)
	}
	if fix := cmp.Or(p[finding.PropClear], p[finding.PropFixed]); fix != "" {
		g.Solution = clip(visible("Upgrade "+d.Package.Name+" to "+fix+" or later. "+e.rule.Remedy), 6900)
	}
	for _, l := range e.places {
		r.declare(replaced(l.Path), replaced(p[finding.PropEcosystem]), d)
	}
}

// declare lists a dependency under the file that declares it.
func (r *gitlabReport) declare(path, manager string, d gitlabDependency) {
	i := slices.IndexFunc(r.Files, func(f gitlabManifest) bool { return f.Path == path })
	if i < 0 {
		i = len(r.Files)
		r.Files = append(r.Files, gitlabManifest{Path: path, PackageManager: cmp.Or(manager, "unknown")})
	}
	if !slices.Contains(r.Files[i].Dependencies, d) {
		r.Files[i].Dependencies = append(r.Files[i].Dependencies, d)
	}
}

// gitlabAdvisories names a vulnerability as each database does.
func gitlabAdvisories(ids []string) []gitlabIdentifier {
	var out []gitlabIdentifier
	for _, id := range ids {
		id = replaced(id)
		x := gitlabIdentifier{Type: "osv", Name: id, Value: id, URL: "https://osv.dev/vulnerability/" + id}
		switch {
		case strings.HasPrefix(id, "CVE-"):
			x.Type, x.URL = "cve", "https://cve.mitre.org/cgi-bin/cvename.cgi?name="+id
		case strings.HasPrefix(id, "GHSA-"):
			x.Type, x.URL = "ghsa", "https://github.com/advisories/"+id
		}
		if !webAddress(x.URL) {
			x.URL = ""
		}
		out = append(out, x)
		if len(out) == 20 {
			break
		}
	}
	return out
}
