package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The default gate's own tests pass, and they reach all of it.
func TestDefaultGatePassesItsTests(t *testing.T) {
	r, err := Test(t.Context(), TestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range r.Results {
		if res.Outcome != TestPassed {
			t.Errorf("%s:%d: %s: %s: %s", res.File, res.Line, res.Name, res.Outcome, res.Message)
		}
	}
	if !r.OK() || len(r.Results) < 15 {
		t.Errorf("OK is %v with %d results", r.OK(), len(r.Results))
	}
	if r.Coverage < 100 {
		t.Errorf("coverage is %.1f %%: %+v", r.Coverage, r.Files)
	}
}

// The default gate has no unused variables, imports or arguments.
func TestDefaultGateCompilesStrictly(t *testing.T) {
	src, err := gather(t.Context(), Options{}, Limits{}.withDefaults(), true)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCompiler()
	if err != nil {
		t.Fatal(err)
	}
	if c.WithStrict(true).Compile(src.modules); c.Failed() {
		t.Error(c.Errors)
	}
}

const tested = `package custom

# A rule with two branches, one of which no test reaches.
decisions contains {"fingerprint": f.fingerprint, "verdict": "block", "reason": "Big."} if {
	some f in input.findings
	big(f)
}

big(f) if f.severity == "critical"

big(f) if {
	f.severity == "high"
	print("high", f.rule_id)
}
`

const tests = `package custom_test

import data.custom

test_critical if {
	custom.big({"severity": "critical"})
}

test_wrong if {
	x := 1
	x == 1
	custom.big({"severity": "low"})
}

test_prints if {
	print("hello", 3)
}

test_cases[name] if {
	some name, severity in {"a": "critical", "b": "low"}
	custom.big({"severity": severity})
}

test_breaks if {
	to_number("x") == 1
}

todo_test_later if false
`

func TestTest(t *testing.T) {
	r, err := Test(t.Context(), TestOptions{Options: Options{Files: map[string][]byte{
		"p/custom.rego": []byte(tested), "p/custom_test.rego": []byte(tests),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, res := range r.Results {
		line, _, _ := strings.Cut(res.Message, "\n")
		got = append(got, fmt.Sprintf("%s:%d %s %s | %s | %s", res.File, res.Line, res.Name, res.Outcome, line, res.Output))
	}
	want := []string{
		`p/custom_test.rego:5 test_critical pass |  | `,
		`p/custom_test.rego:9 test_wrong fail | p/custom_test.rego:12: this does not hold: custom.big({"severity": "low"}) | `,
		`p/custom_test.rego:15 test_prints pass |  | hello 3`,
		`p/custom_test.rego:19 test_cases fail | these cases are not true: b | `,
		`p/custom_test.rego:24 test_breaks error | p/custom_test.rego:25:2: to_number: strconv.ParseFloat: parsing "x": invalid syntax; test the value before using it: a policy that cannot evaluate does not allow | `,
		`p/custom_test.rego:28 todo_test_later skip | its name begins with todo_test_ | `,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r.OK() {
		t.Error("OK is true")
	}
	if r.Coverage <= 0 || r.Coverage >= 100 || len(r.Files) != 1 {
		t.Errorf("coverage %.1f of %+v", r.Coverage, r.Files)
	}
	if f := r.Files[0]; f.File != "p/custom.rego" || !cmp.Equal(f.Missed, []int{4, 6, 11, 13}) {
		t.Errorf("missed %+v", f)
	}
}

func TestTestRun(t *testing.T) {
	r, err := Test(t.Context(), TestOptions{Run: "thresholds|quiet"})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 2 {
		t.Errorf("%d tests ran, want 2", len(r.Results))
	}
	if _, err := Test(t.Context(), TestOptions{Run: "("}); !IsKind(err, Configuration) {
		t.Errorf("error %v, want one of kind configuration", err)
	}
	r, err = Test(t.Context(), TestOptions{Run: "no-such-test"})
	if err != nil || r.OK() {
		t.Errorf("no test ran, but OK is %v, error %v", r.OK(), err)
	}
}

func TestTestErrors(t *testing.T) {
	files := func(src string) TestOptions {
		return TestOptions{Options: Options{Files: map[string][]byte{"a_test.rego": []byte(src)}}}
	}
	_, err := Test(t.Context(), files("package a\ntest_a if http.send({})\n"))
	if !IsKind(err, Configuration) || !strings.Contains(err.Error(), "a_test.rego:2") {
		t.Errorf("error %v, want one of kind configuration with its place", err)
	}
	endless := files("package a\ntest_a if count([1 | some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); some c in numbers.range(1, 9000); a+b+c == 1]) > 0\n")
	endless.Limits.Timeout = 30 * time.Millisecond
	r, err := Test(t.Context(), endless)
	if err != nil || r.Results[0].Outcome != TestError || !strings.Contains(r.Results[0].Message, "30ms") {
		t.Errorf("got %+v, error %v; want a test that ran too long", r, err)
	}
	endless.Limits.Timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = Test(ctx, endless); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a deadline", err)
	}
}
