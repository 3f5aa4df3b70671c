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
	for l := range check.Layers(content) {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		if l.Start < x.own.lo || (l.Start >= x.own.hi && !x.c.Last) {
			continue
		}
		from := max(0, l.Start-contextBefore)
		to := min(len(content), l.End+contextAfter)
		spliced := slices.Concat(content[from:l.Start], l.Text, content[l.End:to])
		x.layer = &layer{
			source: span{l.Start, l.End}, decoded: span{l.Start - from, l.Start - from + len(l.Text)},
			before: from, how: l.Encoding,
		}
		x.text = spliced
		if err := x.look(); err != nil {
			return err
		}
	}
	return nil
}
