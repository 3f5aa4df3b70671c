// Package ignore decides which paths a .gitignore file, or a file of the same
// syntax such as .bulwarkignore, leaves out. It follows gitignore(5) to the
// letter, for people expect of these files what git does with them.
//
// It opens no file and walks no folder: the caller hands it the content of the
// files and asks about one path at a time, from the root downwards, and does
// not descend into a folder that is ignored. Letters are compared exactly,
// whatever core.ignoreCase says.
package ignore

import (
	"bytes"
	"strings"
)

// Limits of one file; what exceeds them is reported by Truncated.
const (
	MaxFile     = 1 << 20 // bytes
	MaxPatterns = 10_000
)

// Result is what the patterns say of a path.
type Result uint8

// The results.
const (
	Undecided Result = iota // no pattern matches
	Ignored                 // the last matching pattern leaves it out
	Included                // the last matching pattern begins with "!"
)

// List is a stack of ignore files, the weakest first. It is immutable; nil is
// the empty list.
type List struct {
	parent *List
	dir    string // where the file lies, with a trailing slash; "" at the root
	file   *file
	cut    bool // this or a weaker file exceeded a limit
}

// file holds the patterns of one ignore file, in order.
type file struct {
	patterns []pattern
	// literals lists, for a pattern that is a plain name, its positions;
	// others are the positions of the rest. Both ascend.
	literals map[string][]int32
	others   []int32
}

// Add returns l with the content of an ignore file that lies in the folder dir
// (slash-separated, relative to the root, "" for the root itself) and is
// stronger than those in l.
func (l *List) Add(dir string, content []byte) *List {
	f, cut := parse(content)
	cut = cut || l.Truncated()
	if len(f.patterns) == 0 && (l == nil || cut == l.cut) {
		if l != nil || !cut {
			return l
		}
	}
	if dir != "" {
		dir += "/"
	}
	return &List{parent: l, dir: dir, file: f, cut: cut}
}

// Truncated reports whether a file of the list was not taken in whole.
func (l *List) Truncated() bool { return l != nil && l.cut }

// Match says what the list says of a slash-separated path relative to the
// root. It looks at this path alone: a path below an ignored folder is ignored
// too, whatever Match says of it.
func (l *List) Match(path string, isDir bool) Result {
	name := path[strings.LastIndexByte(path, '/')+1:]
	for ; l != nil; l = l.parent {
		rel, ok := strings.CutPrefix(path, l.dir)
		if !ok {
			continue
		}
		if r := l.file.match(rel, name, isDir); r != Undecided {
			return r
		}
	}
	return Undecided
}

// IgnoredPath is Match for a path of which nothing is known yet: it asks for
// each folder on the way first. isDir is about the path itself.
func (l *List) IgnoredPath(path string, isDir bool) bool {
	if l == nil {
		return false
	}
	for i := 0; i < len(path); i++ {
		if path[i] == '/' && l.Match(path[:i], true) == Ignored {
			return true
		}
	}
	return l.Match(path, isDir) == Ignored
}

func (f *file) match(rel, name string, isDir bool) Result {
	best := int32(-1)
	lit := f.literals[name]
	for i := len(lit) - 1; i >= 0; i-- {
		if !f.patterns[lit[i]].dirOnly || isDir {
			best = lit[i]
			break
		}
	}
	for i := len(f.others) - 1; i >= 0 && f.others[i] > best; i-- {
		if f.patterns[f.others[i]].match(rel, name, isDir) {
			best = f.others[i]
		}
	}
	switch {
	case best < 0:
		return Undecided
	case f.patterns[best].negated:
		return Included
	}
	return Ignored
}

func parse(content []byte) (f *file, cut bool) {
	f = &file{literals: map[string][]int32{}}
	if len(content) > MaxFile {
		content, cut = content[:MaxFile], true
		// The last line may be half a pattern.
		content = content[:bytes.LastIndexByte(content, '\n')+1]
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	for len(content) > 0 {
		var line []byte
		line, content, _ = bytes.Cut(content, []byte("\n"))
		line = trim(bytes.TrimSuffix(line, []byte("\r")))
		// git reads C strings.
		line, _, _ = bytes.Cut(line, []byte{0})
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if len(f.patterns) == MaxPatterns {
			return f, true
		}
		p, ok := compile(line)
		if !ok {
			continue
		}
		i := int32(len(f.patterns))
		f.patterns = append(f.patterns, p)
		if !p.anchored && p.literal {
			f.literals[p.text] = append(f.literals[p.text], i)
		} else {
			f.others = append(f.others, i)
		}
	}
	return f, cut
}

// trim removes trailing spaces, but not one that a backslash protects.
func trim(line []byte) []byte {
	end := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			if i++; i == len(line) {
				return line
			}
		}
		end = i + 1
	}
	return line[:end]
}
