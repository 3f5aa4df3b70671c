package feed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// found is what a folder holds.
type found struct {
	sets   []localSet
	tables map[string][]string // paths of candidates, by "kev", "epss", "ssvc", "eol"
}

// localSet is one ecosystem of an OSV export in a folder.
type localSet struct {
	dir       string // holds all.zip
	set       string // "osv"
	ecosystem string
	shown     string // for people: without the way to the folder
}

const (
	archiveName  = "all.zip"
	modifiedName = "modified_id.csv"
	maxListed    = 10_000 // entries of one folder
)

// look finds out what a folder holds: an ecosystem (all.zip), a set of
// ecosystems, or a folder of such sets; and tables in it or in its subfolders.
func look(dir string) (found, error) {
	f := found{tables: map[string][]string{}}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return f, err
	}
	entries, err := list(abs)
	if err != nil {
		return f, fmt.Errorf("looking for advisories: %w", err)
	}
	top := filepath.Base(abs)
	if isFile(filepath.Join(abs, archiveName)) {
		f.sets = append(f.sets, localSet{abs, setName(filepath.Base(filepath.Dir(abs))), top, top})
	}
	f.tablesIn(abs, entries)
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		sub := filepath.Join(abs, e.Name())
		if isFile(filepath.Join(sub, archiveName)) {
			f.sets = append(f.sets, localSet{sub, setName(top), e.Name(), top + "/" + e.Name()})
			continue
		}
		below, err := list(sub)
		if err != nil {
			return f, fmt.Errorf("looking for advisories: %w", err)
		}
		f.tablesIn(sub, below)
		for _, e2 := range below {
			if e2.IsDir() && isFile(filepath.Join(sub, e2.Name(), archiveName)) {
				f.sets = append(f.sets, localSet{filepath.Join(sub, e2.Name()), setName(e.Name()), e2.Name(), top + "/" + e.Name() + "/" + e2.Name()})
			}
		}
	}
	if len(f.sets) == 0 && len(f.tables) == 0 {
		return f, fmt.Errorf("looking for advisories: the folder %s holds none; want ECOSYSTEM/all.zip, or folders of these, or files such as known_exploited_vulnerabilities.json, epss_scores-YYYY-MM-DD.csv.gz, ssvc.csv.gz, products.json.gz", dir)
	}
	return f, nil
}

func list(dir string) ([]fs.DirEntry, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }() // only read
	entries, err := d.ReadDir(maxListed + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(entries) > maxListed {
		return nil, fmt.Errorf("the folder %s has more than %d entries; name the one that holds the exports", dir, maxListed)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// setName is the name of a set by that of its folder.
func setName(folder string) string {
	if validID(folder) && !strings.Contains(folder, ":") {
		return folder
	}
	return "osv"
}

func (f *found) tablesIn(dir string, entries []fs.DirEntry) {
	for _, e := range entries {
		if table := tableOf(e.Name()); table != "" && isFile(filepath.Join(dir, e.Name())) {
			f.tables[table] = append(f.tables[table], filepath.Join(dir, e.Name()))
		}
	}
}

// tableOf says by a file's name which table it holds.
func tableOf(name string) string {
	plain := strings.TrimSuffix(strings.ToLower(name), ".gz")
	switch stem, ext := strings.TrimSuffix(plain, filepath.Ext(plain)), filepath.Ext(plain); {
	case ext == ".json" && (strings.HasPrefix(stem, "known_exploited_vulnerabilities") || stem == "kev" || strings.HasPrefix(stem, "kev-")):
		return setKEV
	case ext == ".csv" && (strings.HasPrefix(stem, "epss_scores") || stem == "epss" || strings.HasPrefix(stem, "epss-")):
		return setEPSS
	case ext == ".csv" && (stem == "ssvc" || strings.HasSuffix(stem, "_ssvc") || strings.HasPrefix(stem, "ssvc-")):
		return setSSVC
	case ext == ".json" && (stem == "products" || stem == "eol" || strings.HasPrefix(stem, "endoflife")):
		return setEOL
	}
	return ""
}

// newestOf picks of several files of one table the one with the newest date: as
// its beginning states it, else its name. Of equal ones the first is taken.
func newestOf(paths []string) string {
	best, bestDate := "", ""
	for _, p := range paths {
		date := dateOf(p)
		if best == "" || date > bestDate {
			best, bestDate = p, date
		}
	}
	return best
}

func dateOf(path string) string {
	stated := regexp.MustCompile(`(?:"dateReleased"\s*:\s*"|score_date:|"generated_at"\s*:\s*")(\d{4}-\d{2}-\d{2}[0-9T:.Z+-]*)`)
	named := regexp.MustCompile(`\d{4}-\d{2}-\d{2}`)
	if f, err := os.Open(path); err == nil {
		defer func() { _ = f.Close() }() // only read
		r := io.Reader(f)
		head := make([]byte, 2)
		if _, err := io.ReadFull(f, head); err == nil {
			r = io.MultiReader(bytes.NewReader(head), f)
			if bytes.Equal(head, gzipMagic()) {
				if z, err := gzip.NewReader(r); err == nil {
					r = z
				}
			}
		}
		// What cannot be read has no date here; reading it whole says why.
		if start, err := io.ReadAll(io.LimitReader(r, 4096)); err == nil || len(start) > 0 {
			if m := stated.FindSubmatch(start); m != nil {
				return string(m[1])
			}
		}
	}
	return named.FindString(filepath.Base(path))
}

func gzipMagic() []byte { return []byte{0x1f, 0x8b} }

// unpacked returns a reader of a table's bytes, unpacked if they are packed by
// gzip, of at most most bytes and at most maxRatio times as many as packed.
func unpacked(r io.Reader, most int64) (io.Reader, error) {
	packed := &counter{r: r}
	head := make([]byte, 2)
	n, err := io.ReadFull(packed, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	whole := io.MultiReader(bytes.NewReader(head[:n]), packed)
	if !bytes.Equal(head[:n], gzipMagic()) {
		return &bounded{r: whole, most: most}, nil
	}
	z, err := gzip.NewReader(whole)
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	return &bounded{r: z, most: most, packed: packed}, nil
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// bounded fails where more bytes come than are allowed.
type bounded struct {
	r      io.Reader
	most   int64
	n      int64
	packed *counter // may be nil
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if b.n > b.most {
		return 0, fmt.Errorf("it has more than %d bytes", b.most)
	}
	if b.packed != nil && b.n > ratioFloor && b.n/maxRatio > b.packed.n {
		return 0, errBomb
	}
	return n, err
}
