package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// label is one row of CredData's metadata.
type label struct {
	path       string // data/<repository>/…
	start, end int    // lines, from 1
	truth      bool
	categories []string
}

// readLabels reads all metadata files of a folder, or those of the named
// repositories.
func readLabels(dir string, only map[string]bool) ([]label, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil {
		return nil, fmt.Errorf("listing the labels in %s: %w", dir, err)
	}
	var out []label
	for _, name := range names {
		if len(only) > 0 && !only[strings.TrimSuffix(filepath.Base(name), ".csv")] {
			continue
		}
		rows, err := readRows(name)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no labels in %s: want the folder meta of CredData", dir)
	}
	return out, nil
}

func readRows(name string) ([]label, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading labels: %w", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading labels from %s: %w", name, err)
	}
	column := map[string]int{}
	for i, c := range rows[0] {
		column[c] = i
	}
	for _, c := range []string{"FilePath", "LineStart", "LineEnd", "GroundTruth", "Category"} {
		if _, ok := column[c]; !ok {
			return nil, fmt.Errorf("reading labels from %s: no column %s", name, c)
		}
	}
	var out []label
	for n, row := range rows[1:] {
		start, err1 := strconv.Atoi(row[column["LineStart"]])
		end, err2 := strconv.Atoi(row[column["LineEnd"]])
		if err1 != nil || err2 != nil || end < start {
			return nil, fmt.Errorf("reading labels from %s: row %d: bad lines", name, n+2)
		}
		out = append(out, label{
			path: row[column["FilePath"]], start: start, end: end, truth: row[column["GroundTruth"]] == "T",
			categories: strings.Split(row[column["Category"]], ":"),
		})
	}
	return out, nil
}
