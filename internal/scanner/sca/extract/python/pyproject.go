package python

import (
	"bytes"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/tomltext"
)

// readPyproject reads what a pyproject.toml asks for: [project] (PEP 621),
// [dependency-groups] (PEP 735), and the tables of Poetry, PDM and uv. Of what
// only builds the project, exact pins are taken alone. A file that merely
// configures tools is not one of its own.
func readPyproject(content []byte, _ string) (*dependency.Manifest, *extra, error) {
	root, err := tomltext.Parse(content)
	if err != nil {
		return nil, nil, err
	}
	project, groups := root.Get("project"), root.Get("dependency-groups")
	poetry, pdm, uv := root.Path("tool", "poetry"), root.Path("tool", "pdm"), root.Path("tool", "uv")
	own := false
	for _, t := range []tomltext.Node{project, groups, poetry, pdm, uv} {
		own = own || t.Kind() == tomltext.Table
	}
	if !own {
		return nil, nil, nil
	}
	a := &asks{format: "pyproject.toml"}
	a.list(project.Get("dependencies"), dependency.Production)
	for m := range project.Get("optional-dependencies").Children() {
		a.list(m, dependency.Optional)
	}
	for m := range groups.Children() {
		a.list(m, groupScope(m.Key()))
	}
	for m := range pdm.Get("dev-dependencies").Children() {
		a.list(m, dependency.Development)
	}
	a.list(uv.Get("dev-dependencies"), dependency.Development)
	// With [project], Poetry's own table only adds where packages come from.
	if project.Get("dependencies").Kind() == tomltext.Absent {
		a.table(poetry.Get("dependencies"), dependency.Production, exactPoetry)
	}
	a.table(poetry.Get("dev-dependencies"), dependency.Development, exactPoetry)
	for m := range poetry.Get("group").Children() {
		a.table(m.Get("dependencies"), groupScope(m.Key()), exactPoetry)
	}
	for v := range root.Path("build-system", "requires").Children() {
		if r, ok := parseRequirement(v.Text()); ok && exact(r.spec) != "" {
			a.text(v, dependency.Development)
			if last := len(a.requests) - 1; last >= 0 {
				a.requests[last].Soft = true // no lockfile holds what builds
			}
		}
	}
	return a.finish(pyprojectItself(project, poetry))
}

// list takes up an array of PEP 508 texts; tables in it include another group,
// which is read where it stands.
func (a *asks) list(v tomltext.Node, scope dependency.Scope) {
	for d := range v.Children() {
		switch d.Kind() {
		case tomltext.String:
			a.text(d, scope)
		case tomltext.Table:
		default:
			a.gaps.Add(d.Line(), "something else than a dependency in a list of dependencies")
		}
	}
}

func (a *asks) text(v tomltext.Node, scope dependency.Scope) {
	line, column, _ := v.Value()
	if line == 0 {
		line = v.Line()
	}
	a.requirement(v.Text(), line, column, scope)
}

func pyprojectItself(project, poetry tomltext.Node) *dependency.Package {
	for _, t := range []tomltext.Node{project, poetry} {
		name, version := t.Get("name"), t.Get("version").Text()
		p := &dependency.Package{Ecosystem: dependency.PyPI, Name: normalize(name.Text()), Version: version, Local: true}
		if p.Name == "" || !validVersion(version) {
			continue
		}
		p.Line = name.Line()
		license := t.Get("license").Text()
		if license == "" {
			license = t.Path("license", "text").Text()
		}
		if license != "" && len(license) <= 128 && collect.Sound(license) {
			p.Licenses = []string{license}
		}
		return p
	}
	return nil
}

// readSetupCfg reads what a setup.cfg of setuptools asks for: install_requires,
// tests_require and [options.extras_require]. A file without them is not one of
// its own. setup_requires only builds the project.
func readSetupCfg(content []byte, _ string) (*dependency.Manifest, *extra, error) {
	a := &asks{format: "setup.cfg"}
	section, key := "", ""
	name, version, nameLine := "", "", 0
	asked := false
	number := 0
	for raw := range bytes.Lines(bytes.TrimPrefix(content, []byte("\ufeff"))) {
		number++
		line := strings.TrimRight(string(raw[:min(len(raw), 4*extract.MaxName)]), " \t\r\n")
		text := strings.TrimLeft(line, " \t")
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		indent := len(line) - len(text)
		if indent == 0 {
			if text[0] == '[' {
				section, key = strings.TrimSpace(strings.Trim(text, "[]")), ""
				continue
			}
			at := strings.IndexAny(text, "=:")
			if at < 0 {
				key = ""
				continue
			}
			key = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text[:at])), "-", "_")
			rest := strings.TrimLeft(text[at+1:], " \t")
			indent = len(text) - len(rest)
			text = rest
		}
		if section == "metadata" {
			switch {
			case key == "name" && name == "":
				name, nameLine = text, number
			case key == "version" && version == "" && !strings.ContainsAny(text, ": "):
				version = text
			}
			continue
		}
		scope, ok := setupScope(section, key)
		if !ok {
			continue
		}
		asked = true
		if strings.HasPrefix(text, "file:") {
			continue // a requirements file, read on its own
		}
		if at := strings.Index(text, " #"); at >= 0 {
			text = text[:at]
		}
		a.requirement(text, number, indent+1, scope)
	}
	if !asked {
		return nil, nil, nil
	}
	var project *dependency.Package
	if n := normalize(name); n != "" {
		project = &dependency.Package{Ecosystem: dependency.PyPI, Name: n, Version: checked(version), Local: true, Line: nameLine}
	}
	return a.finish(project)
}

func setupScope(section, key string) (dependency.Scope, bool) {
	switch section {
	case "options":
		switch key {
		case "install_requires":
			return dependency.Production, true
		case "tests_require":
			return dependency.Development, true
		}
	case "options.extras_require":
		return dependency.Optional, key != ""
	}
	return "", false
}
