package collect

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

// maxHashes is how many digests of one package are kept.
const maxHashes = 8

// Sound reports whether a name, version or constraint can be one: of a usable
// length, valid UTF-8 and without control characters. The empty text is sound.
func Sound(s string) bool {
	if len(s) > extract.MaxName {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			return soundUnicode(s)
		}
	}
	return true
}

func soundUnicode(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		// Format characters turn the direction of text or are not seen at all.
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// Show makes a stranger's text fit for a message: in quotes and not long.
func Show(s string) string {
	const most = 80
	cut := ""
	if len(s) > most {
		s, cut = strings.ToValidUTF8(s[:most], ""), "…"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range Address(s) {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteRune('\ufffd')
		}
	}
	return b.String() + cut + `"`
}

// Address takes credentials out of an address: the user part and the query.
// What follows '#' is kept, since it names a revision. A text that is not an
// address is returned as it is.
func Address(s string) string {
	scheme := strings.Index(s, "://")
	if scheme < 0 {
		// git@host:owner/name is fine, user:token@host/path is not.
		if at := strings.IndexByte(s, '@'); at > 0 && strings.IndexByte(s[:at], ':') >= 0 && !strings.ContainsAny(s[:at], "/ #") {
			return s[at+1:]
		}
		return s
	}
	start := scheme + len("://")
	end := len(s)
	if i := strings.IndexAny(s[start:], "/?#\\"); i >= 0 {
		end = start + i
	}
	if at := strings.LastIndexByte(s[start:end], '@'); at >= 0 {
		user := s[start : start+at]
		if user != "git" { // the user of all, no credential
			s = s[:start] + s[start+at+1:]
		}
	}
	if q := strings.IndexByte(s, '?'); q >= 0 {
		rest := ""
		if h := strings.IndexByte(s[q:], '#'); h >= 0 {
			rest = s[q+h:]
		}
		s = s[:q] + rest
	}
	return s
}

// WithoutFragment cuts off what follows '#'.
func WithoutFragment(s string) string {
	s, _, _ = strings.Cut(s, "#")
	return s
}

// HostOf is the lower-case host of an address, "" if it has none.
func HostOf(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "" // an address without a readable host has none
	}
	return strings.ToLower(u.Hostname())
}

// IsArchive reports whether a path or address ends as a package archive does.
func IsArchive(s string) bool {
	s = WithoutFragment(s)
	for _, end := range []string{".tgz", ".tar.gz", ".tar", ".zip"} {
		if strings.HasSuffix(s, end) {
			return true
		}
	}
	return false
}

// digestSizes are the bytes of each algorithm's digests.
var digestSizes = map[string]int{"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}

// Algorithm is the name that Hash gives an algorithm: "sha256" is "sha-256".
func Algorithm(name string) string {
	if rest, ok := strings.CutPrefix(name, "sha"); ok {
		return "sha-" + rest
	}
	return name
}

// Integrity reads W3C subresource integrity (https://www.w3.org/TR/SRI/):
// "sha512-…base64… sha1-…". ok is false if a part is none of that.
func Integrity(s string) (hashes []dependency.Hash, ok bool) {
	ok = true
	for part := range strings.FieldsSeq(s) {
		part, _, _ = strings.Cut(part, "?") // options
		name, digest, _ := strings.Cut(part, "-")
		var buf [66]byte
		if base64.StdEncoding.DecodedLen(len(digest)) > len(buf) {
			ok = false
			continue
		}
		n, err := base64.StdEncoding.Decode(buf[:], []byte(digest))
		if err != nil || digestSizes[name] != n || n == 0 {
			ok = false
			continue
		}
		if len(hashes) < maxHashes {
			hashes = append(hashes, dependency.Hash{Algorithm: Algorithm(name), Value: hex.EncodeToString(buf[:n])})
		}
	}
	return hashes, ok
}

// Digest reads one digest in hexadecimal; ok is false if it does not have the
// algorithm's length.
func Digest(algorithm, digest string) (dependency.Hash, bool) {
	size, known := digestSizes[algorithm]
	if !known || len(digest) != 2*size {
		return dependency.Hash{}, false
	}
	digest = strings.ToLower(digest)
	for i := 0; i < len(digest); i++ {
		if c := digest[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return dependency.Hash{}, false
		}
	}
	return dependency.Hash{Algorithm: Algorithm(algorithm), Value: digest}, true
}

// maxGaps is how many gaps of one file are listed one by one.
const maxGaps = 50

// Gaps are the parts of a file that could not be understood. The zero Gaps is
// ready for use; however many there are, only the first are listed.
type Gaps struct {
	list []dependency.Gap
	more int
}

// Add notes a gap at a line, 0 if unknown.
func (g *Gaps) Add(line int, message string) {
	if len(g.list) >= maxGaps {
		g.more++
		return
	}
	g.list = append(g.list, dependency.Gap{Line: line, Message: message})
}

// List returns the gaps in the order they were added.
func (g *Gaps) List() []dependency.Gap {
	if g.more == 0 {
		return g.list
	}
	return append(g.list[:len(g.list):len(g.list)], dependency.Gap{Message: "parts of the file beyond these that could not be understood: " + strconv.Itoa(g.more)})
}

// Path splits off the last element of a slash-separated path and reports
// whether a manifest there is the project's own.
func Path(path string) (base string, own bool) { return Base(path), Own(path) }

// Base is the last element of a slash-separated path.
func Base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// Own is false for what a package manager has installed. Whoever asks it of
// every file looks at the name first, which is cheaper.
func Own(path string) bool {
	for dir := range strings.SplitSeq(path[:len(path)-len(Base(path))], "/") {
		if dir == "node_modules" || dir == "bower_components" {
			return false
		}
	}
	return !strings.HasPrefix(path, "vendor/bundle/") && !strings.Contains(path, "/vendor/bundle/")
}
