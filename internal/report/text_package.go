package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulwark/internal/finding"
)

// packageGroup is what is wrong with one package, as people want to read it:
// one thing to raise, however many vulnerabilities that clears.
type packageGroup struct {
	entries []*entry
}

// grouped is one finding, or all of a list that concern the same package.
type grouped struct {
	one *entry
	pkg *packageGroup
}

// byPackage keeps the order of the list; a package stands where its gravest
// finding does.
func byPackage(list []*entry) []grouped {
	at := map[string]*packageGroup{}
	var out []grouped
	for _, e := range list {
		name := e.Properties[finding.PropPackage]
		if name == "" || e.Properties[finding.PropVuln] == "" {
			out = append(out, grouped{one: e})
			continue
		}
		key := e.RuleID + "\x00" + e.Properties[finding.PropEcosystem] + "\x00" + name
		g := at[key]
		if g == nil {
			g = &packageGroup{}
			at[key] = g
			out = append(out, grouped{pkg: g})
		}
		g.entries = append(g.entries, e)
	}
	return out
}

// packages prints a package with its vulnerabilities.
func (t *textWriter) packages(g *packageGroup) {
	e := g.entries[0]
	property := func(name string) string { return visible(clip(e.Properties[name], 200)) }
	versions := packageVersions(g)
	title := strings.TrimSpace(property(finding.PropPackage)+" "+visible(clip(strings.Join(versions, ", "), 200))) + " (" + property(finding.PropEcosystem) + ")"
	known := "1 vulnerability"
	if n := len(g.entries); n != 1 {
		known = thousands(n) + " vulnerabilities"
	}
	if e.Properties[finding.PropMalicious] != "" {
		known = "malicious package"
	}
	t.printf("%s %s %s\n", t.paint(severityStyle(e.Severity), e.Severity.String()+":"),
		t.paint(bold, title+": "+known), t.paint(dim, "["+visible(clip(e.RuleID, 100))+"]"))
	l := e.first()
	gutter := len(strconv.Itoa(max(l.StartLine, 1)))
	pad := strings.Repeat(" ", gutter)
	t.printf("%s%s %s  %s\n", pad, t.paint(blue, "-->"), position(l), t.paint(dim, packageState(g)))
	t.printf("%s %s\n", pad, t.paint(blue, "|"))
	fact := func(name, value string) { t.fact(gutter, name, value) }
	for _, n := range l.Notes {
		fact("note", visible(clip(n, 300)))
	}
	t.places(e, fact)
	for i, x := range g.entries {
		name := ""
		if i == 0 {
			name = "known"
		}
		fact(name, visible(clip(vulnerabilityLine(x), 400)))
		if t.opts.Verbose {
			fact("", evidence(x))
			fact("", "id "+visible(clip(x.Fingerprint, 100)))
		}
	}
	if u := mostUrgent(g).Properties[finding.PropUrgency]; u != "" {
		fact("when", visible(clip(u, 600)))
	}
	fact("fix", visible(clip(packageRemedy(g), 600)))
	if !e.suppressed() {
		fact("decision", e.decided())
	} else {
		fact("accepted", acceptance(l.Suppression))
	}
	if !t.opts.Verbose {
		fact("id", packageIDs(g))
	}
	t.printf("\n")
}

// mostUrgent is the finding with the earliest due date.
func mostUrgent(g *packageGroup) *entry {
	return slices.MinFunc(g.entries, func(a, b *entry) int {
		return strings.Compare(cmp.Or(a.Properties[finding.PropDue], "9999"), cmp.Or(b.Properties[finding.PropDue], "9999"))
	})
}

// packageVersions are the versions in use, each once.
func packageVersions(g *packageGroup) []string {
	var out []string
	for _, e := range g.entries {
		for _, v := range strings.Fields(e.Properties[finding.PropVersion]) {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	return out
}

func packageState(g *packageGroup) string {
	e := g.entries[0]
	parts := []string{string(e.Status)}
	for _, name := range []string{finding.PropRelation, finding.PropScope} {
		if v := e.Properties[name]; v != "" {
			parts = append(parts, v)
		}
	}
	if e.Properties[finding.PropReachable] == "no" {
		parts = append(parts, "not reachable")
	}
	return visible(clip(strings.Join(parts, ", "), 100))
}

// vulnerabilityLine says of one vulnerability what matters first.
func vulnerabilityLine(e *entry) string {
	p := e.Properties
	parts := []string{p[finding.PropVuln], e.Severity.String()}
	if s := p[finding.PropCVSSScore]; s != "" {
		parts[1] += " " + s
	}
	if d := p[finding.PropKEVAdded]; d != "" {
		parts = append(parts, "exploited (KEV since "+d+")")
	}
	if s, err := strconv.ParseFloat(p[finding.PropEPSS], 64); err == nil && s >= 0.01 {
		parts = append(parts, fmt.Sprintf("EPSS %.0f %%", 100*s))
	}
	if d := p[finding.PropDue]; d != "" {
		parts = append(parts, "due "+d)
	}
	line := strings.Join(parts, ", ")
	if s := p[finding.PropSummary]; s != "" {
		line += ": " + s
	}
	return line
}

// packageRemedy says what to change.
func packageRemedy(g *packageGroup) string {
	e := g.entries[0]
	if e.Properties[finding.PropMalicious] != "" {
		return e.rule.Remedy
	}
	name, clear := e.Properties[finding.PropPackage], e.Properties[finding.PropClear]
	raise := ""
	if r := e.Properties[finding.PropRaise]; r != "" {
		raise = "; it is pulled in by " + strings.Join(strings.Fields(r), ", ")
	}
	if clear != "" {
		return fmt.Sprintf("raise %s to %s, which no known advisory affects%s", name, clear, raise)
	}
	fixes, without := []string{}, 0
	for _, x := range g.entries {
		f := x.Properties[finding.PropFixed]
		if f == "" {
			without++
		} else if !slices.Contains(fixes, f) {
			fixes = append(fixes, f)
		}
	}
	switch {
	case len(fixes) == 0:
		return "no fixed version of " + name + " is known: replace it, or show that the vulnerable code is not reached" + raise
	case without > 0:
		return fmt.Sprintf("raise %s (fixes are in %s); for %d no fix is known%s", name, strings.Join(fixes, ", "), without, raise)
	}
	return fmt.Sprintf("raise %s; fixes are in %s%s", name, strings.Join(fixes, ", "), raise)
}

// packageIDs lists the identities, for waivers.
func packageIDs(g *packageGroup) string {
	var ids []string
	for i, e := range g.entries {
		if i == 3 && len(g.entries) > 4 {
			ids = append(ids, fmt.Sprintf("and %d more (--verbose)", len(g.entries)-i))
			break
		}
		ids = append(ids, visible(clip(e.Fingerprint, 100)))
	}
	return strings.Join(ids, ", ")
}
