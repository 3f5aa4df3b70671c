// Package cvss reads the severity vectors of advisories: the Common
// Vulnerability Scoring System of FIRST.org in its versions 2.0, 3.0, 3.1 and
// 4.0. Scores are computed by github.com/pandatix/go-cvss; this package adds
// the tolerance that published records need, the place of an error, and the
// choice between several ratings.
//
// It is not for priorities: a score says how bad a vulnerability would be, not
// whether it is exploited or exposed. Package ssvc weighs those. Nor does it
// map a rating to a finding's severity; the scanner does.
package cvss

import (
	"errors"
	"fmt"
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"

	"bulwark/internal/advisory"
)

// The systems, as advisory.Severity names them.
const (
	V20   = "CVSS:2.0"
	V30   = "CVSS:3.0"
	V31   = "CVSS:3.1"
	V40   = "CVSS:4.0"
	Label = "label" // a word without a vector
)

// maxVector bounds a vector, in bytes. The longest possible one, of CVSS 4.0
// with every optional metric, has 224.
const maxVector = 512

// scored is what the four versions of the library have in common.
type scored interface {
	Set(metric, value string) error
	Vector() string
}

// version says how vectors of one system look.
type version struct {
	system string
	base   []string // the metrics that must be there
	fresh  func() scored
	score  func(scored) float64 // of the base metrics alone
}

var (
	v20 = version{V20, []string{"AV", "AC", "Au", "C", "I", "A"},
		func() scored { return new(gocvss20.CVSS20) },
		func(s scored) float64 { return s.(*gocvss20.CVSS20).BaseScore() }}
	v30 = version{V30, []string{"AV", "AC", "PR", "UI", "S", "C", "I", "A"},
		func() scored { return new(gocvss30.CVSS30) },
		func(s scored) float64 { return s.(*gocvss30.CVSS30).BaseScore() }}
	v31 = version{V31, []string{"AV", "AC", "PR", "UI", "S", "C", "I", "A"},
		func() scored { return new(gocvss31.CVSS31) },
		func(s scored) float64 { return s.(*gocvss31.CVSS31).BaseScore() }}
	v40 = version{V40, []string{"AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"},
		func() scored { return new(gocvss40.CVSS40) },
		func(s scored) float64 { return s.(*gocvss40.CVSS40).Score() }}
)

// Error says where a vector cannot be read.
type Error struct {
	Vector string // cut to 120 bytes; from a stranger: escape it
	Offset int    // byte offset in the vector as given, from 0
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("reading the CVSS vector %q: %s at byte %d", e.Vector, e.Reason, e.Offset+1)
}

// Parse reads a vector and computes its base score. The version is told by the
// prefix ("CVSS:3.1/"); one without a prefix that has the metric Au is of
// version 2.0, in which a prefix is not customary. Space around the vector and
// one pair of parentheses, as NVD once wrote them, are dropped. Metrics may come
// in any order, each once; those of the base group must all be there.
//
// The result's Vector is the canonical form, so that equal ratings are equal
// texts. Score is the base score, of CVSS 4.0 what the specification calls
// CVSS-B: threat and environmental metrics stay in the vector and do not change
// it. Source is left empty. Errors are of type *Error.
func Parse(vector string) (advisory.Severity, error) {
	p := parser{whole: vector, end: len(vector)}
	v, err := p.version()
	if err != nil {
		return advisory.Severity{}, err
	}
	all, err := p.metrics(v)
	if err != nil {
		return advisory.Severity{}, err
	}
	base := v.fresh()
	for _, m := range v.base {
		value, ok := find(all, m)
		if !ok {
			return advisory.Severity{}, p.fail(p.end, "the metric %s of the base group is missing", m)
		}
		if err := base.Set(m, value); err != nil {
			return advisory.Severity{}, p.fail(p.end, "%s:%s: %v", m, value, err)
		}
	}
	whole := v.fresh()
	for _, m := range all {
		if err := whole.Set(m.name, m.value); err != nil {
			return advisory.Severity{}, p.fail(m.at, "%s:%s: %v", m.name, m.value, err)
		}
	}
	score := v.score(base)
	return advisory.Severity{
		System: v.system,
		Vector: whole.Vector(),
		Score:  score,
		Label:  Rate(v.system, score),
	}, nil
}

// metric is one "AV:N" and where it stands.
type metric struct {
	name, value string
	at          int
}

func find(all []metric, name string) (string, bool) {
	for i := range all {
		if all[i].name == name {
			return all[i].value, true
		}
	}
	return "", false
}

// parser walks whole[at:end].
type parser struct {
	whole   string
	at, end int
}

func (p *parser) fail(at int, format string, args ...any) error {
	shown := p.whole
	if len(shown) > 120 {
		shown = shown[:120]
	}
	return &Error{Vector: shown, Offset: at, Reason: fmt.Sprintf(format, args...)}
}

// version drops what surrounds the metrics and tells the version.
func (p *parser) version() (version, error) {
	if len(p.whole) > maxVector {
		return version{}, p.fail(maxVector, "more than %d bytes", maxVector)
	}
	for p.at < p.end && isSpace(p.whole[p.at]) {
		p.at++
	}
	for p.end > p.at && isSpace(p.whole[p.end-1]) {
		p.end--
	}
	if p.end-p.at >= 2 && p.whole[p.at] == '(' && p.whole[p.end-1] == ')' {
		p.at, p.end = p.at+1, p.end-1
	}
	if p.at == p.end {
		return version{}, p.fail(p.at, "the vector is empty")
	}
	text := p.whole[p.at:p.end]
	for _, v := range []version{v31, v40, v30, v20} {
		if rest, ok := strings.CutPrefix(text, v.system+"/"); ok {
			p.at = p.end - len(rest)
			return v, nil
		}
	}
	if strings.HasPrefix(text, "CVSS:") {
		return version{}, p.fail(p.at, "the version is not 2.0, 3.0, 3.1 or 4.0")
	}
	if strings.Contains(text, "Au:") {
		return v20, nil
	}
	return version{}, p.fail(p.at, "no prefix such as %q, and not of version 2.0", V31+"/")
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// metrics splits at slashes and lets the library check each metric.
func (p *parser) metrics(v version) ([]metric, error) {
	check := v.fresh()
	all := make([]metric, 0, 16)
	for at := p.at; ; {
		end := p.end
		if i := strings.IndexByte(p.whole[at:p.end], '/'); i >= 0 {
			end = at + i
		}
		name, value, ok := strings.Cut(p.whole[at:end], ":")
		if !ok {
			return nil, p.fail(at, "%q is not a metric and its value", p.whole[at:end])
		}
		if _, twice := find(all, name); twice {
			return nil, p.fail(at, "the metric %s is there twice", name)
		}
		if err := check.Set(name, value); err != nil {
			return nil, p.fail(at, "%q: %s", p.whole[at:end], explain(v, err))
		}
		all = append(all, metric{name, value, at})
		if end == p.end {
			return all, nil
		}
		at = end + 1
	}
}

// explain tells an unknown metric from an unknown value.
func explain(v version, err error) string {
	var (
		m20 *gocvss20.ErrInvalidMetric
		m30 *gocvss30.ErrInvalidMetric
		m31 *gocvss31.ErrInvalidMetric
		m40 *gocvss40.ErrInvalidMetric
	)
	if errors.As(err, &m20) || errors.As(err, &m30) || errors.As(err, &m31) || errors.As(err, &m40) {
		return v.system + " has no such metric"
	}
	return v.system + " has no such value"
}

// Metric returns the value of one metric of a canonical vector, "" if it is not
// there: Metric("CVSS:3.1/AV:N/…", "AV") is "N".
func Metric(vector, name string) string {
	for part := range strings.SplitSeq(vector, "/") {
		if m, value, ok := strings.Cut(part, ":"); ok && m == name {
			return value
		}
	}
	return ""
}
