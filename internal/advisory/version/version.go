// Package version orders the versions of each ecosystem as its own tools do, so
// that a range of an advisory can be asked whether it holds a version.
//
// The rules are those of the semantic package of google/osv-scalibr, which the
// scanners of OSV use as well. This package adds what strangers' input needs:
// limits, a refusal of text that is no version (the library gives any text a
// place in the order), errors instead of panics, and a short way for versions
// that are plain numbers. It does not know ranges and does not choose updates.
package version

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/osv-scalibr/semantic"
)

// MaxLength is the limit on a version, in bytes.
const MaxLength = 1024

// ErrUnordered is the cause of every error of this package: the text has no
// place in the ecosystem's order.
var ErrUnordered = errors.New("not a version of the ecosystem's order")

// Version is a parsed version. It belongs to one Order and to one goroutine.
type Version struct {
	order *Order
	text  string
	// plain holds the numbers of a version that is nothing but numbers; count
	// is 0 for others.
	plain [maxPlain]uint32
	count int
	// parsed is nil for a plain version until it is compared with another kind.
	parsed semantic.Version
}

// String is the version as it was written.
func (v *Version) String() string { return v.text }

// Parse reads a version. The error wraps ErrUnordered.
func (o *Order) Parse(text string) (Version, error) {
	v := Version{order: o, text: text}
	if v.readPlain() {
		return v, nil
	}
	if reason := o.fault(text); reason != "" {
		return Version{}, fmt.Errorf("reading version %s by %s: %s: %w", quoted(text), o.name, reason, ErrUnordered)
	}
	var err error
	if v.parsed, err = o.parse(text); err != nil {
		return Version{}, err
	}
	return v, nil
}

// parse asks the library. It is not known to panic; a version from a stranger
// must not be what shows that it does.
func (o *Order) parse(text string) (v semantic.Version, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			v, err = nil, fmt.Errorf("reading version %s by %s: %v: %w", quoted(text), o.name, fault, ErrUnordered)
		}
	}()
	v, err = semantic.Parse(text, o.library)
	if err != nil {
		return nil, fmt.Errorf("reading version %s by %s: %w: %w", quoted(text), o.name, err, ErrUnordered)
	}
	return v, nil
}

// Compare is negative if v comes before w, positive if after, and zero if the
// ecosystem makes no difference between them. An error, which wraps
// ErrUnordered, means that they cannot be compared.
func (v *Version) Compare(w *Version) (int, error) {
	if v.order == nil || w.order == nil || v.order.library != w.order.library {
		return 0, fmt.Errorf("comparing versions %s and %s: they have different orders: %w", quoted(v.text), quoted(w.text), ErrUnordered)
	}
	if v.count > 0 && w.count > 0 {
		return v.comparePlain(w), nil
	}
	for _, one := range [...]*Version{v, w} {
		if one.parsed == nil {
			parsed, err := one.order.parse(one.text)
			if err != nil {
				return 0, err
			}
			one.parsed = parsed
		}
	}
	return v.compareParsed(w)
}

func (v *Version) compareParsed(w *Version) (c int, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			c, err = 0, fmt.Errorf("comparing versions %s and %s by %s: %v: %w", quoted(v.text), quoted(w.text), v.order.name, fault, ErrUnordered)
		}
	}()
	c, err = v.parsed.Compare(w.parsed)
	if err != nil {
		return 0, fmt.Errorf("comparing versions %s and %s by %s: %w: %w", quoted(v.text), quoted(w.text), v.order.name, err, ErrUnordered)
	}
	return c, nil
}

// quoted shortens a stranger's text for messages.
func quoted(text string) string {
	const most = 80
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

// maxPlain is how many numbers a plain version has at most.
const maxPlain = 5

// readPlain reads "1.2.3", with the leading "v" that some orders skip. Numbers
// with leading zeros or above nine digits are left to the library.
func (v *Version) readPlain() bool {
	most := v.order.plain
	if most == 0 {
		return false
	}
	s := v.text
	if v.order.letter {
		s = strings.TrimPrefix(s, "v")
	}
	count, start := 0, 0
	for start <= len(s) {
		end, n := start, uint32(0)
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			n = n*10 + uint32(s[end]-'0')
			end++
			if end-start > 9 {
				return false
			}
		}
		if end == start || (end-start > 1 && s[start] == '0') || count == most {
			return false
		}
		v.plain[count] = n
		count++
		if end == len(s) {
			v.count = count
			return true
		}
		if s[end] != '.' {
			return false
		}
		start = end + 1
	}
	return false
}

func (v *Version) comparePlain(w *Version) int {
	for i := range v.plain {
		switch a, b := v.plain[i], w.plain[i]; {
		case a < b:
			return -1
		case a > b:
			return 1
		}
	}
	if v.order.longer {
		switch {
		case v.count < w.count:
			return -1
		case v.count > w.count:
			return 1
		}
	}
	return 0
}
