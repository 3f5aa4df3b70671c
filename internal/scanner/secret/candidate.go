package secret

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"bulwark/internal/finding"
	"bulwark/internal/identity"
	"bulwark/internal/scanner/secret/assign"
	"bulwark/internal/scanner/secret/check"
	"bulwark/internal/scanner/secret/plausible"
	"bulwark/internal/scanner/secret/rule"
)

// candidate is a match that passed its rule's own tests.
type candidate struct {
	rule       *rule.Rule
	match      span // in the chunk
	secret     span // in the chunk; of a decoded secret, of its encoded form
	pathOnly   bool
	needs      span               // in the chunk, and beyond it: what was looked at to judge it
	named      bool               // it is the value of an assignment
	assignment *assign.Assignment // while it is being judged
	severity   finding.Severity
	confidence finding.Confidence
	evidence   []string
	notes      []string
	properties map[string]string
	proven     bool // its structure was checked
	decoded    bool
	value      []byte // of decoded candidates; else nil
	parts      []candidate
}

// priority says which of several candidates about the same characters is the
// most specific.
func (c *candidate) priority() int {
	generic := strings.HasPrefix(c.rule.ID, "generic")
	switch {
	case c.pathOnly:
		return 60
	case c.proven && !generic:
		return 50
	case c.rule.Foreign && generic:
		return 5
	case c.rule.Foreign:
		return 25
	case c.rule.AssignedTo != nil && c.rule.Regex == nil:
		return 10
	case generic:
		return 15
	case c.rule.AssignedTo != nil && len(c.rule.Required) > 0:
		return 18 // named by its neighbour, not by its own name
	case c.rule.AssignedTo != nil:
		return 20
	}
	return 30
}

// stands reports whether a candidate is kept beside a more specific one: what
// the rules of a team's own file find is found.
func (c *candidate) stands() bool { return c.rule.Foreign }

// entropy returns the Shannon entropy of b in bits per character, counted as
// gitleaks does: characters, over the length in bytes.
func entropy(b []byte) float64 {
	if len(b) == 0 {
		return 0
	}
	var ascii [utf8.RuneSelf]int
	var other map[rune]int
	for _, r := range string(b) {
		if r < utf8.RuneSelf {
			ascii[r]++
			continue
		}
		if other == nil {
			other = map[rune]int{}
		}
		other[r]++
	}
	h, n := 0.0, float64(len(b))
	add := func(count int) {
		if count > 0 {
			p := float64(count) / n
			h -= p * math.Log2(p)
		}
	}
	for _, count := range ascii {
		add(count)
	}
	for _, count := range other {
		add(count)
	}
	return h
}

// consider takes a match in x.text: the tests of its rule, then of structure,
// then of plausibility.
func (x *examination) consider(c candidate) {
	r := c.rule
	if x.layer != nil {
		if c.match.hi <= x.layer.decoded.lo || c.match.lo >= x.layer.decoded.hi {
			return // seen already, where it stands undecoded
		}
	} else if c.match.lo < x.own.lo || (c.match.lo >= x.own.hi && !x.c.Last) {
		return // belongs to a neighbouring chunk
	}
	secret := x.text[c.secret.lo:c.secret.hi]
	if len(secret) == 0 && !r.Foreign {
		return
	}
	c.severity, c.confidence = r.Severity, r.Confidence
	if r.Entropy != 0 && entropy(secret) <= r.Entropy {
		return
	}
	if len(x.e.set.Allowlists)+len(r.Allowlists) > 0 || r.Foreign {
		line := string(lineOf(x.text, c.match))
		if r.Foreign && strings.Contains(line, "gitleaks:allow") {
			return
		}
		match := string(x.text[c.match.lo:c.match.hi])
		for _, lists := range [][]*rule.Allowlist{x.e.set.Allowlists, r.Allowlists} {
			for _, a := range lists {
				if a.Allowed(string(secret), match, line, x.c.Path, x.c.Commit) {
					return
				}
			}
		}
	}
	if !r.Foreign && !r.SkipReport && !x.plausible(&c, secret) {
		return
	}
	if x.layer != nil {
		c.decoded = true
		c.value = bytes.Clone(secret)
		c.notes = append(c.notes, "decoded from "+x.layer.how)
		c.match, c.secret = x.layer.origin(c.match), x.layer.origin(c.secret)
		c.needs = x.layer.seen()
	} else {
		line := lineAround(x.text, c.match)
		c.needs = span{min(c.needs.lo, line.lo) - freshMargin, max(c.needs.hi, line.hi) + freshMargin}
		c.named = c.assignment != nil
	}
	c.assignment = nil
	x.found = append(x.found, c)
}

// compare orders candidates that are about the same characters.
func (c *candidate) compare(d *candidate) int {
	return cmp.Or(
		cmp.Compare(c.match.lo, d.match.lo),
		cmp.Compare(c.match.hi, d.match.hi),
		bytes.Compare(c.value, d.value),
		slices.Compare(c.notes, d.notes),
	)
}

// seen is the part of the chunk that the spliced text was made from, and what
// made the decoded run begin and end where it does.
func (l *layer) seen() span {
	return span{l.source.lo - contextBefore - runEdge, l.source.hi + contextAfter + runEdge}
}

// origin maps a range of the spliced text to the chunk.
func (l *layer) origin(w span) span {
	at := func(p int, end bool) int {
		switch {
		case p < l.decoded.lo || (p == l.decoded.lo && !end):
			return l.before + p
		case p <= l.decoded.hi && !(p == l.decoded.hi && !end):
			if end {
				return l.source.hi
			}
			return l.source.lo
		}
		return l.source.hi + p - l.decoded.hi
	}
	return span{at(w.lo, false), at(w.hi, true)}
}

// plausible applies what a regular expression cannot say. It reports whether
// c remains a finding and sets its confidence, severity and evidence.
func (x *examination) plausible(c *candidate, secret []byte) bool {
	r := c.rule
	if bytes.Contains(secret, []byte(rule.CutMark)) {
		return false // an example of a rule, cut so that nobody takes it for live
	}
	if r.Check != "" {
		if f, ok := check.Lookup(r.Check); ok {
			res := f(secret)
			switch res.Outcome {
			case check.Invalid:
				return false
			case check.Valid:
				c.proven = true
			}
			c.evidence = append(c.evidence, res.Evidence...)
			c.properties = maps.Clone(res.Properties)
			if res.Severity != nil {
				c.severity = *res.Severity
			}
			if res.Confidence != nil {
				c.confidence = *res.Confidence
			}
		}
	}
	if !c.proven {
		if _, is := plausible.Placeholder(string(secret)); is {
			return false
		}
	}
	if r.Judge != "" {
		if c.assignment == nil && r.AssignedTo != nil {
			return false
		}
		ctx := plausible.Context{Path: x.c.Path, Class: x.class, Syntax: x.syntax, Value: secret, Line: lineOf(x.text, c.match)}
		kind, ok := plausible.ParseKind(r.Judge)
		if !ok {
			return false
		}
		ctx.Kind = kind
		if a := c.assignment; a != nil {
			ctx.Name, ctx.Assignment = x.text[a.NameStart:a.NameEnd], a
		}
		j := plausible.Judge(ctx)
		if !j.Plausible {
			return false
		}
		c.confidence = min(c.confidence, j.Confidence)
		c.evidence = append(c.evidence, j.Evidence...)
	}
	weak := r.Judge != "" || r.AssignedTo != nil || strings.HasPrefix(r.ID, "generic")
	if x.note != "" {
		c.notes = append(c.notes, x.note)
		switch {
		case weak && !c.proven:
			c.confidence = finding.Tentative
		case weak: // a real key, but most likely one made for the test
			c.severity = min(c.severity, finding.Medium)
		}
	}
	if c.assignment != nil && r.Regex != nil {
		c.evidence = append(c.evidence, fmt.Sprintf("assigned to %s", shortName(x.text[c.assignment.NameStart:c.assignment.NameEnd])))
	}
	return true
}

// shortName is a name as it is shown to people.
func shortName(name []byte) string {
	const most = 60
	if len(name) > most {
		return string(name[:most]) + "…"
	}
	return string(name)
}

// lineBytes bounds how far a line is followed to either side of a match: a
// file may be a single line.
const lineBytes = 16 << 10

// lineOf returns the line or lines of a match.
func lineOf(text []byte, w span) []byte {
	line := lineAround(text, w)
	return text[line.lo:line.hi]
}

func lineAround(text []byte, w span) span {
	lo := max(0, w.lo-lineBytes)
	lo += bytes.LastIndexByte(text[lo:w.lo], '\n') + 1
	hi := min(len(text), w.hi+lineBytes)
	if n := bytes.IndexByte(text[w.hi:hi], '\n'); n >= 0 {
		hi = w.hi + n
	}
	return span{lo, hi}
}

// pathJudgement is what the path alone says of everything in the file.
type pathJudgement struct {
	class plausible.Class
	note  string
}

func judgePath(path string) pathJudgement {
	j := pathJudgement{class: plausible.PathClass(path)}
	switch j.class {
	case plausible.Test:
		j.note = "in a test path"
	case plausible.Example:
		j.note = "in an example path"
	case plausible.Documentation:
		j.note = "in documentation"
	case plausible.Vendored:
		j.note = "in vendored code"
	case plausible.Generated:
		j.note = "in generated content"
	}
	return j
}

// canonical returns what identifies the secret wherever and however it is
// written: of PEM blocks their decoded body, else the value itself.
func canonical(secret []byte) []byte {
	begin := bytes.Index(secret, []byte("-----BEGIN "))
	if begin < 0 {
		return secret
	}
	body := secret[begin:]
	if i := bytes.Index(body[11:], []byte("-----")); i >= 0 {
		body = body[11+i+5:]
	}
	if i := bytes.Index(body, []byte("-----END")); i >= 0 {
		body = body[:i]
	}
	var b64 []byte
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == '\\' && i+1 < len(body) && (body[i+1] == 'n' || body[i+1] == 'r' || body[i+1] == 't'):
			i++
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '/':
			b64 = append(b64, c)
		}
	}
	if der, err := base64.RawStdEncoding.DecodeString(string(b64)); err == nil && len(der) > 0 {
		return der
	}
	if len(b64) > 0 {
		return b64
	}
	return secret
}

// findings turns what was found into findings without secret values.
func (x *examination) findings(keep func(Credential)) []finding.Finding {
	if len(x.found) == 0 {
		return nil
	}
	text := x.c.Content
	at := position{text: text, line: x.c.Line, column: x.c.Column}
	slices.SortFunc(x.masks, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	out := make([]finding.Finding, 0, len(x.found))
	for i := range x.found {
		c := &x.found[i]
		if c.pathOnly {
			out = append(out, finding.Finding{
				RuleID: c.rule.ID, Scanner: Name, Severity: c.rule.Severity, Confidence: c.rule.Confidence,
				Fingerprint: identity.Fingerprint(x.key, "secret-path/1", []byte(c.rule.ID+"\x00"+x.c.Path)),
				Message:     c.rule.Description + ": the file itself", Status: finding.New,
				Locations: []finding.Location{{Path: x.c.Path, StartLine: 1, StartColumn: 1, EndLine: 1, EndColumn: 1}},
			})
			continue
		}
		at.advance(c.match.lo) // found is ordered by it
		start := at
		start.advance(c.secret.lo)
		end := start
		end.advance(c.secret.hi)
		loc := finding.Location{
			Path: x.c.Path, Notes: c.notes,
			StartLine: start.line, StartColumn: start.column + 1, EndLine: end.line, EndColumn: end.column + 1,
		}
		value := c.bytes(text)
		prefix := ""
		if !c.decoded && !c.named {
			prefix = visiblePrefix(value, c.rule.Keywords)
		}
		loc.Excerpt, loc.MarkStart, loc.MarkEnd = excerpt(text, c.secret, x.masks, prefix)
		f := finding.Finding{
			RuleID: c.rule.ID, Scanner: Name, Severity: c.severity, Confidence: c.confidence,
			Fingerprint: identity.SecretFingerprint(x.key, canonical(value)),
			Message:     c.message(), Status: finding.New, Evidence: c.evidence,
			Masked: prefix + stars, Properties: c.properties, Locations: []finding.Location{loc},
		}
		if keep != nil {
			cred := Credential{RuleID: f.RuleID, Provider: c.rule.Verify, Fingerprint: f.Fingerprint, Path: x.c.Path, Value: string(value), Companions: map[string]string{}}
			for _, p := range c.parts {
				cred.Companions[p.rule.ID] = string(p.bytes(text))
			}
			keep(cred)
		}
		out = append(out, f)
	}
	return out
}

func (c *candidate) bytes(text []byte) []byte {
	if c.value != nil {
		return c.value
	}
	return text[c.secret.lo:c.secret.hi]
}

func (c *candidate) message() string {
	m := c.rule.Description
	if m == "" {
		m = c.rule.ID
	}
	if c.decoded {
		m += ", encoded"
	}
	if len(c.parts) > 0 {
		m += ", together with " + c.parts[0].rule.ID
	}
	return m
}

// position walks the lines of a text forward.
type position struct {
	text         []byte
	at           int
	line, column int // column in bytes, from 0
}

func (p *position) advance(to int) {
	if to <= p.at {
		return
	}
	passed := p.text[p.at:to]
	if n := bytes.Count(passed, []byte{'\n'}); n > 0 {
		p.line += n
		p.column = len(passed) - bytes.LastIndexByte(passed, '\n') - 1
	} else {
		p.column += len(passed)
	}
	p.at = to
}
