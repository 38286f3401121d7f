package runner_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func setSize(t *testing.T, terminal *os.File, columns, rows uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		t.Fatal(err)
	}
}

// onTerminalWith is onTerminal with a change before the start.
func onTerminalWith(t *testing.T, argv []string, change func(*exec.Cmd, *os.File)) (*exec.Cmd, *os.File, *bufio.Reader) {
	t.Helper()
	master, slave := terminal(t)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
	change(cmd, master)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, master, bufio.NewReader(master)
}

func exits(t *testing.T, cmd *exec.Cmd, code int) {
	t.Helper()
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != code {
		t.Errorf("exit code %d, want %d", cmd.ProcessState.ExitCode(), code)
	}
}

// Masking costs a command neither its terminal nor the settings of that.
func TestACommandOnATerminalHasOne(t *testing.T) {
	cmd, _, out := onTerminal(t, helper("run", helper("tty")...))
	if got := lines(t, out, ""); got != "true true true [redacted]" {
		t.Errorf("got %q", got)
	}
	if got := lines(t, out, ""); got != "error [redacted]" {
		t.Errorf("got %q", got)
	}
	exits(t, cmd, 0)
}

func TestARedirectedStandardErrorStaysApart(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd, _, out := onTerminalWith(t, helper("run", helper("tty")...), func(cmd *exec.Cmd, _ *os.File) { cmd.Stderr = writer })
	writer.Close()
	if got := lines(t, out, ""); got != "true true false [redacted]" {
		t.Errorf("got %q", got)
	}
	if got := lines(t, bufio.NewReader(reader), ""); got != "error [redacted]" {
		t.Errorf("standard error has %q", got)
	}
	exits(t, cmd, 0)
}

// With a pipe on standard input the command still prints on a terminal, and
// Ctrl-C is still delivered once.
func TestAPipeAsInputOfACommandOnATerminal(t *testing.T) {
	for command, want := range map[string]string{"tty": "false true true [redacted]", "cat": "piped"} {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(writer, "piped")
		writer.Close()
		cmd, _, out := onTerminalWith(t, helper("run", helper(command)...), func(cmd *exec.Cmd, _ *os.File) { cmd.Stdin = reader })
		reader.Close()
		if got := lines(t, out, ""); got != want {
			t.Errorf("%s: got %q", command, got)
		}
		exits(t, cmd, 0)
	}

	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	cmd, keyboard, out := onTerminalWith(t, helper("run", helper("signals", "1")...), func(cmd *exec.Cmd, _ *os.File) { cmd.Stdin = reader })
	lines(t, out, "ready")
	if _, err := keyboard.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimPrefix(lines(t, out, ""), "^C"); got != "got interrupt" {
		t.Errorf("got %q", got)
	}
	if got := lines(t, out, ""); got != "done" {
		t.Errorf("it came twice: %q", got)
	}
	exits(t, cmd, 7)
}

func TestTheCommandFollowsTheSizeOfTheTerminal(t *testing.T) {
	cmd, terminal, out := onTerminalWith(t, helper("run", helper("size")...), func(_ *exec.Cmd, master *os.File) { setSize(t, master, 101, 41) })
	if got := lines(t, out, "size"); got != "size 101 41 <nil>" {
		t.Errorf("got %q", got)
	}
	setSize(t, terminal, 99, 33)
	if got := lines(t, out, "size"); got != "size 99 33 <nil>" {
		t.Errorf("got %q", got)
	}
	setSize(t, terminal, 7, 8)
	if got := lines(t, out, "size"); got != "size 7 8" {
		t.Errorf("got %q", got)
	}
	exits(t, cmd, 0)
}

// A command that reads single keys gets Ctrl-C as one, and the terminal is as it
// was afterwards.
func TestRawKeysReachTheCommand(t *testing.T) {
	var before *unix.Termios
	cmd, keyboard, out := onTerminalWith(t, helper("run", helper("raw")...), func(_ *exec.Cmd, master *os.File) {
		before, _ = unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
	})
	lines(t, out, "raw")
	if _, err := keyboard.Write([]byte{3, 26, 0}); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, out, ""); got != "keys 031a00" {
		t.Errorf("got %q", got)
	}
	exits(t, cmd, 0)
	after, err := unix.IoctlGetTermios(int(keyboard.Fd()), unix.TCGETS)
	if err != nil || before == nil || *after != *before {
		t.Errorf("the terminal was %+v and is %+v, %v", before, after, err)
	}
}

func TestNoCommandIsLeftOnATerminalWhenTheRunnerIsKilled(t *testing.T) {
	cmd, _, out := onTerminal(t, helper("run", helper("signals", "1")...))
	var pid int
	if _, err := fmt.Sscanf(lines(t, out, "ready"), "ready %d", &pid); err != nil {
		t.Fatal(err)
	}
	child, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(child)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !ends(child) {
		t.Error("the command lives on")
	}
}

// What is still on its way when the command ends is printed, and a process that
// it left behind delays the end no longer than elsewhere.
func TestAProcessLeftBehindOnATerminal(t *testing.T) {
	cmd, _, out := onTerminal(t, helper("run", helper("leave")...))
	lines(t, out, strings.Repeat("x", 60_000))
	var pid int
	if _, err := fmt.Sscanf(lines(t, out, "pid"), "pid %d", &pid); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Kill(pid, unix.SIGKILL) }()
	// The process that is left behind says something too, at any time.
	var text []byte
	for !bytes.Contains(text, []byte("the last words")) {
		b, err := out.ReadByte()
		if err != nil {
			t.Fatalf("the last words did not come, only %q: %v", text, err)
		}
		text = append(text, b)
	}
	exits(t, cmd, 3)
}

// Exit codes are those of the command on a terminal, too.
func TestExitCodesOnATerminal(t *testing.T) {
	for want, argv := range map[int][]string{
		0: {"true"}, 255: helper("exit", "255"), 143: helper("die", "15"), 137: helper("die", "9"),
		127: {"no-such-command-anywhere"}, 126: {"/"},
	} {
		cmd, _, _ := onTerminal(t, helper("run", argv...))
		exits(t, cmd, want)
	}
	script := t.TempDir() + "/script"
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd, _, out := onTerminal(t, helper("run", script))
	if got := lines(t, out, ""); !strings.Contains(got, "interpreter") {
		t.Errorf("got %q", got)
	}
	exits(t, cmd, 127)
}

// What the runner has open beyond the standard streams, such as the file of its
// credential, does not reach the command; nor is the credential around it.
func TestNothingOfTheRunnerReachesTheCommand(t *testing.T) {
	secret, err := os.CreateTemp(t.TempDir(), "credential")
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	credential := "INFSH_API_KEY=infsh_0123456789"
	for _, where := range []string{"pipes", "terminal"} {
		begin := func(command string) *bufio.Reader {
			change := func(cmd *exec.Cmd) {
				cmd.ExtraFiles = []*os.File{secret}
				cmd.Env = append(os.Environ(), credential, "COPY=infsh_0123456789")
			}
			if where == "pipes" {
				_, out := started(t, helper(command), change)
				return out
			}
			_, _, out := onTerminalWith(t, helper("run", helper(command)...), func(cmd *exec.Cmd, _ *os.File) { change(cmd) })
			return out
		}
		for out := begin("files"); ; {
			got := lines(t, out, "")
			if got == "listed" {
				break
			}
			if !strings.HasPrefix(got, "COPY is not passed on") {
				t.Errorf("%s: the command has %s", where, got)
			}
		}
		if where == "pipes" {
			continue // its parent is the runner itself, which is not dumpable
		}
		out := begin("around")
		lines(t, out, "COPY is not passed on")
		for range 3 {
			if got := lines(t, out, `"`); strings.Contains(got, "infsh_") || strings.Contains(got, "COPY=") {
				t.Errorf("the command sees %s", got)
			}
		}
	}
}
