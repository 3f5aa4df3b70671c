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
	// Whole: Optional: everything that there is after a change, of which the
	// source is a part. Scanners whose findings need more than one file are
	// told of all files, if the change has something for them.
	Whole source.Source
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
	// Changed are, by scanner, the files of the change that concern it, where
	// its findings are of everything that there is after the change.
	Changed map[string]map[string]bool
	// Incomplete says why the look ended early; empty if it did not.
	Incomplete string
}

// look is one look in progress.
type look struct {
	opts  Options
	infos []scanner.Info
	// broken[i] is set when scanner i failed as such: it is not asked again.
	broken []atomic.Pointer[string]
	notRun []string         // by scanner: why it did not do its work; else empty
	facts  [][]scanner.Fact // by scanner, guarded by mu

	mu       sync.Mutex
	out      Looked
	dropped  atomic.Int64 // findings beyond maxFindings
	unnamed  int          // skips beyond maxSkips, guarded by mu
	own      int          // of out.Skips, those of one scanner alone, guarded by mu
	findings atomic.Int64
}

// Look walks the source and has every file examined. What cannot be looked at
// is in Skips and makes the scanners' status Partial; only a source that cannot
// be walked at all is an error. When ctx is done, Look returns soon with what
// there is and Incomplete set.
func Look(ctx context.Context, src source.Source, opts Options) (*Looked, error) {
	l := newLook(opts)
	workers, err := l.walk(ctx, src)
	if err != nil {
		return nil, err
	}
	l.conclude(ctx)
	l.account(workers)
	l.out.Notices = append(l.out.Notices, src.Notices()...)
	return &l.out, nil
}

func newLook(opts Options) *look {
	opts.Workers = cmp.Or(opts.Workers, runtime.GOMAXPROCS(0))
	opts.MaxFileSize = cmp.Or(opts.MaxFileSize, DefaultMaxFileSize)
	if opts.Progress == nil {
		opts.Progress = &Progress{}
	}
	l := &look{opts: opts, broken: make([]atomic.Pointer[string], len(opts.Scanners)), notRun: make([]string, len(opts.Scanners)), facts: make([][]scanner.Fact, len(opts.Scanners))}
	l.out.Directives = map[string]triage.FileDirectives{}
	for _, s := range opts.Scanners {
		l.infos = append(l.infos, s.Info())
	}
	return l
}

// walk has all files of the source examined and gathers what was seen.
func (l *look) walk(ctx context.Context, src source.Source) ([]*worker, error) {
	workers := make([]*worker, l.opts.Workers)
	for i := range workers {
		workers[i] = newWorker(l)
	}
	walkErr := l.work(ctx, workers, src)
	if walkErr != nil && ctx.Err() == nil {
		return nil, walkErr
	}
	if err := ctx.Err(); err != nil {
		l.out.Incomplete = reason(err)
	}
	l.gather(workers)
	return workers, nil
}

// work has the workers examine every file of the source.
func (l *look) work(ctx context.Context, workers []*worker, src source.Source) error {
	skip := func(s outcome.Skip) error {
		l.skip(s)
		return ctx.Err()
	}
	if g, ok := src.(source.Grouped); ok {
		return hand(ctx, workers, 1, func(w *worker, group source.Group) {
			if err := group(ctx, func(f source.File) error { w.file(ctx, f); return ctx.Err() }); err != nil && ctx.Err() == nil {
				l.skip(outcome.Skip{Path: ".", Reason: "cannot be read", Detail: err.Error(), Failed: true})
			}
		}, func(group func(source.Group) error) error { return g.Groups(ctx, group, skip) })
	}
	return hand(ctx, workers, 16, func(w *worker, f source.File) { w.file(ctx, f) },
		func(file func(source.File) error) error { return src.Walk(ctx, file, skip) })
}

// hand has the workers do everything that walk names. ahead is how many things
// may wait for each worker.
func hand[T any](ctx context.Context, workers []*worker, ahead int, do func(*worker, T), walk func(func(T) error) error) error {
	things := make(chan T, ahead*len(workers))
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			for t := range things {
				if ctx.Err() == nil { // else drain, so that walk is not stuck
					do(w, t)
				}
			}
		})
	}
	err := walk(func(t T) error {
		select {
		case things <- t:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	close(things)
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
		facts, err := l.everywhere(ctx, i)
		var more []finding.Finding
		if err == nil {
			more, err = concluded(ctx, c, facts)
		}
		if ctx.Err() != nil {
			l.out.Incomplete = reason(ctx.Err())
			break
		}
		if notRun := (*scanner.NotRunError)(nil); errors.As(err, &notRun) {
			l.notRun[i] = notRun.Reason
		} else if err != nil {
			l.fail(i, err)
			continue
		}
		l.out.Findings = append(l.out.Findings, more...)
	}
	slices.SortStableFunc(l.out.Findings, finding.Finding.Compare)
}

// everywhere returns the facts of scanner i: of the whole tree, if only a change
// of it was looked at and that has facts.
func (l *look) everywhere(ctx context.Context, i int) ([]scanner.Fact, error) {
	if l.opts.Whole == nil || len(l.facts[i]) == 0 {
		return l.facts[i], nil
	}
	changed := map[string]bool{}
	for _, f := range l.facts[i] {
		changed[f.Path] = true
	}
	if l.out.Changed == nil {
		l.out.Changed = map[string]map[string]bool{}
	}
	l.out.Changed[l.infos[i].Name] = changed
	o := l.opts
	o.Scanners, o.Whole, o.Progress = []scanner.Scanner{l.opts.Scanners[i]}, nil, nil
	all := newLook(o)
	if _, err := all.walk(ctx, l.opts.Whole); err != nil {
		return nil, fmt.Errorf("looking at what the change leaves as it was: %w", err)
	}
	if why := all.broken[0].Load(); why != nil {
		return nil, fmt.Errorf("looking at what the change leaves as it was: %s", *why)
	}
	return all.facts[0], nil
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
		case l.notRun[i] != "":
			o.Status, o.Reason = outcome.NotRun, l.notRun[i]
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
