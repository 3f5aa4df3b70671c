package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func now() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }

// content is a file that shows whether it is whole.
func content(word string) string { return strings.Repeat(word+"\n", 20_000) + "end of " + word + "\n" }

func whole(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	word, _, _ := strings.Cut(string(data), "\n")
	if string(data) != content(word) {
		return fmt.Errorf("%s is broken: %d bytes", path, len(data))
	}
	return nil
}

// TestMain is also the process that is killed: it replaces the file again and
// again and stops for good at the step that it is told.
func TestMain(m *testing.M) {
	path := os.Getenv("INSTALL_TEST_FILE")
	if path == "" {
		os.Exit(m.Run())
	}
	if err := replaceForever(path, Step(os.Getenv("INSTALL_TEST_STEP"))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func replaceForever(path string, stop Step) error {
	for n := 0; ; n++ {
		lock, err := Acquire(context.Background(), path, now(), nil)
		if err != nil {
			return err
		}
		err = lock.Replace(Replacement{
			Write: func(f *os.File) error {
				_, err := io.WriteString(f, content(fmt.Sprintf("child %d", n)))
				return err
			},
			Verify: whole,
			At: func(s Step) error {
				if s == stop {
					fmt.Println("there")
					select {} // until killed
				}
				return nil
			},
		})
		if err = errors.Join(err, lock.Close()); err != nil {
			return err
		}
	}
}

func child(t *testing.T, path string, step Step) (*exec.Cmd, io.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "INSTALL_TEST_FILE="+path, "INSTALL_TEST_STEP="+string(step))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
}

// after checks what a killed process left behind.
func after(t *testing.T, path, when string) {
	t.Helper()
	if err := whole(path); err != nil {
		t.Errorf("killed %s: %v", when, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	lock, err := Acquire(ctx, path, now(), nil)
	if err != nil {
		t.Fatalf("killed %s: the lock of a dead process holds: %v", when, err)
	}
	if left, err := filepath.Glob(path + tempInfix + "*"); err != nil || len(left) > 0 {
		t.Errorf("killed %s: left behind %v (%v)", when, left, err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
}

func TestKilledAtEachStep(t *testing.T) {
	for _, step := range []Step{Created, Written, Verified, Synced, Renamed, Done} {
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, []byte(content("old")), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd, out := child(t, path, step)
		if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		// Somebody else waits, and is told for whom.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		told := false
		_, err := Acquire(ctx, path, now(), func(h Holder) { told = h.PID == cmd.Process.Pid })
		cancel()
		if err == nil || !told || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", cmd.Process.Pid)) {
			t.Errorf("%s: told %t, %v", step, told, err)
		}
		kill(t, cmd)
		after(t, path, "at "+string(step))
	}
}

func TestKilledAtAnyTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(content("old")), 0o644); err != nil {
		t.Fatal(err)
	}
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	for i := range rounds {
		cmd, _ := child(t, path, "")
		time.Sleep(10*time.Millisecond + time.Duration(i*1370)*time.Microsecond)
		kill(t, cmd)
		after(t, path, fmt.Sprintf("round %d", i))
	}
}

func TestReplaceLeavesTheOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(content("old")), 0o644); err != nil {
		t.Fatal(err)
	}
	lock, err := Acquire(t.Context(), path, now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lock.Close(); err != nil {
			t.Error(err)
		}
	}()
	boom := errors.New("boom")
	fine := func(f *os.File) error { _, err := io.WriteString(f, content("new")); return err }
	for name, r := range map[string]Replacement{
		"write":  {Write: func(*os.File) error { return boom }, Verify: whole},
		"verify": {Write: fine, Verify: func(string) error { return boom }},
		"synced": {Write: fine, Verify: whole, At: func(s Step) error {
			if s == Synced {
				return boom
			}
			return nil
		}},
	} {
		if err := lock.Replace(r); !errors.Is(err, boom) {
			t.Errorf("%s: %v", name, err)
		}
		data, err := os.ReadFile(path)
		if err != nil || string(data) != content("old") {
			t.Errorf("%s: the old one is gone (%v)", name, err)
		}
		if left, err := filepath.Glob(path + tempInfix + "*"); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind %v (%v)", name, left, err)
		}
	}
	if err := lock.Replace(Replacement{Write: fine, Verify: whole}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || string(data) != content("new") {
		t.Errorf("the new one is not there (%v)", err)
	}
}

func TestFormer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x[1].db")
	lock, err := Acquire(t.Context(), path, now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lock.Close(); err != nil {
			t.Error(err)
		}
	}()
	serials := []string{strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)}
	for _, s := range serials {
		err := lock.Replace(Replacement{Write: func(f *os.File) error { _, err := io.WriteString(f, content(s)); return err }, Verify: whole})
		if err = errors.Join(err, lock.Retain(s)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // their age is the file system's
	}
	if err := lock.Prune(2); err != nil {
		t.Fatal(err)
	}
	if Former(path, serials[0]) != "" || Former(path, serials[1][:16]) == "" || Former(path, serials[2]) == "" || Former(path, "../../x") != "" {
		t.Error("the wrong ones were removed")
	}
	if data, err := os.ReadFile(Former(path, serials[1])); err != nil || string(data) != content(serials[1]) {
		t.Errorf("another one was kept (%v)", err)
	}
	if err := lock.Retain("x"); err == nil {
		t.Error("x is a serial")
	}
}
