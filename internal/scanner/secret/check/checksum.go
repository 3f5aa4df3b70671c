package check

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strconv"
	"strings"
)

const (
	checksumMatches = "CRC-32 checksum matches"
	checksumFails   = "CRC-32 checksum does not match"
)

// base62CRC writes the CRC-32 (IEEE) of body in six base62 digits, alphabet
// 0-9A-Za-z, padded with 0. Source: "Behind GitHub's new authentication token
// formats", github.blog, 2021-04-05.
func base62CRC(body string) string {
	const width = 6 // 62^6 > 2^32
	var out [width]byte
	n := crc32.ChecksumIEEE([]byte(body))
	for i := width - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
	return string(out[:])
}

// suffixCRC checks a body whose last six characters are the checksum of those
// before.
func suffixCRC(body string) bool {
	n := len(body) - 6
	return n > 0 && base62CRC(body[:n]) == body[n:]
}

// gitHubCRC32 checks classic tokens: ghp_, gho_, ghu_, ghs_ and ghr_ before 30
// random characters and a checksum of six. Longer bodies exist (refresh tokens
// of 76 characters, installation tokens that carry a JWT); what their last
// characters mean is not published, so that a mismatch says nothing there.
func gitHubCRC32(secret []byte) Result {
	prefix, body, ok := strings.Cut(string(secret), "_")
	if !ok || len(prefix) != 3 || prefix[:2] != "gh" || !strings.Contains("pousr", prefix[2:]) {
		return unknown()
	}
	if !all(body, base62) {
		return unknown()
	}
	kind := map[byte]string{'p': "personal", 'o': "oauth", 'u': "app-user", 's': "app-installation", 'r': "refresh"}[prefix[2]]
	switch {
	case suffixCRC(body):
		return valid(checksumMatches).with("github.kind", kind)
	case len(body) == 36:
		return invalid(checksumFails)
	case len(body) < 36:
		return invalid("shorter than a GitHub token")
	}
	return unknown().with("github.kind", kind)
}

// gitHubFineGrained checks fine-grained personal access tokens: github_pat_, 22
// characters, an underscore and 59 characters, all base62. GitHub says that
// these tokens carry a checksum, but has not published over what, so that only
// their form is checked.
func gitHubFineGrained(secret []byte) Result {
	body, ok := strings.CutPrefix(string(secret), "github_pat_")
	if !ok {
		return unknown()
	}
	id, rest, ok := strings.Cut(body, "_")
	switch {
	case !ok, len(id) != 22, len(rest) != 59, !all(id, base62), !all(rest, base62):
		return invalid("not of the form 22_59 of a fine-grained token")
	case monotonous(id), monotonous(rest):
		return invalid("repeated or counted characters")
	}
	return unknown("has the form of a fine-grained token")
}

// npmCRC32 checks npm access tokens, made as GitHub's. Source: "Announcing
// npm's new access token format", github.blog, 2021-09-23.
func npmCRC32(secret []byte) Result {
	body, ok := strings.CutPrefix(string(secret), "npm_")
	switch {
	case !ok:
		return unknown()
	case len(body) != 36 || !all(body, base62):
		return invalid("not 36 letters and digits after npm_")
	case suffixCRC(body):
		return valid(checksumMatches)
	}
	return invalid(checksumFails)
}

// grafanaCRC32 checks service account tokens glsa_<32 characters>_<8 hex
// digits>: the CRC-32 (IEEE) of what precedes the last underscore, its bytes in
// little-endian order. Source: Grafana's package satokengen and its test vector.
func grafanaCRC32(secret []byte) Result {
	s := string(secret)
	cut := strings.LastIndexByte(s, '_')
	if cut < 0 || !strings.HasPrefix(s, "gl") {
		return unknown()
	}
	body, sum := s[:cut], s[cut+1:]
	if len(sum) != 8 || !isHex(sum) || !strings.Contains(body, "_") {
		return invalid("does not end in a checksum")
	}
	if hex.EncodeToString(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body)))) == strings.ToLower(sum) {
		return valid(checksumMatches)
	}
	return invalid(checksumFails)
}

// gitLabRoutable checks GitLab's routable tokens:
//
//	<prefix><base64url payload>.<version, 2>.<payload length, 2><CRC-32, 7>
//
// with numbers in base36 padded with 0; tokens made before April 2025 lack the
// version and its point. The checksum covers everything before it, the prefix
// included. The payload is routing data such as "o:1\nu:2a", random bytes and,
// as its last byte, their count. Source: GitLab's design document "Routable
// Tokens" and lib/authn/token_field/generator/routable_token.rb.
func gitLabRoutable(secret []byte) Result {
	const (
		sumLen    = 7
		lengthLen = 2
	)
	s := string(secret)
	fields := strings.Split(s, ".")
	last := fields[len(fields)-1]
	if (len(fields) != 2 && len(fields) != 3) || len(last) != lengthLen+sumLen || !all(last, digits+lower) {
		return unknown() // a legacy token of 20 random characters, or none of GitLab's
	}
	if len(fields) == 3 && (len(fields[1]) != 2 || !all(fields[1], digits+lower)) {
		return unknown()
	}
	sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(s[:len(s)-sumLen]))), 36)
	if strings.Repeat("0", sumLen-len(sum))+sum != last[lengthLen:] {
		return invalid(checksumFails)
	}
	r := valid(checksumMatches)
	n, err := strconv.ParseUint(last[:lengthLen], 36, 16)
	if err != nil || int(n) > len(fields[0]) {
		return r
	}
	payload, err := base64.RawURLEncoding.DecodeString(fields[0][len(fields[0])-int(n):])
	if err != nil || len(payload) == 0 {
		return r
	}
	random := int(payload[len(payload)-1])
	if random+1 > len(payload) {
		return r
	}
	names := map[string]string{"c": "gitlab.cell", "g": "gitlab.group", "o": "gitlab.organization", "p": "gitlab.project", "u": "gitlab.user"}
	for line := range strings.SplitSeq(string(payload[:len(payload)-1-random]), "\n") {
		key, value, _ := strings.Cut(line, ":")
		if id, err := strconv.ParseUint(value, 36, 64); err == nil && names[key] != "" {
			r = r.with(names[key], strconv.FormatUint(id, 10))
		}
	}
	return r
}
