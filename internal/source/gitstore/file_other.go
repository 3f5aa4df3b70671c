//go:build !unix

package gitstore

const nonBlock = 0

func isNotDir(error) bool { return false }
