package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// manyRun has n blocked findings, each with a remedy of some length.
func manyRun(n int) *outcome.Run {
	run := cleanRun()
	run.Verdict = outcome.Block
	run.Rules = []finding.Rule{{ID: "r", Title: "R", Remedy: strings.Repeat("do it ", 50)}}
	for i := range n {
		f := finding.Finding{RuleID: "r", Fingerprint: fmt.Sprint("secret/1:", i), Scanner: "secret", Message: "a secret",
			Severity: finding.Severity(i % 5), Status: finding.New, Locations: []finding.Location{{Path: fmt.Sprint("dir/file", i), StartLine: 1, Excerpt: "x = …"}}}
		run.Findings = append(run.Findings, f)
		run.Decisions = append(run.Decisions, outcome.Decision{RuleID: "r", Fingerprint: f.Fingerprint, Verdict: outcome.Block})
	}
	return run
}

func TestMarkdownLimit(t *testing.T) {
	for _, n := range []int{1, 70, 90, 500, 5000} {
		got := render(t, Markdown, manyRun(n), Options{})
		if len(got) > maxMarkdown {
			t.Errorf("%d findings: %d bytes", n, len(got))
		}
		if cut := strings.Contains(got, "Left out to fit into a comment: "); cut != (n > 100) {
			t.Errorf("%d findings, %d bytes: says that something was cut: %t", n, len(got), cut)
		}
		if strings.Count(got, "<details>") != strings.Count(got, "</details>") {
			t.Errorf("%d findings: a fold is not closed", n)
		}
		if first := strings.Index(got, "| critical |"); n > 5 && (first < 0 || strings.Contains(got[:max(first, 0)], "| high |")) {
			t.Errorf("%d findings: the gravest are not first", n)
		}
	}
}

func TestMarkdownText(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, 1.4 s": "plain text, 1.4 s",
		"@admin":            "@&#8288;admin",
		"a@b.example":       "a@&#8288;b.example",
		"see #12 and GH-3":  "see #&#8288;12 and GH-&#8288;3",
		"high-firm":         "high-firm",
		"https://x.example": "https:&#8288;//x.example",
		"www.x.example":     "www.&#8288;x.example",
		":smile:":           ":&#8288;smile:",
		"<b>|`*_[x](y)":     "&#60;b&#62;&#124;&#96;&#42;&#95;&#91;x&#93;(y)",
		"# heading":         "&#35; heading",
		"- item":            "&#45; item",
		"a\nb":              `a&#92;nb`,
		"$x$":               "&#36;&#8288;x&#36;",
		"":                  "",
	} {
		if got := markdownText(in); got != want {
			t.Errorf("markdownText(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMarkdownCode(t *testing.T) {
	for in, want := range map[string]string{
		"a b": "`a b`", "a`b|c": "`a\\x60b\\x7cc`", "": "`(empty)`", " ": "`(empty)`", "\n": "`\\n`",
	} {
		if got := markdownCode(in); got != want {
			t.Errorf("markdownCode(%q) = %q, want %q", in, got, want)
		}
	}
	if got := fence("a ```` b"); got != "`````\na ```` b\n`````\n" {
		t.Errorf("fence: %q", got)
	}
}

func TestJUnitIsXML(t *testing.T) {
	for name, run := range fixtures() {
		d := xml.NewDecoder(strings.NewReader(render(t, JUnit, run, Options{})))
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
		var got junitSuites
		if err := xml.Unmarshal([]byte(render(t, JUnit, run, Options{})), &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tests, failures := 0, 0
		for _, s := range got.Suites {
			tests += len(s.Cases)
			for _, c := range s.Cases {
				if c.Failure != nil {
					failures++
				}
			}
		}
		want := map[string]int{"clean": 0, "blocked": 2, "hostile": 2, "packages": 1}[name]
		if tests != got.Tests || failures != got.Failures || failures != want {
			t.Errorf("%s: %d tests, %d failures, want %d failures; the counts say %d and %d", name, tests, failures, want, got.Tests, got.Failures)
		}
	}
	if got := render(t, JUnit, cleanRun(), Options{}); !strings.Contains(got, `tests="1" failures="0"`) {
		t.Errorf("a clean scanner has no passing test:\n%s", got)
	}
}

func TestHTMLPolicy(t *testing.T) {
	for name, run := range fixtures() {
		got := render(t, HTML, run, Options{})
		style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(got, -1)
		if len(style) != 1 {
			t.Fatalf("%s: %d style elements", name, len(style))
		}
		sum := sha256.Sum256([]byte(style[0][1]))
		csp := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(got)
		if csp == nil {
			t.Fatalf("%s: no policy", name)
		}
		policy := strings.NewReplacer("&#39;", "'", "&#43;", "+", "&#34;", `"`).Replace(csp[1])
		if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("%s: policy %q lacks %q", name, policy, want)
		}
		if !strings.HasPrefix(policy, "default-src 'none';") {
			t.Errorf("%s: policy %q", name, policy)
		}
		for _, bad := range []string{"<script", "<img", "<link", "<iframe", " style=", " src=x", "javascript:", "url("} {
			// In text < is escaped, so that a tag can only be ours.
			if bad[0] == '<' && strings.Contains(got, bad) || bad == "javascript:" && strings.Contains(got, `href="`+bad) {
				t.Errorf("%s: holds %s", name, bad)
			}
		}
		if tags := regexp.MustCompile(`<[a-z][^>]*\s(on[a-z]+|src|style)=`).FindString(got); tags != "" {
			t.Errorf("%s: a tag with an attribute that loads or runs something: %s", name, tags)
		}
	}
	if got := render(t, HTML, manyRun(htmlFindings+5), Options{}); !strings.Contains(got, "5 findings more not shown") {
		t.Error("a cut page does not say so")
	}
}

// gitlabSchema describes what GitLab's secret-detection-report-format.json asks
// of the fields that the report uses, after GitLab's documentation of the
// security report formats, version 15.
const gitlabSchema = `{
  "type": "object", "required": ["version", "scan", "vulnerabilities"],
  "properties": {
    "version": {"type": "string", "pattern": "^15\\.[0-9]+\\.[0-9]+$"},
    "scan": {
      "type": "object", "required": ["analyzer", "end_time", "scanner", "start_time", "status", "type"],
      "properties": {
        "start_time": {"$ref": "#/$defs/time"}, "end_time": {"$ref": "#/$defs/time"},
        "status": {"enum": ["success", "failure"]}, "type": {"const": "secret_detection"},
        "analyzer": {"$ref": "#/$defs/tool"}, "scanner": {"$ref": "#/$defs/tool"},
        "messages": {"type": "array", "items": {"type": "object", "required": ["level", "value"], "properties": {
          "level": {"enum": ["info", "warn", "fatal"]}, "value": {"$ref": "#/$defs/some"}}}}
      }
    },
    "vulnerabilities": {"type": "array", "items": {
      "type": "object", "required": ["id", "identifiers", "location"],
      "properties": {
        "id": {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"},
        "name": {"type": "string", "maxLength": 255}, "description": {"type": "string", "maxLength": 1048576},
        "severity": {"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
        "solution": {"type": "string", "maxLength": 7000},
        "identifiers": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["type", "name", "value"],
          "properties": {"type": {"$ref": "#/$defs/some"}, "name": {"$ref": "#/$defs/some"}, "value": {"$ref": "#/$defs/some"}, "url": {"$ref": "#/$defs/url"}}}},
        "links": {"type": "array", "items": {"type": "object", "required": ["url"], "properties": {"url": {"$ref": "#/$defs/url"}}}},
        "location": {"type": "object", "required": ["commit"], "properties": {
          "file": {"type": "string"}, "start_line": {"type": "number"}, "end_line": {"type": "number"},
          "commit": {"type": "object", "required": ["sha"], "properties": {"sha": {"$ref": "#/$defs/some"}}}}},
        "tracking": {"type": "object", "required": ["items"], "properties": {"type": {"const": "source"}, "items": {"type": "array", "items": {
          "type": "object", "required": ["signatures"], "properties": {"signatures": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["algorithm", "value"]}}}}}}},
        "details": {"type": "object", "additionalProperties": {"type": "object", "required": ["name", "type"], "oneOf": [
          {"required": ["value"], "properties": {"type": {"const": "text"}, "value": {"type": "string"}}},
          {"required": ["items"], "properties": {"type": {"const": "list"}, "items": {"type": "array", "items": {
            "type": "object", "required": ["type", "file_name", "line_start"], "properties": {
              "type": {"const": "file-location"}, "file_name": {"$ref": "#/$defs/some"}, "line_start": {"type": "integer"}}}}}}]}}
      }
    }}
  },
  "$defs": {
    "some": {"type": "string", "minLength": 1},
    "url": {"type": "string", "pattern": "^https?://.+"},
    "time": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$"},
    "tool": {"type": "object", "required": ["id", "name", "version", "vendor"], "properties": {
      "id": {"$ref": "#/$defs/some"}, "name": {"$ref": "#/$defs/some"}, "version": {"$ref": "#/$defs/some"},
      "vendor": {"type": "object", "required": ["name"], "properties": {"name": {"$ref": "#/$defs/some"}}}}}
  }
}`

func TestGitLab(t *testing.T) {
	validate := compile(t, gitlabSchema)
	for name, run := range fixtures() {
		if err := validate(render(t, GitLab, run, Options{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var got gitlabReport
	run := blockedRun()
	run.Findings[0].Scanner = "iac"
	if err := json.Unmarshal([]byte(render(t, GitLab, run, Options{})), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Vulnerabilities) != 3 {
		t.Errorf("%d vulnerabilities, want 3: neither the accepted one nor that of another scanner", len(got.Vulnerabilities))
	}
	if c := got.Vulnerabilities[1].Location.Commit.SHA; c != "1f7a7a472abf3dd9643fd615f6da379c4acb3e3a" {
		t.Errorf("commit %s", c)
	}
	if c := got.Vulnerabilities[0].Location.Commit.SHA; c != run.Asset.Revision {
		t.Errorf("commit %s of a finding in the work tree", c)
	}
	run.Asset.Revision, run.Scanners[0].Status = "", outcome.Failed
	got = gitlabReport{}
	if err := json.Unmarshal([]byte(render(t, GitLab, run, Options{})), &got); err != nil {
		t.Fatal(err)
	}
	if got.Scan.Status != "failure" || got.Vulnerabilities[0].Location.Commit.SHA != gitlabNoCommit {
		t.Errorf("status %s, commit %s", got.Scan.Status, got.Vulnerabilities[0].Location.Commit.SHA)
	}
}

func TestTextWidth(t *testing.T) {
	for _, w := range []int{0, 1, 40, 80, 200} {
		got := render(t, Text, manyRun(3), Options{Width: w})
		limit := max(w, minWidth)
		if w == 0 {
			limit = DefaultWidth
		}
		for line := range strings.SplitSeq(got, "\n") {
			if width(line) > limit && strings.Contains(line, "do it") {
				t.Errorf("width %d: a line of %d columns: %s", w, width(line), line)
			}
		}
	}
	if bytes.ContainsRune([]byte(render(t, Text, hostileRun(), Options{Color: false})), '\x1b') {
		t.Error("escape sequences without colour")
	}
	color := render(t, Text, hostileRun(), Options{Color: true, Verbose: true})
	if rest := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(color, ""); strings.Contains(rest, "\x1b") {
		t.Error("an escape sequence that is not a colour")
	}
}

func TestWrap(t *testing.T) {
	if got := fmt.Sprintf("%q", wrap("one two three four five six", 20)); got != `["one two three four" "five six"]` {
		t.Error(got)
	}
	if got := fmt.Sprintf("%q", wrap(strings.Repeat("x", 30)+" y", 20)); got != `["`+strings.Repeat("x", 30)+`" "y"]` {
		t.Error(got)
	}
	if got := fmt.Sprintf("%q", wrap("", 20)); got != `[""]` {
		t.Error(got)
	}
}
