package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bulwark/deploy"
	"bulwark/internal/config"
	"bulwark/internal/identity"
)

func newInit(p Process) *cobra.Command {
	var platform string
	cmd := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Write a commented .bulwark.yaml and the pipeline file of the platform",
		Long: `Init writes .bulwark.yaml, with every setting at its default and a new identity
key, and the pipeline file of the platform that it detects: a GitHub workflow, a
GitLab include, a Jenkinsfile or a pre-commit configuration. Files that exist are left as they
are.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			root := "."
			if len(args) == 1 {
				root = args[0]
			}
			if platform == "" {
				platform = detectPlatform(root)
			}
			pipeline, ok := deploy.Pipelines[platform]
			if !ok && platform != "none" {
				return usagef("--platform %q: want github, gitlab, jenkins, pre-commit or none", platform)
			}
			key, err := identity.NewKey()
			if err != nil {
				return err
			}
			if err := create(p, root, config.FileName, config.Template(platform, key)); err != nil {
				return err
			}
			if platform == "none" {
				fmt.Fprintln(p.Stderr, "no platform detected: name one with --platform github, gitlab, jenkins or pre-commit")
				return nil
			}
			data, err := deploy.Starters.ReadFile(pipeline.Starter)
			if err != nil {
				return err
			}
			return create(p, root, pipeline.Path, data)
		},
	}
	cmd.Flags().StringVar(&platform, "platform", "", "`PLATFORM`: github, gitlab, jenkins, pre-commit or none (default: detected)")
	return cmd
}

// create writes a new file and says so; one that exists stays as it is.
func create(p Process, root, name string, data []byte) error {
	path := filepath.Join(root, filepath.FromSlash(name))
	if _, err := os.Lstat(path); err == nil {
		fmt.Fprintf(p.Stderr, "%s exists and is left as it is\n", name)
		return nil
	}
	if err := writeNew(path, data); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	fmt.Fprintf(p.Stdout, "wrote %s\n", name)
	return nil
}

// detectPlatform looks for what each platform keeps in a repository.
func detectPlatform(root string) string {
	for _, sign := range []struct{ path, platform string }{
		{".gitlab-ci.yml", "gitlab"},
		{"Jenkinsfile", "jenkins"},
		{".github", "github"},
		{".pre-commit-config.yaml", "pre-commit"},
	} {
		if _, err := os.Lstat(filepath.Join(root, sign.path)); err == nil {
			return sign.platform
		}
	}
	return "none"
}
