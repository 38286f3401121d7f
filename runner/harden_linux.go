package runner

import "infsh/runner/monitor"

// Harden keeps other processes of the same user from reading this one's memory
// and first environment (/proc/PID/mem, /proc/PID/environ, ptrace) and the system
// from writing it to a core file. Call it before reading a credential; [Run] does,
// too. What root may do is not changed. See PR_SET_DUMPABLE in prctl(2).
func Harden() error { return monitor.Harden() }

func restoreLimits(pid int) { monitor.RestoreLimits(pid) }
