package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
	"github.com/spf13/cobra"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
	"bulwark/internal/advisory/install"
	"bulwark/internal/dependency"
	"bulwark/internal/sbom/watch"
)

// sbomWatchFlags are those of sbom watch.
type sbomWatchFlags struct {
	db       dbFlags
	previous string
	state    string
	format   string
	initial  bool
	cross    float64
	jump     float64
}

func newSBOMWatch(p Process) *cobra.Command {
	var f sbomWatchFlags
	cmd := &cobra.Command{
		Use:   "watch FOLDER",
		Short: "Report what newly concerns stored SBOMs",
		Long: `Watch evaluates the SBOMs of a folder (*.json, *.xml, *.spdx, *.cdx, *.tag, also in
folders below) against the advisory database and reports what changed since the
last run: newly affected, newly known to be exploited (KEV), more likely to be
exploited (EPSS), withdrawn, end of life reached. It runs once; have a timer start
it after each ` + "`bulwark db update`" + `.

Only packages whose advisories changed are looked at, if the former database is
there (--previous, or kept by db update --keep). The first run, and an SBOM that is
new, report nothing, unless --initial is given: what stands is the matter of a scan.

Each alert is in the file STATE.outbox exactly once, as a JSON line, whatever is
killed when. On standard output, an alert that was being written during a kill may
come again, with the same id. Exit code 0 whether or not there are alerts.`,
		Example: `  bulwark sbom watch sboms/
  bulwark sbom watch --format json --state /var/lib/bulwark/watch sboms/`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), p, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.db.path, "db", "", "database `FILE` (default: $BULWARK_DB, else bulwark/advisories.db in the user's cache folder)")
	flags.StringVar(&f.previous, "previous", "", "former database `FILE` (default: the one that db update kept)")
	flags.StringVar(&f.state, "state", "", "`FILE` that remembers, with others beside it (default: .bulwark-watch in the folder)")
	flags.StringVarP(&f.format, "format", "f", "text", "`KIND` of output: text, json (one object to a line)")
	flags.BoolVar(&f.initial, "initial", false, "report also what affects SBOMs that are new")
	flags.Float64Var(&f.cross, "epss", watch.DefaultCross, "report when an EPSS score reaches `SCORE`")
	flags.Float64Var(&f.jump, "epss-rise", watch.DefaultJump, "report when an EPSS score rose by `DIFFERENCE`")
	return cmd
}

func (f *sbomWatchFlags) run(ctx context.Context, p Process, folder string) (err error) {
	if f.format != "text" && f.format != "json" {
		return usagef("--format %q: want text or json", f.format)
	}
	if f.cross <= 0 || f.cross > 1 || f.jump <= 0 || f.jump > 1 {
		return usagef("--epss and --epss-rise are probabilities above 0, up to 1")
	}
	if f.state == "" {
		f.state = filepath.Join(folder, ".bulwark-watch")
	}
	now, info, err := f.db.open(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, now.Close()) }()
	delta, err := f.delta(p, now, info)
	if err != nil {
		return err
	}
	r, err := watch.Run(ctx, watch.Options{
		Folder: folder, State: f.state, Database: watched{now, info}, Delta: delta, Cross: f.cross, Jump: f.jump,
		Initial: f.initial, Now: p.now(), Emit: f.emit(p),
	})
	if err != nil {
		return err
	}
	for _, problem := range r.Problems {
		fmt.Fprintln(p.Stderr, visible(fmt.Sprintf("warning: %s is not watched as it is now: %v", problem.Path, problem.Err)))
	}
	if r.Unordered > 0 {
		fmt.Fprintf(p.Stderr, "warning: %d versions could not be compared with advisories\n", r.Unordered)
	}
	fmt.Fprintf(p.Stderr, "%d SBOMs, %d of them new or changed; %d packages, %d looked up; %d components without a known package URL; %d alerts\n",
		r.SBOMs, r.Read, r.Packages, r.Evaluated, r.Unidentified, r.Emitted)
	return nil
}

// emit writes an alert.
func (f *sbomWatchFlags) emit(p Process) func(line []byte) error {
	return func(line []byte) error {
		if f.format == "json" {
			_, err := p.Stdout.Write(line)
			return err
		}
		var a watch.Alert
		if err := json.Unmarshal(line, &a); err != nil {
			return err
		}
		_, err := fmt.Fprintln(p.Stdout, visible(fmt.Sprintf("%-11s %s: %s", a.Kind, a.SBOM, a.Message)))
		return err
	}
}

// delta compares with the database of the last run, if that is at hand.
func (f *sbomWatchFlags) delta(p Process, now *db.DB, info advisory.Info) (_ *watch.Delta, err error) {
	last, err := watch.LastDatabase(f.state)
	if err != nil {
		return nil, err
	}
	if last == info.Serial {
		return nil, nil //nolint:nilnil // nothing changed
	}
	former := f.previous
	if former == "" && last != "" {
		path, err := databasePath(p, f.db.path)
		if err != nil {
			return nil, err
		}
		former = install.Former(path, last)
	}
	if former == "" {
		return nil, nil //nolint:nilnil // no delta: everything is evaluated anew
	}
	before, err := db.Open(former)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, before.Close()) }()
	old, err := before.Info()
	if err != nil {
		return nil, err
	}
	if last != "" && last != old.Serial {
		fmt.Fprintln(p.Stderr, visible(fmt.Sprintf("note: %s is not the database of the last run; all packages are looked up", former)))
		return nil, nil //nolint:nilnil // as above
	}
	d := &watch.Delta{From: old.Serial}
	for c, err := range db.Compare(before, now) {
		if err != nil {
			return nil, fmt.Errorf("comparing the databases: %w", err)
		}
		// Strings of the databases end with them.
		d.Packages = append(d.Packages, dependency.Package{Ecosystem: dependency.Ecosystem(strings.Clone(string(c.Ecosystem))), Name: strings.Clone(c.Name)})
	}
	for c, err := range db.CompareExploits(before, now, 0.0001) {
		if err != nil {
			return nil, fmt.Errorf("comparing the databases: %w", err)
		}
		d.CVEs = append(d.CVEs, strings.Clone(c.CVE))
	}
	return d, nil
}

// watched adapts the database to what watching asks.
type watched struct {
	*db.DB
	info advisory.Info
}

var _ watch.Database = watched{}

// Serial implements watch.Database.
func (w watched) Serial() string { return w.info.Serial }

// Cycles implements watch.Database.
func (w watched) Cycles() string {
	i := slices.IndexFunc(w.info.Sources, func(s advisory.SourceInfo) bool { return s.Name == "eol" })
	if i < 0 {
		return "none"
	}
	return w.info.Sources[i].Digest
}

// Match implements watch.Database.
func (w watched) Match(ctx context.Context, p dependency.Package) ([]advisory.Match, bool, error) {
	matches, err := w.DB.Match(ctx, p.Ecosystem, p.Name, p.Version)
	var unordered *db.UnorderedError
	if errors.As(err, &unordered) {
		return matches, true, nil
	}
	return matches, false, err
}

// EndOfLife implements watch.Database.
func (w watched) EndOfLife(purl string, p dependency.Package, day string) (advisory.Cycle, bool, error) {
	u, err := packageurl.FromString(purl)
	if err != nil {
		return advisory.Cycle{}, false, nil //nolint:nilerr // no package URL: no known product
	}
	return w.DB.EndOfLife(u.Type, u.Namespace, u.Name, p.Version, day)
}
