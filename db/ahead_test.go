package db_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"infsh/app"
	"infsh/audit"
	"infsh/db"
	"infsh/db/dbtest"
	"infsh/integration"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// runner is a team with an app that may run.
type runner struct {
	id    string
	actor team.Actor
}

func newRunner(t *testing.T, d *dbtest.Database, name string) runner {
	t.Helper()
	kek := newKEK(t)
	row := dbtest.Team(t, d, kek, name)
	r := runner{row.ID, dbtest.Actor(t, d, row, "ada@"+name+".example", team.Owner)}
	value := redact.NewValue("sk-1")
	if _, err := secret.NewService(d.Secrets(), kek).Set(t.Context(), r.actor, secret.Create, secret.Write{Key: "FIRST_KEY", Value: &value}); err != nil {
		t.Fatal(err)
	}
	if _, err := app.NewService(d.Apps()).Deploy(t.Context(), r.actor, app.Registration{Name: "demo", Requirements: []secret.Requirement{{Kind: secret.KindSecret, Key: "FIRST_KEY"}}}); err != nil {
		t.Fatal(err)
	}
	return r
}

// run records a run of the app with its own run id.
func (r runner) run(ctx context.Context, d *db.DB, runID string) error {
	begun := audit.By(r.actor, team.ResolveApp, "demo", audit.Allowed)
	begun.RunID = runID
	got, err := d.Secrets().RecordRun(ctx, r.id, r.actor.TeamName(), "demo", "", deciding(begun))
	if err == nil && len(got.Given) != 1 {
		err = fmt.Errorf("it is given %d secrets", len(got.Given))
	}
	return err
}

// deciding is a run that makes the decision with the catalogue of the program.
func deciding(begun audit.Entry) secret.Begun {
	return secret.Begun{Entry: begun, Decide: func(data secret.RunData) *secret.Disclosure { return data.Decide(integration.BuiltIn()) }}
}

// verified checks a chain, and returns how often each run stands in it.
func verified(t *testing.T, d *dbtest.Database, teamID string) map[string]int {
	t.Helper()
	runs := map[string]int{}
	err := d.AuditSnapshot(t.Context(), func(s audit.Snapshot) error {
		if _, err := audit.Verify(t.Context(), s, teamID, audit.Head{}); err != nil {
			return err
		}
		links, err := s.Page(t.Context(), teamID, 1, time.Time{}, 1<<20)
		for _, l := range links {
			if l.RunID != "" {
				runs[l.RunID]++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// A run that is answered as before is one statement that commits itself. Whatever
// moment its connection is lost at, the run is answered and its entry stands in
// the log once.
func TestRunLostAtChosenMoments(t *testing.T) {
	for name, tt := range map[string]struct {
		message int // of those that execute the statement
		fault   dbtest.Fault
	}{
		"nothing arrives":        {1, dbtest.CutBefore},
		"it is not executed":     {2, dbtest.CutBefore},
		"it is not committed":    {3, dbtest.CutBefore},
		"the answer is not read": {1, dbtest.CutAfter},
	} {
		t.Run(name, func(t *testing.T) {
			direct := dbtest.Postgres(t)
			r := newRunner(t, direct, "acme")
			proxy, through := dbtest.NewProxy(t, direct.URL)
			d := openURL(t, through)
			for n := range 5 {
				if err := r.run(t.Context(), d, fmt.Sprint("before-", n)); err != nil {
					t.Fatal(err)
				}
			}
			var messages, begins atomic.Int32
			proxy.OnQuery(func(query string) dbtest.Fault {
				if strings.HasPrefix(query, "BEGIN") {
					begins.Add(1)
				}
				if n := messages.Add(1); int(n) == tt.message {
					if begins.Load() > 0 || query != "" {
						t.Errorf("message %d is %q and not the prepared statement", n, query)
					}
					return tt.fault
				}
				return dbtest.Pass
			})
			if err := r.run(t.Context(), d, "cut"); err != nil {
				t.Errorf("the run is answered %v", err)
			}
			if begins.Load() == 0 {
				t.Error("the connection was not lost")
			}
			if err := r.run(t.Context(), d, "after"); err != nil {
				t.Error(err)
			}
			runs := verified(t, direct, r.id)
			if len(runs) != 7 || runs["cut"] != 1 || runs["after"] != 1 {
				t.Errorf("in the log are %v", runs)
			}
		})
	}
}

// Two instances that record runs of the same teams, beside other acts in them,
// make one chain of each: every run that was answered stands in it once.
func TestRunsOfTwoInstancesAreOneChain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		runners := []runner{newRunner(t, d, "acme"), newRunner(t, d, "emca"), newRunner(t, d, "meca")}
		instances := []*db.DB{d.DB, d.Again(t)}
		const callers, each = 12, 25
		var all sync.WaitGroup
		for c := range callers {
			all.Go(func() {
				for n := range each {
					r, instance := runners[(c+n)%len(runners)], instances[c%len(instances)]
					if c == 0 {
						// Another act moves the chain, and no run is in it.
						if err := instance.AppendAudit(t.Context(), audit.By(r.actor, team.ReadAudit, "", audit.Denied)); err != nil {
							t.Error(err)
						}
						continue
					}
					if err := r.run(t.Context(), instance, fmt.Sprintf("run-%d-%d", c, n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		runs := map[string]int{}
		for _, r := range runners {
			for id, n := range verified(t, d, r.id) {
				runs[id] += n
			}
		}
		for id, n := range runs {
			if n != 1 {
				t.Errorf("%s stands in the log %d times", id, n)
			}
		}
		if want := (callers - 1) * each; len(runs) != want {
			t.Errorf("%d runs are in the log, and %d were answered", len(runs), want)
		}
	})
}
