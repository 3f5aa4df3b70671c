package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulwark/internal/sbom"
	"bulwark/internal/sbom/format"
	"bulwark/internal/source/gitstore"
)

// sbomFlags are those of verbs that write an SBOM.
type sbomFlags struct {
	format string
	output string
}

func (f *sbomFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.format, "format", "f", "cyclonedx", "`FORMAT` to write: "+strings.Join(format.Names(), ", "))
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "write to `FILE` instead of standard output")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(format.Names(), cobra.ShellCompDirectiveNoFileComp))
}

func newSBOM(p Process) *cobra.Command {
	var f sbomFlags
	var scan scanFlags
	var name, revision string
	cmd := &cobra.Command{
		Use:   "sbom [PATH]",
		Short: "Write, compare and watch software bills of materials",
		Long: `Sbom reads the manifests and lockfiles of PATH (default: the current folder) and
writes what they declare as a software bill of materials, without reaching the
network. The same content gives the same bytes: the time is that of the variable
SOURCE_DATE_EPOCH, else of the commit that HEAD names, else 1970 or none.`,
		Example: `  bulwark sbom > shop.cdx.json
  bulwark sbom --format spdx -o shop.spdx.json path/to/repository
  bulwark sbom diff old.cdx.json shop.cdx.json
  bulwark sbom watch sboms/`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := format.Check(f.format); err != nil {
				return usage(err)
			}
			path := "."
			if len(args) == 1 {
				path = args[0]
			}
			o, err := sbomOptions(p, path)
			if err != nil {
				return err
			}
			if name != "" {
				o.Subject.Name = name
			}
			if revision != "" {
				o.Subject.Version = revision
			}
			found, failed, err := scan.manifests(cmd.Context(), p, path)
			if err != nil {
				return err
			}
			d, err := sbom.New(found, o)
			if err != nil {
				return err
			}
			if err := f.write(p, d); err != nil {
				return err
			}
			for _, g := range d.Gaps {
				fmt.Fprintln(p.Stderr, visible(fmt.Sprintf("note: not understood: %s:%d: %s", g.Path, g.Line, g.Message)))
			}
			for _, s := range failed {
				fmt.Fprintln(p.Stderr, visible(fmt.Sprintf("error: not read: %s: %s: %s", s.Path, s.Reason, s.Detail)))
			}
			if len(failed) > 0 {
				return fmt.Errorf("the SBOM is not whole: %d files could not be read", len(failed))
			}
			return nil
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&scan.plain, "no-git", false, "treat PATH as a plain folder, ignored files included")
	cmd.Flags().BoolVar(&scan.noCache, "no-cache", false, "neither read nor write the cache")
	cmd.Flags().StringVar(&scan.cacheDir, "cache-dir", "", "cache `FOLDER` (default: bulwark in the user's cache folder)")
	cmd.Flags().StringVar(&name, "name", "", "what the SBOM is of (default: the name of the folder)")
	cmd.Flags().StringVar(&revision, "revision", "", "which version of it (default: the commit that HEAD names)")
	cmd.AddCommand(newSBOMDiff(p), newSBOMConvert(p), newSBOMValidate(p), newSBOMWatch(p))
	return cmd
}

// sbomOptions names the subject and the time.
func sbomOptions(p Process, path string) (sbom.Options, error) {
	var scan scanFlags
	at, err := scan.locate(path)
	if err != nil {
		return sbom.Options{}, err
	}
	defer at.close()
	if at.kind == standardInput || at.kind == bareRepository {
		return sbom.Options{}, usagef("%s: an SBOM is made of a folder or a file", path)
	}
	made := tool()
	o := sbom.Options{Subject: sbom.Subject{Name: filepath.Base(at.path)}, Tool: sbom.Tool{Name: made.Name, Version: made.Version}}
	if at.kind == workTree {
		if o.Subject.Version, o.Created, err = headOf(at.path); err != nil {
			return o, err
		}
	}
	if text := p.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds < 0 {
			return o, usagef("SOURCE_DATE_EPOCH=%s: want seconds since 1970", text)
		}
		o.Created = time.Unix(seconds, 0)
	}
	return o, nil
}

// headOf returns the commit that HEAD names and its time; nothing if there is
// none yet.
func headOf(path string) (revision string, at time.Time, err error) {
	r, err := gitstore.Open(path, gitstore.Options{})
	if err != nil {
		return "", at, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h, err := r.Head()
	if err != nil || h.ID.IsZero() {
		return "", at, err
	}
	c, err := r.Commit(h.ID)
	if err != nil {
		return "", at, err
	}
	if c.Time > 0 {
		at = time.Unix(c.Time, 0)
	}
	return h.ID.String(), at, nil
}

func (f *sbomFlags) write(p Process, d *sbom.Document) error {
	if f.output == "" {
		return format.Write(p.Stdout, d, f.format)
	}
	var b bytes.Buffer
	if err := format.Write(&b, d, f.format); err != nil {
		return err
	}
	if err := writeFileAtomically(f.output, b.Bytes()); err != nil {
		return fmt.Errorf("writing %s: %w", f.output, err)
	}
	return nil
}

// readSBOM reads a file, or standard input for "-".
func readSBOM(p Process, path string) (*sbom.Document, error) {
	data, err := readNamed(p, path)
	if err != nil {
		return nil, usage(err)
	}
	d, err := format.Read(data)
	if err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	return d, nil
}

func readNamed(p Process, path string) ([]byte, error) {
	if path != "-" {
		return readFile(path, sbom.MaxBytes)
	}
	data, err := io.ReadAll(io.LimitReader(p.Stdin, sbom.MaxBytes+1))
	if err == nil && len(data) > sbom.MaxBytes {
		err = fmt.Errorf("standard input: larger than %d bytes", sbom.MaxBytes)
	}
	return data, err
}

func newSBOMDiff(p Process) *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what changed between two SBOMs",
		Long: `Diff compares two SBOMs of any formats: packages added (+) and removed (-),
versions raised (^), lowered (v) or changed in no known order (~), and other
licences (=). The exit code is 0 whether or not they differ.`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if kind != "text" && kind != "json" {
				return usagef("--format %q: want text or json", kind)
			}
			old, err := readSBOM(p, args[0])
			if err != nil {
				return err
			}
			now, err := readSBOM(p, args[1])
			if err != nil {
				return err
			}
			d := sbom.Diff(old, now, sbom.Versions)
			if kind == "json" {
				e := json.NewEncoder(p.Stdout)
				e.SetEscapeHTML(false)
				e.SetIndent("", "  ")
				return e.Encode(d)
			}
			var text strings.Builder
			if err := d.WriteText(&text); err != nil {
				return err
			}
			for line := range strings.Lines(text.String()) {
				fmt.Fprintln(p.Stdout, visible(strings.TrimSuffix(line, "\n")))
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&kind, "format", "f", "text", "`KIND` of output: text, json")
	return cmd
}

func newSBOMConvert(p Process) *cobra.Command {
	var f sbomFlags
	cmd := &cobra.Command{
		Use:   "convert [FILE]",
		Short: "Write an SBOM in another format",
		Long: `Convert reads CycloneDX (1.2 to 1.7, JSON or XML) or SPDX (2.2 or 2.3, JSON or
tag-value) from FILE or standard input, and writes what both formats can say:
packages, versions, licences, hashes, places and the dependency graph.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := format.Check(f.format); err != nil {
				return usage(err)
			}
			path := "-"
			if len(args) == 1 {
				path = args[0]
			}
			d, err := readSBOM(p, path)
			if err != nil {
				return err
			}
			made := tool()
			d.Tools = append(d.Tools, sbom.Tool{Name: made.Name, Version: made.Version})
			if err := d.Seal(); err != nil {
				return err
			}
			return f.write(p, d)
		},
	}
	f.register(cmd)
	return cmd
}

func newSBOMValidate(p Process) *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE",
		Short: "Check that an SBOM can be read and what it lacks",
		Long: `Validate reads an SBOM and says what it is of, how much it holds and what it
lacks to be of use: components that no advisory can be looked up for, missing
versions, dependencies to nowhere, no time, no tool. It does not check against the
format's JSON schema. Exit code 0 if nothing lacks, 3 if something does, 2 if the
file is no SBOM.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := readSBOM(p, args[0])
			if err != nil {
				return err
			}
			say := func(format string, args ...any) { fmt.Fprintln(p.Stdout, visible(fmt.Sprintf(format, args...))) }
			edges := len(d.Direct)
			for i := range d.Components {
				edges += len(d.Components[i].Needs)
			}
			say("%s of %s: %d components, %d dependencies", d.Spec, strings.TrimSpace(d.Subject.Name+" "+d.Subject.Version), len(d.Components), edges)
			lacks := sbomLacks(d)
			for _, l := range lacks {
				say("lacks: %s", l)
			}
			if len(lacks) > 0 {
				return &exitError{code: exitBlocked}
			}
			return nil
		},
	}
}

// sbomLacks lists what a document should tell and does not.
func sbomLacks(d *sbom.Document) []string {
	var lacks []string
	unversioned := 0
	for i := range d.Components {
		if c := &d.Components[i]; c.Identified() && c.Package.Version == "" {
			unversioned++
		}
	}
	for _, n := range [...]struct {
		lack bool
		text string
	}{
		{d.Subject.Name == "", "the name of what it is of"},
		{d.Created.IsZero(), "the time when it was made"},
		{len(d.Tools) == 0, "the tool that made it"},
		{d.Unidentified() > 0, fmt.Sprintf("a package URL of a known type for %d components: no advisory can be looked up for them", d.Unidentified())},
		{unversioned > 0, fmt.Sprintf("the version of %d components", unversioned)},
		{len(d.Components) > 1 && len(d.Direct) == 0, "what the subject itself depends on"},
	} {
		if n.lack {
			lacks = append(lacks, n.text)
		}
	}
	for _, g := range d.Gaps {
		lacks = append(lacks, g.Message)
	}
	return lacks
}
