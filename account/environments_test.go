package account_test

import (
	"strings"
	"sync"
	"testing"

	"infsh/account"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// set stores a secret in the actor's team.
func (w *world) set(a team.Actor, key, value, description string) {
	w.t.Helper()
	v := redact.NewValue(value)
	if _, err := secret.NewService(w.d.Secrets(), w.kek).Set(w.t.Context(), a, secret.Create, secret.Write{Key: key, Value: &v, Description: &description}); err != nil {
		w.t.Fatal(err)
	}
}

func TestDuplicateTeam(t *testing.T) {
	t.Run("the new team expects the same keys, and no value comes along", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada := w.person("ada@example.com", "acme")
			w.person("bob@example.com", "acme")
			secrets := secret.NewService(w.d.Secrets(), w.kek)
			w.set(ada, "OPENAI_API_KEY", "sk-1234567890abcdef", "For GPT-4 API calls")
			w.set(ada, "DATABASE_URL", "postgres://prod", "")
			made, keys, err := w.DuplicateTeam(t.Context(), ada, account.Duplicate{As: "staging"})
			if err != nil || keys != 2 || made.Username != "acme-staging" || made.Name != "acme staging" || made.Role != team.Owner || made.Environment.Name != "staging" {
				t.Fatalf("%+v, %d, %v", made, keys, err)
			}
			there := in(ada, made.ID, "acme-staging")
			expected, err := secrets.Expected(t.Context(), there)
			if err != nil || len(expected) != 2 || expected[0].Key != "DATABASE_URL" || expected[1].Key != "OPENAI_API_KEY" || expected[1].Description != "For GPT-4 API calls" {
				t.Fatalf("%+v, %v", expected, err)
			}
			if list, err := secrets.List(t.Context(), there); err != nil || len(list) != 0 {
				t.Errorf("%d secrets came along, %v", len(list), err)
			}
			if members, err := w.Members(t.Context(), there); err != nil || len(members) != 1 {
				t.Errorf("%+v, %v", members, err)
			}
			own, err := w.Team(t.Context(), ada, ada.TeamID())
			if err != nil || own.Environment.Name != "production" || own.Environment.GroupID != made.Environment.GroupID || own.Environment.GroupName != "acme" {
				t.Errorf("%+v, %v", own, err)
			}

			// A key that is set is not waited for; one that is deleted, or not
			// needed, is not waited for again.
			w.set(there, "DATABASE_URL", "postgres://staging", "")
			if err := secrets.Dismiss(t.Context(), there, "OPENAI_API_KEY"); err != nil {
				t.Fatal(err)
			}
			wantCode(t, secrets.Dismiss(t.Context(), there, "OPENAI_API_KEY"), problem.NotFound)
			wantCode(t, secrets.Dismiss(t.Context(), there, "..\x00"), problem.NotFound)
			if expected, err := secrets.Expected(t.Context(), there); err != nil || len(expected) != 0 {
				t.Errorf("%+v, %v", expected, err)
			}
			if _, err := secrets.Delete(t.Context(), there, "DATABASE_URL"); err != nil {
				t.Fatal(err)
			}
			if expected, err := secrets.Expected(t.Context(), there); err != nil || len(expected) != 0 {
				t.Errorf("%+v, %v", expected, err)
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'team.duplicate' AND team_id = ? AND target = 'acme-staging'", ada.TeamID()); n != 1 {
				t.Errorf("%d entries", n)
			}
		})
	})

	t.Run("a third environment joins the group, and expects what its pattern expects", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada := w.person("ada@example.com", "acme")
			w.set(ada, "OPENAI_API_KEY", "sk-1234567890abcdef", "")
			staging, _, err := w.DuplicateTeam(t.Context(), ada, account.Duplicate{As: "staging", This: "live"})
			if err != nil {
				t.Fatal(err)
			}
			preview, keys, err := w.DuplicateTeam(t.Context(), in(ada, staging.ID, "acme-staging"), account.Duplicate{As: "preview", Name: "Look here"})
			if err != nil || keys != 1 || preview.Username != "acme-preview" || preview.Name != "Look here" || preview.Environment.GroupID != staging.Environment.GroupID {
				t.Fatalf("%+v, %d, %v", preview, keys, err)
			}
			for field, d := range map[string]account.Duplicate{
				"as": {As: "live"}, "this": {As: "qa", This: "production"}, "username": {As: "qa", Username: "ROOT "}, "name": {As: "qa", Name: "two\nlines"},
			} {
				_, _, err := w.DuplicateTeam(t.Context(), ada, d)
				if e := wantCode(t, err, problem.InvalidField); e.Fields[0].Name != field {
					t.Errorf("%+v: error at %s", d, e.Fields[0].Name)
				}
			}
			for _, bad := range []string{"", "Staging", "../x", "%", "ſtaging", "a b", strings.Repeat("a", 33)} {
				_, _, err := w.DuplicateTeam(t.Context(), ada, account.Duplicate{As: bad})
				wantCode(t, err, problem.InvalidField)
			}
			_, _, err = w.DuplicateTeam(t.Context(), ada, account.Duplicate{As: "preview", Username: "other"})
			if e := wantCode(t, err, problem.Conflict); e.Fields[0].Name != "as" {
				t.Errorf("%v", e.Fields)
			}
			_, _, err = w.DuplicateTeam(t.Context(), ada, account.Duplicate{As: "qa", Username: "acme-staging"})
			if e := wantCode(t, err, problem.Conflict); e.Fields[0].Name != "username" {
				t.Errorf("%v", e.Fields)
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM teams"); n != 3 {
				t.Errorf("a refused duplicate left a team: there are %d", n)
			}
		})
	})

	t.Run("people come along with their roles if an owner says so, and nobody else can", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, bob, cleo := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme"), w.person("cleo@example.com", "acme")
			if _, err := w.SetRole(t.Context(), ada, bob.UserID(), "admin"); err != nil {
				t.Fatal(err)
			}
			_, _, err := w.DuplicateTeam(t.Context(), cleo, account.Duplicate{As: "staging"})
			wantCode(t, err, problem.TeamRoleRequired)
			_, _, err = w.DuplicateTeam(t.Context(), as(bob, team.Admin), account.Duplicate{As: "staging", Members: true})
			wantCode(t, err, problem.TeamRoleRequired)
			// The actor says owner; the table, read under the lock, does not.
			_, _, err = w.DuplicateTeam(t.Context(), as(bob, team.Owner), account.Duplicate{As: "staging", Members: true})
			wantCode(t, err, problem.TeamRoleRequired)
			blind := team.NewActor(team.Identity{Kind: team.Key, UserID: ada.UserID(), TeamID: ada.TeamID(), TeamName: "acme", Role: team.Owner, Scopes: team.Scopes{team.ScopeTeamsWrite}})
			_, _, err = w.DuplicateTeam(t.Context(), blind, account.Duplicate{As: "staging"})
			wantCode(t, err, problem.ScopeRequired)

			made, _, err := w.DuplicateTeam(t.Context(), ada, account.Duplicate{As: "staging", Members: true})
			if err != nil {
				t.Fatal(err)
			}
			there := in(ada, made.ID, made.Username)
			for user, want := range map[string]team.Role{ada.UserID(): team.Owner, bob.UserID(): team.Admin, cleo.UserID(): team.Member} {
				if got := roleOf(t, w, there, user); got != want {
					t.Errorf("%s is %s, want %s", user, got, want)
				}
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE team_id = ? AND action = 'member.add'", made.ID); n != 2 {
				t.Errorf("%d entries, want one for each who came along", n)
			}
		})
	})

	t.Run("of two who make the same environment at once, one does", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada := w.person("ada@example.com", "acme")
			var wg sync.WaitGroup
			for _, username := range []string{"one", "two"} {
				wg.Go(func() {
					_, _, _ = w.DuplicateTeam(t.Context(), ada, account.Duplicate{As: "staging", Username: username})
				})
			}
			wg.Wait()
			if teams, groups := dbtest.Count(t, w.d, "SELECT count(*) FROM teams"), dbtest.Count(t, w.d, "SELECT count(DISTINCT group_id) FROM environments"); teams != 2 || groups != 1 {
				t.Errorf("%d teams, %d groups", teams, groups)
			}
		})
	})
}
