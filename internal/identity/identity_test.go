package identity

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func testKey() Key {
	var k Key
	for i := range k {
		k[i] = byte(i * 7)
	}
	return k
}

func TestFingerprint(t *testing.T) {
	k := testKey()
	a := SecretFingerprint(k, []byte("value"))
	if !Valid(a) || !strings.HasPrefix(a, "secret/1:") {
		t.Errorf("SecretFingerprint = %q, which is not of the documented form", a)
	}
	// Pinned: a change of this value renames every finding of every user.
	if want := "secret/1:0eb109af7fece1b6d82c7b0f4759419f"; a != want {
		t.Errorf("SecretFingerprint = %q, want %q", a, want)
	}
	other := k
	other[0]++
	for name, b := range map[string]string{
		"another value":  SecretFingerprint(k, []byte("value2")),
		"another key":    SecretFingerprint(other, []byte("value")),
		"another scheme": Fingerprint(k, "secret/2", []byte("value")),
		"moved boundary": Fingerprint(k, "secret/1\x00v", []byte("alue")),
	} {
		if _, bd, _ := strings.Cut(b, ":"); strings.HasSuffix(a, bd) {
			t.Errorf("%s: the digest did not change", name)
		}
	}
	if KeyID(k) == KeyID(other) || len(KeyID(k)) != 8 {
		t.Errorf("KeyID does not tell keys apart")
	}
}

func TestKeyFromText(t *testing.T) {
	k := testKey()
	for _, good := range []string{
		k.Text(), " " + k.Text() + "\n", strings.TrimRight(k.Text(), "="), hex.EncodeToString(k[:]),
		base64.RawURLEncoding.EncodeToString(k[:]),
	} {
		got, err := KeyFromText(good)
		if err != nil || got != k {
			t.Errorf("KeyFromText(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{"", "x", "not base64 at all!", base64.StdEncoding.EncodeToString(make([]byte, 32)), base64.StdEncoding.EncodeToString(k[:31]), strings.Repeat("z", 64)} {
		_, err := KeyFromText(bad)
		if err == nil {
			t.Errorf("KeyFromText(%q) succeeded", bad)
		} else if len(bad) > 4 && strings.Contains(err.Error(), bad) {
			t.Errorf("KeyFromText(%q): the error repeats the key", bad)
		}
	}
}

func TestKeyFromRootCommit(t *testing.T) {
	a, b := strings.Repeat("a1", 20), strings.Repeat("b2", 32)
	k1, err := KeyFromRootCommit(a, b)
	if err != nil {
		t.Fatal(err)
	}
	k2, err := KeyFromRootCommit(b, a, a)
	if err != nil || k1 != k2 {
		t.Errorf("order or repetition of the root commits changes the key (%v)", err)
	}
	k3, err := KeyFromRootCommit(a)
	if err != nil || k3 == k1 {
		t.Errorf("other roots give the same key (%v)", err)
	}
	for _, bad := range [][]string{nil, {""}, {"xyz"}, {strings.ToUpper(a)}, {"a1b2"}} {
		if _, err := KeyFromRootCommit(bad...); err == nil {
			t.Errorf("KeyFromRootCommit(%q) succeeded", bad)
		}
	}
}

func TestKeyNeverPrints(t *testing.T) {
	k := testKey()
	j, err := json.Marshal(struct{ K Key }{k})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %x %X %q %d", k, struct{ K Key }{k}, k, k, k, k, k, k) + string(j) + k.LogValue().String()
	for _, secret := range []string{k.Text(), hex.EncodeToString(k[:]), strings.ToUpper(hex.EncodeToString(k[:])), "7 14 21"} {
		if strings.Contains(all, secret) {
			t.Errorf("the key is printed: %s", all)
		}
	}
}

func TestValid(t *testing.T) {
	good := "secret/1:" + strings.Repeat("0a", 16)
	if !Valid(good) {
		t.Errorf("Valid(%q) = false", good)
	}
	for _, bad := range []string{"", ":", "secret/1", good + "0", good[:len(good)-1], strings.ToUpper(good), "Sec ret:" + strings.Repeat("0", 32)} {
		if Valid(bad) {
			t.Errorf("Valid(%q) = true", bad)
		}
	}
}
