package gomod

import (
	"fmt"
	"strings"

	"golang.org/x/mod/modfile"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// readWork reads a go.work. Its members are local packages, named by their
// folder until Resolve finds their go.mod.
func readWork(f extract.File) (*dependency.Manifest, error) {
	file, err := modfile.ParseWork(f.Path, f.Content, func(_, v string) (string, error) { return v, nil })
	if err != nil {
		return nil, parseError(f.Path, err)
	}
	var (
		g    collect.Graph
		gaps collect.Gaps
	)
	d := readDirectives(f.Content, file.Syntax, &gaps)
	var goLine string
	var goAt place
	if file.Go != nil {
		goLine, goAt = file.Go.Version, placeOf(f.Content, file.Go.Syntax)
	}
	if p, ok := standardLibrary(goLine, d.toolchain, goAt, d.toolchainAt); ok {
		g.Add(p)
	}
	for _, use := range file.Use {
		at := placeOf(f.Content, use.Syntax)
		if !collect.Sound(use.Path) {
			gaps.Add(at.Line, fmt.Sprintf("%s cannot be a folder's name", collect.Show(use.Path)))
			continue
		}
		folder := strings.Clone(use.Path)
		g.Add(dependency.Package{
			Ecosystem: dependency.Go, Name: folder, Origin: folder, Local: true,
			Scope: dependency.Production, Relation: dependency.Direct,
			Line: at.Line, Column: at.Column, EndColumn: at.End,
		})
	}
	m := &dependency.Manifest{Path: f.Path, Format: formatWork, Kind: dependency.Declared, Ecosystem: dependency.Go}
	return finish(m, &g, &gaps, extra{Replaces: d.replaces})
}
