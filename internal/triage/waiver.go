package triage

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"bulwark/internal/identity"
	"bulwark/internal/strictyaml"
)

// MaxWaiverFile is the largest waiver file that ParseWaivers accepts, in bytes.
const MaxWaiverFile = 8 << 20

const maxReason = 2000 // bytes

// Stages are those at which a waiver can be said to hold.
var Stages = []string{"commit", "build", "plan", "promote", "admit", "run", "audit"}

// Waiver is an owned, expiring exception with a reason.
type Waiver struct {
	ID string `json:"id"`
	// Rule is a rule id, or a pattern in which * is any text; empty: any rule.
	Rule        string   `json:"rule,omitempty"`
	Fingerprint string   `json:"fingerprint,omitempty"` // empty: any
	Paths       []string `json:"paths,omitempty"`       // gitignore-like; empty: any
	Owner       string   `json:"owner"`
	Reason      string   `json:"reason"`
	Expires     Date     `json:"expires"`          // the last day it holds
	Stages      []string `json:"stages,omitempty"` // empty: all

	Path string `json:"-"` // the file it stands in
	Line int    `json:"-"` // where in that file

	globs []pathGlob
}

var waiverID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
var rulePattern = regexp.MustCompile(`^[A-Za-z0-9*][A-Za-z0-9._*/-]{0,127}$`)

// ParseWaivers reads data, the content of the waiver file called name. A waiver
// without id, owner, reason or expiry, one that names neither a fingerprint nor
// a rule with paths, or one that ends later than maxDays after now is an error.
// An expired waiver is none: Apply reports it. The error is a strictyaml.Faults.
func ParseWaivers(name string, data []byte, now time.Time, maxDays int) ([]Waiver, error) {
	d, root, err := strictyaml.Parse(name, data, MaxWaiverFile)
	if err != nil {
		return nil, err
	}
	var out []Waiver
	lines := map[string]int{}
	d.Mapping(root, []strictyaml.Field{
		{Name: "version", Required: true, Set: func(n *strictyaml.Node) { d.Int(n, 1, 1) }},
		{Name: "waivers", Set: func(n *strictyaml.Node) {
			d.Items(n, func(item *strictyaml.Node) {
				w := parseWaiver(d, item, now, maxDays)
				w.Path, w.Line = name, item.Line
				if first, ok := lines[w.ID]; ok && w.ID != "" {
					d.Fault(item, "give each waiver an id of its own", "the id %q is already used on line %d", w.ID, first)
				}
				lines[w.ID] = item.Line
				out = append(out, w)
			})
		}},
	})
	if err := d.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

func parseWaiver(d *strictyaml.Decoder, item *strictyaml.Node, now time.Time, maxDays int) Waiver {
	var w Waiver
	d.Mapping(item, []strictyaml.Field{
		{Name: "id", Required: true, Set: func(n *strictyaml.Node) {
			s, ok := d.String(n)
			if ok && !waiverID.MatchString(s) {
				d.Fault(n, "", "%q is not an id: want up to 64 letters, digits, dots and dashes", s)
			}
			w.ID = s
		}},
		{Name: "rule", Set: func(n *strictyaml.Node) {
			s, ok := d.String(n)
			if ok && !rulePattern.MatchString(s) {
				d.Fault(n, "", "%q is neither a rule id nor a pattern of one", s)
			}
			w.Rule = s
		}},
		{Name: "fingerprint", Set: func(n *strictyaml.Node) {
			s, ok := d.String(n)
			if ok && !identity.Valid(s) {
				d.Fault(n, "copy it from a report", "%q is not a fingerprint", s)
			}
			w.Fingerprint = s
		}},
		{Name: "paths", Set: func(n *strictyaml.Node) {
			d.Items(n, func(item *strictyaml.Node) {
				s, ok := d.String(item)
				if !ok {
					return
				}
				g, err := newPathGlob(s)
				if err != nil {
					d.Fault(item, "", "the pattern %q cannot be used: %v", s, err)
					return
				}
				w.Paths, w.globs = append(w.Paths, s), append(w.globs, g)
			})
			if len(w.Paths) == 0 {
				d.Fault(n, "name a path or remove the key", "the list of paths is empty")
			}
		}},
		{Name: "owner", Required: true, Set: func(n *strictyaml.Node) { w.Owner, _ = d.String(n) }},
		{Name: "reason", Required: true, Set: func(n *strictyaml.Node) {
			s, _ := d.String(n)
			if len(s) > maxReason {
				d.Fault(n, "link to the discussion instead", "the reason has more than %d bytes", maxReason)
			}
			w.Reason = strings.TrimSpace(s)
		}},
		{Name: "expires", Required: true, Set: func(n *strictyaml.Node) {
			t, ok := d.Date(n)
			if !ok {
				return
			}
			w.Expires = Date{t}
			if left := w.Expires.daysLeft(now); left > maxDays {
				d.Fault(n, "choose an earlier day, or raise triage.max_waiver_days",
					"the waiver ends in %d days, more than the %d allowed", left, maxDays)
			}
		}},
		{Name: "stages", Set: func(n *strictyaml.Node) {
			d.Items(n, func(item *strictyaml.Node) {
				if s, ok := d.Enum(item, Stages...); ok {
					w.Stages = append(w.Stages, s)
				}
			})
			if len(w.Stages) == 0 {
				d.Fault(n, "name a stage or remove the key", "the list of stages is empty")
			}
		}},
	})
	if w.Fingerprint == "" && (w.Rule == "" || len(w.Paths) == 0) {
		d.Fault(item, "", "the waiver %q is too wide: name a fingerprint, or a rule and paths", w.ID)
	}
	return w
}

// appliesAt reports whether w holds at stage.
func (w *Waiver) appliesAt(stage string) bool {
	return len(w.Stages) == 0 || stage == "" || slices.Contains(w.Stages, stage)
}

func (w *Waiver) coversRule(id string) bool {
	return w.Rule == "" || w.Rule == id || strings.Contains(w.Rule, "*") && matchID(w.Rule, id)
}

func (w *Waiver) coversPath(path string, names []string) bool {
	if len(w.globs) == 0 {
		return true
	}
	for i := range w.globs {
		if w.globs[i].match(path, names) {
			return true
		}
	}
	return false
}
