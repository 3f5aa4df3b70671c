package sbom

import (
	"strings"

	"github.com/github/go-spdx/v2/spdxexp"
	"github.com/github/go-spdx/v2/spdxexp/spdxlicenses"
)

// Licences tells SPDX expressions from other texts. It remembers what it was
// asked, since a document names few licences many times. The zero Licences is
// ready; it belongs to one goroutine.
type Licences struct {
	known map[string]judged
}

type judged struct {
	text string
	kind LicenceKind
}

// LicenceKind says what a licence text is.
type LicenceKind uint8

// The kinds.
const (
	LicenceName       LicenceKind = iota // any text
	LicenceID                            // one identifier of the SPDX list
	LicenceExpression                    // a valid SPDX expression
)

// maxExpression bounds what is tried as an expression, in bytes; every licence
// expression in practice is far below.
const maxExpression = 1 << 10

// Judge says what a licence text is and returns identifiers as the SPDX list
// spells them.
func (l *Licences) Judge(text string) (string, LicenceKind) {
	if k, ok := l.known[text]; ok {
		return k.text, k.kind
	}
	k := judge(strings.TrimSpace(text))
	if l.known == nil {
		l.known = map[string]judged{}
	}
	l.known[text] = k
	return k.text, k.kind
}

func judge(text string) judged {
	if text == "" || len(text) > maxExpression {
		return judged{text, LicenceName}
	}
	if ok, id := spdxlicenses.IsActiveLicense(text); ok {
		return judged{id, LicenceID}
	}
	if ok, id := spdxlicenses.IsDeprecatedLicense(text); ok {
		return judged{id, LicenceID}
	}
	if strings.ContainsAny(text, " ()+") && valid(text) {
		return judged{text, LicenceExpression}
	}
	return judged{text, LicenceName}
}

// valid asks the library, which is not known to panic; a licence text from a
// stranger must not be what shows that it does.
func valid(text string) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if strings.Count(text, "(") > MaxDepth {
		return false
	}
	ok, _ = spdxexp.ValidateLicenses([]string{text})
	return ok
}

// Expression joins licences that all apply to one SPDX expression. Each text
// that is no expression itself is named by other; ok is false if other returns
// "" for one.
func (l *Licences) Expression(texts []string, other func(text string) string) (expression string, ok bool) {
	var parts []string
	for _, t := range texts {
		s, kind := l.Judge(t)
		if kind == LicenceName {
			if s = other(t); s == "" {
				return "", false
			}
		}
		if kind == LicenceExpression && len(texts) > 1 {
			s = "(" + s + ")"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " AND "), len(parts) > 0
}
