package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/finding"
	"bulwark/internal/identity"
	"bulwark/internal/strictyaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

func testKey() identity.Key {
	var k identity.Key
	for i := range k {
		k[i] = byte(i*11 + 1)
	}
	return k
}

func TestParseEverything(t *testing.T) {
	got, err := Parse(FileName, []byte(`
version: 1
identity_key: `+testKey().Text()+`
asset: {owner: payments, criticality: critical, exposure: internet, data_class: cardholder data}
scan:
  exclude: ["vendor/", '*.min.js', '!keep.js']
  max_file_size: 1.5 GiB
  workers: 3
  archives: 2
secret:
  rules: [.gitleaks.toml, ./more/rules.toml]
  replace: true
  disable: [jwt, generic-api-key]
  severity: {slack-bot-token: critical}
dependency:
  enabled: false
  max_age_days: 30
  vex: [vex.json]
  licenses: {allow: [MIT, permissive], deny: [GPL-3.0-only], unknown: deny, except: ["@acme/x"]}
  development: judge
  unreachable: judge
  overdue: block
triage: {waivers: w.yaml, baseline: b.json, max_waiver_days: 90, inline: require-owner}
policy:
  block: {severity: medium, confidence: certain}
  rules: {jwt: warn, aws-access-token: block, generic-password: off}
  files: [policy]
  bundle: b.tar.gz
  bundle_key: key.pem
  replace: true
cache: {max_size: 1000}
verify: {providers: [github, aws], rate: 0.5}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Version:     1,
		IdentityKey: testKey(),
		Asset:       Asset{Owner: "payments", Criticality: "critical", Exposure: "internet", DataClass: "cardholder data"},
		Scan:        Scan{Exclude: []string{"vendor/", "*.min.js", "!keep.js"}, MaxFileSize: 3 << 29, Workers: 3, Archives: 2},
		Secret: Secret{
			Rules: []string{".gitleaks.toml", "more/rules.toml"}, Replace: true,
			Disable:  []string{"jwt", "generic-api-key"},
			Severity: map[string]finding.Severity{"slack-bot-token": finding.Critical},
		},
		Dependency: Dependency{MaxAgeDays: 30, VEX: []string{"vex.json"},
			Licenses:    Licenses{Allow: []string{"MIT", "permissive"}, Deny: []string{"GPL-3.0-only"}, Unknown: "deny", Except: []string{"@acme/x"}},
			Development: "judge", Unreachable: "judge", Overdue: "block"},
		Triage: Triage{Waivers: "w.yaml", Baseline: "b.json", MaxWaiverDays: 90, Inline: InlineRequireOwner},
		Policy: Policy{
			Block:   Threshold{finding.Medium, finding.Certain},
			Partial: "unknown", NotRun: "unknown",
			Rules: map[string]Action{"jwt": Warn, "aws-access-token": Block, "generic-password": Off},
			Files: []string{"policy"}, Bundle: "b.tar.gz", BundleKey: "key.pem", Replace: true,
		},
		Cache:  Cache{MaxSize: 1000},
		Verify: Verify{Providers: []string{"github", "aws"}, Rate: 0.5},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Parse (-want +got):\n%s", d)
	}
}

func TestParseDefaults(t *testing.T) {
	for _, text := range []string{"version: 1\n", "version: 1\nscan:\n  # nothing\ntriage:\n", "\ufeffversion: 1\r\n"} {
		got, err := Parse(FileName, []byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if d := cmp.Diff(Default(), got); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
	}
}

func TestParseFaults(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", `c.yaml: the key "version" is missing`},
		{"only comments", "# nothing\n", `c.yaml: the key "version" is missing`},
		{"other version", "version: 2", `c.yaml:1:10: "2" is out of range: want 1 to 1`},
		{"unknown key", "version: 1\nscam: {}", `c.yaml:2:1: unknown key "scam" (did you mean "scan"?)`},
		{"unknown nested key", "version: 1\nscan:\n  max_filesize: 3", `c.yaml:3:3: unknown key "max_filesize" (did you mean "max_file_size"?)`},
		{"nothing near", "version: 1\ncache:\n  zzzzzzzz: 3", `c.yaml:3:3: unknown key "zzzzzzzz" (known keys: max_size)`},
		{"repeated key", "version: 1\ncache: {}\ncache: {}", `c.yaml:3:1: the key "cache" is already set on line 2 (remove one of the two)`},
		{"not a mapping", "version: 1\nscan: [a]", `c.yaml:2:7: want a mapping of keys to values, have a list`},
		{"root is a list", "- a", `c.yaml:1:1: want a mapping of keys to values, have a list`},
		{"wrong type", "version: 1\nscan: {workers: many}", `c.yaml:2:17: want a whole number, have the text "many"`},
		{"boolean as text", "version: 1\nsecret: {replace: 'true'}", `want true or false, have the text "true"`},
		{"number for text", "version: 1\nasset: {owner: 12}", `c.yaml:2:16: want text, have the number "12" (put it in quotes)`},
		{"empty value", "version: 1\nasset:\n  owner:\n", `c.yaml:3:9: the value is empty: want text`},
		{"enum", "version: 1\nasset: {criticality: hgih}", `unknown value "hgih": want one of low, medium, high, critical (did you mean "high"?)`},
		{"action", "version: 1\npolicy: {rules: {jwt: fail}}", `c.yaml:2:23: unknown value "fail": want one of block, warn, off`},
		{"rule id", "version: 1\npolicy: {rules: {'a b': off}}", `c.yaml:2:18: "a b" is not a rule id`},
		{"size", "version: 1\ncache: {max_size: 3 parsec}", `c.yaml:2:19: "3 parsec" is not a size`},
		{"negative size", "version: 1\ncache: {max_size: -1}", `"-1" is not a size`},
		{"absolute path", "version: 1\ntriage: {waivers: /etc/passwd}", `the path "/etc/passwd" is absolute`},
		{"path leaves", "version: 1\nsecret: {rules: [a/../../b]}", `c.yaml:2:18: the path "a/../../b" leaves the project`},
		{"drive", "version: 1\npolicy: {bundle: 'C:x'}", `is absolute`},
		{"key length", "version: 1\nidentity_key: c2hvcnQ=", `c.yaml:2:15: the identity key has 5 bytes`},
		{"listed twice", "version: 1\nsecret: {disable: [a, b, a]}", `c.yaml:2:26: "a" is listed twice`},
		{"list wanted", "version: 1\nsecret: {disable: jwt}", `want a list, have the text "jwt" (put it in brackets: [ … ])`},
		{"comment pattern", "version: 1\nscan: {exclude: ['#x']}", `is a comment and excludes nothing`},
		{"alias", "version: 1\nasset: &a {owner: x}\nscan: *a", `c.yaml:2:8: anchors and aliases are not supported`},
		{"merge", "version: 1\nasset:\n  <<: {owner: x}", `unknown key "<<"`},
		{"tag", "version: 1\nasset: {owner: !!binary aGk=}", `explicit tag "!!binary"`},
		{"two documents", "version: 1\n---\nversion: 1\n", `a second YAML document`},
		{"syntax", "version: 1\nscan: {", `c.yaml:`},
		{"tab", "version: 1\nscan:\n\tworkers: 1\n", `not valid YAML`},
		{"not UTF-8", "version: 1\nasset: {owner: \"\xff\"}", `c.yaml:2: the file is not valid UTF-8`},
		{"control character", "version: 1\nasset: {owner: \"\\x1b[31m\"}", `control character`},
		{"too large", "version: 1\n#" + strings.Repeat("x", MaxFileSize), `more than the 1048576 allowed`},
		{"rate", "version: 1\nverify: {rate: .nan}", `out of range`},
		{"too deep", "version: " + strings.Repeat("[", 80) + strings.Repeat("]", 80), `nested deeper than`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("c.yaml", []byte(tt.text))
			var faults strictyaml.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("Parse = %v, want strictyaml.Faults", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse =\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

func TestParseReportsAllFaultsInOrder(t *testing.T) {
	_, err := Parse("c.yaml", []byte("scan: {workers: x}\nbad: 1\nversion: 3\n"))
	var faults strictyaml.Faults
	if !errors.As(err, &faults) || len(faults) != 3 {
		t.Fatalf("Parse = %v, want three faults", err)
	}
	for i, line := range []int{1, 2, 3} {
		if faults[i].Line != line {
			t.Errorf("fault %d is on line %d, want %d", i, faults[i].Line, line)
		}
	}
	many := strings.Repeat("x", 1) + "0: 1\n"
	for i := range 50 {
		many += "k" + strings.Repeat("y", i+1) + ": 1\n"
	}
	_, err = Parse("c.yaml", []byte(many))
	if !errors.As(err, &faults) || len(faults) != 21 || !strings.Contains(faults[20].Message, "and 32 more") {
		t.Errorf("52 faults are not cut at 20: %v", err)
	}
}

func TestParseBomb(t *testing.T) {
	text := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'z'; c++ {
		p := string(c - 1)
		text += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+p+",", 8) + "*" + p + "]\n"
	}
	if _, err := Parse("c.yaml", []byte(text)); err == nil {
		t.Error("a document of aliases was accepted")
	}
}

func TestTemplate(t *testing.T) {
	for _, platform := range []string{"", "github", "gitlab", "jenkins", "other"} {
		text := Template(platform, testKey())
		got, err := Parse(FileName, text)
		if err != nil {
			t.Fatalf("the template does not parse: %v\n%s", err, text)
		}
		want := Default()
		want.IdentityKey = testKey()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("the template is not the default (-want +got):\n%s", d)
		}
		// The settings that it shows are at their defaults, too.
		shown := bytes.ReplaceAll(text, []byte("#:"), nil)
		got, err = Parse(FileName, shown)
		if err != nil {
			t.Fatalf("the settings shown do not parse: %v\n%s", err, shown)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("a setting shown is not the default (-want +got):\n%s", d)
		}
		if bytes.Contains(text, []byte("{{")) {
			t.Errorf("a placeholder is left in the template:\n%s", text)
		}
	}
	if got, err := Parse(FileName, Template("", identity.Key{})); err != nil || !got.IdentityKey.IsZero() {
		t.Errorf("the template without a key: %v", err)
	}
	for name, n := range allKeys(rootKeys(), "") {
		if n.keys == nil && !regexp.MustCompile(`(?m)^[^#]*(#:? ?)?[^#]*\b`+n.name+`:`).Match(Template("", testKey())) {
			t.Errorf("the template does not show %s", name)
		}
	}
}

func allKeys(keys []key, prefix string) map[string]key {
	out := map[string]key{}
	for _, k := range keys {
		out[prefix+k.name] = k
		for n, sub := range allKeys(k.keys, prefix+k.name+".") {
			out[n] = sub
		}
	}
	return out
}

func TestSchemaIsInStep(t *testing.T) {
	want, err := json.MarshalIndent(makeSchema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	const file = "schema/config-v1.schema.json"
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(want), string(Schema())); d != "" {
		t.Errorf("%s is out of step; run go test -update (-want +got):\n%s", file, d)
	}
	for name, k := range allKeys(rootKeys(), "") {
		if k.about == "" {
			t.Errorf("%s has no description", name)
		}
		if (k.keys == nil) != (k.set != nil) {
			t.Errorf("%s is neither a leaf nor a mapping", name)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"1": 1, "512MiB": 512 << 20, "1GiB": 1 << 30, "1 GiB": 1 << 30, "1.5KiB": 1536, "10MB": 1e7, "3kB": 3000, "3KB": 3000, "2TB": 2e12, "7B": 7,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
		if back, err := ParseSize(got.String()); err != nil || back != got {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", got.String(), back, err, got)
		}
	}
	for _, text := range []string{"", "B", "0", "-1", "1e9", "0x10", "1 2", "9999999999TiB", "1,5GB", "1..2GB", "inf", "1gib", "0.1B"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("version: 1\nscan: {exclude: [a], max_file_size: 1GiB}\n"))
	f.Add(Template("github", testKey()))
	f.Add([]byte("version: 1\na: &x [*x]\n"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if err != nil {
			var faults strictyaml.Faults
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Fatalf("not faults: %v", err)
			}
			return
		}
		if c.Version != 1 || c.Cache.MaxSize <= 0 || c.Scan.MaxFileSize <= 0 || c.Triage.MaxWaiverDays <= 0 {
			t.Fatalf("accepted %q as %+v", data, c)
		}
	})
}
