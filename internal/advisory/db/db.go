// Package db keeps what is known of packages in one immutable file that is
// mapped into memory: which versions are affected by which vulnerability, what
// is known of attacks, and when release cycles end. It builds the file, opens
// it in constant time and answers from it without reading the rest.
//
// It does not fetch anything, does not decide whether an advisory matters, and
// does not protect against somebody who can write the file and recompute its
// checksums: a signed snapshot does. Whatever the file holds, reading it gives
// an answer or an error, never a panic. It must not be cut short while it is
// open: a new state is written beside it and renamed over it.
package db

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/klauspost/compress/zstd"

	"bulwark/internal/advisory"
)

// Why a database cannot be used. All say what to do.
var (
	ErrMissing = errors.New("there is no advisory database; run `bulwark db update` to build it")
	ErrDamaged = errors.New("the advisory database is damaged; run `bulwark db update` to build it anew")
	ErrFormat  = errors.New("the advisory database is not of this program's format; run `bulwark db update` to build it anew")
	// ErrUnknown is for a vulnerability that the database does not hold.
	ErrUnknown = errors.New("the advisory database does not hold it")
)

// DB is an open database. It may be used by several goroutines; Close must
// come after all of them.
type DB struct {
	image *image
	unmap func() error
	meta  func() (meta, error)

	mu      sync.Mutex
	decoder *zstd.Decoder
	cache   [4]cachedBlock // the last blocks read
	next    int            // of cache, to be replaced
}

// Open maps a database. The error wraps ErrMissing, ErrDamaged or ErrFormat, or
// is the system's.
func Open(path string) (*DB, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("opening %s: %w", path, ErrMissing)
		}
		return nil, fmt.Errorf("opening the advisory database: %w", err)
	}
	db, err := FromBytes(data)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, errors.Join(err, unmap()))
	}
	db.unmap = unmap
	return db, nil
}

// FromBytes opens a database that is in memory. The bytes must stay as they are
// until Close.
func FromBytes(data []byte) (*DB, error) {
	im, err := openImage(data)
	if err != nil {
		return nil, err
	}
	db := &DB{image: im}
	db.meta = sync.OnceValues(db.readMeta)
	return db, nil
}

// Close ends the use of the database.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.decoder != nil {
		db.decoder.Close()
		db.decoder = nil
	}
	if db.unmap == nil {
		return nil
	}
	unmap := db.unmap
	db.unmap = nil
	// No page is left to read: what asks later gets an error, not a fault.
	db.image.sections = [sectionCount]span{}
	if err := unmap(); err != nil {
		return fmt.Errorf("closing the advisory database: %w", err)
	}
	return nil
}

// Verify reads the whole file and compares it with its SHA-256.
func (db *DB) Verify() error { return db.image.verify() }

// Info is the database's account of itself.
func (db *DB) Info() (advisory.Info, error) {
	m, err := db.meta()
	return m.Info, err
}

func (db *DB) readMeta() (meta, error) {
	data, err := db.image.view(secMeta, 0, db.image.size(secMeta))
	if err != nil {
		return meta{}, err
	}
	var m meta
	if err := json.Unmarshal(data, &m); err != nil {
		return meta{}, fault("reading its account: %v", err)
	}
	m.Info.Serial = hex.EncodeToString(db.image.digest[:])
	return m, nil
}

// search finds one of n sorted entries; compare is negative if the entry comes
// before what is looked for.
func search(n int, compare func(i int) (int, error)) (int, bool, error) {
	low, high := 0, n
	for low < high {
		middle := int(uint(low+high) >> 1)
		c, err := compare(middle)
		if err != nil {
			return 0, false, err
		}
		switch {
		case c == 0:
			return middle, true, nil
		case c < 0:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, false, nil
}
