package assign

// operator looks at what surrounds the name and reads the value of the
// construct that it recognises.
func (r *reader) operator() bool {
	p := r.a.NameEnd
	before := r.byteAt(r.a.NameStart - 1 - r.dashes)
	switch c := r.byteAt(p); {
	case isQuote(c):
		r.nameQuote = c
		p++
	case c == '\\':
		q := p
		for r.byteAt(q) == '\\' && q < p+4 {
			q++
		}
		if isQuote(r.byteAt(q)) {
			r.nameQuote, r.escaped = r.byteAt(q), true
			p = q + 1
		}
	}
	if r.byteAt(p) == ']' {
		p++
		if r.nameQuote == 0 && r.byteAt(p) == ' ' && r.syn == Prose { // [password]
			return false
		}
	}
	for n := 0; n < 3 && r.byteAt(p) == '*' && (r.syn == Prose || r.syn == Unknown); n++ { // **NAME**: v
		p++
	}
	adjacent := p
	p = r.blanks(p)
	switch c := r.byteAt(p); c {
	case '=':
		return r.equals(p, before, p == adjacent)
	case ':':
		return r.colon(p)
	case '!':
		if r.byteAt(p+1) == '=' {
			return r.compare(r.many(p+1, '='))
		}
	case '?':
		switch r.byteAt(p + 1) {
		case '=': // make
			r.a.Op = Equals
			return r.value(p+2, true)
		case ':': // TypeScript's optional member, Groovy's default
			return r.colon(p + 1)
		}
	case '|':
		if r.byteAt(p+1) == '|' && r.byteAt(p+2) == '=' {
			r.a.Op = Equals
			return r.value(p+3, true)
		}
		if r.byteAt(p+1) == '|' && (r.syn == Code || r.syn == Unknown) {
			return r.fallback(p + 2)
		}
	case '<':
		for _, end := range [...]string{"</key>", "</name>"} {
			if r.foldedAt(p, end) { // property lists, Hadoop and Jenkins
				return r.elements(p + len(end))
			}
		}
		if r.byteAt(p+1) == '-' && r.syn == Code {
			r.a.Op = Equals
			return r.value(p+2, true)
		}
	case '>':
		return r.element(p, before)
	case ',':
		return r.pair(p)
	case '(':
		if p == adjacent && r.nameQuote == 0 {
			return r.call(p)
		}
	case '\r', '\n':
		return r.yamlPair(p)
	case 0:
		return false
	default:
		if p > adjacent {
			return r.spaced(p, before)
		}
	}
	return false
}

// many returns the position behind the run of c at p, at most three.
func (r *reader) many(p int, c byte) int {
	for n := 0; n < 3 && r.byteAt(p) == c; n++ {
		p++
	}
	return p
}

func (r *reader) equals(p int, before byte, adjacent bool) bool {
	switch r.byteAt(p + 1) {
	case '=':
		return r.compare(r.many(p, '='))
	case '>':
		r.a.Op = Arrow
		return r.value(p+2, true)
	case '~':
		return false
	}
	r.a.Op = Equals
	if r.dashes > 0 {
		r.a.Op = Flag
	}
	if adjacent && r.nameQuote == 0 && (before == '?' || before == '&') {
		r.a.Op = Query
		return r.run(p+1, &isQuery)
	}
	return r.value(p+1, true)
}

func (r *reader) compare(p int) bool {
	r.a.Op = Compare
	p = r.blanks(p)
	q, ok := r.quoteAt(p)
	return ok && r.quoted(q)
}

// colon reads NAME: v, NAME := v and NAME: type = v.
func (r *reader) colon(p int) bool {
	switch r.byteAt(p + 1) {
	case '=':
		r.a.Op = Equals
		return r.value(p+2, true)
	case ':', '/':
		return false
	}
	r.a.Op = Colon
	if r.syn == Code || r.syn == Unknown {
		if q, ok := r.typed(r.blanks(p + 1)); ok {
			r.a.Op = Equals
			return r.value(q, true)
		}
	}
	return r.value(p+1, false)
}

// isType tells the bytes of a type in a declaration.
var isType = table("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_<>[]&*?|. ")

// typed skips a type and returns the position behind the '=' after it.
func (r *reader) typed(p int) (int, bool) {
	if c := r.byteAt(p); isQuote(c) || c == '=' {
		return 0, false
	}
	for end := p + 48; p < end; p++ {
		switch c := r.byteAt(p); {
		case c == '\'' && isWord[r.byteAt(p+1)] && r.byteAt(p-1) == '&': // Rust's lifetimes
		case c == '=':
			if n := r.byteAt(p + 1); n == '=' || n == '>' {
				return 0, false
			}
			return p + 1, true
		case !isType[c]:
			return 0, false
		}
	}
	return 0, false
}

// element reads <NAME>v</NAME> and <string name="NAME">v</string>.
func (r *reader) element(p int, before byte) bool {
	if r.nameQuote == 0 && before != '<' && before != ':' {
		return false
	}
	r.a.Op = Element
	start := r.space(p + 1)
	if r.foldedAt(start, "<value>") {
		start += len("<value>")
	}
	if r.foldedAt(start, "<![cdata[") {
		start += len("<![CDATA[")
	}
	return r.until(start, '<')
}

// elements reads <key>NAME</key><string>v</string> behind the first element.
func (r *reader) elements(p int) bool {
	p = r.space(p)
	for _, begin := range [...]string{"<string>", "<value>"} {
		if r.foldedAt(p, begin) {
			r.a.Op = Element
			return r.until(p+len(begin), '<')
		}
	}
	return false
}

// until takes everything up to the byte end, without blanks at its ends.
func (r *reader) until(start int, end byte) bool {
	limit := min(len(r.text), start+valueReach)
	for p := start; p < limit; p++ {
		switch c := r.text[p]; c {
		case end, ']':
			if c == ']' && !(r.byteAt(p+1) == ']' && r.byteAt(p+2) == '>') {
				continue
			}
			for p > start && (r.text[p-1] == ' ' || r.text[p-1] == '\t' || r.text[p-1] == '\n' || r.text[p-1] == '\r') {
				p--
			}
			r.a.ValueStart, r.a.ValueEnd = start, p
			return true
		case '\n':
			if q := r.space(p); r.byteAt(q) != end {
				return false
			}
		}
	}
	return false
}

// pair reads ("NAME", "v") and {"name": "NAME", "value": "v"}.
func (r *reader) pair(p int) bool {
	if r.nameQuote == 0 {
		return false
	}
	r.a.Op = Pair
	p = r.space(p + 1)
	if q, ok := r.valueKey(p); ok {
		return r.value(q, false)
	}
	open := r.byteAt(r.a.NameStart - 1)
	if !isQuote(open) {
		return false
	}
	q := r.a.NameStart - 2
	for n := 0; n < blankReach && (r.byteAt(q) == ' ' || r.byteAt(q) == '\t' || r.byteAt(q) == '\n' || r.byteAt(q) == '\\'); n++ {
		q--
	}
	switch r.byteAt(q) {
	case '(':
		if !r.putting(q) {
			return false
		}
	case '{':
	default:
		return false // a list of words, each of them the value of the one before
	}
	if q, ok := r.quoteAt(p); ok {
		return r.quoted(q)
	}
	return r.syn == Code && r.expression(p)
}

// putting reports whether the function whose arguments begin at p sets a value
// by name: os.Setenv("NAME", "v"), params.put("NAME", "v").
func (r *reader) putting(p int) bool {
	s := p
	for n := 0; n < 48 && s > 0 && (isWord[r.text[s-1]] || r.text[s-1] == '.' || r.text[s-1] == ':'); n++ {
		s--
	}
	if s == p {
		return true // a tuple
	}
	for _, w := range putters {
		if containsFold(r.text[s:p], w) {
			return true
		}
	}
	return false
}

// putters are parts of names of functions that take a name and its value.
var putters = []string{
	"set", "put", "add", "define", "with", "append", "property", "header", "param", "register", "store", "write", "insert", "override", "update", "default",
	"pair", "entry", "tuple", "env", "option", "config", "field", "attr", "map.of", "builder", "getor", "get", "arg", "fetch", "replace", "variable", "value", "save",
}

// valueKey reports whether the key of a name/value object stands at p and
// returns the position of its value.
func (r *reader) valueKey(p int) (int, bool) {
	for r.byteAt(p) == '\\' {
		p++
	}
	if isQuote(r.byteAt(p)) {
		p++
	}
	if !r.foldedAt(p, "value") {
		return 0, false
	}
	p += len("value")
	if r.foldedAt(p, "s") || r.foldedAt(p, "from") {
		return 0, false
	}
	for r.byteAt(p) == '\\' {
		p++
	}
	if isQuote(r.byteAt(p)) {
		p++
	}
	p = r.blanks(p)
	switch {
	case r.byteAt(p) == '=' && r.byteAt(p+1) == '>':
		return p + 2, true
	case r.byteAt(p) == ':' || r.byteAt(p) == '=':
		return p + 1, true
	}
	return 0, false
}

// yamlPair reads "- name: NAME" with "value: v" on the next line.
func (r *reader) yamlPair(p int) bool {
	if r.syn == Prose || r.syn == Shell {
		return false
	}
	q := r.a.NameStart - 1
	if r.nameQuote != 0 {
		q--
	}
	for n := 0; n < 8 && r.byteAt(q) == ' '; n++ {
		q--
	}
	if c := r.byteAt(q); c != ':' && c != '=' {
		return false
	}
	p, ok := r.valueKey(r.space(p))
	if !ok {
		return false
	}
	r.a.Op = Pair
	return r.value(p, false)
}

// spaced reads what follows a name and blanks: flags, attributes, typed
// declarations and SQL.
func (r *reader) spaced(p int, before byte) bool {
	if r.nameQuote != 0 {
		if q, ok := r.valueKey(p); ok { // <add key="NAME" value="v"/>
			r.a.Op = Pair
			return r.value(q, false)
		}
		return false
	}
	if r.dashes > 0 && r.dashes <= 2 {
		if before != ' ' && before != '\t' && before != '\n' && before != 0 && !isQuote(before) && before != '[' && before != '(' {
			return false
		}
		if r.syn == Code && r.a.Quote == 0 && r.dashes == 1 {
			return false // a minus
		}
		r.a.Op = Flag
		if q, ok := r.quoteAt(p); ok {
			return r.quoted(q)
		}
		return r.byteAt(p) != '-' && r.run(p, &isArgument)
	}
	switch r.syn {
	case Code, Unknown, Shell, Prose:
		if r.foldedAt(r.a.NameStart-8, "#define ") {
			r.a.Op = Equals
			q, ok := r.quoteAt(p)
			return ok && r.quoted(q)
		}
	}
	if before != ':' && before != '.' && r.sqlPhrase() {
		r.a.Op = Phrase
		if r.foldedAt(p, "is ") || r.foldedAt(p, "to ") {
			return false
		}
		if r.foldedAt(p, "with ") { // IDENTIFIED WITH plugin BY v
			p = r.blanks(p + 5)
			for n := 0; n < 48 && (isWord[r.byteAt(p)] || isQuote(r.byteAt(p))); n++ {
				p++
			}
			p = r.blanks(p)
			if r.foldedAt(p, "as ") || !r.foldedAt(p, "by ") {
				return false
			}
		}
		if r.foldedAt(p, "by ") {
			p = r.blanks(p + 3)
		}
		if r.foldedAt(p, "password ") {
			p = r.blanks(p + 9)
		}
		if q, ok := r.quoteAt(p); ok {
			return r.quoted(q)
		}
		if r.syn == SQL || r.syn != Code && r.phraseBy() {
			return r.run(p, &isArgument)
		}
	}
	if r.syn == Code {
		if q, ok := r.typed(p); ok { // password string = "v"
			r.a.Op = Equals
			return r.value(q, true)
		}
		if r.foldedAt(p, "or ") {
			return r.fallback(p + 3)
		}
	}
	if r.syn == Config || r.syn == Unknown || r.syn == Shell { // netrc, redis.conf, sshd_config: NAME v
		return r.directive(p)
	}
	return false
}

// directive reads "NAME v" where both are alone on their line, or stand in a
// .netrc list.
func (r *reader) directive(p int) bool {
	s := r.a.NameStart
	for n := 0; n < blankReach && (r.byteAt(s-1) == ' ' || r.byteAt(s-1) == '\t'); n++ {
		s--
	}
	switch c := r.byteAt(s - 1); {
	case c == '\n' || c == 0:
	case s < r.a.NameStart && (r.foldedAt(s-3, "env") || r.foldedAt(s-3, "arg")): // Dockerfile, csh
	case r.netrc(s):
	default:
		return false
	}
	r.a.Op = Equals
	if q, ok := r.quoteAt(p); ok {
		return r.quoted(q)
	}
	if !r.run(p, &isArgument) {
		return false
	}
	c := r.byteAt(r.blanks(r.a.ValueEnd))
	return c == '\n' || c == '\r' || c == 0 || c == ';'
}

// netrc reports whether the word before a name at p belongs to "login NAME".
func (r *reader) netrc(p int) bool {
	if r.a.NameEnd-r.a.NameStart != len("password") || !r.foldedAt(r.a.NameStart, "password") {
		return false
	}
	for n := 0; n < 64 && p > 0 && r.text[p-1] != '\n'; n++ {
		p--
	}
	return r.foldedAt(p, "machine ") || r.foldedAt(p, "login ") || r.foldedAt(p, "default ")
}

// sqlPhrase reports whether the name is one of the words that SQL puts before
// a password: IDENTIFIED BY, IDENTIFIED WITH x BY, PASSWORD.
func (r *reader) sqlPhrase() bool {
	return r.foldedAt(r.a.NameStart, "identified") || r.foldedAt(r.a.NameStart-3, "by password") ||
		(r.a.NameEnd-r.a.NameStart == len("password") && r.foldedAt(r.a.NameStart, "password") && r.syn != Markup && r.syn != YAML && r.syn != JSON) ||
		r.phraseBy()
}

func (r *reader) phraseBy() bool { return r.foldedAt(r.a.NameStart, "identified") }
