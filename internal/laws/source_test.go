package laws

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// mostLines is where a file has become two. Aim at 300.
const mostLines = 800

// TestProcessBelongsToWiring: a library never ends the process and never asks
// the environment.
func TestProcessBelongsToWiring(t *testing.T) {
	tree := house(t)
	forbidden := map[string][]string{
		"os":  {"Exit", "Args", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Chdir", "UserCacheDir", "UserConfigDir", "UserHomeDir"},
		"log": {"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln"},
	}
	for _, f := range tree.code() {
		if f.syntax.Name.Name == "main" || room(f.pkg) == "cli" {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(forbidden[x.Name], s.Sel.Name) && slices.Contains(f.imports, x.Name) {
				t.Errorf("%s: %s.%s: only cmd and cli end the process or read its arguments and environment; take the value as a parameter, return the error", tree.at(s.Pos()), x.Name, s.Sel.Name)
			}
			return true
		})
	}
}

func TestNoInit(t *testing.T) {
	tree := house(t)
	for _, f := range tree.files {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init(): registration is an explicit list, and a program that starts pays for nothing it does not use", tree.at(fn.Pos()))
			}
		}
	}
}

func TestNoPanic(t *testing.T) {
	tree := house(t)
	for _, f := range tree.code() {
		if f.syntax.Name.Name == "main" {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" {
				t.Errorf("%s: panic: input is hostile, and a crash is an answer that a gate must not give; return an error", tree.at(call.Pos()))
			}
			return true
		})
	}
}

func TestPackageComments(t *testing.T) {
	tree := house(t)
	docs := map[string]string{}
	for _, f := range tree.code() {
		docs[f.pkg] += f.syntax.Doc.Text()
	}
	for _, f := range tree.code() {
		want := "Package " + f.syntax.Name.Name
		text, ok := docs[f.pkg]
		if f.syntax.Name.Name == "main" {
			want = "Command " + path.Base(f.pkg)
			// The go command's own programs begin with the capitalised name.
			ok = ok && !strings.HasPrefix(strings.ToLower(text), path.Base(f.pkg)+" ")
		}
		if ok && !strings.HasPrefix(text, want+" ") {
			t.Errorf("%s: the comment of the package must begin %q and say what it is for and what it is not for", f.pkg, want)
			delete(docs, f.pkg)
		}
	}
}

// selfEvident are methods whose meaning is fixed by an interface of the standard
// library.
var selfEvident = []string{
	"String", "GoString", "Error", "Unwrap", "Is", "As", "Len", "Less", "Swap", "Push", "Pop",
	"Read", "Write", "Close", "ReadAt", "Seek", "WriteString", "Name", "Size", "Mode", "ModTime", "IsDir", "Sys",
}

func TestExportedIsDocumented(t *testing.T) {
	tree := house(t)
	missing := func(pos token.Pos, what string) {
		t.Errorf("%s: %s has no comment: say what it is for, its units and its errors", tree.at(pos), what)
	}
	for _, f := range tree.code() {
		if f.syntax.Name.Name == "main" {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if !d.Name.IsExported() || d.Doc != nil {
					continue
				}
				if d.Recv == nil {
					missing(d.Pos(), "func "+d.Name.Name)
				} else if receiver := receiverName(d); ast.IsExported(receiver) && !slices.Contains(selfEvident, d.Name.Name) {
					missing(d.Pos(), "method "+receiver+"."+d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
						missing(s.Pos(), "type "+s.Name.Name)
					}
				}
				// One comment above a group of constants or variables serves all.
				if d.Tok != token.CONST && d.Tok != token.VAR {
					continue
				}
				for _, s := range d.Specs {
					v, ok := s.(*ast.ValueSpec)
					if ok && v.Names[0].IsExported() && d.Doc == nil && v.Doc == nil && v.Comment == nil {
						missing(v.Pos(), v.Names[0].Name)
					}
				}
			}
		}
	}
}

func receiverName(d *ast.FuncDecl) string {
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func TestFilesStaySmall(t *testing.T) {
	for _, f := range house(t).files {
		if f.lines > mostLines {
			t.Errorf("%s has %d lines, more than %d: it has become two files", f.path, f.lines, mostLines)
		}
	}
}

func TestSkipsNameWhatTheyNeed(t *testing.T) {
	tree := house(t)
	for _, f := range tree.files {
		if !f.test {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			s, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || s.Sel.Name != "SkipNow" && (s.Sel.Name != "Skip" && s.Sel.Name != "Skipf" || len(call.Args) > 0) {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && (x.Name == "t" || x.Name == "b" || x.Name == "f") {
				t.Errorf("%s: a test that is skipped says what it needs, or nobody will ever run it", tree.at(call.Pos()))
			}
			return true
		})
	}
}

// parsers read bytes that strangers chose.
var parsers = []string{
	"config", "pipeline/cache", "policy", "report", "scanner/secret", "scanner/secret/assign", "scanner/secret/check",
	"scanner/secret/keyword", "source/filesource", "source/gitstore", "source/ignore", "source/textenc", "triage",
}

func TestParsersAreFuzzed(t *testing.T) {
	fuzzed := map[string]bool{}
	for _, f := range house(t).files {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				fuzzed[f.pkg] = true
			}
		}
	}
	for _, p := range parsers {
		if !fuzzed[module+"/internal/"+p] {
			t.Errorf("internal/%s has no fuzz target: it reads bytes that strangers chose", p)
		}
	}
}
