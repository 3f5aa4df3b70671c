package report

import (
	"fmt"
	"strings"
	"time"

	"bulwark/internal/asset"
	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

var fixtureStart = time.Date(2026, 11, 3, 9, 30, 15, 0, time.UTC)

// cleanRun is a full run over a repository without findings.
func cleanRun() *outcome.Run {
	return &outcome.Run{
		Schema: outcome.SchemaID,
		Tool:   outcome.Tool{Name: "bulwark", Version: "0.1.0"},
		Asset: asset.Asset{Kind: asset.Repository, Name: "shop", Branch: "main",
			Revision: "4b825dc642cb6eb9a060e54bf8d69288fbee4904"},
		Stage: "commit", Mode: "full",
		Settings: map[string]string{"policy": "default", "cache": "on"},
		Started:  fixtureStart, DurationMS: 1400,
		Verdict: outcome.Allow,
		Scanners: []outcome.Scanner{{
			Name: "secret", Version: "1", RuleSet: "b3c1a9", Rules: 241, Status: outcome.Complete,
			Files: 28113, Cached: 27900, Bytes: 1 << 20, Skipped: 0,
		}},
	}
}

// blockedRun has every thing that a run can have.
func blockedRun() *outcome.Run {
	r := cleanRun()
	r.Asset.Base = "9fceb02d0ae598e95dc970b74767f19372d61af8"
	r.Mode = "change"
	r.Verdict = outcome.Block
	r.Rules = []finding.Rule{{
		ID: "github-pat", Title: "GitHub personal access token", Scanner: "secret", Severity: finding.Critical,
		Rationale:  "Whoever reads the repository can act on GitHub as the owner of the token, within its scopes.",
		Remedy:     "Revoke the token at GitHub first, then issue a new one and keep it in the secret store of the pipeline. Removing the line is not enough: the history keeps it.",
		Tags:       []string{"secret", "vcs"},
		CWE:        []string{"CWE-798"},
		Controls:   []string{"nist-800-53:IA-5(7)"},
		References: []string{"https://docs.github.com/en/authentication", "javascript:alert(1)"},
	}, {
		ID: "private-key", Title: "Private key", Scanner: "secret", Severity: finding.High,
		Rationale: "A private key proves an identity.", Remedy: "Replace the key pair.", CWE: []string{"CWE-321"},
	}, {
		ID: "generic-assignment", Title: "Secret in an assignment", Scanner: "secret", Severity: finding.Medium,
	}}
	masked := "gh" + "p_…"
	line := "\tGITHUB_TOKEN = \"" + masked + "\"  # für das Team 秘密"
	at := strings.Index(line, masked)
	place := func(path string, n int) finding.Location {
		return finding.Location{Path: path, StartLine: n, StartColumn: at + 1, EndLine: n, EndColumn: at + 41,
			Excerpt: line, MarkStart: at, MarkEnd: at + len(masked)}
	}
	pat := finding.Finding{
		RuleID: "github-pat", Fingerprint: "secret/1:00112233445566778899aabbccddeeff", Scanner: "secret",
		Severity: finding.Critical, Confidence: finding.Certain, Status: finding.New,
		Message:    "GitHub personal access token, checksum valid",
		Evidence:   []string{"CRC-32 checksum matches", "variable is named GITHUB_TOKEN"},
		Masked:     masked,
		Properties: map[string]string{"verified": "live"},
		Locations:  []finding.Location{place("config/prod.env", 12)},
	}
	for i := range 14 {
		pat.Locations = append(pat.Locations, place(fmt.Sprintf("deploy/region-%02d/values.yaml", i), 100+i))
	}
	pat.Locations[3].Suppression = &finding.Suppression{Kind: "waiver", ID: "W-7", Owner: "team-shop",
		Reason: "rotated, the file goes with the next release", Until: "2027-01-31"}
	key := finding.Finding{
		RuleID: "private-key", Fingerprint: "secret/1:ffeeddccbbaa99887766554433221100", Scanner: "secret",
		Severity: finding.High, Confidence: finding.Firm, Status: finding.New, Message: "RSA private key, 2048 bits, not encrypted",
		Locations: []finding.Location{{Path: "certs/app.zip!/server.pem", StartLine: 1, StartColumn: 1, EndLine: 27, EndColumn: 30,
			Excerpt: "-----BEGIN RSA … KEY-----", MarkStart: 0, MarkEnd: 27,
			Notes: []string{"inside an archive"},
			Commit: &finding.Commit{ID: "1f7a7a472abf3dd9643fd615f6da379c4acb3e3a", Author: "Ann <ann@example.com>",
				Date: "2026-10-30T12:00:00+01:00", Subject: "Add certificates"}}},
	}
	long := strings.Repeat("a = 1; ", 14) + "password = \"…\"" + strings.Repeat("; b = 2", 15)
	p := strings.Index(long, "…")
	generic := finding.Finding{
		RuleID: "generic-assignment", Fingerprint: "secret/1:0123456789abcdef0123456789abcdef", Scanner: "secret",
		Severity: finding.Medium, Confidence: finding.Tentative, Status: finding.Existing, Message: "password in an assignment",
		Evidence: []string{"entropy 4.6"},
		Locations: []finding.Location{{Path: "web/dist/app.min.js", StartLine: 3, StartColumn: 8101, EndLine: 3, EndColumn: 8125,
			Excerpt: long, MarkStart: p, MarkEnd: p + len("…")}},
	}
	accepted := finding.Finding{
		RuleID: "generic-assignment", Fingerprint: "secret/1:fedcba9876543210fedcba9876543210", Scanner: "secret",
		Severity: finding.Low, Confidence: finding.Tentative, Status: finding.Existing, Message: "password in an assignment",
		Locations: []finding.Location{{Path: "test/fixture.py", StartLine: 8, StartColumn: 5, EndLine: 8, EndColumn: 20,
			Excerpt: "pwd = '…'", MarkStart: 7, MarkEnd: 10,
			Suppression: &finding.Suppression{Kind: "inline", Reason: "test data", Until: "2027-06-30"}}},
	}
	undecided := finding.Finding{
		RuleID: "unlisted-rule", Fingerprint: "secret/1:aaaabbbbccccddddeeeeffff00001111", Scanner: "secret",
		Severity: finding.Info, Confidence: finding.Tentative, Status: finding.New, Message: "something without a rule or a decision",
		Locations: []finding.Location{{Path: "README.md"}},
	}
	r.Findings = []finding.Finding{generic, accepted, pat, undecided, key}
	r.Decisions = []outcome.Decision{
		{RuleID: pat.RuleID, Fingerprint: pat.Fingerprint, Verdict: outcome.Block, Policy: "bulwark.gate/new-high-firm",
			Reason: "New finding of critical severity and certain confidence."},
		{RuleID: key.RuleID, Fingerprint: key.Fingerprint, Verdict: outcome.Block, Policy: "bulwark.gate/new-high-firm",
			Reason: "New finding of high severity and firm confidence."},
		{RuleID: generic.RuleID, Fingerprint: generic.Fingerprint, Verdict: outcome.Warn, Policy: "bulwark.gate/rest",
			Reason: "The base had it already."},
		{Verdict: outcome.Unknown, Policy: "bulwark.gate/coverage", Reason: "The scanner package did not run."},
	}
	r.Scanners[0].Status, r.Scanners[0].Reason = outcome.Partial, "1 file could not be read"
	r.Scanners[0].Findings, r.Scanners[0].Skipped = 5, 6
	r.Scanners = append(r.Scanners,
		outcome.Scanner{Name: "package", Version: "1", Status: outcome.NotRun, Reason: "no database: run bulwark db update"},
		outcome.Scanner{Name: "iac", Version: "2", RuleSet: "aa", Rules: 12, Status: outcome.Failed, Reason: "ran out of memory", Files: 3})
	r.Skips = []outcome.Skip{
		{Path: "vendor/e", Reason: "submodule"}, {Path: "vendor/a", Reason: "submodule"}, {Path: "vendor/b", Reason: "submodule"},
		{Path: "vendor/c", Reason: "submodule"},
		{Path: "data/dump.sql", Reason: "too large", Detail: "12.3 GiB, limit 1 GiB"},
		{Path: "secret/locked", Reason: "permission denied", Detail: "open secret/locked: permission denied", Failed: true},
	}
	r.Notices = []outcome.Notice{
		{Kind: "waiver-expired", Message: "waiver W-3 ended on 2026-10-01: its finding counts again", Path: ".bulwark-waivers.yaml", Line: 12},
		{Kind: "shallow-clone", Message: "the clone is shallow: the history before 9fceb02 was not looked at"},
	}
	return r
}

// hostile is a text that tries to break out of every form of report.
const hostile = "\x1b[2J\x1b]0;owned\a</script><script>alert(1)</script>|`x`]]>\n::error::owned\r\n##[error]owned\u202egnp.exe\u2066 @admin #123 GH-1 " +
	"[a](http://evil.example) ![i](https://evil.example/x.png) www.evil.example <img src=x onerror=alert(1)> {{.}} %0A::warning::x \xff\xfe\x00\u200b\U000e0041&amp;\"'"

// hostileRun carries hostile in every text.
func hostileRun() *outcome.Run {
	r := cleanRun()
	r.Asset.Name, r.Asset.Branch, r.Asset.Base = hostile, hostile, hostile
	r.Settings = map[string]string{hostile: hostile}
	r.Verdict = outcome.Block
	r.Incomplete = hostile
	r.Scanners[0].Name, r.Scanners[0].Reason, r.Scanners[0].Status = hostile, hostile, outcome.Partial
	r.Scanners = append(r.Scanners, outcome.Scanner{Name: "secret", Status: outcome.Failed, Reason: hostile})
	r.Rules = []finding.Rule{{ID: hostile, Title: hostile, Rationale: hostile, Remedy: hostile, Scanner: "secret", Severity: finding.High,
		Tags: []string{hostile}, CWE: []string{hostile}, Controls: []string{hostile}, References: []string{hostile, "https://x/\"><script>"}}}
	commit := &finding.Commit{ID: hostile, Author: hostile, Date: hostile, Subject: hostile}
	deep := strings.Repeat("very-long-folder/", 600) + "\xfe\x1b[31mend"
	location := func(path string) finding.Location {
		return finding.Location{Path: path, StartLine: 1, StartColumn: 3, EndLine: 1, EndColumn: 40, Excerpt: hostile[:230],
			MarkStart: 4, MarkEnd: 20, Commit: commit, Notes: []string{hostile}}
	}
	f := finding.Finding{RuleID: hostile, Fingerprint: hostile, Scanner: "secret", Severity: finding.High, Confidence: finding.Firm,
		Message: hostile, Status: finding.New, Evidence: []string{hostile}, Masked: hostile, Properties: map[string]string{hostile: hostile},
		Locations: []finding.Location{location(hostile), location(deep), location("/etc/passwd"), location("//evil.example/x"),
			location("a:b"), location("100%.txt"), location("100%\xff.txt"), location("")}}
	odd := f
	odd.Fingerprint = "secret/1:odd"
	odd.Locations = []finding.Location{{Path: "odd", StartLine: 2, StartColumn: 900, EndLine: 1, EndColumn: 2, Excerpt: "\t\xff\u200b秘密", MarkStart: 90, MarkEnd: 3}}
	gone := f
	gone.Fingerprint = "secret/1:gone"
	gone.Locations = []finding.Location{location(hostile)}
	gone.Locations[0].Suppression = &finding.Suppression{Kind: "waiver", ID: hostile, Owner: hostile, Reason: hostile, Until: hostile}
	empty := finding.Finding{Scanner: "secret", Status: finding.New}
	r.Findings = []finding.Finding{f, odd, gone, empty}
	r.Decisions = []outcome.Decision{
		{RuleID: hostile, Fingerprint: hostile, Verdict: outcome.Block, Policy: hostile, Reason: hostile},
		{RuleID: hostile, Fingerprint: "secret/1:odd", Verdict: outcome.Warn, Policy: hostile, Reason: hostile},
		{Verdict: outcome.Block, Policy: hostile, Reason: hostile},
	}
	r.Skips = []outcome.Skip{{Path: hostile, Reason: hostile, Detail: hostile, Failed: true}, {Path: deep, Reason: "too large"}}
	r.Notices = []outcome.Notice{{Kind: hostile, Message: hostile, Path: hostile, Line: 1}}
	return r
}
