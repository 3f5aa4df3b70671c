package version

import (
	"slices"
	"strings"
)

// Sort returns the versions that the order knows, ascending and each once, and
// apart from them those that it does not, by text. Versions that the order makes
// no difference between stand by text.
func (o *Order) Sort(versions []string) (sorted, unordered []string) {
	parsed := make([]Version, 0, len(versions))
	for _, text := range versions {
		v, err := o.Parse(text)
		if err != nil {
			unordered = append(unordered, text)
			continue
		}
		parsed = append(parsed, v)
	}
	failed := false
	sortParsed(parsed, &failed)
	if failed {
		// Two versions parse and yet have no order: no sequence of the whole
		// can be trusted.
		unordered = append(unordered, texts(parsed)...)
		parsed = nil
	}
	slices.Sort(unordered)
	return slices.Compact(texts(parsed)), slices.Compact(unordered)
}

func sortParsed(parsed []Version, failed *bool) {
	// Sorted by text first, the result does not depend on the input's sequence
	// even where a rule of the library is not transitive.
	slices.SortFunc(parsed, func(a, b Version) int { return strings.Compare(a.text, b.text) })
	pointers := make([]*Version, len(parsed))
	for i := range parsed {
		pointers[i] = &parsed[i]
	}
	slices.SortStableFunc(pointers, func(a, b *Version) int {
		c, err := a.Compare(b)
		if err != nil {
			*failed = true
			return strings.Compare(a.text, b.text)
		}
		return c
	})
	ordered := make([]Version, len(pointers))
	for i, p := range pointers {
		ordered[i] = *p
	}
	copy(parsed, ordered)
}

func texts(parsed []Version) []string {
	out := make([]string, len(parsed))
	for i := range parsed {
		out[i] = parsed[i].text
	}
	return out
}

// SmallestAbove is the smallest of candidates that comes after current: the
// smallest update that leaves a range. Candidates that the order does not know
// are passed over. It is empty if there is none; an error means that current
// itself has no place in the order.
func (o *Order) SmallestAbove(current string, candidates []string) (string, error) {
	from, err := o.Parse(current)
	if err != nil {
		return "", err
	}
	sorted, _ := o.Sort(candidates)
	for _, text := range sorted {
		v, err := o.Parse(text)
		if err != nil {
			return "", err
		}
		c, err := v.Compare(&from)
		if err != nil {
			return "", err
		}
		if c > 0 {
			return text, nil
		}
	}
	return "", nil
}
