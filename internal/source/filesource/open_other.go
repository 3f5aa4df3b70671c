//go:build !linux

package filesource

import (
	"io"
	"os"
	"path/filepath"
)

const nonBlock = 0

// opener opens files below a root by way of os.Root.
type opener struct{ root *os.Root }

func newOpener(root *os.Root) (*opener, error) { return &opener{root}, nil }

func (o *opener) close() error { return nil }

// open opens a regular file for reading from its start to its end.
func (o *opener) open(path string) (io.ReadCloser, error) { return openRegular(o.root, path) }

// file opens a regular file for reading at any place.
func (o *opener) file(path string) (*os.File, error) { return openRegular(o.root, path) }

// size is that of the file at path.
func (o *opener) size(_ *os.File, _, path string) (int64, error) {
	info, err := o.root.Lstat(filepath.FromSlash(path))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
