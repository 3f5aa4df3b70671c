package feed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
	"bulwark/internal/advisory/install"
)

// Result is the account of an update.
type Result struct {
	Info advisory.Info
	// Before is the account of the database that was replaced; its Serial is
	// empty if there was none that could be read.
	Before     advisory.Info
	Refused    map[string]int // malformed records and entries left out, by source
	Problems   []db.Problem   // the first of them
	Duplicates int
}

// Update builds the database whose lock is held anew from its sources and puts
// it in place. With an error the database is as it was.
func Update(ctx context.Context, lock *install.Lock, opts Options, at func(install.Step) error) (res *Result, err error) {
	var st *store
	if opts.remote() {
		if st, err = openStore(lock.Path() + storeSuffix); err != nil {
			return nil, err
		}
	}
	g, err := gather(ctx, opts, st)
	defer func() { err = errors.Join(err, g.close()) }()
	if err != nil {
		return nil, err
	}
	res = &Result{Refused: g.refused, Problems: g.problems}
	if res.Before, err = infoOf(lock.Path()); err != nil {
		res.Before = advisory.Info{} // it is replaced, whatever is wrong with it
	}
	err = lock.Replace(install.Replacement{
		Write: func(f *os.File) error {
			report, err := db.Build(ctx, f, g.in)
			if err != nil {
				return err
			}
			res.take(report)
			return res.check(g.sources)
		},
		Verify: func(path string) error {
			info, err := infoOf(path)
			if err == nil && info.Serial != res.Info.Serial {
				err = fmt.Errorf("its serial is %s, %s was written", info.Serial, res.Info.Serial)
			}
			return err
		},
		At: at,
	})
	if err != nil {
		return nil, err
	}
	if st != nil {
		// A failure here costs the next update time and nothing else, but whoever
		// reads the message can mend it.
		if err := st.commit(); err != nil {
			return nil, fmt.Errorf("the database is updated, but: %w", err)
		}
	}
	return res, nil
}

// infoOf reads a whole database and returns its account.
func infoOf(path string) (info advisory.Info, err error) {
	d, err := db.Open(path)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Verify(); err != nil {
		return info, err
	}
	return d.Info()
}

// take adds what the build says.
func (r *Result) take(report *db.Report) {
	r.Info, r.Duplicates = report.Info, report.Duplicates
	for set, n := range report.Refused {
		r.Refused[set] += n
	}
	maps.DeleteFunc(r.Refused, func(_ string, n int) bool { return n == 0 })
	r.Problems = append(r.Problems, report.Problems...)
	r.Problems = r.Problems[:min(len(r.Problems), db.MaxProblems)]
}

// check refuses a database of which a source is too malformed.
func (r *Result) check(sources []advisory.SourceInfo) error {
	for _, s := range sources {
		first := ""
		if i := slices.IndexFunc(r.Problems, func(p db.Problem) bool { return p.Set == s.Name }); i >= 0 {
			first = r.Problems[i].Name + ": " + r.Problems[i].Reason
		}
		if err := thin(s.Name, r.Refused[s.Name], max(s.Records, r.Refused[s.Name]), first); err != nil {
			return err
		}
	}
	return nil
}
