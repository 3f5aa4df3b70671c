package gitsource

import (
	"context"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"bulwark/internal/outcome"
	"bulwark/internal/source"
)

// The benchmarks look at a real repository: BULWARK_BENCH_REPO=DIR go test -bench .
func benchRepo(b *testing.B) string {
	dir := os.Getenv("BULWARK_BENCH_REPO")
	if dir == "" {
		b.Skip("BULWARK_BENCH_REPO names no repository")
	}
	return dir
}

func drain(f source.File) (int64, error) {
	r, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if c, ok := r.(interface{ Bytes() []byte }); ok {
		return int64(len(c.Bytes())), nil
	}
	return io.Copy(io.Discard, r)
}

func BenchmarkHistory(b *testing.B) {
	dir := benchRepo(b)
	for _, inflate := range []bool{false, true} {
		name := "enumerate"
		if inflate {
			name = "inflate"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h, err := NewHistory(dir, Options{}, HistoryOptions{})
				if err != nil {
					b.Fatal(err)
				}
				files := make(chan source.File, 64)
				var wg sync.WaitGroup
				var mu sync.Mutex
				var total int64
				var opened int
				for range 2 {
					wg.Go(func() {
						for f := range files {
							if !inflate {
								continue
							}
							n, err := drain(f)
							if err != nil {
								b.Errorf("%s: %v", f.Path, err)
							}
							mu.Lock()
							total += n
							opened++
							mu.Unlock()
						}
					})
				}
				skips, count := 0, 0
				start := time.Now()
				var first time.Duration
				err = h.Walk(context.Background(), func(f source.File) error {
					if count++; count == 1 {
						first = time.Since(start)
					}
					files <- f
					return nil
				}, func(s outcome.Skip) error { skips++; return nil })
				close(files)
				wg.Wait()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(first.Seconds(), "s-to-first")
				b.ReportMetric(float64(count), "blobs")
				b.ReportMetric(float64(skips), "skips")
				b.ReportMetric(float64(total)/1e6, "MB")
				h.Close()
			}
		})
	}
}

func BenchmarkWorktree(b *testing.B) {
	dir := benchRepo(b)
	for b.Loop() {
		w, err := NewWorktree(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		count, clean := 0, 0
		err = w.Walk(context.Background(), func(f source.File) error {
			if count++; f.ContentID != "" {
				clean++
			}
			return nil
		}, func(outcome.Skip) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(count), "files")
		b.ReportMetric(float64(clean), "clean")
		w.Close()
	}
}

func BenchmarkChange(b *testing.B) {
	dir := benchRepo(b)
	rev := os.Getenv("BULWARK_BENCH_BASE")
	if rev == "" {
		rev = "HEAD~10"
	}
	for b.Loop() {
		c, err := NewChange(context.Background(), dir, rev, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(c.visits)), "files")
		b.ReportMetric(float64(len(c.between)), "between")
		b.ReportMetric(float64(len(c.before)), "before")
		c.Close()
	}
}

func BenchmarkTree(b *testing.B) {
	dir := benchRepo(b)
	for b.Loop() {
		c, err := NewTree(dir, "", Options{})
		if err != nil {
			b.Fatal(err)
		}
		count := 0
		if err := c.Walk(context.Background(), func(source.File) error { count++; return nil }, func(outcome.Skip) error { return nil }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(count), "files")
		c.Close()
	}
}

func BenchmarkRootCommit(b *testing.B) {
	dir := benchRepo(b)
	for b.Loop() {
		if _, err := RootCommit(context.Background(), dir, Root{}); err != nil {
			b.Fatal(err)
		}
	}
}
