package monitor

import (
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER in prctl(2), which syscall lacks.
const prSetChildSubreaper = 36

// CoreLimit is the limit on core files before Harden, for the command; nil where it
// was left as it is.
var CoreLimit *syscall.Rlimit

// Harden keeps other processes of the same user from reading this one's memory and
// first environment (/proc/PID/mem, /proc/PID/environ, ptrace) and the system from
// writing it to a core file. See PR_SET_DUMPABLE in prctl(2).
var Harden = sync.OnceValue(func() error {
	if err := prctl(syscall.PR_SET_DUMPABLE, 0); err != nil {
		return err
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &before); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: 0, Max: before.Max}); err != nil {
		return os.NewSyscallError("setrlimit", err)
	}
	CoreLimit = &before
	return nil
})

func prctl(option, value uintptr) error {
	if _, _, err := syscall.RawSyscall6(syscall.SYS_PRCTL, option, value, 0, 0, 0, 0); err != 0 {
		return os.NewSyscallError("prctl", err)
	}
	return nil
}

// RestoreLimits gives the command the limits that its runner had. It runs just
// after the start; exec(2) made the command dumpable again by itself. A command
// that changed its user meanwhile keeps the lower limit.
func RestoreLimits(pid int) {
	if CoreLimit != nil {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_CORE, uintptr(unsafe.Pointer(CoreLimit)), 0, 0, 0)
	}
}

// Limits is CoreLimit as an argument for a monitor, which adoptLimits reads.
func Limits() string {
	if CoreLimit == nil {
		return "-"
	}
	return strconv.FormatUint(CoreLimit.Cur, 10) + ":" + strconv.FormatUint(CoreLimit.Max, 10)
}

func adoptLimits(text string) {
	for i := range text {
		if text[i] != ':' {
			continue
		}
		current, err := strconv.ParseUint(text[:i], 10, 64)
		most, err2 := strconv.ParseUint(text[i+1:], 10, 64)
		if err == nil && err2 == nil {
			CoreLimit = &syscall.Rlimit{Cur: current, Max: most}
		}
		return
	}
}
