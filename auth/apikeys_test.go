package auth_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/team"
)

func TestBearer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		w.join("ada@example.com", "beta")
		w.person("eve@example.com", "evil")
		s := w.browser(home).mustLogin("ada@example.com")
		key, token := w.key(s.Actor, "secrets:read")
		login := w.loginDevice(s).Token.Reveal()

		t.Run("a key acts as its user, in its team, with its scopes", func(t *testing.T) {
			a, err := w.bearer(token)
			if err != nil {
				t.Fatal(err)
			}
			if a.Kind() != team.Key || a.UserID() != s.Actor.UserID() || a.TeamName() != "acme" || a.CredentialID() != key.ID || a.CredentialName() != "test key" || a.RemoteAddr() != home {
				t.Errorf("actor: %+v", a)
			}
			if !a.Can(team.ListSecrets) || a.Can(team.SetSecret) || a.Can(team.CreateAPIKey) || a.Can(team.ChangeSelf) {
				t.Error("its rights are not its scopes'")
			}
		})

		t.Run("a key for one team is refused in any other, alike whether that exists", func(t *testing.T) {
			if _, err := w.bearer(token, "acme"); err != nil {
				t.Errorf("its own team by name: %v", err)
			}
			for _, name := range []string{"beta", "evil", "nowhere"} {
				_, err := w.bearer(token, name)
				e := wantCode(t, err, problem.WrongTeam)
				if strings.ReplaceAll(e.Detail, name, "X") != strings.ReplaceAll(wantCode(t, second(w.bearer(token, "zzz")), problem.WrongTeam).Detail, "zzz", "X") {
					t.Errorf("the answer for %s differs: %s", name, e.Detail)
				}
			}
		})

		t.Run("a login acts in any team of its user, and in no other", func(t *testing.T) {
			for _, name := range []string{"acme", "beta"} {
				if a, err := w.bearer(login, name); err != nil || a.TeamName() != name || a.Kind() != team.Login {
					t.Errorf("%s: %v, %v", name, a, err)
				}
			}
			for _, name := range []string{"evil", "nowhere", "ACME", "acme ", "", "%", "a\x00b"} {
				_, err := w.bearer(login, name)
				wantCode(t, err, problem.WrongTeam)
			}
			_, err := w.bearer(login, "acme", "beta")
			wantCode(t, err, problem.WrongTeam)
		})

		t.Run("the key is read from the Authorization header alone", func(t *testing.T) {
			for name, r := range map[string]*http.Request{
				"query":  httptest.NewRequest(http.MethodGet, "/api/me?access_token="+token+"&api_key="+token, nil),
				"cookie": withHeader("Cookie", w.sessions.CookieName()+"="+token),
				"other":  withHeader("X-Api-Key", token),
				"basic":  withHeader("Authorization", "Basic "+token),
				"bare":   withHeader("Authorization", token),
				"quoted": withHeader("Authorization", `Bearer "`+token+`"`),
				"twice":  withHeader("Authorization", "Bearer "+token, "Bearer "+token),
			} {
				if _, err := w.authn.Bearer(r); problem.CodeOf(err) != problem.NotSignedIn {
					t.Errorf("%s: %v", name, err)
				}
			}
			r := withHeader("Authorization", "bearer "+token) // RFC 9110: the scheme's case means nothing
			if _, err := w.authn.Bearer(r); err != nil {
				t.Error(err)
			}
		})

		t.Run("a well-formed key that nobody made is refused, and so is a session's cookie", func(t *testing.T) {
			_, err := w.bearer(auth.NewToken().Value().Reveal())
			wantCode(t, err, problem.NotSignedIn)
		})

		t.Run("the last use is known to five minutes", func(t *testing.T) {
			lastUsed := func() time.Time {
				keys, err := w.keys.List(t.Context(), s.Actor)
				if err != nil {
					t.Fatal(err)
				}
				return keys[slices.IndexFunc(keys, func(k auth.Key) bool { return k.ID == key.ID })].LastUsedAt
			}
			first := lastUsed()
			w.pass(4 * time.Minute)
			_ = second(w.bearer(token))
			if !lastUsed().Equal(first) {
				t.Error("each use writes")
			}
			w.pass(time.Minute)
			_ = second(w.bearer(token))
			if !lastUsed().Equal(w.clock()) {
				t.Error("the last use is not stored")
			}
		})

		t.Run("a demotion and a removal are obeyed by the next request", func(t *testing.T) {
			_, all := w.key(s.Actor)
			if a, err := w.bearer(all); err != nil || !a.Can(team.SetSecret) {
				t.Fatalf("%v, %v", a, err)
			}
			dbtest.Exec(t, w.d, "UPDATE memberships SET role = 'member' WHERE user_id = ?", s.Actor.UserID())
			if a, err := w.bearer(all); err != nil || a.Can(team.SetSecret) || !a.Can(team.ListSecrets) {
				t.Errorf("%v, %v", a, err)
			}
			dbtest.Exec(t, w.d, "DELETE FROM memberships WHERE user_id = ? AND team_id = ?", s.Actor.UserID(), s.Actor.TeamID())
			_, err := w.bearer(all)
			wantCode(t, err, problem.NotSignedIn)
		})
	})
}

func withHeader(name string, values ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/api/me", nil)
	for _, v := range values {
		r.Header.Add(name, v)
	}
	return r
}

func second(_ team.Actor, err error) error { return err }

func TestCreateKey(t *testing.T) {
	t.Run("without scopes it has all by name, with an empty list none", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			s := w.browser(home).mustLogin("ada@example.com")
			all, _ := w.key(s.Actor)
			if !slices.Equal(all.Scopes, team.EveryScope()) {
				t.Errorf("scopes: %v", all.Scopes)
			}
			none, token := w.key(s.Actor, []string{}...)
			if len(none.Scopes) != 0 {
				t.Errorf("scopes: %v", none.Scopes)
			}
			a, err := w.bearer(token)
			if err != nil || a.Can(team.ViewSelf) || a.Can(team.ListSecrets) {
				t.Errorf("a key of no scopes may do something: %v", err)
			}
		})
	})

	t.Run("Z7 a key makes no key that may do more, or live longer, than itself", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			s := w.browser(home).mustLogin("ada@example.com")
			end := w.clock().Add(time.Hour)
			_, token, err := w.keys.Create(t.Context(), s.Actor, auth.NewKey{Name: "maker", Scopes: &[]string{"apikeys:write", "secrets:read"}, ExpiresAt: end})
			if err != nil {
				t.Fatal(err)
			}
			maker, err := w.bearer(token.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			for _, more := range [][]string{{"*"}, {"secrets"}, {"secrets:write"}, {"secrets:read", "apps:execute"}} {
				_, _, err := w.keys.Create(t.Context(), maker, auth.NewKey{Name: "more", Scopes: &more})
				wantCode(t, err, problem.ScopeRequired)
			}
			made, _, err := w.keys.Create(t.Context(), maker, auth.NewKey{Name: "same", ExpiresAt: end.Add(time.Hour)})
			if err != nil || !made.ExpiresAt.Equal(end) || !maker.Scopes().Cover(made.Scopes) || made.TeamID != s.Actor.TeamID() || made.UserID != s.Actor.UserID() {
				t.Errorf("%+v, %v", made, err)
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'apikey.create' AND outcome = 'denied'"); n != 4 {
				t.Errorf("%d denials are recorded, want 4", n)
			}
			w.pass(time.Hour)
			_, err = w.bearer(token.Reveal())
			wantCode(t, err, problem.NotSignedIn)
		})
	})

	t.Run("names, scopes and ends are checked, each error at its field", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			s := w.browser(home).mustLogin("ada@example.com")
			for _, bad := range []string{"", "  ", strings.Repeat("x", 65), "two\nlines", "bell\a", "rtl\u202e", "\xff"} {
				_, _, err := w.keys.Create(t.Context(), s.Actor, auth.NewKey{Name: bad})
				if e := wantCode(t, err, problem.InvalidField); e.Fields[0].Name != "name" {
					t.Errorf("%q: error at %s", bad, e.Fields[0].Name)
				}
			}
			_, _, err := w.keys.Create(t.Context(), s.Actor, auth.NewKey{Name: "", Scopes: &[]string{"Secrets"}, ExpiresAt: w.clock()})
			if e := wantCode(t, err, problem.InvalidField); len(e.Fields) != 3 {
				t.Errorf("not all errors are told: %v", e.Fields)
			}
		})
	})
}

func TestListAndRevokeKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		w.person("bob@example.com", "acme")
		w.person("eve@example.com", "evil")
		ada := w.browser(home).mustLogin("ada@example.com").Actor
		bobs := w.browser(home).mustLogin("bob@example.com")
		bob := bobs.Actor
		eve := w.browser(home).mustLogin("eve@example.com").Actor
		adasKey, adasToken := w.key(ada)
		bobsKey, bobsToken := w.key(bob)
		bobsLogin := w.loginDevice(bobs)

		for name, want := range map[string]struct {
			actor team.Actor
			n     int
		}{"the owner sees all": {ada, 3}, "a member their own": {bob, 2}, "another team none": {eve, 0}} {
			keys, err := w.keys.List(t.Context(), want.actor)
			if err != nil || len(keys) != want.n {
				t.Errorf("%s: %d keys, %v", name, len(keys), err)
			}
			for _, k := range keys {
				if strings.Contains(adasToken+bobsToken, strings.TrimPrefix(k.Masked(), "infsh_…")) == (k.Kind == team.Login) || len(k.LastFour) != 4 {
					t.Errorf("masked as %s", k.Masked())
				}
			}
		}

		missing := w.keys.Revoke(t.Context(), eve, "00000000-0000-4000-8000-000000000000")
		for name, err := range map[string]error{
			"another team's": w.keys.Revoke(t.Context(), eve, adasKey.ID),
			"a colleague's":  w.keys.Revoke(t.Context(), bob, adasKey.ID),
			"not an id":      w.keys.Revoke(t.Context(), ada, "%"),
		} {
			if wantCode(t, err, problem.NotFound).Error() != missing.Error() {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := w.bearer(adasToken); err != nil {
			t.Fatalf("a refused revocation took effect: %v", err)
		}
		if err := w.keys.Revoke(t.Context(), ada, bobsKey.ID); err != nil {
			t.Fatal(err)
		}
		_, err := w.bearer(bobsToken)
		wantCode(t, err, problem.NotSignedIn)

		presented, err := w.bearer(adasToken)
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.keys.RevokePresented(t.Context(), presented), problem.Conflict)
		wantCode(t, w.keys.RevokePresented(t.Context(), team.Actor{}), problem.NotSignedIn)
		presented, err = w.bearer(bobsLogin.Token.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.keys.RevokePresented(t.Context(), presented); err != nil {
			t.Fatal(err)
		}
		_, err = w.bearer(bobsLogin.Token.Reveal())
		wantCode(t, err, problem.NotSignedIn)
	})
}

func TestOperator(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := w.person("ada@example.com", "acme")
		bare := auth.Operator("root")
		for _, action := range []team.Action{team.ListSecrets, team.RevealSecret, team.CreateAPIKey} {
			if bare.Can(action) {
				t.Errorf("an operator without a team may do %s", action)
			}
		}
		actor, err := w.authn.OperatorAs(t.Context(), bare, made.UserID, made.TeamID)
		if err != nil {
			t.Fatal(err)
		}
		key, token := w.key(actor)
		if got, err := w.bearer(token); err != nil || got.UserID() != made.UserID || key.UserID != made.UserID {
			t.Errorf("%v, %v", got, err)
		}
		_, err = w.authn.OperatorAs(t.Context(), w.browser(home).mustLogin("ada@example.com").Actor, made.UserID, made.TeamID)
		wantCode(t, err, problem.PermissionDenied)
	})
}
