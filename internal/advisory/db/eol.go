package db

import (
	"encoding/json"
	"fmt"
	"strings"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/version"
)

// EndOfLife is the release cycle that a package's version is of, as of a day
// (YYYY-MM-DD). The package is named as in a package URL: type, namespace
// (empty if it has none), name. The result is false if the package is no known
// product or the version is of no known cycle.
func (db *DB) EndOfLife(kind, namespace, name, text, day string) (advisory.Cycle, bool, error) {
	if key, ok := dayKey(day); !ok || key == 0 {
		return advisory.Cycle{}, false, fmt.Errorf("looking up the release cycle of %s: %q is not a day YYYY-MM-DD", name, day)
	}
	var entry []byte
	key := purlKey(kind, namespace, name)
	_, found, err := search(db.image.count(secPurls, purlSize), func(i int) (int, error) {
		var err error
		if entry, err = db.image.entry(secPurls, i, purlSize); err != nil {
			return 0, err
		}
		text, err := db.image.text(secPurlText, entry)
		return compareText(text, key), err
	})
	if !found || err != nil {
		return advisory.Cycle{}, false, err
	}
	data, err := db.image.text(secProducts, entry[8:])
	if err != nil {
		return advisory.Cycle{}, false, err
	}
	var p Product
	if err := json.Unmarshal(data, &p); err != nil {
		return advisory.Cycle{}, false, fault("reading the releases of %s: %v", key, err)
	}
	c, found := p.cycle(text, day)
	return c, found, nil
}

// cycle finds the cycle with the longest name that the version begins with.
func (p *Product) cycle(text, day string) (advisory.Cycle, bool) {
	text = strings.TrimPrefix(text, "v")
	best := -1
	for i, r := range p.Releases {
		if inCycle(text, r.Cycle) && (best < 0 || len(r.Cycle) > len(p.Releases[best].Cycle)) {
			best = i
		}
	}
	if best < 0 {
		return advisory.Cycle{}, false
	}
	r := &p.Releases[best]
	c := advisory.Cycle{Product: p.Title, Cycle: r.Cycle, Ended: r.Ends, Over: r.over(day), Latest: r.Latest}
	// The oldest supported cycle above this one: a step back is no way out.
	next := -1
	for i := range p.Releases {
		if i == best || p.Releases[i].over(day) || !p.Releases[i].above(r) {
			continue
		}
		if next < 0 || p.Releases[next].above(&p.Releases[i]) {
			next = i
		}
	}
	if next >= 0 {
		c.Next = p.Releases[next].Cycle
	}
	return c, true
}

// inCycle tells whether the version is the cycle's name or goes on after it.
func inCycle(text, cycle string) bool {
	cycle = strings.TrimSuffix(strings.TrimPrefix(cycle, "v"), ".x")
	rest, found := strings.CutPrefix(text, cycle)
	return found && cycle != "" && (rest == "" || strings.IndexByte(".-+_", rest[0]) >= 0)
}

// over tells whether support has ended before the day.
func (r *Release) over(day string) bool { return r.Over || r.Ends != "" && r.Ends < day }

// above tells whether a cycle comes after another, by number, else by release.
func (r *Release) above(s *Release) bool {
	v, err := version.Semver().Parse(r.Cycle)
	if err == nil {
		var w version.Version
		if w, err = version.Semver().Parse(s.Cycle); err == nil {
			var c int
			if c, err = v.Compare(&w); err == nil && c != 0 {
				return c > 0
			}
		}
	}
	return r.Released > s.Released
}
