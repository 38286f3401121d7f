//go:build linux

package runner_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// started starts the runner as a process of its own, without a terminal.
func started(t *testing.T, command []string, change func(*exec.Cmd)) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	argv := helper("run", command...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, bufio.NewReader(out)
}

func TestSignalsAreForwardedOnce(t *testing.T) {
	cmd, out := started(t, helper("signals", fmt.Sprint(len(forwarded))), nil)
	lines(t, out, "ready")
	for _, s := range forwarded {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if got := lines(t, out, "got "); got != "got "+s.String() {
			t.Errorf("%v arrived as %q", s, got)
		}
	}
	if got := lines(t, out, ""); got != "done" {
		t.Errorf("more came: %q", got)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}

func TestASignalThatEndsTheCommandIsInTheExitCode(t *testing.T) {
	cmd, out := started(t, helper("sleep"), nil)
	lines(t, out, "asleep")
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 143 {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}

// nohup: what was ignored stays so for the command.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	script := `trap "" HUP; exec "$@"`
	argv := append([]string{"sh", "-c", script, "sh"}, helper("run", "sh", "-c", "kill -HUP $$; kill -HUP $PPID; echo survived")...)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil || string(out) != "survived\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestNoCommandIsLeftWhenTheRunnerIsKilled(t *testing.T) {
	cmd, out := started(t, helper("signals", "1"), nil)
	var pid int
	if _, err := fmt.Sscanf(lines(t, out, "ready"), "ready %d", &pid); err != nil {
		t.Fatal(err)
	}
	// A pidfd names that process even after its end.
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

// The runner's memory and first environment are closed to its user's other
// processes, and it leaves no core; the command's limits are those of the parent.
func TestTheRunnerIsNotDumpable(t *testing.T) {
	cmd, out := started(t, helper("sleep"), nil)
	lines(t, out, "asleep")
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		t.Errorf("its environ file belongs to user %d, not to root", owner)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if core := coreLine(t, string(limits)); core[0] != "0" {
		t.Errorf("core limit %v", core)
	}
}

func TestTheCommandKeepsItsCoreLimit(t *testing.T) {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &own); err != nil {
		t.Fatal(err)
	}
	parent, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	// "limits" is read a moment after the start, when the runner has set them.
	cmd, out := started(t, []string{"sh", "-c", "sleep 0.2; exec cat /proc/self/limits"}, nil)
	line := lines(t, out, "Max core file size")
	_ = cmd.Wait()
	// The test process itself may have been hardened by an earlier test; then
	// both have none, and the hard limit must still agree.
	want, got := coreLine(t, string(parent)), coreLine(t, line+"\n")
	if got != want {
		t.Errorf("the command has %v, its parent %v", got, want)
	}
}

func coreLine(t *testing.T, limits string) [2]string {
	t.Helper()
	for line := range strings.Lines(limits) {
		if rest, found := strings.CutPrefix(line, "Max core file size"); found {
			fields := strings.Fields(rest)
			return [2]string{fields[0], fields[1]}
		}
	}
	t.Fatal("no line about core files")
	return [2]string{}
}

// terminal returns both ends of a new terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(filepath.Join("/dev/pts", fmt.Sprint(n)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	// Without this, a Ctrl-C may discard what is printed just after it.
	settings, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	settings.Lflag |= unix.NOFLSH
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, settings); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// onTerminal starts a session whose controlling terminal is a new one.
func onTerminal(t *testing.T, argv []string) (*exec.Cmd, *os.File, *bufio.Reader) {
	t.Helper()
	master, slave := terminal(t)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, master, bufio.NewReader(master)
}

func TestCtrlCOnATerminalArrivesOnce(t *testing.T) {
	cmd, keyboard, out := onTerminal(t, helper("run", helper("signals", "1")...))
	lines(t, out, "ready")
	if _, err := keyboard.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	// The terminal shows ^C before it.
	if got := strings.TrimPrefix(lines(t, out, ""), "^C"); got != "got interrupt" {
		t.Errorf("first line %q", got)
	}
	if got := lines(t, out, ""); got != "done" {
		t.Errorf("it came twice: %q", got)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}

// SIGTERM is not the terminal's: the command gets it from the runner.
func TestSIGTERMOnATerminalIsForwarded(t *testing.T) {
	cmd, _, out := onTerminal(t, helper("run", helper("signals", "1")...))
	lines(t, out, "ready")
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if got := lines(t, out, "got"); got != "got terminated" {
		t.Errorf("got %q", got)
	}
	lines(t, out, "done")
}

func TestCtrlZStopsTheJobAndTheShellContinuesIt(t *testing.T) {
	job := helper("run", helper("job")...)
	_, keyboard, out := onTerminal(t, helper("jobshell", job...))
	lines(t, out, "running")
	for range 3 {
		if _, err := keyboard.Write([]byte{26}); err != nil {
			t.Fatal(err)
		}
		for !strings.HasSuffix(lines(t, out, ""), "job stopped") { // behind ^Z
		}
		// SIGCONT takes back what stops the job; the next key waits for it.
		lines(t, out, "job continued")
	}
	// It runs on, and hears the keyboard.
	if _, err := keyboard.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	for !strings.HasSuffix(lines(t, out, ""), "interrupted") {
	}
	lines(t, out, "job ended with 5")
}

// A prompt without a line break is there although the command waits.
func TestAPromptIsNotHeldBack(t *testing.T) {
	_, out := started(t, helper("prompt"), nil)
	prompt := make([]byte, len("Password: "))
	for n := 0; n < len(prompt); {
		m, err := out.Read(prompt[n:])
		if n += m; err != nil {
			t.Fatal(err)
		}
	}
	if string(prompt) != "Password: " {
		t.Errorf("got %q", prompt)
	}
}

// What the command started goes with it, also what left its group and its session,
// and whose parent has ended.
func TestNothingIsLeftOfTheCommandWhenTheRunnerIsKilled(t *testing.T) {
	cmd, out := started(t, []string{"sh", "-c", `sleep 300 & echo "pid $!"; setsid sh -c 'sleep 300 & echo "pid $!"'; wait`}, nil)
	var fds []int
	for range 2 {
		var pid int
		if _, err := fmt.Sscanf(lines(t, out, "pid"), "pid %d", &pid); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		defer func() { _ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) }()
		fds = append(fds, fd)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for i, fd := range fds {
		if !ends(fd) {
			t.Errorf("process %d lives on", i)
		}
	}
}

// ends waits for the end of the process of a pidfd.
func ends(pidfd int) bool {
	poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 10_000)
		if err != unix.EINTR {
			return err == nil && n == 1
		}
	}
}

// The monitor takes its command along when it is killed itself, and the runner ends.
func TestAKilledMonitorEndsTheRun(t *testing.T) {
	cmd, out := started(t, []string{"sh", "-c", `echo "parent $PPID"; exec sleep 300`}, nil)
	var monitor int
	if _, err := fmt.Sscanf(lines(t, out, "parent"), "parent %d", &monitor); err != nil {
		t.Fatal(err)
	}
	if monitor == cmd.Process.Pid {
		t.Fatal("there is no monitor")
	}
	_ = unix.Kill(monitor, unix.SIGKILL)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 137 {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}
