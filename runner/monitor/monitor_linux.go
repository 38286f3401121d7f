package monitor

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"unsafe"
)

// Name is a monitor's argv[0].
const Name = "infsh: monitor"

// ControlFD is the monitor's end of its connection to the runner.
const ControlFD = 3

// Arguments are the argv of a monitor.
func Arguments() []string { return []string{Name, Limits()} }

func init() {
	switch {
	case len(os.Args) == 2 && os.Args[0] == Name:
		os.Exit(start(os.Args[1]))
	case len(os.Args) == 3 && os.Args[0] == KeeperName:
		os.Exit(keep(os.Args[1], os.Args[2] == "true"))
	default:
		startEarly(os.Args)
	}
}

type monitor struct {
	control     *os.File
	ownTerminal bool
	terminal    *os.File // the command's, where it is its own
	command     *os.Process
	resume      chan byte     // what to do with a command that stopped
	done        chan struct{} // the runner is
	abandoned   chan struct{} // the runner has ended without a word
}

func start(limits string) int {
	// The kernel ends the command with the thread that started it.
	runtime.LockOSThread()
	m := &monitor{
		control: os.NewFile(ControlFD, "control"),
		resume:  make(chan byte), done: make(chan struct{}), abandoned: make(chan struct{}),
	}
	syscall.CloseOnExec(ControlFD)
	// What the command's processes leave behind becomes this one's child.
	if Harden() != nil || prctl(prSetChildSubreaper, 1) != nil {
		return 1
	}
	adoptLimits(limits)
	// What the group of this process gets, or its terminal sends, is the runner's to
	// pass on. All of it is ignored, but not before the start, since the command would
	// ignore it as well; so until then, what is likely is caught.
	named, nameless := Catchable()
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGTSTP} {
		if slices.Contains(named, s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	job, err := receiveJob(m.control)
	if err != nil {
		return 1
	}
	if m.ownTerminal = job.OwnTerminal; m.ownTerminal {
		m.terminal = job.Files[1]
		if err := lead(m.terminal); err != nil {
			return 1
		}
	}
	m.command, err = os.StartProcess(job.Path, job.Argv, &os.ProcAttr{
		Env: job.Env, Files: job.Files[:],
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: m.ownTerminal},
	})
	if err != nil {
		var number syscall.Errno
		errors.As(err, &number)
		_ = Message{HasFailed, uint32(number)}.Send(m.control)
		return 1
	}
	signal.Ignore(append(named, nameless...)...)
	RestoreLimits(m.command.Pid)
	if m.ownTerminal {
		m.setForeground(m.command.Pid)
	}
	// The pipes have their end when the command has closed them.
	for _, file := range job.Files {
		if file != m.terminal {
			file.Close()
		}
	}
	// Where the runner is gone already, obey finds out.
	_ = Message{HasStarted, uint32(m.command.Pid)}.Send(m.control)
	go m.obey()
	m.watch()
	select {
	case <-m.done:
	case <-m.abandoned:
		endChildren()
	}
	return 0
}

// lead makes this process the leader of a session on the terminal.
func lead(terminal *os.File) error {
	if _, err := syscall.Setsid(); err != nil {
		return err
	}
	if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), syscall.TIOCSCTTY, 0); err != 0 {
		return err
	}
	return nil
}

// obey does what the runner orders.
func (m *monitor) obey() {
	for {
		order, err := Receive(m.control)
		if err != nil {
			_ = m.command.Kill()
			if m.ownTerminal {
				_ = syscall.Kill(-m.command.Pid, syscall.SIGKILL)
			}
			close(m.abandoned)
			return
		}
		switch order.Kind {
		case DoSignal:
			_ = m.command.Signal(syscall.Signal(order.Number))
		case DoContinue:
			m.setForeground(m.command.Pid)
			_ = syscall.Kill(-m.command.Pid, syscall.SIGCONT)
			_ = Message{Kind: HasContinued}.Send(m.control)
		case DoResume, DoWait:
			m.resume <- order.Kind
		case Done:
			close(m.done)
			return
		}
	}
}

// watch reports what becomes of the command until it has ended. It waits by itself,
// since os.Process does not tell when a command stops.
func (m *monitor) watch() {
	pid := m.command.Pid
	whom, options := -1, syscall.WUNTRACED // what was left behind is waited for, too
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(whom, &status, options, nil)
		if errors.Is(err, syscall.EINTR) || got > 0 && got != pid {
			continue
		}
		whom, options = -1, syscall.WUNTRACED
		switch {
		case err != nil:
			// It was waited for elsewhere, which nothing here does.
			_ = Message{HasChanged, 1 << 8}.Send(m.control)
			return
		case got == 0:
			// The runner was continued alone. A shell continues the whole group;
			// doing it again would undo a Ctrl-Z that came since.
			_ = m.command.Signal(syscall.SIGCONT)
		case status.Continued():
		case status.Stopped() && m.ownTerminal:
			if m.early(status.StopSignal()) {
				_ = syscall.Kill(-pid, syscall.SIGCONT)
			} else {
				_ = Message{HasChanged, uint32(status)}.Send(m.control)
			}
		case status.Stopped():
			_ = Message{HasChanged, uint32(status)}.Send(m.control)
			select {
			case what := <-m.resume:
				if what == DoResume {
					whom, options = pid, syscall.WUNTRACED|syscall.WCONTINUED|syscall.WNOHANG
				}
			case <-m.abandoned:
			}
		default:
			if m.ownTerminal {
				// When a session's leader ends, its foreground gets SIGHUP; what the
				// command left behind should run on.
				m.setForeground(syscall.Getpgrp())
			}
			_ = Message{HasChanged, uint32(status)}.Send(m.control)
			return
		}
	}
}

// early reports that the command was stopped because it asked for the terminal
// before it had been made its foreground.
func (m *monitor) early(s syscall.Signal) bool {
	if s != syscall.SIGTTIN && s != syscall.SIGTTOU {
		return false
	}
	var group int32
	_, _, err := syscall.Syscall(syscall.SYS_IOCTL, m.terminal.Fd(), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return err == 0 && int(group) == m.command.Pid
}

func (m *monitor) setForeground(group int) {
	number := int32(group)
	_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, m.terminal.Fd(), syscall.TIOCSPGRP, uintptr(unsafe.Pointer(&number)))
}

// endChildren ends what the command left behind. The children of what is killed
// become this process's own, until there are none; a child of another user's is
// not ours to end.
func endChildren() {
	for {
		killed := 0
		for _, pid := range children() {
			if syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed++
			}
		}
		if killed == 0 {
			return
		}
		for range killed {
			for {
				if _, err := syscall.Wait4(-1, nil, 0, nil); !errors.Is(err, syscall.EINTR) {
					break
				}
			}
		}
	}
}

// children reads proc_pid_stat(5): the name in parentheses may hold anything.
func children() []int {
	var list []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	own := " " + strconv.Itoa(os.Getpid()) + " "
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue
		}
		end := len(text) - 1
		for end >= 0 && text[end] != ')' {
			end--
		}
		// ") S PPID "
		const state = len(") S")
		if rest := text[max(end, 0):]; len(rest) > state+len(own) && string(rest[state:state+len(own)]) == own {
			list = append(list, pid)
		}
	}
	return list
}
