// Package deploy holds the pipeline files that bulwark init writes into a
// project, as data. The folders beside it hold what those files refer to: the
// GitHub Action, the GitLab template, the Jenkins step and the pre-commit hook.
package deploy

import "embed"

// Starters are the files of the folder starter.
//
//go:embed starter
var Starters embed.FS

// Pipeline is one platform's file.
type Pipeline struct {
	Starter string // in Starters
	Path    string // where a project keeps it
}

// Pipelines lists the files by platform.
var Pipelines = map[string]Pipeline{
	"github":     {"starter/github.yml", ".github/workflows/bulwark.yml"},
	"gitlab":     {"starter/gitlab.yml", ".gitlab/bulwark.yml"},
	"jenkins":    {"starter/Jenkinsfile", "Jenkinsfile.bulwark"},
	"pre-commit": {"starter/pre-commit.yaml", ".pre-commit-config.bulwark.yaml"},
}
