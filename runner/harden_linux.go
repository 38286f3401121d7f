package runner

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// coreLimit is the limit on core files before Harden, for the command; nil where
// it was left as it is.
var coreLimit *unix.Rlimit

// Harden keeps other processes of the same user from reading this one's memory
// and first environment (/proc/PID/mem, /proc/PID/environ, ptrace) and the system
// from writing it to a core file. Call it before reading a credential; [Run] does,
// too. What root may do is not changed. See PR_SET_DUMPABLE in prctl(2).
func Harden() error { return harden() }

var harden = sync.OnceValue(func() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 0, Max: before.Max}); err != nil {
		return os.NewSyscallError("setrlimit", err)
	}
	coreLimit = &before
	return nil
})

// restoreLimits gives the command the limits that this process had. It runs just
// after the start; exec(2) made the command dumpable again by itself. A command
// that changed its user meanwhile keeps the lower limit.
func restoreLimits(pid int) {
	if coreLimit != nil {
		_ = unix.Prlimit(pid, unix.RLIMIT_CORE, coreLimit, nil)
	}
}

// limits is coreLimit as an argument for a monitor, which adoptLimits reads.
func limits() string {
	if coreLimit == nil {
		return "-"
	}
	return fmt.Sprintf("%d:%d", coreLimit.Cur, coreLimit.Max)
}

func adoptLimits(text string) {
	var limit unix.Rlimit
	if n, _ := fmt.Sscanf(text, "%d:%d", &limit.Cur, &limit.Max); n == 2 {
		coreLimit = &limit
	}
}
