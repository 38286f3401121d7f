package secret_test

import (
	"errors"
	"testing"

	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// R7: a runner's key of one app receives that app's secrets. Any other app, one
// that exists or not, is refused in the same words, and the refusal is recorded.
func TestAKeyOfOneAppRunsNoOther(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "API_KEY", "value-of-the-key")
		w.deploy(t, w.owner, "mine", required("API_KEY"))
		w.deploy(t, w.owner, "other", required("API_KEY"))
		bound := func(b team.AppBinding) team.Actor {
			return team.NewActor(team.Identity{
				Kind: team.Key, UserID: w.owner.UserID(), Email: w.owner.Email(), TeamID: w.owner.TeamID(), TeamName: "acme", Role: team.Owner,
				Scopes: team.Scopes{team.ScopeAppsExecute}, App: b,
			})
		}
		runner := bound(team.AppBinding{ID: "app", Name: "acme/mine"})
		for _, name := range []string{"acme/mine", "mine"} {
			if env, err := w.resolve(t, runner, name); err != nil || env["API_KEY"] != "value-of-the-key" {
				t.Errorf("%s: %v", name, err)
			}
		}
		var answers []string
		for _, name := range []string{"acme/other", "acme/missing", "beta/mine"} {
			_, err := w.resolve(t, runner, name)
			if !errors.Is(err, problem.ScopeRequired) {
				t.Fatalf("%s: %v", name, err)
			}
			answers = append(answers, err.Error())
			if _, err := w.secrets.RunState(t.Context(), runner, secret.Run{App: name}); err == nil || err.Error() != answers[0] {
				t.Errorf("watching %s: %v", name, err)
			}
			if n := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'app.resolve' AND outcome = 'denied' AND target = ?", name); n != 2 {
				t.Errorf("%s: %d denials are recorded, want 2", name, n)
			}
		}
		if answers[0] != answers[1] || answers[1] != answers[2] {
			t.Errorf("the answers tell which apps there are: %q", answers)
		}
		// Its app was deleted: it runs nothing, least of all an app without a name.
		for _, name := range []string{"acme/mine", "acme/other"} {
			if _, err := w.resolve(t, bound(team.AppBinding{ID: "gone"}), name); !errors.Is(err, problem.ScopeRequired) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
