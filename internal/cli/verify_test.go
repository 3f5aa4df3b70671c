package cli_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"bulwark/internal/cli"
	"bulwark/internal/outcome"
	"bulwark/internal/report"
)

// With --verify, and only then, the provider is asked; nobody prints the value.
func TestVerify(t *testing.T) {
	live := "xoxb-2783905416327-5093381724406-" + "Qm4cZt8vKp2XrW7yLb9NdF3h"
	revoked := "xoxb-2783905416328-5093381724407-" + "Am4cZt8vKp2XrW7yLb9NdF3k"
	var asked atomic.Int32
	slack := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.Header.Get("Authorization")+string(body), live) {
			_, err = io.WriteString(w, `{"ok":true,"url":"https://shop.slack.com/","team":"shop","user":"bot","team_id":"T1","user_id":"U1"}`)
		} else {
			_, err = io.WriteString(w, `{"ok":false,"error":"account_inactive"}`)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer slack.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("live = "+live+"\nold = "+revoked+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	run := func(args ...string) (*outcome.Run, string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		code := cli.Main(context.Background(), cli.Process{
			Args:  append([]string{"scan", dir, "--format", "json", "--no-git"}, args...),
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
			Getenv: func(k string) string {
				return map[string]string{"HOME": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home}[k]
			},
		})
		if code != 3 {
			t.Fatalf("exit code %d, want 3: %s", code, stderr.String())
		}
		for _, out := range []string{stdout.String(), stderr.String()} {
			if strings.Contains(out, live[20:]) || strings.Contains(out, revoked[20:]) {
				t.Fatal("a secret value was printed")
			}
		}
		got, err := report.Read(&stdout)
		if err != nil {
			t.Fatal(err)
		}
		return got, stderr.String()
	}

	if run(); asked.Load() != 0 {
		t.Fatal("the provider was asked without --verify")
	}
	got, log := run("--verify", "--verify-endpoint", "slack="+slack.URL)
	if asked.Load() != 2 {
		t.Errorf("the provider was asked %d times, want 2", asked.Load())
	}
	verified := map[string]int{}
	for _, f := range got.Findings {
		verified[f.Properties["verified"]+" "+f.Severity.String()+" "+f.Confidence.String()]++
	}
	if verified["live critical certain"] != 1 || verified["revoked high firm"] != 1 {
		t.Errorf("verified: %v", verified)
	}
	if strings.Count(log, "slack") < 2 {
		t.Errorf("the requests are not logged: %q", log)
	}
}
