package sca

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/cvss"
	"bulwark/internal/advisory/db"
	"bulwark/internal/advisory/version"
	"bulwark/internal/dependency"
	"bulwark/internal/finding"
	"bulwark/internal/identity"
	"bulwark/internal/license"
	"bulwark/internal/sbom/purl"
)

// Scheme of the fingerprints: ecosystem, package and vulnerability (or what
// else is wrong with it), each followed by a zero byte. Neither version nor
// place is in it: what is raised to another vulnerable version, or declared in
// another file, is the same problem.
const Scheme = "dependency/1"

// draft is a finding that grows with every version and place.
type draft struct {
	f      finding.Finding
	units  []*unit
	fixes  [][]string
	detail *advisory.Detail
}

// builder makes findings of packages.
type builder struct {
	s        *Scanner
	packages []*unit
	drafts   map[string]*draft
	unknown  map[*dependency.Manifest][]string // versions that nothing orders
	all      []*dependency.Manifest
}

func newBuilder(s *Scanner, manifests []*dependency.Manifest) *builder {
	return &builder{s: s, packages: units(manifests), drafts: map[string]*draft{}, all: manifests,
		unknown: map[*dependency.Manifest][]string{}}
}

// draft returns the finding of a rule about what is wrong with u, new or not.
func (b *builder) draft(rule string, u *unit, what string) (*draft, bool) {
	canonical := string(u.ecosystem) + "\x00" + u.name + "\x00" + what + "\x00"
	fp := identity.Fingerprint(b.s.cfg.Key, Scheme, []byte(canonical))
	d, had := b.drafts[rule+fp]
	if !had {
		d = &draft{f: finding.Finding{
			RuleID: rule, Fingerprint: fp, Scanner: Name, Status: finding.New, Confidence: finding.Certain,
			Properties: map[string]string{finding.PropEcosystem: string(u.ecosystem), finding.PropPackage: u.name},
		}}
		b.drafts[rule+fp] = d
	}
	d.units = append(d.units, u)
	return d, !had
}

// vulnerable records that m affects u.
func (b *builder) vulnerable(u *unit, m advisory.Match, detail *advisory.Detail) {
	rule := Vulnerable
	if m.Malicious {
		rule = Malicious
	}
	d, fresh := b.draft(rule, u, m.ID)
	d.fixes = append(d.fixes, m.Fixed)
	for _, p := range m.Proofs {
		d.f.Evidence = append(d.f.Evidence, Proof(p))
	}
	if !fresh {
		return
	}
	d.detail = detail
	p := d.f.Properties
	p[finding.PropVuln] = m.ID
	set(p, finding.PropAliases, strings.Join(m.Aliases, " "))
	set(p, finding.PropSummary, headline(detail))
	if !detail.Modified.IsZero() {
		p[finding.PropModified] = detail.Modified.UTC().Format("2006-01-02T15:04:05Z")
	}
	if detail.Published.Year() >= 1990 { // some records say 1970 for want of a date
		p[finding.PropPublished] = detail.Published.UTC().Format("2006-01-02")
	}
	d.f.Severity = finding.Medium
	score := ""
	if s, ok := cvss.Worst(scored(detail.Severities)); ok {
		d.f.Severity = severity(s.Label)
		if s.Vector != "" {
			score = fmt.Sprintf(" %.1f", s.Score)
			p[finding.PropCVSSScore] = strconv.FormatFloat(s.Score, 'f', 1, 64)
			p[finding.PropCVSSVector] = s.Vector
		}
	}
	if m.Malicious {
		d.f.Severity, score = finding.Critical, ""
		p[finding.PropMalicious] = "true"
	}
	exploited(p, detail.Exploits)
	what := headline(detail)
	if what != "" {
		what = ": " + what
	}
	d.f.Message = fmt.Sprintf("%s (%s%s)%s", m.ID, d.f.Severity, score, what)
	if u.ecosystem == dependency.Go && u.name == "stdlib" && !u.built() {
		d.f.Confidence = finding.Tentative
		d.f.Evidence = append(d.f.Evidence, "go.mod states the oldest Go release that will do; a newer one may be what builds it")
	}
}

// scored completes the severities that are stated by vector alone. A vector
// that cannot be read says nothing.
func scored(stated []advisory.Severity) []advisory.Severity {
	var out []advisory.Severity
	for _, s := range stated {
		if s.Vector != "" {
			parsed, err := cvss.Parse(s.Vector)
			if err != nil {
				continue
			}
			parsed.Source = s.Source
			s = parsed
		}
		out = append(out, s)
	}
	return out
}

func exploited(p map[string]string, x advisory.Exploitation) {
	if k := x.KEV; k != nil {
		p[finding.PropKEVAdded] = k.Added
		set(p, finding.PropKEVDue, k.Due)
		if k.Ransomware {
			p[finding.PropRansomware] = "true"
		}
	}
	if e := x.EPSS; e != nil {
		p[finding.PropEPSS] = strconv.FormatFloat(e.Score, 'f', -1, 64)
		p[finding.PropPercentile] = strconv.FormatFloat(e.Percentile, 'f', -1, 64)
	}
	if v := x.SSVC; v != nil {
		set(p, finding.PropExploitation, v.Exploitation)
		set(p, finding.PropAutomatable, v.Automatable)
		set(p, finding.PropImpact, v.TechnicalImpact)
	}
}

func set(p map[string]string, key, value string) {
	if value != "" {
		p[key] = value
	}
}

// headline is one line that says what the vulnerability is.
func headline(d *advisory.Detail) string {
	text := d.Summary
	if text == "" {
		text, _, _ = strings.Cut(d.Text, "\n")
	}
	text = strings.Join(strings.Fields(text), " ")
	const most = 160
	if len(text) <= most {
		return text
	}
	cut := strings.LastIndexByte(text[:most], ' ')
	if cut < most/2 {
		cut = most
	}
	return strings.ToValidUTF8(text[:cut], "") + "…"
}

func severity(label string) finding.Severity {
	switch label {
	case "critical":
		return finding.Critical
	case "high":
		return finding.High
	case "low":
		return finding.Low
	case "none":
		return finding.Info
	}
	return finding.Medium
}

// Proof says in one line why a version is affected.
func Proof(p advisory.Proof) string {
	if p.Listed && p.Introduced == "" {
		return fmt.Sprintf("%s lists version %s of %s", p.Record, p.Version, p.Package)
	}
	from, to := p.Introduced, "no fixed version"
	if from == "0" {
		from = "the first version"
	}
	switch {
	case p.Fixed != "":
		to = p.Fixed + ", which is fixed"
	case p.LastAffected != "":
		to = p.LastAffected + " inclusive"
	}
	return fmt.Sprintf("%s affects %s from %s to %s; %s is in that range (compared as %s)", p.Record, p.Package, from, to, p.Version, p.Comparator)
}

// ended records that the release line of u is over.
func (b *builder) ended(u *unit, c advisory.Cycle) {
	d, fresh := b.draft(EndOfLife, u, "end-of-life "+c.Product+" "+c.Cycle)
	if !fresh {
		return
	}
	d.f.Severity, d.f.Confidence = finding.Medium, finding.Firm
	when := "is no longer supported"
	if c.Ended != "" {
		when = "has been without support since " + c.Ended
		d.f.Properties[finding.PropEOL] = c.Ended
	}
	d.f.Message = fmt.Sprintf("%s %s %s", c.Product, c.Cycle, when)
	if c.Next != "" {
		d.f.Message += fmt.Sprintf("; the oldest supported release line is %s", c.Next)
	}
}

// licenses records the packages whose stated licence policy denies.
func (b *builder) licenses() {
	if b.s.licenses == nil {
		return
	}
	// Where a file states no licence of any package, its format does not.
	states := map[*dependency.Manifest]bool{}
	for _, m := range b.all {
		states[m] = slices.ContainsFunc(m.Packages, func(p dependency.Package) bool { return len(p.Licenses) > 0 })
	}
	for _, u := range b.packages {
		if u.local {
			continue
		}
		judged := map[string]bool{}
		for _, p := range u.places {
			if !states[p.manifest] {
				continue
			}
			stated := b.s.catalog.Normalize(string(u.ecosystem), p.pkg.Licenses)
			v := b.s.licenses.Check(u.name, stated)
			if v.Outcome == license.Allowed || judged[stated.String()] {
				continue
			}
			judged[stated.String()] = true
			d, fresh := b.draft(License, u, "license "+stated.String())
			if !fresh {
				continue
			}
			d.f.Severity = finding.High
			if v.Outcome == license.Warned {
				d.f.Severity = finding.Low
			}
			d.f.Properties[finding.PropLicense] = stated.String()
			d.f.Message = strings.TrimSuffix(v.Reason, ".")
		}
	}
}

// unordered remembers a version that no scheme parses.
func (b *builder) unordered(u *unit, err *db.UnorderedError) {
	for _, p := range u.places {
		b.unknown[p.manifest] = append(b.unknown[p.manifest], fmt.Sprintf("%s %s", u.name, err.Version))
	}
}

// unchecked makes one finding for each manifest that holds what could not be
// checked.
func (b *builder) unchecked() {
	for _, m := range b.all {
		evidence := []string{}
		line := 0
		for _, g := range m.Gaps {
			evidence = append(evidence, g.Message)
			if line == 0 {
				line = g.Line
			}
		}
		for _, v := range b.unknown[m] {
			evidence = append(evidence, "no version scheme orders "+v+": it was compared with listed versions only")
		}
		if len(evidence) == 0 {
			continue
		}
		u := &unit{ecosystem: m.Ecosystem, name: m.Path, places: []place{{m, &dependency.Package{Line: max(line, 1)}}}}
		d, _ := b.draft(Unchecked, u, "unchecked")
		delete(d.f.Properties, finding.PropPackage)
		d.f.Confidence = finding.Firm
		const most = 20
		if n := len(evidence); n > most {
			evidence = append(evidence[:most], fmt.Sprintf("… and %d more", n-most))
		}
		d.f.Evidence = evidence
		d.f.Message = "Some dependencies could not be checked: " + evidence[0]
	}
}

// findings completes the drafts.
func (b *builder) findings() []finding.Finding {
	out := make([]finding.Finding, 0, len(b.drafts))
	for _, key := range slices.Sorted(maps.Keys(b.drafts)) {
		out = append(out, b.drafts[key].finish())
	}
	slices.SortStableFunc(out, finding.Finding.Compare)
	return out
}

// finish adds what depends on all versions and places.
func (d *draft) finish() finding.Finding {
	f := d.f
	var versions, purls []string
	whole := unit{}
	for _, u := range d.units {
		if u.version != "" {
			versions = append(versions, u.version)
		}
		if p := u.first(); p.Name != "" {
			if text := purl.PURL(p); text != "" {
				purls = append(purls, text)
			}
		}
		whole.places = append(whole.places, u.places...)
	}
	if f.RuleID != Unchecked {
		f.Message = strings.TrimSpace(d.units[0].name+" "+strings.Join(versions, ", ")) + ": " + f.Message
		set(f.Properties, finding.PropVersion, strings.Join(versions, " "))
		set(f.Properties, finding.PropPURL, strings.Join(purls, " "))
		set(f.Properties, finding.PropScope, string(whole.scope()))
		set(f.Properties, finding.PropRelation, string(whole.relation()))
	}
	d.remedy(&f, whole.places)
	for _, p := range whole.places {
		f.Locations = append(f.Locations, location(p))
	}
	slices.SortStableFunc(f.Locations, finding.Location.Compare)
	return f
}

// remedy says which version helps, and for a transitive package which direct
// dependencies would have to be raised.
func (d *draft) remedy(f *finding.Finding, places []place) {
	if f.RuleID != Vulnerable {
		return
	}
	var fixed, clear []string
	for i, u := range d.units {
		if fix := above(u, d.fixes[i]); fix != "" {
			fixed = append(fixed, fix)
		}
		if u.clear != "" {
			clear = append(clear, u.clear)
		}
	}
	all := len(d.units)
	switch fix := highest(d.units[0].ecosystem, fixed, all); {
	case fix != "":
		f.Properties[finding.PropFixed] = fix
		f.Evidence = append(f.Evidence, "fixed in "+fix)
	case len(fixed) > 0:
		f.Evidence = append(f.Evidence, "not every version in use has a fix")
	default:
		f.Evidence = append(f.Evidence, "no fixed version is known")
	}
	set(f.Properties, finding.PropClear, highest(d.units[0].ecosystem, clear, all))
	var raise []string
	for _, p := range places {
		if len(p.pkg.Via) > 0 {
			raise = append(raise, p.pkg.Via[0])
		}
	}
	slices.Sort(raise)
	set(f.Properties, finding.PropRaise, strings.Join(slices.Compact(raise), " "))
}

// above is the smallest of the versions that comes after the one in use.
func above(u *unit, fixes []string) string {
	order, ok := version.Of(string(u.ecosystem))
	if !ok || len(fixes) == 0 {
		return ""
	}
	fix, err := order.SmallestAbove(u.version, fixes)
	if err != nil {
		return "" // that the version cannot be ordered has been reported
	}
	return fix
}

// highest is the highest of the versions, of which there must be want: a
// version that helps one of those in use helps those below it as well.
func highest(e dependency.Ecosystem, versions []string, want int) string {
	if len(versions) != want {
		return ""
	}
	order, ok := version.Of(string(e))
	if !ok {
		return ""
	}
	sorted, unordered := order.Sort(versions)
	if len(unordered) > 0 || len(sorted) == 0 {
		return ""
	}
	return sorted[len(sorted)-1]
}

func location(p place) finding.Location {
	l := finding.Location{Path: p.manifest.Path, StartLine: max(p.pkg.Line, 1), StartColumn: max(p.pkg.Column, 1)}
	l.EndLine, l.EndColumn = l.StartLine, cmp.Or(p.pkg.EndColumn, l.StartColumn)
	note := []string{}
	switch {
	case p.pkg.Name == "":
	case len(p.pkg.Via) > 0:
		note = append(note, fmt.Sprintf("%s is pulled in by %s", p.pkg.ID(), strings.Join(p.pkg.Via, " → ")))
	case p.pkg.Relation == dependency.Direct:
		note = append(note, p.pkg.ID()+" is named by the project itself")
	default:
		note = append(note, p.pkg.ID())
	}
	if p.pkg.Scope == dependency.Development {
		note = append(note, "needed for development only")
	}
	l.Notes = note
	return l
}
