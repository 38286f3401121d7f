//go:build unix

package monitor

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// Catchable returns the signals to forward: all but those that the kernel or the
// Go runtime sends a process for its own sake, and those that were ignored when it
// started (nohup), which the command ignores by inheritance as long as no handler
// is set for them. SIGPIPE is caught and not forwarded, so that a failed write is
// an error here and not our end.
func Catchable() []os.Signal {
	own := []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGKILL, syscall.SIGSTOP,
		syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGPROF}
	var list []os.Signal
	for s := syscall.Signal(1); s < 65; s++ {
		// 32 and 33 belong to the C library's threads.
		if s == 32 || s == 33 || slices.Contains(own, s) || signal.Ignored(s) {
			continue
		}
		list = append(list, s)
	}
	return list
}
