package gitstore

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func deflated(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func inflateSamples() [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 70000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 300000)
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 9)
	}
	return [][]byte{
		nil, []byte("a"), []byte("hello, hello, hello"),
		bytes.Repeat([]byte("a"), 100000), bytes.Repeat([]byte("abc"), 5000), bytes.Repeat([]byte("0123456"), 5000),
		noise, skewed, []byte(strings.Repeat("func main() { return nil }\n", 3000)),
		append(bytes.Repeat(noise[:500], 20), skewed[:40000]...),
	}
}

func TestUnzlib(t *testing.T) {
	for i, want := range inflateSamples() {
		for _, level := range []int{0, 1, 6, 9, zlib.HuffmanOnly} {
			z := deflated(t, want, level)
			got := make([]byte, len(want))
			n, err := unzlib(got, append(bytes.Clone(z), "following"...))
			if err != nil || n != len(z) || !bytes.Equal(got, want) {
				t.Fatalf("sample %d level %d: took %d of %d, error %v, equal %v", i, level, n, len(z), err, bytes.Equal(got, want))
			}
			if _, err := unzlib(make([]byte, len(want)+1), z); !errors.Is(err, errSize) {
				t.Errorf("sample %d level %d: a size too large: %v", i, level, err)
			}
			if len(want) > 0 {
				if _, err := unzlib(make([]byte, len(want)-1), z); !errors.Is(err, errSize) {
					t.Errorf("sample %d level %d: a size too small: %v", i, level, err)
				}
			}
			for cut := 0; cut < len(z); cut += 1 + len(z)/50 {
				if _, err := unzlib(got, z[:cut]); !errors.Is(err, errShortInput) {
					t.Errorf("sample %d level %d cut at %d: %v", i, level, cut, err)
				}
			}
			p := make([]byte, min(20, len(want)))
			if n, err := unzlibPrefix(p, z); err != nil || !bytes.Equal(p[:n], want[:len(p)]) {
				t.Errorf("sample %d level %d: prefix %q, error %v", i, level, p[:n], err)
			}
		}
	}
}

// FuzzUnzlib checks that whatever the standard library inflates comes out the
// same here, and that nothing else does.
func FuzzUnzlib(f *testing.F) {
	for _, s := range inflateSamples() {
		if len(s) < 80000 {
			f.Add(deflated(f, s, 6))
			f.Add(deflated(f, s, 1))
		}
	}
	f.Fuzz(func(t *testing.T, z []byte) {
		var want []byte
		in := bytes.NewReader(z)
		r, err := zlib.NewReader(in)
		if err == nil {
			want, err = io.ReadAll(io.LimitReader(r, 1<<20))
		}
		if len(want) == 1<<20 {
			return
		}
		got := make([]byte, len(want))
		n, gotErr := unzlib(got, z)
		if err != nil {
			if gotErr == nil {
				t.Fatalf("accepted what the standard library refuses: %v", err)
			}
			return
		}
		if gotErr != nil || !bytes.Equal(got, want) || n != len(z)-in.Len() {
			t.Fatalf("got %d bytes, took %d, error %v; want %d bytes, %d", len(got), n, gotErr, len(want), len(z)-in.Len())
		}
		unzlibPrefix(make([]byte, 32), z)
	})
}

func BenchmarkUnzlib(b *testing.B) {
	data := []byte(strings.Repeat("func main() { return nil }\n", 3000))
	for i := range data {
		if i%7 == 3 {
			data[i] = byte('a' + i*i%23)
		}
	}
	z := deflated(b, data, 6)
	dst := make([]byte, len(data))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := unzlib(dst, z); err != nil {
			b.Fatal(err)
		}
	}
}
