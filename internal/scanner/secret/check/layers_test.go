package check

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// found is what a test expects of a layer: the source range as text.
type found struct {
	Source, Text, Encoding string
}

func layersOf(text string) []found {
	var out []found
	for l := range Layers([]byte(text)) {
		out = append(out, found{text[l.Start:l.End], string(l.Text), l.Encoding})
	}
	return out
}

func TestLayers(t *testing.T) {
	const plain = "DB_PASSWORD=correct horse battery staple ÄÖ>>??"
	std, raw := base64.StdEncoding.EncodeToString([]byte(plain)), base64.RawURLEncoding.EncodeToString([]byte(plain))
	hexed := hex.EncodeToString([]byte(plain))
	percent := url.QueryEscape("postgres://" + "user:pass word@host/db")
	percentPlain := "postgres://" + "user:pass+word@host/db"
	var wide []byte
	for _, c := range []byte("Connect-Server -Password hunter2") {
		wide = append(wide, c, 0)
	}
	utf16 := base64.StdEncoding.EncodeToString(wide)
	long := strings.Repeat("name: value, number 17\n", 12)
	wrapped := strings.TrimRight(strings.Join(split(base64.StdEncoding.EncodeToString([]byte(long)), 64), "\n    "), "\n ")
	twice := base64.StdEncoding.EncodeToString([]byte("token: " + std))
	thrice := base64.StdEncoding.EncodeToString([]byte("again: " + twice))

	tests := []struct {
		name, text string
		want       []found
	}{
		{"nothing", "func main() { veryLongIdentifierNameOfSomeJavaClassFactory() }", nil},
		{"empty", "", nil},
		{"short", "key: " + base64.StdEncoding.EncodeToString([]byte("only a few")), nil},
		{"padded", "data:\n  secret: " + std + "\n", []found{{std, plain, "base64"}}},
		{"url alphabet", "k=\"" + raw + "\"", []found{{raw, plain, "base64"}}},
		{"at both ends", std, []found{{std, plain, "base64"}}},
		{"behind a path", "/secrets/" + raw, []found{{raw, plain, "base64"}}},
		{"hexadecimal", "x'" + hexed + "'", []found{{hexed, plain, "hexadecimal"}}},
		{"hexadecimal behind 0x", "0x" + hexed + ";", []found{{hexed, plain, "hexadecimal"}}},
		{"hash", "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709 md5 7215ee9c7d9dc229d2921a40e899ec5f", nil},
		{"percent", "?dsn=" + percent + "&x=1", []found{{percent, percentPlain, "percent-encoding"}}},
		{"format verbs", `fmt.Printf("%d %s %v a long format string without escapes %x", a, b, c)`, nil},
		{"UTF-16", "powershell -enc " + utf16, []found{{utf16, "Connect-Server -Password hunter2", "base64 of UTF-16"}}},
		{"wrapped", "blob: |\n    " + wrapped + "\nnext: 1\n", []found{{wrapped, long, "base64"}}},
		{"within another", "x: " + twice, []found{{twice, "token: " + std, "base64"}, {twice, "token: " + plain, "base64 inside base64"}}},
		{"three deep", "x: " + thrice, []found{{thrice, "again: " + twice, "base64"}, {thrice, "again: token: " + std, "base64 inside base64"}, {thrice, "again: token: " + plain, "base64 inside base64 inside base64"}}},
		{"binary", "k: " + base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\x02\x03\x04\x05\x06")), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, layersOf(tt.text)); diff != "" {
				t.Errorf("Layers(%q): (-want +got)\n%s", tt.text, diff)
			}
		})
	}
}

func split(s string, n int) []string {
	var out []string
	for len(s) > n {
		out, s = append(out, s[:n]), s[n:]
	}
	return append(out, s)
}

// A run is found wherever it starts: only one byte in 24 is probed.
func TestLayersAtEveryOffset(t *testing.T) {
	enc := base64.StdEncoding.EncodeToString([]byte("exactly 18 bytes.."))
	if len(enc) != minRun {
		t.Fatalf("the run has %d bytes, want %d", len(enc), minRun)
	}
	for before := range 3 * minRun {
		for after := range 3 {
			text := strings.Repeat(" ", before) + enc + strings.Repeat(";", after)
			if got := layersOf(text); len(got) != 1 || got[0].Source != enc {
				t.Errorf("%d bytes before, %d after: got %v", before, after, got)
			}
		}
	}
}

func TestLayersStopEarly(t *testing.T) {
	enc := base64.StdEncoding.EncodeToString([]byte("some text that is readable"))
	n := 0
	for range Layers([]byte(strings.Repeat(enc+"\n", 10) + url.QueryEscape("a b c d e f g h i j k l m"))) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d layers after break, want 1", n)
	}
}

// hostile inputs must not take more than time linear in their length.
func TestLayersLinear(t *testing.T) {
	const size = 4 << 20
	line := base64.StdEncoding.EncodeToString([]byte("readable first line of forty-eight bytes, really"))
	bad := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff, 0, 1}, 16))
	for name, unit := range map[string]string{
		"one letter": "A", "slashes": "abcdefghijklmnopqrstuvwxyz/", "percent": "%", "escapes": "%41", "mixed": "ab-c+d/e_",
		"lines": line + "\n", "lines that fail": line + "\n" + bad + "\n" + bad + "\n", "hexadecimal": "61",
		"nested": base64.StdEncoding.EncodeToString([]byte(line+line)) + "\n", "glued percent": "abc%2", "almost hexadecimal": strings.Repeat("61", 200) + "g",
	} {
		text := []byte(strings.Repeat(unit, size/len(unit)))
		start := time.Now()
		decoded := 0
		for l := range Layers(text) {
			decoded += len(l.Text)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%s: %v for %d bytes", name, took, len(text))
		}
		if decoded > len(text) {
			t.Errorf("%s: %d bytes decoded of %d", name, decoded, len(text))
		}
	}
}

func FuzzLayers(f *testing.F) {
	enc := base64.StdEncoding.EncodeToString([]byte("user:password and some more"))
	f.Add([]byte(enc))
	f.Add([]byte(hex.EncodeToString([]byte(enc))))
	f.Add([]byte(url.QueryEscape("https://" + "user:pa ss@host/path")))
	f.Add([]byte(strings.Repeat(enc+"==\n", 3)))
	f.Fuzz(func(t *testing.T, text []byte) {
		total := 0
		before := bytes.Clone(text)
		for l := range Layers(text) {
			total += len(l.Text)
			if l.Start < 0 || l.End > len(text) || l.End-l.Start < minRun {
				t.Errorf("range %d–%d of %d bytes", l.Start, l.End, len(text))
			}
			if l.Depth < 1 || l.Depth > maxDepth || !readable(l.Text) {
				t.Errorf("depth %d, text %q", l.Depth, l.Text)
			}
		}
		if total > max(len(text), minBudget) {
			t.Errorf("%d bytes decoded of %d", total, len(text))
		}
		if !bytes.Equal(before, text) {
			t.Error("the input was changed")
		}
	})
}

// BenchmarkLayers runs over this project's source code and over text
// made of encoded lines.
func BenchmarkLayers(b *testing.B) {
	var source []byte
	for _, dir := range []string{".", "../assign", "../rule", "../../../source/gitstore"} {
		files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, name := range files {
			c, err := os.ReadFile(name)
			if err != nil {
				b.Fatal(err)
			}
			source = append(source, c...)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	var encoded, random []byte
	for i := range 20000 {
		encoded = fmt.Appendf(encoded, "k%d: %s\n", i, base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "user-%d:some words %d", i, r.Uint64())))
		random = fmt.Appendf(random, "%016x%016x%016x\n", r.Uint64(), r.Uint64(), r.Uint64())
	}
	for _, in := range []struct {
		name string
		text []byte
	}{{"source", source}, {"encoded", encoded}, {"hashes", random}} {
		b.Run(in.name, func(b *testing.B) {
			b.SetBytes(int64(len(in.text)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = 0
				for range Layers(in.text) {
					n++
				}
			}
			b.ReportMetric(float64(n), "layers")
		})
	}
}
