package gitsource

import (
	"io/fs"
	"syscall"
)

const nonBlock = syscall.O_NONBLOCK

func fillStat(s *fileStat, info fs.FileInfo) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	s.known = true
	s.ino = uint32(st.Ino)
	s.mtime = moment{uint32(st.Mtimespec.Sec), uint32(st.Mtimespec.Nsec)}
	s.ctime = moment{uint32(st.Ctimespec.Sec), uint32(st.Ctimespec.Nsec)}
}
