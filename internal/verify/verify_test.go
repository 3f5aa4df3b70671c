package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// secretOf is the value that stands for a live credential in the doubles.
var secretOf = map[string]string{
	"aws": "AKI" + "AY34FZKBOKMUTVV7A", "github": "gh" + "p_Qm4ZkT9xV1sLr8", "gitlab": "glp" + "at-Qm4ZkT9xV1sLr8", "slack": "xox" + "b-2873465109-Qm4ZkT9xV1sLr8",
	"stripe": "sk_" + "live_Qm4ZkT9xV1sLr8", "telegram": "5283716490:AAQm4ZkT9xV1sLr8",
}

const awsOther = "Zr4kQm9xV1sLr8Tb" + "/Hn2+Wd6Yc3Jf7Gp5Ua0EoIx"

func valueOf(provider string) string {
	if v := secretOf[provider]; v != "" {
		return v
	}
	return "k-Qm4ZkT9xV1sLr8"
}

func candidate(provider, value string) Candidate {
	c := Candidate{Provider: provider, RuleID: provider + "-token", Fingerprint: "secret/1:0123456789abcdef0123456789abcdef", Value: Redact(value)}
	if provider == "aws" {
		c.Companions = map[string]Redacted{"aws-secret-access-key": Redact(awsOther)}
	}
	return c
}

// double answers as the provider's documentation says: live for secretOf, else
// refused.
type double struct {
	path, method string
	credential   func(*http.Request) string
	live, dead   reply
}

type reply struct {
	code   int
	body   string
	header map[string]string
}

func (r reply) send(w http.ResponseWriter) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	for k, v := range r.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(r.code)
	_, _ = io.WriteString(w, r.body)
}

func authorization(scheme string) func(*http.Request) string {
	return func(r *http.Request) string { return strings.TrimPrefix(r.Header.Get("Authorization"), scheme+" ") }
}

func inHeader(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.Header.Get(name) }
}

func basicPassword(r *http.Request) string {
	user, password, _ := r.BasicAuth()
	if user != "api" {
		return ""
	}
	return password
}

// signedBy checks the signature anew and returns the key id.
func signedBy(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || string(body) != "Action=GetCallerIdentity&Version=2011-06-15" {
		return ""
	}
	got := r.Header.Get("Authorization")
	id, _, _ := strings.Cut(strings.TrimPrefix(got, "AWS4-HMAC-SHA256 Credential="), "/")
	again, _ := http.NewRequest(r.Method, "http://"+r.Host+r.URL.String(), nil)
	for _, name := range []string{"Content-Type", "Accept"} {
		again.Header.Set(name, r.Header.Get(name))
	}
	signV4(again, body, awsKeys{id: id, secret: awsOther}, stsRegion, "sts", at)
	if again.Header.Get("Authorization") != got {
		return "signature differs"
	}
	return id
}

func bearerDouble(path, live, dead string) double {
	return double{path: path, credential: authorization("Bearer"), live: reply{code: 200, body: live}, dead: reply{code: 401, body: dead}}
}

var doubles = map[string]double{
	"airtable": bearerDouble("/v0/meta/whoami", `{"id":"usrL2PNC5o3H4lBEi"}`, `{"error":{"type":"AUTHENTICATION_REQUIRED","message":"Authentication required"}}`),
	"anthropic": {path: "/v1/models", credential: inHeader("X-Api-Key"), live: reply{code: 200, body: `{"data":[],"has_more":false}`},
		dead: reply{code: 401, body: `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`}},
	"aws": {path: "/", method: "POST", credential: signedBy,
		live: reply{200, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::609629065308:user/a</Arn><UserId>AIDA</UserId><Account>609629065308</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, map[string]string{"Content-Type": "text/xml"}},
		dead: reply{403, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>`, map[string]string{"Content-Type": "text/xml"}}},
	"cloudflare":   bearerDouble("/client/v4/user/tokens/verify", `{"success":true,"result":{"id":"x","status":"active"}}`, `{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}],"result":null}`),
	"digitalocean": bearerDouble("/v2/account", `{"account":{"status":"active"}}`, `{"id":"Unauthorized","message":"Unable to authenticate you"}`),
	"discord": {path: "/api/v10/users/@me", credential: authorization("Bot"), live: reply{code: 200, body: `{"id":"80351110224678912","bot":true}`},
		dead: reply{code: 401, body: `{"message":"401: Unauthorized","code":0}`}},
	"figma": {path: "/v1/me", credential: inHeader("X-Figma-Token"), live: reply{code: 200, body: `{"id":"1","handle":"a"}`}, dead: reply{code: 403, body: `{"status":403,"err":"Invalid token"}`}},
	"github": {path: "/user", credential: authorization("Bearer"), live: reply{200, `{"login":"octocat","id":1}`, map[string]string{"X-OAuth-Scopes": "repo, user"}},
		dead: reply{code: 401, body: `{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest"}`}},
	"gitlab": {path: "/api/v4/personal_access_tokens/self", credential: inHeader("Private-Token"), live: reply{code: 200, body: `{"id":4,"active":true,"revoked":false,"scopes":["api"]}`},
		dead: reply{code: 401, body: `{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}`}},
	"heroku":      bearerDouble("/account", `{"id":"01234567-89ab-cdef-0123-456789abcdef"}`, `{"id":"unauthorized","message":"Invalid credentials provided."}`),
	"huggingface": bearerDouble("/api/whoami-v2", `{"type":"user","name":"a"}`, `{"error":"Invalid credentials in Authorization header"}`),
	"mailgun": {path: "/v3/domains", credential: basicPassword, live: reply{code: 200, body: `{"items":[],"total_count":0}`},
		dead: reply{401, "Forbidden", map[string]string{"Content-Type": "text/plain"}}},
	"notion":    bearerDouble("/v1/users/me", `{"object":"user","type":"bot"}`, `{"object":"error","status":401,"code":"unauthorized"}`),
	"npm":       bearerDouble("/-/whoami", `{"username":"a"}`, `{"error":"Unauthorized"}`),
	"openai":    bearerDouble("/v1/models", `{"object":"list","data":[]}`, `{"error":{"code":"invalid_api_key","message":"Incorrect API key provided"}}`),
	"replicate": bearerDouble("/v1/account", `{"type":"user","username":"a"}`, `{"title":"Unauthenticated","status":401}`),
	"sendgrid":  bearerDouble("/v3/scopes", `{"scopes":["mail.send"]}`, `{"errors":[{"field":null,"message":"authorization required"}]}`),
	"slack": {path: "/api/auth.test", method: "POST", credential: authorization("Bearer"), live: reply{code: 200, body: `{"ok":true,"url":"https://a.slack.com/","team":"a","user":"b"}`},
		dead: reply{code: 200, body: `{"ok":false,"error":"token_revoked"}`}},
	"stripe": bearerDouble("/v1/balance", `{"object":"balance","livemode":true}`, `{"error":{"message":"Invalid API Key provided: sk_live_****","type":"invalid_request_error"}}`),
	"telegram": {credential: func(r *http.Request) string {
		return strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/bot"), "/getMe")
	}, live: reply{code: 200, body: `{"ok":true,"result":{"id":5283716490,"is_bot":true}}`}, dead: reply{code: 401, body: `{"ok":false,"error_code":401,"description":"Unauthorized"}`}},
}

func (d double) serve(t *testing.T, provider string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		method := d.method
		if method == "" {
			method = http.MethodGet
		}
		if r.Method != method || (d.path != "" && r.URL.Path != d.path) || r.UserAgent() == "" {
			t.Errorf("%s was asked %s %s by %q", provider, r.Method, r.URL.Path, r.UserAgent())
		}
		if provider != "telegram" && strings.Contains(r.URL.String(), "Qm4ZkT9xV1sLr8") {
			t.Errorf("%s: the credential stands in the URL", provider)
		}
		if d.credential(r) == valueOf(provider) {
			d.live.send(w)
			return
		}
		d.dead.send(w)
	}
}

// ask runs one Check against a server and returns what came of it, after making
// sure that nothing that was written holds a part of the values.
func ask(t *testing.T, h http.Handler, cfg Config, c Candidate) (Status, string, error) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	var log bytes.Buffer
	cfg.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Endpoints = map[string]string{c.Provider: server.URL}
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	status, detail, err := v.Check(t.Context(), c)
	written := fmt.Sprint(detail, err, log.String())
	values := []string{c.Value.Reveal()}
	for _, r := range c.Companions {
		values = append(values, r.Reveal())
	}
	for _, value := range values {
		for i := 0; i+8 <= len(value); i++ {
			if strings.Contains(written, value[i:i+8]) {
				t.Errorf("a part of the value was written: %s", written)
				break
			}
		}
	}
	if log.Len() > 0 && (!strings.Contains(log.String(), c.Fingerprint) || !strings.Contains(log.String(), c.Provider)) {
		t.Errorf("the log lacks provider or fingerprint: %s", log.String())
	}
	return status, detail, err
}

func TestProviders(t *testing.T) {
	if !slices.IsSorted(Providers()) {
		t.Errorf("providers are not in order: %v", Providers())
	}
	for _, name := range Providers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, ok := doubles[name]
			if !ok {
				t.Fatal("no double of this provider")
			}
			dead := valueOf(name)[:len(valueOf(name))-3] + "xYz"
			if name == "aws" {
				dead = "AKI" + "AY34FZKBOKMUTVV7B"
			}
			for _, tt := range []struct {
				value string
				want  Status
			}{{valueOf(name), Live}, {dead, Revoked}} {
				status, detail, err := ask(t, d.serve(t, name), Config{}, candidate(name, tt.value))
				if err != nil || status != tt.want || detail == "" {
					t.Errorf("got %v %q %v, want %v", status, detail, err, tt.want)
				}
			}
			for _, l := range liars(name) {
				status, detail, err := ask(t, l.handler, Config{Timeout: 150 * time.Millisecond}, candidate(name, valueOf(name)))
				if err != nil || status != Unknown || !strings.Contains(detail, l.detail) {
					t.Errorf("%s: got %v %q %v, want unknown %q", l.name, status, detail, err, l.detail)
				}
			}
		})
	}
}

type liar struct {
	name    string
	handler http.HandlerFunc
	detail  string
}

// liars are servers whose answers must not be believed.
func liars(provider string) []liar {
	value := valueOf(provider)
	return []liar{
		{"rate limit", func(w http.ResponseWriter, _ *http.Request) {
			reply{429, "slow down", map[string]string{"Retry-After": "30"}}.send(w)
		}, "rate limited"},
		{"failure", func(w http.ResponseWriter, _ *http.Request) { reply{code: 503, body: "{}"}.send(w) }, "provider failed"},
		{"slow", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(2 * time.Second):
			}
		}, "timed out"},
		{"trickle", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, "timed out"},
		{"huge", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			block := bytes.Repeat([]byte(" "), 1<<16)
			for range 64 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, "answer too long"},
		{"web page", func(w http.ResponseWriter, _ *http.Request) {
			reply{200, "<html>Log in to the network</html>", map[string]string{"Content-Type": "text/html"}}.send(w)
		}, "web page"},
		{"web page that refuses", func(w http.ResponseWriter, _ *http.Request) {
			reply{401, "<html>Proxy</html>", map[string]string{"Content-Type": "text/html; charset=utf-8"}}.send(w)
		}, "web page"},
		{"other JSON", func(w http.ResponseWriter, _ *http.Request) {
			reply{code: 200, body: `{"hello":"` + value + `"}`}.send(w)
		}, "unexpected answer"},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { reply{code: 200, body: value}.send(w) }, "unexpected answer"},
		{"teapot", func(w http.ResponseWriter, _ *http.Request) { reply{code: 418, body: `{}`}.send(w) }, "unexpected answer"},
		{"hang up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "unreachable"},
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var reached atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Store(true)
		doubles["github"].live.send(w)
	}))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		followed := &http.Client{} // whose own policy would follow
		status, detail, err := ask(t, http.RedirectHandler(elsewhere.URL, code), Config{HTTP: followed}, candidate("github", valueOf("github")))
		if status != Unknown || err != nil || !strings.Contains(detail, "redirected") {
			t.Errorf("%d: got %v %q %v", code, status, detail, err)
		}
	}
	if reached.Load() {
		t.Error("the redirect was followed")
	}
}

// Particular answers of particular providers.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, provider, value string
		reply                 reply
		want                  Status
		detail                string
	}{
		{"restricted", "github", "gh" + "s_Qm4ZkT9xV1sLr8", reply{code: 403, body: `{"message":"Resource not accessible by integration"}`}, Live, "restricted"},
		{"installation", "github", "gh" + "s_Qm4ZkT9xV1sLr8", reply{code: 200, body: `{"total_count":1,"repositories":[]}`}, Live, "accepted"},
		{"primary limit", "github", "", reply{403, `{"message":"API rate limit exceeded"}`, map[string]string{"X-RateLimit-Remaining": "0"}}, Unknown, "rate limited"},
		{"echo", "github", "", reply{200, `{"login":"a"}`, map[string]string{"X-OAuth-Scopes": "x " + secretOf["github"]}}, Live, redacted},
		{"echo of a part", "github", "", reply{200, `{"login":"a"}`, map[string]string{"X-OAuth-Scopes": "x " + secretOf["github"][4:13]}}, Live, redacted},
		{"of the chosen instance", "gitlab", "", reply{code: 401, body: `{"message":"401 Unauthorized"}`}, Revoked, "not accepted"},
		{"inactive", "gitlab", "", reply{code: 200, body: `{"active":false,"revoked":true}`}, Revoked, "not active"},
		{"scope", "gitlab", "", reply{code: 403, body: `{"error":"insufficient_scope","error_description":"The request requires higher privileges"}`}, Live, "restricted"},
		{"invalid", "slack", "", reply{code: 200, body: `{"ok":false,"error":"invalid_auth"}`}, Revoked, "invalid_auth"},
		{"limit in the body", "slack", "", reply{code: 200, body: `{"ok":false,"error":"ratelimited"}`}, Unknown, "rate limited"},
		{"other", "slack", "", reply{code: 200, body: `{"ok":false,"error":"fatal_error"}`}, Unknown, "fatal_error"},
		{"expired", "aws", "", reply{code: 403, body: `<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>`}, Revoked, "expired"},
		{"wrong pair", "aws", "", reply{code: 403, body: `<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>`}, Unknown, "not its secret"},
		{"throttled", "aws", "", reply{code: 400, body: `<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>`}, Unknown, "rate limited"},
		{"permissions", "stripe", "", reply{code: 403, body: `{"error":{"message":"The provided key does not have the required permissions"}}`}, Live, "restricted"},
		{"contradiction", "cloudflare", "", reply{code: 418, body: `{"success":true,"result":{"status":"active"}}`}, Unknown, "unexpected"},
		{"disabled", "cloudflare", "", reply{code: 200, body: `{"success":true,"result":{"status":"disabled"}}`}, Revoked, "disabled"},
		{"scope", "figma", "", reply{code: 403, body: `{"status":403,"err":"Invalid scope(s): x"}`}, Live, "restricted"},
	} {
		t.Run(tt.provider+"/"+tt.name, func(t *testing.T) {
			if tt.value == "" {
				tt.value = valueOf(tt.provider)
			}
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tt.reply.send(w) })
			status, detail, err := ask(t, h, Config{}, candidate(tt.provider, tt.value))
			if status != tt.want || err != nil || !strings.Contains(detail, tt.detail) {
				t.Errorf("got %v %q %v, want %v %q", status, detail, err, tt.want, tt.detail)
			}
		})
	}
}

// What cannot be asked without effect, or is incomplete, is not asked.
func TestRefusals(t *testing.T) {
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked %s", r.URL.Path) })
	for _, tt := range []struct {
		provider, value, detail string
		companions              map[string]Redacted
	}{
		{"github", "gh" + "r_Qm4ZkT9xV1sLr8", "using it up", nil},
		{"gitlab", "glr" + "t-Qm4ZkT9xV1sLr8", "without effect", nil},
		{"slack", "xox" + "e-1-Qm4ZkT9xV1sLr8", "alone", nil},
		{"stripe", "pk_" + "live_Qm4ZkT9xV1sLr8", "public", nil},
		{"aws", secretOf["aws"], "needs the secret access key", nil},
		{"aws", awsOther, "needs the access key id", nil},
		{"aws", "ASI" + "AY34FZKBOKMUTVV7A", "needs the session token", map[string]Redacted{"secret": Redact(awsOther)}},
		{"github", "line\r\nHost: elsewhere", "cannot be sent", nil},
		{"github", "", "cannot be sent", nil},
		{"github", strings.Repeat("Qm4ZkT9x", 2000), "cannot be sent", nil},
		{"aws", secretOf["aws"], "cannot be sent", map[string]Redacted{"secret": Redact("with space")}},
	} {
		c := candidate(tt.provider, tt.value)
		c.Companions = tt.companions
		status, detail, err := ask(t, h, Config{}, c)
		if status != Unknown || err != nil || !strings.Contains(detail, tt.detail) {
			t.Errorf("%s: got %v %q %v, want unknown %q", tt.provider, status, detail, err, tt.detail)
		}
	}
}

// A token that the public instance does not know may be one of another.
func TestDefaultGitLab(t *testing.T) {
	a := answer{code: 401, object: map[string]any{"message": "401 Unauthorized"}}
	if status, detail := judgeGitLab(a); status != Unknown || !strings.Contains(detail, "another instance") {
		t.Errorf("got %v %q", status, detail)
	}
}

func TestAWSPartsInAnyOrder(t *testing.T) {
	session := strings.Repeat("Fw0GZXIvYXdzE", 12)
	parts := []string{"ASI" + "AY34FZKBOKMUTVV7A", awsOther, session}
	for i := range parts {
		c := Candidate{Value: Redact(parts[i]), Companions: map[string]Redacted{}}
		for j := range parts {
			if j != i {
				c.Companions[fmt.Sprint(j)] = Redact(parts[j])
			}
		}
		q, refusal := askAWS(c)
		if refusal != "" || *q.sign != (awsKeys{parts[0], parts[1], parts[2]}) {
			t.Errorf("part %d first: %q %v", i, refusal, q.sign != nil)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"unknown provider", Config{Allow: []string{"nobody"}}, "nobody"},
		{"unknown provider's endpoint", Config{Endpoints: map[string]string{"nobody": "https://x"}}, "nobody"},
		{"plain http", Config{Endpoints: map[string]string{"github": "http://git.corp"}}, "use https"},
		{"user", Config{Endpoints: map[string]string{"github": "https://u:" + "hunter2@git.corp"}}, "without user"},
		{"query", Config{Endpoints: map[string]string{"github": "https://git.corp/?token=" + "hunter2"}}, "without user"},
		{"no URL", Config{Endpoints: map[string]string{"github": "hunter2 %zz"}}, "not a URL"},
		{"file", Config{Endpoints: map[string]string{"github": "file:///etc/passwd"}}, "not a URL"},
	} {
		_, err := New(tt.cfg)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestNotAllowed(t *testing.T) {
	v, err := New(Config{Allow: []string{"slack"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Check(t.Context(), candidate("github", "x")); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("got %v, want %v", err, ErrNotAllowed)
	}
	if _, _, err := v.Check(t.Context(), candidate("nobody", "x")); !errors.Is(err, ErrUnknownProvider) {
		t.Errorf("got %v, want %v", err, ErrUnknownProvider)
	}
	if For("nobody") || !For("github") {
		t.Error("For does not tell providers apart")
	}
}

// The default transport trusts the system's roots only.
func TestUntrustedCertificate(t *testing.T) {
	server := httptest.NewTLSServer(doubles["github"].serve(t, "github"))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer server.Close()
	v, err := New(Config{Endpoints: map[string]string{"github": server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	status, detail, err := v.Check(t.Context(), candidate("github", valueOf("github")))
	if status != Unknown || err != nil || !strings.Contains(detail, "certificate") {
		t.Errorf("got %v %q %v", status, detail, err)
	}
	v, err = New(Config{Endpoints: map[string]string{"github": server.URL}, HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if status, detail, err := v.Check(t.Context(), candidate("github", valueOf("github"))); status != Live || err != nil {
		t.Errorf("with its own root: got %v %q %v", status, detail, err)
	}
}

func TestCancel(t *testing.T) {
	started := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
	}))
	defer server.Close()
	v, err := New(Config{Endpoints: map[string]string{"telegram": server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	status, _, err := v.Check(ctx, candidate("telegram", valueOf("telegram")))
	if status != Unknown || !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "Qm4Z") {
		t.Errorf("got %v %v", status, err)
	}
}

// roundTrip is a transport without network, for tests in virtual time.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		limited := false
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			at = append(at, time.Since(begin))
			w := httptest.NewRecorder()
			if limited {
				reply{429, "", map[string]string{"Retry-After": "60"}}.send(w)
			} else {
				doubles["npm"].live.send(w)
			}
			return w.Result(), nil
		})
		v, err := New(Config{HTTP: &http.Client{Transport: transport}, RatePerSecond: 4})
		if err != nil {
			t.Fatal(err)
		}
		check := func() (Status, string) {
			status, detail, err := v.Check(t.Context(), candidate("npm", valueOf("npm")))
			if err != nil {
				t.Error(err)
			}
			return status, detail
		}
		for range 3 {
			check()
		}
		if want := []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond}; !slices.Equal(at, want) {
			t.Errorf("requests at %v, want %v", at, want)
		}
		limited = true
		check()
		limited, at = false, nil
		time.Sleep(30 * time.Second)
		if status, detail := check(); status != Unknown || detail != rateLimited || len(at) != 0 {
			t.Errorf("during the pause: %v %q, %d requests", status, detail, len(at))
		}
		time.Sleep(31 * time.Second)
		if status, _ := check(); status != Live {
			t.Errorf("after the pause: %v", status)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		check() // takes the turn
		if _, _, err := v.Check(ctx, candidate("npm", valueOf("npm"))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting past the deadline: %v", err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": defaultPause, "7": 7 * time.Second, "0": 0, "-1": defaultPause, "999999999": maxPause, "soon": defaultPause,
		now.Add(20 * time.Second).Format(http.TimeFormat): 20 * time.Second, now.Add(-time.Hour).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("Retry-After %q: %v, want %v", value, got, want)
		}
	}
}

// No answer may make a judge panic, and what it says stays fit for a log.
func FuzzJudges(f *testing.F) {
	for _, d := range doubles {
		f.Add(d.live.code, []byte(d.live.body), "application/json")
		f.Add(d.dead.code, []byte(d.dead.body), "text/xml")
	}
	f.Fuzz(func(t *testing.T, code int, body []byte, media string) {
		for _, p := range providers {
			a := answer{code: code, body: body, header: http.Header{"Content-Type": {media}, "X-Oauth-Scopes": {media}}}
			a.object = objectOf(body)
			status, detail := a.classify(p.judge)
			if status == Live && (code < 200 || code >= 404) {
				t.Errorf("%s: live on HTTP %d", p.name, code)
			}
			if len(detail) > 200 || strings.ContainsAny(detail, "\n\r\x1b\x00") {
				t.Errorf("%s: detail %q", p.name, detail)
			}
		}
	})
}
