package plausible

import (
	"bytes"

	"bulwark/internal/scanner/secret/assign"
)

// profile counts the characters of a value by class.
type profile struct {
	lower, upper, digit, symbol, space, high, control int
	hex                                               bool // nothing but hexadecimal digits
	base64                                            bool // nothing but letters, digits and + / - _ =
}

func profileOf(v []byte) profile {
	p := profile{hex: true, base64: true}
	for _, c := range v {
		switch {
		case isLower(c):
			p.lower++
			if c > 'f' {
				p.hex = false
			}
			continue
		case isUpper(c):
			p.upper++
			if c > 'F' {
				p.hex = false
			}
			continue
		case isDigit(c):
			p.digit++
			continue
		case c == ' ' || c == '\t':
			p.space++
		case c >= 0x80:
			p.high++
		case c < 0x20 || c == 0x7f:
			p.control++
		default:
			p.symbol++
		}
		p.hex = false
		if c != '+' && c != '/' && c != '-' && c != '_' && c != '=' {
			p.base64 = false
		}
	}
	return p
}

// classes counts the classes of characters that a password policy knows.
func (p *profile) classes() int {
	n := 0
	for _, c := range [...]int{p.lower, p.upper, p.digit, p.symbol + p.high} {
		if c > 0 {
			n++
		}
	}
	return n
}

// rejects turns down what the classes alone exclude.
func (p *profile) rejects(v []byte, c *Context, n *name) string {
	switch {
	case p.space > 0:
		return "text"
	case p.control > 0:
		return "control characters"
	case p.high > 2 || p.high > 0 && (p.digit == 0 || p.lower == 0 || len(v) < 10):
		return "text"
	case p.lower+p.upper == 0 && p.symbol == 0:
		return "number"
	case p.lower+p.upper == 0:
		return "number"
	case p.symbol*2 > len(v):
		return "punctuation"
	case p.digit == 0 && p.upper == 0 && p.symbol == 0 && c.Kind != Password && len(v) < 10:
		return "short word"
	case p.upper == len(v) && c.Kind != Password && len(v) < 16:
		return "name of a constant"
	}
	return ""
}

// assignmentRejects turns down constructs that give no credential.
func assignmentRejects(c *Context, a *assign.Assignment, n *name) string {
	switch a.Op {
	case assign.Call:
		if n.verb || n.after > 0 && !n.setter {
			return "argument of a function"
		}
	case assign.Compare:
		if len(c.Value) < 6 {
			return "compared with a short value"
		}
	}
	if a.After == '(' && a.Quote == 0 {
		return "call"
	}
	return ""
}

// shape turns down values that look like something else. It returns the reason.
func shape(v []byte, p *profile, c *Context, n *name) string {
	quote := byte(0)
	if c.Assignment != nil {
		quote = c.Assignment.Quote
	}
	bare := c.Assignment != nil && quote == 0
	if r := templated(v); r != "" {
		return r
	}
	first := v[0]
	switch first {
	case '$':
		if len(v) > 1 && (isLetter(v[1]) || v[1] == '_' || v[1] == '@' || v[1] == '*') && c.Kind != Password || bare && isLetter(v[1]) || bare && v[1] == '_' || quote == '"' && shellLike(c.Syntax) && (isLetter(v[1]) || v[1] == '_') {
			return "variable"
		}
		if hashFormat(v) {
			return "hash"
		}
		if isUpperName(v[1:]) {
			return "variable"
		}
	case '/', '~':
		if bytes.IndexByte(v[1:], '/') >= 0 && !(p.base64 && p.digit > 2 && p.upper > 2) || p.digit == 0 && p.upper == 0 {
			return "path"
		}
	case '.', '\\':
		return "path"
	case '@':
		if c.Syntax == assign.SQL || bare {
			return "variable"
		}
	case ':':
		if c.Kind != Password || bare {
			return "variable"
		}
	case '{', '[', '(', '<':
		if bare || v[len(v)-1] == first+2 || v[len(v)-1] == ')' {
			return "expression"
		}
	case '%':
		if bare || v[len(v)-1] == '%' {
			return "variable"
		}
	case '#':
		if p.symbol == 1 && (len(v) == 7 || len(v) == 4 || p.digit == 0) {
			return "selector"
		}
	case '!', '&', '*':
		if bare {
			return "expression"
		}
	}
	if r := marks(v, p, bare); r != "" {
		return r
	}
	switch {
	case hashFormat(v):
		return "hash"
	case fileName(v):
		return "file name"
	case email(v):
		return "email address"
	case image(v):
		return "image"
	case bare && dotted(v, p):
		return "code"
	}
	return context(v, p, c)
}

func shellLike(s assign.Syntax) bool {
	return s == assign.Shell || s == assign.Unknown || s == assign.Prose || s == assign.YAML || s == assign.Config
}

func isUpperName(v []byte) bool {
	for _, c := range v {
		if !isUpper(c) && !isDigit(c) && c != '_' {
			return false
		}
	}
	return len(v) > 0
}

// marks looks for sequences that stand in code, URLs and expressions.
func marks(v []byte, p *profile, bare bool) string {
	if p.symbol == 0 {
		return ""
	}
	for i := 0; i+1 < len(v); i++ {
		c, d := v[i], v[i+1]
		switch {
		case c == ':' && d == '/' && i+2 < len(v) && v[i+2] == '/':
			return "URL"
		case c == ':' && d == ':', c == '-' && d == '>', c == '=' && d == '>', c == '&' && d == '&', c == '|' && d == '|':
			return "code"
		case c == '\\' && (d == 'd' || d == 'w' || d == 's' || d == 'S' || d == 'W' || d == '.' || d == 'b') && p.symbol > 2, c == '.' && (d == '*' || d == '+'), c == '[' && (d == '^' || i+3 < len(v) && v[i+2] == '-'), c == '(' && d == '?':
			return "regular expression"
		case c == '(' && d == ')', c == ')' && d == ';', c == ')' && d == '.', c == '[' && (d == '\'' || d == '"'), c == '(' && (d == '\'' || d == '"'):
			return "code"
		case c == '$' && bare && i > 0 && (d == '{' || isUpper(d)) && p.digit == 0:
			return "variable"
		case c == '%' && (d == 's' || d == 'd' || d == 'v') && p.digit == 0 && (i+2 == len(v) || !isLetter(v[i+2])):
			return "format"
		case c == '%' && (isDigit(d) || d == '.') && i+3 < len(v) && (v[i+2] == '.' || v[i+2] == 's' || v[i+2] == 'd' || v[i+2] == 'f'):
			return "format"
		}
	}
	if bare && v[len(v)-1] == ')' && indexByte(v, '(') > 0 {
		return "code"
	}
	if bare && (v[len(v)-1] == ';' || v[len(v)-1] == '{') && p.digit == 0 {
		return "code"
	}
	return ""
}

// hashFormat recognises the written forms of hashed passwords and digests.
func hashFormat(v []byte) bool {
	first := v[0]
	if isUpper(first) {
		first |= 0x20
	}
	for _, s := range hashPrefixes {
		if s[0] == first && len(v) > len(s) && indexFold(v[:len(s)], s) == 0 {
			return true
		}
	}
	return false
}

var hashPrefixes = []string{
	"$2a$", "$2b$", "$2x$", "$2y$", "$1$", "$5$", "$6$", "$y$", "$7$", "$apr1$", "$argon2", "$pbkdf2", "$scrypt", "$sha1$", "$p$", "$h$", "{sha}", "{ssha}", "{crypt}", "{md5}", "{bcrypt}", "{ssha512}", "{sha256}", "{pbkdf2}",
	"{noop}", "sha1:", "sha256:", "sha512:", "sha256-", "sha384-", "sha512-", "sha1-", "md5:", "md5$", "sha1$", "pbkdf2_", "pbkdf2:", "scrypt:", "bcrypt", "argon2", "scram-sha", "enc[", "vault:", "arn:", "urn:", "ssh-rsa", "ssh-ed", "ecdsa-", "aaaab3", "data:", "-----begin",
	"md5-", "env:", "file:", "ref:", "ref+", "op://", "projects/", "secretref", "ssm:", "classpath:", "keyvault", "@microsoft.keyvault", "http", "sha-", "hmac-",
}

// fileName recognises names of files by extensions that keys and settings have.
func fileName(v []byte) bool {
	dot := bytes.LastIndexByte(v, '.')
	if dot <= 0 || len(v)-dot > 11 {
		return false
	}
	var buf [12]byte
	switch string(folded(buf[:0], v[dot+1:])) {
	case "txt", "pem", "key", "json", "yml", "yaml", "crt", "cer", "der", "jks", "p12", "pfx", "properties", "conf", "cfg", "ini", "php", "html", "htm", "js", "ts", "py", "rb", "go", "java", "xml", "sh", "png", "jpg", "svg", "css", "md", "log", "csv", "asc", "gpg",
		"pub", "keystore", "bks", "kdbx", "env", "local", "com", "org", "net", "io", "dev", "exe", "dll", "so", "zip", "gz", "tar", "jar", "war", "tpl", "tmpl", "vue", "jsx", "tsx", "scss", "sql", "db", "dat", "bin", "ps1", "bat", "cs", "aspx", "jsp", "ejs", "erb", "tf", "toml", "lock", "example", "internal", "svc", "cluster":
		return true
	}
	return false
}

func folded(dst, src []byte) []byte {
	for _, c := range src {
		if isUpper(c) {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// email recognises mail addresses.
func email(v []byte) bool {
	at := bytes.IndexByte(v, '@')
	if at < 1 || at > len(v)-5 || bytes.IndexByte(v[at+1:], '@') >= 0 {
		return false
	}
	domain := v[at+1:]
	dot := bytes.LastIndexByte(domain, '.')
	if dot < 1 || len(domain)-dot-1 < 2 || len(domain)-dot-1 > 6 {
		return false
	}
	for i, c := range domain {
		if c != '.' && c != '-' && !isLetter(c) && (!isDigit(c) || i > dot) {
			return false
		}
	}
	return true
}

// image recognises images and fonts in base64.
func image(v []byte) bool {
	for _, s := range [...]string{"iVBORw0KGgo", "R0lGOD", "/9j/", "PHN2Zy", "AAABAA", "d09GR", "UklGR"} {
		if len(v) > 40 && string(v[:len(s)]) == s {
			return true
		}
	}
	return false
}

// dotted recognises paths of identifiers: config.password.
func dotted(v []byte, p *profile) bool {
	dots := 0
	for i, c := range v {
		switch {
		case c == '.':
			if i == 0 || i+1 == len(v) || !isLetter(v[i+1]) && v[i+1] != '_' {
				return false
			}
			dots++
		case !isLetter(c) && c != '_' && c != '[' && c != ']' && !isDigit(c):
			return false
		}
	}
	return dots > 0 && p.digit*8 < len(v)
}

// hashWords stand on lines whose hexadecimal and base64 values are digests.
var hashWords = [][]byte{[]byte("integrity"), []byte("checksum"), []byte("sha1"), []byte("sha256"), []byte("sha512"), []byte("SHA1"), []byte("SHA256"), []byte("SHA-256"), []byte("fingerprint"), []byte("Fingerprint"), []byte("etag"), []byte("ETag"), []byte("digest"), []byte("commit"), []byte("revision"), []byte("md5"), []byte("MD5"), []byte("hash"), []byte("Hash"), []byte("thumbprint")}

// context turns down digests that the line calls so.
func context(v []byte, p *profile, c *Context) string {
	if !p.hex || len(c.Line) > 400 {
		return ""
	}
	switch len(v) {
	case 32, 40, 64, 128:
		for _, w := range hashWords {
			if bytes.Contains(c.Line, w) {
				return "digest"
			}
		}
	}
	return ""
}
