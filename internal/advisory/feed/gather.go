package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bulwark/internal/advisory"
	"bulwark/internal/advisory/db"
)

// Options say what a database is built from.
type Options struct {
	// From are addresses of OSV exports, or folders.
	From []string
	// Ecosystems: for addresses, what to fetch; for folders, what to take:
	// Optional: default everything there is.
	Ecosystems []string
	// Optional: an address may have no export of some of the Ecosystems, unless
	// it had one at the last update.
	Optional bool
	// KEV, EPSS, SSVC, EOL: Optional: an address, a file, or a folder of dated
	// files. Default: what the folders in From hold.
	KEV, EPSS, SSVC, EOL string
	// AllowShrink accepts an export that lost many records.
	AllowShrink bool
	Limits      Limits
	Transport   Transport
	// Say: Optional: is told what takes time, in plain text.
	Say func(string)
	// Now is the time.
	Now time.Time
}

// remote reports whether anything of it is an address.
func (o *Options) remote() bool {
	return slices.ContainsFunc(append(slices.Clone(o.From), o.KEV, o.EPSS, o.SSVC, o.EOL), IsURL)
}

// gathering collects the input of a database.
type gathering struct {
	opts   Options
	lim    Limits
	client *client
	store  *store // nil: nothing is fetched

	records  []db.Record
	in       db.Input
	sources  []advisory.SourceInfo
	refused  map[string]int
	problems []db.Problem
	open     []io.Closer
	names    map[string]bool
	found    map[string][]string // tables in folders
	shown    map[string]string   // the way to a table, for people
}

func (g *gathering) say(format string, args ...any) {
	if g.opts.Say != nil {
		g.opts.Say(fmt.Sprintf(format, args...))
	}
}

func (g *gathering) close() error {
	var err error
	for _, c := range g.open {
		err = errors.Join(err, c.Close())
	}
	g.open = nil
	return err
}

// gather reads all sources but for the records themselves, which the build
// reads. What it returns is to be closed, with an error too.
func gather(ctx context.Context, opts Options, st *store) (*gathering, error) {
	g := &gathering{
		opts: opts, lim: opts.Limits.filled(), client: newClient(opts.Transport), store: st,
		refused: map[string]int{}, names: map[string]bool{}, found: map[string][]string{}, shown: map[string]string{},
	}
	if len(opts.From) == 0 {
		return g, errors.New("updating the advisory database: no source is named")
	}
	for _, e := range opts.Ecosystems {
		if len(e) > 64 || strings.ContainsAny(e, "/\\,\"") || strings.HasPrefix(e, ".") || strings.IndexFunc(e, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
			return g, fmt.Errorf("%q is no name of an ecosystem", clip(e))
		}
	}
	for _, from := range opts.From {
		var err error
		if IsURL(from) {
			err = g.fromAddress(ctx, from)
		} else {
			err = g.fromFolder(ctx, from)
		}
		if err != nil {
			return g, err
		}
	}
	if len(g.sources) == 0 {
		return g, fmt.Errorf("updating the advisory database: no OSV export of %s in %s", or(strings.Join(opts.Ecosystems, ", "), "any ecosystem"), strings.Join(publicAll(opts.From), ", "))
	}
	for _, t := range []struct {
		name, given string
		read        func(io.Reader) (n int, newest string, refused []db.Problem, err error)
	}{
		{setKEV, opts.KEV, func(r io.Reader) (int, string, []db.Problem, error) {
			t, err := readKEV(r)
			g.in.KEV = t.entries
			return len(t.entries), t.newest, t.refused, err
		}},
		{setEPSS, opts.EPSS, func(r io.Reader) (int, string, []db.Problem, error) {
			t, err := readEPSS(r)
			g.in.EPSS = t.entries
			return len(t.entries), t.newest, t.refused, err
		}},
		{setSSVC, opts.SSVC, func(r io.Reader) (int, string, []db.Problem, error) {
			t, err := readSSVC(r)
			g.in.SSVC = t.entries
			return len(t.entries), t.newest, t.refused, err
		}},
		{setEOL, opts.EOL, func(r io.Reader) (int, string, []db.Problem, error) {
			t, err := readEOL(r)
			g.in.Products = t.entries
			return len(t.entries), t.newest, t.refused, err
		}},
	} {
		f, shown, err := g.openTable(ctx, t.name, t.given)
		if err != nil {
			return g, err
		}
		if f == nil {
			continue
		}
		if err := g.readTable(f, t.name, shown, t.read); err != nil {
			return g, errors.Join(fmt.Errorf("%s: %w", shown, err), f.Close())
		}
		if err := f.Close(); err != nil {
			return g, err
		}
	}
	g.in.Sources, g.in.Built = g.sources, opts.Now
	g.in.Records = g.all(ctx)
	return g, nil
}

func (g *gathering) all(ctx context.Context) iter.Seq2[db.Record, error] {
	return func(yield func(db.Record, error) bool) {
		for _, r := range g.records {
			if err := ctx.Err(); err != nil {
				yield(db.Record{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func publicAll(from []string) []string {
	out := make([]string, len(from))
	for i, f := range from {
		out[i] = f
		if IsURL(f) {
			out[i] = Public(f)
		}
	}
	return out
}

func (g *gathering) fromAddress(ctx context.Context, root string) error {
	if len(g.opts.Ecosystems) == 0 {
		return fmt.Errorf("%s: name the ecosystems to fetch", Public(root))
	}
	for _, e := range g.opts.Ecosystems {
		err := g.fetchSet(ctx, remoteSet{root, e, g.unique("osv", e)})
		var status *statusError
		if g.opts.Optional && errors.As(err, &status) && status.code == http.StatusNotFound && !g.had(root, e) {
			g.say("%s has no export of %s: nothing will be known of it", Public(root), e)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// had reports whether the last update had an export of an ecosystem.
func (g *gathering) had(root, ecosystem string) bool {
	base, err := below(root, ecosystem)
	if err != nil {
		return false
	}
	_, found := g.store.old.Sets[Public(base)]
	return found
}

// unique is a name for a set that no other has.
func (g *gathering) unique(set, ecosystem string) string {
	name := set + "/" + ecosystem
	for n := 2; g.names[name]; n++ {
		name = fmt.Sprintf("%s-%d/%s", set, n, ecosystem)
	}
	g.names[name] = true
	return name
}

func (g *gathering) fromFolder(ctx context.Context, dir string) error {
	f, err := look(dir)
	if err != nil {
		return err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for table, paths := range f.tables {
		g.found[table] = append(g.found[table], paths...)
		for _, p := range paths {
			rel, err := filepath.Rel(filepath.Dir(abs), p)
			if err != nil {
				return err
			}
			g.shown[p] = filepath.ToSlash(rel)
		}
	}
	for _, s := range f.sets {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(g.opts.Ecosystems) > 0 && !slices.Contains(g.opts.Ecosystems, s.ecosystem) {
			continue
		}
		if err := g.readSet(s); err != nil {
			return fmt.Errorf("%s: %w", s.shown, err)
		}
	}
	return nil
}

// readSet takes an ecosystem from a folder. Its modified_id.csv tells only how
// new it is: a folder's archive speaks for itself.
func (g *gathering) readSet(s localSet) error {
	set := g.unique(s.set, s.ecosystem)
	f, err := os.Open(filepath.Join(s.dir, archiveName))
	if err != nil {
		return err
	}
	g.open = append(g.open, f)
	sum, size, err := digest(f)
	if err != nil {
		return fmt.Errorf("reading %s: %w", archiveName, err)
	}
	a, err := openArchive(f, size, set, g.lim)
	if err != nil {
		return err
	}
	if len(a.records) == 0 {
		return fmt.Errorf("%s holds no records", archiveName)
	}
	for _, e := range a.records {
		g.records = append(g.records, e.record(set))
	}
	g.refuse(set, a.refused)
	info := advisory.SourceInfo{Name: set, Location: s.shown, Records: len(a.records), Digest: "sha-256:" + sum}
	if path := filepath.Join(s.dir, modifiedName); isFile(path) {
		csv, err := os.Open(path)
		if err != nil {
			return err
		}
		listed, err := readModified(&bounded{r: csv, most: g.lim.Table}, g.lim.Records)
		if err = errors.Join(err, csv.Close()); err != nil {
			return err
		}
		// A list that belongs to another archive would state a wrong age.
		if overlap(listed, a) {
			info.Newest = listed.newest()
		}
	}
	g.sources = append(g.sources, info)
	return nil
}

// overlap reports whether nearly all of an archive is listed.
func overlap(listed modified, a *archive) bool {
	n := 0
	for _, e := range a.records {
		if _, found := listed[e.id]; found {
			n++
		}
	}
	return n*100 >= len(a.records)*99
}

// openTable opens a table: the one that is given, else one that a folder holds,
// else none.
func (g *gathering) openTable(ctx context.Context, table, given string) (*os.File, string, error) {
	if IsURL(given) {
		key := Public(given)
		k, _, err := g.store.fetch(ctx, g.client, given, g.store.old.Files[key], g.lim.Table)
		if err != nil {
			return nil, "", err
		}
		g.store.next.Files[key] = k
		f, err := g.store.open(k)
		return f, key, err
	}
	path := given
	if given != "" {
		st, err := os.Stat(given)
		if err != nil {
			return nil, "", fmt.Errorf("reading %s data: %w", strings.ToUpper(table), err)
		}
		if st.IsDir() {
			entries, err := list(given)
			if err != nil {
				return nil, "", err
			}
			here := found{tables: map[string][]string{}}
			here.tablesIn(given, entries)
			if path = newestOf(here.tables[table]); path == "" {
				return nil, "", fmt.Errorf("the folder %s holds no %s data", given, strings.ToUpper(table))
			}
		}
	} else if path = newestOf(g.found[table]); path == "" {
		return nil, "", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	return f, or(g.shown[path], filepath.Base(path)), nil
}

func (g *gathering) readTable(f *os.File, table, shown string, read func(io.Reader) (int, string, []db.Problem, error)) error {
	sum, _, err := digest(f)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r, err := unpacked(f, g.lim.Table)
	if err != nil {
		return err
	}
	n, newest, refused, err := read(r)
	if err != nil {
		return err
	}
	g.refuse(table, refused)
	g.sources = append(g.sources, advisory.SourceInfo{Name: table, Location: shown, Records: n, Newest: newest, Digest: "sha-256:" + sum})
	return nil
}
