package monitor

import (
	"os"
	"strconv"
	"syscall"
)

// CloseOnExec keeps what this process inherited beyond the standard streams from
// the processes that it starts: a descriptor of a credential's file, for one. Its own
// are closed on exec already.
func CloseOnExec() error {
	const first = 3
	// close_range(2), which syscall lacks.
	const closeRange, cloexec = 436, 4
	if _, _, err := syscall.RawSyscall(closeRange, first, uintptr(^uint32(0)), cloexec); err == 0 {
		return nil
	}
	// Kernels before 5.11.
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= first {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}
