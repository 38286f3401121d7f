package e2e

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// onTmpfs returns a folder on a tmpfs that is the test's own.
func onTmpfs(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "infsh-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// gone waits until a path is not there any more.
func gone(t *testing.T, path string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("%s is still there", path)
		}
	}
}

// mountServer has an app that declares API_TOKEN.
func mountServer(t *testing.T) (*server, user) {
	t.Helper()
	s := start(t, filepath.Join(t.TempDir(), "data"))
	ada := s.createUser("ada@example.com", "acme")
	s.set(ada.APIKey, "API_TOKEN", "first-value-0123456789")
	s.call(ada.APIKey, "POST", "/api/apps", map[string]any{"name": "agent", "version": map[string]any{"required_secrets": []map[string]any{{"key": "API_TOKEN"}}}})
	return s, ada
}

const mountedAgent = `trap 'echo told: $(cat "$API_TOKEN_FILE") $(wc -c <"$API_TOKEN_FILE")' HUP
stat -c '%a %F' "$API_TOKEN_FILE" "$(dirname "$API_TOKEN_FILE")"
echo "env <${API_TOKEN-none}> file <$(cat "$API_TOKEN_FILE")> of $(wc -c <"$API_TOKEN_FILE")"
while :; do sleep 0.05; done`

// However a mounted run ends, by itself, by a signal or by kill -9, its files go.
func TestMountIsRemoved(t *testing.T) {
	t.Parallel()
	s, ada := mountServer(t)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		dir := filepath.Join(onTmpfs(t), "secrets")
		// The second time over what kill -9 left, at once.
		for range 2 {
			w := s.watch(t, ada.APIKey, []string{"--mount", dir}, mountedAgent)
			w.until(w.out, "env <none> file <[redacted]> of 22")
			if out := w.out.String(); !strings.Contains(out, "400 regular file\n700 directory\n") {
				t.Errorf("modes: %s", out)
			}
			_ = w.cmd.Process.Signal(signal)
			w.code()
		}
		gone(t, dir)
	}
	// A folder that was there stays, and is emptied.
	dir := onTmpfs(t)
	w := s.watch(t, ada.APIKey, []string{"--mount", dir}, `cat "$API_TOKEN_FILE"; echo left >`+dir+`/other; exit 9`)
	if code := w.code(); code != 9 {
		t.Errorf("exit code %d: %s", code, w.err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// On a terminal, too, where the command is a job of its own.
func TestMountOnATerminalIsRemoved(t *testing.T) {
	t.Parallel()
	s, ada := mountServer(t)
	dir := filepath.Join(onTmpfs(t), "secrets")
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{t: t, out: &lockedBuffer{}, err: &lockedBuffer{}, exited: make(chan error, 1)}
	w.cmd = exec.Command(infsh, "run", "--app", "acme/agent", "--mount", dir, "--", "sh", "-c", `[ -t 0 ] && [ -t 1 ] && echo "on a terminal, process $$"; `+mountedAgent)
	w.cmd.Env = cleanEnv("INFSH_URL="+s.URL, "INFSH_API_KEY="+ada.APIKey)
	w.cmd.Stdin, w.cmd.Stdout, w.cmd.Stderr = slave, slave, slave
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(w.out, master) // until the terminal is gone
		close(read)
	}()
	go func() { w.exited <- w.cmd.Wait() }()
	t.Cleanup(func() { _ = w.cmd.Process.Kill(); <-read; master.Close() })
	w.until(w.out, "on a terminal, process ")
	w.until(w.out, "file <[redacted]> of 22")
	var pid int
	_, after, _ := strings.Cut(w.out.String(), "on a terminal, process ")
	if _, err := fmt.Sscan(after, &pid); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	w.code()
	gone(t, dir)
	gone(t, fmt.Sprintf("/proc/%d", pid))
}

// A change rewrites the files, and then tells or restarts the command; the new
// value is masked in what runs already.
func TestMountFollowsChanges(t *testing.T) {
	t.Parallel()
	s, ada := mountServer(t)
	told := s.watch(t, ada.APIKey, []string{"--mount", filepath.Join(onTmpfs(t), "a"), "--watch-signal", "HUP"}, mountedAgent)
	restarted := s.watch(t, ada.APIKey, []string{"--mount", filepath.Join(onTmpfs(t), "b"), "--watch"}, mountedAgent)
	told.until(told.out, "of 22")
	restarted.until(restarted.out, "of 22")
	s.set(ada.APIKey, "API_TOKEN", "second-value-0123456789-longer")
	told.until(told.out, "told: [redacted] 30")
	restarted.until(restarted.out, "file <[redacted]> of 30")
	for _, w := range []*watching{told, restarted} {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
		w.code()
		if all := w.out.String() + w.err.String(); strings.Contains(all, "value-0123456789") {
			t.Errorf("a value was printed:\n%s", all)
		}
	}
}
