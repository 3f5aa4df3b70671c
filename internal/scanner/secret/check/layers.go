package check

import (
	"bytes"
	"iter"
	"unicode"
	"unicode/utf8"
)

const (
	// minRun is the shortest encoded run that is decoded, in bytes: 24
	// characters of base64 hold 18 bytes, fewer than most credentials have.
	minRun = 24
	// maxDepth is how many encodings are looked through.
	maxDepth = 5
	// minBudget is how many bytes may be decoded in all of a small text.
	minBudget = 4 << 10
	// minLine is the shortest line of base64 that may continue on the next one,
	// in bytes. Encoders break at 60, 64 or 76.
	minLine = 48
)

// Layer is text that stands encoded in a text.
type Layer struct {
	Start, End int    // range of the encoded run in the text given to Layers, in bytes
	Text       []byte // decoded; UTF-8
	Encoding   string // "base64", "hexadecimal", "percent-encoding", "base64 inside base64", …
	Depth      int    // 1, or more for what was found within another layer; its range is the outermost one's
}

// Layers yields the readable texts that stand in text encoded as base64
// (standard or URL alphabet, padded or not, also broken into lines, also of
// UTF-16), hexadecimal digits or percent-encoding, in runs of at least 24
// characters, and those within them. At least nine of ten decoded characters are
// printable. Each byte of text is looked at a fixed number of times, and all
// layers together are not longer than text (4 KiB for a smaller one).
func Layers(text []byte) iter.Seq[Layer] {
	return func(yield func(Layer) bool) {
		w := walker{budget: max(len(text), minBudget), yield: yield}
		w.walk(text, Layer{})
	}
}

type walker struct {
	budget int // bytes that may still be decoded
	yield  func(Layer) bool
	pieces []piece // of the layer being looked into
}

// walk looks at text, which is the whole input or the decoded layer outer. It
// returns false when nothing more is wanted.
func (w *walker) walk(text []byte, outer Layer) bool {
	if outer.Depth == 0 {
		return w.percent(text, outer) && w.runs(text, outer)
	}
	// Within a layer all runs of one encoding are put in their places at once:
	// what stands around and between them may be what gives them a meaning.
	for _, look := range []func([]byte, Layer) bool{w.percent, w.runs} {
		w.pieces = nil
		look(text, outer)
		pieces := w.pieces
		if len(pieces) == 0 {
			continue
		}
		var whole []byte
		at := 0
		for _, p := range pieces {
			if p.start < at {
				continue
			}
			whole = append(append(whole, text[at:p.start]...), p.decoded...)
			at = p.end
		}
		whole = append(whole, text[at:]...)
		l := Layer{
			Start: outer.Start, End: outer.End, Text: whole,
			Encoding: pieces[0].encoding + " inside " + outer.Encoding, Depth: outer.Depth + 1,
		}
		return w.give(l)
	}
	return true
}

// piece is an encoded run within a layer.
type piece struct {
	start, end int
	decoded    []byte
	encoding   string
}

// emit yields the layer found at [start,end) of the text and looks into it, or
// keeps it as a piece of the next one.
func (w *walker) emit(outer Layer, start, end int, decoded []byte, encoding string) bool {
	if outer.Depth > 0 {
		w.pieces = append(w.pieces, piece{start, end, bytes.Clone(decoded), encoding})
		return true
	}
	return w.give(Layer{Start: start, End: end, Text: decoded, Encoding: encoding, Depth: 1})
}

// give yields a layer within the budget and looks into it.
func (w *walker) give(l Layer) bool {
	if len(l.Text) > w.budget {
		return true
	}
	w.budget -= len(l.Text)
	if !w.yield(l) {
		return false
	}
	if l.Depth < maxDepth {
		return w.walk(l.Text, l)
	}
	return true
}

// Classes of bytes.
const (
	inStd     = 1 << iota // base64, standard alphabet
	inURL                 // base64, URL alphabet
	inHex                 // hexadecimal digit
	inPercent             // may stand in percent-encoded text: unreserved (RFC 3986) and +
	inSlash               // of base64, but no letter or digit: / and +
	inDash                // the same of the URL alphabet: - and _

	inSeparator = inSlash | inDash
)

var classes = func() (t [256]uint8) {
	for _, c := range []byte(base62) {
		t[c] = inStd | inURL | inPercent
		if hexValue(c) >= 0 {
			t[c] |= inHex
		}
	}
	t['+'] |= inStd | inPercent | inSlash
	t['/'] |= inStd | inSlash
	t['-'] |= inURL | inPercent | inDash
	t['_'] |= inURL | inPercent | inDash
	t['.'] |= inPercent
	t['~'] |= inPercent
	return t
}()

const inRun = inStd | inURL

// runs finds runs of base64 and hexadecimal characters. A run of minRun bytes
// covers at least one multiple of minRun, so that only those are probed.
func (w *walker) runs(text []byte, outer Layer) bool {
	done := 0 // everything before is dealt with
	for probe := minRun - 1; probe < len(text); probe += minRun {
		if classes[text[probe]]&inRun == 0 {
			continue
		}
		start, end := probe, probe+1
		for start > done && classes[text[start-1]]&inRun != 0 {
			start--
		}
		for end < len(text) && classes[text[end]]&inRun != 0 {
			end++
		}
		done = end
		if end-start >= minRun {
			stop, ok := w.run(text, start, end, outer)
			if !ok {
				return false
			}
			done = stop
		}
		if next := done - done%minRun - 1; next > probe {
			probe = next
		}
	}
	return true
}

// run tries to decode text[start:end). It returns where to go on, which is
// behind end if the run continued on further lines.
func (w *walker) run(text []byte, start, end int, outer Layer) (next int, ok bool) {
	run := text[start:end]
	next = end
	if from, decoded := decodeHexRun(run); decoded != nil {
		return next, w.emit(outer, start+from, end, decoded, "hexadecimal")
	}
	if promising(run) {
		if decoded, utf16, ok := decodeRun(run); ok {
			stop := end
			if joined, last := joinLines(text, start, end); last != end {
				next = last // even if it fails: no line is joined twice
				if all, wide, ok := decodeRun(joined); ok {
					decoded, utf16, stop = all, wide, last
				}
			}
			return next, w.emit(outer, start, padded(text, stop), decoded, base64Name(utf16))
		}
	}
	// The run may be glued to something else: a path, a prefix, a name.
	if !separated(run, inSeparator) {
		return next, true
	}
	for _, separators := range [...]uint8{inSlash, inDash, inSeparator} {
		found := false
		for at := 0; len(run)-at >= minRun; {
			n := 0
			for at+n < len(run) && classes[run[at+n]]&separators == 0 {
				n++
			}
			if n >= minRun {
				from, decoded, how := decodePart(run[at : at+n])
				if decoded != nil {
					found = true
					if !w.emit(outer, start+at+from, padded(text, start+at+n), decoded, how) {
						return next, false
					}
				}
			}
			at += n + 1
		}
		if found {
			break
		}
	}
	return next, true
}

// separated reports whether the run has one of the separators.
func separated(run []byte, separators uint8) bool {
	for _, c := range run {
		if classes[c]&separators != 0 {
			return true
		}
	}
	return false
}

// decodePart decodes part of a run into text, or returns nil.
func decodePart(part []byte) (from int, decoded []byte, encoding string) {
	if from, decoded := decodeHexRun(part); decoded != nil {
		return from, decoded, "hexadecimal"
	}
	if promising(part) {
		if decoded, utf16, ok := decodeRun(part); ok {
			return 0, decoded, base64Name(utf16)
		}
	}
	return 0, nil, ""
}

func base64Name(utf16 bool) string {
	if utf16 {
		return "base64 of UTF-16"
	}
	return "base64"
}

// padded includes up to two equals signs behind end.
func padded(text []byte, end int) int {
	for n := 0; n < 2 && end < len(text) && text[end] == '='; n++ {
		end++
	}
	return end
}

// joinLines joins a run that fills its line with those on the following lines,
// so long as each but the last is as long as the first.
func joinLines(text []byte, start, end int) (joined []byte, stop int) {
	width := end - start
	joined, stop = text[start:end], end
	if width < minLine || width%4 != 0 {
		return joined, stop
	}
	for at := end; ; {
		i := at
		if i < len(text) && text[i] == '\r' {
			i++
		}
		if i >= len(text) || text[i] != '\n' {
			break
		}
		i++
		for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
			i++
		}
		j := i
		for j < len(text) && j-i <= width && classes[text[j]]&inRun != 0 {
			j++
		}
		if j == i || j-i > width {
			break
		}
		if at == end {
			joined = bytes.Clone(joined)
		}
		joined = append(joined, text[i:j]...)
		stop, at = j, j
		if j-i < width {
			break
		}
	}
	return joined, stop
}

// promising decodes the first minRun characters and reports whether they may
// begin a text. It is what most runs of ordinary source code fail.
func promising(run []byte) bool {
	var b [minRun / 4 * 3]byte
	for i := 0; i < minRun/4; i++ {
		v0, v1, v2, v3 := sextet[run[4*i]], sextet[run[4*i+1]], sextet[run[4*i+2]], sextet[run[4*i+3]]
		b[3*i], b[3*i+1], b[3*i+2] = v0<<2|v1>>4, v1<<4|v2>>2, v2<<6|v3
	}
	odd, zeros := 0, 0
	for i, c := range b {
		switch {
		case c == 0 && i%2 == 1:
			zeros++
		case c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0x7f || c == 0xc0 || c == 0xc1 || c >= 0xf5:
			odd++
		case c >= 0x80 && c < 0xc0 && (i == 0 || b[i-1] < 0x80): // continues nothing
			odd++
		case c < 0x80 && i > 0 && b[i-1] >= 0xc0: // a beginning not continued
			odd++
		}
	}
	return odd <= 1 && (zeros == 0 || zeros >= len(b)/2-1)
}

// sextet is the value of a character of either base64 alphabet.
var sextet = func() (t [256]byte) {
	for i, c := range []byte(letters + digits) {
		t[c] = byte(i)
	}
	t['+'], t['-'], t['/'], t['_'] = 62, 62, 63, 63
	return t
}()

// decodeRun decodes base64 of either alphabet into text. A mixture of both
// alphabets is refused.
func decodeRun(run []byte) (decoded []byte, utf16, ok bool) {
	n := len(run) / 4 * 3
	switch len(run) % 4 {
	case 1:
		run = run[:len(run)-1] // something else follows
	case 2:
		n++
	case 3:
		n += 2
	}
	std, url := false, false
	out := make([]byte, 0, n+2)
	var acc uint32
	for i, c := range run {
		std = std || c == '+' || c == '/'
		url = url || c == '-' || c == '_'
		acc = acc<<6 | uint32(sextet[c])
		if i%4 == 3 {
			out = append(out, byte(acc>>16), byte(acc>>8), byte(acc))
		}
	}
	if std && url {
		return nil, false, false
	}
	switch len(run) % 4 {
	case 2:
		out = append(out, byte(acc>>4))
	case 3:
		out = append(out, byte(acc>>10), byte(acc>>2))
	}
	if narrow, is := narrowUTF16(out); is {
		return narrow, true, readable(narrow)
	}
	return out, false, readable(out)
}

// narrowUTF16 turns little-endian UTF-16 of the first 256 characters, as
// PowerShell takes it, into UTF-8.
func narrowUTF16(b []byte) ([]byte, bool) {
	if len(b) < 8 || b[1] != 0 || b[3] != 0 {
		return nil, false
	}
	out := make([]byte, 0, len(b)/2+1)
	for i := 0; i+1 < len(b); i += 2 {
		if b[i+1] != 0 {
			return nil, false
		}
		out = utf8.AppendRune(out, rune(b[i]))
	}
	return out, len(out) <= len(b)
}

// readable reports whether at least nine of ten characters are printable.
func readable(b []byte) bool {
	good, all := 0, 0
	for len(b) > 0 {
		all++
		if c := b[0]; c < utf8.RuneSelf {
			if (c >= ' ' && c < 0x7f) || c == '\n' || c == '\r' || c == '\t' {
				good++
			}
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError && unicode.IsPrint(r) {
			good++
		}
		b = b[n:]
	}
	return all > 0 && good*10 >= all*9
}

// decodeHexRun decodes hexadecimal digits, perhaps behind 0x, into text, or
// returns nil. From is the offset of the first digit.
func decodeHexRun(run []byte) (from int, decoded []byte) {
	if len(run) > 2 && run[0] == '0' && (run[1] == 'x' || run[1] == 'X') {
		from = 2
	}
	run = run[from:]
	if len(run) < minRun || len(run)%2 != 0 {
		return 0, nil
	}
	for i := 0; i < minRun; i += 2 { // most runs fail here
		if hi, lo := hexValue(run[i]), hexValue(run[i+1]); hi < 0 || lo < 0 || hi == 1 || hi > 7 {
			return 0, nil
		}
	}
	for _, c := range run {
		if classes[c]&inHex == 0 {
			return 0, nil
		}
	}
	decoded = make([]byte, len(run)/2)
	for i := range decoded {
		decoded[i] = byte(hexValue(run[2*i])<<4 | hexValue(run[2*i+1]))
	}
	if !readable(decoded) || distinct(string(decoded[:min(len(decoded), 64)])) < 4 {
		return 0, nil
	}
	return from, decoded
}

// percent finds percent-encoded components: runs of unreserved characters and
// escapes with at least one escape.
func (w *walker) percent(text []byte, outer Layer) bool {
	for done := 0; ; {
		n := bytes.IndexByte(text[done:], '%')
		if n < 0 {
			return true
		}
		at := done + n
		if !escape(text, at) {
			done = at + 1
			continue
		}
		start, end := at, at
		for start > done && classes[text[start-1]]&inPercent != 0 {
			start--
		}
		for end < len(text) {
			if escape(text, end) {
				end += 3
			} else if classes[text[end]]&inPercent != 0 {
				end++
			} else {
				break
			}
		}
		done = end
		if end-start < minRun {
			continue
		}
		decoded := make([]byte, 0, end-start)
		for i := start; i < end; i++ {
			switch c := text[i]; c {
			case '%':
				decoded = append(decoded, byte(hexValue(text[i+1])<<4|hexValue(text[i+2])))
				i += 2
			default:
				decoded = append(decoded, c)
			}
		}
		if readable(decoded) && !w.emit(outer, start, end, decoded, "percent-encoding") {
			return false
		}
	}
}

// escape reports whether %HH stands at text[at:].
func escape(text []byte, at int) bool {
	return at+2 < len(text) && text[at] == '%' && classes[text[at+1]]&classes[text[at+2]]&inHex != 0
}
