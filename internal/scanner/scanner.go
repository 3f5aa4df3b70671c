// Package scanner is the contract between the pipeline and what looks at
// content. A scanner is a pure function of content, path and rules: it opens
// nothing, runs nothing and reaches nothing, so that its result can be cached.
// The scanners themselves live in the folders below; they never import one
// another.
package scanner

import (
	"context"
	"encoding/json"

	"bulwark/internal/finding"
)

// ContentType is what the first bytes of a file say that it is.
type ContentType uint8

// The content types. Text that is UTF-16 is decoded before a scanner sees it.
const (
	Undetermined ContentType = iota // not yet read
	Text
	Binary
)

// Meta is what is known of a file before its content is offered.
type Meta struct {
	Path string // slash-separated, relative to the root
	Name string // last element of Path
	Ext  string // lower-case, with the dot; empty if none
	Size int64  // bytes; -1 if unknown
	Type ContentType
	// Historical is true for content that is no longer (or not yet) part of
	// the tree: a blob of an earlier commit. Most scanners don't want it.
	Historical bool
	// Commit is the commit that introduced the content, for histories; else empty.
	Commit string
}

// Chunk is a piece of a file's content. All but the very large files come as
// one chunk with Offset 0 and Last set.
type Chunk struct {
	Meta
	// Content is decoded text (UTF-8, possibly with invalid bytes) or the raw
	// bytes of a binary file. It is valid only during the call.
	Content []byte
	Offset  int64 // of Content[0] in the decoded file, in bytes
	Line    int   // line number of Content[0], from 1
	Column  int   // bytes of that line before Content[0]; 0 for all but pieces of one very long line
	Last    bool  // no chunk follows
	// Base, if not nil, is the State that Scan returned for another content, perhaps
	// at another path, and Kept, ascending, is what this content has from that
	// one. It is a help: the result is the same as without it.
	Base State
	Kept []Kept
	// Remember says that State is wanted.
	Remember bool
}

// Kept is a part of a content, in bytes: From is in it, To is not. The base has
// the same bytes from Base on.
type Kept struct{ From, To, Base int }

// State is what a scanner remembers of a content, to look faster at others that
// are like it. It is immutable, and known to the scanner alone.
type State any

// Result is what a scanner says of one chunk. It is cached: it must hold no
// secret value.
type Result struct {
	Findings []finding.Finding `json:"findings,omitempty"`
	// Facts are handed to Conclude, for scanners whose findings need more than
	// one file.
	Facts json.RawMessage `json:"facts,omitempty"`
	// Gap says what of the chunk was not looked at, and why; empty if nothing.
	Gap string `json:"gap,omitempty"`
	// State: Optional: see Chunk.Base.
	State State `json:"-"`
}

// Info describes a scanner.
type Info struct {
	Name    string // "secret"
	Version string // raised whenever equal rules and content give another result
	RuleSet string // hash over everything that configures it
	// ChunkOverlap is how many bytes of a chunk are repeated at the start of
	// the next one for very large files. 0 means that the scanner takes only
	// whole files; a larger file is then reported as not looked at.
	ChunkOverlap int
	// WholeFile is, for a scanner that takes only whole files, how large they
	// may be, in bytes. 0: as large as a chunk is anyway.
	WholeFile int64
}

// Scanner looks at content.
type Scanner interface {
	Info() Info
	// Rules lists what the scanner tests for.
	Rules() []finding.Rule
	// Wants reports interest. It is asked twice: with Type Undetermined before
	// a file is opened, and again when its type is known.
	Wants(m Meta) bool
	// Scan examines one chunk. It must return soon after ctx is done, be safe
	// for concurrent use, and never panic on any input.
	Scan(ctx context.Context, c *Chunk) (Result, error)
}

// Fact is what Scan returned as Facts, with the file it came from.
type Fact struct {
	Path string
	Data json.RawMessage
}

// Concluder is implemented by scanners whose findings need more than one file:
// after the last chunk, Conclude is called once with the facts of all files in
// the order of their paths. Where only a change is looked at and it has facts,
// they are those of all files after the change.
type Concluder interface {
	// Conclude returns findings, and beside them a *NotRunError when what it
	// needs to look is missing or out of date.
	Conclude(ctx context.Context, facts []Fact) ([]finding.Finding, error)
}

// NotRunError says that a scanner did not do its work although nothing is wrong
// with what it was to look at. The run then says "not run", never "clean".
type NotRunError struct{ Reason string }

func (e *NotRunError) Error() string { return e.Reason }
