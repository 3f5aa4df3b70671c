package cli_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bulwark/internal/cli"
	"bulwark/internal/scanner/secret/rule"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"bulwark": func() {
			os.Exit(cli.Main(context.Background(), cli.Process{
				Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
				// Waivers expire; the scripts do not.
				Now: func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) },
			}))
		},
	})
}

// The command line as users meet it. Beside testscript's own, scripts have:
//
//	uncut FILE...     removes the cut marks that keep credentials in scripts
//	                  from looking alive
//	exits N COMMAND   runs a command that must end with exit code N; its output
//	                  is then looked at with stdout and stderr
//	zip FILE DIR      puts the files of a folder into a zip archive
//	git ...           git, without anybody's configuration
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/home/cache")
			e.Setenv("XDG_CONFIG_HOME", e.WorkDir+"/home/config")
			e.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
			e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			for _, who := range []string{"AUTHOR", "COMMITTER"} {
				e.Setenv("GIT_"+who+"_NAME", "Robin")
				e.Setenv("GIT_"+who+"_EMAIL", "robin@shop.example")
				e.Setenv("GIT_"+who+"_DATE", "2026-01-05T09:00:00Z")
			}
			return os.MkdirAll(e.WorkDir+"/home", 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"uncut": func(ts *testscript.TestScript, _ bool, files []string) {
				for _, f := range files {
					path := ts.MkAbs(f)
					data, err := os.ReadFile(path)
					ts.Check(err)
					ts.Check(os.WriteFile(path, bytes.ReplaceAll(data, []byte(rule.CutMark), nil), 0o644))
				}
			},
			"zip": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 2 {
					ts.Fatalf("usage: zip FILE DIR")
				}
				f, err := os.Create(ts.MkAbs(args[0]))
				ts.Check(err)
				w := zip.NewWriter(f)
				ts.Check(w.AddFS(os.DirFS(ts.MkAbs(args[1]))))
				ts.Check(errors.Join(w.Close(), f.Close()))
			},
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: exits N COMMAND...")
				}
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				code := 0
				err = ts.Exec(args[1], args[2:]...)
				var exit *exec.ExitError
				switch {
				case errors.As(err, &exit):
					code = exit.ExitCode()
				case err != nil:
					ts.Fatalf("%v", err)
				}
				if code != want {
					ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), code, want)
				}
			},
			"git": func(ts *testscript.TestScript, neg bool, args []string) {
				if err := ts.Exec("git", args...); (err != nil) != neg {
					ts.Fatalf("git %s: %v", strings.Join(args, " "), err)
				}
			},
		},
	})
}
