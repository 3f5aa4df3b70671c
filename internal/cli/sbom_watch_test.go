package cli_test

import (
	"archive/zip"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Watching needs databases. Beside testscript's own commands, the scripts have:
//
//	exports FOLDER...  packs the records of each ecosystem below as OSV exports do
//	exits N COMMAND    runs a command that must end with exit code N
func TestSBOMWatchScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script/sbom",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/home/cache")
			return os.MkdirAll(e.WorkDir+"/home", 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exports": func(ts *testscript.TestScript, _ bool, folders []string) {
				for _, f := range folders {
					sets, err := filepath.Glob(ts.MkAbs(f) + "/*")
					ts.Check(err)
					for _, set := range sets {
						ts.Check(packExport(set))
					}
				}
			},
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				code := 0
				err = ts.Exec(args[1], args[2:]...)
				var exit *exec.ExitError
				if errors.As(err, &exit) {
					code = exit.ExitCode()
				} else {
					ts.Check(err)
				}
				if code != want {
					ts.Fatalf("exit code %d, want %d", code, want)
				}
			},
		},
	})
}

func packExport(set string) (err error) {
	f, err := os.Create(filepath.Join(set, "all.zip"))
	if err != nil {
		return err
	}
	z := zip.NewWriter(f)
	defer func() { err = errors.Join(err, z.Close(), f.Close()) }()
	records, err := filepath.Glob(set + "/*.json")
	if err != nil {
		return err
	}
	for _, r := range records {
		data, err := os.ReadFile(r)
		if err != nil {
			return err
		}
		w, err := z.Create(filepath.Base(r))
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	return nil
}
