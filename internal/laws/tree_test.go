package laws

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the path of our module.
const module = "bulwark"

// goFile is one parsed source file.
type goFile struct {
	path    string // relative to the root, with slashes
	pkg     string // import path of its folder
	test    bool
	ignored bool // kept out of the build by the tag "ignore": a generator
	lines   int
	syntax  *ast.File
	imports []string
}

// tree is everything that the laws are about.
type tree struct {
	root  string
	fset  *token.FileSet
	files []*goFile
}

// load parses the tree once for all tests.
var load = sync.OnceValues(func() (*tree, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	t := &tree{root: root, fset: token.NewFileSet()}
	err = walk(root, func(name string) error {
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(t.fset, name, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f := &goFile{
			path: name, pkg: path.Join(module, path.Dir(name)), test: strings.HasSuffix(name, "_test.go"),
			ignored: bytes.HasPrefix(data, []byte("//go:build ignore")),
			lines:   bytes.Count(data, []byte{'\n'}), syntax: syntax,
		}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		t.files = append(t.files, f)
		return nil
	})
	return t, err
})

// walk calls do for every file of the tree but test data, what git ignores at
// the root and hidden folders.
func walk(root string, do func(name string) error) error {
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if d.IsDir() {
			hidden := rel != "." && strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci"
			if hidden || d.Name() == "testdata" || rel == "bin" || rel == "dist" {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return do(filepath.ToSlash(rel))
	})
}

func house(t *testing.T) *tree {
	t.Helper()
	tree, err := load()
	if err != nil {
		t.Fatalf("reading the tree: %v", err)
	}
	return tree
}

// code are the files that are compiled into programs: no tests, no generators.
func (t *tree) code() []*goFile {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *goFile) bool { return f.test || f.ignored })
}

func (t *tree) at(pos token.Pos) string { return t.fset.Position(pos).String() }

// room returns the first folder below internal/, or "" for what lies elsewhere.
func room(pkg string) string {
	rest, ok := strings.CutPrefix(pkg, module+"/internal/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func ours(pkg string) bool { return pkg == module || strings.HasPrefix(pkg, module+"/") }

// within reports whether pkg is dir or lies below it.
func within(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// graph is what every package that we link imports, the standard library
// included, as the go command sees it on this platform.
var graph = sync.OnceValues(func() (map[string][]string, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,ImportMap", "./internal/...", "./cmd/...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	all := map[string][]string{}
	dec := json.NewDecoder(bufio.NewReader(out))
	for {
		var p struct {
			ImportPath string
			Imports    []string
			ImportMap  map[string]string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, errors.Join(err, cmd.Wait())
		}
		for i, imported := range p.Imports {
			if real, ok := p.ImportMap[imported]; ok {
				p.Imports[i] = real
			}
		}
		all[p.ImportPath] = p.Imports
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	return all, nil
})

// chain returns the shortest way by which from imports to, or nil.
func chain(all map[string][]string, from, to string) []string {
	before := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range all[queue[0]] {
			if _, seen := before[next]; seen {
				continue
			}
			before[next] = queue[0]
			if next == to {
				var way []string
				for p := to; p != ""; p = before[p] {
					way = append(way, p)
				}
				slices.Reverse(way)
				return way
			}
			queue = append(queue, next)
		}
	}
	return nil
}
