package feed

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"bulwark/internal/advisory"
)

// maxLine bounds a line of a table, in bytes.
const maxLine = 64 << 10

// readEPSS reads the daily scores of FIRST.org: a line
// "#model_version:…,score_date:…", a line of column names, then one line for
// each CVE (https://www.first.org/epss/data_stats).
func readEPSS(r io.Reader) (table[advisory.EPSS], error) {
	var t table[advisory.EPSS]
	lines := newLines(r)
	head, err := lines.next()
	if err != nil {
		return t, fmt.Errorf("reading the EPSS scores: %w", unexpected(err))
	}
	_, date, found := strings.Cut(head, "score_date:")
	if !strings.HasPrefix(head, "#") || !found {
		return t, fmt.Errorf("reading the EPSS scores: line 1 states no score_date")
	}
	date, _, _ = strings.Cut(date, ",")
	when, err := parseScoreDate(strings.TrimSpace(date))
	if err != nil {
		return t, fmt.Errorf("reading the EPSS scores: line 1: score_date %q is no date", clip(date))
	}
	day := when.Format(time.DateOnly)
	t.newest = when.Format(time.RFC3339)
	if head, err = lines.next(); err != nil {
		return t, fmt.Errorf("reading the EPSS scores: %w", unexpected(err))
	}
	if head != "cve,epss,percentile" {
		return t, fmt.Errorf("reading the EPSS scores: line 2 is %q, want \"cve,epss,percentile\"", clip(head))
	}
	for {
		line, err := lines.next()
		if err == io.EOF {
			return t, t.check(setEPSS)
		}
		if err != nil {
			return t, fmt.Errorf("reading the EPSS scores: line %d: %w", lines.n+1, err)
		}
		if line == "" {
			continue
		}
		cve, rest, _ := strings.Cut(line, ",")
		score, percentile, _ := strings.Cut(rest, ",")
		s, okScore := share(score)
		p, okPercentile := share(percentile)
		if !isCVE(cve) || !okScore || !okPercentile {
			t.refuse(setEPSS, fmt.Sprintf("line %d", lines.n), "want CVE-id,score,percentile, the two between 0 and 1, not %q", clip(line))
			continue
		}
		t.entries = append(t.entries, advisory.EPSS{CVE: strings.Clone(cve), Score: s, Percentile: p, Date: day})
	}
}

// share reads a number from 0 to 1.
func share(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && f >= 0 && f <= 1
}

// parseScoreDate reads the date of scores, of which there are three spellings:
// 2026-01-11T12:55:00Z, 2026-01-11T00:00:00+0000, 2026-01-11.
func parseScoreDate(s string) (time.Time, error) {
	var first error
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700", time.DateOnly} {
		when, err := time.Parse(layout, s)
		if err == nil {
			return when.UTC(), nil
		}
		if first == nil {
			first = err
		}
	}
	return time.Time{}, first
}

// lines reads lines of bounded length.
type lines struct {
	r *bufio.Reader
	n int // of the last line, from 1
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, maxLine)} }

// next returns a line without its end, or io.EOF.
func (l *lines) next() (string, error) {
	b, err := l.r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return "", fmt.Errorf("it is longer than %d bytes", maxLine)
	case err == io.EOF && len(b) > 0:
	case err != nil:
		return "", err
	}
	l.n++
	return strings.TrimRight(string(b), "\r\n"), nil
}

// unexpected makes an end of input an error where more is needed.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
