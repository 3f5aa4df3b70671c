// Package cache remembers what scanners said of contents, so that the second
// look at a file costs a look-up. It holds opaque payloads by key in immutable
// segment files; a damaged, foreign or vanished segment is a miss, never an
// error and never a wrong answer. It must not be given secret values: what is
// cached lies on disk in the clear.
//
// A segment is, with little-endian numbers:
//
//	magic "BWC1" | count u32 | count × (key [20] | offset u32 | length u32 | crc32c u32) | sha-256 of all before [32] | payloads
//
// with ascending keys and offsets from the start of the payloads.
package cache

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultMaxSize bounds the whole cache folder, in bytes.
const DefaultMaxSize = 512 << 20

const (
	magic      = "BWC1"
	keySize    = 20
	entrySize  = keySize + 12
	headSize   = 8
	maxEntries = 8 << 20
	maxPayload = 64 << 20 // of one segment's payloads together
	mergeAt    = 6        // segments of one partition
	suffix     = ".seg"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Key identifies what was looked at, by whom and by which rules.
type Key [keySize]byte

// KeyOf hashes the parts of a key. Parts are kept apart: ("a", "bc") and
// ("ab", "c") differ.
func KeyOf(parts ...string) Key {
	var stack [256]byte
	b := stack[:0]
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	return Key(sum[:keySize])
}

// Cache is one partition of a cache folder: what is known of one asset. It is
// safe for concurrent use.
type Cache struct {
	root     string // the cache folder
	dir      string // the partition
	maxSize  int64
	segments []*segment

	mu      sync.Mutex
	added   map[Key][]byte
	size    int
	touched map[Key]struct{} // found in segments during this run
}

type segment struct {
	path     string
	file     *os.File
	index    []byte // count × entrySize
	payloads int64  // offset in the file
	size     int64
}

// Open opens the partition of an asset in the cache folder root, making both
// if needed. The partition is any stable text, such as the asset's folder.
// maxSize bounds the folder in bytes; 0 means DefaultMaxSize.
func Open(root, partition string, maxSize int64) (*Cache, error) {
	sum := sha256.Sum256([]byte(partition))
	c := &Cache{
		root: root, dir: filepath.Join(root, "results-1", hex.EncodeToString(sum[:10])),
		maxSize: cmp.Or(maxSize, DefaultMaxSize), added: map[Key][]byte{}, touched: map[Key]struct{}{},
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the cache in %s: %w; choose another folder with --cache-dir or none with --no-cache", root, err)
	}
	names, err := filepath.Glob(filepath.Join(c.dir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("opening the cache in %s: %w", root, err)
	}
	for _, name := range names {
		if s := openSegment(name); s != nil {
			c.segments = append(c.segments, s)
		} else {
			_ = os.Remove(name) // damaged: of no use to anybody
		}
	}
	return c, nil
}

// openSegment reads and checks the index of a segment; nil if it is damaged.
func openSegment(path string) *segment {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	s := &segment{path: path, file: f}
	if !s.readIndex() {
		_ = f.Close()
		return nil
	}
	return s
}

func (s *segment) readIndex() bool {
	st, err := s.file.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return false
	}
	s.size = st.Size()
	var head [headSize]byte
	if _, err := s.file.ReadAt(head[:], 0); err != nil || string(head[:4]) != magic {
		return false
	}
	n := int64(binary.LittleEndian.Uint32(head[4:]))
	if n > maxEntries || headSize+n*entrySize+sha256.Size > s.size {
		return false
	}
	buf := make([]byte, headSize+n*entrySize+sha256.Size)
	if _, err := s.file.ReadAt(buf, 0); err != nil {
		return false
	}
	body := buf[:len(buf)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], buf[len(body):]) {
		return false
	}
	s.index = body[headSize:]
	s.payloads = int64(len(buf))
	return true
}

func (s *segment) find(k Key) (offset, length, sum uint32, ok bool) {
	lo, hi := 0, len(s.index)/entrySize
	for lo < hi {
		mid := (lo + hi) / 2
		e := s.index[mid*entrySize:]
		switch bytes.Compare(e[:keySize], k[:]) {
		case 0:
			return binary.LittleEndian.Uint32(e[keySize:]), binary.LittleEndian.Uint32(e[keySize+4:]), binary.LittleEndian.Uint32(e[keySize+8:]), true
		case -1:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0, 0, 0, false
}

// Get returns the payload of k. The payload may be empty.
func (c *Cache) Get(k Key) ([]byte, bool) {
	for _, s := range c.segments {
		offset, length, sum, ok := s.find(k)
		if !ok {
			continue
		}
		payload, ok := s.read(offset, length, sum)
		if !ok {
			continue
		}
		c.mu.Lock()
		c.touched[k] = struct{}{}
		c.mu.Unlock()
		return payload, true
	}
	return nil, false
}

func (s *segment) read(offset, length, sum uint32) ([]byte, bool) {
	if length == 0 {
		return nil, true
	}
	if length > maxPayload || s.payloads+int64(offset)+int64(length) > s.size {
		return nil, false
	}
	p := make([]byte, length)
	if _, err := s.file.ReadAt(p, s.payloads+int64(offset)); err != nil || crc32.Checksum(p, castagnoli) != sum {
		return nil, false
	}
	return p, true
}

// Put remembers the payload of k until Close writes it. Beyond a bound it
// forgets instead.
func (c *Cache) Put(k Key, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.added) >= maxEntries || c.size+len(payload) > maxPayload {
		return
	}
	c.added[k] = payload
	c.size += len(payload)
}

// Close writes what was put, as one new segment under its final name or not at
// all, and keeps the folder within its bound. An error means that the next run
// will know less, nothing else.
func (c *Cache) Close() error {
	err := c.write()
	for _, s := range c.segments {
		err = errors.Join(err, s.file.Close())
	}
	c.segments = nil
	return errors.Join(err, c.shrink())
}

func (c *Cache) write() error {
	if len(c.added) == 0 {
		return nil
	}
	var merged []*segment
	if len(c.segments) >= mergeAt {
		merged = c.merge()
	}
	data := encode(c.added)
	f, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(c.dir, hex.EncodeToString(id[:])+suffix))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the cache: %w", err), os.Remove(f.Name()))
	}
	for _, s := range merged {
		_ = os.Remove(s.path) // a later run removes it
	}
	return nil
}

// merge takes the entries of all segments into added: those used in this run
// first, then others while there is room. It returns the segments that are of
// no further use.
func (c *Cache) merge() []*segment {
	room := 2*(len(c.touched)+len(c.added)) + 1<<16
	take := func(used bool) {
		for _, s := range c.segments {
			for e := s.index; len(e) >= entrySize; e = e[entrySize:] {
				k := Key(e[:keySize])
				if _, is := c.touched[k]; is != used {
					continue
				}
				if _, have := c.added[k]; have || len(c.added) >= room {
					continue
				}
				p, ok := s.read(binary.LittleEndian.Uint32(e[keySize:]), binary.LittleEndian.Uint32(e[keySize+4:]), binary.LittleEndian.Uint32(e[keySize+8:]))
				if ok && c.size+len(p) <= maxPayload {
					c.added[k] = p
					c.size += len(p)
				}
			}
		}
	}
	take(true)
	take(false)
	return c.segments
}

func encode(entries map[Key][]byte) []byte {
	keys := make([]Key, 0, len(entries))
	total := 0
	for k, p := range entries {
		keys = append(keys, k)
		total += len(p)
	}
	slices.SortFunc(keys, func(a, b Key) int { return bytes.Compare(a[:], b[:]) })
	b := make([]byte, 0, headSize+len(keys)*entrySize+sha256.Size+total)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(keys)))
	offset := uint32(0)
	for _, k := range keys {
		p := entries[k]
		b = append(b, k[:]...)
		b = binary.LittleEndian.AppendUint32(b, offset)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(p, castagnoli))
		offset += uint32(len(p))
	}
	sum := sha256.Sum256(b)
	b = append(b, sum[:]...)
	for _, k := range keys {
		b = append(b, entries[k]...)
	}
	return b
}

// shrink removes the oldest segments until the folder is within its bound, and
// the remains of runs that were killed while writing.
func (c *Cache) shrink() error {
	type old struct {
		path string
		size int64
		mod  time.Time
	}
	var all []old
	var total int64
	root := filepath.Join(c.root, "results-1")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreGone(err)
		}
		if !strings.HasSuffix(path, suffix) {
			if time.Since(info.ModTime()) > time.Hour {
				return ignoreGone(os.Remove(path))
			}
			return nil
		}
		all = append(all, old{path, info.Size(), info.ModTime()})
		total += info.Size()
		return nil
	})
	if err != nil {
		return fmt.Errorf("bounding the cache: %w", err)
	}
	slices.SortFunc(all, func(a, b old) int { return a.mod.Compare(b.mod) })
	for _, o := range all {
		if total <= c.maxSize {
			break
		}
		if err := ignoreGone(os.Remove(o.path)); err != nil {
			return fmt.Errorf("bounding the cache: %w", err)
		}
		total -= o.size
	}
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
