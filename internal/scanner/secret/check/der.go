package check

import (
	"crypto/ecdh"
	"encoding/asn1"
	"fmt"
	"math/big"

	"bulwark/internal/finding"
)

// outerSequence returns data if it is one whole DER sequence, perhaps with
// trailing zeros; else nil and the result to give.
func outerSequence(data []byte) ([]byte, Result) {
	if len(data) < 4 || data[0] != 0x30 {
		return nil, unparsed()
	}
	header, n := 2, int(data[1])
	switch {
	case n >= 0x80 && n <= 0x83:
		size := n & 0x7f
		if size == 0 {
			return nil, unparsed()
		}
		n = 0
		for _, b := range data[2 : 2+min(size, len(data)-2)] {
			n = n<<8 | int(b)
		}
		header += size
	case n > 0x83:
		return nil, unparsed()
	}
	if header+n > len(data) {
		return nil, invalid("truncated")
	}
	return data[:header+n], Result{}
}

// rsaKey parses RFC 8017 appendix A.1.2 and proves that n = p·q.
func rsaKey(der []byte) Result {
	var k struct {
		Version                   int
		N, E, D, P, Q, DP, DQ, QI *big.Int
		More                      asn1.RawValue `asn1:"optional"`
	}
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) != 0 {
		return unparsed()
	}
	for _, v := range []*big.Int{k.N, k.E, k.D, k.P, k.Q} {
		if v.Sign() <= 0 {
			return invalid("not an RSA key: a number is not positive")
		}
	}
	if k.Version == 0 && new(big.Int).Mul(k.P, k.Q).Cmp(k.N) != 0 {
		return invalid("not an RSA key: the modulus is not the product of the primes")
	}
	return sized(valid("RSA key parses, its numbers agree"), "rsa", k.N.BitLen())
}

func sized(r Result, kind string, bits int) Result {
	r = r.with("key.type", fmt.Sprintf("%s-%d", kind, bits))
	if kind == "rsa" && bits < 1024 {
		r.Evidence = append(r.Evidence, fmt.Sprintf("only %d bits: broken by factoring", bits))
	}
	return r
}

// dsaKey parses OpenSSL's form: version, p, q, g, y, x.
func dsaKey(der []byte) Result {
	var k struct {
		Version       int
		P, Q, G, Y, X *big.Int
	}
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) != 0 {
		return unparsed()
	}
	if k.P.Sign() <= 0 || k.X.Sign() <= 0 || k.X.Cmp(k.Q) >= 0 || k.Y.Cmp(k.P) >= 0 || k.G.Cmp(k.P) >= 0 {
		return invalid("not a DSA key: its numbers do not agree")
	}
	return sized(valid("DSA key parses"), "dsa", k.P.BitLen())
}

var (
	oidRSA        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSAPSS     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidDSA        = asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}
	oidDH         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 3, 1}
	oidEC         = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBES1      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5}
	oidPKCS12     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1}
	curves        = map[string]string{"1.2.840.10045.3.1.7": "p256", "1.3.132.0.34": "p384", "1.3.132.0.35": "p521", "1.3.132.0.10": "secp256k1", "1.3.132.0.33": "p224"}
	rfc8410       = map[string]string{"1.3.101.110": "x25519", "1.3.101.111": "x448", "1.3.101.112": "ed25519", "1.3.101.113": "ed448"}
	rfc8410Length = map[string]int{"x25519": 32, "x448": 56, "ed25519": 32, "ed448": 57}
	curveLength   = map[string]int{"p224": 28, "p256": 32, "secp256k1": 32, "p384": 48, "p521": 66}
)

type algorithm struct {
	OID        asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

// ecKey parses RFC 5915. Curve is named there or, in PKCS#8, outside.
func ecKey(der []byte, outside asn1.ObjectIdentifier) Result {
	var k struct {
		Version int
		Private []byte
		First   asn1.RawValue `asn1:"optional"` // [0] parameters, [1] public key,
		Second  asn1.RawValue `asn1:"optional"` // both optional
	}
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) != 0 || k.Version != 1 {
		return unparsed()
	}
	oid := outside
	var public asn1.BitString
	for _, v := range []asn1.RawValue{k.First, k.Second} {
		if v.Class != asn1.ClassContextSpecific {
			continue
		}
		if v.Tag == 0 {
			var named asn1.ObjectIdentifier
			if _, err := asn1.Unmarshal(v.Bytes, &named); err == nil {
				oid = named
			}
		}
		if v.Tag == 1 {
			if _, err := asn1.Unmarshal(v.Bytes, &public); err != nil {
				return unparsed()
			}
		}
	}
	name := curves[oid.String()]
	if n := curveLength[name]; n != 0 && len(k.Private) != n {
		if len(k.Private) > n {
			return invalid("not a key of its curve")
		}
		k.Private = append(make([]byte, n-len(k.Private)), k.Private...)
	}
	curve := map[string]ecdh.Curve{"p256": ecdh.P256(), "p384": ecdh.P384(), "p521": ecdh.P521()}[name]
	r := valid("EC key parses")
	if curve != nil {
		private, err := curve.NewPrivateKey(k.Private)
		if err != nil {
			return invalid("not a key of its curve")
		}
		if len(public.Bytes) > 0 && public.Bytes[0] == 4 {
			if string(private.PublicKey().Bytes()) != string(public.Bytes) {
				return invalid("private and public key do not belong together")
			}
			r = valid("EC key parses, its public key belongs to it")
		}
	}
	if name == "" {
		return r.with("key.type", "ec")
	}
	return r.with("key.type", "ec-"+name)
}

// pkcs8Key parses RFC 5208 and 5958.
func pkcs8Key(der []byte) Result {
	var k struct {
		Version   int
		Algorithm algorithm
		Private   []byte
		More      asn1.RawValue `asn1:"optional"`
		Public    asn1.RawValue `asn1:"optional"`
	}
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) != 0 {
		return unparsed()
	}
	switch oid := k.Algorithm.OID; {
	case oid.Equal(oidRSA), oid.Equal(oidRSAPSS):
		return rsaKey(k.Private)
	case oid.Equal(oidEC):
		var curve asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(k.Algorithm.Parameters.FullBytes, &curve); err != nil {
			curve = nil // spelled out instead of named
		}
		return ecKey(k.Private, curve)
	case oid.Equal(oidDSA), oid.Equal(oidDH):
		var x *big.Int
		if rest, err := asn1.Unmarshal(k.Private, &x); err != nil || len(rest) != 0 || x.Sign() <= 0 {
			return unparsed()
		}
		kind := "dsa"
		if oid.Equal(oidDH) {
			kind = "dh"
		}
		return valid("PKCS#8 key parses").with("key.type", kind)
	case rfc8410[oid.String()] != "":
		name := rfc8410[oid.String()]
		var raw []byte
		if rest, err := asn1.Unmarshal(k.Private, &raw); err != nil || len(rest) != 0 || len(raw) != rfc8410Length[name] {
			return invalid("not a key of its curve")
		}
		if monotonous(string(raw)) {
			return invalid("repeated or counted bytes")
		}
		return valid("PKCS#8 key parses").with("key.type", name)
	}
	return valid("PKCS#8 key parses")
}

// encryptedPKCS8 parses an EncryptedPrivateKeyInfo.
func encryptedPKCS8(data []byte) Result {
	der, result := outerSequence(data)
	if der == nil {
		return result
	}
	var k struct {
		Algorithm algorithm
		Data      []byte
	}
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) != 0 || len(k.Data) == 0 {
		return unparsed()
	}
	r := valid("encrypted PKCS#8 key").with("key.encrypted", "true")
	oid := k.Algorithm.OID
	if !oid.Equal(oidPBES2) && (hasPrefix(oid, oidPBES1) || hasPrefix(oid, oidPKCS12)) {
		r.Evidence = append(r.Evidence, "encrypted with an outdated scheme")
		return r.at(finding.Medium)
	}
	return r.at(finding.Low)
}

func hasPrefix(oid, prefix asn1.ObjectIdentifier) bool {
	return len(oid) > len(prefix) && oid[:len(prefix)].Equal(prefix)
}
