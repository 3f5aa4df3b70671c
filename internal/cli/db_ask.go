package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/cvss"
	"bulwark/internal/advisory/db"
	"bulwark/internal/dependency"
)

func newDBShow(p Process, f *dbFlags) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show what is known of a vulnerability",
		Long: `Show writes what the database holds of a vulnerability, which may be named by any
of its ids: severities, exploitation, text, references and the records joined.`,
		Example: `  bulwark db show CVE-2021-44228
  bulwark db show GHSA-jfh8-c2jp-5v3q --format json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			if format != "text" && format != "json" {
				return usagef("--format %q: want text or json", format)
			}
			d, _, err := f.open(p)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.Close()) }()
			detail, err := d.Detail(args[0])
			if err != nil {
				return err
			}
			rate(detail)
			if format == "json" {
				return writeJSON(p.Stdout, detail)
			}
			return writeDetail(p.Stdout, detail)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text or json")
	return cmd
}

// rate works out the scores of the vectors. One that cannot be read keeps what
// the source says of it.
func rate(d *advisory.Detail) {
	for i, s := range d.Severities {
		if s.Vector == "" {
			continue
		}
		if scored, err := cvss.Parse(s.Vector); err == nil {
			scored.Source = s.Source
			d.Severities[i] = scored
		}
	}
}

func writeDetail(w io.Writer, d *advisory.Detail) error {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(visible(fmt.Sprintf(format, args...)))
		b.WriteByte('\n')
	}
	field := func(name, text string) {
		if text != "" {
			line("%-14s%s", name, text)
		}
	}
	date := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.DateOnly)
	}
	line("%s  %s", d.ID, d.Summary)
	if !d.Withdrawn.IsZero() {
		line("WITHDRAWN on %s: this is no vulnerability, or not one of its own", date(d.Withdrawn))
	}
	b.WriteByte('\n')
	field("Also known as", strings.Join(d.Aliases, ", "))
	field("Published", date(d.Published))
	field("Modified", date(d.Modified))
	for _, s := range d.Severities {
		text := s.Label
		if s.Vector != "" {
			text = fmt.Sprintf("%s %.1f, %s", s.Label, s.Score, s.Vector)
		}
		field("Severity", fmt.Sprintf("%s (%s)", text, s.Source))
	}
	field("Weakness", strings.Join(d.CWEs, ", "))
	if k := d.Exploits.KEV; k != nil {
		text := fmt.Sprintf("%s, listed by CISA on %s, due %s", k.CVE, k.Added, k.Due)
		if k.Ransomware {
			text += ", used by ransomware"
		}
		field("Exploited", text)
		field("", k.Action)
	}
	if e := d.Exploits.EPSS; e != nil {
		field("EPSS", fmt.Sprintf("%.5f, higher than %.2f %% of all (%s, %s)", e.Score, 100*e.Percentile, e.CVE, e.Date))
	}
	if s := d.Exploits.SSVC; s != nil {
		field("SSVC", fmt.Sprintf("exploitation %s, automatable %s, technical impact %s (%s)", s.Exploitation, s.Automatable, s.TechnicalImpact, s.CVE))
	}
	field("Records", strings.Join(d.Records, ", "))
	field("Sources", strings.Join(d.Sources, ", "))
	if text := strings.TrimSpace(d.Text); text != "" {
		b.WriteByte('\n')
		for part := range strings.Lines(text) {
			line("%s", strings.TrimRight(part, "\r\n"))
		}
	}
	if len(d.Symbols) > 0 {
		b.WriteString("\nAffected functions\n")
		for _, path := range slices.Sorted(maps.Keys(d.Symbols)) {
			line("  %s: %s", path, strings.Join(d.Symbols[path], ", "))
		}
	}
	if len(d.References) > 0 {
		b.WriteString("\nReferences\n")
		for _, ref := range d.References {
			line("  %s", ref)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// checked is the answer of db check in JSON.
type checked struct {
	Ecosystem string           `json:"ecosystem"`
	Package   string           `json:"package"`
	Version   string           `json:"version"`
	Serial    string           `json:"serial"` // of the database
	Unordered string           `json:"unordered,omitempty"`
	Matches   []advisory.Match `json:"matches"`
}

func newDBCheck(p Process, f *dbFlags) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "check ECOSYSTEM NAME VERSION",
		Short: "Say which vulnerabilities affect a version of a package, and why",
		Long: `Check names the vulnerabilities that affect one version of one package, each with
its proof: the record, the range or list that holds the version, and how versions
are compared. Ecosystems are named as in OSV: npm, Go, Maven, PyPI, crates.io,
RubyGems, Packagist, NuGet, Debian:12 …

Exit code 0 whether there are any or not, 1 if the database cannot tell.`,
		Example: `  bulwark db check npm lodash 4.17.15
  bulwark db check Maven org.apache.logging.log4j:log4j-core 2.14.1`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if format != "text" && format != "json" {
				return usagef("--format %q: want text or json", format)
			}
			d, info, err := f.open(p)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.Close()) }()
			ecosystem, name, version := args[0], args[1], args[2]
			if !holds(info, ecosystem) {
				return fmt.Errorf("the database holds no advisories of the ecosystem %q, so nothing can be said; `bulwark db status` lists its sources", ecosystem)
			}
			out := checked{Ecosystem: ecosystem, Package: name, Version: version, Serial: info.Serial}
			out.Matches, err = d.Match(cmd.Context(), dependency.Ecosystem(ecosystem), name, version)
			var unordered *db.UnorderedError
			if errors.As(err, &unordered) {
				out.Unordered = unordered.Error()
			} else if err != nil {
				return err
			}
			if out.Matches == nil {
				out.Matches = []advisory.Match{}
			}
			if format == "json" {
				err = writeJSON(p.Stdout, out)
			} else {
				err = out.write(p.Stdout)
			}
			if err == nil && unordered != nil {
				return fmt.Errorf("%w; only records that list it by its text were found", unordered)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text or json")
	return cmd
}

func (c *checked) write(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(visible(fmt.Sprintf(format, args...)))
		b.WriteByte('\n')
	}
	if len(c.Matches) == 0 && c.Unordered == "" {
		line("no known vulnerability affects %s %s %s", c.Ecosystem, c.Package, c.Version)
	}
	for _, m := range c.Matches {
		head := m.ID
		if len(m.Aliases) > 0 {
			head += " (" + strings.Join(m.Aliases, ", ") + ")"
		}
		if m.Malicious {
			head += " MALICIOUS"
		}
		line("%s", head)
		if len(m.Fixed) > 0 {
			line("  fixed in %s", strings.Join(m.Fixed, ", "))
		} else {
			line("  no fix is known")
		}
		for i := range m.Proofs {
			line("  %s: %s", m.Proofs[i].Record, because(&m.Proofs[i]))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// because says in words why a version is affected.
func because(p *advisory.Proof) string {
	if p.Listed {
		return fmt.Sprintf("lists %s %s", p.Package, p.Version)
	}
	var parts []string
	if p.Introduced != "" && p.Introduced != "0" {
		parts = append(parts, "from "+p.Introduced)
	}
	if p.Fixed != "" {
		parts = append(parts, "before "+p.Fixed)
	}
	if p.LastAffected != "" {
		parts = append(parts, "up to "+p.LastAffected)
	}
	if len(parts) == 0 {
		parts = append(parts, "all versions")
	}
	return fmt.Sprintf("affects %s %s; %s is, compared as %s", p.Package, strings.Join(parts, ", "), p.Version, p.Comparator)
}
