package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"bulwark/internal/dependency"
	"bulwark/internal/fix"
	"bulwark/internal/outcome"
	"bulwark/internal/pipeline"
	"bulwark/internal/scanner"
)

// fixFlags are the flags of fix.
type fixFlags struct {
	scan  scanFlags
	write bool
	only  []string
}

func newFix(p Process) *cobra.Command {
	var f fixFlags
	cmd := &cobra.Command{
		Use:   "fix [PATH]",
		Short: "Raise vulnerable dependencies in the manifests that ask for them",
		Long: `Fix looks for vulnerable packages in PATH (default: the current folder) and raises
them to the smallest version that no known advisory affects, in go.mod,
package.json, requirements files, pom.xml and Cargo.toml. It changes only what
says one exact version in one place, reads the result again to prove that nothing
else changed, and leaves everything else to a person, with the reason. Lockfiles
are not touched: the command that brings them up to date is named.

Without --write it shows what it would change.

Exit codes: 0 done or nothing to do, 2 wrong usage or configuration, 1 could not
finish.`,
		Example: `  bulwark fix
  bulwark fix --write --only lodash`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at := "."
			if len(args) == 1 {
				at = args[0]
			}
			return f.run(cmd.Context(), p, at)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.write, "write", false, "change the files instead of showing a diff")
	flags.StringSliceVar(&f.only, "only", nil, "raise only these `PACKAGES`")
	flags.StringVar(&f.scan.database, "db", "", "advisory database `FILE` (default: $BULWARK_DB, then advisories.db in the user's cache folder)")
	flags.StringVar(&f.scan.config, "config", "", "configuration `FILE` (default: .bulwark.yaml at the root)")
	flags.BoolVar(&f.scan.noCache, "no-cache", false, "neither read nor write the cache")
	flags.StringVar(&f.scan.cacheDir, "cache-dir", "", "cache `FOLDER` (default: bulwark in the user's cache folder)")
	flags.BoolVar(&f.scan.plain, "no-git", false, "treat PATH as a plain folder, ignored files included")
	return cmd
}

func (f *fixFlags) run(ctx context.Context, p Process, where string) error {
	f.scan.stage = "commit"
	at, err := f.scan.locate(where)
	if err != nil {
		return err
	}
	defer at.close()
	if at.kind != workTree && at.kind != folder {
		return usagef("%s: fix changes files in a folder; this is none", where)
	}
	run, err := f.look(ctx, p, at)
	if err != nil {
		return err
	}
	wanted := fix.Wanted(run.Findings)
	if len(f.only) > 0 {
		wanted = slices.DeleteFunc(wanted, func(r fix.Raise) bool { return !slices.Contains(f.only, r.Name) })
	}
	root, err := os.OpenRoot(at.root)
	if err != nil {
		return err
	}
	defer root.Close()
	job := repair{p: p, root: root, write: f.write, done: map[dependency.Ecosystem][]string{}, texts: map[string][]byte{}, before: map[string][]byte{}}
	for _, r := range wanted {
		if err := job.raise(ctx, r); err != nil {
			return err
		}
	}
	return job.finish()
}

// look scans for packages alone.
func (f *fixFlags) look(ctx context.Context, p Process, at *location) (*outcome.Run, error) {
	set, err := f.scan.settings(ctx, p, at)
	if err != nil {
		return nil, err
	}
	packages, err := set.dependencies(p, &f.scan)
	if err != nil {
		return nil, err
	}
	engine, err := set.policy(ctx)
	if err != nil {
		return nil, err
	}
	results, _ := f.scan.openCache(p, at, set)
	q := pipeline.Request{
		Stage: f.scan.stage, Tool: tool(), Policy: engine, Business: set.business(), Context: set.context(p.now()),
		Options: pipeline.Options{Scanners: []scanner.Scanner{packages}, Workers: set.workers, MaxFileSize: set.maxFileSize, Cache: results},
	}
	if err := f.scan.sources(ctx, p, at, set, &q); err != nil {
		return nil, err
	}
	// Directives name rules of all scanners: none is unknown here.
	q.Triage = set.triage(nil)
	run, err := pipeline.Run(ctx, q)
	if err != nil {
		return nil, err
	}
	if results != nil {
		if err := results.Close(); err != nil {
			fmt.Fprintln(p.Stderr, visible("note: "+err.Error()))
		}
	}
	if s := run.Scanners[0]; s.Status == outcome.NotRun || s.Status == outcome.Failed {
		return nil, fmt.Errorf("looking for vulnerable packages: %s", s.Reason)
	}
	if run.Incomplete != "" {
		return nil, fmt.Errorf("looking for vulnerable packages did not finish: %s", run.Incomplete)
	}
	return run, nil
}

// repair changes manifests, in memory until the end.
type repair struct {
	p      Process
	root   *os.Root
	write  bool
	before map[string][]byte
	texts  map[string][]byte
	done   map[dependency.Ecosystem][]string
	left   []string
	raised int
	clears int
}

// raise changes every manifest that asks for a package.
func (j *repair) raise(ctx context.Context, r fix.Raise) error {
	if r.To == "" {
		j.left = append(j.left, fmt.Sprintf("%s: no fixed version is known", r.Name))
		return nil
	}
	changed, why := false, error(nil)
	for _, file := range j.manifests(r) {
		content, err := j.read(file)
		if err != nil {
			return err
		}
		for _, x := range extractors() {
			if x.Binary() || !x.Wants(file) {
				continue
			}
			next, err := fix.Edit(ctx, x, file, content, r)
			switch {
			case err == nil:
				j.texts[file], content, changed = next, next, true
			case !errors.Is(err, fix.ErrNotThere):
				why = fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	switch {
	case changed:
		j.raised++
		j.clears += r.Clears
		j.done[r.Ecosystem] = append(j.done[r.Ecosystem], r.Name)
	case why != nil:
		j.left = append(j.left, fmt.Sprintf("%s to %s: %v", r.Name, r.To, why))
	case len(r.Through) > 0:
		j.left = append(j.left, fmt.Sprintf("%s to %s: no manifest asks for it; raise what pulls it in: %s", r.Name, r.To, strings.Join(r.Through, ", ")))
	default:
		j.left = append(j.left, fmt.Sprintf("%s to %s: no manifest beside what declares it asks for it", r.Name, r.To))
	}
	return nil
}

// manifests lists the files that may ask for a package, in the folders of what
// declares it and above.
func (j *repair) manifests(r fix.Raise) []string {
	var out []string
	for _, folder := range r.Folders {
		for dir := folder; ; dir = path.Dir(dir) {
			entries, err := j.list(dir)
			if err == nil {
				for _, name := range entries {
					if file := path.Join(dir, name); fix.Manifest(file) && !slices.Contains(out, file) {
						out = append(out, file)
					}
				}
			}
			if dir == "." || dir == "/" {
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (j *repair) list(dir string) ([]string, error) {
	d, err := j.root.Open(filepath.FromSlash(dir))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			out = append(out, e.Name())
		}
	}
	return out, err
}

func (j *repair) read(file string) ([]byte, error) {
	if text, ok := j.texts[file]; ok {
		return text, nil
	}
	info, err := j.root.Lstat(filepath.FromSlash(file))
	if err != nil {
		return nil, err
	}
	if info.Size() > maxInputFile {
		return nil, fmt.Errorf("reading %s: it has %d bytes, more than the %d that are read", file, info.Size(), maxInputFile)
	}
	text, err := j.root.ReadFile(filepath.FromSlash(file))
	if err != nil {
		return nil, err
	}
	j.before[file], j.texts[file] = text, text
	return text, nil
}

// finish writes or shows the changes and says what is left.
func (j *repair) finish() error {
	files := []string{}
	for file, text := range j.texts {
		if string(text) != string(j.before[file]) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	for _, file := range files {
		if !j.write {
			if _, err := fmt.Fprint(j.p.Stdout, visibleLines(string(diff.Diff("a/"+file, j.before[file], "b/"+file, j.texts[file])))); err != nil {
				return err
			}
			continue
		}
		if err := writeFileAtomically(filepath.Join(j.root.Name(), filepath.FromSlash(file)), j.texts[file]); err != nil {
			return err
		}
		fmt.Fprintln(j.p.Stdout, visible("changed "+file))
	}
	say := func(format string, args ...any) { fmt.Fprintln(j.p.Stderr, visible(fmt.Sprintf(format, args...))) }
	verb := "would raise"
	if j.write {
		verb = "raised"
	}
	say("%s %s, which clears %s", verb, count(j.raised, "package"), count(j.clears, "finding"))
	for _, e := range slices.Sorted(maps.Keys(j.done)) {
		if cmd := fix.After(e, j.done[e]); cmd != "" && j.write {
			say("next: %s", cmd)
		}
	}
	for _, l := range j.left {
		say("left: %s", l)
	}
	if !j.write && len(files) > 0 {
		say("add --write to change the files")
	}
	return nil
}

// visibleLines makes control characters harmless line by line.
func visibleLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = visible(strings.ReplaceAll(lines[i], "\t", "    "))
	}
	return strings.Join(lines, "\n")
}
