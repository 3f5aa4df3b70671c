package config

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"bulwark/internal/finding"
	"bulwark/internal/identity"
	"bulwark/internal/strictyaml"
)

// Parse reads data, the content of the file called name, over the defaults. The
// error is a strictyaml.Faults: each fault with its line and column. On error
// the Config must not be used.
func Parse(name string, data []byte) (Config, error) {
	cfg := Default()
	d, root, err := strictyaml.Parse(name, data, MaxFileSize)
	if err != nil {
		return Config{}, err
	}
	p := parser{d}
	p.mapping(root, rootKeys(), &cfg)
	if err := d.Err(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// parser reads values with a syntax of their own.
type parser struct{ *strictyaml.Decoder }

// key describes one key of the file: how it is read, and how the JSON Schema
// tells an editor about it.
type key struct {
	name     string
	about    string // the schema's description
	schema   schema // of a leaf
	required bool
	keys     []key // of a nested mapping
	set      func(p parser, n *strictyaml.Node, c *Config)
}

func (p parser) mapping(n *strictyaml.Node, keys []key, c *Config) {
	fields := make([]strictyaml.Field, len(keys))
	for i, k := range keys {
		fields[i] = strictyaml.Field{Name: k.name, Required: k.required, Set: func(n *strictyaml.Node) {
			if k.keys != nil {
				p.mapping(n, k.keys, c)
				return
			}
			k.set(p, n, c)
		}}
	}
	p.Mapping(n, fields)
}

func (p parser) size(n *strictyaml.Node, to *Size) {
	text, ok := p.Text(n, "a size such as 512MiB")
	if !ok {
		return
	}
	s, err := ParseSize(text)
	if err != nil {
		p.Fault(n, "", "%v", err)
		return
	}
	*to = s
}

func (p parser) text(n *strictyaml.Node, to *string) {
	s, ok := p.String(n)
	switch {
	case !ok:
	case len(s) > maxTextLength:
		p.Fault(n, "", "the text has %d bytes: want at most %d", len(s), maxTextLength)
	case strings.ContainsAny(s, "\n\t"):
		p.Fault(n, "", "the text spans several lines")
	default:
		*to = s
	}
}

func (p parser) enum(n *strictyaml.Node, to *string, allowed ...string) {
	if s, ok := p.Enum(n, allowed...); ok {
		*to = s
	}
}

func (p parser) bool(n *strictyaml.Node, to *bool) {
	if b, ok := p.Bool(n); ok {
		*to = b
	}
}

func (p parser) int(n *strictyaml.Node, to *int, low, high int) {
	if i, ok := p.Int(n, low, high); ok {
		*to = i
	}
}

func (p parser) number(n *strictyaml.Node, to *float64, low, high float64) {
	if f, ok := p.Number(n, low, high); ok {
		*to = f
	}
}

func (p parser) severity(n *strictyaml.Node, to *finding.Severity) {
	if s, ok := p.Enum(n, severities...); ok {
		_ = to.UnmarshalText([]byte(s)) // Enum has seen to it
	}
}

func (p parser) confidence(n *strictyaml.Node, to *finding.Confidence) {
	if s, ok := p.Enum(n, confidences...); ok {
		_ = to.UnmarshalText([]byte(s)) // Enum has seen to it
	}
}

// path takes a slash-separated path that stays inside the project.
func (p parser) path(n *strictyaml.Node, to *string) {
	s, ok := p.String(n)
	if !ok {
		return
	}
	if fault := pathFault(s); fault != "" {
		p.Fault(n, "write it relative to the folder of "+FileName+", with slashes", "the path %q %s", s, fault)
		return
	}
	*to = path.Clean(s)
}

func (p parser) paths(n *strictyaml.Node, to *[]string) {
	var out []string
	p.Items(n, func(item *strictyaml.Node) {
		var s string
		p.path(item, &s)
		out = append(out, s)
	})
	*to = out
}

func pathFault(s string) string {
	switch {
	case strings.ContainsAny(s, "\n\t"):
		return "holds a line break or tab"
	case strings.Contains(s, `\`):
		return "holds a backslash"
	case strings.HasPrefix(s, "/") || len(s) > 1 && s[1] == ':':
		return "is absolute"
	}
	if c := path.Clean(s); c == ".." || strings.HasPrefix(c, "../") {
		return "leaves the project"
	}
	return ""
}

func (p parser) patterns(n *strictyaml.Node, to *[]string) {
	*to = nil
	p.Items(n, func(item *strictyaml.Node) {
		s, ok := p.String(item)
		switch {
		case !ok:
		case strings.Contains(s, "\n"):
			p.Fault(item, "write one pattern per item", "the pattern spans several lines")
		case strings.HasPrefix(s, "#"):
			p.Fault(item, `escape it as \#`, "the pattern %q is a comment and excludes nothing", s)
		case strings.Trim(s, "!/ ") == "":
			p.Fault(item, "", "the pattern %q names nothing", s)
		default:
			*to = append(*to, s)
		}
	})
}

// ruleID is the form that rule ids have, those of added rule files included.
var ruleID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`)

func (p parser) ruleID(n *strictyaml.Node) (string, bool) {
	s, ok := p.String(n)
	if ok && !ruleID.MatchString(s) {
		p.Fault(n, "", "%q is not a rule id", s)
		return "", false
	}
	return s, ok
}

func (p parser) names(n *strictyaml.Node, to *[]string) {
	*to = nil
	for _, s := range p.Strings(n) {
		if !ruleID.MatchString(s) {
			p.Fault(n, "", "%q is not a name: want letters, digits, dots and dashes", s)
			continue
		}
		*to = append(*to, s)
	}
}

// strings takes names of any form, each a line.
func (p parser) strings(n *strictyaml.Node, to *[]string) {
	*to = nil
	for _, s := range p.Strings(n) {
		if s == "" || len(s) > maxTextLength || strings.ContainsAny(s, "\n\t") {
			p.Fault(n, "", "%q is not a name: want one line of at most %d bytes", s, maxTextLength)
			continue
		}
		*to = append(*to, s)
	}
}

func (p parser) identityKey(n *strictyaml.Node, to *identity.Key) {
	s, ok := p.String(n)
	if !ok {
		return
	}
	k, err := identity.KeyFromText(s)
	if err != nil {
		p.Fault(n, "", "%v", err)
		return
	}
	*to = k
}

// actionsByRule and severitiesByRule read a mapping from rule ids.
func (p parser) actionsByRule(n *strictyaml.Node, to *map[string]Action) {
	out := map[string]Action{}
	p.Entries(n, func(k, v *strictyaml.Node) {
		id, ok := p.ruleID(k)
		a, ok2 := p.Enum(v, actions...)
		if ok && ok2 {
			out[id] = Action(a)
		}
	})
	if len(out) > 0 {
		*to = out
	}
}

func (p parser) severitiesByRule(n *strictyaml.Node, to *map[string]finding.Severity) {
	out := map[string]finding.Severity{}
	p.Entries(n, func(k, v *strictyaml.Node) {
		id, ok := p.ruleID(k)
		var s finding.Severity
		p.severity(v, &s)
		if ok {
			out[id] = s
		}
	})
	if len(out) > 0 {
		*to = out
	}
}

// Limits of values.
const (
	maxTextLength = 256
	maxWorkers    = 1024
	maxArchives   = 3
	maxAgeDays    = 3650
	maxWaiverDays = 3650
	maxRate       = 100
)

var (
	severities      = names(finding.Info, finding.Critical)
	confidences     = names(finding.Tentative, finding.Certain)
	actions         = []string{string(Block), string(Warn), string(Off)}
	inlineModes     = []string{InlineAllow, InlineRequireOwner, InlineForbid}
	partialVerdicts = []string{"unknown", "warn"}
	unknownLicenses = []string{"allow", "warn", "deny"}
	lowered         = []string{"warn", "judge"}
	overdue         = []string{"warn", "block"}
	notRunVerdicts  = []string{"unknown", "warn", "allow"}
	criticalities   = []string{"low", "medium", "high", "critical"}
	exposures       = []string{"isolated", "internal", "internet"}
)

func names[T interface {
	~uint8
	fmt.Stringer
}](low, high T) []string {
	var out []string
	for v := low; v <= high; v++ {
		out = append(out, v.String())
	}
	return out
}
