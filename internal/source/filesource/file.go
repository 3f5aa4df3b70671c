package filesource

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"bulwark/internal/asset"
	"bulwark/internal/outcome"
	"bulwark/internal/source"
)

// FileSource is one file that is no archive.
type FileSource struct {
	path string
	size int64
}

var _ source.Source = (*FileSource)(nil)

// Open returns the file at path as a source: its entries if it is an archive,
// else the one file that it is.
func Open(path string, limits Limits) (source.Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening the file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("opening the file: %s is not a regular file", path)
	}
	f := &sharedFile{size: info.Size(), open: func() (*os.File, error) { return os.Open(path) }}
	is, err := isArchive(&content{r: f, size: f.size, open: f.acquire})
	if err != nil {
		return nil, fmt.Errorf("opening the file: %w", err)
	}
	if is {
		return Archive(path, limits)
	}
	return &FileSource{path: path, size: info.Size()}, nil
}

// Asset implements source.Source.
func (f *FileSource) Asset() asset.Asset {
	return asset.Asset{Kind: asset.Directory, Name: filepath.Base(f.path)}
}

// Notices implements source.Source.
func (f *FileSource) Notices() []outcome.Notice { return nil }

// Walk implements source.Source.
func (f *FileSource) Walk(_ context.Context, file func(source.File) error, _ func(outcome.Skip) error) error {
	return file(source.File{Path: filepath.Base(f.path), Size: f.size, Open: func() (io.ReadCloser, error) { return os.Open(f.path) }})
}
