package license

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Outcome is what a policy says of a licence, ascending.
type Outcome uint8

// The outcomes.
const (
	Allowed Outcome = iota
	Warned
	Denied
)

func (o Outcome) String() string {
	switch o {
	case Allowed:
		return "allow"
	case Warned:
		return "warn"
	case Denied:
		return "deny"
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// Policy says which licences packages may have. Entries of Allow and Deny are
// SPDX ids, with or without an exception ("GPL-2.0-only WITH
// Classpath-exception-2.0"), LicenseRefs, or names of groups.
type Policy struct {
	Allow []string // optional; if there is any, all others are denied
	Deny  []string // optional
	// Unknown is what follows for a package whose licence is not known, or is
	// a LicenseRef that no list and no group has: "allow", "warn" or "deny".
	// Optional: warn.
	Unknown string
	Except  []string // names of packages that are not judged
}

// Verdict is the answer to one package.
type Verdict struct {
	Outcome Outcome
	License string // the part of the expression that decided; empty if unknown
	Reason  string // one sentence
}

// Checker is a policy made ready. It is safe for concurrent use.
type Checker struct {
	catalog *Catalog
	listed  map[string]Outcome // by id or "id WITH exception"
	grouped map[string]Outcome // by group
	closed  bool               // there is a list of what is allowed
	unknown Outcome
	except  map[string]bool
}

// Compile checks a policy. An entry that is neither an id nor a group is an
// error, because it would never match.
func (c *Catalog) Compile(p Policy) (*Checker, error) {
	k := &Checker{catalog: c, listed: map[string]Outcome{}, grouped: map[string]Outcome{}, closed: len(p.Allow) > 0, except: map[string]bool{}}
	switch p.Unknown {
	case "allow":
		k.unknown = Allowed
	case "", "warn":
		k.unknown = Warned
	case "deny":
		k.unknown = Denied
	default:
		return nil, fmt.Errorf("reading the licence policy: unknown is %q, want allow, warn or deny", p.Unknown)
	}
	for _, list := range []struct {
		name    string
		entries []string
		outcome Outcome
	}{{"allow", p.Allow, Allowed}, {"deny", p.Deny, Denied}} {
		for _, entry := range list.entries {
			if _, ok := c.groups[entry]; ok {
				k.grouped[entry] = max(k.grouped[entry], list.outcome)
				continue
			}
			e, err := Parse(entry)
			if err != nil || e.Op != Leaf {
				return nil, fmt.Errorf("reading the licence policy: %s: %q is neither an SPDX id nor one of the groups %s", list.name, entry, strings.Join(c.Groups(), ", "))
			}
			k.listed[e.String()] = max(k.listed[e.String()], list.outcome)
		}
	}
	for _, name := range p.Except {
		k.except[name] = true
	}
	return k, nil
}

// Groups are the names of the groups, sorted.
func (c *Catalog) Groups() []string { return slices.Sorted(maps.Keys(c.groups)) }

// Check judges what a package states. Of alternatives one that is allowed is
// enough; where several licences apply, the worst decides. An entry for a
// licence counts more than one for its group, and of equals a denial more.
func (k *Checker) Check(name string, l License) Verdict {
	if k.except[name] {
		return Verdict{Allowed, "", fmt.Sprintf("The policy excepts %s.", name)}
	}
	if l.Unknown != "" {
		return Verdict{k.unknown, "", fmt.Sprintf("The licence is not known: %s.", l.Unknown)}
	}
	return k.judge(l.Expression)
}

func (k *Checker) judge(e Expression) Verdict {
	if e.Op == Leaf {
		return k.leaf(e)
	}
	verdict := k.judge(e.Operands[0])
	for _, o := range e.Operands[1:] {
		v := k.judge(o)
		if e.Op == And && v.Outcome > verdict.Outcome || e.Op == Or && v.Outcome < verdict.Outcome {
			verdict = v
		}
	}
	if e.Op == Or && verdict.Outcome == Denied {
		verdict.Reason = strings.TrimSuffix(verdict.Reason, ".") + ", and so is every alternative."
	}
	return verdict
}

// leaf judges one licence; "or later" is a choice among versions.
func (k *Checker) leaf(e Expression) Verdict {
	best := k.version(e)
	base, orLater := strings.CutSuffix(e.ID, "-or-later")
	if (orLater || e.Plus) && best.Outcome != Allowed {
		from := e.ID
		if orLater {
			from = base
			if v := k.version(Expression{ID: base + "-only", Exception: e.Exception}); v.Outcome < best.Outcome {
				best = v
			}
		}
		for _, id := range k.catalog.later[from] {
			if v := k.version(Expression{ID: id, Exception: e.Exception}); v.Outcome < best.Outcome {
				best = v
			}
		}
	}
	return best
}

func (k *Checker) version(e Expression) Verdict {
	text := e.String()
	for _, entry := range []string{text, cmp.Or(strings.TrimSuffix(text, " WITH "+e.Exception), text), e.ID} {
		if outcome, ok := k.listed[entry]; ok {
			return verdict(outcome, text, "")
		}
	}
	id := e.ID
	if base, ok := strings.CutSuffix(id, "-or-later"); ok {
		id = base + "-only"
	}
	group := k.catalog.groupOf[id]
	if group == k.catalog.from && k.catalog.linking[e.Exception] {
		group = k.catalog.into
	}
	if outcome, ok := k.grouped[group]; ok && group != "" {
		return verdict(outcome, text, group)
	}
	if group == "" && strings.Contains(e.ID, "LicenseRef-") {
		return Verdict{k.unknown, text, fmt.Sprintf("The licence is not known: %s is not on the SPDX list.", text)}
	}
	if k.closed {
		return Verdict{Denied, text, fmt.Sprintf("%s is not among the licences that the policy allows.", text)}
	}
	return Verdict{Allowed, text, fmt.Sprintf("Nothing stands against %s.", text)}
}

func verdict(o Outcome, text, group string) Verdict {
	if group != "" {
		belongs := fmt.Sprintf("%s belongs to the group %s", text, group)
		if o == Denied {
			return Verdict{o, text, belongs + ", which the policy denies."}
		}
		return Verdict{o, text, belongs + ", which the policy allows."}
	}
	if o == Denied {
		return Verdict{o, text, fmt.Sprintf("The policy denies %s.", text)}
	}
	return Verdict{o, text, fmt.Sprintf("The policy allows %s.", text)}
}
