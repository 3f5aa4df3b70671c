// Package source says where the bytes of an asset come from: a folder, a git
// work tree, a change, a history, an archive, a stream. It never executes
// anything, never trusts a repository's configuration and never leaves the
// root. It does not judge content; that is what scanners are for.
package source

import (
	"context"
	"io"

	"bulwark/internal/asset"
	"bulwark/internal/finding"
	"bulwark/internal/outcome"
)

// File is something to look at.
type File struct {
	Path string // slash-separated, relative to the root
	Size int64  // bytes; -1 if unknown
	// ContentID identifies the content without reading it, such as
	// "sha1:<object id>" for a blob of a git object store and "wt-sha1:<object
	// id>" for an unmodified file of a work tree (whose bytes may differ from
	// the blob's by line-ending conversion). Empty when unknown.
	ContentID string
	// Commit is the commit that introduced the content, for histories.
	Commit *finding.Commit
	// Historical is true when the content is not part of the examined tree.
	Historical bool
	// Family, if not 0, joins contents of which each differs from another one of
	// the family at the same path, but for one that stands alone. See Families.
	Family int
	// Fresh: Optional: returns the ranges of the content, ascending, that the
	// other content does not have. It is nil for the one that stands alone.
	// ContentID then names both contents.
	Fresh func() ([]Range, error)
	// Open returns the content. It may be called at most once, from any
	// goroutine, also after Walk went on to other files.
	Open func() (io.ReadCloser, error)
}

// Range is a part of a content, in bytes: From is in it, To is not.
type Range struct{ From, To int }

// Families is implemented by sources whose files have a Family. To look at what
// is fresh in each content finds in every family what is to be found in one of
// its contents; which of them, and since which commit, is found by looking at
// the whole family again.
type Families interface {
	// Again calls file for all contents of the families, without Fresh. It may
	// be called once, after Walk.
	Again(ctx context.Context, families map[int]bool, file func(File) error) error
}

// Source is an asset whose files can be walked.
type Source interface {
	// Asset describes what is walked.
	Asset() asset.Asset
	// Notices are facts about the source that a person should know, such as a
	// shallow clone. Valid after Walk.
	Notices() []outcome.Notice
	// Walk calls file for each thing to look at and skip for each that is left
	// out, one at a time. It stops at the first error that either returns and
	// when ctx is done. Content that cannot be read is a skip with Failed set,
	// not an error.
	Walk(ctx context.Context, file func(File) error, skip func(outcome.Skip) error) error
}

// Left is the error of a File's Open or Read whose content is left out for a
// reason that has a name: a missing object of a partial clone, a file that
// changed while it was read.
type Left struct {
	Reason string // a fixed phrase, see outcome.Skip
	Detail string
	Failed bool
}

func (l *Left) Error() string {
	if l.Detail == "" {
		return l.Reason
	}
	return l.Reason + ": " + l.Detail
}

// Skip is how a report names it.
func (l *Left) Skip(path string) outcome.Skip {
	return outcome.Skip{Path: path, Reason: l.Reason, Detail: l.Detail, Failed: l.Failed}
}
