package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/feed"
	"bulwark/internal/advisory/install"
	"bulwark/internal/advisory/snapshot"
)

// update replaces the database and keeps former ones.
func update(ctx context.Context, lock *install.Lock, o feed.Options, keep int) (*feed.Result, error) {
	done, err := retain(lock, keep)
	if err != nil {
		return nil, err
	}
	res, err := feed.Update(ctx, lock, o, nil)
	if err != nil {
		return nil, err
	}
	return res, done()
}

// retain keeps the present database, if there is one that is whole, and returns
// what is to be done when it has been replaced.
func retain(lock *install.Lock, keep int) (done func() error, err error) {
	if keep == 0 {
		return func() error { return nil }, nil
	}
	f := dbFlags{path: lock.Path()}
	if d, info, err := f.open(Process{}); err == nil {
		if err := errors.Join(d.Close(), lock.Retain(info.Serial)); err != nil {
			return nil, err
		}
	}
	return func() error { return lock.Prune(keep) }, nil
}

func hasSource(sources []advisory.SourceInfo, name string) bool {
	return slices.ContainsFunc(sources, func(s advisory.SourceInfo) bool { return s.Name == name })
}

func newDBExport(p Process, f *dbFlags) *cobra.Command {
	var since, keyFile string
	var unsigned bool
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write a signed snapshot of the database for a place without a network",
		Long: `Export writes the database, or with --since how it differs from an older one, to
one file with a manifest that is signed by an Ed25519 key. --since takes an older
database's file, or the serial of one that update --keep kept.`,
		Example: `  openssl genpkey -algorithm ed25519 -out key.pem
  openssl pkey -in key.pem -pubout -out public.pem
  bulwark db export advisories.snapshot --key key.pem
  bulwark db export today.delta --since 4f0c6ae19d2b7783 --key key.pem`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := databasePath(p, f.path)
			if err != nil {
				return err
			}
			o := snapshot.ExportOptions{Database: path}
			switch {
			case keyFile != "" && unsigned:
				return usagef("--key and --unsigned exclude one another")
			case keyFile == "" && !unsigned:
				return usagef("a snapshot is signed: give the private key with --key KEY.pem\nhint: `openssl genpkey -algorithm ed25519 -out key.pem` makes one; --unsigned writes a snapshot that nobody can verify")
			case keyFile != "":
				data, err := readFile(keyFile, maxInputFile)
				if err != nil {
					return usage(err)
				}
				if o.Key, err = snapshot.PrivateKey(data); err != nil {
					return usagef("--key %s: %w", keyFile, err)
				}
			}
			if since != "" {
				if o.Since, err = formerDatabase(path, since); err != nil {
					return err
				}
			}
			m, err := snapshot.Export(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			what := "snapshot"
			if m.Kind == snapshot.Delta {
				what = "delta since " + m.Base.Serial
			}
			st, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			if unsigned {
				fmt.Fprintln(p.Stderr, "the snapshot is not signed: whoever imports it cannot tell who made it")
			}
			_, err = fmt.Fprintf(p.Stdout, "wrote %s: %s, %.1f MB\nserial %s, built %s\n",
				visible(args[0]), what, float64(st.Size())/1e6, m.Database.Serial, m.Built.Format(time.RFC3339))
			return err
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "write only what differs from the older database `SERIAL|FILE`")
	cmd.Flags().StringVar(&keyFile, "key", "", "private key `FILE` (PEM, PKCS #8, Ed25519) to sign with")
	cmd.Flags().BoolVar(&unsigned, "unsigned", false, "write a snapshot without signature")
	return cmd
}

// formerDatabase is the file of an older database, by its path or serial.
func formerDatabase(path, since string) (string, error) {
	if former := install.Former(path, since); former != "" {
		return former, nil
	}
	if st, err := os.Stat(since); err == nil && st.Mode().IsRegular() {
		return since, nil
	}
	if strings.Trim(since, "0123456789abcdef") == "" {
		return "", usagef("--since %s: no former database with this serial is kept; `bulwark db update --keep N` keeps them, and serials have 16 to 64 letters", since)
	}
	return "", usagef("--since %s: no such file", since)
}

func newDBImport(p Process, f *dbFlags) *cobra.Command {
	var keyFile string
	var unsigned bool
	var o snapshot.ImportOptions
	var keep int
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Put the database of a snapshot in place",
		Long: `Import verifies that a snapshot was signed by the key given, that it is whole and
not older than the database installed, and puts its database in place. A delta is
applied only to the database that it was made against. With any error the database
stays as it is.`,
		Example: `  bulwark db import advisories.snapshot --verify public.pem`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			switch {
			case keep < 0:
				return usagef("--keep %d: want a number of former databases", keep)
			case keyFile != "" && unsigned:
				return usagef("--verify and --insecure-unsigned exclude one another")
			case keyFile == "" && !unsigned:
				return usagef("who made a snapshot must be verified: give the public key with --verify KEY.pem\nhint: --insecure-unsigned imports a file that anybody could have made")
			case keyFile != "":
				data, err := readFile(keyFile, maxInputFile)
				if err != nil {
					return usage(err)
				}
				if o.Key, err = snapshot.PublicKey(data); err != nil {
					return usagef("--verify %s: %w", keyFile, err)
				}
			}
			if unsigned {
				fmt.Fprintln(p.Stderr, "importing without verifying who made the snapshot")
			}
			lock, err := f.lock(cmd, p)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lock.Close()) }()
			done, err := retain(lock, keep)
			if err != nil {
				return err
			}
			res, err := snapshot.Import(cmd.Context(), lock, args[0], o, nil)
			if err != nil {
				return err
			}
			if err := done(); err != nil {
				return err
			}
			what := "imported"
			if res.Same {
				what = "installed already:"
			}
			_, err = fmt.Fprintf(p.Stdout, "%s %d records, %d vulnerabilities, %d packages, built %s\nserial %s\n",
				what, res.Info.Records, res.Info.Groups, res.Info.Packages, res.Info.Built.Format(time.RFC3339), res.Info.Serial)
			return err
		},
	}
	cmd.Flags().StringVar(&keyFile, "verify", "", "public key `FILE` (PEM, Ed25519) that must have signed the snapshot")
	cmd.Flags().BoolVar(&unsigned, "insecure-unsigned", false, "do not verify who made the snapshot")
	cmd.Flags().BoolVar(&o.AllowOlder, "allow-older", false, "accept a snapshot older than the database installed")
	cmd.Flags().IntVar(&keep, "keep", 0, "keep `N` former databases")
	return cmd
}
