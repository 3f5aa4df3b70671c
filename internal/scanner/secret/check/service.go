package check

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"bulwark/internal/finding"
)

// pypiMacaroon checks API tokens of Python package indexes: pypi- and a macaroon
// in libmacaroons' binary format 2, whose location names the index. Source:
// PyPI's help, "Detecting the PyPI secret format", and libmacaroons' doc/format.txt.
func pypiMacaroon(secret []byte) Result {
	body, ok := strings.CutPrefix(string(secret), "pypi-")
	if !ok {
		return unknown()
	}
	b, ok := decodeBase64(body, false)
	if !ok || len(b) < 8 || b[0] != 2 {
		return invalid("not a macaroon of version 2")
	}
	m := macaroon{rest: b[1:]}
	location := ""
	if kind, value := m.field(); kind == fieldLocation {
		location = string(value)
		kind, _ = m.field()
		m.want(kind == fieldIdentifier)
	} else {
		m.want(kind == fieldIdentifier)
	}
	m.want(m.end())
	var caveats []string
	for !m.bad && !m.end() {
		kind, value := m.field()
		if kind == fieldLocation {
			kind, value = m.field()
		}
		m.want(kind == fieldIdentifier)
		caveats = append(caveats, string(value))
		if !m.end() {
			kind, _ = m.field()
			m.want(kind == fieldVerification)
			m.want(m.end())
		}
	}
	kind, signature := m.field()
	if m.bad || kind != fieldSignature || len(signature) != 32 || len(m.rest) != 0 {
		return invalid("truncated or damaged macaroon")
	}
	r := valid("macaroon parses").with("pypi.host", clip(location))
	if location == "test.pypi.org" {
		r.Evidence = append(r.Evidence, "for the test index only")
		r = r.at(finding.Medium)
	}
	for _, c := range caveats {
		if expires, ok := pypiExpiry(c); ok {
			r = r.with("pypi.expires", expires)
		}
	}
	if len(caveats) > 0 {
		r = r.with("pypi.caveats", strconv.Itoa(len(caveats)))
	}
	return r
}

// pypiExpiry reads the caveat [0, expires, not before] of Warehouse, in seconds.
func pypiExpiry(caveat string) (string, bool) {
	var c []json.Number
	if json.Unmarshal([]byte(caveat), &c) != nil || len(c) != 3 || c[0] != "0" {
		return "", false
	}
	t, ok := numericDate(c[1])
	return t.Format(time.DateOnly), ok
}

// Field types of a version 2 macaroon.
const (
	fieldLocation     = 1
	fieldIdentifier   = 2
	fieldVerification = 4
	fieldSignature    = 6
)

type macaroon struct {
	rest []byte
	bad  bool
}

func (m *macaroon) want(ok bool) { m.bad = m.bad || !ok }

// end consumes an end-of-section mark.
func (m *macaroon) end() bool {
	if len(m.rest) == 0 {
		m.bad = true
		return false
	}
	if m.rest[0] != 0 {
		return false
	}
	m.rest = m.rest[1:]
	return true
}

func (m *macaroon) field() (kind uint64, value []byte) {
	kind, n := binary.Uvarint(m.rest)
	if n <= 0 {
		m.bad = true
		return 0, nil
	}
	size, k := binary.Uvarint(m.rest[n:])
	if k <= 0 || size > uint64(len(m.rest)-n-k) {
		m.bad = true
		return 0, nil
	}
	from := n + k
	value = m.rest[from : from+int(size)]
	m.rest = m.rest[from+int(size):]
	return kind, value
}

// discordEpoch is the first millisecond of 2015, where Discord's ids start.
// Source: Discord's developer reference, "Snowflakes".
const discordEpoch = 1420070400000

// discordBotToken checks three base64url segments: the bot's id in decimal, a
// time of 4 bytes or more, a keyed hash of 20 or 28 bytes.
func discordBotToken(secret []byte) Result {
	parts := strings.Split(string(secret), ".")
	if len(parts) != 3 {
		return invalid("not three segments")
	}
	id, ok := decodeBase64(parts[0], false)
	if !ok || !all(string(id), digits) || len(id) < 17 || len(id) > 20 {
		return invalid("first segment is no Discord id")
	}
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil || n>>63 != 0 || monotonous(string(id)) {
		return invalid("first segment is no Discord id")
	}
	when, ok := decodeSegment(parts[1])
	if !ok || len(when) < 4 || len(when) > 6 {
		return invalid("second segment is no time")
	}
	hash, ok := decodeSegment(parts[2])
	if !ok || len(hash) < 20 || len(hash) > 28 || monotonous(parts[2]) {
		return invalid("third segment is no keyed hash")
	}
	created := time.UnixMilli(int64(n>>22) + discordEpoch).UTC()
	return valid("holds the id of a Discord application").
		with("discord.application", string(id)).with("discord.created", created.Format(time.DateOnly))
}

// slackToken checks Slack's tokens as far as their form is regular. Source:
// Slack's documentation of token types.
func slackToken(secret []byte) Result {
	s := string(secret)
	kind := map[string]string{
		"xoxb": "bot", "xoxp": "user", "xoxa": "workspace", "xoxr": "refresh", "xoxe": "rotating",
		"xapp": "app-level", "xoxc": "client", "xoxd": "cookie", "xoxs": "session",
	}
	prefix, body, ok := strings.Cut(s, "-")
	name := kind[prefix]
	if !ok {
		if prefix, _, ok = strings.Cut(s, "."); ok && prefix == "xoxe" {
			return unknown().with("slack.kind", "rotating")
		}
		return unknown()
	}
	if strings.HasPrefix(prefix, "xoxe.") {
		name = "rotating"
	}
	if name == "" {
		return unknown()
	}
	parts := strings.Split(body, "-")
	tail := parts[len(parts)-1]
	switch prefix {
	case "xoxb", "xoxp", "xoxs", "xoxc":
		if len(parts) < 2 {
			return invalid("not of the form of a Slack token")
		}
		for _, p := range parts[:len(parts)-1] {
			if !all(p, digits) || monotonous(p) || strings.HasPrefix(p, "12345") {
				return invalid("holds no workspace or user number")
			}
		}
		if !all(tail, base62) || monotonous(tail) {
			return invalid("not of the form of a Slack token")
		}
	case "xapp":
		if len(parts) != 4 || parts[1] == "" || parts[1][0] != 'A' || !all(parts[2], digits) || monotonous(parts[2]) || !isHex(tail) || monotonous(tail) {
			return invalid("not of the form of an app-level token")
		}
		return unknown().with("slack.kind", name).with("slack.app", clip(parts[1]))
	}
	return unknown().with("slack.kind", name)
}

// sendGridKey checks SG.<id>.<secret>, base64url of 16 and 32 bytes.
func sendGridKey(secret []byte) Result {
	parts := strings.Split(string(secret), ".")
	if len(parts) != 3 || parts[0] != "SG" || len(parts[1]) != 22 || len(parts[2]) != 43 {
		return invalid("not of the form of a SendGrid key")
	}
	for _, p := range parts[1:] {
		if b, err := base64.RawURLEncoding.DecodeString(p); err != nil || monotonous(p) || monotonous(string(b)) {
			return invalid("not random base64url")
		}
	}
	return unknown("key id of 16 bytes, secret of 32")
}

// telegramBotToken checks <bot id>:<35 characters>, of which the first two are
// AA in tokens made since 2015.
func telegramBotToken(secret []byte) Result {
	id, key, ok := strings.Cut(string(secret), ":")
	if !ok || !all(id, digits) || len(id) < 6 || len(id) > 12 || id[0] == '0' || len(key) != 35 || !all(key, base62+"-_") {
		return invalid("not of the form of a bot token")
	}
	if what, is := publicKey(secret); is {
		return invalid(what)
	}
	if strings.HasPrefix(id, "123456") || monotonous(id) || monotonous(key) || strings.HasPrefix(key, "ABC-DEF") {
		return invalid("repeated or counted characters")
	}
	return unknown().with("telegram.bot", id)
}

// mailchimpKey checks 32 hexadecimal digits and the data centre: -us21.
func mailchimpKey(secret []byte) Result {
	key, centre, ok := strings.Cut(string(secret), "-us")
	n, err := strconv.Atoi(centre)
	if !ok || err != nil || len(centre) > 2 || n < 1 || n > 40 || centre[0] == '0' {
		return invalid("names no data centre")
	}
	if len(key) != 32 || !isHex(key) || monotonous(key) {
		return invalid("not 32 random hexadecimal digits")
	}
	return unknown().with("mailchimp.datacenter", "us"+centre)
}

// uuid checks for a random UUID (RFC 9562, version 4).
func uuid(secret []byte) Result {
	s := strings.ToLower(string(secret))
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return invalid("not a UUID")
	}
	h := strings.ReplaceAll(s, "-", "")
	if len(h) != 32 || !isHex(h) {
		return invalid("not a UUID")
	}
	if s[14] != '4' || strings.IndexByte("89ab", s[19]) < 0 {
		return invalid("not a random UUID (version 4)")
	}
	body := h[:12] + h[13:16] + h[17:]
	if monotonous(h) || monotonous(body) || monotonous(body[:12]) || monotonous(body[15:]) || distinct(body) < 6 {
		return invalid("repeated or counted digits")
	}
	return valid("random UUID")
}
