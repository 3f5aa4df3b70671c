package snapshot

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
)

// PayloadType is the type of what is signed.
const PayloadType = "application/vnd.bulwark.advisories+json"

// ErrSignature is for a snapshot that the key given did not sign.
var ErrSignature = errors.New("no signature of the snapshot was made with the key given")

// envelope is a DSSE envelope
// (https://github.com/secure-systems-lab/dsse/blob/master/envelope.md).
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"` // base64
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid,omitempty"` // a hint and nothing to rely on
	Sig   string `json:"sig"`             // base64
}

// maxSignatures bounds the work that an envelope can make.
const maxSignatures = 16

// pae is DSSE's pre-authentication encoding: what a signature covers.
func pae(kind string, body []byte) []byte {
	b := append([]byte("DSSEv1 "), strconv.Itoa(len(kind))...)
	b = append(append(b, ' '), kind...)
	b = strconv.AppendInt(append(b, ' '), int64(len(body)), 10)
	return append(append(b, ' '), body...)
}

// seal puts a body into an envelope, signed unless key is nil.
func seal(body []byte, key ed25519.PrivateKey) ([]byte, error) {
	e := envelope{PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString(body), Signatures: []signature{}}
	if key != nil {
		public, ok := key.Public().(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("signing the snapshot: not an Ed25519 key")
		}
		id, err := KeyID(public)
		if err != nil {
			return nil, err
		}
		sig := ed25519.Sign(key, pae(PayloadType, body))
		e.Signatures = append(e.Signatures, signature{id, base64.StdEncoding.EncodeToString(sig)})
	}
	return json.Marshal(e)
}

// unseal takes the body out of an envelope. With a key, one of the signatures
// must be that key's; without, none is looked at.
func unseal(data []byte, key ed25519.PublicKey) ([]byte, error) {
	var e envelope
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return nil, fmt.Errorf("%w: its envelope: %w", ErrMalformed, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: more follows after its envelope", ErrMalformed)
	}
	if e.PayloadType != PayloadType {
		return nil, fmt.Errorf("%w: it holds %q, want %q", ErrMalformed, clip(e.PayloadType), PayloadType)
	}
	body, err := fromBase64(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("%w: its manifest: %w", ErrMalformed, err)
	}
	if len(e.Signatures) > maxSignatures {
		return nil, fmt.Errorf("%w: it has %d signatures, more than %d", ErrMalformed, len(e.Signatures), maxSignatures)
	}
	if key == nil {
		return body, nil
	}
	if len(e.Signatures) == 0 {
		return nil, fmt.Errorf("%w: it is not signed", ErrSignature)
	}
	message := pae(e.PayloadType, body)
	for _, s := range e.Signatures {
		sig, err := fromBase64(s.Sig)
		if err == nil && ed25519.Verify(key, message, sig) {
			return body, nil
		}
	}
	return nil, ErrSignature
}

// fromBase64 reads both alphabets, as DSSE asks of a reader.
func fromBase64(s string) ([]byte, error) {
	if b, err := base64.StdEncoding.DecodeString(s); err == nil {
		return b, nil
	}
	return base64.URLEncoding.DecodeString(s)
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// KeyID names a key: SHA-256 of its DER form, in hex.
func KeyID(key ed25519.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

// PrivateKey reads an Ed25519 private key from PEM (PKCS #8).
func PrivateKey(data []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("want a PEM file with a PRIVATE KEY (PKCS #8); `openssl genpkey -algorithm ed25519` makes one")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the private key: %w", err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the private key is a %T, want Ed25519; `openssl genpkey -algorithm ed25519` makes one", key)
	}
	return private, nil
}

// PublicKey reads an Ed25519 public key from PEM.
func PublicKey(data []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("want a PEM file with a PUBLIC KEY; `openssl pkey -in KEY.pem -pubout` writes it")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the public key: %w", err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the public key is a %T, want Ed25519", key)
	}
	return public, nil
}
