package textenc

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"
)

func encode16(s string, order binary.AppendByteOrder, bom bool) []byte {
	var b []byte
	if bom {
		b = order.AppendUint16(b, 0xFEFF)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func encode32(s string, order binary.AppendByteOrder) []byte {
	b := order.AppendUint32(nil, 0xFEFF)
	for _, r := range s {
		b = order.AppendUint32(b, uint32(r))
	}
	return b
}

const sample = "password = \"größe\" # 漢字 😀\r\n"

func TestSniffAndDecode(t *testing.T) {
	long := strings.Repeat(sample, 5000)
	le, be := binary.LittleEndian, binary.BigEndian
	tests := []struct {
		name  string
		input []byte
		enc   Encoding
		text  string
	}{
		{"empty", nil, UTF8, ""},
		{"ASCII", []byte("abc"), UTF8, "abc"},
		{"UTF-8", []byte(long), UTF8, long},
		{"Latin-1", []byte("gr\xf6\xdfe"), UTF8, "gr\xf6\xdfe"},
		{"UTF-8 with mark", append([]byte("\ufeff"), long...), UTF8BOM, long},
		{"only the mark", []byte("\ufeff"), UTF8BOM, ""},
		{"UTF-16LE with mark", encode16(long, le, true), UTF16LE, long},
		{"UTF-16BE with mark", encode16(long, be, true), UTF16BE, long},
		{"UTF-16LE", encode16(long, le, false), UTF16LE, long},
		{"UTF-16BE", encode16(long, be, false), UTF16BE, long},
		{"UTF-16LE, only the mark", []byte{0xff, 0xfe}, UTF16LE, ""},
		{"UTF-16LE with mark, Chinese", encode16("漢字漢字漢字", le, true), UTF16LE, "漢字漢字漢字"},
		{"UTF-32LE", encode32(long, le), UTF32LE, long},
		{"UTF-32BE", encode32(long, be), UTF32BE, long},
		{"unpaired surrogate", append(encode16(strings.Repeat("text ", 20), le, true), 0, 0xd8, 'x', 0), UTF16LE, strings.Repeat("text ", 20) + "\ufffdx"},
		{"odd length", append(encode16("text", le, true), 'x'), UTF16LE, "text\ufffd"},
		{"surrogate out of range in UTF-32", append(encode32(sample, le), 0, 0xd8, 0, 0), UTF32LE, sample + "\ufffd"},
		{"ELF", []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00>\x00\x01\x00\x00\x00"), Binary, ""},
		{"one NUL in text", []byte("hello\x00world, this is text"), Binary, ""},
		{"zeros", make([]byte, 9000), Binary, ""},
		{"marks before binary", append([]byte{0xff, 0xfe}, bytes.Repeat([]byte{1, 0, 3, 0, 0, 0}, 100)...), Binary, ""},
		{"NUL behind what git looks at", append(bytes.Repeat([]byte("x"), SniffLen), 0), UTF8, strings.Repeat("x", SniffLen) + "\x00"},
		{"32-bit integers", bytes.Repeat([]byte{65, 0, 0, 0}, 100), Binary, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			head := tt.input[:min(len(tt.input), SniffLen)]
			r, enc := Decode(head, bytes.NewReader(tt.input[len(head):]))
			if enc != tt.enc {
				t.Fatalf("encoding = %v, want %v", enc, tt.enc)
			}
			if enc == Binary {
				tt.text = string(tt.input)
			}
			got, err := io.ReadAll(r)
			if err != nil || string(got) != tt.text {
				t.Errorf("decoded %d bytes, err %v; want %d bytes", len(got), err, len(tt.text))
			}
			slow, err := io.ReadAll(iotest.OneByteReader(NewReader(iotest.OneByteReader(bytes.NewReader(tt.input)), enc)))
			if err != nil || string(slow) != tt.text {
				t.Errorf("byte by byte: %d bytes, err %v; want %d bytes", len(slow), err, len(tt.text))
			}
			if whole := Append(nil, enc, tt.input); string(whole) != tt.text {
				t.Errorf("Append: %d bytes, want %d", len(whole), len(tt.text))
			}
		})
	}
}

func TestReaderPassesErrors(t *testing.T) {
	r := NewReader(io.MultiReader(bytes.NewReader(encode16("text", binary.LittleEndian, true)), iotest.ErrReader(io.ErrNoProgress)), UTF16LE)
	got, err := io.ReadAll(r)
	if err != io.ErrNoProgress || string(got) != "text" {
		t.Errorf("ReadAll = %q, %v; want the text read so far and the error", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range [][]byte{[]byte(sample), encode16(sample, binary.LittleEndian, true), encode16(sample, binary.BigEndian, false), encode32(sample, binary.BigEndian)} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, split uint8) {
		enc := Sniff(data)
		whole := Append(nil, enc, data)
		r := NewReader(io.MultiReader(bytes.NewReader(data[:min(len(data), int(split))]), bytes.NewReader(data[min(len(data), int(split)):])), enc)
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("%v: streaming and whole decoding differ (%v)", enc, err)
		}
		if enc >= UTF16LE && enc <= UTF32BE && !utf8.Valid(whole) {
			t.Fatalf("%v: the result is not UTF-8", enc)
		}
		if len(whole) > 2*len(data)+4 {
			t.Fatalf("%v: %d bytes became %d", enc, len(data), len(whole))
		}
	})
}

func BenchmarkSniff(b *testing.B) {
	head := bytes.Repeat([]byte("x"), SniffLen)
	b.SetBytes(SniffLen)
	for b.Loop() {
		Sniff(head)
	}
}
