package plausible

// name is what the words of a name say.
type name struct {
	reject string // why nothing assigned to it is a credential
	weak   bool   // says little: the value must speak for itself
	soft   bool   // says less than the kind promises
	verb   bool   // begins with a verb that does not set
	setter bool   // begins with a verb that sets
	words  int
	after  int // words behind the last one that names a credential
}

// role is what a word does in a name.
type role uint8

const (
	plain      role = iota
	password        // names a password
	token           // names a token
	secret          // names a secret
	key             // names a key
	nonce           // names a nonce or salt
	authority       // auth, credential: names a credential only loosely
	attribute       // behind a credential: the name is of something about it
	describing      // anywhere: the name is of something about a credential
	mapKey          // before a key: it is one of a table, or of the keyboard
	agent           // behind a credential like attribute, before it like qualifier
	negative        // before a credential: the name is of something else
	qualifier       // makes a key a secret one
	verb            // a function that does not set
	setter          // a function that sets
	harmless        // behind a credential: still the credential
)

const (
	mostWords   = 16
	longestPart = 24
)

// readName splits a name into words and weighs their roles.
func readName(nm []byte, kind Kind) name {
	var n name
	if len(nm) == 0 {
		return n
	}
	var roles [mostWords]role
	count := 0
	for i := 0; i < len(nm) && count < mostWords; {
		if !isLetter(nm[i]) {
			i++
			continue
		}
		j := i + 1
		if isUpper(nm[i]) {
			for j < len(nm) && isUpper(nm[j]) {
				j++
			}
			if j < len(nm) && isLower(nm[j]) {
				if j-i > 1 {
					// An acronym and a word, unless a plural: URLs.
					if !(nm[j] == 's' && (j+1 == len(nm) || !isLetter(nm[j+1]))) {
						j--
					} else {
						j++
					}
				} else {
					for j < len(nm) && isLower(nm[j]) {
						j++
					}
				}
			}
		} else {
			for j < len(nm) && isLower(nm[j]) {
				j++
			}
		}
		count = addRoles(&roles, count, nm[i:j])
		i = j
	}
	n.words = count
	last := -1
	for i := count - 1; i >= 0; i-- {
		if r := roles[i]; r >= password && r <= authority {
			last = i
			break
		}
	}
	if last < 0 {
		n.reject = "no word of the name names a credential"
		if count > 0 && (roles[count-1] == attribute || roles[count-1] == describing) {
			n.reject = "the name is of something about a credential"
		}
		return n
	}
	n.after = count - 1 - last
	unknown := false
	for _, r := range roles[last+1 : count] {
		switch r {
		case attribute, negative, describing, agent, mapKey:
			n.reject = "the name is of something about a credential"
			return n
		case plain:
			unknown = true
		}
	}
	qualified := false
	for i, r := range roles[:last] {
		switch r {
		case negative, describing:
			n.reject = "the name is of something else"
			return n
		case mapKey:
			if roles[last] == key {
				n.reject = "the name is of something else"
				return n
			}
		case qualifier, secret, token, password, agent, authority:
			qualified = true
		case key:
			if i == last-1 && roles[last] == key {
				qualified = true
			}
		}
	}
	n.verb, n.setter = roles[0] == verb, roles[0] == setter
	if w := nm[len(nm)-1]; (w == 's' || w == 'S') && n.after == 0 && len(nm) > 1 && nm[len(nm)-2] != 's' && nm[len(nm)-2] != 'S' {
		n.soft = n.soft || isPlural(nm)
	}
	switch roles[last] {
	case key:
		if !qualified {
			n.weak = true
		}
	case nonce:
		if kind != Nonce {
			n.reject = "the name is of a nonce or salt"
			return n
		}
	case authority:
		if kind != Any && count-n.after == 1 {
			n.weak = true
		}
		n.soft = true
	}
	if unknown {
		n.soft = true
	}
	return n
}

// isPlural reports whether a name ends in the plural of a credential.
func isPlural(nm []byte) bool {
	for _, p := range [...]string{"secrets", "tokens", "passwords", "keys"} {
		if len(nm) >= len(p) && indexFold(nm[len(nm)-len(p):], p) == 0 {
			return true
		}
	}
	return false
}

// addRoles notes the role of a word; words written together (dbpassword) are
// taken apart where their end names a credential.
func addRoles(roles *[mostWords]role, count int, w []byte) int {
	var buf [longestPart]byte
	if len(w) > len(buf) {
		roles[count] = plain
		return count + 1
	}
	low := lowered(buf[:0], w)
	r := roleOf(string(low))
	if r == plain {
		for _, s := range suffixes {
			if n := len(low) - len(s.end); n >= 2 && string(low[n:]) == s.end {
				if front := roleOf(string(low[:n])); count < mostWords-1 {
					roles[count] = front
					count++
				}
				roles[count] = s.role
				return count + 1
			}
		}
		for _, s := range suffixes {
			if n := len(s.end); len(low) > n+2 && string(low[:n]) == s.end {
				roles[count] = s.role
				count++
				if count < mostWords {
					roles[count] = roleOf(string(low[n:]))
					count++
				}
				return count
			}
		}
	}
	roles[count] = r
	return count + 1
}

var suffixes = [...]struct {
	end  string
	role role
}{
	{"password", password}, {"passwords", password}, {"passwd", password}, {"passphrase", password}, {"secret", secret}, {"token", token},
	{"apikey", key}, {"key", key}, {"pwd", password}, {"pass", password}, {"passcode", password},
}

func roleOf(w string) role {
	switch w {
	case "password", "passwd", "pwd", "pass", "passphrase", "passcode", "pw", "passwort", "kennwort", "senha", "contrasena", "passord", "lozinka", "heslo", "haslo", "sifre", "parola",
		"passwords", "pwds", "psw", "psk", "pswd", "passwrd", "paswd", "paswort", "wachtwoord", "sandi", "pasword", "identified":
		return password
	case "token", "jwt", "tokens", "pat", "cookie", "sid", "otp", "totp", "ticket", "sas":
		return token
	case "secret", "secrets":
		return secret
	case "key", "apikey", "keys", "authkey", "accesskey", "secretkey", "privatekey", "nkey":
		return key
	case "nonce", "salt", "iv", "seed", "mnemonic", "cnonce":
		return nonce
	case "auth", "authorization", "credential", "credentials", "cred", "creds", "authentication", "bearer", "verifier", "signature", "login":
		return authority
	case "hashes", "helper", "field", "fields", "input", "form", "page", "pages", "url", "urls", "uri", "uris", "link", "href", "path", "paths",
		"file", "files", "filename", "dir", "directory", "folder", "reset", "policy", "policies", "len", "type", "types", "format",
		"validation", "desc", "name", "names", "id", "ids", "attr", "attribute", "attributes", "param",
		"params", "parameter", "option", "options", "flag", "var", "count", "size", "algorithm", "algo", "alg", "encoder", "encoding", "expired", "expires", "expiry", "expiration", "age", "strength", "changed",
		"change", "manager", "handler", "callback", "command", "cmd", "mode", "header", "headers", "required", "enabled", "visible", "toggle", "button", "btn", "icon", "class", "style",
		"selector", "xpath", "locator", "element", "endpoint", "ttl", "lifetime", "timeout", "interval", "scheme", "schema", "method", "issuer", "audience", "scope", "scopes", "claim", "claims", "parser",
		"index", "code", "codes", "event", "binding", "bindings", "map", "spec", "ref", "refs", "reference", "source", "store", "ring", "chain", "pair", "usage", "version", "status",
		"state", "exists", "exist", "valid", "invalid", "missing", "mismatch", "match", "matches", "matching", "updated", "created", "generator", "factory", "builder", "host", "hostname", "port",
		"address", "domain", "group", "groups", "role", "roles", "rule", "rules", "config", "configuration", "settings", "setup", "backend", "module", "package", "namespace", "prefix", "suffix", "delimiter",
		"separator", "template", "view", "screen", "dialog", "modal", "caption", "notice", "info", "note", "notes", "text", "word", "words", "letters", "chars", "charset", "alphabet",
		"stream", "reader", "writer", "buffer", "list", "array", "table", "query", "sql", "request", "response", "result", "results", "tests", "example", "sample", "thumbprint",
		"arn", "alias", "identifier", "uuid", "guid", "slot", "serial", "location", "region", "bucket", "mount", "volume", "object", "resource", "engine", "rotation", "lambda", "recovery",
		"expire", "expiring", "duration", "date", "time", "timestamp", "at", "on", "frame", "space", "board", "stroke", "press", "down", "up", "bind", "bits", "exchange", "agreement", "derivation",
		"image", "script", "hook", "plugin", "extension", "feature", "plan", "username", "users", "owner", "entropy", "quality", "score", "meter", "history", "reuse", "sync",
		"kind", "level", "limit", "counter", "cache", "pool", "iterations", "rounds", "cost", "scorer", "stdin", "env", "protector", "resolver", "vendor", "repository", "verification", "hasher", "finder", "filter",
		"entry", "entries", "prefixes", "model", "fn", "function", "args", "arg", "docs", "doc", "comment", "layout", "widget", "policyname", "operation", "operator", "precedence", "position", "range", "pos",
		"kid", "ops", "hashing", "compare", "comparison", "equals", "check", "checker", "verify", "verified", "assertion", "based", "free", "less", "only", "protected", "protection", "grant", "flow":
		return attribute
	case "public", "pub", "forgot", "forgotten", "lost", "invalidate", "bad", "no", "is", "has", "show", "hide",
		"require", "requires", "mandatory", "enter", "missed", "enable", "disable", "allow", "disallow", "can", "should", "must", "need", "needs", "without", "want", "use", "uses", "next", "continuation", "pagination", "cursor",
		"cancel", "cancellation", "lexer", "lex", "syntax", "punctuation", "eof", "idempotency", "idempotent",
		"err", "warn", "site", "sitekey", "recaptcha", "publishable", "measurement", "tracking", "analytics", "instrumentation", "dsa", "verifying", "peer", "csp", "integrity", "etag",
		"magic", "csrf", "xsrf", "authenticity", "antiforgery", "commit", "revision", "bypass", "compass", "pointer", "encrypted", "sealed", "masked", "redacted", "obfuscated":
		return negative
	case "api", "access", "private", "priv", "encrypt", "decrypt", "decryption", "sign", "signing", "master", "consumer", "app", "application", "account", "subscription", "license", "licence",
		"root", "session", "hmac", "aes", "des", "rsa", "ec", "oauth", "oauth2", "crypto", "cipher", "cryption", "security", "deploy", "webhook", "write", "read", "admin", "ssh", "gpg", "pgp", "wep", "wifi", "wpa", "preshared", "shared", "bot", "aws", "azure",
		"s3", "gcp", "google", "github", "gitlab", "stripe", "twilio", "sendgrid", "mailgun", "slack", "datadog", "newrelic", "heroku", "tumblr", "twitter", "facebook", "dropbox", "evernote", "maps", "openai", "anthropic", "alipay", "wechat", "merchant", "pay", "payment", "channel", "developer", "ingest", "push", "vapid", "jwk", "swarm", "wallet", "mining", "x", "hawk", "activation", "linkedin", "sms", "tencent", "aliyun", "qiniu", "baidu":
		return qualifier
	case "get", "fetch", "load", "find", "lookup", "parse", "decode", "validate", "assert", "expect", "ensure", "generate", "make", "build", "compute", "derive", "encode", "print", "log", "ask", "did", "will", "handle", "process", "remove", "delete", "clear",
		"revoke", "rotate", "mask", "scan", "detect", "contains", "strip", "trim", "describe", "it", "raise", "throw":
		return verb
	case "primary", "foreign", "partition", "sort", "row", "hot", "shortcut", "translation", "i18n", "hashkey", "natural", "composite", "unique", "candidate", "surrogate", "cachekey", "arrow", "keyboard", "modifier", "registry", "metadata", "annotation", "dict", "dictionary", "json", "yaml", "objectkey", "websocket", "accept", "recv", "reblog":
		return mapKey
	case "client", "server", "service", "encryption", "storage", "user", "provider":
		return agent
	case "set", "with", "put", "add", "update", "new", "override":
		return setter
	case "error", "errors", "label", "labels", "msg", "message", "messages", "title", "help", "hint", "placeholder", "prompt", "min", "max", "minimum", "maximum", "column", "hashed", "hash", "checksum", "fingerprint", "warning", "func", "length", "regex", "regexp", "pattern", "validator", "tooltip", "description", "digest":
		return describing
	case "confirmation", "test", "value", "values", "val", "string", "str", "plain", "raw", "repeat", "repeated", "again", "confirm", "old", "current", "default", "base", "b64", "base64", "hex", "bytes", "data", "content", "encoded", "main", "temp", "tmp", "live", "prod", "dev", "staging", "one", "two", "a", "b":
		return harmless
	}
	return plain
}
