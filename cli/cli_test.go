package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"infsh/runner"
)

const (
	canary  = "sk-canary-4f1d7a90b3"
	testKey = "infsh_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghi"
)

// world is the surroundings of one invocation.
type world struct {
	t        *testing.T
	env      map[string]string
	stdin    string
	terminal terminal
	ring     keyring
	opened   []string
	browse   func(url string)
	launched []runner.Command
	exit     int
	// environ is what a command inherits; with real, it is really started.
	environ []string
	real    bool
	// patient makes each wait last until it is cancelled; else none lasts.
	patient bool
}

// newWorld is a machine with a private folder for logins, an API key, and a
// server that answers as the handler does.
func newWorld(t *testing.T, handler http.Handler) *world {
	t.Helper()
	w := &world{t: t, env: map[string]string{
		"INFSH_CONFIG_DIR": filepath.Join(t.TempDir(), "config"),
		"INFSH_API_KEY":    testKey,
	}}
	if handler != nil {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		w.env["INFSH_URL"] = server.URL
	}
	return w
}

type result struct {
	code     int
	out, err string
}

func (w *world) run(args ...string) result {
	w.t.Helper()
	var out, errs strings.Builder
	opts := Options{
		In: strings.NewReader(w.stdin), Out: &out, Err: &errs,
		LookupEnv: func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
		Environ:   func() []string { return w.environ },
		Version:   "1.2.3",
		terminal:  &w.terminal,
		ring:      w.ring,
		sleep: func(ctx context.Context, _ time.Duration) error {
			if w.patient {
				<-ctx.Done()
			}
			return ctx.Err()
		},
		openURL: func(url string) error {
			w.opened = append(w.opened, url)
			if w.browse != nil {
				w.browse(url)
			}
			return nil
		},
	}
	if !w.real {
		opts.launch = func(_ context.Context, command runner.Command) (int, error) {
			w.launched = append(w.launched, command)
			return w.exit, nil
		}
	}
	code := Main(w.t.Context(), args, opts)
	return result{code, out.String(), errs.String()}
}

// want checks an exit code and texts that standard error must have.
func (r result) want(t *testing.T, code int, errs ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.out, r.err)
	}
	for _, text := range errs {
		if !strings.Contains(r.err, text) {
			t.Errorf("standard error lacks %q:\n%s", text, r.err)
		}
	}
}

// routes answers by method and path; what is not listed fails the test.
type routes map[string]string

func serve(t *testing.T, table routes) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := table[r.Method+" "+r.URL.Path]
		if !ok {
			t.Errorf("unexpected request %s %s", r.Method, r.URL.Path)
		}
		reply(w, body)
	})
}

// reply writes "STATUS body", or a body with status 200.
func reply(w http.ResponseWriter, body string) {
	status := 200
	if n, err := fmt.Sscanf(body, "%d ", &status); err == nil && n == 1 {
		body = strings.TrimSpace(strings.TrimPrefix(body, fmt.Sprint(status)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func problem(status int, title, detail string) string {
	return fmt.Sprintf(`%d {"title":%q,"status":%d,"detail":%q}`, status, title, status, detail)
}

func TestExitCodesOfUsage(t *testing.T) {
	w := newWorld(t, nil)
	for _, args := range [][]string{
		{"no-such-command"}, {"secrets", "no-such-command"}, {"teams", "x"}, {"app", "x"}, {"integrations", "x"},
		{"--no-such-flag"}, {"secrets", "list", "--no-such-flag"}, {"secrets", "list", "extra"},
		{"secrets", "set"}, {"secrets", "set", "A", "b", "c"}, {"secrets", "set", "not-a-key", "v"}, {"secrets", "set", "PATH", "v"},
		{"secrets", "get"}, {"secrets", "get", "1X"}, {"secrets", "delete", "KEY"}, {"secrets", "import"},
		{"secrets", "rollback", "KEY"}, {"secrets", "rollback", "KEY", "--to", "x"}, {"secrets", "rollback", "KEY", "--to", "0"},
		{"app", "versions"}, {"app", "use", "x"}, {"app", "delete", "x"}, {"webhooks", "add"}, {"webhooks", "delete", "x"}, {"webhooks", "test"}, {"webhooks", "rotate", "x"}, {"webhooks", "deliveries"}, {"secrets", "activate", "KEY"}, {"secrets", "activate", "KEY", "--version", "x"}, {"secrets", "activate", "KEY", "--version", "0"},
		{"secrets", "set", "KEY", "-value"},
		{"teams", "switch"}, {"teams", "create"}, {"me", "x"}, {"version", "x"},
		{"run"}, {"run", "--"}, {"run", "--app", "acme/demo"}, {"run", "--app", "demo", "--", "true"},
		{"run", "--app", "a/b/c", "--", "true"}, {"run", "--app", "a/b@", "--", "true"},
		{"run", "--app", "a/b", "-f", "x", "--", "true"},
	} {
		r := w.run(args...)
		if r.code != ExitUsage || r.err == "" || r.out != "" {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", args, r.code, r.out, r.err)
		}
	}
	for _, args := range [][]string{{}, {"--help"}, {"secrets"}, {"secrets", "set", "--help"}, {"version"}, {"--version"}, {"completion", "bash"}} {
		r := w.run(args...)
		if r.code != ExitOK || r.out == "" || r.err != "" {
			t.Errorf("%q: exit code %d, stderr %q", args, r.code, r.err)
		}
	}
	w.run("secrets", "lis").want(t, ExitUsage, `there is no command "lis"; did you mean "list"?`)
}

func TestEveryCommandSaysWhatItDoes(t *testing.T) {
	root := New(Options{})
	for _, path := range []string{
		"login", "logout", "me", "teams list", "teams create", "teams switch", "apikeys list", "apikeys create", "apikeys revoke",
		"secrets set", "secrets list", "secrets get", "secrets delete", "secrets import", "secrets history", "secrets rollback", "secrets activate",
		"app deploy", "app check", "app list", "app versions", "app use", "app delete", "run", "webhooks list", "webhooks add", "webhooks delete", "webhooks test", "webhooks rotate", "webhooks deliveries", "integrations list", "integrations client", "integrations connect", "integrations primary", "integrations disconnect", "version",
	} {
		cmd, rest, err := root.Find(strings.Fields(path))
		if err != nil || len(rest) > 0 || cmd.Short == "" || !strings.HasSuffix(cmd.CommandPath(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestExitCodesOfAnswers(t *testing.T) {
	for _, test := range []struct {
		answer string
		code   int
		says   []string
	}{
		{problem(401, "not_signed_in", "this key was revoked"), ExitDenied, []string{notLoggedIn, "this key was revoked"}},
		{problem(403, "team_role_required", "you are a member of acme"), ExitDenied,
			[]string{"Permission denied: you are a member of acme", "An owner or an admin"}},
		{problem(403, "scope_required", "this key has no secrets:read"), ExitDenied,
			[]string{"Permission denied: this key has no secrets:read", "Settings → API keys"}},
		{problem(403, "wrong_team", "this key is of another team"), ExitDenied, []string{"Permission denied", "--team"}},
		{problem(403, "permission_denied", "Permission denied: no."), ExitDenied, []string{"Permission denied: no.", "infsh me"}},
		{problem(404, "secret_not_found", "openai_api_key is set, which differs only in case"), ExitNotFound,
			[]string{"Secret not found: openai_api_key is set, which differs only in case", "infsh secrets list"}},
		{problem(404, "not_found", "no such team"), ExitNotFound, []string{"Not found: no such team"}},
		{problem(429, "rate_limited", "too many requests"), ExitFailure, []string{"too many requests"}},
		{problem(500, "internal", "something failed; request 17"), ExitFailure, []string{"something failed; request 17"}},
		{"404 page not found", ExitFailure, []string{"Is this the address of an infsh server?", "INFSH_URL"}},
		{"200 <html>", ExitFailure, []string{"INFSH_URL"}},
	} {
		w := newWorld(t, serve(t, routes{"GET /api/secrets/OPENAI_API_KEY": test.answer}))
		r := w.run("secrets", "get", "OPENAI_API_KEY")
		r.want(t, test.code, test.says...)
		if r.out != "" {
			t.Errorf("%s: stdout %q", test.answer, r.out)
		}
	}
}

func TestAServerThatIsNotThereIsNamed(t *testing.T) {
	w := newWorld(t, nil)
	server := httptest.NewServer(nil)
	w.env["INFSH_URL"] = server.URL
	server.Close()
	w.run("secrets", "list").want(t, ExitFailure, server.URL, "INFSH_URL=")
	w.env["INFSH_URL"] = "http://infsh.example.com"
	w.run("secrets", "list").want(t, ExitFailure, "INFSH_ALLOW_HTTP")
}

func TestACredentialComesFromTheEnvironmentFirst(t *testing.T) {
	var got string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		reply(w, `{"user":{"email":"ada@example.com"},"team":{"username":"acme"}}`)
	})
	w := newWorld(t, handler)
	saved := strings.Replace(testKey, "infsh_0", "infsh_9", 1)
	w.stdin = saved + "\n"
	w.run("login", "--with-api-key").want(t, ExitOK, "INFSH_API_KEY is set and comes before")
	w.run("me").want(t, ExitOK)
	if got != "Bearer "+testKey {
		t.Error("the saved login came before INFSH_API_KEY")
	}
	delete(w.env, "INFSH_API_KEY")
	w.run("me").want(t, ExitOK)
	if got != "Bearer "+saved {
		t.Error("the saved login was not used")
	}

	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(testKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.env["INFSH_API_KEY_FILE"] = file
	w.run("me").want(t, ExitOK)
	if got != "Bearer "+testKey {
		t.Error("INFSH_API_KEY_FILE was not used")
	}
	w.env["INFSH_API_KEY"] = testKey
	w.run("me").want(t, ExitFailure, "both set")
}

func TestAMalformedKeyIsNamedAndNotShown(t *testing.T) {
	w := newWorld(t, serve(t, nil))
	for _, key := range []string{canary + "\n", "a " + canary, "\t" + canary, canary + "\x1b[2J", canary + "é"} {
		w.env["INFSH_API_KEY"] = key
		r := w.run("me")
		r.want(t, ExitDenied, "INFSH_API_KEY")
		if strings.Contains(r.err, canary) {
			t.Errorf("the key was shown: %s", r.err)
		}
	}
	w.env["INFSH_API_KEY_FILE"] = filepath.Join(t.TempDir(), "none")
	w.env["INFSH_API_KEY"] = ""
	w.run("me").want(t, ExitFailure, "INFSH_API_KEY_FILE")
}

func TestWithoutALoginTheFirstStepIsNamed(t *testing.T) {
	w := newWorld(t, serve(t, nil))
	w.env["INFSH_API_KEY"] = ""
	for _, args := range [][]string{
		{"me"}, {"secrets", "list"}, {"secrets", "set", "KEY", canary}, {"teams", "list"}, {"app", "list"}, {"run", "--app", "a/b", "true"},
	} {
		r := w.run(args...)
		r.want(t, ExitDenied, "not logged in: run `infsh login` or set INFSH_API_KEY")
		if strings.Contains(r.err+r.out, canary) {
			t.Errorf("%q: the value was shown", args)
		}
	}
}

func TestWithoutAHomeTheProgramSaysSo(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	w := newWorld(t, serve(t, routes{"GET /api/me": `{}`}))
	delete(w.env, "INFSH_CONFIG_DIR")
	w.run("me").want(t, ExitOK)
	w.env["INFSH_API_KEY"] = ""
	w.run("me").want(t, ExitDenied, "HOME", "INFSH_API_KEY")
	w.run("login").want(t, ExitFailure, "HOME", "INFSH_CONFIG_DIR")
}

func TestTheTeamIsChosenByFlagThenEnvironmentThenLogin(t *testing.T) {
	var team string
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		team = r.Header.Get("X-Infsh-Team")
		if r.URL.Path == "/api/teams" {
			reply(w, `[{"id":"1","username":"acme","role":"owner"},{"id":"2","username":"beta","role":"member"}]`)
			return
		}
		reply(w, `{"user":{"email":"ada@example.com"},"team":{"id":"1","username":"acme"},"key":{"kind":"login"}}`)
	}))
	expect := func(want string, args ...string) {
		t.Helper()
		if w.run(args...).want(t, ExitOK); team != want {
			t.Errorf("%q asked for team %q, want %q", args, team, want)
		}
	}
	expect("", "me")
	w.run("teams", "switch", "beta").want(t, ExitFailure, "INFSH_API_KEY is set")

	w.stdin = testKey
	w.run("login", "--with-api-key").want(t, ExitOK)
	delete(w.env, "INFSH_API_KEY")
	expect("acme", "me")
	w.run("teams", "switch", "gamma").want(t, ExitNotFound, `"gamma"`, "acme, beta")
	w.run("teams", "switch", "beta").want(t, ExitOK, "Now in team beta, as member")
	expect("beta", "me")
	w.env["INFSH_TEAM"] = "acme"
	expect("acme", "me")
	expect("gamma", "me", "--team", "gamma")
	w.run("teams", "switch", "beta").want(t, ExitOK, "INFSH_TEAM is set to acme")
}

func TestDebugSaysWhatWasCalledAndNoMore(t *testing.T) {
	w := newWorld(t, serve(t, routes{"GET /api/secrets/reveal/K": `{"key":"K","value":"` + canary + `"}`}))
	for _, debug := range []func() result{
		func() result { return w.run("secrets", "get", "K", "--reveal", "--debug") },
		func() result { w.env["INFSH_DEBUG"] = "1"; return w.run("secrets", "get", "K", "--reveal") },
	} {
		r := debug()
		r.want(t, ExitOK, "method=GET", "path=/api/secrets/reveal/K", "status=200")
		if strings.Contains(r.err, canary) || strings.Contains(r.err, testKey) {
			t.Errorf("the log says too much: %s", r.err)
		}
		if r.out != canary {
			t.Errorf("stdout is %q", r.out)
		}
	}
}

// body decodes what a handler received.
func body(t *testing.T, r *http.Request) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil {
		t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return out
}
