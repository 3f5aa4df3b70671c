package secret

import (
	"slices"

	"bulwark/internal/scanner/secret/check"
)

// What is spliced around a decoded run, in bytes, so that a rule that needs
// the name it is assigned to still sees it.
const (
	contextBefore = 256
	contextAfter  = 64
)

// decode looks behind base64, hexadecimal and percent encoding: each decoded
// run is put in the place of the encoded one and its surroundings are examined
// again.
func (x *examination) decode() error {
	content := x.text
	defer func() { x.text, x.layer = content, nil }()
	for _, part := range x.encoded(content) {
		for l := range check.Layers(content[part.lo:part.hi]) {
			if err := x.ctx.Err(); err != nil {
				return err
			}
			start, end := part.lo+l.Start, part.lo+l.End
			if start < x.own.lo || (start >= x.own.hi && !x.c.Last) {
				continue
			}
			if seen := (&layer{source: span{start, end}}).seen(); !x.fresh.near(seen.lo, seen.hi) {
				continue
			}
			from := max(0, start-contextBefore)
			to := min(len(content), end+contextAfter)
			x.text = slices.Concat(content[from:start], l.Text, content[end:to])
			x.layer = &layer{
				source: span{start, end}, decoded: span{start - from, start - from + len(l.Text)},
				before: from, how: l.Encoding,
			}
			if err := x.look(); err != nil {
				return err
			}
		}
	}
	return nil
}

// runEdge is how far behind an encoded run it is still told where it ends, in bytes.
const runEdge = 4

// encodedFar is how far an encoded run is followed from where it is fresh, in bytes.
const encodedFar = 256 << 10

// encoded returns the parts of the content in which encoded runs are to be
// looked for: those that are fresh, with every run whose surroundings are.
func (x *examination) encoded(content []byte) []span {
	if x.fresh == nil {
		return []span{{0, len(content)}}
	}
	parts := x.words.parts[:0]
	for _, f := range x.fresh {
		lo, hi := max(0, f.lo-contextAfter-runEdge), min(len(content), f.hi+contextBefore+runEdge)
		if n := len(parts); n > 0 && parts[n-1].hi >= hi {
			continue
		} else if n > 0 && parts[n-1].hi >= lo {
			lo = parts[n-1].lo
			parts = parts[:n-1]
		} else {
			lo = runStart(content, lo, max(0, lo-encodedFar))
		}
		hi = runEnd(content, hi, min(len(content), hi+encodedFar))
		if n := len(parts); n > 0 && parts[n-1].hi >= lo {
			lo = parts[n-1].lo
			parts = parts[:n-1]
		}
		parts = append(parts, span{lo, hi})
	}
	x.words.parts = parts
	return parts
}

// runByte tells the bytes of encoded runs.
var runByte = func() (t [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_~-.%") {
		t[b] = true
	}
	return t
}()

// runStart returns where the run begins, on this line or on one before, that goes
// on at at, but not less than floor.
func runStart(text []byte, at, floor int) int {
	for {
		for at > floor && runByte[text[at-1]] {
			at--
		}
		i := at
		for i > floor && (text[i-1] == ' ' || text[i-1] == '\t') {
			i--
		}
		if i == floor || text[i-1] != '\n' {
			return at
		}
		i--
		if i > floor && text[i-1] == '\r' {
			i--
		}
		if i == floor || !runByte[text[i-1]] {
			return at
		}
		at = i
	}
}

// runEnd returns where the run ends, on this line or on one below, that goes on at
// at, but not more than ceiling.
func runEnd(text []byte, at, ceiling int) int {
	for {
		for at < ceiling && runByte[text[at]] {
			at++
		}
		i := at
		if i < ceiling && text[i] == '\r' {
			i++
		}
		if i >= ceiling || text[i] != '\n' {
			return at
		}
		i++
		for i < ceiling && (text[i] == ' ' || text[i] == '\t') {
			i++
		}
		if i >= ceiling || !runByte[text[i]] {
			return at
		}
		at = i
	}
}
