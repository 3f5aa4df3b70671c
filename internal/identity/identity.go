// Package identity turns what was found into a name that survives: a keyed hash
// that is equal wherever and whenever the same thing is found again, and tells
// nothing about it. It derives keys and computes fingerprints; it reads no file,
// no environment and no repository.
//
// # What the key protects
//
// Fingerprints leave the machine: they stand in reports, baselines, waivers and
// the cache. A hash without a key would let anyone who holds a report test
// guesses for the secret behind it, at billions a second. With a key, only who
// holds the key can.
//
//   - A random token (100 bits or more) cannot be guessed with or without the
//     key; the key merely keeps two organisations from seeing that they share it.
//   - A password that a person chose can be guessed by whoever has both the key
//     and a fingerprint. An identity_key that is committed to a repository is
//     known to all who can read that repository, and they could read the secret
//     in it as well, for as long as it is there. It is not known to those who only
//     see a report. For a public repository the key protects nothing: there the
//     key belongs in the CI system's secret store and is handed over explicitly.
//   - A key derived from the root commit's id is exactly as secret as the
//     repository. The id of a public repository's root commit is public.
//   - Whoever changes the key renames every finding: baselines and waivers that
//     name fingerprints must be written anew. KeyID lets a reader notice.
//
// The order in which callers look for a key: given explicitly, identity_key in
// the configuration, the root commit, a random key of the user.
package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Schemes say what was hashed and how; a new way of making the canonical bytes
// needs a new scheme.
const (
	// SchemeSecret is for secret values. The canonical bytes are the value
	// itself, for PEM blocks the decoded DER.
	SchemeSecret = "secret/1"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// Key keys the fingerprints. It never prints itself.
type Key [KeySize]byte

// IsZero reports whether no key was set.
func (k Key) IsZero() bool {
	var zero Key
	return subtle.ConstantTimeCompare(k[:], zero[:]) == 1
}

const hidden = "(identity key)"

// String hides the key.
func (Key) String() string { return hidden }

// GoString hides the key.
func (Key) GoString() string { return hidden }

// Format hides the key from every verb of package fmt.
func (Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(hidden)) }

// LogValue hides the key from logs.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the key from encoders.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Text returns the key as KeyFromText reads it: standard base64 of its bytes.
func (k Key) Text() string { return base64.StdEncoding.EncodeToString(k[:]) }

// KeyFromText reads a key written as base64 (standard or URL alphabet, padding
// optional) or as 64 hex digits. The error never repeats the text.
func KeyFromText(text string) (Key, error) {
	text = strings.TrimSpace(text)
	var raw []byte
	var err error
	if len(text) == hex.EncodedLen(KeySize) {
		raw, err = hex.DecodeString(text)
	} else {
		t := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		raw, err = base64.RawStdEncoding.DecodeString(t)
	}
	if err != nil {
		return Key{}, errors.New("the identity key is neither base64 nor hex: write the base64 of 32 random bytes, such as `openssl rand -base64 32` prints")
	}
	if len(raw) != KeySize {
		return Key{}, fmt.Errorf("the identity key has %d bytes: want the base64 of %d random bytes, such as `openssl rand -base64 32` prints", len(raw), KeySize)
	}
	k := Key(raw)
	if distinct(raw) < 8 {
		return Key{}, errors.New("the identity key is not random: want the base64 of 32 random bytes, such as `openssl rand -base64 32` prints")
	}
	return k, nil
}

func distinct(b []byte) int {
	s := slices.Clone(b)
	slices.Sort(s)
	return len(slices.Compact(s))
}

// KeyFromRootCommit derives a key from the ids (lower-case hex) of the commits
// without parents that HEAD descends from; their order does not matter. The
// caller must not pass the boundary commits of a shallow clone: they differ from
// clone to clone.
func KeyFromRootCommit(ids ...string) (Key, error) {
	if len(ids) == 0 {
		return Key{}, errors.New("deriving the identity key: no root commit")
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	h := hmac.New(sha256.New, []byte("bulwark identity key, root commit, version 1"))
	for _, id := range ids {
		if raw, err := hex.DecodeString(id); err != nil || len(raw) < 20 || strings.ToLower(id) != id {
			return Key{}, fmt.Errorf("deriving the identity key: %q is not a commit id", id)
		}
		h.Write([]byte(id))
		h.Write([]byte{0})
	}
	return Key(h.Sum(nil)), nil
}

// KeyID names a key in public: equal keys have equal ids, and an id tells
// nothing about a random key. Documents that hold fingerprints carry it, so
// that a reader with another key can say so rather than find everything new.
func KeyID(key Key) string {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte("bulwark identity key id, version 1"))
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// Fingerprint returns "<scheme>:<32 hex digits>", an HMAC-SHA-256 of scheme and
// canonical cut to 128 bits. Canonical is what the thing is, free of how it was
// written: reformatting must not change it, so a caller strips white space and
// escapes where the format ignores them.
func Fingerprint(key Key, scheme string, canonical []byte) string {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte("bulwark fingerprint\x00"))
	h.Write([]byte(scheme))
	h.Write([]byte{0})
	h.Write(canonical)
	var sum [sha256.Size]byte
	return scheme + ":" + hex.EncodeToString(h.Sum(sum[:0])[:16])
}

// SecretFingerprint is Fingerprint under SchemeSecret.
func SecretFingerprint(key Key, canonical []byte) string {
	return Fingerprint(key, SchemeSecret, canonical)
}

// Valid reports whether s has the form of a fingerprint.
func Valid(s string) bool {
	scheme, digits, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || len(scheme) > 64 || len(digits) != 32 {
		return false
	}
	for _, c := range []byte(scheme) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '/' || c == '-' || c == '.') {
			return false
		}
	}
	for _, c := range []byte(digits) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// NewKey makes a random key.
func NewKey() (Key, error) {
	var k Key
	if _, err := rand.Read(k[:]); err != nil {
		return Key{}, fmt.Errorf("making an identity key: %w", err)
	}
	return k, nil
}
