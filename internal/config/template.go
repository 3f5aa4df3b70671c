package config

import (
	_ "embed" // for the template
	"strings"

	"bulwark/internal/identity"
)

//go:embed template.yaml
var template string

// platformNotes say, by platform, where the pipeline that `bulwark init` writes
// beside the configuration is found.
var platformNotes = map[string]string{
	"github":  "The gate runs in .github/workflows/bulwark.yml on every pull request.",
	"gitlab":  "The gate runs in .gitlab-ci.yml on every merge request.",
	"jenkins": "The gate runs in the Jenkinsfile on every change request.",
}

// Template returns the commented file that `bulwark init` writes: everything
// that can be set, at its default. Platform is "github", "gitlab", "jenkins" or
// empty; key is the project's new random identity key, or zero to leave it out.
func Template(platform string, key identity.Key) []byte {
	note := platformNotes[platform]
	if note == "" {
		note = "Run the gate before merging: bulwark scan --base origin/main"
	}
	line := "# identity_key: \"\""
	if !key.IsZero() {
		line = "identity_key: " + key.Text()
	}
	return []byte(strings.NewReplacer("{{platform}}", note, "{{identity_key}}", line).Replace(template))
}
