//go:build unix

package main

import (
	"math"
	"syscall"
)

// private makes every file that this process makes unreadable for others,
// those that libraries make included, whatever umask it was started with.
func private() { syscall.Umask(0o077) }

// maxDescriptors is how many files and connections may be open. Go has raised
// the limit as far as it is permitted.
func maxDescriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Cur)
}
