package secret

import (
	"context"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"bulwark/internal/identity"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/secret/assign"
	"bulwark/internal/scanner/secret/keyword"
	"bulwark/internal/scanner/secret/rule"
)

// engine is a compiled rule set, immutable and safe for concurrent use.
type engine struct {
	set    *rule.Set
	words  *keyword.Automaton
	byWord [][]int32 // word → indexes of rules
	// reach tells how far from each word a change may matter, in bytes. It takes
	// the reach of every rule, which only histories need.
	reach func() []int
	// folding is the index from which words are not keywords but characters
	// that regular expressions fold into ASCII letters (K, ſ): where one
	// occurs, windows cannot be relied on.
	folding uint32
	always  []int32 // rules without keywords
	paths   []int32 // rules about paths alone
	// parts are the rules that composite rules require.
	parts map[int32]bool
	// placed is set if some list of what is allowed names paths, pinned if one
	// names commits: then results are those of one path, or of one commit.
	placed, pinned bool
	index          map[string]int32
	scratch        sync.Pool
}

// foldedLetters are the non-ASCII characters that (?i) lets stand for k and s.
var foldedLetters = []string{"\u212a", "\u017f"}

func newEngine(set *rule.Set) (*engine, error) {
	e := &engine{set: set, parts: map[int32]bool{}, index: map[string]int32{}}
	var words []string
	at := map[string]int{}
	for i, r := range set.Rules {
		e.index[r.ID] = int32(i)
		switch {
		case r.Regex == nil && r.AssignedTo == nil:
			e.paths = append(e.paths, int32(i))
			continue
		case len(r.Keywords) == 0:
			e.always = append(e.always, int32(i))
			continue
		}
		for _, k := range r.Keywords {
			n, ok := at[k]
			if !ok {
				n = len(words)
				at[k] = n
				words = append(words, k)
				e.byWord = append(e.byWord, nil)
			}
			e.byWord[n] = append(e.byWord[n], int32(i))
		}
	}
	e.bind(set.Allowlists)
	for _, r := range set.Rules {
		e.bind(r.Allowlists)
		for _, q := range r.Required {
			e.parts[e.index[q.RuleID]] = true
		}
	}
	e.folding = uint32(len(words))
	e.reach = sync.OnceValue(func() []int {
		out := make([]int, 0, len(e.byWord))
		for _, rules := range e.byWord {
			out = append(out, e.farthest(rules))
		}
		return out
	})
	words = append(words, foldedLetters...)
	var err error
	if e.words, err = keyword.New(words); err != nil {
		return nil, fmt.Errorf("preparing the secret rules: %w", err)
	}
	e.scratch.New = func() any {
		return &examination{e: e, state: make([]ruleState, len(set.Rules)), spans: make([][]span, len(set.Rules)), runs: make([]run, len(set.Rules))}
	}
	return e, nil
}

func (e *engine) bind(lists []*rule.Allowlist) {
	for _, a := range lists {
		e.placed = e.placed || len(a.Paths) > 0
		e.pinned = e.pinned || len(a.Commits) > 0
	}
}

func (e *engine) wantsPath(path string) bool {
	for _, i := range e.paths {
		if e.set.Rules[i].Path.Match(path) {
			return true
		}
	}
	return false
}

// span is a range of the content.
type span struct{ lo, hi int }

// ruleState is what one examination knows of one rule.
type ruleState uint8

const (
	untouched ruleState = iota
	wanted              // a keyword was seen and the path is the rule's
	unwanted            // allowed or not meant for this path
)

// examination is one content being examined. It is reused.
type examination struct {
	e   *engine
	ctx context.Context
	c   *scanner.Chunk
	key identity.Key
	// own is the part of the content whose matches belong to this chunk; the
	// rest is overlap with its neighbours.
	own    span
	syntax assign.Syntax
	pathJudgement

	hits    []keyword.Hit
	state   []ruleState
	spans   [][]span
	runs    []run
	touched []int32
	found   []candidate
	gap     string // what was given up; empty if nothing
	// base is what is known of the content that this one is built upon, and
	// fresh what of this one has to be looked at because of it; nil: everything.
	base  *memory
	fresh freshness
	inherited
	left  *memory // for others to inherit
	masks []span  // of everything that may not be shown
	whole bool    // the content holds characters that fold into ASCII letters
	// everywhere makes expressions run over the whole text, for tests.
	everywhere bool

	// What is being looked at: the chunk's content, or a decoded layer.
	text  []byte
	layer *layer
}

// layer says where a decoded text came from.
type layer struct {
	source  span   // of the encoded run in the chunk
	decoded span   // of the decoded run in the spliced text
	before  int    // where the spliced text begins in the chunk
	how     string // "base64"

}

func (e *engine) examine(ctx context.Context, c *scanner.Chunk, key identity.Key) *examination {
	x := e.scratch.Get().(*examination)
	x.ctx, x.c, x.key, x.text = ctx, c, key, c.Content
	x.syntax = assign.SyntaxOf(c.Path)
	x.pathJudgement = judgePath(c.Path)
	x.own = span{0, len(c.Content)}
	if c.Offset > 0 {
		x.own.lo = min(overlap/2, len(c.Content))
	}
	if !c.Last {
		x.own.hi = max(x.own.lo, len(c.Content)-overlap/2)
	}
	return x
}

func (x *examination) release() {
	e := x.e
	clear(x.state)
	clear(x.found)
	for _, i := range x.touched {
		x.spans[i] = x.spans[i][:0]
	}
	x.touched, x.found, x.hits, x.masks = x.touched[:0], x.found[:0], x.hits[:0], x.masks[:0]
	x.whole, x.everywhere = false, false
	if cap(x.hits) > 1<<20 {
		x.hits = nil
	}
	x.ctx, x.c, x.text, x.layer, x.gap, x.base, x.fresh, x.left = nil, nil, nil, nil, "", nil, nil, nil
	e.scratch.Put(x)
}

// run fills found with everything that the rules match, judged and free of
// overlaps.
func (x *examination) run() error {
	if x.c.Offset == 0 {
		for _, i := range x.e.paths {
			if r := x.e.set.Rules[i]; x.rulePath(r) {
				x.found = append(x.found, candidate{rule: r, pathOnly: true})
			}
		}
	}
	if x.c.Type == scanner.Binary {
		return nil
	}
	x.inherit()
	if err := x.look(); err != nil {
		return err
	}
	if err := x.decode(); err != nil {
		return err
	}
	if x.c.Remember {
		x.left = x.remember()
	}
	for _, c := range x.found {
		if !c.pathOnly {
			x.masks = append(x.masks, c.secret)
		}
	}
	x.compose()
	x.resolve()
	return nil
}

// rulePath reports whether the rule is meant for the path and not allowed there.
func (x *examination) rulePath(r *rule.Rule) bool {
	if r.Path != nil && !r.Path.Match(x.c.Path) {
		return false
	}
	for _, lists := range [][]*rule.Allowlist{x.e.set.Allowlists, r.Allowlists} {
		for _, a := range lists {
			if a.PathAllowed(x.c.Path, x.c.Commit) {
				return false
			}
		}
	}
	return true
}

// touch reports whether rule i is to be applied to this content.
func (x *examination) touch(i int32) bool {
	if x.state[i] == untouched {
		x.state[i] = unwanted
		if x.rulePath(x.e.set.Rules[i]) {
			x.state[i] = wanted
			x.touched = append(x.touched, i)
		}
	}
	return x.state[i] == wanted
}

// look applies the rules to x.text.
func (x *examination) look() error {
	e := x.e
	for _, i := range x.touched {
		x.spans[i] = x.spans[i][:0]
	}
	fresh := x.fresh
	if x.layer != nil {
		fresh = nil // it was decoded because it is fresh
	}
	hits := x.scanWords()
	for _, h := range hits {
		if h.Word >= e.folding {
			x.whole = true
		}
	}
	if err := x.ctx.Err(); err != nil {
		return err
	}
	var (
		lastStart, lastEnd int32 = -1, -1
		a                  assign.Assignment
		assigned           bool
	)
	near := nearer{fresh: fresh}
	for n, h := range hits {
		if h.Word >= e.folding {
			continue
		}
		if n&0xfff == 0xfff && x.ctx.Err() != nil {
			return x.ctx.Err()
		}
		if !x.whole && near.distance(h) > e.reach()[h.Word] {
			continue
		}
		for _, i := range e.byWord[h.Word] {
			r := e.set.Rules[i]
			if r.AssignedTo != nil {
				if !x.affected(int(h.Start), int(h.End)+assignReach) {
					continue
				}
				if h.Start != lastStart || h.End != lastEnd {
					a, assigned = assign.At(x.text, int(h.Start), int(h.End-h.Start), x.syntax)
					lastStart, lastEnd = h.Start, h.End
				}
				if assigned && x.touch(i) {
					x.assigned(r, a)
				}
				continue
			}
			if !x.touch(i) {
				continue
			}
			x.widen(i, r.Reach(), int(h.Start))
		}
	}
	for _, i := range e.always {
		if x.touch(i) {
			x.spans[i] = append(x.spans[i][:0], span{0, len(x.text)})
		}
	}
	// Parts of composite rules count wherever they are, keyword or not. Where
	// every match holds a keyword, its windows are known already.
	for _, i := range x.touched {
		for _, q := range e.set.Rules[i].Required {
			p := e.index[q.RuleID]
			if part := e.set.Rules[p]; part.AssignedTo == nil && part.Regex != nil && !part.Reach().Anchored && len(x.spans[p]) == 0 && x.touch(p) {
				x.spans[p] = append(x.spans[p], span{0, len(x.text)})
			}
		}
	}
	for k := 0; k < len(x.touched); k++ {
		i := x.touched[k]
		for _, w := range x.spans[i] {
			if !x.affected(w.lo, w.hi) {
				continue
			}
			if err := x.match(e.set.Rules[i], w); err != nil {
				return err
			}
		}
	}
	return nil
}

// The piece that an expression sees at once where its matches have no greatest
// length. Engines that run in linear time still take quadratic time to find
// all matches of some expressions; pieces bound that. gitleaks cuts at 100 kB.
const (
	piece        = 256 << 10
	pieceOverlap = 128 << 10
)

// Budgets of one expression on one text, in bytes. Finding all matches of an
// expression without a greatest length can take quadratic time. Once the text
// that was offered again and again exceeds offered times its size, what is
// really read is counted, and beyond readBudget the rule is given up with a
// gap: said, not silent.
const (
	offered    = 16
	readBudget = 16 << 20
)

// match runs the rule's expression over the window.
func (x *examination) match(r *rule.Rule, w span) error {
	re := r.Regex.Re()
	bounded := r.Reach().Length >= 0
	work, counted := 0, 0
	for lo := w.lo; ; lo += piece - pieceOverlap {
		hi := min(lo+piece, w.hi)
		if bounded {
			hi = w.hi
		}
		for pos := lo; pos < hi; {
			if err := x.ctx.Err(); err != nil {
				return err
			}
			var loc []int
			if work += hi - pos; bounded || work <= offered*(w.hi-w.lo+piece) {
				loc = re.FindIndex(x.text[pos:hi])
			} else {
				in := counter{text: x.text[pos:hi]}
				loc = re.FindReaderIndex(&in)
				if counted += in.at; counted > readBudget {
					x.gap = fmt.Sprintf("rule %s takes too long on this content; simplify its expression", r.ID)
					return nil
				}
			}
			if loc == nil {
				break
			}
			start, end := pos+loc[0], pos+loc[1]
			if end == start {
				pos = end + 1
				continue
			}
			// At an edge that is not the text's own, assertions hold that do
			// not hold in the text. No match that counts touches one: windows
			// have slack, and pieces overlap.
			if (start > lo || lo == 0) && (end < hi || hi == len(x.text)) {
				x.matched(r, start, end, w)
			}
			pos = end
		}
		if hi == w.hi {
			return nil
		}
	}
}

// counter reads runes and knows how far it got.
type counter struct {
	text []byte
	at   int
}

// ReadRune reads the next rune.
func (c *counter) ReadRune() (rune, int, error) {
	if c.at >= len(c.text) {
		return 0, 0, io.EOF
	}
	r, n := utf8.DecodeRune(c.text[c.at:])
	c.at += n
	return r, n, nil
}

// matched takes one match of a rule's expression, as gitleaks does: line feeds
// at its ends do not belong to it, and groups are those of the match alone. It was
// found in the window w.
func (x *examination) matched(r *rule.Rule, start, end int, w span) {
	for start < end && x.text[start] == '\n' {
		start++
	}
	for start < end && x.text[end-1] == '\n' {
		end--
	}
	if start == end {
		return
	}
	sStart, sEnd := start, end
	if groups := r.Regex.Re().FindSubmatchIndex(x.text[start:end]); len(groups) >= 4 {
		if r.SecretGroup > 0 {
			if g := 2 * r.SecretGroup; g+1 < len(groups) && groups[g] >= 0 {
				sStart, sEnd = start+groups[g], start+groups[g+1]
			} else {
				sStart, sEnd = start, start
			}
		} else {
			for g := 2; g+1 < len(groups); g += 2 {
				if groups[g+1] > groups[g] {
					sStart, sEnd = start+groups[g], start+groups[g+1]
					break
				}
			}
		}
	}
	x.consider(candidate{rule: r, match: span{start, end}, secret: span{sStart, sEnd}, needs: w})
}

// assigned takes one assignment whose name holds a keyword of the rule.
func (x *examination) assigned(r *rule.Rule, a assign.Assignment) {
	if a.ValueEnd <= a.ValueStart {
		return
	}
	if !r.AssignedTo.Re().Match(x.text[a.NameStart:a.NameEnd]) {
		return
	}
	value := span{a.ValueStart, a.ValueEnd}
	if r.Regex != nil {
		loc := r.Regex.Re().FindSubmatchIndex(x.text[value.lo:value.hi])
		if loc == nil {
			return
		}
		if g := 2 * r.SecretGroup; g > 0 && g+1 < len(loc) && loc[g] >= 0 {
			value = span{value.lo + loc[g], value.lo + loc[g+1]}
		}
	}
	x.consider(candidate{
		rule: r, secret: value, assignment: &a,
		match: span{min(a.NameStart, value.lo), max(a.NameEnd, value.hi)},
		needs: span{min(a.NameStart, value.lo), max(a.NameEnd, value.hi) + assignReach},
	})
}
