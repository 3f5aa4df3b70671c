package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"bulwark/internal/outcome"
)

// OutputID names the version of Output.
const OutputID = "bulwark.policy.output/v1"

// Output is what was decided. Its JSON form is OutputSchema.
type Output struct {
	Schema  string          `json:"schema"`  // OutputID
	Verdict outcome.Verdict `json:"verdict"` // the greatest of Decisions
	// Decisions holds those on the run as a whole, the gravest first, then one
	// for each finding, in the order of the input.
	Decisions []Decision `json:"decisions"`
}

// Decision is a verdict with its reason. RuleID and Fingerprint are empty for
// a decision on the run as a whole.
type Decision struct {
	RuleID      string          `json:"rule_id"`
	Fingerprint string          `json:"fingerprint"`
	Verdict     outcome.Verdict `json:"verdict"`
	Policy      string          `json:"policy"` // "bulwark.gate/new-severe"
	Reason      string          `json:"reason"`
}

// A statement is what a policy said: a decision, or a ceiling on decisions.
type statement struct {
	Decision
	// target is the policy whose run-level decision an override lowers.
	target string
}

// combine turns what the policies said into one decision for each finding. The
// greatest verdict counts; an override then lowers it, and the reason says so.
func (e *Engine) combine(in *Input, result *ast.Term) (Output, error) {
	said, overrides, err := e.statements(in, result)
	if err != nil {
		return Output{}, err
	}
	byID := make(map[[2]string]int, len(in.Findings))
	byFingerprint := make(map[string][]int, len(in.Findings))
	for i := range in.Findings {
		f := &in.Findings[i]
		byID[[2]string{f.RuleID, f.Fingerprint}] = i
		byFingerprint[f.Fingerprint] = append(byFingerprint[f.Fingerprint], i)
	}
	// named lists the findings that a statement is about.
	named := func(s statement) ([]int, error) {
		if s.RuleID == "" {
			if at := byFingerprint[s.Fingerprint]; at != nil {
				return at, nil
			}
		} else if i, ok := byID[[2]string{s.RuleID, s.Fingerprint}]; ok {
			return []int{i}, nil
		}
		return nil, evaluationf("policy %s speaks of finding %q of rule %q, which is not in the input", s.Policy, s.Fingerprint, s.RuleID)
	}
	decided := make([]*Decision, len(in.Findings))
	var run []Decision
	for i := range said {
		if said[i].Fingerprint == "" {
			run = append(run, said[i].Decision)
			continue
		}
		at, err := named(said[i])
		if err != nil {
			return Output{}, err
		}
		for _, k := range at {
			d := said[i].Decision
			d.RuleID = in.Findings[k].RuleID
			if decided[k] == nil || outranks(d, *decided[k]) {
				decided[k] = &d
			}
		}
	}
	for i := range in.Findings {
		if decided[i] == nil && !in.Findings[i].Suppressed {
			return Output{}, evaluationf("no policy decided on finding %s of rule %s; let the rule decisions cover every finding that is not suppressed",
				in.Findings[i].Fingerprint, in.Findings[i].RuleID)
		}
	}
	if err := lower(run, decided, overrides, named); err != nil {
		return Output{}, err
	}
	slices.SortFunc(run, func(a, b Decision) int {
		return cmp.Or(-cmp.Compare(a.Verdict, b.Verdict), strings.Compare(a.Policy, b.Policy), strings.Compare(a.Reason, b.Reason))
	})
	out := Output{Schema: OutputID, Decisions: make([]Decision, 0, len(run)+len(decided))}
	out.Decisions = append(out.Decisions, run...)
	for _, d := range decided {
		if d != nil {
			out.Decisions = append(out.Decisions, *d)
		}
	}
	for i := range out.Decisions {
		out.Verdict = max(out.Verdict, out.Decisions[i].Verdict)
	}
	return out, nil
}

// outranks orders decisions on one finding; ties go to the first by name, so
// that equal input gives equal output.
func outranks(a, b Decision) bool {
	return cmp.Or(-cmp.Compare(a.Verdict, b.Verdict), strings.Compare(a.Policy, b.Policy), strings.Compare(a.Reason, b.Reason)) < 0
}

// lower applies overrides. Two that ask for different verdicts on one decision
// contradict each other, which is an error.
func lower(run []Decision, decided []*Decision, overrides []statement, named func(statement) ([]int, error)) error {
	before := map[*Decision]Decision{} // what was lowered, as it had been
	by := map[*Decision]statement{}
	apply := func(d *Decision, o statement) error {
		if first, ok := by[d]; ok {
			if first.Verdict != o.Verdict {
				return evaluationf("policies %s (%s) and %s (%s) override the same decision differently; make their conditions exclude each other",
					first.Policy, first.Verdict, o.Policy, o.Verdict)
			}
			return nil
		}
		by[d] = o
		if o.Verdict >= d.Verdict {
			return nil
		}
		before[d] = *d
		d.Verdict, d.Policy = o.Verdict, o.Policy
		d.Reason = fmt.Sprintf("%s (Overrides %s by %s: %s)", o.Reason, before[d].Verdict, before[d].Policy, before[d].Reason)
		return nil
	}
	names := make([]string, len(run)) // before an override changes them
	for i := range run {
		names[i] = run[i].Policy
	}
	for _, o := range overrides {
		if o.Fingerprint == "" {
			for i := range run {
				if names[i] != o.target {
					continue
				}
				if err := apply(&run[i], o); err != nil {
					return err
				}
			}
			continue
		}
		at, err := named(o)
		if err != nil {
			return err
		}
		for _, k := range at {
			if decided[k] == nil {
				continue
			}
			if err := apply(decided[k], o); err != nil {
				return err
			}
		}
	}
	return nil
}

// statements reads the result of the query: for each package a pair of
// decisions and overrides, each null when the package has no such rule, else an
// array with the rule's value, empty when that is undefined.
func (e *Engine) statements(in *Input, result *ast.Term) (said, overrides []statement, err error) {
	r := reader{
		limits: e.limits,
		left:   e.limits.Decisions,
		bytes:  e.limits.OutputBytes,
	}
	if r.left == 0 {
		r.left = 10_000 + 20*len(in.Findings)
	}
	all, ok := result.Value.(*ast.Array)
	if !ok || all.Len() != len(e.packages) {
		return nil, nil, evaluationf("the result of the policies has an unknown form")
	}
	for i, p := range e.packages {
		pair, ok := all.Elem(i).Value.(*ast.Array)
		if !ok || pair.Len() != 2 {
			return nil, nil, evaluationf("the result of package %s has an unknown form", p.name)
		}
		if p.decisions {
			list, err := r.read(p.name, decisionsRule, pair.Elem(0), false)
			if err != nil {
				return nil, nil, err
			}
			said = append(said, list...)
		}
		if p.overrides {
			list, err := r.read(p.name, overrideRule, pair.Elem(1), true)
			if err != nil {
				return nil, nil, err
			}
			overrides = append(overrides, list...)
		}
	}
	return said, overrides, nil
}

// reader reads statements within limits.
type reader struct {
	limits Limits
	left   int // statements
	bytes  int
}

func (r *reader) read(pkg, rule string, value *ast.Term, override bool) ([]statement, error) {
	name := pkg + "." + rule
	wrapped, ok := value.Value.(*ast.Array)
	if !ok || wrapped.Len() == 0 {
		return nil, evaluationf("%s is undefined; write it as `%s contains … if { … }`, which is an empty set when nothing holds", name, rule)
	}
	var terms []*ast.Term
	switch v := wrapped.Elem(0).Value.(type) {
	case ast.Set:
		terms = v.Slice() // sorted
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { terms = append(terms, t) })
	default:
		return nil, evaluationf("%s is of type %s, want a set of objects", name, ast.ValueName(v))
	}
	if r.left -= len(terms); r.left < 0 {
		return nil, evaluationf("%s exceeds the limit on the number of decisions", name)
	}
	list := make([]statement, 0, len(terms))
	for _, t := range terms {
		s, err := r.statement(pkg, name, t, override)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func (r *reader) statement(pkg, name string, t *ast.Term, override bool) (statement, error) {
	obj, ok := t.Value.(ast.Object)
	if !ok {
		return statement{}, evaluationf("%s holds %s, want objects with fingerprint, verdict and reason", name, ast.ValueName(t.Value))
	}
	var s statement
	var verdict, id string
	err := obj.Iter(func(k, v *ast.Term) error {
		key, ok := k.Value.(ast.String)
		text, isText := v.Value.(ast.String)
		if !ok || !isText {
			return evaluationf("%s holds an object whose %s is not a text", name, clip(k.String()))
		}
		if r.bytes -= len(text); r.bytes < 0 {
			return evaluationf("%s exceeds the limit on the size of the output, %d bytes", name, r.limits.OutputBytes)
		}
		if len(text) > r.limits.ReasonBytes {
			return evaluationf("%s holds a %s of %d bytes, the limit is %d", name, clip(string(key)), len(text), r.limits.ReasonBytes)
		}
		switch {
		case key == "fingerprint":
			s.Fingerprint = string(text)
		case key == "rule_id":
			s.RuleID = string(text)
		case key == "verdict":
			verdict = string(text)
		case key == "reason":
			s.Reason = string(text)
		case key == "id":
			id = string(text)
		case key == "policy" && override:
			s.target = string(text)
		default:
			return evaluationf("%s holds an object with the unknown key %q; known are fingerprint, rule_id, verdict, reason and id", name, clip(string(key)))
		}
		return nil
	})
	if err != nil {
		return statement{}, err
	}
	s.Policy = pkg
	if id != "" {
		s.Policy += "/" + id
	}
	switch {
	case s.Verdict.UnmarshalText([]byte(verdict)) != nil:
		return statement{}, evaluationf("policy %s gives the verdict %q, want allow, warn, unknown or block", s.Policy, clip(verdict))
	case strings.TrimSpace(s.Reason) == "":
		return statement{}, evaluationf("policy %s gives no reason; every decision must say why", s.Policy)
	case s.Fingerprint == "" && s.RuleID != "":
		return statement{}, evaluationf("policy %s names rule %q but no fingerprint", s.Policy, clip(s.RuleID))
	case override && (s.Fingerprint == "") == (s.target == ""):
		return statement{}, evaluationf("policy %s overrides nothing that can be told: give the fingerprint of a finding, or the policy whose decision on the run is meant", s.Policy)
	}
	return s, nil
}

// clip shortens a stranger's text for a message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
