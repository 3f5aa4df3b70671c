package gomod

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"

	"bulwark/internal/dependency"
)

// Resolve joins the files of a module and of a workspace. go.sum and
// vendor/modules.txt beside a go.mod are dropped; beside one of before Go 1.17
// the better of the two stays, with what go.mod does not list.
func (Extractor) Resolve(ctx context.Context, all []*dependency.Manifest) []*dependency.Manifest {
	files := make(map[string]*dependency.Manifest, len(all))
	extras := make(map[*dependency.Manifest]extra)
	for _, m := range all {
		files[m.Path] = m
		if len(m.Extra) > 0 {
			var e extra
			if err := json.Unmarshal(m.Extra, &e); err != nil {
				m.Gaps = append(m.Gaps, dependency.Gap{Message: "what was kept of this file cannot be read: " + err.Error()})
			}
			extras[m] = e
			m.Extra = nil
		}
	}
	drop := map[*dependency.Manifest]bool{}
	for _, m := range all {
		if ctx.Err() != nil {
			return all
		}
		dir := path.Dir(m.Path)
		sum, vendor := files[path.Join(dir, "go.sum")], files[path.Join(dir, "vendor/modules.txt")]
		switch m.Format {
		case formatWork:
			joinWorkspace(m, dir, files, extras)
			if vendor != nil {
				drop[vendor] = true // every member's go.mod lists its own
			}
		case formatMod:
			if vendor != nil {
				confirm(m, vendor)
			}
			if !extras[m].Unpruned {
				drop[sum], drop[vendor] = true, true
				continue
			}
			rest := vendor
			if rest == nil {
				rest = sum
			} else {
				drop[sum] = true
			}
			if rest != nil {
				complete(m, rest)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(m *dependency.Manifest) bool { return drop[m] })
}

// complete leaves in the other file what go.mod does not list.
func complete(mod, rest *dependency.Manifest) {
	listed := make(map[string]bool, len(mod.Packages))
	for i := range mod.Packages {
		listed[mod.Packages[i].Name] = true
	}
	if mod.Project != nil {
		listed[mod.Project.Name] = true
	}
	rest.Packages = slices.DeleteFunc(rest.Packages, func(p dependency.Package) bool { return listed[p.Name] })
	for i := range rest.Packages {
		rest.Packages[i].Relation = dependency.Transitive
		rest.Packages[i].Scope = dependency.Production
	}
	mod.Gaps = slices.DeleteFunc(mod.Gaps, func(g dependency.Gap) bool { return g.Message == incomplete })
}

// confirm compares go.mod with what is vendored, which is what is built.
func confirm(mod, vendor *dependency.Manifest) {
	vendored := make(map[string]*dependency.Package, len(vendor.Packages))
	for i := range vendor.Packages {
		vendored[vendor.Packages[i].Name] = &vendor.Packages[i]
	}
	for i := range mod.Packages {
		p := &mod.Packages[i]
		if v := vendored[p.Name]; v != nil && v.Version != p.Version && !p.Local && !v.Local && len(mod.Gaps) < maxMismatches {
			mod.Gaps = append(mod.Gaps, dependency.Gap{Line: p.Line, Message: fmt.Sprintf(
				"%s is required at %s but vendor/modules.txt holds %s, which is what is built; run go mod vendor", p.Name, p.Version, v.Version)})
		}
	}
}

// maxMismatches is how many gaps a go.mod has before differences to the
// vendored modules are no longer listed.
const maxMismatches = 50

// joinWorkspace names the members of a workspace and applies to them what
// go.work replaces.
func joinWorkspace(work *dependency.Manifest, dir string, files map[string]*dependency.Manifest, extras map[*dependency.Manifest]extra) {
	members := map[string]string{} // module → folder
	var mods []*dependency.Manifest
	for i := range work.Packages {
		p := &work.Packages[i]
		if !p.Local {
			continue
		}
		mod := files[path.Join(dir, p.Origin, "go.mod")]
		if mod == nil || path.IsAbs(p.Origin) {
			work.Gaps = append(work.Gaps, dependency.Gap{Line: p.Line, Message: fmt.Sprintf("the member %s has no go.mod here, or it cannot be read", p.Origin)})
			continue
		}
		mods = append(mods, mod)
		if mod.Project != nil {
			p.Name = mod.Project.Name
			members[p.Name] = p.Origin
		}
	}
	replaced := byModule(extras[work].Replaces)
	for _, mod := range mods {
		for i := range mod.Packages {
			p := &mod.Packages[i]
			required := version{p.Name, p.Version}
			if old, ok := extras[mod].Replaced[p.ID()]; ok {
				required = old
			}
			if folder, ok := members[required.Path]; ok {
				p.Name, p.Origin, p.Local = required.Path, folder, true
				if p.Version != "" {
					p.Version, p.Constraint = "", p.Version
				}
				continue
			}
			if by := replaced.of(required); by != nil {
				p.Name, p.Version, p.Local, p.Origin = required.Path, required.Version, false, ""
				replace(p, by)
			}
		}
	}
}
