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
	// Version, if not nil, says what the content has in common with another one
	// of the same Group.
	Version *Version
	// Open returns the content. It may be called at most once, from any
	// goroutine, also after Walk went on to other files.
	Open func() (io.ReadCloser, error)
}

// Version places one content among those of a group, each of which may be built
// upon one that came before it.
type Version struct {
	// Level is how many contents this one is built upon. Its base is the last
	// one that came at the level before.
	Level int
	// Based is true if the base came.
	Based bool
	// Leaf is true if no other content is built upon this one, Last if none but
	// this one and those upon it remain that are built upon its base.
	Leaf, Last bool
	// Kept returns, ascending, what the content has from its base, and is to be
	// called after Open. nil: unknown.
	Kept func() []Kept
}

// Kept is a part of a content, in bytes: From is in it, To is not. The base has
// the same bytes from Base on.
type Kept struct{ From, To, Base int }

// Group is a number of files that are best looked at one right after the other.
// It calls file for each and stops at the first error that file returns. The
// Open of a file is to be called before file returns, if at all, and what it
// returned is not to be used afterwards.
type Group func(ctx context.Context, file func(File) error) error

// Grouped is implemented by sources whose files come in groups.
type Grouped interface {
	Source
	// Groups is Walk for groups. Each may be called from any goroutine, once,
	// also while Groups goes on.
	Groups(ctx context.Context, group func(Group) error, skip func(outcome.Skip) error) error
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
