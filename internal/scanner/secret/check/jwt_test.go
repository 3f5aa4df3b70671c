package check

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// token builds a compact token from header, claims and a signature of n bytes.
func token(header, claims string, n int) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(claims)) + "." + e.EncodeToString(pseudo(n))
}

func TestJWT(t *testing.T) {
	const hs256 = `{"alg":"HS256","typ":"JWT"}`
	const claims = `{"iss":"https://id.corp","aud":["api","web"],"sub":"svc-deploy","iat":1700000000,"exp":1893456000}`
	full := props{
		"jwt.algorithm": "HS256", "jwt.issuer": "https://id.corp", "jwt.audience": "api web", "jwt.subject": "svc-deploy",
		"jwt.issued": "2023-11-14", "jwt.expires": "2030-01-01",
	}
	tests := []struct {
		name, token string
		want        verdict
	}{
		{"signed", token(hs256, claims, 32), verdict{Outcome: Valid, Properties: full}},
		{"signed, surrounded by space", " " + token(hs256, claims, 32) + "\n", verdict{Outcome: Valid, Properties: full}},
		{"RSA", token(`{"alg":"RS256","kid":"1"}`, `{"sub":"a"}`, 256), verdict{Outcome: Valid, Properties: props{"jwt.algorithm": "RS256", "jwt.subject": "a"}}},
		{"milliseconds", token(hs256, `{"exp":1893456000000}`, 32), verdict{Outcome: Valid, Properties: props{"jwt.algorithm": "HS256", "jwt.expires": "2030-01-01"}}},
		{"absurd expiry", token(hs256, `{"exp":1e300}`, 32), verdict{Outcome: Valid, Properties: props{"jwt.algorithm": "HS256"}}},
		{"unsigned", token(`{"alg":"none"}`, claims, 0), verdict{Outcome: Valid, Severity: "low", Properties: with(full, "jwt.algorithm", "none")}},
		{"none with signature", token(`{"alg":"none"}`, claims, 32), verdict{Outcome: Invalid}},
		{"signature too short", token(hs256, claims, 31), verdict{Outcome: Invalid}},
		{"signature missing", token(hs256, claims, 0), verdict{Outcome: Invalid}},
		{"RSA signature too short", token(`{"alg":"RS256"}`, claims, 32), verdict{Outcome: Invalid}},
		// The token that jwt.io shows to every visitor.
		{"jwt.io", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ" + ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", verdict{Outcome: Invalid}},
		// RFC 7515, appendix A.1.
		{"RFC 7515", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", verdict{Outcome: Invalid}},
		{"Supabase, local", token(hs256, `{"iss":"supabase-demo","role":"service_role"}`, 32), verdict{Outcome: Invalid}},
		{"Supabase, for browsers", token(hs256, `{"iss":"supabase","role":"anon","exp":1893456000}`, 32),
			verdict{Outcome: Valid, Severity: "low", Properties: props{"jwt.algorithm": "HS256", "jwt.issuer": "supabase", "jwt.expires": "2030-01-01"}}},
		{"encrypted", token(`{"alg":"RSA-OAEP","enc":"A256GCM"}`, "key", 12) + ".AAAB.CCCC",
			verdict{Outcome: Valid, Properties: props{"jwt.algorithm": "RSA-OAEP", "jwt.encrypted": "true"}}},
		{"compressed", token(`{"alg":"HS256","zip":"DEF"}`, "\x01\x02", 32), verdict{Properties: props{"jwt.algorithm": "HS256"}}},
		{"header is no JSON", "abcdef." + token(hs256, claims, 32)[40:], verdict{Outcome: Invalid}},
		{"claims are no JSON", token(hs256, "hello", 32), verdict{Outcome: Invalid}},
		{"no algorithm", token(`{"typ":"JWT"}`, claims, 32), verdict{Outcome: Invalid}},
		{"two segments", "eyJhbGciOiJIUzI1NiJ9.e30", verdict{Outcome: Invalid}},
		{"hostile claims", token(hs256, `{"iss":"`+strings.Repeat("ä", 300)+`\u0000\u001b[31m"}`, 32),
			verdict{Outcome: Valid, Properties: props{"jwt.algorithm": "HS256", "jwt.issuer": strings.Repeat("ä", 64) + "…"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := jwt([]byte(tt.token))
			if diff := cmp.Diff(tt.want, verdictOf(got)); diff != "" {
				t.Errorf("jwt(%q): evidence %q (-want +got)\n%s", tt.token, got.Evidence, diff)
			}
		})
	}
}

func with(p props, key, value string) props {
	out := props{key: value}
	for k, v := range p {
		if k != key {
			out[k] = v
		}
	}
	return out
}

func FuzzJWT(f *testing.F) {
	f.Add(token(`{"alg":"HS256"}`, `{"exp":1893456000,"aud":["a"]}`, 32))
	f.Add(token(`{"alg":"none"}`, `{}`, 0))
	f.Add(token(`{"alg":"RSA-OAEP","enc":"A256GCM"}`, "key", 12) + ".AAAB.CCCC")
	f.Fuzz(func(t *testing.T, s string) {
		jwt([]byte(s))
		parts := strings.Split(s, ".")
		if len(parts) == 3 { // past the decoding of segments
			jwt([]byte(token(parts[0], parts[1], len(parts[2])%300)))
		}
	})
}
