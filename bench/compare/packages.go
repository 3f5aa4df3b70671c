package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// syftInstall is what to do where syft is missing.
const syftInstall = "go install github.com/anchore/syft/cmd/syft@v1.57.0"

// packages measures the extraction of packages from large repositories: what
// `bulwark sbom` and `syft scan` cost, and which packages only syft has.
func packages(ctx context.Context, s *settings) error {
	syft, err := exec.LookPath("syft")
	if err != nil {
		heading(s.out, "Packages of a repository: left out, for syft is not on the PATH. To install it: %s", syftInstall)
		return nil
	}
	for _, root := range append([]string{s.kubernetes}, s.repositories...) {
		if err := s.extraction(ctx, syft, root); err != nil {
			return fmt.Errorf("%s: %w", root, err)
		}
	}
	if len(s.repositories) == 0 {
		fmt.Fprintln(s.out, "Set BENCH_REPOSITORIES to the folders of more repositories.")
	}
	return nil
}

func (s *settings) extraction(ctx context.Context, syft, root string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	files, bytes, err := size(root)
	if err != nil {
		return err
	}
	theirs, ours := filepath.Join(s.work, "syft.json"), filepath.Join(s.work, "bulwark.cdx.json")
	heading(s.out, "Packages of %s (%d files, %.0f MB)", filepath.Base(root), files, float64(bytes)/1e6)
	results, err := measure(ctx, s.runs,
		thing{
			name: "syft", args: []string{syft, "scan", "dir:.", "--quiet", "--output", "json=" + theirs}, dir: root,
			env: []string{"SYFT_CHECK_FOR_APP_UPDATE=false"}, found: func() (int, error) { return count(readSyft(theirs)) },
		},
		thing{
			name: "bulwark sbom", args: []string{s.bulwark, "sbom", ".", "--output", ours}, dir: root,
			found: func() (int, error) { return count(readBill(ours)) },
		},
	)
	if err != nil {
		return err
	}
	if err := tableOf(s.out, "packages", results); err != nil {
		return err
	}
	ratio(s.out, results[1], results[0])
	want, err := readSyft(theirs)
	if err != nil {
		return err
	}
	got, err := readBill(ours)
	if err != nil {
		return err
	}
	both, only, more := overlap(want, got)
	fmt.Fprintf(s.out, "In both: %d. Only syft: %s. Only bulwark: %s.\n", both, byType(only), byType(more))
	return nil
}

// count is the length of a set that was read.
func count(set map[string]bool, err error) (int, error) { return len(set), err }

// readSyft reads the package URLs of a report of syft.
func readSyft(path string) (map[string]bool, error) {
	var report struct {
		Artifacts []struct{ PURL string }
	}
	if err := readJSON(path, &report); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, a := range report.Artifacts {
		if a.PURL != "" {
			out[plain(a.PURL)] = true
		}
	}
	return out, nil
}

// readBill reads the package URLs of a CycloneDX document.
func readBill(path string) (map[string]bool, error) {
	var bill struct {
		Components []struct{ PURL string }
	}
	if err := readJSON(path, &bill); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, c := range bill.Components {
		if c.PURL != "" {
			out[plain(c.PURL)] = true
		}
	}
	return out, nil
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// plain is a package URL without qualifiers and subpath and in lower case, for
// programs differ in these.
func plain(purl string) string {
	if i := strings.IndexAny(purl, "?#"); i >= 0 {
		purl = purl[:i]
	}
	return strings.ToLower(purl)
}

// overlap compares two sets of package URLs.
func overlap(want, got map[string]bool) (both int, only, more []string) {
	for p := range want {
		if got[p] {
			both++
		} else {
			only = append(only, p)
		}
	}
	for p := range got {
		if !want[p] {
			more = append(more, p)
		}
	}
	return both, only, more
}

// byType counts package URLs by their types, as "3 (npm 2, golang 1)".
func byType(purls []string) string {
	if len(purls) == 0 {
		return "none"
	}
	types := map[string]int{}
	for _, p := range purls {
		kind, _, _ := strings.Cut(strings.TrimPrefix(p, "pkg:"), "/")
		types[kind]++
	}
	parts := []string{}
	for _, kind := range slices.Sorted(maps.Keys(types)) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, types[kind]))
	}
	return fmt.Sprintf("%d (%s)", len(purls), strings.Join(parts, ", "))
}
