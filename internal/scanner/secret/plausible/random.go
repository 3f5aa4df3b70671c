package plausible

import (
	"strings"
	"sync"

	"bulwark/content/secret/words"
)

// reading is what surprise makes of a value.
type reading struct {
	// bits is how many quarters of a bit of information the value holds to
	// somebody who expects words, identifiers and numbers.
	bits    int
	words   int // of the dictionary
	strange int // letters and digits that belong to no word
}

// surprise reads v. Random letters come to about 7 bits each, words to less
// than 4.
func surprise(v []byte) reading {
	var quarters, known, strange int
	changes := 0 // between letters and digits
	for i := 0; i < len(v); {
		c := v[i]
		switch {
		case isLetter(c):
			j := i + 1
			for j < len(v) && isLetter(v[j]) {
				j++
			}
			q, k, s := letters(v[i:j])
			quarters += q
			known += k
			strange += s
			if i > 0 && isDigit(v[i-1]) {
				changes++
			}
			i = j
		case isDigit(c):
			j := i + 1
			for j < len(v) && isDigit(v[j]) {
				j++
			}
			quarters += digits(v[i:j])
			strange += j - i
			if i > 0 && isLetter(v[i-1]) {
				changes++
			}
			i = j
		case c == '%' && i+2 < len(v) && isHex(v[i+1]) && isHex(v[i+2]): // an escape in a URL
			quarters += 16
			i += 3
		default:
			switch c {
			case '_', '-', '.', '/', ':', ' ', '=', ',':
				quarters += 4
			default:
				quarters += 16
			}
			i++
		}
	}
	// Names end in a number or hold one; more changes are unusual.
	return reading{quarters + 7*max(0, changes-1), known, strange}
}

// digits: years, repetitions and counting say little.
func digits(d []byte) int {
	if len(d) == 4 && (d[0] == '1' && d[1] == '9' || d[0] == '2' && d[1] == '0') {
		return 4 * 5
	}
	q, step := 13, 0
	for i := 1; i < len(d); i++ {
		s := int(d[i]) - int(d[i-1])
		if s == step && (s == 0 || s == 1 || s == -1) {
			q += 2
		} else if s == 0 || s == 1 || s == -1 {
			q += 7
		} else {
			q += 13
		}
		step = s
	}
	return q
}

// wordCost is what a word of the dictionary costs, in quarters of a bit.
const wordCost = 4 * 7

// letters costs a run of letters, split where the case says that words begin.
func letters(run []byte) (quarters, known, strange int) {
	for i := 0; i < len(run); {
		j := i + 1
		if isUpper(run[i]) {
			for j < len(run) && isUpper(run[j]) {
				j++
			}
			if j < len(run) && j-i > 1 { // HTTPServer
				j--
			} else if j < len(run) && j-i == 1 {
				for j < len(run) && !isUpper(run[j]) {
					j++
				}
			}
		} else {
			for j < len(run) && !isUpper(run[j]) {
				j++
			}
		}
		q, k := piece(run[i:j])
		quarters += q
		known += k
		if k == 0 {
			strange += j - i
		}
		if j-i <= 2 && len(run) > 2 {
			quarters += 8 // words are longer
		}
		i = j
	}
	return quarters, known, strange
}

// piece costs letters of one case: as words if they are some, else by how
// unusual their order is.
func piece(p []byte) (quarters, known int) {
	q := trigramCost(p)
	if len(p) < 3 {
		return q, 0
	}
	var buf [longestWord]byte
	if len(p) <= len(buf) {
		low := lowered(buf[:0], p)
		if isKnown(low) || isInflected(low) {
			return min(q, wordCost), 1
		}
	}
	if len(p) >= 6 && q <= 4*7*len(p) {
		if n := segments(p); n > 0 {
			return min(q, n*wordCost), n
		}
	}
	return q, 0
}

// trigramCost sums the cost of every letter after the two before it.
func trigramCost(p []byte) int {
	a, b, sum := 0, 0, 0
	for _, c := range p {
		n := int(c|0x20) - 'a' + 1
		sum += int(words.Trigrams[(a*27+b)*27+n] - '0')
		a, b = b, n
	}
	return sum
}

// longestWord is the length of the longest word of the dictionary.
const longestWord = 20

func lowered(dst, src []byte) []byte {
	for _, c := range src {
		dst = append(dst, c|0x20)
	}
	return dst
}

// starts returns where the words with each pair of first letters begin in the
// dictionary; it is made when first needed.
var starts = sync.OnceValue(func() *[26*26 + 1]int32 {
	var t [26*26 + 1]int32
	next := 0
	for at := 0; at < len(words.List); {
		pair := int(words.List[at]-'a')*26 + int(words.List[at+1]-'a')
		for ; next <= pair; next++ {
			t[next] = int32(at)
		}
		at += strings.IndexByte(words.List[at:], '\n') + 1
	}
	for ; next < len(t); next++ {
		t[next] = int32(len(words.List))
	}
	return &t
})

// isKnown reports whether the dictionary holds the lower-case word, by binary
// search among those with the same two first letters.
func isKnown(w []byte) bool {
	if len(w) < 3 || len(w) > longestWord {
		return false
	}
	pair := int(w[0]-'a')*26 + int(w[1]-'a')
	t := starts()
	lo, hi := int(t[pair]), int(t[pair+1])
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		start := mid
		for start > lo && words.List[start-1] != '\n' {
			start--
		}
		c, i := 0, 0
		for ; i < len(w); i++ {
			if c = int(w[i]) - int(words.List[start+i]); c != 0 {
				break // a line feed is less than any letter
			}
		}
		end := start + i
		for words.List[end] != '\n' {
			end++
		}
		switch {
		case c > 0:
			lo = end + 1
		case c < 0 || end > start+len(w):
			hi = start
		default:
			return true
		}
	}
	return false
}

// isInflected reports whether the dictionary holds the stem of w.
func isInflected(w []byte) bool {
	n := len(w)
	if n < 5 {
		return false
	}
	switch w[n-1] {
	case 's':
		return isKnown(w[:n-1]) || w[n-2] == 'e' && isKnown(w[:n-2])
	case 'd':
		return w[n-2] == 'e' && (isKnown(w[:n-1]) || isKnown(w[:n-2]))
	case 'g':
		return n > 6 && w[n-2] == 'n' && w[n-3] == 'i' && isKnown(w[:n-3])
	case 'r', 'y':
		return isKnown(w[:n-1]) || isKnown(w[:n-2])
	}
	return false
}

// short tells the words of two letters that stand in compounds.
func short(w []byte) bool {
	switch string(w) {
	case "ok", "id", "no", "on", "is", "in", "of", "to", "my", "db", "ip", "os", "ui", "io", "at", "by", "up", "js", "py", "go", "vm", "or", "as", "be", "me", "it", "an", "if", "do", "so", "us", "we":
		return true
	}
	return false
}

// segments returns of how many words p, letters of one case, is a sequence: 0
// if it is none.
func segments(p []byte) int {
	const longestRun = 48
	if len(p) > longestRun {
		return 0
	}
	var buf [longestRun]byte
	low := lowered(buf[:0], p)
	// best[i] is the least number of words for the first i letters.
	var best [longestRun + 1]int8
	for i := 1; i <= len(low); i++ {
		best[i] = 100
		for n := 2; n <= min(i, longestWord); n++ {
			if b := best[i-n]; b < 100 && b+1 < best[i] {
				if n == 2 && short(low[i-2:i]) || n > 2 && isKnown(low[i-n:i]) {
					best[i] = b + 1
				}
			}
		}
	}
	n := best[len(low)]
	if n == 100 || int(n)*4 > len(low)+3 { // many short words are an accident
		return 0
	}
	return int(n)
}

func isLetter(c byte) bool { c |= 0x20; return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool  { return 'a' <= c && c <= 'z' }
func isHex(c byte) bool    { c |= 0x20; return isDigit(c) || 'a' <= c && c <= 'f' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
