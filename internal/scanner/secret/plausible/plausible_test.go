package plausible

import (
	"strings"
	"testing"

	"bulwark/internal/finding"
	"bulwark/internal/scanner/secret/assign"
)

// judged judges the first assignment of text whose name holds word.
func judged(t *testing.T, text, word string, kind Kind, path string) (Judgement, bool) {
	t.Helper()
	text = strings.ReplaceAll(text, "\u00a6", "") // what keeps scanners from these lines
	i := strings.Index(strings.ToLower(text), word)
	if i < 0 {
		t.Fatalf("%q does not hold %q", text, word)
	}
	syn := assign.SyntaxOf(path)
	a, ok := assign.At([]byte(text), i, len(word), syn)
	if !ok {
		return Judgement{}, false
	}
	return Judge(Context{
		Kind: kind, Name: []byte(text[a.NameStart:a.NameEnd]), Value: []byte(text[a.ValueStart:a.ValueEnd]),
		Path: path, Class: PathClass(path), Syntax: syn, Assignment: &a, Line: []byte(text),
	}), true
}

func TestJudge(t *testing.T) {
	const (
		none      = "none"
		tentative = "tentative"
		firm      = "firm"
	)
	for _, test := range []struct {
		text, word string
		kind       Kind
		path       string
		want       string
	}{
		// Credentials.
		{`password = "kq7¦Zt!vW2mx"`, "passw", Password, "a.go", firm},
		{`password: hdg¦wgpjacs`, "passw", Password, "a.yml", tentative},
		{`api_key = "Zk8¦1vQx7mTw2LpR9b"`, "key", Key, "a.py", firm},
		{`client_secret = q8V¦n2rTzKw0mXy7LbUe4`, "secret", Secret, "a.ini", firm},
		{`auth_token: "4f9¦ac2e71b08d36e5a9f"`, "token", Token, "a.rb", firm},
		{`ENCRYPTION_KEY=6e1¦f09c4b7a25d83ef61920c7bd4a538`, "key", Key, ".env", firm},
		{`"refresh_token": "kx7¦Pqv2LmW9tZr4Y"`, "token", Token, "a.json", firm},
		{`password = "rT8¦#kz!q"`, "passw", Password, "a.cs", firm},
		{`APP_KEY=base64:2fl¦+Ktvkfl+Fuz4Qp/A75G2RTiWVA/ZoKZvp6fiiM10=`, "key", Key, ".env", firm},
		{`PRIVATE_KEY=0x6e1¦f09c4b7a25d83ef61920c7bd4a5386e0f19c4b7a25d83ef61920c7bd4a538`, "key", Key, ".env", firm},
		{`Ctrl.secret = hexsecret:9b3¦1f2c44de0871acc`, "secret", Secret, "a.ini", firm},
		// Credentials in places that explain.
		{`password = "kq7¦Zt!vW2mx"`, "passw", Password, "a_test.go", tentative},
		{`password = "kq7¦Zt!vW2mx"`, "passw", Password, "docs/a.md", tentative},
		{`// password = "kq7¦Zt!vW2mx"`, "passw", Password, "a.go", tentative},
		{`"v1/secrets": "S6u¦1pOWzb84="`, "secret", Secret, "a.go", tentative},
		// What people choose.
		{`DB_PASSWORD=Wel¦come1`, "passw", Password, ".env", tentative},
		{`monitorPassword=Ora¦cle_19c`, "passw", Password, "a.rsp", tentative},
		// Names about something else.
		{`password_hash = "kq7¦ZtvW2mx"`, "passw", Password, "a.go", none},
		{`passwordField = "kq7¦ZtvW2mx"`, "passw", Password, "a.go", none},
		{`public_key = "Zk8¦1vQx7mTw2LpR9b"`, "key", Key, "a.py", none},
		{`primaryKey = "Zk8¦1vQx7mTw2LpR9b"`, "key", Key, "a.py", none},
		{`nextToken: "kx7¦Pqv2LmW9tZr4Y"`, "token", Token, "a.js", none},
		{`tokenType = "kx7¦Pqv2LmW9tZr4Y"`, "token", Token, "a.js", none},
		{`secretName: kx7¦Pqv2LmW9tZr4Y`, "secret", Secret, "a.yaml", none},
		{`author = "kx7¦Pqv2LmW9tZr4Y"`, "auth", Any, "a.py", none},
		{`"CREDIT_CARD": "Kreditkarte"`, "cred", Any, "a.json", none},
		// Values that are something else.
		{`password = "password"`, "passw", Password, "a.go", none},
		{`password = "mysecretpassword"`, "passw", Password, "a.go", none},
		{`password = "P@ssw0rd"`, "passw", Password, "a.go", none},
		{`password = "changeme"`, "passw", Password, "a.go", none},
		{`password = "<your-password>"`, "passw", Password, "a.go", none},
		{`password = "${PASSWORD}"`, "passw", Password, "a.sh", none},
		{`password: $PASSWORD`, "passw", Password, "a.yml", none},
		{`password: {{ vault_password }}`, "passw", Password, "a.yml", none},
		{`password = "xxxxxxxxxxxx"`, "passw", Password, "a.go", none},
		{`password = "1234567890"`, "passw", Password, "a.go", none},
		{`password = "abcdefgh"`, "passw", Password, "a.go", none},
		{`password: "Passwort muss 8 Zeichen lang sein."`, "passw", Password, "a.json", none},
		{`password = "Contraseña"`, "passw", Password, "a.js", none},
		{`password = config.db.password`, "passw", Password, "a.ini", none},
		{`password = "$2b$12$eImiTXuWVxfM37uY4JANjQ"`, "passw", Password, "a.py", none},
		{`key = "content-type"`, "key", Key, "a.go", none},
		{`api_key = "application/json"`, "key", Key, "a.go", none},
		{`secret_key = "path/to/secret.key"`, "key", Key, "a.go", none},
		{`token = "https://login.host/oauth"`, "token", Token, "a.go", none},
		{`token = "someone@host.org"`, "token", Token, "a.go", none},
		{`token = "invalid_token"`, "token", Token, "a.go", none},
		{`secret: c2VjcmV0IGlzIHNlY3VyZQ==`, "secret", Secret, "a.yaml", none},
		{`secret = "my-app-secret-v2"`, "secret", Secret, "a.go", none},
		{`token = "%s-%d"`, "token", Token, "a.go", none},
		// Files where nothing is a credential.
		{`"token": "kx7¦Pqv2LmW9tZr4Y"`, "token", Token, "package-lock.json", none},
		{`"PASSWORD": "hdg¦wgpjacs"`, "passw", Password, "i18n/de.json", none},
	} {
		got := none
		j, ok := judged(t, test.text, test.word, test.kind, test.path)
		if ok && j.Plausible {
			got = j.Confidence.String()
			if len(j.Evidence) == 0 || j.Reason != "" {
				t.Errorf("%s: plausible, but evidence %q, reason %q", test.text, j.Evidence, j.Reason)
			}
		}
		if got != test.want {
			t.Errorf("%s in %s: %s, want %s (%s)", test.text, test.path, got, test.want, j.Reason)
		}
	}
}

// The user of a URL may itself be a secret: evidence must not repeat it.
func TestEvidenceHidesUsers(t *testing.T) {
	user := "kq7" + "ZtvW2mxPr4L"
	j, ok := judged(t, "url = https://"+user+":hQw7"+"zt2kVx@host/x", "://", Password, "a.ini")
	if !ok || !j.Plausible {
		t.Fatalf("not plausible: %s", j.Reason)
	}
	if strings.Contains(strings.Join(j.Evidence, " "), user) {
		t.Errorf("the evidence shows the user: %q", j.Evidence)
	}
}

func TestPlaceholder(t *testing.T) {
	for v, want := range map[string]bool{
		"":                                       true,
		"xxxxxxxxxxxxxxxx":                       true,
		"ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": true,
		"****************":                       true,
		"<token>":                                true,
		"${TOKEN}":                               true,
		"{{ token }}":                            true,
		"%(token)s":                              true,
		"#{token}":                               true,
		"AKIAIOSFODNN7EXAMPLE":                   true,
		"your_api_key":                           true,
		"put-your-key-here":                      true,
		"1234567890abcdef1234567890abcdef":       true,
		"abcdefghijklmnopqrstuvwxyz":             true,
		"0000000000000000":                       true,
		"abababababababab":                       true,
		"deadbeefdeadbeefdeadbeef":               true,
		"sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc":  false,
		"6e1f09c4b7a25d83ef61920c7bd4a538":       false,
		"kq7Zt!vW2mx":                            false,
		"hdgwgpjacs":                             false,
	} {
		if reason, got := Placeholder(v); got != want {
			t.Errorf("Placeholder(%q) = %q, %v; want %v", v, reason, got, want)
		}
	}
}

func TestPathClass(t *testing.T) {
	for path, want := range map[string]Class{
		"cmd/main.go": Production, "a/b_test.go": Test, "src/test/java/A.java": Test, "spec/a_spec.rb": Test, "a.test.ts": Test, "src/FooTest.java": Test,
		"examples/a.go": Example, ".env.example": Example, "config.sample.yml": Example, "docs/a.txt": Documentation, "README.md": Documentation,
		"vendor/x/y.go": Vendored, "node_modules/a/test/b.js": Vendored, "go.sum": LockFile, "a/yarn.lock": LockFile, "locales/de.json": Localisation, "a/de.po": Localisation,
		"dist/app.min.js": Minified, "api/a.pb.go": Generated, "contest/a.go": Production, "latest/a.go": Production, "": Production, "testdata/a.pem": Test,
	} {
		if got := PathClass(path); got != want {
			t.Errorf("PathClass(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestSurprise(t *testing.T) {
	per := func(v string) float64 { return float64(surprise([]byte(v)).bits) / 4 / float64(len(v)) }
	for _, v := range []string{"password", "configuration", "getUserName", "application/json", "us-east-1", "HTTPServer2", "mysecretpassword", "sha256"} {
		if per(v) > 4.3 {
			t.Errorf("%q: %.2f bits a character, want few", v, per(v))
		}
	}
	for _, v := range []string{"hdgwgpjacs", "kq7ZtvW2mx", "6e1f09c4b7a25d83ef61", "iTVswbpujDeN", "QSFUG3OOUHMQVGC4", "brcsn"} {
		if per(v) < 4.3 {
			t.Errorf("%q: %.2f bits a character, want many", v, per(v))
		}
	}
}

func TestDictionary(t *testing.T) {
	for _, w := range []string{"password", "secret", "administrator", "abs", "zookeeper", "able"} {
		if !isKnown([]byte(w)) {
			t.Errorf("%q is unknown", w)
		}
	}
	for _, w := range []string{"", "a", "zz", "passwor", "passwordd", "qzx", "zzzzzzzz", strings.Repeat("a", 100)} {
		if isKnown([]byte(w)) {
			t.Errorf("%q is known", w)
		}
	}
}

func TestKinds(t *testing.T) {
	for k := Any; k <= Nonce; k++ {
		if got, ok := ParseKind(k.String()); !ok || got != k {
			t.Errorf("ParseKind(%q) = %v, %v", k.String(), got, ok)
		}
	}
	if _, ok := ParseKind("nonsense"); ok {
		t.Error("nonsense is a kind")
	}
}

func TestRejectsAllocateNothing(t *testing.T) {
	for _, c := range rejects {
		if n := testing.AllocsPerRun(100, func() { Judge(c) }); n != 0 {
			t.Errorf("%s = %s: %v allocations", c.Name, c.Value, n)
		}
	}
}

// rejects are values as ordinary code has them.
var rejects = []Context{
	{Kind: Password, Name: []byte("passwordField"), Value: []byte("input-password"), Syntax: assign.Code},
	{Kind: Password, Name: []byte("password"), Value: []byte("Enter your password"), Syntax: assign.Code},
	{Kind: Key, Name: []byte("key"), Value: []byte("content-type"), Syntax: assign.Code},
	{Kind: Token, Name: []byte("token"), Value: []byte("${AUTH_TOKEN}"), Syntax: assign.YAML},
	{Kind: Secret, Name: []byte("secret"), Value: []byte("my-application-secret"), Syntax: assign.YAML},
}

func FuzzJudge(f *testing.F) {
	f.Add("password", "kq7"+"ZtvW2mx", uint8(1), uint8(1))
	f.Add("apiKey", "Zm9vOmJhcg==", uint8(3), uint8(0))
	f.Add("x/secrets", "$2b$", uint8(4), uint8(3))
	f.Fuzz(func(t *testing.T, name, value string, kind, syn uint8) {
		c := Context{Kind: Kind(kind % 6), Name: []byte(name), Value: []byte(value), Syntax: assign.Syntax(syn % 9), Line: []byte(value)}
		c.Assignment = &assign.Assignment{Op: assign.Op(syn % 11), Quote: kind}
		j := Judge(c)
		if j.Plausible == (j.Reason != "") {
			t.Fatalf("plausible %v with reason %q", j.Plausible, j.Reason)
		}
		if j.Plausible && j.Confidence > finding.Firm {
			t.Fatalf("confidence %v is more than a guess can have", j.Confidence)
		}
		c.Assignment = nil
		Judge(c)
		Placeholder(value)
		PathClass(name)
	})
}

func BenchmarkJudge(b *testing.B) {
	for _, c := range append(rejects, Context{Kind: Password, Name: []byte("db_password"), Value: []byte("kq7Zt!vW2mx"), Syntax: assign.Code}) {
		b.Run(string(c.Value), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Judge(c)
			}
		})
	}
}
