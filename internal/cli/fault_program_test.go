//go:build linux

package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// maxMemory is what a scan may need, whatever it is given, in KiB.
const maxMemory = 400 << 10

// publicDir is a temporary folder that other users can enter.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// program is the built program.
type program struct{ path, home string }

func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.path, args...)
	cmd.Env = []string{"HOME=" + p.home, "XDG_CACHE_HOME=" + filepath.Join(p.home, "cache"), "PATH=" + os.Getenv("PATH")}
	return cmd
}

// ended is how a run of the program ended.
type ended struct {
	code           int // -1: by a signal
	stdout, stderr string
	took           time.Duration
	memory         int64 // KiB
}

// finish runs a prepared command.
func finish(t *testing.T, cmd *exec.Cmd) ended {
	t.Helper()
	e, _ := finishSignalled(t, cmd, 0, nil)
	return e
}

// finishSignalled runs a prepared command and, if sig is not nil, sends it that
// signal after the delay. It returns when the signal was sent.
func finishSignalled(t *testing.T, cmd *exec.Cmd, delay time.Duration, sig os.Signal) (ended, time.Time) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	cmd.Stderr = &stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	memory := make(chan int64, 1)
	over := make(chan struct{})
	go func() { memory <- peak(cmd.Process.Pid, over) }()
	var sent time.Time
	if sig != nil {
		time.Sleep(delay)
		sent = time.Now()
		_ = cmd.Process.Signal(sig) // it may have ended: its exit code tells
	}
	err := cmd.Wait()
	close(over)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	e := ended{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), took: time.Since(start)}
	e.memory = <-memory
	if strings.Contains(e.stderr, "goroutine ") || strings.Contains(e.stderr, "panic") {
		t.Errorf("the program crashed:\n%s", e.stderr)
	}
	if e.memory > maxMemory {
		t.Errorf("the program needed %d MiB of memory", e.memory>>10)
	}
	return e, sent
}

func (p *program) scan(t *testing.T, args ...string) ended {
	t.Helper()
	return finish(t, p.command(append([]string{"scan"}, args...)...))
}

// want checks the exit code, the time (less than a limit) and that each text is
// in the output.
func (e ended) want(t *testing.T, code int, limit time.Duration, texts ...string) {
	t.Helper()
	if e.code != code {
		t.Errorf("exit code %d, want %d", e.code, code)
	}
	if e.took > limit {
		t.Errorf("it took %v, more than %v", e.took, limit)
	}
	for _, text := range texts {
		if !strings.Contains(e.stdout+e.stderr, text) {
			t.Errorf("the output does not say %q", text)
		}
	}
	if t.Failed() {
		t.Logf("…%s\n%s", e.stdout[max(0, len(e.stdout)-1500):], e.stderr[max(0, len(e.stderr)-1500):])
	}
}

// token is a well-formed token that nobody ever had, another for each n.
func token(n int) string {
	const digits, letters = "0123456789", "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	random := rand.New(rand.NewPCG(uint64(n), 20))
	take := func(from string, count int) string {
		b := make([]byte, count)
		for i := range b {
			b[i] = from[random.IntN(len(from))]
		}
		return string(b)
	}
	return "xox" + "b-2" + take(digits, 12) + "-5" + take(digits, 12) + "-" + take(letters, 24)
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tree makes a folder of n files, each hundredth with a token, of 8 KiB each.
func tree(t *testing.T, n int) string {
	t.Helper()
	dir := publicDir(t)
	filler := strings.Repeat("nothing to see in this line of text\n", 220)
	for i := range n {
		text := filler
		if i%100 == 0 {
			text += "SLACK_TOKEN = \"" + token(i) + "\"\n"
		}
		write(t, fmt.Sprintf("%s/%02d/%d.py", dir, i%50, i), []byte(text))
	}
	return dir
}

// findings are those of a JSON report, as text. The report must be whole.
func findings(t *testing.T, report []byte) string {
	t.Helper()
	var run struct {
		Verdict  string            `json:"verdict"`
		Findings []json.RawMessage `json:"findings"`
	}
	if err := json.Unmarshal(report, &run); err != nil {
		t.Fatalf("the report is not whole: %v", err)
	}
	return fmt.Sprintf("%s %d %s", run.Verdict, len(run.Findings), run.Findings)
}

// names lists what is in a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// peak watches the greatest memory of a process, in KiB, until over is closed.
// The kernel's account at its end would not do: it begins with that of the
// process that started it.
func peak(pid int, over <-chan struct{}) (most int64) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	for {
		if data, err := os.ReadFile(path); err == nil {
			for line := range strings.Lines(string(data)) {
				var n int64
				if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &n); err == nil {
					most = max(most, n)
				}
			}
		}
		select {
		case <-over:
			return most
		case <-time.After(5 * time.Millisecond):
		}
	}
}
