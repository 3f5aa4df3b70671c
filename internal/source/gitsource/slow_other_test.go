//go:build !linux

package gitsource

func setSlow(*rootDir, bool) {}
