// Package cli is the command line: one file for each verb, flags to options,
// results to standard output, everything else to standard error, and an exit
// code that is a contract. It decides nothing itself.
//
// Exit codes: 0 allowed, 3 blocked by policy, 2 wrong usage or configuration,
// 1 could not finish.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulwark/internal/pipeline"
	"bulwark/internal/policy"
)

// The exit codes.
const (
	exitAllowed  = 0
	exitUnable   = 1
	exitUsage    = 2
	exitBlocked  = 3
	maxInputFile = 16 << 20 // of configuration, waivers, policies, in bytes
)

// Process is what a verb sees of the world outside.
type Process struct {
	Args   []string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	// Now: Optional: the clock. Default: time.Now.
	Now func() time.Time
}

func (p *Process) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// exitError carries an exit code up to Main.
type exitError struct {
	code int
	err  error // nil: everything has been said
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as one of usage or configuration.
func usage(err error) error { return &exitError{exitUsage, err} }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// Main runs one verb and returns the exit code.
func Main(ctx context.Context, p Process) int {
	root := newRoot(p)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitAllowed
	}
	code := exitUnable
	var exit *exitError
	var directive *pipeline.DirectiveError
	switch {
	case errors.As(err, &exit):
		code = exit.code
	case errors.As(err, &directive), policy.IsKind(err, policy.Configuration):
		code = exitUsage
	}
	if exit == nil || exit.err != nil {
		for i, line := range strings.Split(strings.TrimRight(err.Error(), "\n"), "\n") {
			if i == 0 {
				line = "error: " + line
			}
			fmt.Fprintln(p.Stderr, visible(line))
		}
	}
	return code
}

func newRoot(p Process) *cobra.Command {
	root := &cobra.Command{
		Use:   "bulwark",
		Short: "One pass over a repository, one verdict",
		Long: `Bulwark looks at a repository, or at what a change introduces, finds leaked
secrets and vulnerable dependencies, decides by policy, explains itself and exits
accordingly.

Results go to standard output, everything else to standard error.

Exit codes:
  0  allowed
  3  blocked by policy
  2  wrong usage or configuration
  1  could not finish`,
		Example: `  bulwark scan                       # the repository you are in
  bulwark scan --base origin/main    # what this branch introduces
  bulwark scan --staged              # what is about to be committed
  bulwark db update                  # what is known of the packages in use
  bulwark explain github-personal-access-token`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w\nhint: `%s --help` lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(
		newScan(p), newFix(p), newInit(p), newRules(p), newExplain(p), newPolicy(p), newConvert(p), newMan(p), newDB(p), newSBOM(p), newVersion(p),
	)
	// Wrong arguments are wrong usage, whatever checks them.
	wrapArgs(root)
	return root
}

func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usagef("%w\nhint: `%s --help` shows the usage", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

// visible makes control characters harmless: messages quote file names and
// contents that strangers chose.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069):
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// readFile reads a file that a person named, within bounds.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("reading %s: larger than %d bytes", path, limit)
	}
	return data, nil
}
