package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	secretrules "bulwark/content/secret"
	"bulwark/internal/finding"
	"bulwark/internal/scanner/sca"
	"bulwark/internal/scanner/secret"
	"bulwark/internal/scanner/secret/rule"
)

func newRules(p Process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List, show and test rules",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON bool
	list := &cobra.Command{
		Use:   "list [TEXT]",
		Short: "List the built-in rules, or those whose id or title holds TEXT",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := builtin()
			if err != nil {
				return err
			}
			return listRules(p, set, strings.ToLower(strings.Join(args, "")), asJSON)
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	show := &cobra.Command{
		Use:               "show RULE-ID",
		Short:             "Show a rule as data: expression, keywords, checks, examples",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRules,
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := builtinRule(args[0])
			if err != nil {
				return err
			}
			return showRule(p, r)
		},
	}
	test := &cobra.Command{
		Use:   "test [FILE|FOLDER ...]",
		Short: "Run the examples of rule files, or of the built-in rules",
		Long: `Test runs the examples that stand beside the rules: in each of examples.leaks the
rule must find exactly one secret, in none of examples.clean any. Exit code 0 if
all hold, 3 if one does not, 2 if a file cannot be read as rules.`,
		RunE: func(_ *cobra.Command, args []string) error { return testRules(p, args) },
	}
	cmd.AddCommand(list, show, test)
	return cmd
}

func builtin() (*rule.Set, error) {
	set, err := secret.Load(secretrules.FS)
	if err != nil {
		return nil, err
	}
	return set, set.Finish()
}

func builtinRule(id string) (*rule.Rule, error) {
	set, err := builtin()
	if err != nil {
		return nil, err
	}
	if r := set.Rule(id); r != nil {
		return r, nil
	}
	var near []string
	for _, r := range set.Rules {
		if strings.Contains(r.ID, id) || strings.Contains(id, strings.SplitN(r.ID, "-", 2)[0]) {
			near = append(near, r.ID)
		}
	}
	slices.Sort(near)
	hint := "`bulwark rules list` shows them all"
	if len(near) > 0 {
		hint = "similar: " + strings.Join(near[:min(len(near), 8)], ", ")
	}
	return nil, usagef("there is no rule %q\nhint: %s", id, hint)
}

func completeRules(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	set, err := builtin()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, r := range set.Rules {
		ids = append(ids, r.ID+"\t"+r.Description)
	}
	for _, r := range sca.Rules() {
		ids = append(ids, r.ID+"\t"+r.Title)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

func listRules(p Process, set *rule.Set, text string, asJSON bool) error {
	var rules []*rule.Rule
	for _, r := range set.Rules {
		if strings.Contains(r.ID, text) || strings.Contains(strings.ToLower(r.Description), text) {
			rules = append(rules, r)
		}
	}
	slices.SortFunc(rules, func(a, b *rule.Rule) int { return strings.Compare(a.ID, b.ID) })
	var packages []finding.Rule
	for _, r := range sca.Rules() {
		if strings.Contains(r.ID, text) || strings.Contains(strings.ToLower(r.Title), text) {
			packages = append(packages, r)
		}
	}
	if asJSON {
		out := make([]any, 0, len(rules)+len(packages))
		for _, r := range rules {
			out = append(out, r.Describe())
		}
		for _, r := range packages {
			out = append(out, r)
		}
		e := json.NewEncoder(p.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(out)
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range rules {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.ID, r.Severity, r.Description)
	}
	for _, r := range packages {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.ID, r.Severity, r.Title)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "%d rules\n", len(rules)+len(packages))
	return nil
}

func showRule(p Process, r *rule.Rule) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	field("id", r.ID)
	field("title", r.Description)
	field("severity", r.Severity.String())
	field("confidence", r.Confidence.String())
	field("keywords", strings.Join(r.Keywords, ", "))
	if r.AssignedTo != nil {
		field("assigned to", r.AssignedTo.String())
	}
	if r.Regex != nil {
		field("regex", r.Regex.String())
	}
	if r.Path != nil {
		field("path", r.Path.String())
	}
	if r.Entropy > 0 {
		field("entropy", fmt.Sprintf("above %.1f bits per character", r.Entropy))
	}
	field("check", r.Check)
	field("judge", r.Judge)
	field("verify", r.Verify)
	field("tags", strings.Join(r.Tags, ", "))
	field("cwe", strings.Join(r.CWE, ", "))
	for _, ref := range r.References {
		field("reference", ref)
	}
	for _, x := range r.Examples.Leaks {
		field("leak", fmt.Sprintf("%q", x))
	}
	for _, x := range r.Examples.Clean {
		field("clean", fmt.Sprintf("%q", x))
	}
	return w.Flush()
}

func testRules(p Process, paths []string) error {
	set, err := builtin()
	if err != nil {
		return err
	}
	own := map[string]bool{}
	if len(paths) > 0 {
		files, err := ruleFiles(paths)
		if err != nil {
			return usage(err)
		}
		for _, path := range files {
			data, err := readFile(path, rule.MaxFile)
			if err != nil {
				return usage(err)
			}
			one, err := rule.Parse(path, data, true)
			if err != nil {
				return usage(err)
			}
			for _, r := range one.Rules {
				own[r.ID] = true
			}
			one.Extend(set)
			set = one
		}
		if err := set.Finish(); err != nil {
			return usage(err)
		}
	}
	rules, examples := 0, 0
	want := func(r *rule.Rule) bool { return len(paths) == 0 || own[r.ID] }
	for _, r := range set.Rules {
		if want(r) {
			rules++
			examples += len(r.Examples.Leaks) + len(r.Examples.Clean)
		}
	}
	wrong, err := secret.CheckExamples(set, want)
	if err != nil {
		return err
	}
	for _, line := range wrong {
		fmt.Fprintln(p.Stdout, visible(line))
	}
	fmt.Fprintf(p.Stdout, "%d rules, %d examples, %d wrong\n", rules, examples, len(wrong))
	if len(wrong) > 0 {
		return &exitError{code: exitBlocked}
	}
	return nil
}

func ruleFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !st.IsDir() {
			files = append(files, path)
			continue
		}
		more, err := filepath.Glob(filepath.Join(path, "*.toml"))
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			return nil, fmt.Errorf("%s: no *.toml files", path)
		}
		files = append(files, more...)
	}
	return files, nil
}
