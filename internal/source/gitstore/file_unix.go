//go:build unix

package gitstore

import (
	"errors"
	"syscall"
)

const nonBlock = syscall.O_NONBLOCK

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
