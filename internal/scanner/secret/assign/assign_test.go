package assign

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// found is an assignment as text.
type found struct {
	Name, Value string
	Op          Op
}

// at looks from the first occurrence of word.
func at(text, word string, syn Syntax) (found, Assignment, bool) {
	i := strings.Index(strings.ToLower(text), word)
	a, ok := At([]byte(text), i, len(word), syn)
	if !ok {
		return found{}, a, false
	}
	return found{text[a.NameStart:a.NameEnd], text[a.ValueStart:a.ValueEnd], a.Op}, a, true
}

func TestAt(t *testing.T) {
	for _, test := range []struct {
		text string
		word string
		syn  Syntax
		want found
	}{
		// Operators.
		{`db_password = "v1"`, "passw", Code, found{"db_password", "v1", Equals}},
		{`password := "v1"`, "passw", Code, found{"password", "v1", Equals}},
		{"password := `v1`", "passw", Code, found{"password", "v1", Equals}},
		{`password: "v1",`, "passw", Code, found{"password", "v1", Colon}},
		{`"password": "v1"`, "passw", JSON, found{"password", "v1", Colon}},
		{`"password"  :  "v1"`, "passw", JSON, found{"password", "v1", Colon}},
		{"\"password\":\n  \"v1\"", "passw", JSON, found{"password", "v1", Colon}},
		{`'password' => 'v1',`, "passw", Code, found{"password", "v1", Arrow}},
		{`:password => "v1"`, "passw", Code, found{"password", "v1", Arrow}},
		{`PASSWORD=v1`, "passw", Config, found{"PASSWORD", "v1", Equals}},
		{`PASSWORD ?= v1`, "passw", Config, found{"PASSWORD", "v1", Equals}},
		{`password ||= "v1"`, "passw", Code, found{"password", "v1", Equals}},
		{`password <- "v1"`, "passw", Code, found{"password", "v1", Equals}},
		{`if password == "v1" {`, "passw", Code, found{"password", "v1", Compare}},
		{`if (password !== 'v1')`, "passw", Code, found{"password", "v1", Compare}},
		{`password.equals("v1")`, "passw", Code, found{"password", "v1", Compare}},
		// Names.
		{`spring.datasource.password=v1`, "passw", Config, found{"spring.datasource.password", "v1", Equals}},
		{`X-Api-Key: v1`, "api-key", Prose, found{"X-Api-Key", "v1", Colon}},
		{`config["password"] = "v1"`, "passw", Code, found{"password", "v1", Equals}},
		{`ENV['SECRET'] = 'v1'`, "secret", Code, found{"SECRET", "v1", Equals}},
		{`self.password = "v1"`, "passw", Code, found{"self.password", "v1", Equals}},
		{`$this->password = 'v1';`, "passw", Code, found{"password", "v1", Equals}},
		{`$password = 'v1';`, "passw", Code, found{"$password", "v1", Equals}},
		// Declarations.
		{`const token: string = "v1"`, "token", Code, found{"token", "v1", Equals}},
		{`const TOKEN: &'static str = "v1";`, "token", Code, found{"TOKEN", "v1", Equals}},
		{`private token?: string = 'v1'`, "token", Code, found{"token", "v1", Equals}},
		{`token: Optional[str] = "v1"`, "token", Code, found{"token", "v1", Equals}},
		{`const token string = "v1"`, "token", Code, found{"token", "v1", Equals}},
		{`String token = "v1";`, "token", Code, found{"token", "v1", Equals}},
		{`#define TOKEN "v1"`, "token", Code, found{"TOKEN", "v1", Equals}},
		{`def f(token="v1"):`, "token", Code, found{"token", "v1", Equals}},
		{`token = @"v1";`, "token", Code, found{"token", "v1", Equals}},
		{`token = b"v1"`, "token", Code, found{"token", "v1", Equals}},
		{`token = """v1"""`, "token", Code, found{"token", "v1", Equals}},
		// Expressions.
		{`token := []byte("v1")`, "token", Code, found{"token", "v1", Equals}},
		{`let token = String::from("v1");`, "token", Code, found{"token", "v1", Equals}},
		{`token = new String("v1")`, "token", Code, found{"token", "v1", Equals}},
		{`token = os.getenv("TOKEN", "v1")`, "token", Code, found{"token", "v1", Equals}},
		{`token = os.environ.get('TOKEN', default='v1')`, "token", Code, found{"token", "v1", Equals}},
		{`token = process.env.TOKEN || "v1"`, "token", Code, found{"token", "v1", Equals}},
		{`token = process.env["X"] ?? 'v1'`, "token", Code, found{"token", "v1", Equals}},
		{`token = ENV["X"] || 'v1'`, "token", Code, found{"token", "v1", Equals}},
		// Functions.
		{`os.Setenv("TOKEN", "v1")`, "token", Code, found{"TOKEN", "v1", Pair}},
		{`props.put("token", "v1");`, "token", Code, found{"token", "v1", Pair}},
		{`env('TOKEN', 'v1')`, "token", Code, found{"TOKEN", "v1", Pair}},
		{`define( 'TOKEN', 'v1' );`, "token", Code, found{"TOKEN", "v1", Pair}},
		{`{"token", "v1"},`, "token", Code, found{"token", "v1", Pair}},
		{`user.setPassword("v1");`, "passw", Code, found{"user.setPassword", "v1", Call}},
		{`.password("v1")`, "passw", Code, found{"password", "v1", Call}},
		{`.withToken( 'v1' )`, "token", Code, found{"withToken", "v1", Call}},
		{`password.sendKeys("v1")`, "passw", Code, found{"password", "v1", Equals}},
		// Objects of a name and a value.
		{`{"name": "TOKEN", "value": "v1"}`, "token", JSON, found{"TOKEN", "v1", Pair}},
		{"- name: TOKEN\n  value: v1\n", "token", YAML, found{"TOKEN", "v1", Pair}},
		{"- name: \"TOKEN\"\n  value: \"v1\"\n", "token", YAML, found{"TOKEN", "v1", Pair}},
		{`<add key="token" value="v1"/>`, "token", Markup, found{"token", "v1", Pair}},
		// Markup.
		{`<password>v1</password>`, "passw", Markup, found{"password", "v1", Element}},
		{"<password>\n  v1\n</password>", "passw", Markup, found{"password", "v1", Element}},
		{`<string name="token">v1</string>`, "token", Markup, found{"token", "v1", Element}},
		{"<key>token</key>\n<string>v1</string>", "token", Markup, found{"token", "v1", Element}},
		{"<name>db.password</name>\n<value>v1</value>", "passw", Markup, found{"db.password", "v1", Element}},
		{`<server password="v1" />`, "passw", Markup, found{"password", "v1", Equals}},
		// Shell.
		{`export TOKEN=v1; run`, "token", Shell, found{"TOKEN", "v1", Equals}},
		{`run --token v1 --x`, "token", Shell, found{"token", "v1", Flag}},
		{`run --token=v1 --x`, "token", Shell, found{"token", "v1", Flag}},
		{`run --token "v1" x`, "token", Shell, found{"token", "v1", Flag}},
		{"FROM x\nENV TOKEN v1\n", "token", Shell, found{"TOKEN", "v1", Equals}},
		{"Authorization:\n  - Bearer v1\n", "authorization", YAML, found{"Authorization", "v1", Colon}},
		{`ENV TOKEN=v1`, "token", Shell, found{"TOKEN", "v1", Equals}},
		// YAML.
		{"password: v1 # why", "passw", YAML, found{"password", "v1", Colon}},
		{"password: 'v1'", "passw", YAML, found{"password", "v1", Colon}},
		{"{ user: u, password: v1 }", "passw", YAML, found{"password", "v1", Colon}},
		{"token: |\n  v1\n", "token", YAML, found{"token", "v1", Colon}},
		{"  - TOKEN=v1", "token", YAML, found{"TOKEN", "v1", Equals}},
		{"  - \"TOKEN=v1\"", "token", YAML, found{"TOKEN", "v1", Equals}},
		// Text in text.
		{`"{\"token\":\"v1\"}"`, "token", Code, found{"token", "v1", Colon}},
		{`"https://h/p?token=v1&x=1"`, "token", Code, found{"token", "v1", Query}},
		{`"Server=h;Password=v1;Timeout=3"`, "passw", Code, found{"Password", "v1", Equals}},
		{`"host=h user=u password=v1"`, "passw", Code, found{"password", "v1", Equals}},
		{`-H "Authorization: Bearer v1"`, "authorization", Shell, found{"Authorization", "v1", Colon}},
		{`'Authorization': 'Bearer v1'`, "authorization", Code, found{"Authorization", "v1", Colon}},
		{"machine h login u password v1\n", "password", Config, found{"password", "v1", Equals}},
		{"requirepass v1\n", "requirepass", Config, found{"requirepass", "v1", Equals}},
		// URLs.
		{`url: postgres://app:v1@db:5432/x`, "://", YAML, found{"postgres://app", "v1", UserInfo}},
		{`"redis://:v1@cache/0"`, "://", Code, found{"redis://", "v1", UserInfo}},
		{`"https:\/\/u:v1@host\/"`, `:\/\/`, JSON, found{`https:\/\/u`, "v1", UserInfo}},
		{`http://localhost:8080/@scope`, "://", Prose, found{}},
		{`https://${user}:${pass}@host`, "://", Code, found{}},
		{`://u:v1@host`, "://", Code, found{}},
		// SQL.
		{`CREATE USER u IDENTIFIED BY 'v1';`, "identified", SQL, found{"IDENTIFIED", "v1", Phrase}},
		{`ALTER ROLE r WITH PASSWORD 'v1';`, "passw", SQL, found{"PASSWORD", "v1", Phrase}},
		{`IDENTIFIED WITH p BY 'v1'`, "identified", SQL, found{"IDENTIFIED", "v1", Phrase}},
		{`alter user sys identified by v1 container=all;`, "identified", Prose, found{"identified", "v1", Phrase}},
		{`SET PASSWORD = 'v1'`, "passw", SQL, found{"PASSWORD", "v1", Equals}},
		// Nothing.
		{`password = get_password()`, "passw", Code, found{}},
		{`password = prompt("Password")`, "passw", Code, found{}},
		{`password = other`, "passw", Code, found{}},
		{`token = os.getenv("TOKEN")`, "token", Code, found{}},
		{`["password", "token", "x"]`, "passw", Code, found{}},
		{`check("password", "x")`, "passw", Code, found{}},
		{`// the password is secret`, "passw", Code, found{}},
		{`password`, "passw", Code, found{}},
		{`password =`, "passw", Config, found{}},
		{`password: {`, "passw", YAML, found{}},
		{`password: *anchor`, "passw", YAML, found{}},
		{`"password": true`, "passw", JSON, found{}},
		{`if password =~ /x/`, "passw", Code, found{}},
		{`Password::new("x")`, "passw", Code, found{}},
		{`password = "unclosed`, "passw", Code, found{}},
		{`hash(password, "x")`, "passw", Code, found{}},
	} {
		got, _, _ := at(test.text, test.word, test.syn)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (%v): (-want +got)\n%s", test.text, test.syn, diff)
		}
	}
}

func TestAtDetails(t *testing.T) {
	_, a, ok := at(`token = os.getenv("X", "v1")`, "token", Code)
	if !ok || !a.Default || a.Quote != '"' {
		t.Errorf("fallback: %+v", a)
	}
	_, a, ok = at(`token = []byte("v1")`, "token", Code)
	if !ok || !a.Wrapped || a.After != ')' {
		t.Errorf("conversion: %+v", a)
	}
	_, a, ok = at(`"v1/token": "x9"`, "token", Code)
	if !ok || !a.Slash {
		t.Errorf("end of a path: %+v", a)
	}
	_, a, ok = at(`auth: Bearer v1`, "auth", YAML)
	if !ok || a.Scheme != len("Bearer ") {
		t.Errorf("scheme: %+v", a)
	}
}

func TestAtOutOfRange(t *testing.T) {
	text := []byte("password=v")
	for _, c := range [][2]int{{-1, 3}, {0, 0}, {0, -1}, {8, 3}, {100, 1}, {0, 100}} {
		if a, ok := At(text, c[0], c[1], Config); ok {
			t.Errorf("At(%v) = %+v", c, a)
		}
	}
}

func TestAtBounded(t *testing.T) {
	for _, fill := range []string{"a", " ", "(", "\"", "\\", "\n", "|", "{", "x=", "?:"} {
		long := bytes.Repeat([]byte(fill), 1<<16)
		text := append(append(append([]byte{}, long...), "password = "...), long...)
		i := bytes.Index(text, []byte("password"))
		for syn := Unknown; syn <= SQL; syn++ {
			At(text, i, 8, syn)
		}
	}
}

func TestSyntaxOf(t *testing.T) {
	for path, want := range map[string]Syntax{
		"a/b.go": Code, "x.PY": Code, ".env": Config, "a/.env.production": Config, "app.properties": Config, "v.yaml": YAML, "p.json": JSON,
		"web.config": Config, "x.xml": Markup, "run.sh": Shell, "Dockerfile": Shell, "a/Dockerfile.dev": Shell, "README.md": Prose, "README": Prose, "m.sql": SQL,
		"settings.py.example": Code, "config.yml.dist": YAML, "noext": Unknown, "": Unknown, "a.b.c": Code, strings.Repeat("x", 300) + ".go": Code, "terraform.tfvars": Config,
	} {
		if got := SyntaxOf(path); got != want {
			t.Errorf("SyntaxOf(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestAtAllocatesNothing(t *testing.T) {
	text := []byte(`token = os.environ.get('TOKEN', default='v1')` + "\n")
	if n := testing.AllocsPerRun(100, func() { At(text, 0, 5, Code) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzAt(f *testing.F) {
	f.Add([]byte(`"password": "v"`), 1, 8, uint8(1))
	f.Add([]byte("- name: TOKEN\n  value: v"), 8, 5, uint8(3))
	f.Add([]byte(`{\"key\":\"v\"}`), 3, 3, uint8(4))
	f.Add([]byte("token = a ? b : \"c\" || d(\"e\", \"f\")"), 0, 5, uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, hit, n int, syn uint8) {
		a, ok := At(text, hit, n, Syntax(syn%9))
		if !ok {
			return
		}
		if a.NameStart > hit || a.NameEnd < hit+1 || a.NameStart >= a.NameEnd {
			t.Fatalf("the name [%d,%d) does not hold the hit at %d", a.NameStart, a.NameEnd, hit)
		}
		if a.ValueStart < 0 || a.ValueStart >= a.ValueEnd || a.ValueEnd > len(text) {
			t.Fatalf("value [%d,%d) of %d bytes", a.ValueStart, a.ValueEnd, len(text))
		}
		if a.ValueStart < a.NameEnd && a.ValueEnd > a.NameStart {
			t.Fatalf("name [%d,%d) and value [%d,%d) overlap", a.NameStart, a.NameEnd, a.ValueStart, a.ValueEnd)
		}
		if a.ValueEnd-a.NameStart > 4096 {
			t.Fatalf("looked %d bytes far", a.ValueEnd-a.NameStart)
		}
	})
}

func BenchmarkAt(b *testing.B) {
	for _, bench := range []struct{ name, text, word string }{
		{"reject/call", "	if err := validatePasswordReset(ctx, user); err != nil {\n		return err\n	}\n", "passw"},
		{"reject/comment", "// The password is never kept in memory for longer than it is needed.\n", "passw"},
		{"reject/expression", "	cfg.Password = readSecret(ctx, path)\n", "passw"},
		{"accept", "	cfg.Password = \"v1v1v1v1v1\"\n", "passw"},
	} {
		text := []byte(bench.text)
		i := bytes.Index(bytes.ToLower(text), []byte(bench.word))
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				At(text, i, len(bench.word), Code)
			}
		})
	}
}
