package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	packageurl "github.com/package-url/packageurl-go"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
	"bulwark/internal/dependency"
	"bulwark/internal/license"
	"bulwark/internal/sbom/format"
	"bulwark/internal/sbom/purl"
	"bulwark/internal/scanner/sca"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/actions"
	"bulwark/internal/scanner/sca/extract/bundler"
	"bulwark/internal/scanner/sca/extract/cargo"
	"bulwark/internal/scanner/sca/extract/composer"
	"bulwark/internal/scanner/sca/extract/conan"
	"bulwark/internal/scanner/sca/extract/gobinary"
	"bulwark/internal/scanner/sca/extract/gomod"
	"bulwark/internal/scanner/sca/extract/gradle"
	"bulwark/internal/scanner/sca/extract/hex"
	"bulwark/internal/scanner/sca/extract/maven"
	"bulwark/internal/scanner/sca/extract/npm"
	"bulwark/internal/scanner/sca/extract/npm/bunlockb"
	"bulwark/internal/scanner/sca/extract/nuget"
	"bulwark/internal/scanner/sca/extract/pub"
	"bulwark/internal/scanner/sca/extract/python"
	"bulwark/internal/scanner/sca/extract/swift"
	"bulwark/internal/scanner/sca/extract/terraform"
	"bulwark/internal/ssvc"
)

// extractors lists what reads manifests and lockfiles.
func extractors() []extract.Extractor {
	return []extract.Extractor{
		npm.New(), bunlockb.New(), gomod.New(), gobinary.New(), maven.New(), gradle.New(), python.New(), cargo.New(), bundler.New(),
		composer.New(), nuget.New(), swift.New(), pub.New(), hex.New(), conan.New(), actions.New(), terraform.New(),
	}
}

// dependencies makes the scanner of packages.
func (s *settings) dependencies(p Process, f *scanFlags) (*sca.Scanner, error) {
	d := s.cfg.Dependency
	database, err := databasePath(p, f.database)
	if err != nil {
		return nil, err
	}
	readers := extractors()
	if f.sbom != "" {
		readers = []extract.Extractor{bill{}}
	}
	c := sca.Config{
		Extractors: readers, Key: s.key, Now: s.now, Reach: f.reach, MaxAge: time.Duration(d.MaxAgeDays) * 24 * time.Hour,
		Open: func() (sca.Advisories, error) {
			opened, err := db.Open(database)
			if err != nil {
				return nil, err
			}
			info, err := opened.Info()
			if err != nil {
				return nil, errors.Join(err, opened.Close())
			}
			return advisories{opened, info}, nil
		},
	}
	if l := d.Licenses; len(l.Allow)+len(l.Deny) > 0 || l.Unknown != "allow" {
		c.Licenses = &license.Policy{Allow: l.Allow, Deny: l.Deny, Unknown: l.Unknown, Except: l.Except}
	}
	sc, err := sca.New(c)
	if err != nil {
		return nil, usage(err)
	}
	return sc, nil
}

// bill reads any file as an SBOM.
type bill struct{}

func (bill) Name() string      { return "sbom" }
func (bill) Wants(string) bool { return true }
func (bill) Binary() bool      { return false }

// Extract implements extract.Extractor.
func (bill) Extract(_ context.Context, f extract.File) (*dependency.Manifest, error) {
	d, err := format.Read(f.Content)
	if err != nil {
		return nil, err
	}
	return d.Manifest(), nil
}

// databasePath is where the advisory database lies: the flag, the environment,
// or the user's cache folder. A repository has no say in it.
func databasePath(p Process, flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if path := p.Getenv("BULWARK_DB"); path != "" {
		return path, nil
	}
	base := p.Getenv("XDG_CACHE_HOME")
	if base == "" {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("finding the folder of the advisory database: %w; name the file with --db", err)
		}
	}
	return filepath.Join(base, "bulwark", "advisories.db"), nil
}

// business is what due dates depend on beside the vulnerability.
func (s *settings) business() ssvc.Business {
	a := s.cfg.Asset
	return ssvc.Business{Exposure: a.Exposure, Criticality: a.Criticality, DataClass: a.DataClass}
}

// advisories adapts the database to what the scanner asks.
type advisories struct {
	*db.DB
	info advisory.Info
}

// Info implements sca.Advisories.
func (a advisories) Info() advisory.Info { return a.info }

// EndOfLife implements sca.Advisories.
func (a advisories) EndOfLife(p dependency.Package, day string) (advisory.Cycle, bool, error) {
	text := purl.PURL(p)
	if text == "" {
		return advisory.Cycle{}, false, nil
	}
	u, err := packageurl.FromString(text)
	if err != nil {
		return advisory.Cycle{}, false, nil // a name that no package URL can hold is no known product
	}
	return a.DB.EndOfLife(u.Type, u.Namespace, u.Name, p.Version, day)
}
