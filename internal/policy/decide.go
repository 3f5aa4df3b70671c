package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Decide judges in. Errors are of kind Evaluation, or of kind Configuration
// when in itself is not a valid input document.
func (e *Engine) Decide(ctx context.Context, in Input) (out Output, err error) {
	defer recovered(Evaluation, "deciding", &err)
	return e.decide(ctx, in, nil)
}

// observer watches an evaluation; nil watches nothing.
type observer interface {
	topdown.QueryTracer
	Print(ctx context.Context, at *ast.Location, msg string)
}

func (e *Engine) decide(ctx context.Context, in Input, obs observer) (Output, error) {
	if err := in.validate(); err != nil {
		return Output{}, err
	}
	in.fill()
	value, err := inputValue(&in)
	if err != nil {
		return Output{}, err
	}
	result, err := e.evaluate(ctx, value, in.Now, obs)
	if err != nil {
		return Output{}, err
	}
	return e.combine(&in, result)
}

// grace is how long an evaluation may take to notice that it was cancelled. A
// built-in function looks at that between its steps at best.
const grace = 100 * time.Millisecond

// errAbandoned says that an evaluation did not stop when it was told to.
var errAbandoned = errors.New("the evaluation was cancelled and did not stop")

// evaluate runs the query within the limits and returns its single result. It
// returns soon after ctx is done in any case: an evaluation that does not stop
// is left behind, and obs must then not be used any more (errAbandoned).
func (e *Engine) evaluate(ctx context.Context, input ast.Value, now time.Time, obs observer) (*ast.Term, error) {
	type answer struct {
		term *ast.Term
		err  error
	}
	cancel := topdown.NewCancel()
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() { answers <- a }()
		defer recovered(Evaluation, "deciding", &a.err)
		a.term, a.err = e.run(ctx, cancel, input, now, obs)
	}()
	stopped := make(chan struct{})
	stop := e.limits.watch(ctx, e.limits.Timeout, func() {
		cancel.Cancel()
		close(stopped)
	})
	var a answer
	select {
	case a = <-answers:
	case <-stopped:
		select {
		case a = <-answers:
		case <-time.After(grace):
			a.err = errAbandoned
		}
	}
	cause := stop()
	if a.err == nil && (cause != nil || ctx.Err() != nil) {
		a.err = &topdown.Error{Code: topdown.CancelErr, Message: "cancelled"}
	}
	var own *Error
	if a.err != nil && !errors.As(a.err, &own) {
		a.err = evaluationError(ctx, a.err, cause)
	}
	return a.term, a.err
}

// run evaluates the query until cancel.
func (e *Engine) run(ctx context.Context, cancel topdown.Cancel, input ast.Value, now time.Time, obs observer) (*ast.Term, error) {
	txn, err := e.store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer e.store.Abort(ctx, txn)
	q := topdown.NewQuery(e.body).
		WithQueryCompiler(e.query).
		WithCompiler(e.compiler).
		WithStore(e.store).
		WithTransaction(txn).
		WithCancel(cancel).
		WithInput(ast.NewTerm(input)).
		WithTime(now).
		// A built-in that fails stops the evaluation: the condition around it
		// would otherwise just not hold, and a block would become an allow.
		WithStrictBuiltinErrors(true)
	if obs != nil {
		q = q.WithQueryTracer(obs).WithPrintHook(printer{ctx, obs})
	}
	results, err := q.Run(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(results) != 1:
		return nil, evaluationf("the policies gave %d results, want exactly one", len(results))
	}
	rewritten := e.query.RewrittenVars()
	for v, term := range results[0] {
		if v == "result" || rewritten[v] == "result" {
			return term, nil
		}
	}
	return nil, evaluationf("the policies gave no result")
}

// watchEvery is how often a long evaluation is looked at.
const watchEvery = 10 * time.Millisecond

// watch calls cancel when ctx is done or a limit is reached. The function that
// it returns ends the watch and says which limit it was, if any. No timeout is
// 0.
func (l Limits) watch(ctx context.Context, timeout time.Duration, cancel func()) (stop func() error) {
	var cause error
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		cause = l.limit(ctx, timeout, done)
		if cause != nil || ctx.Err() != nil {
			cancel()
		}
	})
	return func() error {
		close(done)
		wg.Wait()
		return cause
	}
}

// limit waits until done or ctx ends it, or a limit is reached, which it returns.
func (l Limits) limit(ctx context.Context, timeout time.Duration, done <-chan struct{}) error {
	var deadline <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		deadline = t.C
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var base uint64
	for {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return nil
		case <-deadline:
			return fmt.Errorf("the policies ran longer than %v", timeout)
		case <-tick.C:
			heap := heapBytes()
			if base == 0 || heap < base {
				base = heap
			}
			if heap-base > l.HeapGrowth {
				return fmt.Errorf("the policies needed more than %d MiB of memory", l.HeapGrowth>>20)
			}
		}
	}
}

// heapBytes is what the objects of the process occupy.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
