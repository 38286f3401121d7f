package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"infsh/db"
	"infsh/db/dbtest"
	"infsh/integration"
	"infsh/integration/oauthtest"
	"infsh/issuer"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// federating is a world whose servers are an issuer that the provider's security
// token service can ask.
type federating struct {
	*world
	issuer *issuer.Service
	url    string
}

func eachFederating(t *testing.T, test func(t *testing.T, w *federating)) {
	each(t, func(t *testing.T, w *world) {
		check, err := w.kek.SealCheck("store")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.db.SetIdentity(t.Context(), db.Identity{StoreID: "store", KEKID: w.kek.ID(), KEKCheck: check}); err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		at, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		f := &federating{world: w, url: server.URL, issuer: issuer.NewService(w.db.Issuer(), w.kek, at, slog.New(slog.DiscardHandler))}
		mux.HandleFunc("GET "+issuer.DiscoveryPath, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(rw).Encode(f.issuer.Metadata())
		})
		mux.HandleFunc("GET "+issuer.KeysPath, func(rw http.ResponseWriter, r *http.Request) {
			set, _, err := f.issuer.Published(r.Context())
			if err != nil {
				t.Error(err)
			}
			_ = json.NewEncoder(rw).Encode(set)
		})
		w.WithIssuer(f.issuer)
		w.provider.Trust(server.URL, integration.Subject(w.owner.TeamID()))
		test(t, f)
	})
}

// another is a further server over the same database.
func (f *federating) another() *integration.Service { return f.instance().WithIssuer(f.issuer) }

// form is what somebody types, in the place of what is right.
func form(other ...string) map[string]redact.Value {
	out := map[string]redact.Value{}
	right := []string{"project_number", oauthtest.ProjectNumber, "pool", oauthtest.Pool, "provider", oauthtest.PoolProvider}
	for pair := range slices.Chunk(append(right, other...), 2) {
		out[pair[0]] = redact.NewValue(pair[1])
	}
	return out
}

func (f *federating) connect(ctx context.Context, actor team.Actor, other ...string) (integration.Connection, error) {
	return f.Connect(ctx, actor, integration.Typed{Provider: "test", Type: integration.Federation, Fields: form(other...)})
}

// secretless fails where something that was signed is in a text.
func (f *federating) secretless(t *testing.T, what, text string) {
	t.Helper()
	tokens := f.provider.SubjectTokens()
	if len(tokens) == 0 {
		t.Errorf("%s: nothing was signed", what)
	}
	for _, token := range tokens {
		for part := range strings.SplitSeq(token, ".") {
			if strings.Contains(text, part) {
				t.Errorf("%s holds what was signed: %s", what, text)
			}
		}
	}
	if strings.Contains(text, "federated-") {
		t.Errorf("%s holds the federated token: %s", what, text)
	}
}

// A team connects what trusts this server, with a service account and without
// one, and nothing of the provider's is stored but the token that ends.
func TestFederation(t *testing.T) {
	t.Parallel()
	eachFederating(t, func(t *testing.T, w *federating) {
		c, err := w.connect(t.Context(), w.owner)
		if err != nil {
			t.Fatal(err)
		}
		if c.Status != integration.Connected || c.Name() != "123456789012/infsh-pool/infsh" || !slices.Equal(c.Scopes, []string{"cloud"}) || c.RefreshAt.IsZero() {
			t.Errorf("it is %+v", c)
		}
		env := w.env(t, c.ID)
		if scopes, ok := w.provider.Knows(env["GCP_ACCESS_TOKEN"]); !ok || !slices.Equal(scopes, []string{"cloud"}) || env["GCP_PROJECT_NUMBER"] != oauthtest.ProjectNumber || len(env) != 2 {
			t.Errorf("an app receives %d values, or another token", len(env))
		}
		as, err := w.connect(t.Context(), w.owner, "service_account", oauthtest.Account)
		if err != nil || as.ID == c.ID || as.Primary {
			t.Fatalf("with a service account: %+v, %v", as, err)
		}
		if token := w.env(t, as.ID)["GCP_ACCESS_TOKEN"]; !strings.HasPrefix(token, "account-") {
			t.Error("the token is not the service account's")
		}
		again, err := w.connect(t.Context(), w.owner)
		if err != nil || again.ID != c.ID || again.Version != c.Version+1 {
			t.Errorf("connected once more it is %+v, %v", again, err)
		}
		p, _ := w.catalogue.Provider("test")
		if lacking := c.Lacking(p, []string{"cloud"}); len(lacking) != 0 {
			t.Errorf("lacking are %v", lacking)
		}
		if gone, _, err := w.Disconnect(t.Context(), w.owner, as.ID); err != nil || gone.ID != as.ID {
			t.Error(err)
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM integration_values"); n != 1 {
			t.Errorf("%d sealed values are left", n)
		}
		if got := w.actions(t); !slices.Contains(got, "integration.connect allowed") {
			t.Errorf("the log has %v", got)
		}
	})
}

// What the provider refuses is said in words, with nothing of what was sent, and
// nothing is stored; and no team is let in by what another one set.
func TestFederationIsRefused(t *testing.T) {
	t.Parallel()
	eachFederating(t, func(t *testing.T, w *federating) {
		subject := integration.Subject(w.owner.TeamID())
		var p *problem.Error
		refused := func(what string, err error, code problem.Code, words ...string) {
			t.Helper()
			if !errors.As(err, &p) || p.Code != code {
				t.Fatalf("%s: %v, want %s", what, err, code)
			}
			text := err.Error()
			for _, f := range p.Fields {
				text += f.Name + f.Message
			}
			for _, word := range words {
				if !strings.Contains(text, word) {
					t.Errorf("%s: it says %q, and not %q", what, text, word)
				}
			}
			if len(w.provider.SubjectTokens()) > 0 {
				w.secretless(t, what, text)
			}
		}
		for _, typed := range []string{"p", "../../etc", "pool/providers/other", "pool?x=1", "Pool", strings.Repeat("a", 33)} {
			refused("the pool "+typed, second(w.connect(t.Context(), w.owner, "pool", typed)), problem.InvalidField, "pool")
		}
		for _, typed := range []string{"..", ".", "a/b@c", "a%2Fb", "-:generateAccessToken"} {
			err := second(w.connect(t.Context(), w.owner, "service_account", typed))
			if err == nil {
				t.Errorf("the service account %q is taken for one", typed)
			}
		}
		refused("another pool", second(w.connect(t.Context(), w.owner, "pool", "another")), problem.InvalidField, "invalid_target", "Compare the names.")
		refused("another team", second(w.connect(t.Context(), w.stranger)), problem.InvalidField, "unauthorized_client", integration.Subject(w.stranger.TeamID()))
		refused("a member", second(w.connect(t.Context(), w.member)), problem.TeamRoleRequired)
		refused("an unknown account", second(w.connect(t.Context(), w.owner, "service_account", "nobody@my-project.iam.gserviceaccount.com")), problem.InvalidField, "404")
		w.provider.DenyAccount(true)
		refused("an account that lets nobody", second(w.connect(t.Context(), w.owner, "service_account", oauthtest.Account)), problem.InvalidField, "403", "Let it act as the account.")
		w.provider.Trust("", "")
		refused("no trust", second(w.connect(t.Context(), w.owner)), problem.InvalidField, "invalid_grant", "The issuer is to be "+w.url)
		w.provider.Fail(503)
		refused("it fails", second(w.connect(t.Context(), w.owner)), problem.Unavailable)
		w.provider.Fail(0)
		w.provider.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := second(w.connect(ctx, w.owner)); err == nil {
			t.Error("it is slow, and connected")
		}
		w.provider.Open()
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM integrations"); n != 0 {
			t.Errorf("%d are connected", n)
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'integration.connect' AND outcome = 'failed'"); n < 6 {
			t.Errorf("the log tells of %d attempts", n)
		}
		w.provider.Trust(w.url, subject)
		if _, err := w.connect(t.Context(), w.owner); err != nil {
			t.Errorf("when all is well: %v", err)
		}
	})
}

// Its tokens are renewed as those of others are: once of all instances, ahead of
// their end, by whatever key signs then. What is undone at the provider is said,
// and is well again when it is done again.
func TestFederationIsRenewed(t *testing.T) {
	t.Parallel()
	eachFederating(t, func(t *testing.T, w *federating) {
		c, err := w.connect(t.Context(), w.owner, "service_account", oauthtest.Account)
		if err != nil {
			t.Fatal(err)
		}
		ref := integration.Ref{TeamID: c.TeamID, ID: c.ID}
		w.now.advance(time.Hour)
		others := []*integration.Service{w.Service, w.another(), w.another()}
		w.provider.Close()
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				if err := others[i%len(others)].Fresh(t.Context(), ref); err != nil {
					t.Error(err)
				}
			})
		}
		w.provider.Open()
		all.Wait()
		if n, m := w.provider.Count("federated"), w.provider.Count("impersonated"); n != 2 || m != 2 {
			t.Errorf("it was asked %d and %d times", n, m)
		}
		// Ahead, and by a key that the service did not know, since it keeps keys.
		operator := team.NewActor(team.Identity{Kind: team.Operator, Email: "root"})
		if _, err := w.issuer.Rotate(t.Context(), operator, true); err != nil {
			t.Fatal(err)
		}
		w.now.advance(55 * time.Minute)
		if err := w.another().RefreshDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.get(t, c.ID); got.Version != 3 || got.Status != integration.Connected || !slices.Equal(got.Scopes, []string{"cloud"}) {
			t.Errorf("it is %+v", got)
		}

		w.provider.Trust(w.url, "team:somebody-else")
		w.now.advance(time.Hour)
		for range 3 {
			if err := w.Fresh(t.Context(), ref); !errors.Is(err, problem.Unavailable) {
				t.Fatalf("without trust: %v", err)
			}
		}
		got := w.get(t, c.ID)
		if got.Status != integration.Failing || got.Failures != 1 || !strings.Contains(got.Problem, "The condition is to be "+integration.Subject(c.TeamID)) {
			t.Errorf("it is %+v", got)
		}
		w.secretless(t, "the connection", got.Problem)
		w.provider.Trust(w.url, integration.Subject(c.TeamID))
		w.now.advance(time.Minute)
		if err := w.Fresh(t.Context(), ref); err != nil || w.get(t, c.ID).Status != integration.Connected {
			t.Errorf("with trust again: %v", err)
		}
		w.provider.DenyAccount(true)
		w.now.advance(time.Hour)
		if err := w.Fresh(t.Context(), ref); !errors.Is(err, problem.Unavailable) || !strings.Contains(w.get(t, c.ID).Problem, "Let it act") {
			t.Errorf("without the account: %v, %q", err, w.get(t, c.ID).Problem)
		}
	})
}

// A person is told what to set, with what they typed where that fits, and never
// with another name in its place.
func TestSetup(t *testing.T) {
	t.Parallel()
	eachFederating(t, func(t *testing.T, w *federating) {
		p, _ := w.catalogue.Provider("test")
		k, _ := p.Kind(integration.Federation)
		subject := integration.Subject(w.owner.TeamID())
		got, err := w.Setup(t.Context(), w.owner, k, nil)
		if err != nil || got.Issuer != w.url || got.Subject != subject || len(got.Steps) != 1 ||
			got.Steps[0].Text != "cloud trust infsh-pool/infsh --issuer="+w.url+" --subject="+subject+" --audience=//iam.test/projects/PROJECT_NUMBER/locations/global/workloadIdentityPools/infsh-pool/providers/infsh" {
			t.Errorf("nothing typed: %+v, %v", got, err)
		}
		got, err = w.Setup(t.Context(), w.owner, k, form("pool", "other-pool", "provider", "x'; rm -rf /", "service_account", "a@b.c"))
		if err != nil || len(got.Steps) != 2 || !strings.HasPrefix(got.Steps[0].Text, "cloud trust other-pool/PROVIDER ") || got.Steps[1].Text != "cloud bind a@b.c "+subject || got.Upload != "cloud upload other-pool/PROVIDER jwks.json" {
			t.Errorf("typed: %+v, %v", got, err)
		}
		if err := w.MakeKeys(t.Context(), w.member); !errors.Is(err, problem.TeamRoleRequired) {
			t.Errorf("a member makes keys: %v", err)
		}
		if err := w.MakeKeys(t.Context(), w.owner); err != nil {
			t.Error(err)
		}
		if set, _, err := w.issuer.Published(t.Context()); err != nil || len(set.Keys) != 2 {
			t.Errorf("%d keys are published, %v", len(set.Keys), err)
		}
	})
}

// Mistakes in an operator's file are named.
func TestFederationInTheCatalogue(t *testing.T) {
	t.Parallel()
	const right = `acme:
  name: Acme
  about: Our own.
  kinds:
    - type: workload_identity
      name: Federation
      steps: [Trust us.]
      token: https://sts.acme.example/token
      audience: //acme/{pool}
      impersonate: https://sts.acme.example/as/{account}
      fields:
        - {key: pool, label: Pool, default: ours, pattern: "[a-z]+"}
        - {key: account, label: Account, pattern: "[a-z]+", optional: true}
      setup:
        - {label: Trust, text: "acme trust {pool} {issuer} {subject} {audience}"}
      refusals: {invalid_grant: "Trust {issuer}."}
      env: {ACME_TOKEN: access_token}
`
	if _, err := integration.BuiltIn().With("mine.yaml", []byte(right)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ from, to, want string }{
		{"https://sts.acme.example/as/{account}", "https://{account}.acme.example/", "name of a host"},
		{"https://sts.acme.example/as/{account}", "http://sts.acme.example/as/{account}", "https://"},
		{"as/{account}", "as/{other}", "{other} is no field"},
		{"//acme/{pool}", "//acme/{account}", "always filled in"},
		{"      audience: //acme/{pool}\n", "", "audience"},
		{"{pool} {issuer}", "{secret} {issuer}", "{secret}"},
		{`"Trust {issuer}."`, `"Trust {pool}."`, "refusals"},
		{"invalid_grant:", "Bad-code:", "refusals"},
		{`default: ours, pattern: "[a-z]+"`, `default: ours`, "pattern"},
		{"default: ours", "default: OURS", "default"},
		{"label: Pool, ", "label: Pool, sensitive: true, ", "no secret"},
		{"type: workload_identity", "type: api_key", "for the type workload_identity"},
		{"      token: https://sts.acme.example/token\n", "", "token is needed"},
	} {
		if !strings.Contains(right, tt.from) {
			t.Fatalf("the test has no %q", tt.from)
		}
		_, err := integration.BuiltIn().With("mine.yaml", []byte(strings.Replace(right, tt.from, tt.to, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("with %q: %v, want one that names %q", tt.to, err, tt.want)
		}
	}
}
