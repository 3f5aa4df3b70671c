package plausible

import (
	"strings"
	"sync"

	"bulwark/content/secret/words"
)

// Placeholder reports whether a value only stands for a credential, and why:
// xxxx, ****, <token>, ${TOKEN}, your_token_here, 1234567890, EXAMPLE. It is
// meant for values of any rule, so it takes only what no random token holds.
func Placeholder(value string) (reason string, yes bool) {
	const most = 8 << 10
	if len(value) > most {
		return "", false
	}
	return placeholder([]byte(value))
}

// standIns are parts of words that people write in place of a credential. Each
// is long enough not to occur in random tokens.
var standIns = []string{
	"example", "changeme", "change_me", "change-me", "changeit", "placeholder", "redacted", "replaceme", "replace_me", "replace-me", "replace_with", "yourpassword", "your_", "your-", "yourtoken",
	"yourapikey", "yoursecret", "insert_", "insert-", "fixme", "dummy", "xxxxx", "sample", "notreal", "not_real", "not-real", "not_a_real", "foobar", "lorem", "deadbeef", "c0ffee",
	"masked", "omitted", "removed", "_here", "-here", "somepassword", "some_", "enter_", "enter-", "put_", "put-", "todo", "secret_key", "secretkey", "mysecret", "my_secret", "my-secret", "mypassword",
	"abcdefg", "asdf", "qwer", "zxcv", "1234567", "0123456", "7654321",
}

func placeholder(v []byte) (string, bool) {
	if len(v) == 0 {
		return "empty", true
	}
	if r := templated(v); r != "" {
		return r, true
	}
	if r := repetitive(v); r != "" {
		return r, true
	}
	if published()[string(v)] {
		return "published example", true
	}
	if len(v) <= 512 {
		// Short stand-ins occur in long random text by chance; then they
		// count only at the ends of words.
		for _, w := range standIns {
			if i := indexFold(v, w); i >= 0 {
				if len(w) >= 6 || len(v) <= 24 || ((i == 0 || !isLetter(v[i-1])) && (i+len(w) == len(v) || !isLetter(v[i+len(w)]))) {
					return "stand-in word", true
				}
			}
		}
	}
	return "", false
}

// templated recognises what is replaced before use.
func templated(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	first, last := v[0], v[len(v)-1]
	switch {
	case first == '<' && last == '>', first == '[' && last == ']' && len(v) < 64, first == '{' && last == '}', len(v) > 3 && first == '%' && last == '%', len(v) > 4 && first == '_' && last == '_' && v[1] == '_' && v[len(v)-2] == '_',
		len(v) > 2 && first == '#' && last == '#', len(v) > 2 && first == '@' && last == '@', first == '*' && last == '*':
		return "placeholder"
	}
	for i := 0; i+1 < len(v); i++ {
		switch v[i] {
		case '$':
			if n := v[i+1]; n == '{' || n == '(' || n == '[' && i == 0 {
				return "variable"
			}
		case '{':
			if v[i+1] == '{' || v[i+1] == '%' {
				return "template"
			}
		case '#':
			if v[i+1] == '{' {
				return "variable"
			}
		case '<':
			if v[i+1] == '%' || v[i+1] == '?' || isLetter(v[i+1]) && indexByte(v[i:min(len(v), i+80)], '>') > 0 {
				return "template"
			}
		case '%':
			if n := v[i+1]; n == '(' || n == '{' || len(v) <= 4 && (n == 's' || n == 'v' || n == 'd' || n == 'q') {
				return "format"
			}
		}
	}
	return ""
}

// published holds the values of package words that standards print as examples;
// it is made when first needed.
var published = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for line := range strings.SplitSeq(words.Published, "\n") {
		if line != "" && line[0] != '#' {
			m[strings.Replace(line, "\u00a6", "", 1)] = true
		}
	}
	return m
})

func indexByte(v []byte, c byte) int {
	for i := range v {
		if v[i] == c {
			return i
		}
	}
	return -1
}

// repetitive recognises few characters repeated and runs that count.
func repetitive(v []byte) string {
	if len(v) < 4 {
		return ""
	}
	same, up, down := 1, 1, 1
	longest, counting := 1, 1
	var seen [4]uint64
	distinct := 0
	for i, c := range v {
		if seen[c>>6]&(1<<(c&63)) == 0 {
			seen[c>>6] |= 1 << (c & 63)
			distinct++
		}
		if i == 0 {
			continue
		}
		switch d := int(c) - int(v[i-1]); d {
		case 0:
			same, up, down = same+1, 1, 1
		case 1:
			same, up, down = 1, up+1, 1
		case -1:
			same, up, down = 1, 1, down+1
		default:
			same, up, down = 1, 1, 1
		}
		longest, counting = max(longest, same), max(counting, up, down)
		if same == 4 && (c == 'x' || c == 'X' || c == '*' || c == '.' || c == '?' || c == '#') && len(v) < 128 {
			return "masked"
		}
	}
	switch {
	case longest >= 6 && (longest*4 >= len(v) || len(v) <= 64):
		return "repeated character"
	case counting >= 8 && len(v) <= 128 || counting*2 >= len(v) && counting >= 4:
		return "counting characters"
	case distinct <= 3 && len(v) >= 8, len(v) >= 16 && distinct <= 4, len(v) >= 32 && distinct <= 6:
		return "few characters"
	case periodic(v):
		return "repeated part"
	}
	return ""
}

// periodic reports whether v is a part of at most a third of it, repeated.
func periodic(v []byte) bool {
	if len(v) > 512 {
		v = v[:512]
	}
next:
	for n := 1; n <= len(v)/3 && n <= 16; n++ {
		for i := n; i < len(v); i++ {
			if v[i] != v[i-n] {
				continue next
			}
		}
		return true
	}
	return false
}

// indexFold returns where the lower-case word occurs in v, in any case.
func indexFold(v []byte, low string) int {
	first := low[0]
	for i := 0; i+len(low) <= len(v); i++ {
		c := v[i]
		if c != first && !(isUpper(c) && c|0x20 == first) {
			continue
		}
		j := 1
		for j < len(low) {
			c := v[i+j]
			if isUpper(c) {
				c |= 0x20
			}
			if c != low[j] {
				break
			}
			j++
		}
		if j == len(low) {
			return i
		}
	}
	return -1
}
