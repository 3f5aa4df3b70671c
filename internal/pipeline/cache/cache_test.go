package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, root string, max int64) *Cache {
	t.Helper()
	c, err := Open(root, "asset", max)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func segments(t *testing.T, root string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "results-1", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func key(i int) Key { return KeyOf("test", fmt.Sprint(i)) }

func payload(i int) []byte {
	if i%3 == 0 {
		return nil // most files are clean
	}
	return fmt.Appendf(nil, "payload %d", i)
}

func TestRoundTrip(t *testing.T) {
	root := t.TempDir()
	const runs, each = 20, 50
	for run := range runs {
		c := open(t, root, 0)
		for i := range run * each {
			got, ok := c.Get(key(i))
			if !ok || string(got) != string(payload(i)) {
				t.Fatalf("run %d: entry %d: %q, %v", run, i, got, ok)
			}
		}
		if _, ok := c.Get(key(-1)); ok {
			t.Fatal("found what was never put")
		}
		for i := run * each; i < (run+1)*each; i++ {
			c.Put(key(i), payload(i))
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(segments(t, root)); n > mergeAt {
		t.Errorf("%d segments after %d runs: they are not merged", n, runs)
	}
}

func TestOtherPartitionKnowsNothing(t *testing.T) {
	root := t.TempDir()
	c := open(t, root, 0)
	c.Put(key(1), payload(1))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := Open(root, "another asset", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.Get(key(1)); ok {
		t.Error("an entry crossed partitions")
	}
}

// Whatever is done to a segment, the answer is the right one or none.
func TestDamageIsAMiss(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func([]byte) []byte
	}{
		{"empty", func(b []byte) []byte { return nil }},
		{"half", func(b []byte) []byte { return b[:len(b)/2] }},
		{"last byte missing", func(b []byte) []byte { return b[:len(b)-1] }},
		{"index byte flipped", func(b []byte) []byte { b[headSize+3] ^= 1; return b }},
		{"offset flipped", func(b []byte) []byte { b[headSize+keySize] ^= 0x40; return b }},
		{"count enlarged", func(b []byte) []byte { b[7] = 0xff; return b }},
		{"payload byte flipped", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
		{"other content", func(b []byte) []byte { return []byte("#!/bin/sh\n") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			c := open(t, root, 0)
			for i := range 30 {
				c.Put(key(i), payload(i))
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			files := segments(t, root)
			if len(files) != 1 {
				t.Fatalf("%d segments, want 1", len(files))
			}
			b, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], tc.damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			c = open(t, root, 0)
			misses := 0
			for i := range 30 {
				got, ok := c.Get(key(i))
				if !ok {
					misses++
				} else if string(got) != string(payload(i)) {
					t.Errorf("entry %d: wrong answer %q", i, got)
				}
			}
			if misses == 0 {
				t.Error("the damage went unnoticed")
			}
			c.Put(key(1), payload(1))
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBound(t *testing.T) {
	root := t.TempDir()
	const max = 20 << 10
	for run := range 8 {
		c := open(t, root, max)
		c.Put(key(run), make([]byte, 8<<10))
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		for _, f := range segments(t, root) {
			st, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			total += st.Size()
		}
		if total > max {
			t.Errorf("run %d: %d bytes, the bound is %d", run, total, max)
		}
	}
}

// A run that was killed while writing leaves a file that nobody takes for a
// segment.
func TestUnfinishedSegment(t *testing.T) {
	root := t.TempDir()
	c := open(t, root, 0)
	if err := os.WriteFile(filepath.Join(c.dir, "new-123"), []byte(magic), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c = open(t, root, 0); len(c.segments) != 0 {
		t.Error("an unfinished segment was opened")
	}
}

func FuzzSegment(f *testing.F) {
	f.Add(encode(map[Key][]byte{key(1): []byte("x"), key(2): nil}))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "a"+suffix)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := openSegment(path)
		if s == nil {
			return
		}
		defer s.file.Close()
		for i := range 4 {
			if offset, length, sum, ok := s.find(key(i)); ok {
				s.read(offset, length, sum)
			}
		}
	})
}

func BenchmarkOpenAndGet(b *testing.B) {
	root := b.TempDir()
	c, err := Open(root, "asset", 0)
	if err != nil {
		b.Fatal(err)
	}
	const n = 30_000
	keys := make([]Key, n)
	for i := range n {
		keys[i] = key(i)
		c.Put(keys[i], nil)
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c, err := Open(root, "asset", 0)
		if err != nil {
			b.Fatal(err)
		}
		for _, k := range keys {
			if _, ok := c.Get(k); !ok {
				b.Fatal("miss")
			}
		}
	}
}
