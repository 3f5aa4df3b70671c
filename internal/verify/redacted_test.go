package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestRedactedShowsNothing(t *testing.T) {
	const value = "hunter2" + "-hunter2"
	type inner struct{ secret Redacted }
	c := Candidate{Provider: "github", Value: Redact(value), Companions: map[string]Redacted{"other": Redact(value)}}
	var out bytes.Buffer
	for _, x := range []any{Redact(value), &c, c, inner{Redact(value)}, &inner{Redact(value)}, []Redacted{Redact(value)}, map[string]any{"a": Redact(value)}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", x)
		}
		fmt.Fprintln(&out, x)
		j, err := json.Marshal(x)
		if err != nil {
			t.Errorf("encoding %T: %v", x, err)
		}
		out.Write(j)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "x", x)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "x", x)
		fmt.Fprintln(&out, fmt.Errorf("x: %v: %w", x, errors.New("y")))
	}
	text, err := Redact(value).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	for _, form := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), fmt.Sprint([]byte(value))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the value shows as %q:\n%s", form, out.String())
		}
	}
	if got := Redact(value).Reveal(); got != value {
		t.Errorf("Reveal = %q", got)
	}
	if got := (Redacted{}).Reveal(); got != "" {
		t.Errorf("the zero value reveals %q", got)
	}
}
