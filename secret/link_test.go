package secret_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"infsh/app"
	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/integration"
	"infsh/integration/oauthtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// linked is a world with a provider of its own, which is connected.
type linked struct {
	*world
	provider     *oauthtest.Server
	integrations *integration.Service
}

func newLinked(t *testing.T, w *world) *linked {
	t.Helper()
	l := &linked{world: w, provider: oauthtest.New(t)}
	catalogue, err := integration.BuiltIn().With("test.yaml", l.provider.Catalogue("test"))
	if err != nil {
		t.Fatal(err)
	}
	l.integrations = integration.NewService(w.db.Integrations(), w.kek, catalogue, &url.URL{Scheme: "https", Host: "infsh.example"}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	l.provider.Register(l.integrations.RedirectURL())
	w.secrets.WithTokens(l.integrations)
	if _, err := l.integrations.SetClient(t.Context(), w.owner, "test", oauthtest.ClientID, redact.NewValue(oauthtest.ClientSecret)); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *linked) account(t *testing.T, name string, capabilities ...string) integration.Connection {
	t.Helper()
	l.provider.Account(name)
	begun, err := l.integrations.Begin(t.Context(), l.owner, integration.Begin{Provider: "test", Capabilities: capabilities})
	if err != nil {
		t.Fatal(err)
	}
	q := l.provider.Allow(t, begun.URL).Query()
	made, err := l.integrations.Complete(t.Context(), l.owner, integration.Answer{State: redact.NewValue(q.Get("state")), Code: redact.NewValue(q.Get("code")), Issuer: q.Get("iss")})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func integrates(key string) secret.Requirement {
	return secret.Requirement{Kind: secret.KindIntegration, Key: key}
}

// unmet is why an app does not run.
func unmet(t *testing.T, err error) secret.Item {
	t.Helper()
	var u *secret.Unmet
	if !errors.As(err, &u) || len(u.Items) != 1 {
		t.Fatalf("it says %v", err)
	}
	return u.Items[0]
}

// An app receives what it declares of an integration once the team grants it,
// has connected an account, and that may do it; each step is explained where it
// lacks, and the log has what was given.
func TestIntegrationsAreResolved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		l := newLinked(t, w)
		w.set(t, w.owner, "OTHER_KEY", "another value")
		l.deploy(t, l.member, "notes", required("OTHER_KEY"), integrates("test.notes.write"))
		_, err := l.resolve(t, l.owner, "notes")
		var u *secret.Unmet
		if !errors.As(err, &u) || len(u.Items) != 2 || u.Items[1].State != secret.Waiting {
			t.Fatalf("not granted: %v", err)
		}
		found, err := l.apps.ByName(t.Context(), l.owner, "acme", "notes")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.apps.Approve(t.Context(), l.owner, found.ID, []app.Approval{{Key: "OTHER_KEY"}, {Key: "test.notes.write"}}); err != nil {
			t.Fatal(err)
		}
		_, err = l.resolve(t, l.owner, "notes")
		if item := unmet(t, err); item.State != secret.NotConnected || item.ActionURL() != "/settings/integrations/test?need=test.notes.write" {
			t.Errorf("not connected: %s, %s", item.State, item.ActionURL())
		}
		why := func(key string, injected bool, steps int, want string) {
			t.Helper()
			d, err := l.secrets.Why(t.Context(), l.owner, "notes", "", key)
			if err != nil || d.Injected() != injected || len(d.Steps) != steps || !strings.Contains(fmt.Sprint(d.Steps), want) {
				t.Errorf("why %s: %+v, %v", key, d.Steps, err)
			}
		}
		why("test.notes.write", false, 4, "infsh integrations connect test --need test.notes.write")
		why("TEST_ACCESS_TOKEN", false, 4, "test.notes.write gives it, an integration that is declared in version 1")
		why("TEST_NOTHING", false, 1, "requirements.secrets")
		c := l.account(t, "ada@provider.example", "test.notes.read")
		_, err = l.resolve(t, l.owner, "notes")
		if item := unmet(t, err); item.State != secret.NeedsScopes || !slices.Equal(item.Link.Lacking, []string{"notes.write"}) || !strings.Contains(item.ActionURL(), "account="+c.ID) {
			t.Errorf("without the scope: %s, %v, %s", item.State, item.Link.Lacking, item.ActionURL())
		}
		begun, err := l.integrations.Begin(t.Context(), l.owner, integration.Begin{Provider: "test", Capabilities: []string{"test.notes.write"}, ConnectionID: c.ID})
		if err != nil {
			t.Fatal(err)
		}
		q := l.provider.Allow(t, begun.URL).Query()
		if _, err := l.integrations.Complete(t.Context(), l.owner, integration.Answer{State: redact.NewValue(q.Get("state")), Code: redact.NewValue(q.Get("code")), Issuer: q.Get("iss")}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // Read, and kept.
			env, err := l.resolve(t, l.owner, "notes")
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := l.provider.Knows(env["TEST_ACCESS_TOKEN"]); !ok || env["OTHER_KEY"] != "another value" || len(env) != 3 {
				t.Errorf("it received %d values, and not the provider's token", len(env))
			}
		}
		entries, err := audit.NewService(l.db).Search(t.Context(), l.owner, audit.Filter{Kind: "app"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if e := entries.Entries[0]; e.Action != string(team.ResolveApp) || !slices.Contains(e.Versions, audit.KeyVersion{Key: "test.notes.write", Version: 2}) {
			t.Errorf("the log has %+v", e)
		}
		why("test.notes.write", true, 5, "it gives")
		why("TEST_ACCESS_TOKEN", true, 5, "test.notes.write gives it")

		// Whoever revokes it, or disconnects the account, is obeyed at once.
		if _, err := l.apps.Revoke(t.Context(), l.owner, found.ID, []string{"test.notes.write"}); err != nil {
			t.Fatal(err)
		}
		_, err = l.resolve(t, l.owner, "notes")
		if item := unmet(t, err); item.State != secret.Revoked {
			t.Errorf("revoked: %s", item.State)
		}
		if _, err := l.apps.Approve(t.Context(), l.owner, found.ID, []app.Approval{{Key: "test.notes.write"}}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.integrations.Disconnect(t.Context(), l.owner, c.ID); err != nil {
			t.Fatal(err)
		}
		_, err = l.resolve(t, l.owner, "notes")
		if item := unmet(t, err); item.State != secret.NotConnected {
			t.Errorf("disconnected: %s", item.State)
		}
	})
}

// A token that is about to end is replaced before it is handed out; a connection
// that has ended is told, and of a provider that fails no run gets what has
// ended.
func TestRunsReceiveFreshTokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		l := newLinked(t, w)
		ends := func(in time.Duration) {
			dbtest.Exec(t, w.db, "UPDATE integrations SET expires_at = ?", time.Now().Add(in).UnixMicro())
		}
		l.deploy(t, l.owner, "notes", integrates("test.notes.read"))
		l.deploy(t, l.owner, "perhaps", secret.Requirement{Kind: secret.KindIntegration, Key: "test.notes.read", Optional: true})
		c := l.account(t, "ada@provider.example", "test.notes.read")
		first, err := l.resolve(t, l.owner, "notes")
		if err != nil {
			t.Fatal(err)
		}
		state, err := l.secrets.RunState(t.Context(), l.owner, secret.Run{App: "notes"})
		if err != nil {
			t.Fatal(err)
		}
		ends(10 * time.Second)
		second, err := l.resolve(t, l.owner, "notes")
		if err != nil || second["TEST_ACCESS_TOKEN"] == first["TEST_ACCESS_TOKEN"] {
			t.Errorf("about to end: %v", err)
		}
		if now, err := l.secrets.RunState(t.Context(), l.owner, secret.Run{App: "notes"}); err != nil || now == state {
			t.Errorf("who watches is not told: %v", err)
		}

		// While the provider is out of order the token is given as long as it lasts.
		l.provider.Fail(503)
		ends(20 * time.Second)
		if third, err := l.resolve(t, l.owner, "notes"); err != nil || third["TEST_ACCESS_TOKEN"] != second["TEST_ACCESS_TOKEN"] {
			t.Errorf("about to end, of a provider that fails: %v", err)
		}
		ends(-time.Second)
		if env, err := l.resolve(t, l.owner, "notes"); !errors.Is(err, problem.Unavailable) || len(env) > 0 {
			t.Errorf("ended, of a provider that fails: %v", err)
		}
		if env, err := l.resolve(t, l.owner, "perhaps"); err != nil || len(env) > 0 {
			t.Errorf("ended and optional: %v, %d values", err, len(env))
		}

		l.provider.Fail(0)
		l.provider.Forget()
		dbtest.Exec(t, w.db, "UPDATE integrations SET refresh_at = 1") // The pause is over.
		_, err = l.resolve(t, l.owner, "notes")
		if item := unmet(t, err); item.State != secret.Lapsed || !strings.Contains(item.ActionURL(), c.ID) {
			t.Errorf("void: %s", item.State)
		}
		if env, err := l.resolve(t, l.owner, "perhaps"); err != nil || len(env) > 0 {
			t.Errorf("void and optional: %v", err)
		}
		l.account(t, "ada@provider.example", "test.notes.read")
		if _, err := l.resolve(t, l.owner, "notes"); err != nil {
			t.Errorf("connected again: %v", err)
		}
	})
}

// Two ways to the same name are refused in words, what is asked by name comes by
// name, and a grant may choose another account than the primary one.
func TestIntegrationsBesideOthers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		l := newLinked(t, w)
		_, bob := l.account(t, "ada@provider.example", "test.notes.write"), l.account(t, "bob@provider.example", "test.notes.write")
		l.deploy(t, l.owner, "both", integrates("test.notes.read"), integrates("test.notes.write"))
		if env, err := l.resolve(t, l.owner, "both"); err != nil || len(env) != 2 {
			t.Errorf("two capabilities of one account: %v, %d values", err, len(env))
		}
		both, err := l.apps.ByName(t.Context(), l.owner, "acme", "both")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.apps.Approve(t.Context(), l.owner, both.ID, []app.Approval{{Key: "test.notes.read", SourceKey: "nobody"}}); !errors.Is(err, problem.InvalidField) {
			t.Errorf("an account that is not there: %v", err)
		}
		if _, err := l.apps.Approve(t.Context(), l.owner, both.ID, []app.Approval{{Key: "test.notes.read", SourceKey: "bob@provider.example"}}); err != nil {
			t.Fatal(err)
		}
		_, err = l.resolve(t, l.owner, "both")
		if item := unmet(t, err); item.State != secret.Collides || !strings.Contains(item.Message("acme"), "test.notes.read") {
			t.Errorf("two accounts: %s, %s", item.State, item.Message("acme"))
		}
		if _, err := l.apps.Approve(t.Context(), l.owner, both.ID, []app.Approval{{Key: "test.notes.write", SourceKey: bob.ID}}); err != nil {
			t.Fatal(err)
		}
		resolved, err := l.secrets.Resolve(t.Context(), l.owner, secret.Run{App: "both"})
		if err != nil || resolved.Integrations[0].Connection.ID != bob.ID {
			t.Errorf("the chosen account: %v", err)
		}

		w.set(t, w.owner, "TEST_ACCESS_TOKEN", "typed by somebody")
		l.deploy(t, l.owner, "twice", required("TEST_ACCESS_TOKEN"), integrates("test.notes.read"))
		_, err = l.resolve(t, l.owner, "twice")
		if item := unmet(t, err); item.State != secret.Collides || !strings.Contains(item.Message("acme"), "the secret TEST_ACCESS_TOKEN") {
			t.Errorf("a secret of the same name: %s, %s", item.State, item.Message("acme"))
		}
		named := integrates("test.notes.read")
		named.Secrets = []string{"TEST_CREDENTIALS"}
		l.deploy(t, l.owner, "named", required("TEST_ACCESS_TOKEN"), named)
		env, err := l.resolve(t, l.owner, "named")
		if err != nil || env["TEST_ACCESS_TOKEN"] != "typed by somebody" || len(env) != 2 {
			t.Errorf("by name: %v, %d values", err, len(env))
		}
		named.Secrets = []string{"NO_SUCH_NAME"}
		l.deploy(t, l.owner, "wrong", named)
		_, err = l.resolve(t, l.owner, "wrong")
		if item := unmet(t, err); !strings.Contains(item.Message("acme"), "NO_SUCH_NAME") {
			t.Errorf("a name that it does not give: %s", item.Message("acme"))
		}

		// The mere name of a provider asks for no scope, and is granted by itself.
		w.set(t, w.owner, "test", "a secret in lower case")
		l.deploy(t, l.owner, "whole", integrates("test"))
		if env, err := l.resolve(t, l.owner, "whole"); err != nil || len(env) != 2 {
			t.Errorf("the whole provider: %v, %d values", err, len(env))
		}
		whole, err := l.apps.ByName(t.Context(), l.owner, "acme", "whole")
		if err != nil {
			t.Fatal(err)
		}
		grants, err := l.apps.Grants(t.Context(), l.owner, whole.ID)
		if err != nil || len(grants) != 1 || grants[0].Key != "test.*" {
			t.Errorf("its grants are %+v, %v", grants, err)
		}
		if _, err := l.apps.Revoke(t.Context(), l.owner, whole.ID, []string{"test"}); err != nil {
			t.Errorf("revoked by its name: %v", err)
		}
	})
}
