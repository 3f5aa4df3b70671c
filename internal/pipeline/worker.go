package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/pipeline/cache"
	"bulwark/internal/scanner"
	"bulwark/internal/source"
	"bulwark/internal/source/textenc"
	"bulwark/internal/triage"
)

// worker examines files one after the other. Its buffer is reused.
type worker struct {
	l          *look
	buf        []byte
	wants      []bool
	findings   []finding.Finding
	directives map[string]triage.FileDirectives
	facts      [][]scanner.Fact
	counts     []count
	bases      []base // by level, of the group that is being looked at
	kept       []scanner.Kept
}

// base is what is known of a content when others are looked at that are built
// upon it.
type base struct {
	known  bool            // it was examined, byte for byte as it is stored
	states []scanner.State // by scanner
	silent bool            // it holds no directives
}

type count struct {
	files, cached, skipped int
	bytes                  int64
}

func newWorker(l *look) *worker {
	n := len(l.opts.Scanners)
	return &worker{
		l: l, wants: make([]bool, n), facts: make([][]scanner.Fact, n), counts: make([]count, n),
		directives: map[string]triage.FileDirectives{}, buf: make([]byte, 0, 256<<10),
	}
}

// directiveVersion is raised whenever triage.Directives gives another result
// for equal content.
const directiveVersion = "directives/1"

// unwanted is the cached answer of a scanner that, having seen the content's
// type, did not want it.
var unwanted = []byte("-")

// file has one file examined by all scanners that want it.
func (w *worker) file(ctx context.Context, f source.File) {
	defer func() {
		if v := recover(); v != nil {
			w.l.skip(outcome.Skip{Path: f.Path, Reason: "examining it failed", Detail: printable(v).Error(), Failed: true})
		}
		w.l.opts.Progress.Files.Add(1)
		if v := f.Version; v != nil && v.Last && v.Level > 0 {
			w.bases[v.Level-1].clear()
		}
	}()
	w.forget(f)
	m := scanner.Meta{Path: f.Path, Name: path.Base(f.Path), Ext: strings.ToLower(path.Ext(f.Path)), Size: f.Size, Historical: f.Historical}
	if f.Commit != nil {
		m.Commit = f.Commit.ID
	}
	if !w.ask(m) {
		return
	}
	if f.Size > w.l.opts.MaxFileSize {
		w.l.skip(outcome.Skip{Path: f.Path, Reason: "too large", Failed: true,
			Detail: fmt.Sprintf("%s, the limit is %s (scan.max_file_size)", size(f.Size), size(w.l.opts.MaxFileSize))})
		return
	}
	if f.ContentID != "" && w.remembered(f, m, f.ContentID) {
		return
	}
	if err := w.read(ctx, f, m); err != nil && ctx.Err() == nil {
		s := outcome.Skip{Path: f.Path, Reason: "cannot be read", Detail: err.Error(), Failed: true}
		var known *source.Left
		if errors.As(err, &known) {
			s = known.Skip(f.Path)
		}
		w.l.skip(s)
	}
}

// forget clears what is known of contents that f is not built upon.
func (w *worker) forget(f source.File) {
	level := 0
	if f.Version != nil {
		level = f.Version.Level
	}
	for len(w.bases) <= level {
		w.bases = append(w.bases, base{states: make([]scanner.State, len(w.wants))})
	}
	for i := level; i < len(w.bases); i++ {
		w.bases[i].clear()
	}
}

func (b *base) clear() {
	clear(b.states)
	b.known, b.silent = false, false
}

// ask fills wants; it reports whether any scanner wants the file.
func (w *worker) ask(m scanner.Meta) bool {
	any := false
	for i, s := range w.l.opts.Scanners {
		w.wants[i] = w.l.broken[i].Load() == nil && s.Wants(m)
		any = any || w.wants[i]
	}
	return any
}

func (w *worker) key(i int, f source.File, id string) cache.Key {
	info := &w.l.infos[i]
	return cache.KeyOf("scan/1", info.Name, info.Version, info.RuleSet, id, f.Path, commitID(f))
}

func directiveKey(id string) cache.Key { return cache.KeyOf(directiveVersion, id) }

func commitID(f source.File) string {
	if f.Commit == nil {
		return ""
	}
	return f.Commit.ID
}

// remembered answers from the cache, if it knows what every scanner that wants
// the file says of it.
func (w *worker) remembered(f source.File, m scanner.Meta, id string) bool {
	c := w.l.opts.Cache
	if c == nil {
		return false
	}
	var stack [8][]byte
	answers := stack[:0]
	for i := range w.wants {
		var answer []byte
		if w.wants[i] {
			var ok bool
			if answer, ok = c.Get(w.key(i, f, id)); !ok {
				return false
			}
		}
		answers = append(answers, answer)
	}
	said, ok := c.Get(directiveKey(id))
	if !ok {
		return false
	}
	results := make([]scanner.Result, len(answers))
	for i, a := range answers {
		if len(a) > 0 && !bytes.Equal(a, unwanted) {
			if json.Unmarshal(a, &results[i]) != nil {
				return false
			}
		}
	}
	var d triage.FileDirectives
	if len(said) > 0 && json.Unmarshal(said, &d) != nil {
		return false
	}
	for i, a := range answers {
		if w.wants[i] && !bytes.Equal(a, unwanted) {
			w.counts[i].files++
			w.counts[i].cached++
			w.take(i, f, results[i])
		}
	}
	w.directed(f, d)
	return true
}

// skip reports what only scanner i did not look at.
func (w *worker) skip(i int, s outcome.Skip) {
	w.counts[i].skipped++
	w.l.skipOf(s, true)
}

// take keeps a scanner's result.
func (w *worker) take(i int, f source.File, r scanner.Result) {
	if r.Gap != "" {
		w.skip(i, outcome.Skip{Path: f.Path, Reason: "not wholly examined", Detail: r.Gap, Failed: true})
	}
	if len(r.Facts) > 0 {
		w.facts[i] = append(w.facts[i], scanner.Fact{Path: f.Path, Data: bytes.Clone(r.Facts)})
	}
	for _, x := range r.Findings {
		if w.l.findings.Add(1) > maxFindings {
			w.l.dropped.Add(1)
			continue
		}
		for j := range x.Locations {
			// A cached path has been through JSON, which cannot hold every name.
			x.Locations[j].Path, x.Locations[j].Commit = f.Path, f.Commit
		}
		w.findings = append(w.findings, x)
	}
	w.l.opts.Progress.Findings.Add(int64(len(r.Findings)))
}

func (w *worker) directed(f source.File, d triage.FileDirectives) {
	if len(d.Directives)+len(d.Problems) > 0 {
		w.directives[triage.FileKey(f.Path, f.Commit)] = d
	}
}

// read opens the file, decodes it and has it examined in chunks.
func (w *worker) read(ctx context.Context, f source.File, m scanner.Meta) (err error) {
	rc, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()

	var head []byte
	last := false
	if held, ok := rc.(interface{ Bytes() []byte }); ok && len(held.Bytes()) <= chunkSize {
		head, last = held.Bytes(), true // in memory already: not copied, not changed
		w.l.opts.Progress.Bytes.Add(int64(len(head)))
	} else if head, last, err = w.fill(ctx, rc, w.buf[:0], sniffBytes); err != nil {
		return err
	}
	enc := textenc.Sniff(head)
	m.Type = scanner.Text
	if enc == textenc.Binary {
		m.Type = scanner.Binary
	}
	maybe := append([]bool(nil), w.wants...)
	if !w.ask(m) {
		w.declined(f, maybe)
		return nil
	}
	exact := enc == textenc.UTF8 || enc == textenc.Binary
	if reason := leftOut(head, f.Size); reason != "" {
		w.l.skip(outcome.Skip{Path: f.Path, Reason: reason})
		f.ContentID, exact = "", false // an answer of the cache could not say so again
	}
	e := exam{w: w, f: f, m: m, maybe: maybe, results: make([]scanner.Result, len(w.wants)), line: 1, exact: exact}
	var r io.Reader = rc
	if enc != textenc.UTF8 && enc != textenc.Binary {
		whole := io.MultiReader(bytes.NewReader(bytes.Clone(head)), rc)
		if last { // head is all of it, and of what is held nothing was read from rc
			whole = bytes.NewReader(bytes.Clone(head))
		}
		r = textenc.NewReader(whole, enc)
		head, last = w.buf[:0], false
	}
	return e.chunks(ctx, r, head, last)
}

// sniffBytes is how much of a file is read to learn its type.
const sniffBytes = 64 << 10

// leftOut names content that only stands for the real one.
func leftOut(head []byte, size int64) string {
	if size < 1024 && bytes.HasPrefix(head, []byte("version https://git-lfs.github.com/spec/")) {
		return "Git LFS pointer: the content is not in the repository"
	}
	return ""
}

// declined remembers that no scanner wants the content, its type known.
func (w *worker) declined(f source.File, maybe []bool) {
	c := w.l.opts.Cache
	if c == nil || f.ContentID == "" {
		return
	}
	for i := range maybe {
		if maybe[i] && w.l.broken[i].Load() == nil {
			c.Put(w.key(i, f, f.ContentID), unwanted)
		}
	}
	c.Put(directiveKey(f.ContentID), nil)
}

// fill reads until buf holds want bytes or the end; last reports the end.
func (w *worker) fill(ctx context.Context, r io.Reader, buf []byte, want int) (_ []byte, last bool, err error) {
	for len(buf) < want {
		if err := ctx.Err(); err != nil {
			return buf, false, err
		}
		if cap(buf) < want && cap(buf)-len(buf) < 32<<10 {
			grown := make([]byte, len(buf), min(max(2*cap(buf), 64<<10), max(want, 64<<10)))
			copy(grown, buf)
			buf = grown
			w.buf = grown[:0]
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), want)])
		buf = buf[:len(buf)+n]
		w.l.opts.Progress.Bytes.Add(int64(n))
		if err == io.EOF {
			return buf, true, nil
		}
		if err != nil {
			return buf, false, err
		}
	}
	return buf, false, nil
}

// size is a number of bytes as people read it.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d bytes", n)
	}
	v, names := float64(n), []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := -1
	for v >= unit && i < len(names)-1 {
		v /= unit
		i++
	}
	return fmt.Sprintf("%.4g %s", v, names[i])
}
