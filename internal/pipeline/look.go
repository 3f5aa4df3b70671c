// Package pipeline composes the stages: source, scanners, triage, policy. It
// reads each file at most once and offers it to every scanner that wants it,
// within bounded memory, on all cores, remembering results. It is the only
// package that sees two stages at once; it judges nothing itself.
package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/pipeline/cache"
	"bulwark/internal/scanner"
	"bulwark/internal/source"
	"bulwark/internal/triage"
)

// Bounds of one look.
const (
	// DefaultMaxFileSize is the largest file that is read, in bytes.
	DefaultMaxFileSize = 1 << 30
	// chunkSize is how much of a file is held at once by one worker, in bytes.
	chunkSize = 8 << 20
	// maxFindings bounds what one look collects; a repository that exceeds it
	// is reported as not wholly looked at.
	maxFindings = 200_000
	// maxSkips bounds how many left-out things are named one by one.
	maxSkips = 50_000
)

// Options of a look. The zero value of each optional field is its default.
type Options struct {
	Scanners []scanner.Scanner
	// Workers: Optional: how many files are examined at once. Default: one for
	// each core.
	Workers int
	// MaxFileSize: Optional: larger files are reported as not looked at, in
	// bytes. Default DefaultMaxFileSize.
	MaxFileSize int64
	// Cache: Optional: remembers results. Default: nothing is remembered.
	Cache *cache.Cache
	// Progress: Optional: counts what has been done, to be read concurrently.
	Progress *Progress
}

// Progress counts while a look goes on. It is safe for concurrent use.
type Progress struct {
	Files    atomic.Int64 // done
	Bytes    atomic.Int64 // read
	Findings atomic.Int64
}

// Looked is what the scanners saw.
type Looked struct {
	// Findings are not merged, ordered by place.
	Findings   []finding.Finding
	Directives map[string]triage.FileDirectives // by triage.FileKey
	Scanners   []outcome.Scanner
	Skips      []outcome.Skip
	Notices    []outcome.Notice
	// Incomplete says why the look ended early; empty if it did not.
	Incomplete string
}

// look is one look in progress.
type look struct {
	opts  Options
	infos []scanner.Info
	// broken[i] is set when scanner i failed as such: it is not asked again.
	broken []atomic.Pointer[string]
	facts  [][]scanner.Fact // by scanner, guarded by mu

	mu       sync.Mutex
	out      Looked
	dropped  atomic.Int64 // findings beyond maxFindings
	unnamed  int          // skips beyond maxSkips, guarded by mu
	own      int          // of out.Skips, those of one scanner alone, guarded by mu
	findings atomic.Int64
	// families are those in which something was found, guarded by mu while the
	// source is walked. again is set while they are looked at as a whole.
	families map[int]bool
	again    bool
}

// Look walks the source and has every file examined. What cannot be looked at
// is in Skips and makes the scanners' status Partial; only a source that cannot
// be walked at all is an error. When ctx is done, Look returns soon with what
// there is and Incomplete set.
func Look(ctx context.Context, src source.Source, opts Options) (*Looked, error) {
	opts.Workers = cmp.Or(opts.Workers, runtime.GOMAXPROCS(0))
	opts.MaxFileSize = cmp.Or(opts.MaxFileSize, DefaultMaxFileSize)
	if opts.Progress == nil {
		opts.Progress = &Progress{}
	}
	l := &look{opts: opts, broken: make([]atomic.Pointer[string], len(opts.Scanners)), facts: make([][]scanner.Fact, len(opts.Scanners))}
	l.out.Directives, l.families = map[string]triage.FileDirectives{}, map[int]bool{}
	for _, s := range opts.Scanners {
		l.infos = append(l.infos, s.Info())
	}

	workers := make([]*worker, opts.Workers)
	for i := range workers {
		workers[i] = newWorker(l)
	}
	walkErr := l.work(ctx, workers, func(file func(source.File) error) error {
		return src.Walk(ctx, file, func(s outcome.Skip) error {
			l.skip(s)
			return ctx.Err()
		})
	})
	if fam, ok := src.(source.Families); ok && walkErr == nil && len(l.families) > 0 {
		l.again = true
		walkErr = l.work(ctx, workers, func(file func(source.File) error) error {
			return fam.Again(ctx, l.families, file)
		})
	}
	if walkErr != nil && ctx.Err() == nil {
		return nil, walkErr
	}
	if err := ctx.Err(); err != nil {
		l.out.Incomplete = reason(err)
	}
	l.gather(workers)
	l.conclude(ctx)
	l.account(workers)
	l.out.Notices = append(l.out.Notices, src.Notices()...)
	return &l.out, nil
}

// work has the workers examine every file that walk names.
func (l *look) work(ctx context.Context, workers []*worker, walk func(file func(source.File) error) error) error {
	files := make(chan source.File, 16*len(workers))
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			for f := range files {
				if ctx.Err() != nil {
					continue // drain, so that walk is not stuck
				}
				w.file(ctx, f)
				if !l.again {
					l.opts.Progress.Files.Add(1)
				}
			}
		})
	}
	err := walk(func(f source.File) error {
		select {
		case files <- f:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	close(files)
	wg.Wait()
	return err
}

func reason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the time limit was reached"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return err.Error()
}

func (l *look) skip(s outcome.Skip) { l.skipOf(s, false) }

// skipOf reports what nobody looked at, or (own) what one scanner did not.
func (l *look) skipOf(s outcome.Skip, own bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.out.Skips) >= maxSkips {
		l.unnamed++
		return
	}
	l.out.Skips = append(l.out.Skips, s)
	if own {
		l.own++
	}
}

// gather joins what the workers hold, in an order that depends on the content
// alone.
func (l *look) gather(workers []*worker) {
	for _, w := range workers {
		l.out.Findings = append(l.out.Findings, w.findings...)
		for k, d := range w.directives {
			l.out.Directives[k] = d
		}
		for i := range w.facts {
			l.facts[i] = append(l.facts[i], w.facts[i]...)
		}
	}
	for i := range l.facts {
		slices.SortFunc(l.facts[i], func(a, b scanner.Fact) int { return cmp.Or(cmp.Compare(a.Path, b.Path), bytes.Compare(a.Data, b.Data)) })
	}
	slices.SortFunc(l.out.Skips, func(a, b outcome.Skip) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Detail, b.Detail))
	})
	if n := l.dropped.Load(); n > 0 {
		l.out.Skips = append(l.out.Skips, outcome.Skip{Reason: "too many findings", Failed: true,
			Detail: fmt.Sprintf("%d beyond the first %d were not kept", n, maxFindings)})
	}
	if l.unnamed > 0 {
		l.out.Skips = append(l.out.Skips, outcome.Skip{Reason: "too many left-out files to name",
			Detail: fmt.Sprintf("%d beyond the first %d", l.unnamed, maxSkips), Failed: true})
	}
}

// conclude asks the scanners whose findings need more than one file.
func (l *look) conclude(ctx context.Context) {
	for i, s := range l.opts.Scanners {
		c, ok := s.(scanner.Concluder)
		if !ok || l.broken[i].Load() != nil || l.out.Incomplete != "" {
			continue
		}
		more, err := concluded(ctx, c, l.facts[i])
		if ctx.Err() != nil {
			l.out.Incomplete = reason(ctx.Err())
			break
		}
		if err != nil {
			l.fail(i, err)
			continue
		}
		l.out.Findings = append(l.out.Findings, more...)
	}
	slices.SortStableFunc(l.out.Findings, finding.Finding.Compare)
}

// concluded is c's conclusion. A panic fails the scanner, not the look.
func concluded(ctx context.Context, c scanner.Concluder, facts []scanner.Fact) (more []finding.Finding, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = printable(v)
		}
	}()
	return c.Conclude(ctx, facts)
}

// fail marks scanner i as unreliable.
func (l *look) fail(i int, err error) {
	text := err.Error()
	l.broken[i].CompareAndSwap(nil, &text)
}

// account makes each scanner's own account of the look.
func (l *look) account(workers []*worker) {
	// What is left out for all of them; a scanner's own gaps come on top.
	failed, skipped := -l.own, len(l.out.Skips)-l.own
	for _, s := range l.out.Skips {
		if s.Failed {
			failed++
		}
	}
	for i, s := range l.opts.Scanners {
		gaps := failed
		o := outcome.Scanner{
			Name: l.infos[i].Name, Version: l.infos[i].Version, RuleSet: l.infos[i].RuleSet,
			Status: outcome.Complete, Skipped: skipped,
		}
		if len(l.out.Findings) > 0 {
			o.Rules = len(s.Rules())
		}
		for _, w := range workers {
			o.Files += w.counts[i].files
			o.Cached += w.counts[i].cached
			o.Bytes += w.counts[i].bytes
			o.Skipped += w.counts[i].skipped
			gaps += w.counts[i].skipped
		}
		for j := range l.out.Findings {
			if l.out.Findings[j].Scanner == o.Name {
				o.Findings++
			}
		}
		switch why := l.broken[i].Load(); {
		case why != nil:
			o.Status, o.Reason = outcome.Failed, *why
		case l.out.Incomplete != "":
			o.Status, o.Reason = outcome.Partial, l.out.Incomplete
		case gaps > 0:
			o.Status, o.Reason = outcome.Partial, plural(gaps, "file")+" could not be looked at"
		}
		l.out.Scanners = append(l.out.Scanners, o)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printable is a recovered panic's value as an error; the file it happened on
// is named by the caller.
func printable(v any) error {
	return fmt.Errorf("internal error: %s", strings.ToValidUTF8(fmt.Sprint(v), "?"))
}
