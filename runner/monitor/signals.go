//go:build unix

package monitor

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// Catchable returns the signals to forward, and apart from them those without a name
// (real-time signals), since a handler for each takes its time: all but those that the kernel or the
// Go runtime sends a process for its own sake, and those that were ignored when it
// started (nohup), which the command ignores by inheritance as long as no handler
// is set for them. SIGPIPE is caught and not forwarded, so that a failed write is
// an error here and not our end.
func Catchable() (named, nameless []os.Signal) {
	own := []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGKILL, syscall.SIGSTOP,
		syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGPROF}
	for s := syscall.Signal(1); s < 65; s++ {
		// 32 and 33 belong to the C library's threads.
		if s == 32 || s == 33 || slices.Contains(own, s) || signal.Ignored(s) {
			continue
		}
		if s < 32 {
			named = append(named, s)
		} else {
			nameless = append(nameless, s)
		}
	}
	return named, nameless
}
