package report

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"bulwark/internal/outcome"
)

// WriteFile writes run to the file path in the form kind. The report appears
// under its name whole or not at all: it is written to a hidden file in the
// same folder, flushed to the disk and then renamed; after an error the hidden
// file is removed and what was at path is as it was. A symbolic link is
// followed. A device or pipe, such as /dev/stdout, is written to directly. A new
// file gets mode 0666 less the umask.
func WriteFile(path string, kind Kind, run *outcome.Run, opts Options) error {
	err := writeFile(path, kind, run, opts)
	if err != nil {
		return fmt.Errorf("report file %s: %w", visible(clipPath(path)), err)
	}
	return nil
}

func writeFile(path string, kind Kind, run *outcome.Run, opts Options) (err error) {
	if path == "" {
		return errors.New("the name is empty: name a file after the kind, as in json=report.json")
	}
	if _, err := ParseKind(string(kind)); err != nil {
		return err
	}
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return errors.New("it is a folder: name a file in it")
	case err == nil && !info.Mode().IsRegular():
		return writeDevice(path, kind, run, opts)
	case err == nil:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := createBeside(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: create the folder first", err)
		}
		return err
	}
	defer func() {
		if err != nil {
			// Neither error adds to the one that is returned.
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := Write(f, kind, run, opts); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// createBeside creates a new hidden file in the folder of path. Unlike
// os.CreateTemp it leaves the mode to the umask, as for any file of the user's.
func createBeside(path string) (*os.File, error) {
	folder, name := filepath.Split(path)
	if len(name) > 100 {
		name = name[:100] // a name has 255 bytes at most, with the suffix
	}
	temp := filepath.Join(folder, "."+name+"."+rand.Text()+".tmp")
	return os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

func writeDevice(path string, kind Kind, run *outcome.Run, opts Options) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(Write(f, kind, run, opts), f.Close())
}

// syncFolder makes a rename durable where the system can; the report is
// complete either way, so an error changes nothing.
func syncFolder(dir string) {
	if f, err := os.Open(dir); err == nil {
		_ = f.Sync()
		_ = f.Close()
	}
}
