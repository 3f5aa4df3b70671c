package check

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"bulwark/internal/finding"
)

// signatureLen is the length in bytes of signatures of fixed size (RFC 7518
// section 3, RFC 8037).
var signatureLen = map[string]int{
	"HS256": 32, "HS384": 48, "HS512": 64,
	"ES256": 64, "ES384": 96, "ES512": 132, "ES256K": 64, "EdDSA": 64, "Ed25519": 64,
}

// jwt checks JSON Web Tokens in compact form (RFC 7519): a signed one has three
// segments, header and claims in JSON, signature of the algorithm's length; an
// encrypted one (RFC 7516) has five.
func jwt(secret []byte) Result {
	token := strings.TrimSpace(string(secret))
	parts := strings.Split(token, ".")
	if len(parts) != 3 && len(parts) != 5 {
		return invalid("neither three nor five segments")
	}
	header, ok := jsonObject(parts[0])
	if !ok {
		return invalid("header is not JSON")
	}
	alg, _ := header["alg"].(string)
	if alg == "" {
		return invalid("header names no algorithm")
	}
	if len(parts) == 5 {
		return encryptedToken(parts, header).with("jwt.algorithm", clip(alg))
	}
	claims, ok := jsonObject(parts[1])
	if !ok {
		if header["cty"] != nil || header["zip"] != nil || header["b64"] != nil {
			return unknown("signed content is not JSON").with("jwt.algorithm", clip(alg))
		}
		return invalid("claims are not JSON")
	}
	if reason, is := sampleToken(claims); is {
		return invalid(reason)
	}
	r := valid("header and claims parse").with("jwt.algorithm", clip(alg))
	r = claimProperties(r, claims)
	signature, ok := decodeSegment(parts[2])
	switch n, fixed := signatureLen[alg]; {
	case strings.EqualFold(alg, "none"):
		if parts[2] != "" {
			return invalid("algorithm none, yet a signature follows")
		}
		r.Evidence = append(r.Evidence, "unsigned (algorithm none)")
		return r.at(finding.Low)
	case !ok || len(signature) == 0:
		return invalid("signature is missing or not base64url")
	case fixed && len(signature) != n:
		return invalid("signature has not the length of its algorithm")
	case strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS"):
		if len(signature) < 64 {
			return invalid("signature has not the length of its algorithm")
		}
	}
	if monotonous(string(signature)) {
		return invalid("signature is repeated or counted characters")
	}
	if public(claims) {
		r.Evidence = append(r.Evidence, "a key that is meant for browsers (role anon)")
		r = r.at(finding.Low)
	}
	return r
}

// jsonObject decodes a segment into a JSON object without trailing data.
func jsonObject(segment string) (map[string]any, bool) {
	b, ok := decodeSegment(segment)
	if !ok || len(b) == 0 || b[0] != '{' {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil || d.More() {
		return nil, false
	}
	return m, true
}

func encryptedToken(parts []string, header map[string]any) Result {
	enc, _ := header["enc"].(string)
	if enc == "" {
		return invalid("five segments, but no content encryption named")
	}
	for i, p := range parts[1:] {
		if b, ok := decodeSegment(p); !ok || (len(b) == 0 && i > 0) {
			return invalid("a segment is missing or not base64url")
		}
	}
	return valid("encrypted token (JWE)").with("jwt.encrypted", "true")
}

// sampleToken recognises tokens that stand in manuals.
func sampleToken(claims map[string]any) (string, bool) {
	text := func(k string) string { s, _ := claims[k].(string); return s }
	switch {
	case text("sub") == "1234567890" && (text("name") == "John Doe" || claims["admin"] != nil || len(claims) <= 3):
		return "the example of jwt.io", true
	case text("iss") == "joe" && claims["http://example.com/is_root"] != nil:
		return "the example of RFC 7519", true
	case text("iss") == "supabase-demo":
		return "the public key of a local Supabase", true
	case len(claims) == 0:
		return "no claims", true
	}
	return "", false
}

// public recognises tokens that are published on purpose: Supabase's anon key
// is sent to every browser.
func public(claims map[string]any) bool {
	return claims["iss"] == "supabase" && claims["role"] == "anon"
}

func claimProperties(r Result, claims map[string]any) Result {
	if exp, ok := numericDate(claims["exp"]); ok {
		day := exp.Format(time.DateOnly)
		r = r.with("jwt.expires", day)
		r.Evidence = append(r.Evidence, "expires "+day)
	} else {
		r.Evidence = append(r.Evidence, "does not expire")
	}
	if iat, ok := numericDate(claims["iat"]); ok {
		r = r.with("jwt.issued", iat.Format(time.DateOnly))
	}
	if iss, ok := claims["iss"].(string); ok {
		r = r.with("jwt.issuer", clip(iss))
	}
	if sub, ok := claims["sub"].(string); ok {
		r = r.with("jwt.subject", clip(sub))
	}
	switch aud := claims["aud"].(type) {
	case string:
		r = r.with("jwt.audience", clip(aud))
	case []any:
		var all []string
		for _, a := range aud[:min(len(aud), 8)] {
			if s, ok := a.(string); ok {
				all = append(all, s)
			}
		}
		r = r.with("jwt.audience", clip(strings.Join(all, " ")))
	}
	return r
}

// numericDate reads seconds since 1970 (RFC 7519 section 2), or, as some
// issuers write, milliseconds.
func numericDate(v any) (time.Time, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f <= 0 {
		return time.Time{}, false
	}
	if f > 1e11 {
		f /= 1000
	}
	if f > 253402300799 { // the year 9999
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0).UTC(), true
}
