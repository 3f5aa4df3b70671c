package gitsource

import (
	"context"
	"testing"
)

// A root that is known holds for what grew from its head, and for nothing else.
func TestRootCommitKnown(t *testing.T) {
	dir := initRepo(t)
	write(t, dir, "a", "1")
	first := commitAll(t, dir, "first")
	write(t, dir, "a", "2")
	commitAll(t, dir, "second")
	found, err := RootCommit(context.Background(), dir, Root{})
	if err != nil || found.Commit.String() != first {
		t.Fatalf("root %v, %v; want %s", found, err, first)
	}
	write(t, dir, "a", "3")
	third := commitAll(t, dir, "third")
	// Were the known root not used, this wrong one would not come back.
	wrong := Root{Head: found.Head, Commit: found.Head}
	got, err := RootCommit(context.Background(), dir, wrong)
	if err != nil || got.Commit != wrong.Commit || got.Head.String() != third {
		t.Errorf("with a known root: %v, %v", got, err)
	}
	// Another history in the same place.
	git(t, dir, "checkout", "-q", "--orphan", "other")
	write(t, dir, "b", "1")
	other := commitAll(t, dir, "other")
	got, err = RootCommit(context.Background(), dir, wrong)
	if err != nil || got.Commit.String() != other {
		t.Errorf("on an orphan branch: %v, %v; want %s", got, err, other)
	}
}
