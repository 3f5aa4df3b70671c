// Package fix raises vulnerable packages where a manifest says exactly which
// version it wants: it changes that one text and proves, by reading the manifest
// again, that nothing else changed. It resolves no dependencies and touches no
// lockfile: those belong to the ecosystem's own tool, whose command it names.
package fix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"bulwark/internal/advisory/version"
	"bulwark/internal/dependency"
	"bulwark/internal/finding"
	"bulwark/internal/scanner/sca/extract"
)

// Raise is one package to be raised, as the findings about it say.
type Raise struct {
	Ecosystem dependency.Ecosystem
	Name      string
	// From are the versions in use, To the version that helps.
	From []string
	To   string
	// Clears is how many findings go away with it, Left how many stay.
	Clears, Left int
	// Folders are where manifests that ask for it may lie: those of the files
	// that declare it, and of the project's top.
	Folders []string
	// Through are the direct dependencies that pull it in; empty for a direct one.
	Through []string
}

// Wanted makes the list of what to raise from the findings of a run, ordered by
// ecosystem and name. Malicious packages are not raised but removed, by a person.
func Wanted(findings []finding.Finding) []Raise {
	type key struct{ ecosystem, name string }
	by := map[key]*Raise{}
	var order []key
	for i := range findings {
		f := &findings[i]
		p := f.Properties
		if p[finding.PropVuln] == "" || p[finding.PropMalicious] != "" || f.Suppressed() {
			continue
		}
		k := key{p[finding.PropEcosystem], p[finding.PropPackage]}
		r := by[k]
		if r == nil {
			r = &Raise{Ecosystem: dependency.Ecosystem(k.ecosystem), Name: k.name, To: p[finding.PropClear]}
			by[k], order = r, append(order, k)
		}
		if p[finding.PropClear] == "" {
			r.To = highest(r.Ecosystem, r.To, p[finding.PropFixed])
		}
		switch {
		case p[finding.PropClear] != "" || p[finding.PropFixed] != "":
			r.Clears++
		default:
			r.Left++
		}
		r.From = append(r.From, strings.Fields(p[finding.PropVersion])...)
		r.Through = append(r.Through, strings.Fields(p[finding.PropRaise])...)
		for _, l := range f.Locations {
			r.Folders = append(r.Folders, path.Dir(l.Path))
		}
	}
	slices.SortFunc(order, func(a, b key) int {
		return cmpOr(strings.Compare(a.ecosystem, b.ecosystem), strings.Compare(a.name, b.name))
	})
	out := []Raise{}
	for _, k := range order {
		r := by[k]
		for _, list := range []*[]string{&r.From, &r.Through, &r.Folders} {
			slices.Sort(*list)
			*list = slices.Compact(*list)
		}
		out = append(out, *r)
	}
	return out
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func highest(e dependency.Ecosystem, a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	order, ok := version.Of(string(e))
	if !ok {
		return a
	}
	if up, err := order.SmallestAbove(a, []string{b}); err == nil && up == b {
		return b
	}
	return a
}

// Manifest reports whether a file is one that Edit may change.
func Manifest(name string) bool {
	switch base := path.Base(name); base {
	case "go.mod", "package.json", "pom.xml", "Cargo.toml":
		return true
	default:
		return strings.HasSuffix(base, ".txt") && strings.Contains(base, "requirements")
	}
}

// After is what to run when a manifest of an ecosystem was changed, so that its
// lockfile follows.
func After(e dependency.Ecosystem, names []string) string {
	switch e {
	case dependency.NPM:
		return "npm install (or yarn install, pnpm install)"
	case dependency.Go:
		return "go mod tidy"
	case dependency.Cargo:
		return "cargo update " + strings.Join(names, " ")
	case dependency.PyPI:
		return "pip install -r on the changed files, and the lockfile's own tool if there is one"
	case dependency.Maven:
		return "mvn verify"
	}
	return ""
}

// Errors of Edit: why a manifest was left alone.
var (
	ErrNotThere  = errors.New("it does not ask for the package")
	ErrNotExact  = errors.New("it does not say one exact version in one place")
	ErrUnchanged = errors.New("what it asks for allows the fixed version already: bring the lockfile up to date")
)

// Edit returns content with the package raised. The error says why it was left
// alone: ErrNotThere, ErrNotExact and ErrUnchanged, or the manifest's own fault.
func Edit(ctx context.Context, x extract.Extractor, name string, content []byte, r Raise) ([]byte, error) {
	before, err := x.Extract(ctx, extract.File{Path: name, Content: content})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if before == nil {
		return nil, ErrNotThere
	}
	out := content
	found, changed := false, false
	for i := range before.Packages {
		p := &before.Packages[i]
		if p.Name != r.Name || p.Ecosystem != r.Ecosystem {
			continue
		}
		found = true
		next, err := raiseOne(out, p, r)
		if errors.Is(err, ErrUnchanged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out, changed = next, true
	}
	switch {
	case !found:
		return nil, ErrNotThere
	case !changed:
		return nil, ErrUnchanged
	}
	after, err := x.Extract(ctx, extract.File{Path: name, Content: out})
	if err != nil || after == nil {
		return nil, fmt.Errorf("%w: with the change it would no longer be read as %s", ErrNotExact, before.Format)
	}
	if err := onlyRaised(before, after, r); err != nil {
		return nil, err
	}
	return out, nil
}

// raiseOne changes the text of one declaration.
func raiseOne(content []byte, p *dependency.Package, r Raise) ([]byte, error) {
	asked := p.Version
	if asked == "" {
		asked = p.Constraint
	}
	operator, old, ok := simple(asked)
	if !ok || p.Line < 1 {
		return nil, ErrNotExact
	}
	order, known := version.Of(string(r.Ecosystem))
	if !known {
		return nil, ErrNotExact
	}
	if up, err := order.SmallestAbove(old, []string{r.To}); err != nil || up == "" {
		return nil, ErrUnchanged
	}
	to := spelled(r.Ecosystem, p.Name, old, r.To)
	from, until, ok := declaration(content, p.Line)
	if !ok || bytes.Contains(content[from:until], []byte("--hash")) {
		return nil, ErrNotExact
	}
	text := old
	if r.Ecosystem == dependency.Go && !strings.HasPrefix(old, "v") {
		text = "v" + old
	}
	at := only(content[from:until], operator, text)
	if at < 0 {
		return nil, ErrNotExact
	}
	at += from
	return slices.Concat(content[:at], []byte(to), content[at+len(text):]), nil
}

// simple splits a requirement into operator and version; ok is false for
// anything with more than one bound.
func simple(asked string) (operator, v string, ok bool) {
	asked = strings.TrimSpace(asked)
	v = strings.TrimLeft(asked, "^~=v ")
	operator = asked[:len(asked)-len(v)]
	if strings.HasSuffix(operator, "v") { // part of the version
		operator, v = operator[:len(operator)-1], "v"+v
	}
	if v == "" || strings.ContainsAny(v, " ,|<>*!x[]()") || !strings.ContainsAny(v[:min(2, len(v))], "0123456789") {
		return "", "", false
	}
	return operator, v, true
}

// spelled writes the new version as the manifest writes versions.
func spelled(e dependency.Ecosystem, name, old, to string) string {
	if e != dependency.Go {
		return to
	}
	to = "v" + strings.TrimPrefix(to, "v")
	last := path.Base(name)
	versioned := len(last) > 1 && last[0] == 'v' && strings.Trim(last[1:], "0123456789") == ""
	major, _, _ := strings.Cut(to[1:], ".")
	if !versioned && len(major) > 0 && major != "0" && major != "1" && !strings.HasPrefix(name, "gopkg.in/") && !strings.HasSuffix(to, "+incompatible") {
		to += "+incompatible"
	}
	return to
}

// declaration is the text that declares a package: its line, in XML up to the
// end of the element.
func declaration(content []byte, line int) (from, to int, ok bool) {
	for range line - 1 {
		i := bytes.IndexByte(content[from:], '\n')
		if i < 0 {
			return 0, 0, false
		}
		from += i + 1
	}
	to = len(content)
	if i := bytes.IndexByte(content[from:], '\n'); i >= 0 {
		to = from + i
	}
	if bytes.Contains(content[from:to], []byte("<dependency>")) || bytes.Contains(content[from:to], []byte("<plugin>")) || bytes.Contains(content[from:to], []byte("<parent>")) {
		if i := bytes.Index(content[from:], []byte("</version>")); i >= 0 && i < 4096 {
			to = from + i + len("</version>")
		}
	}
	// A requirement that goes on in the next line belongs together.
	for to < len(content) && bytes.HasSuffix(bytes.TrimRight(content[from:to], "\r"), []byte("\\")) {
		i := bytes.IndexByte(content[to+1:], '\n')
		if i < 0 {
			to = len(content)
			break
		}
		to += 1 + i
	}
	return from, to, true
}

// only is where text stands in a declaration as a whole version, if that is in
// one place; else -1.
func only(declaration []byte, operator, text string) int {
	at := -1
	for from := 0; ; {
		i := bytes.Index(declaration[from:], []byte(text))
		if i < 0 {
			return at
		}
		i += from
		from = i + 1
		if part(declaration, i-1) || part(declaration, i+len(text)) {
			continue
		}
		if operator != "" && !bytes.HasSuffix(bytes.TrimRight(declaration[:i], " "), []byte(strings.TrimSpace(operator))) {
			continue
		}
		if at >= 0 {
			return -1
		}
		at = i
	}
}

// part reports whether the byte at i could belong to a version.
func part(text []byte, i int) bool {
	if i < 0 || i >= len(text) {
		return false
	}
	c := text[i]
	return c == '.' || c == '-' || c == '+' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// onlyRaised proves that two readings differ in the raised package alone.
func onlyRaised(before, after *dependency.Manifest, r Raise) error {
	rest := func(m *dependency.Manifest) (others, raised []dependency.Package) {
		for _, p := range m.Packages {
			p.Column, p.EndColumn, p.Requires, p.Via = 0, 0, nil, nil
			if p.Name == r.Name && p.Ecosystem == r.Ecosystem {
				raised = append(raised, p)
			} else {
				others = append(others, p)
			}
		}
		return others, raised
	}
	a, x := rest(before)
	b, y := rest(after)
	if !reflect.DeepEqual(a, b) || len(x) != len(y) || len(before.Gaps) != len(after.Gaps) {
		return fmt.Errorf("%w: changing it would change other packages as well", ErrNotExact)
	}
	want := strings.TrimPrefix(r.To, "v")
	for i := range y {
		now := y[i].Version + y[i].Constraint
		if reflect.DeepEqual(x[i].Version+x[i].Constraint, now) {
			continue // it allowed the version already
		}
		if !strings.Contains(now, want) {
			return fmt.Errorf("%w: after the change it asks for %q", ErrNotExact, now)
		}
	}
	return nil
}
