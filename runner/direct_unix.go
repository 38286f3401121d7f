//go:build unix

package runner

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// direct is a command that is this process's own child.
type direct struct{ *os.Process }

// next waits here and not in os.Process, which does not tell when the command stops.
func (d direct) next() syscall.WaitStatus {
	status, _ := d.waitFor(syscall.WUNTRACED)
	return status
}

func (d direct) await() syscall.WaitStatus { return d.next() }

func (d direct) resume() syscall.WaitStatus {
	status, changed := d.waitFor(syscall.WUNTRACED | syscall.WCONTINUED | syscall.WNOHANG)
	if !changed {
		// This process was continued alone. A shell continues the whole group;
		// doing it again would undo a Ctrl-Z that came since.
		_ = d.Signal(syscall.SIGCONT)
	} else if !status.Continued() {
		return status
	}
	return d.next()
}

func (d direct) waitFor(options int) (status syscall.WaitStatus, changed bool) {
	for {
		pid, err := syscall.Wait4(d.Pid, &status, options, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			// It was waited for elsewhere: its code is lost.
			return syscall.WaitStatus(1 << 8), true
		default:
			return status, pid != 0
		}
	}
}

func (d direct) end() {
	_ = d.Release()
	runtime.UnlockOSThread()
}
