package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// cliLogin is an `infsh login` that waits for its approval.
type cliLogin struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr lockedBuffer
	config string
	code   string
	exited chan error
}

var deviceLine = regexp.MustCompile(`Open (http://\S+/device) and enter the code ([A-Z]{4}-[A-Z]{4})`)

// startLogin runs `infsh login` and waits until it has told its code.
func startLogin(t *testing.T, s *server) *cliLogin {
	t.Helper()
	return startLoginAt(t, s, s.URL)
}

// startLoginAt does so for a server that people reach at another address.
func startLoginAt(t *testing.T, s *server, public string) *cliLogin {
	t.Helper()
	l := &cliLogin{t: t, config: filepath.Join(t.TempDir(), "config"), exited: make(chan error, 1)}
	l.cmd = l.command("login")
	l.cmd.Env = append(l.cmd.Env, "INFSH_URL="+s.URL)
	l.cmd.Stderr = &l.stderr
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.cmd.Process.Kill() })
	go func() { l.exited <- l.cmd.Wait() }()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if m := deviceLine.FindStringSubmatch(l.stderr.String()); m != nil {
			if m[1] != public+"/device" {
				t.Errorf("infsh login sends its user to %s", m[1])
			}
			l.code = m[2]
			return l
		}
		if time.Now().After(deadline) {
			t.Fatalf("infsh login told no code: %s", &l.stderr)
		}
	}
}

// command is infsh with the config folder of the login, and without a desktop
// on which it could open a browser.
func (l *cliLogin) command(args ...string) *exec.Cmd {
	cmd := exec.Command(infsh, args...)
	for _, e := range cleanEnv("INFSH_CONFIG_DIR=" + l.config) {
		if !strings.HasPrefix(e, "DISPLAY=") && !strings.HasPrefix(e, "WAYLAND_DISPLAY=") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	return cmd
}

// wait returns the exit code.
func (l *cliLogin) wait() int {
	l.t.Helper()
	select {
	case err := <-l.exited:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			l.t.Fatal(err)
		}
		return l.cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		l.t.Fatalf("infsh login does not end: %s", &l.stderr)
		return -1
	}
}

// A command line gets its credential when someone who is signed in has
// compared the code and approved (case A9): the page shows the code, who asks
// and from where. The credential starts in the team that was chosen, and is in
// a file that only its user can read.
func deviceLogin(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	s.createUser("ada@example.com", "beta")
	login := startLogin(t, s)
	p := open(t, browser, s)

	// The link leads by way of the login page.
	p.visit("/device?code=" + login.code)
	p.fill("#login-email", u.Email)
	p.fill("#login-password", u.Password)
	p.follow(testid("login"))
	p.at("/device?code=" + login.code)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	p.see(testid("device-code"), login.code)
	p.see(testid("device-client"), "infsh on "+host)
	p.see(testid("device-address"), "127.0.0.1")
	beta := ask[string](p, `[...document.querySelectorAll("#device-team option")].find(o => o.textContent.startsWith("beta ")).value`)
	p.do("choose the team", chromedp.SetValue(chromedp.CSS("#device-team"), beta))
	p.follow(testid("approve"))
	p.see("h1", "Approved")
	p.see("main", "signed in to beta")

	if code := login.wait(); code != 0 {
		t.Fatalf("infsh login exited with %d: %s", code, &login.stderr)
	}
	if got := login.stderr.String(); !strings.Contains(got, "as ada@example.com, team beta") {
		t.Errorf("infsh login says %q", got)
	}
	info, err := os.Stat(filepath.Join(login.config, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("credentials.json has the mode %v", info.Mode().Perm())
	}
	me := login.command("me")
	me.Env = append(me.Env, "INFSH_URL="+s.URL)
	if out, err := me.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("beta")) {
		t.Errorf("infsh me: %v: %s", err, out)
	}

	// The code is used up (and what was typed with spaces is understood).
	if status := p.visit("/device?" + url.Values{"code": {strings.ToLower(strings.ReplaceAll(login.code, "-", " "))}}.Encode()); status != http.StatusNotFound {
		t.Errorf("the used code answered %d", status)
	}
	p.errorAt("#device-code", "infsh login")

	// It is listed, and revoking it ends it.
	p.visit("/settings/account")
	p.see(testid("sessions"), "1 command line")
	p.switchTeam("beta")
	p.visit("/settings/apikeys")
	p.see(testid("apikey-row"), "Command line login")
	p.click(fmt.Sprintf(`%s[aria-label="Revoke infsh on %s"]`, testid("revoke"), host))
	p.click(testid("confirm-revoke"))
	p.gone("#revoke-dialog")
	again := login.command("me")
	again.Env = append(again.Env, "INFSH_URL="+s.URL)
	if err := again.Run(); again.ProcessState.ExitCode() != 4 {
		t.Errorf("with the revoked login, infsh me ended with %v", err)
	}
}

// A denied command line ends with exit code 4 and without a credential.
func deviceDenied(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	login := startLogin(t, s)
	p := open(t, browser, s)
	p.signIn(u)
	p.visit("/device")
	p.fill("#device-code", strings.ToLower(strings.ReplaceAll(login.code, "-", " ")))
	p.follow(testid("device-code-form") + " button")
	p.see(testid("device-code"), login.code)
	p.follow(testid("deny"))
	p.see("h1", "Denied")
	if code := login.wait(); code != 4 {
		t.Errorf("infsh login exited with %d: %s", code, &login.stderr)
	}
	if got := login.stderr.String(); !strings.Contains(got, "declined") {
		t.Errorf("infsh login says %q", got)
	}
	if _, err := os.Stat(filepath.Join(login.config, "credentials.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a credential after all: %v", err)
	}
}

// A session that has ended during an exchange of a fragment leads the whole
// page to the login, and back after it: no login form lands in a dialog (case
// W8).
func endedSession(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	s.call(u.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": p.plant("sk-ended-6h6h")})
	p.signIn(u)
	steps := map[string]func(){
		"opening a dialog": func() { p.click("#add-secret") },
		"searching":        func() { p.fill("#search", "openai") },
		"saving": func() {
			p.click(testid("edit-dialog") + " " + testid("save"))
		},
	}
	for _, name := range []string{"opening a dialog", "searching", "saving"} {
		p.visit("/settings/secrets")
		if name == "saving" {
			p.click("#edit-OPENAI_API_KEY")
			p.focused("#edit-value")
			p.press(p.plant("sk-ended-new-8j8j"))
		}
		p.hide(true) // so that it does not find out by itself
		// Another browser signs out everywhere.
		other := s.signIn(u)
		if a := other.post("/settings/account/sessions/revoke", nil); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("sign out everywhere answered %d: %.300s", a.StatusCode, a.Body)
		}
		steps[name]()
		p.at("/login?next=" + url.QueryEscape("/settings/secrets"))
		p.see("h1", "Sign in")
		p.gone("#dialog dialog")
		p.fill("#login-email", u.Email)
		p.fill("#login-password", u.Password)
		p.follow(testid("login"))
		p.at("/settings/secrets")
		p.see(row("OPENAI_API_KEY"), "v1")
	}
}

// Whatever next, return or a forged header say, the way after a form leads to
// a page of this server (case W8).
func openRedirects(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	elsewhere := []string{
		"//evil.example/x", `/\evil.example`, "https://evil.example/", `\\evil.example`, "https:evil.example", "javascript:alert(1)",
		"/\t/evil.example", "/%09/evil.example", "///evil.example", "http:///evil.example", "/\r\nLocation: https://evil.example", "@evil.example",
	}
	// By the form, and for someone who is signed in already.
	for _, next := range elsewhere[:2] {
		p.visit("/login?" + url.Values{"next": {next}}.Encode())
		p.fill("#login-email", u.Email)
		p.fill("#login-password", u.Password)
		p.follow(testid("login"))
		if got := ask[string](p, `location.origin`); got != p.URL {
			t.Errorf("next=%q led to %s", next, got)
		}
		p.visit("/settings/secrets")
		p.signOut()
	}
	p.signIn(u)
	for _, next := range elsewhere {
		p.visit("/login?" + url.Values{"next": {next}}.Encode())
		if got := ask[string](p, `location.origin`); got != p.URL {
			t.Errorf("next=%q led to %s", next, got)
		}
	}
	v := s.signIn(u)
	for _, to := range []string{"//evil.example", `/\evil.example`, "https://evil.example/"} {
		a := v.post("/theme", url.Values{"theme": {"dark"}, "return": {to}})
		if got := a.Header.Get("Location"); !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.Contains(got, "evil") {
			t.Errorf("return=%q leads to %q", to, got)
		}
		a = s.visitor().get("/settings/secrets", "HX-Request", "true", "HX-Current-URL", to+"/settings")
		if got := a.Header.Get("HX-Redirect"); got != "/login" && !strings.HasPrefix(got, "/login?next=%2F") || strings.HasPrefix(got, "/login?next=%2F%2F") {
			t.Errorf("HX-Current-URL %q leads to %q", to, got)
		}
	}
}
