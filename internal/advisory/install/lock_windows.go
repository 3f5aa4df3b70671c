package install

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes the lock of an open file if nobody has it. The byte locked lies
// beyond what the file holds, so that others can read who holds it.
func tryLock(f *os.File) (bool, error) {
	place := windows.Overlapped{OffsetHigh: 1}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_IO_PENDING):
		return false, nil
	}
	return false, err
}

// syncDir does nothing: Windows has no way to write a folder's entries to disk,
// and NTFS keeps a journal of them.
func syncDir(string) error { return nil }
