package secret_test

import (
	"slices"
	"testing"

	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// in is the same person with a role in another team, who has joined it.
func (w *world) in(t *testing.T, who, other team.Actor, role team.Role, scopes ...team.Scope) team.Actor {
	t.Helper()
	dbtest.Join(t, w.db, other.TeamID(), who.UserID(), role)
	return team.NewActor(team.Identity{Kind: team.Login, UserID: who.UserID(), Email: who.Email(), TeamID: other.TeamID(), TeamName: other.TeamName(), Role: role, Scopes: scopes})
}

func TestCompare(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for key, value := range map[string]string{"SAME": "sk-0123456789abcdef", "ROTATED": "sk-of-acme", "ONLY_ACME": "x", "lower": "a"} {
			w.set(t, w.owner, key, value)
		}
		for key, value := range map[string]string{"SAME": "sk-0123456789abcdef", "ROTATED": "sk-of-beta", "ONLY_BETA": "y", "LOWER": "a"} {
			w.set(t, w.stranger, key, value)
		}
		w.set(t, w.owner, "SAME", "something else")
		w.set(t, w.owner, "SAME", "sk-0123456789abcdef")
		every := team.EveryScope()
		there := w.in(t, w.owner, w.stranger, team.Admin, every...)

		got, err := w.secrets.Compare(t.Context(), w.owner, there)
		want := []secret.KeyDifference{
			{Key: "LOWER", Likeness: secret.OnlySecond}, {Key: "ONLY_ACME", Likeness: secret.OnlyFirst}, {Key: "ONLY_BETA", Likeness: secret.OnlySecond},
			{Key: "ROTATED", Likeness: secret.Different}, {Key: "SAME", Likeness: secret.Equal}, {Key: "lower", Likeness: secret.OnlyFirst},
		}
		if err != nil || !got.Compared || got.Same() || !slices.Equal(got.Keys, want) {
			t.Fatalf("%+v, %v", got, err)
		}
		// Both logs say so, with the versions that each team had opened.
		for _, c := range []struct{ team, target, versions string }{
			{w.owner.TeamID(), "beta", `[{"key":"ROTATED","version":1},{"key":"SAME","version":3}]`},
			{w.stranger.TeamID(), "acme", `[{"key":"ROTATED","version":1},{"key":"SAME","version":1}]`},
		} {
			if n := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE team_id = ? AND action = 'secret.compare' AND target = ? AND outcome = 'allowed' AND versions = ?", c.team, c.target, c.versions); n != 1 {
				t.Errorf("%d entries in the log of the team that was compared with %s", n, c.target)
			}
		}

		// Who may not read the values of both is not told which are equal: whoever
		// writes in one team could try guesses of the other's.
		for name, pair := range map[string][2]team.Actor{
			"a member here":  {w.member, w.in(t, w.member, w.stranger, team.Owner, every...)},
			"a member there": {w.in(t, w.stranger, w.owner, team.Member, every...), w.stranger},
		} {
			got, err := w.secrets.Compare(t.Context(), pair[0], pair[1])
			if err != nil || got.Compared || got.Same() {
				t.Fatalf("%s: %+v, %v", name, got, err)
			}
			for _, k := range got.Keys {
				if k.Likeness == secret.Equal || k.Likeness == secret.Different {
					t.Errorf("%s is told that %s is %s", name, k.Key, k.Likeness)
				}
			}
		}

		blind := w.in(t, w.admin, w.stranger, team.Owner, team.ScopeTeamsWrite)
		for name, c := range map[string]struct {
			a, b team.Actor
			code problem.Code
		}{
			"a credential without the scope": {w.admin, blind, problem.ScopeRequired},
			"nobody":                         {w.owner, team.Actor{}, problem.NotSignedIn},
			"two people":                     {w.owner, w.stranger, problem.PermissionDenied},
			"one team":                       {w.owner, w.owner, problem.InvalidField},
		} {
			if _, err := w.secrets.Compare(t.Context(), c.a, c.b); problem.CodeOf(err) != c.code {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
		}
	})
}

// Two teams with nothing, and two with the same, are the same.
func TestCompareSame(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		there := w.in(t, w.owner, w.stranger, team.Owner, team.EveryScope()...)
		for range 2 {
			if got, err := w.secrets.Compare(t.Context(), w.owner, there); err != nil || !got.Same() || !got.Compared {
				t.Errorf("%+v, %v", got, err)
			}
			w.set(t, w.owner, "A", "the same")
			w.set(t, w.stranger, "A", "the same")
		}
	})
}
