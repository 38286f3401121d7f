package integration_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"infsh/db/dbtest"
	"infsh/integration"
	"infsh/integration/oauthtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// accountOf connects an account of a team.
func (w *world) accountOf(t *testing.T, actor team.Actor, name string) integration.Ref {
	t.Helper()
	w.provider.Account(name)
	begun, err := w.Begin(t.Context(), actor, integration.Begin{Provider: "test"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := w.Complete(t.Context(), actor, answerOf(w.provider.Allow(t, begun.URL)))
	if err != nil {
		t.Fatal(err)
	}
	return integration.Ref{TeamID: made.TeamID, ID: made.ID}
}

// What one team's connections fail of, or this server itself, is not the
// provider's failure for others; where two teams' fail, it is.
func TestOneTeamsFailuresAreItsOwn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		if _, err := w.SetClient(t.Context(), w.stranger, "test", oauthtest.ClientID, redact.NewValue(oauthtest.ClientSecret)); err != nil {
			t.Fatal(err)
		}
		var ours []integration.Ref
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			ours = append(ours, w.accountOf(t, w.owner, name))
		}
		damaged, theirs, last := w.accountOf(t, w.stranger, "f"), w.accountOf(t, w.stranger, "g"), w.accountOf(t, w.stranger, "h")
		fails := func(ref integration.Ref) {
			t.Helper()
			if err := w.Fresh(t.Context(), ref); !errors.Is(err, problem.Unavailable) {
				t.Errorf("it says %v", err)
			}
		}
		asked := func(what string, n int) {
			t.Helper()
			if got := w.provider.Count(what); got != n {
				t.Errorf("%s: the provider was asked %d times, want %d", what, got, n)
			}
		}

		err := w.db.Integrations().Update(t.Context(), func(tx integration.Tx) error {
			return tx.SetValue(t.Context(), damaged.TeamID, damaged.ID, 1, []byte("damaged"))
		})
		if err != nil {
			t.Fatal(err)
		}
		w.provider.Fail(429)
		w.now.advance(time.Hour)
		for _, ref := range ours {
			fails(ref)
		}
		for range 5 {
			fails(damaged)
			w.now.advance(time.Hour)
		}
		asked("failed", 5)
		w.provider.Fail(500)
		for _, ref := range ours {
			fails(ref)
		}
		asked("failed", 10)
		w.provider.Fail(0)
		if err := w.Fresh(t.Context(), theirs); err != nil {
			t.Errorf("another team's: %v", err)
		}
		asked("refresh", 1)

		w.provider.Fail(500)
		w.now.advance(time.Hour)
		for _, ref := range ours[:4] {
			fails(ref)
		}
		fails(theirs)
		asked("failed", 15)
		fails(last)
		fails(ours[4])
		asked("failed", 15)
	})
}

// A team asks a provider by what it types 30 times a minute at most, on however
// many instances; what the provider refused is in the log.
func TestConnectingIsBounded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		waiting := answerOf(w.provider.Allow(t, w.begin(t, integration.Begin{}).URL))
		others := []*integration.Service{w.Service, w.instance()}
		connect := func(i int) error {
			_, err := others[i%2].Connect(t.Context(), w.owner, integration.Typed{Provider: "test", Type: integration.APIKey, Fields: map[string]redact.Value{"bot_token": redact.NewValue("wrong")}})
			return err
		}
		for i := range 30 {
			if err := connect(i); !errors.Is(err, problem.InvalidField) {
				t.Fatalf("a wrong token: %v", err)
			}
		}
		for i := range 2 {
			var p *problem.Error
			if err := connect(i); !errors.As(err, &p) || p.Code != problem.RateLimited || p.RetryAfter <= 0 {
				t.Errorf("once more: %v", err)
			}
		}
		if _, err := w.Complete(t.Context(), w.owner, waiting); !errors.Is(err, problem.RateLimited) {
			t.Errorf("an account, too: %v", err)
		}
		if !slices.Contains(w.actions(t), "integration.connect failed") {
			t.Error("the log does not tell of it")
		}
		w.now.advance(time.Minute)
		if _, err := w.Complete(t.Context(), w.owner, waiting); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

// A service account's key that would cost much, or is of another kind, is
// refused before it is used.
func TestServiceAccountKeyIsBounded(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]byte{"long": make([]byte, 6<<10+1)}
	for what, key := range map[string]any{"small": small, "no RSA": other} {
		if keys[what], err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			t.Fatal(err)
		}
	}
	each(t, func(t *testing.T, w *world) {
		for what, der := range keys {
			text, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "robot@project.example", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.Connect(t.Context(), w.owner, integration.Typed{Provider: "test", Type: integration.ServiceAccount, Fields: map[string]redact.Value{
				"service_account_key": redact.NewValue(string(text)), "project_number": redact.NewValue("12"),
			}})
			var p *problem.Error
			if !errors.As(err, &p) || len(p.Fields) != 1 || p.Fields[0].Name != "service_account_key" {
				t.Errorf("a key that is %s: %v", what, err)
			}
		}
	})
}

// What a provider gave is stored though the lease was lost meanwhile, and a
// server that stops waits for it.
func TestSuccessIsKept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		c := w.account(t, "ada@provider.example")
		w.now.advance(time.Hour)
		w.provider.Close()
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { left <- w.Fresh(ctx, integration.Ref{TeamID: c.TeamID, ID: c.ID}) }()
		for dbtest.Count(t, w.db, "SELECT count(*) FROM integrations WHERE leased_until > 0") == 0 {
			time.Sleep(time.Millisecond)
		}
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		// Another instance took the lease and was refused, since the refresh token
		// was used already.
		err := w.db.Integrations().Update(t.Context(), func(tx integration.Tx) error {
			expired := c
			expired.Status, expired.RefreshAt = integration.Expired, time.Time{}
			return tx.SaveConnection(t.Context(), expired)
		})
		if err != nil {
			t.Fatal(err)
		}
		w.provider.Open()
		w.Finish(t.Context())
		if got := w.get(t, c.ID); got.Status != integration.Connected || got.Version != c.Version+1 || got.RefreshAt.IsZero() {
			t.Errorf("it is %+v", got)
		}
	})
}

// What the catalogue has no more does not stand before what can be refreshed.
func TestUnknownProviderWaits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		c := w.account(t, "ada@provider.example")
		w.now.advance(time.Hour)
		without := integration.NewService(w.db.Integrations(), w.kek, integration.BuiltIn(), site, slog.New(slog.NewTextHandler(io.Discard, nil))).At(w.now.now)
		if err := without.RefreshDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.get(t, c.ID); !got.RefreshAt.After(w.now.now()) || got.Status != integration.Connected {
			t.Errorf("it is %+v", got)
		}
	})
}

// Tokens of an account that is not kept are revoked; its name is fit for a page.
func TestWhatIsNotKept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.client(t)
		c := w.account(t, "a\u202ed\u0085a@provider.example")
		if c.AccountName != "ada@provider.example" {
			t.Errorf("it is called %q", c.AccountName)
		}
		w.provider.Account("bob@provider.example")
		begun := w.begin(t, integration.Begin{ConnectionID: c.ID})
		if _, err := w.Complete(t.Context(), w.owner, answerOf(w.provider.Allow(t, begun.URL))); !errors.Is(err, problem.Conflict) {
			t.Errorf("connected again as somebody else: %v", err)
		}
		if n := w.provider.Count("revoke"); n != 1 {
			t.Errorf("%d tokens were revoked", n)
		}
	})
}
