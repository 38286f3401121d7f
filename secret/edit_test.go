package secret_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// Several teams are edited together or not at all, as it was seen before, and by
// the role in each.
func TestEditTeams(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "SAME", "sk-0123456789abcdef")
		w.set(t, w.stranger, "SAME", "sk-of-beta-0123456789")
		gamma := dbtest.Actor(t, w.db, dbtest.Team(t, w.db, w.kek, "gamma"), "owner@gamma.example", team.Owner)
		every := team.EveryScope()
		beta := w.in(t, w.owner, w.stranger, team.Admin, every...)
		reader := w.in(t, w.owner, gamma, team.Member, every...)
		of := func(actor team.Actor, keyValues ...string) secret.TeamItems {
			items := secret.TeamItems{Actor: actor}
			for i := 0; i < len(keyValues); i += 2 {
				items.Items = append(items.Items, secret.ImportItem{Key: keyValues[i], Value: redact.NewValue(keyValues[i+1])})
			}
			return items
		}
		edit := func(dryRun bool, seen string, teams ...secret.TeamItems) secret.TeamsEdited {
			t.Helper()
			out, err := w.secrets.EditTeams(t.Context(), secret.TeamsEdit{Teams: teams, DryRun: dryRun, Seen: seen})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		reads := func(out secret.TeamsEdited, want string) {
			t.Helper()
			var words []string
			for _, results := range out.Results {
				for _, r := range results {
					words = append(words, r.Key+" "+string(r.Status))
				}
			}
			if got := strings.Join(words, ", "); got != want {
				t.Errorf("got %s; want %s", got, want)
			}
		}
		grid := func() string {
			t.Helper()
			got, err := w.secrets.Grid(t.Context(), []team.Actor{w.owner, beta, reader}, false)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(gridText(got))
		}
		entries := func(outcome string) int {
			return dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'secret.set' AND outcome = ?", outcome)
		}
		before, set := grid(), entries("allowed")

		both := []secret.TeamItems{of(beta, "SAME", "sk-of-beta-0123456789", "FAL_KEY", "fal-beta"), of(w.owner, "SAME", "sk-changed-0123456789", "FAL_KEY", "fal-acme")}
		seen := edit(true, "", both...)
		reads(seen, "SAME unchanged, FAL_KEY new, SAME changed, FAL_KEY new")
		if seen.Written || seen.Stale || grid() != before || entries("unchanged") != 2 {
			t.Errorf("a dry run: %+v, %s, %d entries", seen, grid(), entries("unchanged"))
		}
		// What was not seen, or was changed since, is not written in any of them.
		if out := edit(false, "", both...); out.Written || !out.Stale || grid() != before || entries("unchanged") != 4 {
			t.Errorf("without a look: %+v, %d entries", out, entries("unchanged"))
		}
		w.set(t, w.owner, "SAME", "sk-by-somebody-else-00")
		if out := edit(false, seen.Seen, both...); out.Written || !out.Stale || entries("allowed") != set+1 {
			t.Errorf("after a change: %+v, %s", out, grid())
		}
		// A team in which one may only read stands in the way of all.
		withReader := append(both, of(reader, "FAL_KEY", "fal-gamma"))
		out := edit(true, "", withReader...)
		reads(out, "SAME unchanged, FAL_KEY new, SAME changed, FAL_KEY new, FAL_KEY refused")
		if detail := out.Results[2][0].Detail; !strings.Contains(detail, "gamma") {
			t.Errorf("it is refused with %q", detail)
		}
		if out := edit(false, out.Seen, withReader...); out.Written || entries("allowed") != set+1 {
			t.Errorf("with a team to read: %+v", out)
		}
		out = edit(true, "", both...)
		// However often the database runs it, and in whichever order, it is done once.
		if out := edit(false, out.Seen, both[1], both[0]); !out.Written || out.Stale {
			t.Errorf("after a look: %+v", out)
		}
		if got, want := grid(), "[FAL_KEY v1 v1 v0 differs SAME v3 v1 v0 differs]"; got != want {
			t.Errorf("then %s; want %s", got, want)
		}
		if n := entries("allowed"); n != set+4 {
			t.Errorf("%d entries of what was set, %d before", n, set)
		}

		for name, c := range map[string]struct {
			teams []secret.TeamItems
			code  problem.Code
		}{
			"nothing":        {nil, problem.InvalidField},
			"no items":       {[]secret.TeamItems{of(w.owner)}, problem.InvalidField},
			"too many":       {[]secret.TeamItems{{Actor: w.owner, Items: make([]secret.ImportItem, 300)}, {Actor: beta, Items: make([]secret.ImportItem, 201)}}, problem.InvalidField},
			"one team twice": {[]secret.TeamItems{of(w.owner, "A", "1"), of(w.owner, "B", "1")}, problem.InvalidField},
			"two people":     {[]secret.TeamItems{of(w.owner, "A", "1"), of(w.stranger, "A", "1")}, problem.PermissionDenied},
			"nobody":         {[]secret.TeamItems{of(team.Actor{}, "A", "1")}, problem.NotSignedIn},
			"no scope":       {[]secret.TeamItems{of(w.in(t, w.admin, w.stranger, team.Owner, team.ScopeSecretsRead), "A", "1")}, problem.ScopeRequired},
		} {
			if _, err := w.secrets.EditTeams(t.Context(), secret.TeamsEdit{Teams: c.teams}); problem.CodeOf(err) != c.code {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
		}
	})
}

// Two edits of the same teams in another order don't wait for each other for ever.
func TestEditTeamsTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		beta := w.in(t, w.owner, w.stranger, team.Admin, team.EveryScope()...)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan error)
		for n := range 2 {
			go func() {
				for i := range 10 {
					item := func(a team.Actor) secret.TeamItems {
						return secret.TeamItems{Actor: a, Items: []secret.ImportItem{{Key: fmt.Sprintf("KEY_%d", n), Value: redact.NewValue(fmt.Sprintf("value-%d", i))}}}
					}
					teams := []secret.TeamItems{item(w.owner), item(beta)}
					if n == 1 {
						teams[0], teams[1] = teams[1], teams[0]
					}
					out, err := w.secrets.EditTeams(ctx, secret.TeamsEdit{Teams: teams, DryRun: true})
					if err == nil {
						out, err = w.secrets.EditTeams(ctx, secret.TeamsEdit{Teams: teams, Seen: out.Seen})
					}
					if err == nil && !out.Written {
						err = fmt.Errorf("edit %d of %d was not written: %+v", i, n, out)
					}
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
