package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bulwark/internal/config"
	"bulwark/internal/policy"
	"bulwark/internal/report"
)

func newPolicy(p Process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Test and evaluate policies",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyTest(p), newPolicyEval(p), newPolicySchema(p))
	return cmd
}

func newPolicyTest(p Process) *cobra.Command {
	var run string
	var verbose, replace bool
	cmd := &cobra.Command{
		Use:   "test [PATH ...]",
		Short: "Run Rego tests of policies, together with the default policy",
		Long: `Test runs the rules whose names begin with test_ in files that end in
_test.rego, under the same restrictions as decisions. PATH is a file, a folder or
a bundle; without one the default policy's own tests run. Exit code 0 if all pass,
3 if one fails, 2 if the policies do not compile.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			files, bundles, err := policy.ReadPaths(args, policy.Limits{})
			if err != nil {
				return policyError(err)
			}
			rep, err := policy.Test(cmd.Context(), policy.TestOptions{
				Options: policy.Options{Files: files, Bundles: bundles, Replace: replace}, Run: run,
			})
			if err != nil {
				return policyError(err)
			}
			passed, failed := 0, 0
			for _, t := range rep.Results {
				switch t.Outcome {
				case policy.TestPassed:
					passed++
				case policy.TestFailed, policy.TestError:
					failed++
				}
				if verbose || t.Outcome == policy.TestFailed || t.Outcome == policy.TestError {
					fmt.Fprintln(p.Stdout, visible(fmt.Sprintf("%s: %s.%s (%s:%d)", t.Outcome, t.Package, t.Name, t.File, t.Line)))
					for _, text := range []string{t.Message, t.Output} {
						if text != "" {
							fmt.Fprintln(p.Stdout, "  "+visible(text))
						}
					}
				}
			}
			fmt.Fprintf(p.Stdout, "%d passed, %d failed, coverage %.1f %%\n", passed, failed, rep.Coverage)
			if failed > 0 {
				return &exitError{code: exitBlocked}
			}
			if passed == 0 {
				return usagef("no tests found: they are rules that begin with test_ in files that end in _test.rego")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "only tests whose package.name matches the `REGEXP`")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list every test")
	cmd.Flags().BoolVar(&replace, "replace", false, "without the default policy")
	return cmd
}

func newPolicyEval(p Process) *cobra.Command {
	var f scanFlags
	var explain bool
	cmd := &cobra.Command{
		Use:   "eval [FILE]",
		Short: "Decide anew about a saved run or policy input",
		Long: `Eval reads a JSON report of bulwark scan, or a policy input document, from FILE or
standard input, and has the policies decide about it. It looks at nothing itself.
The output document goes to standard output; with --explain, what each policy said
and why. Exit code 0 allowed, 3 blocked, 2 policies that do not compile, 1 no
result or verdict unknown.`,
		Example: `  bulwark scan --format json > run.json
  bulwark policy eval --explain run.json
  bulwark policy eval --policy ./policy run.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := io.Reader(p.Stdin)
			if len(args) == 1 && args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return usage(err)
				}
				defer func() { _ = file.Close() }() // only read
				in = file
			}
			s, err := f.policySettings(p)
			if err != nil {
				return err
			}
			engine, err := s.policy(cmd.Context())
			if err != nil {
				return err
			}
			input, err := readInput(in, s)
			if err != nil {
				return usage(err)
			}
			var out policy.Output
			if explain {
				out, err = engine.Explain(cmd.Context(), input, p.Stdout)
			} else if out, err = engine.Decide(cmd.Context(), input); err == nil {
				e := json.NewEncoder(p.Stdout)
				e.SetEscapeHTML(false)
				e.SetIndent("", "  ")
				err = e.Encode(out)
			}
			if err != nil {
				return policyError(err)
			}
			return verdictExit(out.Verdict)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&explain, "explain", false, "say why")
	flags.StringVar(&f.config, "config", "", "configuration `FILE` (default: .bulwark.yaml in the current folder)")
	flags.StringArrayVar(&f.policyFiles, "policy", nil, "add Rego policies from `PATH`; may be repeated")
	flags.StringVar(&f.policyBundle, "policy-bundle", "", "add the OPA bundle `FILE`")
	flags.StringVar(&f.bundleKeyFile, "policy-bundle-key", "", "public key `FILE` (PEM) that the bundle must be signed with")
	return cmd
}

// policySettings reads of the configuration what concerns policies.
func (f *scanFlags) policySettings(p Process) (*settings, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	s := &settings{flags: f, root: root, cfg: config.Default(), now: p.now()}
	return s, s.readConfig()
}

// readInput reads a run or a policy input document.
func readInput(r io.Reader, s *settings) (policy.Input, error) {
	data, err := io.ReadAll(io.LimitReader(r, 256<<20))
	if err != nil {
		return policy.Input{}, err
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return policy.Input{}, fmt.Errorf("reading the document to decide about: %w; want the output of bulwark scan --format json", err)
	}
	if head.Schema == policy.InputID {
		return policy.DecodeInput(bytes.NewReader(data))
	}
	run, err := report.Read(bytes.NewReader(data))
	if err != nil {
		return policy.Input{}, err
	}
	return policy.BuildInput(run, s.context(s.now)), nil
}

func newPolicySchema(p Process) *cobra.Command {
	return &cobra.Command{
		Use:       "schema input|output",
		Short:     "Write the JSON Schema of the policy's input or output document",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"input", "output"},
		RunE: func(_ *cobra.Command, args []string) error {
			data := policy.InputSchema
			if args[0] == "output" {
				data = policy.OutputSchema
			}
			_, err := p.Stdout.Write(data)
			return err
		},
	}
}

// writeNew writes a file that must not exist yet.
func writeNew(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; it is left as it is", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
