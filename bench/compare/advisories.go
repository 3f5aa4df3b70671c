package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// osvScannerInstall is what to do where osv-scanner is missing.
const osvScannerInstall = "go install github.com/google/osv-scanner/v2/cmd/osv-scanner@v2.2.4"

// mostOneSided bounds how many vulnerabilities that only one program found are
// printed one by one.
const mostOneSided = 10

// advisories measures the building of the database, and the matching of packages
// against it beside osv-scanner offline on the same records; then it compares
// what the two found.
func advisories(ctx context.Context, s *settings) error {
	if s.advisories == "" {
		heading(s.out, "Advisories: left out. Set BENCH_ADVISORIES to a folder of OSV exports (…/ECOSYSTEM/all.zip), BENCH_LOCKFILES to one of lockfiles.")
		return nil
	}
	exports, err := findExports(s.advisories)
	if err != nil {
		return err
	}
	database := filepath.Join(s.work, "advisories.db")
	heading(s.out, "bulwark db update from %d ecosystems", len(exports))
	results, err := measure(ctx, s.runs, thing{
		name: "bulwark db update", args: []string{s.bulwark, "db", "update", "--from", s.advisories, "--db", database},
	})
	if err != nil {
		return err
	}
	if err := table(s.out, results); err != nil {
		return err
	}
	if info, err := os.Stat(database); err == nil {
		fmt.Fprintf(s.out, "The database has %.1f MB.\n", float64(info.Size())/1e6)
	}
	local := filepath.Join(s.work, "osv-scanner-db")
	if err := mergeExports(exports, local); err != nil {
		return err
	}
	var last []result
	for _, b := range bills {
		bill := filepath.Join(s.work, fmt.Sprintf("generated-%d.cdx.json", b.packages))
		bytes, err := writeBill(bill, exports, b.packages, b.every)
		if err != nil {
			return err
		}
		heading(s.out, "Matching a generated SBOM of %d packages, 1 in %d with advisories (%.1f MB)", b.packages, b.every, float64(bytes)/1e6)
		last, err = s.match(ctx, local, []string{s.bulwark, "scan", "--sbom", bill, "--db", database}, []string{"-L", bill})
		if err != nil {
			return err
		}
		if err := table(s.out, last); err != nil {
			return err
		}
		if len(last) < 2 {
			continue
		}
		ratio(s.out, last[1], last[0])
		if err := s.equality(s.work); err != nil {
			return err
		}
	}
	if s.lockfiles == "" {
		fmt.Fprintln(s.out, "\nSet BENCH_LOCKFILES to a folder of lockfiles to have the findings compared.")
		return nil
	}
	root, err := filepath.Abs(s.lockfiles)
	if err != nil {
		return err
	}
	heading(s.out, "Matching the lockfiles of %s", filepath.Base(root))
	results, err = s.match(ctx, local, []string{s.bulwark, "scan", root, "--no-git", "--no-cache", "--db", database}, []string{"--no-ignore", "--recursive", root})
	if err != nil {
		return err
	}
	if err := table(s.out, results); err != nil {
		return err
	}
	if len(results) < 2 {
		return nil
	}
	ratio(s.out, results[1], results[0])
	return s.equality(root)
}

// match measures osv-scanner, where it is installed, and Bulwark.
func (s *settings) match(ctx context.Context, local string, bulwark, osv []string) ([]result, error) {
	var things []thing
	scanner, err := exec.LookPath("osv-scanner")
	if err != nil {
		fmt.Fprintln(s.out, "osv-scanner is left out, for it is not on the PATH. To install it:", osvScannerInstall)
	} else {
		out := s.osvReport()
		args := append([]string{scanner, "scan", "source", "--offline", "--offline-vulnerabilities", "--format", "json", "--output", out}, osv...)
		things = append(things, thing{
			name: "osv-scanner", args: args, codes: []int{1}, env: []string{"OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY=" + local},
			found: func() (int, error) {
				all, err := readOSVScanner(out)
				return len(all), err
			},
		})
	}
	out := s.bulwarkReport()
	args := append(slices.Clone(bulwark), "--format", "none", "--quiet", "--output", "json="+out)
	things = append(things, thing{name: "bulwark", args: args, codes: []int{exitBlocked}, found: func() (int, error) {
		all, err := readVulnerabilities(out)
		return len(all), err
	}})
	return measure(ctx, s.runs, things...)
}

func (s *settings) osvReport() string     { return filepath.Join(s.work, "osv-scanner.json") }
func (s *settings) bulwarkReport() string { return filepath.Join(s.work, "bulwark.json") }

// vulnerability is one finding about one package of one file.
type vulnerability struct {
	path, name string
	versions   []string // one of these
	ids        []string // all its names
}

func (v vulnerability) String() string {
	return fmt.Sprintf("%s: %s %s: %s", v.path, v.name, strings.Join(v.versions, " or "), strings.Join(v.ids, ", "))
}

// readOSVScanner reads the groups of a report of osv-scanner: records with an
// alias in common are one vulnerability.
func readOSVScanner(path string) ([]vulnerability, error) {
	var report struct {
		Results []struct {
			Source   struct{ Path string }
			Packages []struct {
				Package struct{ Name, Version string }
				Groups  []struct {
					IDs     []string
					Aliases []string
				}
			}
		}
	}
	if err := readJSON(path, &report); err != nil {
		return nil, err
	}
	var out []vulnerability
	for _, r := range report.Results {
		for _, p := range r.Packages {
			for _, g := range p.Groups {
				out = append(out, vulnerability{r.Source.Path, p.Package.Name, []string{p.Package.Version}, slices.Compact(slices.Sorted(slices.Values(append(g.IDs, g.Aliases...))))})
			}
		}
	}
	return out, nil
}

// readVulnerabilities reads the findings about vulnerable and malicious packages
// of a report of Bulwark. One finding is of all versions that a project has of a
// package; here each version in each file counts.
func readVulnerabilities(path string) ([]vulnerability, error) {
	var report struct {
		Findings []struct {
			Properties map[string]string
			Locations  []struct {
				Path  string
				Notes []string
			}
		}
	}
	if err := readJSON(path, &report); err != nil {
		return nil, err
	}
	var out []vulnerability
	for _, f := range report.Findings {
		p := f.Properties
		if p["vuln.id"] == "" {
			continue
		}
		name := p["package.name"]
		ids := append([]string{p["vuln.id"]}, strings.FieldsFunc(p["vuln.aliases"], func(r rune) bool { return r == ',' || r == ' ' })...)
		versions := strings.Fields(p["package.version"])
		seen := map[string]bool{}
		for _, l := range f.Locations {
			here := slices.DeleteFunc(slices.Clone(versions), func(version string) bool {
				return !slices.ContainsFunc(l.Notes, func(n string) bool { return strings.Contains(n, name+"@"+version+" ") })
			})
			if len(here) == 0 { // the notes do not say which of the versions stands there
				here = versions
			}
			v := vulnerability{l.Path, name, here, ids}
			if !seen[v.String()] {
				seen[v.String()] = true
				out = append(out, v)
			}
		}
	}
	return out, nil
}

// equality prints which vulnerabilities only one of the two programs found in
// the files of a folder. Two are the same if file, package and version are and one of the names is.
func (s *settings) equality(root string) error {
	theirs, err := readOSVScanner(s.osvReport())
	if err != nil {
		return err
	}
	ours, err := readVulnerabilities(s.bulwarkReport())
	if err != nil {
		return err
	}
	for i := range theirs {
		theirs[i].path = relative(root, theirs[i].path)
	}
	for _, side := range []struct {
		name    string
		of, not []vulnerability
	}{{"osv-scanner", theirs, ours}, {"bulwark", ours, theirs}} {
		lost := without(side.of, side.not)
		fmt.Fprintf(s.out, "only %s: %d of %d\n", side.name, len(lost), len(side.of))
		for i, v := range lost {
			if i == mostOneSided {
				fmt.Fprintf(s.out, "  … and %d more\n", len(lost)-mostOneSided)
				break
			}
			fmt.Fprintln(s.out, " ", v)
		}
	}
	return nil
}

// spelling evens out what registries take for the same name.
var spelling = strings.NewReplacer("_", "-", ".", "-")

// without returns what of all has no equal in others.
func without(all, others []vulnerability) []vulnerability {
	type key struct{ path, name, version, id string }
	keys := func(v vulnerability) (out []key) {
		for _, version := range v.versions {
			for _, id := range v.ids {
				out = append(out, key{v.path, spelling.Replace(strings.ToLower(v.name)), strings.TrimPrefix(version, "v"), id})
			}
		}
		return out
	}
	have := map[key]bool{}
	for _, v := range others {
		for _, k := range keys(v) {
			have[k] = true
		}
	}
	var out []vulnerability
	for _, v := range all {
		if !slices.ContainsFunc(keys(v), func(k key) bool { return have[k] }) {
			out = append(out, v)
		}
	}
	return out
}
