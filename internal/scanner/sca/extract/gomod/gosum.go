package gomod

import (
	"bytes"
	"fmt"

	"golang.org/x/mod/semver"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// readSum reads a go.sum: "path version[/go.mod] h1:hash" lines. Of each module
// the highest version is kept whose archive and go.mod both have a hash. h1 is
// a hash over a list of files and none of an archive, so it is left out.
func readSum(f extract.File) (*dependency.Manifest, error) {
	type selected struct {
		version string
		at      place
	}
	var (
		gaps    collect.Gaps
		order   []string
		highest = map[string]*selected{}
		pending = map[string]string{} // module → version whose go.mod is awaited
		pendAt  = map[string]place{}
	)
	take := func(module, v string, at place) {
		s := highest[module]
		if s == nil {
			s = &selected{}
			highest[module] = s
			order = append(order, module)
		}
		if s.version == "" || semver.Compare(v, s.version) > 0 {
			s.version, s.at = v, at
		}
	}
	line := 0
	for text := range bytes.Lines(f.Content) {
		line++
		text = bytes.TrimRight(text, "\r\n")
		module, rest, ok := bytes.Cut(text, []byte{' '})
		if len(text) == 0 {
			continue
		}
		v, hash, ok2 := bytes.Cut(rest, []byte{' '})
		if !ok || !ok2 || len(module) == 0 || !bytes.Contains(hash, []byte{':'}) {
			gaps.Add(line, "not a line of module, version and hash")
			continue
		}
		number, isMod := bytes.CutSuffix(v, []byte("/go.mod"))
		if isMod {
			// go.sum is sorted: the archive's line stands right before.
			if p, waits := pending[string(module)]; waits && p == string(number) {
				take(string(module), p, pendAt[string(module)])
				delete(pending, string(module))
			}
			continue
		}
		if !collect.Sound(string(module)) || !collect.Sound(string(number)) || !semver.IsValid(string(number)) {
			gaps.Add(line, "not a module and a version")
			continue
		}
		name := string(module)
		pending[name] = string(number)
		pendAt[name] = place{line, 1, len(module) + 1 + len(v) + 1}
		if len(pending) > extract.MaxPackages || len(order) > extract.MaxPackages {
			return nil, fmt.Errorf("reading %s: more than %d modules: no go.sum has that many; check where it comes from", f.Path, extract.MaxPackages)
		}
	}
	var g collect.Graph
	for _, module := range order {
		s := highest[module]
		g.Add(dependency.Package{
			Ecosystem: dependency.Go, Name: module, Version: s.version,
			Line: s.at.Line, Column: s.at.Column, EndColumn: s.at.End,
		})
	}
	m := &dependency.Manifest{Path: f.Path, Format: formatSum, Kind: dependency.Lock, Ecosystem: dependency.Go}
	return finish(m, &g, &gaps, extra{})
}
