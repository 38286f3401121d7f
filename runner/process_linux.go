package runner

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes ends the command when this process is killed: a command that nobody
// masks or watches any more must not keep the secrets. What it started itself is
// not reached.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// stopSelf returns when this process has been stopped and continued: a signal to
// the calling thread itself takes effect before the call returns.
func stopSelf() {
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), syscall.SIGSTOP)
}
