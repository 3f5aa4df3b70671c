package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// heading starts a case.
func heading(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "\n%s\n", fmt.Sprintf(format, args...))
}

// table prints the results, one to a line.
func table(w io.Writer, results []result) error {
	return tableOf(w, "findings", results)
}

// tableOf is table for programs that count something else than findings.
func tableOf(w io.Writer, what string, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\twall\tCPU\tmemory\t%s\t\n", what)
	for _, r := range results {
		found := "-"
		if r.findings >= 0 {
			found = fmt.Sprint(r.findings)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.0f MiB\t%s\t\n", r.name, seconds(r.wall), seconds(r.cpu), float64(r.memory)/(1<<20), found)
	}
	return t.Flush()
}

func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// ratio prints how the costs of two results relate.
func ratio(w io.Writer, of, to result) {
	fmt.Fprintf(w, "%s takes %s the wall time of %s, %s its CPU time and %s its memory.\n", of.name,
		share(float64(of.wall), float64(to.wall)), to.name, share(float64(of.cpu), float64(to.cpu)), share(float64(of.memory), float64(to.memory)))
}

// share writes a ratio as people read it: 1/23 of, or 2.3 times.
func share(a, b float64) string {
	switch {
	case a <= 0 || b <= 0:
		return "an unknown part of"
	case a < b:
		return fmt.Sprintf("1/%.1f of", b/a)
	}
	return fmt.Sprintf("%.1f times", a/b)
}
