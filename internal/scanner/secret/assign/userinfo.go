package assign

// Bounds of the parts of a URL, in bytes.
const (
	longestScheme   = 32
	longestUser     = 80
	longestPassword = 200
)

// isScheme, isUser and isPassword tell the bytes of the parts of a URL before
// its host, leniently: passwords often stand unescaped.
var (
	isScheme   = table("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.-")
	isUser     = without(" :/?#[]@\"'<>`$,{}|\\()")
	isPassword = without(" :/?#[]@\"'<>`|\\")
	isHost     = table("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_[.$%{<(-")
)

// without tells all visible bytes but some.
func without(chars string) (t [256]bool) {
	for c := 0x21; c < 0x100; c++ {
		t[c] = c != 0x7f
	}
	for i := range len(chars) {
		t[chars[i]] = false
	}
	return t
}

// slashes returns the length of the // or \/\/ at p, 0 if there is none.
func (r *reader) slashes(p int) int {
	switch {
	case r.byteAt(p) == '/' && r.byteAt(p+1) == '/':
		return 2
	case r.byteAt(p) == '\\' && r.byteAt(p+1) == '/' && r.byteAt(p+2) == '\\' && r.byteAt(p+3) == '/':
		return 4
	}
	return 0
}

// userInfo reads the URL whose :// stands at colon.
func (r *reader) userInfo(colon int) bool {
	p := colon + 1 + r.slashes(colon+1)
	user := p
	for p < len(r.text) && p-user < longestUser && isUser[r.text[p]] {
		p++
	}
	if r.byteAt(p) != ':' {
		return false
	}
	p++
	start := p
	for p < len(r.text) && p-start < longestPassword && isPassword[r.text[p]] {
		p++
	}
	if p == start || r.byteAt(p) != '@' || !isHost[r.byteAt(p+1)] {
		return false
	}
	s := colon
	for s > 0 && colon-s < longestScheme && isScheme[r.text[s-1]] {
		s--
	}
	if colon-s < 2 || colon-s == longestScheme {
		return false
	}
	r.a = Assignment{NameStart: s, NameEnd: start - 1, ValueStart: start, ValueEnd: p, Op: UserInfo, After: '@'}
	return true
}
