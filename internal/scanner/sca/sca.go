// Package sca is the scanner of dependencies: which packages the examined tree
// declares, which of them have known vulnerabilities, are malicious, have
// reached their end of life or carry a licence that policy denies. Extraction is
// a pure function of each file and is remembered with it; matching against the
// advisory database happens once at the end, so that a newer database needs no
// file to be read again. It reaches no network, resolves no range by asking a
// registry, and does not decide what is urgent: packages triage and policy do.
package sca

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bulwark/internal/advisory"
	"bulwark/internal/dependency"
	"bulwark/internal/finding"
	"bulwark/internal/identity"
	"bulwark/internal/license"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/imports"
)

// Name of the scanner.
const Name = "sca"

// Version of the scanner. Raise it whenever an extractor gives another result
// for equal content: the cache depends on it.
const Version = "1"

// Advisories is what is known of packages, as internal/advisory/db has it.
type Advisories interface {
	Info() advisory.Info
	// Match returns what affects a version. The error may be a
	// *db.UnorderedError beside matches: no scheme parses the version.
	Match(ctx context.Context, ecosystem dependency.Ecosystem, name, version string) ([]advisory.Match, error)
	Detail(id string) (*advisory.Detail, error)
	EndOfLife(p dependency.Package, day string) (advisory.Cycle, bool, error)
}

// Config of a Scanner.
type Config struct {
	Extractors []extract.Extractor
	// Key keys the fingerprints. It must not be zero.
	Key identity.Key
	// Open opens the database when the first package is to be matched. Its
	// error is why the scanner did not run. Nil: nothing is matched.
	Open func() (Advisories, error)
	// MaxAge is how old a database may be; 0: any age.
	MaxAge time.Duration
	// Now is the time that ages and ends of life are measured by.
	Now time.Time
	// Licenses: Optional: which licences are allowed.
	Licenses *license.Policy
	// Reach: Optional: read from the source files whether production code
	// imports a vulnerable package.
	Reach bool
	// Collect: Optional: called with all manifests before they are matched.
	Collect func([]*dependency.Manifest)
}

// Scanner finds dependencies and what is wrong with them.
type Scanner struct {
	cfg  Config
	info scanner.Info
	// extractors by name, for Resolve.
	byName   map[string]extract.Extractor
	catalog  *license.Catalog // nil: licences are not judged
	licenses *license.Checker
}

var (
	_ scanner.Scanner   = (*Scanner)(nil)
	_ scanner.Concluder = (*Scanner)(nil)
)

// New prepares a scanner.
func New(cfg Config) (*Scanner, error) {
	if cfg.Key.IsZero() {
		return nil, errors.New("preparing the sca scanner: the identity key is missing")
	}
	s := &Scanner{cfg: cfg, byName: map[string]extract.Extractor{}}
	if cfg.Licenses != nil {
		var err error
		if s.catalog, err = license.New(); err != nil {
			return nil, err
		}
		if s.licenses, err = s.catalog.Compile(*cfg.Licenses); err != nil {
			return nil, err
		}
	}
	h := sha256.New()
	for _, x := range cfg.Extractors {
		if s.byName[x.Name()] != nil {
			return nil, fmt.Errorf("preparing the sca scanner: two extractors are called %q", x.Name())
		}
		s.byName[x.Name()] = x
		fmt.Fprintf(h, "%d:%s", len(x.Name()), x.Name())
	}
	fmt.Fprintf(h, "reach=%t", cfg.Reach)
	// Facts depend on the extractors alone: neither key nor database is in the
	// hash, so that a new database does not make the cache worthless.
	s.info = scanner.Info{Name: Name, Version: Version, RuleSet: hex.EncodeToString(h.Sum(nil))[:32], WholeFile: maxFile}
	return s, nil
}

// maxFile is the largest manifest or binary that is read, in bytes.
const maxFile = 256 << 20

// Info implements scanner.Scanner.
func (s *Scanner) Info() scanner.Info { return s.info }

// Rules implements scanner.Scanner.
func (s *Scanner) Rules() []finding.Rule { return Rules() }

// Wants implements scanner.Scanner. Dependencies of the past are nobody's
// concern: only what is part of the tree is read.
func (s *Scanner) Wants(m scanner.Meta) bool {
	if m.Historical {
		return false
	}
	if s.cfg.Reach && m.Type != scanner.Binary && imports.Wants(m.Path) {
		return true
	}
	for _, x := range s.cfg.Extractors {
		if x.Binary() == (m.Type == scanner.Text) && m.Type != scanner.Undetermined {
			continue
		}
		if x.Wants(m.Path) {
			return true
		}
	}
	return false
}

// fact is what Scan hands to Conclude, for one file and extractor.
type fact struct {
	Extractor string               `json:"x,omitempty"`
	Manifest  *dependency.Manifest `json:"m,omitempty"`
	Used      *imports.Used        `json:"u,omitempty"`
}

// Scan implements scanner.Scanner: it reads the packages of one file.
func (s *Scanner) Scan(ctx context.Context, c *scanner.Chunk) (scanner.Result, error) {
	var facts []fact
	var gaps []string
	for _, x := range s.cfg.Extractors {
		if x.Binary() != (c.Type == scanner.Binary) || !x.Wants(c.Path) {
			continue
		}
		m, err := x.Extract(ctx, extract.File{Path: c.Path, Content: c.Content})
		if ctx.Err() != nil {
			return scanner.Result{}, ctx.Err()
		}
		if err != nil {
			gaps = append(gaps, fmt.Sprintf("reading it as %s: %v", x.Name(), err))
			continue
		}
		if m == nil || len(m.Packages) == 0 && len(m.Gaps) == 0 && len(m.Extra) == 0 && m.Project == nil {
			continue
		}
		if len(m.Packages) > extract.MaxPackages {
			gaps = append(gaps, fmt.Sprintf("it names %d packages, more than the %d that are read", len(m.Packages), extract.MaxPackages))
			continue
		}
		facts = append(facts, fact{Extractor: x.Name(), Manifest: m})
	}
	if s.cfg.Reach && c.Type == scanner.Text && imports.Wants(c.Path) {
		used := imports.Read(c.Path, c.Content)
		facts = append(facts, fact{Used: &used})
	}
	r := scanner.Result{Gap: strings.Join(gaps, "; ")}
	if len(facts) > 0 {
		var err error
		if r.Facts, err = json.Marshal(facts); err != nil {
			return scanner.Result{}, fmt.Errorf("keeping the packages of %s: %w", c.Path, err)
		}
	}
	return r, nil
}

// Rules lists what the scanner reports.
func Rules() []finding.Rule {
	out := make([]finding.Rule, len(rules))
	for i, r := range rules {
		r.Scanner = Name
		out[i] = r
	}
	return out
}
