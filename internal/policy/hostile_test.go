package policy

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// endless never ends by itself within the life of a test.
const endless = `package custom
decisions contains {"verdict": "allow", "reason": "x"} if {
	n := count([1 | some a in numbers.range(1, 5000); some b in numbers.range(1, 5000); some c in numbers.range(1, 5000); a + b + c == 1])
	n >= 0
}`

func TestCancelled(t *testing.T) {
	e := mustLoad(t, rego(endless))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := e.Decide(ctx, quiet())
	if !IsKind(err, Evaluation) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a deadline of kind evaluation", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v to notice", took)
	}
}

func TestTimeout(t *testing.T) {
	o := rego(endless)
	o.Limits.Timeout = 30 * time.Millisecond
	_, err := mustLoad(t, o).Decide(t.Context(), quiet())
	if !IsKind(err, Evaluation) || !strings.Contains(err.Error(), "ran longer than 30ms") {
		t.Errorf("error %v, want one about the limit", err)
	}
}

func TestMemory(t *testing.T) {
	o := rego(`package custom
decisions contains {"verdict": "allow", "reason": "x"} if {
	count([[a, b, c] | some a in numbers.range(1, 1000); some b in numbers.range(1, 1000); some c in numbers.range(1, 1000)]) > 0
}`)
	o.Limits.HeapGrowth = 32 << 20
	_, err := mustLoad(t, o).Decide(t.Context(), quiet())
	if !IsKind(err, Evaluation) || !strings.Contains(err.Error(), "memory") {
		t.Errorf("error %v, want one about memory", err)
	}
}

func TestOutputLimits(t *testing.T) {
	tests := []struct {
		name, src, want string
	}{
		{"many", `package custom
decisions contains {"verdict": "warn", "reason": sprintf("%d", [n])} if some n in numbers.range(1, 20000)`, "number of decisions"},
		{"long", `package custom
decisions contains {"verdict": "warn", "reason": concat("", [x | some _ in numbers.range(1, 5000); x := "a"])} if true`, "bytes"},
		{"long as an array", `package custom
decisions contains {"verdict": "warn", "reason": concat("", array.concat(["a"], [sprintf("%0100000d", [1])]))} if true`, "bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := mustLoad(t, rego(tt.src)).Decide(t.Context(), quiet())
			if !IsKind(err, Evaluation) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

// stuck is an observer that keeps an evaluation from noticing anything.
type stuck struct{ release chan struct{} }

func (s stuck) Enabled() bool                                { return true }
func (s stuck) Config() topdown.TraceConfig                  { return topdown.TraceConfig{} }
func (s stuck) TraceEvent(topdown.Event)                     { <-s.release }
func (s stuck) Print(context.Context, *ast.Location, string) {}

func TestAbandoned(t *testing.T) {
	s := stuck{make(chan struct{})}
	defer close(s.release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := mustLoad(t, Options{}).decide(ctx, quiet(), s)
	if !IsKind(err, Evaluation) || !errors.Is(err, errAbandoned) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want an abandoned evaluation", err)
	}
	if took := time.Since(start); took > grace+2*time.Second {
		t.Errorf("took %v", took)
	}
}

// panicking is an observer in whose place a fault of the evaluator could be.
type panicking struct{ stuck }

func (panicking) TraceEvent(topdown.Event) { panic("fault") }

func TestFaultIsAnError(t *testing.T) {
	_, err := mustLoad(t, Options{}).decide(t.Context(), quiet(), panicking{})
	if !IsKind(err, Evaluation) || !strings.Contains(err.Error(), "internal fault: fault") {
		t.Errorf("error %v, want an internal fault", err)
	}
}
