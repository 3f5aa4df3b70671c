package policy

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplain(t *testing.T) {
	e := mustLoad(t, rego(`package custom

override contains {"id": "demo", "fingerprint": f.fingerprint, "verdict": "warn", "reason": "Demo key."} if {
	some f in input.findings
	print("looking at", f.rule_id)
	demo(f)
}

demo(f) if f.locations[0].path == "a.py"
`))
	in := leak(nil)
	hidden := in.Findings[0]
	hidden.Fingerprint, hidden.Suppressed = "secret/1:bb", true
	hidden.Locations = []Location{{Path: "evil\x1b[2J.py", StartLine: 9, Suppressed: true,
		Suppression: Suppression{Kind: "waiver", ID: "W-1", Reason: "fixture", Until: "2027-01-31"}}}
	in.Findings = append(in.Findings, hidden)
	in.Scanners = append(in.Scanners, Scanner{Name: "sca", Status: "failed", Reason: "no database"})
	var b bytes.Buffer
	out, err := e.Explain(t.Context(), in, &b)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := e.Decide(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, out); diff != "" {
		t.Errorf("Explain decides otherwise than Decide:\n%s", diff)
	}
	// Lines of the default gate move; that they are named does not.
	got := regexp.MustCompile(`gate\.rego:\d+`).ReplaceAllString(b.String(), "gate.rego:N")
	want := `verdict: unknown

the run
  unknown bulwark.gate/scanner-failed
          Scanner sca failed (no database), so its findings cannot be relied on.
    bulwark.gate/scanner-failed says unknown, builtin/gate/gate.rego:N
      builtin/gate/gate.rego:N: why holds

github-pat  a.py:3
  high severity, firm confidence, new  [secret/1:aa]
  warn    custom/demo
          Demo key. (Overrides block by bulwark.gate/new-severe: New, with severity high and confidence firm; the gate blocks from high and firm.)
    bulwark.gate/new-severe says block, builtin/gate/gate.rego:N
      builtin/gate/gate.rego:N: answer does not hold: finding.status == "existing"
      builtin/gate/gate.rego:N: answer does not hold: finding.status == "existing"
      builtin/gate/gate.rego:N: answer does not hold: is_malicious(finding)
      builtin/gate/gate.rego:N: answer does not hold: in_kev(finding)
      builtin/gate/gate.rego:N: answer does not hold: is_unreachable(finding)
      builtin/gate/gate.rego:N: answer does not hold: is_development(finding)
      builtin/gate/gate.rego:N: answer holds
    custom/demo lowers to warn, custom.rego:3
      custom.rego:9: demo holds

github-pat  evil\x1b[2J.py:9
  high severity, firm confidence, new  [secret/1:bb]
  not judged: suppressed (waiver, W-1, fixture, until 2027-01-31)

printed by policies
  custom.rego:5: looking at github-pat
  custom.rego:5: looking at github-pat
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What was printed until an evaluation failed helps to find out why.
func TestExplainFailure(t *testing.T) {
	e := mustLoad(t, rego(`package custom
decisions contains {"verdict": "deny", "reason": "x"} if print("here")`))
	var b bytes.Buffer
	if _, err := e.Explain(t.Context(), quiet(), &b); !IsKind(err, Evaluation) {
		t.Errorf("error %v, want one of kind evaluation", err)
	}
	if !strings.Contains(b.String(), "custom.rego:2: here") {
		t.Errorf("the explanation lacks what was printed: %q", b.String())
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestExplainReportsWriteErrors(t *testing.T) {
	if _, err := mustLoad(t, Options{}).Explain(t.Context(), quiet(), brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want the writer's", err)
	}
}
