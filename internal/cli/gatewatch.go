package cli

import (
	"context"
	"path"
	"slices"
	"strings"

	"bulwark/internal/config"
	"bulwark/internal/outcome"
	"bulwark/internal/source"
	"bulwark/internal/source/gitsource"
)

// gateWatch is a change that says when it alters the gate which judges it: a
// pull request that brings its own waiver deserves a second look.
type gateWatch struct {
	source.Source
	files   []string // paths, and folders with a trailing slash
	altered []string
}

func (s *settings) watch(src source.Source) *gateWatch {
	w := &gateWatch{Source: src, files: []string{config.FileName, gitleaksFile, s.cfg.Triage.Waivers, s.cfg.Triage.Baseline, s.cfg.Policy.Bundle, s.cfg.Policy.BundleKey}}
	w.files = append(w.files, s.cfg.Secret.Rules...)
	for _, f := range s.cfg.Policy.Files {
		w.files = append(w.files, f, strings.TrimSuffix(f, "/")+"/")
	}
	return w
}

// Walk implements source.Source.
func (w *gateWatch) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	return w.Source.Walk(ctx, func(f source.File) error {
		if !f.Historical && w.isGate(f.Path) {
			w.altered = append(w.altered, f.Path)
		}
		return file(f)
	}, skip)
}

func (w *gateWatch) isGate(p string) bool {
	if path.Base(p) == gitsource.IgnoreFile {
		return true
	}
	return slices.ContainsFunc(w.files, func(f string) bool {
		return f != "" && (p == f || (strings.HasSuffix(f, "/") && strings.HasPrefix(p, f)))
	})
}

// Notices implements source.Source.
func (w *gateWatch) Notices() []outcome.Notice {
	notices := w.Source.Notices()
	for _, p := range w.altered {
		notices = append(notices, outcome.Notice{Kind: "gate-altered", Path: p,
			Message: "the change alters the gate that judges it; have its owners review this file"})
	}
	return notices
}
