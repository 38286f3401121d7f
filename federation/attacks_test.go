package federation_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"infsh/account"
	"infsh/db/dbtest"
	"infsh/federation"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Whoever edits a trust holds the team's row first; an exchange waits for none that
// such a person holds while it holds one that they want.
func TestExchangesBesideEdits(t *testing.T) {
	w := newWorld(t, dbtest.Postgres(t))
	d := w.draft()
	yes := true
	d.Reuse = &yes
	made := w.trust(d)
	token := w.issuer.Token(w.good(nil))
	held, err := w.d.Raw.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.ExecContext(t.Context(), "SELECT id FROM teams WHERE id = $1 FOR UPDATE", w.row.ID); err != nil {
		t.Fatal(err)
	}
	// It would wait until the test's end.
	if _, err := w.exchange(token, "acme/app"); err != nil {
		t.Errorf("while the team's row is held: %v", err)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 8 {
				if _, err := w.exchange(token, "acme/app"); err != nil && problem.CodeOf(err) != problem.AccessDenied {
					t.Error(err)
				}
			}
		})
	}
	for range 8 {
		if _, err := w.trusts.Update(t.Context(), w.owner, made.ID, d); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

// A text that a database can't hold makes no difference by which a stranger learns
// something.
func TestTextsThatNoDatabaseHolds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.trust(w.draft())
		for name, with := range map[string]map[string]any{
			"a NUL in iss": {"iss": "https://x\x00y"}, "a long iss": {"iss": "https://" + strings.Repeat("x", 600)}, "an iss of two lines": {"iss": "https://x\ny"},
		} {
			token := w.issuer.Token(w.good(with))
			for _, app := range []string{"acme/app", "acme/none", "nobody/app"} {
				if _, err := w.exchange(token, app); problem.CodeOf(err) != problem.InvalidField {
					t.Errorf("%s, for %s: %v", name, app, err)
				}
			}
		}
		w.mustExchange(map[string]any{"sub": "a\x00b"})
	})
}

// racing does something between what an exchange reads and what it writes.
type racing struct {
	federation.Store
	before func()
}

func (r racing) Update(ctx context.Context, fn func(federation.Tx) error) error {
	r.before()
	return r.Store.Update(ctx, fn)
}

// An app that is deleted at the moment of an exchange gets no credential, and the
// team's log says why.
func TestAppDeletedDuringExchange(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.trust(w.draft())
		var id string
		all, err := w.apps.List(t.Context(), w.owner)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			if a.Name == "app" {
				id = a.ID
			}
		}
		once := sync.OnceFunc(func() {
			if err := w.apps.Delete(t.Context(), w.owner, id); err != nil {
				t.Error(err)
			}
		})
		slow := federation.NewService(racing{w.d.Trusts(), once}, &url.URL{Scheme: "https", Host: "infsh.example"}, federation.Guard{AllowPrivate: true})
		slow.SetClock(w.clock)
		_, err = slow.Exchange(t.Context(), federation.Request{Token: redact.NewValue(w.issuer.Token(w.good(nil))), App: "acme/app"}, account.Origin{})
		wantCode(t, err, problem.AccessDenied)
		if got := w.reasons(); len(got) != 1 || got[0] != "denied: trust deploy: the trust was changed at this moment" {
			t.Errorf("the log says %q", got)
		}
	})
}

// Tokens that anybody can write hide none that the issuer signed.
func TestForgeriesHideNoRefusal(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.trust(w.draft())
		forged := w.issuer.Token(w.good(nil))
		forged = forged[:strings.LastIndex(forged, ".")+1] + strings.Repeat("A", 342)
		for range 31 {
			_, err := w.exchange(forged, "acme/app")
			wantCode(t, err, problem.AccessDenied)
		}
		_, err := w.exchange(w.issuer.Token(w.good(map[string]any{"repository": "evil/app"})), "acme/app")
		wantCode(t, err, problem.AccessDenied)
		if got := w.reasons(); len(got) != 31 || !strings.Contains(got[0], "the claim repository is not acme/app") {
			t.Errorf("%d entries, the last %q", len(got), got[0])
		}
	})
}

// A team's use of a token takes nothing from another team, and is remembered for
// longer than clocks differ.
func TestUsedTokensAreATeams(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		row := dbtest.Team(t, w.d, w.kek, "beta")
		eve := dbtest.Actor(t, w.d, row, "eve@example.com", team.Owner)
		w.deploy(eve, "app")
		w.trust(w.draft())
		if _, err := w.trusts.Create(t.Context(), eve, w.draft()); err != nil {
			t.Fatal(err)
		}
		token := w.issuer.Token(w.good(nil))
		for _, app := range []string{"beta/app", "acme/app"} {
			if _, err := w.exchange(token, app); err != nil {
				t.Error(app, err)
			}
			_, err := w.exchange(token, app)
			wantCode(t, err, problem.AccessDenied)
		}
		end := w.clock().Add(5*time.Minute + time.Hour)
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM used_tokens WHERE expires_at >= ?", end.UnixMicro()); n != 2 {
			t.Errorf("%d tokens are remembered for an hour after their end", n)
		}
	})
}

// The log says what a trust admits, and one of the server's own tokens, or one that
// would make a token be compared with many, is not made.
func TestWhatTrustsAdmit(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	d := w.draft()
	d.JWKS, d.Audience, d.Apps = string(w.issuer.Keys()), "ours", []string{"app", "other"}
	d.Conditions = []federation.Condition{{Claim: "ref", Type: federation.String, Values: []string{"refs/heads/main", "refs/heads/next"}}}
	w.trust(d)
	var got []string
	if err := w.d.Raw.SelectContext(t.Context(), &got, "SELECT reason FROM audit_entries WHERE action = 'trust.create'"); err != nil {
		t.Fatal(err)
	}
	want := "issuer " + w.issuer.URL + "; audience ours; each token once; keys given; apps acme/app, acme/other; conditions: repository is acme/app, ref is refs/heads/main or refs/heads/next"
	if len(got) != 1 || got[0] != want {
		t.Errorf("the log says %q, want %q", got, want)
	}
	for _, issuer := range []string{site, site + "/", "https://INFSH.example"} {
		d := w.draft()
		d.Issuer = issuer
		_, err := w.trusts.Create(t.Context(), w.owner, d)
		wantCode(t, err, problem.InvalidField)
	}
	d = w.draft()
	for i := range 9 {
		d.Name = fmt.Sprint("more ", i)
		w.trust(d)
	}
	d.Name = "one too many"
	_, err := w.trusts.Create(t.Context(), w.owner, d)
	wantCode(t, err, problem.Conflict)
	d.Apps = []string{"other"}
	made := w.trust(d)
	d.Apps = []string{"app"}
	_, err = w.trusts.Update(t.Context(), w.owner, made.ID, d)
	wantCode(t, err, problem.Conflict)
	if _, err := w.exchange(w.issuer.Token(w.good(nil)), "acme/app"); err != nil {
		t.Error(err)
	}
}

// Keys of which each would have to be tried are refused where they are pasted.
func TestAmbiguousKeysAreNotTaken(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	same := jose.JSONWebKey{Key: other.Public(), KeyID: "rsa-0"}
	text, err := same.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	d := w.draft()
	d.JWKS = strings.Replace(string(w.issuer.Keys()), `[`, `[`+string(text)+`,`, 1)
	_, err = w.trusts.Create(t.Context(), w.owner, d)
	wantCode(t, err, problem.InvalidField)
	if !strings.Contains(err.Error(), "the same kid") {
		t.Error(err)
	}
}
