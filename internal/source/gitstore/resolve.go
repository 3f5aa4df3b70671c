package gitstore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Resolve returns the commit that a revision names: HEAD or @, a branch, a
// tag, a remote branch, a full reference, an object id or its first four or
// more digits, each with suffixes ~n, ^, ^n, ^0, ^{} and ^{commit}.
func (r *Repo) Resolve(rev string) (ID, error) {
	fail := func(err error) (ID, error) {
		return ID{}, fmt.Errorf("resolving revision %q: %w", cutText(rev), err)
	}
	cut := strings.IndexAny(rev, "~^")
	name, suffix := rev, ""
	if cut >= 0 {
		name, suffix = rev[:cut], rev[cut:]
	}
	id, err := r.resolveName(name)
	if err != nil {
		return fail(err)
	}
	if id, err = r.peelCommit(id); err != nil {
		return fail(err)
	}
	steps := 0
	for suffix != "" {
		kind := suffix[0]
		suffix = suffix[1:]
		if kind == '^' && strings.HasPrefix(suffix, "{") {
			inner, rest, ok := strings.Cut(suffix[1:], "}")
			if !ok || inner != "" && inner != "commit" {
				return fail(errors.New("only the suffixes ~n, ^n, ^{} and ^{commit} are understood"))
			}
			suffix = rest
			continue
		}
		digits := 0
		for digits < len(suffix) && suffix[digits] >= '0' && suffix[digits] <= '9' {
			digits++
		}
		n := 1
		if digits > 0 {
			if n, err = strconv.Atoi(suffix[:digits]); err != nil {
				return fail(errors.New("number in a suffix is too large"))
			}
			suffix = suffix[digits:]
		}
		switch kind {
		case '~':
			for range n {
				if id, err = r.parent(id, 1); err != nil {
					return fail(err)
				}
				if steps++; steps > 10_000_000 {
					return fail(errors.New("too many steps"))
				}
			}
		case '^':
			if n > 0 {
				if id, err = r.parent(id, n); err != nil {
					return fail(err)
				}
			}
		default:
			return fail(errors.New("only the suffixes ~n, ^n, ^{} and ^{commit} are understood"))
		}
	}
	return id, nil
}

func (r *Repo) parent(id ID, n int) (ID, error) {
	c, err := r.Commit(id)
	if err != nil {
		return ID{}, err
	}
	if n > len(c.Parents) {
		if r.shallow[id] {
			return ID{}, fmt.Errorf("commit %s: %w: run `git fetch --unshallow`", id, ErrShallow)
		}
		return ID{}, fmt.Errorf("%w: commit %s has %d parents", ErrNotFound, id, len(c.Parents))
	}
	return c.Parents[n-1], nil
}

func (r *Repo) peelCommit(id ID) (ID, error) {
	id, typ, err := r.Peel(id)
	if err != nil {
		return ID{}, err
	}
	if typ != TypeCommit {
		return ID{}, fmt.Errorf("it names a %s, not a commit", typ)
	}
	return id, nil
}

func (r *Repo) resolveName(name string) (ID, error) {
	if name == "@" || name == "" {
		name = "HEAD"
	}
	if len(name) == 2*r.format.Size() {
		if id, err := ParseID(name); err == nil {
			return id, nil
		}
	}
	for _, pattern := range []string{"%", "refs/%", "refs/tags/%", "refs/heads/%", "refs/remotes/%", "refs/remotes/%/HEAD"} {
		full := strings.Replace(pattern, "%", name, 1)
		if !safeRefName(full) {
			continue
		}
		id, last, ok, err := r.readRef(full)
		if err != nil {
			return ID{}, err
		}
		if ok {
			return id, nil
		}
		if name == "HEAD" && last != "HEAD" {
			return ID{}, fmt.Errorf("%w: HEAD names %s, which has no commit yet", ErrNotFound, cutText(last))
		}
	}
	if len(name) >= 4 && len(name) < 2*r.format.Size() {
		if id, ok, err := r.abbreviated(name); ok || err != nil {
			return id, err
		}
	}
	return ID{}, fmt.Errorf("%w: check its spelling, or fetch it first", ErrNotFound)
}

// abbreviated finds the object whose id begins with the digits. Among several
// a single commit or tag wins, as everywhere in git that wants a commit.
func (r *Repo) abbreviated(digits string) (ID, bool, error) {
	digits = strings.ToLower(digits)
	if strings.Trim(digits, "0123456789abcdef") != "" {
		return ID{}, false, nil
	}
	low, _ := hex.DecodeString((digits + strings.Repeat("0", 64))[:2*r.format.Size()])
	var ids []ID
	for _, p := range r.packs {
		k, err := p.idx.bucket(low[0])
		if err != nil {
			return ID{}, false, err
		}
		for i := p.idx.search(k, low) * p.idx.idLen; i < len(k.ids) && len(ids) < 1000; i += p.idx.idLen {
			id := IDFromBytes(k.ids[i : i+p.idx.idLen])
			if !strings.HasPrefix(id.String(), digits) {
				break
			}
			ids = append(ids, id)
		}
	}
	for _, dir := range r.loose {
		entries, err := os.ReadDir(filepath.Join(dir, digits[:2]))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if id, err := ParseID(digits[:2] + e.Name()); err == nil && strings.HasPrefix(id.String(), digits) {
				ids = append(ids, id)
			}
		}
	}
	slices.SortFunc(ids, func(a, b ID) int { return bytes.Compare(a.Raw(), b.Raw()) })
	ids = slices.Compact(ids)
	if len(ids) > 1 {
		ids = slices.DeleteFunc(ids, func(id ID) bool {
			typ, _, err := r.Object(id)
			return err != nil || typ != TypeCommit && typ != TypeTag
		})
	}
	switch len(ids) {
	case 0:
		return ID{}, false, nil
	case 1:
		return ids[0], true, nil
	}
	return ID{}, false, fmt.Errorf("%w: the abbreviated id fits %d objects, give more digits", ErrNotFound, len(ids))
}
