package runner

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"infsh/runner/monitor"
)

// supervised is a command on a terminal of its own, behind a monitor.
type supervised struct {
	*monitored
	term    *terminal
	own     atomic.Bool   // a SIGTSTP is to come that this process sent itself
	seen    chan struct{} // it came
	signals chan os.Signal
	stop    chan struct{}
	ended   chan struct{}
}

func startSupervised(cmd *exec.Cmd, term *terminal, prepared *Prepared) (*supervised, error) {
	s := &supervised{
		term: term,
		seen: make(chan struct{}, 1), signals: prepared.catch(), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	fail := func(err error) (*supervised, error) {
		signal.Stop(s.signals)
		return nil, err
	}
	var err error
	if s.monitored, err = startMonitored(cmd, true, prepared); err != nil {
		return fail(err)
	}
	// A read or a change of settings from the background is then an error here,
	// instead of a stop of this process. The command is not concerned any more.
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU)
	if err := term.read(); err != nil {
		s.abandon()
		return fail(err)
	}
	return s, nil
}

func (s *supervised) wait(ctx context.Context, more <-chan os.Signal, grace time.Duration) int {
	go s.forward(ctx, more, grace)
	status := s.follow()
	close(s.stop)
	<-s.ended
	go signal.Stop(s.signals)
	signal.Reset(syscall.SIGTTIN, syscall.SIGTTOU)
	s.end()
	return exitCode(status)
}

// follow returns the status with which the command ended.
func (s *supervised) follow() syscall.WaitStatus {
	for {
		m, err := monitor.Receive(s.control)
		if err != nil {
			// The monitor was killed, and the command with it.
			return syscall.WaitStatus(syscall.SIGKILL)
		}
		status := syscall.WaitStatus(m.Number)
		switch {
		case m.Kind == monitor.HasContinued:
			// Not before: a key that stops the command would come too early.
			_ = s.term.read()
		case !status.Stopped():
			return status
		default:
			s.suspend()
		}
	}
}

// suspend stops this process's job, as the command's terminal stopped the command,
// and continues the command when a shell has continued the job.
func (s *supervised) suspend() {
	s.orders.Lock() // What comes now is for the command when it runs on.
	if orphaned() {
		_ = monitor.Message{Kind: monitor.DoContinue}.Send(s.control)
		s.orders.Unlock()
		return
	}
	time.Sleep(settle) // what it printed before is on its way
	s.term.giveBack()
	s.own.Store(true)
	_ = unix.Kill(0, unix.SIGTSTP) // for the others of the job, such as a script around this
	select {
	case <-s.seen: // else the next one, of the keyboard, would count as this
	case <-time.After(settle):
		s.own.Store(false)
	}
	stopSelf()
	_ = monitor.Message{Kind: monitor.DoContinue}.Send(s.control)
	s.orders.Unlock()
}

// orphaned reports that nobody in this session could continue this process's group
// if it stopped; then a terminal does not stop it. Such is the case in a container.
func orphaned() bool {
	own, pid := unix.Getpgrp(), os.Getppid()
	for {
		group, err := unix.Getpgid(pid)
		if err != nil {
			return true
		}
		if group != own {
			session, err := unix.Getsid(pid)
			mine, _ := unix.Getsid(0)
			return err != nil || session != mine
		}
		if pid, err = parentOf(pid); err != nil {
			return true
		}
	}
}

// parentOf reads proc_pid_stat(5): the name in parentheses may hold anything.
func parentOf(pid int) (parent int, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	var state string
	_, err = fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state, &parent)
	return parent, err
}

func (s *supervised) forward(ctx context.Context, more <-chan os.Signal, grace time.Duration) {
	defer close(s.ended)
	nameless := time.After(settle)
	pass := func(sig os.Signal) { _ = s.Signal(sig) }
	cancelled := ctx.Done()
	var kill <-chan time.Time
	for {
		select {
		case <-s.stop:
			return
		case <-cancelled:
			cancelled = nil
			kill = time.After(grace)
			pass(syscall.SIGTERM)
		case <-kill:
			pass(syscall.SIGKILL)
		case <-nameless:
			catchNameless(s.signals, s.stop)
		case sig := <-more:
			pass(sig)
		case sig := <-s.signals:
			switch sig {
			case syscall.SIGPIPE, syscall.SIGCONT:
				// Of this process's own job.
			case syscall.SIGWINCH:
				s.term.resize()
			case syscall.SIGTSTP:
				if !s.own.CompareAndSwap(true, false) {
					pass(sig)
					continue
				}
				select {
				case s.seen <- struct{}{}:
				default:
				}
			default:
				pass(sig)
			}
		}
	}
}
