package e2e

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// people have accounts at the provider. The address is in its user info.
type people map[string]*storage.User

func (p people) GetUserByID(id string) *storage.User         { return p[id] }
func (p people) GetUserByUsername(name string) *storage.User { return p[name] }
func (p people) ExampleClientID() string                     { return "" }

// openIDProvider runs a real provider in this process, and returns the flags
// by which a server on origin uses it.
func openIDProvider(t *testing.T, origin string) (flags []string, secretFile string) {
	t.Helper()
	users := people{}
	for name, verified := range map[string]bool{"ada@example.com": true, "mona@example.org": true, "kim@example.net": true, "mal@example.org": false} {
		users[name] = &storage.User{ID: name, Username: name, Password: "at the provider", Email: name, EmailVerified: verified}
	}
	client := storage.WebClient("infsh", "provider-client-secret", origin+"/login/sso/callback")
	ln := listenLocally(t)
	issuer := "http://" + ln.Addr().String()
	store := storage.NewStorageWithClients(users, map[string]*storage.Client{"infsh": client})
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: exampleop.SetupServer(issuer, store, slog.New(slog.DiscardHandler), false)}}
	server.Start()
	t.Cleanup(server.Close)
	secretFile = filepath.Join(t.TempDir(), "client-secret")
	if err := os.WriteFile(secretFile, []byte("provider-client-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--public-url", origin, "--oidc-issuer", issuer, "--oidc-client-id", "infsh", "--oidc-name", "Okta", "--oidc-domains", "example.org", "--oidc-team", "acme"}, secretFile
}

// atProvider signs in on the provider's page, to which the click has led.
func (p *tab) atProvider(name string) {
	p.Helper()
	// The page between goes on by itself, so the one there now may not stay.
	p.until("the provider's page is loaded", `document.readyState === "complete" && location.hostname === "127.0.0.1"`)
	p.fill("input[name=username]", name)
	p.fill("input[name=password]", "at the provider")
	p.follow("button[type=submit]")
}

// admin runs a command of the operator beside the running server.
func (s *server) admin(args ...string) {
	s.t.Helper()
	cmd := exec.Command(infsh, slices.Concat([]string{"admin"}, args, s.flags)...)
	cmd.Env = cleanEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("infsh admin %s: %v\n%s", args[0], err, out)
	}
}

// A person connects a provider, signs in by it, approves a command line, proves
// by it who they are, and disconnects it; somebody of its domain gets an account
// without JavaScript.
func singleSignOn(t *testing.T, browser context.Context) {
	ln := listenLocally(t)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// Another site than the provider's, as it is in earnest.
	origin := "http://localhost:" + port
	flags, secretFile := openIDProvider(t, origin)
	s := startUnder(t, []string{"env", "INFSH_OIDC_CLIENT_SECRET_FILE=" + secretFile}, t.TempDir(), flags...)
	u := s.createUser("ada@example.com", "acme")
	member := s.createUser("bo@example.com", "acme")
	w := wireOn(t, s, ln)
	w.URL = origin
	t.Cleanup(func() {
		for _, secret := range []string{"provider-client-secret", "callback?", "state=", "id_token", "access_token"} {
			if strings.Contains(s.stderr.String(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
	var seen looked
	p := newOwnTab(t, browser, w)
	p.plant("provider-client-secret")
	p.visit("/login")
	p.lookAt(&seen, "login-sso")
	p.click(testid("sso"))
	p.atProvider(u.Email)
	p.see("h1", "Not signed in")
	p.see("main", "not connected with Okta")
	p.lookAt(&seen, "sso-refused")

	p.signIn(u)
	p.visit("/settings/account")
	p.click(testid("sso-connect"))
	p.atProvider(u.Email)
	p.see(testid("flash"), "Okta signs you in now.")
	p.see(testid("sso-card"), "ada@example.com")
	p.lookAt(&seen, "account-sso")

	// The link of a command line's login leads by way of the provider.
	p.signOut()
	login := startLoginAt(t, s, origin)
	p.visit("/device?code=" + login.code)
	p.click(testid("sso"))
	p.atProvider(u.Email)
	p.at("/device?code=" + login.code)
	p.follow(testid("approve"))
	p.see("h1", "Approved")
	if code := login.wait(); code != 0 {
		t.Fatalf("infsh login exited with %d: %s", code, &login.stderr)
	}

	s.stale()
	p.visit("/settings/members?role=" + member.UserID)
	p.click("#role-admin")
	p.click(testid("role-form") + " " + testid("save"))
	p.see("#confirm-dialog-title", "Is it you?")
	p.lookAt(&seen, "confirm-sso")
	p.click(testid("sso-confirm"))
	p.atProvider(u.Email)
	p.at("/settings/members?role=" + member.UserID)
	p.see(testid("flash"), "Confirmed.")
	p.click("#role-admin")
	p.click(testid("role-form") + " " + testid("save"))
	p.see(testid("member-row"), "Admin")

	plain := newOwnTab(t, browser, w, noScript)
	plain.visit("/login?next=/settings/account")
	plain.click(testid("sso"))
	plain.atProvider("mal@example.org")
	plain.see("main", "does not say that your address is verified")
	plain.visit("/login?next=/settings/account")
	plain.click(testid("sso"))
	plain.atProvider("mona@example.org")
	plain.at("/settings/account")
	plain.see(testid("sso-needed"), "the only way")
	plain.see(testid("no-password"), "Okta signs you in")

	// The operator disconnects her, which signs her out, and has made an account
	// for somebody else that waits for the first sign-in.
	s.admin("unlink", "--email", "mona@example.org")
	plain.visit("/settings/account")
	plain.at("/login?next=%2Fsettings%2Faccount")
	s.admin("create-user", "--email", "kim@example.net", "--team", "acme", "--no-password")
	plain.click(testid("sso"))
	plain.atProvider("kim@example.net")
	plain.at("/settings/account")

	p.visit("/settings/activity")
	p.see(testid("activity-row"), "Connected single sign-on")
	p.visit("/settings/account")
	p.follow(testid("sso-disconnect"))
	p.see(testid("flash"), "Okta does not sign you in any more.")
}
