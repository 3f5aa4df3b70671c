package sbom

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"bulwark/internal/dependency"
)

// Difference is what changed from one document to another.
type Difference struct {
	Added    []Item   `json:"added"`
	Removed  []Item   `json:"removed"`
	Changed  []Change `json:"changed"`  // of version
	Licences []Change `json:"licences"` // equal versions with other licences
}

// Item is a component in one document only.
type Item struct {
	Ecosystem dependency.Ecosystem `json:"ecosystem,omitempty"`
	Name      string               `json:"name"`
	Version   string               `json:"version,omitempty"`
	PURL      string               `json:"purl,omitempty"`
	Scope     dependency.Scope     `json:"scope,omitempty"`
	Relation  dependency.Relation  `json:"relation,omitempty"`
	Licences  []string             `json:"licences,omitempty"`
}

// Direction of a change of version.
type Direction string

// The directions. Unordered: no scheme of the ecosystem parses both versions.
const (
	Up        Direction = "up"
	Down      Direction = "down"
	Unordered Direction = "unordered"
)

// Change is a component that is in both.
type Change struct {
	Ecosystem dependency.Ecosystem `json:"ecosystem,omitempty"`
	Name      string               `json:"name"`
	From      Item                 `json:"from"`
	To        Item                 `json:"to"`
	Direction Direction            `json:"direction,omitempty"`
}

// Empty reports whether nothing changed.
func (d *Difference) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.Licences) == 0
}

// Order compares two versions of an ecosystem; an error says that it cannot.
type Order func(ecosystem, a, b string) (int, error)

// Diff compares two documents. Components of one name are paired in the order
// of their versions: where a package is there in several versions, those in
// both are left out first. order may be nil: every change is then Unordered.
func Diff(a, b *Document, order Order) *Difference {
	d := &Difference{Added: []Item{}, Removed: []Item{}, Changed: []Change{}, Licences: []Change{}}
	type key struct {
		ecosystem dependency.Ecosystem
		name      string
	}
	type pair struct{ old, now []Item }
	all := map[key]*pair{}
	side := func(doc *Document, f func(p *pair, i Item)) {
		for i := range doc.Components {
			c := &doc.Components[i]
			k := key{c.Package.Ecosystem, c.Package.Name}
			if all[k] == nil {
				all[k] = &pair{}
			}
			f(all[k], item(c))
		}
	}
	side(a, func(p *pair, i Item) { p.old = append(p.old, i) })
	side(b, func(p *pair, i Item) { p.now = append(p.now, i) })
	compare := func(x, y Item) (int, bool) {
		if order != nil {
			if n, err := order(string(x.Ecosystem), x.Version, y.Version); err == nil {
				return n, true
			}
		}
		return strings.Compare(x.Version, y.Version), false
	}
	for k, p := range all {
		old, now := d.same(k.ecosystem, k.name, p.old, p.now)
		for _, side := range [...][]Item{old, now} {
			slices.SortStableFunc(side, func(x, y Item) int { return strings.Compare(x.Version, y.Version) })
			slices.SortStableFunc(side, func(x, y Item) int { n, _ := compare(x, y); return n })
		}
		n := min(len(old), len(now))
		for i := range n {
			c := Change{Ecosystem: k.ecosystem, Name: k.name, From: old[i], To: now[i], Direction: Unordered}
			if way, ok := compare(old[i], now[i]); ok && way != 0 {
				c.Direction = Up
				if way > 0 {
					c.Direction = Down
				}
			}
			d.Changed = append(d.Changed, c)
		}
		d.Removed = append(d.Removed, old[n:]...)
		d.Added = append(d.Added, now[n:]...)
	}
	for _, list := range [...][]Item{d.Added, d.Removed} {
		slices.SortFunc(list, compareItems)
	}
	for _, list := range [...][]Change{d.Changed, d.Licences} {
		slices.SortFunc(list, func(x, y Change) int { return cmp.Or(compareItems(x.From, y.From), compareItems(x.To, y.To)) })
	}
	return d
}

func compareItems(x, y Item) int {
	return cmp.Or(cmp.Compare(x.Ecosystem, y.Ecosystem), strings.Compare(x.Name, y.Name), strings.Compare(x.Version, y.Version), strings.Compare(x.PURL, y.PURL))
}

func item(c *Component) Item {
	p := &c.Package
	return Item{p.Ecosystem, p.Name, p.Version, c.PURL, p.Scope, p.Relation, p.Licenses}
}

// same takes out what is in both, noting changed licences.
func (d *Difference) same(ecosystem dependency.Ecosystem, name string, old, now []Item) (restOld, restNow []Item) {
	byVersion := map[string][]Item{}
	for _, i := range now {
		byVersion[i.Version] = append(byVersion[i.Version], i)
	}
	for _, o := range old {
		same := byVersion[o.Version]
		if len(same) == 0 {
			restOld = append(restOld, o)
			continue
		}
		if !slices.Equal(o.Licences, same[0].Licences) {
			d.Licences = append(d.Licences, Change{Ecosystem: ecosystem, Name: name, From: o, To: same[0]})
		}
		byVersion[o.Version] = same[1:]
	}
	for _, i := range now {
		if left := byVersion[i.Version]; len(left) > 0 {
			restNow = append(restNow, left[0])
			byVersion[i.Version] = left[1:]
		}
	}
	return restOld, restNow
}

// WriteText writes one line for each change: "+" added, "-" removed, "^" a
// higher version, "v" a lower one, "~" another one, "=" other licences.
func (d *Difference) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, i := range d.Added {
		fmt.Fprintf(&b, "+ %s\n", i.label())
	}
	for _, i := range d.Removed {
		fmt.Fprintf(&b, "- %s\n", i.label())
	}
	marks := map[Direction]string{Up: "^", Down: "v", Unordered: "~"}
	for _, c := range d.Changed {
		fmt.Fprintf(&b, "%s %s  %s → %s\n", marks[c.Direction], c.From.name(), or(c.From.Version, "no version"), or(c.To.Version, "no version"))
	}
	for _, c := range d.Licences {
		fmt.Fprintf(&b, "= %s  licence %s → %s\n", c.From.label(), or(strings.Join(c.From.Licences, ", "), "not stated"), or(strings.Join(c.To.Licences, ", "), "not stated"))
	}
	fmt.Fprintf(&b, "%d added, %d removed, %d with another version, %d with another licence\n", len(d.Added), len(d.Removed), len(d.Changed), len(d.Licences))
	_, err := io.WriteString(w, b.String())
	return err
}

func (i *Item) name() string {
	if i.Ecosystem == "" {
		return i.Name
	}
	return string(i.Ecosystem) + " " + i.Name
}

func (i *Item) label() string {
	if i.Version == "" {
		return i.name()
	}
	return i.name() + " " + i.Version
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
