//go:build unix

package runner

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running command. It stays in this process's group: the terminal
// and the shell treat both as one job.
type process struct {
	*os.Process
	term    *terminal // nil where the command prints into pipes
	signals chan os.Signal
	stop    chan struct{}
	ended   chan struct{}
}

// startHere starts cmd, whose files must all be *os.File. The goroutine keeps its
// thread until wait returns: the kernel ends the command with the thread that
// started it (PR_SET_PDEATHSIG in prctl(2)).
func startHere(cmd *exec.Cmd, term *terminal) (*process, error) {
	p := &process{term: term, signals: make(chan os.Signal, 64), stop: make(chan struct{}), ended: make(chan struct{})}
	// Before the start, lest a signal end this process in between.
	signal.Notify(p.signals, catchable()...)
	cmd.SysProcAttr = attributes()
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		runtime.UnlockOSThread()
		signal.Stop(p.signals)
		return nil, err
	}
	p.Process = cmd.Process
	restoreLimits(p.Pid)
	return p, nil
}

// catchable returns the signals to forward: all but those that the kernel or the
// Go runtime sends this process for its own sake, and those that were ignored
// when it started (nohup), which the command ignores by inheritance as long as
// no handler is set for them. SIGPIPE is caught and not forwarded, so that a
// failed write is an error here and not our end.
func catchable() []os.Signal {
	own := []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGKILL, syscall.SIGSTOP,
		syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGPROF}
	var list []os.Signal
	for s := syscall.Signal(1); s < 65; s++ {
		// 32 and 33 belong to the C library's threads.
		if s == 32 || s == 33 || slices.Contains(own, s) || signal.Ignored(s) {
			continue
		}
		list = append(list, s)
	}
	return list
}

// wait forwards signals until the command has ended, and returns its exit code.
func (p *process) wait(ctx context.Context, more <-chan os.Signal, grace time.Duration) int {
	defer runtime.UnlockOSThread()
	go p.forward(ctx, more, grace)
	status := p.reap()
	close(p.stop)
	<-p.ended
	signal.Stop(p.signals)
	_ = p.Release()
	return exitCode(status)
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return exitSignal + int(status.Signal())
	}
	return status.ExitStatus()
}

// reap waits here and not in os.Process, which does not tell when the command
// stops. Where that was the terminal's doing, this process stops as well, so that
// the shell sees that the job has stopped (Ctrl-Z).
func (p *process) reap() syscall.WaitStatus {
	var status syscall.WaitStatus
	options := syscall.WUNTRACED
	for {
		pid, err := syscall.Wait4(p.Pid, &status, options, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		options = syscall.WUNTRACED
		switch {
		case err != nil:
			// It was waited for elsewhere: its code is lost.
			return syscall.WaitStatus(1 << 8)
		case pid == 0:
			// This process was continued alone. A shell continues the whole group;
			// doing it again would undo a Ctrl-Z that came since.
			_ = p.Signal(syscall.SIGCONT)
		case status.Stopped():
			if slices.Contains(jobStops, status.StopSignal()) && hasTerminal() {
				stopSelf()
				options = syscall.WUNTRACED | syscall.WCONTINUED | syscall.WNOHANG
			}
		case !status.Continued():
			return status
		}
	}
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
			_ = p.Kill()
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
