package cli

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hiddenTerminal is a terminal at which somebody types a line.
func hiddenTerminal(line string) terminal {
	return terminal{in: true, readHidden: func(context.Context) (string, error) { return line, nil }}
}

// deviceServer answers each poll of a login with the next of the given answers.
func deviceServer(t *testing.T, polls ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/device/code":
			if r.Header.Get("Authorization") != "" {
				t.Error("an old credential went along with a new login")
			}
			reply(w, `{"device_code":"`+canary+`","user_code":"ABCD-EFGH","verification_uri":"http://127.0.0.1:8080/device",
				"verification_uri_complete":"http://127.0.0.1:8080/device?code=ABCD-EFGH","expires_in":60,"interval":2}`)
		case "/api/device/token":
			if got := body(t, r)["device_code"]; got != canary {
				t.Errorf("polled with %v", got)
			}
			if len(polls) == 0 {
				reply(w, problem(400, "authorization_pending", "wait"))
				return
			}
			reply(w, polls[0])
			polls = polls[1:]
		case "/api/me":
			if r.Header.Get("Authorization") != "Bearer "+testKey {
				reply(w, problem(401, "not_signed_in", "unknown key"))
				return
			}
			reply(w, `{"user":{"email":"ada@example.com"},"team":{"username":"acme"},"key":{"kind":"login"}}`)
		case "/api/logout":
			reply(w, "204 ")
		default:
			t.Errorf("unexpected request %s %s", r.Method, r.URL.Path)
		}
	})
}

func TestLoginWaitsForAnApproval(t *testing.T) {
	pending, slow := problem(400, "authorization_pending", "wait"), problem(400, "slow_down", "slower")
	granted := `{"api_key":"` + testKey + `","user":{"email":"ada@example.com"},"team":{"username":"acme"}}`
	for name, test := range map[string]struct {
		polls []string
		code  int
		says  string
	}{
		"approved":     {[]string{pending, slow, problem(503, "unavailable", "restarting"), granted}, ExitOK, "Logged in to"},
		"declined":     {[]string{pending, problem(400, "access_denied", "no")}, ExitDenied, "declined"},
		"expired":      {[]string{problem(400, "expired_token", "too late")}, ExitDenied, "expired"},
		"never":        {nil, ExitDenied, "expired"},
		"broken":       {[]string{problem(500, "internal", "something failed")}, ExitFailure, "something failed"},
		"not accepted": {[]string{`{"api_key":"infsh_other"}`}, ExitDenied, "unknown key"},
		"malformed":    {[]string{`{"api_key":"with a space"}`}, ExitFailure, "API key"},
	} {
		w := newWorld(t, deviceServer(t, test.polls...))
		delete(w.env, "INFSH_API_KEY")
		r := w.run("login")
		r.want(t, test.code, "http://127.0.0.1:8080/device", "ABCD-EFGH", test.says)
		if strings.Contains(r.err+r.out, canary) || strings.Contains(r.err+r.out, testKey) || r.out != "" {
			t.Errorf("%s: printed %q, %q", name, r.out, r.err)
		}
		_, err := os.Stat(filepath.Join(w.env["INFSH_CONFIG_DIR"], "credentials.json"))
		if (err == nil) != (test.code == ExitOK) {
			t.Errorf("%s: saved: %v", name, err)
		}
	}
}

func TestABrowserIsOpenedOnlyWhereThePersonIs(t *testing.T) {
	granted := `{"api_key":"` + testKey + `"}`
	for name, test := range map[string]struct {
		env      map[string]string
		terminal bool
		opened   int
	}{
		"desktop":         {map[string]string{"DISPLAY": ":0"}, true, 1},
		"wayland":         {map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, true, 1},
		"not interactive": {map[string]string{"DISPLAY": ":0"}, false, 0},
		"ssh":             {map[string]string{"DISPLAY": ":0", "SSH_CONNECTION": "x"}, true, 0},
	} {
		w := newWorld(t, deviceServer(t, granted))
		delete(w.env, "INFSH_API_KEY")
		for key, value := range test.env {
			w.env[key] = value
		}
		w.terminal.in = test.terminal
		w.run("login").want(t, ExitOK)
		if len(w.opened) != test.opened {
			t.Errorf("%s: opened %q", name, w.opened)
		}
	}
}

func TestAPastedKeyIsCheckedBeforeItIsSaved(t *testing.T) {
	for _, test := range []struct {
		key  string
		code int
	}{{testKey, ExitOK}, {testKey + "\n", ExitOK}, {"infsh_wrong", ExitDenied}, {"", ExitFailure}, {"two words", ExitFailure}} {
		for _, typed := range []bool{true, false} {
			w := newWorld(t, deviceServer(t))
			delete(w.env, "INFSH_API_KEY")
			w.stdin = test.key
			if typed {
				w.terminal = hiddenTerminal(test.key)
			}
			r := w.run("login", "--with-api-key")
			r.want(t, test.code)
			if test.key != "" && strings.Contains(r.err+r.out, strings.TrimSpace(test.key)) {
				t.Errorf("the key was shown: %s", r.err)
			}
			after := w.run("me")
			if (after.code == ExitOK) != (test.code == ExitOK) {
				t.Errorf("%q: afterwards me exits with %d", test.key, after.code)
			}
		}
	}
}

func TestLogoutEndsTheLoginHereAndThere(t *testing.T) {
	for name, test := range map[string]struct {
		kind   string
		answer string
		calls  int
		code   int
		says   string
	}{
		"login":         {"login", "204 ", 1, ExitOK, "Logged out of"},
		"ended already": {"login", problem(401, "not_signed_in", "unknown"), 1, ExitOK, "Logged out of"},
		"server fails":  {"login", problem(500, "internal", "failed"), 1, ExitFailure, "the server did not end it"},
		"pasted key":    {"key", "204 ", 0, ExitOK, "stays valid"},
	} {
		calls := 0
		w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/logout" {
				calls++
				reply(w, test.answer)
				return
			}
			reply(w, `{"user":{"email":"ada@example.com"},"team":{"username":"acme"},"key":{"kind":"`+test.kind+`"}}`)
		}))
		delete(w.env, "INFSH_API_KEY")
		w.stdin = testKey
		w.run("login", "--with-api-key").want(t, ExitOK)
		w.run("logout").want(t, test.code, test.says)
		if calls != test.calls {
			t.Errorf("%s: the server was told %d times, want %d", name, calls, test.calls)
		}
		w.run("me").want(t, ExitDenied, "not logged in")
		w.run("logout").want(t, ExitOK, "no saved login")
	}
}
