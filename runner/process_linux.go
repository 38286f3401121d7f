package runner

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// running is a command that was started, with or without a monitor.
type running interface {
	wait(ctx context.Context, more <-chan os.Signal, grace time.Duration) int
}

// start starts cmd. With a keyboard to give it, it becomes the foreground of its
// own terminal; else it stays in the job of this process.
func start(cmd *exec.Cmd, term *terminal, prepared *Prepared) (running, error) {
	if term != nil && term.keyboard != nil {
		return startSupervised(cmd, term, prepared)
	}
	return startHere(cmd, term, prepared)
}

func startChild(cmd *exec.Cmd, prepared *Prepared) (child, error) {
	m, err := startMonitored(cmd, false, prepared)
	if errors.Is(err, errNoMonitor) {
		// Without one, what the command starts outlives a killed runner.
		return startDirect(cmd)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// attributes ends the command when this process is killed: a command that nobody
// masks or watches any more must not keep the secrets.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// stopSelf returns when this process has been stopped and continued: a signal to
// the calling thread itself takes effect before the call returns.
func stopSelf() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), syscall.SIGSTOP)
}
