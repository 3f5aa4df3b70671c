package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"
)

// Limits of what a recorder keeps.
const (
	maxPrints = 1000
	maxSteps  = 50
)

// firing is one decision or override that a rule gave, with the cases of other
// rules that were tried on the way to it.
type firing struct {
	policy, verdict string
	override        bool
	at              string // file:line of the rule
	steps           []step
}

// step is a rule that a deciding rule asked.
type step struct {
	rule   string // its name
	at     string // file:line
	failed string // the condition that did not hold; empty when all did
}

// frame is one query under evaluation: the body of a rule, or a part of one.
type frame struct {
	parent uint64
	rule   *ast.Rule // nil for a comprehension or negation
	steps  []step
}

// recorder watches an evaluation and keeps which rule gave which decision.
type recorder struct {
	decides map[string]bool // rule path -> whether it is an override
	frames  map[uint64]*frame
	fired   map[[2]string][]firing // by rule id and fingerprint
	prints  []string
	dropped int
}

var _ observer = (*recorder)(nil)

func newRecorder(packages []contributor) *recorder {
	r := &recorder{
		decides: map[string]bool{},
		frames:  map[uint64]*frame{},
		fired:   map[[2]string][]firing{},
	}
	for _, p := range packages {
		r.decides["data."+p.name+"."+decisionsRule] = false
		r.decides["data."+p.name+"."+overrideRule] = true
	}
	return r
}

// Enabled implements topdown.QueryTracer.
func (r *recorder) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (r *recorder) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (r *recorder) TraceEvent(ev topdown.Event) {
	switch ev.Op {
	case topdown.EnterOp:
		f := &frame{parent: ev.ParentID}
		f.rule, _ = ev.Node.(*ast.Rule)
		r.frames[ev.QueryID] = f
	case topdown.FailOp:
		f := r.frames[ev.QueryID]
		if f == nil || f.rule == nil {
			return
		}
		if _, ok := r.decider(f.rule); ok {
			f.steps = nil // this round of the rule came to nothing
			return
		}
		r.tell(f, failure(ev))
	case topdown.ExitOp:
		f := r.frames[ev.QueryID]
		if f == nil || f.rule == nil {
			return
		}
		if override, ok := r.decider(f.rule); ok {
			r.record(ev, f, override)
			f.steps = nil
			return
		}
		r.tell(f, "")
	}
}

// decider reports whether rule decides, and whether by overriding.
func (r *recorder) decider(rule *ast.Rule) (override, ok bool) {
	if rule.Module == nil {
		return false, false
	}
	override, ok = r.decides[rule.Module.Package.Path.String()+"."+ruleName(rule)]
	return override, ok
}

func ruleName(rule *ast.Rule) string {
	name, ok := rule.Head.Ref()[0].Value.(ast.Var)
	if !ok {
		return ""
	}
	return string(name)
}

// tell adds a step to the deciding rule that asked for f's rule directly.
func (r *recorder) tell(f *frame, failed string) {
	p := r.frames[f.parent]
	for p != nil && p.rule == nil {
		p = r.frames[p.parent]
	}
	if p == nil || len(p.steps) >= maxSteps {
		return
	}
	if _, ok := r.decider(p.rule); ok {
		p.steps = append(p.steps, step{rule: ruleName(f.rule), at: where(f.rule.Location), failed: failed})
	}
}

// record keeps what a deciding rule gave.
func (r *recorder) record(ev topdown.Event, f *frame, override bool) {
	head := f.rule.Head.Key
	if head == nil {
		head = f.rule.Head.Value
	}
	if head == nil {
		return
	}
	given := ev.Plug(head)
	var terms []*ast.Term
	switch v := given.Value.(type) {
	case ast.Object:
		terms = []*ast.Term{given}
	case ast.Set:
		terms = v.Slice()
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { terms = append(terms, t) })
	}
	for _, t := range terms {
		obj, ok := t.Value.(ast.Object)
		if !ok {
			continue
		}
		g := firing{
			policy:   packageName(f.rule.Module.Package.Path),
			verdict:  text(obj, "verdict"),
			override: override,
			at:       where(f.rule.Location),
			steps:    slices.Clone(f.steps),
		}
		if id := text(obj, "id"); id != "" {
			g.policy += "/" + id
		}
		key := [2]string{text(obj, "rule_id"), text(obj, "fingerprint")}
		r.fired[key] = append(r.fired[key], g)
	}
}

// about lists what was said of a finding, or with empty arguments of the run:
// the gravest first.
func (r *recorder) about(rule, fingerprint string) []firing {
	list := slices.Clone(r.fired[[2]string{rule, fingerprint}])
	if rule != "" {
		list = append(list, r.fired[[2]string{"", fingerprint}]...)
	}
	slices.SortStableFunc(list, func(a, b firing) int {
		return cmp.Or(-cmp.Compare(verdictOf(a.verdict), verdictOf(b.verdict)), strings.Compare(a.policy, b.policy), strings.Compare(a.at, b.at))
	})
	return list
}

// Print implements observer.
func (r *recorder) Print(_ context.Context, at *ast.Location, msg string) {
	if len(r.prints) >= maxPrints {
		r.dropped++
		return
	}
	r.prints = append(r.prints, where(at)+": "+clip(msg))
}

// printer hands what policies print to an observer.
type printer struct {
	ctx context.Context // of the one evaluation that it serves
	obs observer
}

var _ print.Hook = printer{}

// Print implements print.Hook.
func (p printer) Print(c print.Context, msg string) error {
	p.obs.Print(p.ctx, c.Location, msg)
	return nil
}

func text(obj ast.Object, key string) string {
	t := obj.Get(ast.InternedTerm(key))
	if t == nil {
		return ""
	}
	s, _ := t.Value.(ast.String)
	return string(s)
}

func where(l *ast.Location) string {
	if l == nil {
		return "unknown place"
	}
	return fmt.Sprintf("%s:%d", l.File, l.Row)
}

// failure is the source text of the condition that did not hold.
func failure(ev topdown.Event) string {
	if ev.Location == nil || len(ev.Location.Text) == 0 {
		return "a condition"
	}
	line, _, _ := strings.Cut(string(ev.Location.Text), "\n")
	return clip(strings.TrimSpace(line))
}
