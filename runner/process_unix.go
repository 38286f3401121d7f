//go:build unix

package runner

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"infsh/runner/monitor"
)

// child is the command, as a child of this process or of a monitor.
type child interface {
	Signal(os.Signal) error
	// next waits until the command stops or ends.
	next() syscall.WaitStatus
	// await does so for a command that stopped, and resume continues that before,
	// unless somebody else did.
	await() syscall.WaitStatus
	resume() syscall.WaitStatus
	// end is called when the command has ended.
	end()
}

// process is a running command. It stays in this process's group: the terminal
// and the shell treat both as one job.
type process struct {
	child
	term    *terminal // nil where the command prints into pipes
	signals chan os.Signal
	stop    chan struct{}
	ended   chan struct{}
}

// startHere starts cmd, whose files must all be *os.File. The goroutine keeps its
// thread until wait returns: the kernel tells the monitor, or ends the command,
// when the thread that started it ends (PR_SET_PDEATHSIG in prctl(2)).
func startHere(cmd *exec.Cmd, term *terminal) (*process, error) {
	p := &process{term: term, signals: make(chan os.Signal, 64), stop: make(chan struct{}), ended: make(chan struct{})}
	// Before the start, lest a signal end this process in between.
	signal.Notify(p.signals, monitor.Catchable()...)
	runtime.LockOSThread()
	var err error
	if p.child, err = startChild(cmd); err != nil {
		runtime.UnlockOSThread()
		signal.Stop(p.signals)
		return nil, err
	}
	return p, nil
}

// startDirect starts the command as a child of this process.
func startDirect(cmd *exec.Cmd) (child, error) {
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	restoreLimits(cmd.Process.Pid)
	return direct{cmd.Process}, nil
}

// wait forwards signals until the command has ended, and returns its exit code.
func (p *process) wait(ctx context.Context, more <-chan os.Signal, grace time.Duration) int {
	defer runtime.UnlockOSThread()
	go p.forward(ctx, more, grace)
	status := p.reap()
	close(p.stop)
	<-p.ended
	signal.Stop(p.signals)
	p.end()
	return exitCode(status)
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return exitSignal + int(status.Signal())
	}
	return status.ExitStatus()
}

// reap waits for the end. Where the terminal stopped the command, this process
// stops as well, so that the shell sees that the job has stopped (Ctrl-Z).
func (p *process) reap() syscall.WaitStatus {
	status := p.next()
	for status.Stopped() {
		if slices.Contains(jobStops, status.StopSignal()) && hasTerminal() {
			stopSelf()
			status = p.resume()
		} else {
			status = p.await()
		}
	}
	return status
}

// jobStops are the signals with which a terminal stops a job.
var jobStops = []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU}

func (p *process) forward(ctx context.Context, more <-chan os.Signal, grace time.Duration) {
	defer close(p.ended)
	cancelled := ctx.Done()
	var kill <-chan time.Time
	for {
		select {
		case <-p.stop:
			return
		case <-cancelled:
			cancelled = nil
			kill = time.After(grace)
			_ = p.Signal(syscall.SIGTERM)
		case <-kill:
			_ = p.Signal(syscall.SIGKILL)
		case s := <-more:
			_ = p.Signal(s)
		case s := <-p.signals:
			if s == syscall.SIGWINCH && p.term != nil {
				// It came to the command as well, but before the new size.
				p.term.resize()
				_ = p.Signal(s)
				continue
			}
			if s != syscall.SIGPIPE && !sentToGroup(s.(syscall.Signal)) {
				// It fails only where the command has ended.
				_ = p.Signal(s)
			}
		}
	}
}

// sentToGroup reports that the command got the signal already, since a terminal
// sends it to a whole group. It cannot be told from one that was sent with kill(1)
// to this process alone; that one is not forwarded.
func sentToGroup(s syscall.Signal) bool {
	switch s {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH:
		return inForeground()
	case syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT:
		// By now the shell may have put the stopped job into the background.
		return hasTerminal()
	}
	return false
}

func inForeground() bool {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer terminal.Close()
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == syscall.Getpgrp()
}

func hasTerminal() bool {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	return terminal.Close() == nil
}
