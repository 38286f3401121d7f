package secret_test

import (
	"fmt"
	"testing"

	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

func gridText(g secret.Grid) (out []string) {
	for _, row := range g.Rows {
		text := string(row.Key)
		for _, c := range row.Cells {
			text += fmt.Sprintf(" v%d", c.Version)
			if c.Value > 0 {
				text += fmt.Sprintf("=%d", c.Value)
			}
		}
		if row.Differs() {
			text += " differs"
		}
		out = append(out, text)
	}
	return out
}

// The grid has each key of each team. Equality is told of the teams in which the
// person may reveal, and is in the logs of those.
func TestGrid(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for key, value := range map[string]string{"SAME": "sk-0123456789abcdef", "ROTATED": "sk-of-acme", "ONLY_ACME": "x"} {
			w.set(t, w.owner, key, value)
		}
		for key, value := range map[string]string{"SAME": "sk-0123456789abcdef", "ROTATED": "sk-of-beta", "ONLY_BETA": "y"} {
			w.set(t, w.stranger, key, value)
		}
		w.set(t, w.stranger, "ROTATED", "sk-of-beta-2")
		gamma := dbtest.Actor(t, w.db, dbtest.Team(t, w.db, w.kek, "gamma"), "owner@gamma.example", team.Owner)
		w.set(t, gamma, "ROTATED", "sk-of-acme")
		every := team.EveryScope()
		beta := w.in(t, w.owner, w.stranger, team.Admin, every...)
		reads := func(got secret.Grid, err error, want ...string) {
			t.Helper()
			if text := gridText(got); err != nil || fmt.Sprint(text) != fmt.Sprint(want) {
				t.Errorf("got %q, %v; want %q", text, err, want)
			}
		}
		entries := func() int {
			return dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'secret.compare' AND outcome = 'allowed'")
		}

		asMember := w.in(t, w.owner, gamma, team.Member, every...)
		got, err := w.secrets.Grid(t.Context(), []team.Actor{w.owner, beta, asMember}, false)
		reads(got, err, "ONLY_ACME v1 v0 v0 differs", "ONLY_BETA v0 v1 v0 differs", "ROTATED v1 v2 v1", "SAME v1 v1 v0 differs")
		if n := entries(); n != 0 {
			t.Errorf("a look at the grid is %d comparisons", n)
		}
		// A member of gamma is not told that it has the same value.
		got, err = w.secrets.Grid(t.Context(), []team.Actor{w.owner, beta, asMember}, true)
		reads(got, err, "ONLY_ACME v1 v0 v0 differs", "ONLY_BETA v0 v1 v0 differs", "ROTATED v1=1 v2=2 v1 differs", "SAME v1=1 v1=1 v0 differs")
		if fmt.Sprint(got.Compared) != "[true true false]" {
			t.Errorf("compared are %v", got.Compared)
		}
		if n := entries(); n != 2 {
			t.Errorf("%d entries", n)
		}
		for team, versions := range map[string]string{w.owner.TeamID(): `[{"key":"ROTATED","version":1},{"key":"SAME","version":1}]`, w.stranger.TeamID(): `[{"key":"ROTATED","version":2},{"key":"SAME","version":1}]`} {
			if n := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE team_id = ? AND action = 'secret.compare' AND versions = ?", team, versions); n != 1 {
				t.Errorf("the log of %s has %d entries with the versions", team, n)
			}
		}
		// With one team in which the person may reveal, nothing is compared.
		got, err = w.secrets.Grid(t.Context(), []team.Actor{w.owner, asMember}, true)
		reads(got, err, "ONLY_ACME v1 v0 differs", "ROTATED v1 v1", "SAME v1 v0 differs")
		if n := entries(); n != 2 {
			t.Errorf("%d entries after nothing was compared", n)
		}

		blind := w.in(t, w.admin, w.stranger, team.Owner, team.ScopeTeamsWrite)
		for name, c := range map[string]struct {
			actors []team.Actor
			code   problem.Code
		}{
			"a credential without the scope": {[]team.Actor{w.admin, blind}, problem.ScopeRequired},
			"nobody":                         {[]team.Actor{w.owner, {}}, problem.NotSignedIn},
			"two people":                     {[]team.Actor{w.owner, w.stranger}, problem.PermissionDenied},
			"one team twice":                 {[]team.Actor{w.owner, w.owner}, problem.InvalidField},
			"no team":                        {nil, problem.InvalidField},
		} {
			for _, compare := range []bool{false, true} {
				if _, err := w.secrets.Grid(t.Context(), c.actors, compare); problem.CodeOf(err) != c.code {
					t.Errorf("%s: %v, want %s", name, err, c.code)
				}
			}
		}
	})
}
