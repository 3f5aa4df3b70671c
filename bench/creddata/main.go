// Command creddata compares the findings of a scan with the labels of Samsung's
// CredData (https://github.com/Samsung/CredData), or of a part of it, and prints
// precision and recall, in all and for each category.
//
//	bulwark scan --format json DIR/data >run.json
//	go run ./bench/creddata -dir DIR run.json
//
// DIR is a folder made by CredData's own download_data.py: meta/*.csv holds the
// labels, data/ the files. Scoring follows CredData's benchmark for tools that
// report lines: the unit is a labelled line, or range of lines; it is true if
// any label on it is T, and false if all are F or X. A finding on a true unit
// makes a true positive, one on a false unit a false positive; a unit counts
// once however many findings it has. Units whose only category is left out (UUID
// unless -without says otherwise) count nothing. Findings on lines without a
// label are not scored, as there; their number is printed, and -list shows them
// for review, since some of them are false positives that nobody labelled.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"bulwark/internal/outcome"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "creddata:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("creddata", flag.ContinueOnError)
	dir := flags.String("dir", ".", "folder that holds meta and data")
	repos := flags.String("repos", "", "comma-separated ids of the repositories to score (default: all that are labelled)")
	without := flags.String("without", "UUID", "comma-separated categories to leave out")
	list := flags.String("list", "", "what to list: any of tp, fp, fn, unlabelled, comma-separated")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("want the JSON output of one scan as argument, got %d arguments", flags.NArg())
	}
	labels, err := readLabels(*dir+"/meta", fields(*repos))
	if err != nil {
		return err
	}
	places, err := readRun(flags.Arg(0))
	if err != nil {
		return err
	}
	s := score(labels, places, fields(*without))
	s.print(out)
	return s.list(out, *dir, fields(*list))
}

func fields(s string) map[string]bool {
	out := map[string]bool{}
	for _, f := range strings.Split(s, ",") {
		if f = strings.TrimSpace(f); f != "" {
			out[f] = true
		}
	}
	return out
}

// place is where a finding is.
type place struct {
	path       string // from data/ on
	start, end int    // lines
	rule       string
	confidence string
}

func readRun(name string) ([]place, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the scan's output: %w", err)
	}
	var r outcome.Run
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("reading the scan's output %s: %w", name, err)
	}
	var out []place
	for _, f := range r.Findings {
		for _, l := range f.Locations {
			path := l.Path
			if i := strings.Index("/"+path, "/data/"); i >= 0 {
				path = path[i:]
			} else {
				path = "data/" + path
			}
			out = append(out, place{path, l.StartLine, l.EndLine, f.RuleID, f.Confidence.String()})
		}
	}
	return out, nil
}
