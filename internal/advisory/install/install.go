// Package install puts an advisory database in its place, so that at any moment,
// power loss included, the old or the new one stands there whole, and only one
// process at a time changes it. What the file holds is for others to say.
package install

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	lockSuffix = ".lock"
	tempInfix  = ".tmp-"
	pollEvery  = 100 * time.Millisecond
	maxHolder  = 4096 // bytes of a lock file that are read
)

// Holder says who changes a database.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d on %s, since %s", h.PID, h.Host, h.Since.UTC().Format(time.RFC3339))
}

// Lock is the right to change one database. The system takes it back when the
// process ends, however it ends.
type Lock struct {
	path string // of the database
	file *os.File
}

// Acquire waits until nobody else changes the database at path. The folder is
// made if need be. If it has to wait, it calls waiting once. An end of ctx ends
// the wait with an error that names the holder.
func Acquire(ctx context.Context, path string, now time.Time, waiting func(Holder)) (*Lock, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(abs), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of the advisory database: %w", err)
	}
	// The file is never removed: whoever waits for a removed file waits for
	// nothing.
	f, err := os.OpenFile(abs+lockSuffix, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the advisory database: %w", err)
	}
	said := false
	for {
		got, err := tryLock(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("locking the advisory database: %w", err), f.Close())
		}
		if got {
			break
		}
		holder := readHolder(f)
		if !said && waiting != nil {
			waiting(holder)
		}
		said = true
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("waiting to update %s, which is being updated by %s: %w", abs, holder, context.Cause(ctx)), f.Close())
		case <-time.After(pollEvery):
		}
	}
	l := &Lock{abs, f}
	if err := l.sign(now); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := l.clean(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// Path is the database's absolute path.
func (l *Lock) Path() string { return l.path }

// Close gives the right back.
func (l *Lock) Close() error { return l.file.Close() }

// sign writes who holds the lock, for the message of those that wait.
func (l *Lock) sign(now time.Time) error {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	data, err := json.Marshal(Holder{os.Getpid(), host, now.UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("signing the lock: %w", err)
	}
	if _, err := l.file.WriteAt(append(data, '\n'), 0); err != nil {
		return fmt.Errorf("signing the lock: %w", err)
	}
	return nil
}

// readHolder reads who holds a lock, as far as that can be read: it may just be
// written.
func readHolder(f *os.File) Holder {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxHolder))
	var h Holder
	if err != nil || json.Unmarshal(data, &h) != nil {
		return Holder{}
	}
	h.Host = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, h.Host)
	return h
}

// clean removes what dead runs left: whoever holds the lock knows that none of
// their files is still written.
func (l *Lock) clean() error {
	dir, base := filepath.Split(l.path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking for files of interrupted updates: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), base+tempInfix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a file of an interrupted update: %w", err)
		}
	}
	return nil
}

// Step names the points between which a replacement can be interrupted; tests
// interrupt it there.
type Step string

// The steps, in their order.
const (
	Created  Step = "created"  // the new file is there and empty
	Written  Step = "written"  // it is whole but perhaps not on the disk
	Verified Step = "verified" // and was read again
	Synced   Step = "synced"   // and is on the disk
	Renamed  Step = "renamed"  // it has the place of the old one
	Done     Step = "done"     // and that is on the disk
)

// Replacement says how a database is replaced.
type Replacement struct {
	// Write writes the new file.
	Write func(f *os.File) error
	// Verify reads the new file; an error leaves the old one in place.
	Verify func(path string) error
	// At: Optional: is called at each step; an error stops there.
	At func(Step) error
}

// Replace puts a new file in the database's place.
func (l *Lock) Replace(r Replacement) (err error) {
	at := func(s Step) error {
		if r.At == nil {
			return nil
		}
		return r.At(s)
	}
	dir, base := filepath.Split(l.path)
	f, err := os.CreateTemp(dir, base+tempInfix+"*")
	if err != nil {
		return fmt.Errorf("writing the advisory database: %w", err)
	}
	temp := f.Name()
	open := true
	defer func() {
		if open {
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			if gone := os.Remove(temp); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}()
	if err := at(Created); err != nil {
		return err
	}
	if err := r.Write(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("writing the advisory database: %w", err)
	}
	if err := at(Written); err != nil {
		return err
	}
	if err := r.Verify(temp); err != nil {
		return fmt.Errorf("verifying the new advisory database: %w; the old one stays", err)
	}
	if err := at(Verified); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("writing the advisory database to disk: %w", err)
	}
	open = false
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing the advisory database: %w", err)
	}
	if err := at(Synced); err != nil {
		return err
	}
	if err := os.Rename(temp, l.path); err != nil {
		return fmt.Errorf("putting the advisory database in its place: %w", err)
	}
	if err := at(Renamed); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("writing the folder of the advisory database to disk: %w", err)
	}
	return at(Done)
}
