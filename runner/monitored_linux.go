package runner

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"infsh/runner/monitor"
)

// errNoMonitor: the program's own file can't be executed, as without /proc.
var errNoMonitor = errors.New("the process that watches the command did not start")

// monitored is a command behind a monitor.
type monitored struct {
	monitor *os.Process
	control *os.File
	orders  sync.Mutex // over what is sent through control
}

// startMonitored starts a monitor, and that the command. Its errors are errNoMonitor and those of the command's
// execve(2).
func startMonitored(cmd *exec.Cmd, ownTerminal bool) (*monitored, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	defer theirs.Close()
	m := &monitored{control: os.NewFile(uintptr(pair[0]), "control")}
	// The monitor outlives this process, and hears of its end also while stopped.
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGCONT}
	if ownTerminal {
		attr.Setsid, attr.Setctty, attr.Ctty = true, true, 1
	}
	process := &exec.Cmd{
		// Not the name of the file, which may have been replaced since.
		Path: "/proc/self/exe", Args: monitor.Arguments(ownTerminal, cmd.Path, cmd.Args),
		Env: cmd.Env, Stdin: cmd.Stdin, Stdout: cmd.Stdout, Stderr: cmd.Stderr,
		ExtraFiles: []*os.File{theirs}, SysProcAttr: attr,
	}
	if err := process.Start(); err != nil {
		m.control.Close()
		var number syscall.Errno
		if errors.As(err, &number) && number == syscall.E2BIG {
			return nil, number
		}
		return nil, errNoMonitor
	}
	m.monitor = process.Process
	theirs.Close()
	first, err := monitor.Receive(m.control)
	if err != nil || first.Kind != monitor.HasStarted {
		_, _ = m.monitor.Wait()
		m.control.Close()
		if first.Kind == monitor.HasFailed && first.Number != 0 {
			return nil, syscall.Errno(first.Number)
		}
		return nil, errNoMonitor
	}
	return m, nil
}

// order sends an order. It fails only where the command has ended.
func (m *monitored) order(kind byte, number uint32) {
	m.orders.Lock()
	defer m.orders.Unlock()
	_ = monitor.Message{Kind: kind, Number: number}.Send(m.control)
}

// Signal sends the command a signal.
func (m *monitored) Signal(s os.Signal) error {
	m.order(monitor.DoSignal, uint32(s.(syscall.Signal)))
	return nil
}

// next returns the next status of the command.
func (m *monitored) next() syscall.WaitStatus {
	message, err := monitor.Receive(m.control)
	if err != nil {
		// The monitor was killed, and the command with it.
		return syscall.WaitStatus(syscall.SIGKILL)
	}
	return syscall.WaitStatus(message.Number)
}

func (m *monitored) await() syscall.WaitStatus {
	m.order(monitor.DoWait, 0)
	return m.next()
}

func (m *monitored) resume() syscall.WaitStatus {
	m.order(monitor.DoResume, 0)
	return m.next()
}

// end lets the monitor go.
func (m *monitored) end() {
	m.order(monitor.Done, 0)
	_, _ = m.monitor.Wait()
	m.control.Close()
}
