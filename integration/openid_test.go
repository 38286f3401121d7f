package integration_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/integration"
	"infsh/redact"
	"infsh/team"
)

type people map[string]*storage.User

func (p people) GetUserByID(id string) *storage.User         { return p[id] }
func (p people) GetUserByUsername(name string) *storage.User { return p[name] }
func (p people) ExampleClientID() string                     { return "" }

// A provider that others have made connects, renews with a refresh token that it
// replaces each time, and revokes.
func TestAProviderOfOthers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	issuer := "http://" + ln.Addr().String()
	users := people{"ada": {ID: "ada", Username: "ada", Password: "at the provider", Email: "ada@provider.example", EmailVerified: true}}
	redirect := site.JoinPath(integration.CallbackPath).String()
	client := storage.WebClient("infsh", "provider-client-secret", redirect)
	store := storage.NewStorageWithClients(users, map[string]*storage.Client{"infsh": client})
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: exampleop.SetupServer(issuer, store, slog.New(slog.DiscardHandler), false)}}
	server.Start()
	t.Cleanup(server.Close)
	catalogue, err := integration.BuiltIn().With("test.yaml", fmt.Appendf(nil, `openid:
  name: OpenID
  about: A provider that others have made.
  network: loopback
  kinds:
    - type: oauth
      name: Account
      steps: [Make a client.]
      authorize: %[1]s/auth
      token: %[1]s/oauth/token
      revoke: %[1]s/revoke
      always: [openid, email, offline_access]
      account: {url: %[1]s/userinfo, id: sub, name: email}
      env: {OPENID_TOKEN: access_token}
`, issuer))
	if err != nil {
		t.Fatal(err)
	}
	d := dbtest.SQLite(t)
	kek, err := envelope.CreateKEKFile(t.TempDir() + "/kek.json")
	if err != nil {
		t.Fatal(err)
	}
	clock := &clock{}
	s := integration.NewService(d.Integrations(), kek, catalogue, site, slog.New(slog.DiscardHandler)).At(clock.now)
	owner := dbtest.Actor(t, d, dbtest.Team(t, d, kek, "acme"), "owner@acme.example", team.Owner)
	if _, err := s.SetClient(t.Context(), owner, "openid", "infsh", redact.NewValue("provider-client-secret")); err != nil {
		t.Fatal(err)
	}
	begun, err := s.Begin(t.Context(), owner, integration.Begin{Provider: "openid"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.Complete(t.Context(), owner, answerOf(signInAt(t, begun.URL)))
	if err != nil || made.AccountName != "ada@provider.example" || made.ExpiresAt.IsZero() {
		t.Fatalf("connected is %+v, %v", made, err)
	}
	for n := int64(2); n < 4; n++ {
		clock.advance(time.Until(made.ExpiresAt) + time.Hour)
		if err := s.Fresh(t.Context(), integration.Ref{TeamID: made.TeamID, ID: made.ID}); err != nil {
			t.Fatal(err)
		}
		if made, err = s.Get(t.Context(), owner, made.ID); err != nil || made.Status != integration.Connected || made.Version != n {
			t.Fatalf("renewed it is %+v, %v", made, err)
		}
	}
	if _, revoked, err := s.Disconnect(t.Context(), owner, made.ID); err != nil || !revoked {
		t.Errorf("disconnect: revoked %v, %v", revoked, err)
	}
}

// signInAt does what a person does on the provider's pages, and returns where
// the browser is led back to.
func signInAt(t *testing.T, address string) *url.URL {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	var back *url.URL
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == site.Host {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := resp.Write(&page); err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page.String())
	if id == nil {
		t.Fatalf("the provider shows no form: %d at %s", resp.StatusCode, resp.Request.URL)
	}
	resp, err = browser.PostForm(resp.Request.URL.Scheme+"://"+resp.Request.URL.Host+"/login/username", url.Values{"id": {id[1]}, "username": {"ada"}, "password": {"at the provider"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if back == nil {
		t.Fatalf("the provider leads nowhere: %d", resp.StatusCode)
	}
	return back
}
