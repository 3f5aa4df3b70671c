package laws

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestNoPathsOfThisMachine: what only one machine has does not belong into the
// tree. The folder of this checkout, and the one that it lies in, are such.
func TestNoPathsOfThisMachine(t *testing.T) {
	tree := house(t)
	dirs := []string{tree.root}
	if parent := filepath.Dir(tree.root); parent != filepath.Dir(parent) {
		dirs = append(dirs, parent)
	}
	var expr []string
	for _, d := range dirs {
		expr = append(expr, regexp.QuoteMeta(filepath.ToSlash(d)+"/"))
	}
	local := regexp.MustCompile(`(?:^|[^A-Za-z0-9_.}/-])(` + strings.Join(expr, "|") + `)`)
	err := walk(tree.root, func(name string) error {
		data, err := os.ReadFile(filepath.Join(tree.root, filepath.FromSlash(name)))
		if err != nil || !utf8.Valid(data) {
			return err
		}
		if at := local.FindSubmatchIndex(data); at != nil {
			t.Errorf("%s:%d: names the path %s, which only this machine has", name, 1+bytes.Count(data[:at[2]], []byte{'\n'}), data[at[2]:at[3]])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestArchitectureNamesEverything: each room and each module that we import
// ourselves stands in ARCHITECTURE.md with its reason.
func TestArchitectureNamesEverything(t *testing.T) {
	tree := house(t)
	data, err := os.ReadFile(filepath.Join(tree.root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	named := regexp.MustCompile("`([a-z0-9.-]+\\.[a-z]+/[A-Za-z0-9_./-]+)`").FindAllStringSubmatch(text, -1)
	for name := range rooms {
		if !strings.Contains(text, "`internal/"+name+"`") {
			t.Errorf("ARCHITECTURE.md does not say what internal/%s is for", name)
		}
	}
	seen := map[string]bool{}
	for _, f := range tree.files {
		if strings.HasPrefix(f.path, "tools/") {
			continue // a module of its own
		}
		for _, imported := range f.imports {
			first, _, _ := strings.Cut(imported, "/")
			if seen[imported] || !strings.Contains(first, ".") {
				continue
			}
			seen[imported] = true
			if !slices.ContainsFunc(named, func(m []string) bool { return within(imported, m[1]) }) {
				t.Errorf("%s imports %s: ARCHITECTURE.md does not say why we depend on it", f.path, imported)
			}
		}
	}
}

var (
	markdownLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	markdownHeading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	notInAnchor     = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinksLeadSomewhere checks the links between our own documents.
func TestLinksLeadSomewhere(t *testing.T) {
	tree := house(t)
	err := walk(tree.root, func(name string) error {
		if !strings.HasSuffix(name, ".md") {
			return nil
		}
		data, err := os.ReadFile(filepath.Join(tree.root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		for _, m := range markdownLink.FindAllStringSubmatch(string(data), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := filepath.Join(tree.root, filepath.FromSlash(path.Dir(name)), filepath.FromSlash(target))
			if target == "" {
				file = filepath.Join(tree.root, filepath.FromSlash(name))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
				continue
			}
			if anchor == "" || !strings.HasSuffix(file, ".md") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if !slices.Contains(anchors(string(text)), anchor) {
				t.Errorf("%s links to %s, but there is no such heading", name, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// anchors returns the names that code hosts give to the headings of a document.
func anchors(markdown string) []string {
	var all []string
	for _, m := range markdownHeading.FindAllStringSubmatch(markdown, -1) {
		name := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
