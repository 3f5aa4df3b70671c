package sca

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	moduledata "bulwark/content/dependency"
	"bulwark/internal/dependency"
	"bulwark/internal/finding"
	"bulwark/internal/scanner/sca/imports"
)

// usage is what the production code of the whole tree imports.
type usage struct {
	files    map[dependency.Ecosystem]int
	computed map[dependency.Ecosystem]int // files that also load by computed names
	names    map[dependency.Ecosystem]map[string]bool
	modules  map[string][]string // of Python distributions
}

func newUsage() *usage {
	return &usage{files: map[dependency.Ecosystem]int{}, computed: map[dependency.Ecosystem]int{}, names: map[dependency.Ecosystem]map[string]bool{}}
}

func (u *usage) add(x imports.Used) {
	u.files[x.Ecosystem]++
	if x.Computed {
		u.computed[x.Ecosystem]++
	}
	names := u.names[x.Ecosystem]
	if names == nil {
		names = map[string]bool{}
		u.names[x.Ecosystem] = names
	}
	for _, n := range x.Names {
		names[n] = true
		if x.Ecosystem == dependency.Maven {
			// Every prefix, so that a group can be looked up.
			for i := strings.LastIndexByte(n, '.'); i > 0; i = strings.LastIndexByte(n[:i], '.') {
				names[n[:i]] = true
			}
		}
	}
}

// imported reports whether production code imports a package; known is false
// where that cannot be told from its name.
func (u *usage) imported(e dependency.Ecosystem, name string) (yes, known bool) {
	names := u.names[e]
	switch e {
	case dependency.NPM:
		return names[name], true
	case dependency.PyPI:
		if u.modules == nil {
			u.modules = pythonModules()
		}
		modules, ok := u.modules[name]
		if !ok {
			return names[strings.ReplaceAll(name, "-", "_")], names[strings.ReplaceAll(name, "-", "_")]
		}
		return slices.ContainsFunc(modules, func(m string) bool { return names[m] }), true
	case dependency.Maven:
		group, artifact, _ := strings.Cut(name, ":")
		parts := strings.Split(group, ".")
		if len(parts) < 2 {
			return false, false // "commons-io": the packages are called something else
		}
		if names[group] || names[group+"."+strings.ReplaceAll(artifact, "-", ".")] {
			return true, true
		}
		// What shares the owner's domain may belong to it: unknown, not no.
		return false, !names[strings.Join(parts[:2], ".")] || len(parts) == 2
	}
	return false, false
}

// identity names what the code of an ecosystem imports: as long as it is the
// same, the answers are.
func (u *usage) identity(e dependency.Ecosystem) string {
	if u.files[e] == 0 {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "imports/1 %s computed=%t\n", e, u.computed[e] > 0)
	for _, n := range slices.Sorted(maps.Keys(u.names[e])) {
		fmt.Fprintf(h, "%s\n", n)
	}
	return "imports-sha256:" + hex.EncodeToString(h.Sum(nil))
}

func pythonModules() map[string][]string {
	out := map[string][]string{}
	for line := range strings.SplitSeq(moduledata.PythonModules, "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] != "#" {
			out[f[0]] = f[1:]
		}
	}
	return out
}

// judge says of a package whether production code reaches it, and on what
// evidence. A transitive package is reached through the direct ones that pull
// it in.
func (u *usage) judge(x *unit) (reachable, evidence string) {
	files := u.files[x.ecosystem]
	if files == 0 {
		return "unknown", ""
	}
	looked := fmt.Sprintf("(%d production files of this language were read)", files)
	if yes, _ := u.imported(x.ecosystem, x.name); yes {
		return "yes", "production code imports " + x.name + " " + looked
	}
	var roots []string
	for _, p := range x.places {
		switch {
		case len(p.pkg.Via) > 0:
			roots = append(roots, nameOf(p.pkg.Via[0]))
		case p.pkg.Relation == dependency.Direct:
			roots = append(roots, x.name)
		default:
			return "unknown", "" // the file does not tell what pulls it in
		}
	}
	slices.Sort(roots)
	roots = slices.Compact(roots)
	for _, r := range roots {
		yes, known := u.imported(x.ecosystem, r)
		if yes {
			return "yes", fmt.Sprintf("production code imports %s, which pulls in %s %s", r, x.name, looked)
		}
		if !known {
			return "unknown", "what " + r + " is called in code is not known"
		}
	}
	if n := u.computed[x.ecosystem]; n > 0 {
		return "unknown", fmt.Sprintf("no import of %s was found, but %d files load modules by a computed name %s", strings.Join(roots, " or "), n, looked)
	}
	return "no", fmt.Sprintf("no production file imports %s %s", strings.Join(roots, " or "), looked)
}

// nameOf is the name in a package's id.
func nameOf(id string) string {
	if i := strings.LastIndexByte(id, '@'); i > 0 {
		return id[:i]
	}
	return id
}

// reach adds to the vulnerabilities whether code reaches them.
func (b *builder) reach(u *usage) {
	for _, d := range b.drafts {
		if d.f.RuleID != Vulnerable {
			continue
		}
		worst, why := "no", ""
		for _, x := range d.units {
			r, evidence := u.judge(x)
			if r == "yes" || r == "unknown" && worst == "no" || why == "" {
				worst, why = r, evidence
			}
			if r == "yes" {
				break
			}
		}
		d.f.Properties[finding.PropReachable] = worst
		set(d.f.Properties, finding.PropReachContent, u.identity(d.units[0].ecosystem))
		if why != "" {
			d.f.Evidence = append(d.f.Evidence, why)
		}
	}
}
