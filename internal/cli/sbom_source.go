package cli

import (
	"context"
	"fmt"

	"bulwark/internal/dependency"
	"bulwark/internal/outcome"
	"bulwark/internal/pipeline"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/sca"
)

// manifests reads the manifests at PATH as a scan does: the same files, limits
// and cache. What could not be read is returned apart.
func (f *scanFlags) manifests(ctx context.Context, p Process, path string) ([]*dependency.Manifest, []outcome.Skip, error) {
	at, err := f.locate(path)
	if err != nil {
		return nil, nil, err
	}
	defer at.close()
	set, err := f.settings(ctx, p, at)
	if err != nil {
		return nil, nil, err
	}
	var found []*dependency.Manifest
	packages, err := sca.New(sca.Config{
		Extractors: extractors(), Key: set.key, Now: set.now,
		Collect: func(all []*dependency.Manifest) { found = all },
	})
	if err != nil {
		return nil, nil, err
	}
	var q pipeline.Request
	if err := f.sources(ctx, p, at, set, &q); err != nil {
		return nil, nil, err
	}
	results, _ := f.openCache(p, at, set) // without it, it takes longer
	looked, err := pipeline.Look(ctx, q.Source, pipeline.Options{
		Scanners: []scanner.Scanner{packages}, Workers: set.workers, MaxFileSize: set.maxFileSize, Cache: results,
	})
	if err != nil {
		return nil, nil, err
	}
	if results != nil {
		if err := results.Close(); err != nil {
			fmt.Fprintln(p.Stderr, visible("note: "+err.Error()))
		}
	}
	if looked.Incomplete != "" {
		return nil, nil, fmt.Errorf("reading the manifests of %s did not finish: %s", path, looked.Incomplete)
	}
	if s := looked.Scanners[0]; s.Status == outcome.Failed {
		return nil, nil, fmt.Errorf("reading the manifests of %s: %s", path, s.Reason)
	}
	var failed []outcome.Skip
	for _, s := range looked.Skips {
		if s.Failed {
			failed = append(failed, s)
		}
	}
	return found, failed, nil
}
