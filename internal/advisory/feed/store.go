package feed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// store keeps what was fetched beside the database, so that the next update
// fetches only what changed. Files are named by their digest and checked when
// they are used; one that is damaged or gone is fetched again. Whoever uses a
// store holds the database's lock.
type store struct {
	dir  string
	old  remembered
	next remembered
}

const (
	storeSuffix = ".feeds"
	stateName   = "state.json"
	maxState    = 16 << 20
)

// remembered is the file state.json.
type remembered struct {
	Version int                   `json:"version"`
	Files   map[string]kept       `json:"files"` // by public address
	Sets    map[string]keptSource `json:"sets"`  // by public address of the ecosystem
}

// kept is one file as it was fetched.
type kept struct {
	validators
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// keptSource is what is kept of one ecosystem.
type keptSource struct {
	Index   kept `json:"index"`   // modified_id.csv
	Archive kept `json:"archive"` // all.zip
	Delta   kept `json:"delta"`   // records fetched since, as a zip; may be none
	// Missing are records that the index lists and that could not be had in
	// the state that it lists; they are asked for again.
	Missing []string `json:"missing,omitempty"`
}

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of fetched sources: %w", err)
	}
	s := &store{dir: dir, next: remembered{Version: 1, Files: map[string]kept{}, Sets: map[string]keptSource{}}}
	data, err := readAll(filepath.Join(dir, stateName), maxState)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("reading what was fetched before: %w", err)
	case json.Unmarshal(data, &s.old) != nil || s.old.Version != 1:
		s.old = remembered{} // of another version, or damaged: all is fetched anew
	}
	return s, s.sweep(s.old)
}

func readAll(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(&bounded{r: f, most: most})
}

// sweep removes what a state does not name.
func (s *store) sweep(state remembered) error {
	named := map[string]bool{stateName: true}
	for _, k := range state.Files {
		named[k.SHA256] = true
	}
	for _, set := range state.Sets {
		named[set.Index.SHA256], named[set.Archive.SHA256], named[set.Delta.SHA256] = true, true, true
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("tidying what was fetched before: %w", err)
	}
	for _, e := range entries {
		// Only what a store makes is removed.
		ours := len(e.Name()) == 2*sha256.Size || strings.HasPrefix(e.Name(), "tmp-")
		if named[e.Name()] || !ours || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
			return fmt.Errorf("tidying what was fetched before: %w", err)
		}
	}
	return nil
}

// commit remembers the new state.
func (s *store) commit() error {
	data, err := json.MarshalIndent(s.next, "", " ")
	if err != nil {
		return err
	}
	k, err := s.put(func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	})
	if err == nil {
		err = os.Rename(s.path(k), filepath.Join(s.dir, stateName))
	}
	if err != nil {
		return fmt.Errorf("remembering what was fetched: %w", err)
	}
	return s.sweep(s.next)
}

func (s *store) path(k kept) string { return filepath.Join(s.dir, k.SHA256) }

// put keeps what write writes.
func (s *store) put(write func(io.Writer) error) (k kept, err error) {
	w, err := s.create()
	if err != nil {
		return k, err
	}
	defer func() { err = errors.Join(err, w.discard()) }()
	if err := write(w); err != nil {
		return k, err
	}
	return w.keep()
}

// incoming is a file that is being written.
type incoming struct {
	s    *store
	f    *os.File
	hash hash.Hash
	n    int64
	done bool
}

func (s *store) create() (*incoming, error) {
	f, err := os.CreateTemp(s.dir, "tmp-*")
	if err != nil {
		return nil, fmt.Errorf("keeping what is fetched: %w", err)
	}
	return &incoming{s: s, f: f, hash: sha256.New()}, nil
}

func (w *incoming) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.hash.Write(p[:n])
	w.n += int64(n)
	return n, err
}

// reset forgets what was written.
func (w *incoming) reset() error {
	w.hash.Reset()
	w.n = 0
	if _, err := w.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return w.f.Truncate(0)
}

// keep gives the file its name.
func (w *incoming) keep() (kept, error) {
	k := kept{SHA256: hex.EncodeToString(w.hash.Sum(nil)), Size: w.n}
	w.done = true
	if err := errors.Join(w.f.Sync(), w.f.Close()); err != nil {
		return k, fmt.Errorf("keeping what is fetched: %w", err)
	}
	if err := os.Rename(w.f.Name(), w.s.path(k)); err != nil {
		return k, fmt.Errorf("keeping what is fetched: %w", err)
	}
	return k, nil
}

// discard removes a file that was not kept.
func (w *incoming) discard() error {
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.f.Close(), os.Remove(w.f.Name()))
}

// intact reports whether a kept file is as it was.
func (s *store) intact(k kept) bool {
	if len(k.SHA256) != 2*sha256.Size || strings.Trim(k.SHA256, "0123456789abcdef") != "" {
		return false
	}
	f, err := os.Open(s.path(k))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // only read
	sum, n, err := digest(f)
	return err == nil && n == k.Size && sum == k.SHA256
}

func digest(r io.Reader) (sum string, n int64, err error) {
	h := sha256.New()
	if n, err = io.Copy(h, r); err != nil {
		return "", n, err
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// fetch brings a file here, or leaves the one that is here if the server says
// that it is current.
func (s *store) fetch(ctx context.Context, c *client, address string, old kept, most int64) (k kept, same bool, err error) {
	known := validators{}
	if old.SHA256 != "" && s.intact(old) {
		known = old.validators
	}
	w, err := s.create()
	if err != nil {
		return k, false, err
	}
	defer func() { err = errors.Join(err, w.discard()) }()
	v, same, err := c.get(ctx, address, known, most, w, w.reset)
	if err != nil {
		return k, false, err
	}
	if same {
		return old, true, nil
	}
	if k, err = w.keep(); err != nil {
		return k, false, err
	}
	k.validators = v
	return k, k.SHA256 == old.SHA256, nil
}

// open opens a kept file.
func (s *store) open(k kept) (*os.File, error) {
	f, err := os.Open(s.path(k))
	if err != nil {
		return nil, fmt.Errorf("reading what was fetched: %w", err)
	}
	return f, nil
}
