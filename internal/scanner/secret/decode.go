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

// Around a fresh range, encoded runs are looked for this far, in bytes, and
// further while the run goes on.
const (
	encodedNear = 512
	encodedFar  = 256 << 10
)

// encoded returns the parts of the content in which encoded runs are to be
// looked for.
func (x *examination) encoded(content []byte) []span {
	if x.c.Fresh == nil {
		return []span{{0, len(content)}}
	}
	var parts []span
	for _, f := range x.c.Fresh {
		lo, hi := max(0, f.From-encodedNear), min(len(content), f.To+encodedNear)
		for lo > 0 && f.From-lo < encodedFar && (tokenByte[content[lo-1]] || content[lo-1] == '\n') {
			lo--
		}
		for hi < len(content) && hi-f.To < encodedFar && (tokenByte[content[hi]] || content[hi] == '\n') {
			hi++
		}
		if n := len(parts); n > 0 && parts[n-1].hi >= lo {
			parts[n-1].hi = max(parts[n-1].hi, hi)
			continue
		}
		parts = append(parts, span{lo, hi})
	}
	return parts
}
