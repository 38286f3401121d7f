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

// startHere starts cmd, whose files must all be *os.File.
func startHere(cmd *exec.Cmd, term *terminal, prepared *Prepared) (*process, error) {
	// The signals before the start, lest one end this process in between.
	p := &process{term: term, signals: prepared.catch(), stop: make(chan struct{}), ended: make(chan struct{})}
	var err error
	if p.child, err = startChild(cmd, prepared); err != nil {
		signal.Stop(p.signals)
		return nil, err
	}
	return p, nil
}

func catchNamed() chan os.Signal {
	signals := make(chan os.Signal, 64)
	named, _ := monitor.Catchable()
	signal.Notify(signals, named...)
	return signals
}

// startDirect starts the command as a child of this process. The goroutine keeps its
// thread until end: the kernel ends the command with the thread that started it
// (PR_SET_PDEATHSIG in prctl(2)).
func startDirect(cmd *exec.Cmd) (child, error) {
	cmd.SysProcAttr = attributes()
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	restoreLimits(cmd.Process.Pid)
	return direct{cmd.Process}, nil
}

// wait forwards signals until the command has ended, and returns its exit code.
func (p *process) wait(ctx context.Context, more <-chan os.Signal, grace time.Duration) int {
	go p.forward(ctx, more, grace)
	status := p.reap()
	close(p.stop)
	<-p.ended
	go signal.Stop(p.signals) // it takes its time, and few processes have any left
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

// catchNameless catches the signals without a name, which hardly anybody sends, when
// the command has been running for a moment: a handler takes its time.
func catchNameless(signals chan<- os.Signal, stop <-chan struct{}) {
	_, nameless := monitor.Catchable()
	for _, s := range nameless {
		select {
		case <-stop:
			return
		default:
			signal.Notify(signals, s)
		}
	}
}

// jobStops are the signals with which a terminal stops a job.
var jobStops = []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU}

func (p *process) forward(ctx context.Context, more <-chan os.Signal, grace time.Duration) {
	defer close(p.ended)
	nameless := time.After(settle)
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
		case <-nameless:
			catchNameless(p.signals, p.stop)
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
