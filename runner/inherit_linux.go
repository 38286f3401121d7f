package runner

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// closeOnExec keeps what this process inherited beyond the standard streams from
// the command: a descriptor of a credential's file, for one. Its own are closed
// on exec already.
func closeOnExec() error {
	const first = 3
	if unix.CloseRange(first, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	// Kernels before 5.11.
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
