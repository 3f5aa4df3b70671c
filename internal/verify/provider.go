package verify

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// provider knows one harmless question and the answers that its documentation
// names.
type provider struct {
	name string
	base string
	// ask forms the question, or refuses in words: a kind of credential that
	// cannot be asked about without effect, or one with a part missing.
	ask func(Candidate) (question, string)
	// judge reads an answer that is neither 3xx, 429, 5xx nor a web page.
	judge func(answer) (Status, string)
}

// providers is every provider, in the order of names. Each endpoint is from the
// provider's published reference of its interface.
var providers = [...]provider{
	{"airtable", "https://api.airtable.com", bearer("/v0/meta/whoami"), usual("id")},
	{"anthropic", "https://api.anthropic.com", askAnthropic, usual("data")},
	{"aws", "https://sts." + stsRegion + ".amazonaws.com", askAWS, judgeAWS},
	{"cloudflare", "https://api.cloudflare.com", bearer("/client/v4/user/tokens/verify"), judgeCloudflare},
	{"digitalocean", "https://api.digitalocean.com", bearer("/v2/account"), usual("account")},
	{"discord", "https://discord.com", askDiscord, usual("id")},
	{"figma", "https://api.figma.com", header("/v1/me", "X-Figma-Token"), judgeFigma},
	{"github", "https://api.github.com", askGitHub, judgeGitHub},
	{"gitlab", "https://gitlab.com", askGitLab, judgeGitLab},
	{"heroku", "https://api.heroku.com", askHeroku, usual("id")},
	{"huggingface", "https://huggingface.co", bearer("/api/whoami-v2"), usual("name")},
	{"mailgun", "https://api.mailgun.net", askMailgun, judgeMailgun},
	{"notion", "https://api.notion.com", askNotion, usual("object")},
	{"npm", "https://registry" + ".npmjs.org", bearer("/-/whoami"), usual("username")},
	{"openai", "https://api.openai.com", bearer("/v1/models"), usual("data")},
	{"replicate", "https://api.replicate.com", bearer("/v1/account"), usual("username")},
	{"sendgrid", "https://api.sendgrid.com", bearer("/v3/scopes"), judgeSendGrid},
	{"slack", "https://slack.com", askSlack, judgeSlack},
	{"stripe", "https://api.stripe.com", askStripe, usual("object")},
	{"telegram", "https://api.telegram.org", askTelegram, judgeTelegram},
}

// bearer asks with the value in the Authorization header.
func bearer(path string) func(Candidate) (question, string) {
	return func(c Candidate) (question, string) {
		return question{path: path, header: http.Header{"Authorization": {"Bearer " + c.Value.Reveal()}}}, ""
	}
}

// header asks with the value in a header of its own.
func header(path, name string) func(Candidate) (question, string) {
	return func(c Candidate) (question, string) {
		return question{path: path, header: http.Header{http.CanonicalHeaderKey(name): {c.Value.Reveal()}}}, ""
	}
}

// usual reads what most providers answer: 200 with a JSON object that has the
// named member, 401 for a credential that is not accepted, 403 for one that is
// and may not read this.
func usual(member string) func(answer) (Status, string) {
	return func(a answer) (Status, string) {
		switch a.code {
		case http.StatusOK:
			if a.object[member] == nil {
				return unexpected(a)
			}
			return Live, "accepted"
		case http.StatusUnauthorized:
			return Revoked, "not accepted"
		case http.StatusForbidden:
			if a.object == nil {
				return unexpected(a)
			}
			return Live, "accepted, with restricted permissions"
		}
		return unexpected(a)
	}
}

func unexpected(a answer) (Status, string) {
	return Unknown, fmt.Sprintf("unexpected answer (HTTP %d)", a.code)
}

// --- Anthropic, Discord, Heroku, Notion, Stripe: the usual answers

func askAnthropic(c Candidate) (question, string) {
	return question{path: "/v1/models", query: "limit=1", header: http.Header{
		"X-Api-Key": {c.Value.Reveal()}, "Anthropic-Version": {"2023-06-01"},
	}}, ""
}

func askDiscord(c Candidate) (question, string) {
	return question{path: "/api/v10/users/@me", header: http.Header{"Authorization": {"Bot " + c.Value.Reveal()}}}, ""
}

func askHeroku(c Candidate) (question, string) {
	return question{path: "/account", header: http.Header{
		"Authorization": {"Bearer " + c.Value.Reveal()}, "Accept": {"application/vnd.heroku+json; version=3"},
	}}, ""
}

func askNotion(c Candidate) (question, string) {
	return question{path: "/v1/users/me", header: http.Header{
		"Authorization": {"Bearer " + c.Value.Reveal()}, "Notion-Version": {"2022-06-28"},
	}}, ""
}

func askStripe(c Candidate) (question, string) {
	if strings.HasPrefix(c.Value.Reveal(), "pk_") {
		return question{}, "a publishable key is meant to be public"
	}
	return bearer("/v1/balance")(c)
}

// --- AWS: Security Token Service, GetCallerIdentity. It needs no permission.

const stsRegion = "us-east-1"

func askAWS(c Candidate) (question, string) {
	values := []string{c.Value.Reveal()}
	for _, r := range c.Companions {
		values = append(values, r.Reveal())
	}
	slices.Sort(values[1:]) // whatever the order of the map
	var keys awsKeys
	for _, s := range values {
		switch {
		case keys.id == "" && len(s) == 20 && (strings.HasPrefix(s, "AKIA") || strings.HasPrefix(s, "ASIA")):
			keys.id = s
		case keys.secret == "" && len(s) == 40:
			keys.secret = s
		case keys.session == "" && len(s) > 100:
			keys.session = s
		}
	}
	switch {
	case keys.id == "":
		return question{}, "needs the access key id that belongs to it"
	case keys.secret == "":
		return question{}, "needs the secret access key that belongs to it"
	case strings.HasPrefix(keys.id, "ASIA") && keys.session == "":
		return question{}, "needs the session token that belongs to it"
	}
	return question{
		method: http.MethodPost, path: "/", sign: &keys, body: "Action=GetCallerIdentity&Version=2011-06-15",
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}, "Accept": {"text/xml"}},
	}, ""
}

func judgeAWS(a answer) (Status, string) {
	var doc struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
		Code    string `xml:"Error>Code"`
	}
	if err := xml.Unmarshal(a.body, &doc); err != nil {
		return unexpected(a)
	}
	switch {
	case a.code == http.StatusOK && doc.Account != "":
		return Live, "AWS account " + plainText(doc.Account)
	case doc.Code == "InvalidClientTokenId":
		return Revoked, "key id not known, or deactivated"
	case doc.Code == "ExpiredToken", doc.Code == "ExpiredTokenException":
		return Revoked, "expired"
	case doc.Code == "SignatureDoesNotMatch":
		return Unknown, "key id is known, but this is not its secret key"
	case a.code == http.StatusForbidden && (doc.Code == "AccessDenied" || doc.Code == "AccessDeniedException"):
		return Live, "accepted, with restricted permissions"
	case doc.Code == "Throttling", doc.Code == "ThrottlingException", doc.Code == "RequestLimitExceeded":
		return Unknown, rateLimited
	}
	return unexpected(a)
}

// --- Cloudflare: an endpoint made for the purpose

func judgeCloudflare(a answer) (Status, string) {
	ok, told := a.object["success"].(bool)
	switch state := a.text("result", "status"); {
	case !told:
		return unexpected(a)
	case ok && state == "active" && a.code == http.StatusOK:
		return Live, "accepted"
	case ok && a.code == http.StatusOK && (state == "disabled" || state == "expired"):
		return Revoked, state
	case a.code == http.StatusUnauthorized || a.code == http.StatusBadRequest:
		return Revoked, "not accepted"
	case a.code == http.StatusForbidden:
		return Unknown, "not accepted from here"
	}
	return unexpected(a)
}

// --- Figma: 403 is what others mean by 401

func judgeFigma(a answer) (Status, string) {
	switch {
	case a.code == http.StatusOK && a.object["id"] != nil:
		return Live, "accepted"
	case a.code == http.StatusForbidden && strings.Contains(strings.ToLower(a.text("err")+a.text("message")), "scope"):
		return Live, "accepted, with restricted permissions"
	case a.code == http.StatusForbidden && a.object != nil:
		return Revoked, "not accepted"
	}
	return unexpected(a)
}

// --- GitHub

func askGitHub(c Candidate) (question, string) {
	value := c.Value.Reveal()
	path, query := "/user", ""
	switch {
	case strings.HasPrefix(value, "ghr_"):
		return question{}, "a refresh token cannot be asked about without using it up"
	case strings.HasPrefix(value, "ghs_"):
		path, query = "/installation/repositories", "per_page=1"
	}
	return question{path: path, query: query, header: http.Header{
		"Authorization": {"Bearer " + value}, "Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {"2022-11-28"},
	}}, ""
}

func judgeGitHub(a answer) (Status, string) {
	switch {
	case a.code == http.StatusOK && (a.object["login"] != nil || a.object["repositories"] != nil):
		if scopes := plainText(a.header.Get("X-Oauth-Scopes")); scopes != "" {
			return Live, "scopes: " + scopes
		}
		return Live, "accepted"
	case a.code == http.StatusUnauthorized && a.object != nil:
		return Revoked, "not accepted"
	case a.code == http.StatusForbidden && (a.header.Get("X-Ratelimit-Remaining") == "0" || a.header.Get("Retry-After") != ""):
		return Unknown, rateLimited
	case a.code == http.StatusForbidden && strings.Contains(a.text("message"), "not accessible by"):
		return Live, "accepted, with restricted permissions"
	}
	return unexpected(a)
}

// --- GitLab

func askGitLab(c Candidate) (question, string) {
	value := c.Value.Reveal()
	for _, other := range []string{"glrt-", "glptt-", "glcbt-", "gldt-", "glft-", "glimt-", "glagent-", "glsoat-", "gloas-", "glffct-"} {
		if strings.HasPrefix(value, other) {
			return question{}, "a token of this kind cannot be asked about without effect"
		}
	}
	return header("/api/v4/personal_access_tokens/self", "Private-Token")(c)
}

func judgeGitLab(a answer) (Status, string) {
	reason := strings.ToLower(a.text("error") + " " + a.text("error_description"))
	switch {
	case a.code == http.StatusOK && a.object["active"] == true:
		return Live, "accepted"
	case a.code == http.StatusOK && a.object["active"] == false:
		return Revoked, "not active"
	case a.code == http.StatusUnauthorized && (strings.Contains(reason, "revoked") || strings.Contains(reason, "expired")):
		return Revoked, "revoked or expired"
	case a.code == http.StatusUnauthorized && a.object != nil && a.chosen:
		return Revoked, "not accepted"
	case a.code == http.StatusUnauthorized && a.object != nil:
		return Unknown, "not known to gitlab.com; it may belong to another instance"
	case a.code == http.StatusForbidden && strings.Contains(reason, "insufficient_scope"):
		return Live, "accepted, with restricted permissions"
	}
	return unexpected(a)
}

// --- Mailgun: two regions, of which the default endpoint is the American

func askMailgun(c Candidate) (question, string) {
	basic := base64.StdEncoding.EncodeToString([]byte("api:" + c.Value.Reveal()))
	return question{path: "/v3/domains", query: "limit=1", header: http.Header{"Authorization": {"Basic " + basic}}}, ""
}

func judgeMailgun(a answer) (Status, string) {
	switch {
	case a.code == http.StatusOK && a.object["items"] != nil:
		return Live, "accepted"
	case a.code == http.StatusUnauthorized && a.chosen:
		return Revoked, "not accepted"
	case a.code == http.StatusUnauthorized:
		return Unknown, "not accepted here; it may belong to the European region or be a sending key"
	}
	return unexpected(a)
}

// --- SendGrid: its European keys are unknown to the global endpoint

func judgeSendGrid(a answer) (Status, string) {
	switch {
	case a.code == http.StatusOK && a.object["scopes"] != nil:
		return Live, "accepted"
	case a.code == http.StatusUnauthorized && a.chosen:
		return Revoked, "not accepted"
	case a.code == http.StatusUnauthorized:
		return Revoked, "not accepted by the global endpoint"
	}
	return unexpected(a)
}

// --- Slack: the answer is always 200, the meaning in the body

func askSlack(c Candidate) (question, string) {
	value := c.Value.Reveal()
	for _, other := range []string{"xoxe-", "xoxr-", "xoxd-"} {
		if strings.HasPrefix(value, other) {
			return question{}, "a token of this kind cannot be asked about alone"
		}
	}
	return question{method: http.MethodPost, path: "/api/auth.test", header: http.Header{
		"Authorization": {"Bearer " + value}, "Content-Type": {"application/x-www-form-urlencoded"},
	}}, ""
}

func judgeSlack(a answer) (Status, string) {
	ok, told := a.object["ok"].(bool)
	if a.code != http.StatusOK || !told {
		return unexpected(a)
	}
	if ok {
		return Live, "accepted"
	}
	switch reason := a.text("error"); reason {
	case "invalid_auth", "token_revoked", "token_expired", "account_inactive", "user_removed_from_team", "team_disabled":
		return Revoked, reason
	case "ratelimited":
		return Unknown, rateLimited
	default:
		return Unknown, "Slack says " + reason
	}
}

// --- Telegram takes the token in the path only

func askTelegram(c Candidate) (question, string) {
	return question{path: "/bot" + url.PathEscape(c.Value.Reveal()) + "/getMe"}, ""
}

func judgeTelegram(a answer) (Status, string) {
	ok, told := a.object["ok"].(bool)
	switch {
	case told && ok && a.code == http.StatusOK:
		return Live, "accepted"
	case told && !ok && (a.code == http.StatusUnauthorized || a.code == http.StatusNotFound):
		return Revoked, "not accepted"
	}
	return unexpected(a)
}
