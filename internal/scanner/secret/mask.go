package secret

import (
	"bytes"
	"cmp"
	"slices"
)

// stars replace a secret, always equally many so that they tell nothing of its
// length.
const stars = "********"

// excerptBytes is the greatest length of an excerpt before masking.
const excerptBytes = 240

// excerpt returns the line around the secret at w, cut to excerptBytes and
// with everything in masks (ordered by lo) replaced, and the range in it that stands for w.
// What else in the line looks like a token is replaced, too: it may be the
// other half of a credential.
func excerpt(text []byte, w span, masks []span, prefix string) (string, int, int) {
	lo := max(0, w.lo-2*excerptBytes)
	lo += bytes.LastIndexByte(text[lo:w.lo], '\n') + 1
	hi := min(len(text), w.hi+2*excerptBytes)
	if n := bytes.IndexByte(text[w.lo:hi], '\n'); n >= 0 {
		hi = w.lo + n
	}
	end := min(w.hi, hi)
	if hi-lo > excerptBytes {
		// Keep more of what stands before: that is where the name is.
		shown := min(end-w.lo, excerptBytes/4)
		lo = max(lo, w.lo-(excerptBytes-shown)*3/4)
		hi = min(hi, w.lo+shown+(excerptBytes-shown)/4)
		hi = max(hi, min(end, lo+excerptBytes))
	}
	if hi > lo && text[hi-1] == '\r' {
		hi--
	}
	end = min(end, hi)
	var cover []span
	// masks is ordered by its beginnings; one that begins far before the
	// excerpt and still reaches it (a key block) is caught by the look back.
	from, _ := slices.BinarySearchFunc(masks, lo, func(m span, lo int) int { return cmp.Compare(m.lo, lo) })
	for _, m := range masks[max(0, from-neighbours):] {
		if m.lo >= hi {
			break
		}
		if m.hi > lo && m != w {
			cover = append(cover, span{max(m.lo, lo), min(m.hi, hi)})
		}
	}
	cover = append(cover, tokens(text, lo, hi)...)
	slices.SortFunc(cover, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })

	var out []byte
	plain := func(from, to int) {
		for _, m := range cover {
			if m.hi <= from || m.lo >= to {
				continue
			}
			if m.lo > from {
				out = append(out, text[from:m.lo]...)
			}
			if len(out) < len(stars) || string(out[len(out)-len(stars):]) != stars {
				out = append(out, stars...)
			}
			from = min(m.hi, to)
		}
		if from < to {
			out = append(out, text[from:to]...)
		}
	}
	plain(lo, w.lo)
	start := len(out)
	out = append(out, prefix...)
	out = append(out, stars...)
	stop := len(out)
	plain(end, hi)
	return string(out), start, stop
}

// tokens returns the unbroken runs of token characters in text[lo:hi] that are
// long and mixed enough to be credentials.
func tokens(text []byte, lo, hi int) []span {
	var out []span
	for i := lo; i < hi; {
		if !tokenByte[text[i]] {
			i++
			continue
		}
		j := i
		if text[i] == '/' { // a path or address: its parts are looked at one by one
			i++
			continue
		}
		inPath := i > lo && text[i-1] == '/'
		var lower, upper, digit bool
		for j < hi && tokenByte[text[j]] && !(inPath && text[j] == '/') {
			switch b := text[j]; {
			case 'a' <= b && b <= 'z':
				lower = true
			case 'A' <= b && b <= 'Z':
				upper = true
			case '0' <= b && b <= '9':
				digit = true
			}
			j++
		}
		if n := j - i; n >= 20 && digit && (lower || upper) && entropy(text[i:j]) > 3.3 {
			out = append(out, span{i, j})
		}
		i = j
	}
	return out
}

var tokenByte = func() (t [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_~") {
		t[b] = true
	}
	return t
}()

// visiblePrefix returns what may be shown of a secret: the fixed beginning
// that the rule's format gives to all of them, never more than a quarter.
func visiblePrefix(secret []byte, keywords []string) string {
	best := 0
	for _, k := range keywords {
		if len(k) <= len(secret)/4 && len(k) > best && bytes.EqualFold(secret[:len(k)], []byte(k)) {
			best = len(k)
		}
	}
	return string(secret[:best])
}
