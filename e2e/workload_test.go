package e2e

import (
	"database/sql"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"infsh/federation/issuertest"
)

// A run that has neither a key nor a login gets a credential for what its platform
// proves, as GitHub Actions, GitLab and Kubernetes do: through the built program,
// on both databases. Nothing of the tokens is printed, logged, stored or given on.
func TestRunsWithoutAStoredKey(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, flags []string) {
		s := start(t, filepath.Join(t.TempDir(), "data"), append(flags, "--issuers-allow-private")...)
		ada := s.createUser("ada@example.com", "acme")
		issuer := issuertest.New(t)
		work := t.TempDir()
		if err := os.WriteFile(filepath.Join(work, "app.yaml"), []byte("namespace: acme\nname: agent\nsecrets:\n  - key: API_TOKEN\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var tokens []string
		token := func(with map[string]any) string {
			claims := map[string]any{"aud": s.URL, "sub": "repo:acme/app:ref:refs/heads/main", "repository": "acme/app", "ref": "refs/heads/main"}
			for name, v := range with {
				claims[name] = v
			}
			made := issuer.Token(claims)
			tokens = append(tokens, made)
			return made
		}
		var printed strings.Builder
		run := func(env []string, args ...string) (string, int) {
			t.Helper()
			cmd := exec.Command(infsh, args...)
			cmd.Dir, cmd.Env = work, cleanEnv(append([]string{"INFSH_URL=" + s.URL, "HOME=" + work, "INFSH_KEYRING=off"}, env...)...)
			out, _ := cmd.CombinedOutput()
			printed.Write(out)
			return string(out), cmd.ProcessState.ExitCode()
		}
		key := []string{"INFSH_API_KEY=" + ada.APIKey}
		must := func(env []string, args ...string) string {
			t.Helper()
			out, code := run(env, args...)
			if code != 0 {
				t.Fatalf("%v: exit code %d\n%s", args, code, out)
			}
			return out
		}
		must(key, "secrets", "set", "API_TOKEN", "sk-canary-workload-5fQ2")
		must(key, "app", "deploy")
		must(key, "trust", "add", "deploy", "--app", "acme/agent", "--github", "acme/app", "--branch", "main", "--issuer", issuer.URL)
		show := []string{"run", "--", "sh", "-c", `echo "value $API_TOKEN; left <$INFSH_ID_TOKEN$ACTIONS_ID_TOKEN_REQUEST_TOKEN$ACTIONS_ID_TOKEN_REQUEST_URL$COPY>"; printf %s "$API_TOKEN" | wc -c`}

		// GitHub: the job asks for its token at an address.
		github := []string{"GITHUB_ACTIONS=true", "ACTIONS_ID_TOKEN_REQUEST_URL=" + issuer.URL + "/request?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + issuertest.RequestToken}
		out := must(append(github, "COPY="+issuertest.RequestToken), show...)
		if !strings.Contains(out, "value [redacted]; left <>") || !strings.Contains(out, "23") {
			t.Errorf("a job of GitHub printed %s", out)
		}
		if out := must(github, "run", "--", "echo", issuertest.RequestToken); !strings.Contains(out, "[redacted]") {
			t.Errorf("what asks for tokens is printed: %s", out)
		}
		if out := must(github, "env", "--format", "json"); !strings.Contains(out, "sk-canary-workload-5fQ2") {
			t.Errorf("infsh env printed %s", out)
		}
		if out, code := run([]string{"GITHUB_ACTIONS=", "GITLAB_CI=true"}, show...); code != 4 || !strings.Contains(out, "id_tokens") {
			t.Errorf("without a token of GitLab: %d %s", code, out)
		}
		if out, code := run([]string{"GITHUB_ACTIONS=true"}, show...); code != 4 || !strings.Contains(out, "id-token: write") {
			t.Errorf("without the permission: %d %s", code, out)
		}
		// GitLab: a variable.
		mine := token(nil)
		variable := []string{"INFSH_ID_TOKEN=" + mine, "COPY=" + mine}
		if out := must(variable, append([]string{"run", "--app", "acme/agent"}, show[1:]...)...); !strings.Contains(out, "left <>") {
			t.Errorf("a job of GitLab printed %s", out)
		}
		out, code := run(variable, show...)
		if code != 4 || !strings.Contains(out, "was not accepted") || !strings.Contains(out, s.URL) {
			t.Errorf("the same token once more: %d %s", code, out)
		}
		// A file, as Kubernetes projects one.
		path := filepath.Join(work, "token")
		file := []string{"INFSH_ID_TOKEN_FILE=" + path}
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(token(nil))
		must(file, show...)
		write(token(map[string]any{"repository": "acme-evil/app"}))
		if out, code := run(file, show...); code != 4 || strings.Contains(out, "value") {
			t.Errorf("another repository: %d %s", code, out)
		}
		if out := must(key, "activity", "--json", "--kind", "runner"); !strings.Contains(out, "the claim repository is not acme/app") || !strings.Contains(out, "the token was used already") {
			t.Errorf("the activity says %s", out)
		}
		// A credential ends while the run waits for changes: it exchanges again.
		write(token(nil))
		must(key, "trust", "add", "again", "--app", "acme/agent", "--issuer", issuer.URL, "--condition", "repository=acme/*", "--condition", "again:=true", "--reuse")
		write(token(map[string]any{"again": true}))
		w := &watching{t: t, out: &lockedBuffer{}, err: &lockedBuffer{}, exited: make(chan error, 1)}
		w.cmd = exec.Command(infsh, "run", "--watch", "--", "sh", "-c", `trap 'exit 0' TERM; echo "began with $(printf %s "$API_TOKEN" | wc -c)"; while :; do sleep 0.05; done`)
		w.cmd.Dir, w.cmd.Env = work, cleanEnv(append(file, "INFSH_URL="+s.URL, "HOME="+work, "INFSH_KEYRING=off")...)
		w.cmd.Stdout, w.cmd.Stderr = w.out, w.err
		if err := w.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { w.exited <- w.cmd.Wait() }()
		t.Cleanup(func() { _ = w.cmd.Process.Kill() })
		w.until(w.out, "began with 23")
		s.endRunnerCredentials(t, flags)
		must(key, "secrets", "set", "API_TOKEN", "sk-canary-workload-other-5fQ2")
		w.until(w.out, "began with 29")
		// And the trust ends while it waits.
		must(key, "trust", "delete", "again", "--yes")
		must(key, "secrets", "set", "API_TOKEN", "sk-canary-workload-third-one-5fQ2")
		w.until(w.err, "not watched any more")
		if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		w.code()
		printed.WriteString(w.out.String() + w.err.String())

		// Neither tokens nor credentials are anywhere.
		everything := printed.String() + s.stderr.String()
		if flags == nil {
			s.speaksOAuth(t)
			s.stop()
			data, err := os.ReadFile(filepath.Join(s.Data, "infsh.db"))
			if err != nil {
				t.Fatal(err)
			}
			everything += string(data)
		}
		for _, secret := range append(tokens, issuertest.RequestToken, "infsh_run_") {
			if i := strings.LastIndex(secret, "."); i >= 0 {
				secret = secret[i:]
			}
			if strings.Contains(everything, secret) {
				t.Errorf("a token or credential stands somewhere: %.30s", secret)
			}
		}
	})
}

// endRunnerCredentials makes what tokens were exchanged for end now, as the clock
// would.
func (s *server) endRunnerCredentials(t *testing.T, flags []string) {
	t.Helper()
	driver, source := "sqlite", "file:"+filepath.Join(s.Data, "infsh.db")+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)"
	if flags != nil {
		driver, source = "postgres", flags[1]
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "DELETE FROM runner_credentials"); err != nil {
		t.Fatal(err)
	}
}

// speaksOAuth holds the errors of the exchange against RFC 8693 and RFC 6749, for
// whoever else speaks these.
func (s *server) speaksOAuth(t *testing.T) {
	t.Helper()
	for want, change := range map[string][2]string{
		"unsupported_grant_type": {"grant_type", "client_credentials"}, "invalid_target": {"audience", ""}, "invalid_scope": {"scope", "secrets:read"},
		"invalid_request": {"subject_token", "e30.e30.e30"},
	} {
		form := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
			"subject_token": {"e30.e30.e30"}, "audience": {"acme/agent"},
		}
		form.Set(change[0], change[1])
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/internal/v1/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a := send(t, http.DefaultClient, req)
		var body struct {
			Error       string
			Description string `json:"error_description"`
			Title       string
		}
		a.json(t, &body)
		if a.StatusCode != http.StatusBadRequest || body.Error != want || body.Description == "" || body.Title != "invalid_field" ||
			a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %+v %v", want, a.StatusCode, body, a.Header)
		}
	}
}
