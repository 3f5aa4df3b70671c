package filesource

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// format is what the first bytes of a file say about it.
type format uint8

const (
	plain format = iota // no archive that can be opened here
	zipFormat
	tarFormat
	gzipFormat
	bzip2Format
	xzFormat
	zstdFormat
	unsupported // an archive by its magic, of a kind that is not opened
)

// headSize is how many bytes detect needs: one block of a tar file.
const headSize = 512

// detect tells the format by magic numbers alone: names lie.
func detect(head []byte) format {
	has := func(at int, magic string) bool {
		return len(head) >= at+len(magic) && string(head[at:at+len(magic)]) == magic
	}
	switch {
	case has(0, "PK\x03\x04"), has(0, "PK\x05\x06"):
		return zipFormat
	case has(0, "\x1f\x8b\x08"):
		return gzipFormat
	case has(0, "BZh") && (has(4, "1AY&SY") || has(4, "\x17rE8P\x90")):
		return bzip2Format
	case has(0, "\xfd7zXZ\x00"):
		return xzFormat
	case has(0, "\x28\xb5\x2f\xfd"):
		return zstdFormat
	case has(257, "ustar"), isOldTar(head):
		return tarFormat
	case has(0, "7z\xbc\xaf\x27\x1c"), has(0, "Rar!\x1a\x07"):
		return unsupported
	}
	return plain
}

// isOldTar recognises the header of a tar file from before the magic number by
// its checksum.
func isOldTar(head []byte) bool {
	if len(head) < headSize || head[0] == 0 || bytes.IndexByte(head[148:156], 0) < 0 {
		return false
	}
	h, err := tar.NewReader(bytes.NewReader(head[:headSize])).Next()
	return err == nil && h.Name != ""
}

// archiveSuffixes are the names that are worth a look at the first bytes when an
// archive is met inside a folder or another archive.
var archiveSuffixes = []string{
	".zip", ".jar", ".war", ".ear", ".aar", ".apk", ".ipa", ".whl", ".egg", ".nupkg", ".vsix", ".xpi",
	".tar", ".tgz", ".tbz2", ".tbz", ".txz", ".tzst", ".gem", ".crate",
	".gz", ".bz2", ".xz", ".zst",
}

func looksLikeArchive(name string) bool {
	name = strings.ToLower(name)
	for _, s := range archiveSuffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}

// innerName is the name of what a compressed file that is no tar holds.
func innerName(name string) string {
	base := path.Base(name)
	switch ext := strings.ToLower(path.Ext(base)); ext {
	case ".gz", ".bz2", ".xz", ".zst":
		if cut := base[:len(base)-len(ext)]; cut != "" {
			return cut
		}
	case ".tgz", ".tbz2", ".tbz", ".txz", ".tzst":
		return base[:len(base)-len(ext)] + ".tar"
	}
	return base
}

// maxWindow is the largest history that a decompressor may keep, in bytes. It
// bounds memory: a few bytes of header can ask for gigabytes.
const maxWindow = 128 << 20

// decompress returns a reader of what r holds in compressed form f.
func decompress(f format, r io.Reader) (io.ReadCloser, error) {
	switch f {
	case gzipFormat:
		return gzip.NewReader(r)
	case bzip2Format:
		return io.NopCloser(bzip2.NewReader(r)), nil
	case xzFormat:
		x, err := xz.NewReader(&xzGuard{r: r})
		if err != nil {
			return nil, err
		}
		return io.NopCloser(x), nil
	case zstdFormat:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("no decompressor for format %d", f)
}
