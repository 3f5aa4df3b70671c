// Package verify asks the provider of a credential whether it is live, by one
// harmless request that reads who the caller is. It is for a person or pipeline
// that asked for it: it runs only on request, at a low rate, to providers on an
// allow-list, and each request is logged without the credential.
//
// It does not find credentials, does not try what they may do, does not change
// or revoke anything, and does not guess: an answer that is not the provider's
// documented one leaves the status unknown. A provider can only speak for
// itself: a token of a self-hosted instance is unknown to the public one, unless
// Config.Endpoints names the instance.
package verify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Status is what is known of a credential after asking.
type Status string

// The statuses.
const (
	Live    Status = "live"    // the provider accepts it
	Revoked Status = "revoked" // the provider refuses it: revoked, expired or never issued
	Unknown Status = "unknown" // could not ask, or the answer does not tell
)

// Candidate is a credential to ask about.
type Candidate struct {
	Provider    string // as in Providers
	RuleID      string // of the finding; logged
	Fingerprint string // of the finding; logged, and not derivable from the value
	Value       Redacted
	// Companions are what else the credential consists of, such as the secret
	// key that belongs to an AWS key id, by rule id. They are told apart by
	// their form, not by the id.
	Companions map[string]Redacted
}

// Defaults of Config.
const (
	DefaultRatePerSecond = 2.0
	DefaultTimeout       = 10 * time.Second
)

// maxAnswer bounds the body of an answer, in bytes.
const maxAnswer = 64 << 10

// maxValue bounds a credential, in bytes.
const maxValue = 8 << 10

// Config configures a Verifier; the zero Config works.
type Config struct {
	// Optional: Allow lists the providers that may be asked. Empty allows all.
	Allow []string
	// Optional: RatePerSecond bounds requests per provider (default 2).
	RatePerSecond float64
	// Optional: Timeout bounds one request, waiting for its turn not included
	// (default 10 s).
	Timeout time.Duration
	// Optional: Endpoints replace a provider's base URL, for enterprise hosts
	// and tests: https, or http on a loopback address. No user, query or
	// fragment.
	Endpoints map[string]string
	// Optional: Log receives one record per request; default: nothing.
	Log *slog.Logger
	// Optional: HTTP supplies the transport. Its redirect policy and cookies
	// are not used. The default verifies TLS against the system's roots and
	// uses no proxy.
	HTTP *http.Client
}

// Errors of Check that a caller may branch on.
var (
	ErrUnknownProvider = errors.New("no provider of that name can be asked")
	ErrNotAllowed      = errors.New("provider is not on the allow-list")
)

// Verifier asks providers. It is safe for concurrent use.
type Verifier struct {
	client    *http.Client
	log       *slog.Logger
	timeout   time.Duration
	now       func() time.Time
	endpoints map[string]*url.URL // given by the configuration
	paces     map[string]*pace    // of the allowed providers
}

// New checks cfg and returns a Verifier. It sends nothing.
func New(cfg Config) (*Verifier, error) {
	v := &Verifier{
		log: cfg.Log, timeout: cfg.Timeout, now: time.Now,
		endpoints: map[string]*url.URL{}, paces: map[string]*pace{},
	}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	if v.timeout <= 0 {
		v.timeout = DefaultTimeout
	}
	rate := cfg.RatePerSecond
	if rate <= 0 {
		rate = DefaultRatePerSecond
	}
	allow := cfg.Allow
	if len(allow) == 0 {
		allow = Providers()
	}
	for _, name := range allow {
		if !For(name) {
			return nil, fmt.Errorf("allow-list of verification: provider %q: %w: use one of %s", name, ErrUnknownProvider, strings.Join(Providers(), ", "))
		}
		v.paces[name] = &pace{gap: time.Duration(float64(time.Second) / rate)}
	}
	for name, base := range cfg.Endpoints {
		if !For(name) {
			return nil, fmt.Errorf("endpoint of provider %q: %w: use one of %s", name, ErrUnknownProvider, strings.Join(Providers(), ", "))
		}
		u, err := endpoint(base)
		if err != nil {
			return nil, fmt.Errorf("endpoint of provider %q: %w", name, err)
		}
		v.endpoints[name] = u
	}
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    v.timeout,
		ResponseHeaderTimeout:  v.timeout,
		MaxResponseHeaderBytes: maxAnswer,
		MaxConnsPerHost:        4,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}}
	if cfg.HTTP != nil {
		client = *cfg.HTTP
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v.client = &client
	return v, nil
}

// endpoint parses a base URL, without repeating it in errors: a URL may hold a
// password.
func endpoint(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, errors.New("not a URL: write it as https://git.example.com")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("give the base URL alone, without user, query or fragment")
	}
	host := u.Hostname()
	ip, _ := netip.ParseAddr(host)
	if u.Scheme != "https" && (u.Scheme != "http" || (host != "localhost" && !ip.IsLoopback())) {
		return nil, errors.New("a credential is sent there: use https")
	}
	return u, nil
}

// For reports whether a provider of that name can be asked.
func For(provider string) bool {
	_, ok := lookup(provider)
	return ok
}

// Providers lists the names of all providers in alphabetical order.
func Providers() []string {
	names := make([]string, len(providers))
	for i, p := range providers {
		names[i] = p.name
	}
	return names
}

func lookup(name string) (provider, bool) {
	i, ok := slices.BinarySearchFunc(providers[:], name, func(p provider, name string) int { return strings.Compare(p.name, name) })
	if !ok {
		return provider{}, false
	}
	return providers[i], true
}

// Check asks the provider of c about it. Detail is a short phrase for people
// without secret values: "unreachable", "rate limited", "account 123456789012".
// An error says that the question could not even be put: a provider that is
// unknown or not allowed, or ctx done; status is then Unknown.
func (v *Verifier) Check(ctx context.Context, c Candidate) (status Status, detail string, err error) {
	p, ok := lookup(c.Provider)
	if !ok {
		return Unknown, "", fmt.Errorf("verifying a finding of %s: provider %q: %w", c.RuleID, c.Provider, ErrUnknownProvider)
	}
	turn, ok := v.paces[p.name]
	if !ok {
		return Unknown, "", fmt.Errorf("verifying a finding of %s: provider %q: %w", c.RuleID, c.Provider, ErrNotAllowed)
	}
	if !sendable(c) {
		return Unknown, "holds characters that cannot be sent", nil
	}
	q, refusal := p.ask(c)
	if refusal != "" {
		return Unknown, refusal, nil
	}
	if !turn.wait(ctx, v.now) {
		if err := ctx.Err(); err != nil {
			return Unknown, "", fmt.Errorf("verifying a finding of %s: %w", c.RuleID, err)
		}
		return Unknown, "rate limited", nil
	}
	base := v.endpoints[p.name]
	if base == nil {
		if base, err = url.Parse(p.base); err != nil {
			return Unknown, "", fmt.Errorf("verifying a finding of %s: the address of %s is damaged", c.RuleID, p.name)
		}
	}
	start := v.now()
	a, failure := v.send(ctx, base, q)
	a.chosen = v.endpoints[p.name] != nil
	if failure != "" {
		status, detail = Unknown, failure
	} else {
		status, detail = a.classify(p.judge)
	}
	if a.code == http.StatusTooManyRequests || detail == rateLimited {
		turn.pause(a.header, v.now())
	}
	detail = scrub(detail, c)
	v.log.InfoContext(ctx, "asked provider about credential",
		slog.String("provider", p.name), slog.String("host", base.Host), slog.String("rule", c.RuleID), slog.String("fingerprint", c.Fingerprint),
		slog.Int("http_status", a.code), slog.String("status", string(status)), slog.String("detail", detail),
		slog.Duration("took", v.now().Sub(start)))
	if err := ctx.Err(); err != nil && failure != "" {
		return Unknown, "", fmt.Errorf("verifying a finding of %s: %w", c.RuleID, err)
	}
	return status, detail, nil
}

// sendable reports whether the values are plain characters, as those of all
// supported providers are.
func sendable(c Candidate) bool {
	plain := func(s string) bool {
		for i := 0; i < len(s); i++ {
			if s[i] <= ' ' || s[i] >= 0x7f {
				return false
			}
		}
		return s != "" && len(s) <= maxValue
	}
	if !plain(c.Value.Reveal()) {
		return false
	}
	for _, r := range c.Companions {
		if !plain(r.Reveal()) {
			return false
		}
	}
	return true
}

// scrub drops a detail that repeats a part of the credential, should a provider
// echo it.
func scrub(detail string, c Candidate) string {
	const part = 8
	repeats := func(r Redacted) bool {
		value := r.Reveal()
		for i := 0; i+part <= len(value); i++ {
			if strings.Contains(detail, value[i:i+part]) {
				return true
			}
		}
		return len(value) < part && strings.Contains(detail, value)
	}
	if repeats(c.Value) {
		return redacted
	}
	for _, r := range c.Companions {
		if repeats(r) {
			return redacted
		}
	}
	return detail
}

// question is one request.
type question struct {
	method string // default GET
	path   string // escaped, with a leading slash
	query  string
	header http.Header
	body   string
	sign   *awsKeys // sign with AWS Signature Version 4
}

// answer is what a provider said.
type answer struct {
	code   int
	header http.Header
	body   []byte
	object map[string]any // the body, if it is a JSON object
	chosen bool           // the endpoint was configured
}

// send returns the answer, or in words why there is none.
func (v *Verifier) send(ctx context.Context, base *url.URL, q question) (answer, string) {
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	target := strings.TrimSuffix(base.String(), "/") + q.path
	if q.query != "" {
		target += "?" + q.query
	}
	method := q.method
	if method == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(q.body))
	if err != nil {
		return answer{}, "cannot be sent"
	}
	if q.header != nil {
		r.Header = q.header
	}
	if q.sign != nil {
		signV4(r, []byte(q.body), *q.sign, stsRegion, "sts", v.now())
	}
	r.Header.Set("User-Agent", "bulwark (credential verification)")
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	resp, err := v.client.Do(r)
	if err != nil {
		return answer{}, unreachable(err)
	}
	defer resp.Body.Close()
	a := answer{code: resp.StatusCode, header: resp.Header}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case a.code == http.StatusTooManyRequests: // whatever the body
		return a, ""
	case err != nil:
		return a, unreachable(err)
	case len(body) > maxAnswer:
		return a, "answer too long"
	}
	a.body, a.object = body, objectOf(body)
	return a, ""
}

// objectOf returns body as a JSON object, or nil.
func objectOf(body []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object map[string]any
	if d.Decode(&object) != nil {
		return nil
	}
	return object
}

// unreachable names the kind of failure. The text of err is not repeated: it
// may hold the URL, and that the credential.
func unreachable(err error) string {
	var certificate *tls.CertificateVerificationError
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &certificate):
		return "unreachable: certificate not trusted"
	case errors.As(err, &dns):
		return "unreachable: name does not resolve"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "unreachable: timed out"
	}
	return "unreachable"
}

const rateLimited = "rate limited"

// classify sorts out what no provider means as an answer and leaves the rest to
// judge.
func (a answer) classify(judge func(answer) (Status, string)) (Status, string) {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	switch {
	case a.code == http.StatusTooManyRequests:
		return Unknown, rateLimited
	case a.code >= 300 && a.code < 400:
		return Unknown, "redirected, not followed"
	case a.code >= 500:
		return Unknown, fmt.Sprintf("provider failed (HTTP %d)", a.code)
	case media == "text/html" || media == "application/xhtml+xml":
		return Unknown, "answer is a web page, not the provider's interface"
	}
	return judge(a)
}

// text returns a string of the answer's JSON object, made fit for a log.
func (a answer) text(path ...string) string {
	var at any = a.object
	for _, name := range path {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	s, _ := at.(string)
	return plainText(s)
}

// plainText keeps at most 100 printable ASCII characters.
func plainText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 100)]
}
