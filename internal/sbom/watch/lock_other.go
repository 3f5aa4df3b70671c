//go:build !unix || aix || solaris

package watch

import (
	"errors"
	"io/fs"
	"os"
)

// lock takes a lock by a file that must not be there. A run that was killed
// leaves it; it is then to be removed by hand.
func lock(name string) (release func() error, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(f.Close(), os.Remove(name)) }, nil
}

// syncFolder: folders cannot be synced here.
func syncFolder(string) error { return nil }
