package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

const header = "Id,FileID,Domain,RepoName,FilePath,LineStart,LineEnd,GroundTruth,ValueStart,ValueEnd,CryptographyKey,PredefinedPattern,Category\n"

// fixture writes labels and a scan's output, and returns the folder and the output.
func fixture(t *testing.T, rows []string, places map[int]int) (dir, run string) {
	t.Helper()
	dir = t.TempDir()
	for _, d := range []string{"meta", "data/aa/src"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("meta/aa.csv", header+strings.Join(rows, "\n")+"\n")
	write("data/aa/src/f.go", strings.Repeat("line\n", 50))
	var out outcome.Run
	for start, end := range places {
		out.Findings = append(out.Findings, finding.Finding{RuleID: "r", Confidence: finding.Firm, Locations: []finding.Location{{Path: "aa/src/f.go", StartLine: start, EndLine: end}}})
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	write("run.json", string(b))
	return dir, filepath.Join(dir, "run.json")
}

func row(lines, truth, category string) string {
	return "1,f,GitHub,aa,data/aa/src/f.go," + lines + "," + truth + ",0,1,,," + category
}

func TestScore(t *testing.T) {
	dir, name := fixture(t, []string{
		row("1,1", "T", "Password"),          // found
		row("2,2", "T", "Secret:Token"),      // missed
		row("3,3", "F", "Password"),          // found: false
		row("4,4", "X", "Password"),          // left alone
		row("5,5", "T", "Key"),               // one line, two labels: true
		row("5,5", "F", "Password"),          //
		row("6,6", "T", "UUID"),              // left out, though found
		row("7,7", "T", "Token:UUID"),        // counts for Token
		row("10,20", "T", "PEM Private Key"), // found by one of its lines
		row("12,12", "F", "Key"),             // inside of it: no second verdict
	}, map[int]int{1: 1, 3: 3, 5: 5, 6: 6, 7: 7, 12: 20, 40: 40})
	labels, err := readLabels(filepath.Join(dir, "meta"), nil)
	if err != nil {
		t.Fatal(err)
	}
	places, err := readRun(name)
	if err != nil {
		t.Fatal(err)
	}
	s := score(labels, places, map[string]bool{"UUID": true})
	var all counts
	for _, u := range s.units {
		if !u.ignored {
			all.add(u)
		}
	}
	if want := (counts{tp: 4, fp: 1, fn: 1, tn: 2}); all != want {
		t.Errorf("got %+v, want %+v", all, want)
	}
	if len(s.unlabelled) != 1 || s.unlabelled[0].start != 40 {
		t.Errorf("without a label: %+v, want the finding on line 40", s.unlabelled)
	}
}

func TestRunPrints(t *testing.T) {
	dir, name := fixture(t, []string{row("1,1", "T", "Password"), row("3,3", "F", "Key")}, map[int]int{1: 1, 3: 3})
	var out bytes.Buffer
	if err := run([]string{"-dir", dir, "-list", "fp", name}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.500", "1.000", "fp data/aa/src/f.go:3 Key r/firm | line", "2 findings, 0 of them on lines without a label"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestErrors(t *testing.T) {
	dir, name := fixture(t, []string{row("1,1", "T", "Password")}, nil)
	for what, args := range map[string][]string{
		"no argument":   {"-dir", dir},
		"no labels":     {"-dir", dir, "-repos", "zz", name},
		"no output":     {"-dir", dir, filepath.Join(dir, "none.json")},
		"not an output": {"-dir", dir, filepath.Join(dir, "meta", "aa.csv")},
	} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
