package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"bulwark/internal/advisory/db"
	"bulwark/internal/callgraph"
	"bulwark/internal/dependency"
	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// goReach has the calls of the Go modules that declare vulnerable packages
// analysed, and sets on the findings whether code reaches them.
type goReach struct {
	root     string
	database string
}

func (g *goReach) examine(ctx context.Context, findings []finding.Finding) (_ []outcome.Notice, err error) {
	folders := map[string][]*finding.Finding{}
	for i := range findings {
		f := &findings[i]
		if f.Properties[finding.PropEcosystem] != string(dependency.Go) || f.Properties[finding.PropVuln] == "" || f.Suppressed() {
			continue
		}
		for _, l := range f.Locations {
			if dir := path.Dir(l.Path); path.Base(l.Path) == "go.mod" && !slices.Contains(folders[dir], f) {
				folders[dir] = append(folders[dir], f)
			}
		}
	}
	if len(folders) == 0 {
		return nil, nil
	}
	known, err := db.Open(g.database)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, known.Close()) }()
	var notices []outcome.Notice
	for dir, list := range folders {
		vulnerabilities, err := goVulnerabilities(known, list)
		if err != nil {
			return nil, err
		}
		answers, err := callgraph.Analyse(ctx, filepath.Join(g.root, filepath.FromSlash(dir)), os.Environ(), vulnerabilities)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			notices = append(notices, outcome.Notice{Kind: "reach", Path: path.Join(dir, "go.mod"), Message: "reachability is not known: " + err.Error()})
			continue
		}
		content, err := goContent(g.root, dir)
		if err != nil {
			return nil, fmt.Errorf("reading the Go files of %s: %w", dir, err)
		}
		for _, f := range list {
			settle(f, answers[f.Properties[finding.PropVuln]], content)
		}
	}
	slices.SortFunc(notices, func(a, b outcome.Notice) int { return strings.Compare(a.Path, b.Path) })
	return notices, nil
}

// settle keeps the gravest answer of all modules that declare the package.
func settle(f *finding.Finding, a callgraph.Answer, content string) {
	have := f.Properties[finding.PropReachable]
	if have == string(callgraph.Called) || have == string(callgraph.Undecidable) && a.Reach == callgraph.NotCalled {
		return
	}
	p := map[string]string{}
	for k, v := range f.Properties {
		p[k] = v
	}
	p[finding.PropReachable], p[finding.PropReachContent] = string(a.Reach), content
	f.Properties = p
	if a.Evidence != "" && !slices.Contains(f.Evidence, a.Evidence) {
		f.Evidence = append(slices.Clone(f.Evidence), a.Evidence)
	}
}

// goVulnerabilities is what is known of the findings' vulnerabilities, as the
// analysis wants it.
func goVulnerabilities(known *db.DB, list []*finding.Finding) ([]callgraph.Vulnerability, error) {
	var out []callgraph.Vulnerability
	for _, f := range list {
		id := f.Properties[finding.PropVuln]
		d, err := known.Detail(id)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", id, err)
		}
		v := callgraph.Vulnerability{ID: id, Module: f.Properties[finding.PropPackage], Modified: d.Modified, Symbols: d.Symbols}
		out = append(out, v)
	}
	return out, nil
}

// goContent names the Go code below a folder: as long as it is the same, so is
// the answer.
func goContent(root, dir string) (string, error) {
	r, err := os.OpenRoot(filepath.Join(root, filepath.FromSlash(dir)))
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	err = fs.WalkDir(r.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case d.IsDir() && (base == ".git" || base == "testdata" || base == "node_modules"):
			return fs.SkipDir
		case !d.Type().IsRegular() || path.Ext(base) != ".go" && base != "go.mod" && base != "go.sum":
			return nil
		}
		f, err := r.Open(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		one := sha256.New()
		_, err = io.Copy(one, f)
		fmt.Fprintf(h, "%x %s\n", one.Sum(nil), name)
		return errors.Join(err, f.Close())
	})
	return "go-sha256:" + hex.EncodeToString(h.Sum(nil)), err
}
