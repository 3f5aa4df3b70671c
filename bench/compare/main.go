// Command compare measures Bulwark and other scanners (gitleaks for secrets, syft
// and osv-scanner for packages) in turn on the same input and prints what each
// cost and found. It is part of `make bench`; bench/run.sh
// builds the programs and says where things are. It measures, it does not judge
// whether a finding is right: bench/creddata does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

type settings struct {
	gitleaks, gitleaksVersion     string
	gitleaksRules, gitleaksSource string
	bulwark                       string
	goroot                        string
	kubernetes, kubernetesVersion string
	history                       string
	repositories                  []string
	advisories, lockfiles         string
	runs                          int
	work                          string
	out                           io.Writer
}

// suite are the cases in the order in which they run: the quick ones first.
var suite = []struct {
	name string
	run  func(context.Context, *settings) error
}{
	{"version", version},
	{"goroot", goroot},
	{"kubernetes", kubernetes},
	{"history", history},
	{"warm", warm},
	{"parity", parity},
	{"packages", packages},
	{"advisories", advisories},
}

func main() {
	s := settings{out: os.Stdout}
	var only, floor, repositories string
	flag.StringVar(&floor, "floor", "", "only read every file under `FOLDER` once, on all cores")
	flag.StringVar(&s.gitleaks, "gitleaks", "", "gitleaks `PROGRAM`")
	flag.StringVar(&s.gitleaksVersion, "gitleaks-version", "", "its `VERSION`, for the heading")
	flag.StringVar(&s.gitleaksRules, "gitleaks-rules", "", "its default configuration `FILE`")
	flag.StringVar(&s.gitleaksSource, "gitleaks-source", "", "its source `FOLDER`, which is full of examples")
	flag.StringVar(&s.bulwark, "bulwark", "", "bulwark `PROGRAM`")
	flag.StringVar(&s.goroot, "goroot", "", "`FOLDER` of the Go standard library")
	flag.StringVar(&s.kubernetes, "kubernetes", "", "`FOLDER` of the unpacked module k8s.io/kubernetes")
	flag.StringVar(&s.kubernetesVersion, "kubernetes-version", "", "its `VERSION`, for the heading")
	flag.StringVar(&s.history, "history", "", "git `REPOSITORY` with 10,000 commits or more")
	flag.StringVar(&repositories, "repositories", "", "`FOLDERS` whose packages are extracted, with the list separator of the system between them")
	flag.StringVar(&s.advisories, "advisories", "", "`FOLDER` of OSV exports, as FOLDER/…/ECOSYSTEM/all.zip")
	flag.StringVar(&s.lockfiles, "lockfiles", "", "`FOLDER` of lockfiles")
	flag.IntVar(&s.runs, "runs", 3, "measurements of each thing; the median counts")
	flag.StringVar(&only, "cases", "", "comma-separated `LIST` of cases; empty: all")
	flag.StringVar(&s.work, "work", os.TempDir(), "`FOLDER` for what the cases make")
	flag.Parse()
	s.repositories = filepath.SplitList(repositories)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if floor != "" {
		err = readAll(ctx, floor)
	} else {
		err = s.all(ctx, only)
	}
	if err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// all runs the cases. One that fails does not keep the others from running.
func (s *settings) all(ctx context.Context, only string) error {
	var names []string
	for _, c := range suite {
		names = append(names, c.name)
	}
	want := names
	if only != "" {
		want = strings.Split(only, ",")
		for _, w := range want {
			if !slices.Contains(names, w) {
				return fmt.Errorf("there is no case %q: want some of %s", w, strings.Join(names, ", "))
			}
		}
	}
	if s.runs < 1 {
		return fmt.Errorf("-runs %d: want 1 or more", s.runs)
	}
	fmt.Fprintf(s.out, "%s, %s\nMedian of %d runs, the programs in turn.\n", time.Now().UTC().Format("2 January 2006"), machine(), s.runs)
	var errs []error
	for _, c := range suite {
		if !slices.Contains(want, c.name) {
			continue
		}
		if err := c.run(ctx, s); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			errs = append(errs, fmt.Errorf("case %s: %w", c.name, err))
		}
	}
	return errors.Join(errs...)
}
