// Package gobinary reads of which modules a Go program was built: ELF, Mach-O
// and PE files, by the build information that the Go linker puts into them
// (https://pkg.go.dev/debug/buildinfo). The release of Go itself is the package
// "stdlib"; other than in go.mod it is known exactly.
//
// The information does not tell which of the modules the program names itself,
// so no relation is given. It does not look at symbols, and finds nothing in a
// program that was compressed after it was built.
package gobinary

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	goversion "go/version"
	"path"
	"runtime/debug"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// maxSize is the size in bytes of the largest program that is read.
const maxSize = 1 << 30

// Extractor reads Go programs.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var _ extract.Extractor = Extractor{}

// Name is "gobinary".
func (Extractor) Name() string { return "gobinary" }

// Binary is true.
func (Extractor) Binary() bool { return true }

// Wants accepts names that programs and shared objects have: without an
// extension, with one of theirs, or with one that is part of a version or a
// platform (tool-1.2.3, tool.linux-amd64).
func (Extractor) Wants(p string) bool {
	ext := strings.ToLower(path.Ext(p))
	switch ext {
	case "", ".", ".exe", ".so", ".dll", ".dylib", ".bin", ".elf", ".out", ".test", ".run", ".plugin", ".amd64", ".arm64", ".386", ".x86_64", ".linux", ".darwin", ".windows":
		return true
	}
	digits := ext[1] >= '0' && ext[1] <= '9' && !strings.HasPrefix(ext, ".7z") // .3, .1-rc1
	return digits || strings.Contains(ext, "amd64") || strings.Contains(ext, "arm64") || strings.Contains(ext, "x86_64")
}

// magics begin the formats that can hold a Go program.
var magics = [...]string{
	"\x7fELF",
	"MZ",
	"\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe",
	"\xca\xfe\xba\xbe", "\xca\xfe\xba\xbf", // for several architectures; Java classes too
}

// mark stands before the build information of every Go program since 1.13.
var mark = []byte("\xff Go buildinf:")

// Extract reads one program. One that is not Go's gives no manifest.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known := false
	for _, magic := range magics {
		if known = len(f.Content) >= len(magic) && string(f.Content[:len(magic)]) == magic; known {
			break
		}
	}
	if !known {
		return nil, nil
	}
	if len(f.Content) > maxSize {
		return nil, fmt.Errorf("reading %s: a program of %d bytes; the most that is read are %d", f.Path, len(f.Content), maxSize)
	}
	if !bytes.Contains(f.Content, mark) {
		return nil, nil
	}
	info, err := read(f.Content)
	if err != nil {
		return nil, fmt.Errorf("reading the build information of %s: %w; check it with go version -m", f.Path, err)
	}
	if len(info.Deps) > extract.MaxPackages {
		return nil, fmt.Errorf("reading %s: %d modules: no program has that many", f.Path, len(info.Deps))
	}
	return manifest(f.Path, info)
}

// read guards against faults of the format readers: they belong to Go, but what
// they are given here is anybody's.
func read(content []byte) (info *debug.BuildInfo, err error) {
	defer func() {
		if r := recover(); r != nil {
			info, err = nil, errors.New("the program's headers contradict each other")
		}
	}()
	return buildinfo.Read(bytes.NewReader(content))
}

func manifest(p string, info *debug.BuildInfo) (*dependency.Manifest, error) {
	m := &dependency.Manifest{Path: p, Format: "Go binary", Kind: dependency.Built, Ecosystem: dependency.Go}
	var (
		g    collect.Graph
		gaps collect.Gaps
	)
	std := dependency.Package{Ecosystem: dependency.Go, Name: "stdlib", Scope: dependency.Production}
	if v, ok := release(info.GoVersion); ok {
		std.Version = v
	} else {
		gaps.Add(0, fmt.Sprintf("built by %s, which is no release of Go, so that what is wrong with its standard library is not known", collect.Show(info.GoVersion)))
	}
	g.Add(std)
	if info.Main.Path == "" && len(info.Deps) == 0 {
		gaps.Add(0, "the program tells no modules: it was built without them, or they were removed; build it with go build in a module")
	}
	if info.Main.Path != "" {
		if main, ok := module(&info.Main); ok {
			project := main
			project.Local = true
			m.Project = &project
			// A released program is a package like others: advisories name it.
			if main.Version != "" {
				g.Add(main)
			}
		} else {
			gaps.Add(0, "the name or version of the main module is too long or holds control characters")
		}
	}
	bad := 0
	for _, dep := range info.Deps {
		if dep == nil {
			continue
		}
		pkg, ok := module(dep)
		if !ok {
			bad++
			continue
		}
		g.Add(pkg)
	}
	if bad > 0 {
		gaps.Add(0, fmt.Sprintf("modules whose name or version is too long or holds control characters: %d", bad))
	}
	packages, err := g.Packages()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", p, err)
	}
	m.Packages, m.Gaps = packages, gaps.List()
	return m, nil
}

// module is the package of a module as linked, after replacement.
func module(d *debug.Module) (p dependency.Package, ok bool) {
	p = dependency.Package{Ecosystem: dependency.Go, Name: d.Path, Version: number(d.Version), Scope: dependency.Production}
	if r := d.Replace; r != nil {
		if number(r.Version) == "" { // a folder
			p.Local, p.Origin, p.Constraint, p.Version = true, r.Path, p.Version, ""
		} else {
			p.Name, p.Version = r.Path, r.Version
		}
	}
	return p, p.Name != "" && collect.Sound(p.Name) && collect.Sound(p.Version) && collect.Sound(p.Origin)
}

// number is a module's version, "" for one built from a working tree.
func number(v string) string {
	if v == "(devel)" {
		return ""
	}
	return v
}

// release reads "go1.22.1", "go1.22.1 X:boringcrypto", "go1.22.1-bigcorp" and
// writes it as a semantic version, as the Go vulnerability database does.
func release(s string) (string, bool) {
	v, _, _ := strings.Cut(s, " ")
	v, _, _ = strings.Cut(v, "-")
	v, _, _ = strings.Cut(v, "+")
	if !goversion.IsValid(v) || len(v) > 32 {
		return "", false
	}
	v = strings.TrimPrefix(v, "go")
	pre := ""
	for _, kind := range []string{"rc", "beta", "alpha"} {
		if before, after, found := strings.Cut(v, kind); found {
			v, pre = before, "-"+kind+"."+after
			break
		}
	}
	if strings.Count(v, ".") == 1 {
		v += ".0"
	}
	return v + pre, true
}
