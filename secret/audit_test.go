package secret_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// While the audit log can't be written, nothing is handed out and nothing is
// changed; the answer is that of a server that is out of order, without any
// value. It goes on by itself as soon as the log can be written.
func TestNothingHappensUnrecorded(t *testing.T) {
	const canary = "canary-value-7f3a"
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", canary)
		w.deploy(t, w.owner, "app", required("OPENAI_API_KEY"))
		w.deploy(t, w.owner, "unmet", required("FAL_KEY"))
		ctx := t.Context()
		acts := map[string]func() (any, error){
			"resolve":           func() (any, error) { return w.secrets.Resolve(ctx, w.member, secret.Run{App: "acme/app"}) },
			"resolve in vain":   func() (any, error) { return w.secrets.Resolve(ctx, w.member, secret.Run{App: "acme/unmet"}) },
			"resolve of no app": func() (any, error) { return w.secrets.Resolve(ctx, w.member, secret.Run{App: "acme/none"}) },
			"a denied reveal": func() (any, error) {
				_, v, err := w.secrets.Reveal(ctx, w.member, "OPENAI_API_KEY")
				return v.Reveal(), err
			},
			"reveal": func() (any, error) {
				_, v, err := w.secrets.Reveal(ctx, w.owner, "OPENAI_API_KEY")
				return v.Reveal(), err
			},
			"delete": func() (any, error) { return w.secrets.Delete(ctx, w.owner, "OPENAI_API_KEY") },
			"set": func() (any, error) {
				v := redact.NewValue(canary + "-2")
				return w.secrets.Set(ctx, w.owner, secret.Change, secret.Write{Key: "OPENAI_API_KEY", Value: &v})
			},
		}
		dbtest.Exec(t, w.db, "ALTER TABLE audit_entries RENAME TO elsewhere")
		for name, act := range acts {
			got, err := act()
			if !errors.Is(err, problem.Unavailable) {
				t.Errorf("%s: %v", name, err)
			}
			said := fmt.Sprintf("%v %+v", got, got)
			for e := err; e != nil; e = errors.Unwrap(e) {
				said += fmt.Sprintf(" %v %+v %#v", e, e, e)
			}
			if strings.Contains(said, canary) {
				t.Errorf("%s gives the value away", name)
			}
		}
		dbtest.Exec(t, w.db, "ALTER TABLE elsewhere RENAME TO audit_entries")
		if env, err := w.resolve(t, w.member, "acme/app"); err != nil || env["OPENAI_API_KEY"] != canary {
			t.Errorf("once the log is back: %v", err)
		}
		if got, err := w.secrets.Get(ctx, w.owner, "OPENAI_API_KEY"); err != nil || got.Version != 1 {
			t.Errorf("something was changed: version %d, %v", got.Version, err)
		}
	})
}

// Each of many concurrent runs has its own entry, with what it received, and
// the entry is there when the run has its answer (U2).
func TestEachRunHasItsEntry(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.deploy(t, w.owner, "app", required("OPENAI_API_KEY"))
		const callers, rounds = 12, 8
		var group sync.WaitGroup
		for c := range callers {
			group.Go(func() {
				for r := range rounds {
					run := fmt.Sprintf("run-%d-%d", c, r)
					if _, err := w.secrets.Resolve(t.Context(), w.member, secret.Run{App: "acme/app", RunID: run}); err != nil {
						t.Error(err)
					}
					var n int
					err := w.db.Raw.GetContext(t.Context(), &n, w.db.Raw.Rebind(`SELECT count(*) FROM audit_entries
						WHERE run_id = ? AND outcome = 'allowed' AND versions = '[{"key":"OPENAI_API_KEY","version":1}]'`), run)
					if n != 1 || err != nil {
						t.Errorf("%s has %d entries after its answer: %v", run, n, err)
					}
				}
			})
		}
		group.Wait()
		err := w.db.AuditSnapshot(t.Context(), func(log audit.Snapshot) error {
			_, err := audit.Verify(t.Context(), log, w.owner.TeamID(), audit.Head{})
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A run that was permitted and failed is in the log with the reason, also if
// what is stored does not open.
func TestFailedRunsAreRecorded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.deploy(t, w.owner, "app", required("OPENAI_API_KEY"))
		dbtest.Exec(t, w.db, "UPDATE secret_versions SET value = hint")
		if _, err := w.resolve(t, w.member, "acme/app"); !errors.Is(err, secret.ErrCorrupt) {
			t.Fatal(err)
		}
		found, err := w.log.Search(t.Context(), w.owner, audit.Filter{}, 0)
		entries := found.Entries
		if err != nil || entries[0].Action != string(team.ResolveApp) || entries[0].Outcome != audit.Failed || entries[0].Reason != string(problem.Internal) || len(entries[0].Versions) > 0 {
			t.Errorf("the entry is %+v, %v", entries[0], err)
		}
	})
}
