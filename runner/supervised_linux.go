package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// supervised is a command on a terminal of its own, behind a monitor.
type supervised struct {
	term    *terminal
	monitor *os.Process
	control *os.File
	orders  sync.Mutex    // over what is sent through control
	own     atomic.Bool   // a SIGTSTP is to come that this process sent itself
	seen    chan struct{} // it came
	signals chan os.Signal
	stop    chan struct{}
	ended   chan struct{}
}

// startSupervised starts a monitor, and that the command. Its errors are those of
// the command's execve(2).
func startSupervised(cmd *exec.Cmd, term *terminal) (*supervised, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	defer theirs.Close()
	s := &supervised{
		term: term, control: os.NewFile(uintptr(pair[0]), "control"),
		seen: make(chan struct{}, 1), signals: make(chan os.Signal, 64), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	attr := attributes()
	attr.Setsid, attr.Setctty, attr.Ctty = true, true, 1
	monitor := &exec.Cmd{
		// Not the name of the file, which may have been replaced since.
		Path: "/proc/self/exe", Args: append([]string{monitorName, limits(), cmd.Path}, cmd.Args...),
		Env: cmd.Env, Stdin: cmd.Stdin, Stdout: cmd.Stdout, Stderr: cmd.Stderr,
		ExtraFiles: []*os.File{theirs}, SysProcAttr: attr,
	}
	signal.Notify(s.signals, catchable()...)
	runtime.LockOSThread()
	fail := func(err error) (*supervised, error) {
		runtime.UnlockOSThread()
		signal.Stop(s.signals)
		s.control.Close()
		return nil, err
	}
	if err := monitor.Start(); err != nil {
		return fail(err)
	}
	s.monitor = monitor.Process
	theirs.Close()
	m, err := receive(s.control)
	if err != nil || m.kind != hasStarted {
		_, _ = s.monitor.Wait()
		if m.kind == hasFailed && m.number != 0 {
			return fail(syscall.Errno(m.number))
		}
		return fail(errors.New("the process that watches the command did not start"))
	}
	// A read or a change of settings from the background is then an error here,
	// instead of a stop of this process. The command is not concerned any more.
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU)
	if err := term.read(); err != nil {
		_ = s.monitor.Kill()
		_, _ = s.monitor.Wait()
		return fail(err)
	}
	return s, nil
}

func (s *supervised) wait(ctx context.Context, more <-chan os.Signal, grace time.Duration) int {
	defer runtime.UnlockOSThread()
	go s.forward(ctx, more, grace)
	status := s.follow()
	close(s.stop)
	<-s.ended
	signal.Stop(s.signals)
	signal.Reset(syscall.SIGTTIN, syscall.SIGTTOU)
	_, _ = s.monitor.Wait()
	s.control.Close()
	return exitCode(status)
}

// follow returns the status with which the command ended.
func (s *supervised) follow() syscall.WaitStatus {
	for {
		m, err := receive(s.control)
		if err != nil {
			// The monitor was killed, and the command with it.
			return syscall.WaitStatus(syscall.SIGKILL)
		}
		status := syscall.WaitStatus(m.number)
		switch {
		case m.kind == hasContinued:
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
		_ = message{kind: doContinue}.send(s.control)
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
	_ = message{kind: doContinue}.send(s.control)
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
	pass := func(sig os.Signal) {
		s.orders.Lock()
		defer s.orders.Unlock()
		// It fails only where the command has ended.
		_ = message{doSignal, uint32(sig.(syscall.Signal))}.send(s.control)
	}
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
