package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// awsKeys are the parts of an AWS credential.
type awsKeys struct {
	id, secret string
	session    string // of temporary credentials; else empty
}

// signV4 adds X-Amz-Date and Authorization to r: AWS Signature Version 4 as the
// IAM User Guide has it under "Create a signed AWS API request". It signs the
// host and every header that r has. Body is r's whole body. Paths with dots or
// repeated slashes are signed as they are.
func signV4(r *http.Request, body []byte, keys awsKeys, region, service string, at time.Time) {
	const algorithm = "AWS4-HMAC-SHA256"
	stamp := at.UTC().Format("20060102T150405Z")
	day := stamp[:8]
	r.Header.Set("X-Amz-Date", stamp)
	if keys.session != "" {
		r.Header.Set("X-Amz-Security-Token", keys.session)
	}

	headers := map[string]string{"host": r.URL.Host}
	for name, values := range r.Header {
		trimmed := make([]string, len(values))
		for i, v := range values {
			trimmed[i] = strings.Join(strings.Fields(v), " ")
		}
		headers[strings.ToLower(name)] = strings.Join(trimmed, ",")
	}
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	signed := strings.Join(names, ";")

	var canonical strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	canonical.WriteString(r.Method + "\n" + path + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, name := range names {
		canonical.WriteString(name + ":" + headers[name] + "\n")
	}
	canonical.WriteString("\n" + signed + "\n" + hexSHA256(body))

	scope := day + "/" + region + "/" + service + "/aws4_request"
	toSign := algorithm + "\n" + stamp + "\n" + scope + "\n" + hexSHA256([]byte(canonical.String()))
	key := []byte("AWS4" + keys.secret)
	for _, part := range []string{day, region, service, "aws4_request"} {
		key = hmacSHA256(key, part)
	}
	r.Header.Set("Authorization", algorithm+" Credential="+keys.id+"/"+scope+
		", SignedHeaders="+signed+", Signature="+hex.EncodeToString(hmacSHA256(key, toSign)))
}

// canonicalQuery sorts by name, then value, and encodes all but the unreserved
// characters of RFC 3986.
func canonicalQuery(q url.Values) string {
	pairs := make([]string, 0, len(q))
	for name, values := range q {
		for _, v := range values {
			pairs = append(pairs, awsEscape(name)+"="+awsEscape(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func awsEscape(s string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(s))
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
