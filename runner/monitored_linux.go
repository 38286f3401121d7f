package runner

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"

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

// startMonitored starts a monitor, unless one is prepared, and that the command. Its
// errors are errNoMonitor and those of the command's execve(2).
func startMonitored(cmd *exec.Cmd, ownTerminal bool, prepared *Prepared) (*monitored, error) {
	m := prepared.take()
	if m == nil {
		var err error
		if m, err = startMonitor(); err != nil {
			return nil, err
		}
	}
	job := monitor.Job{OwnTerminal: ownTerminal, Path: cmd.Path, Argv: cmd.Args, Env: cmd.Environ()}
	for i, stream := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		job.Files[i] = stream.(*os.File)
	}
	if job.Send(m.control) != nil {
		m.abandon()
		return nil, errNoMonitor
	}
	first, err := monitor.Receive(m.control)
	if err != nil || first.Kind != monitor.HasStarted {
		m.abandon()
		if first.Kind == monitor.HasFailed && first.Number != 0 {
			return nil, syscall.Errno(first.Number)
		}
		return nil, errNoMonitor
	}
	return m, nil
}

// startMonitor returns a monitor that waits for its job.
func startMonitor() (*monitored, error) {
	p, err := monitor.Take()
	if err != nil {
		return nil, errNoMonitor
	}
	return &monitored{monitor: p.Process, control: p.Control}, nil
}

// abandon ends the monitor, and its command where it has one.
func (m *monitored) abandon() {
	m.control.Close()
	_, _ = m.monitor.Wait()
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

// end lets the monitor go. How long that takes to end is nobody's time.
func (m *monitored) end() {
	m.order(monitor.Done, 0)
	m.control.Close()
	go func() { _, _ = m.monitor.Wait() }()
}
