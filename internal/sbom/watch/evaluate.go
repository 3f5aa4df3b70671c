package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulwark/internal/advisory"
	"bulwark/internal/dependency"
)

// evaluation is one run over the pairs that matter.
type evaluation struct {
	Options
	state  *state
	box    *outbox
	result *Result
	day    string
}

// event is what happened to a pair; alerts are made of it for each SBOM.
type event struct {
	kind     Kind
	vuln     *standing
	match    *advisory.Match
	exploits advisory.Exploitation
	before   float64
	cycle    *advisory.Cycle
	message  string
}

// run evaluates touched pairs, then writes alerts in the order of SBOMs, pairs.
func (e *evaluation) run(ctx context.Context, added []fresh) error {
	s := e.state
	todo := e.touched()
	events := map[uint32][]event{}
	for i := range s.pairs {
		p := &s.pairs[i]
		if todo == nil || todo[uint32(i)]&all != 0 || !p.evaluated {
			if i&0x3ff == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			list, err := e.match(ctx, p)
			if err != nil {
				return err
			}
			if len(list) > 0 {
				events[uint32(i)] = list
			}
		} else if todo[uint32(i)]&exploitsOnly != 0 {
			for k := range p.vulns {
				list, err := e.exploits(&p.vulns[k], nil)
				if err != nil {
					return err
				}
				events[uint32(i)] = append(events[uint32(i)], list...)
			}
		}
		one, err := e.endOfLife(p)
		if err != nil {
			return err
		}
		if one != nil {
			events[uint32(i)] = append(events[uint32(i)], *one)
		}
		p.evaluated = true
	}
	isNew := map[int][]uint32{}
	if e.Initial {
		for _, f := range added {
			isNew[f.sbom] = f.pairs
		}
	}
	if len(events) == 0 && len(isNew) == 0 {
		return nil
	}
	for i := range s.sboms {
		b := &s.sboms[i]
		for _, id := range b.pairs {
			for k := range events[id] {
				if err := e.alert(b, &s.pairs[id], &events[id][k]); err != nil {
					return err
				}
			}
			if _, ok := slices.BinarySearch(isNew[i], id); ok {
				if err := e.initial(b, &s.pairs[id]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

const (
	all          = 1
	exploitsOnly = 2
)

// touched says which pairs the delta concerns; nil: every pair.
func (e *evaluation) touched() map[uint32]uint8 {
	s := e.state
	if s.serial == e.Database.Serial() {
		return map[uint32]uint8{}
	}
	if s.serial == "" || e.Delta == nil || e.Delta.From != s.serial {
		e.result.Full = true
		return nil
	}
	packages := make(map[string]bool, len(e.Delta.Packages))
	for i := range e.Delta.Packages {
		packages[packageKey(e.Delta.Packages[i].Ecosystem, e.Delta.Packages[i].Name)] = true
	}
	cves := make(map[string]bool, len(e.Delta.CVEs))
	for _, id := range e.Delta.CVEs {
		cves[id] = true
	}
	todo := map[uint32]uint8{}
	for i := range s.pairs {
		p := &s.pairs[i]
		if packages[packageKey(p.ecosystem, p.name)] {
			todo[uint32(i)] = all
			continue
		}
		for k := range p.vulns {
			if v := &p.vulns[k]; cves[v.id] || slices.ContainsFunc(v.aliases, func(a string) bool { return cves[a] }) {
				todo[uint32(i)] = exploitsOnly
				break
			}
		}
	}
	return todo
}

// packageKey is coarser than any ecosystem's own spelling: too much is looked
// at rather than too little.
func packageKey(ecosystem dependency.Ecosystem, name string) string {
	return string(ecosystem) + "\x00" + spelling.Replace(strings.ToLower(name))
}

var spelling = strings.NewReplacer("_", "-", ".", "-")

// match looks a pair up and compares with what stood.
func (e *evaluation) match(ctx context.Context, p *pair) ([]event, error) {
	e.result.Evaluated++
	matches, unordered, err := e.Database.Match(ctx, dependency.Package{Ecosystem: p.ecosystem, Name: p.name, Version: p.version})
	if err != nil {
		return nil, fmt.Errorf("looking up %s: %w", p.purl, err)
	}
	if unordered {
		e.result.Unordered++
	}
	byName := map[string]int{}
	for i := range matches {
		byName[matches[i].ID] = i
		for _, a := range matches[i].Aliases {
			byName[a] = i
		}
	}
	var events []event
	var kept []standing
	taken := make([]bool, len(matches))
	for k := range p.vulns {
		v := p.vulns[k]
		at, there := byName[v.id]
		for _, a := range v.aliases {
			if there {
				break
			}
			at, there = byName[a]
		}
		switch {
		case there && taken[at]:
			continue // two records that were found to be one vulnerability
		case there:
			taken[at] = true
			m := &matches[at]
			v.id, v.aliases = m.ID, m.Aliases
			if v.gone {
				v.gone = false
				events = append(events, event{kind: Affected, match: m})
			}
		case !v.gone:
			v.gone = true
			events = append(events, event{kind: Withdrawn, vuln: &standing{id: v.id, aliases: v.aliases},
				message: fmt.Sprintf("%s is no longer said to affect %s", v.id, p.purl)})
		}
		kept = append(kept, v)
	}
	for i := range matches {
		if !taken[i] {
			kept = append(kept, standing{id: matches[i].ID, aliases: matches[i].Aliases, born: true})
			if p.evaluated {
				events = append(events, event{kind: Affected, match: &matches[i]})
			}
		}
	}
	p.vulns = kept
	// With all in place, what is known of attacks.
	for k := range p.vulns {
		v := &p.vulns[k]
		var fill *event
		for j := range events {
			if m := events[j].match; m != nil && m.ID == v.id {
				fill = &events[j]
				fill.vuln = &standing{id: v.id, aliases: v.aliases}
			}
		}
		list, err := e.exploits(v, fill)
		if err != nil {
			return nil, err
		}
		events = append(events, list...)
		v.born = false
	}
	for j := range events {
		if ev := &events[j]; ev.kind == Affected {
			ev.message = affectedMessage(p, ev)
		}
	}
	return events, nil
}

func affectedMessage(p *pair, ev *event) string {
	text := fmt.Sprintf("%s is affected by %s", p.purl, ev.vuln.id)
	if ev.match != nil && ev.match.Malicious {
		text = fmt.Sprintf("%s is malicious: %s", p.purl, ev.vuln.id)
	}
	if ev.exploits.KEV != nil {
		text += ", which is known to be exploited"
	}
	return text
}

// exploits compares what is known of attacks with what was. A vulnerability
// that has only now begun to affect has one alert, which tells all (fill).
func (e *evaluation) exploits(v *standing, fill *event) ([]event, error) {
	if v.gone {
		return nil, nil
	}
	x, err := e.Database.Exploits(append([]string{v.id}, v.aliases...))
	if err != nil {
		return nil, fmt.Errorf("looking up attacks on %s: %w", v.id, err)
	}
	score := 0.0
	if x.EPSS != nil {
		score = x.EPSS.Score
	}
	if v.born || fill != nil {
		v.kev, v.score = x.KEV != nil, score
		if fill != nil {
			fill.exploits = x
		}
		return nil, nil
	}
	var events []event
	tell := &standing{id: v.id, aliases: v.aliases}
	if x.KEV != nil && !v.kev {
		events = append(events, event{kind: Exploited, vuln: tell, exploits: x,
			message: fmt.Sprintf("%s is now known to be exploited (KEV, %s)", v.id, x.KEV.Added)})
	}
	v.kev = x.KEV != nil
	switch {
	case score >= e.Cross && v.score < e.Cross, score-v.score >= e.Jump-1e-9 && score > v.score:
		events = append(events, event{kind: Likelier, vuln: tell, exploits: x, before: v.score,
			message: fmt.Sprintf("the probability that %s is exploited rose from %s to %s (EPSS)", v.id, decimal(v.score), decimal(score))})
		v.score = score
	case score < v.score:
		v.score = score
	}
	return events, nil
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// endOfLife tells once that the pair's release cycle has ended.
func (e *evaluation) endOfLife(p *pair) (*event, error) {
	asked := p.evaluated && e.state.cycles == e.Database.Cycles()
	if asked && (p.over || p.ends == "" || p.ends >= e.day) {
		return nil, nil
	}
	c, ok, err := e.Database.EndOfLife(p.purl, dependency.Package{Ecosystem: p.ecosystem, Name: p.name, Version: p.version}, e.day)
	if err != nil {
		return nil, fmt.Errorf("looking up the end of life of %s: %w", p.purl, err)
	}
	if !ok {
		p.ends = ""
		return nil, nil
	}
	was := p.over
	p.ends, p.over = c.Ended, c.Over
	if !c.Over || was {
		return nil, nil
	}
	if !p.evaluated {
		return nil, nil
	}
	return &event{kind: EndOfLife, cycle: &c, message: endMessage(p, &c)}, nil
}

func endMessage(p *pair, c *advisory.Cycle) string {
	text := fmt.Sprintf("%s is of %s %s, which is no longer supported", p.purl, c.Product, c.Cycle)
	if c.Ended != "" {
		text += " since " + c.Ended
	}
	if c.Next != "" {
		text += "; the oldest supported is " + c.Next
	}
	return text
}

// initial reports what stands for a package that is new to an SBOM.
func (e *evaluation) initial(b *stored, p *pair) error {
	for k := range p.vulns {
		v := &p.vulns[k]
		if v.gone {
			continue
		}
		x, err := e.Database.Exploits(append([]string{v.id}, v.aliases...))
		if err != nil {
			return fmt.Errorf("looking up attacks on %s: %w", v.id, err)
		}
		ev := event{kind: Affected, vuln: v, exploits: x}
		ev.message = affectedMessage(p, &ev)
		if err := e.alert(b, p, &ev); err != nil {
			return err
		}
	}
	if !p.over {
		return nil
	}
	c, ok, err := e.Database.EndOfLife(p.purl, dependency.Package{Ecosystem: p.ecosystem, Name: p.name, Version: p.version}, e.day)
	if err != nil || !ok {
		return err
	}
	return e.alert(b, p, &event{kind: EndOfLife, cycle: &c, message: endMessage(p, &c)})
}

func (e *evaluation) alert(b *stored, p *pair, ev *event) error {
	a := Alert{
		Kind: ev.kind, SBOM: b.path, Subject: b.name, Version: b.version, PURL: p.purl,
		KEV: ev.exploits.KEV, EPSS: ev.exploits.EPSS, Before: ev.before, Cycle: ev.cycle,
		Message: ev.message, Database: e.Database.Serial(), Time: e.Now.UTC(),
	}
	if ev.vuln != nil {
		a.Vulnerability, a.Aliases = ev.vuln.id, ev.vuln.aliases
	}
	if ev.match != nil {
		a.Fixed = ev.match.Fixed
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{string(a.Kind), a.SBOM, p.key(), a.Vulnerability, strconv.FormatUint(e.state.runs, 10)}, "\x00")))
	a.ID = hex.EncodeToString(sum[:16])
	written, err := e.box.add(&a)
	if written {
		e.result.Alerts++
	}
	return err
}
