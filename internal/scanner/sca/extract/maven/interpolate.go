package maven

import (
	"strings"

	"bulwark/internal/scanner/sca/extract"
)

// properties puts in ${properties}. Each is worked out once, so that properties
// that name one another many times over cost no more than their number.
type properties struct {
	own     map[string]string // nearest first, merged
	done    map[string]value
	running map[string]bool
}

type value struct {
	text    string
	missing string // the first property that could not be put in
}

func newProperties(own map[string]string) *properties {
	return &properties{own: own, done: map[string]value{}, running: map[string]bool{}}
}

// text puts in all that is known. missing is the first property that is not,
// or that names itself; the text then holds it as it was.
func (p *properties) text(s string) (out, missing string) {
	if !strings.Contains(s, "${") {
		return s, ""
	}
	return p.expand(s, 0)
}

func (p *properties) expand(s string, depth int) (out, missing string) {
	var b strings.Builder
	for {
		start := strings.Index(s, "${")
		if start < 0 {
			break
		}
		length := strings.IndexByte(s[start:], '}')
		if length < 0 {
			break
		}
		name := s[start+2 : start+length]
		b.WriteString(s[:start])
		v := p.value(name, depth)
		if v.missing != "" {
			b.WriteString(s[start : start+length+1])
			if missing == "" {
				missing = v.missing
			}
		} else {
			b.WriteString(v.text)
		}
		s = s[start+length+1:]
		if b.Len() > extract.MaxName {
			return "", "a text of too great length"
		}
	}
	b.WriteString(s)
	if b.Len() > extract.MaxName {
		return "", "a text of too great length"
	}
	return b.String(), missing
}

func (p *properties) value(name string, depth int) value {
	if v, ok := p.done[name]; ok {
		return v
	}
	raw, ok := p.own[name]
	if !ok {
		// pom.version is an old name of project.version, version an older one.
		if rest, old := strings.CutPrefix(name, "pom."); old {
			raw, ok = p.own["project."+rest]
		} else if name == "version" || name == "groupId" || name == "artifactId" {
			raw, ok = p.own["project."+name]
		}
	}
	if !ok || p.running[name] || depth >= extract.MaxDepth {
		return value{missing: name}
	}
	p.running[name] = true
	var v value
	v.text, v.missing = p.expand(raw, depth+1)
	delete(p.running, name)
	p.done[name] = v
	return v
}
