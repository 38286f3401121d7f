package integration_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/integration"
	"infsh/integration/oauthtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// world is a team whose integrations go to a provider of the test's own.
type world struct {
	db       *dbtest.Database
	kek      *envelope.KEK
	provider *oauthtest.Server
	*integration.Service
	catalogue *integration.Catalogue
	now       *clock

	owner, member, stranger, otherSession team.Actor
}

// clock is moved by the test.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().UTC().Add(c.ahead).Truncate(time.Microsecond)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

var site = &url.URL{Scheme: "https", Host: "infsh.example"}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
		if err != nil {
			t.Fatal(err)
		}
		w := &world{db: d, kek: kek, provider: oauthtest.New(t), now: &clock{}}
		if w.catalogue, err = integration.BuiltIn().With("test.yaml", w.provider.Catalogue("test")); err != nil {
			t.Fatal(err)
		}
		w.Service = w.instance()
		w.provider.Register(w.RedirectURL())
		acme, beta := dbtest.Team(t, d, kek, "acme"), dbtest.Team(t, d, kek, "beta")
		w.owner = dbtest.Actor(t, d, acme, "owner@acme.example", team.Owner)
		w.member = dbtest.Actor(t, d, acme, "member@acme.example", team.Member)
		w.stranger = dbtest.Actor(t, d, beta, "owner@beta.example", team.Owner)
		w.otherSession = dbtest.Actor(t, d, acme, "owner2@acme.example", team.Owner)
		test(t, w)
	})
}

// instance is a further server over the same database.
func (w *world) instance() *integration.Service {
	return integration.NewService(w.db.Integrations(), w.kek, w.catalogue, site, slog.New(slog.NewTextHandler(io.Discard, nil))).At(w.now.now)
}

func (w *world) client(t *testing.T) {
	t.Helper()
	if _, err := w.SetClient(t.Context(), w.owner, "test", oauthtest.ClientID, redact.NewValue(oauthtest.ClientSecret)); err != nil {
		t.Fatal(err)
	}
}

func answerOf(back *url.URL) integration.Answer {
	q := back.Query()
	return integration.Answer{State: redact.NewValue(q.Get("state")), Code: redact.NewValue(q.Get("code")), Issuer: q.Get("iss"), Error: q.Get("error")}
}

func (w *world) begin(t *testing.T, in integration.Begin) integration.Begun {
	t.Helper()
	in.Provider = "test"
	begun, err := w.Begin(t.Context(), w.owner, in)
	if err != nil {
		t.Fatal(err)
	}
	return begun
}

// account connects one.
func (w *world) account(t *testing.T, name string, capabilities ...string) integration.Connection {
	t.Helper()
	w.provider.Account(name)
	begun := w.begin(t, integration.Begin{Capabilities: capabilities})
	made, err := w.Complete(t.Context(), w.owner, answerOf(w.provider.Allow(t, begun.URL)))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// token opens what an app would receive.
func (w *world) env(t *testing.T, id string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := w.db.Integrations().View(t.Context(), func(r integration.Reader) error {
		c, err := r.Connection(t.Context(), w.owner.TeamID(), id)
		if err != nil {
			return err
		}
		wrapped, err := r.WrappedDEK(t.Context(), w.owner.TeamID())
		if err != nil {
			return err
		}
		dek, err := w.kek.OpenDEK(w.owner.TeamID(), wrapped)
		if err != nil {
			return err
		}
		m, err := integration.Open(dek, c.TeamID, c.ID, c.Version, c.Sealed)
		if err != nil {
			return err
		}
		p, _ := w.catalogue.Provider(c.Provider)
		k, _ := p.Kind(c.Type)
		for _, v := range k.Env(m, nil) {
			out[v.Name] = v.Value.Reveal()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) get(t *testing.T, id string) integration.Connection {
	t.Helper()
	c, err := w.Get(t.Context(), w.owner, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) actions(t *testing.T) (out []string) {
	t.Helper()
	log, err := audit.NewService(w.db).Search(t.Context(), w.owner, audit.Filter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log.Entries {
		out = append(out, e.Action+" "+string(e.Outcome))
	}
	return out
}

// An account is connected, receives more scopes, is connected again, and is
// disconnected with its tokens revoked.
func TestAccount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if _, err := w.Begin(t.Context(), w.owner, integration.Begin{Provider: "test"}); !errors.Is(err, problem.PreconditionFailed) {
			t.Errorf("without a client: %v", err)
		}
		w.client(t)
		c := w.account(t, "ada@provider.example", "test.notes.read")
		if c.Status != integration.Connected || c.AccountName != "ada@provider.example" || !c.Primary || !slices.Equal(c.Scopes, []string{"notes.read", "offline"}) {
			t.Errorf("connected is %+v", c)
		}
		env := w.env(t, c.ID)
		if scopes, ok := w.provider.Knows(env["TEST_ACCESS_TOKEN"]); !ok || !slices.Contains(scopes, "notes.read") {
			t.Error("the token is not one of the provider's")
		}
		if !strings.Contains(env["TEST_CREDENTIALS"], env["TEST_ACCESS_TOKEN"]) || strings.Contains(env["TEST_CREDENTIALS"], "refresh") {
			t.Errorf("the credentials are %d bytes, with a refresh token or without the access token", len(env["TEST_CREDENTIALS"]))
		}

		// More scopes keep what was granted.
		begun := w.begin(t, integration.Begin{Capabilities: []string{"test.notes.write"}, ConnectionID: c.ID})
		if !slices.Equal(begun.Scopes, []string{"notes.read", "notes.write", "offline"}) {
			t.Errorf("asked is for %v", begun.Scopes)
		}
		more, err := w.Complete(t.Context(), w.owner, answerOf(w.provider.Allow(t, begun.URL)))
		if err != nil || more.ID != c.ID || more.Version != c.Version+1 || !slices.Contains(more.Scopes, "notes.write") {
			t.Errorf("with more scopes: %+v, %v", more, err)
		}

		// Another account is another connection, and not the primary one; it does
		// not take the place of the one that was to get more.
		other := w.account(t, "bob@provider.example")
		if other.ID == c.ID || other.Primary {
			t.Errorf("the other account is %+v", other)
		}
		begun = w.begin(t, integration.Begin{ConnectionID: c.ID})
		if _, err := w.Complete(t.Context(), w.owner, answerOf(w.provider.Allow(t, begun.URL))); !errors.Is(err, problem.Conflict) {
			t.Errorf("connected again as somebody else: %v", err)
		}
		if again := w.account(t, "bob@provider.example"); again.ID != other.ID {
			t.Error("the same account became a further connection")
		}
		if _, err := w.MakePrimary(t.Context(), w.owner, other.ID); err != nil {
			t.Fatal(err)
		}
		if w.get(t, c.ID).Primary || !w.get(t, other.ID).Primary {
			t.Error("there is not one primary account")
		}

		_, revoked, err := w.Disconnect(t.Context(), w.owner, other.ID)
		if err != nil || !revoked || w.provider.Count("revoke") != 1 {
			t.Errorf("disconnect: revoked %v, %v", revoked, err)
		}
		if !w.get(t, c.ID).Primary {
			t.Error("no account is the primary one any more")
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM integration_values"); n != 2 { // The client's secret, and the other account.
			t.Errorf("%d sealed values are left", n)
		}
	})
}

// A state is good once, for who began it, for ten minutes; and an answer that is
// not the provider's is refused.
func TestAuthorizationIsBound(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		refused := func(what string, actor team.Actor, in integration.Answer, want problem.Code) {
			t.Helper()
			if _, err := w.Complete(t.Context(), actor, in); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %s", what, err, want)
			}
		}
		begun := w.begin(t, integration.Begin{})
		in := answerOf(w.provider.Allow(t, begun.URL))
		refused("another team", w.stranger, in, problem.NotFound)
		refused("another person", w.otherSession, in, problem.NotFound)
		refused("a member", w.member, in, problem.TeamRoleRequired)
		refused("no state", w.owner, integration.Answer{Code: in.Code}, problem.NotFound)
		if _, err := w.Complete(t.Context(), w.owner, in); err != nil {
			t.Fatalf("who began it: %v", err)
		}
		refused("a second time", w.owner, in, problem.NotFound)

		begun = w.begin(t, integration.Begin{})
		in = answerOf(w.provider.Allow(t, begun.URL))
		w.now.advance(integration.FlowLifetime)
		refused("too late", w.owner, in, problem.NotFound)

		begun = w.begin(t, integration.Begin{})
		in = answerOf(w.provider.Allow(t, begun.URL))
		in.Issuer = "https://evil.example"
		refused("another issuer", w.owner, in, problem.AccessDenied)
		refused("after another issuer", w.owner, in, problem.NotFound)

		begun = w.begin(t, integration.Begin{})
		refused("declined", w.owner, answerOf(w.provider.Deny(t, begun.URL)), problem.AccessDenied)

		// A code of one authorization is no use in another: PKCE.
		first, second := w.begin(t, integration.Begin{}), w.begin(t, integration.Begin{})
		stolen, in := answerOf(w.provider.Allow(t, first.URL)), answerOf(w.provider.Allow(t, second.URL))
		in.Code = stolen.Code
		refused("another's code", w.owner, in, problem.AccessDenied)

		if !strings.Contains(first.URL, "redirect_uri="+url.QueryEscape("https://infsh.example/settings/integrations/callback")) {
			t.Errorf("the redirect URL is not the registered one in %s", first.URL)
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM integrations"); n != 1 {
			t.Errorf("%d are connected, want 1", n)
		}
	})
}

// However many instances and requests want a fresh token at once, the provider
// is asked once, and all use what it gave.
func TestRefreshedOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		c := w.account(t, "ada@provider.example")
		ref := integration.Ref{TeamID: c.TeamID, ID: c.ID}
		before := w.env(t, c.ID)["TEST_ACCESS_TOKEN"]
		if err := w.Fresh(t.Context(), ref); err != nil || w.provider.Count("refresh") != 0 {
			t.Fatalf("a token that is fresh was refreshed, or not: %v", err)
		}
		w.now.advance(time.Hour)
		others := []*integration.Service{w.Service, w.instance(), w.instance()}
		w.provider.Close()
		var all sync.WaitGroup
		errs := make(chan error, 30)
		for i := range cap(errs) {
			all.Go(func() { errs <- others[i%len(others)].Fresh(t.Context(), ref) })
		}
		w.provider.Open()
		all.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		if n, reused := w.provider.Count("refresh"), w.provider.Count("reuse"); n != 1 || reused != 0 {
			t.Errorf("the provider was asked %d times, and %d times with a token that was replaced", n, reused)
		}
		after := w.env(t, c.ID)["TEST_ACCESS_TOKEN"]
		if after == before {
			t.Error("the token is the old one")
		}
		if _, ok := w.provider.Knows(after); !ok {
			t.Error("the token is not one of the provider's")
		}
		// Rotated once more: what was stored is what is good now.
		w.now.advance(time.Hour)
		if err := w.Fresh(t.Context(), ref); err != nil || w.provider.Count("refresh") != 2 {
			t.Errorf("the next time: %v", err)
		}
	})
}

// Tokens are renewed ahead of their end, by whichever instance looks first.
func TestRefreshAhead(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		c := w.account(t, "ada@provider.example")
		if err := w.RefreshDue(t.Context()); err != nil || w.provider.Count("refresh") != 0 {
			t.Fatalf("at once: %v", err)
		}
		w.now.advance(55 * time.Minute)
		for _, s := range []*integration.Service{w.Service, w.instance()} {
			if err := s.RefreshDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.provider.Count("refresh"); n != 1 {
			t.Errorf("refreshed %d times", n)
		}
		if got := w.get(t, c.ID); got.Version != 2 || !got.ExpiresAt.After(c.ExpiresAt) {
			t.Errorf("it is %+v", got)
		}
		if !slices.Contains(w.actions(t), "integration.refresh allowed") {
			t.Error("the log does not tell of it")
		}
	})
}

// invalid_grant is the end of a connection, and is said once; connecting the
// same account brings it back.
func TestInvalidGrant(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		c := w.account(t, "ada@provider.example")
		w.provider.Forget()
		w.now.advance(time.Hour)
		ref := integration.Ref{TeamID: c.TeamID, ID: c.ID}
		for range 3 {
			if err := w.Fresh(t.Context(), ref); err != nil {
				t.Fatal(err)
			}
		}
		got := w.get(t, c.ID)
		if got.Status != integration.Expired || !strings.Contains(got.Problem, "Connect it again") || !got.RefreshAt.IsZero() {
			t.Errorf("it is %+v", got)
		}
		said := 0
		for _, a := range w.actions(t) {
			if a == "integration.expire allowed" {
				said++
			}
		}
		if said != 1 {
			t.Errorf("it was said %d times", said)
		}
		again := w.account(t, "ada@provider.example")
		if again.ID != c.ID || again.Status != integration.Connected || again.Problem != "" {
			t.Errorf("connected again it is %+v", again)
		}
	})
}

// A provider that fails is asked less and less, however many runs want a token;
// nothing of what it or the request says gets out.
func TestProviderThatFails(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		c := w.account(t, "ada@provider.example")
		ref := integration.Ref{TeamID: c.TeamID, ID: c.ID}
		w.provider.Fail(500)
		w.now.advance(time.Hour)
		for range 12 {
			err := w.Fresh(t.Context(), ref)
			var p *problem.Error
			if !errors.As(err, &p) || p.Code != problem.Unavailable || p.RetryAfter <= 0 {
				t.Fatalf("it says %v", err)
			}
			if strings.Contains(err.Error(), "refresh-") {
				t.Error("the error quotes what was sent")
			}
		}
		if n := w.provider.Count("failed"); n != 1 {
			t.Errorf("it was asked %d times", n)
		}
		got := w.get(t, c.ID)
		if got.Status != integration.Failing || got.Failures != 1 || strings.Contains(got.Problem, "refresh-") {
			t.Errorf("it is %+v", got)
		}
		if err := w.RefreshDue(t.Context()); err != nil || w.provider.Count("failed") != 1 {
			t.Errorf("while it is left alone: %v", err)
		}
		w.now.advance(time.Minute)
		if err := w.Fresh(t.Context(), ref); !errors.Is(err, problem.Unavailable) || w.provider.Count("failed") != 2 {
			t.Errorf("later: %v", err)
		}
		// A new secret of the client is tried at once.
		w.provider.Fail(0)
		w.client(t)
		if err := w.Fresh(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if got := w.get(t, c.ID); got.Status != integration.Connected || got.Problem != "" || got.Failures != 0 {
			t.Errorf("afterwards it is %+v", got)
		}
	})
}

// A key and a service account are accepted only if the provider accepts them;
// the address in a service account's key is not called.
func TestKeysAndServiceAccounts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		typed := func(kind integration.Type, fields map[string]string) (integration.Connection, error) {
			in := integration.Typed{Provider: "test", Type: kind, Fields: map[string]redact.Value{}}
			for name, v := range fields {
				in.Fields[name] = redact.NewValue(v)
			}
			return w.Connect(t.Context(), w.owner, in)
		}
		if _, err := typed(integration.APIKey, map[string]string{"bot_token": "wrong"}); !errors.Is(err, problem.InvalidField) {
			t.Errorf("a wrong token: %v", err)
		}
		if _, err := typed(integration.APIKey, map[string]string{"bot_token": ""}); !errors.Is(err, problem.InvalidField) {
			t.Errorf("no token: %v", err)
		}
		bot, err := typed(integration.APIKey, map[string]string{"bot_token": " " + oauthtest.BotToken + "\n"})
		if err != nil || bot.AccountName != "robot" || w.env(t, bot.ID)["TEST_BOT_TOKEN"] != oauthtest.BotToken {
			t.Errorf("a bot: %+v, %v", bot, err)
		}
		key := w.provider.ServiceAccountKey(t)
		for what, fields := range map[string]map[string]string{
			"service_account_key": {"service_account_key": `{"type":"service_account"}`, "project_number": "12"},
			"project_number":      {"service_account_key": key, "project_number": "twelve"},
		} {
			var p *problem.Error
			if _, err := typed(integration.ServiceAccount, fields); !errors.As(err, &p) || len(p.Fields) != 1 || p.Fields[0].Name != what {
				t.Errorf("a wrong %s: %v", what, err)
			}
		}
		sa, err := typed(integration.ServiceAccount, map[string]string{"service_account_key": key, "project_number": "12"})
		if err != nil {
			t.Fatal(err)
		}
		env := w.env(t, sa.ID)
		if _, ok := w.provider.Knows(env["TEST_SA_TOKEN"]); !ok || env["TEST_PROJECT"] != "12" || len(env) != 2 {
			t.Error("the service account's token is not one of the provider's, or something else is given")
		}
		w.now.advance(time.Hour)
		if err := w.Fresh(t.Context(), integration.Ref{TeamID: sa.TeamID, ID: sa.ID}); err != nil || w.provider.Count("assertion") != 2 {
			t.Errorf("refresh of a service account: %v", err)
		}
		if w.env(t, sa.ID)["TEST_SA_TOKEN"] == env["TEST_SA_TOKEN"] {
			t.Error("the token is the old one")
		}
	})
}

// Nothing but the catalogue's hosts is called, and those only where they are
// said to be.
func TestCallsStayWhereTheyBelong(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		file := strings.ReplaceAll(string(w.provider.Catalogue("test")), "http://127.0.0.1", "https://127.0.0.1")
		file = strings.Replace(file, "network: loopback", "network: public", 1)
		var err error
		if w.catalogue, err = integration.BuiltIn().With("test.yaml", []byte(file)); err != nil {
			t.Fatal(err)
		}
		s := w.instance()
		_, err = s.Connect(t.Context(), w.owner, integration.Typed{Provider: "test", Type: integration.APIKey, Fields: map[string]redact.Value{"bot_token": redact.NewValue(oauthtest.BotToken)}})
		if !errors.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "private, local or reserved") {
			t.Errorf("a host that is this machine: %v", err)
		}
	})
}

// Other teams see nothing, members may look only, and a slow provider does not
// outlive the caller.
func TestWhoMay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		c := w.account(t, "ada@provider.example")
		if _, err := w.Get(t.Context(), w.stranger, c.ID); !errors.Is(err, problem.NotFound) {
			t.Errorf("a stranger: %v", err)
		}
		if _, _, err := w.Disconnect(t.Context(), w.stranger, c.ID); !errors.Is(err, problem.NotFound) {
			t.Errorf("a stranger: %v", err)
		}
		if _, err := w.Get(t.Context(), w.member, "test"); err != nil {
			t.Errorf("a member: %v", err)
		}
		for what, err := range map[string]error{
			"begin":      second(w.Begin(t.Context(), w.member, integration.Begin{Provider: "test"})),
			"client":     second(w.SetClient(t.Context(), w.member, "test", "x", redact.NewValue("y"))),
			"primary":    second(w.MakePrimary(t.Context(), w.member, c.ID)),
			"disconnect": third(w.Disconnect(t.Context(), w.member, c.ID)),
		} {
			if !errors.Is(err, problem.TeamRoleRequired) {
				t.Errorf("%s as a member: %v", what, err)
			}
		}
		w.now.advance(time.Hour)
		w.provider.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Fresh(ctx, integration.Ref{TeamID: c.TeamID, ID: c.ID}); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who left: %v", err)
		}
	})
}

func second[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }
