package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A fault is something that the disk under a data dir can have.
type fault struct {
	name string
	// data makes the folder of the data dir.
	data func(t *testing.T) string
	// begin makes the disk refuse the server's writes, until end.
	begin func(t *testing.T, s *server) (end func())
}

// faults are those that can be made on this machine. Where it permits neither
// mounting nor tracing, as in many containers, the limit of file sizes stands
// for them: to the program it is one more write that fails.
func faults(t *testing.T) []fault {
	plain := func(t *testing.T) string { return filepath.Join(t.TempDir(), "data") }
	all := []fault{{"a limit of file sizes", plain, limitFileSizes}}
	if err := tryMount(t); err != nil {
		t.Logf("a full disk is a limit of file sizes here, since nothing can be mounted: %v", err)
	} else {
		all = append(all, fault{"a full disk", func(t *testing.T) string { return filepath.Join(smallDisk(t), "data") }, fillDisk})
	}
	if os.Geteuid() != 0 {
		t.Log("a quota and a disk that became read-only are a limit of file sizes here, since only root may trace a server")
		return all
	}
	for name, errno := range map[string]string{"a quota": "EDQUOT", "a disk that became read-only": "EROFS", "a broken disk": "EIO"} {
		all = append(all, fault{name, plain, func(t *testing.T, s *server) func() { return injectErrors(t, s, errno) }})
	}
	return all
}

func tryMount(t *testing.T) error {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		return err
	}
	return syscall.Unmount(dir, 0)
}

// smallDisk mounts a file system with room for what a test writes, and for a
// write-ahead log of 16 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", times(40, 96))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A server that a test left running keeps its files open.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func fillDisk(t *testing.T, s *server) (end func()) {
	t.Helper()
	return fillFolder(t, filepath.Dir(s.Data))
}

// fillFolder takes all the room on the disk that a folder is on.
func fillFolder(t *testing.T, dir string) (end func()) {
	t.Helper()
	ballast := filepath.Join(dir, "ballast")
	f, err := os.OpenFile(ballast, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	_ = f.Close()
	return func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	}
}

func limitFileSizes(t *testing.T, s *server) (end func()) {
	t.Helper()
	set := func(limit uint64) {
		t.Helper()
		if err := unix.Prlimit(s.pid(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(0)
	return func() { set(unix.RLIM_INFINITY) }
}

// injectErrors lets a tracer answer the server's writes to files.
func injectErrors(t *testing.T, s *server, errno string) (end func()) {
	t.Helper()
	cmd := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace=pwrite64", "-e", "inject=pwrite64:error="+errno, "-p", fmt.Sprint(s.pid()))
	var said lockedBuffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs strace: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(patience); !allTraced(t, s.pid()); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("strace: %v: %s", err, &said)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server is not traced: %s", &said)
		}
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
}

func allTraced(t *testing.T, pid int) bool {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("the threads of the server: %v", err)
	}
	for _, path := range tasks {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), "TracerPid:\t0\n") {
			return false
		}
	}
	return true
}

// D3: while the disk refuses writes, what changes or discloses something is
// answered with 503 and no value, and /readyz tells; afterwards all is as it
// was acknowledged, and the same process goes on.
func TestDiskFaults(t *testing.T) {
	for _, f := range faults(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel() // It waits more than it works.
			s := start(t, f.data(t))
			w := &town{server: s, t: t, ada: s.createUser("ada@example.com", "acme")}
			w.set(w.ada.APIKey, "OPENAI_API_KEY", faultCanary)
			w.deploy(w.ada.APIKey, "demo", "OPENAI_API_KEY")
			runner := w.apiKey(w.ada, "runner", "apps:execute")
			w.readyWithin(http.StatusOK)

			// People write and run apps all the time.
			var journals []*journal
			stop, running := make(chan struct{}), sync.WaitGroup{}
			for i := range 4 {
				j := &journal{key: fmt.Sprintf("FAULT_%d_API_KEY", i), acked: map[int64]string{}}
				journals = append(journals, j)
				running.Go(func() { w.writeOn(j, stop) })
				running.Go(func() { w.resolveOn(runner, stop) })
			}
			for range times(1, 10) {
				time.Sleep(200 * time.Millisecond)
				end := f.begin(t, s)
				w.refuses(runner)
				end()
				w.recovers(runner)
			}
			close(stop)
			running.Wait()
			for _, j := range journals {
				if j.last == 0 {
					t.Errorf("nothing was written to %s; the test shows nothing", j.key)
				}
				j.check(t, s, w.ada.APIKey)
			}
			mustOperate(t, s.flags, "audit", "verify")
			s.kill()
			w.server = start(t, s.Data)
			for _, j := range journals {
				j.check(t, w.server, w.ada.APIKey)
			}
			w.recovers(runner)
		})
	}
}

const faultCanary = "sk-fault-canary-71c2d98e4b"

// refuses asks for each kind of thing during a fault.
func (w *town) refuses(runner string) {
	w.t.Helper()
	w.readyWithin(http.StatusServiceUnavailable)
	w.want(http.StatusOK, "", "GET", "/healthz", nil)
	for _, c := range []struct {
		key, method, path string
		body              any
	}{
		{w.ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "NEVER_STORED", "value": faultCanary}},
		{w.ada.APIKey, "PUT", "/api/secrets/OPENAI_API_KEY", map[string]any{"value": faultCanary + "-2"}},
		{w.ada.APIKey, "DELETE", "/api/secrets/OPENAI_API_KEY", nil},
		{w.ada.APIKey, "POST", "/api/secrets/import", map[string]any{"items": []any{map[string]any{"key": "NEVER_STORED", "value": faultCanary}}}},
		{w.ada.APIKey, "GET", "/api/secrets/reveal/OPENAI_API_KEY", nil},
		{w.ada.APIKey, "POST", "/api/apikeys", map[string]any{"name": "never made"}},
		{w.ada.APIKey, "POST", "/api/teams", map[string]any{"username": "never-made"}},
		{runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/demo"}},
		{runner, "GET", "/api/secrets/reveal/OPENAI_API_KEY", nil}, // A denial can't be recorded either.
		{"", "POST", "/api/device/code", map[string]any{"client_name": "a laptop"}},
	} {
		a := w.want(http.StatusServiceUnavailable, c.key, c.method, c.path, c.body)
		w.clean(a)
	}
	v := w.visitor()
	if a := v.post("/login", form("email", w.ada.Email, "password", w.ada.Password)); a.StatusCode != http.StatusServiceUnavailable {
		w.t.Errorf("a sign-in during the fault: %d", a.StatusCode)
	}
	// What only reads goes on.
	w.want(http.StatusOK, w.ada.APIKey, "POST", "/api/secrets/list", nil)
}

// clean fails unless a refusal is a problem document in words for people.
func (w *town) clean(a answer) {
	w.t.Helper()
	if got := a.title(w.t); got != "unavailable" {
		w.t.Errorf("the refusal is titled %q: %.300s", got, a.Body)
	}
	for _, inside := range []string{faultCanary, "written before a crash", "SQLITE", "sqlite", "disk I/O", "database is", ".db", "no space"} {
		if strings.Contains(a.Body, inside) {
			w.t.Errorf("the refusal holds %q: %.300s", inside, a.Body)
		}
	}
}

func (w *town) recovers(runner string) {
	w.t.Helper()
	w.readyWithin(http.StatusOK)
	if got := w.reveal(w.ada.APIKey, "OPENAI_API_KEY"); got != faultCanary {
		w.t.Errorf("after the fault the value is %q", got)
	}
	a := w.want(http.StatusOK, runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/demo"})
	if !strings.Contains(a.Body, faultCanary) {
		w.t.Errorf("after the fault an app gets %.300s", a.Body)
	}
	if a := w.call(w.ada.APIKey, "GET", "/api/secrets/NEVER_STORED", nil); a.StatusCode != http.StatusNotFound {
		w.t.Errorf("what was refused is there: %d", a.StatusCode)
	}
	w.signIn(w.ada)
}

// readyWithin waits until /readyz answers so: it believes its last answer for
// two seconds.
func (w *town) readyWithin(status int) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got := w.call("", "GET", "/readyz", nil).StatusCode
		if got == status {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("/readyz answers %d, want %d\n%s", got, status, w.stderr)
		}
	}
}

// writeOn writes versions until it is stopped. A refusal must be clean and
// have stored nothing, so that the next version follows the last acknowledged.
func (w *town) writeOn(j *journal, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		before := j.last
		value := fmt.Sprintf("value %d of %s, written before a crash", j.writes, j.key)
		j.writes++
		method, path, body := "PUT", "/api/secrets/"+j.key, map[string]any{"value": value}
		if before == 0 {
			method, path, body = "POST", "/api/secrets", map[string]any{"key": j.key, "value": value}
		}
		a := w.call(w.ada.APIKey, method, path, body)
		switch a.StatusCode {
		case http.StatusOK, http.StatusCreated:
			var written struct{ Version int64 }
			a.json(w.t, &written)
			if written.Version != before+1 && j.unknown == "" {
				w.t.Errorf("%s: version %d follows %d", j.key, written.Version, before)
			}
			j.acked[written.Version], j.last, j.unknown = value, written.Version, ""
		case http.StatusServiceUnavailable:
			w.clean(a)
			if strings.Contains(a.Body, "not certain") {
				j.unknown = value
			}
		default:
			w.t.Errorf("%s: %d %.300s", j.key, a.StatusCode, a.Body)
			return
		}
	}
}

// resolveOn runs the app until it is stopped: with its value, or refused
// without.
func (w *town) resolveOn(runner string, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		switch a := w.call(runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/demo"}); a.StatusCode {
		case http.StatusOK:
		case http.StatusServiceUnavailable:
			w.clean(a)
		default:
			w.t.Errorf("resolve: %d %.300s", a.StatusCode, a.Body)
			return
		}
	}
}

// D3: a first start on a disk that takes nothing, or only a little, is refused
// in a sentence; and when there is room it works, whatever the first left.
func TestFirstStartOnAFullDisk(t *testing.T) {
	for _, blocks := range []int{0, 8, 100, 200} {
		t.Run(fmt.Sprintf("%d blocks", blocks), func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			out, code := runLimited(t, fmt.Sprintf("ulimit -f %d", blocks), "serve", "--listen", "127.0.0.1:0", "--data-dir", data)
			if code != 1 || strings.Contains(out, "goroutine ") || strings.Contains(out, "listening on") {
				t.Errorf("it ended with %d: %s", code, out)
			}
			s := start(t, data)
			w := &town{server: s, t: t, ada: s.createUser("ada@example.com", "acme")}
			w.set(w.ada.APIKey, "OPENAI_API_KEY", faultCanary)
			s.stop()
			w.server = start(t, data)
			if got := w.reveal(w.ada.APIKey, "OPENAI_API_KEY"); got != faultCanary {
				t.Errorf("the value is %q", got)
			}
			private(t, data)
		})
	}
}

// D3: a key file that does not fit is not made, also not in part.
func TestNewKeyOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek-2.json")
	out, code := runLimited(t, "ulimit -f 0", "admin", "new-kek", path)
	if code != 1 || !strings.Contains(out, "file too large") {
		t.Errorf("it ended with %d: %s", code, out)
	}
	noPartial(t, filepath.Dir(path), 0)
	mustOperate(t, nil, "new-kek", path)
}

// D3: what an operator does on a disk that is full ends with a message, changes
// nothing, and can be done when there is room.
func TestOperatorOnAFullDisk(t *testing.T) {
	w := newTown(t)
	w.set(w.ada.APIKey, "OPENAI_API_KEY", faultCanary)
	young := filepath.Join(w.Data, "kek-2.json")
	mustOperate(t, nil, "new-kek", young)
	w.stop()
	both := append([]string{"--kek-old", "file:" + young}, w.flags...)
	w.server = start(t, w.Data, "--kek-old", "file:"+young)
	for _, args := range [][]string{
		{"rotate-dek"}, {"rotate-kek", "--to", "file:" + young}, {"create-user", "--email", "new@example.com", "--team", "newcomers"},
	} {
		out, code := runLimited(t, "ulimit -f 0", append(append([]string{"admin"}, args...), both...)...)
		if code != 1 || strings.Contains(out, "goroutine ") || strings.Contains(out, faultCanary) {
			t.Errorf("%v ended with %d: %s", args, code, out)
		}
		if got := w.reveal(w.ada.APIKey, "OPENAI_API_KEY"); got != faultCanary {
			t.Errorf("after %v the value is %q", args, got)
		}
		mustOperate(t, both, args...)
		if got := w.reveal(w.ada.APIKey, "OPENAI_API_KEY"); got != faultCanary {
			t.Errorf("after %v, done again, the value is %q", args, got)
		}
	}
	w.stop()
}

// runLimited runs the program under a limit that the shell sets, which counts
// sizes in blocks of 512 bytes or more.
func runLimited(t *testing.T, limit string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", limit + `; exec "$0" "$@"`, infsh}, args...)...)
	cmd.Env = cleanEnv()
	b, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// D3: a data dir in which nothing can be written is refused at the start, and
// nothing is changed.
func TestStartOnAReadOnlyDisk(t *testing.T) {
	t.Run("a folder that can't be made", func(t *testing.T) {
		parent := t.TempDir()
		if err := os.Chmod(parent, 0o555); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(infsh, "serve", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(parent, "data"))
		cmd.Env = cleanEnv()
		if os.Geteuid() == 0 { // Modes don't bind root.
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			cmd.Path = publicCopy(t)
		}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "data dir") || !strings.Contains(string(out), "denied") {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("a file system", func(t *testing.T) {
		if err := tryMount(t); err != nil {
			t.Logf("the folder that can't be made stands for it, since nothing can be mounted here: %v", err)
			return
		}
		disk := smallDisk(t)
		data := filepath.Join(disk, "data")
		s := start(t, data)
		w := &town{server: s, t: t, ada: s.createUser("ada@example.com", "acme")}
		w.set(w.ada.APIKey, "OPENAI_API_KEY", faultCanary)
		s.kill()
		before := digests(t, data)
		remount := func(flags uintptr) {
			t.Helper()
			if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
				t.Fatal(err)
			}
		}
		remount(syscall.MS_RDONLY)
		refused, err := tryStart(t, data)
		if err == nil || !strings.Contains(refused.stderr.String(), "read-only") {
			t.Errorf("a start: %v\n%s", err, refused.stderr)
		}
		if _, stderr, err := operator(t, s.flags, "backup", filepath.Join(t.TempDir(), "b")); err == nil || !strings.Contains(stderr, "read-only") {
			t.Errorf("a backup: %v %s", err, stderr)
		}
		if after := digests(t, data); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("the data dir was\n%v\nand is\n%v", before, after)
		}
		remount(0)
		w.server = start(t, data)
		if got := w.reveal(w.ada.APIKey, "OPENAI_API_KEY"); got != faultCanary {
			t.Errorf("the value is %q", got)
		}
	})
}

// publicCopy copies the program to where every user may run it.
func publicCopy(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "infsh-public")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "infsh")
	if err := os.WriteFile(path, []byte(read(t, infsh)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
