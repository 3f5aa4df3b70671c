package cli

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulwark/internal/advisory/feed"
	"bulwark/internal/dependency"
)

func newDBUpdate(p Process, f *dbFlags) *cobra.Command {
	var o feed.Options
	var keep int
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Build the database anew from its sources",
		Long: `Update reads OSV exports (ECOSYSTEM/all.zip and modified_id.csv), CISA's KEV
catalogue, EPSS scores, SSVC decision points and ends of life, and replaces the
database when all of them could be read. Without --from it fetches the public
exports of the ecosystems that Bulwark reads, KEV, EPSS and endoflife.date.

What is fetched is kept beside the database, so that the next update fetches only
what changed. A folder given with --from may hold such exports, folders of them
(osv, osv-derived), and the tables in it or in its folders (kev, epss, ssvc, eol);
of several dated files of a table the newest is taken.

If a source cannot be read, or more than 1 in 100 of its records are malformed,
the database stays as it is. Of two updates at once the second waits.`,
		Example: `  bulwark db update
  bulwark db update --ecosystem npm --ecosystem Go
  bulwark db update --from /media/advisories
  bulwark db update --from https://mirror.example/osv --kev https://mirror.example/kev.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if keep < 0 {
				return usagef("--keep %d: want a number of former databases", keep)
			}
			publicSources(&o)
			o.Now = p.now()
			o.Transport.Proxy = http.ProxyFromEnvironment
			o.Say = func(s string) { fmt.Fprintln(p.Stderr, visible(s)) }
			if hosts := hostsOf(&o); len(hosts) > 0 {
				fmt.Fprintln(p.Stderr, visible("reaching the network: "+strings.Join(hosts, ", ")))
			}
			lock, err := f.lock(cmd, p)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lock.Close()) }()
			start := time.Now()
			res, err := update(cmd.Context(), lock, o, keep)
			if err != nil {
				return err
			}
			for _, problem := range res.Problems {
				fmt.Fprintln(p.Stderr, visible(fmt.Sprintf("left out: %s: %s: %s", problem.Set, problem.Name, problem.Reason)))
			}
			if len(res.Refused) > 0 {
				total := 0
				var parts []string
				for _, set := range slices.Sorted(maps.Keys(res.Refused)) {
					total += res.Refused[set]
					parts = append(parts, fmt.Sprintf("%s %d", set, res.Refused[set]))
				}
				fmt.Fprintln(p.Stderr, visible(fmt.Sprintf("left out %d malformed records: %s", total, strings.Join(parts, ", "))))
			}
			for _, table := range []struct{ name, without string }{
				{"kev", "known exploitation"}, {"epss", "probabilities of exploitation"}, {"ssvc", "SSVC decision points"}, {"eol", "ends of life"},
			} {
				if !hasSource(res.Info.Sources, table.name) {
					fmt.Fprintf(p.Stderr, "no source for %s: give one with --%s\n", table.without, table.name)
				}
			}
			_, err = fmt.Fprintf(p.Stdout, "%d records, %d vulnerabilities, %d packages from %d sources in %.1f s\nserial %s\n",
				res.Info.Records, res.Info.Groups, res.Info.Packages, len(res.Info.Sources), time.Since(start).Seconds(), res.Info.Serial)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.From, "from", nil, "OSV exports: `URL` or folder; may be repeated (default: the public exports)")
	flags.StringArrayVar(&o.Ecosystems, "ecosystem", nil, "only the `ECOSYSTEM` named as in OSV; may be repeated (default: all that are there, or of a URL all that Bulwark reads)")
	flags.StringVar(&o.KEV, "kev", "", "KEV catalogue: `SOURCE` is a URL, a file or a folder")
	flags.StringVar(&o.EPSS, "epss", "", "EPSS scores: `SOURCE` is a URL, a file or a folder")
	flags.StringVar(&o.SSVC, "ssvc", "", "SSVC decision points: `SOURCE` is a URL, a file or a folder")
	flags.StringVar(&o.EOL, "eol", "", "ends of life: `SOURCE` is a URL, a file or a folder")
	flags.BoolVar(&o.AllowShrink, "allow-shrink", false, "accept an export that lost more than a tenth of its records")
	flags.IntVar(&keep, "keep", 0, "keep `N` former databases, so that deltas can be exported against their serials")
	return cmd
}

// publicSources fills in what is fetched if nothing is named.
func publicSources(o *feed.Options) {
	if len(o.From) == 0 {
		o.From = []string{feed.PublicOSV}
		setDefault(&o.KEV, feed.PublicKEV)
		setDefault(&o.EPSS, feed.PublicEPSS)
		setDefault(&o.EOL, feed.PublicEOL)
	}
	if len(o.Ecosystems) == 0 && slices.ContainsFunc(o.From, feed.IsURL) {
		o.Optional = true
		for _, e := range []dependency.Ecosystem{
			dependency.NPM, dependency.Go, dependency.Maven, dependency.PyPI, dependency.Cargo, dependency.RubyGems, dependency.Packagist,
			dependency.NuGet, dependency.Swift, dependency.Pub, dependency.Hex, dependency.Conan, dependency.GitHubActions,
			dependency.Debian, dependency.Alpine,
		} {
			o.Ecosystems = append(o.Ecosystems, string(e))
		}
	}
}

func setDefault(s *string, standard string) {
	if *s == "" {
		*s = standard
	}
}

// hostsOf are the hosts that an update reaches, sorted.
func hostsOf(o *feed.Options) []string {
	var hosts []string
	for _, s := range append(slices.Clone(o.From), o.KEV, o.EPSS, o.SSVC, o.EOL) {
		if feed.IsURL(s) {
			_, rest, _ := strings.Cut(feed.Public(s), "://")
			host, _, _ := strings.Cut(rest, "/")
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
