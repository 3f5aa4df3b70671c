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
	// Fresh, if not nil, are the ranges of Content, ascending, that another
	// content at the same path does not have, which is examined as well. What
	// lies outside of them, and far enough from them, need not be looked at. A
	// finding then only tells that there is one: the content is examined again,
	// as a whole.
	Fresh []Range
}

// Range is a part of a content, in bytes: From is in it, To is not.
type Range struct{ From, To int }

// Result is what a scanner says of one chunk. It is cached: it must hold no
// secret value.
type Result struct {
	Findings []finding.Finding `json:"findings,omitempty"`
	// Facts are handed to Conclude, for scanners whose findings need more than
	// one file.
	Facts json.RawMessage `json:"facts,omitempty"`
	// Gap says what of the chunk was not looked at, and why; empty if nothing.
	Gap string `json:"gap,omitempty"`
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
// the order of their paths.
type Concluder interface {
	Conclude(ctx context.Context, facts []Fact) ([]finding.Finding, error)
}
