package watch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"bulwark/internal/dependency"
	"bulwark/internal/sbom"
	"bulwark/internal/sbom/format"
)

// MaxFiles is the limit on SBOMs in a folder.
const MaxFiles = 1_000_000

// fresh are the packages that an SBOM has now and had not at the last run.
type fresh struct {
	sbom  int
	pairs []uint32
}

// found is a file of the folder.
type found struct {
	path  string
	size  int64
	mtime int64
}

// parsed is what is kept of an SBOM.
type parsed struct {
	digest       [32]byte
	name         string
	version      string
	unidentified int
	packages     []component
	err          error
}

type component struct {
	pkg  dependency.Package // ecosystem, name, version
	purl string
}

// index brings the state up to the folder. Files of equal size and time are not
// read again.
func (s *state) index(ctx context.Context, o Options, r *Result) ([]fresh, error) {
	files, err := list(o.Folder, o.State)
	if err != nil {
		return nil, fmt.Errorf("listing the SBOMs of %s: %w", o.Folder, err)
	}
	old := make(map[string]*stored, len(s.sboms))
	for i := range s.sboms {
		old[s.sboms[i].path] = &s.sboms[i]
	}
	var todo []int
	for i, f := range files {
		if b := old[f.path]; b == nil || b.size != f.size || b.mtime != f.mtime {
			todo = append(todo, i)
		}
	}
	read := make([]parsed, len(todo))
	if err := parallel(ctx, len(todo), func(k int) {
		read[k] = parse(filepath.Join(o.Folder, filepath.FromSlash(files[todo[k]].path)))
	}); err != nil {
		return nil, err
	}
	byKey := map[string]uint32{}
	if len(todo) > 0 {
		for i := range s.pairs {
			byKey[s.pairs[i].key()] = uint32(i)
		}
	}
	var added []fresh
	now := make([]stored, 0, len(files))
	next := 0
	for i, f := range files {
		b := old[f.path]
		if next >= len(todo) || todo[next] != i {
			now = append(now, *b)
			continue
		}
		p := &read[next]
		next++
		if p.err != nil {
			r.Problems = append(r.Problems, Problem{f.path, p.err})
			if b != nil {
				b.mtime = 0 // to be read again, even if it stays as it is
				now = append(now, *b)
			}
			continue
		}
		r.Read++
		entry := stored{path: f.path, size: f.size, mtime: f.mtime, digest: p.digest, name: p.name, version: p.version, unidentified: p.unidentified}
		for _, c := range p.packages {
			entry.pairs = append(entry.pairs, s.intern(byKey, c))
		}
		slices.Sort(entry.pairs)
		entry.pairs = slices.Clip(slices.Compact(entry.pairs))
		n := fresh{sbom: len(now), pairs: entry.pairs}
		if b != nil {
			n.pairs = slices.DeleteFunc(slices.Clone(entry.pairs), func(id uint32) bool {
				_, had := slices.BinarySearch(b.pairs, id)
				return had
			})
		}
		added = append(added, n)
		now = append(now, entry)
	}
	have := make(map[string]bool, len(files))
	for _, f := range files {
		have[f.path] = true
	}
	for name := range old {
		if !have[name] {
			r.Removed++
		}
	}
	s.sboms = now
	return added, nil
}

func (s *state) intern(byKey map[string]uint32, c component) uint32 {
	p := pair{ecosystem: c.pkg.Ecosystem, name: c.pkg.Name, version: c.pkg.Version, purl: c.purl}
	key := p.key()
	id, ok := byKey[key]
	if !ok {
		id = uint32(len(s.pairs))
		byKey[key] = id
		s.pairs = append(s.pairs, p)
	}
	return id
}

// list finds files that can be SBOMs, by path.
func list(folder, stateFile string) ([]found, error) {
	own, err := filepath.Abs(stateFile)
	if err != nil {
		return nil, err
	}
	root, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	var files []found
	err = filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || !d.Type().IsRegular() || strings.HasPrefix(at, own) {
			return nil
		}
		switch strings.ToLower(path.Ext(d.Name())) {
		case ".json", ".xml", ".spdx", ".cdx", ".tag":
		default:
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, at)
		if err != nil {
			return err
		}
		if len(files) >= MaxFiles {
			return fmt.Errorf("more than %d files", MaxFiles)
		}
		files = append(files, found{filepath.ToSlash(rel), info.Size(), info.ModTime().UnixNano()})
		return nil
	})
	slices.SortFunc(files, func(a, b found) int { return strings.Compare(a.path, b.path) })
	return files, err
}

func parse(name string) (p parsed) {
	data, err := readBounded(name)
	if err != nil {
		p.err = err
		return p
	}
	p.digest = sha256.Sum256(data)
	d, err := format.Read(data)
	if err != nil {
		p.err = err
		return p
	}
	p.name, p.version, p.unidentified = d.Subject.Name, d.Subject.Version, d.Unidentified()
	for i := range d.Components {
		c := &d.Components[i]
		if c.Identified() && !c.Package.Local {
			p.packages = append(p.packages, component{c.Package, c.PURL})
		}
	}
	return p
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, sbom.MaxBytes+1))
	if err == nil && len(data) > sbom.MaxBytes {
		err = fmt.Errorf("larger than %d bytes", sbom.MaxBytes)
	}
	return data, err
}

// parallel calls f for 0 to n-1 on all processors.
func parallel(ctx context.Context, n int, f func(i int)) error {
	work := make(chan int)
	var group sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := range work {
				f(i)
			}
		})
	}
	var err error
	for i := range n {
		if err = ctx.Err(); err != nil {
			break
		}
		work <- i
	}
	close(work)
	group.Wait()
	return err
}
