// Package policy is the decision point: it takes findings with their context
// and gives a verdict with reasons. What is decided, and why, is written in
// Rego: the default gate in content/policy, and whatever a project adds or puts
// in its place.
//
// It decides and nothing else. It looks at no repository, keeps no state and
// reaches no network: policies see the input document and their own data, and
// the built-in functions that would let them see more are taken away. Equal
// input gives equal output; the clock of a policy is Input.Now.
//
// It fails closed. A policy that does not compile, that leaves a finding
// without a decision, that contradicts itself, that runs too long or says
// something that cannot be understood is an error of kind Configuration or
// Evaluation, and never an allow.
package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// Limits bound what strangers' policies may cost. A zero field has its default.
type Limits struct {
	// FileBytes bounds one policy or data file. Optional: 1 MiB.
	FileBytes int64
	// TotalBytes bounds all files of one folder or one bundle, unpacked.
	// Optional: 16 MiB.
	TotalBytes int64
	// Files bounds how many there are. Optional: 2,000.
	Files int
	// Timeout bounds one evaluation, and one Rego test. Optional: 10 s.
	Timeout time.Duration
	// LoadTimeout bounds reading and compiling. Optional: 30 s.
	LoadTimeout time.Duration
	// HeapGrowth bounds by how many bytes the heap of the process may grow
	// during one evaluation. It is sampled, so it is a brake and not a wall.
	// Optional: 1 GiB.
	HeapGrowth uint64
	// Decisions bounds how many decisions and overrides the policies may
	// return together. Optional: 10,000 and 20 for each finding.
	Decisions int
	// ReasonBytes bounds one reason. Optional: 2,000.
	ReasonBytes int
	// OutputBytes bounds what the policies return together. Optional: 64 MiB.
	OutputBytes int
}

func (l Limits) withDefaults() Limits {
	l.FileBytes = orDefault(l.FileBytes, 1<<20)
	l.TotalBytes = orDefault(l.TotalBytes, 16<<20)
	l.Files = orDefault(l.Files, 2000)
	l.Timeout = orDefault(l.Timeout, 10*time.Second)
	l.LoadTimeout = orDefault(l.LoadTimeout, 30*time.Second)
	l.HeapGrowth = orDefault(l.HeapGrowth, 1<<30)
	l.ReasonBytes = orDefault(l.ReasonBytes, 2000)
	l.OutputBytes = orDefault(l.OutputBytes, 64<<20)
	return l
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Options say which policies decide. The zero value is the default gate alone.
type Options struct {
	// Files are a project's policies (.rego) and data (.json, .yaml, .yml) by
	// slash-separated name. A data file's folder is its place under data, as
	// in OPA: a/b/limits.yaml is merged into data.a.b. Files of other kinds are
	// ignored, and so are tests (_test.rego) unless Test runs them.
	Files map[string][]byte
	// Bundles are OPA bundles (tar.gz).
	Bundles []Bundle
	// Key verifies the signature of every bundle. Optional: without it a
	// signed bundle is refused, because nobody could tell whether the
	// signature is right.
	Key *Key
	// Replace drops the default gate: the project's policies must then decide
	// on every finding themselves.
	Replace bool
	Limits  Limits
}

// Engine holds compiled policies. It is safe for concurrent use.
type Engine struct {
	compiler *ast.Compiler
	store    storage.Store
	query    ast.QueryCompiler
	body     ast.Body
	packages []contributor
	limits   Limits
}

// contributor is a package that takes part in decisions.
type contributor struct {
	name      string // "bulwark.gate"
	decisions bool   // whether it has rules named decisions
	overrides bool   // whether it has rules named override
}

// The names of the rules that a package takes part with.
const (
	decisionsRule = "decisions"
	overrideRule  = "override"
)

// Load compiles policies. Errors are of kind Configuration, or ctx's own.
func Load(ctx context.Context, o Options) (*Engine, error) {
	l := o.Limits.withDefaults()
	ctx, cancel := context.WithTimeoutCause(ctx, l.LoadTimeout, &Error{
		Kind: Configuration, Op: loading, Problems: []Problem{{
			Message: fmt.Sprintf("it took longer than %v", l.LoadTimeout),
			Hint:    "make the policies smaller or simpler",
		}},
	})
	defer cancel()
	return await(ctx, Configuration, loading, func() (*Engine, error) { return load(ctx, o, l) })
}

// await runs f, but returns as soon as ctx is done: neither parsing nor
// compiling looks at it. f is then left behind, and its result is dropped. A
// panic in f becomes an error of kind k.
func await[T any](ctx context.Context, k Kind, op string, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	go func() {
		var r result
		defer func() { results <- r }()
		defer recovered(k, op, &r.err)
		r.value, r.err = f()
	}()
	select {
	case r := <-results:
		if r.err == nil || ctx.Err() == nil {
			return r.value, r.err
		}
	case <-ctx.Done():
	}
	var none T
	return none, fmt.Errorf("%s: %w", op, context.Cause(ctx))
}

func load(ctx context.Context, o Options, l Limits) (*Engine, error) {
	src, err := gather(ctx, o, l, false)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		store:  inmem.NewFromObjectWithOpts(src.data, inmem.OptRoundTripOnWrite(false)),
		limits: l,
	}
	if e.compiler, err = compile(ctx, src); err != nil {
		return nil, err
	}
	if e.packages, err = contributors(src); err != nil {
		return nil, err
	}
	return e, e.prepare()
}

// Packages lists the packages that take part in decisions, in order.
func (e *Engine) Packages() []string {
	names := make([]string, len(e.packages))
	for i, p := range e.packages {
		names[i] = p.name
	}
	return names
}

// compile type-checks and compiles the modules of src.
func compile(ctx context.Context, src *sources) (*ast.Compiler, error) {
	compiler, err := newCompiler()
	if err != nil {
		return nil, err
	}
	store := inmem.NewFromObjectWithOpts(src.data, inmem.OptRoundTripOnWrite(false))
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, configuration(loading, err)
	}
	defer store.Abort(ctx, txn)
	compiler.WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn))
	if compiler.Compile(src.modules); compiler.Failed() {
		return nil, compileError("compiling the policies", compiler.Errors)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compiling the policies: %w", err)
	}
	return compiler, nil
}

// newCompiler returns a compiler that knows the input document, so that a
// misspelt field is an error and not a condition that never holds, and that
// offers nothing to policies but pure functions.
func newCompiler() (*ast.Compiler, error) {
	schemas, err := inputSchemas()
	if err != nil {
		return nil, err
	}
	return ast.NewCompiler().
		WithCapabilities(capabilities()).
		WithSchemas(schemas).
		WithUseTypeCheckAnnotations(true).
		WithDefaultRegoVersion(ast.RegoV1).
		WithEnablePrintStatements(true).
		SetErrorLimit(20), nil
}

// contributors finds the packages that define decisions or override, and
// refuses project policies that would silently change the default gate or take
// no part at all.
func contributors(src *sources) ([]contributor, error) {
	found := map[string]*contributor{}
	own := false
	for name, m := range src.modules {
		pkg := packageName(m.Package.Path)
		for _, r := range m.Rules {
			switch ruleName(r) {
			case decisionsRule:
				at(found, pkg).decisions = true
			case overrideRule:
				at(found, pkg).overrides = true
			default:
				continue
			}
			own = own || !src.builtin[name]
		}
	}
	if !own && src.project {
		return nil, &Error{Kind: Configuration, Op: loading, Problems: []Problem{{
			Message: "none of the project's policy files has a rule named decisions or override, so they would change nothing",
			Hint:    "write `decisions contains {\"fingerprint\": …, \"verdict\": …, \"reason\": …} if { … }` in a package of your own, such as `package custom`",
		}}}
	}
	list := make([]contributor, 0, len(found))
	decides := false
	for _, c := range found {
		list = append(list, *c)
		decides = decides || c.decisions
	}
	if !decides {
		return nil, &Error{Kind: Configuration, Op: loading, Problems: []Problem{{
			Message: "no policy has a rule named decisions, so nothing could be decided",
			Hint:    "remove `replace: true` to keep the default gate, or name the policies that take its place",
		}}}
	}
	slices.SortFunc(list, func(a, b contributor) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

func at(m map[string]*contributor, pkg string) *contributor {
	c, ok := m[pkg]
	if !ok {
		c = &contributor{name: pkg}
		m[pkg] = c
	}
	return c
}

// packageName is a package's path without the leading data.
func packageName(path ast.Ref) string {
	return strings.TrimPrefix(path.String(), "data.")
}

// prepare compiles the one query that every decision runs: for each package
// that takes part, in order, what it decided and what it overrides. The
// comprehensions tell an undefined result (empty) from an empty one.
func (e *Engine) prepare() error {
	var q strings.Builder
	q.WriteString("result := [")
	for i, p := range e.packages {
		if i > 0 {
			q.WriteString(", ")
		}
		q.WriteString("[" + valueOf(p.name, decisionsRule, p.decisions) + ", " + valueOf(p.name, overrideRule, p.overrides) + "]")
	}
	q.WriteString("]")
	body, err := ast.ParseBodyWithOpts(q.String(), ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities()})
	if err != nil {
		return configuration("preparing the policy query", err)
	}
	e.query = e.compiler.QueryCompiler()
	if e.body, err = e.query.Compile(body); err != nil {
		return configuration("preparing the policy query", err)
	}
	return nil
}

func valueOf(pkg, rule string, defined bool) string {
	if !defined {
		return "null"
	}
	return fmt.Sprintf("[x | x = data.%s.%s]", pkg, rule)
}
