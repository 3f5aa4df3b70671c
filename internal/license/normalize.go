package license

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/github/go-spdx/v2/spdxexp/spdxlicenses"
	"github.com/pelletier/go-toml/v2"

	licensedata "bulwark/content/license"
)

// License is what a package states, as an expression if that is known.
type License struct {
	Expression Expression
	// Unknown says why there is no Expression: "no licence is stated"; empty if
	// there is one.
	Unknown string
}

func (l License) String() string {
	if l.Unknown != "" {
		return "unknown"
	}
	return l.Expression.String()
}

// Catalog holds the built-in names and groups. It is read-only after New and
// safe for concurrent use.
type Catalog struct {
	names      map[string]Expression // by key
	groups     map[string][]string
	groupOf    map[string]string // by id
	linking    map[string]bool   // exceptions
	from, into string            // groups of linking
	later      map[string][]string
}

// New reads the built-in names and groups, which takes about a millisecond:
// call it when there are packages to judge.
func New() (*Catalog, error) {
	c := &Catalog{
		names: map[string]Expression{}, groups: map[string][]string{}, groupOf: map[string]string{},
		linking: map[string]bool{}, later: map[string][]string{},
	}
	var g struct {
		Group []struct {
			Name, Title string
			Licenses    []string
		}
		Linking struct {
			From, To   string
			Exceptions []string
		}
	}
	var n struct{ Names map[string]string }
	if err := errors.Join(decode("groups.toml", &g), decode("names.toml", &n)); err != nil {
		return nil, err
	}
	for _, group := range g.Group {
		for _, id := range group.Licenses {
			e, err := Parse(id)
			if err != nil || e.String() != id {
				return nil, fmt.Errorf("reading groups.toml: group %s: %q is not an SPDX id in its own spelling", group.Name, id)
			}
			if other, twice := c.groupOf[id]; twice {
				return nil, fmt.Errorf("reading groups.toml: %s is in the groups %s and %s", id, other, group.Name)
			}
			c.groupOf[id] = group.Name
		}
		c.groups[group.Name] = group.Licenses
	}
	c.from, c.into = g.Linking.From, g.Linking.To
	for _, id := range g.Linking.Exceptions {
		if ok, known := spdxlicenses.IsException(id); !ok || known != id {
			return nil, fmt.Errorf("reading groups.toml: %q is no SPDX exception", id)
		}
		c.linking[id] = true
	}
	for name, text := range n.Names {
		e, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("reading names.toml: %q: %w", name, err)
		}
		k := key(name)
		if other, twice := c.names[k]; twice && other.String() != e.String() {
			return nil, fmt.Errorf("reading names.toml: %q has another name's meaning, too", name)
		}
		c.names[k] = e
	}
	for _, family := range spdxlicenses.LicenseRanges() {
		for i, version := range family {
			for _, next := range family[i+1:] {
				c.later[version[0]] = append(c.later[version[0]], next[len(next)-1])
			}
		}
	}
	return c, nil
}

func decode(file string, into any) error {
	text, err := licensedata.FS.ReadFile(file)
	if err == nil {
		err = toml.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("reading the built-in licence data %s: %w", file, err)
	}
	return nil
}

// Normalize reads what a package states: SPDX expressions, names, classifiers of
// PyPI, npm's {"type": …} objects. Of several, all apply, except for
// ecosystem Packagist, where Composer documents a list as a choice. A text
// that is not understood makes the whole unknown.
func (c *Catalog) Normalize(ecosystem string, stated []string) License {
	var all []Expression
	for _, text := range stated {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		if len(all) == maxOperands {
			return License{Unknown: fmt.Sprintf("more than %d licences are stated", maxOperands)}
		}
		e, why := c.one(text)
		if why != "" {
			return License{Unknown: why}
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return License{Unknown: "no licence is stated"}
	}
	op := And
	if ecosystem == "Packagist" {
		op = Or
	}
	return License{Expression: join(op, all...)}
}

// one reads one text, or says why not.
func (c *Catalog) one(text string) (Expression, string) {
	if len(text) > maxLength {
		return Expression{}, "the licence field holds a whole text, not a name"
	}
	if strings.HasPrefix(text, "{") {
		var object struct{ Type, Name string }
		if err := json.Unmarshal([]byte(text), &object); err != nil || object.Type+object.Name == "" {
			return Expression{}, "the licence field is an object without a type"
		}
		if text = object.Type; text == "" {
			text = object.Name
		}
	}
	upper := strings.ToUpper(text)
	switch {
	case strings.HasPrefix(upper, "SEE LICEN"), strings.HasPrefix(upper, "FILE:"):
		return Expression{}, "the licence stands in a file of the package"
	case upper == "NOASSERTION" || upper == "UNKNOWN" || upper == "NONE" || upper == "OTHER":
		return Expression{}, "no licence is stated"
	}
	if classifier, ok := strings.CutPrefix(text, "License ::"); ok {
		parts := strings.Split(classifier, "::")
		if text = strings.TrimSpace(parts[len(parts)-1]); text == "OSI Approved" {
			return Expression{}, "the classifier names no licence"
		}
	}
	if e, ok := c.simple(text); ok {
		return e, ""
	}
	// Cargo once wrote "MIT/Apache-2.0" for a choice; names are joined by words.
	for _, by := range []struct {
		separator string
		op        Operator
	}{{" OR ", Or}, {" or ", Or}, {" AND ", And}, {" and ", And}, {"/", Or}, {"|", Or}, {";", And}, {",", And}} {
		parts := strings.Split(strings.Trim(text, "()"), by.separator)
		if len(parts) < 2 || len(parts) > maxOperands {
			continue
		}
		all := make([]Expression, 0, len(parts))
		for _, part := range parts {
			if e, ok := c.simple(strings.TrimSpace(part)); ok {
				all = append(all, e)
			}
		}
		if len(all) == len(parts) {
			return join(by.op, all...), ""
		}
	}
	return Expression{}, fmt.Sprintf("%q is not a licence that is known", shorten(text))
}

func (c *Catalog) simple(text string) (Expression, bool) {
	if e, err := Parse(text); err == nil {
		return e, true
	}
	e, ok := c.names[key(text)]
	return e, ok
}

// key is the form in which names are compared.
func key(name string) string {
	var b strings.Builder
	depth := 0
	for _, r := range strings.ToLower(name) {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth = max(0, depth-1)
		case depth > 0:
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '+':
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	var words []string
	for _, w := range strings.Fields(b.String()) {
		switch w {
		case "the", "license", "licence", "licenses", "version", "v", "software":
			continue
		}
		if len(w) > 1 && w[0] == 'v' && w[1] >= '0' && w[1] <= '9' {
			w = w[1:]
		}
		if w = strings.TrimSuffix(strings.Trim(w, "."), ".0"); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}
