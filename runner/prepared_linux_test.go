package runner_test

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"testing"
)

// prepared starts a process that has prepared a run and waits for a line.
func prepared(t *testing.T) (*exec.Cmd, io.WriteCloser, *bufio.Reader) {
	t.Helper()
	argv := helper("prepared", helper("exit", "9")...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	reader := bufio.NewReader(out)
	lines(t, reader, "ready")
	return cmd, in, reader
}

// While the server is asked, a signal does what it does to any program, and what
// was prepared goes with this one.
func TestSignalsBeforeTheCommand(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd, _, _ := prepared(t)
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != s {
			t.Errorf("%v: ended with %v", s, cmd.ProcessState)
		}
	}

	cmd, in, _ := prepared(t)
	for range 2 {
		_ = cmd.Process.Signal(syscall.SIGWINCH)
		if err := cmd.Process.Signal(syscall.SIGTSTP); err != nil {
			t.Fatal(err)
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
			t.Fatalf("Ctrl-Z did not stop it: %v, %v", status, err)
		}
		_ = cmd.Process.Signal(syscall.SIGCONT)
	}
	fmt.Fprintln(in, "go on")
	exits(t, cmd, 9)
}

// What is prepared and not used leaves no process.
func TestWhatWasPreparedIsClosed(t *testing.T) {
	cmd, in, out := prepared(t)
	in.Close()
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
	exits(t, cmd, 3)
}
