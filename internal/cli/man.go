package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan(p Process) *cobra.Command {
	return &cobra.Command{
		Use:     "man",
		Short:   "Write the manual page, for man(1)",
		Example: "  bulwark man > bulwark.1 && man ./bulwark.1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(p.Stdout, manual(cmd.Root()))
			return err
		},
	}
}

// roff makes text harmless to troff.
var roff = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'")

func manual(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH BULWARK 1 \"\" \"bulwark %s\"\n.SH NAME\nbulwark \\- %s\n", roff.Replace(version()), roff.Replace(strings.ToLower(root.Short[:1])+root.Short[1:]))
	b.WriteString(".SH SYNOPSIS\n")
	var verbs []*cobra.Command
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if !sub.IsAvailableCommand() {
				continue
			}
			if sub.HasAvailableSubCommands() {
				walk(sub)
				continue
			}
			verbs = append(verbs, sub)
		}
	}
	walk(root)
	for _, v := range verbs {
		fmt.Fprintf(&b, ".B %s\n.br\n", roff.Replace(v.UseLine()))
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", paragraphs(root.Long))
	b.WriteString(".SH COMMANDS\n")
	for _, v := range verbs {
		fmt.Fprintf(&b, ".SS %s\n%s\n", roff.Replace(v.CommandPath()), paragraphs(nonEmpty(v.Long, v.Short+".")))
		v.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			arg, text := pflag.UnquoteUsage(f)
			name := "--" + f.Name
			if f.Shorthand != "" {
				name = "-" + f.Shorthand + ", " + name
			}
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff.Replace(strings.TrimSpace(name+" "+arg)), roff.Replace(text))
		})
		if v.Example != "" {
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", roff.Replace(v.Example))
		}
	}
	b.WriteString(`.SH ENVIRONMENT
.TP
.B BULWARK_IDENTITY_KEY
key of the fingerprints, in base64
.TP
.B NO_COLOR
no colours in the text report
.SH FILES
.TP
.B .bulwark.yaml
configuration of a project
.TP
.B .bulwark/waivers.yaml
accepted findings
.TP
.B .bulwark/baseline.json
findings that were there before
`)
	return b.String()
}

func paragraphs(text string) string {
	return strings.ReplaceAll(roff.Replace(text), "\n\n", "\n.PP\n")
}

func nonEmpty(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
