package assign

// expressionReach bounds how far an expression is followed for the literal
// that it yields, in bytes.
const expressionReach = 160

// expression takes the literal that an expression yields: inside a conversion
// ([]byte("v")), as a fallback (getenv("NAME", "v"), x || "v") or as a branch
// (c ? "v" : w). Results of other calls are no literals.
func (r *reader) expression(p int) bool {
	start := p
	limit := min(len(r.text), p+expressionReach)
	word, wordEnd := 0, 0 // the last identifier
	calls := 0
	for p < limit {
		c := r.text[p]
		switch {
		case isWord[c] || c == '.' || c == '$':
			word = p
			for p < limit && (isWord[r.text[p]] || r.text[p] == '.' || r.text[p] == ':' && r.byteAt(p+1) == ':' || r.text[p] == ':' && r.byteAt(p-1) == ':') {
				p++
			}
			wordEnd = p
			if p == word {
				p++
			}
			if isQuote(r.byteAt(p)) && wordEnd-word <= 2 {
				continue // b"v"
			}
			if r.foldedAt(word, "or ") && wordEnd-word == 2 && calls == 0 {
				return r.fallback(p)
			}
			continue
		case isQuote(c):
			if p == start || wordEnd == 0 && calls == 0 {
				return r.wrapped(p)
			}
			// The argument of a call.
			switch r.callee(word, wordEnd) {
			case conversion:
				return r.wrapped(p)
			case lookup:
				return r.second(p)
			}
			return false
		case c == '|' && r.byteAt(p+1) == '|':
			return r.fallback(p + 2)
		case c == '?' && r.byteAt(p+1) == '?':
			return r.fallback(p + 2)
		case c == '?' && r.byteAt(p+1) == ':':
			return r.fallback(p + 2)
		case c == '(':
			calls++
			if calls > 3 {
				return false
			}
		case c == ' ' || c == '[' || c == ']' || c == '&' || c == '*' || c == '!':
		default:
			return false
		}
		p++
	}
	return false
}

func (r *reader) wrapped(p int) bool {
	r.a.Wrapped = true
	return r.quoted(p)
}

// fallback takes the literal that stands directly at p.
func (r *reader) fallback(p int) bool {
	q, ok := r.quoteAt(r.blanks(p))
	if !ok {
		return false
	}
	r.a.Default = true
	if r.a.Op == None {
		r.a.Op = Equals
	}
	return r.quoted(q)
}

// second takes the second argument of a look-up whose first one, a literal,
// begins at p.
func (r *reader) second(p int) bool {
	if !r.quoted(p) {
		return false
	}
	p = r.blanks(r.a.ValueEnd + 1)
	r.a.ValueStart, r.a.ValueEnd, r.a.Quote = 0, 0, 0
	if c := r.byteAt(p); c == ']' || c == ')' { // ENV["A"] || "v", env("A") ?: "v"
		p = r.blanks(p + 1)
		if (r.byteAt(p) == '|' && r.byteAt(p+1) == '|') || (r.byteAt(p) == '?' && (r.byteAt(p+1) == '?' || r.byteAt(p+1) == ':')) {
			return r.fallback(p + 2)
		}
		if r.foldedAt(p, "or ") {
			return r.fallback(p + 3)
		}
		return false
	}
	if r.byteAt(p) != ',' {
		return false
	}
	p = r.space(p + 1)
	if r.foldedAt(p, "default=") {
		p += len("default=")
	}
	return r.fallback(p)
}

type calleeKind uint8

const (
	other calleeKind = iota
	conversion
	lookup
)

// callee classifies a called function by its name.
func (r *reader) callee(s, e int) calleeKind {
	last := s
	for p := s; p < e; p++ {
		if r.text[p] == '.' || r.text[p] == ':' {
			last = p + 1
		}
	}
	name := r.text[last:e]
	for _, c := range conversions {
		if r.foldedAt(last, c) && len(name) == len(c) {
			return conversion
		}
	}
	whole := r.text[s:e]
	for _, c := range lookups {
		if containsFold(whole, c) {
			return lookup
		}
	}
	return other
}

// conversions are functions that return their literal in another type.
var conversions = []string{
	"byte", "bytes", "string", "str", "from", "new", "to_string", "tostring", "tochararray", "buffer", "string.from", "secretstr", "securestring",
	"secretvalue", "unsafeplaintext", "plaintext", "b64decode", "unquote", "of", "asbytes", "getbytes", "ref", "ptr", "pointer",
	"stringptr", "stringpointer", "to", "sprintf", "fromstring", "parse", "secret", "text", "value", "char", "rune", "return", "bytearray", "t", "nsstring", "l",
}

// lookups are parts of names of functions whose second argument stands in for
// a missing value.
var lookups = []string{"env", "get", "config", "option", "setting", "fetch", "default", "property", "param", "lookup", "environ"}

func containsFold(b []byte, low string) bool {
	for i := 0; i+len(low) <= len(b); i++ {
		j := 0
		for j < len(low) && (b[i+j] == low[j] || ('A' <= b[i+j] && b[i+j] <= 'Z' && b[i+j]+'a'-'A' == low[j])) {
			j++
		}
		if j == len(low) {
			return true
		}
	}
	return false
}

// comparing are methods that compare their object with their argument.
var comparing = []string{"equals", "equalsignorecase", "isequalto", "equal", "eq", "is", "compareto", "contentequals", "tobe", "toequal", "hasvalue"}

// setting are methods that set their object to their argument.
var setting = []string{"set", "setvalue", "sendkeys", "send_keys", "settext", "type", "fill", "fill_in", "val", "value", "with", "default", "withdefault", "defaultvalue", "push", "fromstring", "append", "encode", "tochararray", "getbytes", "nullable"}

// call reads NAME("v"), NAME.equals("v") and NAME.set("v").
func (r *reader) call(p int) bool {
	r.a.Op = Call
	last := r.a.NameStart
	for q := r.a.NameStart; q < r.a.NameEnd; q++ {
		if r.text[q] == '.' {
			last = q + 1
		}
	}
	if last > r.a.NameStart+1 {
		method := r.text[last:r.a.NameEnd]
		for _, m := range comparing {
			if len(m) == len(method) && r.foldedAt(last, m) {
				r.a.Op, r.a.NameEnd = Compare, last-1
				break
			}
		}
		if r.a.Op == Call {
			for _, m := range setting {
				if len(m) == len(method) && r.foldedAt(last, m) {
					r.a.Op, r.a.NameEnd = Equals, last-1
					break
				}
			}
		}
	}
	q, ok := r.quoteAt(r.space(p + 1))
	if !ok {
		// NAME([]byte("v")) and the like.
		if r.a.Op != Call || r.syn != Code || !r.expression(p+1) || !r.a.Wrapped {
			return false
		}
	} else if !r.quoted(q) {
		return false
	}
	if r.a.Op != Call {
		return true
	}
	// One argument alone: of several the first is seldom the value.
	end := r.a.ValueEnd + 1
	if r.a.Quote != 0 {
		for r.byteAt(end) == r.a.Quote {
			end++
		}
	}
	end = r.space(end)
	return r.byteAt(end) == ')'
}
