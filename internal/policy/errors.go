package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Kind says what an Error means for the exit code.
type Kind uint8

// The kinds of error.
const (
	// Configuration: the policies, their data, a bundle or the parameters are
	// wrong; exit code 2.
	Configuration Kind = iota + 1
	// Evaluation: the policies could not come to a result; exit code 1.
	Evaluation
)

func (k Kind) String() string {
	switch k {
	case Configuration:
		return "configuration"
	case Evaluation:
		return "evaluation"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Problem is one thing that is wrong, and where. Line and Column count from 1
// and are 0 when unknown.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to do about it
}

func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Column)
			}
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Error is what goes wrong with policies. Its text may quote a stranger's
// policy: escape it for where it is shown.
type Error struct {
	Kind     Kind
	Op       string // what was being done: "compiling the policies"
	Problems []Problem
	Err      error // the cause, such as context.Canceled; may be nil
}

func (e *Error) Error() string {
	switch len(e.Problems) {
	case 0:
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	case 1:
		return e.Op + ": " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d problems", e.Op, len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// IsKind reports whether err is, or wraps, an Error of kind k.
func IsKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

func configuration(op string, err error) error {
	return &Error{Kind: Configuration, Op: op, Problems: problemsOf(err), Err: err}
}

func configurationf(op, file, format string, args ...any) error {
	return &Error{Kind: Configuration, Op: op, Problems: []Problem{{File: file, Message: fmt.Sprintf(format, args...)}}}
}

func evaluationf(format string, args ...any) error {
	return &Error{Kind: Evaluation, Op: "deciding", Problems: []Problem{{Message: fmt.Sprintf(format, args...)}}}
}

func compileError(op string, errs ast.Errors) error {
	return &Error{Kind: Configuration, Op: op, Problems: problemsOf(errs), Err: errs}
}

// problemsOf splits OPA's errors into located problems with hints.
func problemsOf(err error) []Problem {
	var list ast.Errors
	var one *ast.Error
	var eval *topdown.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = ast.Errors{one}
	case errors.As(err, &eval):
		return []Problem{located(eval.Location, Problem{Message: eval.Message, Hint: evalHint(eval)})}
	default:
		return []Problem{{Message: err.Error()}}
	}
	problems := make([]Problem, 0, len(list))
	for _, e := range list {
		problems = append(problems, located(e.Location, Problem{Message: e.Message, Hint: compileHint(e)}))
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return problems
}

func located(l *ast.Location, p Problem) Problem {
	if l != nil {
		p.File, p.Line, p.Column = l.File, l.Row, l.Col
	}
	return p
}

// compileHint says what to do about a compile error.
func compileHint(e *ast.Error) string {
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
		if why, ok := withheld[name]; ok {
			return why
		}
		return "no function of this name exists here; check the spelling and the import"
	}
	if strings.HasPrefix(e.Message, "undefined ref: input") {
		return "the input document has no such field; internal/policy/schema/input-v1.schema.json lists them"
	}
	if e.Code == ast.ParseErr {
		return "policies are written in Rego v1 (`decisions contains x if { … }`); check the syntax at this place"
	}
	return ""
}

// evalHint says what to do about an evaluation error.
func evalHint(e *topdown.Error) string {
	switch e.Code {
	case topdown.ConflictErr:
		return "two definitions hold at once and differ; make their conditions exclude each other"
	case topdown.BuiltinErr, topdown.TypeErr:
		return "test the value before using it: a policy that cannot evaluate does not allow"
	}
	return ""
}

// evaluationError explains why an evaluation stopped.
func evaluationError(ctx context.Context, err, cause error) error {
	e := &Error{Kind: Evaluation, Op: "deciding", Err: err}
	switch {
	case cause != nil:
		e.Problems, e.Err = problemsOf(err), errors.Join(cause, err)
		e.Problems[0].Message = cause.Error()
		e.Problems[0].Hint = "make the policy cheaper, or raise the limit"
	case ctx.Err() != nil:
		e.Err = errors.Join(ctx.Err(), err)
		e.Problems = []Problem{{Message: "cancelled: " + ctx.Err().Error()}}
	default:
		e.Problems = problemsOf(err)
	}
	return e
}

// recovered turns a panic, which only a fault in the policy language's
// implementation could cause, into an error, so that no input takes the process
// down or is taken for an allow.
func recovered(k Kind, op string, err *error) {
	if r := recover(); r != nil {
		*err = &Error{Kind: k, Op: op, Problems: []Problem{{
			Message: fmt.Sprintf("internal fault: %v", r),
			Hint:    "please report this with the policy that causes it",
		}}}
	}
}
