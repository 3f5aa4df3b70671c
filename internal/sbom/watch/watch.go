// Package watch re-evaluates stored SBOMs when what is known of packages
// changes: newly affected, newly known to be exploited, more likely to be
// exploited, withdrawn, end of life reached. It keeps an index from packages to
// SBOMs, so that the work follows the change and not the number of SBOMs.
//
// # Guarantee
//
// A run appends its alerts to the outbox, a file of JSON lines, and syncs it
// before it commits the new state by renaming. An alert is named by what
// happened (kind, SBOM, package, vulnerability, number of the run), and a run
// that did not commit is repeated under its number, so that it finds what it
// wrote. Hence every
// alert is in the outbox exactly once, whatever is killed when.
//
// What is handed on (to standard output) is read from the outbox, and a mark
// follows each alert. A kill between the two repeats that one alert, with the
// same id, when the next run hands on the rest; a loss of power may repeat those
// of the last run. It never loses one. Whoever needs exactly once reads the
// outbox, or passes over ids that were there.
//
// An SBOM that is new in the folder, and a package that is new in a changed one,
// are taken as they are: what affects them already was the matter of a scan.
// Options.Initial has them reported.
package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bulwark/internal/advisory"
	"bulwark/internal/dependency"
)

// Database is what is known of packages.
type Database interface {
	// Serial identifies the content.
	Serial() string
	// Cycles identifies the data on ends of life alone.
	Cycles() string
	// Match returns what affects a version. unordered: the version could not be
	// compared, and there may be more.
	Match(ctx context.Context, p dependency.Package) (matches []advisory.Match, unordered bool, err error)
	// Exploits tells of attacks, by CVE ids; other ids are passed over.
	Exploits(ids []string) (advisory.Exploitation, error)
	// EndOfLife is the release cycle of a package URL on a day, YYYY-MM-DD.
	EndOfLife(purl string, p dependency.Package, day string) (advisory.Cycle, bool, error)
}

// Delta is what changed from one database to the next.
type Delta struct {
	// From is the serial of the former.
	From string
	// Packages are those whose advisories differ. Only Ecosystem and Name count.
	Packages []dependency.Package
	// CVEs are those whose KEV entry or EPSS score differs.
	CVEs []string
}

// Thresholds of EPSS.
const (
	DefaultCross = 0.1
	DefaultJump  = 0.2
)

// Options of Run.
type Options struct {
	// Folder holds the SBOMs, in folders below as well.
	Folder string
	// State is the file that remembers; the outbox is State + ".outbox".
	State    string
	Database Database
	// Delta: Optional: what changed since the last run. If nil, or if From is
	// not the database of the last run, every package is evaluated anew, once
	// for each version that is in use.
	Delta *Delta
	// Cross and Jump: Optional: an alert if an EPSS score reaches Cross, or rose
	// by Jump since the last alert. Defaults: DefaultCross, DefaultJump.
	Cross, Jump float64
	// Initial also reports what affects new SBOMs.
	Initial bool
	Now     time.Time
	// Emit is given each alert as a JSON line. An error stops handing on; the
	// rest is handed on by the next run.
	Emit func(line []byte) error
}

// Kind of an alert.
type Kind string

// The kinds.
const (
	Affected  Kind = "affected"
	Exploited Kind = "kev"
	Likelier  Kind = "epss"
	Withdrawn Kind = "withdrawn" // withdrawn, or no longer said to affect the version
	EndOfLife Kind = "end-of-life"
)

// Alert is one thing that changed for one package of one SBOM.
type Alert struct {
	ID            string          `json:"id"` // hex, equal for equal events
	Kind          Kind            `json:"kind"`
	SBOM          string          `json:"sbom"` // path below the folder
	Subject       string          `json:"subject"`
	Version       string          `json:"version,omitempty"` // of the subject
	PURL          string          `json:"purl"`
	Vulnerability string          `json:"vulnerability,omitempty"`
	Aliases       []string        `json:"aliases,omitempty"`
	Fixed         []string        `json:"fixed,omitempty"`
	KEV           *advisory.KEV   `json:"kev,omitempty"`
	EPSS          *advisory.EPSS  `json:"epss,omitempty"`
	Before        float64         `json:"epss_before,omitempty"`
	Cycle         *advisory.Cycle `json:"cycle,omitempty"`
	Message       string          `json:"message"`
	Database      string          `json:"database"`
	Time          time.Time       `json:"time"`
}

// Result is the account of a run.
type Result struct {
	SBOMs, Read, Removed int // in the folder, read anew, gone since the last run
	Packages             int // distinct versions of packages in use
	Evaluated            int // of those, matched in this run
	Alerts, Emitted      int // new in the outbox, handed on
	Unidentified         int // components that no advisory can be looked up for
	Unordered            int // versions that could not be compared, in this run
	Full                 bool
	Problems             []Problem // files that could not be read, by path
}

// Problem is a file of the folder that could not be used. What an earlier state
// of it held stays watched.
type Problem struct {
	Path string
	Err  error
}

// ErrBusy says that another run uses the state.
var ErrBusy = errors.New("another run is using this state; wait for it to end")

// Run looks at the folder, evaluates what changed, and hands on alerts.
func Run(ctx context.Context, o Options) (_ *Result, err error) {
	if o.Cross == 0 {
		o.Cross = DefaultCross
	}
	if o.Jump == 0 {
		o.Jump = DefaultJump
	}
	release, err := lock(o.State + ".lock")
	if err != nil {
		return nil, fmt.Errorf("locking the state %s: %w", o.State, err)
	}
	defer func() { err = errors.Join(err, release()) }()
	s, err := loadState(o.State)
	if err != nil {
		return nil, err
	}
	box, err := openOutbox(o.State+".outbox", s.outbox)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	r := &Result{}
	fresh, err := s.index(ctx, o, r)
	if err != nil {
		return nil, err
	}
	e := &evaluation{Options: o, state: s, box: box, result: r, day: o.Now.UTC().Format(time.DateOnly)}
	if err := e.run(ctx, fresh); err != nil {
		return nil, err
	}
	if err := box.sync(); err != nil {
		return nil, err
	}
	s.serial, s.cycles, s.outbox = o.Database.Serial(), o.Database.Cycles(), box.size
	s.runs++
	s.sweep()
	if err := s.save(o.State); err != nil {
		return nil, err
	}
	r.SBOMs, r.Packages = len(s.sboms), len(s.pairs)
	for i := range s.sboms {
		r.Unidentified += s.sboms[i].unidentified
	}
	if o.Emit != nil {
		r.Emitted, err = box.emit(o.State+".emitted", o.Emit)
	}
	return r, err
}
