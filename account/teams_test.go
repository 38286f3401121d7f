package account_test

import (
	"strings"
	"sync"
	"testing"

	"infsh/account"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

func TestTeams(t *testing.T) {
	t.Run("the maker owns a team, and the teams of others are not there", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, eve := w.person("ada@example.com", "acme"), w.person("eve@example.com", "evil")
			made, err := w.CreateTeam(t.Context(), ada, "beta", " Beta & Söhne ")
			if err != nil || made.Role != team.Owner || made.Name != "Beta & Söhne" {
				t.Fatalf("%+v, %v", made, err)
			}
			teams, err := w.Teams(t.Context(), ada)
			if err != nil || len(teams) != 2 || teams[0].Username != "acme" || teams[1].Username != "beta" || teams[1].Role != team.Owner {
				t.Errorf("%+v, %v", teams, err)
			}
			_, missing := w.Team(t.Context(), eve, "00000000-0000-4000-8000-000000000000")
			_, foreign := w.Team(t.Context(), eve, made.ID)
			_, garbage := w.Team(t.Context(), eve, "..\x00\xff")
			wantCode(t, missing, problem.NotFound)
			if missing.Error() != foreign.Error() || missing.Error() != garbage.Error() {
				t.Errorf("the answers differ: %v / %v / %v", missing, foreign, garbage)
			}
			if got, err := w.Team(t.Context(), ada, made.ID); err != nil || got.ID != made.ID {
				t.Errorf("%+v, %v", got, err)
			}
			_, err = w.CreateTeam(t.Context(), eve, "beta", "")
			wantCode(t, err, problem.Conflict)
		})
	})

	t.Run("a key that acts in one team learns of no other", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada := w.person("ada@example.com", "acme")
			made, err := w.CreateTeam(t.Context(), ada, "beta", "")
			if err != nil {
				t.Fatal(err)
			}
			key := team.NewActor(team.Identity{Kind: team.Key, UserID: ada.UserID(), TeamID: ada.TeamID(), TeamName: "acme", Role: team.Owner, Scopes: team.EveryScope()})
			teams, err := w.Teams(t.Context(), key)
			if err != nil || len(teams) != 1 || teams[0].Username != "acme" {
				t.Errorf("%+v, %v", teams, err)
			}
			_, err = w.Team(t.Context(), key, made.ID)
			wantCode(t, err, problem.NotFound)
		})
	})

	t.Run("Z8 a team's name is no route, no role, and has one spelling", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada := w.person("ada@example.com", "acme")
			for _, bad := range []string{
				"root", "ROOT ", "Root", "Owner", "owner", "internal", "..", "new", "%", "", " acme", "acme\n", "acme\x00", "a.b", "a_b", "a/b", "-a", "a-",
				"settings", "login", "setup", "api", "admin", "system", "me", "team", "teams", "static", "healthz", "aсme", "ａcme", "ſystem", "Kelvin",
				strings.Repeat("a", 33),
			} {
				_, err := w.CreateTeam(t.Context(), ada, bad, "")
				if e := wantCode(t, err, problem.InvalidField); e.Fields[0].Name != "username" {
					t.Errorf("%q: error at %s", bad, e.Fields[0].Name)
				}
				if is, why, err := w.CheckUsername(t.Context(), ada, bad); is != account.Unusable || why == "" || err != nil {
					t.Errorf("%q is said to be available: %v", bad, err)
				}
			}
			for _, name := range []string{"acme", "free-name", "x", "0", strings.Repeat("a", 32)} {
				if is, _, err := w.CheckUsername(t.Context(), ada, name); (is == account.Available) != (name != "acme") || err != nil {
					t.Errorf("%s is %s, %v", name, is, err)
				}
			}
			// What people read is plain data, whatever it says.
			made, err := w.CreateTeam(t.Context(), ada, "plain", "root' OR 1=1 <script>")
			if err != nil || made.Name != "root' OR 1=1 <script>" {
				t.Errorf("%+v, %v", made, err)
			}
			for _, bad := range []string{"two\nlines", "esc\x1b]52;", "rtl\u202e", strings.Repeat("x", 65)} {
				_, err := w.CreateTeam(t.Context(), ada, "named", bad)
				wantCode(t, err, problem.InvalidField)
			}
		})
	})

	t.Run("Z8 nothing that looks like a role is one", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, bob := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme")
			for _, role := range []string{"", "Owner", "owner ", "OWNER", "root", "operator", "оwner"} {
				_, err := w.SetRole(t.Context(), ada, bob.UserID(), role)
				wantCode(t, err, problem.InvalidField)
			}
			if got := roleOf(t, w, ada, bob.UserID()); got != team.Member {
				t.Errorf("bob is %s", got)
			}
		})
	})
}

func roleOf(t *testing.T, w *world, asker team.Actor, user string) team.Role {
	t.Helper()
	members, err := w.Members(t.Context(), asker)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.UserID == user {
			return m.Role
		}
	}
	return ""
}

// as is the actor with another role, as authentication would make it.
func as(a team.Actor, role team.Role) team.Actor {
	return team.NewActor(team.Identity{Kind: team.Session, UserID: a.UserID(), Email: a.Email(), TeamID: a.TeamID(), TeamName: a.TeamName(), Role: role})
}

func TestMembers(t *testing.T) {
	t.Run("only an owner makes or removes owners", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, bob, cleo := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme"), w.person("cleo@example.com", "acme")
			if _, err := w.SetRole(t.Context(), ada, bob.UserID(), "admin"); err != nil {
				t.Fatal(err)
			}
			admin := as(bob, team.Admin)
			for name, err := range map[string]error{
				"an admin makes an owner":     second3(w.SetRole(t.Context(), admin, cleo.UserID(), "owner")),
				"an admin promotes himself":   second3(w.SetRole(t.Context(), admin, bob.UserID(), "owner")),
				"an admin demotes an owner":   second3(w.SetRole(t.Context(), admin, ada.UserID(), "member")),
				"an admin removes an owner":   w.RemoveMember(t.Context(), admin, ada.UserID()),
				"a member promotes himself":   second3(w.SetRole(t.Context(), cleo, cleo.UserID(), "admin")),
				"a member removes another":    w.RemoveMember(t.Context(), cleo, bob.UserID()),
				"a member opens the settings": w.SetMembersMayEdit(t.Context(), cleo, true),
				// The actor says owner; the table, read under the lock, does not.
				"a former owner": second3(w.SetRole(t.Context(), as(cleo, team.Owner), bob.UserID(), "owner")),
			} {
				if problem.CodeOf(err) != problem.TeamRoleRequired {
					t.Errorf("%s: %v", name, err)
				}
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE outcome = 'denied'"); n != 8 {
				t.Errorf("%d denials are recorded, want 8", n)
			}
			if m, err := w.SetRole(t.Context(), admin, cleo.UserID(), "admin"); err != nil || m.Role != team.Admin || m.Email != "cleo@example.com" {
				t.Errorf("%+v, %v", m, err)
			}
			if _, err := w.SetRole(t.Context(), ada, bob.UserID(), "owner"); err != nil {
				t.Error(err)
			}
		})
	})

	t.Run("Z10 the last owner stays, also when two step down at once", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, bob := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme")
			_, err := w.SetRole(t.Context(), ada, ada.UserID(), "member")
			wantCode(t, err, problem.Conflict)
			wantCode(t, w.RemoveMember(t.Context(), ada, ada.UserID()), problem.Conflict)
			for range 20 {
				dbtest.Exec(t, w.d, "UPDATE memberships SET role = 'owner'")
				var wg sync.WaitGroup
				for _, a := range []team.Actor{ada, as(bob, team.Owner)} {
					wg.Go(func() { _, _ = w.SetRole(t.Context(), a, a.UserID(), "admin") })
				}
				wg.Wait()
				if n := dbtest.Count(t, w.d, "SELECT count(*) FROM memberships WHERE role = 'owner'"); n != 1 {
					t.Fatalf("%d owners are left", n)
				}
			}
		})
	})

	t.Run("a person who is removed loses their API keys there, and Z10 gets none back on joining again", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, bob := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme")
			beta, err := w.CreateUser(t.Context(), operator(), "bob@example.com", "beta", redact.Value{})
			if err != nil {
				t.Fatal(err)
			}
			for i, row := range [][3]string{{"key", ada.TeamID(), bob.UserID()}, {"login", ada.TeamID(), bob.UserID()}, {"key", beta.TeamID, bob.UserID()}, {"key", ada.TeamID(), ada.UserID()}} {
				dbtest.Exec(t, w.d, "INSERT INTO api_keys (id, kind, team_id, user_id, name, token_hash, last_four, scopes, created_at) VALUES (?, ?, ?, ?, '', ?, '', '', 1)",
					string(rune('a'+i)), row[0], row[1], row[2], []byte{byte(i)})
			}
			if err := w.RemoveMember(t.Context(), ada, bob.UserID()); err != nil {
				t.Fatal(err)
			}
			dbtest.Join(t, w.d, ada.TeamID(), bob.UserID(), team.Member)
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM api_keys WHERE team_id = ? AND user_id = ?", ada.TeamID(), bob.UserID()); n != 0 {
				t.Errorf("%d of his keys are left", n)
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM api_keys"); n != 2 {
				t.Errorf("%d keys of others are left, want 2", n)
			}
		})
	})

	t.Run("who is in another team is not found", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, eve := w.person("ada@example.com", "acme"), w.person("eve@example.com", "evil")
			for _, id := range []string{eve.UserID(), "00000000-0000-4000-8000-000000000000", "", "%", "\xff\x00"} {
				_, err := w.SetRole(t.Context(), ada, id, "member")
				wantCode(t, err, problem.NotFound)
				wantCode(t, w.RemoveMember(t.Context(), ada, id), problem.NotFound)
			}
			if members, err := w.Members(t.Context(), ada); err != nil || len(members) != 1 {
				t.Errorf("%+v, %v", members, err)
			}
		})
	})
}

func second3(_ account.Member, err error) error { return err }
