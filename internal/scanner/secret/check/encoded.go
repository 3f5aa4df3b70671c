package check

import (
	"bytes"
	"crypto/ed25519"
	"crypto/md5"  //nolint:gosec // only to recognise the hash of nothing
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"bulwark/internal/finding"
)

// hexBytes checks an even number of hexadecimal digits that were not typed.
func hexBytes(secret []byte) Result {
	s := string(secret)
	if len(s)%2 != 0 || !isHex(s) {
		return invalid("not bytes in hexadecimal")
	}
	if s != strings.ToLower(s) && s != strings.ToUpper(s) {
		return unknown("upper and lower case mixed")
	}
	if monotonous(strings.ToLower(s)) {
		return invalid("repeated or counted digits")
	}
	if hashOfNothing(strings.ToLower(s)) {
		return invalid("the hash of the empty string")
	}
	return unknown(fmt.Sprintf("%d bytes in hexadecimal", len(s)/2))
}

func hashOfNothing(s string) bool {
	m, h1, h2 := md5.Sum(nil), sha1.Sum(nil), sha256.Sum256(nil) //nolint:gosec // as above
	return s == hex.EncodeToString(m[:]) || s == hex.EncodeToString(h1[:]) || s == hex.EncodeToString(h2[:])
}

// base64Bytes checks bytes in base64 that were not typed.
func base64Bytes(secret []byte) Result {
	b, ok := decodeBase64(string(secret), false)
	switch {
	case !ok || len(b) < 4:
		return invalid("not bytes in base64")
	case monotonous(string(b)) || monotonous(strings.TrimRight(string(secret), "=")):
		return invalid("repeated or counted bytes")
	}
	if what, is := publicKey(secret); is {
		return invalid(what)
	}
	if printable(b) {
		return unknown("base64 of text")
	}
	return unknown(fmt.Sprintf("%d bytes in base64", len(b)))
}

// ed25519Base64 checks an Ed25519 key in base64: a seed of 32 bytes, or seed and
// public key, which must belong together.
func ed25519Base64(secret []byte) Result {
	b, ok := decodeBase64(string(secret), false)
	if !ok || (len(b) != 32 && len(b) != 64) {
		return invalid("not 32 or 64 bytes in base64")
	}
	if monotonous(string(b)) || printable(b) {
		return invalid("not random bytes")
	}
	if len(b) == 64 && bytes.Equal(ed25519.NewKeyFromSeed(b[:32]), b) {
		return valid("the public key in it belongs to the private one").with("key.type", "ed25519")
	}
	return unknown(fmt.Sprintf("%d bytes in base64", len(b)))
}

// base64JSON checks that base64 hides a JSON object.
func base64JSON(secret []byte) Result {
	b, ok := decodeBase64(string(secret), false)
	if !ok {
		return invalid("not base64")
	}
	b = bytes.TrimSpace(b)
	if len(b) < 2 || b[0] != '{' || !json.Valid(b) {
		return invalid("not base64 of a JSON object")
	}
	return valid("base64 of a JSON object")
}

// googleServiceAccount checks the JSON key file of a service account, its
// private key included.
func googleServiceAccount(secret []byte) Result {
	var f struct {
		Type    string `json:"type"`
		Project string `json:"project_id"`
		KeyID   string `json:"private_key_id"`
		Key     string `json:"private_key"`
		Email   string `json:"client_email"`
	}
	at := bytes.IndexByte(secret, '{')
	if at < 0 {
		return unknown()
	}
	if err := json.NewDecoder(bytes.NewReader(secret[at:])).Decode(&f); err != nil {
		return unknown() // perhaps cut off, or a literal of a programming language
	}
	if f.Type != "service_account" {
		return invalid("not a service account")
	}
	r := pemPrivateKey([]byte(f.Key))
	switch {
	case f.Key == "":
		return invalid("holds no private key")
	case r.Outcome == Invalid:
		return r
	}
	if f.Email != "" && !strings.Contains(f.Email, "@") {
		return invalid("a placeholder instead of the account")
	}
	if r.Outcome == Valid {
		r.Evidence = append([]string{"service account file with a whole private key"}, r.Evidence...)
	}
	return r.with("gcp.project", clip(f.Project)).with("gcp.account", clip(f.Email)).with("gcp.key", clip(f.KeyID))
}

// httpBasic checks the credentials of HTTP basic authentication (RFC 7617):
// base64 of user:password.
func httpBasic(secret []byte) Result {
	s := strings.TrimSpace(string(secret))
	if len(s) > 6 && strings.EqualFold(s[:6], "basic ") {
		s = strings.TrimSpace(s[6:])
	}
	b, ok := decodeBase64(s, false)
	b = bytes.TrimRight(b, "\x00\r\n")
	if !ok || !printable(b) {
		return invalid("not base64 of text")
	}
	user, password, ok := strings.Cut(string(b), ":")
	switch {
	case !ok || password == "":
		return invalid("not base64 of user:password")
	case placeholder(password) || (user == "Aladdin" && password == "open sesame"):
		return invalid("decodes to a placeholder")
	}
	r := valid("decodes to user and password")
	if strings.EqualFold(user, password) {
		return r.sure(finding.Tentative)
	}
	return r
}

// dockerAuth checks the auth value of a container registry, or the whole
// config.json that holds it.
func dockerAuth(secret []byte) Result {
	if b := bytes.TrimSpace(secret); len(b) > 0 && b[0] == '{' {
		var f struct {
			Auths map[string]struct {
				Auth          string `json:"auth"`
				IdentityToken string `json:"identitytoken"`
			} `json:"auths"`
		}
		if json.Unmarshal(b, &f) != nil {
			return unknown()
		}
		for _, a := range f.Auths {
			if a.IdentityToken != "" {
				return unknown("holds an identity token")
			}
			if r := httpBasic([]byte(a.Auth)); r.Outcome == Valid {
				return r
			}
		}
		return invalid("holds no credential")
	}
	return httpBasic(secret)
}

// basicURL checks a URL with a password, or the password of one alone.
func basicURL(secret []byte) Result {
	s := string(secret)
	_, rest, ok := strings.Cut(s, "://")
	if !ok {
		if placeholder(decoded(s)) {
			return invalid("a placeholder instead of a password")
		}
		return unknown()
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 && strings.LastIndexByte(rest[:end], '@') >= 0 {
		rest = rest[:end]
	}
	if end := strings.IndexByte(rest, '/'); end >= 0 && strings.LastIndexByte(rest[:end], '@') >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return invalid("no user before the host")
	}
	user, password, ok := strings.Cut(rest[:at], ":")
	if !ok || password == "" {
		return invalid("no password before the host")
	}
	user, password = decoded(user), decoded(password)
	host := hostOf(rest[at+1:])
	if placeholder(password) || placeholder(host) || exampleHost(host) {
		return invalid("a placeholder instead of password or host")
	}
	r := unknown().with("url.host", clip(host))
	if strings.EqualFold(user, password) {
		r = r.sure(finding.Tentative)
		r.Evidence = append(r.Evidence, "the password is the user's name")
	}
	if loopback(host) {
		r.Evidence = append(r.Evidence, "for a service on the same machine")
		r = r.at(finding.Low)
	}
	return r
}

func decoded(s string) string {
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}

// hostOf strips port and path.
func hostOf(s string) string {
	if end := strings.IndexAny(s, "/?#,"); end >= 0 {
		s = s[:end]
	}
	if strings.HasPrefix(s, "[") {
		host, _, _ := strings.Cut(s[1:], "]")
		return host
	}
	host, _, _ := strings.Cut(s, ":")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// exampleHost recognises names reserved for documentation (RFC 2606, RFC 6761).
func exampleHost(host string) bool {
	for _, name := range []string{"example", "example.com", "example.org", "example.net", "invalid", "test"} {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	return false
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// placeholder recognises what people write where a password belongs. Passwords
// are examined here only where they are hidden from the shared judgement, behind
// an encoding or inside a URL.
func placeholder(s string) bool {
	t := strings.ToLower(strings.TrimSpace(s))
	if t == "" || strings.ContainsAny(t, "<>{}…") || strings.HasPrefix(t, "$") || strings.HasPrefix(t, "%") || strings.Contains(t, "...") {
		return true
	}
	if strings.HasPrefix(t, "[") && strings.HasSuffix(t, "]") {
		return true
	}
	if all(t, "*") || all(t, "x") || all(t, ".") || all(t, "-") || all(t, "_") {
		return true
	}
	t = strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(t)
	switch t {
	case "password", "passwd", "pass", "pwd", "pw", "secret", "token", "apikey", "key", "changeme", "changeit", "example", "examplepassword",
		"mypassword", "mysecret", "mysecretpassword", "mypass", "yourpassword", "yoursecret", "yourtoken", "yourpass", "userpassword", "userpass",
		"somepassword", "dbpassword", "dbpass", "redacted", "hidden", "masked", "placeholder", "dummy", "fake", "foo", "bar", "baz", "none", "null",
		"undefined", "todo", "replaceme", "string", "xoauthbasic", "passwordhere", "host", "hostname", "yourhost":
		return true
	}
	return false
}
