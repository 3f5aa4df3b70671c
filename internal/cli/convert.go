package cli

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"bulwark/internal/report"
)

func newConvert(p Process) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "convert [FILE]",
		Short: "Turn a saved JSON report into any other kind",
		Long: `Convert reads a report that ` + "`bulwark scan --format json`" + ` wrote, from FILE or
standard input, and writes it as any other kind. It decides nothing anew: the
exit code is 0 whatever the report's verdict was.`,
		Example: `  bulwark scan --output json=run.json
  bulwark convert --format sarif run.json > run.sarif
  bulwark convert --output html=run.html --output junit=run.xml run.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := f.parse(p)
			if err != nil {
				return usage(err)
			}
			in := io.Reader(p.Stdin)
			if len(args) == 1 && args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return usage(err)
				}
				defer func() { _ = file.Close() }() // only read
				in = file
			}
			run, err := report.Read(in)
			if err != nil {
				return usage(err)
			}
			return outputs.write(p, run)
		},
	}
	f.register(cmd)
	return cmd
}
