package pipeline

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/scanner"
	"bulwark/internal/source"
)

// joiner concludes every word of every .lock file. With notRun it says so.
func joiner(notRun string) *fakeScanner {
	s := finder("joiner", "")
	s.wants = func(m scanner.Meta) bool { return strings.HasSuffix(m.Path, ".lock") }
	s.scan = func(_ context.Context, c *scanner.Chunk) (scanner.Result, error) {
		b, err := json.Marshal(string(c.Content))
		return scanner.Result{Facts: b}, err
	}
	s.after = func(_ context.Context, facts []scanner.Fact) ([]finding.Finding, error) {
		var out []finding.Finding
		for _, f := range facts {
			var text string
			if err := json.Unmarshal(f.Data, &text); err != nil {
				return nil, err
			}
			for word := range strings.FieldsSeq(text) {
				out = append(out, finding.Finding{RuleID: "word", Fingerprint: "test/1:" + word, Scanner: "joiner", Severity: finding.Low,
					Status: finding.New, Message: word, Locations: []finding.Location{{Path: f.Path, StartLine: 1}}})
			}
		}
		if notRun != "" {
			return out, &scanner.NotRunError{Reason: notRun}
		}
		return out, nil
	}
	return s
}

func TestWholeTree(t *testing.T) {
	// a.lock is changed and gets "new"; b.lock is left alone.
	whole := files(map[string]string{"a.lock": "old new", "b.lock": "other", "x.txt": "text"})
	q := request(t, files(map[string]string{"a.lock": "old new", "x.txt": "text"}), joiner(""))
	q.Whole, q.Mode = whole, "change"
	q.Bases = []source.Source{files(map[string]string{"a.lock": "old"}), files(map[string]string{"a.lock": "old", "b.lock": "other"})}
	got := map[string]finding.Status{}
	for _, f := range mustRun(t, q).Findings {
		got[f.Message] = f.Status
	}
	if len(got) != 2 || got["old"] != finding.Existing || got["new"] != finding.New {
		t.Errorf("findings %v, want old: existing, new: new, and nothing of the file that was left alone", got)
	}

	// Where no changed file concerns the scanner, the rest is not looked at.
	whole = files(map[string]string{"a.lock": "old", "x.txt": "text"})
	q = request(t, files(map[string]string{"x.txt": "text"}), joiner(""))
	q.Whole, q.Mode = whole, "change"
	if run := mustRun(t, q); len(run.Findings) != 0 || len(whole.opened) != 0 {
		t.Errorf("a change that concerns nothing has findings %v and opened %v", run.Findings, whole.opened)
	}
}

func TestNotRun(t *testing.T) {
	run := mustRun(t, request(t, files(map[string]string{"a.lock": "word"}), joiner("no database")))
	if s := run.Scanners[0]; s.Status != outcome.NotRun || s.Reason != "no database" {
		t.Errorf("the scanner is %s (%s), want not-run", s.Status, s.Reason)
	}
	if len(run.Findings) != 1 {
		t.Errorf("%d findings, want the one that needs no database", len(run.Findings))
	}
	if run.Verdict != outcome.Unknown {
		t.Errorf("verdict %s, want unknown: not run is not clean", run.Verdict)
	}
}
