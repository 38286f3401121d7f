package e2e

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"infsh/db/dbtest"
)

// watching is a running `infsh run --watch`.
type watching struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *lockedBuffer
	err    *lockedBuffer
	exited chan error
}

// watch starts the command under `infsh run` with the flags.
func (s *server) watch(t *testing.T, key string, flags []string, script string) *watching {
	t.Helper()
	w := &watching{t: t, out: &lockedBuffer{}, err: &lockedBuffer{}, exited: make(chan error, 1)}
	args := append([]string{"run", "--app", "acme/agent"}, flags...)
	w.cmd = exec.Command(infsh, append(args, "--", "sh", "-c", script)...)
	w.cmd.Env = cleanEnv("INFSH_URL="+s.URL, "INFSH_API_KEY="+key)
	w.cmd.Stdout, w.cmd.Stderr = w.out, w.err
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.exited <- w.cmd.Wait() }()
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	return w
}

// until waits for a text in the output, and returns how long that took.
func (w *watching) until(b *lockedBuffer, text string) time.Duration {
	w.t.Helper()
	begun := time.Now()
	for !strings.Contains(b.String(), text) {
		select {
		case err := <-w.exited:
			w.t.Fatalf("it ended with %v before it said %q:\n%s\n%s", err, text, w.out, w.err)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Since(begun) > time.Minute {
			w.t.Fatalf("it did not say %q:\n%s\n%s", text, w.out, w.err)
		}
	}
	return time.Since(begun)
}

// code waits for the end, and returns the exit code.
func (w *watching) code() int {
	w.t.Helper()
	select {
	case <-w.exited:
		return w.cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		w.t.Fatalf("it did not end:\n%s\n%s", w.out, w.err)
		return 0
	}
}

const agent = `trap 'echo stopping; exit 7' TERM
echo "started with $(printf %s "$API_TOKEN" | wc -c) and <$API_TOKEN> of $OLD"
while :; do sleep 0.05; done`

func (s *server) set(key, name, value string) {
	s.t.Helper()
	if a := s.call(key, "PUT", "/api/secrets/"+name, map[string]any{"value": value}); a.StatusCode == http.StatusNotFound {
		a = s.call(key, "POST", "/api/secrets", map[string]any{"key": name, "value": value})
		if a.StatusCode != http.StatusCreated {
			s.t.Fatalf("set %s: %d %s", name, a.StatusCode, a.Body)
		}
	} else if a.StatusCode != http.StatusOK {
		s.t.Fatalf("set %s: %d %s", name, a.StatusCode, a.Body)
	}
}

// A change restarts the command with the new value, whichever instance made it;
// what it had before stays masked. The delay is logged.
func TestRunWatchRestarts(t *testing.T) {
	for _, test := range []struct {
		name  string
		flags func() []string
	}{
		{"one instance on sqlite", nil},
		{"two instances on postgres", func() []string {
			return []string{"--database-url", dbtest.PostgresURL(t), "--kek", "file:" + filepath.Join(t.TempDir(), "kek.json")}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // It waits more than it works.
			var flags []string
			if test.flags != nil {
				flags = test.flags()
			}
			a := start(t, filepath.Join(t.TempDir(), "a"), flags...)
			ada := a.createUser("ada@example.com", "acme")
			runner := a.apiKey(ada, "runner", "apps:execute")
			b := a
			if test.flags != nil {
				b = start(t, filepath.Join(t.TempDir(), "b"), flags...)
			}
			a.set(ada.APIKey, "API_TOKEN", "first-value-0123456789")
			deploy := map[string]any{"name": "agent", "version": map[string]any{"required_secrets": []map[string]any{{"key": "API_TOKEN"}}}}
			a.call(ada.APIKey, "POST", "/api/apps", deploy)

			w := a.watch(t, runner, []string{"--watch"}, agent)
			w.until(w.out, "started with 22 and <[redacted]>")
			b.set(ada.APIKey, "API_TOKEN", "second-value-0123456789-longer")
			t.Logf("restarted %s after the change, the command's own end included", w.until(w.out, "started with 30 and <[redacted]>"))
			if !strings.Contains(w.out.String(), "stopping\n") {
				t.Errorf("the command was not asked to stop:\n%s", w.out)
			}

			// Staging changes nothing that an app receives; activating does.
			b.call(ada.APIKey, "PUT", "/api/secrets/API_TOKEN", map[string]any{"value": "third-value", "stage": true})
			b.set(ada.APIKey, "UNRELATED_KEY", "unrelated")
			b.call(ada.APIKey, "POST", "/api/secrets/activate/API_TOKEN", map[string]any{"version": 3})
			w.until(w.out, "started with 11")
			if n := strings.Count(w.out.String(), "started with"); n != 3 {
				t.Errorf("started %d times, not 3:\n%s", n, w.out)
			}

			// A new version of the app is followed, as none is named.
			deploy["version"] = map[string]any{"required_secrets": []map[string]any{{"key": "API_TOKEN"}, {"key": "OLD", "optional": true}}}
			b.set(ada.APIKey, "OLD", "first-value-0123456789")
			b.call(ada.APIKey, "POST", "/api/apps", deploy)
			w.until(w.out, "started with 11 and <[redacted]> of [redacted]")

			// What is required and gone leaves the command alone.
			b.call(ada.APIKey, "DELETE", "/api/secrets/API_TOKEN", nil)
			w.until(w.err, "runs on with the old ones")
			b.set(ada.APIKey, "API_TOKEN", "fourth-value")
			w.until(w.out, "started with 12")

			// Who ends the run ends it, with the command's code.
			_ = w.cmd.Process.Signal(syscall.SIGTERM)
			if code := w.code(); code != 7 {
				t.Errorf("the exit code is %d, not the command's:\n%s", code, w.err)
			}
			if n := strings.Count(w.out.String(), "started with"); n != 5 {
				t.Errorf("started %d times, not 5:\n%s", n, w.out)
			}
			if all := w.out.String() + w.err.String(); strings.Contains(all, "value-0123456789") || strings.Contains(all, "fourth-value") {
				t.Errorf("a value was printed:\n%s", all)
			}
		})
	}
}

// The server's stop ends the streams, so that it stops in time, and the runner
// comes back to the next one.
func TestRunWatchOutlivesTheServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data)
	ada := s.createUser("ada@example.com", "acme")
	s.set(ada.APIKey, "API_TOKEN", "first-value-0123456789")
	s.call(ada.APIKey, "POST", "/api/apps", map[string]any{"name": "agent", "version": map[string]any{"required_secrets": []map[string]any{{"key": "API_TOKEN"}}}})
	w := s.watch(t, ada.APIKey, []string{"--watch"}, agent)
	w.until(w.out, "started with 22")
	begun := time.Now()
	s.stop()
	t.Logf("stopped in %s with an open stream", time.Since(begun))
	again := start(t, data, "--listen", strings.TrimPrefix(s.URL, "http://"))
	again.set(ada.APIKey, "API_TOKEN", "second-value")
	w.until(w.out, "started with 12")
	if n := strings.Count(w.out.String(), "started with"); n != 2 {
		t.Errorf("started %d times:\n%s", n, w.out)
	}
}

// --watch-signal tells the command and leaves it running; the command's own end
// is the run's; a key that is revoked is told of and ends nothing.
func TestRunWatchSignals(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "data"))
	ada := s.createUser("ada@example.com", "acme")
	s.set(ada.APIKey, "API_TOKEN", "first-value-0123456789")
	s.call(ada.APIKey, "POST", "/api/apps", map[string]any{"name": "agent", "version": map[string]any{"required_secrets": []map[string]any{{"key": "API_TOKEN"}}}})
	made := s.call(ada.APIKey, "POST", "/api/apikeys", map[string]any{"name": "runner", "scopes": []string{"apps:execute"}})
	var key struct{ ID, Key string }
	made.json(t, &key)

	w := s.watch(t, key.Key, []string{"--watch-signal", "hup"}, `n=0
trap 'n=$((n+1)); echo told $n' HUP
trap 'exit 3' USR1
echo started
while :; do sleep 0.05; done`)
	w.until(w.out, "started")
	s.set(ada.APIKey, "API_TOKEN", "second-value")
	w.until(w.out, "told 1")
	s.set(ada.APIKey, "API_TOKEN", "third-value")
	w.until(w.out, "told 2")
	s.call(ada.APIKey, "DELETE", "/api/apikeys/"+key.ID, nil)
	w.until(w.err, "changes are not watched any more")
	_ = w.cmd.Process.Signal(syscall.SIGUSR1)
	if code := w.code(); code != 3 {
		t.Errorf("the exit code is %d", code)
	}
}

// A watched run behind an agent, which has the credential, follows changes, and runs
// on when the agent ends.
func TestRunWatchThroughAnAgent(t *testing.T) {
	t.Parallel()
	s := start(t, filepath.Join(t.TempDir(), "data"))
	ada := s.createUser("ada@example.com", "acme")
	s.set(ada.APIKey, "API_TOKEN", "first-value-0123456789")
	s.call(ada.APIKey, "POST", "/api/apps", map[string]any{"name": "agent", "version": map[string]any{"required_secrets": []map[string]any{{"key": "API_TOKEN"}}}})
	socket := filepath.Join(t.TempDir(), "run", "agent.sock")
	holder := &watching{t: t, out: &lockedBuffer{}, err: &lockedBuffer{}, exited: make(chan error, 1)}
	holder.cmd = exec.Command(infsh, "agent", "--socket", socket)
	holder.cmd.Env = cleanEnv("INFSH_URL="+s.URL, "INFSH_API_KEY="+s.apiKey(ada, "runner", "apps:execute"))
	holder.cmd.Stdout, holder.cmd.Stderr = holder.out, holder.err
	if err := holder.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { holder.exited <- holder.cmd.Wait() }()
	t.Cleanup(func() { _ = holder.cmd.Process.Kill() })
	holder.until(holder.err, "listening on")

	w := s.watch(t, "", []string{"--agent", socket, "--watch"}, agent)
	w.until(w.out, "started with 22 and <[redacted]>")
	s.set(ada.APIKey, "API_TOKEN", "second-value-0123456789-longer")
	w.until(w.out, "started with 30 and <[redacted]>")
	_ = holder.cmd.Process.Signal(syscall.SIGTERM)
	if code := holder.code(); code != 0 {
		t.Errorf("the agent ended with %d: %s", code, holder.err)
	}
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	if code := w.code(); code != 7 {
		t.Errorf("the exit code is %d:\n%s", code, w.err)
	}
}
