package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Ref is a reference and what it names.
type Ref struct {
	Name string // "refs/heads/main", "HEAD"
	ID   ID
}

// Head is what HEAD names.
type Head struct {
	Branch string // "main"; empty if detached
	ID     ID     // zero before the first commit
}

type packedRefs struct {
	ids map[string]ID
}

const maxRefs = 5_000_000

// parsePackedRefs reads a packed-refs file. Lines that it does not understand
// are an error.
func parsePackedRefs(b []byte) (*packedRefs, error) {
	p := &packedRefs{ids: map[string]ID{}}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 || line[0] == '#' || line[0] == '^' {
			continue
		}
		hex, name, ok := strings.Cut(string(line), " ")
		id, err := ParseID(hex)
		if !ok || err != nil || name == "" {
			return nil, fmt.Errorf("line %d is damaged", n)
		}
		if len(p.ids) == maxRefs {
			return nil, fmt.Errorf("more than %d references", maxRefs)
		}
		p.ids[name] = id
	}
	return p, nil
}

func (r *Repo) packedRefs() (*packedRefs, error) {
	r.packedOnce.Do(func() {
		path := filepath.Join(r.commonDir, "packed-refs")
		b, err := readRegular(path, maxPackedRefs)
		if errors.Is(err, fs.ErrNotExist) {
			r.packed = &packedRefs{}
			return
		}
		if err == nil {
			r.packed, err = parsePackedRefs(b)
		}
		if err != nil {
			r.packedErr = fmt.Errorf("reading %s: %w", path, err)
		}
	})
	return r.packed, r.packedErr
}

// safeRefName keeps names inside the git folder.
func safeRefName(name string) bool {
	if name == "" || strings.ContainsAny(name, "\x00\\") || filepath.IsAbs(name) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.Contains(part, ":") {
			return false
		}
	}
	// Outside refs/ only names such as HEAD and FETCH_HEAD are references.
	return strings.HasPrefix(name, "refs/") || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// refFile is where the loose form of a reference lies.
func (r *Repo) refFile(name string) string {
	dir := r.commonDir
	if !strings.HasPrefix(name, "refs/") || strings.HasPrefix(name, "refs/worktree/") ||
		strings.HasPrefix(name, "refs/bisect/") || strings.HasPrefix(name, "refs/rewritten/") {
		dir = r.gitDir
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

// readRef returns what a reference names, and the last name of the chain of
// symbolic references that it begins. ok is false if there is none.
func (r *Repo) readRef(name string) (id ID, last string, ok bool, err error) {
	for range maxSymbolicDepth {
		if !safeRefName(name) {
			return ID{}, name, false, nil
		}
		b, err := readRegular(r.refFile(name), maxSmallFile)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !isNotDir(err) {
				if info, serr := os.Lstat(r.refFile(name)); serr != nil || !info.IsDir() {
					return ID{}, name, false, fmt.Errorf("reading reference %s: %w", name, err)
				}
			}
			p, err := r.packedRefs()
			if err != nil {
				return ID{}, name, false, err
			}
			id, ok := p.ids[name]
			return id, name, ok, nil
		}
		text := strings.TrimSpace(string(b))
		if target, ok := strings.CutPrefix(text, "ref:"); ok {
			name = strings.TrimSpace(target)
			continue
		}
		// FETCH_HEAD has more behind the id.
		text, _, _ = strings.Cut(text, "\n")
		text, _, _ = strings.Cut(text, "\t")
		id, err := ParseID(text)
		if err != nil {
			return ID{}, name, false, fmt.Errorf("reading reference %s: it holds no object id", name)
		}
		return id, name, true, nil
	}
	return ID{}, name, false, fmt.Errorf("reading reference %s: more than %d symbolic references in a row", name, maxSymbolicDepth)
}

// Head returns what HEAD names.
func (r *Repo) Head() (Head, error) {
	id, last, ok, err := r.readRef("HEAD")
	if err != nil {
		return Head{}, err
	}
	branch, _ := strings.CutPrefix(last, "refs/heads/")
	if branch == last {
		branch = ""
	}
	if !ok {
		id = ID{}
	}
	return Head{Branch: branch, ID: id}, nil
}

// Refs returns HEAD, all references and the stashes, ordered by name. Symbolic
// references to nothing are left out.
func (r *Repo) Refs() ([]Ref, error) {
	p, err := r.packedRefs()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{"HEAD": true}
	for name := range p.ids {
		names[name] = true
	}
	for _, dir := range []string{r.commonDir, r.gitDir} {
		root := filepath.Join(dir, "refs")
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			if d.IsDir() || strings.HasSuffix(path, ".lock") {
				return nil
			}
			if rel, err := filepath.Rel(dir, path); err == nil && len(names) < maxRefs {
				names[filepath.ToSlash(rel)] = true
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("listing references: %w", err)
		}
	}
	var refs []Ref
	for name := range names {
		id, ok := p.ids[name], false
		if _, statErr := os.Lstat(r.refFile(name)); statErr == nil || id.IsZero() {
			if id, _, ok, err = r.readRef(name); err != nil {
				return nil, err
			}
		} else {
			ok = true
		}
		if ok && !id.IsZero() {
			refs = append(refs, Ref{name, id})
		}
	}
	// Stashes but the newest are named by the log alone.
	if b, err := readRegular(filepath.Join(r.commonDir, "logs", "refs", "stash"), 64<<20); err == nil {
		for line := range bytes.Lines(b) {
			if f := bytes.Fields(line); len(f) > 1 {
				if id, err := ParseID(string(f[1])); err == nil && !id.IsZero() {
					refs = append(refs, Ref{"refs/stash", id})
				}
			}
		}
	}
	slices.SortFunc(refs, func(a, b Ref) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return a.ID.Compare(b.ID)
	})
	return slices.Compact(refs), nil
}
