// Package asset names what is examined and what a finding belongs to: a
// repository at a commit, an archive, a folder, a stream. It holds plain values
// and performs no I/O; where the bytes come from is the business of package
// source.
package asset

// Kind is the kind of thing an Asset is.
type Kind string

// The kinds of asset that exist so far.
const (
	Repository Kind = "repository" // a git repository, work tree or bare
	Directory  Kind = "directory"  // a folder outside version control
	Archive    Kind = "archive"    // a tar or zip file
	Stream     Kind = "stream"     // standard input
)

// Asset is what one run looks at.
type Asset struct {
	Kind Kind `json:"kind"`
	// Name identifies the asset to people: the base name of the repository's
	// folder, of the archive, or "stdin". It is never an absolute path, so that
	// reports of two machines agree.
	Name string `json:"name"`
	// Revision is the commit that HEAD names, empty where there is none.
	Revision string `json:"revision,omitempty"`
	// Branch is the branch that HEAD names, without refs/heads/; empty when
	// HEAD is detached or there is none.
	Branch string `json:"branch,omitempty"`
	// Base is the commit that a change is measured from (the merge base),
	// empty when the whole asset is examined.
	Base string `json:"base,omitempty"`
}
