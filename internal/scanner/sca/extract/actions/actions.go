// Package actions reads which actions and reusable workflows GitHub Actions
// run: workflows in .github/workflows and the steps of composite actions
// (https://docs.github.com/actions/reference/workflows-and-actions).
//
// A tag that names a whole version ("v4.1.2") is a version, although tags can be
// moved; "v4" or a branch is a constraint. A commit is a fixed state whose version
// only a comment behind it tells ("# v4.1.2"), which is believed. Container
// images are not read here, expressions are not evaluated.
package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// maxBytes is how large a workflow may be; GitHub itself takes 512 KiB.
const maxBytes = 1 << 20

// Extractor reads workflows and actions.
type Extractor struct{}

// New returns the extractor.
func New() extract.Extractor { return Extractor{} }

var _ extract.Extractor = Extractor{}

// Name is "actions".
func (Extractor) Name() string { return "actions" }

// Binary is false: all are text.
func (Extractor) Binary() bool { return false }

// Wants accepts .github/workflows/*.yml, also of Gitea and Forgejo, and
// action.yml.
func (Extractor) Wants(p string) bool {
	if !strings.HasSuffix(p, ".yml") && !strings.HasSuffix(p, ".yaml") || !collect.Own(p) {
		return false
	}
	dir, base := path.Split(p)
	switch base {
	case "action.yml", "action.yaml":
		return true
	}
	for _, host := range []string{".github", ".gitea", ".forgejo"} {
		if dir == host+"/workflows/" {
			return true
		}
	}
	return false
}

// Extract reads one workflow or action.
func (Extractor) Extract(ctx context.Context, f extract.File) (*dependency.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !bytes.Contains(f.Content, []byte("uses")) {
		return nil, nil
	}
	m, err := read(f.Content)
	if err != nil {
		return nil, fmt.Errorf("reading the workflow: %w", err)
	}
	if m != nil {
		m.Path = f.Path
	}
	return m, nil
}

type reader struct {
	graph collect.Graph
	gaps  collect.Gaps
	// seen are nodes already read: an alias may lead to one again.
	seen    map[*yaml.Node]bool
	unknown int // fixed to a commit without a version
}

func read(content []byte) (*dependency.Manifest, error) {
	if len(content) > maxBytes {
		return nil, fmt.Errorf("it has %d bytes, and GitHub takes no workflow of more than %d", len(content), 512<<10)
	}
	doc, err := decode(content)
	if err != nil {
		return nil, err
	}
	r := &reader{seen: map[*yaml.Node]bool{}}
	if doc != nil && len(doc.Content) > 0 {
		r.document(doc.Content[0])
	}
	if r.unknown > 0 {
		r.gaps.Add(0, fmt.Sprintf("uses fixed to a commit without a comment that tells the version, which cannot be checked: %d; write it behind the commit, as in \"# v1.2.3\"", r.unknown))
	}
	packages, err := r.graph.Packages()
	if err != nil {
		return nil, err
	}
	gaps := r.gaps.List()
	if len(packages) == 0 && len(gaps) == 0 {
		return nil, nil
	}
	return &dependency.Manifest{
		Format: "GitHub Actions", Kind: dependency.Declared, Ecosystem: dependency.GitHubActions, Packages: packages, Gaps: gaps,
	}, nil
}

// decode parses the first document. The parser is somebody else's code fed with
// a stranger's bytes: should it panic, that is a fault of the document.
func decode(content []byte) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("yaml: cannot be parsed: %v", r)
		}
	}()
	var node yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(content)).Decode(&node); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return &node, nil
}

// follow goes from an alias to what it stands for.
func follow(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < extract.MaxDepth; i++ {
		n = n.Alias
	}
	return n
}

// each hands out the entries of a mapping.
func each(n *yaml.Node, f func(key string, value *yaml.Node)) {
	n = follow(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		f(n.Content[i].Value, n.Content[i+1])
	}
}

// document reads the jobs of a workflow and the steps of an action.
func (r *reader) document(root *yaml.Node) {
	each(root, func(key string, value *yaml.Node) {
		switch key {
		case "jobs":
			each(value, func(_ string, job *yaml.Node) {
				if !r.enter(job) {
					return
				}
				each(job, func(key string, value *yaml.Node) {
					switch key {
					case "uses":
						r.uses(value)
					case "steps":
						r.steps(value)
					}
				})
			})
		case "runs":
			each(value, func(key string, value *yaml.Node) {
				if key == "steps" {
					r.steps(value)
				}
			})
		}
	})
}

// enter reports whether a node is read for the first time.
func (r *reader) enter(n *yaml.Node) bool {
	n = follow(n)
	if n == nil || r.seen[n] {
		return false
	}
	r.seen[n] = true
	return true
}

func (r *reader) steps(list *yaml.Node) {
	list = follow(list)
	if list == nil || list.Kind != yaml.SequenceNode || !r.enter(list) {
		return
	}
	for _, step := range list.Content {
		if !r.enter(step) {
			continue
		}
		each(step, func(key string, value *yaml.Node) {
			if key == "uses" {
				r.uses(value)
			}
		})
	}
}

// uses reads "owner/repository/path@ref".
func (r *reader) uses(value *yaml.Node) {
	n := follow(value)
	if n == nil || n.Kind != yaml.ScalarNode {
		r.gaps.Add(value.Line, "uses has no text as its value")
		return
	}
	text := strings.TrimSpace(n.Value)
	p := dependency.Package{
		Ecosystem: dependency.GitHubActions, Line: n.Line, Column: n.Column, EndColumn: n.Column + len(n.Value),
	}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		p.Column++
		p.EndColumn++
	} else if n.Style != 0 {
		p.Column, p.EndColumn = 0, 0
	}
	switch {
	case strings.HasPrefix(text, "docker://"):
		return // an image is no action
	case strings.HasPrefix(text, "./"), strings.HasPrefix(text, "../"):
		p.Name, p.Origin, p.Local = path.Clean(text), path.Clean(text), true
		if collect.Sound(p.Name) {
			r.graph.AddRoot(r.graph.Add(p), p.Scope)
		}
		return
	}
	// Gitea and Forgejo allow a whole address.
	whole, ref, _ := strings.Cut(collect.Address(text), "@")
	if _, address, ok := strings.Cut(whole, "://"); ok {
		if host, rest, ok := strings.Cut(address, "/"); ok {
			whole = rest
			if host != "github.com" {
				p.Origin = host
			}
		}
	}
	parts := strings.SplitN(whole, "/", 3)
	if len(parts) < 2 || !validName(parts[0]) || !validName(parts[1]) || ref == "" || !collect.Sound(ref) || strings.ContainsAny(text, " \t") {
		r.gaps.Add(n.Line, collect.Show(text)+" is no action of the form owner/repository@version")
		return
	}
	p.Name = strings.ToLower(parts[0] + "/" + parts[1])
	r.version(&p, ref, comment(value, n))
	r.graph.AddRoot(r.graph.Add(p), p.Scope)
}

func validName(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != "." && s != ".."
}

func comment(nodes ...*yaml.Node) string {
	for _, n := range nodes {
		if n.LineComment != "" {
			return strings.TrimSpace(strings.TrimLeft(n.LineComment, "# \t"))
		}
	}
	return ""
}

// version sets what is known of the version.
func (r *reader) version(p *dependency.Package, ref, comment string) {
	if hash, ok := commit(ref); ok {
		p.Hashes = []dependency.Hash{hash}
		p.Constraint = ref
		for word := range strings.FieldsSeq(comment) {
			word = strings.TrimPrefix(strings.Trim(word, ",;()"), "tag=")
			word = word[strings.LastIndexAny(word, "@=")+1:]
			if whole(word) {
				p.Version = word
				return
			}
		}
		r.unknown++
		return
	}
	if whole(ref) {
		p.Version = ref
		return
	}
	p.Constraint = ref
}

// commit reads a full SHA-1 or SHA-256 of a commit.
func commit(ref string) (dependency.Hash, bool) {
	if h, ok := collect.Digest("sha1", ref); ok {
		return h, true
	}
	return collect.Digest("sha256", ref)
}

// whole reports whether a tag names one version: "v4.1.2", "4.1.2-beta", but not
// "v4" or "v4.1", which move.
func whole(tag string) bool {
	core, _, _ := strings.Cut(strings.TrimPrefix(tag, "v"), "-")
	core, _, _ = strings.Cut(core, "+")
	parts := strings.Split(core, ".")
	if len(parts) < 3 || len(parts) > 4 {
		return false
	}
	for _, part := range parts {
		if _, err := strconv.ParseUint(part, 10, 32); err != nil {
			return false
		}
	}
	return true
}
