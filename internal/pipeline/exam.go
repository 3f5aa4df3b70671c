package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"bulwark/internal/outcome"
	"bulwark/internal/pipeline/cache"
	"bulwark/internal/scanner"
	"bulwark/internal/source"
	"bulwark/internal/triage"
)

// exam is one file being examined chunk by chunk.
type exam struct {
	w       *worker
	f       source.File
	m       scanner.Meta
	maybe   []bool // the scanners that wanted it before its type was known
	results []scanner.Result
	said    triage.FileDirectives
	offset  int64
	line    int
	column  int
	// directed is the offset up to which directives have been looked for.
	directed int64
	exact    bool // the content is what the file holds, byte for byte
}

// chunks examines the whole content: in one piece, or where it is larger than
// chunkSize in overlapping ones.
func (e *exam) chunks(ctx context.Context, r io.Reader, buf []byte, last bool) error {
	w := e.w
	for {
		var err error
		if !last {
			if buf, last, err = w.fill(ctx, r, buf, w.wanted()); err != nil {
				return err
			}
		}
		if e.offset+int64(len(buf)) > w.l.opts.MaxFileSize {
			w.l.skip(outcome.Skip{Path: e.f.Path, Reason: "too large", Failed: true,
				Detail: fmt.Sprintf("more than %s (scan.max_file_size); the first %s were examined", size(w.l.opts.MaxFileSize), size(e.offset))})
			e.finish("") // what the first pieces gave counts, and is not remembered
			return nil
		}
		id := e.f.ContentID
		if last && e.offset == 0 && id == "" && w.l.opts.Cache != nil && e.exact {
			sum := sha256.Sum256(buf)
			id = "raw-sha256:" + hex.EncodeToString(sum[:])
			if w.remembered(e.f, e.m, id) {
				return nil
			}
		}
		overlap, err := e.examine(ctx, buf, last)
		if err != nil {
			return err
		}
		if last {
			e.finish(id)
			return nil
		}
		if !slices.Contains(w.wants, true) {
			return nil // all that wanted it take only whole files
		}
		// Keep the overlap, go on behind it.
		next := len(buf) - overlap
		passed := buf[:next]
		if n := bytes.Count(passed, []byte{'\n'}); n > 0 {
			e.line += n
			e.column = next - bytes.LastIndexByte(passed, '\n') - 1
		} else {
			e.column += next
		}
		e.offset += int64(next)
		buf = buf[:copy(buf, buf[next:])]
	}
}

// wanted is how much of the file is held at once, in bytes.
func (w *worker) wanted() int {
	n := int64(chunkSize)
	for i := range w.wants {
		if w.wants[i] {
			n = max(n, min(w.l.infos[i].WholeFile, w.l.opts.MaxFileSize))
		}
	}
	return int(n)
}

// examine offers one chunk to the scanners and returns how much of its end the
// next one has to repeat.
func (e *exam) examine(ctx context.Context, content []byte, last bool) (overlap int, err error) {
	w := e.w
	whole := last && e.offset == 0
	c := scanner.Chunk{Meta: e.m, Content: content, Offset: e.offset, Line: e.line, Column: e.column, Last: last}
	if c.Size < 0 && whole {
		c.Size = int64(len(content))
	}
	below, own := e.relate(&c, whole)
	for i, s := range w.l.opts.Scanners {
		if !w.wants[i] {
			continue
		}
		info := &w.l.infos[i]
		c.Base = nil
		if below != nil {
			c.Base = below.states[i]
		}
		if !whole && info.ChunkOverlap == 0 {
			w.wants[i] = false
			e.maybe[i] = false // it is wanted: the cache must not say otherwise
			w.skip(i, outcome.Skip{Path: e.f.Path, Reason: "too large for the " + info.Name + " scanner", Failed: true,
				Detail: fmt.Sprintf("more than %s", size(int64(len(content))))})
			continue
		}
		overlap = max(overlap, info.ChunkOverlap)
		res, err := s.Scan(ctx, &c)
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err != nil {
			w.l.fail(i, err)
			w.wants[i] = false
			continue
		}
		r := &e.results[i]
		r.Findings = append(r.Findings, res.Findings...)
		if len(res.Facts) > 0 {
			r.Facts = res.Facts
		}
		if res.Gap != "" {
			r.Gap = res.Gap
		}
		if own != nil {
			own.states[i] = res.State
		}
		w.counts[i].bytes += int64(len(content))
	}
	if own != nil && own.silent || own == nil && below != nil && below.silent && !marked(content, c.Kept) {
		return 0, nil // the content is whole, and has no directives
	}
	e.direct(content, last)
	return min(overlap, len(content)/2), nil
}

// direct finds the directives in those lines of a chunk that no earlier chunk
// held whole. The last line of a chunk may go on in the next one: half a
// directive would be taken for a malformed one.
func (e *exam) direct(content []byte, last bool) {
	from := int(max(e.directed-e.offset, 0))
	if from == 0 && e.column > 0 { // the rest of a line longer than the overlap
		from = bytes.IndexByte(content, '\n') + 1
		if from == 0 {
			return
		}
	}
	to := len(content)
	if !last {
		to = bytes.LastIndexByte(content, '\n') + 1
	}
	if from >= to {
		return
	}
	e.directed = e.offset + int64(to)
	part := content[from:to]
	if !bytes.Contains(part, []byte(triage.Marker)) {
		return
	}
	before := e.line - 1 + bytes.Count(content[:from], []byte{'\n'})
	d, p := triage.Directives(part)
	for i := range d {
		d[i].Line += before
		if d[i].Below > 0 {
			d[i].Below += before
		}
	}
	for i := range p {
		p[i].Line += before
	}
	e.said.Directives = append(e.said.Directives, d...)
	e.said.Problems = append(e.said.Problems, p...)
}

// relate tells the scanners what the content has in common with the one that it
// is built upon. It returns what is known of that one, nil if nothing is, and
// where to note what will be known of this one, nil if nobody will ask.
func (e *exam) relate(c *scanner.Chunk, whole bool) (below, own *base) {
	v := e.f.Version
	if v == nil || !whole || !e.exact {
		return nil, nil
	}
	if v.Based && e.w.bases[v.Level-1].known {
		if kept := v.Kept(); kept != nil {
			below = &e.w.bases[v.Level-1]
			c.Kept = e.w.kept[:0]
			for _, k := range kept {
				c.Kept = append(c.Kept, scanner.Kept(k))
			}
			e.w.kept = c.Kept
		}
	}
	if !v.Leaf {
		c.Remember = true
		own = &e.w.bases[v.Level]
		own.known = true
		if below != nil && below.silent {
			own.silent = !marked(c.Content, c.Kept)
		} else {
			own.silent = !bytes.Contains(c.Content, []byte(triage.Marker))
		}
	}
	return below, own
}

// marked reports whether a content has the marker of directives elsewhere than
// in what it has from one that has none.
func marked(content []byte, kept []scanner.Kept) bool {
	const seam = len(triage.Marker) - 1
	at := 0
	for i := 0; i <= len(kept); i++ {
		to := len(content)
		if i < len(kept) {
			to = kept[i].From
		}
		if bytes.Contains(content[max(0, at-seam):min(len(content), to+seam)], []byte(triage.Marker)) {
			return true
		}
		if i < len(kept) {
			at = kept[i].To
		}
	}
	return false
}

// finish keeps and remembers the results of the whole file.
func (e *exam) finish(id string) {
	w := e.w
	c := w.l.opts.Cache
	store := func(k cache.Key, empty bool, v any) {
		if c == nil || id == "" {
			return
		}
		if empty {
			c.Put(k, nil)
			return
		}
		if b, err := json.Marshal(v); err == nil {
			c.Put(k, b)
		}
	}
	for i := range w.wants {
		switch {
		case w.wants[i]:
			r := e.results[i]
			store(w.key(i, e.f, id), len(r.Findings)+len(r.Facts)+len(r.Gap) == 0, r)
			w.counts[i].files++
			w.take(i, e.f, r)
		case e.maybe[i] && w.l.broken[i].Load() == nil && c != nil && id != "":
			c.Put(w.key(i, e.f, id), unwanted)
		}
	}
	store(directiveKey(id), len(e.said.Directives)+len(e.said.Problems) == 0, e.said)
	w.directed(e.f, e.said)
}
