// Package check examines the structure of credentials: checksums, embedded
// account numbers, parsed keys and claims, and text hidden behind an encoding.
// It answers from the bytes alone, offline and always in the same way. It does
// not look for credentials in text, does not judge their surroundings and does
// not ask anybody whether a credential is live.
package check

import (
	"slices"
	"strings"

	"bulwark/internal/finding"
)

// Outcome is what a check can tell.
type Outcome uint8

// The outcomes of a check.
const (
	// Inapplicable: the check cannot tell. Evidence and properties may be set
	// all the same.
	Inapplicable Outcome = iota
	// Valid: redundancy in the value proves its structure (a checksum, a
	// parsed key), so that it was not typed as a placeholder.
	Valid
	// Invalid: the value cannot be a live credential; reject the finding.
	Invalid
)

func (o Outcome) String() string {
	switch o {
	case Inapplicable:
		return "inapplicable"
	case Valid:
		return "valid"
	case Invalid:
		return "invalid"
	}
	return "outcome(?)"
}

// Result is what a check says. It holds no part of the secret.
type Result struct {
	Outcome Outcome
	// Evidence are short facts for people: "CRC-32 checksum matches".
	Evidence []string
	// Properties are facts for policies: "aws.account": "123456789012",
	// "jwt.expires": "2026-01-31", "key.type": "rsa-2048". Times are UTC dates;
	// comparing them with today's is the caller's business, as results are
	// cached.
	Properties map[string]string
	// Severity and Confidence, when set, replace those of the rule.
	Severity   *finding.Severity
	Confidence *finding.Confidence
}

// Func is a structural check. It is a pure function, safe for concurrent use,
// and never panics. It neither keeps nor changes secret.
type Func func(secret []byte) Result

// maxInput bounds what any check looks at, in bytes. The largest credentials
// are private keys (a 16384-bit RSA key in PEM takes 13 KB) and service account
// files.
const maxInput = 64 << 10

type entry struct {
	name string
	f    Func
}

// checks is every check, in the order of names.
var checks = [...]entry{
	{"aws-access-key-id", awsAccessKeyID},
	{"azure-cask", azureCASK},
	{"azure-storage-key", azureStorageKey},
	{"base64-bytes", base64Bytes},
	{"base64-json", base64JSON},
	{"basic-url", basicURL},
	{"discord-bot-token", discordBotToken},
	{"docker-auth", dockerAuth},
	{"ed25519-base64", ed25519Base64},
	{"github-crc32", gitHubCRC32},
	{"github-fine-grained", gitHubFineGrained},
	{"gitlab-routable", gitLabRoutable},
	{"google-service-account-json", googleServiceAccount},
	{"grafana-crc32", grafanaCRC32},
	{"hex-bytes", hexBytes},
	{"http-basic", httpBasic},
	{"jwt", jwt},
	{"mailchimp-key", mailchimpKey},
	{"npm-crc32", npmCRC32},
	{"pem-private-key", pemPrivateKey},
	{"pypi-macaroon", pypiMacaroon},
	{"sendgrid-key", sendGridKey},
	{"slack-token", slackToken},
	{"telegram-bot-token", telegramBotToken},
	{"uuid", uuid},
}

// Lookup returns the check of that name, bounded to inputs of 64 KiB; larger
// ones are Inapplicable.
func Lookup(name string) (Func, bool) {
	i, ok := slices.BinarySearchFunc(checks[:], name, func(e entry, name string) int { return strings.Compare(e.name, name) })
	if !ok {
		return nil, false
	}
	f := checks[i].f
	return func(secret []byte) Result {
		if len(secret) > maxInput {
			return unknown("too long to be examined")
		}
		return f(secret)
	}, true
}

// Names lists the checks in alphabetical order.
func Names() []string {
	names := make([]string, len(checks))
	for i, e := range checks {
		names[i] = e.name
	}
	return names
}

func valid(evidence ...string) Result {
	return Result{Outcome: Valid, Evidence: evidence}
}

func invalid(evidence ...string) Result {
	return Result{Outcome: Invalid, Evidence: evidence}
}

func unknown(evidence ...string) Result {
	return Result{Outcome: Inapplicable, Evidence: evidence}
}

func (r Result) with(property, value string) Result {
	if value == "" {
		return r
	}
	if r.Properties == nil {
		r.Properties = map[string]string{}
	}
	r.Properties[property] = value
	return r
}

func (r Result) at(s finding.Severity) Result {
	r.Severity = &s
	return r
}

func (r Result) sure(c finding.Confidence) Result {
	r.Confidence = &c
	return r
}
