package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bulwark/internal/finding"
	"bulwark/internal/scanner/sca"
)

func newExplain(p Process) *cobra.Command {
	return &cobra.Command{
		Use:               "explain RULE-ID",
		Short:             "Say what a rule finds, why it matters and how to fix it",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRules,
		RunE: func(_ *cobra.Command, args []string) error {
			for _, r := range sca.Rules() {
				if r.ID == args[0] {
					return explainPackages(p, r)
				}
			}
			r, err := builtinRule(args[0])
			if err != nil {
				return err
			}
			var b strings.Builder
			fmt.Fprintf(&b, "%s\n%s, %s\n", r.Description, r.ID, r.Severity)
			section := func(title, text string) {
				if text != "" {
					fmt.Fprintf(&b, "\n%s\n%s\n", title, fold(text, 78))
				}
			}
			section("Why it matters", r.Rationale)
			section("How to fix", r.Remedy)
			how := "An expression around the words " + strings.Join(r.Keywords, ", ") + "."
			if r.AssignedTo != nil {
				how = "A value assigned to a name that holds " + strings.Join(r.Keywords, ", ") + "."
			}
			if r.Check != "" {
				how += " Its structure is checked (" + r.Check + ")."
			}
			if r.Judge != "" {
				how += " Name, value and surroundings must make a " + r.Judge + " plausible."
			}
			if r.Verify != "" {
				how += " With --verify the provider is asked whether it is live."
			}
			section("How it is found", how)
			section("If it is not a secret", fmt.Sprintf(
				"Say so where it stands, in a comment: bulwark:allow %s reason=\"…\" until=YYYY-MM-DD. Or add a waiver to .bulwark/waivers.yaml.", r.ID))
			if len(r.References) > 0 {
				fmt.Fprintf(&b, "\nReferences\n")
				for _, ref := range r.References {
					fmt.Fprintf(&b, "  %s\n", ref)
				}
			}
			_, err = fmt.Fprint(p.Stdout, b.String())
			return err
		},
	}
}

// explainPackages explains a rule about packages.
func explainPackages(p Process, r finding.Rule) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s, usually %s\n", r.Title, r.ID, r.Severity)
	for _, s := range []struct{ title, text string }{
		{"Why it matters", r.Rationale},
		{"How to fix", r.Remedy},
		{"How it is found", "Manifests and lockfiles say which packages are used; the advisory database (bulwark db update) says what is known of them. `bulwark db check` shows the proof for one package, `bulwark db show` all that is known of one advisory."},
		{"If it does not matter here", "Say so in a VEX document (dependency.vex), or in .bulwark/waivers.yaml, with a reason and an end."},
	} {
		fmt.Fprintf(&b, "\n%s\n%s\n", s.title, fold(s.text, 78))
	}
	if len(r.References) > 0 {
		fmt.Fprintf(&b, "\nReferences\n")
		for _, ref := range r.References {
			fmt.Fprintf(&b, "  %s\n", ref)
		}
	}
	_, err := fmt.Fprint(p.Stdout, b.String())
	return err
}

// fold breaks text into lines of at most width columns, indented by two.
func fold(text string, width int) string {
	var b strings.Builder
	col := 0
	for _, word := range strings.Fields(text) {
		if col > 0 && col+1+len(word) > width {
			b.WriteByte('\n')
			col = 0
		}
		if col == 0 {
			b.WriteString("  ")
			col = 2
		} else {
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += len(word)
	}
	return b.String()
}
