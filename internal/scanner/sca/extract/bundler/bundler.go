// Package bundler reads Gemfile.lock and gems.locked, the lockfiles of Ruby's
// Bundler. They tell exact versions, who needs whom and what the Gemfile names,
// but not its groups: what a gem is needed for stays unstated. A Gemfile and a
// gemspec are programs and are not read.
package bundler

import (
	"context"
	"fmt"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

var _ extract.Extractor = (*Extractor)(nil)

// Extractor reads Bundler's lockfiles.
type Extractor struct{}

// New returns the extractor.
func New() *Extractor { return &Extractor{} }

// Name is "bundler".
func (*Extractor) Name() string { return "bundler" }

// Binary is false.
func (*Extractor) Binary() bool { return false }

// Wants reports whether the path is that of a lockfile of the project's own.
func (*Extractor) Wants(path string) bool {
	base := collect.Base(path)
	return (base == "Gemfile.lock" || base == "gems.locked") && collect.Own(path)
}

type reader struct {
	graph  collect.Graph
	gaps   collect.Gaps
	gems   map[string]int // by name; of several platforms the first
	keys   map[string]int // by "name version", the version with its platform
	needs  []need
	asks   []ask
	source source
	number int
	gem    int // the one that the lines below speak of, -1 if none
}

type need struct {
	from int
	name string
}

type ask struct {
	name, constraint string
}

// source is the section that gems are listed in.
type source struct {
	kind     string
	remote   string // the first
	public   bool   // one of the remotes is the public registry
	revision string
}

// rubygems is the public registry.
const rubygems = "https://rubygems.org"

// Extract reads a lockfile.
func (*Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	base, _ := collect.Path(f.Path)
	r := &reader{gems: map[string]int{}, keys: map[string]int{}, gem: -1}
	m, err := r.read(string(f.Content))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", base, err)
	}
	m.Path, m.Format = f.Path, base
	return m, nil
}

func (r *reader) read(text string) (*dependency.Manifest, error) {
	sections := 0
	for line := range strings.SplitSeq(text, "\n") {
		r.number++
		line = strings.TrimRight(line, " \t\r")
		content := strings.TrimLeft(line, " ")
		if content == "" {
			continue
		}
		for _, mark := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
			if strings.HasPrefix(line, mark) {
				return nil, fmt.Errorf("line %d: a merge conflict that was left unresolved: run bundle lock and commit the result", r.number)
			}
		}
		indent := len(line) - len(content)
		if indent == 0 {
			sections++
			r.source = source{kind: content}
			r.gem = -1
			continue
		}
		if len(r.needs) > collect.MaxNeeds || len(r.asks) > collect.MaxNeeds {
			return nil, fmt.Errorf("line %d: more than %d needs of gems: no lockfile has that many; check where it comes from", r.number, collect.MaxNeeds)
		}
		switch r.source.kind {
		case "GEM", "GIT", "PATH", "PLUGIN SOURCE":
			r.listed(indent, content)
		case "DEPENDENCIES":
			r.asked(content)
		case "CHECKSUMS":
			r.checksum(content)
		case "":
			return nil, fmt.Errorf("line %d: indented, but no section stands above", r.number)
		}
	}
	if sections == 0 {
		return nil, fmt.Errorf("it is empty: run bundle lock and commit the result")
	}
	return r.finish()
}

// listed reads a line of a section of gems.
func (r *reader) listed(indent int, content string) {
	switch {
	case indent == 2:
		key, value, _ := strings.Cut(content, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "remote":
			value = collect.Address(value)
			r.source.public = r.source.public || strings.TrimSuffix(value, "/") == rubygems
			if r.source.remote == "" {
				r.source.remote = value
			}
		case "revision":
			r.source.revision = value
		}
	case indent == 4:
		name, version := split(content)
		p := dependency.Package{Ecosystem: dependency.RubyGems, Name: name, Line: r.number, Column: indent + 1, EndColumn: indent + 1 + len(name)}
		// "1.15.0-x86_64-linux": a gem's version has no hyphen of its own.
		p.Version, _, _ = strings.Cut(version, "-")
		p.Origin, p.Local = r.source.origin()
		r.gem = -1
		if !validName(name) || version == "" || !collect.Sound(version) || !collect.Sound(p.Origin) {
			r.gaps.Add(r.number, collect.Show(content)+" cannot be a gem and its version")
			return
		}
		r.gem = r.graph.Add(p)
		if _, several := r.gems[name]; !several {
			r.gems[name] = r.gem
		}
		r.keys[name+" "+version] = r.gem
	case indent == 6 && r.gem >= 0:
		name, _ := split(content)
		r.needs = append(r.needs, need{r.gem, strings.TrimSuffix(name, "!")})
	}
}

func (s *source) origin() (origin string, local bool) {
	switch {
	case s.kind == "PATH":
		return s.remote, true
	case s.kind == "GIT" && s.remote != "" && s.revision != "":
		return s.remote + "#" + s.revision, false
	case s.kind != "GIT" && s.public:
		return "", false // of several remotes the file does not tell which
	}
	return s.remote, false
}

// split takes "rack (>= 2.0, < 4)" apart.
func split(content string) (name, inside string) {
	name, rest, ok := strings.Cut(content, " (")
	if !ok {
		return content, ""
	}
	inside, _, _ = strings.Cut(rest, ")")
	return name, inside
}

func validName(name string) bool {
	return name != "" && collect.Sound(name) && !strings.ContainsAny(name, " /\\")
}

func (r *reader) asked(content string) {
	name, constraint := split(content)
	name = strings.TrimSuffix(name, "!")
	if !validName(name) || !collect.Sound(constraint) {
		r.gaps.Add(r.number, collect.Show(content)+" cannot be a gem that is asked for")
		return
	}
	r.asks = append(r.asks, ask{name, constraint})
}

// checksum reads "rack (3.0.0) sha256=…".
func (r *reader) checksum(content string) {
	name, version := split(content)
	i, ok := r.keys[name+" "+version]
	_, rest, found := strings.Cut(content, ") ")
	if !ok || !found {
		return // a checksum of nothing here, or none
	}
	for part := range strings.SplitSeq(rest, ",") {
		algorithm, digest, _ := strings.Cut(strings.TrimSpace(part), "=")
		h, ok := collect.Digest(algorithm, digest)
		if !ok {
			r.gaps.Add(r.number, "the checksum of "+collect.Show(name)+" is not a digest")
			continue
		}
		p := r.graph.Package(i)
		if len(p.Hashes) < 8 {
			p.Hashes = append(p.Hashes, h)
		}
	}
}

func (r *reader) finish() (*dependency.Manifest, error) {
	missing, first := 0, ""
	for _, n := range r.needs {
		if n.name == "bundler" {
			continue // comes with Ruby and is never listed
		}
		to, ok := r.gems[n.name]
		if !ok {
			if missing++; missing == 1 {
				first = collect.Show(n.name) + ", needed by " + collect.Show(r.graph.Package(n.from).ID())
			}
			continue
		}
		r.graph.Link(n.from, to, dependency.Production)
	}
	if missing > 0 {
		r.gaps.Add(0, fmt.Sprintf("gems that others need are not in the lockfile (%d), the first is %s: run bundle lock and commit the result", missing, first))
	}
	for _, a := range r.asks {
		to, ok := r.gems[a.name]
		if !ok {
			// Asked for on another platform only: Bundler leaves such gems out.
			continue
		}
		r.graph.AddRoot(to, dependency.Unstated)
		if p := r.graph.Package(to); !p.Local {
			p.Constraint = a.constraint
		}
	}
	packages, err := r.graph.Packages()
	if err != nil {
		return nil, err
	}
	for i := range packages {
		packages[i].Scope = dependency.Unstated // a path's needs say nothing either
	}
	return &dependency.Manifest{Kind: dependency.Lock, Ecosystem: dependency.RubyGems, Packages: packages, Gaps: r.gaps.List()}, nil
}
