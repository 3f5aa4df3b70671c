//go:build linux

package cli_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// manyFiles is how many tiny files one test makes. A million takes minutes to
// make and to remove again: that is for `make bench`. What would grow with the
// number of files shows as well with these.
const manyFiles = 200_000

// deepFolders is how many folders lie in one another. Opening a folder by its
// path takes as many steps as it has names, so that the time is quadratic.
const deepFolders = 1000

// Faults of the world around the real program: it is killed, the disk is full,
// the input is hostile. Each must end soon, with the right exit code and a
// message that says what is wrong, and never with half a report.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the program many times")
	}
	open := publicDir(t)
	p := &program{path: filepath.Join(open, "bulwark"), home: publicDir(t)}
	if out, err := exec.Command("go", "build", "-o", p.path, "bulwark/cmd/bulwark").CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	t.Run("killed", p.testKilled)
	t.Run("full disk", p.testFullDisk)
	t.Run("file size limit", p.testFileSizeLimit)
	t.Run("sparse file", p.testSparseFile)
	t.Run("zip bomb", p.testZipBomb)
	t.Run("many files, interrupted", p.testManyFiles)
	t.Run("long line", p.testLongLine)
	t.Run("exploding expression", p.testExplodingExpression)
	t.Run("unreadable folder", p.testUnreadableFolder)
	t.Run("waiting for input, interrupted", p.testInterruptedInput)
	t.Run("nobody reads the output", p.testClosedOutput)
	t.Run("large blob", p.testLargeBlob)
	t.Run("deep folders", p.testDeepFolders)
	t.Run("replaced files", p.testReplacedFiles)
}

func (p *program) testKilled(t *testing.T) {
	dir, out, store := tree(t, 2000), t.TempDir(), t.TempDir()
	base := p.scan(t, dir, "--no-cache", "-f", "json")
	base.want(t, 3, 20*time.Second)
	want := findings(t, []byte(base.stdout))
	if !strings.HasPrefix(want, "block 20 ") {
		t.Fatalf("%.200s", want)
	}
	reports := 0
	for i := range 30 {
		// Something new each time, so that there is always something to remember.
		for j := range 50 {
			write(t, fmt.Sprintf("%s/new/%d-%d.py", dir, i, j), fmt.Appendf(nil, "x = %d\n", i))
		}
		report := filepath.Join(out, "report.json")
		cmd := p.command("scan", dir, "--cache-dir", store, "-f", "none", "-o", "json="+report)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(base.took * 5 / 4))
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		data, err := os.ReadFile(report)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		reports++
		if diff := cmp.Diff(want, findings(t, data)); diff != "" {
			t.Errorf("the report of a killed run (-want +got):\n%s", diff)
		}
		if err := os.Remove(report); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("30 runs killed within %v; %d had just written their report", base.took*5/4, reports)
	for _, what := range []string{"first", "second"} {
		e := p.scan(t, dir, "--cache-dir", store, "-f", "json")
		if diff := cmp.Diff(want, findings(t, []byte(e.stdout))); diff != "" || e.code != 3 || e.stderr != "" {
			t.Errorf("%s run after the kills: exit code %d, %s, findings (-want +got):\n%s", what, e.code, e.stderr, diff)
		}
	}
}

func (p *program) testFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("bulwark-test", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting a small disk: %v (needs root; the limit of file sizes is tested instead)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", disk, err)
		}
	})
	dir := tree(t, 2000)
	for range 2 {
		p.scan(t, dir, "--cache-dir", filepath.Join(disk, "c")).want(t, 3, 20*time.Second, "blocked: 20 new findings", "no space left")
	}
	clean := t.TempDir()
	write(t, filepath.Join(clean, "a.py"), []byte("x = 1\n"))
	if err := os.RemoveAll(filepath.Join(disk, "c")); err != nil {
		t.Fatal(err)
	}
	p.scan(t, clean, "--cache-dir", filepath.Join(disk, "c")).want(t, 0, 5*time.Second, "allowed")
	// Fill the disk.
	_ = os.WriteFile(filepath.Join(disk, "fill"), make([]byte, 128<<10), 0o644) // as much as fits
	before := names(t, disk)
	p.scan(t, clean, "--cache-dir", filepath.Join(disk, "d")).want(t, 0, 5*time.Second, "allowed")
	p.scan(t, clean, "--no-cache", "-o", "html="+filepath.Join(disk, "r.html")).want(t, 1, 5*time.Second, "error: writing the html report", "r.html", "no space left")
	p.scan(t, dir, "--no-cache", "--write-baseline", filepath.Join(disk, "b.json")).want(t, 1, 20*time.Second, "b.json", "no space left")
	after := slices.DeleteFunc(names(t, disk), func(n string) bool { return n == "d" })
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what lies on the full disk (-before +after):\n%s", diff)
	}
}

func (p *program) testFileSizeLimit(t *testing.T) {
	dir, out := tree(t, 500), t.TempDir()
	limited := func(args ...string) ended {
		cmd := p.command()
		cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `ulimit -f 4; exec "$@"`, "sh", p.path, "scan", dir}, args...)
		return finish(t, cmd)
	}
	limited("--cache-dir", filepath.Join(out, "c")).want(t, 3, 10*time.Second, "blocked: 5 new findings", "writing the cache", "file too large")
	limited("--no-cache", "-o", "html="+filepath.Join(out, "r.html")).want(t, 1, 10*time.Second, "r.html", "file too large")
	if diff := cmp.Diff([]string{"c"}, names(t, out)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func (p *program) testSparseFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sparse.txt"), nil)
	if err := os.Truncate(filepath.Join(dir, "sparse.txt"), 10<<30); err != nil {
		t.Skipf("making a sparse file of 10 GB: %v", err)
	}
	p.scan(t, dir).want(t, 1, 5*time.Second, "sparse.txt", "10 GiB", "too large", "max_file_size")
	p.scan(t, filepath.Join(dir, "sparse.txt")).want(t, 1, 5*time.Second, "too large")
	// Zeros are no text: with a higher limit nobody wants to read them.
	p.scan(t, dir, "--max-file-size", "20GiB").want(t, 0, 5*time.Second, "allowed")
	write(t, filepath.Join(dir, "text.txt"), bytes.Repeat([]byte("text\n"), 20_000))
	if err := os.Truncate(filepath.Join(dir, "text.txt"), 600<<20); err != nil {
		t.Fatal(err)
	}
	p.scan(t, filepath.Join(dir, "text.txt")).want(t, 0, 20*time.Second, "allowed")
}

func (p *program) testZipBomb(t *testing.T) {
	// An entry of 1 GiB of zeros, 64 times the same compressed piece.
	const piece = 16 << 20
	var packed bytes.Buffer
	z, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, err = z.Write(make([]byte, piece))
	if err = errors.Join(err, z.Flush()); err != nil {
		t.Fatal(err)
	}
	raw := append(bytes.Repeat(packed.Bytes(), 64), 3, 0)
	sum, zeros := uint32(0), make([]byte, piece)
	for range 64 {
		sum = crc32.Update(sum, crc32.IEEETable, zeros)
	}
	for name, claimed := range map[string]uint64{"bomb.zip": 1 << 30, "liar.zip": 4096} {
		path := filepath.Join(t.TempDir(), name)
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, err := w.CreateRaw(&zip.FileHeader{Name: "zeros.txt", Method: zip.Deflate, CRC32: sum, CompressedSize64: uint64(len(raw)), UncompressedSize64: claimed})
		if err == nil {
			_, err = f.Write(raw)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		write(t, path, b.Bytes())
		text := "suspected zip bomb"
		if name == "liar.zip" {
			text = "zeros.txt"
		}
		p.scan(t, path).want(t, 1, 20*time.Second, text)
		cmd := p.command("scan", "-")
		cmd.Stdin = bytes.NewReader(b.Bytes())
		finish(t, cmd).want(t, 1, 20*time.Second, text)
	}
}

func (p *program) testManyFiles(t *testing.T) {
	dir := t.TempDir()
	if memory, err := os.MkdirTemp("/dev/shm", "bulwark-test-*"); err == nil { // many times faster than most disks
		dir = memory
		t.Cleanup(func() { _ = os.RemoveAll(memory) })
	}
	for i := range manyFiles {
		folder := fmt.Sprintf("%s/%03d", dir, i%400)
		if i < 400 {
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(fmt.Sprintf("%s/%d", folder, i), []byte("tiny"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, store := t.TempDir(), t.TempDir()
	interrupted := p.command("scan", dir, "--cache-dir", store, "-o", "json="+filepath.Join(out, "r.json"))
	e, sent := finishSignalled(t, interrupted, 400*time.Millisecond, os.Interrupt)
	if late := time.Since(sent); late > 2*time.Second {
		t.Errorf("it ended %v after the interrupt", late)
	}
	e.want(t, 1, 10*time.Second, "did not finish", "cancelled")
	if data, err := os.ReadFile(filepath.Join(out, "r.json")); err == nil {
		if got := findings(t, data); !strings.HasPrefix(got, "unknown 0 ") {
			t.Errorf("report %.200s", got)
		}
	}
	if n := names(t, out); len(n) > 1 {
		t.Errorf("left behind: %v", n)
	}
	for range 2 {
		e := p.scan(t, dir, "--cache-dir", store)
		e.want(t, 0, 60*time.Second, "allowed", fmt.Sprintf("%d,000 files", manyFiles/1000))
		t.Logf("%d files: %v, %d MiB", manyFiles, e.took.Round(time.Millisecond), e.memory>>10)
	}
}

func (p *program) testLongLine(t *testing.T) {
	line := bytes.Repeat([]byte(`{"key":"value","n":[1,2,3]},`), 1<<20/28)
	for i := range 3 {
		copy(line[i*400_000+100:], ` "`+token(i)+`" `)
	}
	path := filepath.Join(t.TempDir(), "one.json")
	write(t, path, line)
	p.scan(t, path).want(t, 3, 10*time.Second, "blocked: 3 new findings")
	p.scan(t, path, "-f", "html").want(t, 3, 10*time.Second)
}

func (p *program) testExplodingExpression(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), append(bytes.Repeat([]byte("a"), 1<<20), '!'))
	rules := filepath.Join(t.TempDir(), "rules.toml")
	write(t, rules, []byte("[[rules]]\nid = \"explodes\"\ndescription = \"a\"\nregex = '''(a+)+b$'''\nkeywords = [\"aaaa\"]\n"+
		"[[rules]]\nid = \"explodes-too\"\ndescription = \"a\"\nregex = '''(a|aa)+(a*)*b'''\n"))
	p.scan(t, dir, "--rules", rules).want(t, 0, 20*time.Second)
	p.scan(t, dir, "--rules", rules, "--no-default-rules").want(t, 0, 20*time.Second)
}

func (p *program) testUnreadableFolder(t *testing.T) {
	dir := publicDir(t)
	write(t, filepath.Join(dir, "fine.py"), []byte("x = 1\n"))
	write(t, filepath.Join(dir, "closed", "a.py"), []byte("x = 1\n"))
	write(t, filepath.Join(dir, "file.py"), []byte("x = 1\n"))
	for _, name := range []string{"closed", "file.py"} {
		path := filepath.Join(dir, name)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(path, 0o700) }) // removed next
	}
	const nobody = 65534
	home := publicDir(t)
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	run := func(path string) ended {
		cmd := p.command("scan", path, "--no-cache")
		if os.Geteuid() == 0 { // root may read everything
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			cmd.Env = []string{"HOME=" + home}
		}
		return finish(t, cmd)
	}
	run(dir).want(t, 1, 5*time.Second, "cannot be read ×2", "closed", "file.py", "permission denied")
	run(filepath.Join(dir, "closed")).want(t, 2, 5*time.Second, "error: ", "closed", "permission denied")
	run(filepath.Join(dir, "file.py")).want(t, 2, 5*time.Second, "error: ", "file.py", "permission denied")
	// The same as a git work tree: its own reader of folders must say so, too.
	initGit := exec.Command("git", "init", "-q", dir)
	if out, err := initGit.CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	run(dir).want(t, 1, 5*time.Second, "unreadable", "closed", "file.py", "permission denied")
}

func (p *program) testInterruptedInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(r.Close(), w.Close()) }() // nobody writes
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := p.command("scan", "-")
		cmd.Stdin = r
		e, _ := finishSignalled(t, cmd, 500*time.Millisecond, sig)
		e.want(t, 1, 2500*time.Millisecond, "did not finish", "cancelled")
	}
	cmd := p.command("scan", "-", "--timeout", "300ms")
	cmd.Stdin = r
	finish(t, cmd).want(t, 1, 2300*time.Millisecond, "did not finish", "time limit")
}

func (p *program) testClosedOutput(t *testing.T) {
	dir := tree(t, 300)
	for _, format := range []string{"text", "json", "html"} {
		r, w, err := os.Pipe()
		if err == nil {
			err = r.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := p.command("scan", dir, "-f", format)
		cmd.Stdout = w
		finish(t, cmd).want(t, 1, 10*time.Second, "error: writing the "+format+" report to standard output", "broken pipe")
		_ = w.Close() // the other end is gone
	}
	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		cmd := p.command("scan", dir)
		cmd.Stdout = full
		finish(t, cmd).want(t, 1, 10*time.Second, "standard output", "no space left")
		_ = full.Close() // nothing was written
	}
}

func (p *program) testLargeBlob(t *testing.T) {
	dir := t.TempDir()
	text := bytes.Repeat([]byte("a line of a very large file, of which there are many\n"), 100<<20/53)
	text = append(text, "\nSLACK_TOKEN = \""+token(1)+"\"\n"...)
	write(t, filepath.Join(dir, "large.txt"), text)
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "core.compression=1", "-c", "user.name=Robin", "-c", "user.email=robin@shop.example"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "large")
	for _, flag := range []string{"--no-cache", "--history", "--no-git"} {
		e := p.scan(t, dir, flag)
		e.want(t, 3, 20*time.Second, "large.txt", "blocked: 1 new finding")
		t.Logf("100 MB, %s: %v, %d MiB", flag, e.took.Round(time.Millisecond), e.memory>>10)
	}
}

func (p *program) testDeepFolders(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	for range deepFolders {
		if err == nil {
			err = root.Mkdir("deeper", 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		var next *os.Root
		next, err = root.OpenRoot("deeper")
		_ = root.Close() // only walked through
		root = next
	}
	if err == nil {
		err = root.WriteFile("bottom.py", []byte("SLACK_TOKEN = \""+token(1)+"\"\n"), 0o644)
	}
	if err = errors.Join(err, root.Close()); err != nil {
		t.Fatal(err)
	}
	p.scan(t, dir).want(t, 3, 30*time.Second, "bottom.py", "blocked: 1 new finding")
}

func (p *program) testReplacedFiles(t *testing.T) {
	dir := tree(t, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- func() error {
			for i := 0; ctx.Err() == nil; i = (i + 7) % 1000 {
				path := fmt.Sprintf("%s/%02d/%d.py", dir, i%50, i)
				if err := os.WriteFile(path+".new", bytes.Repeat([]byte("other text\n"), i), 0o644); err != nil {
					return err
				}
				if err := os.Rename(path+".new", path); err != nil {
					return err
				}
				if i%3 == 0 {
					if err := os.Truncate(path, 0); err != nil {
						return err
					}
				}
			}
			return nil
		}()
	}()
	for range 8 {
		if e := p.scan(t, dir); !slices.Contains([]int{0, 1, 3}, e.code) {
			t.Errorf("exit code %d\n%s", e.code, e.stderr)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	p.scan(t, dir, "--no-cache", "-f", "none").want(t, p.scan(t, dir).code, 10*time.Second)
}
