package main

import (
	"archive/zip"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// bills are the sizes of the generated SBOMs; the last has about 10 MB.
var bills = []struct {
	packages int
	every    int // one in so many is a package that has advisories
}{{1_000, 2}, {25_000, 20}}

// purlTypes are the ecosystems of OSV that a generated SBOM draws on. They are
// those whose names stand in a package URL as they are.
var purlTypes = []struct{ ecosystem, kind string }{
	{"npm", "npm"}, {"PyPI", "pypi"}, {"crates.io", "cargo"}, {"RubyGems", "gem"}, {"NuGet", "nuget"}, {"Packagist", "composer"}, {"Go", "golang"},
}

// findExports lists the files all.zip under root by ecosystem.
func findExports(root string) (map[string][]string, error) {
	out := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "all.zip" {
			ecosystem := filepath.Base(filepath.Dir(path))
			out[ecosystem] = append(out[ecosystem], path)
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("no OSV export (ECOSYSTEM/all.zip) is under %s", root)
	}
	return out, err
}

// mergeExports writes the exports of each ecosystem as one, where osv-scanner
// looks for them. Of records with one id the first counts.
func mergeExports(exports map[string][]string, to string) error {
	for ecosystem, files := range exports {
		folder := filepath.Join(to, "osv-scanner", ecosystem)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := mergeZips(files, filepath.Join(folder, "all.zip")); err != nil {
			return fmt.Errorf("merging the exports of %s: %w", ecosystem, err)
		}
	}
	return nil
}

func mergeZips(files []string, to string) (err error) {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := zip.NewWriter(f)
	seen := map[string]bool{}
	for _, path := range files {
		in, err := zip.OpenReader(path)
		if err != nil {
			return err
		}
		for _, entry := range in.File {
			if seen[entry.Name] {
				continue
			}
			seen[entry.Name] = true
			if err := out.Copy(entry); err != nil {
				return errors.Join(err, in.Close())
			}
		}
		if err := in.Close(); err != nil {
			return err
		}
	}
	return out.Close()
}

// writeBill writes a CycloneDX document of n packages and returns its size in
// bytes. One in every packages has advisories, and a version that one of them
// names; the others are in no advisory.
func writeBill(path string, exports map[string][]string, n, every int) (int, error) {
	known, err := affected(exports)
	if err != nil {
		return 0, err
	}
	if len(known) == 0 {
		return 0, errors.New("the exports name no version of any package")
	}
	type hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	type license struct {
		Expression string `json:"expression"`
	}
	type component struct {
		Type     string    `json:"type"`
		Ref      string    `json:"bom-ref"`
		Name     string    `json:"name"`
		Version  string    `json:"version"`
		Hashes   []hash    `json:"hashes"`
		Licenses []license `json:"licenses"`
		PURL     string    `json:"purl"`
	}
	bill := struct {
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Version    int         `json:"version"`
		Components []component `json:"components"`
	}{Format: "CycloneDX", Spec: "1.6", Version: 1}
	for i := range n {
		kind, name, version := "npm", fmt.Sprintf("bulwark-bench-%06d", i), "1.0.0"
		if i%every == 0 {
			// A stride over the list, so that a short one has all ecosystems.
			k := known[i/every*max(1, len(known)*every/n)%len(known)]
			kind, name, version = k.kind, k.name, k.version
			if kind == "golang" {
				version = "v" + version // as Go writes it; OSV leaves it out
			}
		}
		purl := fmt.Sprintf("pkg:%s/%s@%s", kind, name, version)
		bill.Components = append(bill.Components, component{
			Type: "library", Ref: fmt.Sprintf("%d-%s", i, purl), Name: name, Version: version, PURL: purl,
			Hashes:   []hash{{"SHA-512", fmt.Sprintf("%x", sha512.Sum512([]byte(purl)))}},
			Licenses: []license{{"MIT"}},
		})
	}
	data, err := json.Marshal(bill)
	if err != nil {
		return 0, err
	}
	return len(data), os.WriteFile(path, data, 0o644)
}

type named struct{ kind, name, version string }

// affected lists the packages of the exports, each once and in a version that
// one of its records names, in a fixed order.
func affected(exports map[string][]string) ([]named, error) {
	var out []named
	for _, t := range purlTypes {
		seen := map[string]bool{}
		for _, path := range exports[t.ecosystem] {
			err := eachRecord(path, func(r record) {
				for _, a := range r.Affected {
					version := a.version()
					if a.Package.Ecosystem != t.ecosystem || version == "" || seen[a.Package.Name] || strings.HasPrefix(a.Package.Name, "@") {
						continue
					}
					seen[a.Package.Name] = true
					out = append(out, named{t.kind, a.Package.Name, version})
				}
			})
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", path, err)
			}
		}
	}
	return out, nil
}

// record is what of an OSV record is needed to make up packages.
type record struct {
	Affected []affectedPackage
}

type affectedPackage struct {
	Package  struct{ Ecosystem, Name string }
	Versions []string
	Ranges   []struct {
		Type   string
		Events []struct{ Introduced string }
	}
}

// version is a version that the record affects, or empty.
func (a affectedPackage) version() string {
	if len(a.Versions) > 0 {
		return slices.Max(a.Versions)
	}
	for _, r := range a.Ranges {
		for _, e := range r.Events {
			switch {
			case r.Type == "GIT" || e.Introduced == "":
			case e.Introduced == "0":
				return "0.0.1"
			default:
				return e.Introduced
			}
		}
	}
	return ""
}

func eachRecord(path string, do func(record)) error {
	in, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	for _, entry := range in.File {
		f, err := entry.Open()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		var r record
		if err := json.Unmarshal(data, &r); err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
		do(r)
	}
	return nil
}
