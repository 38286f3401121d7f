// Package e2e tests the built program as its users meet it: real processes, a
// real database, a real browser and real signals.
package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"infsh/db/dbtest"
)

// infsh is the path of the program under test, built by TestMain.
var infsh string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "infsh-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// A program with the race detector sleeps a second before it exits, to
	// hear of late races; each command of a session would.
	os.Setenv("GORACE", "atexit_sleep_ms=10")
	infsh = filepath.Join(dir, "infsh")
	args := []string{"build", "-o", infsh}
	if raceEnabled {
		// As the Makefile has it: without SQLite's translated C.
		args = append(args, "-race", "-gcflags=modernc.org/sqlite/lib=-race=false")
	}
	build := exec.Command("go", append(args, "infsh")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program under test: %v\n%s", err, out)
		return 1
	}
	return dbtest.Main(m)
}

// server is a running `infsh serve`.
type server struct {
	t    testing.TB
	URL  string
	Data string
	// Setup is the one-time link, empty when there are accounts.
	Setup string
	// flags say which store it is, for the commands of the operator.
	flags   []string
	program string
	cmd     *exec.Cmd
	stderr  *lockedBuffer
	exited  chan error
}

var (
	listeningLine = regexp.MustCompile(`(?m)^listening on (http://\S+)$`)
	setupLine     = regexp.MustCompile(`(?m)^\s*(http://\S+/setup\?code=\S+)$`)
)

// start runs `infsh serve` on a free port with the data dir, and waits until
// it is ready. It is stopped when the test ends.
func start(t testing.TB, data string, args ...string) *server {
	t.Helper()
	s, err := tryStart(t, data, args...)
	if err != nil {
		t.Fatalf("start: %v\n%s", err, s.stderr)
	}
	return s
}

// startUnder runs the server under another program, such as a tracer.
func startUnder(t testing.TB, under []string, data string, args ...string) *server {
	t.Helper()
	s, err := startProcess(t, under, infsh, data, args...)
	if err != nil {
		t.Fatalf("start: %v\n%s", err, s.stderr)
	}
	return s
}

// storeFlags picks the flags that name the store.
func storeFlags(data string, args []string) []string {
	flags := []string{"--data-dir", data}
	for i := 0; i+1 < len(args); i++ {
		if args[i] == "--database-url" || args[i] == "--kek" || args[i] == "--kek-old" {
			flags = append(flags, args[i], args[i+1])
		}
	}
	return flags
}

// tryStart returns an error if the server exits instead of getting ready.
func tryStart(t testing.TB, data string, args ...string) (*server, error) {
	t.Helper()
	return startProcess(t, nil, infsh, data, args...)
}

func startProcess(t testing.TB, under []string, program, data string, args ...string) (*server, error) {
	t.Helper()
	s := &server{t: t, Data: data, program: program, flags: storeFlags(data, args), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	line := slices.Concat(under, []string{program, "serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--log-level", "debug"}, args)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Env = cleanEnv()
	s.cmd.Stdout = s.stderr
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go func() {
		lines := bufio.NewReader(pipe)
		for {
			line, err := lines.ReadString('\n')
			_, _ = s.stderr.Write([]byte(line))
			if m := listeningLine.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
				s.URL = m[1]
				close(ready)
			}
			if err != nil {
				break
			}
		}
		s.exited <- s.cmd.Wait()
	}()
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	select {
	case <-ready:
	case err := <-s.exited:
		if err == nil {
			err = fmt.Errorf("it exited with 0")
		}
		return s, err
	case <-time.After(time.Minute):
		return s, fmt.Errorf("it was not ready within a minute")
	}
	if m := setupLine.FindStringSubmatch(s.stderr.String()); m != nil {
		s.Setup = m[1]
	}
	return s, nil
}

// stop sends SIGTERM, and fails the test unless the server exits with 0.
func (s *server) stop() {
	s.t.Helper()
	if err := syscall.Kill(s.pid(), syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.exited:
		if err != nil {
			s.t.Fatalf("the server stopped with %v\n%s", err, s.stderr)
		}
	case <-time.After(20 * time.Second):
		s.t.Fatalf("the server did not stop\n%s", s.stderr)
	}
}

// pid is the server's own process: a tracer around it has it as its only child,
// and what sets a limit has become it.
func (s *server) pid() int {
	pid := s.cmd.Process.Pid
	if s.cmd.Path == s.program {
		return pid
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		s.t.Fatal(err)
	}
	if len(children) == 0 {
		return pid
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		s.t.Fatalf("the children of %s are %q", s.cmd.Path, children)
	}
	return child
}

// kill ends the server as a crash would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// user is what `infsh admin create-user --json` prints.
type user struct {
	UserID   string `json:"user_id"`
	TeamID   string `json:"team_id"`
	Team     string `json:"team"`
	Email    string `json:"email"`
	APIKey   string `json:"api_key"`
	Password string `json:"password"`
}

// createUser makes an account beside the running server.
func (s *server) createUser(email, team string) user {
	s.t.Helper()
	cmd := exec.Command(infsh, "admin", "create-user", "--email", email, "--team", team, "--json")
	cmd.Args = append(cmd.Args, s.flags...)
	cmd.Env = cleanEnv()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("create-user: %v\n%s", err, &stderr)
	}
	var u user
	if err := json.Unmarshal(out, &u); err != nil {
		s.t.Fatalf("create-user printed %q: %v", out, err)
	}
	return u
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	Body string
}

// json decodes the answer's body.
func (a answer) json(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), into); err != nil {
		t.Fatalf("answer %d is not JSON: %v: %.300s", a.StatusCode, err, a.Body)
	}
}

// call sends a JSON request with an API key.
func (s *server) call(key, method, path string, body any) answer {
	s.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	req, err := http.NewRequest(method, s.URL+path, reader)
	if err != nil {
		s.t.Fatal(err)
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return send(s.t, http.DefaultClient, req)
}

func send(t testing.TB, client *http.Client, req *http.Request) answer {
	t.Helper()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(b)}
}

// visitor is a browser without JavaScript: a cookie jar that follows no
// redirect and sends the Origin of the pages it was given.
type visitor struct {
	*server
	client *http.Client
}

func (s *server) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &visitor{server: s, client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v *visitor) get(path string, header ...string) answer {
	v.t.Helper()
	req, err := http.NewRequest("GET", v.URL+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	setHeaders(req, header)
	return send(v.t, v.client, req)
}

func (v *visitor) post(path string, form url.Values, header ...string) answer {
	v.t.Helper()
	req, err := http.NewRequest("POST", v.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", v.URL)
	setHeaders(req, header)
	return send(v.t, v.client, req)
}

// setHeaders sets pairs of name and value; an empty value removes the header.
func setHeaders(req *http.Request, pairs []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			req.Header.Del(pairs[i])
			continue
		}
		req.Header.Set(pairs[i], pairs[i+1])
	}
}

// signIn signs in, and fails the test unless that works.
func (s *server) signIn(u user) *visitor {
	s.t.Helper()
	v := s.visitor()
	a := v.post("/login", url.Values{"email": {u.Email}, "password": {u.Password}})
	if a.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("login answered %d: %.300s", a.StatusCode, a.Body)
	}
	return v
}

// cleanEnv is the test's environment without anything that configures infsh.
func cleanEnv(extra ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(strings.ToUpper(e), "INFSH_") {
			env = append(env, e)
		}
	}
	return append(env, extra...)
}

// lockedBuffer collects a process's output while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
