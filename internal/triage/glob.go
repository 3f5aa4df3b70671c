package triage

import (
	"errors"
	"strings"
)

// pathGlob is one gitignore-like pattern over slash-separated paths: a pattern
// without a slash (but at its end) names a file or folder at any depth, any other
// one starts at the root; a folder stands for everything below it. In a segment
// * is any text, ? any one byte, [a-z] and [!a-z] a set; ** as a segment is any
// number of segments.
type pathGlob struct {
	segments []string
	dirOnly  bool   // ended in a slash: names only folders
	prefix   string // literal text that every matching path starts with
	literal  bool   // no wildcard at all: prefix is the whole path
	anywhere string // a single segment that may match at any depth
	first    byte   // of anywhere, if it is literal; else 0
}

func newPathGlob(pattern string) (pathGlob, error) {
	switch {
	case strings.HasPrefix(pattern, "!"):
		return pathGlob{}, errors.New("a pattern cannot be negated here")
	case strings.Contains(pattern, "\x00"):
		return pathGlob{}, errors.New("the pattern holds a NUL byte")
	case strings.Count(pattern, "*") > 32:
		return pathGlob{}, errors.New("the pattern has more than 32 wildcards")
	}
	g := pathGlob{dirOnly: strings.HasSuffix(pattern, "/")}
	p := strings.TrimSuffix(pattern, "/")
	anchored := strings.Contains(p, "/")
	p = strings.TrimPrefix(p, "/")
	if p == "" {
		return pathGlob{}, errors.New("the pattern names nothing")
	}
	g.segments = strings.Split(p, "/")
	for _, s := range g.segments {
		if s == "" || s == "." || s == ".." {
			return pathGlob{}, errors.New("the pattern has an empty, . or .. segment")
		}
	}
	if !anchored {
		g.anywhere = p
		if strings.IndexByte(`*?[\`, p[0]) < 0 {
			g.first = p[0]
		}
		if p == "**" {
			g.anywhere, g.first = "*", 0
		}
		return g, nil
	}
	if i := strings.IndexAny(p, `*?[\`); i < 0 {
		g.prefix, g.literal = p, true
	} else {
		g.prefix = p[:i]
	}
	return g, nil
}

// match reports whether path, whose segments are names, or a folder above it,
// matches.
func (g *pathGlob) match(path string, names []string) bool {
	if g.anywhere != "" {
		for j, name := range names {
			if g.first != 0 && (name == "" || name[0] != g.first) || j == len(names)-1 && g.dirOnly {
				continue
			}
			if matchSegment(g.anywhere, name) {
				return true
			}
		}
		return false
	}
	if !strings.HasPrefix(path, g.prefix) {
		return false
	}
	if g.literal {
		if len(path) == len(g.prefix) {
			return !g.dirOnly
		}
		return path[len(g.prefix)] == '/'
	}
	// row[j]: the first i segments match exactly the first j names.
	row := make([]bool, len(names)+1)
	next := make([]bool, len(names)+1)
	row[0] = true
	for _, s := range g.segments {
		if s == "**" {
			for j := 1; j <= len(names); j++ {
				row[j] = row[j] || row[j-1]
			}
			continue
		}
		next[0] = false
		for j := 1; j <= len(names); j++ {
			next[j] = row[j-1] && matchSegment(s, names[j-1])
		}
		row, next = next, row
	}
	for j := 1; j < len(names); j++ {
		if row[j] { // a folder above
			return true
		}
	}
	return row[len(names)] && !g.dirOnly
}

// matchSegment matches one name against one segment, in time bounded by the
// product of their lengths: only the last * is ever gone back to.
func matchSegment(pattern, name string) bool {
	star, starName := -1, 0
	p, n := 0, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, starName = p, n
			p++
			continue
		}
		if p < len(pattern) {
			if width, ok := matchOne(pattern[p:], name[n]); ok {
				p += width
				n++
				continue
			}
		}
		if star < 0 {
			return false
		}
		starName++
		p, n = star+1, starName
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches the first element of pattern, which is not a *, against c
// and returns the element's length.
func matchOne(pattern string, c byte) (width int, ok bool) {
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == c
		}
	case '[':
		if width, in, valid := matchSet(pattern, c); valid {
			return width, in
		}
	}
	return 1, pattern[0] == c
}

// matchSet matches [abc], [a-z], [!a-z] and [^a-z].
func matchSet(pattern string, c byte) (width int, in, valid bool) {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, in != negated, true
		}
		low := pattern[i]
		high := low
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			high = pattern[i+2]
			i += 2
		}
		if low <= c && c <= high {
			in = true
		}
		i++
	}
	return 0, false, false
}

// matchID matches a rule id against a pattern in which * is any text.
func matchID(pattern, id string) bool { return matchSegment(pattern, id) }
