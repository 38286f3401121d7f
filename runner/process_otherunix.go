//go:build unix && !linux

package runner

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

func start(cmd *exec.Cmd, term *terminal, prepared *Prepared) (*process, error) {
	return startHere(cmd, term, prepared)
}

func startChild(cmd *exec.Cmd, _ *Prepared) (child, error) { return startDirect(cmd) }

// attributes: only Linux can end the command with this process.
func attributes() *syscall.SysProcAttr { return nil }

// stopSelf returns when this process has been stopped and continued. Another
// thread may take the signal, hence the moment's patience.
func stopSelf() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	time.Sleep(10 * time.Millisecond)
}
