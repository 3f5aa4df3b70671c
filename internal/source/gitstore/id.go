package gitstore

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// Format is the hash that a repository names its objects with.
type Format uint8

// The object formats of git.
const (
	SHA1   Format = iota // 20 bytes
	SHA256               // 32 bytes
)

// Size is the length of an id in bytes.
func (f Format) Size() int {
	if f == SHA256 {
		return 32
	}
	return 20
}

func (f Format) String() string {
	if f == SHA256 {
		return "sha256"
	}
	return "sha1"
}

// ID is the name of an object. The zero ID names none. IDs are comparable.
type ID struct {
	n uint8 // bytes in use
	b [32]byte
}

// IDFromBytes makes an ID of 20 or 32 raw bytes; any other length gives the
// zero ID.
func IDFromBytes(b []byte) ID {
	var id ID
	if len(b) == 20 || len(b) == 32 {
		id.n = uint8(len(b))
		copy(id.b[:], b)
	}
	return id
}

// ParseID reads 40 or 64 hexadecimal digits.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 40 && len(s) != 64 {
		return id, fmt.Errorf("an object id has 40 or 64 hexadecimal digits, not %d characters", len(s))
	}
	if _, err := hex.Decode(id.b[:len(s)/2], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("object id holds something other than hexadecimal digits")
	}
	id.n = uint8(len(s) / 2)
	return id, nil
}

// IsZero reports whether id names no object: it is unset or all zeros.
func (id ID) IsZero() bool { return id.b == [32]byte{} }

// Raw returns the id's bytes.
func (id *ID) Raw() []byte { return id.b[:id.n] }

// String returns the hexadecimal form, empty for the unset ID.
func (id ID) String() string { return hex.EncodeToString(id.b[:id.n]) }

// Compare orders ids by their bytes.
func (id ID) Compare(other ID) int { return bytes.Compare(id.b[:id.n], other.b[:other.n]) }
