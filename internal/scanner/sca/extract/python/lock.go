package python

import (
	"fmt"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/tomltext"
)

// lock collects the packages of one lockfile.
type lock struct {
	graph collect.Graph
	gaps  collect.Gaps
	first map[string]int32 // the first package of a name, as number + 1
	last  map[string]int32 // likewise the last
	next  []int32          // the next one of the same name, as number + 1
	needs []need
	asked map[string]bool // "name[extra]": extras that somebody asks for
	extra extra
}

// need is that one package needs another, which may stand further below.
type need struct {
	from          int
	name, version string // version "" if the file does not tell
	scope         dependency.Scope
	extra         string // only with this extra of from
	line          int
	soft          bool // the lockfile may lack it
}

// maxSame is how many packages of one name a need is linked to where the file
// does not tell the version; forks for platforms are few.
const maxSame = 8

func newLock() *lock {
	return &lock{first: map[string]int32{}, last: map[string]int32{}, asked: map[string]bool{}}
}

// add takes up a package under its name as written; ok is false, with a gap, if
// it cannot be one.
func (l *lock) add(name string, p dependency.Package) (number int, ok bool) {
	p.Ecosystem, p.Name = dependency.PyPI, normalize(name)
	if p.Name == "" || !validVersion(p.Version) || !collect.Sound(p.Origin) {
		l.gaps.Add(p.Line, fmt.Sprintf("%s cannot be a package and %s its version", collect.Show(name), collect.Show(p.Version)))
		return 0, false
	}
	if p.Version == "" && !p.Local && p.Origin == "" && !l.extra.Requirements {
		l.gaps.Add(p.Line, collect.Show(name)+" has no version: lock anew and commit the lockfile")
	}
	before := l.graph.Len()
	number = l.graph.Add(p)
	if number != before {
		return 0, false // too many: Packages says so
	}
	l.next = append(l.next, 0)
	if at, twice := l.last[p.Name]; twice {
		l.next[at-1] = int32(number + 1)
	} else {
		l.first[p.Name] = int32(number + 1)
	}
	l.last[p.Name] = int32(number + 1)
	return number, true
}

func validVersion(v string) bool {
	return collect.Sound(v) && !strings.ContainsAny(v, " \t/\\")
}

// ask notes that somebody needs a package with extras.
func (l *lock) ask(name string, extras ...string) {
	for _, e := range extras {
		l.asked[name+"["+e+"]"] = true
	}
}

// find calls each for the packages of a name, those of the version if there is
// one of it.
func (l *lock) find(name, version string, each func(number int)) {
	if version != "" {
		found := false
		count := 0
		for at := l.first[name]; at != 0 && count < 64*maxSame; at = l.next[at-1] {
			if l.graph.Package(int(at-1)).Version == version {
				each(int(at - 1))
				found = true
				break
			}
			count++
		}
		if found {
			return
		}
	}
	count := 0
	for at := l.first[name]; at != 0 && count < maxSame; at = l.next[at-1] {
		each(int(at - 1))
		count++
	}
}

// finish links what needs what and works out the packages.
func (l *lock) finish(format string) (*dependency.Manifest, *extra, error) {
	for _, n := range l.needs {
		scope := n.scope
		from := l.graph.Package(n.from)
		if n.extra != "" && !from.Local && l.asked[from.Name+"["+n.extra+"]"] {
			scope = dependency.Production
		}
		if l.first[n.name] == 0 && scope != dependency.Optional && !n.soft && !installer(n.name) {
			l.gaps.Add(n.line, fmt.Sprintf("%s needs %s, which is not in this lockfile: lock anew and commit the lockfile", from.Name, collect.Show(n.name)))
		}
		l.find(n.name, n.version, func(to int) {
			if to == n.from {
				return
			}
			l.graph.Link(n.from, to, scope)
			if scope == dependency.Optional && !from.Local && l.extra.Unrooted {
				l.extra.Optional = append(l.extra.Optional, [2]string{from.ID(), l.graph.Package(to).ID()})
			}
		})
	}
	m := &dependency.Manifest{Format: format, Kind: dependency.Lock}
	var err error
	if m.Packages, err = l.graph.Packages(); err != nil {
		return nil, nil, err
	}
	m.Gaps = l.gaps.List()
	return m, &l.extra, nil
}

// installer reports whether a package is one that some tools leave out of their
// lockfiles, since it installs the others.
func installer(name string) bool {
	return name == "setuptools" || name == "pip" || name == "wheel" || name == "distribute"
}

// hash adds "sha256:…" to digests.
func hash(to []dependency.Hash, text string) []dependency.Hash {
	if len(to) >= maxHashes {
		return to
	}
	algorithm, digest, _ := strings.Cut(text, ":")
	if h, ok := collect.Digest(algorithm, digest); ok && !slices.Contains(to, h) {
		to = append(to, h)
	}
	return to
}

// fileHashes adds the digests of a list of files: [{file = "…", hash =
// "sha256:…"}], or bare ones.
func fileHashes(to []dependency.Hash, files tomltext.Node) []dependency.Hash {
	for f := range files.Children() {
		if len(to) >= maxHashes {
			break
		}
		if f.Kind() == tomltext.String {
			to = hash(to, "sha256:"+f.Text())
		} else {
			to = hash(to, f.Get("hash").Text())
		}
	}
	return to
}

// place puts a package where its name stands, and returns that.
func place(p *dependency.Package, pkg tomltext.Node) string {
	name := pkg.Get("name")
	if line, start, end := name.Value(); line > 0 {
		p.Line, p.Column, p.EndColumn = line, start, end
	} else {
		p.Line = max(pkg.Line(), name.Line())
	}
	return name.Text()
}

// publicIndex reports whether an address is that of the public index.
func publicIndex(address string) bool {
	switch collect.HostOf(address) {
	case "pypi.org", "pypi.python.org", "files.pythonhosted.org":
		return true
	}
	return address == ""
}

// folder is a path of a lockfile as Members has it.
func folder(path string) string {
	path = strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(path, `\`, "/"), "./"), "/")
	if path == "" {
		return "."
	}
	return path
}

// notALock is why a lockfile cannot be relied on.
func notALock(what string) error {
	return fmt.Errorf("it holds no %s: lock anew and commit the lockfile", what)
}
