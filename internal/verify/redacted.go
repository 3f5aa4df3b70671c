package verify

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Redacted holds a secret value that no formatting, logging or encoding shows.
// The zero value holds nothing. Values are not comparable.
type Redacted struct {
	// A closure, not a string: package fmt and debuggers of values print the
	// fields of a struct that are reached through an unexported field, without
	// asking its methods. Of a function they print an address.
	reveal func() string
}

// Redact wraps a secret value.
func Redact(value string) Redacted {
	return Redacted{reveal: func() string { return value }}
}

// Reveal returns the secret value. Hand it to nothing that prints.
func (r Redacted) Reveal() string {
	if r.reveal == nil {
		return ""
	}
	return r.reveal()
}

func (Redacted) String() string { return redacted }

// GoString is what %#v prints.
func (Redacted) GoString() string { return redacted }

// Format prints the same for every verb.
func (Redacted) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (Redacted) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (Redacted) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (Redacted) MarshalText() ([]byte, error) { return []byte(redacted), nil }

var (
	_ fmt.Formatter  = Redacted{}
	_ fmt.GoStringer = Redacted{}
	_ slog.LogValuer = Redacted{}
	_ json.Marshaler = Redacted{}
)
