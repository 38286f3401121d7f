package runner

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// A terminal stops no process whose group nobody in its session could continue
// (orphaned process groups, POSIX.1-2017, XBD 3.264). So a command on a terminal
// of its own has a parent there, as under a shell: the monitor, which is this
// program again. It starts the command as the terminal's foreground, passes on
// what the runner orders, and reports when the command stops and ends. It holds
// the command's environment, and no credential.

// monitorName is the monitor's argv[0].
const monitorName = "infsh: monitor"

// monitorReady says that Monitor was called, so that this program can be one.
var monitorReady bool

// controlFD is the monitor's end of its connection to the runner.
const controlFD = 3

// message is what goes over that connection, in 5 bytes.
type message struct {
	kind   byte
	number uint32
}

const (
	// To the runner.
	hasStarted   = 'p' // number: the command's process id
	hasFailed    = 'e' // number: the error of execve(2)
	hasChanged   = 'w' // number: a status as wait(2) gives it
	hasContinued = 'k'
	// To the monitor.
	doSignal   = 's' // number: a signal for the command
	doContinue = 'c'
)

func (m message) send(w io.Writer) error {
	_, err := w.Write(binary.BigEndian.AppendUint32([]byte{m.kind}, m.number))
	return err
}

func receive(r io.Reader) (message, error) {
	var text [5]byte
	if _, err := io.ReadFull(r, text[:]); err != nil {
		return message{}, err
	}
	return message{text[0], binary.BigEndian.Uint32(text[1:])}, nil
}

// Monitor is for the start of a program's main, before it looks at anything. In a
// process that [Run] started to watch a command on a terminal, it does that and
// never returns; likewise in the keeper of a [Mount]. A program that does not call it has no job control for commands
// on a terminal of their own, Run leaves them the keyboard of this one, and a
// Mount's files outlive a kill.
func Monitor() {
	monitorReady = true
	if len(os.Args) == 3 && os.Args[0] == keeperName {
		os.Exit(keeper(os.Args[1], os.Args[2] == "true"))
	}
	if len(os.Args) > 3 && os.Args[0] == monitorName {
		os.Exit(monitor(os.Args[1], os.Args[2], os.Args[3:]))
	}
}

func monitor(limits, path string, argv []string) int {
	// The kernel ends the command with the thread that started it.
	runtime.LockOSThread()
	control := os.NewFile(controlFD, "control")
	if Harden() != nil || closeOnExec() != nil {
		return 1
	}
	adoptLimits(limits)
	// They are the runner's to pass on; a hung up terminal tells this one, too.
	signal.Notify(make(chan os.Signal, 1), catchable()...)

	attr := attributes()
	attr.Setpgid = true
	cmd := &exec.Cmd{Path: path, Args: argv, Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, SysProcAttr: attr}
	if err := cmd.Start(); err != nil {
		var number syscall.Errno
		errors.As(err, &number)
		_ = message{hasFailed, uint32(number)}.send(control)
		return 1
	}
	restoreLimits(cmd.Process.Pid)
	// Not before the start, since the command would ignore them as well.
	signal.Ignore(syscall.SIGTTOU, syscall.SIGTTIN)
	setForeground(cmd.Process.Pid)
	if err := (message{hasStarted, uint32(cmd.Process.Pid)}).send(control); err != nil {
		_ = cmd.Process.Kill()
		return 1
	}
	go obey(control, cmd.Process.Pid)
	watch(control, cmd.Process.Pid)
	return 0
}

// obey does what the runner orders. When the runner is gone, so is the command.
func obey(control io.ReadWriter, pid int) {
	for {
		m, err := receive(control)
		if err != nil {
			_ = unix.Kill(-pid, unix.SIGKILL)
			return
		}
		switch m.kind {
		case doSignal:
			_ = unix.Kill(pid, syscall.Signal(m.number))
		case doContinue:
			setForeground(pid)
			_ = unix.Kill(-pid, unix.SIGCONT)
			_ = message{kind: hasContinued}.send(control)
		}
	}
}

// watch reports what becomes of the command until it has ended.
func watch(control io.Writer, pid int) {
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return
		case status.Stopped() && early(status.StopSignal(), pid):
			_ = unix.Kill(-pid, unix.SIGCONT)
		case status.Stopped():
			_ = message{hasChanged, uint32(status)}.send(control)
		default:
			// When a session's leader ends, its foreground gets SIGHUP; what the
			// command left behind should run on.
			setForeground(unix.Getpgrp())
			_ = message{hasChanged, uint32(status)}.send(control)
			return
		}
	}
}

// early reports that the command was stopped because it asked for the terminal
// before it had been made its foreground.
func early(s syscall.Signal, pid int) bool {
	if s != syscall.SIGTTIN && s != syscall.SIGTTOU {
		return false
	}
	group, err := unix.IoctlGetInt(int(os.Stdout.Fd()), unix.TIOCGPGRP)
	return err == nil && group == pid
}

func setForeground(group int) {
	_ = unix.IoctlSetPointerInt(int(os.Stdout.Fd()), unix.TIOCSPGRP, group)
}
