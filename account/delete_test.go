package account_test

import (
	"testing"

	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// Deleting a team removes its ciphertexts and its DEK, and nothing of it comes
// back with a team of the same name (Z10). Only an owner can.
func TestDeleteTeam(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme")
		wantCode(t, w.DeleteTeam(t.Context(), ada), problem.Conflict)
		made, err := w.CreateTeam(t.Context(), ada, "beta", "")
		if err != nil {
			t.Fatal(err)
		}
		secrets := secret.NewService(w.d.Secrets(), w.kek)
		value := redact.NewValue("sk-1234567890abcdef")
		if _, err := secrets.Set(t.Context(), ada, secret.Create, secret.Write{Key: "OPENAI_API_KEY", Value: &value}); err != nil {
			t.Fatal(err)
		}

		wantCode(t, w.DeleteTeam(t.Context(), bob), problem.TeamRoleRequired)
		if err := w.DeleteTeam(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		for table, where := range map[string]string{"secrets": "", "secret_versions": "", "memberships": " WHERE team_id = '" + ada.TeamID() + "'", "teams": " WHERE username = 'acme'"} {
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM "+table+where); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		// The maker's other team is as it was; a new acme is another team.
		again, err := w.CreateTeam(t.Context(), in(ada, made.ID, "beta"), "acme", "")
		if err != nil {
			t.Fatal(err)
		}
		if again.ID == ada.TeamID() {
			t.Error("the new team has the old one's id")
		}
		if list, err := secrets.List(t.Context(), in(ada, again.ID, "acme")); err != nil || len(list) != 0 {
			t.Errorf("the new team has %d secrets, %v", len(list), err)
		}
		if _, err := secrets.List(t.Context(), ada); err == nil {
			t.Error("an actor of the old team still reads")
		}
	})
}

// in is the same person as owner of another team.
func in(a team.Actor, id, name string) team.Actor {
	return team.NewActor(team.Identity{Kind: a.Kind(), UserID: a.UserID(), Email: a.Email(), TeamID: id, TeamName: name, Role: team.Owner})
}
