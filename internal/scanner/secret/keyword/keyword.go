// Package keyword finds every occurrence of a fixed set of words in one pass
// over the bytes (Aho and Corasick, "Efficient string matching", CACM 18(6),
// 1975), ignoring ASCII case. It tells where the expensive tests are worth
// making; it makes none itself.
package keyword

import (
	"fmt"
	"slices"
)

// MaxStates bounds the automaton: at 64 byte classes this is 64 MiB.
const MaxStates = 1 << 18

// Hit is one occurrence: content[Start:End] equals the word with index Word.
type Hit struct {
	Start, End int32
	Word       uint32
}

// Automaton is immutable and safe for concurrent use.
type Automaton struct {
	classes [256]uint8 // byte → class, ASCII upper case folded; 0: in no word
	shift   uint8
	next    []uint32 // premultiplied state + class → premultiplied state
	// States at or above firstOut (premultiplied) have output.
	firstOut uint32
	outFrom  []uint32 // by (state-firstOut)>>shift, index into outs; one more at the end
	outs     []uint32 // word indexes
	lengths  []int32  // by word
	longest  int
}

func fold(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// New builds the automaton of the words. Empty words are an error, as are so
// many words that MaxStates is exceeded.
func New(words []string) (*Automaton, error) {
	a := &Automaton{}
	classCount := 1
	for i, w := range words {
		if w == "" {
			return nil, fmt.Errorf("building keyword automaton: word %d is empty", i)
		}
		for _, b := range []byte(w) {
			b = fold(b)
			if a.classes[b] == 0 {
				a.classes[b] = uint8(classCount)
				classCount++
			}
		}
	}
	for b := byte('A'); b <= 'Z'; b++ {
		a.classes[b] = a.classes[fold(b)]
	}
	for 1<<a.shift < classCount {
		a.shift++
	}
	width := 1 << a.shift

	// The trie. Row s holds the children of state s; 0 means none.
	trie := make([]uint32, width)
	states := 1
	ends := map[uint32][]uint32{}
	for i, w := range words {
		s := uint32(0)
		for _, b := range []byte(w) {
			at := int(s)*width + int(a.classes[b])
			if trie[at] == 0 {
				if states == MaxStates {
					return nil, fmt.Errorf("building keyword automaton: more than %d states; use fewer or shorter keywords", MaxStates)
				}
				trie = append(trie, make([]uint32, width)...)
				trie[at] = uint32(states)
				states++
			}
			s = trie[at]
		}
		ends[s] = append(ends[s], uint32(i))
		a.lengths = append(a.lengths, int32(len(w)))
		a.longest = max(a.longest, len(w))
	}

	// Breadth first: complete the transitions, inherit the outputs of the
	// longest proper suffix.
	fail := make([]uint32, states)
	out := make([][]uint32, states)
	queue := make([]uint32, 0, states)
	for c := range width {
		if t := trie[c]; t != 0 {
			queue = append(queue, t)
		}
	}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		out[s] = append(slices.Clone(ends[s]), out[fail[s]]...)
		for c := range width {
			at := int(s)*width + c
			via := trie[int(fail[s])*width+c]
			if t := trie[at]; t != 0 {
				fail[t] = via
				queue = append(queue, t)
			} else {
				trie[at] = via
			}
		}
	}

	// Renumber: breadth-first order keeps the busy states together, states
	// with output come last so that one comparison finds them.
	order := make([]uint32, 1, states)
	for _, s := range queue {
		if len(out[s]) == 0 {
			order = append(order, s)
		}
	}
	quiet := len(order)
	for _, s := range queue {
		if len(out[s]) > 0 {
			order = append(order, s)
		}
	}
	renamed := make([]uint32, states)
	for n, s := range order {
		renamed[s] = uint32(n) << a.shift
	}
	a.firstOut = uint32(quiet) << a.shift
	a.next = make([]uint32, states*width)
	for n, s := range order {
		for c := range width {
			a.next[n*width+c] = renamed[trie[int(s)*width+c]]
		}
		if n >= quiet {
			a.outFrom = append(a.outFrom, uint32(len(a.outs)))
			a.outs = append(a.outs, out[s]...)
		}
	}
	a.outFrom = append(a.outFrom, uint32(len(a.outs)))
	return a, nil
}

// Longest returns the length of the longest word, in bytes.
func (a *Automaton) Longest() int { return a.longest }

// lanes is how many parts of the content are walked side by side. Each step of
// the automaton waits for the one before it; four independent walks hide that.
const lanes = 4

// Scan appends the hits in content to hits, ordered by End. Content is at most
// 2 GiB.
func (a *Automaton) Scan(content []byte, hits []Hit) []Hit {
	if len(a.lengths) == 0 {
		return hits
	}
	if len(content) < 256*lanes || len(content) < a.longest*lanes*2 {
		return a.walk(content, 0, 0, len(content), hits)
	}
	part := len(content) / lanes
	p0, p1 := content[:part:part], content[part:2*part:2*part]
	p2, p3 := content[2*part:3*part:3*part], content[3*part:4*part:4*part]
	s1 := a.prime(content, part)
	s2 := a.prime(content, 2*part)
	s3 := a.prime(content, 3*part)
	s0 := uint32(0)

	next, first := a.next, a.firstOut
	classes := &a.classes
	// The hits of a lane are kept apart, so that the result is in order.
	var late [lanes - 1][]Hit
	for i := range p0 {
		s0 = next[s0+uint32(classes[p0[i]])]
		s1 = next[s1+uint32(classes[p1[i]])]
		s2 = next[s2+uint32(classes[p2[i]])]
		s3 = next[s3+uint32(classes[p3[i]])]
		if s0 >= first {
			hits = a.emit(s0, i+1, hits)
		}
		if s1 >= first {
			late[0] = a.emit(s1, part+i+1, late[0])
		}
		if s2 >= first {
			late[1] = a.emit(s2, 2*part+i+1, late[1])
		}
		if s3 >= first {
			late[2] = a.emit(s3, 3*part+i+1, late[2])
		}
	}
	for _, l := range late {
		hits = append(hits, l...)
	}
	return a.walk(content, s3, lanes*part, len(content), hits)
}

// prime returns the state in which a single walk would arrive at position at.
func (a *Automaton) prime(content []byte, at int) uint32 {
	s := uint32(0)
	for _, b := range content[max(0, at-a.longest):at] {
		s = a.next[s+uint32(a.classes[b])]
	}
	return s
}

func (a *Automaton) walk(content []byte, s uint32, from, to int, hits []Hit) []Hit {
	for i := from; i < to; i++ {
		s = a.next[s+uint32(a.classes[content[i]])]
		if s >= a.firstOut {
			hits = a.emit(s, i+1, hits)
		}
	}
	return hits
}

func (a *Automaton) emit(s uint32, end int, hits []Hit) []Hit {
	o := (s - a.firstOut) >> a.shift
	for _, w := range a.outs[a.outFrom[o]:a.outFrom[o+1]] {
		hits = append(hits, Hit{Start: int32(end) - a.lengths[w], End: int32(end), Word: w})
	}
	return hits
}
