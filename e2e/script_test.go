package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"infsh/db/dbtest"
)

// Each file of testdata/script is a session of the command line against a
// fresh server. It finds there the API keys of acme's owner (INFSH_API_KEY),
// of a member (MEMBER_API_KEY) and of a runner (RUNNER_API_KEY), and of
// another team's owner (OTHER_API_KEY), and the login of the owner's command
// line (LOGIN). Each runs on both databases.
func TestScripts(t *testing.T) {
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatalf("there are no sessions: %v", err)
	}
	eachDatabase(t, func(t *testing.T, flags []string) {
		runScripts(t, all, func() []string {
			if flags == nil {
				return nil
			}
			return []string{"--database-url", dbtest.PostgresURL(t)}
		})
	})
}

// runScripts runs sessions, each against a server with the extra flags.
func runScripts(t *testing.T, files []string, flags func() []string) {
	testscript.Run(t, testscript.Params{
		Files:         files,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			// testscript's own T is no testing.TB, so the server reports to the
			// test around it.
			s := start(t, filepath.Join(env.WorkDir, ".server"), flags()...)
			owner := s.createUser("ada@example.com", "acme")
			env.Setenv("PATH", filepath.Dir(infsh)+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("INFSH_URL", s.URL)
			env.Setenv("INFSH_API_KEY", owner.APIKey)
			env.Setenv("MEMBER_API_KEY", s.createUser("bo@example.com", "acme").APIKey)
			env.Setenv("OTHER_API_KEY", s.createUser("eve@example.com", "beta").APIKey)
			env.Setenv("RUNNER_API_KEY", s.apiKey(owner, "runner", "apps:execute"))
			env.Setenv("LOGIN", s.deviceLogin(owner))
			env.Defer(s.stop)
			return nil
		},
	})
}

// apiKey makes an API key with the scopes.
func (s *server) apiKey(u user, name string, scopes ...string) string {
	s.t.Helper()
	a := s.call(u.APIKey, "POST", "/api/apikeys", map[string]any{"name": name, "scopes": scopes})
	var made struct{ Key string }
	a.json(s.t, &made)
	if made.Key == "" {
		s.t.Fatalf("no API key was made: %d %.300s", a.StatusCode, a.Body)
	}
	return made.Key
}

// deviceLogin makes the login of a command line, which the person approves in a
// browser.
func (s *server) deviceLogin(u user) string {
	s.t.Helper()
	var started struct {
		UserCode   string `json:"user_code"`
		DeviceCode string `json:"device_code"`
	}
	s.call("", "POST", "/api/device/code", map[string]any{"client_name": "a laptop"}).json(s.t, &started)
	if a := s.signIn(u).post("/device", form("code", started.UserCode, "decision", "approve")); a.StatusCode != http.StatusOK {
		s.t.Fatalf("the login was not approved: %d %.300s", a.StatusCode, a.Body)
	}
	var done struct {
		APIKey string `json:"api_key"`
	}
	s.call("", "POST", "/api/device/token", map[string]any{"device_code": started.DeviceCode}).json(s.t, &done)
	if done.APIKey == "" {
		s.t.Fatal("the approved login has no credential")
	}
	return done.APIKey
}
