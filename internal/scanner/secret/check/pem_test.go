package check

import (
	//lint:ignore SA1019 keys of that kind still leak
	"crypto/dsa"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func armored(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// opensshBlob builds an openssh-key-v1 of Ed25519.
func opensshBlob(cipher string, first, second uint32) []byte {
	str := func(b []byte, s string) []byte {
		return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	key := ed25519.NewKeyFromSeed(pseudo(32))
	public := str(str(nil, "ssh-ed25519"), string(key[32:]))
	private := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, first), second)
	private = str(str(str(str(private, "ssh-ed25519"), string(key[32:])), string(key)), "someone@somewhere")
	kdf := "none"
	if cipher != "none" {
		kdf = "bcrypt"
	}
	b := []byte("openssh-key-v1\x00")
	b = str(str(str(b, cipher), kdf), "")
	b = binary.BigEndian.AppendUint32(b, 1)
	return str(str(b, string(public)), string(private))
}

func puttyFile(encryption string) string {
	key := ed25519.NewKeyFromSeed(pseudo(32))
	public := append(binary.BigEndian.AppendUint32(nil, 11), "ssh-ed25519"...)
	public = append(binary.BigEndian.AppendUint32(public, 32), key[32:]...)
	private := append(binary.BigEndian.AppendUint32(nil, 32), key[:32]...)
	pub, priv := split(base64.StdEncoding.EncodeToString(public), 64), split(base64.StdEncoding.EncodeToString(private), 64)
	return "PuTTY-User-Key-" + "File-3: ssh-ed25519\nEncryption: " + encryption + "\nComment: a key\nPublic-Lines: " + string(rune('0'+len(pub))) + "\n" +
		strings.Join(pub, "\n") + "\nPrivate-Lines: " + string(rune('0'+len(priv))) + "\n" + strings.Join(priv, "\n") +
		"\nPrivate-MAC: " + strings.Repeat("3f1c9a7e", 8) + "\n"
}

// pgpArmored builds a version 4 secret key packet of EdDSA.
func pgpArmored(protection ...byte) string {
	body := []byte{4, 0x60, 1, 2, 3, 22, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1}
	body = append(body, 1, 7, 0x40) // an integer of 263 bits
	body = append(append(body, pseudo(32)...), protection...)
	body = append(body, pseudo(40)...)
	b := append([]byte{0xc5, byte(len(body))}, body...)
	crc := crc24(b)
	lines := strings.Join(split(base64.StdEncoding.EncodeToString(b), 64), "\n")
	return "-----BEGIN PGP PRIVATE " + "KEY BLOCK-----\nVersion: GnuPG v2\n\n" + lines + "\n=" +
		base64.StdEncoding.EncodeToString([]byte{byte(crc >> 16), byte(crc >> 8), byte(crc)}) + "\n-----END PGP PRIVATE " + "KEY BLOCK-----\n"
}

func TestPEM(t *testing.T) {
	rsaPrivate := must(rsa.GenerateKey(rand.Reader, 2048))
	pkcs1 := armored("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaPrivate))
	pkcs8 := armored("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(rsaPrivate)))
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	sec1DER := must(x509.MarshalECPrivateKey(p256))
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	mixed := append([]byte(nil), sec1DER...)
	copy(mixed[len(mixed)-64:], must(other.PublicKey.Bytes())[1:])
	x25519 := must(x509.MarshalPKCS8PrivateKey(must(ecdh.X25519().GenerateKey(rand.Reader))))
	var dsaPrivate dsa.PrivateKey
	if err := dsa.GenerateParameters(&dsaPrivate.Parameters, rand.Reader, dsa.L1024N160); err != nil {
		t.Fatal(err)
	}
	if err := dsa.GenerateKey(&dsaPrivate, rand.Reader); err != nil {
		t.Fatal(err)
	}
	dsaDER := must(asn1.Marshal(struct {
		V             int
		P, Q, G, Y, X *big.Int
	}{0, dsaPrivate.P, dsaPrivate.Q, dsaPrivate.G, dsaPrivate.Y, dsaPrivate.X}))
	//lint:ignore SA1019 keys encrypted that way still leak
	legacy := must(x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaPrivate), []byte("pw"), x509.PEMCipherAES128))
	otherModulus := func() []byte {
		var k struct {
			V                         int
			N, E, D, P, Q, DP, DQ, QI *big.Int
		}
		must(asn1.Unmarshal(x509.MarshalPKCS1PrivateKey(rsaPrivate), &k))
		k.N.Add(k.N, big.NewInt(2))
		return must(asn1.Marshal(k))
	}()
	wrongSize := base64.StdEncoding.EncodeToString(pseudo(600))
	escaped := string(must(json.Marshal(pkcs8)))
	lines := strings.Split(strings.TrimSpace(pkcs1), "\n")
	quoted := `"` + strings.Join(lines, "\\n\" +\n    \"") + `"`
	rsa2048 := props{"key.type": "rsa-2048"}
	rsaEncrypted := props{"key.encrypted": "true", "key.type": "rsa"}
	begin, end := "-----BEGIN RSA PRIVATE "+"KEY-----\n", "-----END RSA PRIVATE "+"KEY-----\n"

	tests := []struct {
		name, text string
		want       verdict
	}{
		{"PKCS#1", pkcs1, verdict{Outcome: Valid, Properties: rsa2048}},
		{"PKCS#8", pkcs8, verdict{Outcome: Valid, Properties: rsa2048}},
		{"with CRLF", strings.ReplaceAll(pkcs1, "\n", "\r\n"), verdict{Outcome: Valid, Properties: rsa2048}},
		{"indented", "    " + strings.ReplaceAll(pkcs1, "\n", "\n\t  "), verdict{Outcome: Valid, Properties: rsa2048}},
		{"JSON string", escaped, verdict{Outcome: Valid, Properties: rsa2048}},
		{"JSON string within one", string(must(json.Marshal(escaped))), verdict{Outcome: Valid, Properties: rsa2048}},
		{"concatenated literals", quoted, verdict{Outcome: Valid, Properties: rsa2048}},
		{"one line, spaces", strings.ReplaceAll(pkcs1, "\n", " "), verdict{Outcome: Valid, Properties: rsa2048}},
		{"commented out", "# " + strings.ReplaceAll(pkcs1, "\n", "\n# "), verdict{Outcome: Valid, Properties: rsa2048}},
		{"patch", "+" + strings.ReplaceAll(pkcs1, "\n", "\n+"), verdict{Outcome: Valid, Properties: rsa2048}},
		{"continued shell string", strings.ReplaceAll(pkcs1, "\n", "\\\n"), verdict{Outcome: Valid, Properties: rsa2048}},
		{"within a file", "key: |\n" + pkcs1 + "\nnext: 1", verdict{Outcome: Valid, Properties: rsa2048}},
		{"SEC1", armored("EC PRIVATE KEY", sec1DER), verdict{Outcome: Valid, Properties: props{"key.type": "ec-p256"}}},
		{"SEC1, public key of another", armored("EC PRIVATE KEY", mixed), verdict{Outcome: Invalid}},
		{"EC in PKCS#8", armored("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(p256))), verdict{Outcome: Valid, Properties: props{"key.type": "ec-p256"}}},
		{"X25519", armored("PRIVATE KEY", x25519), verdict{Outcome: Valid, Properties: props{"key.type": "x25519"}}},
		// RFC 8410, section 10.3.
		{"Ed25519 of RFC 8410", "-----BEGIN PRIVATE " + "KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+" + "K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE " + "KEY-----",
			verdict{Outcome: Valid, Properties: props{"key.type": "ed25519"}}},
		{"DSA", armored("DSA PRIVATE KEY", dsaDER), verdict{Outcome: Valid, Properties: props{"key.type": "dsa-1024"}}},
		{"traditional encryption", string(pem.EncodeToMemory(legacy)), verdict{Outcome: Valid, Severity: "medium", Properties: rsaEncrypted}},
		{"OpenSSH", armored("OPENSSH PRIVATE KEY", opensshBlob("none", 7, 7)), verdict{Outcome: Valid, Properties: props{"key.type": "ed25519"}}},
		{"OpenSSH, damaged", armored("OPENSSH PRIVATE KEY", opensshBlob("none", 7, 8)), verdict{Outcome: Invalid}},
		{"OpenSSH, encrypted", armored("OPENSSH PRIVATE KEY", opensshBlob("aes256-ctr", 7, 8)),
			verdict{Outcome: Valid, Severity: "low", Properties: props{"key.type": "ed25519", "key.encrypted": "true"}}},
		{"PuTTY", puttyFile("none"), verdict{Outcome: Valid, Properties: props{"key.type": "ed25519"}}},
		{"PuTTY, encrypted", puttyFile("aes256-cbc"), verdict{Outcome: Valid, Severity: "low", Properties: props{"key.type": "ed25519", "key.encrypted": "true"}}},
		{"OpenPGP", pgpArmored(0), verdict{Outcome: Valid, Properties: props{"key.type": "eddsa"}}},
		{"OpenPGP, encrypted", pgpArmored(254, 9, 3, 8), verdict{Outcome: Valid, Severity: "low", Properties: props{"key.type": "eddsa", "key.encrypted": "true"}}},
		{"OpenPGP, stub", pgpArmored(255, 0, 101, 0, 'G', 'N', 'U', 1), verdict{Outcome: Valid, Severity: "low", Properties: props{"key.type": "eddsa"}}},
		{"numbers disagree", armored("RSA PRIVATE KEY", otherModulus), verdict{Outcome: Invalid}},
		{"truncated", begin + strings.Join(lines[1:8], "\n") + "\n" + end, verdict{Outcome: Invalid}},
		{"dots", begin + "MIIEpAIBAAKCAQEA...\n" + end, verdict{Outcome: Invalid}},
		{"dots between", begin + lines[1] + "\n...\n" + lines[5] + "\n" + end, verdict{Outcome: Invalid}},
		{"placeholder", begin + "<your private key>\n" + end, verdict{Outcome: Invalid}},
		{"one letter", begin + strings.Repeat("x", 64) + "\n" + strings.Repeat("x", 64) + "\n" + end, verdict{Outcome: Invalid}},
		{"empty", begin + end, verdict{Outcome: Invalid}},
		{"begin line alone", "if strings.Contains(s, \"" + strings.TrimSpace(begin) + "\") {", verdict{Outcome: Invalid}},
		{"random body", begin + wrongSize + "\n" + end, verdict{Confidence: "tentative"}},
		{"cut off by the matcher", begin + strings.TrimRight(base64.StdEncoding.EncodeToString(append([]byte{0x30, 0x82, 0xff, 0}, pseudo(3000)...)), "="), verdict{Confidence: "tentative"}},
		{"certificate", armored("CERTIFICATE", sec1DER), verdict{Outcome: Invalid}},
		{"no armor", "hello", verdict{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := pemPrivateKey([]byte(tt.text))
			if diff := cmp.Diff(tt.want, verdictOf(got)); diff != "" {
				t.Errorf("evidence %q (-want +got)\n%s", got.Evidence, diff)
			}
		})
	}

	account := func(key, kind string) string {
		return string(must(json.Marshal(map[string]string{"type": kind, "project_id": "proj-1", "private_key_id": "aa11", "private_key": key, "client_email": "svc@proj-1.iam.gserviceaccount.com"})))
	}
	gcp := props{"key.type": "rsa-2048", "gcp.project": "proj-1", "gcp.account": "svc@proj-1.iam.gserviceaccount.com", "gcp.key": "aa11"}
	for _, tt := range []struct {
		name, text string
		want       verdict
	}{
		{"service account", account(pkcs8, "service_account"), verdict{Outcome: Valid, Properties: gcp}},
		{"service account, placeholder", account("-----BEGIN PRIVATE "+"KEY-----\n...\n-----END PRIVATE "+"KEY-----\n", "service_account"), verdict{Outcome: Invalid}},
		{"service account, no key", account("", "service_account"), verdict{Outcome: Invalid}},
		{"authorized user", account(pkcs8, "authorized_user"), verdict{Outcome: Invalid}},
		{"cut off", account(pkcs8, "service_account")[:500], verdict{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := googleServiceAccount([]byte(tt.text))
			if diff := cmp.Diff(tt.want, verdictOf(got)); diff != "" {
				t.Errorf("evidence %q (-want +got)\n%s", got.Evidence, diff)
			}
		})
	}
}

// Keys made by the programs that people use, where those are installed.
func TestForeignKeys(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name    string
		command []string // writes to "key", or to the standard output
		want    verdict
	}{
		{"ssh-keygen Ed25519", []string{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key"}, verdict{Outcome: Valid, Properties: props{"key.type": "ed25519"}}},
		{"ssh-keygen RSA", []string{"ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "key"}, verdict{Outcome: Valid, Properties: props{"key.type": "rsa-2048"}}},
		{"ssh-keygen ECDSA", []string{"ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", "key"}, verdict{Outcome: Valid, Properties: props{"key.type": "ec-p384"}}},
		{"ssh-keygen encrypted", []string{"ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-a", "1", "-f", "key"},
			verdict{Outcome: Valid, Severity: "low", Properties: props{"key.type": "ed25519", "key.encrypted": "true"}}},
		{"openssl RSA, traditional", []string{"openssl", "genrsa", "-traditional", "-out", "key", "2048"}, verdict{Outcome: Valid, Properties: props{"key.type": "rsa-2048"}}},
		{"openssl RSA", []string{"openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", "key"}, verdict{Outcome: Valid, Properties: props{"key.type": "rsa-3072"}}},
		{"openssl EC with parameters", []string{"openssl", "ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", "key"}, verdict{Outcome: Valid, Properties: props{"key.type": "ec-secp256k1"}}},
		{"openssl Ed448", []string{"openssl", "genpkey", "-algorithm", "ED448", "-out", "key"}, verdict{Outcome: Valid, Properties: props{"key.type": "ed448"}}},
		{"openssl encrypted", []string{"openssl", "genpkey", "-algorithm", "ED25519", "-aes256", "-pass", "pass:secret", "-out", "key"},
			verdict{Outcome: Valid, Severity: "low", Properties: props{"key.encrypted": "true"}}},
		{"gpg", []string{"sh", "-c", "mkdir -m 700 g && gpg --homedir g -q --batch --passphrase '' --quick-gen-key a@b rsa2048 && gpg --homedir g -q --armor --export-secret-keys > key"},
			verdict{Outcome: Valid, Properties: props{"key.type": "rsa-2048"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			work := must(os.MkdirTemp(dir, ""))
			c := exec.Command(tt.command[0], tt.command[1:]...)
			c.Dir = work
			if out, err := c.CombinedOutput(); err != nil {
				t.Skipf("%v cannot be had here: %v %s", tt.command[0], err, out)
			}
			key := must(os.ReadFile(filepath.Join(work, "key")))
			got := pemPrivateKey(key)
			if diff := cmp.Diff(tt.want, verdictOf(got)); diff != "" {
				t.Errorf("evidence %q (-want +got)\n%s", got.Evidence, diff)
			}
		})
	}
}

func FuzzPEM(f *testing.F) {
	f.Add("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(must(rsa.GenerateKey(rand.Reader, 1024))))
	f.Add("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(pseudo(32)))))
	f.Add("OPENSSH PRIVATE KEY", opensshBlob("none", 7, 7))
	f.Add("ENCRYPTED PRIVATE KEY", []byte{0x30, 2, 5, 0})
	f.Add("PGP PRIVATE KEY BLOCK", []byte{0xc5, 3, 4, 0, 0})
	f.Add("", []byte(puttyFile("none")))
	f.Fuzz(func(t *testing.T, label string, data []byte) {
		pemPrivateKey([]byte(armored(label, data))) // past armor and base64
		pemPrivateKey(data)
	})
}
