package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"bulwark/internal/asset"
	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/pipeline/cache"
	"bulwark/internal/scanner"
	"bulwark/internal/source"
)

// fakeSource is a source in memory. It counts how often each file was opened.
type fakeSource struct {
	files   []source.File // Open is filled in from contents, if nil
	skips   []outcome.Skip
	notices []outcome.Notice
	fail    error // of Walk, after the files

	mu     sync.Mutex
	opened map[string]int
}

var _ source.Source = (*fakeSource)(nil)

// files makes a source of contents by path, in the order of the paths.
func files(contents map[string]string) *fakeSource {
	s := &fakeSource{}
	for _, path := range slices.Sorted(maps.Keys(contents)) {
		s.add(source.File{Path: path}, contents[path])
	}
	return s
}

// known is like files, but each file has a content id.
func known(contents map[string]string) *fakeSource {
	s := files(contents)
	for i := range s.files {
		s.files[i].ContentID = fmt.Sprintf("sha1:%x", contents[s.files[i].Path])
	}
	return s
}

func (s *fakeSource) add(f source.File, content string) {
	f.Size = int64(len(content))
	s.addReader(f, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil })
}

func (s *fakeSource) addReader(f source.File, open func() (io.ReadCloser, error)) {
	f.Open = func() (io.ReadCloser, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.opened == nil {
			s.opened = map[string]int{}
		}
		s.opened[f.Path]++
		return open()
	}
	s.files = append(s.files, f)
}

func (s *fakeSource) Asset() asset.Asset        { return asset.Asset{Kind: asset.Directory, Name: "fake"} }
func (s *fakeSource) Notices() []outcome.Notice { return s.notices }

func (s *fakeSource) Walk(ctx context.Context, file func(source.File) error, skip func(outcome.Skip) error) error {
	for _, x := range s.skips {
		if err := skip(x); err != nil {
			return err
		}
	}
	for _, f := range s.files {
		if err := file(f); err != nil {
			return err
		}
	}
	return s.fail
}

// endlessSource never ends of itself.
type endlessSource struct{ fakeSource }

func (s *endlessSource) Walk(ctx context.Context, file func(source.File) error, _ func(outcome.Skip) error) error {
	for n := 0; ; n++ {
		f := source.File{Path: fmt.Sprint(n), Size: 4, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("----")), nil }}
		if err := file(f); err != nil {
			return err
		}
	}
}

// fakeScanner finds each word of a list, once for each place, and remembers
// what it was asked.
type fakeScanner struct {
	info  scanner.Info
	word  string
	wants func(scanner.Meta) bool                                          // nil: everything
	scan  func(context.Context, *scanner.Chunk) (scanner.Result, error)    // nil: find word
	after func(context.Context, []scanner.Fact) ([]finding.Finding, error) // nil: nothing
	grade finding.Severity

	mu      sync.Mutex
	asked   []scanner.Meta
	scanned []scanner.Chunk // without content
	facts   []scanner.Fact
}

var (
	_ scanner.Scanner   = (*fakeScanner)(nil)
	_ scanner.Concluder = (*fakeScanner)(nil)
)

// finder finds the word in files of any size.
func finder(name, word string) *fakeScanner {
	return &fakeScanner{info: scanner.Info{Name: name, Version: "1", RuleSet: "r1", ChunkOverlap: 64}, word: word, grade: finding.High}
}

func (s *fakeScanner) Info() scanner.Info { return s.info }

func (s *fakeScanner) Rules() []finding.Rule {
	return []finding.Rule{{ID: s.info.Name + "-word", Title: "a word", Scanner: s.info.Name, Severity: s.grade}}
}

func (s *fakeScanner) Wants(m scanner.Meta) bool {
	s.mu.Lock()
	s.asked = append(s.asked, m)
	s.mu.Unlock()
	return s.wants == nil || s.wants(m)
}

func (s *fakeScanner) Scan(ctx context.Context, c *scanner.Chunk) (scanner.Result, error) {
	s.mu.Lock()
	seen := *c
	seen.Content = nil
	s.scanned = append(s.scanned, seen)
	s.mu.Unlock()
	if s.scan != nil {
		return s.scan(ctx, c)
	}
	return s.find(c), nil
}

// find reports each word that ends in the chunk behind what the chunk before
// held.
func (s *fakeScanner) find(c *scanner.Chunk) scanner.Result {
	var r scanner.Result
	line, column := c.Line, c.Column
	for rest := c.Content; ; {
		i := bytes.Index(rest, []byte(s.word))
		if i < 0 {
			return r
		}
		if n := bytes.Count(rest[:i], []byte{'\n'}); n > 0 {
			line, column = line+n, i-bytes.LastIndexByte(rest[:i], '\n')-1
		} else {
			column += i
		}
		r.Findings = append(r.Findings, s.finding(c.Path, line, column))
		column += len(s.word)
		rest = rest[i+len(s.word):]
	}
}

func (s *fakeScanner) finding(path string, line, column int) finding.Finding {
	return finding.Finding{
		RuleID: s.info.Name + "-word", Fingerprint: "fake/1:" + s.word, Scanner: s.info.Name, Severity: s.grade,
		Confidence: finding.Certain, Message: "a word", Status: finding.New,
		Locations: []finding.Location{{Path: path, StartLine: line, EndLine: line, StartColumn: column + 1, EndColumn: column + 1 + len(s.word)}},
	}
}

func (s *fakeScanner) Conclude(ctx context.Context, facts []scanner.Fact) ([]finding.Finding, error) {
	s.facts = facts
	if s.after == nil {
		return nil, nil
	}
	return s.after(ctx, facts)
}

// paths are those of the scanned chunks, sorted.
func (s *fakeScanner) paths() []string {
	var out []string
	for _, c := range s.scanned {
		out = append(out, c.Path)
	}
	slices.Sort(out)
	return out
}

// mustLook looks, and fails the test on an error.
func mustLook(t *testing.T, src source.Source, o Options) *Looked {
	t.Helper()
	l, err := Look(t.Context(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// places lists the findings as "path:line:column".
func places(l *Looked) []string {
	var out []string
	for _, f := range l.Findings {
		for _, p := range f.Locations {
			out = append(out, fmt.Sprintf("%s:%d:%d", p.Path, p.StartLine, p.StartColumn))
		}
	}
	return out
}

// remembering opens the cache in dir, and closes it when done is called.
func remembering(t *testing.T, dir string) (c *cache.Cache, done func()) {
	t.Helper()
	c, err := cache.Open(filepath.Join(dir, "cache"), "fake", 0)
	if err != nil {
		t.Fatal(err)
	}
	return c, func() {
		t.Helper()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
