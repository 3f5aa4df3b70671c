package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/bundle"

	"bulwark/internal/outcome"
)

const bundled = `package custom
decisions contains {"fingerprint": f.fingerprint, "verdict": "block", "reason": data.texts.why} if some f in input.findings
`

// entry is one entry of an archive.
type entry struct {
	tar.Header
	content string
}

// archive makes a tar.gz of entries.
func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for _, e := range entries {
		h, content := e.Header, e.content
		h.Mode = 0o644
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(content)); h.Typeflag == tar.TypeReg && err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(name, content string) entry {
	return entry{Header: tar.Header{Name: name}, content: content}
}

func TestBundle(t *testing.T) {
	b := archive(t, file("policy/custom.rego", bundled), file("texts/data.yaml", "why: Because."), file("policy/custom_test.rego", "package x\ntest_a if false\n"))
	low := leak(func(f *Finding) { f.Severity, f.SeverityRank = "low", 1 })
	out, err := mustLoad(t, Options{Bundles: []Bundle{{Name: "team.tar.gz", Data: b}}}).Decide(t.Context(), low)
	if err != nil {
		t.Fatal(err)
	}
	if out.Verdict != outcome.Block || out.Decisions[0].Reason != "Because." {
		t.Errorf("got %+v, want a block because of the bundle's data", out)
	}
}

func TestBundleErrors(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"not gzip", []byte("hello"), "not a gzip"},
		{"truncated", archive(t, file("a.rego", bundled))[:60], "archive"},
		{"climbs out", archive(t, file("../a.rego", bundled)), "not a name inside"},
		{"climbs out in the middle", archive(t, file("a/../../b.rego", bundled)), "not a name inside"},
		{"backslashes", archive(t, file(`..\a.rego`, bundled)), "not a name inside"},
		{"twice", archive(t, file("a.rego", bundled), file("/a.rego", bundled)), "twice"},
		{"symbolic link", archive(t, entry{Header: tar.Header{Name: "a.rego", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}), "link"},
		{"device", archive(t, entry{Header: tar.Header{Name: "a", Typeflag: tar.TypeChar}}), "device"},
		{"large file", archive(t, file("a/data.json", `{"a": "`+strings.Repeat("x", 70_000)+`"}`)), "too large"},
		{"bomb", archive(t, file("a.bin", strings.Repeat("\x00", 60_000)), file("b.bin", strings.Repeat("\x00", 60_000)), file("c.bin", strings.Repeat("\x00", 60_000))), "limit"},
		{"many files", archive(t, manyFiles(30)...), "more than 10 entries"},
		{"nested signatures", archive(t, file("x/.signatures.json", "{}")), "top of the bundle"},
		{"syntax", archive(t, file("a.rego", "package x\nfoo := := 1\n")), "team.tar.gz!/a.rego:2"},
		{"compile", archive(t, file("a.rego", "package x\n\ndecisions contains x if x := http.send({})\n")), "team.tar.gz!/a.rego:3"},
		{"delta", archive(t, file("patch.json", `{"data": [{"op": "upsert", "path": "/a", "value": 1}]}`)), "delta"},
		{"wasm", archive(t, file("policy.wasm", "\x00asm"), file("a.rego", bundled)), "compiled policy"},
		{"outside its roots", archive(t, file(".manifest", `{"roots": ["other"]}`), file("a.rego", bundled)), "roots"},
		{"signed", archive(t, file(".signatures.json", `{"signatures": ["a.b.c"]}`), file("a.rego", bundled)), "no key was given"},
		{"into the gate", archive(t, file("a.rego", "package bulwark.gate\nx := 1\n")), "belongs to the default gate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(t.Context(), Options{
				Bundles: []Bundle{{Name: "team.tar.gz", Data: tt.data}},
				Limits:  Limits{FileBytes: 64 << 10, TotalBytes: 100 << 10, Files: 10},
			})
			if !IsKind(err, Configuration) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one of kind configuration that says %q", err, tt.want)
			}
		})
	}
}

func manyFiles(n int) []entry {
	var list []entry
	for i := range n {
		list = append(list, file(strings.Repeat("a", i+1), ""))
	}
	return list
}

// signed returns a signed bundle and the public key in PEM form.
func signed(t *testing.T, rego string) (data, public []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	read, err := bundle.NewReader(bytes.NewReader(archive(t, file("custom.rego", rego), file("texts/data.json", `{"why": "Signed."}`)))).Read()
	if err != nil {
		t.Fatal(err)
	}
	pemKey := string(pem.EncodeToMemory(&pem.Block{Type: "EC " + "PRIVATE KEY", Bytes: private}))
	if err := read.GenerateSignature(bundle.NewSigningConfig(pemKey, "ES256", ""), "default", false); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := bundle.NewWriter(&b).DisableFormat(true).Write(read); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})
}

func TestSignedBundle(t *testing.T) {
	data, public := signed(t, bundled)
	_, otherPublic := signed(t, bundled)
	unsigned := archive(t, file("custom.rego", bundled), file("texts/data.json", `{"why": "x"}`))
	tests := []struct {
		name string
		data []byte
		key  *Key
		want string // in the error; empty for none
	}{
		{"right key", data, &Key{PEM: public, Algorithm: "ES256"}, ""},
		{"no key", data, nil, "no key was given"},
		{"wrong key", data, &Key{PEM: otherPublic, Algorithm: "ES256"}, "verif"},
		{"wrong algorithm", data, &Key{PEM: public, Algorithm: "RS256"}, "verif"},
		{"shared secret", data, &Key{PEM: public, Algorithm: "HS256"}, "not accepted"},
		{"no PEM", data, &Key{PEM: []byte("secret"), Algorithm: "ES256"}, "PEM"},
		{"wrong scope", data, &Key{PEM: public, Algorithm: "ES256", Scope: "prod"}, "scope"},
		{"not signed", unsigned, &Key{PEM: public, Algorithm: "ES256"}, ".signatures.json"},
		{"changed", tampered(t, data), &Key{PEM: public, Algorithm: "ES256"}, "digest"},
		{"file added", withFile(t, data, "extra.rego"), &Key{PEM: public, Algorithm: "ES256"}, "extra.rego"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(t.Context(), Options{Bundles: []Bundle{{Name: "b.tar.gz", Data: tt.data}}, Key: tt.key})
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (!IsKind(err, Configuration) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one of kind configuration that says %q", err, tt.want)
			}
		})
	}
}

// unpack returns the entries of a bundle in the form that archive takes.
func unpack(t *testing.T, data []byte) []entry {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(gz)
	var list []entry
	for {
		h, err := tr.Next()
		if err != nil {
			return list
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(tr); err != nil {
			t.Fatal(err)
		}
		list = append(list, file(h.Name, b.String()))
	}
}

func tampered(t *testing.T, data []byte) []byte {
	list := unpack(t, data)
	for i := range list {
		list[i].content = strings.ReplaceAll(list[i].content, `"block"`, `"allow"`)
	}
	return archive(t, list...)
}

func withFile(t *testing.T, data []byte, name string) []byte {
	return archive(t, append(unpack(t, data), file(name, "package extra\n"))...)
}

// No archive makes the reader panic, read outside its limits or return an error
// of another kind.
func FuzzBundle(f *testing.F) {
	f.Add(archive(f, file("a.rego", bundled), file("texts/data.json", `{"why": "x"}`), file(".manifest", `{"roots": [""]}`)))
	f.Add(archive(f, file("../a.rego", bundled), entry{Header: tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/"}}))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := Load(t.Context(), Options{
			Bundles: []Bundle{{Name: "f.tar.gz", Data: b}},
			Limits:  Limits{FileBytes: 16 << 10, TotalBytes: 32 << 10, Files: 20},
		})
		if err != nil && !IsKind(err, Configuration) {
			t.Errorf("error of another kind: %v", err)
		}
		if err != nil && strings.Contains(err.Error(), "internal fault") {
			t.Error(err)
		}
	})
}

// The content of an archive is compressed, so that a fuzzer rarely gets past
// its checksum; this one starts behind it.
func FuzzArchiveContent(f *testing.F) {
	f.Add("a.rego", bundled, ".manifest", `{"roots": [""]}`)
	f.Add("a/data.json", `{"a": 1}`, "a/data.yaml", "b: &x [1]\nc: *x\n")
	f.Add(".signatures.json", `{"signatures": ["e30.e30.e30"]}`, "x.rego", "package x")
	f.Fuzz(func(t *testing.T, name1, content1, name2, content2 string) {
		var b bytes.Buffer
		gz := gzip.NewWriter(&b)
		tw := tar.NewWriter(gz)
		for _, e := range [][2]string{{name1, content1}, {name2, content2}} {
			if tw.WriteHeader(&tar.Header{Name: e[0], Mode: 0o644, Size: int64(len(e[1]))}) != nil {
				return
			}
			if _, err := tw.Write([]byte(e[1])); err != nil {
				return
			}
		}
		if tw.Close() != nil || gz.Close() != nil {
			return
		}
		_, err := Load(t.Context(), Options{
			Bundles: []Bundle{{Name: "f.tar.gz", Data: b.Bytes()}},
			Limits:  Limits{FileBytes: 16 << 10, TotalBytes: 32 << 10, Files: 20},
		})
		if err != nil && (!IsKind(err, Configuration) || strings.Contains(err.Error(), "internal fault")) {
			t.Errorf("%v", err)
		}
	})
}
