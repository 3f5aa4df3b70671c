package rule

import (
	"regexp"
	"regexp/syntax"
	"testing"
)

// Every match of an expression begins with one of its head.
func TestHead(t *testing.T) {
	for _, tc := range []struct {
		src, keyword, text string
		want               string // what the head matches of text
	}{
		{`(?i)\bbasic\s{1,3}([A-Za-z0-9+/]{8,200}={0,2})`, "basic", "BASIC  QUJDREVGR0hJSg==", "BASIC  QUJDREVG"},
		{`token=[a-z]{100}`, "token", "token=aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb", "token=aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbb"},
		{`(?:key|other)-(?:[0-9]{90}|x+)`, "key", "key-xxxxxxxx", "key-x"},
		{`key:.*end`, "key", "key: in the middle end", "key:"},
		{`(?i)key(abc){1,60}`, "key", "KEYabcABC", "KEYabc"},
	} {
		parsed, err := syntax.Parse(tc.src, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		h, whole := cut(parsed, headLength)
		if whole || maxLen(h) < 0 || maxLen(h) > headLength {
			t.Errorf("%s: head %s of %d bytes, whole %v", tc.src, h, maxLen(h), whole)
		}
		re, err := regexp.Compile(h.String())
		if err != nil {
			t.Fatalf("%s: head %s: %v", tc.src, h, err)
		}
		loc := regexp.MustCompile(tc.src).FindStringIndex(tc.text)
		if loc == nil || re.FindString(tc.text) != tc.want {
			t.Errorf("%s: head %s matches %q, want %q; the whole: %v", tc.src, h, re.FindString(tc.text), tc.want, loc)
		}
	}
}
