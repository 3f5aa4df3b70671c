package policy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"bulwark/internal/outcome"
)

// Explain decides as Decide does and writes why to w: for every finding and for
// the run, what each policy said, where its rule stands, and which cases were
// tried before the one that held. What policies print follows. The text holds
// no control characters but line feeds, whatever the input holds.
//
// When the decision fails, what was learnt until then is written all the same,
// and the error is returned.
func (e *Engine) Explain(ctx context.Context, in Input, w io.Writer) (out Output, err error) {
	defer recovered(Evaluation, "explaining", &err)
	rec := newRecorder(e.packages)
	out, err = e.decide(ctx, in, rec)
	x := explainer{w: bufio.NewWriter(w), rec: rec}
	if errors.Is(err, errAbandoned) {
		return out, err // rec is still in use
	}
	if err == nil {
		x.write(&in, &out)
	}
	x.prints()
	if werr := x.w.Flush(); err == nil && werr != nil {
		return out, fmt.Errorf("writing the explanation: %w", werr)
	}
	return out, err
}

type explainer struct {
	w   *bufio.Writer
	rec *recorder
}

func (x *explainer) printf(format string, args ...any) {
	// The error is kept by the writer and reported by Flush.
	_, _ = fmt.Fprintf(x.w, format, args...)
}

func (x *explainer) write(in *Input, out *Output) {
	x.printf("verdict: %s\n", out.Verdict)
	var run []Decision
	byID := make(map[[2]string]Decision, len(out.Decisions))
	for _, d := range out.Decisions {
		if d.Fingerprint == "" {
			run = append(run, d)
			continue
		}
		byID[[2]string{d.RuleID, d.Fingerprint}] = d
	}
	if len(run) > 0 {
		x.printf("\nthe run\n")
		for _, d := range run {
			x.decision(d)
		}
		x.firings(x.rec.about("", ""))
	}
	for i := range in.Findings {
		f := &in.Findings[i]
		x.printf("\n%s  %s\n", plain(f.RuleID), plain(place(f)))
		x.printf("  %s severity, %s confidence, %s  [%s]\n", f.Severity, f.Confidence, f.Status, plain(f.Fingerprint))
		d, ok := byID[[2]string{f.RuleID, f.Fingerprint}]
		if !ok {
			x.printf("  not judged: %s\n", plain(accepted(f)))
			continue
		}
		x.decision(d)
		x.firings(x.rec.about(f.RuleID, f.Fingerprint))
	}
}

func (x *explainer) decision(d Decision) {
	x.printf("  %-7s %s\n          %s\n", d.Verdict, plain(d.Policy), plain(d.Reason))
}

func (x *explainer) firings(list []firing) {
	for _, f := range list {
		verb := "says"
		if f.override {
			verb = "lowers to"
		}
		x.printf("    %s %s %s, %s\n", plain(f.policy), verb, plain(f.verdict), plain(f.at))
		for _, s := range f.steps {
			if s.failed == "" {
				x.printf("      %s: %s holds\n", plain(s.at), plain(s.rule))
			} else {
				x.printf("      %s: %s does not hold: %s\n", plain(s.at), plain(s.rule), plain(s.failed))
			}
		}
	}
}

func (x *explainer) prints() {
	if len(x.rec.prints) == 0 {
		return
	}
	x.printf("\nprinted by policies\n")
	for _, p := range x.rec.prints {
		x.printf("  %s\n", plain(p))
	}
	if x.rec.dropped > 0 {
		x.printf("  (%d more)\n", x.rec.dropped)
	}
}

func place(f *Finding) string {
	if len(f.Locations) == 0 {
		return ""
	}
	s := f.Locations[0].Path
	if f.Locations[0].StartLine > 0 {
		s += ":" + strconv.Itoa(f.Locations[0].StartLine)
	}
	if n := len(f.Locations) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// accepted says why a finding is suppressed.
func accepted(f *Finding) string {
	var why []string
	for i := range f.Locations {
		s := &f.Locations[i].Suppression
		text := strings.Join(slices.DeleteFunc([]string{s.Kind, s.ID, s.Reason}, func(t string) bool { return t == "" }), ", ")
		if s.Until != "" {
			text += ", until " + s.Until
		}
		if text != "" && !slices.Contains(why, text) {
			why = append(why, text)
		}
	}
	if len(why) == 0 {
		return "suppressed"
	}
	return "suppressed (" + strings.Join(why, "; ") + ")"
}

// plain makes a stranger's text safe for a terminal.
func plain(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return b.String()
}

// verdictOf is used for ordering what was said: the gravest first.
func verdictOf(name string) outcome.Verdict {
	var v outcome.Verdict
	if v.UnmarshalText([]byte(name)) != nil {
		return outcome.Block
	}
	return v
}
