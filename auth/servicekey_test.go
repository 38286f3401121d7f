package auth_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/team"
)

// A key ends with the membership of whoever made it, unless the team has taken
// it over: then it goes on, with its own role and within its scopes.
func TestServiceKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		w.person("eve@example.com", "evil")
		bobs := w.person("bob@example.com", "acme")
		ada := w.browser(home).mustLogin("ada@example.com").Actor
		eve := w.browser(home).mustLogin("eve@example.com").Actor
		bobsSession := w.browser(home).mustLogin("bob@example.com")
		bob := bobsSession.Actor
		own, ownToken := w.key(bob)
		taken, takenToken := w.key(bob)
		login := w.loginDevice(bobsSession)

		t.Run("only an owner or admin of the team takes a key over, and only a key of the team", func(t *testing.T) {
			_, err := w.keys.TakeOver(t.Context(), bob, taken.ID, "")
			wantCode(t, err, problem.TeamRoleRequired)
			_, _, err = w.keys.Create(t.Context(), bob, auth.NewKey{Name: "x", ServiceRole: "member"})
			wantCode(t, err, problem.TeamRoleRequired)
			for _, id := range []string{taken.ID, "00000000-0000-4000-8000-000000000000", "%"} {
				_, err := w.keys.TakeOver(t.Context(), eve, id, "")
				wantCode(t, err, problem.NotFound)
			}
			_, err = w.keys.TakeOver(t.Context(), ada, login.KeyID, "")
			wantCode(t, err, problem.Conflict)
		})

		t.Run("a service key is never an owner", func(t *testing.T) {
			for _, role := range []string{"owner", "Admin", "root"} {
				_, err := w.keys.TakeOver(t.Context(), ada, taken.ID, role)
				wantCode(t, err, problem.InvalidField)
				_, _, err = w.keys.Create(t.Context(), ada, auth.NewKey{Name: "x", ServiceRole: role})
				wantCode(t, err, problem.InvalidField)
			}
		})

		t.Run("a key with fewer scopes takes over no key with more", func(t *testing.T) {
			_, few := w.key(ada, "apikeys:write", "secrets:read")
			limited, err := w.bearer(few)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.keys.TakeOver(t.Context(), limited, taken.ID, "member")
			wantCode(t, err, problem.ScopeRequired)
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'apikey.service' AND outcome = 'denied' AND target = ?", taken.Name); n != 1 {
				t.Errorf("%d denials are recorded, want 1", n)
			}
		})

		got, err := w.keys.TakeOver(t.Context(), ada, taken.ID, "")
		if err != nil || got.Service != team.Member || !got.IsService() {
			t.Fatalf("%+v, %v", got, err)
		}
		_, err = w.keys.TakeOver(t.Context(), ada, taken.ID, "")
		wantCode(t, err, problem.Conflict)

		t.Run("it is no more its maker's to see or to revoke", func(t *testing.T) {
			keys, err := w.keys.List(t.Context(), bob)
			if err != nil || slices.ContainsFunc(keys, func(k auth.Key) bool { return k.ID == taken.ID }) {
				t.Errorf("%v, %v", keys, err)
			}
			wantCode(t, w.keys.Revoke(t.Context(), bob, taken.ID), problem.NotFound)
		})

		if err := w.accounts.RemoveMember(t.Context(), ada, bobs.UserID); err != nil {
			t.Fatal(err)
		}

		t.Run("when the maker leaves, the maker's own keys and logins end", func(t *testing.T) {
			for _, token := range []string{ownToken, login.Token.Reveal()} {
				_, err := w.bearer(token)
				wantCode(t, err, problem.NotSignedIn)
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM api_keys WHERE id = ?", own.ID); n != 0 {
				t.Error("the key is there still")
			}
		})

		t.Run("and the service key goes on, as nobody", func(t *testing.T) {
			a, err := w.bearer(takenToken)
			if err != nil {
				t.Fatal(err)
			}
			if !a.IsService() || a.UserID() != taken.ID || a.Role() != team.Member || a.TeamName() != "acme" {
				t.Errorf("actor: %v of %s, role %s", a.UserID(), a.TeamName(), a.Role())
			}
			if strings.Contains(a.Email(), "bob@example.com") {
				t.Error("what it does stands under its maker's name")
			}
			if !a.Can(team.ListSecrets) || a.Can(team.SetSecret) {
				t.Error("its rights are not those of its role")
			}
			if _, err := w.bearer(takenToken, "evil"); !errors.Is(err, problem.WrongTeam) {
				t.Errorf("in another team: %v", err)
			}
			user, in, err := w.accounts.Self(t.Context(), a)
			if err != nil || user.ID != taken.ID || user.Email != "" || in.Username != "acme" || in.Role != team.Member {
				t.Errorf("%+v, %+v, %v", user, in, err)
			}
			teams, err := w.accounts.Teams(t.Context(), a)
			if err != nil || len(teams) != 1 {
				t.Errorf("%v, %v", teams, err)
			}
		})

		t.Run("nobody who has left goes on changing people, teams or keys with it", func(t *testing.T) {
			_, token, err := w.keys.Create(t.Context(), ada, auth.NewKey{Name: "robot", ServiceRole: "admin", Scopes: &[]string{"*"}})
			if err != nil {
				t.Fatal(err)
			}
			robot, err := w.bearer(token.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			for _, action := range []team.Action{
				team.CreateTeam, team.EditTeam, team.DeleteTeam, team.ChangeRole, team.RemoveMember, team.CreateAPIKey, team.RevokeAPIKey, team.ServiceAPIKey, team.ChangeSelf,
			} {
				if robot.Can(action) {
					t.Errorf("it may %s", action)
				}
			}
			if !robot.Can(team.SetSecret) || !robot.Can(team.RevealSecret) || !robot.Can(team.DeployApp) {
				t.Error("an admin's service key can't do what it is for")
			}
			for _, scope := range []string{"teams:write", "apikeys:write"} {
				_, _, err := w.keys.Create(t.Context(), ada, auth.NewKey{Name: "x", ServiceRole: "admin", Scopes: &[]string{scope}})
				wantCode(t, err, problem.TeamRoleRequired)
			}
		})

		t.Run("it is revoked at once", func(t *testing.T) {
			if err := w.keys.Revoke(t.Context(), ada, taken.ID); err != nil {
				t.Fatal(err)
			}
			_, err := w.bearer(takenToken)
			wantCode(t, err, problem.NotSignedIn)
		})
	})
}

// R8: whoever goes on with a revoked key is refused, and the team learns of it.
func TestARevokedKeyIsNoticed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		ada := w.browser(home).mustLogin("ada@example.com").Actor
		key, token := w.key(ada, "apps:execute")
		if err := w.keys.Revoke(t.Context(), ada, key.ID); err != nil {
			t.Fatal(err)
		}
		entries := func() int {
			return dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE team_id = ? AND action = 'apikey.use_revoked' AND outcome = 'failed' AND credential_id = ? AND remote_addr = ?", ada.TeamID(), key.ID, home)
		}
		for range 3 {
			_, err := w.bearer(token)
			if e := wantCode(t, err, problem.NotSignedIn); !strings.Contains(e.Detail, "revoked") {
				t.Errorf("it does not say why: %s", e.Detail)
			}
		}
		if n := entries(); n != 1 {
			t.Errorf("%d entries for three attempts in a row, want 1", n)
		}
		w.pass(5 * time.Minute)
		_ = second(w.bearer(token))
		if n := entries(); n != 2 {
			t.Errorf("%d entries, want a second one after five minutes", n)
		}
		// A key that nobody ever made leaves no trace: anybody can invent one.
		_ = second(w.bearer(auth.NewToken().Value().Reveal()))
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'apikey.use_revoked'"); n != 2 {
			t.Errorf("%d entries", n)
		}
		w.pass(91 * 24 * time.Hour)
		if err := w.sessions.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM revoked_keys"); n != 0 {
			t.Error("revoked keys are remembered for ever")
		}
	})
}

// What is not a key by its checksum costs no question to the database.
func TestAWrongChecksumIsRefusedWithoutTheDatabase(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	good := auth.NewToken().Value().Reveal()
	last := map[bool]string{true: "0", false: "1"}[good[len(good)-1] != '0']
	if err := w.d.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := w.bearer(good[:len(good)-1] + last)
	wantCode(t, err, problem.NotSignedIn)
	if _, err := w.bearer(good); err == nil || errors.Is(err, problem.NotSignedIn) {
		t.Errorf("the database was not asked for a key with a right checksum: %v", err)
	}
}

// A key's scopes are those that its owner's role backs, as it is now.
func TestAMembersKeyListsWhatTheRoleBacks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		bob := w.person("bob@example.com", "acme")
		member := w.browser(home).mustLogin("bob@example.com").Actor
		made, token := w.key(member)
		listed := func() team.Scopes {
			keys, err := w.keys.List(t.Context(), member)
			if err != nil || len(keys) != 1 {
				t.Fatalf("%v, %v", keys, err)
			}
			return keys[0].EffectiveScopes()
		}
		want := slices.DeleteFunc(team.EveryScope(), func(s team.Scope) bool {
			return s == team.ScopeSecretsWrite || s == team.ScopeIntegrationsWrite
		})
		for name, got := range map[string]team.Scopes{"at creation": made.EffectiveScopes(), "in the list": listed()} {
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		_, _, err := w.keys.Create(t.Context(), member, auth.NewKey{Name: "writer", Scopes: &[]string{"secrets:write"}})
		wantCode(t, err, problem.TeamRoleRequired)
		dbtest.Exec(t, w.d, "UPDATE memberships SET role = 'admin' WHERE user_id = ?", bob.UserID)
		a, err := w.bearer(token)
		if err != nil || !a.Can(team.SetSecret) || !slices.Equal(a.EffectiveScopes(), team.EveryScope()) || !slices.Equal(listed(), team.EveryScope()) {
			t.Errorf("after the promotion: %v, %v, %v", a.EffectiveScopes(), listed(), err)
		}
	})
}

// A key of one app is made with apps:execute alone, for an app of the team, and
// ends with that app: one made later under the same name is another.
func TestAKeyOfOneApp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		w.person("eve@example.com", "evil")
		ada := w.browser(home).mustLogin("ada@example.com").Actor
		eve := w.browser(home).mustLogin("eve@example.com").Actor
		insert := func(id string) {
			dbtest.Exec(t, w.d, "INSERT INTO apps (id, team_id, namespace, name, description, version_id, created_by, created_at, updated_at) VALUES (?, ?, 'acme', 'mine', '', '', '', 1, 1)", id, ada.TeamID())
		}
		insert("first")
		for name, bad := range map[string]struct {
			actor team.Actor
			want  auth.NewKey
		}{
			"an app that does not exist": {ada, auth.NewKey{Name: "k", App: "acme/missing"}},
			"another team's app":         {eve, auth.NewKey{Name: "k", App: "acme/mine"}},
			"more scopes":                {ada, auth.NewKey{Name: "k", App: "acme/mine", Scopes: &[]string{"apps:execute", "apps:read"}}},
			"a scope that implies more":  {ada, auth.NewKey{Name: "k", App: "acme/mine", Scopes: &[]string{"apps"}}},
			"no scope":                   {ada, auth.NewKey{Name: "k", App: "acme/mine", Scopes: &[]string{}}},
		} {
			if _, _, err := w.keys.Create(t.Context(), bad.actor, bad.want); !errors.Is(err, problem.InvalidField) {
				t.Errorf("%s: %v", name, err)
			}
		}
		made, token, err := w.keys.Create(t.Context(), ada, auth.NewKey{Name: "runner", App: "mine"})
		if err != nil || made.App.Name != "acme/mine" || !slices.Equal(made.Scopes, team.Scopes{team.ScopeAppsExecute}) {
			t.Fatalf("%+v, %v", made, err)
		}
		a, err := w.bearer(token.Reveal())
		if err != nil || a.AuthorizeApp("acme/mine") != nil || a.AuthorizeApp("acme/other") == nil || !a.Can(team.ResolveApp) || a.Can(team.ListApps) {
			t.Errorf("%v", err)
		}
		// A server of the release before does not know the binding. What it
		// reads as the key's scopes allows it nothing.
		stored := string(dbtest.Value(t, w.d, "SELECT scopes FROM api_keys WHERE id = ?", made.ID))
		if _, err := team.ParseScopes(strings.Fields(stored)); err == nil {
			t.Errorf("an older server lets the key do %s", stored)
		}
		dbtest.Exec(t, w.d, "DELETE FROM apps WHERE id = 'first'")
		insert("second")
		if a, err = w.bearer(token.Reveal()); err != nil || a.AuthorizeApp("acme/mine") == nil {
			t.Errorf("the key runs another app of the same name: %v", err)
		}
	})
}
