package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// usage is what one run of a program cost.
type usage struct {
	wall, cpu time.Duration
	memory    int64 // greatest resident set, in bytes
}

// thing is a program to be measured.
type thing struct {
	name string
	args []string
	dir  string   // where it runs; empty: here
	env  []string // added to the environment, as NAME=VALUE
	// codes: exit codes that mean that it did its work, beside 0.
	codes []int
	// before: Optional: runs before each measurement and is not measured.
	before func() error
	// found: Optional: counts what it found in the last run.
	found func() (int, error)
}

// result is the median of a thing's runs.
type result struct {
	thing
	usage
	findings int // -1: it finds nothing by nature
}

// measure runs the things in turn, runs times, and returns the medians in the
// order of the things.
func measure(ctx context.Context, runs int, things ...thing) ([]result, error) {
	all := make([][]usage, len(things))
	for round := range runs {
		for i, t := range things {
			if t.before != nil {
				if err := t.before(); err != nil {
					return nil, err
				}
			}
			fmt.Fprintf(os.Stderr, "%s, run %d of %d\n", t.name, round+1, runs)
			u, err := once(ctx, t)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], u)
		}
	}
	out := make([]result, len(things))
	for i, t := range things {
		out[i] = result{thing: t, findings: -1, usage: usage{
			wall:   median(all[i], func(u usage) time.Duration { return u.wall }),
			cpu:    median(all[i], func(u usage) time.Duration { return u.cpu }),
			memory: median(all[i], func(u usage) int64 { return u.memory }),
		}}
		if t.found != nil {
			n, err := t.found()
			if err != nil {
				return nil, fmt.Errorf("reading what %s found: %w", t.name, err)
			}
			out[i].findings = n
		}
	}
	return out, nil
}

func median[T cmp.Ordered](all []usage, of func(usage) T) T {
	values := make([]T, len(all))
	for i, u := range all {
		values[i] = of(u)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// once runs a thing and reads from the kernel what it and its children cost.
func once(ctx context.Context, t thing) (usage, error) {
	cmd := exec.CommandContext(ctx, t.args[0], t.args[1:]...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), t.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	started := time.Now()
	err := cmd.Run()
	wall := time.Since(started)
	if cmd.ProcessState == nil {
		return usage{}, fmt.Errorf("starting %s: %w", t.name, err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 && !slices.Contains(t.codes, code) {
		return usage{}, fmt.Errorf("%s ended with exit code %d: %s\n%s", t.name, code, strings.Join(t.args, " "), bytes.TrimSpace(stderr.Bytes()))
	}
	u := usage{wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = int64(r.Maxrss)
		if runtime.GOOS != "darwin" { // macOS counts in bytes, the others in KiB
			u.memory <<= 10
		}
	}
	return u, nil
}

// readAll reads every regular file under root once, on all cores: less than
// that no scanner can do.
func readAll(ctx context.Context, root string) error {
	paths := make(chan string, 1024)
	errs := make(chan error, 1)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for path := range paths {
				if _, err := os.ReadFile(path); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() {
			paths <- path
		}
		return ctx.Err()
	})
	close(paths)
	wg.Wait()
	select {
	case e := <-errs:
		return e
	default:
		return err
	}
}

// size counts the regular files under root and their bytes.
func size(root string) (files int, bytes int64, err error) {
	err = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		bytes += info.Size()
		return nil
	})
	return files, bytes, err
}

// machine describes what the figures were measured on.
func machine() string {
	model := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	} else if out, err := exec.Command("sysctl", "-n", "machdep.cpu.brand_string").Output(); err == nil {
		model = strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
