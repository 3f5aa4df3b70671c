// Package callgraph asks whether the code of a Go module can reach vulnerable
// functions, by the call analysis of golang.org/x/vuln. It is the one package
// that starts another program: the go command, which loads the examined module.
// So it runs on request only, without network, without cgo and without the
// toolchain that the module may ask for. It knows nothing of databases: it is
// handed the vulnerabilities that concern the module.
package callgraph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/vuln/scan"
)

// Vulnerability is one that affects a version of a module in use: that it does
// is the caller's finding and not asked again, least of all of the Go release
// that happens to be installed here.
type Vulnerability struct {
	ID       string // unique
	Module   string // "stdlib" for the standard library
	Modified time.Time
	// Symbols are the vulnerable functions and methods by import path, as the
	// Go vulnerability database writes them: "Decoder.Decode". Without any the
	// analysis can only tell whether the module is imported.
	Symbols map[string][]string
}

// Reach is how far code gets.
type Reach string

// The answers.
const (
	Called      Reach = "yes"     // a vulnerable function can be called
	NotCalled   Reach = "no"      // its functions are known and none can be called
	Undecidable Reach = "unknown" // its functions are not known
)

// Answer is what the analysis found about one vulnerability.
type Answer struct {
	Reach Reach
	// Evidence is one line: the shortest chain of calls, or what was looked at.
	Evidence string
}

// maxOutput bounds what the analysis may print, in bytes.
const maxOutput = 256 << 20

// Analyse answers for the module in the folder dir, by id. Environ is the
// process's environment. An error means that the module cannot be loaded or
// built without network, and nothing is known.
func Analyse(ctx context.Context, dir string, environ []string, vulnerabilities []Vulnerability) (_ map[string]Answer, err error) {
	if len(vulnerabilities) == 0 {
		return map[string]Answer{}, nil
	}
	folder, err := os.MkdirTemp("", "bulwark-vulndb-")
	if err != nil {
		return nil, fmt.Errorf("preparing the call analysis: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := writeDatabase(folder, vulnerabilities); err != nil {
		return nil, fmt.Errorf("preparing the call analysis: %w", err)
	}
	out, complaints := &limited{left: maxOutput}, &limited{left: 1 << 20}
	cmd := scan.Command(ctx, "-C", dir, "-db", "file://"+filepath.ToSlash(folder), "-format", "json", "-scan", "symbol", "./...")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), out, complaints
	cmd.Env = append(slices.Clone(environ), "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOSUMDB=off", "GOWORK=off", "GOTELEMETRY=off")
	if err = cmd.Start(); err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		text, _, _ := strings.Cut(strings.TrimSpace(complaints.String()), "\n\n")
		if len(text) > 2000 {
			text = text[:2000] + "…"
		}
		return nil, fmt.Errorf("analysing the calls of the Go module in %s: %w: %s; it must build without network (go mod download, go vet ./...)", dir, err, text)
	}
	return read(out, vulnerabilities)
}

// message is the part of govulncheck's JSON stream that is needed
// (golang.org/x/vuln/internal/govulncheck).
type message struct {
	Finding *struct {
		OSV   string  `json:"osv"`
		Trace []frame `json:"trace"`
	} `json:"finding"`
}

type frame struct {
	Module   string `json:"module"`
	Package  string `json:"package"`
	Function string `json:"function"`
	Receiver string `json:"receiver"`
	Position *struct {
		Filename string `json:"filename"`
		Line     int    `json:"line"`
	} `json:"position"`
}

func (f *frame) name() string {
	name := f.Function
	if f.Receiver != "" {
		name = strings.TrimPrefix(f.Receiver, "*") + "." + name
	}
	return f.Package + "." + name
}

// read takes the shortest chain of calls of each vulnerability.
func read(r io.Reader, vulnerabilities []Vulnerability) (map[string]Answer, error) {
	chains, imported := map[string][]frame{}, map[string]string{}
	d := json.NewDecoder(r)
	for {
		var m message
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading the call analysis: %w", err)
		}
		if m.Finding == nil || len(m.Finding.Trace) == 0 {
			continue
		}
		id, trace := m.Finding.OSV, m.Finding.Trace
		switch {
		case trace[0].Function != "":
			if have, ok := chains[id]; !ok || len(trace) < len(have) {
				chains[id] = trace
			}
		case trace[0].Package != "":
			imported[id] = trace[0].Package
		}
	}
	out := map[string]Answer{}
	for _, v := range vulnerabilities {
		switch chain, called := chains[v.ID]; {
		case called && len(v.Symbols) > 0:
			out[v.ID] = Answer{Called, "reachable: " + chainText(chain)}
		case len(v.Symbols) == 0 && (called || imported[v.ID] != ""):
			out[v.ID] = Answer{Undecidable, "the module is imported; which of its functions are vulnerable is not published"}
		case len(v.Symbols) == 0:
			out[v.ID] = Answer{NotCalled, "no package of " + v.Module + " is part of the program (call analysis by golang.org/x/vuln)"}
		default:
			out[v.ID] = Answer{NotCalled, "no chain of calls leads to " + symbols(v) + " (call analysis by golang.org/x/vuln)"}
		}
	}
	return out, nil
}

// chainText is the way from the program to the vulnerable function.
func chainText(chain []frame) string {
	var parts []string
	for i := len(chain) - 1; i >= 0; i-- {
		f := &chain[i]
		text := f.name()
		if f.Position != nil && i == len(chain)-1 {
			text += fmt.Sprintf(" (%s:%d)", filepath.ToSlash(f.Position.Filename), f.Position.Line)
		}
		parts = append(parts, text)
	}
	const most = 6
	if n := len(parts); n > most {
		parts = append(append(parts[:most/2:most/2], "…"), parts[n-most/2:]...)
	}
	return strings.Join(parts, " → ")
}

func symbols(v Vulnerability) string {
	var all []string
	for path, names := range v.Symbols {
		if len(names) == 0 {
			all = append(all, path)
		}
		for _, n := range names {
			all = append(all, path+"."+n)
		}
	}
	slices.Sort(all)
	if n := len(all); n > 5 {
		all = append(all[:5], fmt.Sprintf("%d others", n-5))
	}
	return strings.Join(all, ", ")
}

// limited keeps what is written up to a limit; more is an error.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, errors.New("the call analysis printed more than is read")
	}
	l.left -= len(p)
	return l.Buffer.Write(p)
}
