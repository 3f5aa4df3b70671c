package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/pipeline"
	"bulwark/internal/pipeline/cache"
	"bulwark/internal/policy"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/sca"
	"bulwark/internal/triage"
)

// scanFlags are the flags of scan.
type scanFlags struct {
	reportFlags
	base, stage                 string
	staged, history, plain      bool
	config                      string
	rules                       []string
	noDefaultRules              bool
	waivers, baseline           string
	writeBaseline               string
	cacheDir                    string
	noCache                     bool
	identityKeyFile             string
	verify                      bool
	verifyEndpoints             []string
	workers                     int
	maxFileSize                 string
	timeout                     time.Duration
	policyFiles                 []string
	policyBundle, bundleKeyFile string
	database                    string
	reach, reachGo              bool
	vex                         []string
	sbom                        string
}

func newScan(p Process) *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan [PATH]",
		Short: "Look, decide, exit",
		Long: `Scan looks at PATH (default: the current folder) and decides by policy whether
it may pass. PATH is a git work tree or bare repository, a folder, a tar or zip
archive, a single file, or - for standard input.

In a git work tree it looks at tracked files and untracked ones that are not
ignored. With --base it looks at what HEAD and the work tree introduce since the
merge base, with --staged at what is about to be committed, with --history at
every blob that any ref reaches. Only what a change introduces can block it.

Exit codes: 0 allowed, 3 blocked by policy, 2 wrong usage or configuration,
1 could not finish.`,
		Example: `  bulwark scan
  bulwark scan --base origin/main --output sarif=bulwark.sarif
  bulwark scan --history --format json > history.json
  git diff | bulwark scan -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "."
			switch {
			case f.sbom != "" && len(args) > 0:
				return usagef("--sbom %s and %s: name one thing to look at", f.sbom, args[0])
			case f.sbom != "":
				path = f.sbom
			case len(args) == 1:
				path = args[0]
			}
			return f.run(cmd.Context(), p, path)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.base, "base", "", "look at what was introduced since the merge base with `REV`")
	flags.BoolVar(&f.staged, "staged", false, "look at what is staged for the next commit")
	flags.BoolVar(&f.history, "history", false, "look at every blob of the whole history, once")
	flags.BoolVar(&f.plain, "no-git", false, "treat PATH as a plain folder, ignored files included")
	flags.StringVar(&f.stage, "stage", "commit", "`STAGE` that the policy is asked about: commit, build, plan, promote, admit, run or audit")
	flags.StringVar(&f.config, "config", "", "configuration `FILE` (default: .bulwark.yaml at the root)")
	flags.StringArrayVar(&f.rules, "rules", nil, "add secret rules from `FILE`, in gitleaks' TOML format; may be repeated")
	flags.BoolVar(&f.noDefaultRules, "no-default-rules", false, "use only the rules that --rules or the configuration names")
	flags.StringArrayVar(&f.policyFiles, "policy", nil, "add Rego policies from `PATH`; may be repeated")
	flags.StringVar(&f.policyBundle, "policy-bundle", "", "add the OPA bundle `FILE`")
	flags.StringVar(&f.bundleKeyFile, "policy-bundle-key", "", "public key `FILE` (PEM) that the bundle must be signed with")
	flags.StringVar(&f.database, "db", "", "advisory database `FILE` (default: $BULWARK_DB, then advisories.db in the user's cache folder)")
	flags.StringArrayVar(&f.vex, "vex", nil, "VEX `FILE` (OpenVEX or CycloneDX) that says which vulnerabilities do not matter here; may be repeated")
	flags.StringVar(&f.sbom, "sbom", "", "look at the packages that the SBOM `FILE` lists (CycloneDX or SPDX), instead of PATH")
	flags.BoolVar(&f.reach, "reach", false, "read from source files whether production code imports a vulnerable package")
	flags.BoolVar(&f.reachGo, "reach-go", false, "analyse the calls of Go modules: can code reach the vulnerable functions? Runs the go command on PATH, without network")
	flags.StringVar(&f.waivers, "waivers", "", "waiver `FILE` (default: .bulwark/waivers.yaml)")
	flags.StringVar(&f.baseline, "baseline", "", "baseline `FILE`: findings in it are not new (default: .bulwark/baseline.json)")
	flags.StringVar(&f.writeBaseline, "write-baseline", "", "record the present findings in `FILE` and allow them from now on")
	flags.StringVar(&f.cacheDir, "cache-dir", "", "cache `FOLDER` (default: bulwark in the user's cache folder)")
	flags.BoolVar(&f.noCache, "no-cache", false, "neither read nor write the cache")
	flags.StringVar(&f.identityKeyFile, "identity-key-file", "", "`FILE` with the key of the fingerprints, in base64")
	flags.BoolVar(&f.verify, "verify", false, "ask providers whether credentials are live (sends them to the provider)")
	flags.StringArrayVar(&f.verifyEndpoints, "verify-endpoint", nil, "ask a provider at another address, as `PROVIDER=URL`, for self-hosted instances")
	flags.IntVar(&f.workers, "workers", 0, "files examined at once (default: one for each core)")
	flags.StringVar(&f.maxFileSize, "max-file-size", "", "larger files are reported as not looked at, such as 200MiB (default 1GiB)")
	flags.DurationVar(&f.timeout, "timeout", 0, "give up after this `TIME`, such as 5m; the verdict is then not allow")
	_ = cmd.MarkFlagFilename("rules", "toml")
	_ = cmd.MarkFlagFilename("config", "yaml")
	return cmd
}

func (f *scanFlags) run(ctx context.Context, p Process, path string) error {
	outputs, err := f.parse(p)
	if err != nil {
		return usage(err)
	}
	if err := f.check(); err != nil {
		return err
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	at, err := f.locate(path)
	if err != nil {
		return err
	}
	defer at.close()
	set, err := f.settings(ctx, p, at)
	if err != nil {
		return err
	}
	engine, err := set.policy(ctx)
	if err != nil {
		return err
	}
	secrets, vault, err := set.secrets(f.verify)
	if err != nil {
		return err
	}
	scanners := []scanner.Scanner{secrets}
	if f.sbom != "" {
		scanners = nil // an SBOM is a list of packages, and nothing else is looked for in it
	}
	if set.cfg.Dependency.Enabled || f.sbom != "" {
		packages, err := set.dependencies(p, f)
		if err != nil {
			return err
		}
		scanners = append(scanners, packages)
	}
	if at.kind == standardInput {
		p.Stdin = interruptible(ctx, p.Stdin)
	}
	results, notice := f.openCache(p, at, set)

	known := map[string]bool{}
	q := pipeline.Request{
		Stage: f.stage, Tool: tool(),
		Options: pipeline.Options{
			Scanners: scanners, Workers: set.workers, MaxFileSize: set.maxFileSize, Cache: results,
			Progress: &pipeline.Progress{},
		},
		Policy: engine, Business: set.business(), Context: set.context(p.now()),
		Settings: set.record(), Notices: append(set.notices, notice...),
	}
	if err := f.sources(ctx, p, at, set, &q); err != nil {
		return err
	}
	q.Triage = set.triage(func(id string) bool {
		if len(known) == 0 {
			for _, r := range sca.Rules() { // known also where the scanner is turned off
				known[r.ID] = true
			}
			for _, s := range q.Options.Scanners {
				for _, r := range s.Rules() {
					known[r.ID] = true
				}
			}
		}
		return known[id]
	})
	var looks []examination
	if f.verify {
		q.Options.Cache = nil // values are only in contents that are really scanned
		looks = append(looks, vault.examine(p, set))
	}
	if f.reachGo {
		database, err := databasePath(p, f.database)
		if err != nil {
			return err
		}
		looks = append(looks, (&goReach{at.root, database}).examine)
	}
	q.Examine = inTurn(looks)
	stop := f.progress(p, q.Options.Progress)
	run, err := pipeline.Run(ctx, q)
	stop()
	if results != nil && err == nil {
		if err := results.Close(); err != nil {
			run.Notices = append(run.Notices, outcome.Notice{Kind: "cache", Message: err.Error()})
		}
	}
	if err != nil {
		return err
	}
	if f.writeBaseline != "" {
		return f.saveBaseline(p, run, set)
	}
	if err := outputs.write(p, run); err != nil {
		return err
	}
	if run.Incomplete != "" && run.Verdict != outcome.Block {
		return fmt.Errorf("scanning %s did not finish: %s", path, run.Incomplete)
	}
	return verdictExit(run.Verdict)
}

// examination looks closer at findings before the decision.
type examination = func(ctx context.Context, findings []finding.Finding) ([]outcome.Notice, error)

// inTurn makes one examination of several; nil of none.
func inTurn(looks []examination) examination {
	if len(looks) == 0 {
		return nil
	}
	return func(ctx context.Context, findings []finding.Finding) ([]outcome.Notice, error) {
		var all []outcome.Notice
		for _, look := range looks {
			notices, err := look(ctx, findings)
			if err != nil {
				return nil, err
			}
			all = append(all, notices...)
		}
		return all, nil
	}
}

// verdictExit is the exit code of a verdict, as an error.
func verdictExit(v outcome.Verdict) error {
	switch v {
	case outcome.Allow, outcome.Warn:
		return nil
	case outcome.Block:
		return &exitError{code: exitBlocked}
	}
	return &exitError{code: exitUnable}
}

// stages are those that a policy can be asked about.
var stages = []string{"commit", "build", "plan", "promote", "admit", "run", "audit"}

func (f *scanFlags) check() error {
	var modes []string
	for _, m := range []struct {
		name string
		set  bool
	}{{"--base", f.base != ""}, {"--staged", f.staged}, {"--history", f.history}, {"--no-git", f.plain}, {"--sbom", f.sbom != ""}} {
		if m.set {
			modes = append(modes, m.name)
		}
	}
	if f.reachGo && f.history {
		return usagef("--reach-go looks at the code of the work tree; it cannot be combined with --history")
	}
	if len(modes) > 1 {
		return usagef("%s exclude one another; give one of them", strings.Join(modes, " and "))
	}
	for _, s := range stages {
		if s == f.stage {
			return nil
		}
	}
	return usagef("--stage %q: want one of %v", f.stage, stages)
}

// openCache opens the cache; without one the scan is slower, not wrong.
func (f *scanFlags) openCache(p Process, at *location, set *settings) (*cache.Cache, []outcome.Notice) {
	dir, err := f.cacheFolder(p)
	if err != nil {
		return nil, []outcome.Notice{{Kind: "cache", Message: "no cache: " + err.Error() + "; name a folder with --cache-dir"}}
	}
	if dir == "" {
		return nil, nil
	}
	c, err := cache.Open(dir, at.partition(), set.cacheSize)
	if err != nil {
		return nil, []outcome.Notice{{Kind: "cache", Message: err.Error()}}
	}
	return c, nil
}

// cacheFolder is where results are remembered; empty if they are not.
func (f *scanFlags) cacheFolder(p Process) (string, error) {
	if f.noCache {
		return "", nil
	}
	if f.cacheDir != "" {
		return f.cacheDir, nil
	}
	base := p.Getenv("XDG_CACHE_HOME")
	if base == "" {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(base, "bulwark"), nil
}

func (f *scanFlags) saveBaseline(p Process, run *outcome.Run, set *settings) error {
	if run.Mode != "full" || run.Incomplete != "" {
		return usagef("--write-baseline needs a complete scan of everything, not a %s scan", run.Mode)
	}
	for _, s := range run.Skips {
		if s.Failed {
			return fmt.Errorf("writing the baseline: %s could not be looked at (%s); a baseline of half a repository would hide the rest", s.Path, s.Reason)
		}
	}
	for _, s := range run.Scanners {
		if s.Status != outcome.Complete {
			return fmt.Errorf("writing the baseline: the %s scanner did not look at everything (%s); a baseline of half a repository would hide the rest", s.Name, s.Reason)
		}
	}
	var open []finding.Finding
	for _, x := range run.Findings {
		if !x.Suppressed() {
			open = append(open, x)
		}
	}
	data, err := triage.WriteBaseline(open, tool().Name+" "+tool().Version, set.keyID, run.Started)
	if err != nil {
		return err
	}
	if err := writeFileAtomically(f.writeBaseline, data); err != nil {
		return err
	}
	if !f.quiet {
		fmt.Fprintf(p.Stderr, "wrote %d findings to %s; commit it, and only what is new will block\n", len(open), f.writeBaseline)
	}
	return nil
}

// writeFileAtomically writes a whole file under its final name or nothing.
func writeFileAtomically(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".bulwark-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return nil
}

// readFunc is a reader made of a function.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// interruptible reads from r until ctx is done, although nobody writes to the
// pipe or terminal that r may be.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	type result struct {
		n   int
		err error
	}
	whole := make([]byte, 64<<10)
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil || len(p) == 0 {
			return 0, err
		}
		// A read that is left behind may still write to buf: it is never used again.
		got, buf := make(chan result, 1), whole[:min(len(p), len(whole))]
		go func() {
			n, err := r.Read(buf)
			got <- result{n, err}
		}()
		select {
		case g := <-got:
			return copy(p, buf[:g.n]), g.err
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
}

// progress shows on a terminal what has been done, and returns what ends it.
func (f *scanFlags) progress(p Process, now *pipeline.Progress) (stop func()) {
	if f.quiet || !isTerminal(p.Stderr) || p.Getenv("CI") != "" {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		shown := false
		for n := 0; ; n++ {
			select {
			case <-tick.C:
				if n < 4 {
					continue // nobody needs progress of what takes a moment
				}
				shown = true
				fmt.Fprintf(p.Stderr, "\r\x1b[K%d files, %.1f MiB, %d findings", now.Files.Load(), float64(now.Bytes.Load())/(1<<20), now.Findings.Load())
			case <-done:
				if shown {
					fmt.Fprint(p.Stderr, "\r\x1b[K")
				}
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// policyError keeps the exit code of a policy that cannot be loaded.
func policyError(err error) error {
	if policy.IsKind(err, policy.Configuration) {
		return usage(err)
	}
	return err
}
