// Package terraform reads which providers and modules a Terraform or OpenTofu
// configuration needs: *.tf and .terraform.lock.hcl
// (https://developer.hashicorp.com/terraform/language/files/dependency-lock).
//
// The lockfile has exact versions of providers, but none of modules: a module has
// a version if its own block names exactly one, or if its address names a tag.
// Expressions are not evaluated, so a source or version that is computed is a
// gap. What terraform init has fetched (.terraform) is not read.
package terraform

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

const (
	formatLock = ".terraform.lock.hcl"
	formatConf = "Terraform configuration"
	// maxHashes is how many digests of one provider are kept: there is one for
	// each platform.
	maxHashes = 8
	// ranges is the gap of a configuration without exact versions.
	ranges = "ranges of versions cannot be checked: commit .terraform.lock.hcl for the providers, and give modules one exact version"
)

// Extractor reads configurations and lockfiles.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var (
	_ extract.Extractor = Extractor{}
	_ extract.Resolver  = Extractor{}
)

// Name is "terraform".
func (Extractor) Name() string { return "terraform" }

// Binary is false: all are text.
func (Extractor) Binary() bool { return false }

// Wants accepts *.tf, *.tofu and .terraform.lock.hcl.
func (Extractor) Wants(p string) bool {
	dir, base := path.Split(p)
	if base != ".terraform.lock.hcl" && !strings.HasSuffix(base, ".tf") && !strings.HasSuffix(base, ".tofu") {
		return false
	}
	return !strings.Contains("/"+dir, "/.terraform/")
}

// Extract reads one file.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &reader{s: scanner{s: strings.TrimPrefix(string(f.Content), "\ufeff"), line: 1}}
	m := &dependency.Manifest{Path: f.Path, Format: formatConf, Kind: dependency.Declared, Ecosystem: dependency.TerraformMod}
	if r.lock = path.Base(f.Path) == ".terraform.lock.hcl"; r.lock {
		m.Format, m.Kind, m.Ecosystem = formatLock, dependency.Lock, dependency.TerraformProv
	} else if !strings.Contains(r.s.s, "module") && !strings.Contains(r.s.s, "required_providers") {
		return nil, nil
	}
	r.body(nil)
	if r.s.err != nil {
		return nil, fmt.Errorf("reading %s: %w", m.Format, r.s.err)
	}
	if r.open {
		r.gaps.Add(0, ranges)
	}
	var err error
	if m.Packages, err = r.graph.Packages(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", m.Format, err)
	}
	if m.Gaps = r.gaps.List(); len(m.Packages) == 0 && len(m.Gaps) == 0 {
		return nil, nil
	}
	return m, nil
}

// attribute is the plain value of an attribute.
type attribute struct {
	value   token
	list    []token
	dynamic bool
}

type reader struct {
	s     scanner
	graph collect.Graph
	gaps  collect.Gaps
	lock  bool
	open  bool // a range of versions
}

// block is a block that is being read: its type, labels and attributes.
type block struct {
	kind       string
	labels     []token
	line       int
	attributes map[string]attribute
}

// maxHead is how many names and labels a block has at most; it is far more than
// any has.
const maxHead = 8

// body reads attributes and blocks up to the closing bracket. Nesting is bounded
// by the scanner.
func (r *reader) body(in *block) {
	var head []token // the names and labels before a bracket or equals sign
	for {
		t := r.s.next()
		switch {
		case t.kind == end, t.kind == close:
			return
		case t.kind == newline:
			head = head[:0]
		case t.kind == name || t.kind == text:
			if len(head) < maxHead {
				head = append(head, t)
			}
		case t.kind == open && t.value == "{" && len(head) > 0 && head[0].kind == name:
			b := &block{kind: head[0].value, labels: slices.Clone(head[1:]), line: head[0].line, attributes: map[string]attribute{}}
			r.body(b)
			r.finish(b)
			head = head[:0]
		case t.value == "=" && len(head) == 1:
			a := r.value()
			if in != nil && len(in.attributes) < 10_000 {
				r.attribute(in, head[0], a)
			}
			head = head[:0]
		case t.kind == open:
			r.skip()
		}
	}
}

// skip passes over what an opening bracket begins.
func (r *reader) skip() {
	for depth := r.s.depth; r.s.depth >= depth; {
		if t := r.s.next(); t.kind == end {
			return
		}
	}
}

// value reads what follows an equals sign, up to the end of the line.
func (r *reader) value() (a attribute) {
	first := true
	for {
		t := r.s.next()
		switch {
		case t.kind == end || t.kind == newline:
			return a
		case t.kind == close:
			// The bracket of the block itself, on the same line: "{ a = 1 }".
			r.s.pos--
			r.s.depth++
			return a
		case first && t.kind == text:
			a.value, a.dynamic = t, t.dynamic
		case first && t.kind == open && t.value == "[":
			a.list = r.list()
		case first && t.kind == open && t.value == "{":
			a.list = r.object()
		case t.value == "," && r.s.depth > 0:
			return a
		default:
			a.dynamic = true
			if t.kind == open {
				r.skip()
			}
		}
		first = false
	}
}

// list reads the strings of a list.
func (r *reader) list() (out []token) {
	for depth := r.s.depth; r.s.depth >= depth; {
		t := r.s.next()
		if t.kind == end {
			return out
		}
		if t.kind == text && r.s.depth == depth {
			out = append(out, t)
		}
	}
	return out
}

// object reads the keys and plain strings of an object, one after the other.
func (r *reader) object() (out []token) {
	var key token
	waiting := false
	for depth := r.s.depth; r.s.depth >= depth; {
		t := r.s.next()
		switch {
		case t.kind == end:
			return out
		case r.s.depth != depth:
		case waiting && t.kind == text:
			out = append(out, key, t)
			waiting = false
		case t.kind == newline || t.value == ",":
			waiting = false
		case t.value == "=" || t.value == ":":
			waiting = key.value != ""
		case t.kind == name || t.kind == text:
			key, waiting = t, false
		}
	}
	return out
}

// attribute takes up an attribute of a block. In required_providers each is a
// provider.
func (r *reader) attribute(in *block, key token, a attribute) {
	if in.kind != "required_providers" {
		if _, twice := in.attributes[key.value]; !twice {
			in.attributes[key.value] = a
		}
		return
	}
	p := dependency.Package{Line: key.line, Column: key.column, EndColumn: key.column + key.width}
	source := key.value
	if a.value.kind == text {
		p.Constraint = a.value.value // before Terraform 0.13
	}
	for i := 0; i+1 < len(a.list); i += 2 {
		switch v := a.list[i+1].value; a.list[i].value {
		case "source":
			source = v
		case "version":
			p.Constraint = v
		}
	}
	r.provider(p, source)
}

func (r *reader) provider(p dependency.Package, source string) {
	parts := strings.Split(source, "/")
	if len(parts) == 1 {
		parts = []string{"hashicorp", parts[0]}
	}
	if len(parts) == 3 {
		if parts[0] != "registry.terraform.io" && parts[0] != "registry.opentofu.org" {
			p.Origin = parts[0]
		}
		if parts[0] == "terraform.io" && parts[1] == "builtin" {
			return // a part of Terraform itself
		}
		parts = parts[1:]
	}
	p.Ecosystem = dependency.TerraformProv
	p.Name = strings.ToLower(strings.Join(parts, "/"))
	if p.Version == "" {
		p.Version = exact(p.Constraint)
	}
	if len(parts) != 2 || !sound(p) {
		r.gaps.Add(p.Line, collect.Show(source)+" cannot be the source of a provider")
		return
	}
	r.add(p)
}

func sound(p dependency.Package) bool {
	return p.Name != "" && !strings.ContainsAny(p.Name, " \t$\"") && collect.Sound(p.Name) && collect.Sound(p.Version) && collect.Sound(p.Constraint) && collect.Sound(p.Origin)
}

func (r *reader) add(p dependency.Package) {
	p.Scope = dependency.Production
	r.open = r.open || p.Version == "" && !p.Local
	i := r.graph.Add(p)
	if !r.lock {
		r.graph.AddRoot(i, p.Scope)
	}
}

// finish takes up a block that has been read.
func (r *reader) finish(b *block) {
	if len(b.labels) != 1 {
		return
	}
	label := b.labels[0]
	p := dependency.Package{Line: label.line, Column: label.column, EndColumn: label.column + label.width}
	version := b.attributes["version"]
	switch {
	case r.lock && b.kind == "provider":
		p.Version = version.value.value
		p.Constraint = b.attributes["constraints"].value.value
		for _, h := range b.attributes["hashes"].list {
			// "h1:" is a digest of the unpacked files, "zh:" of the archive.
			if digest, ok := strings.CutPrefix(h.value, "zh:"); ok && len(p.Hashes) < maxHashes {
				if sum, ok := collect.Digest("sha256", digest); ok {
					p.Hashes = append(p.Hashes, sum)
				} else {
					r.gaps.Add(h.line, collect.Show(label.value)+": a hash is not a digest")
				}
			}
		}
		if p.Version == "" {
			r.gaps.Add(p.Line, collect.Show(label.value)+" has no version in the lockfile; run terraform init")
			return
		}
		r.provider(p, label.value)
	case !r.lock && b.kind == "module":
		source := b.attributes["source"]
		if source.dynamic || source.value.kind != text || version.dynamic {
			r.gaps.Add(b.line, fmt.Sprintf("the source or version of the module %s is missing or computed, and cannot be checked", collect.Show(label.value)))
			return
		}
		p.Constraint = version.value.value
		r.module(p, source.value.value)
	}
}

// module reads the source of a module
// (https://developer.hashicorp.com/terraform/language/modules/sources).
func (r *reader) module(p dependency.Package, source string) {
	p.Ecosystem = dependency.TerraformMod
	shown := source
	if strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../") || strings.HasPrefix(source, "/") {
		p.Name, p.Origin, p.Local = source, source, true
	} else if parts := strings.Split(folder(source), "/"); registry(source, parts) {
		if len(parts) == 4 {
			if parts[0] != "registry.terraform.io" && parts[0] != "registry.opentofu.org" {
				p.Origin = parts[0]
			}
			parts = parts[1:]
		}
		p.Name = strings.Join(parts, "/")
		p.Version = exact(p.Constraint)
	} else {
		p.Constraint = ref(source)
		p.Version = tagged(p.Constraint)
		address, _, _ := strings.Cut(source, "?") // may hold a key: "?sshkey=…"
		p.Origin = collect.Address(address)
		p.Name = repository(p.Origin)
	}
	if !sound(p) {
		r.gaps.Add(p.Line, collect.Show(shown)+" cannot be the source of a module")
		return
	}
	r.add(p)
}

// folder cuts the folder within a package off a source: "a/b/c//modules/x".
func folder(source string) string {
	start := 0
	if i := strings.Index(source, "://"); i >= 0 {
		start = i + len("://")
	}
	if i := strings.Index(source[start:], "//"); i >= 0 {
		source = source[:start+i]
	}
	source, _, _ = strings.Cut(source, "?")
	return source
}

// registry reports whether a source is one of a registry: namespace/name/system,
// with or without a host.
func registry(source string, parts []string) bool {
	if strings.Contains(source, "::") || strings.ContainsAny(source, ":?@") || slices.Contains(parts, "") {
		return false
	}
	switch len(parts) {
	case 3:
		return !strings.Contains(parts[0], ".")
	case 4:
		return strings.Contains(parts[0], ".") && parts[0] != "github.com" && parts[0] != "bitbucket.org"
	}
	return false
}

// ref is the revision that a source asks for.
func ref(source string) string {
	_, query, _ := strings.Cut(source, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if v, ok := strings.CutPrefix(pair, "ref="); ok {
			return v
		}
	}
	return ""
}

// repository names a module by the address of its repository.
func repository(address string) string {
	if _, rest, ok := strings.Cut(address, "::"); ok {
		address = rest
	}
	address = folder(address)
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = strings.TrimPrefix(rest, "git@")
	} else if rest, ok := strings.CutPrefix(address, "git@"); ok {
		address = strings.Replace(rest, ":", "/", 1)
	}
	return strings.TrimSuffix(strings.Trim(address, "/"), ".git")
}

// exact is the version of a constraint that only one version meets, "" if
// there is none.
func exact(constraint string) string {
	return tagged(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(constraint), "=")))
}

// tagged is a text that names one version, with its "v" if it has one; "" if it
// does not.
func tagged(s string) string {
	core, _, _ := strings.Cut(strings.TrimPrefix(s, "v"), "-")
	core, _, _ = strings.Cut(core, "+")
	if strings.Count(core, ".") != 2 {
		return ""
	}
	for part := range strings.SplitSeq(core, ".") {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return ""
		}
	}
	return s
}

// Resolve drops from configurations the providers that the lockfile beside them
// has, and says there which are direct.
func (Extractor) Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	locks := map[string]map[string]*dependency.Package{}
	for _, m := range all {
		if m.Kind == dependency.Lock {
			byName := make(map[string]*dependency.Package, len(m.Packages))
			for i := range m.Packages {
				byName[m.Packages[i].Origin+"/"+m.Packages[i].Name] = &m.Packages[i]
			}
			locks[path.Dir(m.Path)] = byName
		}
	}
	var out []*dependency.Manifest
	for _, m := range all {
		if ctx.Err() != nil {
			return all
		}
		locked := locks[path.Dir(m.Path)]
		if m.Kind == dependency.Lock || locked == nil {
			out = append(out, m)
			continue
		}
		open := false
		m.Packages = slices.DeleteFunc(m.Packages, func(p dependency.Package) bool {
			l := locked[p.Origin+"/"+p.Name]
			if p.Ecosystem == dependency.TerraformProv && l != nil {
				l.Relation = dependency.Direct
				return true
			}
			open = open || p.Version == "" && !p.Local
			return false
		})
		if !open {
			m.Gaps = slices.DeleteFunc(m.Gaps, func(g dependency.Gap) bool { return g.Message == ranges })
		}
		if len(m.Packages) > 0 || len(m.Gaps) > 0 {
			out = append(out, m)
		}
	}
	return out
}
