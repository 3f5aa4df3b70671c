package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// TestOptions say which Rego tests to run, and over what.
type TestOptions struct {
	// Options name the policies. Their _test.rego files are included. With
	// neither files nor bundles the default gate's own tests are run.
	Options
	// Run selects tests by a regular expression over "package.name". Optional:
	// all of them.
	Run string
}

// TestOutcome is the result of one Rego test.
type TestOutcome string

// The outcomes of a Rego test.
const (
	TestPassed  TestOutcome = "pass"
	TestFailed  TestOutcome = "fail"  // it ran and its conditions did not hold
	TestError   TestOutcome = "error" // it could not run to its end
	TestSkipped TestOutcome = "skip"  // its name begins with todo_
)

// TestResult is one Rego test. Message and Output may quote a stranger's
// policy: escape them for where they are shown.
type TestResult struct {
	Package  string        `json:"package"`
	Name     string        `json:"name"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Outcome  TestOutcome   `json:"outcome"`
	Message  string        `json:"message,omitempty"` // why not pass, with the place
	Output   string        `json:"output,omitempty"`  // what the test printed
	Duration time.Duration `json:"duration_ns"`
}

// FileCoverage says how much of one policy file the tests reached. Lines count
// those that hold conditions or heads of rules.
type FileCoverage struct {
	File    string  `json:"file"`
	Percent float64 `json:"percent"` // 0 to 100
	Missed  []int   `json:"missed"`  // lines that no test reached
}

// TestReport is the result of all Rego tests.
type TestReport struct {
	Results []TestResult `json:"results"` // by file and line
	// Coverage is that of the policies under test together, in percent: the
	// project's own, or the default gate when the project has none.
	Coverage float64        `json:"coverage"`
	Files    []FileCoverage `json:"files"`
}

// OK reports whether no test failed and at least one ran.
func (r *TestReport) OK() bool {
	ran := false
	for i := range r.Results {
		switch r.Results[i].Outcome {
		case TestFailed, TestError:
			return false
		case TestPassed:
			ran = true
		}
	}
	return ran
}

const runningTests = "running the policy tests"

// Test runs Rego tests: rules whose names begin with test_, in files that end
// in _test.rego. They run under the same capabilities as decisions do, each
// within Limits.Timeout; but input and time are what the tests set (`with input
// as …`, `with time.now_ns as …`). The error is about tests that could not be
// run at all: of kind Configuration when they don't compile, or ctx's own.
func Test(ctx context.Context, o TestOptions) (*TestReport, error) {
	return await(ctx, Evaluation, runningTests, func() (*TestReport, error) { return test(ctx, o) })
}

func test(ctx context.Context, o TestOptions) (*TestReport, error) {
	if _, err := regexp.Compile(o.Run); err != nil {
		return nil, configuration("reading the filter for policy tests", err)
	}
	l := o.Limits.withDefaults()
	src, err := gather(ctx, o.Options, l, true)
	if err != nil {
		return nil, err
	}
	coverage := cover.New()
	results, err := runTests(ctx, src, l, func(r *tester.Runner) { r.SetCoverageQueryTracer(coverage).Filter(o.Run) })
	if err != nil {
		return nil, err
	}
	failures, err := locate(ctx, src, l, results)
	if err != nil {
		return nil, err
	}
	report := &TestReport{}
	for _, r := range results {
		report.Results = append(report.Results, describeTest(r, failures[r.Package+"."+r.Name], l))
	}
	slices.SortFunc(report.Results, func(a, b TestResult) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Name, b.Name))
	})
	report.measure(coverage, src)
	return report, nil
}

// runTests compiles src with its tests and runs them.
func runTests(ctx context.Context, src *sources, l Limits, setUp func(*tester.Runner)) ([]*tester.Result, error) {
	compiler, err := newCompiler()
	if err != nil {
		return nil, err
	}
	store := inmem.NewFromObjectWithOpts(src.data, inmem.OptRoundTripOnWrite(false))
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, &Error{Kind: Evaluation, Op: runningTests, Err: err}
	}
	defer store.Abort(ctx, txn)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runner := tester.NewRunner().
		SetCompiler(compiler).
		SetStore(store).
		SetModules(src.modules).
		SetTimeout(l.Timeout).
		SetDefaultRegoVersion(ast.RegoV1).
		CapturePrintOutput(true).
		RaiseBuiltinErrors(true)
	setUp(runner)
	found, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, configuration("compiling the policy tests", err)
	}
	// Each test has its own timeout; together they are bounded by their number.
	stop := l.watch(ctx, 0, cancel)
	var results []*tester.Result
	for r := range found {
		if r != nil {
			results = append(results, r)
		}
	}
	if cause := cmp.Or(stop(), ctx.Err()); cause != nil {
		return nil, &Error{Kind: Evaluation, Op: runningTests, Err: cause, Problems: []Problem{{Message: cause.Error()}}}
	}
	return results, nil
}

// maxLocated bounds how many failed tests are run again to find the place.
const maxLocated = 100

// locate runs the tests that failed once more, tracing them, and returns by
// test the condition that did not hold. Tracing every test would cost much for
// those that pass.
func locate(ctx context.Context, src *sources, l Limits, results []*tester.Result) (map[string]*ast.Location, error) {
	var names []string
	for _, r := range results {
		if r.Fail && len(names) < maxLocated {
			names = append(names, regexp.QuoteMeta(r.Package+"."+r.Name))
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	again, err := runTests(ctx, src, l, func(r *tester.Runner) {
		r.EnableTracing(true).Filter("^(" + strings.Join(names, "|") + ")$")
	})
	if err != nil {
		return nil, err
	}
	at := map[string]*ast.Location{}
	for _, r := range again {
		at[r.Package+"."+r.Name] = lastFailure(r)
	}
	return at, nil
}

func describeTest(r *tester.Result, failed *ast.Location, l Limits) TestResult {
	t := TestResult{
		Package:  strings.TrimPrefix(r.Package, "data."),
		Name:     r.Name,
		Outcome:  TestPassed,
		Output:   strings.TrimRight(string(r.Output[:min(len(r.Output), 64<<10)]), "\n"),
		Duration: r.Duration,
	}
	if r.Location != nil {
		t.File, t.Line = r.Location.File, r.Location.Row
	}
	switch {
	case r.Skip:
		t.Outcome, t.Message = TestSkipped, "its name begins with "+tester.SkipTestPrefix
	case r.Error != nil:
		t.Outcome = TestError
		texts := []string{}
		for _, p := range problemsOf(r.Error) {
			texts = append(texts, p.String())
		}
		t.Message = strings.Join(texts, "\n")
		if errors.Is(r.Error, context.DeadlineExceeded) || topdown.IsCancel(r.Error) {
			t.Message = fmt.Sprintf("it ran longer than %v", l.Timeout)
		}
	case r.Fail:
		t.Outcome, t.Message = TestFailed, "it is not true"
		var cases []string
		for name, sub := range r.SubResults.Iter {
			if sub.Fail && len(name) > 0 {
				cases = append(cases, strings.Join(name, "/"))
			}
		}
		slices.Sort(cases)
		if len(cases) > 0 {
			t.Message = "these cases are not true: " + strings.Join(cases, ", ")
		}
		if failed != nil && len(cases) == 0 {
			line, _, _ := strings.Cut(string(failed.Text), "\n")
			t.Message = fmt.Sprintf("%s: this does not hold: %s", where(failed), clip(strings.TrimSpace(line)))
		}
	}
	return t
}

// lastFailure is the last condition in the test's file that did not hold.
func lastFailure(r *tester.Result) *ast.Location {
	if r.Location == nil {
		return nil
	}
	for _, ev := range slices.Backward(r.Trace) {
		if ev.Op == topdown.FailOp && ev.HasExpr() && ev.Location != nil && ev.Location.File == r.Location.File {
			return ev.Location
		}
	}
	return nil
}

// measure computes the coverage of the policies under test.
func (r *TestReport) measure(c *cover.Cover, src *sources) {
	modules := maps.Clone(src.modules)
	maps.DeleteFunc(modules, func(name string, _ *ast.Module) bool {
		return isTest(name) || (src.project && src.builtin[name])
	})
	all := c.Report(modules)
	var covered, lines int
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		f := all.Files[name]
		if f == nil {
			continue
		}
		missed := []int{}
		for _, part := range f.NotCovered {
			for row := part.Start.Row; row <= part.End.Row; row++ {
				missed = append(missed, row)
			}
		}
		slices.Sort(missed)
		missed = slices.Compact(missed)
		covered += f.CoveredLines
		lines += f.CoveredLines + f.NotCoveredLines
		r.Files = append(r.Files, FileCoverage{File: name, Percent: percent(f.CoveredLines, f.CoveredLines+f.NotCoveredLines), Missed: missed})
	}
	r.Coverage = percent(covered, lines)
}

func percent(part, whole int) float64 {
	if whole == 0 {
		return 100
	}
	return 100 * float64(part) / float64(whole)
}
