package snapshot

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"time"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
	"bulwark/internal/advisory/install"
)

// ImportOptions say what is accepted.
type ImportOptions struct {
	// Key must have signed the snapshot; nil accepts any, signed or not.
	Key ed25519.PublicKey
	// AllowOlder accepts a database that was built before the one installed.
	AllowOlder bool
}

// Result is the account of an import.
type Result struct {
	Manifest Manifest
	Info     advisory.Info
	Before   advisory.Info // Serial is empty if there was none that could be read
	Same     bool          // the database was there already: nothing was done
}

// ErrOlder is for a snapshot older than what is installed.
var ErrOlder = errors.New("the snapshot is older than the database installed")

// ErrBase is for a delta to another database than the one installed.
var ErrBase = errors.New("the delta does not apply to the database installed")

// Import puts the database of a snapshot in the place whose lock is held. With
// an error the database is as it was.
func Import(ctx context.Context, lock *install.Lock, path string, o ImportOptions, at func(install.Step) error) (res *Result, err error) {
	s, err := open(path, o.Key)
	if err != nil {
		return nil, fmt.Errorf("importing %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, s.file.Close()) }()
	m := &s.manifest
	if m.Format != db.Format {
		return nil, fmt.Errorf("importing %s: its database has format %d, this program reads %d: export it with a program of the same version", path, m.Format, db.Format)
	}
	res = &Result{Manifest: *m}
	old, before, err := installed(lock.Path())
	switch {
	case err == nil:
		res.Before = before
	case m.Kind == Delta:
		return nil, fmt.Errorf("importing %s: %w: it needs %s: %w", path, ErrBase, m.Base.Serial, err)
	case errors.Is(err, db.ErrMissing), errors.Is(err, db.ErrDamaged), errors.Is(err, db.ErrFormat):
		// A whole database replaces it, whatever is wrong with it.
	default:
		return nil, fmt.Errorf("importing %s: %w", path, err)
	}
	switch {
	case res.Before.Serial == m.Database.Serial:
		res.Info, res.Same = res.Before, true
		return res, nil
	case !o.AllowOlder && m.Built.Before(res.Before.Built):
		return nil, fmt.Errorf("importing %s: %w: it was built %s, that one %s; --allow-older goes back", path, ErrOlder, m.Built.Format(time.RFC3339), res.Before.Built.Format(time.RFC3339))
	case m.Kind == Delta:
		if sum := sha256.Sum256(old); digestOf(sum[:]) != m.Base.Digest {
			return nil, fmt.Errorf("importing %s: %w: it needs %s, installed is %s; import the deltas between in their order, or a whole snapshot", path, ErrBase, m.Base.Serial, res.Before.Serial)
		}
	}
	if err := s.checkPayload(); err != nil {
		return nil, fmt.Errorf("importing %s: %w", path, err)
	}
	err = lock.Replace(install.Replacement{
		Write: func(f *os.File) error {
			if err := s.unpack(old, f); err != nil {
				return fmt.Errorf("importing %s: %w", path, err)
			}
			return ctx.Err()
		},
		Verify: func(path string) error {
			_, info, err := installed(path)
			switch {
			case err != nil:
				return err
			case info.Serial != m.Database.Serial || !info.Built.Equal(m.Built):
				return fmt.Errorf("%w: its manifest tells of another database than it holds", ErrMalformed)
			}
			res.Info = info
			return nil
		},
		At: at,
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// installed reads a database wholly and verifies it.
func installed(path string) ([]byte, advisory.Info, error) {
	l, d, err := load(path)
	if err != nil {
		return nil, advisory.Info{}, err
	}
	info, err := d.Info()
	if err = errors.Join(err, d.Close()); err != nil {
		return nil, advisory.Info{}, err
	}
	return l.data, info, nil
}
