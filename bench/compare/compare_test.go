package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMissing(t *testing.T) {
	want := []place{
		{Rule: "a", Path: "/src/x/one.txt", Start: 3, End: 4}, // the match began on the line before
		{Rule: "a", Path: "/src/x/one.txt", Start: 9, End: 9},
		{Rule: "b", Path: "/src/x/one.txt", Start: 4, End: 4},
		{Rule: "a", Path: "/src/x/two.txt", Start: 4, End: 4},
	}
	got := []place{{Rule: "a", Path: "one.txt", Start: 4, End: 4}}
	left := []place{
		{Rule: "a", Path: "one.txt", Start: 9, End: 9},
		{Rule: "b", Path: "one.txt", Start: 4, End: 4},
		{Rule: "a", Path: "two.txt", Start: 4, End: 4},
	}
	if diff := cmp.Diff(left, missing("/src/x", want, got)); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if got := others(left[1], got); got != " (found there: a)" {
		t.Errorf("others = %q", got)
	}
}

func TestShare(t *testing.T) {
	for _, tt := range []struct {
		a, b float64
		want string
	}{
		{1, 20, "1/20.0 of"}, {30, 10, "3.0 times"}, {5, 5, "1.0 times"}, {0, 1, "an unknown part of"},
	} {
		if got := share(tt.a, tt.b); got != tt.want {
			t.Errorf("share(%v, %v) = %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestMedianIsOfEachMeasureAlone(t *testing.T) {
	all := []usage{{wall: 3, cpu: 10, memory: 7}, {wall: 1, cpu: 30, memory: 9}, {wall: 2, cpu: 20, memory: 8}}
	if got := median(all, func(u usage) time.Duration { return u.wall }); got != 2 {
		t.Errorf("wall = %d", got)
	}
	if got := median(all, func(u usage) int64 { return u.memory }); got != 8 {
		t.Errorf("memory = %d", got)
	}
}

func TestOnceReportsFailure(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary itself is a program that surely exists.
	_, err = once(t.Context(), thing{name: "wrong", args: []string{self, "-no.such.flag"}})
	if err == nil || !strings.Contains(err.Error(), "exit code 2") {
		t.Errorf("err = %v", err)
	}
	u, err := once(t.Context(), thing{name: "right", args: []string{self, "-test.run=^$"}})
	if err != nil || u.wall <= 0 || u.memory <= 0 {
		t.Errorf("usage = %+v, err = %v", u, err)
	}
}

func TestReadAll(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := readAll(t.Context(), dir); err != nil {
		t.Error(err)
	}
	files, bytes, err := size(dir)
	if files != 2 || bytes != 2 || err != nil {
		t.Errorf("size = %d, %d, %v", files, bytes, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := readAll(ctx, dir); err == nil {
		t.Error("a cancelled read must say so")
	}
}
