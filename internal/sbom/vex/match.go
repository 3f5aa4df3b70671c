package vex

import (
	"slices"
	"strings"
	"time"

	packageurl "github.com/package-url/packageurl-go"
)

// Query asks about one vulnerability of one package.
type Query struct {
	// PURL of the package, with version.
	PURL string
	// IDs of the vulnerability: the usual one and all aliases.
	IDs []string
	// Product is the name or package URL of what contains the package. Empty:
	// statements about a part of any product are taken, which is right only for
	// documents that were given for this very product.
	Product string
	// Ground is what would be judged on today.
	Ground Ground
	Now    time.Time
}

// Reason says why a matching statement does not hold.
type Reason string

// The reasons.
const (
	Holds           Reason = ""
	Expired         Reason = "expired"
	AdvisoryChanged Reason = "the advisory has changed since"
	ContentChanged  Reason = "the content has changed since"
)

// Lapsed is a statement that matches and no longer holds.
type Lapsed struct {
	Statement *Statement
	Reason    Reason
}

// Index finds statements by vulnerability.
type Index struct {
	byID map[string][]*Statement
}

// NewIndex indexes statements of documents; later ones count as newer where
// times are equal.
func NewIndex(documents ...*Document) *Index {
	x := &Index{byID: map[string][]*Statement{}}
	for _, d := range documents {
		for i := range d.Statements {
			s := &d.Statements[i]
			for _, id := range append([]string{s.Vulnerability}, s.Aliases...) {
				key := strings.ToUpper(id)
				if list := x.byID[key]; len(list) == 0 || list[len(list)-1] != s {
					x.byID[key] = append(list, s)
				}
			}
		}
	}
	return x
}

// Find returns the newest statement that matches and holds, or nil, and those
// that match but have lapsed.
func (x *Index) Find(q Query) (*Statement, []Lapsed) {
	u, err := parse(q.PURL)
	if err != nil {
		return nil, nil
	}
	var best *Statement
	var lapsed []Lapsed
	var seen []*Statement
	for _, id := range q.IDs {
		for _, s := range x.byID[strings.ToUpper(id)] {
			if slices.Contains(seen, s) || !s.about(q, u) {
				continue
			}
			seen = append(seen, s)
			if r := s.lapse(q); r != Holds {
				lapsed = append(lapsed, Lapsed{s, r})
			} else if best == nil || !s.Time.Before(best.Time) {
				best = s
			}
		}
	}
	return best, lapsed
}

func (s *Statement) lapse(q Query) Reason {
	switch {
	case !s.Expires.IsZero() && !q.Now.IsZero() && !q.Now.Before(s.Expires):
		return Expired
	case s.Ground.Modified != "" && q.Ground.Modified != "" && !sameTime(s.Ground.Modified, q.Ground.Modified):
		return AdvisoryChanged
	case s.Ground.Content != "" && q.Ground.Content != "" && s.Ground.Content != q.Ground.Content:
		return ContentChanged
	}
	return Holds
}

func sameTime(a, b string) bool {
	return a == b || (!moment(a).IsZero() && moment(a).Equal(moment(b)))
}

func (s *Statement) about(q Query, u packageurl.PackageURL) bool {
	for i := range s.Products {
		p := &s.Products[i]
		if len(p.Parts) == 0 {
			if covers(p.ID, u) {
				return true
			}
			continue
		}
		if p.ID != "" && q.Product != "" && p.ID != q.Product {
			product, err := parse(q.Product)
			if err != nil || !covers(p.ID, product) {
				continue
			}
		}
		for _, part := range p.Parts {
			if covers(part, u) {
				return true
			}
		}
	}
	return false
}

func parse(text string) (packageurl.PackageURL, error) {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return packageurl.FromString(text)
}

// covers reports whether a package URL of a statement denotes u: type and name
// are equal, and so are version and qualifiers as far as they are stated.
func covers(stated string, u packageurl.PackageURL) bool {
	s, err := parse(stated)
	if err != nil || s.Type != u.Type || !strings.EqualFold(s.Namespace, u.Namespace) || !strings.EqualFold(s.Name, u.Name) {
		return false
	}
	if s.Version != "" && s.Version != u.Version && (s.Type != "golang" || strings.TrimPrefix(s.Version, "v") != strings.TrimPrefix(u.Version, "v")) {
		return false
	}
	for _, q := range s.Qualifiers {
		if !slices.ContainsFunc(u.Qualifiers, func(o packageurl.Qualifier) bool { return o.Key == q.Key && o.Value == q.Value }) {
			return false
		}
	}
	return true
}
