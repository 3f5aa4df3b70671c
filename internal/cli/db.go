package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
	"bulwark/internal/advisory/install"
	"bulwark/internal/config"
)

// dbFlags are those that all verbs about the database have.
type dbFlags struct{ path string }

func newDB(p Process) *cobra.Command {
	var f dbFlags
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Keep and ask the database of advisories",
		Long: `The database of advisories is one file with what is known of packages:
vulnerabilities, malicious packages, exploitation and ends of life. Scans read it
offline. It lies where --db says, else where the variable BULWARK_DB says, else at
bulwark/advisories.db in the user's cache folder.

Only update reaches the network, and says so; with folders as its sources it does
not either.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&f.path, "db", "", "database `FILE` (default: $BULWARK_DB, else bulwark/advisories.db in the user's cache folder)")
	cmd.AddCommand(newDBUpdate(p, &f), newDBStatus(p, &f), newDBExport(p, &f), newDBImport(p, &f), newDBShow(p, &f), newDBCheck(p, &f))
	return cmd
}

// open opens the database.
func (f *dbFlags) open(p Process) (*db.DB, advisory.Info, error) {
	path, err := databasePath(p, f.path)
	if err != nil {
		return nil, advisory.Info{}, err
	}
	d, err := db.Open(path)
	if err != nil {
		return nil, advisory.Info{}, fmt.Errorf("opening %s: %w", path, err)
	}
	info, err := d.Info()
	if err != nil {
		return nil, info, errors.Join(fmt.Errorf("opening %s: %w", path, err), d.Close())
	}
	return d, info, nil
}

// lock takes the right to change the database.
func (f *dbFlags) lock(cmd *cobra.Command, p Process) (*install.Lock, error) {
	path, err := databasePath(p, f.path)
	if err != nil {
		return nil, err
	}
	return install.Acquire(cmd.Context(), path, p.now(), func(h install.Holder) {
		fmt.Fprintln(p.Stderr, visible(fmt.Sprintf("waiting: %s is being updated by %s", path, h)))
	})
}

// databaseStatus is the answer of db status.
type databaseStatus struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`  // bytes
	Age   int64  `json:"age"`   // seconds since it was built
	Stale bool   `json:"stale"` // older than a scan accepts by default
	// MaxAgeDays is that age.
	MaxAgeDays int `json:"max_age_days"`
	advisory.Info
}

func newDBStatus(p Process, f *dbFlags) *cobra.Command {
	var format string
	var maxAge int
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how old the database is and what it was built from",
		Long: `Status verifies the whole database and tells its age, size, serial and counts, and
of each source how many records were read and how new the newest is. Exit code 0
if it can be used, 1 if it is missing, damaged, or older than --max-age.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			if format != "text" && format != "json" {
				return usagef("--format %q: want text or json", format)
			}
			if maxAge < 0 {
				return usagef("--max-age %d: want a number of days, or 0 for any age", maxAge)
			}
			d, info, err := f.open(p)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.Close()) }()
			path, err := databasePath(p, f.path)
			if err != nil {
				return err
			}
			if err := d.Verify(); err != nil {
				return fmt.Errorf("verifying %s: %w", path, err)
			}
			st, err := os.Stat(path)
			if err != nil {
				return err
			}
			age := p.now().Sub(info.Built)
			s := databaseStatus{
				Path: path, Size: st.Size(), Age: int64(age / time.Second), Info: info, MaxAgeDays: maxAge,
				Stale: maxAge > 0 && age > time.Duration(maxAge)*24*time.Hour,
			}
			if format == "json" {
				err = writeJSON(p.Stdout, s)
			} else {
				err = s.write(p.Stdout, age)
			}
			if err == nil && s.Stale {
				return fmt.Errorf("the advisory database is %s old, more than %d days: what was published since is unknown; run `bulwark db update`", spell(age), maxAge)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text or json")
	cmd.Flags().IntVar(&maxAge, "max-age", config.Default().Dependency.MaxAgeDays, "`DAYS` after which it counts as stale; 0: never")
	return cmd
}

func (s *databaseStatus) write(w io.Writer, age time.Duration) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	state := "current"
	if s.Stale {
		state = fmt.Sprintf("STALE: older than %d days", s.MaxAgeDays)
	}
	fmt.Fprintf(t, "database\t%s\n", visible(s.Path))
	fmt.Fprintf(t, "built\t%s, %s ago (%s)\n", s.Built.Format(time.RFC3339), spell(age), state)
	if newest, err := time.Parse(time.RFC3339, newestRecord(s.Sources)); err == nil {
		before := ""
		if gap := s.Built.Sub(newest); gap >= 48*time.Hour {
			before = ", " + spell(gap) + " before it was built: its sources were that old"
		}
		fmt.Fprintf(t, "newest\t%s%s\n", newest.Format(time.RFC3339), before)
	}
	fmt.Fprintf(t, "serial\t%s\n", s.Serial)
	fmt.Fprintf(t, "size\t%.1f MB\n", float64(s.Size)/1e6)
	fmt.Fprintf(t, "holds\t%d records, %d vulnerabilities, %d packages\n", s.Records, s.Groups, s.Packages)
	if s.Unordered > 0 {
		fmt.Fprintf(t, "\t%d ranges have bounds that cannot be ordered; of these only listed versions match\n", s.Unordered)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b.WriteString("\n")
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "SOURCE\tRECORDS\tNEWEST\tFROM\n")
	for _, src := range s.Sources {
		newest := src.Newest
		if newest == "" {
			newest = "not stated"
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", visible(src.Name), src.Records, visible(newest), visible(src.Location))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// newestRecord is when the newest advisory was modified; empty if no source
// states it.
func newestRecord(sources []advisory.SourceInfo) string {
	newest := ""
	for _, s := range sources {
		if strings.Contains(s.Name, "/") {
			newest = max(newest, s.Newest) // in UTC, so the text sorts by time
		}
	}
	return newest
}

// spell says a duration as people do.
func spell(d time.Duration) string {
	count := func(n int64, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch {
	case d < 0:
		return "0 seconds"
	case d < 2*time.Minute:
		return count(int64(d/time.Second), "second")
	case d < 2*time.Hour:
		return count(int64(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int64(d/time.Hour), "hour")
	}
	return count(int64(d/(24*time.Hour)), "day")
}

// writeJSON writes one indented document. The encoder writes no control
// characters, and no others that a terminal would act on but C1, which are
// escaped here.
func writeJSON(w io.Writer, v any) error {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range b.String() {
		if r != '\n' && r < 0x10000 && visible(string(r)) != string(r) {
			fmt.Fprintf(&out, "\\u%04x", r)
			continue
		}
		out.WriteRune(r)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// holds reports whether a database was built from advisories of an ecosystem,
// which may be named with a release ("Debian:12").
func holds(info advisory.Info, ecosystem string) bool {
	base, _, _ := strings.Cut(ecosystem, ":")
	return slices.ContainsFunc(info.Sources, func(s advisory.SourceInfo) bool {
		_, of, found := strings.Cut(s.Name, "/")
		return found && (of == base || of == ecosystem)
	})
}
