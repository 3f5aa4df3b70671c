// Package textenc tells how text is encoded and turns it into UTF-8, so that
// every scanner sees one encoding. UTF-8, by far the most frequent, passes
// through untouched. It knows Unicode's encodings only: the 8-bit code pages are
// supersets of ASCII, and what scanners look for is ASCII; they pass as UTF-8
// with invalid bytes.
package textenc

import (
	"bytes"
	"encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding is how the bytes of a file stand for text.
type Encoding uint8

// The encodings.
const (
	UTF8    Encoding = iota // or any superset of ASCII without NUL bytes
	UTF8BOM                 // UTF-8 behind a byte order mark
	UTF16LE
	UTF16BE
	UTF32LE
	UTF32BE
	Binary // no text
)

var names = [...]string{"utf-8", "utf-8 with byte order mark", "utf-16le", "utf-16be", "utf-32le", "utf-32be", "binary"}

func (e Encoding) String() string {
	if int(e) < len(names) {
		return names[e]
	}
	return "unknown"
}

// SniffLen is how many bytes Sniff looks at; git, too, takes a file with a NUL
// among its first 8,000 bytes for binary.
const SniffLen = 8000

var (
	bomUTF8    = []byte{0xEF, 0xBB, 0xBF}
	bomUTF16LE = []byte{0xFF, 0xFE}
	bomUTF16BE = []byte{0xFE, 0xFF}
	bomUTF32LE = []byte{0xFF, 0xFE, 0, 0}
	bomUTF32BE = []byte{0, 0, 0xFE, 0xFF}
)

// Sniff tells the encoding from the first bytes of a file; it looks at no more
// than SniffLen of them. A byte order mark decides, unless what follows cannot
// be text. Without one, bytes that hold a NUL are UTF-16 if they read as such
// and binary otherwise.
func Sniff(head []byte) Encoding {
	head = head[:min(len(head), SniffLen)]
	if len(head) > 0 && head[0] >= 0xEF || len(head) >= 4 && head[0] == 0 {
		switch {
		case bytes.HasPrefix(head, bomUTF8):
			if bytes.IndexByte(head, 0) >= 0 {
				return Binary
			}
			return UTF8BOM
		case bytes.HasPrefix(head, bomUTF32LE) && plausible32(head[4:], binary.LittleEndian):
			return UTF32LE
		case bytes.HasPrefix(head, bomUTF32BE) && plausible32(head[4:], binary.BigEndian):
			return UTF32BE
		case bytes.HasPrefix(head, bomUTF16LE) && plausible16(head[2:], binary.LittleEndian):
			return UTF16LE
		case bytes.HasPrefix(head, bomUTF16BE) && plausible16(head[2:], binary.BigEndian):
			return UTF16BE
		}
	}
	if bytes.IndexByte(head, 0) < 0 {
		return UTF8
	}
	switch {
	case ascii16(head, binary.LittleEndian):
		return UTF16LE
	case ascii16(head, binary.BigEndian):
		return UTF16BE
	}
	return Binary
}

// plausible16 reports whether b reads as UTF-16: few units are control
// characters, halves of nothing or NUL.
func plausible16(b []byte, order binary.ByteOrder) bool {
	units, odd := 0, 0
	for i := 0; i+1 < len(b); i += 2 {
		u := rune(order.Uint16(b[i:]))
		units++
		switch {
		case utf16.IsSurrogate(u):
			if i+3 < len(b) && utf16.DecodeRune(u, rune(order.Uint16(b[i+2:]))) != utf8.RuneError {
				i += 2
			} else if i+3 < len(b) {
				odd++
			}
		case isControl(u), u == 0xFFFE, u == 0xFFFF:
			odd++
		}
	}
	return odd*20 <= units
}

// ascii16 reports whether most of b reads as ASCII written in UTF-16; for text
// without a byte order mark nothing weaker tells it from binary data.
func ascii16(b []byte, order binary.ByteOrder) bool {
	units, ascii := 0, 0
	for i := 0; i+1 < len(b); i += 2 {
		u := rune(order.Uint16(b[i:]))
		units++
		if u < utf8.RuneSelf && !isControl(u) {
			ascii++
		}
	}
	return units >= 4 && ascii*10 >= units*7 && plausible16(b, order)
}

func plausible32(b []byte, order binary.ByteOrder) bool {
	units, odd := 0, 0
	for i := 0; i+3 < len(b); i += 4 {
		u := order.Uint32(b[i:])
		units++
		if u > utf8.MaxRune || isControl(rune(u)) {
			odd++
		}
	}
	return odd*20 <= units
}

func isControl(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != 0x1b || r == 0x7f
}

// Decode returns a reader of r's content in UTF-8 and the encoding it had. Head
// is the start of that content, already read from r: at best SniffLen bytes.
func Decode(head []byte, r io.Reader) (io.Reader, Encoding) {
	e := Sniff(head)
	return NewReader(io.MultiReader(bytes.NewReader(head), r), e), e
}

// NewReader returns a reader of r's content, which is in e, in UTF-8. UTF-8 and
// binary content is r itself. Memory is bounded; what is no character becomes
// U+FFFD, so that decoding never fails, only reading does.
func NewReader(r io.Reader, e Encoding) io.Reader {
	if e == UTF8 || e == Binary || e > Binary {
		return r
	}
	return &reader{src: r, enc: e, first: true}
}

type reader struct {
	src   io.Reader
	enc   Encoding
	first bool
	raw   []byte // read, not yet decoded: less than one character between calls
	text  []byte // decoded, not yet returned
	buf   []byte // behind text
	err   error
}

const rawSize = 32 << 10

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.text) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}

func (r *reader) fill() {
	if r.buf == nil {
		r.raw = make([]byte, 0, rawSize)
		r.buf = make([]byte, 0, rawSize*3/2+utf8.UTFMax)
	}
	n, err := r.src.Read(r.raw[len(r.raw):cap(r.raw)])
	r.raw = r.raw[:len(r.raw)+n]
	r.err = err
	if r.first && (len(r.raw) >= 4 || err != nil) {
		r.raw = r.raw[:copy(r.raw, r.raw[bomLen(r.enc, r.raw):])]
		r.first = false
	} else if r.first {
		return
	}
	var used int
	r.text, used = decode(r.buf[:0], r.enc, r.raw, err != nil)
	r.raw = r.raw[:copy(r.raw, r.raw[used:])]
}

func bomLen(e Encoding, b []byte) int {
	var bom []byte
	switch e {
	case UTF8BOM:
		bom = bomUTF8
	case UTF16LE:
		bom = bomUTF16LE
	case UTF16BE:
		bom = bomUTF16BE
	case UTF32LE:
		bom = bomUTF32LE
	case UTF32BE:
		bom = bomUTF32BE
	}
	if bytes.HasPrefix(b, bom) {
		return len(bom)
	}
	return 0
}

// Append appends src, which is in e, to dst in UTF-8, without the byte order
// mark, and returns the extended slice. For UTF-8 and binary content a caller
// better uses src itself.
func Append(dst []byte, e Encoding, src []byte) []byte {
	dst, _ = decode(dst, e, src[bomLen(e, src):], true)
	return dst
}

// decode appends the characters of src to dst and returns how many bytes of src
// it used: all of them if last is set, else all but an unfinished character.
func decode(dst []byte, e Encoding, src []byte, last bool) ([]byte, int) {
	switch e {
	case UTF16LE:
		return decode16(dst, src, 0, 1, last)
	case UTF16BE:
		return decode16(dst, src, 1, 0, last)
	case UTF32LE:
		return decode32(dst, src, binary.LittleEndian, last)
	case UTF32BE:
		return decode32(dst, src, binary.BigEndian, last)
	}
	return append(dst, src...), len(src)
}

// decode16 decodes UTF-16 whose low and high bytes stand at the given places.
func decode16(dst, src []byte, low, high int, last bool) ([]byte, int) {
	i := 0
	for i+1 < len(src) {
		u := rune(src[i+low]) | rune(src[i+high])<<8
		if u < utf8.RuneSelf {
			dst = append(dst, byte(u))
			i += 2
			continue
		}
		if utf16.IsSurrogate(u) {
			if i+3 >= len(src) && !last {
				return dst, i
			}
			if i+3 < len(src) {
				if r := utf16.DecodeRune(u, rune(src[i+2+low])|rune(src[i+2+high])<<8); r != utf8.RuneError {
					dst = utf8.AppendRune(dst, r)
					i += 4
					continue
				}
			}
			u = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, u)
		i += 2
	}
	if last && i < len(src) {
		dst, i = utf8.AppendRune(dst, utf8.RuneError), len(src)
	}
	return dst, i
}

func decode32(dst, src []byte, order binary.ByteOrder, last bool) ([]byte, int) {
	i := 0
	for ; i+3 < len(src); i += 4 {
		u := order.Uint32(src[i:])
		r := utf8.RuneError
		if u <= utf8.MaxRune {
			r = rune(u) // AppendRune sees to surrogates
		}
		dst = utf8.AppendRune(dst, r)
	}
	if last && i < len(src) {
		dst, i = utf8.AppendRune(dst, utf8.RuneError), len(src)
	}
	return dst, i
}
