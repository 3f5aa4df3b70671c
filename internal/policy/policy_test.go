package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/outcome"
)

var someDay = time.Date(2026, 11, 23, 12, 30, 0, 123456789, time.UTC)

// quiet is a run in which everything went well and nothing was found.
func quiet() Input {
	return Input{
		Schema:   InputID,
		Now:      someDay,
		Stage:    "commit",
		Mode:     "change",
		Scanners: []Scanner{{Name: "secret", Status: "complete", Files: 3}},
	}
}

// leak is quiet with one new finding of high severity and firm confidence.
func leak(change func(*Finding)) Input {
	in := quiet()
	f := Finding{
		RuleID: "github-pat", Scanner: "secret", Fingerprint: "secret/1:aa",
		Severity: "high", SeverityRank: 3, Confidence: "firm", ConfidenceRank: 1,
		Status: "new", Message: "GitHub personal access token",
		Locations: []Location{{Path: "a.py", StartLine: 3}},
	}
	if change != nil {
		change(&f)
	}
	in.Findings = []Finding{f}
	return in
}

func mustLoad(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := Load(t.Context(), o)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return e
}

// rego is a project with one policy file.
func rego(src string) Options {
	return Options{Files: map[string][]byte{"custom.rego": []byte(src)}}
}

// brief is an output without its reasons: "block bulwark.gate/new-severe secret/1:aa".
func brief(out Output) []string {
	lines := []string{out.Verdict.String()}
	for _, d := range out.Decisions {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Verdict, d.Policy, d.Fingerprint)))
	}
	return lines
}

func TestDefaultGate(t *testing.T) {
	e := mustLoad(t, Options{})
	tests := []struct {
		name string
		in   Input
		want []string
	}{
		{"quiet", quiet(), []string{"allow"}},
		{"new, high, firm", leak(nil), []string{"block", "block bulwark.gate/new-severe secret/1:aa"}},
		{"medium", leak(func(f *Finding) { f.Severity, f.SeverityRank = "medium", 2 }),
			[]string{"warn", "warn bulwark.gate/below-threshold secret/1:aa"}},
		{"tentative", leak(func(f *Finding) { f.Confidence, f.ConfidenceRank = "tentative", 0 }),
			[]string{"warn", "warn bulwark.gate/below-threshold secret/1:aa"}},
		{"existing", leak(func(f *Finding) { f.Status = "existing" }),
			[]string{"warn", "warn bulwark.gate/existing secret/1:aa"}},
		{"suppressed", leak(func(f *Finding) { f.Suppressed = true }), []string{"allow"}},
		{"rule off", with(leak(nil), func(in *Input) { in.Parameters.Rules = map[string]string{"github-pat": "off"} }),
			[]string{"allow", "allow bulwark.gate/rule-off secret/1:aa"}},
		{"rule lowered to info", with(leak(nil), func(in *Input) { in.Parameters.Rules = map[string]string{"github-pat": "info"} }),
			[]string{"warn", "warn bulwark.gate/below-threshold secret/1:aa"}},
		{"threshold", with(leak(nil), func(in *Input) { in.Parameters.Block.Severity = "critical" }),
			[]string{"warn", "warn bulwark.gate/below-threshold secret/1:aa"}},
		{"failed scanner and a finding", with(leak(func(f *Finding) { f.Status = "existing" }), func(in *Input) { in.Scanners[0].Status = "failed" }),
			[]string{"unknown", "unknown bulwark.gate/scanner-failed", "warn bulwark.gate/existing secret/1:aa"}},
		{"block outweighs unknown", with(leak(nil), func(in *Input) { in.Scanners[0].Status = "partial" }),
			[]string{"block", "unknown bulwark.gate/scanner-partial", "block bulwark.gate/new-severe secret/1:aa"}},
		{"no scanners", with(quiet(), func(in *Input) { in.Scanners = nil }), []string{"unknown", "unknown bulwark.gate/no-scanner"}},
		{"incomplete", with(quiet(), func(in *Input) { in.Incomplete = "cancelled" }), []string{"unknown", "unknown bulwark.gate/incomplete"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := e.Decide(t.Context(), tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, brief(out)); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

func with(in Input, change func(*Input)) Input {
	change(&in)
	return in
}

// Two findings may share a fingerprint under different rules.
func TestSharedFingerprint(t *testing.T) {
	in := leak(nil)
	second := in.Findings[0]
	second.RuleID, second.Severity, second.SeverityRank = "generic-secret", "low", 1
	in.Findings = append(in.Findings, second)
	out, err := mustLoad(t, Options{}).Decide(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"block", "block bulwark.gate/new-severe secret/1:aa", "warn bulwark.gate/below-threshold secret/1:aa"}
	if diff := cmp.Diff(want, brief(out)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

func TestProjectPolicies(t *testing.T) {
	low := leak(func(f *Finding) { f.Severity, f.SeverityRank = "low", 1 })
	tests := []struct {
		name, src string
		replace   bool
		in        Input
		want      []string
	}{
		{
			name: "adds a block",
			src: `package custom
decisions contains {"id": "nothing-in-a", "fingerprint": f.fingerprint, "verdict": "block", "reason": "Not here."} if {
	some f in input.findings
	some l in f.locations
	endswith(l.path, ".py")
}`,
			in:   low,
			want: []string{"block", "block custom/nothing-in-a secret/1:aa"},
		},
		{
			name: "a lesser decision changes nothing",
			src: `package custom
decisions contains {"fingerprint": f.fingerprint, "verdict": "allow", "reason": "Fine."} if some f in input.findings`,
			in:   leak(nil),
			want: []string{"block", "block bulwark.gate/new-severe secret/1:aa"},
		},
		{
			name: "overrides, on the record",
			src: `package custom
override contains {"fingerprint": f.fingerprint, "rule_id": f.rule_id, "verdict": "warn", "reason": "Demo key."} if some f in input.findings`,
			in:   leak(nil),
			want: []string{"warn", "warn custom secret/1:aa"},
		},
		{
			name: "an override never raises",
			src: `package custom
override contains {"fingerprint": f.fingerprint, "verdict": "block", "reason": "Worse."} if some f in input.findings`,
			in:   low,
			want: []string{"warn", "warn bulwark.gate/below-threshold secret/1:aa"},
		},
		{
			name: "overrides a decision on the run",
			src: `package custom
override contains {"policy": "bulwark.gate/scanner-failed", "verdict": "warn", "reason": "Known."} if true`,
			in:   with(quiet(), func(in *Input) { in.Scanners[0].Status = "failed" }),
			want: []string{"warn", "warn custom"},
		},
		{
			name: "judges a suppressed finding",
			src: `package bulwark.gate.waivers
decisions contains {"id": "not-on-main", "fingerprint": f.fingerprint, "verdict": "block", "reason": "No waivers here."} if {
	some f in input.findings
	f.suppressed
}`,
			in:   leak(func(f *Finding) { f.Suppressed = true }),
			want: []string{"block", "block bulwark.gate.waivers/not-on-main secret/1:aa"},
		},
		{
			name: "replaces the gate",
			src: `package mine
decisions contains {"fingerprint": f.fingerprint, "verdict": "warn", "reason": "We only look."} if some f in input.findings`,
			replace: true,
			in:      leak(nil),
			want:    []string{"warn", "warn mine secret/1:aa"},
		},
		{
			name: "a complete rule with an array, in a package with an odd name",
			src: `package teams["a-b"]
decisions := [{"verdict": "warn", "reason": "Hello."}]`,
			in:   quiet(),
			want: []string{"warn", `warn teams["a-b"]`},
		},
		{
			name: "asks the default gate",
			src: `package custom
import data.bulwark.gate
decisions contains {"verdict": "unknown", "reason": "Too many."} if count(gate.decisions) > 0`,
			in:   low,
			want: []string{"unknown", "unknown custom", "warn bulwark.gate/below-threshold secret/1:aa"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := rego(tt.src)
			o.Replace = tt.replace
			out, err := mustLoad(t, o).Decide(t.Context(), tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, brief(out)); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOverrideReasonNamesWhatItOverrides(t *testing.T) {
	e := mustLoad(t, rego(`package custom
override contains {"id": "demo", "fingerprint": f.fingerprint, "verdict": "warn", "reason": "Demo key."} if some f in input.findings`))
	out, err := e.Decide(t.Context(), leak(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := "Demo key. (Overrides block by bulwark.gate/new-severe: New, with severity high and confidence firm; the gate blocks from high and firm.)"
	if got := out.Decisions[0].Reason; got != want {
		t.Errorf("reason\n got %q\nwant %q", got, want)
	}
}

func TestDataFiles(t *testing.T) {
	o := rego(`package custom
decisions contains {"fingerprint": f.fingerprint, "verdict": "block", "reason": "Listed."} if {
	some f in input.findings
	f.rule_id in data.lists.banned
	data.on
}`)
	o.Files["lists/x.yaml"] = []byte("banned: [github-pat]\n")
	o.Files["data.json"] = []byte(`{"on": true, "lists": {"other": 1}}`)
	o.Files["README.md"] = []byte("not a policy")
	out, err := mustLoad(t, o).Decide(t.Context(), leak(func(f *Finding) { f.Severity, f.SeverityRank = "low", 1 }))
	if err != nil || out.Verdict != outcome.Block {
		t.Fatalf("verdict %v, error %v; want block", out.Verdict, err)
	}
}

// The clock of a policy is the input's, and nothing else varies.
func TestDeterministic(t *testing.T) {
	e := mustLoad(t, rego(`package custom
decisions contains {"verdict": "warn", "reason": "Same moment."} if time.parse_rfc3339_ns(input.now) == time.now_ns()`))
	in := benchInput(50)
	first, err := e.Decide(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got := brief(first)[1]; got != "warn custom" {
		t.Errorf("time.now_ns differs from input.now: first decision is %q", got)
	}
	for range 3 {
		again, err := e.Decide(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("a second decision differs:\n%s", diff)
		}
	}
}

func TestConfigurationErrors(t *testing.T) {
	const ok = "package custom\ndecisions contains {\"verdict\": \"warn\", \"reason\": \"x\"} if true\n"
	tests := []struct {
		name string
		o    Options
		want []string // all of them in the error's text
	}{
		{"syntax", rego("package custom\n\ndecisions contains x if if x\n"), []string{"custom.rego:3:", "Rego v1"}},
		{"empty file", rego(""), []string{"custom.rego", "empty module"}},
		{"http.send", rego("package custom\ndecisions contains x if x := http.send({\"method\": \"get\", \"url\": \"http://x\"}).body\n"),
			[]string{"custom.rego:2:", "http.send", "cannot reach the network"}},
		{"opa.runtime", rego("package custom\ndecisions contains x if x := opa.runtime().env\n"), []string{"custom.rego:2:", "opa.runtime", "cannot see the process"}},
		{"net.lookup_ip_addr", rego("package custom\ndecisions contains x if x := net.lookup_ip_addr(\"a\")\n"), []string{"custom.rego:2:", "network"}},
		{"rego.parse_module", rego("package custom\ndecisions contains x if x := rego.parse_module(\"a\", \"b\")\n"), []string{"custom.rego:2:", "cannot load policies"}},
		{"rand.intn", rego("package custom\ndecisions contains x if x := rand.intn(\"a\", 3)\n"), []string{"deterministic"}},
		{"misspelt function", rego("package custom\ndecisions contains x if x := cuont([1])\n"), []string{"custom.rego:2:", "cuont", "check the spelling"}},
		{"misspelt field", rego("package custom\ndecisions contains x if x := input.findngs[_]\n"), []string{"custom.rego:2:", "input", "input-v1.schema.json"}},
		{"misspelt field of a finding", rego("package custom\ndecisions contains x if {\n\tsome f in input.findings\n\tx := f.severty\n}\n"),
			[]string{"custom.rego:4:"}},
		{"no decisions", rego("package custom\ndecision contains x if x := 1\n"), []string{"decisions or override"}},
		{"nothing left", Options{Replace: true}, []string{"nothing could be decided"}},
		{"inside the gate", rego("package bulwark.gate\nseverity_ranks := {}\n"), []string{"custom.rego:2", "belongs to the default gate"}},
		{"into the gate", rego("package bulwark\ngate.decisions contains x if x := 1\n"), []string{"custom.rego:2", "belongs to the default gate"}},
		{"data over rules", Options{Files: map[string][]byte{"bulwark/gate/d.json": []byte(`{"decisions": []}`)}}, []string{"conflict"}},
		{"data of the wrong kind", Options{Files: map[string][]byte{"d.json": []byte(`[1]`)}}, []string{"d.json", "mapping"}},
		{"broken data", Options{Files: map[string][]byte{"d.json": []byte(`{`)}}, []string{"d.json"}},
		{"data twice", Options{Files: map[string][]byte{"a.json": []byte(`{"x": 1}`), "b.yaml": []byte("x: 2")}}, []string{"b.yaml", "data.x", "twice"}},
		{"schema of its own", rego("package custom\n# METADATA\n# schemas:\n#   - input: {\"$ref\": \"file:///etc/hostname\"}\n" + ok[len("package custom\n"):]), []string{"custom.rego:2", "schema of its own"}},
		{"json.match_schema", rego("package custom\ndecisions contains x if x := json.match_schema({}, {\"$ref\": \"file:///etc/hostname\"})\n"), []string{"custom.rego:2:", "files and hosts"}},
		{"a template", rego("package custom\ndecisions contains x if x := strings.render_template(\"{{.a}}\", {\"a\": 1})\n"), []string{"custom.rego:2:", "stoppable"}},
		{"too many files", Options{Files: map[string][]byte{"a.rego": []byte(ok), "b.rego": []byte(ok)}, Limits: Limits{Files: 1}}, []string{"limit is 1"}},
		{"too large", Options{Files: map[string][]byte{"a.rego": []byte(ok)}, Limits: Limits{FileBytes: 10}}, []string{"a.rego", "too large"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(t.Context(), tt.o)
			if !IsKind(err, Configuration) {
				t.Fatalf("error %v, want one of kind configuration", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
}

func TestEvaluationErrors(t *testing.T) {
	one := func(object string) string {
		return "package custom\ndecisions contains " + object + " if true\n"
	}
	tests := []struct {
		name, src string
		want      string
	}{
		{"undefined", "package custom\ndecisions := {1} if input.stage == \"never\"\n", "custom.decisions is undefined"},
		{"conflict", "package custom\nlevel := \"warn\" if true\nlevel := \"block\" if true\ndecisions contains {\"verdict\": level, \"reason\": \"x\"} if true\n", "exclude each other"},
		{"built-in error", "package custom\ndecisions contains {\"verdict\": \"block\", \"reason\": \"x\"} if to_number(input.stage) > 3\n", "custom.rego:2"},
		{"not a set", "package custom\ndecisions := 3\n", "want a set"},
		{"not objects", one("3"), "want objects"},
		{"no verdict", one(`{"reason": "x"}`), `gives the verdict ""`},
		{"odd verdict", one(`{"verdict": "deny", "reason": "x"}`), `gives the verdict "deny"`},
		{"no reason", one(`{"verdict": "block", "reason": " "}`), "no reason"},
		{"misspelt key", one(`{"verdict": "block", "reason": "x", "fingreprint": "secret/1:aa"}`), "fingreprint"},
		{"value of the wrong type", one(`{"verdict": 3, "reason": "x"}`), "not a text"},
		{"unknown finding", one(`{"verdict": "block", "reason": "x", "fingerprint": "secret/1:zz"}`), "not in the input"},
		{"rule without fingerprint", one(`{"verdict": "block", "reason": "x", "rule_id": "github-pat"}`), "no fingerprint"},
		{"contradicting overrides", `package custom
override contains {"fingerprint": "secret/1:aa", "verdict": v, "reason": "x"} if some v in ["allow", "warn"]`, "override the same decision differently"},
		{"override of nothing", `package custom
override contains {"verdict": "warn", "reason": "x"} if true`, "overrides nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := mustLoad(t, rego(tt.src)).Decide(t.Context(), leak(nil))
			if !IsKind(err, Evaluation) {
				t.Fatalf("output %v, error %v; want an error of kind evaluation", out, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

func TestReplacedGateMustCoverEveryFinding(t *testing.T) {
	o := rego("package mine\ndecisions contains {\"verdict\": \"warn\", \"reason\": \"x\"} if true\n")
	o.Replace = true
	_, err := mustLoad(t, o).Decide(t.Context(), leak(nil))
	if !IsKind(err, Evaluation) || !strings.Contains(err.Error(), "no policy decided on finding secret/1:aa") {
		t.Errorf("error %v, want one about the undecided finding", err)
	}
}

func TestInvalidInput(t *testing.T) {
	e := mustLoad(t, Options{})
	tests := map[string]func(*Input){
		"schema":     func(in *Input) { in.Schema = "bulwark.policy.input/v9" },
		"no time":    func(in *Input) { in.Now = time.Time{} },
		"far future": func(in *Input) { in.Now = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC) },
		"mode":       func(in *Input) { in.Mode = "partly" },
		"severity":   func(in *Input) { in.Findings[0].SeverityRank = 0 },
		"confidence": func(in *Input) { in.Findings[0].Confidence = "sure" },
		"status":     func(in *Input) { in.Findings[0].Status = "" },
		"twice":      func(in *Input) { in.Findings = append(in.Findings, in.Findings[0]) },
		"identity":   func(in *Input) { in.Findings[0].Fingerprint = "" },
		"threshold":  func(in *Input) { in.Parameters.Block.Severity = "hihg" },
		"setting":    func(in *Input) { in.Parameters.Rules = map[string]string{"x": "maybe"} },
		"partial":    func(in *Input) { in.Parameters.Partial = "allow" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := e.Decide(t.Context(), with(leak(nil), change))
			if !IsKind(err, Configuration) {
				t.Errorf("output %v, error %v; want an error of kind configuration", out, err)
			}
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	e := mustLoad(t, Options{})
	in := benchInput(20)
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if _, err := e.Decide(t.Context(), in); err != nil {
				t.Error(err)
			}
		})
	}
}

// A long text from a scanner is cut; it must not make the decision fail.
func TestLongReasons(t *testing.T) {
	in := quiet()
	in.Scanners[0].Status, in.Scanners[0].Reason = "failed", strings.Repeat("ü", 10_000)
	in.Incomplete = in.Scanners[0].Reason
	out, err := mustLoad(t, Options{}).Decide(t.Context(), in)
	if err != nil || out.Verdict != outcome.Unknown {
		t.Errorf("verdict %v, error %v; want unknown", out.Verdict, err)
	}
}

func TestLoadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
	_, err := Load(t.Context(), Options{Limits: Limits{LoadTimeout: time.Nanosecond}})
	if !IsKind(err, Configuration) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("error %v, want one of kind configuration about the limit", err)
	}
}
