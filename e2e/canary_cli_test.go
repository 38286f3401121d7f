package e2e

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// driveCommandLine uses the commands that take or show secrets, with the
// mistakes that people make.
func (h *hunt) driveCommandLine(key string) {
	owner := command{key: key}
	failing := func(code int) command { return command{key: key, code: code} }

	// Setting and showing.
	h.cli(owner, "secrets", "set", "CLI_MADE_KEY", quotedValue)
	h.cli(command{key: key, stdin: plainValue + "\n"}, "secrets", "set", "CLI_MADE_KEY", "-d", "from standard input")
	h.cli(command{key: key, stdin: keyValue}, "secrets", "set", "CLI_MADE_KEY", "-")
	for _, args := range [][]string{{"list"}, {"list", "--json"}, {"get", "CLI_MADE_KEY"}, {"get", "CLI_MADE_KEY", "--json"}, {"history", "CLI_MADE_KEY"}, {"rollback", "CLI_MADE_KEY", "--to", "1"}, {"activate", "CLI_MADE_KEY", "--version", "3"}, {"activate", "CLI_MADE_KEY", "--version", "4"}} {
		h.cli(owner, append([]string{"secrets"}, args...)...)
	}
	h.cli(owner, "secrets", "get", "CLI_MADE_KEY", "--reveal")
	h.meant("quoted value")
	h.cli(owner, "secrets", "get", "CLI_MADE_KEY", "--reveal", "--json")
	h.meant("quoted value")

	// Values that are refused, and values where a name or a command belongs.
	refused := h.plantGuessable("value that the command line refused", `canary "cli" välue & 4kS8`)
	h.cli(failing(1), "secrets", "set", "NEW_KEY", " "+refused)
	h.cli(failing(2), "secrets", "set", "LD_PRELOAD", refused)
	h.cli(failing(2), "secrets", "set", refused, "OPENAI_API_KEY")
	h.cli(failing(2), "secrets", "set", "OPENAI_API_KEY="+refused)
	h.cli(failing(2), "secrets", "set", "OPENAI_API_KEY", "-"+plainValue)
	h.cli(failing(2), "secrets", "set", "OPENAI_API_KEY", "--"+plainValue)
	h.cli(failing(2), "secrets", "set", "OPENAI_API_KEY", "canary", refused)
	h.cli(failing(2), "secrets", "set", key, "x")
	for _, verb := range []string{"get", "delete", "history", "rollback", "activate"} {
		h.cli(failing(2), "secrets", verb, plainValue)
		h.cli(failing(2), "secrets", verb, key)
	}
	h.cli(command{key: h.text("API key of the member"), code: 4}, "secrets", "set", "NEW_KEY", refused)
	h.cli(command{key: key, code: 1, stdin: refused + "\xff"}, "secrets", "set", "NEW_KEY")

	// Files that are broken behind, before and at the value.
	for i, content := range []string{
		"NEW_KEY=\"" + refused, "NEW_KEY=ok\n" + plainValue, "NEW_KEY=" + plainValue + "\nNEW_KEY=" + refused, "1BAD=" + refused, refused + "=NEW_KEY",
		"NEW_KEY='" + refused + "' trailing", "NEW_KEY=\"" + refused + "\" " + plainValue, "NEW_KEY=" + refused + "\x00", "NEW_KEY=" + refused + "\xff", "export " + plainValue,
		"LD_PRELOAD=" + plainValue, "OPENAI_API_KEY=" + refused,
	} {
		name := "broken" + strconv.Itoa(i) + ".env"
		path := h.file(name, content)
		if i%2 == 0 {
			h.cli(failing(1), "secrets", "import", name)
		} else {
			h.cli(command{key: key, stdin: content, code: 1}, "secrets", "import", "-")
		}
		if err := os.Remove(path); err != nil {
			h.t.Fatal(err)
		}
	}
	path := h.file("good.env", "PEM_FROM_FILE=\""+keyValue+"\"\nPHRASE_FROM_FILE='"+phraseValue+"'\n")
	h.cli(owner, "secrets", "import", "good.env", "--dry-run")
	h.cli(owner, "secrets", "import", "good.env", "--overwrite")
	if err := os.Remove(path); err != nil {
		h.t.Fatal(err)
	}
	h.cli(failing(2), "secrets", "import", "OPENAI_API_KEY="+plainValue)

	h.mistakesInManifests(failing(1))
	h.mistakesInSettings(key)
}

// mistakesInManifests puts a value where app.yaml declares a key.
func (h *hunt) mistakesInManifests(c command) {
	// The three commands that read a manifest take turns.
	readers := [][]string{{"app", "check", "mistaken"}, {"app", "deploy", "mistaken"}, {"run", "-f", "mistaken", "--", "true"}}
	for i, manifest := range []string{
		"secrets:\n  - key: " + plainValue + "\n", "secrets: " + plainValue + "\n", "secrets:\n  - " + plainValue + "\n",
		"secrets:\n  - key: [" + plainValue + "]\n", "secrets:\n  - key: OPENAI_API_KEY\n    optional: " + plainValue + "\n",
		"secrets:\n  " + plainValue + ": OPENAI_API_KEY\n", "secrets:\n  - key: OPENAI_API_KEY\n  " + plainValue + "\n", "name: [" + plainValue + "]\nsecrets: []\n",
	} {
		path := h.file("mistaken/app.yaml", manifest)
		h.cli(c, readers[i%len(readers)]...)
		if err := os.RemoveAll(filepath.Dir(path)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// mistakesInSettings puts credentials where another setting belongs.
func (h *hunt) mistakesInSettings(key string) {
	h.cli(command{key: "infsh_" + strings.Repeat("canaryX", 7), code: 4}, "me")
	h.cli(command{key: key + "x", code: 4}, "me")
	h.cli(command{key: plainValue, code: 4}, "me")
	h.cli(command{key: "canary\n" + plainValue, code: 4}, "me")
	h.cli(command{code: 1, env: []string{"INFSH_API_KEY_FILE=" + key}}, "me")
	h.cli(command{code: 2}, "login", key)
	h.cli(command{code: 2}, "login", "--with-api-key", key)
	h.cli(command{code: 4, stdin: plainValue}, "login", "--with-api-key")
	h.cli(command{code: 4, stdin: "infsh_" + strings.Repeat("canaryX", 7)}, "login", "--with-api-key")
	h.cli(command{code: 2}, "secrets", key)
	h.cli(command{code: 2}, key)

	password := h.plant("password in an address", "canaryAddressPw8sR1")
	address := strings.TrimPrefix(h.URL, "http://")
	h.cli(command{key: key, code: 1, env: []string{"INFSH_URL=http://ada:" + password + "@" + address}}, "me")
	h.cli(command{key: key, code: 1, env: []string{"INFSH_URL=http://ada:" + password + "@" + address + "/%zz"}}, "me")
	h.cli(command{key: key, code: 1, env: []string{"INFSH_INTERNAL_URL=http://ada:" + password + "@127.0.0.1:1"}}, "run", "--app", "acme/whole", "--", "true")
	for _, database := range []string{
		"postgres://ada:" + password + "@127.0.0.1:1/infsh?sslmode=disable", "postgres://ada:" + password + "%zz@127.0.0.1:1/infsh",
		"mysql://ada:" + password + "@127.0.0.1/infsh", "postgres://ada:" + password + "@127.0.0.1:1/infsh?sslmode=" + password,
	} {
		h.cli(command{code: 1, env: []string{"INFSH_DATABASE_URL=" + database}}, "serve", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(h.work, "other"))
	}
	h.cli(command{code: 1, env: []string{"CANARY_KEK=" + password}}, "serve", "--kek", "env:CANARY_KEK", "--data-dir", filepath.Join(h.work, "other"))
	h.cli(command{code: 1}, "serve", "--kek", password, "--data-dir", filepath.Join(h.work, "other"))
	h.cli(command{code: 2}, "admin", "create-user", "--email", "di@example.com", "--team", "acme", "--password-stdin", password, "--data-dir", h.Data)
}

// driveLogin logs a command line in by a browser. Its credential stands in the
// file that keeps it, and no other secret does.
func (h *hunt) driveLogin(v *visitor) {
	cmd := exec.Command(infsh, "--debug", "login")
	cmd.Env, cmd.Dir = h.environment(command{}), h.work
	var stderr lockedBuffer
	cmd.Stdout, cmd.Stderr = &stderr, &stderr
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	var code string
	h.eventually("a code to compare", func() bool {
		if m := regexp.MustCompile(`enter the code (\S+)`).FindStringSubmatch(stderr.String()); m != nil {
			code = m[1]
		}
		return code != ""
	})
	h.want(http.StatusOK, v.get("/device?code="+code))
	h.want(http.StatusOK, v.post("/device", form("code", code, "decision", "approve")))
	if err := cmd.Wait(); err != nil {
		h.t.Fatalf("login: %v\n%s", err, &stderr)
	}
	h.saw("what infsh login printed", []byte(stderr.String()))
	saved, err := os.ReadFile(filepath.Join(h.config, "credentials.json"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.plant("credential of the login", tokenPattern.FindString(string(saved)))
	h.saw("the saved login", saved)
	h.meant("credential of the login")
	h.cli(command{}, "me")
	h.cli(command{}, "secrets", "list")

	// The same by hand, to see the codes: refused, then approved and fetched.
	for _, decision := range []string{"deny", "approve"} {
		var started struct {
			DeviceCode string `json:"device_code"`
			UserCode   string `json:"user_code"`
		}
		h.want(http.StatusOK, h.api("", "POST", "/api/device/code", `{"client_name":"canary"}`)).json(h.t, &started)
		h.plant("device code of one to "+decision, started.DeviceCode)
		h.meant("device code of one to " + decision)
		poll := `{"device_code":` + quote(started.DeviceCode) + `}`
		h.want(http.StatusBadRequest, h.api("", "POST", "/api/device/token", poll))
		h.want(http.StatusBadRequest, h.api("", "POST", "/api/device/token", poll)) // Too soon.
		h.want(http.StatusOK, v.post(map[string]string{"approve": "/device", "deny": "/device/deny"}[decision], form("code", started.UserCode, "decision", decision)))
		var fetched answer
		h.eventually("an answer to the decision", func() bool {
			fetched = h.api("", "POST", "/api/device/token", poll)
			return !strings.Contains(fetched.Body, "slow_down") && !strings.Contains(fetched.Body, "authorization_pending")
		})
		if decision == "approve" {
			h.want(http.StatusOK, fetched)
			h.plant("credential of the device", tokenPattern.FindString(fetched.Body))
			h.meant("credential of the device")
		}
	}

	// A damaged file is not quoted.
	damaged := filepath.Join(h.work, "damaged")
	h.file("damaged/credentials.json", `{"servers":{`+quote(h.URL)+`:{"api_key":`+quote(h.text("credential of the login")))
	h.cli(command{code: 1, env: []string{"INFSH_CONFIG_DIR=" + damaged}}, "me")
	if err := os.RemoveAll(damaged); err != nil {
		h.t.Fatal(err)
	}
}

// printer prints what it got, as programs do.
const printer = `env
export -p
set
for v in "$OPENAI_API_KEY" "$TLS_KEY" "$GREETING_PHRASE" "$DATABASE_PASSWORD"; do
	printf '%s\n' "$v"
	printf 'x%s' "$v" | base64 -w0; echo
	printf '%s' "$v" | od -An -v -tx1 | tr -d ' \n'; echo
	printf '%s\n' "$v" >&2
done
`

// driveRun runs apps that print all they got, and that fail, from the saved
// login, so that no credential stands in an environment.
func (h *hunt) driveRun() {
	h.file("print.sh", printer)
	run := func(code int, args ...string) string {
		h.t.Helper()
		return h.cli(command{code: code}, append([]string{"run", "--app", "acme/whole"}, args...)...)
	}
	out := run(0, "--", "sh", "print.sh")
	if n := strings.Count(out, "[redacted]"); n < 20 {
		h.t.Errorf("the app printed its secrets, and %d masks were put:\n%s", n, out)
	}
	run(0, "--redact-keys", "--", "sh", "print.sh")
	run(134, "--", "sh", "-c", `ulimit -c 0; echo "$TLS_KEY" >&2; kill -ABRT $$`)
	run(9, "--", "sh", "-c", `echo "failed with $DATABASE_PASSWORD" >&2; exit 9`)
	run(127, "--", "no-such-command")
	run(126, "--", h.work)
	run(127, "--", "sh", "-c", `"$OPENAI_API_KEY"`)
	h.cli(command{code: 3}, "run", "--app", "acme/partial", "--", "sh", "print.sh")
	h.cli(command{code: 5}, "run", "--app", "acme/no-such-app", "--", "sh", "print.sh")

	h.watchProcesses()
}

// watchProcesses reads the arguments and first environments of the server and
// of a run. What the app itself got shows that there was something to see.
func (h *hunt) watchProcesses() {
	cmd := exec.Command(infsh, "run", "--app", "acme/whole", "--", "sh", "-c", "echo $$; read line")
	cmd.Env, cmd.Dir = h.environment(command{}), h.work
	stdin, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	var stdout lockedBuffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.eventually("the app's process", func() bool { return strings.HasSuffix(stdout.String(), "\n") })
	child, err := strconv.Atoi(strings.TrimSpace(stdout.String()))
	if err != nil {
		h.t.Fatal(err)
	}
	for name, pid := range map[string]int{"infsh run": cmd.Process.Pid, "infsh serve": h.cmd.Process.Pid, "the app": child} {
		for _, file := range []string{"cmdline", "environ"} {
			data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
			if errors.Is(err, fs.ErrPermission) && name != "the app" {
				continue // The process keeps it from its own user, so there is nothing to see.
			}
			if err != nil {
				h.t.Fatal(err)
			}
			h.saw(file+" of "+name, data)
			if name == "the app" && file == "environ" {
				h.meant("plain value", "key of several lines", "phrase in unicode", "quoted value")
			}
		}
	}
	_, _ = io.WriteString(stdin, "\n")
	if err := cmd.Wait(); err != nil {
		h.t.Fatal(err)
	}
}

// crash makes the server dump its stacks and die.
func (h *hunt) crash() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		h.t.Fatal(err)
	}
	select {
	case err := <-h.exited:
		if err == nil {
			h.t.Fatal("the server ended well after SIGQUIT")
		}
	case <-time.After(20 * time.Second):
		h.t.Fatal("the server did not end")
	}
}

// eventually waits for something that another process does.
func (h *hunt) eventually(what string, done func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("%s did not come within a minute", what)
		}
	}
}
