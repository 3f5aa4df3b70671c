//go:build !unix

package db

import (
	"fmt"
	"io"
	"os"
)

// mapFile reads a file: where mapping is not done, the database costs its size
// in memory.
func mapFile(path string) (data []byte, unmap func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("%s: %w", path, fault("it has more than %d bytes", int64(maxFile)))
	}
	return data, func() error { return nil }, nil
}
