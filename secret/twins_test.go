package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"infsh/db"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// Two teams that hold the same value are told so, to who may reveal in both and
// to nobody else; both logs have it once, and nothing of it shows in the database.
func TestTwins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		check, err := w.kek.SealCheck("store")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.db.SetIdentity(t.Context(), db.Identity{StoreID: "store", KEKID: w.kek.ID(), KEKCheck: check}); err != nil {
			t.Fatal(err)
		}
		const value = "sk-the-same-in-both-teams"
		for _, actor := range []team.Actor{w.owner, w.stranger} {
			w.set(t, actor, "OPENAI_API_KEY", value)
			w.set(t, actor, "PORT", "8080")
		}
		every := team.EveryScope()
		there := w.in(t, w.owner, w.stranger, team.Admin, every...)
		twins := func(key string) string {
			t.Helper()
			got, err := w.secrets.Twins(t.Context(), w.owner, []team.Actor{w.owner, there}, key)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(got)
		}
		compared := func() int {
			t.Helper()
			return dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'secret.compare' AND outcome = 'allowed'")
		}
		if got := twins("OPENAI_API_KEY"); got != "[{beta 1}]" || compared() != 2 {
			t.Errorf("twins are %s, with %d entries", got, compared())
		}
		for _, c := range []struct{ team, target string }{{w.owner.TeamID(), "beta OPENAI_API_KEY"}, {w.stranger.TeamID(), "acme OPENAI_API_KEY"}} {
			if n := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE team_id = ? AND target = ? AND versions = ?", c.team, c.target, `[{"key":"OPENAI_API_KEY","version":1}]`); n != 1 {
				t.Errorf("%d entries for %s", n, c.target)
			}
		}
		if twins("OPENAI_API_KEY"); compared() != 2 {
			t.Errorf("looking twice makes %d entries", compared())
		}
		if got := twins("PORT"); got != "[]" || compared() != 2 {
			t.Errorf("a value that many have has the twins %s", got)
		}

		// The rows say nothing: they all differ, and a server without the KEK has
		// no key for them.
		rows := map[string]bool{}
		for _, id := range []string{w.owner.TeamID(), w.stranger.TeamID()} {
			sealed := dbtest.Value(t, w.db, "SELECT sealed FROM secret_fingerprints WHERE team_id = ?", id)
			rows[string(sealed)] = true
			if len(sealed) != 12+32+16 || bytes.Contains(sealed, []byte("sk-")) {
				t.Errorf("%d bytes are stored", len(sealed))
			}
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM secret_fingerprints"); len(rows) != 2 || n != 2 {
			t.Errorf("%d of %d rows differ", len(rows), n)
		}

		// A new guess in one team is one more entry in the other's log.
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-a-guess-of-the-other")
		if got := twins("OPENAI_API_KEY"); got != "[]" || compared() != 4 {
			t.Errorf("after a rotation twins are %s, with %d entries", got, compared())
		}
		w.set(t, w.owner, "OPENAI_API_KEY", value)

		// Versions without a fingerprint get one, also when the key was lost; what
		// does not open is made anew.
		for _, lose := range []string{"DELETE FROM secret_fingerprints", "DELETE FROM fingerprint_keys"} {
			dbtest.Exec(t, w.db, lose)
			for range 2 {
				again := secret.NewService(w.db.Secrets(), w.kek.And())
				got, err := again.Twins(t.Context(), w.owner, []team.Actor{there}, "OPENAI_API_KEY")
				if err != nil || len(got) != 1 {
					t.Errorf("after %s: %v, %v", lose, got, err)
				}
			}
		}
		dbtest.Exec(t, w.db, "UPDATE fingerprint_keys SET sealed = ?", []byte("of another KEK"))
		if got := twins("OPENAI_API_KEY"); got != "[{beta 1}]" {
			t.Errorf("with a key that does not open twins are %s", got)
		}
		fresh := redact.NewValue("sk-set-under-the-new-key")
		if _, err := w.secrets.Set(t.Context(), w.owner, secret.Create, secret.Write{Key: "NEW_KEY", Value: &fresh}); err != nil {
			t.Error(err)
		}

		// Who may not reveal in both is told nothing, and nothing is compared.
		before := compared()
		for name, c := range map[string]struct {
			actor  team.Actor
			others []team.Actor
		}{
			"a member here":           {w.member, []team.Actor{w.in(t, w.member, w.stranger, team.Owner, every...)}},
			"a member there":          {w.stranger, []team.Actor{w.in(t, w.stranger, w.owner, team.Member, every...)}},
			"without the scope there": {w.owner, []team.Actor{team.NewActor(team.Identity{Kind: team.Login, UserID: w.owner.UserID(), TeamID: w.stranger.TeamID(), TeamName: "beta", Role: team.Owner, Scopes: team.Scopes{team.ScopeAppsRead}})}},
			"nobody else":             {w.owner, nil},
		} {
			if got, err := w.secrets.Twins(t.Context(), c.actor, c.others, "OPENAI_API_KEY"); err != nil || len(got) > 0 {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		if _, err := w.secrets.Twins(t.Context(), w.owner, []team.Actor{w.stranger}, "OPENAI_API_KEY"); !errors.Is(err, problem.PermissionDenied) {
			t.Errorf("two people's teams: %v", err)
		}
		if compared() != before {
			t.Errorf("%d comparisons of who may not", compared()-before)
		}
	})
}
