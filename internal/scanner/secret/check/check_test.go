package check

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bulwark/internal/finding"

	"github.com/google/go-cmp/cmp"
)

// verdict is what a table expects. An unset severity is the rule's.
type verdict struct {
	Outcome    Outcome
	Properties map[string]string
	Severity   string
	Confidence string
}

func verdictOf(r Result) verdict {
	v := verdict{Outcome: r.Outcome, Properties: r.Properties}
	if r.Severity != nil {
		v.Severity = r.Severity.String()
	}
	if r.Confidence != nil {
		v.Confidence = r.Confidence.String()
	}
	return v
}

type props = map[string]string

func crcToken(prefix, body string) string { return prefix + body + base62CRC(body) }

func routable(prefix, payload, random string, version bool) string {
	p := base64.RawURLEncoding.EncodeToString([]byte(payload + random + string(rune(len(random)))))
	pad := func(n uint64, width int) string {
		s := strconv.FormatUint(n, 36)
		return strings.Repeat("0", width-len(s)) + s
	}
	s := prefix + p
	if version {
		s += ".01"
	}
	s += "." + pad(uint64(len(p)), 2)
	return s + pad(uint64(crc32.ChecksumIEEE([]byte(s))), 7)
}

func identifiable(random []byte, signature, seedName string) string {
	// n random bytes, signature of 3 and checksum of 4, so that the signature
	// falls on a border of 4 characters.
	sig, _ := base64.StdEncoding.DecodeString(signature)
	b := append(slices.Clone(random), sig...)
	b = binary.LittleEndian.AppendUint32(b, marvin32(seed(seedName), b))
	return base64.StdEncoding.EncodeToString(b)
}

func annotated(random string) string {
	s := random + "JQQJ99" + "CD" + "ABCDEFGHIJKL" + "abcd" + "TEST"
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return s + base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint32(nil, marvin32(seed("Default0"), b))[:3])
}

// pseudo returns n repeatable bytes without pattern.
func pseudo(n int) []byte {
	out := make([]byte, n)
	x := uint32(2463534242)
	for i := range out {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		out[i] = byte(x >> 11)
	}
	return out
}

func letterRun(n int) string {
	out := make([]byte, n)
	for i, b := range pseudo(n) {
		out[i] = base62[int(b)%62]
	}
	return string(out)
}

func macaroonToken(location string, caveats ...string) string {
	field := func(b []byte, kind byte, v string) []byte {
		b = append(b, kind)
		b = binary.AppendUvarint(b, uint64(len(v)))
		return append(b, v...)
	}
	b := field([]byte{2}, 1, location)
	b = append(field(b, 2, "4c6d4b3e-8f0c-4d53-9c3a-0e6a2f1c8d7b"), 0)
	for _, c := range caveats {
		b = append(field(b, 2, c), 0)
	}
	b = append(b, 0)
	b = field(b, 6, string(pseudo(32)))
	return "pyp" + "i-" + base64.RawURLEncoding.EncodeToString(b)
}

func TestChecks(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	std := func(s string) string { return b64([]byte(s)) }
	hexed := hex.EncodeToString(pseudo(32))
	edKey := ed25519.NewKeyFromSeed(pseudo(32))
	discordID := base64.RawStdEncoding.EncodeToString([]byte("804071246583726110"))
	tests := []struct {
		check, name, secret string
		want                verdict
	}{
		{"github-crc32", "checksum", crcToken("gh"+"p_", letterRun(30)), verdict{Outcome: Valid}},
		{"github-crc32", "zero-padded checksum", crcToken("gh"+"s_", paddedBody(t)), verdict{Outcome: Valid}},
		{"github-crc32", "random end", "gh" + "p_" + letterRun(36), verdict{Outcome: Invalid}},
		{"github-crc32", "refresh token", "gh" + "r_" + letterRun(76), verdict{Properties: props{"github.kind": "refresh"}}},
		{"github-crc32", "installation token with JWT", "gh" + "s_123_" + letterRun(90) + ".x.y", verdict{}},
		{"github-crc32", "short", "gh" + "p_abc", verdict{Outcome: Invalid}},
		{"github-crc32", "other", "glpat-abc", verdict{}},

		{"github-fine-grained", "form", "github" + "_pat_" + letterRun(22) + "_" + letterRun(59), verdict{}},
		{"github-fine-grained", "placeholder", "github" + "_pat_" + strings.Repeat("x", 22) + "_" + letterRun(59), verdict{Outcome: Invalid}},
		{"github-fine-grained", "short", "github" + "_pat_" + letterRun(22) + "_" + letterRun(50), verdict{Outcome: Invalid}},

		// The dummy token of npm's announcement's discussions.
		{"npm-crc32", "published", "npm" + "_qkJaB6MffYVzZXWqmcoF49yrUxP3wf0LsakP", verdict{Outcome: Valid}},
		{"npm-crc32", "one character changed", "npm" + "_qkJaB6MffYVzZXWqmcoF49yrUxP3wg0LsakP", verdict{Outcome: Invalid}},
		{"npm-crc32", "short", "npm" + "_qkJaB6MffYVz", verdict{Outcome: Invalid}},

		// The vector of Grafana's own tests.
		{"grafana-crc32", "published", "gl" + "sa_yscW25imSKJIuav8zF37RZmnbiDvB05G_fcaaf58a", verdict{Outcome: Valid}},
		{"grafana-crc32", "changed", "gl" + "sa_yscW25imSKJIuav8zF37RZmnbiDvB05G_fcaaf58b", verdict{Outcome: Invalid}},

		{"gitlab-routable", "with version", routable("glp"+"at-", "c:1\no:2s\nu:zz", string(make([]byte, 16)), true),
			verdict{Outcome: Valid, Properties: props{"gitlab.cell": "1", "gitlab.organization": "100", "gitlab.user": "1295"}}},
		{"gitlab-routable", "before versions", routable("glr"+"t-t3_", "o:1", "0123456789abcdef", false),
			verdict{Outcome: Valid, Properties: props{"gitlab.organization": "1"}}},
		{"gitlab-routable", "changed", strings.Replace(routable("glp"+"at-", "o:1", "0123456789abcdef", true), "at-", "bt-", 1), verdict{Outcome: Invalid}},
		{"gitlab-routable", "legacy", "glp" + "at-" + letterRun(20), verdict{}},

		// Published by Aidan Steele, Tal Be'ery and Chamila de Alwis.
		{"aws-access-key-id", "Steele", "ASI" + "AY34FZKBOKMUTVV7A", verdict{Properties: props{"aws.account": "609629065308", "aws.key": "temporary"}}},
		{"aws-access-key-id", "Be'ery", "ASI" + "AQNZGKIQY56JQ7WML", verdict{Properties: props{"aws.account": "029608264753", "aws.key": "temporary"}}},
		{"aws-access-key-id", "older", "AKI" + "AJ5XRQ2DWLKGTZ7YB", verdict{Properties: props{"aws.key": "long-term"}}},
		{"aws-access-key-id", "manual", "AKI" + "AIOSFODNN7EXAMPLE", verdict{Outcome: Invalid}},
		{"aws-access-key-id", "not base32", "AKI" + "A1801801801801801", verdict{Outcome: Invalid}},
		{"aws-access-key-id", "impossible account", "AKI" + "A7777777W4ZXKMUTV", verdict{Outcome: Invalid}},
		{"aws-access-key-id", "one letter", "AKI" + "AXXXXXXXXXXXXXXXX", verdict{Outcome: Invalid}},

		{"azure-cask", "annotated", annotated(letterRun(52)),
			verdict{Outcome: Valid, Properties: props{"azure.created": "2026-04", "azure.signature": "TEST"}}},
		{"azure-cask", "annotated, checksum differs", annotated(letterRun(52))[:80] + "AAAA",
			verdict{Properties: props{"azure.created": "2026-04", "azure.signature": "TEST"}}},
		{"azure-cask", "redis", identifiable(pseudo(26), "AzCa", "Access00"), verdict{}}, // 33 bytes: not on a border
		{"azure-cask", "storage", identifiable(pseudo(57), "+ASt", "Default0"), verdict{Outcome: Valid, Properties: props{"azure.service": "storage"}}},
		{"azure-cask", "storage, unknown seed", identifiable(pseudo(57), "+ASt", "Default9"), verdict{Properties: props{"azure.service": "storage"}}},
		{"azure-cask", "other", letterRun(40), verdict{}},

		{"azure-storage-key", "random", b64(pseudo(64)), verdict{}},
		{"azure-storage-key", "with signature", identifiable(pseudo(57), "+ASt", "Default0"), verdict{Outcome: Valid, Properties: props{"azure.service": "storage"}}},
		{"azure-storage-key", "Azurite", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50u" + "SRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==", verdict{Outcome: Invalid}},
		{"azure-storage-key", "short", b64(pseudo(32)), verdict{Outcome: Invalid}},
		{"azure-storage-key", "zeros", b64(make([]byte, 64)), verdict{Outcome: Invalid}},

		{"pypi-macaroon", "unrestricted", macaroonToken("pypi.org"), verdict{Outcome: Valid, Properties: props{"pypi.host": "pypi.org"}}},
		{"pypi-macaroon", "restricted", macaroonToken("pypi.org", `[0, 1893456000, 1700000000]`, `[1, ["one"]]`),
			verdict{Outcome: Valid, Properties: props{"pypi.host": "pypi.org", "pypi.expires": "2030-01-01", "pypi.caveats": "2"}}},
		{"pypi-macaroon", "test index", macaroonToken("test.pypi.org"), verdict{Outcome: Valid, Properties: props{"pypi.host": "test.pypi.org"}, Severity: "medium"}},
		{"pypi-macaroon", "truncated", macaroonToken("pypi.org")[:100], verdict{Outcome: Invalid}},

		{"discord-bot-token", "form", discordID + ".GxY2Zq." + letterRun(38),
			verdict{Outcome: Valid, Properties: props{"discord.application": "804071246583726110", "discord.created": "2021-01-27"}}},
		{"discord-bot-token", "no id", base64.RawStdEncoding.EncodeToString([]byte("hello world, hello")) + ".GxY2Zq." + letterRun(38), verdict{Outcome: Invalid}},
		{"discord-bot-token", "short hash", discordID + ".GxY2Zq.abc", verdict{Outcome: Invalid}},

		{"slack-token", "bot", "xox" + "b-2873465109-2873465872341-" + letterRun(24), verdict{Properties: props{"slack.kind": "bot"}}},
		{"slack-token", "placeholder", "xox" + "b-123456789012-1234567890123-" + letterRun(24), verdict{Outcome: Invalid}},
		{"slack-token", "app", "xap" + "p-1-A02KD8N3X1Q-2873465872341-" + hexed, verdict{Properties: props{"slack.kind": "app-level", "slack.app": "A02KD8N3X1Q"}}},
		{"slack-token", "rotating", "xox" + "e.xox" + "p-1-" + letterRun(160), verdict{Properties: props{"slack.kind": "rotating"}}},
		{"slack-token", "words", "xox" + "b-not-a-real-token", verdict{Outcome: Invalid}},

		{"sendgrid-key", "form", "SG." + base64.RawURLEncoding.EncodeToString(pseudo(16)) + "." + base64.RawURLEncoding.EncodeToString(pseudo(32)), verdict{}},
		{"sendgrid-key", "placeholder", "SG." + strings.Repeat("x", 22) + "." + strings.Repeat("y", 43), verdict{Outcome: Invalid}},

		{"telegram-bot-token", "form", "5283716490" + ":AA" + letterRun(33), verdict{Properties: props{"telegram.bot": "5283716490"}}},
		{"telegram-bot-token", "manual", "110201543:AAHdqTcvCH1vGW" + "JxfSeofSAs0K5PALDsaw", verdict{Outcome: Invalid}},
		{"telegram-bot-token", "counted", "1234567890" + ":AA" + letterRun(33), verdict{Outcome: Invalid}},

		{"mailchimp-key", "form", hexed[:32] + "-us21", verdict{Properties: props{"mailchimp.datacenter": "us21"}}},
		{"mailchimp-key", "no centre", hexed[:32] + "-us0", verdict{Outcome: Invalid}},
		{"mailchimp-key", "typed", "0123456789abcdef0123456789abcdef-us1", verdict{Outcome: Invalid}},

		{"uuid", "random", "3f1c9a7e-52d4-4b8e-9a61-d07be2c4815f", verdict{Outcome: Valid}},
		{"uuid", "of time", "3f1c9a7e-52d4-1b8e-9a61-d07be2c4815f", verdict{Outcome: Invalid}},
		{"uuid", "nil", "00000000-0000-0000-0000-000000000000", verdict{Outcome: Invalid}},
		{"uuid", "typed", "12345678-1234-4123-8123-123456789012", verdict{Outcome: Invalid}},
		{"uuid", "ones", "11111111-1111-4111-8111-111111111111", verdict{Outcome: Invalid}},

		{"hex-bytes", "random", hexed, verdict{}},
		{"hex-bytes", "odd", hexed[1:], verdict{Outcome: Invalid}},
		{"hex-bytes", "counted", "0123456789abcdef0123456789abcdef", verdict{Outcome: Invalid}},
		{"hex-bytes", "one digit", strings.Repeat("f", 40), verdict{Outcome: Invalid}},
		{"hex-bytes", "MD5 of nothing", "d41d8cd98f00b204e9800998ecf8427e", verdict{Outcome: Invalid}},

		{"base64-bytes", "random", b64(pseudo(24)), verdict{}},
		{"base64-bytes", "zeros", b64(make([]byte, 24)), verdict{Outcome: Invalid}},
		{"base64-bytes", "both alphabets", "ab+/cd-_", verdict{Outcome: Invalid}},
		{"base64-bytes", "padding", "kX9qLw==", verdict{}},
		{"base64-bytes", "wrong padding", "abcde==", verdict{Outcome: Invalid}},

		{"ed25519-base64", "pair", b64(edKey), verdict{Outcome: Valid, Properties: props{"key.type": "ed25519"}}},
		{"ed25519-base64", "seed", b64(pseudo(32)), verdict{}},
		{"ed25519-base64", "short", b64(pseudo(31)), verdict{Outcome: Invalid}},

		{"base64-json", "object", std(`{"token":"x"}`), verdict{Outcome: Valid}},
		{"base64-json", "text", std(`hello there`), verdict{Outcome: Invalid}},

		{"http-basic", "credentials", std("deploy:Tr0ub4dor&3"), verdict{Outcome: Valid}},
		{"http-basic", "with scheme", "Basic " + std("deploy:Tr0ub4dor&3"), verdict{Outcome: Valid}},
		{"http-basic", "RFC 7617", std("Aladdin:open sesame"), verdict{Outcome: Invalid}},
		{"http-basic", "placeholder", std("user:<password>"), verdict{Outcome: Invalid}},
		{"http-basic", "binary", b64(pseudo(30)), verdict{Outcome: Invalid}},
		{"http-basic", "no password", std("user:"), verdict{Outcome: Invalid}},
		{"http-basic", "same", std("guest:guest"), verdict{Outcome: Valid, Confidence: "tentative"}},

		{"docker-auth", "value", std("deploy:Tr0ub4dor&3"), verdict{Outcome: Valid}},
		{"docker-auth", "file", `{"auths":{"https://index.docker.io/v1/":{"auth":"` + std("deploy:Tr0ub4dor&3") + `"}}}`, verdict{Outcome: Valid}},
		{"docker-auth", "empty file", `{"auths":{"registry":{}}}`, verdict{Outcome: Invalid}},

		{"basic-url", "database", "postgres://" + "app:kY7%23vQ2m@db.internal.corp:5432/main?sslmode=require", verdict{Properties: props{"url.host": "db.internal.corp"}}},
		{"basic-url", "loopback", "redis://" + ":kY7vQ2mW@127.0.0.1:6379/0", verdict{Properties: props{"url.host": "127.0.0.1"}, Severity: "low"}},
		{"basic-url", "variable", "postgres://" + "app:${DB_PASSWORD}@db/main", verdict{Outcome: Invalid}},
		{"basic-url", "example host", "https://" + "u:kY7vQ2mW@www.example.com/", verdict{Outcome: Invalid}},
		{"basic-url", "no password", "https://user@host/", verdict{Outcome: Invalid}},
		{"basic-url", "password with at sign", "amqp://" + "u:p@ssw0rd@mq.corp/v@1", verdict{Properties: props{"url.host": "mq.corp"}}},
		{"basic-url", "password alone", "kY7vQ2mW", verdict{}},
		{"basic-url", "placeholder alone", "changeme", verdict{Outcome: Invalid}},
	}
	for _, tt := range tests {
		t.Run(tt.check+"/"+tt.name, func(t *testing.T) {
			f, ok := Lookup(tt.check)
			if !ok {
				t.Fatalf("no check %q", tt.check)
			}
			got := f([]byte(tt.secret))
			v := verdictOf(got)
			if tt.want.Properties == nil && v.Properties["github.kind"] != "" {
				v.Properties = nil
			}
			if diff := cmp.Diff(tt.want, v); diff != "" {
				t.Errorf("%s(%q): evidence %q (-want +got)\n%s", tt.check, tt.secret, got.Evidence, diff)
			}
		})
	}
}

// paddedBody returns a token body whose checksum needs padding.
func paddedBody(t *testing.T) string {
	for i := range 1000 {
		if body := fmt.Sprintf("%030d", i); base62CRC(body)[0] == '0' {
			return body
		}
	}
	t.Fatal("no body found")
	return ""
}

func TestNames(t *testing.T) {
	names := Names()
	if !slices.IsSorted(names) {
		t.Errorf("names are not in order: %v", names)
	}
	for _, n := range names {
		f, ok := Lookup(n)
		if !ok {
			t.Errorf("Lookup(%q) finds nothing", n)
			continue
		}
		if r := f(make([]byte, maxInput+1)); r.Outcome != Inapplicable {
			t.Errorf("%s: %v for an input above the limit", n, r.Outcome)
		}
		f(nil)
	}
	if _, ok := Lookup("nonsense"); ok {
		t.Error("Lookup finds what is not there")
	}
}

// The vectors of .NET's own tests (MarvinTests.cs); the two words are joined by XOR.
func TestMarvin32(t *testing.T) {
	const seed1, seed2 = 0x4FB61A001BDBCC, 0x804FB61A001BDBCC
	for _, tt := range []struct {
		seed uint64
		in   string
		out  uint64
	}{
		{seed1, "", 0x30ED35C100CD3C7D},
		{seed1, "af", 0x48E73FC77D75DDC1},
		{seed1, "e70f", 0xB5F6E1FC485DBFF8},
		{seed1, "37f495", 0xF0B07C789B8CF7E8},
		{seed1, "8642dc59", 0x7008F2E87E9CF556},
		{seed1, "153fb79826", 0xE6C08C6DA2AFA997},
		{seed1, "0932e6246c47", 0x6F04BF1A5EA24060},
		{seed1, "ab427ea8d10fc7", 0xE11847E4F0678C41},
		{seed2, "", 0x10A9D5D3996FD65D},
		{seed2, "af", 0x68201F91960EBF91},
	} {
		in, _ := hex.DecodeString(tt.in)
		if got, want := marvin32(tt.seed, in), uint32(tt.out>>32)^uint32(tt.out); got != want {
			t.Errorf("marvin32(%#x, %s) = %#x, want %#x", tt.seed, tt.in, got, want)
		}
	}
}

// The check value of the CRC catalogue for CRC-24/OPENPGP.
func TestCRC24(t *testing.T) {
	if got := crc24([]byte("123456789")); got != 0x21CF02 {
		t.Errorf("crc24 = %#x, want 0x21cf02", got)
	}
}

func TestMonotonous(t *testing.T) {
	for s, want := range map[string]bool{
		"abcdefghijklmnop": true, "0123456789": true, "9876543210": true, "aaaaaaaaaa": true, "abcabcabcabc": true,
		"deadbeefdeadbeef": true, "kX92hqLm4Zp": false, "3f1c9a7e52d44b8e": false, "abc": false,
	} {
		if got := monotonous(s); got != want {
			t.Errorf("monotonous(%q) = %v", s, got)
		}
	}
}

// No check may panic, take long or repeat the secret.
func FuzzChecks(f *testing.F) {
	for _, s := range []string{
		crcToken("gh"+"p_", letterRun(30)), routable("glp"+"at-", "o:1", "0123456789abcdef", true), macaroonToken("pypi.org", "[0,1,2]"),
		annotated(letterRun(52)), identifiable(pseudo(57), "+ASt", "Default0"), "AKI" + "AY34FZKBOKMUTVV7A",
		"https://" + "u:p@h/", `{"type":"service_account","private_key":"x"}`, `{"auths":{"a":{"auth":"dTpw"}}}`,
		"xox" + "b-1-2-abc", "a.b.c", "3f1c9a7e-52d4-4b8e-9a61-d07be2c4815f", "5283716490" + ":AA" + letterRun(33),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, secret []byte) {
		for _, n := range Names() {
			check, _ := Lookup(n)
			r := check(secret)
			if r.Outcome > Invalid {
				t.Errorf("%s: outcome %d", n, r.Outcome)
			}
			if r.Severity != nil && *r.Severity > finding.Critical {
				t.Errorf("%s: severity %d", n, *r.Severity)
			}
			for _, e := range r.Evidence {
				if len(e) > 200 {
					t.Errorf("%s: long evidence %q", n, e)
				}
			}
			for k, v := range r.Properties {
				if len(v) > 140 || strings.ContainsAny(v, "\n\x00") {
					t.Errorf("%s: property %s = %q", n, k, v)
				}
			}
		}
	})
}

// The largest input that is looked at must not take long, whatever it holds.
func TestChecksAreQuick(t *testing.T) {
	begin := "-----BEGIN RSA PRIVATE " + "KEY-----\n"
	number := append([]byte{0x02, 0x82, 0x2e, 0xe0}, append([]byte{1}, pseudo(11999)...)...) // an integer of 12 KB
	der := append([]byte{0x02, 0x01, 0x00}, slices.Concat(number, number, number, number)...)
	der = append([]byte{0x30, 0x82, byte(len(der) >> 8), byte(len(der))}, der...)
	for name, unit := range map[string]string{
		"letters": letterRun(62), "one letter": "a", "dots": "a.", "line ends": "\n", "escapes": `\n\\n`, "quotes": `"+`,
		"brackets": `{"auths":`, "hyphens": "xox" + "b-1-", "numbers": "1234567890:", "equals": "=", "percent": "://%41:@",
		"begin lines": begin, "large numbers": begin + base64.StdEncoding.EncodeToString(der), "signs": "+ \n- \n",
	} {
		input := []byte(strings.Repeat(unit, maxInput/len(unit)+1)[:maxInput])
		for _, check := range Names() {
			f, _ := Lookup(check)
			start := time.Now()
			f(input)
			if took := time.Since(start); took > 300*time.Millisecond {
				t.Errorf("%s takes %v for %s", check, took, name)
			}
		}
	}
}
