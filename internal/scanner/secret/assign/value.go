package assign

// isArgument tells the bytes of an unquoted command line argument or word.
var isArgument = func() (t [256]bool) {
	for c := 0x21; c < 0x100; c++ {
		t[c] = true
	}
	for _, c := range "\"'`;|()<>\x7f" {
		t[c] = false
	}
	return t
}()

// isQuery tells the bytes of a value in a URL's query.
var isQuery = table("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~%+/=:!*@$")

// isEmbedded tells the bytes of a bare value inside a string.
var isEmbedded = func() (t [256]bool) {
	for c := 0x21; c < 0x7f; c++ {
		t[c] = true
	}
	for _, c := range "\"'`;,|()<>[]{}\\" {
		t[c] = false
	}
	return t
}()

// isOption tells the bytes of a bare value in prose.
var isOption = func() (t [256]bool) {
	for c := 0x21; c < 0x100; c++ {
		t[c] = true
	}
	for _, c := range "\"'`;,|()\\" {
		t[c] = false
	}
	return t
}()

// run takes the run of bytes of a class.
func (r *reader) run(p int, class *[256]bool) bool {
	start, limit := p, min(len(r.text), p+valueReach)
	for p < limit && class[r.text[p]] {
		p++
	}
	if p < limit && r.text[p] == ' ' && p-start <= len("negotiate") && p-start >= len("jwt") {
		// Two words: a scheme and its credential.
		for _, s := range schemes {
			if len(s) == p-start+1 && r.foldedAt(start, s) {
				p = r.blanks(p)
				for p < limit && class[r.text[p]] {
					p++
				}
				break
			}
		}
	}
	if p == limit && p < len(r.text) {
		return false
	}
	r.a.ValueStart, r.a.ValueEnd = start, p
	return p > start
}

// quoteAt reports whether a string literal begins at p and returns the
// position of its opening quote.
func (r *reader) quoteAt(p int) (int, bool) {
	for n := 0; n < 3; n++ {
		c := r.byteAt(p)
		switch {
		case isQuote(c):
			return p, true
		case c == '\\':
			q := p
			for n := 0; n < 7 && r.byteAt(q) == '\\'; n++ {
				q++
			}
			return q, isQuote(r.byteAt(q))
		case c == '@' || c == '$' || c == '#' || c|0x20 == 'b' || c|0x20 == 'r' || c|0x20 == 'f' || c|0x20 == 'u' || c == 'L' || c == 'N' || c|0x20 == 'q':
			p++
		default:
			return 0, false
		}
	}
	return 0, false
}

// quoted takes the string literal whose opening quote stands at p.
func (r *reader) quoted(p int) bool {
	quote := r.text[p]
	slashes := 0
	for q := p - 1; q >= 0 && slashes < 8 && r.text[q] == '\\'; q-- {
		slashes++
	}
	many := quote == '`'
	start := p + 1
	triple := slashes == 0 && quote != '`' && r.byteAt(p+1) == quote && r.byteAt(p+2) == quote
	if triple {
		start, many = p+3, true
	}
	limit := min(len(r.text), start+valueReach)
	for q := start; q < limit; q++ {
		switch c := r.text[q]; c {
		case quote:
			if triple && !(r.byteAt(q+1) == quote && r.byteAt(q+2) == quote) {
				continue
			}
			r.a.ValueStart, r.a.ValueEnd, r.a.Quote = start, q, quote
			if slashes == 0 && !many && r.syn == SQL && r.byteAt(q+1) == quote {
				q++
				continue
			}
			return true
		case '\\':
			n := 1
			for n < 8 && r.byteAt(q+n) == '\\' {
				n++
			}
			if slashes > 0 && r.byteAt(q+n) == quote && n <= slashes {
				r.a.ValueStart, r.a.ValueEnd, r.a.Quote = start, q, quote
				return true
			}
			q += n
			if n%2 == 0 {
				q--
			}
			if r.byteAt(q) == '\n' && !many && r.syn != Code && r.syn != Shell {
				return false
			}
		case '\n':
			if !many {
				return false
			}
		}
	}
	return false
}

// value takes the value at p, behind an operator. Expressions are followed
// only where the operator assigns.
func (r *reader) value(p int, assigns bool) bool {
	p = r.blanks(p)
	if (r.syn == Code || r.syn == JSON) && (r.byteAt(p) == '\n' || r.byteAt(p) == '\r') {
		p = r.space(p)
		if !isQuote(r.byteAt(p)) {
			return false
		}
	}
	if r.byteAt(p) == '\\' && (r.byteAt(p+1) == '\n' || r.byteAt(p+1) == '\r') { // line continuation
		p = r.space(p + 1)
	}
	if q, ok := r.quoteAt(p); ok {
		return r.quoted(q)
	}
	if r.escaped {
		return r.run(p, &isEmbedded)
	}
	switch r.syn {
	case Code:
		if r.nameQuote == 0 && r.embedded(p) {
			return true
		}
		return r.expression(p)
	case JSON:
		if r.nameQuote != 0 {
			return false
		}
		return r.embedded(p)
	case YAML:
		return r.yaml(p)
	case Config:
		return r.line(p)
	case Shell:
		return r.run(p, &isArgument)
	case Markup:
		if r.nameQuote != 0 {
			return false
		}
		return r.run(p, &isEmbedded)
	case SQL:
		if r.a.Op == Phrase {
			return r.run(p, &isArgument)
		}
		return r.a.Op == Colon && r.run(p, &isEmbedded)
	}
	return r.prose(p, assigns)
}

// prose takes a bare value from running text, where a configuration of any
// kind may be quoted.
func (r *reader) prose(p int, assigns bool) bool {
	for n := 0; n < 3 && r.byteAt(p) == '*'; n++ { // **NAME:** v
		p = r.blanks(p + 1)
	}
	if q, ok := r.quoteAt(p); ok {
		return r.quoted(q)
	}
	if c := r.byteAt(p); c == '<' || c == '[' || c == '{' {
		return false
	}
	if !r.run(p, &isOption) {
		return false
	}
	if r.text[r.a.ValueEnd-1] == '.' {
		r.a.ValueEnd--
	}
	if r.byteAt(r.a.ValueEnd) == '(' || r.a.ValueEnd == r.a.ValueStart {
		return false // a call
	}
	return true
}

// line takes the rest of the line, without a comment behind blanks.
func (r *reader) line(p int) bool {
	start, limit := p, min(len(r.text), p+valueReach)
	open := r.byteAt(r.a.NameStart - 1)
	for p < limit && r.text[p] != '\n' && r.text[p] != '\r' {
		if r.text[p] == open && isQuote(open) {
			break // the end of a string that the name stands in
		}
		if (r.text[p] == '#' || r.text[p] == ';') && p > start && (r.text[p-1] == ' ' || r.text[p-1] == '\t') {
			break
		}
		p++
	}
	if p == limit && p < len(r.text) {
		return false
	}
	for p > start && (r.text[p-1] == ' ' || r.text[p-1] == '\t' || r.text[p-1] == ',') {
		p--
	}
	r.a.ValueStart, r.a.ValueEnd = start, p
	return p > start
}

// yaml takes a plain scalar, or the first line of a block scalar.
func (r *reader) yaml(p int) bool {
	switch r.byteAt(p) {
	case '|', '>':
		q := p + 1
		for r.byteAt(q) == '-' || r.byteAt(q) == '+' || isDigit(r.byteAt(q)) {
			q++
		}
		q = r.blanks(q)
		if c := r.byteAt(q); c != '\n' && c != '\r' {
			return false
		}
		return r.line(r.space(q))
	case '!':
		if r.foldedAt(p, "!!binary ") || r.foldedAt(p, "!!str ") {
			for r.byteAt(p) != ' ' {
				p++
			}
			return r.value(p, false)
		}
		return false
	case '\n', '\r': // a list of one
		q := r.space(p)
		if r.byteAt(q) != '-' || r.byteAt(q+1) != ' ' || r.a.Op != Colon {
			return false
		}
		q = r.blanks(q + 1)
		if quote, ok := r.quoteAt(q); ok {
			return r.quoted(quote)
		}
		return r.line(q)
	case '{', '[', '*':
		return false
	case '&':
		for n := 0; n < blankReach && r.byteAt(p) != ' ' && r.byteAt(p) != '\n'; n++ {
			p++
		}
		p = r.blanks(p)
	}
	flow := r.inFlow()
	start, limit := p, min(len(r.text), p+valueReach)
loop:
	for p < limit {
		switch c := r.text[p]; {
		case c == '\n' || c == '\r':
			break loop
		case c == '#' && p > start && (r.text[p-1] == ' ' || r.text[p-1] == '\t'):
			break loop
		case flow && (c == ',' || c == '}'):
			break loop
		case isQuote(c) && r.a.Op == Equals: // "NAME=v" inside a quoted item
			break loop
		}
		p++
	}
	if p == limit && p < len(r.text) {
		return false
	}
	for p > start && (r.text[p-1] == ' ' || r.text[p-1] == '\t' || r.text[p-1] == ',') {
		p--
	}
	r.a.ValueStart, r.a.ValueEnd = start, p
	return p > start
}

// inFlow reports whether the name stands in a flow mapping: { a: b, NAME: v }.
func (r *reader) inFlow() bool {
	for p, n := r.a.NameStart-1, 0; n < 256 && p >= 0 && r.text[p] != '\n'; p, n = p-1, n+1 {
		switch r.text[p] {
		case '{':
			return r.byteAt(p-1) != '$' && r.byteAt(p-1) != '{'
		case '}':
			return false
		}
	}
	return false
}

// embedded takes a bare value of what can only be text in a string or comment
// of a programming language: "password=v;" and lines "password: v".
func (r *reader) embedded(p int) bool {
	before := r.byteAt(r.a.NameStart - 1)
	switch r.a.Op {
	case Equals, Flag:
		if r.byteAt(p-1) == ' ' || (before != ';' && !isQuote(before) && before != ' ' && before != '\n' && r.dashes == 0) {
			return false
		}
	case Colon:
		if r.syn == JSON {
			return false
		}
	default:
		return false
	}
	if !isEmbedded[r.byteAt(p)] || !r.run(p, &isEmbedded) {
		return false
	}
	next := r.byteAt(r.a.ValueEnd)
	switch r.a.Op {
	case Colon:
		// A member of an object would be followed by a comma or a brace.
		if c := r.byteAt(r.blanks(r.a.ValueEnd)); c != '\n' && c != '\r' && c != '"' && c != '`' && c != '\\' && !(c == '}' && r.a.ValueEnd-r.a.ValueStart >= 6) {
			r.a.ValueEnd = r.a.ValueStart
			return false
		}
	default:
		quotedAfter := isQuote(next) || (next == '\\' && (r.byteAt(r.a.ValueEnd+1) == 'n' || isQuote(r.byteAt(r.a.ValueEnd+1))))
		if !quotedAfter && !(next == ';' && (before == ';' || isQuote(before))) && !(before == '\n' && (next == '\n' || next == '\r')) {
			r.a.ValueEnd = r.a.ValueStart
			return false
		}
	}
	r.a.Embedded = true
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
