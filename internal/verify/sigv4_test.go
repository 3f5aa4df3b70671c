package verify

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The vectors of AWS' Signature Version 4 test suite (aws-sig-v4-test-suite),
// and the ListUsers example of the manual.
func TestSignV4(t *testing.T) {
	keys := awsKeys{"AKID" + "EXAMPLE", "wJalrXUtnFEMI/K7MDENG" + "+bPxRfiCYEXAMPLEKEY", ""}
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	const form = "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		name, method, url, service string
		header                     map[string]string
		body, signed, signature    string
	}{
		{"get-vanilla", "GET", "https://example.amazonaws.com/", "service", nil, "",
			"host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "POST", "https://example.amazonaws.com/", "service", nil, "",
			"host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"get-vanilla-query-order-key-case", "GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", "service", nil, "",
			"host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"post-x-www-form-urlencoded", "POST", "https://example.amazonaws.com/", "service", map[string]string{"Content-Type": form}, "Param1=value1",
			"content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"manual, ListUsers", "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", "iam", map[string]string{"Content-Type": form + "; charset=utf-8"}, "",
			"content-type;host;x-amz-date", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			signV4(r, []byte(tt.body), keys, "us-east-1", tt.service, at)
			want := "AWS4-HMAC-SHA256 Credential=" + keys.id + "/20150830/us-east-1/" + tt.service + "/aws4_request, SignedHeaders=" + tt.signed + ", Signature=" + tt.signature
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestSignV4Session(t *testing.T) {
	r, _ := http.NewRequest("POST", "https://example.amazonaws.com/", nil)
	signV4(r, nil, awsKeys{id: "a", secret: "b", session: "c"}, "us-east-1", "sts", time.Unix(0, 0))
	if !strings.Contains(r.Header.Get("Authorization"), "x-amz-security-token") || r.Header.Get("X-Amz-Security-Token") != "c" {
		t.Errorf("the session token is not signed: %v", r.Header)
	}
}
