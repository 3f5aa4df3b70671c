package policy

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	policycontent "bulwark/content/policy"
)

// builtinPrefix begins the names of the files of the default gate.
const builtinPrefix = "builtin/"

const loading = "loading the policies"

// sources are parsed policies and their data, before compilation.
type sources struct {
	modules map[string]*ast.Module
	builtin map[string]bool // names in modules that belong to the default gate
	data    map[string]any
	project bool // whether the project brought any .rego of its own
}

// gather parses everything that o names. Tests are left out unless asked for.
func gather(ctx context.Context, o Options, l Limits, tests bool) (*sources, error) {
	s := &sources{modules: map[string]*ast.Module{}, builtin: map[string]bool{}, data: map[string]any{}}
	if !o.Replace {
		if err := s.addDefault(tests && len(o.Files) == 0 && len(o.Bundles) == 0); err != nil {
			return nil, err
		}
	}
	if err := s.addFiles(ctx, o.Files, l, tests); err != nil {
		return nil, err
	}
	for _, b := range o.Bundles {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", loading, err)
		}
		if err := s.addBundle(b, o.Key, l, tests); err != nil {
			return nil, err
		}
	}
	return s, s.reserve()
}

func (s *sources) addDefault(tests bool) error {
	names, err := fs.Glob(policycontent.Files, "gate/*.rego")
	if err != nil {
		return configuration(loading, err)
	}
	for _, name := range names {
		if isTest(name) && !tests {
			continue
		}
		b, err := policycontent.Files.ReadFile(name)
		if err != nil {
			return configuration(loading, err)
		}
		if err := s.addModule(builtinPrefix+name, b); err != nil {
			return err
		}
		s.builtin[builtinPrefix+name] = true
	}
	return nil
}

func (s *sources) addFiles(ctx context.Context, files map[string][]byte, l Limits, tests bool) error {
	if len(files) > l.Files {
		return configurationf(loading, "", "there are %d policy files, the limit is %d", len(files), l.Files)
	}
	var total int64
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", loading, err)
		}
		size := int64(len(files[name]))
		if total += size; size > l.FileBytes || total > l.TotalBytes {
			return configurationf(loading, name, "too large: %d bytes, %d together; the limits are %d and %d", size, total, l.FileBytes, l.TotalBytes)
		}
		if err := s.addFile(name, files[name], tests); err != nil {
			return err
		}
	}
	return nil
}

func (s *sources) addFile(name string, b []byte, tests bool) error {
	switch path.Ext(name) {
	case ".rego":
		if isTest(name) && !tests {
			return nil
		}
		s.project = s.project || !isTest(name)
		return s.addModule(name, b)
	case ".json", ".yaml", ".yml":
		return s.addData(name, b)
	}
	return nil
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

func (s *sources) addModule(name string, b []byte) error {
	if s.modules[name] != nil {
		return configurationf(loading, name, "there are two policy files of this name; rename one")
	}
	m, err := ast.ParseModuleWithOpts(name, string(b), ast.ParserOptions{
		RegoVersion:       ast.RegoV1,
		Capabilities:      capabilities(),
		ProcessAnnotation: true,
	})
	if err != nil {
		return configuration("reading a policy", err)
	}
	return s.keep(name, m)
}

// keep adds a parsed module unless one of its annotations brings a schema of
// its own: a schema may refer to any file of the machine.
func (s *sources) keep(name string, m *ast.Module) error {
	for _, a := range m.Annotations {
		for _, schema := range a.Schemas {
			if schema.Definition == nil {
				continue
			}
			return &Error{Kind: Configuration, Op: "reading a policy", Problems: []Problem{located(a.Location, Problem{
				File:    name,
				Message: "the annotation brings a schema of its own, which is not supported",
				Hint:    "remove it: input is checked against its published schema in every policy",
			})}}
		}
	}
	s.modules[name] = m
	return nil
}

// addData merges a data file into the place under data that its folder names.
func (s *sources) addData(name string, b []byte) error {
	var value any
	if err := util.Unmarshal(b, &value); err != nil {
		return configurationf("reading policy data", name, "%v", err)
	}
	doc, ok := value.(map[string]any)
	if !ok {
		return configurationf("reading policy data", name, "the file must hold a mapping at its top, such as `limits: …`")
	}
	if dir := strings.Trim(path.Dir(path.Clean("/"+name)), "/"); dir != "" {
		parts := strings.Split(dir, "/")
		for _, part := range slices.Backward(parts) {
			doc = map[string]any{part: doc}
		}
	}
	return s.mergeData(name, doc)
}

func (s *sources) mergeData(name string, doc map[string]any) error {
	if at, ok := merge(s.data, doc, ""); !ok {
		return configurationf("reading policy data", name, "data%s is defined twice; keep one", at)
	}
	return nil
}

// merge adds src to dst. It returns the place of the first conflict and false
// when both define a value that is not a mapping.
func merge(dst, src map[string]any, at string) (string, bool) {
	for _, k := range slices.Sorted(maps.Keys(src)) {
		have, ok := dst[k]
		if !ok {
			dst[k] = src[k]
			continue
		}
		h, hok := have.(map[string]any)
		v, vok := src[k].(map[string]any)
		if !hok || !vok {
			return at + "." + k, false
		}
		if where, ok := merge(h, v, at+"."+k); !ok {
			return where, false
		}
	}
	return "", true
}

// reserve refuses project policies that define something inside a package of
// the default gate: they could change its meaning without a trace in the
// decisions. An override leaves that trace, and replace says it openly.
func (s *sources) reserve() error {
	taken := map[string]bool{}
	for name := range s.builtin {
		taken[s.modules[name].Package.Path.String()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(s.modules)) {
		if s.builtin[name] || isTest(name) {
			continue
		}
		for _, r := range s.modules[name].Rules {
			for gate := range taken {
				if !defines(s.modules[name].Package.Path, r, gate) {
					continue
				}
				return &Error{Kind: Configuration, Op: loading, Problems: []Problem{located(r.Location, Problem{
					Message: fmt.Sprintf("package %s belongs to the default gate", strings.TrimPrefix(gate, "data.")),
					Hint:    "use a package of your own, such as `package custom`; set `replace: true` to replace the default gate",
				})}}
			}
		}
	}
	return nil
}

// defines reports whether rule r of package pkg lands directly in package
// gate, or above it in a place that its documents would share.
func defines(pkg ast.Ref, r *ast.Rule, gate string) bool {
	if pkg.String() == gate {
		return true
	}
	full := pkg.Concat(r.Head.Ref()[:1])
	full[len(full)-1] = ast.StringTerm(strings.Trim(r.Head.Ref()[0].String(), `"`))
	for _, t := range r.Head.Ref()[1:] {
		full = full.Append(t)
	}
	g, err := ast.ParseRef(gate)
	if err != nil {
		return true
	}
	// A rule below the gate's path (bulwark.gate.extra.x from package
	// bulwark.gate.extra) is in a package of its own; a rule whose head
	// reaches into it from above (package bulwark, gate.x) is not.
	ground := full.GroundPrefix()
	return !pkg.HasPrefix(g) && (ground.HasPrefix(g) || g.HasPrefix(ground))
}
