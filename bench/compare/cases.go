package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// exitBlocked is Bulwark's exit code for "blocked by policy": it did its work.
const exitBlocked = 3

// goroot scans the Go standard library without a cache.
func goroot(ctx context.Context, s *settings) error {
	return s.cold(ctx, "the Go standard library's source", s.goroot)
}

// kubernetes scans the unpacked module without a cache.
func kubernetes(ctx context.Context, s *settings) error {
	return s.cold(ctx, "the unpacked module k8s.io/kubernetes@"+s.kubernetesVersion, s.kubernetes)
}

func (s *settings) cold(ctx context.Context, what, root string) error {
	files, bytes, err := size(root)
	if err != nil {
		return err
	}
	heading(s.out, "Cold scan of %s (%d files, %.0f MB)", what, files, float64(bytes)/1e6)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	results, err := measure(ctx, s.runs,
		thing{name: "reading every file", args: []string{self, "-floor", root}},
		s.gitleaksOn("dir", root),
		s.bulwarkOn(root, "--no-git", "--no-cache"),
	)
	if err != nil {
		return err
	}
	floor, theirs, ours := results[0], results[1], results[2]
	if err := table(s.out, results); err != nil {
		return err
	}
	ratio(s.out, ours, theirs)
	fmt.Fprintf(s.out, "bulwark takes %s the CPU time of reading every file, and %s its wall time.\n",
		share(float64(ours.cpu), float64(floor.cpu)), share(float64(ours.wall), float64(floor.wall)))
	return nil
}

// history scans everything that a repository ever held.
func history(ctx context.Context, s *settings) error {
	if s.history == "" {
		heading(s.out, "Cold scan of a history: left out. Set BENCH_HISTORY to the path of a clone, not shallow, with 10,000 commits or more.")
		return nil
	}
	commits, err := git(ctx, s.history, "rev-list", "--all", "--count")
	if err != nil {
		return err
	}
	origin, err := filepath.Abs(s.history)
	if err != nil {
		return err
	}
	heading(s.out, "Cold scan of the whole history of %s (%s commits)", filepath.Base(origin), commits)
	results, err := measure(ctx, s.runs,
		s.gitleaksOn("git", s.history),
		s.bulwarkOn(s.history, "--history", "--no-cache"),
	)
	if err != nil {
		return err
	}
	if err := table(s.out, results); err != nil {
		return err
	}
	ratio(s.out, results[1], results[0])
	return nil
}

// warm scans a large work tree again, as a whole and what a change introduced.
func warm(ctx context.Context, s *settings) error {
	tree, err := os.MkdirTemp(s.work, "tree-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tree) }()
	fmt.Fprintln(os.Stderr, "making a git work tree of", s.kubernetes)
	if err := copyTree(s.kubernetes, tree); err != nil {
		return fmt.Errorf("copying %s: %w", s.kubernetes, err)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A", "-f"}, {"commit", "-q", "-m", "Import"}, {"checkout", "-q", "-b", "change"}} {
		if _, err := git(ctx, tree, args...); err != nil {
			return err
		}
	}
	// Files as young as the index have to be read again by everyone.
	time.Sleep(1100 * time.Millisecond)
	if _, err := git(ctx, tree, "update-index", "-q", "--really-refresh"); err != nil {
		return err
	}
	cache := filepath.Join(s.work, "warm-cache")
	defer func() { _ = os.RemoveAll(cache) }()
	status := thing{name: "git status", args: []string{"git", "-C", tree, "status", "--porcelain"}}
	full := s.bulwarkOn(tree, "--cache-dir", cache)
	full.name = "bulwark, warm"
	if _, err := once(ctx, full); err != nil { // fills the cache
		return err
	}
	heading(s.out, "Warm scan of an unchanged work tree (k8s.io/kubernetes@%s, one commit)", s.kubernetesVersion)
	runs := max(s.runs, 9) // they are short
	results, err := measure(ctx, runs, status, full)
	if err != nil {
		return err
	}
	if err := table(s.out, results); err != nil {
		return err
	}
	ratio(s.out, results[1], results[0])

	changed, err := change(ctx, tree, 10)
	if err != nil {
		return err
	}
	cold := s.bulwarkOn(tree, "--base", "main", "--no-cache")
	cold.name = "bulwark --base, no cache"
	cached := s.bulwarkOn(tree, "--base", "main", "--cache-dir", cache)
	cached.name = "bulwark --base, warm"
	heading(s.out, "What a commit of %d changed files introduces in that work tree", changed)
	if results, err = measure(ctx, runs, cold, cached); err != nil {
		return err
	}
	return table(s.out, results)
}

// version starts the program and ends it: what a hook pays before any work.
func version(ctx context.Context, s *settings) error {
	heading(s.out, "bulwark version, best of 20")
	var best usage
	for i := range 20 {
		u, err := once(ctx, thing{name: "bulwark version", args: []string{s.bulwark, "version"}})
		if err != nil {
			return err
		}
		if i == 0 || u.wall < best.wall {
			best = u
		}
	}
	return table(s.out, []result{{thing: thing{name: "bulwark version"}, usage: best, findings: -1}})
}

func (s *settings) gitleaksOn(verb, path string, more ...string) thing {
	out := filepath.Join(s.work, "gitleaks.json")
	args := append([]string{s.gitleaks, verb, path, "-f", "json", "-r", out, "--no-banner", "-l", "error", "--exit-code", "0"}, more...)
	return thing{name: "gitleaks " + strings.TrimPrefix(s.gitleaksVersion, "v"), args: args, found: func() (int, error) {
		all, err := readGitleaks(out)
		return len(all), err
	}}
}

func (s *settings) bulwarkOn(path string, more ...string) thing {
	out := filepath.Join(s.work, "bulwark.json")
	args := append([]string{s.bulwark, "scan", path, "--format", "none", "--quiet", "--output", "json=" + out}, more...)
	return thing{name: "bulwark", args: args, codes: []int{exitBlocked}, found: func() (int, error) {
		all, err := readBulwark(out)
		return len(all), err
	}}
}

// place is where a rule found something.
type place struct {
	Rule, Path string
	Start, End int // lines, from 1
}

// readGitleaks reads the places in a report of gitleaks.
func readGitleaks(path string) ([]place, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var report []struct {
		RuleID, File       string
		StartLine, EndLine int
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var out []place
	for _, f := range report {
		out = append(out, place{Rule: f.RuleID, Path: f.File, Start: f.StartLine, End: f.EndLine})
	}
	return out, nil
}

// readBulwark reads the places in a report of Bulwark: one finding can have
// several.
func readBulwark(path string) ([]place, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var report struct {
		Findings []struct {
			RuleID    string `json:"rule_id"`
			Locations []struct {
				Path  string `json:"path"`
				Start int    `json:"start_line"`
				End   int    `json:"end_line"`
			} `json:"locations"`
		} `json:"findings"`
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var out []place
	for _, f := range report.Findings {
		for _, l := range f.Locations {
			out = append(out, place{Rule: f.RuleID, Path: l.Path, Start: l.Start, End: l.End})
		}
	}
	return out, nil
}

// git runs git without the user's configuration and returns its output.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "core.fsync=none", "-c", "gc.auto=0"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@bulwark.invalid", "GIT_COMMITTER_NAME=bench", "GIT_COMMITTER_EMAIL=bench@bulwark.invalid")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(bytes.TrimSpace(out)), nil
}

// copyTree copies the regular files under from, which may be read-only, to to.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

// change appends a line to n Go files of different folders and commits them.
func change(ctx context.Context, tree string, n int) (int, error) {
	var files []string
	err := filepath.WalkDir(filepath.Join(tree, "pkg"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !slices.ContainsFunc(files, func(f string) bool { return filepath.Dir(f) == filepath.Dir(path) }) {
			files = append(files, path)
		}
		if len(files) == n {
			return fs.SkipAll
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, path := range files {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return 0, err
		}
		_, err = fmt.Fprintln(f, "\n// A line that this change introduces.")
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return 0, err
		}
	}
	_, err = git(ctx, tree, "commit", "-q", "-a", "-m", "Change")
	return len(files), err
}
