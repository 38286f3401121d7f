package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminal is a pseudo-terminal through which a command prints on the terminal
// of this process. The command sees a terminal of the same size and settings.
type terminal struct {
	outer *os.File // where this process prints
	// keyboard is where this process reads keys; nil where its standard input is
	// no terminal.
	keyboard *os.File
	// raw is what the keyboard's terminal was set to before it was made raw.
	raw *term.State

	master, slave *os.File
	stop          *os.File // closing it ends the copying of keys
	stopped       chan struct{}
}

// openTerminal returns nil where standard output is no terminal.
func openTerminal(c Command) (*terminal, error) {
	outer := terminalFile(c.Stdout)
	if outer == nil {
		return nil, nil
	}
	t := &terminal{outer: outer}
	if in, ok := c.Stdin.(*os.File); ok {
		t.keyboard = terminalFile(in)
	}
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("making a terminal for the command: %w", err)
	}
	t.slave = slave
	// Its own ioctls made the file blocking, and then a read has no deadline.
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	master.Close()
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		slave.Close()
		return nil, fmt.Errorf("making a terminal for the command: %w", err)
	}
	t.master = os.NewFile(uintptr(fd), "/dev/ptmx")
	if err := t.imitate(); err != nil {
		t.master.Close()
		slave.Close()
		return nil, fmt.Errorf("making a terminal for the command: %w", err)
	}
	return t, nil
}

// terminalFile returns the file behind w if that is a terminal.
func terminalFile(w any) *os.File {
	if file, ok := w.(*os.File); ok && file != nil && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return nil
}

// imitate gives the new terminal the settings and the size of the outer one.
func (t *terminal) imitate() error {
	settings, err := unix.IoctlGetTermios(int(t.outer.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	if t.keyboard == nil {
		// What is printed is processed once, by the outer terminal, which the
		// command still has for its keyboard and its settings.
		settings.Oflag &^= unix.OPOST
	}
	if err := unix.IoctlSetTermios(int(t.slave.Fd()), unix.TCSETS, settings); err != nil {
		return err
	}
	t.resize()
	return nil
}

// resize passes the size of the outer terminal on; the kernel tells who is in the
// foreground of the new one, if it changed.
func (t *terminal) resize() {
	size, err := unix.IoctlGetWinsize(int(t.outer.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return
	}
	conn, err := t.master.SyscallConn()
	if err != nil {
		return
	}
	// It fails where the command has ended, and nobody looks at the size.
	_ = conn.Control(func(fd uintptr) { _ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size) })
}

// foreground reports that keys are for this process. A terminal that does not
// control this process has no foreground.
func (t *terminal) foreground() bool {
	group, err := unix.IoctlGetInt(int(t.keyboard.Fd()), unix.TIOCGPGRP)
	return errors.Is(err, unix.ENOTTY) || err == nil && group == unix.Getpgrp()
}

// read starts to copy keys as they are, control characters too: they mean
// something to the new terminal alone, so Ctrl-C reaches the command once.
func (t *terminal) read() error {
	if t.stop != nil {
		return nil
	}
	wake, stop, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("reading from the terminal: %w", err)
	}
	t.stop, t.stopped = stop, make(chan struct{})
	go t.copyKeys(wake)
	return nil
}

// backgroundPause is how often a run in the background looks whether it was
// brought to the foreground, for which no signal is sure to come.
const backgroundPause = 100 * time.Millisecond

func (t *terminal) copyKeys(wake *os.File) {
	defer close(t.stopped)
	defer wake.Close()
	keys := make([]byte, 4096)
	poll := []unix.PollFd{{Fd: int32(wake.Fd()), Events: unix.POLLIN}, {Fd: int32(t.keyboard.Fd()), Events: unix.POLLIN}}
	for {
		ready, timeout := poll, -1
		if !t.foreground() {
			ready, timeout = poll[:1], int(backgroundPause/time.Millisecond)
		} else if t.raw == nil {
			t.resize()
			t.raw, _ = term.MakeRaw(int(t.keyboard.Fd()))
		}
		poll[1].Revents = 0
		if _, err := unix.Poll(ready, timeout); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if poll[0].Revents != 0 {
			return
		}
		if poll[1].Revents == 0 || !t.foreground() {
			continue
		}
		n, err := unix.Read(int(t.keyboard.Fd()), keys)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		case errors.Is(err, unix.EIO) && !t.foreground():
			// It was put into the background in between.
		case err != nil || n == 0:
			return // the terminal was hung up, and SIGHUP says so
		default:
			if _, err := t.master.Write(keys[:n]); err != nil {
				return
			}
		}
	}
}

// giveBack ends the copying of keys and sets the outer terminal to what it was.
func (t *terminal) giveBack() {
	if t == nil || t.stop == nil {
		return
	}
	t.stop.Close()
	_ = t.master.SetWriteDeadline(time.Now())
	<-t.stopped
	_ = t.master.SetWriteDeadline(time.Time{})
	t.stop = nil
	if t.raw != nil && t.foreground() {
		_ = term.Restore(int(t.keyboard.Fd()), t.raw)
	}
	t.raw = nil
}

// output returns the command's end for w, or nil where w needs a pipe.
func (t *terminal) output(w io.Writer) *os.File {
	if t == nil || terminalFile(w) == nil {
		return nil
	}
	return t.slave
}

// input returns what the command reads: the new terminal in place of the outer one.
func (t *terminal) input(stdin *os.File) *os.File {
	if t == nil || t.keyboard == nil {
		return stdin
	}
	return t.slave
}
