package e2e

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"infsh/integration/oauthtest"
)

// A team connects an account at another site, lets it do more, sees who depends
// on it and disconnects it; a second one is connected without JavaScript. No
// token reaches a page, and the code of an authorization no log.
func connectingAccounts(t *testing.T, browser context.Context) {
	ln := listenLocally(t)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// Another site than the provider's, as it is in earnest.
	origin := "http://localhost:" + port
	provider := oauthtest.New(t)
	provider.Register(origin + "/settings/integrations/callback")
	file := filepath.Join(t.TempDir(), "providers.yaml")
	if err := os.WriteFile(file, provider.Catalogue("notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, t.TempDir(), "--public-url", origin, "--integrations", file)
	u := s.createUser("ada@example.com", "acme")
	w := wireOn(t, s, ln)
	w.URL = origin
	t.Cleanup(func() {
		for _, secret := range []string{"callback?", "state=", "code-", "access-", "refresh-", oauthtest.ClientSecret} {
			if strings.Contains(s.stderr.String(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
	deployed := s.call(u.APIKey, "POST", "/api/apps", map[string]any{"name": "diary", "version": map[string]any{
		"required_integrations": []any{map[string]any{"key": "notes.notes.write", "description": "Writes down what happened"}},
	}})
	if deployed.StatusCode != http.StatusCreated {
		t.Fatalf("deploy: %d", deployed.StatusCode)
	}
	run := func() answer {
		return s.call(u.APIKey, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/diary"})
	}

	var seen looked
	p := newOwnTab(t, browser, w)
	p.plant(oauthtest.ClientSecret)
	p.signIn(u)
	p.visit("/settings/integrations")
	p.see(testid("needs"), "notes.notes.write")
	p.lookAt(&seen, "integrations-needed")
	p.follow(testid("needs") + " a.btn")
	p.see("h1", "Test provider")
	p.lookAt(&seen, "integration-client")
	p.fill("#kind-oauth-client-id", oauthtest.ClientID)
	p.fill("#kind-oauth-client-secret", oauthtest.ClientSecret)
	p.follow(testid("save-client"))
	p.see(testid("flash"), "The client was saved")
	// What an app needs is ticked; less is asked for first.
	p.lookAt(&seen, "integration-connect")
	p.click("#kind-oauth-can-notes\\.notes\\.write")
	p.follow(testid("connect"))
	p.see("h1", "Continue at 127.0.0.1")
	p.lookAt(&seen, "integration-authorize")
	p.click(testid("continue"))
	p.see("h1", "Allow offline?")
	p.click("#deny")
	p.see("main", "It was declined at Test provider")
	p.visit("/settings/integrations/notes")
	p.click("#kind-oauth-can-notes\\.notes\\.write")
	p.follow(testid("connect"))
	p.click(testid("continue"))
	p.click("#allow")
	p.see(testid("flash"), "ada@provider.example is connected.")
	p.at("/settings/integrations/notes")
	if got := run(); got.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a run without the scope: %d", got.StatusCode)
	}
	p.lookAt(&seen, "integration-add")
	p.follow(testid("add"))
	p.click(testid("continue"))
	p.click("#allow")
	p.see(testid("account"), "Write your notes")
	got := run()
	if got.StatusCode != http.StatusOK {
		t.Fatalf("a run: %d %s", got.StatusCode, got.Body)
	}
	var received struct {
		Env map[string]string `json:"env"`
	}
	got.json(t, &received)
	token := received.Env["TEST_ACCESS_TOKEN"]
	if _, ok := provider.Knows(token); !ok {
		t.Error("a run receives another token than the provider's")
	}
	p.plant(token)
	if bytes.Contains(s.databaseFiles(), []byte(token)) {
		t.Error("the database holds a token in plaintext")
	}
	p.visit("/settings/apps/acme/diary")
	p.see(testid("check-item"), "ada@provider.example")
	p.lookAt(&seen, "app-integration")
	p.visit("/settings/integrations")
	p.see(testid("integration-row"), "connected")
	p.lookAt(&seen, "integrations")

	provider.Account("bob@provider.example")
	plain := newOwnTab(t, browser, w, noScript)
	plain.signIn(u)
	plain.visit("/settings/integrations/notes")
	plain.follow(testid("connect-form") + " " + testid("connect"))
	plain.click(testid("continue"))
	plain.click("#allow")
	plain.see(testid("flash"), "bob@provider.example is connected.")
	plain.visit("/settings/integrations/notes")
	plain.follow(testid("primary"))
	plain.see(testid("flash"), "Apps receive bob@provider.example now.")

	p.visit("/settings/integrations/notes")
	p.lookAt(&seen, "integration-two")
	p.visit("/settings/integrations/notes")
	p.click(testid("account") + ":nth-of-type(1) details:last-of-type summary")
	p.follow(testid("disconnect"))
	p.see(testid("flash"), "its tokens were revoked")
	if n := provider.Count("revoke"); n != 1 {
		t.Errorf("the provider was asked %d times to revoke", n)
	}
	p.visit("/settings/activity?kind=integration")
	p.see(testid("activity-row"), "Disconnected an integration")
}
