package report

import (
	"unicode/utf8"

	"bulwark/internal/finding"
)

// characters returns the columns of l counted in characters (Unicode code
// points) instead of bytes, for forms that want them. It is known from the
// excerpt alone, so three cases exist: the excerpt reaches back to the start of
// the line, and the characters before the mark are counted; the excerpt was cut
// there but is plain ASCII, as the lines of more than 240 bytes that are cut
// nearly always are, and bytes are taken for characters; otherwise the columns
// are unknown and 0.
//
// The found value itself is masked in the excerpt, so its length is taken in
// bytes: exact for credentials, which are ASCII.
func characters(l finding.Location) (start, end int) {
	if l.StartLine < 1 || l.StartColumn < 1 {
		return 0, 0
	}
	start = l.StartColumn
	from, _ := marks(l)
	switch {
	case l.Excerpt != "" && from == l.StartColumn-1:
		start = utf8.RuneCountInString(l.Excerpt[:from]) + 1
	case !ascii(l.Excerpt):
		return 0, 0
	}
	switch {
	case l.EndColumn < 1:
		return start, 0
	case l.EndLine > l.StartLine:
		return start, l.EndColumn
	case l.EndLine == l.StartLine && l.EndColumn > l.StartColumn:
		return start, start + l.EndColumn - l.StartColumn
	}
	return start, 0
}

// ascii reports whether s is plain ASCII but for the ellipses that masking and
// cutting put there.
func ascii(s string) bool {
	for _, r := range s {
		if r >= utf8.RuneSelf && r != '…' {
			return false
		}
	}
	return true
}
