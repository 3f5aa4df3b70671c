package cli

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bulwark/internal/outcome"
	"bulwark/internal/report"
)

// reportFlags say what is written where.
type reportFlags struct {
	format  string
	output  []string
	color   string
	verbose bool
	quiet   bool
}

func (f *reportFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.format, "format", "f", string(report.Text), "`KIND` of report on standard output: "+kinds()+", none")
	flags.StringArrayVarP(&f.output, "output", "o", nil, "write a further report, as `KIND=FILE`; may be repeated")
	flags.StringVar(&f.color, "color", "auto", "colours in the text report: auto, always or never")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "list also what is accepted, and everything that was left out")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no messages but errors")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(strings.Split(kinds()+", none", ", "), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
}

func kinds() string {
	var names []string
	for _, k := range report.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

type target struct {
	kind report.Kind
	path string
}

// outputs are the reports of one run.
type outputs struct {
	stdout report.Kind // empty: none
	files  []target
	opts   report.Options
}

func (f *reportFlags) parse(p Process) (*outputs, error) {
	o := &outputs{opts: report.Options{Verbose: f.verbose}}
	if f.format != "none" {
		k, err := report.ParseKind(f.format)
		if err != nil {
			return nil, fmt.Errorf("--format: %w", err)
		}
		o.stdout = k
	}
	for _, spec := range f.output {
		name, path, ok := strings.Cut(spec, "=")
		if !ok || path == "" {
			return nil, fmt.Errorf("--output %q: want KIND=FILE, such as sarif=bulwark.sarif", spec)
		}
		k, err := report.ParseKind(name)
		if err != nil {
			return nil, fmt.Errorf("--output %q: %w", spec, err)
		}
		o.files = append(o.files, target{k, path})
	}
	switch f.color {
	case "always":
		o.opts.Color = true
	case "never":
	case "auto":
		o.opts.Color = isTerminal(p.Stdout) && p.Getenv("NO_COLOR") == "" && p.Getenv("TERM") != "dumb"
	default:
		return nil, fmt.Errorf("--color %q: want auto, always or never", f.color)
	}
	if file, ok := p.Stdout.(*os.File); ok {
		if w, _, err := term.GetSize(int(file.Fd())); err == nil && w > 0 {
			o.opts.Width = w
		}
	}
	if n, err := strconv.Atoi(p.Getenv("COLUMNS")); err == nil && n > 20 && o.opts.Width == 0 {
		o.opts.Width = n
	}
	return o, nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// write writes all reports: the files first, so that whoever waits for the end
// of the output finds them.
func (o *outputs) write(p Process, run *outcome.Run) error {
	// A reader of standard output that went away is an error with exit code 1,
	// not the death by a signal.
	signal.Ignore(syscall.SIGPIPE)
	for _, t := range o.files {
		opts := o.opts
		opts.Color, opts.Width = false, 0
		if err := report.WriteFile(t.path, t.kind, run, opts); err != nil {
			return fmt.Errorf("writing the %s report: %w", t.kind, err)
		}
	}
	if o.stdout == "" {
		return nil
	}
	if err := report.Write(p.Stdout, o.stdout, run, o.opts); err != nil {
		return fmt.Errorf("writing the %s report to standard output: %w", o.stdout, err)
	}
	return nil
}
