package format

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"bulwark/internal/sbom"
)

func TestEveryFormatReadsBack(t *testing.T) {
	d := &sbom.Document{Subject: sbom.Subject{Ref: "root", Name: "shop"}, Components: []sbom.Component{{Ref: "pkg:npm/a@1", PURL: "pkg:npm/a@1"}}}
	d.Components[0].Package.Name = "a"
	for _, name := range Names() {
		var b bytes.Buffer
		if err := Write(&b, d, name); err != nil {
			t.Fatal(err)
		}
		got, err := Read(b.Bytes())
		if err != nil || len(got.Components) != 1 || got.Components[0].Package.Ecosystem != "npm" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if err := Write(&bytes.Buffer{}, d, "pdf"); err == nil {
		t.Error("pdf is written")
	}
}

func TestReadTellsFormatsApart(t *testing.T) {
	late := `{"components":[{"name":"a","purl":"pkg:npm/a@1"}],"bomFormat":"CycloneDX","specVersion":"1.6"}`
	if d, err := Read([]byte(late)); err != nil || len(d.Components) != 1 {
		t.Errorf("bomFormat at the end: %v, %v", d, err)
	}
	for _, text := range []string{"", "{}", `{"a":1}`, "hello", "<html/>", "[1]", `{"a":` + strings.Repeat("[", 50_000)} {
		if _, err := Read([]byte(text)); err == nil {
			t.Errorf("%.20q: no error", text)
		}
	}
	if _, err := Read([]byte(`{"a":1}`)); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown format: %v", err)
	}
}
